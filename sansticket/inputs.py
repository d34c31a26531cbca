"""What comes from outside and becomes a secret: bytes that are bytes, and as many random ones as were asked for.

``bytes(3600)`` is 3,600 zeros and ``bytes([...])`` takes numbers for bytes, so nothing here converts what is no bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from math import isfinite
from typing import Any, Final, TypeVar

from sansticket.errors import ConfigError
from sansticket.text import printable, quoted

Entropy = Callable[[int], bytes]
"""Gives that many random bytes: ``os.urandom``, or something repeatable in a test."""

END_OF_TIME: Final = (1 << 48) / 1000
"""The first second that six bytes of milliseconds cannot hold: in the year 10889."""

PEM_BLOCK: Final = re.compile(
    rb"(?ms)(?:^(?:\xef\xbb\xbf)?|(?<=\r)|(?<=-----))[ \t]*(-----BEGIN [^-\r\n]+-----.*?(-----END [^-\r\n]+-----|\Z))"
)
"""A block and its last line.  One without is all that is left, so that its end is looked for once."""

PEM_LABEL: Final = re.compile(rb"-----BEGIN ([^-\r\n]+)-----")

CERTIFICATES: Final = ("CERTIFICATE", "X509 CERTIFICATE")
PRIVATE_KEYS: Final = ("PRIVATE KEY", *(f"{of} PRIVATE KEY" for of in ("ENCRYPTED", "EC", "RSA", "DSA")))
"""Labels of what the library reads, the usual one first.  A CERTIFICATE REQUEST is none, nor what is for OpenSSL alone
(TRUSTED CERTIFICATE) or for OpenSSH."""

T = TypeVar("T")

BytesLike = bytes | bytearray | memoryview


def as_bytes(field: str, value: Any) -> bytes:
    """A copy of what may change.  ConfigError names ``field``, and the type but not the value, which may be secret."""
    check_kind(field, value, (bytes, bytearray, memoryview), "bytes")
    return bytes(value)


def check_bytes(field: str, value: Any) -> None:
    check_kind(field, value, bytes, "bytes")


def pem_blocks(field: str, value: Any, what: str, wanted: tuple[str, ...]) -> bytes:
    """What is in a PEM file, and not where it is, without the text around its blocks (RFC 7468 section 2).

    A block begins its line, behind blanks at most, or follows another one at once: what stands behind a # was taken
    away by somebody, and the library would take it all the same.  ConfigError where no block has a label that is
    ``wanted``, and so ``what`` is looked for in another file, or in one in DER.
    """
    check_kind(field, value, bytes, "bytes, the content of a PEM file")
    blocks = b"\n".join(block for block, end in PEM_BLOCK.findall(value) if end)
    labels = dict.fromkeys(each.decode("ascii", "replace") for each in PEM_LABEL.findall(blocks))
    if labels.keys().isdisjoint(wanted):
        found = f"there is {printable(', '.join(labels))}" if labels else "nothing in it is PEM"
        raise ConfigError(field, f"no {what} in PEM could be read: {found}; expected {wanted[0]}")
    return blocks


def check_kind(field: str, value: Any, kind: type | tuple[type, ...], expected: str) -> None:
    """Of that type, and no bool in the place of a number."""
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ConfigError(field, f"a value of type {type(value).__name__}; expected {expected}")


def check_seconds(field: str, value: Any, low: float | None = None) -> None:
    """A finite number of seconds, more than ``low`` where that is given."""
    check_kind(field, value, (int, float), "a number of seconds")
    bound = "" if low is None else f" more than {low}"
    if not has_float(value):
        raise ConfigError(field, f"a number beyond all floats; expected a finite number of seconds{bound}")
    if not isfinite(value) or (low is not None and not value > low):
        raise ConfigError(field, f"{value!r}; expected a finite number of seconds{bound}")


def has_float(value: float) -> bool:
    """Whether it is a float, or an integer that is not too large for one."""
    try:
        float(value)
    except OverflowError:
        return False
    return True


def is_time(value: float) -> bool:
    """Whether it is a finite number, and not too large for a float."""
    return has_float(value) and isfinite(value)


def check_now(now: Any) -> None:
    """What a clock said.  ConfigError ``clock`` unless it is seconds since the epoch, as sessions have them.

    Where it is asked for in each step, a float that is right costs no call.
    """
    right = isinstance(now, int | float) and not isinstance(now, bool)
    if not right or not 0 <= now < END_OF_TIME:
        what = quoted(now) if right else f"a value of type {type(now).__name__}"
        raise ConfigError("clock", f"gave {what}; expected seconds since the epoch")


def now_of(clock: Callable[[], float]) -> float:
    """What it says, checked so."""
    now = clock()
    check_now(now)
    return now


def random_bytes(entropy: Entropy, length: int) -> bytes:
    """``length`` bytes of ``entropy``.  ConfigError ``entropy`` if it gives anything else: less would be no secret."""
    made: Any = entropy(length)
    if not isinstance(made, bytes) or len(made) != length:
        what = f"{len(made)} bytes" if isinstance(made, bytes) else f"a value of type {type(made).__name__}"
        raise ConfigError("entropy", f"gave {what}; expected {length} bytes")
    return made


def drawn_beside(entropy: Entropy, make: Callable[[], T]) -> T:
    """What the library makes with randomness of its own, where it takes none of ours.

    A source with a method ``beside`` is told of it, and may give what was made before: so connections are recorded, and
    played again (``replays``).
    """
    source = entropy.args[0] if isinstance(entropy, partial) else entropy  # as a flight hands it on
    beside: Callable[[Callable[[], T]], T] | None = getattr(source, "beside", None)
    return make() if beside is None else beside(make)
