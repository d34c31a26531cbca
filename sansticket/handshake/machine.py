"""What a state is, and how one step is taken.

The rules of the machine, which every file of this room follows:

1. A state is a frozen value that holds exactly what exists then.  There is no field that is None because it
   is "not yet" known: a later state has it, an earlier one does not.
2. An input is a handshake message, a ``ChangeCipherSpec`` or a command of the application.  A state accepts an
   input if it has a handler ``on_<input>(self, <input>, flight) -> <the states it can lead to>``.
   Nothing else is a transition: ``accepted_by`` and ``successors_of`` are read from those annotations, and so
   are the "expected ..." messages, the diagrams and the test of every state with every input.
3. A handler is a function of the state, the input and the flight.  What it wants done (messages to send, keys
   to install, events to emit) it only notes down in the ``Flight``; the connection carries the list out when the
   handler has returned.  A handler that raises leaves nothing behind but its alert.
4. A question to the application is a state (``Asking``), and its answers are commands.  No code of the
   application ever runs inside a step: the connection calls it between two steps.

Time and randomness come with the flight: one reading of the config's clock for the whole step, and the
config's source of entropy.
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import Any, ClassVar, NoReturn, TypeVar

from attrs import define, field

from sansticket.commands import AbortHandshake, Command
from sansticket.config import ClientConfig, ServerConfig
from sansticket.crypto.suites import SuiteParameters, TrafficKeys
from sansticket.errors import Fault, Reason
from sansticket.events import Event, Question
from sansticket.handshake.established import Established
from sansticket.tickets.session import Session
from sansticket.values import value
from sansticket.wire.codes import AlertDescription
from sansticket.wire.message import Message


@value
class ChangeCipherSpec:
    """The one-byte record of TLS 1.2, and of the compatibility mode of TLS 1.3 (RFC 9846 appendix E.4)."""


@define
class SendMessage:
    raw: bytes


@define
class SendChangeCipherSpec:
    pass


@define
class SendApplicationData:
    data: bytes


@define
class SendWarning:
    """An alert that ends nothing (TLS 1.2)."""

    description: AlertDescription


@define
class ProtectWrites:
    """From here on our records are sealed with these keys."""

    version: int
    suite: SuiteParameters
    keys: TrafficKeys = field(repr=False)


@define
class ProtectReads:
    """From here on the peer's records are opened with these keys."""

    version: int
    suite: SuiteParameters
    keys: TrafficKeys = field(repr=False)


@define
class SkipEarlyData:
    """The peer sent early data that we do not accept: drop what does not decrypt (RFC 9846 section 4.3.10)."""

    before_second_hello: bool


@define
class UseConnectionConfig:
    config: ServerConfig


@define
class LogSecret:
    """A line of the key log: label, client random and secret."""

    label: str
    client_random: bytes
    secret: bytes = field(repr=False)


@define
class StoreSession:
    """Put a session into the config's session cache, whose hooks are the application's."""

    session: Session
    now: float


@define
class Establish:
    """What is known of the connection: the handshake is complete, or the peer has a new identity."""

    established: Established


Effect = (
    SendMessage
    | SendChangeCipherSpec
    | SendApplicationData
    | SendWarning
    | ProtectWrites
    | ProtectReads
    | SkipEarlyData
    | UseConnectionConfig
    | LogSecret
    | Establish
    | StoreSession
)


class Flight:
    """What one step is given, and what it wants done.

    ``now`` is in seconds since the epoch; ``received`` holds the raw bytes of the handshake message being
    handled, for the transcript; ``num_tickets`` is the number set on the connection, None if there is none;
    ``logs_secrets`` says whether anybody wants the lines of a key log, ``can_send`` that our close_notify is not out.
    """

    __slots__ = (
        "can_send",
        "effects",
        "ends_record",
        "entropy",
        "events",
        "logs_secrets",
        "now",
        "num_tickets",
        "received",
    )

    def __init__(
        self,
        now: float,
        entropy: Callable[[int], bytes],
        received: bytes = b"",
        num_tickets: int | None = None,
        logs_secrets: bool = True,
        can_send: bool = True,
    ) -> None:
        self.now = now
        self.logs_secrets = logs_secrets
        self.can_send = can_send
        self.entropy = entropy
        self.received = received
        self.num_tickets = num_tickets
        self.ends_record = False
        self.effects: list[Effect] = []
        self.events: list[Event] = []

    def send(self, message: Message) -> bytes:
        """Note a handshake message; gives its bytes, for the transcript."""
        raw = message.encode()
        self.effects.append(SendMessage(raw))
        return raw

    def send_raw(self, raw: bytes) -> None:
        self.effects.append(SendMessage(raw))

    def send_change_cipher_spec(self) -> None:
        self.effects.append(SendChangeCipherSpec())

    def send_application_data(self, data: bytes) -> None:
        self.effects.append(SendApplicationData(data))

    def send_warning(self, description: AlertDescription) -> None:
        self.effects.append(SendWarning(description))

    def protect_writes(self, version: int, suite: SuiteParameters, keys: TrafficKeys) -> None:
        self.effects.append(ProtectWrites(version, suite, keys))

    def expect_end_of_record(self) -> None:
        """Nothing may stand behind the message being handled in its record (RFC 9846 section 5.1)."""
        self.ends_record = True

    def protect_reads(self, version: int, suite: SuiteParameters, keys: TrafficKeys) -> None:
        self.expect_end_of_record()
        self.effects.append(ProtectReads(version, suite, keys))

    def skip_early_data(self, *, before_second_hello: bool) -> None:
        self.effects.append(SkipEarlyData(before_second_hello))

    def use_config(self, config: ServerConfig) -> None:
        self.effects.append(UseConnectionConfig(config))

    def log_secret(self, label: str, client_random: bytes, secret: bytes) -> None:
        if self.logs_secrets:
            self.effects.append(LogSecret(label, client_random, secret))

    def store_session(self, session: Session) -> None:
        self.effects.append(StoreSession(session, self.now))

    def establish(self, established: Established) -> None:
        self.effects.append(Establish(established))

    def emit(self, event: Event) -> None:
        self.events.append(event)


