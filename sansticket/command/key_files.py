"""Files with ticket keys: nginx's, which hold one key each, haproxy's, which hold three, and other programs'."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import evolve

from sansticket.command.session_text import key_name
from sansticket.command.ticket_layouts import described
from sansticket.errors import ConfigError, SansticketError
from sansticket.inputs import random_bytes
from sansticket.text import printable
from sansticket.tickets.decision import TicketStatus
from sansticket.tickets.keys.openssl import KEY_SIZES, OpenSSLTicketKey, OpenSSLTicketKeys
from sansticket.tickets.keys.programs.layouts import PROGRAMS, read_files, write_files
from sansticket.tickets.keys.programs.yaml import HMAC_LENGTH
from sansticket.tickets.keys.protection import KEY_NAME_LENGTH, Entropy, SessionCodec
from sansticket.tickets.session import Session, SessionFormatError
from sansticket.values import frozen

SEALS = "seals and opens"
COMING = "opens; seals after the next rotation"
OPENS = "opens"
DATED = "seals and opens, each in its time"

SMALL_ONLY = ("node", "traffic_server")

DATED_PROGRAMS = ("lighttpd", "h2o")
"""Whose keys say from when to when they seal: the newest whose time has come does."""


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
        times = f"; seals from {self.key.not_before} to {self.key.not_after}" if self.key.dated else ""
        return f"{self.key.name.hex()}  {self.key.size} bytes, AES-{bits}  {self.role}{times}{known}"


@frozen
class KeyFiles:
    """The keys of a server, the one that seals first, and the program whose files they are in."""

    held: tuple[Held, ...]
    program: str

    @property
    def keys(self) -> OpenSSLTicketKeys:
        return OpenSSLTicketKeys(one.key for one in self.held)

    def holder(self, name: bytes) -> Held | None:
        return next((one for one in self.held if one.key.name == name), None)

    def names(self) -> list[str]:
        """As tickets begin with them, hexadecimal."""
        return [one.key.name.hex() for one in self.held]

    def rows(self) -> list[tuple[str, str]]:
        return [(printable(one.path), str(one)) for one in self.held]


def read_keys(files: Sequence[tuple[str, bytes]], program: str | None = None) -> KeyFiles:
    """From (path, content), in the order of the server's configuration: the first seals.

    Without a program they are nginx's, which are keys, or haproxy's, which is a text.
    """
    if program is None:
        alone = len(files) == 1 and len(files[0][1]) not in KEY_SIZES
        program = "haproxy" if alone else "nginx"
    held: list[Held] = []
    for path, content in files:
        keys = _keys_in(path, content, program)
        held += [Held(path, key, _role(key, len(held) + number, program)) for number, key in enumerate(keys)]
    found = KeyFiles(tuple(held), program)
    _check(found)
    return found


def _keys_in(path: str, content: bytes, program: str) -> tuple[OpenSSLTicketKey, ...]:
    try:
        return read_files(program, (content,))
    except ConfigError as error:
        expected = (
            "expected a key of 48 or 80 bytes" if program in ("nginx", "haproxy") else f"expected {program}'s"
        )
        if program == "haproxy":
            expected += ", or haproxy's file, with a key in base64 to a line"
        raise KeyFileError(f"{path} has {len(content)} bytes; {expected} ({error})") from None


def _role(key: OpenSSLTicketKey, place: int, program: str) -> str:
    if key.dated or (place and program in DATED_PROGRAMS):
        return DATED
    if program == "haproxy":
        return (SEALS, COMING, OPENS)[place % 3]
    return OPENS if place else SEALS


def _check(found: KeyFiles) -> None:
    try:
        _ = found.keys
    except ConfigError as error:
        raise KeyFileError(str(error)) from None


def new_keys(path: str, entropy: Entropy, size: int | None, program: str) -> tuple[KeyFiles, bytes]:
    """New random keys for one file of that program, and its content."""
    if size is None:
        size = KEY_SIZES[0] if program in SMALL_ONLY else KEY_SIZES[1]
    keys = [new_key(program, entropy, size) for _ in range(3 if program == "haproxy" else 1)]
    content = written(program, keys)
    return read_keys([(path, content)], program), content


def new_key(program: str, entropy: Entropy, size: int) -> OpenSSLTicketKey:
    """A random key of 48 or 80 bytes, or with h2o's longer secret in it."""
    key = OpenSSLTicketKey.generate(entropy, size)
    return evolve(key, hmac_key=random_bytes(entropy, HMAC_LENGTH)) if program == "h2o" else key


def written(program: str, keys: Iterable[OpenSSLTicketKey]) -> bytes:
    """The content of the one file for these keys."""
    try:
        (content,) = write_files(program, tuple(keys))
    except ConfigError as error:
        raise KeyFileError(f"{program}: {error}") from None
    return content


ALTERED = "it was altered or cut short, or the key with this name was another one"


def _in_another_order(program: str, holder: Held, ticket: bytes) -> str:
    """What to do if the key opens it once its secrets are read as another program's; nothing if it does not."""
    if not PROGRAMS[program].sizes:
        return ""
    content = written(program, [holder.key])
    opening = [
        other
        for other, layout in PROGRAMS.items()
        if len(content) in layout.sizes and _keys_in(holder.path, content, other)[0].open(ticket) is not None
    ]
    return f"it is as a key of another program, say --program {' or '.join(opening)}" if opening else ""


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
        raise KeyFileError(f"no key is called {name}, as the beginning of this ticket; {described(ticket)}")
    keys = found.keys
    opened = keys.open(ticket, now)
    if opened.plaintext is None:
        raise KeyFileError(
            f"the key in {holder.path} has its name, but the ticket is not authentic under it: "
            + (_in_another_order(found.program, holder, ticket) or ALTERED)
        )
    seals = opened.status is TicketStatus.SUCCESS
    return verdict(holder.path, keys.codec, opened.plaintext, now, seals=seals)


def verdict(path: str, codec: SessionCodec, plaintext: bytes, now: float, *, seals: bool) -> Verdict:
    """What the key in a file, which may be the one that ``seals``, makes of a ticket that it opens."""
    try:
        session = codec.decode(plaintext, now)
    except SessionFormatError as error:
        raise KeyFileError(f"the key in {path} opens it, but it holds no session of ours: {error}") from None
    how = "and seals" if seals else "but does not seal, so it would be renewed"
    return Verdict(printable(f"the key in {path} opens it, {how}"), session)
