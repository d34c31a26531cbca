"""The store whose sessions are in a file.

What is in the file: with a key, a ticket of the ``TicketKey`` that is named ``SEALED``; without, ``PLAIN``, and the
SHA-256 of what follows.  Either has inside what ``ClientSessionStore.to_bytes`` writes.  An empty file has no sessions.
"""

from __future__ import annotations

import os
from hashlib import sha256
from typing import Final, NoReturn

from sansticket import ClientSessionStore, ConfigError, Reservation, SessionFormatError, StoreKey, TicketKey
from sansticket.tickets.stores.client import written
from sansticket_wrappers.session_file.disk import locked, read, replace
from sansticket_wrappers.session_file.turn import Turn

SEALED: Final = b"sansticket seal1"
PLAIN: Final = b"sansticket open1"
"""The first bytes of a file, 16."""

DIGEST_LENGTH: Final = 32
KEY_LENGTH: Final = 32


class SessionFile(ClientSessionStore):
    """The store in the file ``path``, which is made if there is none.  ``key``: None, or 32 bytes.

    ``per_server`` and ``servers`` are the bounds of a ``ClientSessionStore``.

    Raises OSError where the file, or one beside it, cannot be read or written, PermissionError if it is another
    user's or open to others, and ``SessionFormatError`` if it is no file of sessions, was cut, or does not open with
    ``key``; it is left as it is then.  What fails afterwards is logged, and costs full handshakes: no connection
    fails for it, and none shows a ticket that could not be taken out of the file.

    Safe to be used by many threads and processes.  Not to be pickled: another process opens the file itself.  An
    operation takes the time of reading a file and of replacing it, and an event loop waits for that.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        key: bytes | None = None,
        *,
        per_server: int = 4,
        servers: int = 256,
    ) -> None:
        super().__init__(per_server=per_server, servers=servers)
        if key is not None and (type(key) is not bytes or len(key) != KEY_LENGTH):
            raise ConfigError("key", f"must be {KEY_LENGTH} bytes, or None for a file that is not sealed")
        self._path = os.path.realpath(path)
        self._seal = None if key is None else TicketKey(SEALED, key, 0.0)
        self._content: bytes | None = None
        """Of the file, as it was seen last."""
        self._known = b""
        """What is inside of that."""
        with locked(self._path + ".lock"):
            self._load()
            self._save()
        self._lock = self._turn = Turn(self._path, self._load, self._save, self._forget)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a SessionFile is not pickled: the other process opens the file itself")

    def reserve(self, key: StoreKey, now: float) -> Reservation | None:
        """The freshest session, which is no longer in the file; None if that could not be written."""
        found = super().reserve(key, now)
        return None if self._turn.failed else found

    # Called when no other thread and process is at it

    def _know_process(self) -> None:
        """Whoever has the file takes sessions from it, forked or not: there they are once."""

    def _load(self) -> None:
        content = read(self._path)
        if content is not None and content == self._content:
            return
        self._forget()
        if content:
            self._known = self._opened(content)
            self._read(self._known)
        self._content = content

    def _save(self) -> None:
        inside = written(self._found())
        if self._content is None or inside != self._known:
            content = self._closed(inside)
            replace(self._path, content)
            self._content, self._known = content, inside

    def _forget(self) -> None:
        self._sessions.clear()
        self._count = 0
        self._content, self._known = None, b""

    # What is in the file

    def _closed(self, inside: bytes) -> bytes:
        if self._seal is not None:
            return self._seal.seal(inside, os.urandom)
        return PLAIN + sha256(inside).digest() + inside

    def _opened(self, content: bytes) -> bytes:
        """SessionFormatError says what it is if it is not ours."""
        kind, rest = content[: len(PLAIN)], content[len(PLAIN) :]
        if kind not in (PLAIN, SEALED):
            raise SessionFormatError(f"{self._path} is no file of sessions")
        if kind == PLAIN and self._seal is not None:
            raise SessionFormatError(f"{self._path} is not sealed; expected one that is, or no key")
        if self._seal is not None:
            inside = self._seal.open(content)
        elif kind == SEALED:
            raise SessionFormatError(f"{self._path} is sealed; expected its key")
        else:
            digest, inside = rest[:DIGEST_LENGTH], rest[DIGEST_LENGTH:]
            inside = inside if sha256(inside).digest() == digest else None
        if inside is None:
            what = "was cut or altered" if self._seal is None else "does not open with this key"
            raise SessionFormatError(f"{self._path} {what}; remove it to begin anew")
        return inside
