"""HMAC, HKDF and the two PRFs: every secret of TLS comes out of one of the functions here.

HKDF-Extract and HKDF-Expand-Label are those of RFC 5869 and RFC 9846 section 7.1, ``prf12`` is the PRF of
RFC 5246 section 5.

A full handshake makes some fifty HMACs over a few dozen bytes each, so what counts is not the hashing but
the calls around it.  HMAC is therefore spelled out as its definition (RFC 2104) over ``hashlib``, with the
key's two padded blocks kept as bytes: 0.7 us with a new key and 0.55 us with a known one, against 1.1 us
through a library's HMAC object.  Unlike such an object the pads can be copied and pickled.

The hash names are those of ``hashlib``: ``"sha256"`` and ``"sha384"``.
"""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hashlib import _Hash

# Constructor, block length and output length in bytes.
_HASHES: Final[dict[str, tuple[Callable[[bytes], "_Hash"], int, int]]] = {
    "sha256": (hashlib.sha256, 64, 32),
    "sha384": (hashlib.sha384, 128, 48),
}

HASH_LENGTHS: Final = {name: length for name, (_, _, length) in _HASHES.items()}
"""Output length in bytes of each hash."""

EMPTY_HASHES: Final = {name: new(b"").digest() for name, (new, _, _) in _HASHES.items()}
"""The hash of nothing: the transcript hash of "derived" and of the binder keys."""

_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))


class Expander:
    """One HMAC key, from which several values are derived.

    It is as secret as its key, and can be copied and pickled like it.
    """

    __slots__ = ("_inner", "_new", "_outer", "_size")

    def __init__(self, hash_name: str, secret: bytes) -> None:
        self._new, block, self._size = _HASHES[hash_name]
        if len(secret) > block:
            secret = self._new(secret).digest()
        padded = secret.ljust(block, b"\0")
        self._inner = padded.translate(_INNER)
        self._outer = padded.translate(_OUTER)

    def mac(self, data: bytes) -> bytes:
        """HMAC of ``data`` under this key (RFC 2104)."""
        new = self._new
        return new(self._outer + new(self._inner + data).digest()).digest()

    def expand_label(self, label: bytes, context: bytes, length: int) -> bytes:
        """HKDF-Expand-Label of RFC 9846 section 7.1, for 1 to 255 times the hash's length in bytes.

        ``label`` comes without the "tls13 " prefix (at most 249 bytes), ``context`` has at most 255 bytes.
        """
        info = _label_prefix(label, len(context), length) + context
        if length > self._size:
            return self._expand(info, length)
        new = self._new
        return new(self._outer + new(self._inner + info + b"\x01").digest()).digest()[:length]

    def prf12(self, label: bytes, seed: bytes, length: int) -> bytes:
        """The TLS 1.2 PRF, P_hash(secret, label + seed), ``length`` bytes of it (RFC 5246 section 5)."""
        # ``mac`` spelled out: there are four of them in each key block.
        new, inner, outer, label_and_seed = self._new, self._inner, self._outer, label + seed
        block, output = label_and_seed, b""
        while len(output) < length:
            block = new(outer + new(inner + block).digest()).digest()  # A(1), A(2), ...
            output += new(outer + new(inner + block + label_and_seed).digest()).digest()
        return output[:length]

    def _expand(self, info: bytes, length: int) -> bytes:
        """HKDF-Expand (RFC 5869 section 2.3) over more than one block."""
        output = block = b""
        for counter in range(1, -(-length // self._size) + 1):
            block = self.mac(block + info + counter.to_bytes(1))
            output += block
        return output[:length]


@lru_cache(maxsize=256)
def _label_prefix(label: bytes, context_length: int, length: int) -> bytes:
    """The HkdfLabel structure up to its context; there are about twenty different ones."""
    full = b"tls13 " + label
    return length.to_bytes(2) + len(full).to_bytes(1) + full + context_length.to_bytes(1)


def hash_digest(hash_name: str, data: bytes) -> bytes:
    """The hash of ``data``."""
    return _HASHES[hash_name][0](data).digest()


def hmac_digest(hash_name: str, key: bytes, data: bytes) -> bytes:
    """HMAC of ``data`` under ``key`` (RFC 2104)."""
    new, block, _ = _HASHES[hash_name]
    if len(key) > block:
        key = new(key).digest()
    padded = key.ljust(block, b"\0")
    return new(padded.translate(_OUTER) + new(padded.translate(_INNER) + data).digest()).digest()


hkdf_extract: Final = hmac_digest
"""HKDF-Extract (RFC 5869 section 2.2) of a salt and a key.  An empty salt means a hash's length of zeros."""


def expand_label(hash_name: str, secret: bytes, label: bytes, context: bytes, length: int) -> bytes:
    """HKDF-Expand-Label for a single label; see ``Expander.expand_label`` for the ranges."""
    new, block, size = _HASHES[hash_name]
    if length > size or len(secret) > block:
        return Expander(hash_name, secret).expand_label(label, context, length)
    padded = secret.ljust(block, b"\0")
    info = _label_prefix(label, len(context), length) + context + b"\x01"
    return new(padded.translate(_OUTER) + new(padded.translate(_INNER) + info).digest()).digest()[:length]


TwoLabels = tuple[bytes, int, bytes, int]
"""Two labels as ``two_labels`` makes them ready, each with its length."""


def two_labels(one: bytes, length: int, other: bytes, other_length: int, context_length: int) -> TwoLabels:
    """For ``expand_two``: two labels, each for a length in bytes of at most the hash's."""
    prefix, other_prefix = (
        _label_prefix(one, context_length, length),
        _label_prefix(other, context_length, other_length),
    )
    return prefix, length, other_prefix, other_length


def expand_two(hash_name: str, secret: bytes, context: bytes, labels: TwoLabels) -> tuple[bytes, bytes]:
    """HKDF-Expand-Label twice: one key, made ready once.

    ``secret`` is one of the schedule, as in ``derive_secret``; ``context`` has the length that the labels are for.
    """
    new, block, _ = _HASHES[hash_name]
    prefix, length, other_prefix, other_length = labels
    padded, end = secret.ljust(block, b"\0"), context + b"\x01"
    inner, outer = padded.translate(_INNER), padded.translate(_OUTER)
    first, second = new(inner + prefix + end).digest(), new(inner + other_prefix + end).digest()
    return new(outer + first).digest()[:length], new(outer + second).digest()[:other_length]


def derive_secret(hash_name: str, secret: bytes, label: bytes, context: bytes) -> bytes:
    """HKDF-Expand-Label for as many bytes as the hash has.

    With the hash of messages as its ``context`` that is Derive-Secret of RFC 9846 section 7.1.
    ``secret`` is one of the schedule, as long as the hash: it never needs to be hashed to fit into HMAC's block.
    """
    new, block, size = _HASHES[hash_name]
    padded = secret.ljust(block, b"\0")
    info = _label_prefix(label, len(context), size) + context + b"\x01"
    return new(padded.translate(_OUTER) + new(padded.translate(_INNER) + info).digest()).digest()


def prf12(hash_name: str, secret: bytes, label: bytes, seed: bytes, length: int) -> bytes:
    """The TLS 1.2 PRF for a single label; see ``Expander.prf12``."""
    return Expander(hash_name, secret).prf12(label, seed, length)
