"""How values are written in a replay file: as JSON, each kind in one way.

    None, True, 5, 1.5, "text"     as in JSON
    {"b": "AAEC"}                  bytes, in base64
    {"t": [...]}                   a tuple or a list
    {"e": "TicketReturn.USE"}      a member of an enum
    {"!": "SendData", ...}         a value with its fields: a command, a session, an external PSK
    {"config": {...}}              a config, see ``configs``
    {"o": 3}                       something that stays outside, see ``outside``
    {"out": 48}                    what was left out with the secrets, and its bytes, where it had any

Names are those of classes that are listed here; reading a file makes nothing else.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from enum import Enum
from types import ModuleType
from typing import Any, Final

import attrs

from sansticket import codes, commands, psk
from sansticket.config import choices
from sansticket.errors import Reason, SansticketError
from sansticket.tickets import decision, session
from sansticket.tickets.keys import protection
from sansticket.tickets.stores import cache, uses

MAX_DEPTH: Final = 50


class ReplayError(SansticketError, ValueError):
    """Bytes that are no replay file, or one that cannot be played: the text says what was wrong, and where."""


class Left:
    """Stands for what was left out."""

    def __init__(self, size: int | None) -> None:
        self.size = size

    def __repr__(self) -> str:
        return "<left out>" if self.size is None else f"<{self.size} bytes left out>"


def _classes(module: ModuleType, kind: Callable[[type], bool]) -> Iterator[tuple[str, type]]:
    for name, one in vars(module).items():
        if isinstance(one, type) and one.__module__.startswith("sansticket.") and kind(one):
            yield name, one


ENUMS: Final[dict[str, type[Enum]]] = {
    name: one
    for module in (codes, choices, decision, uses, cache, psk)
    for name, one in _classes(module, lambda one: issubclass(one, Enum))
} | {"Reason": Reason}

VALUES: Final[dict[str, type]] = {
    name: one
    for module in (commands, session, psk, protection, uses)
    for name, one in _classes(module, attrs.has)
}


def written(value: Any, outside: Callable[[Any], Any]) -> Any:
    """A value as JSON.  ``outside`` writes what is none of these."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return {"b": b64encode(bytes(value)).decode()}
    if isinstance(value, tuple | list):
        return {"t": [written(one, outside) for one in value]}
    if isinstance(value, Enum) and ENUMS.get(type(value).__name__) is type(value):
        return {"e": f"{type(value).__name__}.{value.name}"}
    if VALUES.get(type(value).__name__) is type(value):
        fields = {one.alias: written(getattr(value, one.name), outside) for one in _fields(type(value))}
        return {"!": type(value).__name__, **fields}
    if isinstance(value, int) and not isinstance(value, Enum):
        return int(value)
    return outside(value)


def _fields(kind: type) -> list[Any]:
    return [one for one in attrs.fields(kind) if one.init]


def read(value: Any, outside: Callable[[str, Any], Any], depth: int = 0) -> Any:
    """Undo ``written``; ``outside`` reads the kinds ``config`` and ``o``.  ReplayError for what is none."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if depth > MAX_DEPTH or not isinstance(value, dict) or not value:
        kind_of = type(value).__name__
        raise ReplayError(f"a value that is a {kind_of}, or too deep; expected one of the kinds of a replay")
    if "!" in value:
        return _made(value, outside, depth)
    ((kind, content),) = value.items() if len(value) == 1 else (("", None),)
    match kind, content:
        case "b", str():
            return bytes_of(content)
        case "t", list():
            return tuple(read(one, outside, depth + 1) for one in content)
        case "e", str():
            name, _, member = content.partition(".")
            if name in ENUMS and member in ENUMS[name].__members__:
                return ENUMS[name][member]
            raise ReplayError(f"{content!r:.80}; expected a member of an enum")
        case "out", None | int():
            return Left(content)
        case (("config" | "o"), _):
            return outside(kind, content)
    raise ReplayError(f"a value of kind {kind!r:.40}; expected one of the kinds of a replay")


def bytes_of(text: Any) -> bytes:
    """Of base64.  ReplayError for anything else."""
    try:
        return b64decode(text, validate=True)
    except (ValueError, TypeError):
        raise ReplayError("bytes that are not in base64") from None


def _made(value: dict[str, Any], outside: Callable[[str, Any], Any], depth: int) -> Any:
    name = value["!"]
    kind = VALUES.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ReplayError(f"{name!r:.80}; expected the name of a command, of a session, or of another value")
    content = {field: read(one, outside, depth + 1) for field, one in value.items() if field != "!"}
    left = [field for field, one in content.items() if isinstance(one, Left)]
    if left:
        return Left(None)
    try:
        return kind(**content)
    except (TypeError, ValueError, AttributeError, SansticketError) as error:
        raise ReplayError(f"{name} cannot be made: {error}") from None


def without_secrets(value: Any) -> Any:
    """A written value with nothing in it but names, numbers of registries, and how many bytes there were."""
    if isinstance(value, dict):
        if "!" in value:
            return {"!": value["!"], **{name: _left(one) for name, one in value.items() if name != "!"}}
        return _left(value)
    return _left(value)


def _left(value: Any) -> Any:
    if isinstance(value, dict) and "out" in value:
        return value
    if isinstance(value, dict) and "b" in value:
        return {"out": len(bytes_of(value["b"]))}
    public = value is None or isinstance(value, bool | int) or (isinstance(value, dict) and "e" in value)
    return value if public else {"out": None}
