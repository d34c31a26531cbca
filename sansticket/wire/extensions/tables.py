"""Which extension may appear in which message, and how a block of them is read (RFC 9846 section 4.3, table 1)."""

from typing import Final

from sansticket.wire import extensions as x
from sansticket.wire.cursor import (
    Reader,
    whole_vector16,
)
from sansticket.wire.extensions.base import Extension
from sansticket.wire.extensions.block import (
    ExtensionTable,
    decode_extensions,
)


def _table(*kinds: type[Extension]) -> ExtensionTable:
    return {int(kind.TYPE): kind for kind in kinds}


# Which extension may appear in which message (RFC 9846 section 4.3, table 1).  A number that is in some row and not in
# the row of the message is forbidden in it; a number that is in no row is unknown.

IN_CLIENT_HELLO: Final = _table(
    x.ServerNameList,
    x.StatusRequest,
    x.SupportedGroups,
    x.EcPointFormats,
    x.SignatureAlgorithms,
    x.ApplicationProtocols,
    x.SignedCertificateTimestampRequest,
    x.Padding,
    x.ExtendedMasterSecret,
    x.CompressCertificate,
    x.MaxFragmentLength,
    x.RecordSizeLimit,
    x.SessionTicketExtension,
    x.PreSharedKeyOffer,
    x.EarlyData,
    x.SupportedVersions,
    x.Cookie,
    x.PskKeyExchangeModes,
    x.CertificateAuthorities,
    x.PostHandshakeAuth,
    x.SignatureAlgorithmsCert,
    x.KeyShareOffer,
    x.TicketRequest,
    x.RenegotiationInfo,
)
# TLS 1.3 has the first three; the others are answers of TLS 1.2.  supported_groups is an answer in
# neither, but there are servers of TLS 1.2 that send it all the same, and nothing follows from it.
IN_SERVER_HELLO: Final = _table(
    x.PreSharedKeySelection,
    x.SelectedVersion,
    x.KeyShareAnswer,
    x.ServerNameAck,
    x.StatusRequestAck,
    x.SupportedGroups,
    x.EcPointFormats,
    x.ApplicationProtocols,
    x.SignedCertificateTimestamps,
    x.ExtendedMasterSecret,
    x.MaxFragmentLength,
    x.RecordSizeLimit,
    x.SessionTicketExtension,
    x.RenegotiationInfo,
)
IN_HELLO_RETRY_REQUEST: Final = _table(x.SelectedVersion, x.Cookie, x.KeyShareRetry)
IN_ENCRYPTED_EXTENSIONS: Final = _table(
    x.ServerNameAck,
    x.SupportedGroups,
    x.ApplicationProtocols,
    x.MaxFragmentLength,
    x.RecordSizeLimit,
    x.EarlyData,
    x.TicketRequestHint,
)
IN_CERTIFICATE_REQUEST: Final = _table(
    x.ServerNameList,
    x.StatusRequestAck,
    x.SignatureAlgorithms,
    x.SignedCertificateTimestampRequest,
    x.CompressCertificate,
    x.CertificateAuthorities,
    x.OidFilters,
    x.SignatureAlgorithmsCert,
)
IN_CERTIFICATE: Final = _table(x.CertificateStatusResponse, x.SignedCertificateTimestamps)
"""Those of a ``CertificateEntry``."""

IN_NEW_SESSION_TICKET: Final = _table(x.EarlyDataLimit)

ROWS: Final = (
    IN_CLIENT_HELLO,
    IN_SERVER_HELLO,
    IN_HELLO_RETRY_REQUEST,
    IN_ENCRYPTED_EXTENSIONS,
    IN_CERTIFICATE_REQUEST,
    IN_CERTIFICATE,
    IN_NEW_SESSION_TICKET,
)

_KNOWN: Final = {number for row in ROWS for number in row}


def read_extensions(reader: Reader, table: ExtensionTable) -> tuple[Extension, ...]:
    """A block of extensions with its length."""
    return tuple(decode_extensions(reader.vector16(), table, _KNOWN).values())


def read_optional_extensions(reader: Reader, table: ExtensionTable) -> dict[int, Extension]:
    """The end of a hello: nothing, or a block of extensions, and nothing after it."""
    rest = reader.rest()
    return decode_extensions(whole_vector16(rest), table, _KNOWN) if rest else {}
