"""Configs in a replay: what is written of them, who notes, and who plays.

Plain fields are written as they are.  What is a function, or stands outside, is asked while the connection works, and
what came of it is among the calls.  Private keys are never written: a signature is a call too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from attrs import evolve, fields

from sansticket import events
from sansticket.commands import ProvideSignature, UseConfig
from sansticket.config.answers import Answers
from sansticket.config.base import Config
from sansticket.config.choices import ASK
from sansticket.config.client import ClientConfig
from sansticket.config.server import ServerConfig
from sansticket.crypto.certificates import Credential
from sansticket.crypto.signatures import sign
from sansticket.crypto.verification import TrustAnchors
from sansticket.errors import SansticketError
from sansticket.events import Question, Sign
from sansticket.replays.outside import Noting, Playing
from sansticket.replays.values import ReplayError, read, written

OBJECTS: Final = (
    *("ticket_keys", "session_cache", "session_store", "revocations"),
    *("stateless_retry", "ticket_uses", "replay"),
)
"""Fields with what stands outside."""

BY_HAND: Final = frozenset(
    {*OBJECTS, "clock", "entropy", "key_log", "padding", "answers", "credentials", "trust_anchors"}
)
"""Fields that are not written as they are."""

SIGNED_IN_TLS13: Final = b" " * 64
"""How what is signed in TLS 1.3 begins (RFC 9846 section 4.5.2), and in TLS 1.2 never."""


class NotedEntropy:
    """Randomness of the config, and what the library draws itself."""

    def __init__(self, noting: Noting, source: Callable[[int], bytes]) -> None:
        self._noting, self._source = noting, source

    def __call__(self, size: int) -> bytes:
        drawn: bytes = self._noting.call("entropy", lambda: self._source(size))
        return drawn

    def beside(self, make: Callable[[], tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
        """See ``crypto.groups``."""
        made: tuple[bytes, bytes] = self._noting.call("encapsulation", make)
        return made


class NotedConfigs:
    """Configs that note; the same one for the same."""

    def __init__(self) -> None:
        self.noting = Noting(self._written_command)
        self._made: dict[int, tuple[Config, Config]] = {}

    def noted(self, config: Config) -> Any:
        """One that notes in the place of ``config``."""
        if id(config) not in self._made:
            self._made[id(config)] = (config, self._noted(config))
        return self._made[id(config)][1]

    def _noted(self, config: Config) -> Config:
        noting = self.noting
        outside = {
            name: noting.standing_for(getattr(config, name))
            for name in OBJECTS
            if getattr(config, name, None) is not None
        }
        padding, clock = config.padding, config.clock
        if padding is not None:
            outside["padding"] = lambda length: noting.call("padding", lambda: padding(length))
        return evolve(
            config,
            clock=lambda: noting.call("clock", clock),
            entropy=NotedEntropy(noting, config.entropy),
            answers=self._answers(config),
            **outside,
        )

    def _answers(self, config: Config) -> Answers:
        answers: dict[Any, Any] = {}
        lacking: Any = getattr(config, "lacking")  # noqa: B009  # both kinds of config have it, and this class not
        if Sign not in config.answers and lacking.get(Sign) == "":
            answers[Sign] = self._answer(Sign, _signature)
        for question, answer in config.answers.items():
            answers[question] = ASK if answer is ASK else self._answer(question, answer)
        made = Answers(answers)
        if config.answers.verifier is not None:
            made.__dict__["verifier"] = config.answers.verifier
        return made

    def _answer(self, question: type[Question], answer: Any) -> Any:
        def noted(asked: Any) -> Any:
            return self.command(self.noting.call(question.__name__, lambda: answer(asked)))

        noted.VERIFIES_BY_DEFAULT = getattr(answer, "VERIFIES_BY_DEFAULT", False) is True  # type: ignore[attr-defined]
        return noted

    def command(self, command: Any) -> Any:
        """What is given to the connection: a config that is chosen notes like the first."""
        return UseConfig(self.noted(command.config)) if type(command) is UseConfig else command

    def _written_command(self, value: Any) -> Any:
        if type(value) is UseConfig:
            return {"!": "UseConfig", "config": {"config": self.written(value.config)}}
        return None

    def written(self, config: Config) -> dict[str, Any]:
        """All that is to be known of ``config`` so that one like it can be made."""
        answers = self.noted(config).answers
        plain = {
            one.alias: getattr(config, one.name) for one in fields(type(config)) if one.name not in BY_HAND
        }
        anchors = config.trust_anchors
        return {
            "side": "client" if isinstance(config, ClientConfig) else "server",
            "fields": {name: written(value, _no_place) for name, value in plain.items()},
            "answers": {
                one.__name__: "ask" if answer is ASK else {"verifies by default": answer.VERIFIES_BY_DEFAULT}
                for one, answer in answers.items()
            },
            "verifier": written(answers.verifier, _no_place),
            "credentials": [_credential(one) for one in config.credentials],
            "trust anchors": None if anchors is None else written(anchors.certificates, _no_place),
            "pads": config.padding is not None,
            "outside": {
                name: self.noting.number_of(getattr(config, name))
                for name in OBJECTS
                if getattr(config, name, None) is not None
            },
        }


def _no_place(value: Any) -> Any:
    raise ReplayError(f"a {type(value).__name__} in a config; a replay has no form for it")


def _signature(question: Sign) -> ProvideSignature:
    """As the credential's key makes it."""
    key = question.credential.private_key
    if key is None:
        raise ReplayError("the credential has no private key, and answers has nothing for Sign")
    tls13 = question.message.startswith(SIGNED_IN_TLS13)
    return ProvideSignature(sign(key, question.scheme, question.message, tls13=tls13))


