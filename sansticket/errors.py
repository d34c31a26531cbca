"""What can go wrong, and the alert that says so.

Three kinds, never mixed:

- ``LocalProtocolError``: the caller did what the state does not allow.  Raised, and nothing has changed.
- ``ConfigError``: a config that cannot work.  Raised when the config is made, naming the field.
- ``Fault``: the peer did something wrong.  Raised only inside the package; the connection turns it into a
  ``ConnectionTerminated`` event and an alert.  It carries a ``Reason``, and ``ALERTS`` is the one place
  that says which alert each reason becomes.
"""

from enum import Enum
from typing import Final

from sansticket.codes import AlertDescription as Alert
from sansticket.text import printable


class SansticketError(Exception):
    """Base of the exceptions that reach the caller.  Their text is printable and has at most 1,000 characters."""

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message))


class LocalProtocolError(SansticketError):
    """The caller asked for what the connection's state does not allow.  Nothing has changed."""


class ConfigError(SansticketError, ValueError):
    """A config value that cannot work; ``field`` names it."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field


class Reason(Enum):
    """Why a connection ended.  ``ALERTS`` gives the alert of each."""

    # decoding
    MALFORMED_MESSAGE = "malformed message"
    MESSAGE_TOO_LARGE = "message too large"
    DUPLICATE_EXTENSION = "duplicate extension"
    FORBIDDEN_EXTENSION = "extension not allowed in this message"
    UNSOLICITED_EXTENSION = "extension that was not offered"
    MISSING_EXTENSION = "missing extension"
    ILLEGAL_VALUE = "illegal value"

    # records
    UNKNOWN_CONTENT_TYPE = "unknown content type"
    RECORD_OVERFLOW = "record too large"
    BAD_RECORD_MAC = "record does not decrypt"
    EMPTY_RECORD = "empty record"
    TOO_MANY_EMPTY_RECORDS = "too many empty records"
    NO_CONTENT_TYPE = "record of nothing but padding"
    NOT_TLS = "not a TLS record"
    SEQUENCE_EXHAUSTED = "key used up"

    # order of messages
    UNEXPECTED_MESSAGE = "unexpected message"
    MESSAGE_ACROSS_KEY_CHANGE = "handshake message across a key change"
    UNEXPECTED_CHANGE_CIPHER_SPEC = "unexpected change_cipher_spec"
    TOO_MUCH_BUFFERED = "too many bytes while a question is open"
    TOO_MANY_KEY_UPDATES = "too many KeyUpdates"
    TOO_MANY_TICKETS = "too many tickets"
    TOO_MANY_CERTIFICATE_REQUESTS = "too many requests for our certificate"
    TOO_MANY_WARNINGS = "too many warning alerts"
    TOO_MUCH_EARLY_DATA = "too much early data"
    RENEGOTIATION = "renegotiation refused"

    # negotiation
    UNSUPPORTED_VERSION = "no common protocol version"
    DOWNGRADE = "downgrade detected"
    INAPPROPRIATE_FALLBACK = "inappropriate fallback"
    NO_COMMON_CIPHER_SUITE = "no common cipher suite"
    NO_COMMON_GROUP = "no common group"
    NO_COMMON_SIGNATURE_SCHEME = "no common signature scheme"
    NO_COMMON_APPLICATION_PROTOCOL = "no common application protocol"
    NO_COMMON_PSK_MODE = "no common PSK key exchange mode"
    NO_CREDENTIAL = "no certificate for this client"
    PSK_REQUIRED = "no pre-shared key, and nothing else authenticates"
    UNKNOWN_PSK_IDENTITY = "no known PSK identity"
    UNOFFERED_CIPHER_SUITE = "cipher suite that was not offered"
    UNOFFERED_GROUP = "group that was not offered"
    UNOFFERED_SIGNATURE_SCHEME = "signature scheme that was not offered"
    UNOFFERED_APPLICATION_PROTOCOL = "application protocol that was not offered"
    SESSION_ID_NOT_ECHOED = "legacy_session_id not echoed"
    UNOFFERED_SESSION = "resumption of a session that was not offered"
    CHANGED_AFTER_RETRY = "changed after HelloRetryRequest"
    BAD_COOKIE = "cookie that is not ours, or out of time"
    USELESS_RETRY = "HelloRetryRequest that changes nothing"
    EXTENDED_MASTER_SECRET_CHANGED = "extended master secret changed on resumption"
    MISSING_EXTENDED_MASTER_SECRET = "extended master secret is required"
    RENEGOTIATION_INFO_MISMATCH = "renegotiation_info does not match"
    OLDER_VERSION_AFTER_EARLY_DATA = "an older version after early data"
    EARLY_DATA_MISMATCH = "early data accepted with what it was not made for"

    # keys and proofs
    BAD_KEY_SHARE = "invalid key share"
    BAD_SIGNATURE = "signature does not verify"
    BAD_FINISHED = "Finished does not verify"
    BAD_BINDER = "PSK binder does not verify"
    BINDER_COUNT = "as many binders as identities"
    BAD_PSK_SELECTION = "selected identity that was not offered"

    # certificates
    CERTIFICATE_MALFORMED = "malformed certificate"
    CERTIFICATE_COMPRESSION = "compressed certificate does not decompress"
    CERTIFICATE_UNSUPPORTED = "certificate of an unsupported kind"
    CERTIFICATE_EXPIRED = "certificate expired or not yet valid"
    CERTIFICATE_REVOKED = "certificate revoked"
    BAD_CERTIFICATE_STATUS = "certificate status that cannot be relied on"
    MISSING_CERTIFICATE_STATUS = "no certificate status"
    CERTIFICATE_UNTRUSTED = "no path to a trust anchor"
    CERTIFICATE_NAME_MISMATCH = "certificate is for another name"
    CERTIFICATE_INVALID = "certificate does not verify"
    CERTIFICATE_REQUIRED = "client certificate required"
    CERTIFICATE_REFUSED = "certificate refused by the application"
    NO_SERVER_CERTIFICATE = "empty server certificate list"

    # tickets and answers
    TICKET_ABORTED = "ticket policy aborted the handshake"
    ILLEGAL_TICKET_USE = "USE of a ticket that did not decrypt"
    ABORTED_BY_APPLICATION = "aborted by the application"
    SESSION_REVOKED = "session revoked"
    ANSWER_FAILED = "a function of the application raised"
    INTERNAL_ERROR = "internal error"

    # the end
    PEER_ALERT = "alert received"
    TRUNCATED = "end of stream without close_notify"
    CANCELED = "closed before the handshake was done"


ALERTS: Final[dict[Reason, Alert]] = {
    Reason.MALFORMED_MESSAGE: Alert.DECODE_ERROR,
    Reason.MESSAGE_TOO_LARGE: Alert.ILLEGAL_PARAMETER,
    Reason.DUPLICATE_EXTENSION: Alert.ILLEGAL_PARAMETER,
    Reason.FORBIDDEN_EXTENSION: Alert.ILLEGAL_PARAMETER,
    Reason.UNSOLICITED_EXTENSION: Alert.UNSUPPORTED_EXTENSION,
    Reason.MISSING_EXTENSION: Alert.MISSING_EXTENSION,
    Reason.ILLEGAL_VALUE: Alert.ILLEGAL_PARAMETER,
    Reason.UNKNOWN_CONTENT_TYPE: Alert.UNEXPECTED_MESSAGE,
    Reason.RECORD_OVERFLOW: Alert.RECORD_OVERFLOW,
    Reason.BAD_RECORD_MAC: Alert.BAD_RECORD_MAC,
    Reason.EMPTY_RECORD: Alert.UNEXPECTED_MESSAGE,
    Reason.TOO_MANY_EMPTY_RECORDS: Alert.UNEXPECTED_MESSAGE,
    Reason.NO_CONTENT_TYPE: Alert.UNEXPECTED_MESSAGE,
    Reason.NOT_TLS: Alert.PROTOCOL_VERSION,
    Reason.SEQUENCE_EXHAUSTED: Alert.INTERNAL_ERROR,
    Reason.UNEXPECTED_MESSAGE: Alert.UNEXPECTED_MESSAGE,
    Reason.MESSAGE_ACROSS_KEY_CHANGE: Alert.UNEXPECTED_MESSAGE,
    Reason.UNEXPECTED_CHANGE_CIPHER_SPEC: Alert.UNEXPECTED_MESSAGE,
    Reason.TOO_MUCH_BUFFERED: Alert.INTERNAL_ERROR,
    Reason.TOO_MANY_KEY_UPDATES: Alert.UNEXPECTED_MESSAGE,
    Reason.TOO_MANY_TICKETS: Alert.UNEXPECTED_MESSAGE,
    Reason.TOO_MANY_CERTIFICATE_REQUESTS: Alert.UNEXPECTED_MESSAGE,
    Reason.TOO_MANY_WARNINGS: Alert.UNEXPECTED_MESSAGE,
    Reason.TOO_MUCH_EARLY_DATA: Alert.UNEXPECTED_MESSAGE,
    Reason.RENEGOTIATION: Alert.UNEXPECTED_MESSAGE,  # no_renegotiation is always a warning (RFC 5246 section 7.2.2)
    Reason.UNSUPPORTED_VERSION: Alert.PROTOCOL_VERSION,
    Reason.DOWNGRADE: Alert.ILLEGAL_PARAMETER,
    Reason.INAPPROPRIATE_FALLBACK: Alert.INAPPROPRIATE_FALLBACK,
    Reason.NO_COMMON_CIPHER_SUITE: Alert.HANDSHAKE_FAILURE,
    Reason.NO_COMMON_GROUP: Alert.HANDSHAKE_FAILURE,
    Reason.NO_COMMON_SIGNATURE_SCHEME: Alert.HANDSHAKE_FAILURE,
    Reason.NO_COMMON_APPLICATION_PROTOCOL: Alert.NO_APPLICATION_PROTOCOL,
    Reason.NO_COMMON_PSK_MODE: Alert.HANDSHAKE_FAILURE,
    Reason.NO_CREDENTIAL: Alert.HANDSHAKE_FAILURE,
    Reason.PSK_REQUIRED: Alert.HANDSHAKE_FAILURE,
    Reason.UNKNOWN_PSK_IDENTITY: Alert.UNKNOWN_PSK_IDENTITY,
    Reason.UNOFFERED_CIPHER_SUITE: Alert.ILLEGAL_PARAMETER,
    Reason.UNOFFERED_GROUP: Alert.ILLEGAL_PARAMETER,
    Reason.UNOFFERED_SIGNATURE_SCHEME: Alert.ILLEGAL_PARAMETER,
    Reason.UNOFFERED_APPLICATION_PROTOCOL: Alert.ILLEGAL_PARAMETER,
    Reason.SESSION_ID_NOT_ECHOED: Alert.ILLEGAL_PARAMETER,
    Reason.UNOFFERED_SESSION: Alert.ILLEGAL_PARAMETER,
    Reason.CHANGED_AFTER_RETRY: Alert.ILLEGAL_PARAMETER,
    Reason.BAD_COOKIE: Alert.ILLEGAL_PARAMETER,
    Reason.USELESS_RETRY: Alert.ILLEGAL_PARAMETER,
    Reason.EXTENDED_MASTER_SECRET_CHANGED: Alert.HANDSHAKE_FAILURE,
    Reason.MISSING_EXTENDED_MASTER_SECRET: Alert.HANDSHAKE_FAILURE,
    Reason.RENEGOTIATION_INFO_MISMATCH: Alert.HANDSHAKE_FAILURE,
    Reason.OLDER_VERSION_AFTER_EARLY_DATA: Alert.PROTOCOL_VERSION,
    Reason.EARLY_DATA_MISMATCH: Alert.ILLEGAL_PARAMETER,
    Reason.BAD_KEY_SHARE: Alert.ILLEGAL_PARAMETER,
    Reason.BAD_SIGNATURE: Alert.DECRYPT_ERROR,
    Reason.BAD_FINISHED: Alert.DECRYPT_ERROR,
    Reason.BAD_BINDER: Alert.DECRYPT_ERROR,
    Reason.BINDER_COUNT: Alert.ILLEGAL_PARAMETER,
    Reason.BAD_PSK_SELECTION: Alert.ILLEGAL_PARAMETER,
    Reason.CERTIFICATE_MALFORMED: Alert.BAD_CERTIFICATE,
    Reason.CERTIFICATE_COMPRESSION: Alert.BAD_CERTIFICATE,
    Reason.CERTIFICATE_UNSUPPORTED: Alert.UNSUPPORTED_CERTIFICATE,
    Reason.CERTIFICATE_EXPIRED: Alert.CERTIFICATE_EXPIRED,
    Reason.CERTIFICATE_REVOKED: Alert.CERTIFICATE_REVOKED,
    Reason.BAD_CERTIFICATE_STATUS: Alert.BAD_CERTIFICATE_STATUS_RESPONSE,
    Reason.MISSING_CERTIFICATE_STATUS: Alert.BAD_CERTIFICATE_STATUS_RESPONSE,
    Reason.CERTIFICATE_UNTRUSTED: Alert.UNKNOWN_CA,
    Reason.CERTIFICATE_NAME_MISMATCH: Alert.BAD_CERTIFICATE,
    Reason.CERTIFICATE_INVALID: Alert.BAD_CERTIFICATE,
    Reason.CERTIFICATE_REQUIRED: Alert.CERTIFICATE_REQUIRED,
    Reason.CERTIFICATE_REFUSED: Alert.BAD_CERTIFICATE,
    Reason.NO_SERVER_CERTIFICATE: Alert.DECODE_ERROR,
    Reason.TICKET_ABORTED: Alert.INTERNAL_ERROR,
    Reason.ILLEGAL_TICKET_USE: Alert.INTERNAL_ERROR,
    Reason.ABORTED_BY_APPLICATION: Alert.INTERNAL_ERROR,
    Reason.SESSION_REVOKED: Alert.ACCESS_DENIED,
    Reason.ANSWER_FAILED: Alert.INTERNAL_ERROR,
    Reason.INTERNAL_ERROR: Alert.INTERNAL_ERROR,
    Reason.PEER_ALERT: Alert.CLOSE_NOTIFY,
    Reason.TRUNCATED: Alert.CLOSE_NOTIFY,
    Reason.CANCELED: Alert.USER_CANCELED,
}

ALERTS_OF_TLS_1_2: Final[dict[Reason, Alert]] = {
    Reason.CERTIFICATE_REQUIRED: Alert.HANDSHAKE_FAILURE,
    Reason.MISSING_EXTENSION: Alert.HANDSHAKE_FAILURE,
}
"""Where TLS 1.2 has another alert, since that of ``ALERTS`` came with TLS 1.3."""


def reason_in_words(reason: Reason, detail: str) -> str:
    """A reason and what there is to say besides, as one printable text."""
    return printable(f"{reason.value}: {detail}" if detail else reason.value)


class Fault(Exception):
    """Something the peer did wrong.  Never leaves the package: see ``ConnectionTerminated``.

    ``detail`` quotes what the peer sent: it is made printable here, and cut to 1,000 characters.
    ``alert`` overrides the tables only where the application itself named an alert.
    """

    def __init__(self, reason: Reason, detail: str = "", alert: Alert | None = None) -> None:
        self.reason = reason
        self.detail: str = printable(detail)
        super().__init__(reason_in_words(reason, self.detail))
        self.alert: Alert = ALERTS[reason] if alert is None else alert
        self._named = alert is not None

    @property
    def alert_of_tls_1_2(self) -> Alert:
        """The same where TLS 1.2 was negotiated."""
        return self.alert if self._named else ALERTS_OF_TLS_1_2.get(self.reason, self.alert)
