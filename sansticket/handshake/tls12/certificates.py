"""Certificates and signatures as TLS 1.2 has them (RFC 5246 sections 7.4.2 to 7.4.8, RFC 8422).

A signature scheme is a pair of hash and algorithm here: an ECDSA scheme goes with every curve, and PKCS#1 v1.5
signs.  What is signed are the messages themselves, and which certificates fit is said by the cipher suite.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Final

from sansticket.codes import NamedGroup, SignatureScheme
from sansticket.config.base import Config
from sansticket.crypto.certificates import Credential
from sansticket.crypto.signatures import PublicKey, curve_of, tls12_authentication, verify
from sansticket.crypto.suites import SuiteParameters
from sansticket.errors import Fault, Reason
from sansticket.handshake.common.certificates import (
    ShowCertificate,
    ShowNothing,
    common_scheme,
    issued_by,
    named_authorities,
    why_withheld,
)
from sansticket.handshake.tls12.keys import TLS12, Hellos
from sansticket.wire.messages.tls12 import Certificate, CertificateRequest, ServerKeyExchange

CERTIFICATE_TYPES: Final = {"rsa": 1, "ecdsa": 64}
"""rsa_sign, and ecdsa_sign, which stands for EdDSA too (RFC 8422 section 5.5)."""

CURVES: Final = {
    "secp256r1": NamedGroup.SECP256R1,
    "secp384r1": NamedGroup.SECP384R1,
    "secp521r1": NamedGroup.SECP521R1,
}


def scheme_for(credential: Credential, peer_schemes: Collection[int], config: Config) -> int | None:
    """The signature scheme that the credential's key, the peer and our config have in common."""
    return common_scheme(credential.usable_schemes(tls13=False), peer_schemes, config.schemes_of(TLS12))


def curve_is_accepted(public_key: PublicKey, groups: Collection[int]) -> bool:
    """An ECDSA key is on a curve that the client has in supported_groups (RFC 8422 section 5.1)."""
    curve = curve_of(public_key)
    return curve is None or CURVES.get(curve) in groups


def certificate_request(config: Config) -> CertificateRequest:
    """Ask the client for a certificate, naming the authorities that we trust (RFC 5246 section 7.4.4)."""
    schemes = config.schemes_of(TLS12)
    kinds = {"rsa" if SignatureScheme(scheme).name.startswith("RSA") else "ecdsa" for scheme in schemes}
    types = bytes(number for kind, number in CERTIFICATE_TYPES.items() if kind in kinds)
    return CertificateRequest(types, schemes, named_authorities(config))


def answer_request(message: CertificateRequest, config: Config) -> ShowCertificate | ShowNothing:
    """The first credential that the server can verify and, if it names authorities, seems to want."""
    wanted = issued_by(config.credentials, frozenset(message.authorities))
    for credential in wanted:
        kind = credential.tls12_authentication
        if kind is None or CERTIFICATE_TYPES[kind] not in message.certificate_types:
            continue
        scheme = scheme_for(credential, message.schemes, config)
        if scheme is not None:
            return ShowCertificate(credential, scheme)
    return ShowNothing(why_withheld(config, wanted))


@lru_cache(maxsize=64)
def written_once(chain: tuple[bytes, ...]) -> bytes:
    """The Certificate with our chain, which is the same in each handshake."""
    return Certificate(chain).encode()


def chain_of(message: Certificate, config: Config) -> tuple[bytes, ...]:
    """The peer's chain, within the config's bound."""
    if len(message.certificates) > config.max_certificates:
        raise Fault(
            Reason.MESSAGE_TOO_LARGE,
            f"{len(message.certificates)} certificates; at most {config.max_certificates} are accepted",
        )
    return message.certificates


def check_kind(public_key: PublicKey, suite: SuiteParameters) -> None:
    """The server's certificate is of the kind that the suite names."""
    kind = tls12_authentication(public_key)
    if kind != suite.tls12_authentication:
        raise Fault(Reason.ILLEGAL_VALUE, f"a certificate for {kind} with {suite.suite.name}")


def check_curve(public_key: PublicKey, config: Config) -> None:
    """The server's ECDSA key is on a curve that we offered (RFC 8422 section 5.4)."""
    if not curve_is_accepted(public_key, config.groups_of(TLS12)):
        raise Fault(Reason.UNOFFERED_GROUP, f"a certificate with a key on {curve_of(public_key)}")


def signed_exchange(hellos: Hellos, params: bytes) -> bytes:
    """What the signature of a ServerKeyExchange covers (RFC 8422 section 5.4)."""
    return hellos.client_random + hellos.server_random + params


def check_signature(
    config: Config, public_key: PublicKey, scheme: int, signed: bytes, signature: bytes, where: str
) -> None:
    if scheme not in config.schemes_of(TLS12):
        raise Fault(Reason.UNOFFERED_SIGNATURE_SCHEME, f"{scheme:#06x} in {where}")
    verify(public_key, scheme, signed, signature, tls13=False)


def check_exchange(config: Config, hellos: Hellos, public_key: PublicKey, message: ServerKeyExchange) -> None:
    """The server's share is of a group that we offered, and signed with the key of its certificate."""
    if message.group not in config.groups_of(TLS12):
        raise Fault(Reason.UNOFFERED_GROUP, f"{message.group:#06x} in ServerKeyExchange")
    signed = signed_exchange(hellos, message.params)
    check_signature(config, public_key, message.scheme, signed, message.signature, "ServerKeyExchange")
