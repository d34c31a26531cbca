"""The form of every handshake message and extension, copied from the RFCs' own words.

RFC 9846 sections 4.2 to 4.7 and appendix B, RFC 5246 section 7.4, RFC 8422 section 5, RFC 5077 section 3,
RFC 6066, RFC 7301, RFC 8879, RFC 9149.
"""

from __future__ import annotations

from typing import Final

from tests.misbehaviours.grammar import (
    RANDOM,
    U8,
    U16,
    U24,
    U32,
    Form,
    extensions,
    fixed,
    nothing,
    numbers,
    only,
    optional,
    rest,
    struct,
    vector,
)

SNI, STATUS, GROUPS, POINTS, SCHEMES, ALPN, PADDING, EMS = 0, 5, 10, 11, 13, 16, 21, 23
MAX_FRAGMENT, SCT, COMPRESS, RECORD_SIZE, TICKET, PSK, EARLY, VERSIONS = 1, 18, 27, 28, 35, 41, 42, 43
COOKIE, MODES, AUTHORITIES, OID_FILTERS, POST_AUTH, SCHEMES_CERT, KEY_SHARE = 44, 45, 47, 48, 49, 50, 51
TICKET_REQUEST, RENEGOTIATION = 58, 0xFF01

NAMES: Final = {
    SNI: "server_name",
    STATUS: "status_request",
    GROUPS: "supported_groups",
    POINTS: "ec_point_formats",
    SCHEMES: "signature_algorithms",
    ALPN: "application_layer_protocol_negotiation",
    PADDING: "padding",
    EMS: "extended_master_secret",
    MAX_FRAGMENT: "max_fragment_length",
    SCT: "signed_certificate_timestamp",
    COMPRESS: "compress_certificate",
    RECORD_SIZE: "record_size_limit",
    TICKET: "session_ticket",
    PSK: "pre_shared_key",
    EARLY: "early_data",
    VERSIONS: "supported_versions",
    COOKIE: "cookie",
    MODES: "psk_key_exchange_modes",
    AUTHORITIES: "certificate_authorities",
    OID_FILTERS: "oid_filters",
    POST_AUTH: "post_handshake_auth",
    SCHEMES_CERT: "signature_algorithms_cert",
    KEY_SHARE: "key_share",
    TICKET_REQUEST: "ticket_request",
    RENEGOTIATION: "renegotiation_info",
}

SHARE: Final = struct(group=U16, key_exchange=vector(2, 1))
PROTOCOLS: Final = vector(2, 2, vector(1, 1))
OCSP: Final = struct(status_type=U8, response=vector(3, 1))

IN_CLIENT_HELLO: Final[dict[int, Form]] = {
    SNI: vector(2, 1, struct(name_type=U8, host_name=vector(2, 1))),
    STATUS: only(
        1, struct(status_type=U8, responders=vector(2, 0, vector(2, 1)), request_extensions=vector(2))
    ),
    GROUPS: numbers(2, 2),
    POINTS: vector(1, 1, U8, unit=1),
    SCHEMES: numbers(2, 2),
    ALPN: PROTOCOLS,
    EMS: nothing,
    SCT: nothing,
    COMPRESS: numbers(1, 2),
    MAX_FRAGMENT: U8,
    RECORD_SIZE: U16,
    PSK: struct(
        identities=vector(2, 7, struct(identity=vector(2, 1), age=U32)), binders=vector(2, 33, vector(1, 32))
    ),
    EARLY: nothing,
    VERSIONS: numbers(1, 2),
    COOKIE: vector(2, 1),
    MODES: vector(1, 1, U8, unit=1),
    AUTHORITIES: vector(2, 3, vector(2, 1)),
    POST_AUTH: nothing,
    SCHEMES_CERT: numbers(2, 2),
    KEY_SHARE: vector(2, 0, SHARE),
    TICKET_REQUEST: struct(new_session_count=U8, resumption_count=U8),
    RENEGOTIATION: vector(1),
}
IN_SERVER_HELLO: Final[dict[int, Form]] = {
    VERSIONS: U16,
    KEY_SHARE: SHARE,
    PSK: U16,
    SNI: nothing,
    STATUS: nothing,
    POINTS: vector(1, 1, U8, unit=1),
    ALPN: PROTOCOLS,
    EMS: nothing,
    MAX_FRAGMENT: U8,
    RECORD_SIZE: U16,
    TICKET: nothing,
    RENEGOTIATION: vector(1),
}
IN_RETRY: Final[dict[int, Form]] = {VERSIONS: U16, KEY_SHARE: U16, COOKIE: vector(2, 1)}
IN_ENCRYPTED: Final[dict[int, Form]] = {
    SNI: nothing,
    GROUPS: numbers(2, 2),
    ALPN: PROTOCOLS,
    MAX_FRAGMENT: U8,
    RECORD_SIZE: U16,
    EARLY: nothing,
    TICKET_REQUEST: U8,
}
IN_REQUEST: Final[dict[int, Form]] = {
    STATUS: nothing,
    SCHEMES: numbers(2, 2),
    SCT: nothing,
    COMPRESS: numbers(1, 2),
    AUTHORITIES: vector(2, 3, vector(2, 1)),
    OID_FILTERS: vector(2, 0, struct(oid=vector(1, 1), values=vector(2))),
    SCHEMES_CERT: numbers(2, 2),
}
IN_CERTIFICATE: Final[dict[int, Form]] = {STATUS: OCSP, SCT: vector(2, 1, vector(2, 1))}

