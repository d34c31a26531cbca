"""One direction of one epoch: fragments to records, records to fragments.

A record is a header of five bytes and a body.  Under protection the body is an AEAD ciphertext, and the two
versions differ in what surrounds it:

========================  ==================================  =============================================
                          TLS 1.3 (RFC 9846 section 5.2)      TLS 1.2 (RFC 5288, RFC 7905)
========================  ==================================  =============================================
outer content type        always application_data             the real one
plaintext                 content, real type, zero padding    content
nonce                     iv XOR sequence number              ChaCha20: the same; GCM: 4 bytes of iv, then
                                                              8 that travel in front of the ciphertext
additional data           the header                          sequence number, type, version, length
========================  ==================================  =============================================

Every object here is one AEAD key with its sequence number.  Sealing and opening advance it by one, and only
when they succeed: an opening that raises has changed nothing, so the caller may hand out what came before
and meet the same ``Fault`` again.  Both come in two forms, one that makes a ``bytes`` object, the fastest for
a single record, and one that writes into a buffer, the fastest for many.

Copies and pickles keep key, iv and sequence number; the AEAD is made anew.
"""

from struct import Struct
from typing import Final, Self, TypeVar

from cryptography.exceptions import InvalidTag

from sansticket.crypto.suites import SUITES, SuiteParameters, TrafficKeys
from sansticket.errors import Fault, Reason
from sansticket.wire.codes import ContentType

HEADER_LENGTH: Final = 5
"""Bytes of a record header: type, legacy version, length."""

MAX_PLAINTEXT: Final = 2**14
"""Bytes of content in one record (RFC 9846 section 5.1)."""

MAX_CIPHERTEXT: Final = MAX_PLAINTEXT + 256
"""Bytes of a protected record's body (RFC 9846 section 5.2).

TLS 1.2 would allow 2^14 + 2048, but none of its AEAD suites adds more than 24 bytes.
"""

MAX_SEQUENCE: Final = 2**64 - 1
"""Sequence numbers must not wrap (RFC 9846 section 5.3)."""

TAG_LENGTH: Final = 16
"""Bytes of the tag, the same for every suite we know."""

MAX_EMPTY_RECORDS: Final = 32
"""Records without content that may come in a row; the same number as in OpenSSL and BoringSSL."""

EXPLICIT_NONCE_LENGTH: Final = 8
"""Bytes of the nonce that travel with each AES-GCM record of TLS 1.2 (RFC 5288 section 3)."""

CHANGE_CIPHER_SPEC: Final = int(ContentType.CHANGE_CIPHER_SPEC)
ALERT: Final = int(ContentType.ALERT)
HANDSHAKE: Final = int(ContentType.HANDSHAKE)
APPLICATION_DATA: Final = int(ContentType.APPLICATION_DATA)
# Plain integers: comparing with the members of an IntEnum costs three times as much, once per record.

_TYPE_BYTE: Final = [bytes((number,)) for number in range(256)]


Run = tuple[int, int, int]
"""Where a run of records stopped, how many bytes of content it gave, how many empty records are at its end."""

RECORD_HEADER: Final = Struct(">BBxH").unpack_from
"""Content type, major version, length."""


def record_stop(buffer: bytes | bytearray, start: int) -> int:
    """Where the record stops that starts here, or 0 unless it is complete and may be application data."""
    if len(buffer) - start < HEADER_LENGTH:
        return 0
    content_type, major, length = RECORD_HEADER(buffer, start)
    stop: int = start + HEADER_LENGTH + length
    if content_type == APPLICATION_DATA and major == 3 and length <= MAX_CIPHERTEXT and stop <= len(buffer):
        return stop
    return 0


class _Direction:
    """What all four directions share.  ``sequence`` is the number of the next record."""

    __slots__ = ("_aead", "_iv", "_keys", "_suite", "sequence")

    def __init__(self, suite: SuiteParameters, keys: TrafficKeys, sequence: int = 0) -> None:
        self._suite = suite
        self._keys = keys
        self._aead = suite.aead(keys.key)
        self._iv = int.from_bytes(keys.iv)
        self.sequence = sequence

    @property
    def records_left(self) -> int:
        """How many records this key may still protect (RFC 9846 section 5.5); 0 when it is used up.

        The owner of a ``Sealer13`` sends KeyUpdate before that; TLS 1.2 has no such message, and the
        connection must be closed instead.  Only the wrap of the sequence number is refused here.
        """
        return max(0, self._suite.record_limit - self.sequence)

    def __reduce__(self) -> tuple[object, tuple[type[Self], int, TrafficKeys, int]]:
        # By number: a SuiteParameters holds the class of its AEAD, and pickle cannot import that.
        return _restore, (type(self), int(self._suite.suite), self._keys, self.sequence)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._suite.suite.name}, sequence={self.sequence})"

    def _exhausted(self) -> Fault:
        return Fault(Reason.SEQUENCE_EXHAUSTED, f"{self._suite.suite.name}: sequence number would wrap")

    def _bad_mac(self) -> Fault:
        return Fault(Reason.BAD_RECORD_MAC, f"record {self.sequence} of this key")


