"""Copies of connections: for the same process, and for another."""

from __future__ import annotations

from pickle import Pickler, loads
from typing import Any, Final, TypeVar, get_args

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from sansticket.crypto.signatures import PublicKey, RsaPssPublicKey

COPIED_BY_A_FORK: Final = frozenset(
    {
        "_cached_sessions",
        "_events",
        "_handshake_bytes",
        "_messages_without_data",
        "_reader",
        "_unwritten",
        "_visit",
        "_writer",
    }
)
"""The parts of a connection that change in place; all others are replaced."""

T = TypeVar("T")

LIBRARY_PUBLIC_KEYS: Final = tuple(kind for kind in get_args(PublicKey) if kind is not RsaPssPublicKey)


class ConnectionPickler(Pickler):
    """Knows what to do with the library's public keys, which cannot be pickled."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, LIBRARY_PUBLIC_KEYS):
            return _public_key, (value.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),)
        return NotImplemented


def _public_key(der: bytes) -> Any:
    return load_der_public_key(der)


def restore(kind: type[T], pickled: bytes) -> T:
    connection = object.__new__(kind)
    for name, value in loads(pickled).items():
        setattr(connection, name, value)
    return connection
