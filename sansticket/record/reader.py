"""Bytes in, content out.

The reader finds records in a byte stream, opens them and checks what can be checked without knowing any
message.  It never raises anything but ``Fault``, and what it gives does not depend on how the stream was cut:
a fault comes only after everything that preceded it.

Two things make it fast.  Bytes that arrive while nothing is held are kept as they are, and a run of
application data is opened in one loop and given as one piece.  And one makes it safe to change keys: a run
stops before the first record that is not application data; that one is opened alone, by the next call, and
what follows it stays ciphertext until it has been handed out.
"""

from copy import copy
from typing import Final

from attrs import define, field, fields

from sansticket.errors import Fault, Reason
from sansticket.record import tls12, tls13
from sansticket.record.buffers import sized_buffer
from sansticket.record.protection import (
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    HEADER_LENGTH,
    MAX_CIPHERTEXT,
    MAX_EMPTY_RECORDS,
    MAX_PLAINTEXT,
    TAG_LENGTH,
    record_stop,
)

Opener = tls12.Opener | tls13.Opener

WORTH_A_VIEW: Final = 2048
"""Bytes from which it takes longer to copy a record than to make a memoryview."""

Content = tuple[int, bytes]
"""Content type and content."""


@define(eq=False, weakref_slot=False)
class RecordReader:
    """Cuts a byte stream into records and opens them.

    ``in_handshake``: the owner sets it to False when the peer's Finished was verified.  Until the peer has proved
    that it has the keys, an unprotected alert of two bytes may still come in TLS 1.3, because the peer may have
    failed before it had them (RFC 9846 section 6); and there is no application data, not even an empty record, unless
    ``in_early_data``: the present keys are those of early data.

    ``skip_undecryptable`` and ``skip_plaintext_application_data`` are budgets in bytes for early data that
    was rejected (RFC 9846 section 4.3.10): the first for records that do not decrypt, until one does; the
    second, after a HelloRetryRequest, for application data while nothing is protected, until a handshake
    record comes.
    ``amid_message``: the owner holds the beginning of a handshake message, or of an answer of several that come one
    right after the other, so that no data may come, not even an empty record (RFC 9846 sections 5.1 and 4.7.2).

    ``buffer`` is what has come, and empty as soon as all of it was given out.

    ``limit`` bounds the content of a protected record, in bytes (63 to 2^14): see ``restrict``.

    A record costs its content, padding included, and at least 1, so that a flood of empty ones ends too.
    Zero means that such records are not expected; what exceeds the budget is TOO_MUCH_EARLY_DATA.
    """

    in_handshake: bool = True
    in_early_data: bool = field(default=False, init=False)
    amid_message: bool = False
    limit: int = MAX_PLAINTEXT
    _opener: Opener | None = field(default=None, init=False)
    buffer: bytes | bytearray = field(default=b"", init=False, repr=False)
    _offset: int = field(default=0, init=False)
    _empty_records: int = field(default=0, init=False)
    # What is left of the two budgets; -1 when there is none.  A budget that is used up is not the same: it
    # decides how the next record is called.
    _undecryptable_left: int = field(default=-1, init=False)
    _plaintext_left: int = field(default=-1, init=False)

    @property
    def skip_undecryptable(self) -> int:
        return max(0, self._undecryptable_left)

    @skip_undecryptable.setter
    def skip_undecryptable(self, budget: int) -> None:
        self._undecryptable_left = budget if budget > 0 else -1

    @property
    def skip_plaintext_application_data(self) -> int:
        return max(0, self._plaintext_left)

    @skip_plaintext_application_data.setter
    def skip_plaintext_application_data(self, budget: int) -> None:
        self._plaintext_left = budget if budget > 0 else -1

    @property
    def opener(self) -> Opener | None:
        """What opens the next record."""
        return self._opener

    @property
    def empty_records(self) -> int:
        """Records without content that came in a row, so far."""
        return self._empty_records

    def go_on(self, opener: Opener, limit: int, rest: bytes, empty_records: int) -> None:
        """Take the place of a reader that had come so far, behind the handshake."""
        self.in_handshake = False
        self.limit = limit
        self.protect(opener)
        self.buffer, self._empty_records = rest, empty_records

    @property
    def buffered(self) -> int:
        """Bytes that were fed and not yet given out."""
        return len(self.buffer) - self._offset

    def rest(self) -> bytes:
        """The bytes that ``buffered`` counts, as they came."""
        return bytes(self.buffer[self._offset :])

    def protect(self, opener: Opener | None, *, early: bool = False) -> None:
        """Open with these keys all records that were not given out yet."""
        self._opener = opener
        self.in_early_data = early
        if opener is not None and not early:
            opener.limit = self.limit

    def restrict(self, limit: int) -> None:
        """Take no more than ``limit`` bytes of content from a protected record; padding counts as content.

        Whoever sends early data has not heard of it.
        """
        self.limit = limit
        if self._opener is not None and not self.in_early_data:
            self._opener.limit = limit

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes from the peer."""
        if type(data) is memoryview and not data.c_contiguous:
            data = data.tobytes()  # one with gaps cannot be put behind what is held
        buffer = self.buffer
        left = len(buffer) - self._offset
        if not left:
            self.buffer = bytes(data)  # no copy if it is bytes already
        elif left <= len(data):
            # Copying the rest costs no more than what came in: linear, however the stream is cut.
            self.buffer = b"".join((memoryview(buffer)[self._offset :], data))
        else:
            if type(buffer) is not bytearray:
                buffer = self.buffer = bytearray(buffer)
            del buffer[: self._offset]
            buffer += data
        self._offset = 0

    def next(self) -> Content | None:
        """The next content type and content, or None when more bytes are needed.

        Complete records of application data in a row come as one result, never an empty one.
        Raises Fault for what the peer may not send; nothing may be read after that.
        """
        while self.buffer:
            opener = self._opener
            if opener is not None and (stop := record_stop(self.buffer, self._offset)):
                last = stop == len(self.buffer)
                content = self._open_one(opener, stop) if last else self._open_records(opener, stop)
            elif stop := self._unusual_stop():
                content = self._read_unusual(opener, stop)
            else:
                self._forget()
                return None
            if content is not None:
                return content
        return None

    def _unusual_stop(self) -> int:
        """Where the next record stops, or 0 when not all of it is there.

        What a header alone can tell is refused as soon as the header is there.
        """
        start = self._offset
        header = bytes(self.buffer[start : start + HEADER_LENGTH])
        if len(header) < 2:
            return 0
        if header[1] != 3:
            raise Fault(Reason.NOT_TLS, f"bytes {header[:2].hex()} where a record should start")
        if header[0] != (HANDSHAKE if self._opener is None else APPLICATION_DATA):
            self._check_type(header[0])
        if len(header) < HEADER_LENGTH:
            return 0
        length = header[3] << 8 | header[4]
        if length > MAX_PLAINTEXT:
            self._check_length(header[0], length)
        stop = start + HEADER_LENGTH + length
        return stop if stop <= len(self.buffer) else 0

    def _check_type(self, outer: int) -> None:
        """Whether this outer content type may come at all (RFC 9846 section 5)."""
        opener = self._opener
        if not CHANGE_CIPHER_SPEC <= outer <= APPLICATION_DATA:
            raise Fault(Reason.UNKNOWN_CONTENT_TYPE, f"content type {outer}")
        if opener is None:
            if outer == APPLICATION_DATA and self._plaintext_left < 0:
                raise Fault(Reason.UNEXPECTED_MESSAGE, "application data without protection")
        elif opener.hides_type and (outer == HANDSHAKE or (outer == ALERT and not self.in_handshake)):
            raise Fault(Reason.UNEXPECTED_MESSAGE, f"unprotected record of type {outer} under protection")

    def _check_length(self, outer: int, length: int) -> None:
        """Protected records may be longer; unprotected application data is early data to be skipped."""
        protected = self._opener is not None or outer == APPLICATION_DATA
        limit = MAX_CIPHERTEXT if protected else MAX_PLAINTEXT
        if length > limit:
            raise Fault(Reason.RECORD_OVERFLOW, f"record of {length} bytes, at most {limit}")

    def _read_unusual(self, opener: Opener | None, stop: int) -> Content | None:
        """The complete record that stops there, and is not protected application data."""
        if opener is not None and not opener.hides_type:
            return self._open_one(opener, stop)
        outer, content = self.buffer[self._offset], bytes(self.buffer[self._offset + HEADER_LENGTH : stop])
        self._consume(stop)
        if outer == APPLICATION_DATA:
            self._plaintext_left = _spend(self._plaintext_left, len(content))
            return None
        if not content:
            raise Fault(Reason.EMPTY_RECORD, f"content type {outer}")
        if outer == CHANGE_CIPHER_SPEC and content != b"\x01":
            raise Fault(Reason.UNEXPECTED_CHANGE_CIPHER_SPEC, "anything but the one byte 1")
        if opener is not None and outer == ALERT and len(content) != 2:
            raise Fault(Reason.UNEXPECTED_MESSAGE, f"unprotected alert of {len(content)} bytes")
        if outer == HANDSHAKE:
            self._plaintext_left = -1
        return outer, content

    def _open_records(self, opener: Opener, stop: int) -> Content | None:
        """Open the record that stops there, together with those after it if there are any."""
        buffer = self.buffer = bytes(self.buffer)  # no copy, unless the record came in many small pieces
        alone = self.in_handshake or self.amid_message or self._undecryptable_left >= 0
        if not alone and record_stop(buffer, stop):
            return self._open_run(opener, buffer, stop)
        return self._open_one(opener, stop)

    def _open_one(self, opener: Opener, stop: int) -> Content | None:
        """Open the record that stops there; None if it was empty, or skipped."""
        buffer = self.buffer
        if type(buffer) is not bytes:
            buffer = self.buffer = bytes(buffer)  # once, however many records are in it
        body = self._offset + HEADER_LENGTH
        header = buffer[self._offset : body]
        sealed = buffer[body:stop] if stop - body < WORTH_A_VIEW else memoryview(buffer)[body:stop]
        try:
            content_type, content = opener.open(header, sealed)
        except Fault as fault:
            self._skip(fault, stop - body)
            self._consume(stop)
            return None
        if stop == len(buffer):  # as in _consume: a call for each record would be a twentieth of a small one
            self.buffer, self._offset = b"", 0
        else:
            self._offset = stop
        self._undecryptable_left = -1
        if content or content_type != APPLICATION_DATA:
            self._empty_records = 0
            return content_type, content
        self._take_empty()
        return None

    def _take_empty(self) -> None:
        """Application data without content: cover traffic, once there may be application data at all."""
        if self.in_handshake and not self.in_early_data:
            raise Fault(Reason.UNEXPECTED_MESSAGE, "application data, if empty, before Finished")
        if self.amid_message:
            raise Fault(Reason.UNEXPECTED_MESSAGE, "application data, if empty, amid handshake messages")
        self._empty_records = _count_empty(self._empty_records)

    def _open_run(self, opener: Opener, buffer: bytes, stop: int) -> Content | None:
        """Open as many records of application data as there are, or else the one that stops there."""
        output = sized_buffer(len(buffer) - self._offset)
        with output.getbuffer() as room:
            after, filled, self._empty_records = opener.open_run(
                buffer, self._offset, room, self._empty_records
            )
        if after == self._offset:
            return self._open_one(opener, stop)
        self._consume(after)
        if not filled:
            return None
        output.truncate(filled)
        return APPLICATION_DATA, output.getvalue()

    def _consume(self, stop: int) -> None:
        """Go on reading at ``stop``."""
        if stop == len(self.buffer):
            self.buffer = b""
            self._offset = 0
        else:
            self._offset = stop

    def _forget(self) -> None:
        """Nothing more to read now: keep no byte that was read, however large the block it came in."""
        if self._offset:
            self.buffer = bytes(self.buffer[self._offset :])
            self._offset = 0

    def _skip(self, fault: Fault, length: int) -> None:
        """Let a record that did not decrypt pass, or raise the fault when that is not to be expected."""
        if fault.reason is not Reason.BAD_RECORD_MAC or self._undecryptable_left < 0:
            raise fault
        self._undecryptable_left = _spend(self._undecryptable_left, length)

    def __getstate__(self) -> dict[str, object]:
        state = {name: getattr(self, name) for name in _SLOTS}
        state["buffer"] = bytes(self.buffer[self._offset :])
        state["_offset"] = 0
        state["_opener"] = copy(self._opener)
        return state

    def __setstate__(self, state: dict[str, object]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
        self.restrict(self.limit)


_SLOTS: Final = tuple(attribute.name for attribute in fields(RecordReader))


def _count_empty(count: int) -> int:
    """One more empty record in a row."""
    if count == MAX_EMPTY_RECORDS:
        raise Fault(Reason.TOO_MANY_EMPTY_RECORDS, f"more than {count} in a row")
    return count + 1


def _spend(budget: int, length: int) -> int:
    """What remains of a budget for early data after a protected record with a body of this length."""
    cost = max(1, length - TAG_LENGTH - 1)
    if cost > budget:
        raise Fault(Reason.TOO_MUCH_EARLY_DATA, f"{cost} bytes, {budget} left to skip")
    return budget - cost
