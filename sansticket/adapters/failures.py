"""Why a connection ended, in the exceptions of the ``ssl`` module.

Callers look at the class and, here and there, at ``reason``, which is OpenSSL's name of the error.  Where
OpenSSL has a name for what a ``Reason`` means, that one is used, and the reason's own name otherwise.
"""

from __future__ import annotations

import ssl
from typing import Final, TypeVar

from sansticket.codes import AlertDescription as Alert
from sansticket.crypto.inspection import is_ip_address
from sansticket.errors import Reason
from sansticket.events import ConnectionTerminated
from sansticket.handshake.machine.state import Ended
from sansticket.handshake.machine.transitions import name_of
from sansticket.text import printable

E = TypeVar("E", bound=ssl.SSLError)

ENDED: Final = name_of(Ended)
"""The state of a connection that is over."""

HTTP_METHODS: Final = (b"GET ", b"POST ", b"HEAD ", b"PUT ")
"""The beginnings by which OpenSSL knows somebody who speaks HTTP where TLS is spoken."""

OPENSSL_REASONS: Final[dict[Reason, str]] = {
    Reason.NOT_TLS: "WRONG_VERSION_NUMBER",
    Reason.UNKNOWN_CONTENT_TYPE: "UNEXPECTED_RECORD",
    Reason.RECORD_OVERFLOW: "DATA_LENGTH_TOO_LONG",
    Reason.BAD_RECORD_MAC: "DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
    Reason.EMPTY_RECORD: "BAD_LENGTH",
    Reason.NO_CONTENT_TYPE: "BAD_RECORD_TYPE",
    Reason.MALFORMED_MESSAGE: "LENGTH_MISMATCH",
    Reason.MESSAGE_TOO_LARGE: "EXCESSIVE_MESSAGE_SIZE",
    Reason.DUPLICATE_EXTENSION: "BAD_EXTENSION",
    Reason.FORBIDDEN_EXTENSION: "BAD_EXTENSION",
    Reason.UNSOLICITED_EXTENSION: "UNSOLICITED_EXTENSION",
    Reason.ILLEGAL_VALUE: "BAD_VALUE",
    Reason.MESSAGE_ACROSS_KEY_CHANGE: "NOT_ON_RECORD_BOUNDARY",
    Reason.UNEXPECTED_CHANGE_CIPHER_SPEC: "UNEXPECTED_CCS_MESSAGE",
    Reason.TOO_MUCH_EARLY_DATA: "TOO_MUCH_EARLY_DATA",
    Reason.TOO_MANY_WARNINGS: "TOO_MANY_WARN_ALERTS",
    Reason.RENEGOTIATION: "NO_RENEGOTIATION",
    Reason.UNSUPPORTED_VERSION: "UNSUPPORTED_PROTOCOL",
    Reason.INAPPROPRIATE_FALLBACK: "INAPPROPRIATE_FALLBACK",
    Reason.DOWNGRADE: "INAPPROPRIATE_FALLBACK",
    Reason.NO_COMMON_CIPHER_SUITE: "NO_SHARED_CIPHER",
    Reason.NO_COMMON_GROUP: "NO_SUITABLE_KEY_SHARE",
    Reason.NO_COMMON_SIGNATURE_SCHEME: "NO_SUITABLE_SIGNATURE_ALGORITHM",
    Reason.NO_COMMON_APPLICATION_PROTOCOL: "NO_APPLICATION_PROTOCOL",
    Reason.NO_CREDENTIAL: "NO_SHARED_CIPHER",
    Reason.UNOFFERED_CIPHER_SUITE: "WRONG_CIPHER_RETURNED",
    Reason.UNOFFERED_GROUP: "WRONG_CURVE",
    Reason.UNOFFERED_SIGNATURE_SCHEME: "WRONG_SIGNATURE_TYPE",
    Reason.EXTENDED_MASTER_SECRET_CHANGED: "INCONSISTENT_EXTMS",
    Reason.RENEGOTIATION_INFO_MISMATCH: "RENEGOTIATION_MISMATCH",
    Reason.BAD_KEY_SHARE: "BAD_KEY_SHARE",
    Reason.BAD_FINISHED: "DIGEST_CHECK_FAILED",
    Reason.BAD_BINDER: "BINDER_DOES_NOT_VERIFY",
    Reason.BAD_PSK_SELECTION: "BAD_PSK_IDENTITY",
    Reason.CERTIFICATE_REQUIRED: "PEER_DID_NOT_RETURN_A_CERTIFICATE",
    Reason.NO_SERVER_CERTIFICATE: "NO_CERTIFICATES_RETURNED",
    Reason.TICKET_ABORTED: "CALLBACK_FAILED",
    Reason.ILLEGAL_TICKET_USE: "CALLBACK_FAILED",
    Reason.ABORTED_BY_APPLICATION: "CALLBACK_FAILED",
    Reason.ANSWER_FAILED: "CALLBACK_FAILED",
}

