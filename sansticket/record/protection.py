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

from sansticket.codes import ContentType
from sansticket.crypto.suites import SUITES, SuiteParameters, TrafficKeys
from sansticket.errors import Fault, Reason

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

CHANGE_CIPHER_SPEC: Final = int(ContentType.CHANGE_CIPHER_SPEC)
ALERT: Final = int(ContentType.ALERT)
HANDSHAKE: Final = int(ContentType.HANDSHAKE)
APPLICATION_DATA: Final = int(ContentType.APPLICATION_DATA)
# Plain integers: comparing with the members of an IntEnum costs three times as much, once per record.

FREQUENT: Final = (APPLICATION_DATA, HANDSHAKE)
"""The content types of nearly all records."""

RECORDS_IN_RESERVE: Final = 16
"""Records of a key that are kept back for tickets, alerts and the KeyUpdate itself."""

TYPE_BYTE: Final = [bytes((number,)) for number in range(256)]


Run = tuple[int, int, int]
"""Where a run of records stopped, how many bytes of content it gave, how many empty records are at its end."""

RECORD_HEADER: Final = Struct(">HxH").unpack_from
"""Content type with the major version, and length."""

DATA_RECORD: Final = APPLICATION_DATA << 8 | 3
"""The first of these of application data."""


def record_stop(buffer: bytes | bytearray, start: int) -> int:
    """Where the record stops that starts here, or 0 unless it is complete and may be application data."""
    if len(buffer) - start < HEADER_LENGTH:
        return 0
    kind, length = RECORD_HEADER(buffer, start)
    stop: int = start + HEADER_LENGTH + length
    if kind == DATA_RECORD and length <= MAX_CIPHERTEXT and stop <= len(buffer):
        return stop
    return 0


class Direction:
    """What all four directions share.

    ``sequence`` is the number of the next record, ``replace_at`` that from which on new keys are due.  ``limit`` bounds
    the content that is opened, in bytes; what TLS 1.3 hides with it, but for the content type, counts.
    """

    __slots__ = ("_aead", "_iv", "_key", "_salt", "_suite", "limit", "replace_at", "sequence")

    def __init__(self, suite: SuiteParameters, keys: TrafficKeys, sequence: int = 0) -> None:
        self._suite = suite
        self._key = keys.key
        self._aead = suite.aead(keys.key)
        # One of the two: what a nonce begins with, or what it is made of together with the sequence number.
        self._salt = keys.iv if suite.explicit_nonce else b""
        self._iv = 0 if suite.explicit_nonce else int.from_bytes(keys.iv)
        self.sequence: int = sequence
        self.limit: int = MAX_PLAINTEXT
        self.replace_at: int = suite.record_limit - RECORDS_IN_RESERVE

    @property
    def keys(self) -> TrafficKeys:
        """What it was made with.  Not kept as they are: an idle connection has two of these."""
        return TrafficKeys(self._key, self._salt or self._iv.to_bytes(self._suite.iv_length))

    @property
    def records_left(self) -> int:
        """How many records this key may still protect (RFC 9846 section 5.5); 0 when it is used up.

        The owner of a ``tls13.Sealer`` sends KeyUpdate before that; TLS 1.2 has no such message, and the
        connection must be closed instead.  Only the wrap of the sequence number is refused here.
        """
        return max(0, self._suite.record_limit - self.sequence)

    def __reduce__(self) -> tuple[object, tuple[type[Self], int, TrafficKeys, int]]:
        # By number: a SuiteParameters holds the class of its AEAD, and pickle cannot import that.
        return _restore, (type(self), int(self._suite.suite), self.keys, self.sequence)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._suite.suite.name}, sequence={self.sequence})"

    def _exhausted(self) -> Fault:
        return Fault(Reason.SEQUENCE_EXHAUSTED, f"{self._suite.suite.name}: sequence number would wrap")

    def _bad_mac(self) -> Fault:
        return Fault(Reason.BAD_RECORD_MAC, f"record {self.sequence} of this key")


_AnyDirection = TypeVar("_AnyDirection", bound=Direction)


def _restore(kind: type[_AnyDirection], suite: int, keys: TrafficKeys, sequence: int) -> _AnyDirection:
    return kind(SUITES[suite], keys, sequence)


def check_content(content_type: int, length: int) -> None:
    """Known content types only, and only application data may be empty (RFC 9846 section 5.1)."""
    if not CHANGE_CIPHER_SPEC <= content_type <= APPLICATION_DATA:
        raise Fault(Reason.UNKNOWN_CONTENT_TYPE, f"content type {content_type}")
    if not length and content_type != APPLICATION_DATA:
        raise Fault(Reason.EMPTY_RECORD, f"content type {content_type}")
