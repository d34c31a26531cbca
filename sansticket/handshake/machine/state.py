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
   handler has returned.  A handler that raises leaves nothing behind but its alert, and the keys for that.
4. A question to the application is a state (``Asking``), and its answers are commands.  No code of the
   application ever runs inside a step: the connection calls it between two steps.

Time and randomness come with the flight: one reading of the config's clock for the whole step, and the
config's source of entropy.
"""

from __future__ import annotations

from typing import ClassVar, NoReturn, Self

from attrs import field

from sansticket.commands import AbortHandshake, Command
from sansticket.errors import Fault, Reason
from sansticket.events import Question
from sansticket.handshake.machine.flight import Flight
from sansticket.handshake.machine.version import TLS_1_3, Version
from sansticket.values import value
from sansticket.wire.messages.alert import Alert
from sansticket.wire.messages.base import Message


@value
class ChangeCipherSpec:
    """The one-byte record of TLS 1.2, and of the compatibility mode of TLS 1.3 (RFC 9846 appendix E.4)."""


@value
class EarlyDataRecord:
    """Application data that came under the keys of early data."""

    data: bytes = field(repr=False)


@value
class State:
    """Base of all states."""

    VERSION: ClassVar[Version] = TLS_1_3
    """By whose rules messages are decoded, alerts chosen and records protected."""

    ESTABLISHED: ClassVar[bool] = False
    """The handshake is done: application data can come in and go out."""

    OVERLOOKS_CHANGE_CIPHER_SPEC: ClassVar[bool] = True
    """Where it is no input, a change_cipher_spec means nothing here (RFC 9846 section 5)."""

    FIXED_KEYS: ClassVar[bool] = False
    """Data can go out before the handshake is done, under keys that cannot be replaced yet."""

    GIVES_WAY: ClassVar[bool] = False
    """Another connection can go on from here, with what has come and was not read."""

    DELAYS_CLOSE: ClassVar[bool] = False
    """close_notify has to wait for the peer's flight: what we write goes out under the keys of early data."""

    @property
    def overlooks_change_cipher_spec(self) -> bool:
        """A change_cipher_spec means nothing here."""
        return self.OVERLOOKS_CHANGE_CIPHER_SPEC

    @property
    def early_data_left(self) -> int:
        """Bytes of early data that may still come or go."""
        return 0

    @property
    def takes_data(self) -> bool:
        """Application data may come in now."""
        return self.ESTABLISHED

    @property
    def sends_at_once(self) -> bool:
        """Application data can go out as it is: nothing else is to be sent before it."""
        return False

    def tolerates(self, alert: Alert) -> bool:
        """An alert that ends nothing."""
        return self.VERSION.is_harmless(alert)

    def awaits(self, message: Message) -> bool:
        """The message answers a question of ours, and there is one question for each."""
        return False

    @property
    def bytes_queued(self) -> int:
        """An upper bound of what leaves before the next data, or before close_notify."""
        return 0

    def without_writing_secrets(self) -> Self:
        """Our close_notify is out: what only served to write is forgotten."""
        return self

    def without_reading_secrets(self) -> Self:
        """The peer's close_notify has come: what only served to read is forgotten."""
        return self


class Asking(State):
    """A question is open: the state accepts only its answers."""

    __slots__ = ()

    QUESTION: ClassVar[type[Question]]

    def question(self) -> Question:
        """The event that asks the application."""
        raise AssertionError(f"{type(self).__name__} must say what it asks")

    def default_answer(self, now: float) -> Command:
        """The documented default, when the config names no other way of answering."""
        raise AssertionError(f"{type(self).__name__} must say its default")

    def answer_after(self, error: Exception) -> Command | None:
        """What stands for the answer of a function that raised; None where that ends the connection."""
        return None

    def on_abort_handshake(self, command: AbortHandshake, flight: Flight) -> NoReturn:
        raise Fault(
            Reason.ABORTED_BY_APPLICATION,
            f"answer to {self.QUESTION.__name__}",
            alert=command.alert,
        )


class Ended(State):
    """The connection is over: nothing is accepted any more."""

    __slots__ = ()