def _credential(credential: Credential) -> dict[str, Any]:
    """Without its key."""
    return {
        "chain": written(credential.chain, _no_place),
        "schemes": written(credential.schemes, _no_place),
        "must_match_issuer": credential.must_match_issuer,
        "min_rsa_bits": credential.min_rsa_bits,
        "ocsp_response": written(credential.ocsp_response, _no_place),
    }


class PlayedConfigs:
    """Configs that give again what was noted."""

    def __init__(self, tables: list[dict[str, Any]], key_log: Callable[[str], None]) -> None:
        self.playing = Playing(tables, self.made)
        self._key_log = key_log
        self._making = False

    def made(self, noted: Any) -> Any:
        """The config of what ``NotedConfigs.written`` gave.  ReplayError if there can be none."""
        if self._making:
            raise ReplayError("a config within a config")
        self._making = True
        try:
            return self._made(noted)
        finally:
            self._making = False

    def _made(self, noted: Any) -> Any:
        playing = self.playing
        try:
            kind = {"client": ClientConfig, "server": ServerConfig}[noted["side"]]
            more: dict[str, Any] = {
                name: playing.standing_for(number)
                for name, number in noted["outside"].items()
                if name in OBJECTS
            }
            if noted["pads"]:
                more["padding"] = lambda length: playing.call("padding")
            if kind is ServerConfig:
                more.setdefault("ticket_keys", None)
            if noted["trust anchors"] is not None:
                more["trust_anchors"] = TrustAnchors.from_der(playing.value(noted["trust anchors"]))
            return kind(
                **{name: playing.value(one) for name, one in noted["fields"].items() if name not in BY_HAND},
                clock=lambda: playing.call("clock"),
                entropy=_PlayedEntropy(playing),
                answers=self._answers(noted),
                credentials=[_played_credential(one) for one in noted["credentials"]],
                key_log=self._key_log,
                **more,
            )
        except ReplayError:
            raise
        except (SansticketError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise ReplayError(f"its config cannot be made: {type(error).__name__}: {error}") from None

    def _answers(self, noted: dict[str, Any]) -> Answers:
        answers: dict[Any, Any] = {}
        for name, how in noted["answers"].items():
            question = getattr(events, name, None)
            if not (isinstance(question, type) and issubclass(question, Question)):
                raise ReplayError(f"an answer to {name!r:.40}; expected the name of a question")
            answers[question] = (
                ASK if how == "ask" else _PlayedAnswer(self.playing, name, how["verifies by default"])
            )
        made = Answers(answers)
        if noted["verifier"] is not None:
            made.__dict__["verifier"] = self.playing.value(noted["verifier"])
        return made


class _PlayedEntropy:
    def __init__(self, playing: Playing) -> None:
        self._playing = playing

    def __call__(self, size: int) -> Any:
        return self._playing.call("entropy")

    def beside(self, make: Callable[[], Any]) -> Any:
        return self._playing.call("encapsulation")


class _PlayedAnswer:
    def __init__(self, playing: Playing, name: str, by_default: Any) -> None:
        self._playing, self._name = playing, name
        self.VERIFIES_BY_DEFAULT = by_default is True

    def __call__(self, question: Any) -> Any:
        return self._playing.call(self._name)


def _nothing(kind: str, content: Any) -> Any:
    raise ReplayError(f"a value of kind {kind} in a credential")


def _played_credential(noted: dict[str, Any]) -> Credential:
    return Credential(
        read(noted["chain"], _nothing),
        None,
        read(noted["schemes"], _nothing),
        must_match_issuer=noted["must_match_issuer"],
        min_rsa_bits=noted["min_rsa_bits"],
        ocsp_response=read(noted["ocsp_response"], _nothing),
    )