_AnyDirection = TypeVar("_AnyDirection", bound=_Direction)


def _restore(kind: type[_AnyDirection], suite: int, keys: TrafficKeys, sequence: int) -> _AnyDirection:
    return kind(SUITES[suite], keys, sequence)


class Sealer13(_Direction):
    """Protects what we send, TLS 1.3."""

    __slots__ = ()

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
        inner = fragment + _TYPE_BYTE[content_type]
        if padding:
            inner += bytes(padding)
        header = b"\x17\x03\x03" + (len(inner) + TAG_LENGTH).to_bytes(2)
        record = header + self._aead.encrypt((self._iv ^ sequence).to_bytes(12), inner, header)
        self.sequence = sequence + 1
        return record

    def seal_into(self, room: memoryview, at: int, content_type: int, fragment: memoryview) -> int:
        """The same, unpadded and written to ``room`` from ``at`` on; gives where the record stops."""
        sequence = self.sequence
        if sequence > MAX_SEQUENCE:
            raise self._exhausted()
        inner = b"".join((fragment, _TYPE_BYTE[content_type]))
        length = len(inner) + TAG_LENGTH
        header = b"\x17\x03\x03" + length.to_bytes(2)
        body = at + HEADER_LENGTH
        room[at:body] = header
        stop = body + length
        self._aead.encrypt_into((self._iv ^ sequence).to_bytes(12), inner, header, room[body:stop])
        self.sequence = sequence + 1
        return stop


class Opener13(_Direction):
    """Opens what the peer sends, TLS 1.3."""

    __slots__ = ()

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
        if inner and inner[-1] == APPLICATION_DATA and len(inner) <= MAX_PLAINTEXT + 1:
            content = APPLICATION_DATA, inner[:-1]  # by far the most frequent
        else:
            content = _strip_padding(inner)
        self.sequence = sequence + 1
        return content

    def open_run(self, buffer: bytes, start: int, room: memoryview, empty: int) -> Run:
        """Open records of application data, one after the other; their content goes to ``room``.

        The first starts at ``start``.  The run stops before the first record that is not complete or not
        application data, that does not decrypt or is wrong in any other way, or that would be one empty
        record too many: ``open`` says what it is.  ``empty`` counts the empty records in a row, so far.
        ``room`` must be as long as the rest of ``buffer``; only what is filled is authentic.
        """
        iv, decrypt_into = self._iv, self._aead.decrypt_into
        sequence, filled, end = self.sequence, 0, len(buffer)
        with memoryview(buffer) as view:
            while end - start > HEADER_LENGTH and sequence <= MAX_SEQUENCE:
                content_type, major, length = RECORD_HEADER(buffer, start)
                body = start + HEADER_LENGTH
                stop = body + length
                # As in record_stop: a call for each record would be a twentieth of all the time.
                if content_type != APPLICATION_DATA or major != 3 or stop > end:
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
                    length = _padded_data(bytes(plaintext))
                if not 0 <= length <= MAX_PLAINTEXT or (not length and empty == MAX_EMPTY_RECORDS):
                    break
                empty = 0 if length else empty + 1
                filled += length
                start = stop
                sequence += 1
        self.sequence = sequence
        return start, filled, empty


def _padded_data(inner: bytes) -> int:
    """Bytes of content of application data with padding; -1 if it is anything else."""
    content = inner.rstrip(b"\0")
    return len(content) - 1 if content[-1:] == b"\x17" and len(inner) <= MAX_PLAINTEXT + 1 else -1


def _strip_padding(inner: bytes) -> tuple[int, bytes]:
    """Type and content of any TLSInnerPlaintext (RFC 9846 section 5.2)."""
    if len(inner) > MAX_PLAINTEXT + 1:
        raise Fault(Reason.RECORD_OVERFLOW, f"{len(inner)} bytes inside, at most {MAX_PLAINTEXT + 1}")
    content = inner.rstrip(b"\0")
    if not content:
        raise Fault(Reason.NO_CONTENT_TYPE, f"{len(inner)} zero bytes")
    content_type = content[-1]
    if content_type == CHANGE_CIPHER_SPEC:
        raise Fault(Reason.UNEXPECTED_CHANGE_CIPHER_SPEC, "change_cipher_spec inside a protected record")
    _check_content(content_type, len(content) - 1)
    return content_type, content[:-1]


