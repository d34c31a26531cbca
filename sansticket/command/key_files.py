"""Files with ticket keys: those of nginx and OpenSSL, which hold one key each, and haproxy's, which holds three."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence

from attrs import frozen

from sansticket.command.session_text import key_name
from sansticket.errors import ConfigError, SansticketError
from sansticket.text import printable
from sansticket.tickets.decision import TicketStatus
from sansticket.tickets.keys.openssl import (
    KEY_SIZES,
    OpenSSLTicketKey,
    OpenSSLTicketKeys,
    haproxy_keys,
)
from sansticket.tickets.keys.protection import KEY_NAME_LENGTH, Entropy
from sansticket.tickets.keys.ring import SECRET_LENGTH, TicketKey
from sansticket.tickets.keys.windowed import MIN_ROOT_LENGTH, WindowedTicketKeys
from sansticket.tickets.session import Session, SessionFormatError

SEALS = "seals and opens"
COMING = "opens; seals after the next rotation"
OPENS = "opens"


class KeyFileError(SansticketError, ValueError):
    """A file that holds no ticket keys, or files that do not go together."""


@frozen
class Held:
    """A key, the file that it is in, and what it is used for there."""

    path: str
    key: OpenSSLTicketKey
    role: str

    def __str__(self) -> str:
        bits, zeros = 8 * len(self.key.aes_key), not any(self.key.aes_key + self.key.hmac_key)
        known = "; ALL ZEROS: anybody can make and read its tickets" if zeros else ""
        return f"{self.key.name.hex()}  {self.key.size} bytes, AES-{bits}  {self.role}{known}"


@frozen
class KeyFiles:
    """The keys of a server, the one that seals first; ``haproxy`` says that one file has them all."""

    held: tuple[Held, ...]
    haproxy: bool

    @property
    def keys(self) -> OpenSSLTicketKeys:
        return OpenSSLTicketKeys(one.key for one in self.held)

    def holder(self, name: bytes) -> Held | None:
        return next((one for one in self.held if one.key.name == name), None)

    def rows(self) -> list[tuple[str, str]]:
        return [(printable(one.path), str(one)) for one in self.held]


def read_keys(files: Sequence[tuple[str, bytes]]) -> KeyFiles:
    """From (path, content), in the order of the server's configuration: the first seals."""
    path, content = files[0]
    if len(files) == 1 and len(content) not in KEY_SIZES:
        return _read_haproxy(path, content)
    held: list[Held] = []
    for path, content in files:
        if len(content) not in KEY_SIZES:
            raise KeyFileError(f"{path} has {len(content)} bytes; expected a key of 48 or 80 bytes")
        held.append(Held(path, OpenSSLTicketKey.from_bytes(content), SEALS if not held else OPENS))
    found = KeyFiles(tuple(held), haproxy=False)
    _check(found)
    return found


def _read_haproxy(path: str, content: bytes) -> KeyFiles:
    try:
        current, coming, older = haproxy_keys(content)
    except ConfigError as error:
        raise KeyFileError(
            f"{path} has {len(content)} bytes; expected a key of 48 or 80 bytes, or haproxy's file, with a key in "
            f"base64 to a line ({error})"
        ) from None
    held = Held(path, current, SEALS), Held(path, coming, COMING), Held(path, older, OPENS)
    found = KeyFiles(held, haproxy=True)
    _check(found)
    return found


def _check(found: KeyFiles) -> None:
    try:
        _ = found.keys
    except ConfigError as error:
        raise KeyFileError(str(error)) from None


def new_keys(path: str, entropy: Entropy, size: int, haproxy: bool) -> tuple[KeyFiles, bytes]:
    """New random keys for one file, and its content."""
    if not haproxy:
        key = OpenSSLTicketKey.generate(entropy, size)
        return KeyFiles((Held(path, key, SEALS),), haproxy=False), key.to_bytes()
    content = haproxy_file(OpenSSLTicketKey.generate(entropy, size) for _ in range(3))
    return _read_haproxy(path, content), content