ALERT_REASONS: Final[dict[int, str]] = {
    Alert.UNEXPECTED_MESSAGE: "SSLV3_ALERT_UNEXPECTED_MESSAGE",
    Alert.BAD_RECORD_MAC: "SSLV3_ALERT_BAD_RECORD_MAC",
    Alert.RECORD_OVERFLOW: "TLSV1_ALERT_RECORD_OVERFLOW",
    Alert.HANDSHAKE_FAILURE: "SSLV3_ALERT_HANDSHAKE_FAILURE",
    Alert.BAD_CERTIFICATE: "SSLV3_ALERT_BAD_CERTIFICATE",
    Alert.UNSUPPORTED_CERTIFICATE: "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
    Alert.CERTIFICATE_REVOKED: "SSLV3_ALERT_CERTIFICATE_REVOKED",
    Alert.CERTIFICATE_EXPIRED: "SSLV3_ALERT_CERTIFICATE_EXPIRED",
    Alert.CERTIFICATE_UNKNOWN: "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
    Alert.ILLEGAL_PARAMETER: "SSLV3_ALERT_ILLEGAL_PARAMETER",
    Alert.UNKNOWN_CA: "TLSV1_ALERT_UNKNOWN_CA",
    Alert.ACCESS_DENIED: "TLSV1_ALERT_ACCESS_DENIED",
    Alert.DECODE_ERROR: "TLSV1_ALERT_DECODE_ERROR",
    Alert.DECRYPT_ERROR: "TLSV1_ALERT_DECRYPT_ERROR",
    Alert.PROTOCOL_VERSION: "TLSV1_ALERT_PROTOCOL_VERSION",
    Alert.INSUFFICIENT_SECURITY: "TLSV1_ALERT_INSUFFICIENT_SECURITY",
    Alert.INTERNAL_ERROR: "TLSV1_ALERT_INTERNAL_ERROR",
    Alert.INAPPROPRIATE_FALLBACK: "TLSV1_ALERT_INAPPROPRIATE_FALLBACK",
    Alert.USER_CANCELED: "TLSV1_ALERT_USER_CANCELLED",
    Alert.NO_RENEGOTIATION: "TLSV1_ALERT_NO_RENEGOTIATION",
    Alert.MISSING_EXTENSION: "TLSV13_ALERT_MISSING_EXTENSION",
    Alert.UNSUPPORTED_EXTENSION: "TLSV1_UNSUPPORTED_EXTENSION",
    Alert.UNRECOGNIZED_NAME: "TLSV1_UNRECOGNIZED_NAME",
    Alert.BAD_CERTIFICATE_STATUS_RESPONSE: "TLSV1_BAD_CERTIFICATE_STATUS_RESPONSE",
    Alert.CERTIFICATE_REQUIRED: "TLSV13_ALERT_CERTIFICATE_REQUIRED",
    Alert.NO_APPLICATION_PROTOCOL: "TLSV1_ALERT_NO_APPLICATION_PROTOCOL",
}
"""What OpenSSL calls an alert that was received: by the version that brought it."""

