"""Conversations that are the same in every run: fixed clock, fixed entropy, fixed keys.

A ``Scene`` says how both sides are configured and what they are told to do; ``Scene.open`` makes the two connections,
after an earlier conversation that leaves the client with a session if the scene resumes one; ``perform`` plays it and
notes what went into each side and what came out.

What cannot be repeated is kept out: ML-KEM encapsulation, RSA-PSS and ML-DSA signatures, for which the library draws
its own randomness.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from attrs import define, evolve, field, frozen

from sansticket.codes import (
    CertificateCompression,
    CipherSuite,
    NamedGroup,
    ProtocolVersion,
    PskKeyExchangeMode,
    SignatureScheme,
)
from sansticket.commands import (
    AcceptPeer,
    Close,
    Command,
    EarlyDataClaimed,
    FlushTickets,
    IssueTicket,
    ProvidePsk,
    ProvideSession,
    ProvideSignature,
    RequestClientCertificate,
    SendData,
    SendEarlyData,
    SessionClaimed,
    SessionNotClaimed,
    TicketNotOpened,
    TicketOpened,
    TicketProtected,
    UpdateKeys,
)
from sansticket.config.answers import Lacking
from sansticket.config.choices import Answer, ClientAuthentication, TicketFlush
from sansticket.connection.client import ClientConnection
from sansticket.connection.server import ServerConnection
from sansticket.crypto.certificates import Credential
from sansticket.crypto.signatures import sign
from sansticket.events import (
    ClaimEarlyData,
    ClaimSession,
    DataReceived,
    EarlyDataReceived,
    Event,
    LookUpPsk,
    LookUpSession,
    OpenTicket,
    ProtectTicket,
    Question,
    Sign,
    TicketIssued,
    TicketReceived,
    VerifyPeer,
)
from sansticket.psk import ExternalPsk, PskRole, import_psk
from sansticket.tickets.keys.ring import TicketKeyRing
from sansticket.tickets.session import Session
from sansticket.tickets.stores.uses import ReusePolicy, TicketUse, TicketUses
from tests.support.configs import client_config, server_config
from tests.support.credentials import NOW, anchors, client_credential, server_credential
from tests.support.pair import Side
from tests.support.sessions import repeatable_entropy
from tests.support.staples import stapled_credential

TIME: Final = NOW.timestamp()

Step = tuple[Side, Command]
Input = bytes | Command
Answers = Mapping[type[Question], Answer]

TALK: Final[tuple[Step, ...]] = (
    ("client", SendData(b"a question")),
    ("server", SendData(bytes(range(256)) * 70)),
    ("client", UpdateKeys(request_peer=True)),
    ("client", SendData(b"another")),
    ("server", UpdateKeys()),
    ("server", IssueTicket(2)),
    ("server", SendData(b"an answer")),
    ("server", IssueTicket()),
    ("server", FlushTickets()),
    ("client", Close()),
    ("server", SendData(b"the rest")),
    ("server", Close()),
)
"""Something of everything."""

SHORT_TALK: Final[tuple[Step, ...]] = (
    ("client", SendData(b"a question")),
    ("server", SendData(b"an answer")),
    ("server", Close()),
    ("client", Close()),
)


EARLY_TALK: Final[tuple[Step, ...]] = (
    ("client", SendEarlyData(b"an early question")),
    ("client", SendEarlyData(bytes(200))),
    *SHORT_TALK,
)
"""What is early goes with the ClientHello."""


class AlwaysUsed(TicketUses):
    """Knows of each ticket that it was used a minute ago, however often a scene is played."""

    def __init__(self) -> None:
        super().__init__(policy=ReusePolicy.IGNORE)

    def note(self, ticket: bytes, use: TicketUse, until: float) -> TicketUse:
        return evolve(use, at=use.at - 60, client_random=bytes(32), hello=bytes(16))

    def __reduce__(self) -> tuple[Any, ...]:
        return AlwaysUsed, ()


@define
class Part:
    """One side of a conversation: what went in, what came out."""

    connection: ClientConnection | ServerConnection
    answer: Callable[[Question], Command] | None = None
    inputs: list[Input] = field(factory=list)
    events: list[Event] = field(factory=list)
    output: bytearray = field(factory=bytearray)

    def take(self, item: Input) -> None:
        self.inputs.append(item)
        if isinstance(item, Command):
            self.events += self.connection.send(item)
        else:
            self.events += self.connection.receive_data(item)
        self.output += self.connection.data_to_send()


def psks_of(role: PskRole) -> tuple[ExternalPsk, ...]:
    """One as it is, one that may do without a key exchange, and one that is imported for each hash."""
    alone = (PskKeyExchangeMode.PSK_DHE_KE, PskKeyExchangeMode.PSK_KE)
    return (
        ExternalPsk(b"sensor-7", bytes(range(32)), role=role),
        ExternalPsk(b"lamp-1", bytes(range(32, 64)), role=role, modes=alone, hash_name="sha384"),
        *import_psk(b"gate-3", bytes(range(64, 96)), role=role, context=b"client=gate-3;server=hub"),
    )


class Keys:
    """Ticket keys and a session store that are elsewhere."""

    def __init__(self) -> None:
        self.ring = TicketKeyRing.generate(TIME, repeatable_entropy(30))
        self.entropy = repeatable_entropy(31)
        self.store: dict[bytes, Session] = {}
        self.psks: dict[bytes, ExternalPsk] = {psk.identity: psk for psk in psks_of(PskRole.SERVER)}

    def open(self, question: OpenTicket) -> Command:
        opened = self.ring.open(question.ticket, TIME)
        if opened.plaintext is None:
            return TicketNotOpened()
        return TicketOpened(opened.plaintext, opened.key_name)

    def protect(self, question: ProtectTicket) -> Command:
        return TicketProtected(self.ring.seal(question.plaintext, TIME, self.entropy))

    def look_up(self, question: LookUpSession) -> Command:
        return ProvideSession(self.store.get(question.session_id))

    def look_up_psk(self, question: LookUpPsk) -> Command:
        return ProvidePsk(self.psks.get(question.identity))

    def claim(self, question: ClaimSession) -> Command:
        """It stays all the same, so that a conversation can be forked here."""
        known = self.store.get(question.session.session_id) == question.session
        return SessionClaimed() if known else SessionNotClaimed()


def possible(lacking: Lacking, answers: Answers) -> Answers:
    """Those for what can be asked; a config refuses the others."""
    return {question: answer for question, answer in answers.items() if lacking.get(question) == ""}


@frozen
class Stage:
    """The two connections of a scene, and what is behind them."""

    client: ClientConnection
    server: ServerConnection
    keys: Keys


@frozen(eq=False)
class Scene:
    """``client`` and ``server`` are changes to the configs; ``resumes`` asks for an earlier conversation, in which the
    server's config was another by ``earlier``.

    ``elsewhere`` says what is looked after elsewhere: nothing, tickets by "keys" or in a "store", or the "psks".
    """

    name: str
    client: Mapping[str, Any] = field(factory=dict)
    server: Mapping[str, Any] = field(factory=dict)
    earlier: Mapping[str, Any] = field(factory=dict)
    resumes: bool = False
    elsewhere: str = ""
    talk: tuple[Step, ...] = TALK

    def open(self, client_answers: Answers | None = None, server_answers: Answers | None = None) -> Stage:
        """The connections at their beginning; ``..._answers`` come on top of the scene's own."""
        keys = Keys()
        sessions: list[Session] = []
        if self.resumes:
            # Who verifies is a part of the policy under which a session was made.
            accepting: list[Answers] = [
                {VerifyPeer: lambda _: AcceptPeer()} if VerifyPeer in (answers or {}) else {}
                for answers in (client_answers, server_answers)
            ]
            before = evolve(self, server={**self.server, **self.earlier})
            earlier = before.stage(keys, 40, sessions, *accepting)
            parts = perform(earlier, (("server", SendData(b"x")),))
            sessions = [e.session for e in parts["client"].events if isinstance(e, TicketReceived)][:1]
            for event in parts["server"].events:
                if isinstance(event, TicketIssued):
                    keys.store[event.session.session_id] = event.session
        return self.stage(keys, 50, sessions, client_answers or {}, server_answers or {})

    def stage(
        self,
        keys: Keys,
        seed: int,
        sessions: Sequence[Session],
        client_answers: Answers,
        server_answers: Answers,
    ) -> Stage:
        common = {"clock": lambda: TIME, "versions": (ProtocolVersion.TLS_1_3,)}
        client: dict[str, Any] = {
            **common,
            "groups": CLASSICAL,
            "entropy": repeatable_entropy(seed),
            **self.client,
        }
        server: dict[str, Any] = {
            **common,
            "groups": CLASSICAL,
            "entropy": repeatable_entropy(seed + 1),
            "ticket_keys": keys.ring if self.elsewhere in ("", "psks") else None,
            **self.server,
        }
        elsewhere: dict[str, Answers] = {
            "": {},
            "keys": {OpenTicket: keys.open, ProtectTicket: keys.protect},
            "store": {LookUpSession: keys.look_up},
            "psks": {LookUpPsk: keys.look_up_psk},
        }
        if server.get("single_use_tickets"):
            elsewhere["store"] = {**elsewhere["store"], ClaimSession: keys.claim}
        server["answers"] = {**elsewhere[self.elsewhere], **server.get("answers", {})}
        client["answers"] = {
            **client.get("answers", {}),
            **possible(client_config(**client).lacking, client_answers),
        }
        server["answers"].update(possible(server_config(**server).lacking, server_answers))
        for config in (client, server):
            # The earlier conversation had another function for the same policy.
            if VerifyPeer in config["answers"]:
                config["verification_label"] = b"scene"
        return Stage(
            ClientConnection(client_config(**client), "server.example", sessions),
            ServerConnection(server_config(**server)),
            keys,
        )


