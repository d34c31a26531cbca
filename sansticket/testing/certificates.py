"""Certificates made on the spot: a private authority and what it issues, for a first program or a test."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from typing import Final

from attrs import field
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sansticket.config.client import ClientConfig
from sansticket.crypto.certificates import Credential
from sansticket.crypto.inspection import is_host_name, is_ip_address
from sansticket.crypto.verification import TrustAnchors
from sansticket.errors import ConfigError
from sansticket.text import quoted
from sansticket.values import frozen

DAYS: Final = 30
LONGEST: Final = 3650
"""Days."""
BEFORE: Final = timedelta(days=1)
"""What is issued is valid for peers whose clocks are that late."""
MAX_COMMON_NAME: Final = 64
"""Characters (RFC 5280 appendix A.1, ub-common-name)."""


@frozen
class PrivateAuthority:
    """A root certificate with its key, P-256, which issues certificates for servers and clients.

    Nobody believes it but who is given its ``anchors``.  Make one with ``make`` and let it go with the program;
    ``python -m sansticket certificates`` writes files.  It is made for tests and private networks: it revokes nothing
    and keeps no list of what it issued.
    """

    certificate: x509.Certificate
    """Of the root, signed by itself."""
    key: ec.EllipticCurvePrivateKey = field(repr=False)
    """Whoever has it can issue certificates, too."""

    @classmethod
    def make(cls, *, days: int = DAYS, now: float | None = None) -> PrivateAuthority:
        """A new one, valid from a day before ``now`` until ``days`` after it.

        ``days``: 1 to 3,650, or ConfigError.  ``now``: seconds since the epoch; the system's clock without it.
        """
        if type(days) is not int or not 1 <= days <= LONGEST:
            raise ConfigError("days", f"{quoted(days)}; expected an integer from 1 to {LONGEST}")
        if now is None:
            now = ClientConfig(
                verify_peer=False
            ).clock()  # the system's, as in every config that names no other
        moment = datetime.fromtimestamp(int(now), UTC)
        key = ec.generate_private_key(ec.SECP256R1())
        name = _common_name("sansticket private authority")
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = (
            _builder(name, name, key.public_key(), moment - BEFORE, moment + timedelta(days))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        return cls(builder.sign(key, SHA256()), key)

    @property
    def anchors(self) -> TrustAnchors:
        """What believes this authority, for ``trust_anchors`` of a config."""
        return TrustAnchors.from_der([self.certificate.public_bytes(Encoding.DER)])

    @property
    def pem(self) -> bytes:
        """The root certificate, as files of trusted certificates have it."""
        return self.certificate.public_bytes(Encoding.PEM)

    def issue(self, *names: str, client: bool = False) -> Credential:
        """A certificate for ``names``, with a key of its own (P-256), valid as long as the root.

        ``names``: one or more host names (A-labels) or IP addresses, all of them in subjectAltName; otherwise
        ConfigError.  ``client``: for a client, which shows it where a server asks for one; without it for a server.
        """
        if not names:
            raise ConfigError("names", "there are none; expected a host name or an IP address")
        general_names = [_general_name(name) for name in names]
        key = ec.generate_private_key(ec.SECP256R1())
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        root = self.certificate
        valid = root.not_valid_before_utc, root.not_valid_after_utc
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = (
            _builder(_common_name(names[0][:MAX_COMMON_NAME]), root.subject, key.public_key(), *valid)
            .add_extension(x509.SubjectAlternativeName(general_names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(issuer, critical=False)
        )
        return Credential((builder.sign(self.key, SHA256()).public_bytes(Encoding.DER),), key)


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general_name(name: str) -> x509.GeneralName:
    if not isinstance(name, str):
        raise TypeError(f"names: {type(name).__name__}; expected str")
    if is_ip_address(name):
        return x509.IPAddress(ipaddress.ip_address(name))
    if not is_host_name(name):
        raise ConfigError("names", f"{name!r:.80}; expected a host name in ASCII or an IP address")
    return x509.DNSName(name)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    since: datetime,
    until: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
    )
