"""Copies of connections: for the same process, and for another."""

from __future__ import annotations

from copy import copy
from io import BytesIO
from pickle import Pickler, loads
from typing import Any, Final, TypeVar, get_args

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from sansticket.crypto.signatures import PublicKey, RsaPssPublicKey

CHANGES_IN_PLACE: Final = frozenset(
    {"_engine", "events", "held", "limits", "messages", "outbound", "reader", "sessions", "writer"}
)
"""The parts of a connection that a fork needs for itself; all others are replaced, never changed."""

T = TypeVar("T")

LIBRARY_PUBLIC_KEYS: Final = tuple(kind for kind in get_args(PublicKey) if kind is not RsaPssPublicKey)


def forked(original: T) -> T:
    """A connection, or a part of one, in the same state, that goes its own way from here."""
    fork = object.__new__(type(original))
    for name in _slots_of(type(original)):
        value = getattr(original, name)
        if name in CHANGES_IN_PLACE:
            value = forked(value) if name in ("_engine", "outbound") else copy(value)
        setattr(fork, name, value)
    return fork


def _slots_of(kind: type) -> list[str]:
    return [name for one in kind.__mro__ for name in getattr(one, "__slots__", ())]


class ConnectionPickler(Pickler):
    """Knows what to do with the library's public keys, which cannot be pickled."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, LIBRARY_PUBLIC_KEYS):
            return _public_key, (value.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),)
        return NotImplemented


def _public_key(der: bytes) -> Any:
    return load_der_public_key(der)


def pickled(connection: object) -> bytes:
    """All parts of a connection."""
    values = {name: getattr(connection, name) for name in _slots_of(type(connection))}
    output = BytesIO()
    ConnectionPickler(output).dump(values)
    return output.getvalue()


def unpickled(kind: type[T], parts: bytes) -> T:
    connection = object.__new__(kind)
    for name, value in loads(parts).items():
        setattr(connection, name, value)
    return connection