def perform(
    stage: Stage, talk: Iterable[Step], answer: Callable[[Question], Command] | None = None
) -> dict[Side, Part]:
    """Play it: bytes are carried until both are silent, then the next step is taken.

    ``answer`` is given at once to every question that is asked.
    """
    parts: dict[Side, Part] = {"client": Part(stage.client), "server": Part(stage.server)}
    parts["client"].output += stage.client.data_to_send()
    early, talk = with_the_hello(talk)
    for side, command in early:
        parts[side].take(command)
    carried = {"client": 0, "server": 0}

    def carry() -> None:
        moved = True
        while moved:
            moved = False
            for sender, receiver in (("client", "server"), ("server", "client")):
                new = bytes(parts[sender].output[carried[sender] :])  # type: ignore[index]
                carried[sender] += len(new)
                if new:
                    parts[receiver].take(new)  # type: ignore[index]
                    moved = True
                while answer is not None and (question := parts[receiver].connection.pending):  # type: ignore[index]
                    parts[receiver].take(answer(question))  # type: ignore[index]
                    moved = True

    carry()
    for side, command in talk:
        parts[side].take(command)
        carry()
    return parts


def with_the_hello(talk: Iterable[Step]) -> tuple[list[Step], list[Step]]:
    """What goes with the ClientHello, before anything else is said; and the rest."""
    steps = list(talk)
    place = next(
        (i for i, (_, command) in enumerate(steps) if not isinstance(command, SendEarlyData)), len(steps)
    )
    return steps[:place], steps[place:]


