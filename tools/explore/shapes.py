"""What is left of a value when its byte strings lose their meaning: its shape, and which of them are equal.

Keys, random numbers, tickets and signatures are other bytes in each walk, and the machines do nothing with them but
compare them and hand them to functions whose results are as unlike.  So two situations are one if they have the same
shape, and the byte strings of one can be renamed, one for one, into those of the other.  ``key_of`` gives a name to
that: byte strings are numbered in the order in which they are met.
"""

from __future__ import annotations

import functools
import marshal
from array import array
from collections.abc import Iterable
from enum import Enum
from hashlib import blake2b
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, Final

import attrs
from attrs import frozen
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sansticket.config.base import Config
from sansticket.crypto.certificates import Credential
from sansticket.crypto.suites import SuiteParameters
from sansticket.crypto.verification import TrustAnchors
from sansticket.handshake.machine.state import State
from sansticket.keys.transcript import Transcript

NUMBERS_FROM: Final = 2**20
"""From here on a whole number is a random one (``age_add``), and as good as a byte string."""

CONSTANT: Final = (Config, Credential, TrustAnchors, type, FunctionType, MethodType, BuiltinFunctionType)
"""What is the same thing in all walks of a scenario wherever its name is the same."""


@frozen(eq=False)
class Shape:
    """``form`` has a gap for each of ``names``, the byte strings in the order in which they stand in the value."""

    form: bytes
    names: tuple[bytes, ...]


def shape_of(*values: Any) -> Shape:
    """The shape of what is given, in its order."""
    names: list[bytes] = []
    return Shape(marshal.dumps([_form(value, names) for value in values], 2), tuple(names))


def shape_of_state(state: State) -> Shape:
    """The same for a state, remembered: many nodes have the same one."""
    known = _SHAPES.get(id(state))
    if known is None:
        known = _SHAPES[id(state)] = state, shape_of(state)
    return known[1]


_SHAPES: Final[dict[int, tuple[State, Shape]]] = {}


def forget() -> None:
    """A walk is over."""
    _SHAPES.clear()


def key_of(shapes: Iterable[Shape]) -> bytes:
    """16 bytes, the same for what differs in nothing but the choice of its byte strings."""
    digest = blake2b(digest_size=16)
    numbers: dict[bytes, int] = {}
    places = array("I")
    for shape in shapes:
        digest.update(len(shape.form).to_bytes(4) + shape.form)
        for name in shape.names:
            places.append(numbers.setdefault(name, len(numbers)))
    digest.update(places.tobytes())
    return digest.digest()


def _form(value: Any, names: list[bytes]) -> Any:
    kind = type(value)
    if value is None or kind is bool or kind is str or kind is float:
        return value
    if kind is bytes or kind is bytearray:
        if not value:
            return ""
        names.append(bytes(value))
        return ()
    if isinstance(value, Enum):
        return f"{kind.__name__}.{value.name}"
    if isinstance(value, int):
        if value < NUMBERS_FROM:
            return int(value)
        names.append(value.to_bytes(16))
        return ()
    if isinstance(value, tuple | list):
        return [_form(one, names) for one in value]
    if isinstance(value, dict):
        return [(_form(key, names), _form(one, names)) for key, one in value.items()]
    if isinstance(value, frozenset | set):
        return sorted(str(one) for one in value)
    return _form_of_object(value, names)


def _form_of_object(value: Any, names: list[bytes]) -> Any:
    kind = type(value)
    if isinstance(value, SuiteParameters):
        return int(value.suite)
    if isinstance(value, CONSTANT):
        return getattr(value, "__qualname__", kind.__name__)
    if isinstance(value, functools.partial):
        return _form(value.args, names)
    if isinstance(value, Transcript):
        return [value.hash_name, _form(value.messages, names)]
    if hasattr(value, "private_bytes"):
        value = value.public_key()
    if hasattr(value, "public_bytes"):
        names.append(value.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
        return kind.__name__
    fields = _fields_of(kind)
    return [kind.__name__, *(_form(getattr(value, name), names) for name in fields)]


_FIELDS: Final[dict[type, tuple[str, ...]]] = {}


def _fields_of(kind: type) -> tuple[str, ...]:
    if kind not in _FIELDS:
        _FIELDS[kind] = _read_fields(kind)
    return _FIELDS[kind]


def _read_fields(kind: type) -> tuple[str, ...]:
    if attrs.has(kind):
        return tuple(one.name for one in attrs.fields(kind))
    slots = [name for base in kind.__mro__ for name in getattr(base, "__slots__", ())]
    if not slots:
        raise TypeError(f"{kind.__name__}: it is not known what it consists of")
    return tuple(slots)
