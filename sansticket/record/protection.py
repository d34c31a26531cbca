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

Every object here is one AEAD key with its sequence number.  ``seal`` and ``open`` advance it by one, and
only when they succeed: an ``open`` that raises has changed nothing, so the caller may hand out what came
before and meet the same ``Fault`` again.  Copies and pickles keep key, iv and sequence number; the AEAD is
made anew.
"""

from typing import Final, Protocol, Self, TypeVar, cast

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

CHANGE_CIPHER_SPEC: Final = int(ContentType.CHANGE_CIPHER_SPEC)
ALERT: Final = int(ContentType.ALERT)
HANDSHAKE: Final = int(ContentType.HANDSHAKE)
APPLICATION_DATA: Final = int(ContentType.APPLICATION_DATA)
# Plain integers: comparing with the members of an IntEnum costs three times as much, once per record.

_OUTER_13: Final = b"\x17\x03\x03"
_TYPE_BYTE: Final = [bytes((number,)) for number in range(256)]


class _Aead(Protocol):
    """What an AEAD of ``cryptography`` takes beyond ``bytes``: a slice of the receive buffer, not copied."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes: ...

    def decrypt(self, nonce: bytes, data: bytes | memoryview, associated_data: bytes, /) -> bytes: ...


class _Direction:
    """What the four classes below share.  ``sequence`` is the number of the next record."""

    __slots__ = ("_aead", "_iv", "_keys", "_suite", "sequence")

    def __init__(self, suite: SuiteParameters, keys: TrafficKeys, sequence: int = 0) -> None:
        self._suite = suite
        self._keys = keys
        self._aead = cast(_Aead, suite.aead(keys.key))
        self._iv = int.from_bytes(keys.iv)
        self.sequence = sequence

    @property
    def records_left(self) -> int:
        """How many records this key may still protect (RFC 9846 section 5.5); 0 when it is used up.

        The owner of a ``Sealer13`` sends KeyUpdate before that; TLS 1.2 has no such message, and the
        connection must be closed instead.  Nothing here enforces the limit.
        """
        return max(0, self._suite.record_limit - self.sequence)

    def __reduce__(self) -> tuple[object, tuple[type[Self], int, TrafficKeys, int]]:
        # By number: a SuiteParameters holds the class of its AEAD, and pickle cannot import that.
        return _restore, (type(self), int(self._suite.suite), self._keys, self.sequence)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._suite.suite.name}, sequence={self.sequence})"

    def _exhausted(self) -> Fault:
        return Fault(Reason.SEQUENCE_EXHAUSTED, f"{self._suite.suite.name}: sequence number would wrap")


_AnyDirection = TypeVar("_AnyDirection", bound=_Direction)


def _restore(kind: type[_AnyDirection], suite: int, keys: TrafficKeys, sequence: int) -> _AnyDirection:
    return kind(SUITES[suite], keys, sequence)


class Sealer13(_Direction):
    """Protects what we send, TLS 1.3."""

    __slots__ = ()

    def seal(self, content_type: int, fragment: bytes, padding: int = 0) -> bytes:
        """One whole record: header and ciphertext.

        ``fragment`` has at most 2^14 bytes; ``padding`` is the number of zero bytes after the content type,
        at most as many as keep both together within 2^14 (RFC 9846 section 5.4).
        Raises Fault(SEQUENCE_EXHAUSTED) instead of using a sequence number twice.
        """
        sequence = self.sequence
        if sequence > MAX_SEQUENCE:
            raise self._exhausted()
        tail = _TYPE_BYTE[content_type]
        if padding:
            tail += bytes(padding)
        header = _OUTER_13 + (len(fragment) + len(tail) + TAG_LENGTH).to_bytes(2)
        nonce = (self._iv ^ sequence).to_bytes(12)
        record = header + self._aead.encrypt(nonce, fragment + tail, header)
        self.sequence = sequence + 1
        return record


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
            raise Fault(Reason.BAD_RECORD_MAC, f"record {sequence} of this key") from None
        if len(inner) > MAX_PLAINTEXT + 1:
            raise Fault(Reason.RECORD_OVERFLOW, f"{len(inner)} bytes inside, at most {MAX_PLAINTEXT + 1}")
        if inner and inner[-1] == APPLICATION_DATA:
            content_type, content = APPLICATION_DATA, inner[:-1]
        else:
            content_type, content = _strip_padding(inner)
        self.sequence = sequence + 1
        return content_type, content