@value
class State:
    """Base of all states.  ``IN_TLS_1_2`` says by whose table handshake messages are decoded."""

    IN_TLS_1_2: ClassVar[bool] = False
    ESTABLISHED: ClassVar[bool] = False
    """The handshake is done: application data can come in and go out."""

    @property
    def takes_data(self) -> bool:
        """Application data may come in now."""
        return self.ESTABLISHED

    @property
    def sends_at_once(self) -> bool:
        """Application data can go out as it is: nothing else is to be sent before it."""
        return False


@value
class Asking(State):
    """A question is open: the state accepts only its answers."""

    QUESTION: ClassVar[type[Question]]

    def question(self) -> Question:
        """The event that asks the application."""
        raise AssertionError(f"{type(self).__name__} must say what it asks")

    def default_answer(self, now: float) -> Command:
        """The documented default, when the config names no other way of answering."""
        raise AssertionError(f"{type(self).__name__} must say its default")

    def on_abort_handshake(self, command: AbortHandshake, flight: Flight) -> NoReturn:
        raise Fault(
            Reason.ABORTED_BY_APPLICATION,
            f"answer to {self.QUESTION.__name__}",
            alert=command.alert,
        )


Config = ClientConfig | ServerConfig
Input = Message | ChangeCipherSpec | Command
Handler = Callable[[Any, Any, Flight], State]
T = TypeVar("T")


def _handlers(state: type[State]) -> list[Handler]:
    return [getattr(state, name) for name in dir(state) if name.startswith("on_")]


def _once_per_state(function: Callable[[type[State]], T]) -> Callable[[type[State]], T]:
    """Remember the result: annotations are read at the first use of a state, not at import."""

    class Known(dict[type[State], T]):
        def __missing__(self, state: type[State]) -> T:
            self[state] = result = function(state)
            return result

    return Known().__getitem__


@_once_per_state
def accepted_by(state: type[State]) -> dict[type[Input], Handler]:
    """The inputs that ``state`` accepts, each with its handler."""
    accepted: dict[type[Input], Handler] = {}
    for handler in _handlers(state):
        hints = [
            hint for key, hint in typing.get_type_hints(handler).items() if key not in ("return", "flight")
        ]
        for kind in typing.get_args(hints[0]) or (hints[0],):
            accepted[kind] = handler
    return accepted


@_once_per_state
def messages_accepted_by(state: type[State]) -> dict[int, tuple[type[Message], ...]]:
    """The handshake messages that ``state`` accepts, by their number on the wire."""
    by_type: dict[int, tuple[type[Message], ...]] = {}
    for kind in accepted_by(state):
        number = getattr(kind, "TYPE", None)
        if number is not None:
            by_type[number] = (*by_type.get(number, ()), typing.cast(type[Message], kind))
    return by_type


def successors_of(state: type[State], kind: type[Input]) -> tuple[type[State], ...]:
    """The states to which ``kind`` can lead from ``state``, as the handler's annotation declares them.

    ``Self`` stands for the state itself, ``NoReturn`` for the end of the connection.
    """
    handler = accepted_by(state)[kind]
    result = typing.get_type_hints(handler)["return"]
    members = typing.get_args(result) or (result,)
    return tuple(state if member is typing.Self else member for member in members if member is not NoReturn)


def expected_in(state: type[State]) -> str:
    """The inputs that ``state`` accepts, for an error message."""
    names = [kind.__name__ for kind in accepted_by(state)]
    return " or ".join(sorted(names)) if names else "nothing"
