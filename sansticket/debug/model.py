"""The states and transitions that the code declares, as a finite model: for programs that walk it, check it, draw it.

States, inputs and ends are read from the annotations of the handlers, as the pictures are.  The epochs are written
down here, since no annotation has them; ``python -m tools.explore`` holds connections to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal

from attrs import asdict

from sansticket.commands import Command
from sansticket.debug.explain import Side
from sansticket.debug.states import SIDES, first_states, reachable
from sansticket.handshake.machine.state import Asking, ChangeCipherSpec, EarlyDataRecord, State
from sansticket.handshake.machine.transitions import (
    VERSION_FOLDERS,
    Input,
    accepted_by,
    name_of,
    successors_of,
)
from sansticket.values import frozen

FORMAT: Final = 1
"""Goes up when a reader of the JSON has to change."""

Trigger = Literal["message", "change_cipher_spec", "early data", "answer", "command"]

VERSIONS: Final[Mapping[str, str]] = dict(zip(VERSION_FOLDERS, ("TLS 1.2", "TLS 1.3"), strict=True))

Epochs = tuple[tuple[str, str], ...]
"""Pairs of the epoch in which a state reads and the one in which it writes, as their keys are called."""

PLAIN, EARLY, HANDSHAKE, DATA = "plaintext", "early data", "handshake", "application data"
PROTECTED = "protected"
"""The one epoch of TLS 1.2 that has keys."""

EPOCHS_BY_DEFAULT: Final[Mapping[str, Epochs]] = {
    "": ((PLAIN, PLAIN),),
    "tls12": ((PLAIN, PLAIN),),
    "tls13": ((HANDSHAKE, HANDSHAKE),),
}
"""By the folder of the state."""

BEFORE_THE_ANSWER: Final[Epochs] = ((PLAIN, PLAIN),)
SERVER_HAS_FINISHED: Final[Epochs] = ((HANDSHAKE, DATA),)
CONNECTED: Final[Epochs] = ((DATA, DATA),)
EITHER_FINISHED_FIRST: Final[Epochs] = ((PROTECTED, PLAIN), (PROTECTED, PROTECTED))
"""TLS 1.2: who is first to change its keys depends on whether a session is resumed."""

EPOCHS: Final[Mapping[tuple[Side, str], Epochs]] = {
    ("client", "WaitServerHelloWithEarlyData"): ((PLAIN, EARLY),),
    ("client", "tls13.WaitServerHelloAfterRetry"): BEFORE_THE_ANSWER,
    ("client", "tls13.WaitEncryptedExtensionsWithEarlyData"): ((HANDSHAKE, EARLY),),
    ("client", "tls13.WaitServerFinishedWithEarlyData"): ((HANDSHAKE, EARLY),),
    ("client", "tls13.AskSign"): ((DATA, HANDSHAKE),),
    ("client", "tls13.AskSignAgain"): CONNECTED,
    ("client", "tls13.ClientConnected"): CONNECTED,
    ("client", "tls12.WaitNewSessionTicket"): ((PLAIN, PLAIN), (PLAIN, PROTECTED)),
    ("client", "tls12.WaitServerChangeCipherSpec"): ((PLAIN, PLAIN), (PLAIN, PROTECTED)),
    ("client", "tls12.WaitServerFinished"): EITHER_FINISHED_FIRST,
    ("client", "tls12.ClientConnected"): ((PROTECTED, PROTECTED),),
    ("server", "tls13.WaitSecondClientHello"): BEFORE_THE_ANSWER,
    ("server", "tls13.WaitClientHelloWithCookie"): BEFORE_THE_ANSWER,
    ("server", "tls13.AskOpenTicket"): BEFORE_THE_ANSWER,
    ("server", "tls13.AskDecideTicket"): BEFORE_THE_ANSWER,
    ("server", "tls13.AskLookUpSession"): BEFORE_THE_ANSWER,
    ("server", "tls13.AskLookUpPsk"): BEFORE_THE_ANSWER,
    ("server", "tls13.AskAdmitSession"): BEFORE_THE_ANSWER,
    ("server", "tls13.AskClaimSession"): BEFORE_THE_ANSWER,
    ("server", "tls13.AskAdmitEarlyData"): BEFORE_THE_ANSWER,
    ("server", "tls13.AskClaimEarlyData"): BEFORE_THE_ANSWER,
    ("server", "tls13.WaitEndOfEarlyData"): ((EARLY, DATA),),
    ("server", "tls13.WaitClientFinished"): SERVER_HAS_FINISHED,
    ("server", "tls13.WaitClientCertificate"): SERVER_HAS_FINISHED,
    ("server", "tls13.WaitClientCertificateVerify"): SERVER_HAS_FINISHED,
    ("server", "tls13.AskVerifyPeer"): SERVER_HAS_FINISHED,
    ("server", "tls13.AskVerifyAgain"): CONNECTED,
    ("server", "tls13.AskPrepareTicket"): CONNECTED,
    ("server", "tls13.AskProtectTicket"): CONNECTED,
    ("server", "tls13.ServerConnected"): CONNECTED,
    ("server", "tls12.WaitClientChangeCipherSpec"): ((PLAIN, PLAIN), (PLAIN, PROTECTED)),
    ("server", "tls12.AskPrepareTicket"): ((PLAIN, PLAIN), (PROTECTED, PLAIN)),
    ("server", "tls12.AskProtectTicket"): ((PLAIN, PLAIN), (PROTECTED, PLAIN)),
    ("server", "tls12.WaitClientFinished"): EITHER_FINISHED_FIRST,
    ("server", "tls12.ServerConnected"): ((PROTECTED, PROTECTED),),
}
"""Of the states for which the default is not right.  A direction that has ended has no epoch any more, and one that
was updated (KeyUpdate) is still that of application data."""


@frozen
class Place:
    """A state of one side.

    ``version`` is None where it is not settled yet, ``question`` the one that is open, if any.
    """

    name: str
    version: str | None
    question: str | None
    established: bool
    epochs: Epochs


@frozen
class Transition:
    """On ``trigger``, which is of that ``kind``, from ``start`` to ``end``; None is the end of the connection."""

    start: str
    trigger: str
    kind: Trigger
    end: str | None


@frozen
class Machine:
    """One side: where it begins, its states, and all that is declared to happen in them.

    Everywhere else it can end: by an alert, the end of the stream, ``Close``, ``Abort`` and ``CheckRevocations``.
    """

    side: Side
    first: tuple[str, ...]
    places: tuple[Place, ...]
    transitions: tuple[Transition, ...]


def machine(side: Side) -> Machine:
    """The model of that side."""
    states = reachable(side)
    return Machine(
        side,
        tuple(name_of(state) for state in first_states(side)),
        tuple(_place(side, state) for state in states),
        tuple(transition for state in states for transition in _transitions(state)),
    )


def epochs_of(side: Side, state: type[State]) -> Epochs:
    """In which it reads and writes."""
    name = name_of(state)
    return EPOCHS.get((side, name)) or EPOCHS_BY_DEFAULT[name.rpartition(".")[0]]


def document(sides: Iterable[Side] = SIDES) -> dict[str, Any]:
    """These sides, as JSON has it."""
    return {"format": FORMAT, **{side: asdict(machine(side)) for side in sides}}


def _place(side: Side, state: type[State]) -> Place:
    name = name_of(state)
    return Place(
        name,
        VERSIONS.get(name.rpartition(".")[0]),
        state.QUESTION.__name__ if issubclass(state, Asking) else None,
        state.ESTABLISHED,
        epochs_of(side, state),
    )


def _transitions(state: type[State]) -> Iterator[Transition]:
    for kind in accepted_by(state):
        for end in successors_of(state, kind) or (None,):
            yield Transition(
                name_of(state),
                kind.__name__,
                _kind(state, kind),
                None if end is None else name_of(end),
            )


def _kind(state: type[State], kind: type[Input]) -> Trigger:
    if kind is ChangeCipherSpec:
        return "change_cipher_spec"
    if kind is EarlyDataRecord:
        return "early data"
    if not issubclass(kind, Command):
        return "message"
    return "answer" if issubclass(state, Asking) else "command"