def _strip_padding(inner: bytes) -> tuple[int, bytes]:
    """Type and content of an inner plaintext that is not unpadded application data."""
    content = inner.rstrip(b"\0")
    if not content:
        raise Fault(Reason.NO_CONTENT_TYPE, f"{len(inner)} zero bytes")
    content_type = content[-1]
    content = content[:-1]
    if content_type == CHANGE_CIPHER_SPEC:
        raise Fault(Reason.UNEXPECTED_CHANGE_CIPHER_SPEC, "change_cipher_spec inside a protected record")
    _check_content(content_type, content)
    return content_type, content


def _check_content(content_type: int, content: bytes) -> None:
    """Known content types only, and only application data may be empty (RFC 9846 section 5.1)."""
    if not CHANGE_CIPHER_SPEC <= content_type <= APPLICATION_DATA:
        raise Fault(Reason.UNKNOWN_CONTENT_TYPE, f"content type {content_type}")
    if not content and content_type != APPLICATION_DATA:
        raise Fault(Reason.EMPTY_RECORD, f"content type {content_type}")


class Sealer12(_Direction):
    """Protects what we send, TLS 1.2."""

    __slots__ = ()

    def seal(self, content_type: int, fragment: bytes, padding: int = 0) -> bytes:
        """One whole record: header, explicit nonce (GCM) and ciphertext.

        ``fragment`` has at most 2^14 bytes.  TLS 1.2 cannot pad an AEAD record: ``padding`` is ignored.
        Raises Fault(SEQUENCE_EXHAUSTED) instead of using a sequence number twice.
        """
        sequence = self.sequence
        if sequence > MAX_SEQUENCE:
            raise self._exhausted()
        number = sequence.to_bytes(8)
        start = _TYPE_BYTE[content_type] + b"\x03\x03"
        additional = number + start + len(fragment).to_bytes(2)
        if self._suite.explicit_nonce:
            # The sequence number is the one explicit part that can never repeat (RFC 5288 section 3).
            ciphertext = number + self._aead.encrypt(self._keys.iv + number, fragment, additional)
        else:
            ciphertext = self._aead.encrypt((self._iv ^ sequence).to_bytes(12), fragment, additional)
        self.sequence = sequence + 1
        return start + len(ciphertext).to_bytes(2) + ciphertext


class Opener12(_Direction):
    """Opens what the peer sends, TLS 1.2."""

    __slots__ = ()

    hides_type: Final = False
    """The outer content type is the real one."""

    def open(self, header: bytes, body: bytes | memoryview) -> tuple[int, bytes]:
        """The content type and the content of one record, as ``Opener13.open``.

        The explicit nonce is the peer's choice: it is taken as it comes (RFC 5288 section 3).
        """
        sequence = self.sequence
        if sequence > MAX_SEQUENCE:
            raise self._exhausted()
        if self._suite.explicit_nonce:
            nonce = self._keys.iv + bytes(body[:8])
            body = body[8:]
        else:
            nonce = (self._iv ^ sequence).to_bytes(12)
        length = len(body) - TAG_LENGTH
        if length < 0 or len(nonce) < 12:
            raise Fault(Reason.BAD_RECORD_MAC, "record shorter than nonce and tag")
        additional = sequence.to_bytes(8) + header[:3] + length.to_bytes(2)
        try:
            content = self._aead.decrypt(nonce, body, additional)
        except InvalidTag:
            raise Fault(Reason.BAD_RECORD_MAC, f"record {sequence} of this key") from None
        if length > MAX_PLAINTEXT:
            raise Fault(Reason.RECORD_OVERFLOW, f"{length} bytes inside, at most {MAX_PLAINTEXT}")
        _check_content(header[0], content)
        self.sequence = sequence + 1
        return header[0], content


Sealer = Sealer12 | Sealer13
Opener = Opener12 | Opener13
