"""What the standard library's ``SSLSocket`` drives: TLS of ours over the socket that it is.

    SSLSocket.read, write, do_handshake, ... -> Driver -> SSLObject -> two buffers <-> the socket

It stands where OpenSSL's object stands, and does what that does:

- The socket's time-out is that of a whole call, however many times it waits; without blocking, a call that cannot go
  on raises SSLWantReadError or SSLWantWriteError and is to be repeated, a write with the same data.
- No byte is read behind the record that a call needs: the header, then the body.  So what ``select`` says of the
  socket is right, and after ``unwrap`` the socket is where the peer's close_notify ended (STARTTLS and back).
- One thread may read while another writes.  A reader waits for nobody who writes: what it has to send itself (the
  answer to a KeyUpdate, an alert) it gives to whoever is writing, or to the socket as far as that takes it at once.
  The rest leaves as soon as there is room, while it waits for what comes (without blocking: with the next call).
  Only where the peer goes on asking for answers, and reads none of them, it waits until they are sent.

Three locks: ``_reading`` and ``_writing`` are held while the socket is waited for, in this order where both are;
``_lock`` guards the SSLObject and its buffers, and nothing is waited for under it.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from threading import Lock, RLock
from typing import TYPE_CHECKING, Any, Final

from sansticket import Command
from sansticket.adapters.failures import failure
from sansticket_wrappers.blocking.facts import Facts, SocketObject
from sansticket_wrappers.blocking.waiting import Call
from sansticket_wrappers.unread import MAX_ANSWERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import ReadableBuffer, WriteableBuffer

HEADER_LENGTH: Final = 5
CHUNK: Final = 65_536
"""Bytes that are encrypted before they are written: four records."""

CONTENT_TYPES: Final = range(20, 24)
LONGEST_RECORD: Final = 18_432
"""Bytes of the body: 2^14 and 2,048 for protection (RFC 5246 section 6.2.3)."""


class Driver(Facts):
    """One connection.  ``tls`` is its SSLObject.  All calls may come from several threads."""

    OBJECT: Final = SocketObject

    def __init__(
        self, tls: SocketObject, owner: ssl.SSLSocket, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO
    ) -> None:
        super().__init__(tls, owner)
        self._incoming = incoming
        self._outgoing = outgoing
        self._reading = Lock()
        self._writing = Lock()
        self._lock = RLock()
        self._header = b""
        self._missing = 0
        """Bytes of the record that has begun."""
        self._unsent: memoryview = memoryview(b"")
        self._accepted = 0
        """Bytes of the caller's that are encrypted, and of which he has not been told: the last of them are unsent."""
        self._answers = 0
        """Bytes that reading has brought about, since all was sent."""
        self._ready = False

    # --- what SSLSocket calls

    def do_handshake(self) -> None:
        call = Call(self.socket(), "handshake")
        with call.holding(self._reading), call.holding(self._writing):
            self._shake_hands(call)

    def read(self, len: int = 1024, buffer: WriteableBuffer | None = None) -> Any:
        if not self._ready:
            self.do_handshake()
        call = Call(self.socket(), "read")
        with call.holding(self._reading):
            self._send_answers(call)
            return self._until_done(lambda: self._read(len, buffer), call, self._offer)

    def write(self, data: ReadableBuffer) -> int:
        """All of it, unless the socket takes no more: then as much as it has taken."""
        if not self._ready:
            self.do_handshake()
        call = Call(self.socket(), "write")
        with call.holding(self._writing), memoryview(data) as view, view.cast("B") as plain:
            written = self._write(plain, call)
        self._offer(call)
        return written

    def shutdown(self) -> ssl.SSLSocket:
        """close_notify, both ways.  The socket, which goes on in clear.

        Ours is not kept waiting by a thread that reads: it may be what the peer waits for before it says anything.
        """
        owner = self.socket()
        call = Call(owner, "shutdown")
        with call.holding(self._writing):
            with suppress(ssl.SSLError), self._lock:  # it will be said again
                self.tls.unwrap()
            if self.tls.termination is None:
                self._flush(call)
        with call.holding(self._reading), call.holding(self._writing):
            self._until_done(self.tls.unwrap, call, self._flush)
        return owner

    def pending(self) -> int:
        with self._lock:
            return self.tls.pending()

    def verify_client_post_handshake(self) -> None:
        """With the next write, as in OpenSSL."""
        with self._lock:
            self.tls.verify_client_post_handshake()

    def command(self, command: Command) -> None:
        """Carry it out, and write what it causes to be sent."""
        call = Call(self.socket(), "write")
        with call.holding(self._writing):
            with self._lock:
                self.tls.send(command)
            self._flush(call)
        self._offer(call)

    # --- steps

    def _shake_hands(self, call: Call) -> None:
        if not self._ready:
            self._until_done(self.tls.do_handshake, call, self._flush)
            self._ready = True

    def _until_done(self, act: Callable[[], Any], call: Call, send: Callable[[Call], None]) -> Any:
        """Read records until it can be done.  ``send`` is given what there is to write, after each attempt."""
        while True:
            try:
                with self._lock:
                    result = act()
            except ssl.SSLWantReadError:
                send(call)
            except ssl.SSLError:
                self._say_what_is_wrong(call)
                raise
            else:
                send(call)
                return result
            self._take_record(call)

    def _say_what_is_wrong(self, call: Call) -> None:
        """The alert, as far as the socket takes it at once: there is an error to be told."""
        if self._writing in call.held:
            self._send_at_once(call)
        else:
            self._offer(call)

    # --- out

    def _write(self, plain: memoryview, call: Call) -> int:
        """A piece that was encrypted counts when all of it is out: nobody would go on with it otherwise."""
        if self._accepted > len(plain):
            raise failure("BAD_WRITE_RETRY", "shorter than before")
        if not plain:
            return self._encrypt(plain, call)
        done = 0
        while True:
            try:
                self._flush(call)
            except BaseException as error:  # a signal's, too, whatever its handler raises
                if done and call.is_over and isinstance(error, ssl.SSLWantWriteError | TimeoutError):
                    return done
                self._accepted += done
                raise
            done, self._accepted = done + self._accepted, 0
            if done == len(plain):
                return done
            self._accepted = self._encrypt(plain[done : done + CHUNK], call)

    def _encrypt(self, plain: memoryview, call: Call) -> int:
        try:
            with self._lock:
                return self.tls.write(plain)
        except ssl.SSLError:
            self._say_what_is_wrong(call)
            raise

    def _next_unsent(self) -> bool:
        if not self._unsent:
            with self._lock:
                self._unsent = memoryview(self._outgoing.read())
            if not self._unsent:
                self._answers = 0
        return len(self._unsent) > 0

    def _flush(self, call: Call) -> None:
        """Write all that there is.  To be called with ``_writing``."""
        while self._next_unsent():
            self._unsent = self._unsent[call.send(self._unsent) :]

    def _send_at_once(self, call: Call) -> None:
        """Write what the socket takes without waiting.  To be called with ``_writing``."""
        while self._next_unsent() and (sent := call.send_at_once(self._unsent)):
            self._unsent = self._unsent[sent:]

    def _left(self) -> int:
        """Bytes that are not sent."""
        return len(self._unsent) + self._outgoing.pending

    def _offer(self, call: Call) -> None:
        """The same for who does not write.  Somebody who does looks here when he has done."""
        while (left := self._left()) and self._writing.acquire(blocking=False):
            try:
                self._send_at_once(call)
                if self._left() >= left:
                    break
            finally:
                self._writing.release()

    # --- in

    def _read(self, len: int, buffer: WriteableBuffer | None) -> Any:
        """To be called with ``_lock``."""
        before = self._outgoing.pending
        try:
            return self.tls.read(len, buffer)
        finally:
            self._answers += self._outgoing.pending - before

    def _send_answers(self, call: Call) -> None:
        """Before more is read of a peer that takes none of them."""
        if self._answers > MAX_ANSWERS:
            with call.holding(self._writing):
                self._flush(call)

    def _take_record(self, call: Call) -> None:
        """What comes next, up to the end of its record and no further."""
        self._send_meanwhile(call)
        if not self._missing:
            self._take_header(call)
        while self._missing:
            data = call.receive(self._missing)
            self._missing = self._missing - len(data) if data else 0
            self._put(data)

    def _send_meanwhile(self, call: Call) -> None:
        """Until something comes: what was left of an answer may be what the peer waits for."""
        while (left := self._left()) and not self._writing.locked() and not call.can_receive_or_send()[0]:
            self._offer(call)
            if self._left() >= left:
                break

    def _take_header(self, call: Call) -> None:
        while len(self._header) < HEADER_LENGTH:
            data = call.receive(HEADER_LENGTH - len(self._header))
            if not data:
                break
            self._header += data
        header, self._header = self._header, b""
        self._put(header)
        if len(header) < HEADER_LENGTH:
            if header:
                self._put(b"")
        elif header[0] in CONTENT_TYPES and (length := header[3] << 8 | header[4]) <= LONGEST_RECORD:
            self._missing = length  # of anything else the header is enough to be refused

    def _put(self, data: bytes) -> None:
        with self._lock:
            if data:
                self._incoming.write(data)
            else:
                self._incoming.write_eof()