def without_cuts(events: Iterable[Event]) -> list[Event]:
    """The events with neighbouring data joined: how much comes at once depends on how the stream was cut."""
    joined: list[Event] = []
    for event in events:
        last = joined[-1] if joined else None
        if isinstance(event, DataReceived) and isinstance(last, DataReceived):
            joined[-1] = DataReceived(last.data + event.data)
        elif isinstance(event, EarlyDataReceived) and isinstance(last, EarlyDataReceived):
            joined[-1] = EarlyDataReceived(last.data + event.data)
        else:
            joined.append(event)
    return joined


def elsewhere(credential: Credential) -> Credential:
    """The credential without its key."""
    return Credential(credential.chain, None)


def signs(credential: Credential) -> Callable[[Sign], Command]:
    """Whoever has the key."""

    def answer(question: Sign) -> Command:
        assert credential.private_key is not None
        return ProvideSignature(sign(credential.private_key, question.scheme, question.message))

    return answer


TLS_1_2: Final = {"versions": (ProtocolVersion.TLS_1_2,)}
BOTH_VERSIONS: Final = {"versions": (ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2)}
CLASSICAL: Final = (NamedGroup.X25519, NamedGroup.SECP256R1, NamedGroup.SECP384R1)
STRANGER: Final = ExternalPsk(b"stranger", bytes(range(96, 128)), role=PskRole.CLIENT)


