"""An authority made on the spot, and identities of every kind of key signed by it.

Nothing here uses the package: what it makes is the same for us and for the peers.
"""

from __future__ import annotations

import datetime
import ipaddress
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

KEYS: Final[dict[str, Callable[[], Any]]] = {
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ed448": ed448.Ed448PrivateKey.generate,
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
}
"""The kinds of keys an identity can have."""

if int(version("cryptography").partition(".")[0]) >= 49:  # 48 has the signatures, but not in certificates
    from cryptography.hazmat.primitives.asymmetric import mldsa

    KEYS["mldsa44"] = mldsa.MLDSA44PrivateKey.generate
    KEYS["mldsa65"] = mldsa.MLDSA65PrivateKey.generate
    KEYS["mldsa87"] = mldsa.MLDSA87PrivateKey.generate

MADE_AT: Final = datetime.datetime.now(datetime.UTC)
"""One moment for all certificates of a process: an issuer made a second before its leaf would not outlive it."""

START: Final = datetime.timedelta(days=30)
"""How long ago certificates became valid."""
END: Final = datetime.timedelta(days=335)
"""How long they stay valid."""


@frozen
class Identity:
    """A certificate chain, leaf first, and the key of the leaf."""

    chain: tuple[x509.Certificate, ...]
    key: Any

    @property
    def certificate(self) -> x509.Certificate:
        return self.chain[0]

    @property
    def chain_pem(self) -> bytes:
        return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in self.chain)

    @property
    def chain_der(self) -> tuple[bytes, ...]:
        return tuple(certificate.public_bytes(Encoding.DER) for certificate in self.chain)

    @property
    def key_pem(self) -> bytes:
        pem: bytes = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return pem

    @contextmanager
    def files(self) -> Iterator[tuple[str, str]]:
        """The chain and the key as PEM files, for peers that read nothing else."""
        with tempfile.TemporaryDirectory() as folder:
            chain, key = Path(folder, "chain.pem"), Path(folder, "key.pem")
            chain.write_bytes(self.chain_pem)
            key.write_bytes(self.key_pem)
            yield str(chain), str(key)


@frozen
class Authority:
    """A root that signs identities."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    def issue(
        self,
        *names: str,
        key: str = "p256",
        client: bool = False,
        start: datetime.timedelta = START,
        end: datetime.timedelta = END,
    ) -> Identity:
        """An identity for host names or IP addresses, valid from ``start`` ago until ``end`` from now."""
        private_key = KEYS[key]()
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        builder = (
            _builder(names[0], self.certificate.subject, private_key.public_key(), start, end)
            .add_extension(x509.SubjectAlternativeName(list(map(_general_name, names))), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
            )
        )
        return Identity((builder.sign(self.key, hash_for(self.key)),), private_key)


def hash_for(key: Any) -> SHA256 | None:
    """The hash that a key signs certificates with; None for those that do without one to choose."""
    hashing = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | dsa.DSAPrivateKey
    return SHA256() if isinstance(key, hashing) else None


def new_authority(name: str = "sansticket test root", issuer: Authority | None = None) -> Authority:
    """A root; with an ``issuer`` an authority below it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    above = subject if issuer is None else issuer.certificate.subject
    builder = (
        _builder(name, above, key.public_key(), START, END)
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return Authority(builder.sign(key if issuer is None else issuer.key, SHA256()), key)


@cache
def authority() -> Authority:
    """The root that tests share when it does not matter whose it is."""
    return new_authority()


def server_identity(key: str = "p256", name: str = "server.example") -> Identity:
    """The same one for the same arguments."""
    return _identity(key, name, client=False)


def client_identity(key: str = "p256") -> Identity:
    """The same one for the same key."""
    return _identity(key, "client.example", client=True)


@cache
def _identity(key: str, name: str, *, client: bool) -> Identity:
    names = (name,) if client else (name, "127.0.0.1")
    return authority().issue(*names, key=key, client=client)


def _builder(
    name: str, issuer: x509.Name, public_key: Any, start: datetime.timedelta, end: datetime.timedelta
) -> x509.CertificateBuilder:
    now = MADE_AT
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - start)
        .not_valid_after(now + end)
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