def _check_content(content_type: int, length: int) -> None:
    """Known content types only, and only application data may be empty (RFC 9846 section 5.1)."""
    if not CHANGE_CIPHER_SPEC <= content_type <= APPLICATION_DATA:
        raise Fault(Reason.UNKNOWN_CONTENT_TYPE, f"content type {content_type}")
    if not length and content_type != APPLICATION_DATA:
        raise Fault(Reason.EMPTY_RECORD, f"content type {content_type}")


class Sealer12(_Direction):
    """Protects what we send, TLS 1.2."""

    __slots__ = ()

    @property
    def overhead(self) -> int:
        """Bytes that a record has more than its content."""
        return HEADER_LENGTH + TAG_LENGTH + (EXPLICIT_NONCE_LENGTH if self._suite.explicit_nonce else 0)

    def seal(self, content_type: int, fragment: bytes, padding: int = 0) -> bytes:
        """One whole record, as ``Sealer13.seal``; TLS 1.2 cannot pad an AEAD record and ignores ``padding``."""
        start, nonce, additional = self._frame(content_type, len(fragment))
        record = start + self._aead.encrypt(nonce, fragment, additional)
        self.sequence += 1
        return record

    def seal_into(self, room: memoryview, at: int, content_type: int, fragment: memoryview) -> int:
        """The same, written to ``room`` from ``at`` on; gives where the record stops."""
        start, nonce, additional = self._frame(content_type, len(fragment))
        body = at + len(start)
        stop = body + len(fragment) + TAG_LENGTH
        room[at:body] = start
        self._aead.encrypt_into(nonce, fragment, additional, room[body:stop])
        self.sequence += 1
        return stop

    def _frame(self, content_type: int, length: int) -> tuple[bytes, bytes, bytes]:
        """What goes before the ciphertext, the nonce and the additional data."""
        sequence = self.sequence
        if sequence > MAX_SEQUENCE:
            raise self._exhausted()
        number = sequence.to_bytes(8)
        start = _TYPE_BYTE[content_type] + b"\x03\x03"
        additional = number + start + length.to_bytes(2)
        if not self._suite.explicit_nonce:
            start += (length + TAG_LENGTH).to_bytes(2)
            return start, (self._iv ^ sequence).to_bytes(12), additional
        # The sequence number is the one explicit part that can never repeat (RFC 5288 section 3).
        start += (length + EXPLICIT_NONCE_LENGTH + TAG_LENGTH).to_bytes(2) + number
        return start, self._keys.iv + number, additional


class Opener12(_Direction):
    """Opens what the peer sends, TLS 1.2."""

    __slots__ = ()

    hides_type: Final = False
    """The outer content type is the real one."""

    def open(self, header: bytes, body: bytes | memoryview) -> tuple[int, bytes]:
        """The content type and the content of one record, as ``Opener13.open``."""
        nonce, skipped, additional = self._frame(header, body)
        try:
            content = self._aead.decrypt(nonce, body[skipped:], additional)
        except InvalidTag:
            raise self._bad_mac() from None
        self._accept(header[0], len(content))
        return header[0], content

    def open_run(self, buffer: bytes, start: int, room: memoryview, empty: int) -> Run:
        """Open records of application data, one after the other, as ``Opener13.open_run``."""
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
                if length > MAX_PLAINTEXT or (not length and empty == MAX_EMPTY_RECORDS):
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
            nonce = self._keys.iv + body[:skipped]
        else:
            skipped = 0
            nonce = (self._iv ^ sequence).to_bytes(12)
        length = len(body) - skipped - TAG_LENGTH
        if length < 0:
            raise self._bad_mac()
        return nonce, skipped, sequence.to_bytes(8) + header[:3] + length.to_bytes(2)

    def _accept(self, content_type: int, length: int) -> None:
        if length > MAX_PLAINTEXT:
            raise Fault(Reason.RECORD_OVERFLOW, f"{length} bytes inside, at most {MAX_PLAINTEXT}")
        _check_content(content_type, length)
        self.sequence += 1


Sealer = Sealer12 | Sealer13
Opener = Opener12 | Opener13
