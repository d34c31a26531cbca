"""Which inputs a state accepts and where they lead, read from the annotations of its handlers."""

from __future__ import annotations

import sys
import typing
from collections.abc import Callable
from functools import cache
from typing import Any, Final, NoReturn, TypeVar

from sansticket.commands import Command
from sansticket.handshake.machine.flight import Flight
from sansticket.handshake.machine.state import Asking, ChangeCipherSpec, EarlyDataRecord, State
from sansticket.wire.messages.base import Message

Input = Message | ChangeCipherSpec | EarlyDataRecord | Command
Handler = Callable[[Any, Any, Flight], State]
T = TypeVar("T")

VERSION_FOLDERS: Final = ("tls12", "tls13")
"""Where states live that exist in one version only."""


@cache
def _handlers_in(kind: type) -> list[str]:
    """The names of those that a class has of its own; what many states have in common is looked through once."""
    return [name for name in vars(kind) if name.startswith("on_")]


def _handlers(state: type[State]) -> list[Handler]:
    names = {name for kind in state.__mro__ for name in _handlers_in(kind)}
    return [getattr(state, name) for name in sorted(names)]


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
        # Names in its module, and of no other is anything asked: get_type_hints would compile each annotation.
        names: str = next(iter(handler.__annotations__.values()))
        for name in names.split(" | "):
            accepted[handler.__globals__[name]] = handler
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

    ``Self`` stands for the state itself, ``NoReturn`` for the end of the connection, and a type variable for
    what the state's own class binds it to.
    """
    handler = accepted_by(state)[kind]
    result = typing.get_type_hints(handler)["return"]
    if isinstance(result, TypeVar):
        result = _bound(state, result)
    members = typing.get_args(result) or (result,)
    return tuple(state if member is typing.Self else member for member in members if member is not NoReturn)


def _bound(state: type[State], variable: TypeVar) -> Any:
    """What ``class Ask(common.Ask["AfterHello"])`` says of a type variable of ``common.Ask``."""
    for base in getattr(state, "__orig_bases__", ()):
        parameters = getattr(typing.get_origin(base), "__parameters__", ())
        if variable in parameters:
            (name,) = typing.get_args(base)
            return getattr(sys.modules[state.__module__], name.__forward_arg__)
    raise TypeError(f"{state.__name__} leaves open what {variable} is")


def name_of(state: type[State]) -> str:
    """The name of a state: ``tls12.WaitFinished``, or ``WaitServerHello`` where no version is settled."""
    folder = state.__module__.split(".")[-2]
    return f"{folder}.{state.__name__}" if folder in VERSION_FOLDERS else state.__name__


def expected_in(state: type[State]) -> str:
    """The inputs that ``state`` accepts, for an error message."""
    names = [kind.__name__ for kind in accepted_by(state)]
    return " or ".join(sorted(names)) if names else "nothing"


def commands_expected_in(state: type[State]) -> str:
    """The commands that ``state`` accepts, for the error message of one that it does not.

    Messages of the peer are not among them, since nobody can give those.  ``Close`` and ``Abort`` are no inputs.
    """
    names = sorted(kind.__name__ for kind in accepted_by(state) if issubclass(kind, Command))
    if state.ESTABLISHED or issubclass(state, Asking):
        return " or ".join(names) if names else "nothing"
    return f"no command but {' or '.join([*names, 'Close', 'Abort'])} before HandshakeCompleted"
