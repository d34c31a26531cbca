"""The extensions (RFC 9846 section 4.3 and the documents that add to it), one class each.

Where one number has a different form in different messages there are several classes with the same
``TYPE``: key_share is a ``KeyShareOffer`` in a ClientHello, a ``KeyShareAnswer`` in a ServerHello and a
``KeyShareRetry`` in a HelloRetryRequest.  Which class reads a number in which message is said by
``tables``, the only place that says it.  A number that is in no row there is an
``UnknownExtension``, which keeps its body.

Decoding checks lengths (``MALFORMED_MESSAGE``) and what the definition of the extension itself forbids
(``ILLEGAL_VALUE``).  What depends on the handshake, such as whether an extension was asked for, is left to
the states.  The modules here are subjects; every class can be imported from here.
"""

from sansticket.wire.extensions.base import Extension, UnknownExtension
from sansticket.wire.extensions.certificate import (
    CertificateAuthorities,
    CertificateStatusResponse,
    CompressCertificate,
    OidFilters,
    PostHandshakeAuth,
    SignedCertificateTimestampRequest,
    SignedCertificateTimestamps,
    StatusRequest,
    StatusRequestAck,
)
from sansticket.wire.extensions.key_exchange import (
    KeyShareAnswer,
    KeyShareEntry,
    KeyShareOffer,
    KeyShareRetry,
    SupportedGroups,
)
from sansticket.wire.extensions.negotiation import (
    ApplicationProtocols,
    Cookie,
    MaxFragmentLength,
    Padding,
    RecordSizeLimit,
    SelectedVersion,
    ServerNameAck,
    ServerNameList,
    SignatureAlgorithms,
    SignatureAlgorithmsCert,
    SupportedVersions,
)
from sansticket.wire.extensions.resumption import (
    EarlyData,
    EarlyDataLimit,
    PreSharedKeyOffer,
    PreSharedKeySelection,
    PskIdentity,
    PskKeyExchangeModes,
    TicketRequest,
    TicketRequestHint,
)
from sansticket.wire.extensions.tls12 import (
    EcPointFormats,
    ExtendedMasterSecret,
    RenegotiationInfo,
    SessionTicketExtension,
)

__all__ = [
    "ApplicationProtocols",
    "CertificateAuthorities",
    "CertificateStatusResponse",
    "CompressCertificate",
    "Cookie",
    "EarlyData",
    "EarlyDataLimit",
    "EcPointFormats",
    "ExtendedMasterSecret",
    "Extension",
    "KeyShareAnswer",
    "KeyShareEntry",
    "KeyShareOffer",
    "KeyShareRetry",
    "MaxFragmentLength",
    "OidFilters",
    "Padding",
    "PostHandshakeAuth",
    "PreSharedKeyOffer",
    "PreSharedKeySelection",
    "PskIdentity",
    "PskKeyExchangeModes",
    "RecordSizeLimit",
    "RenegotiationInfo",
    "SelectedVersion",
    "ServerNameAck",
    "ServerNameList",
    "SessionTicketExtension",
    "SignatureAlgorithms",
    "SignatureAlgorithmsCert",
    "SignedCertificateTimestampRequest",
    "SignedCertificateTimestamps",
    "StatusRequest",
    "StatusRequestAck",
    "SupportedGroups",
    "SupportedVersions",
    "TicketRequest",
    "TicketRequestHint",
    "UnknownExtension",
]