def with_psks(*places: int) -> dict[str, Any]:
    """A client that offers these of ``psks_of``."""
    return {"psks": [psks_of(PskRole.CLIENT)[place] for place in places]}


EARLY_CLIENT: Final = {"early_data": True, "alpn_protocols": (b"h2",)}
EARLY_SERVER: Final[dict[str, Any]] = {
    "max_early_data": 1000,
    "alpn_protocols": (b"h2",),
    "answers": {ClaimEarlyData: lambda _: EarlyDataClaimed()},  # so that a conversation can be forked here
}
STATELESS: Final = {
    "groups": (NamedGroup.SECP256R1,),
    "stateless_retry": TicketKeyRing.generate(TIME, repeatable_entropy(32)),
}
STAPLING: Final = {"request_stapling": True}
STAPLED: Final = {"credentials": [stapled_credential()]}
COMPRESSION: Final = (CertificateCompression.ZLIB,)
WITH_CLIENT: Final = {"client_authentication": ClientAuthentication.REQUIRED, "trust_anchors": anchors()}

SCENES: Final[tuple[Scene, ...]] = (
    Scene("full"),
    Scene("resumed", resumes=True),
    Scene("with a ticket that was used", server={"ticket_uses": AlwaysUsed()}, resumes=True),
    Scene("retry", server={"groups": (NamedGroup.SECP384R1,)}),
    Scene("resumed after a retry", server={"groups": (NamedGroup.SECP256R1,)}, resumes=True),
    Scene("stateless retry", server=STATELESS),
    Scene("resumed after a stateless retry", server=STATELESS, resumes=True),
    Scene(
        "other algorithms",
        client={"cipher_suites": (CipherSuite.AES_256_GCM_SHA384,), "alpn_protocols": (b"h2", b"http/1.1")},
        server={"credentials": [server_credential("ed25519")], "alpn_protocols": (b"http/1.1",)},
    ),
    Scene(
        "ChaCha20, and padding",
        client={"cipher_suites": (CipherSuite.CHACHA20_POLY1305_SHA256,), "padding": lambda size: 100},
        server={"padding": lambda size: -size % 512},
    ),
    Scene("without compatibility mode", client={"middlebox_compatibility": False}),
    Scene("client certificate", client={"credentials": [client_credential()]}, server=WITH_CLIENT),
    Scene(
        "no client certificate",
        server={**WITH_CLIENT, "client_authentication": ClientAuthentication.OPTIONAL},
    ),
    Scene(
        "compressed certificates",
        client={"credentials": [client_credential()], "certificate_compression": COMPRESSION},
        server={**WITH_CLIENT, "certificate_compression": COMPRESSION},
    ),
    Scene("stapled", client=STAPLING, server=STAPLED),
    Scene(
        "client certificate, resumed",
        client={"credentials": [client_credential()]},
        server=WITH_CLIENT,
        resumes=True,
    ),
    Scene(
        "client certificate afterwards",
        client={"credentials": [client_credential()], "post_handshake_auth": True},
        server={"trust_anchors": anchors()},
        talk=(("server", RequestClientCertificate()), *TALK),
    ),
    Scene(
        "no client certificate afterwards",
        client={"post_handshake_auth": True},
        server={"trust_anchors": anchors()},
        talk=(("server", RequestClientCertificate()), *TALK),
    ),
    Scene("keys elsewhere", elsewhere="keys"),
    Scene("keys elsewhere, resumed", resumes=True, elsewhere="keys"),
    Scene("sessions elsewhere", resumes=True, elsewhere="store"),
    Scene(
        "sessions elsewhere, for single use",
        server={"single_use_tickets": True},
        resumes=True,
        elsewhere="store",
    ),
    Scene(
        "early data",
        client=EARLY_CLIENT,
        server={**EARLY_SERVER, "half_rtt": True},
        resumes=True,
        talk=EARLY_TALK,
    ),
    Scene(
        "early data, without compatibility mode",
        client={**EARLY_CLIENT, "middlebox_compatibility": False},
        server=EARLY_SERVER,
        resumes=True,
        talk=EARLY_TALK,
    ),
    Scene(
        "early data, refused",
        client=EARLY_CLIENT,
        server=EARLY_SERVER,
        earlier={"max_early_data": 2000},
        resumes=True,
        talk=EARLY_TALK,
    ),
    Scene(
        "early data, and a retry",
        client=EARLY_CLIENT,
        server={**EARLY_SERVER, "groups": (NamedGroup.SECP256R1,)},
        resumes=True,
        talk=EARLY_TALK,
    ),
    Scene(
        "early data, and a stateless retry",
        client=EARLY_CLIENT,
        server={**EARLY_SERVER, **STATELESS},
        resumes=True,
        talk=EARLY_TALK,
    ),
    Scene("early data that was not offered", client=EARLY_CLIENT, server=EARLY_SERVER, talk=SHORT_TALK),
    Scene("tickets with the first data", server={"ticket_flush": TicketFlush.WRITE}),
    Scene("external PSK", client=with_psks(0), server={"psks": psks_of(PskRole.SERVER)}),
    Scene(
        "external PSK, resumed", client=with_psks(0), server={"psks": psks_of(PskRole.SERVER)}, resumes=True
    ),
    Scene("external PSK elsewhere", client=with_psks(0), elsewhere="psks"),
    Scene("external PSK elsewhere, resumed", client=with_psks(0, 1), elsewhere="psks", resumes=True),
    Scene(
        "external PSK after a retry",
        client=with_psks(0, 1),
        server={"groups": (NamedGroup.SECP256R1,)},
        elsewhere="psks",
    ),
    Scene("imported PSKs", client=with_psks(2, 3), elsewhere="psks"),
    Scene(
        "external PSK without certificates",
        client={**with_psks(1), "trust_anchors": None},
        server={"credentials": ()},
        elsewhere="psks",
    ),
    Scene("external PSK that is not known", client={"psks": [STRANGER]}, elsewhere="psks"),
    Scene("TLS 1.2", client=TLS_1_2, server=TLS_1_2, talk=SHORT_TALK),
    Scene("TLS 1.2 where both versions are offered", client=BOTH_VERSIONS, server=TLS_1_2, talk=SHORT_TALK),
    Scene("TLS 1.2, stapled", client={**TLS_1_2, **STAPLING}, server={**TLS_1_2, **STAPLED}, talk=SHORT_TALK),
    Scene("TLS 1.2, resumed by ticket", client=TLS_1_2, server=TLS_1_2, resumes=True, talk=SHORT_TALK),
    Scene(
        "TLS 1.2, resumed by id",
        client=TLS_1_2,
        server=TLS_1_2,
        resumes=True,
        elsewhere="store",
        talk=SHORT_TALK,
    ),
    Scene("TLS 1.2, keys elsewhere", client=TLS_1_2, server=TLS_1_2, elsewhere="keys", talk=SHORT_TALK),
    Scene(
        "TLS 1.2, keys elsewhere, resumed",
        client=TLS_1_2,
        server=TLS_1_2,
        resumes=True,
        elsewhere="keys",
        talk=SHORT_TALK,
    ),
    Scene(
        "TLS 1.2, client certificate",
        client={**TLS_1_2, "credentials": [client_credential("ed25519")]},
        server={**TLS_1_2, **WITH_CLIENT},
        talk=SHORT_TALK,
    ),
    Scene(
        "TLS 1.2, no client certificate, no tickets",
        client={**TLS_1_2, "tickets_in_tls12": False},
        server={**TLS_1_2, **WITH_CLIENT, "client_authentication": ClientAuthentication.OPTIONAL},
        talk=SHORT_TALK,
    ),
    Scene(
        "TLS 1.2, other algorithms",
        client={**TLS_1_2, "signature_schemes": (SignatureScheme.RSA_PKCS1_SHA384,)},
        server={
            **TLS_1_2,
            "cipher_suites": (CipherSuite.ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,),
            "credentials": [server_credential("rsa")],
        },
        talk=SHORT_TALK,
    ),
)


def named(name: str) -> Scene:
    return next(scene for scene in SCENES if scene.name == name)