def haproxy_file(keys: Iterable[OpenSSLTicketKey]) -> bytes:
    """The oldest first.  Of 80 bytes haproxy has the two secrets the other way round."""
    lines = (key.name + key.aes_key + key.hmac_key for key in keys)
    return b"".join(b64encode(line) + b"\n" for line in lines)


def rotate(
    found: KeyFiles, coming: tuple[str, bytes] | None, entropy: Entropy
) -> tuple[KeyFiles, list[tuple[str, bytes]]]:
    """A new key comes, every other moves on, the last goes: the keys then, and the files to be written, in order.

    The order is such that at no moment a key is in no file that should still open.  ``coming`` is the file of a
    key that all servers know by now: it seals from here on, and the new key takes its place.
    """
    new = OpenSSLTicketKey.generate(entropy, found.held[0].key.size)
    if found.haproxy:
        current, next_, _ = (one.key for one in found.held)
        content = haproxy_file((current, next_, new))
        path = found.held[0].path
        return _read_haproxy(path, content), [(path, content)]
    sealing = new
    written: list[tuple[str, bytes]] = []
    if coming is not None:
        path, content = coming
        if path in [one.path for one in found.held]:
            raise KeyFileError(f"{path} is the file of the next key, and is named among the others too")
        sealing = read_keys([coming]).held[0].key
        written.append((path, new.to_bytes()))
    keys = (sealing, *(one.key for one in found.held[:-1]))
    held = [Held(one.path, key, one.role) for one, key in zip(found.held, keys, strict=True)]
    if coming is not None:
        held.append(Held(coming[0], new, COMING))
    after = KeyFiles(tuple(held), haproxy=False)
    _check(after)
    moved = [(one.path, one.key.to_bytes()) for one in reversed(held[: len(found.held)])]
    return after, [*moved, *written]


def opens_under_zeros(ticket: bytes, now: float) -> str:
    """Under which key of zeros a ticket opens, whoever made it, or nothing.

    Such a key comes of a buffer that was never filled, or of a number in the place of a secret; everybody has it.
    """
    name = ticket[:KEY_NAME_LENGTH]
    if len(name) < KEY_NAME_LENGTH:
        return ""
    for key in (OpenSSLTicketKey(name, bytes(size), bytes(size)) for size in (16, 32)):
        if key.open(ticket) is not None:
            return f"OpenSSL's, of {key.size} bytes"
    if TicketKey(name, bytes(SECRET_LENGTH), 0.0).open(ticket) is not None:
        return "a TicketKey's"
    roots = (bytes(MIN_ROOT_LENGTH), bytes(3600))
    if any(WindowedTicketKeys(root).open(ticket, now).plaintext is not None for root in roots):
        return "derived from a root secret of zeros"
    return ""


@frozen
class Verdict:
    """A key opens the ticket: which one, and what is inside."""

    how: str
    session: Session


def judge(found: KeyFiles, ticket: bytes, now: float) -> Verdict:
    """What a server with these keys would make of ``ticket``.  ``KeyFileError`` says why it would not open it."""
    holder = found.holder(ticket[:KEY_NAME_LENGTH])
    if holder is None:
        name = key_name(ticket) or "nothing"
        raise KeyFileError(f"no key is called {name}, as the beginning of this ticket")
    keys = found.keys
    opened = keys.open(ticket, now)
    if opened.plaintext is None:
        raise KeyFileError(
            f"the key in {holder.path} has its name, but the ticket is not authentic under it: it was altered or "
            "cut short, or the key with this name was another one"
        )
    try:
        session = keys.codec.decode(opened.plaintext, now)
    except SessionFormatError as error:
        raise KeyFileError(
            f"the key in {holder.path} opens it, but it holds no session of ours: {error}"
        ) from None
    seals = opened.status is TicketStatus.SUCCESS
    how = "and seals" if seals else "but does not seal, so it would be renewed"
    return Verdict(printable(f"the key in {holder.path} opens it, {how}"), session)
