"""The lists that are used unless a config says otherwise, and the bounds of its numbers, each with its precedent."""

from __future__ import annotations

from typing import Final

from sansticket.codes import CipherSuite, HandshakeType, NamedGroup, ProtocolVersion, SignatureScheme
from sansticket.crypto import groups, signatures
from sansticket.wire.messages.tables import LONGEST

MAX_SESSION_ID_CONTEXT: Final = 32
"""SSL_MAX_SSL_SESSION_ID_LENGTH, see SSL_CTX_set_session_id_context(3)."""

MAX_NUM_TICKETS: Final = 65_535
"""More would not be tickets but a flood; libssl has no bound."""

MAX_PROTOCOLS: Final = 32_767
"""Bytes of all application protocols, each with its length: half of what a ClientHello has room for."""

LARGEST_CLIENT_HELLO: Final = 4 + LONGEST[HandshakeType.CLIENT_HELLO]
"""Bytes, with the header (RFC 9846 section 4.2.2): 131,400."""

ROTATE_AFTER: Final = 86_400
"""A day in seconds.  RFC 9325 section 3.4 has ticket keys replaced regularly, every week for example: whoever learns
one reads what was sent on the connections that its tickets resumed, and in TLS 1.2, where a ticket holds the master
secret, on that which made the ticket."""


KNOWN_VERSIONS: Final = (ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2)


DEFAULT_CIPHER_SUITES: Final = (
    CipherSuite.AES_128_GCM_SHA256,
    CipherSuite.AES_256_GCM_SHA384,
    CipherSuite.CHACHA20_POLY1305_SHA256,
    CipherSuite.ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite.ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    CipherSuite.ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    CipherSuite.ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    CipherSuite.ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    CipherSuite.ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
)
"""Those of TLS 1.3, then those of TLS 1.2."""

DEFAULT_GROUPS: Final = (
    NamedGroup.X25519_MLKEM768,
    NamedGroup.X25519,
    NamedGroup.SECP256R1,
    NamedGroup.SECP384R1,
    NamedGroup.SECP521R1,
    NamedGroup.X448,
    NamedGroup.SECP256R1_MLKEM768,
    NamedGroup.SECP384R1_MLKEM1024,
)

TLS_1_3_ONLY_GROUPS: Final = frozenset(
    (NamedGroup.X25519_MLKEM768, NamedGroup.SECP256R1_MLKEM768, NamedGroup.SECP384R1_MLKEM1024)
)
"""A share of these does not fit into a ServerKeyExchange."""

DEFAULT_SIGNATURE_SCHEMES: Final = (
    SignatureScheme.ECDSA_SECP256R1_SHA256,
    SignatureScheme.ED25519,
    SignatureScheme.ECDSA_SECP384R1_SHA384,
    SignatureScheme.ECDSA_SECP521R1_SHA512,
    SignatureScheme.ED448,
    SignatureScheme.RSA_PSS_RSAE_SHA256,
    SignatureScheme.RSA_PSS_RSAE_SHA384,
    SignatureScheme.RSA_PSS_RSAE_SHA512,
    SignatureScheme.RSA_PSS_PSS_SHA256,
    SignatureScheme.RSA_PSS_PSS_SHA384,
    SignatureScheme.RSA_PSS_PSS_SHA512,
    SignatureScheme.MLDSA44,
    SignatureScheme.MLDSA65,
    SignatureScheme.MLDSA87,
    SignatureScheme.RSA_PKCS1_SHA256,
    SignatureScheme.RSA_PKCS1_SHA384,
    SignatureScheme.RSA_PKCS1_SHA512,
)

CERTIFICATE_ONLY_SCHEMES: Final = (
    SignatureScheme.RSA_PKCS1_SHA256,
    SignatureScheme.RSA_PKCS1_SHA384,
    SignatureScheme.RSA_PKCS1_SHA512,
)
"""Signatures that TLS 1.3 allows inside certificates and nowhere else (RFC 9846 section 4.3.3)."""

TLS_1_3_ONLY_SCHEMES: Final = (SignatureScheme.MLDSA44, SignatureScheme.MLDSA65, SignatureScheme.MLDSA87)


def _default_groups() -> tuple[int, ...]:
    return tuple(group for group in DEFAULT_GROUPS if group in groups.supported())


def _default_signature_schemes() -> tuple[int, ...]:
    return tuple(scheme for scheme in DEFAULT_SIGNATURE_SCHEMES if scheme in signatures.supported())
