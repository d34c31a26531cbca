"""What is left of a session for single use when it was used up: enough to know it again, and no secret to resume by.

A session that is used up goes, for its secret decrypts the early data that was sent under it.  What stays in its
place, until it would have expired, says who was the first, and has the key of its binders, which follows from the
secret in one direction only (RFC 9846 section 7.1).  So when its ticket is shown again, it can be seen whether by
somebody who has the session, or by one who has only seen the ticket, as everybody can who sees a connection.

Layout (integers big-endian, ``vector`` as in ``session``):

    format            1 byte      0x81, by which no session begins
    cipher_suite      2 bytes
    version           2 bytes     from here on those of ``use``
    at                6 bytes     milliseconds since the epoch
    generation        4 bytes
    client_random     32 bytes
    hello             16 bytes
    family            vector      16 bytes, or empty
    server_name       vector      UTF-8; empty for None
    alpn_protocol     vector      empty for None
    session_id        vector      from here on those of the session
    binder_key        vector
    authenticated_at  6 bytes     milliseconds since the epoch
"""

from __future__ import annotations

from typing import Any, Final, Self

from attrs import field

from sansticket.tickets.encoding import SessionFormatError, Source, utf8_length, vector
from sansticket.tickets.session import FAMILY_LENGTH, MAX_GENERATION, MAX_SESSION_ID
from sansticket.tickets.stores.uses import NAME_LENGTH, TicketUse
from sansticket.values import frozen

FORMAT: Final = 0x81

RANDOM_LENGTH: Final = 32
"""Bytes of the random of a ClientHello."""

_TIME: Final = 6
"""Bytes of a time."""


@frozen
class SpentSession:
    """What a store keeps in the place of a session that was used up (``ClaimSession.spent``), until that would have
    expired; it gives it to whoever looks the session up, or claims it, after that.

    ``to_bytes`` is to be kept as the session was, sealed if that was: who reads it can have a family ended.
    ``SessionFormatError`` for values that it cannot have.
    """

    session_id: bytes
    """Of the session, 1 to 32 bytes: in TLS 1.3 its ticket."""
    use: TicketUse
    """The one use that it had."""
    cipher_suite: int
    """Of the session, 16 bits."""
    binder_key: bytes = field(repr=False)
    """The key of its binders, 1 to 255 bytes: who resumes the session can make it, and not the other way round."""
    authenticated_at: float
    """See ``Session.authenticated_at``."""

    def __attrs_post_init__(self) -> None:
        wrong = self._wrong()
        if wrong:
            raise SessionFormatError(
                f"{wrong} of what is left of a session: of another type, or out of range"
            )

    def _wrong(self) -> str:
        """The name of the first field that is not what it must be, or nothing."""
        if not _is_bytes(self.session_id, 1, MAX_SESSION_ID):
            return "session_id"
        if not _is_number(self.cipher_suite, 1 << 16):
            return "cipher_suite"
        if not _is_bytes(self.binder_key, 1, 255):
            return "binder_key"
        if not _is_time(self.authenticated_at):
            return "authenticated_at"
        use: Any = self.use
        return _wrong_in(use) if isinstance(use, TicketUse) else "use"

    def to_bytes(self) -> bytes:
        """See the module."""
        use = self.use
        return b"".join(
            (
                bytes((FORMAT,)),
                self.cipher_suite.to_bytes(2),
                use.version.to_bytes(2),
                _milliseconds(use.at).to_bytes(_TIME),
                use.generation.to_bytes(4),
                use.client_random,
                use.hello,
                vector(use.family),
                vector((use.server_name or "").encode()),
                vector(use.alpn_protocol or b""),
                vector(self.session_id),
                vector(self.binder_key),
                _milliseconds(self.authenticated_at).to_bytes(_TIME),
            )
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """What ``data`` says.  What ``to_bytes`` cannot give is ``SessionFormatError``."""
        source = Source(data)
        if not source.left or source.number(1) != FORMAT:
            raise SessionFormatError("not what is left of a session, in a known format")
        cipher_suite = source.number(2)
        # Keyword arguments are evaluated in the order in which they are written: that of the layout.
        use = TicketUse(
            version=source.number(2),
            at=source.number(_TIME) / 1000,
            generation=source.number(4),
            client_random=source.take(RANDOM_LENGTH),
            hello=source.take(NAME_LENGTH),
            family=source.vector(0),
            server_name=_text(source.vector(0)),
            alpn_protocol=source.vector(0) or None,
        )
        session_id, binder_key = source.vector(), source.vector()
        spent = cls(session_id, use, cipher_suite, binder_key, source.number(_TIME) / 1000)
        source.finish()
        return spent


def _wrong_in(use: TicketUse) -> str:
    """The same of a use."""
    if not _is_time(use.at):
        return "use.at"
    if not _is_number(use.version, 1 << 16):
        return "use.version"
    if not _is_number(use.generation, MAX_GENERATION + 1):
        return "use.generation"
    if not _is_bytes(use.client_random, RANDOM_LENGTH, RANDOM_LENGTH):
        return "use.client_random"
    if not _is_bytes(use.hello, NAME_LENGTH, NAME_LENGTH):
        return "use.hello"
    if use.family != b"" and not _is_bytes(use.family, FAMILY_LENGTH, FAMILY_LENGTH):
        return "use.family"
    if use.alpn_protocol is not None and not _is_bytes(use.alpn_protocol, 1, 255):
        return "use.alpn_protocol"
    return "" if use.server_name is None or _is_name(use.server_name) else "use.server_name"


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _text(data: bytes) -> str | None:
    try:
        return data.decode() or None
    except UnicodeDecodeError:
        raise SessionFormatError("a name that is not UTF-8") from None


def _is_bytes(value: Any, low: int, high: int) -> bool:
    return isinstance(value, bytes) and low <= len(value) <= high


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < utf8_length(value) < 256


def _is_number(value: Any, end: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < end


def _is_time(value: Any) -> bool:
    """Of which the milliseconds have room; what is no number compares to nothing."""
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value * 1000 < (1 << 48) - 1
    )