VERIFY_CODES: Final[dict[Reason, tuple[int, str]]] = {
    Reason.CERTIFICATE_EXPIRED: (10, "certificate has expired"),
    Reason.CERTIFICATE_REVOKED: (23, "certificate revoked"),
    Reason.MISSING_CERTIFICATE_STATUS: (73, "OCSP verification needed"),
    Reason.BAD_CERTIFICATE_STATUS: (74, "OCSP verification failed"),
    Reason.CERTIFICATE_UNTRUSTED: (20, "unable to get local issuer certificate"),
    Reason.CERTIFICATE_NAME_MISMATCH: (62, "Hostname mismatch, certificate is not valid for {!r}."),
    Reason.CERTIFICATE_MALFORMED: (1, "unspecified certificate verification error"),
    Reason.CERTIFICATE_INVALID: (1, "unspecified certificate verification error"),
    Reason.CERTIFICATE_UNSUPPORTED: (1, "unspecified certificate verification error"),
    Reason.CERTIFICATE_REFUSED: (50, "application verification failure"),
}
"""``verify_code`` and ``verify_message``: X509_V_ERR_* of OpenSSL."""

ADDRESS_MISMATCH: Final = (64, "IP address mismatch, certificate is not valid for {!r}.")


def want_read() -> ssl.SSLWantReadError:
    """More bytes from the peer are needed first."""
    return without_reason(
        ssl.SSLWantReadError, ssl.SSL_ERROR_WANT_READ, "The operation did not complete (read)"
    )


def closed() -> ssl.SSLZeroReturnError:
    """Both sides have said that they are done."""
    return without_reason(
        ssl.SSLZeroReturnError, ssl.SSL_ERROR_ZERO_RETURN, "TLS/SSL connection has been closed (EOF)"
    )


def without_reason(kind: type[E], number: int, words: str) -> E:
    """An error that is no failure of OpenSSL's: callers look at ``reason`` and ``library`` all the same."""
    error = kind(int(number), words)
    error.library = None  # type: ignore[assignment]  # the stubs say str; the standard library has None here
    error.reason = None  # type: ignore[assignment]
    return error


def failure(reason: str, detail: str = "", *, library: str = "SSL") -> ssl.SSLError:
    """An SSLError with a reason, that in words, and what there is to say besides."""
    return _named(ssl.SSLError, ssl.SSL_ERROR_SSL, reason, detail=detail, library=library)


def library_failure(library: str, words: str, detail: str) -> ssl.SSLError:
    """An error for which OpenSSL names no reason, only the library that it comes from."""
    error = without_reason(ssl.SSLError, ssl.SSL_ERROR_SSL, f"[{library}] {words} ({detail})")
    error.library = library
    return error


def terminated(event: ConnectionTerminated, server_name: str | None = None) -> ssl.SSLError:
    """What ended a connection.  ``server_name`` is the one that was verified.

    The exception that a function of the application raised is its ``__cause__``.
    """
    error = _terminated(event, server_name)
    error.__cause__ = event.cause
    return error


def _terminated(event: ConnectionTerminated, server_name: str | None) -> ssl.SSLError:
    if event.reason is Reason.TRUNCATED:
        words = "EOF occurred in violation of protocol"
        return _named(ssl.SSLEOFError, ssl.SSL_ERROR_EOF, "UNEXPECTED_EOF_WHILE_READING", words)
    if event.by_peer:
        number = int(event.alert or 0)
        return failure(ALERT_REASONS.get(number, f"ALERT_{number}"))
    if event.reason in VERIFY_CODES:
        return _verification_failed(event, server_name)
    return failure(OPENSSL_REASONS.get(event.reason, event.reason.name), str(event))


def _verification_failed(
    event: ConnectionTerminated, server_name: str | None
) -> ssl.SSLCertVerificationError:
    code, message = VERIFY_CODES[event.reason]
    if event.reason is Reason.CERTIFICATE_NAME_MISMATCH and server_name is not None:
        code, message = ADDRESS_MISMATCH if is_ip_address(server_name.partition("%")[0]) else (code, message)
        message = message.format(server_name)
    error = _named(
        ssl.SSLCertVerificationError,
        ssl.SSL_ERROR_SSL,
        "CERTIFICATE_VERIFY_FAILED",
        f"certificate verify failed: {message}",
        event.detail,
    )
    error.verify_code = code
    error.verify_message = message
    return error


def _named(
    kind: type[E], number: int, reason: str, words: str = "", detail: str = "", library: str = "SSL"
) -> E:
    text = f"[{library}: {reason}] {words or reason.replace('_', ' ').lower()}"
    error = kind(int(number), printable(f"{text} ({detail})" if detail else text))
    error.library = library
    error.reason = reason
    return error
