"""Ticket keys that are not of OpenSSL's kind: Go's, Caddy's, GnuTLS's, and this package's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from sansticket.command.key_files import OPENS, SEALS, KeyFileError, Verdict, verdict
from sansticket.command.ticket_layouts import GNUTLS_PERIODS, described
from sansticket.errors import ConfigError
from sansticket.inputs import random_bytes
from sansticket.text import printable
from sansticket.tickets.keys.gnutls import PERIODS, GnuTLSTicketKeys
from sansticket.tickets.keys.gnutls import SECRET_LENGTH as GNUTLS_LENGTH
from sansticket.tickets.keys.go.caddy import CaddyTicketKeys
from sansticket.tickets.keys.go.keys import SECRET_LENGTH as GO_LENGTH
from sansticket.tickets.keys.go.keys import GoTicketKey, GoTicketKeys
from sansticket.tickets.keys.protection import KEY_NAME_LENGTH, Entropy, TicketKeys
from sansticket.tickets.keys.ring import SECRET_LENGTH, TicketKey, TicketKeyRing
from sansticket.values import frozen


@frozen
class OtherKey:
    """A key: what opens tickets with it, how it is called, and what is said of it."""

    keys: tuple[TicketKeys, ...]
    name: str
    text: str


def _go(content: bytes) -> Iterator[OtherKey]:
    yield _go_key(GoTicketKey(content))


def _caddy(content: bytes) -> Iterator[OtherKey]:
    return map(_go_key, CaddyTicketKeys.from_bytes(content).keys)


def _go_key(key: GoTicketKey) -> OtherKey:
    return OtherKey((GoTicketKeys([key]),), key.name.hex(), f"{GO_LENGTH} bytes, AES-128{_zeros(key.secret)}")


def _gnutls(content: bytes) -> Iterator[OtherKey]:
    """As in servers whose sessions live an hour, and six: nothing in the key tells."""
    never = TicketKeyRing([TicketKey(content[:KEY_NAME_LENGTH], content[:SECRET_LENGTH], 0.0)])
    both = [GnuTLSTicketKeys(content, never, expiration=period // PERIODS) for period in GNUTLS_PERIODS]
    text = f"{GNUTLS_LENGTH} bytes, AES-256{_zeros(content)}"
    yield OtherKey(tuple(both), "another name in each period", text)


def _own(content: bytes) -> Iterator[OtherKey]:
    name, secret = content[:KEY_NAME_LENGTH], content[KEY_NAME_LENGTH:]
    keys = TicketKeyRing([TicketKey(name, secret, 0.0)])
    yield OtherKey((keys,), name.hex(), f"{len(content)} bytes{_zeros(secret)}")


def _zeros(secret: bytes) -> str:
    return "" if any(secret) else "; ALL ZEROS: anybody can make and read its tickets"


@frozen
class Kind:
    """``size``: bytes of a key, 0 for what only its program makes.  ``read`` gives the keys of one file."""

    size: int
    read: Callable[[bytes], Iterator[OtherKey]]


OTHERS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "go": Kind(GO_LENGTH, _go),
        "caddy": Kind(0, _caddy),
        "gnutls": Kind(GNUTLS_LENGTH, _gnutls),
        "sansticket": Kind(KEY_NAME_LENGTH + SECRET_LENGTH, _own),
    }
)
"""By the name of the program: keys of 32 bytes, ``stek/stek.bin``, 64 bytes, and the name and secret of a TicketKey."""


@frozen
class OtherKeyFiles:
    """The keys of a server, each with its file, the one that seals first."""

    held: tuple[tuple[str, OtherKey], ...]

    def names(self) -> list[str]:
        """How each key is called."""
        return [key.name for _, key in self.held]

    def rows(self) -> list[tuple[str, str]]:
        """The file of each key, and what is in it but its secrets."""
        return [
            (printable(path), f"{key.name}  {key.text}  {OPENS if place else SEALS}")
            for place, (path, key) in enumerate(self.held)
        ]

    def judge(self, ticket: bytes, now: float) -> Verdict:
        """What a server with these keys would make of ``ticket``.  ``KeyFileError`` says why it would not open it."""
        for place, (path, key) in enumerate(self.held):
            for keys in key.keys:
                opened = keys.open(ticket, now)
                if opened.plaintext is not None:
                    return verdict(path, keys.codec, opened.plaintext, now, seals=not place)
        raise KeyFileError(f"no key opens it; {described(ticket)}")


def read_others(files: Sequence[tuple[str, bytes]], program: str) -> OtherKeyFiles:
    """From (path, content), in the order of the server's configuration: the first seals."""
    kind = OTHERS[program]
    held: list[tuple[str, OtherKey]] = []
    for path, content in files:
        if kind.size and len(content) != kind.size:
            raise KeyFileError(f"{path} has {len(content)} bytes; expected a key of {kind.size}")
        try:
            held += [(path, key) for key in kind.read(content)]
        except ConfigError as error:
            raise KeyFileError(f"{path}: {error}") from None
    return OtherKeyFiles(tuple(held))


def new_other(path: str, entropy: Entropy, size: int | None, program: str) -> tuple[OtherKeyFiles, bytes]:
    """A new random key for a file of that program, and its content."""
    kind = OTHERS[program]
    if not kind.size:
        raise KeyFileError(f"{program} makes its keys itself")
    if size is not None:
        raise KeyFileError(f"--size: {program}'s keys have {kind.size} bytes")
    content = random_bytes(entropy, kind.size)
    return read_others([(path, content)], program), content
