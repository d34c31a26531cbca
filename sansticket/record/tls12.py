"""How records are sealed and opened in TLS 1.2 with AEAD suites (RFC 5246 section 6.2.3.3, RFC 5288, RFC 7905)."""

from typing import Final

from cryptography.exceptions import InvalidTag

from sansticket.errors import Fault, Reason
from sansticket.record.protection import (
    FREQUENT,
    HEADER_LENGTH,
    MAX_EMPTY_RECORDS,
    MAX_SEQUENCE,
    TAG_LENGTH,
    TYPE_BYTE,
    Direction,
    Run,
    check_content,
    record_stop,
)

EXPLICIT_NONCE_LENGTH: Final = 8
"""Bytes of the nonce that travel with each AES-GCM record of TLS 1.2 (RFC 5288 section 3)."""


class Sealer(Direction):
    """Protects what we send, TLS 1.2."""

    __slots__ = ()
    sequence: int

    pads: Final = False

    @property
    def overhead(self) -> int:
        """Bytes that a record has more than its content."""
        return HEADER_LENGTH + TAG_LENGTH + (EXPLICIT_NONCE_LENGTH if self._suite.explicit_nonce else 0)

    def seal(self, content_type: int, fragment: bytes, padding: int = 0) -> bytes:
        """One whole record, as ``tls13.Sealer.seal``; TLS 1.2 cannot pad an AEAD record and ignores ``padding``."""
        start, nonce, additional = self._frame(content_type, len(fragment))
        record = start + self._aead.encrypt(nonce, fragment, additional)
        self.sequence += 1
        return record

    def seal_run(self, room: memoryview, content_type: int, content: memoryview, size: int) -> None:
        """Many records, as ``tls13.Sealer.seal_run``."""
        encrypt_into = self._aead.encrypt_into
        stop = 0
        for start in range(0, len(content), size):
            fragment = content[start : start + size]
            head, nonce, additional = self._frame(content_type, len(fragment))
            body = stop + len(head)
            room[stop:body] = head
            stop = body + len(fragment) + TAG_LENGTH
            encrypt_into(nonce, fragment, additional, room[body:stop])
            self.sequence += 1

    def _frame(self, content_type: int, length: int) -> tuple[bytes, bytes, bytes]:
        """What goes before the ciphertext, the nonce and the additional data."""
        sequence = self.sequence
        if sequence > MAX_SEQUENCE:
            raise self._exhausted()
        number = sequence.to_bytes(8)
        start = TYPE_BYTE[content_type] + b"\x03\x03"
        additional = number + start + length.to_bytes(2)
        if not self._suite.explicit_nonce:
            start += (length + TAG_LENGTH).to_bytes(2)
            return start, (self._iv ^ sequence).to_bytes(12), additional
        # The sequence number is the one explicit part that can never repeat (RFC 5288 section 3).
        start += (length + EXPLICIT_NONCE_LENGTH + TAG_LENGTH).to_bytes(2) + number
        return start, self._salt + number, additional


class Opener(Direction):
    """Opens what the peer sends, TLS 1.2."""

    __slots__ = ()
    sequence: int

    hides_type: Final = False
    """The outer content type is the real one."""

    def open(self, header: bytes, body: bytes | memoryview) -> tuple[int, bytes]:
        """The content type and the content of one record, as ``tls13.Opener.open``."""
        nonce, skipped, additional = self._frame(header, body)
        try:
            content = self._aead.decrypt(nonce, body[skipped:], additional)
        except InvalidTag:
            raise self._bad_mac() from None
        content_type, length = header[0], len(content)
        if content_type not in FREQUENT or not 0 < length <= self.limit:
            self._check(content_type, length)
        self.sequence += 1
        return content_type, content

    def open_run(self, buffer: bytes, start: int, room: memoryview, empty: int) -> Run:
        """Open records of application data, one after the other, as ``tls13.Opener.open_run``."""
        decrypt_into = self._aead.decrypt_into
        before = HEADER_LENGTH + (EXPLICIT_NONCE_LENGTH if self._suite.explicit_nonce else 0)
        filled = 0
        with memoryview(buffer) as view:
            while (stop := record_stop(buffer, start)) >= start + before + TAG_LENGTH:
                if self.sequence > MAX_SEQUENCE:
                    break
                header = start + HEADER_LENGTH
                nonce, _, additional = self._frame(buffer[start:header], view[header:stop])
                body = start + before
                length = stop - body - TAG_LENGTH
                content = room[filled : filled + length]
                try:
                    decrypt_into(nonce, view[body:stop], additional, content)
                except InvalidTag:
                    content[:] = bytes(length)  # what is there now is not authentic
                    break
                if length > self.limit or (not length and empty == MAX_EMPTY_RECORDS):
                    break
                empty = 0 if length else empty + 1
                filled += length
                start = stop
                self.sequence += 1
        return start, filled, empty

    def _frame(self, header: bytes, body: bytes | memoryview) -> tuple[bytes, int, bytes]:
        """The nonce, how many bytes of it are in front of the ciphertext, the additional data."""
        sequence = self.sequence
        if sequence > MAX_SEQUENCE:
            raise self._exhausted()
        if self._suite.explicit_nonce:
            # The peer's choice: it need not be the sequence number (RFC 5288 section 3).
            skipped = EXPLICIT_NONCE_LENGTH
            nonce = self._salt + body[:skipped]
        else:
            skipped = 0
            nonce = (self._iv ^ sequence).to_bytes(12)
        length = len(body) - skipped - TAG_LENGTH
        if length < 0:
            raise self._bad_mac()
        return nonce, skipped, sequence.to_bytes(8) + header[:3] + length.to_bytes(2)

    def _check(self, content_type: int, length: int) -> None:
        if length > self.limit:
            raise Fault(Reason.RECORD_OVERFLOW, f"{length} bytes inside, at most {self.limit}")
        check_content(content_type, length)