CLIENT_HELLO: Final = struct(
    legacy_version=U16,
    random=RANDOM,
    session_id=vector(1),
    cipher_suites=numbers(2, 2),
    compression_methods=vector(1, 1, U8, unit=1),
    extensions=optional(extensions(IN_CLIENT_HELLO)),
)


def server_hello(forms: dict[int, Form]) -> Form:
    return struct(
        legacy_version=U16,
        random=RANDOM,
        session_id=vector(1),
        cipher_suite=U16,
        compression_method=U8,
        extensions=optional(extensions(forms)),
    )


FORMS: Final[dict[str, Form]] = {
    "ClientHello": CLIENT_HELLO,
    "SecondClientHello": CLIENT_HELLO,
    "ServerHello": server_hello(IN_SERVER_HELLO),
    "HelloRetryRequest": server_hello(IN_RETRY),
    "EncryptedExtensions": struct(extensions=extensions(IN_ENCRYPTED)),
    "CertificateRequest": struct(context=vector(1), extensions=extensions(IN_REQUEST)),
    "Certificate": struct(
        context=vector(1),
        list=vector(3, 0, struct(certificate=vector(3, 1), extensions=extensions(IN_CERTIFICATE))),
    ),
    "CompressedCertificate": struct(algorithm=U16, length=U24, compressed=vector(3, 1)),
    "CertificateVerify": struct(scheme=U16, signature=vector(2)),
    "Finished": struct(verify_data=rest),
    "EndOfEarlyData": nothing,
    "NewSessionTicket": struct(
        lifetime=U32, age_add=U32, nonce=vector(1), ticket=vector(2, 1), extensions=extensions({EARLY: U32})
    ),
    "KeyUpdate": struct(request_update=U8),
    "tls12.ClientHello": CLIENT_HELLO,
    "tls12.ServerHello": server_hello(IN_SERVER_HELLO),
    "tls12.Certificate": struct(list=vector(3, 0, vector(3, 1))),
    "tls12.CertificateStatus": OCSP,
    "tls12.ServerKeyExchange": only(
        3, struct(curve_type=U8, group=U16, public=vector(1, 1), scheme=U16, signature=vector(2))
    ),
    "tls12.CertificateRequest": struct(
        certificate_types=vector(1, 1, U8, unit=1),
        schemes=numbers(2, 2),
        authorities=vector(2, 0, vector(2, 1)),
    ),
    "tls12.ServerHelloDone": nothing,
    "tls12.ClientKeyExchange": struct(public=vector(1, 1)),
    "tls12.CertificateVerify": struct(scheme=U16, signature=vector(2)),
    "tls12.Finished": struct(verify_data=fixed(12)),
    "tls12.NewSessionTicket": struct(lifetime_hint=U32, ticket=vector(2)),
}
"""By the name of the message."""

TYPES: Final = {
    "HelloRequest": 0,
    "ClientHello": 1,
    "SecondClientHello": 1,
    "ServerHello": 2,
    "NewSessionTicket": 4,
    "EndOfEarlyData": 5,
    "HelloRetryRequest": 2,
    "EncryptedExtensions": 8,
    "Certificate": 11,
    "ServerKeyExchange": 12,
    "CertificateRequest": 13,
    "ServerHelloDone": 14,
    "CertificateVerify": 15,
    "ClientKeyExchange": 16,
    "Finished": 20,
    "CertificateStatus": 22,
    "KeyUpdate": 24,
    "CompressedCertificate": 25,
    "MessageHash": 254,
}
"""HandshakeType by name."""

BY_TYPE: Final = {number: name for name, number in reversed(TYPES.items())}

HELLO_RETRY_RANDOM: Final = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


def name_of(raw: bytes, tls12: bool, second: bool) -> str:
    """What a message is called: in TLS 1.2 by that name."""
    name = BY_TYPE[raw[0]]
    if tls12:
        return f"tls12.{name}"
    if name == "ServerHello" and raw[6:38] == HELLO_RETRY_RANDOM:
        return "HelloRetryRequest"
    return "SecondClientHello" if name == "ClientHello" and second else name
