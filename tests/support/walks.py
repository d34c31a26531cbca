"""Which rooms a value passes on its way: who hands it to whom, while it goes through the package.

A function is handed a value if one of its arguments is it, or holds it: bytes in bytes, and whatever it is in
tuples, mappings and the fields of values.  The object that a method belongs to does not count, nor do configs and
connections, which hold everything.  A step of a walk is a call from one room into another; what is handed to the same
room again, by the same one and with nothing in between, is one step.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, Final

import attrs

from sansticket import Config, Connection
from tests.support.architecture import room_of

APPLICATION: Final = "application"
DEPTH: Final = 7
FOLDER: Final = "/sansticket/"

Step = tuple[str, str]
"""From a room to a room."""


def walk(act: Callable[[], object], value: object = None, until: str | None = None) -> list[Step]:
    """The steps while ``act`` runs: of ``value``, or all; the last is the first call of a function named ``until``."""
    steps: list[Step] = []
    over = False

    def note(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal over
        if event != "call" or over:
            return
        over = frame.f_code.co_name == until
        here = _room(frame) or (APPLICATION if over else None)
        if here is None or frame.f_code.co_name.startswith("<"):
            return
        if over or value is None or any(holds(given, value) for given in _arguments(frame)):
            step = _caller(frame), here
            ends = over and value is not None  # where the value has no need to be
            if ends or (step[0] != step[1] and step not in steps[-1:]):
                steps.append(step)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(before)
    assert over or until is None, f"{until} was never called"
    return steps


def holds(given: Any, value: object, depth: int = DEPTH) -> bool:
    if given is value:
        return True
    if isinstance(given, bytes | bytearray | memoryview):
        return isinstance(value, bytes) and value in bytes(given)
    if depth == 0 or isinstance(given, Config | Connection):
        return False
    if isinstance(given, Mapping):
        return any(holds(one, value, depth - 1) for one in given.values())
    if isinstance(given, tuple | list):
        return any(holds(one, value, depth - 1) for one in given)
    if attrs.has(type(given)):
        return any(
            holds(getattr(given, field.name, None), value, depth - 1) for field in attrs.fields(type(given))
        )
    return False


def _arguments(frame: FrameType) -> list[Any]:
    code = frame.f_code
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    is_method = code.co_name != "__init__"
    return [frame.f_locals.get(name) for name in names if not (name == "self" and is_method)]


def _room(frame: FrameType) -> str | None:
    """By the first two parts of its name; what attrs has made is where its class is."""
    name = frame.f_code.co_filename
    if (made := re.match(r"<attrs generated \w+ sansticket\.([\w.]+)\.\w+>", name)) is not None:
        module = made[1]
    else:
        _, found, path = name.rpartition(FOLDER)
        if not found or not path.endswith(".py"):
            return None
        module = path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    return ".".join(room_of(module).split(".")[:2])


def _caller(frame: FrameType) -> str:
    """The room from which the call came; what libraries call in between is skipped."""
    back = frame.f_back
    while back is not None and _room(back) is None:
        back = back.f_back
    return APPLICATION if back is None else _room(back) or APPLICATION
