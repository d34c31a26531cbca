"""How records are sealed and opened in TLS 1.3 (RFC 9846 section 5.2)."""

from typing import Final

from cryptography.exceptions import InvalidTag

from sansticket.errors import Fault, Reason
from sansticket.record.protection import (
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    DATA_RECORD,
    FREQUENT,
    HEADER_LENGTH,
    MAX_CIPHERTEXT,
    MAX_EMPTY_RECORDS,
    MAX_SEQUENCE,
    RECORD_HEADER,
    TAG_LENGTH,
    TYPE_BYTE,
    Direction,
    Run,
    check_content,
)


class Sealer(Direction):
    """Protects what we send, TLS 1.3."""

    __slots__ = ()
    sequence: int

    pads: Final = True
    """Zero bytes may follow the content (RFC 9846 section 5.4)."""

    overhead: Final = HEADER_LENGTH + 1 + TAG_LENGTH
    """Bytes that an unpadded record has more than its content."""

    def seal(self, content_type: int, fragment: bytes, padding: int = 0) -> bytes:
        """One whole record: header and ciphertext.

        ``fragment`` has at most 2^14 bytes; ``padding`` is the number of zero bytes after the content type,
        at most as many as keep both together within 2^14 (RFC 9846 section 5.4).
        Raises Fault(SEQUENCE_EXHAUSTED) instead of using a sequence number twice.
        """
        sequence = self.sequence
        if sequence > MAX_SEQUENCE:
            raise self._exhausted()
        inner = fragment + TYPE_BYTE[content_type]
        if padding:
            inner += bytes(padding)
        header = b"\x17\x03\x03" + (len(inner) + TAG_LENGTH).to_bytes(2)
        record = header + self._aead.encrypt((self._iv ^ sequence).to_bytes(12), inner, header)
        self.sequence = sequence + 1
        return record

    def seal_run(self, room: memoryview, content_type: int, content: memoryview, size: int) -> None:
        """The same, unpadded, to ``room``: records with ``size`` bytes of ``content`` each, and one with the rest."""
        iv, encrypt_into, kind = self._iv, self._aead.encrypt_into, TYPE_BYTE[content_type]
        stop = 0
        for start in range(0, len(content), size):
            sequence = self.sequence
            if sequence > MAX_SEQUENCE:
                raise self._exhausted()
            inner = b"".join((content[start : start + size], kind))
            length = len(inner) + TAG_LENGTH
            header = b"\x17\x03\x03" + length.to_bytes(2)
            body = stop + HEADER_LENGTH
            room[stop:body] = header
            stop = body + length
            encrypt_into((iv ^ sequence).to_bytes(12), inner, header, room[body:stop])
            self.sequence = sequence + 1


class Opener(Direction):
    """Opens what the peer sends, TLS 1.3."""

    __slots__ = ()
    sequence: int

    hides_type: Final = True
    """The outer content type is always application_data."""

    def open(self, header: bytes, body: bytes | memoryview) -> tuple[int, bytes]:
        """The real content type and the content of one record.

        ``header`` are its five bytes, ``body`` the rest.  Raises Fault, and leaves the sequence number as it
        was, when the record does not decrypt (BAD_RECORD_MAC), is too long (RECORD_OVERFLOW), holds nothing
        but padding (NO_CONTENT_TYPE) or what may not be inside (RFC 9846 sections 5.2 and 5.4).
        """
        sequence = self.sequence
        if sequence > MAX_SEQUENCE:
            raise self._exhausted()
        try:
            inner = self._aead.decrypt((self._iv ^ sequence).to_bytes(12), body, header)
        except InvalidTag:
            raise self._bad_mac() from None
        kind = inner[-1] if 1 < len(inner) <= self.limit + 1 else 0
        content = (kind, inner[:-1]) if kind in FREQUENT else _strip_padding(inner, self.limit)
        self.sequence = sequence + 1
        return content

    def open_run(self, buffer: bytes, start: int, room: memoryview, empty: int) -> Run:
        """Open records of application data, one after the other; their content goes to ``room``.

        The first starts at ``start``.  The run stops before the first record that is not complete or not
        application data, that does not decrypt or is wrong in any other way, or that would be one empty
        record too many: ``open`` says what it is.  ``empty`` counts the empty records in a row, so far.
        ``room`` must be as long as the rest of ``buffer``; only what is filled is authentic.
        """
        iv, decrypt_into, limit = self._iv, self._aead.decrypt_into, self.limit
        sequence, filled, end = self.sequence, 0, len(buffer)
        with memoryview(buffer) as view:
            while end - start > HEADER_LENGTH and sequence <= MAX_SEQUENCE:
                kind, length = RECORD_HEADER(buffer, start)
                body = start + HEADER_LENGTH
                stop = body + length
                # As in record_stop: a call for each record would be a twentieth of all the time.
                if kind != DATA_RECORD or stop > end:
                    break
                if not TAG_LENGTH < length <= MAX_CIPHERTEXT:
                    break
                plaintext = room[filled : filled + length - TAG_LENGTH]
                try:
                    decrypt_into((iv ^ sequence).to_bytes(12), view[body:stop], buffer[start:body], plaintext)
                except InvalidTag:
                    plaintext[:] = bytes(len(plaintext))  # what is there now is not authentic
                    break
                length -= TAG_LENGTH + 1
                if plaintext[-1] != APPLICATION_DATA:
                    length = _padded_data(bytes(plaintext), limit)
                if not 0 <= length <= limit or (not length and empty == MAX_EMPTY_RECORDS):
                    break
                empty = 0 if length else empty + 1
                filled += length
                start = stop
                sequence += 1
        self.sequence = sequence
        return start, filled, empty


def _padded_data(inner: bytes, limit: int) -> int:
    """Bytes of content of application data with padding; -1 if it is anything else."""
    content = inner.rstrip(b"\0")
    return len(content) - 1 if content[-1:] == b"\x17" and len(inner) <= limit + 1 else -1


def _strip_padding(inner: bytes, limit: int) -> tuple[int, bytes]:
    """Type and content of any TLSInnerPlaintext (RFC 9846 section 5.2)."""
    if len(inner) > limit + 1:
        raise Fault(Reason.RECORD_OVERFLOW, f"{len(inner)} bytes inside, at most {limit + 1}")
    content = inner.rstrip(b"\0")
    if not content:
        raise Fault(Reason.NO_CONTENT_TYPE, f"{len(inner)} zero bytes")
    content_type = content[-1]
    if content_type == CHANGE_CIPHER_SPEC:
        raise Fault(Reason.UNEXPECTED_CHANGE_CIPHER_SPEC, "change_cipher_spec inside a protected record")
    check_content(content_type, len(content) - 1)
    return content_type, content[:-1]
