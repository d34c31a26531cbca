"""Trust anchors: the certificates at which a chain may end.

Of an anchor count its name and its key (RFC 5280 section 6.1.1 (d)), and what its extensions restrict.  The library
wants a whole certificate of version 3 with basicConstraints.  One of version 1, or without that extension, therefore
stands in its store twice: as it is, for a peer whose own certificate it is, and as an authority with its name, key,
validity and extensions.  Nobody verifies the signature of an anchor.

With the anchors is kept which chains they accepted: peers come again, and to verify what was verified takes a fifth of
a handshake.
"""

import hashlib
from collections.abc import Hashable, Mapping, Sequence
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from attrs import Factory, field

from sansticket.crypto.inspection import check_ders, der_tuple, load, parse_errors
from sansticket.errors import ConfigError, Fault
from sansticket.inputs import CERTIFICATES, pem_blocks
from sansticket.locks import over_forks
from sansticket.values import Shared, frozen

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.x509.verification import Store


MAX_ACCEPTED: Final = 128
"""Chains that are remembered with their anchors: some kilobytes each."""

MAX_REMEMBERED: Final = 16_384
"""Bytes of a chain that is remembered: the peer says how long it is."""


class AcceptedChains:
    """Paths that were found, by all that the answer depends on; each holds while all its certificates are valid.

    Only acceptances: a refusal is looked into each time, and a path that does not hold now is looked for anew.
    The first that came are the first to go.  Any thread may ask.
    """

    __slots__ = ("_lock", "_paths")

    def __init__(self) -> None:
        self._lock = over_forks(Lock())
        self._paths: dict[Hashable, tuple[datetime, datetime, tuple[x509.Certificate, ...]]] = {}

    def __len__(self) -> int:
        return len(self._paths)

    def path(self, asked: Hashable, now: datetime) -> "tuple[x509.Certificate, ...] | None":
        """The path that was found for this; None where there is none that is valid ``now`` (UTC without a zone)."""
        known = self._paths.get(asked)
        if known is None:
            return None
        begin, end, path = known
        return path if begin <= (now if now.tzinfo else now.replace(tzinfo=UTC)) <= end else None

    def add(self, asked: Hashable, path: "tuple[x509.Certificate, ...]") -> None:
        """Remember it until others have come, with the time in which all its certificates are valid."""
        begin = max(certificate.not_valid_before_utc for certificate in path)
        end = min(certificate.not_valid_after_utc for certificate in path)
        with self._lock:
            self._paths.pop(asked, None)  # another thread may have been sooner
            while len(self._paths) >= MAX_ACCEPTED:
                del self._paths[next(iter(self._paths))]
            self._paths[asked] = begin, end, path


@frozen
class Roots:
    """What the library wants to have of the trust anchors."""

    certificates: "tuple[x509.Certificate, ...]"
    subjects: tuple[bytes, ...]
    store: "Store"
    originals: "Mapping[x509.Certificate, x509.Certificate]"
    """From the authority that stands for an anchor to the anchor."""


def _plant(anchors: "TrustAnchors") -> Roots:
    from cryptography.x509.verification import Store

    check_ders("trust_anchors", anchors.certificates)
    if not anchors.certificates:
        raise ConfigError("trust_anchors", "there must be at least one")
    try:
        certificates = tuple(load(der) for der in anchors.certificates)
        subjects = tuple(certificate.subject.public_bytes() for certificate in certificates)
    except parse_errors(Fault) as error:
        raise ConfigError("trust_anchors", str(error)) from error
    originals = {made: each for each in certificates if (made := _as_authority(each)) is not None}
    return Roots(certificates, subjects, Store([*certificates, *originals]), originals)


def _as_authority(anchor: "x509.Certificate") -> "x509.Certificate | None":
    """An anchor of version 1 or without basicConstraints, as an authority of version 3.

    None for one that needs no such thing, whose keyUsage does not allow to sign certificates, or that cannot be read.
    """
    from cryptography import x509

    try:
        extensions = tuple(anchor.extensions)
        values = [extension.value for extension in extensions]
        if any(isinstance(value, x509.BasicConstraints) for value in values):
            return None
        if any(isinstance(value, x509.KeyUsage) and not value.key_cert_sign for value in values):
            return None
        return _authority(anchor, extensions)
    except parse_errors():
        return None


def _authority(
    anchor: "x509.Certificate", extensions: "Sequence[x509.Extension[x509.ExtensionType]]"
) -> "x509.Certificate":
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256

    key: Any = anchor.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(anchor.subject)
        .issuer_name(anchor.subject)
        .public_key(key)
        .serial_number(1)
        .not_valid_before(anchor.not_valid_before_utc)
        .not_valid_after(anchor.not_valid_after_utc)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    for extension in extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    # Everybody has this key: the signature fills its place.
    return builder.sign(ec.derive_private_key(1, ec.SECP256R1()), SHA256())


@frozen
class TrustAnchors(Shared):
    """The certificates at which a chain may end, in DER.

    Roots as a rule; an intermediate or the peer's own certificate will do, of any version.  ConfigError
    ``trust_anchors`` when there is none or one cannot be read.
    """

    certificates: tuple[bytes, ...] = field(repr=lambda ders: f"<{len(ders)}>", converter=der_tuple)
    """In DER, one at least."""
    _roots: Roots = field(init=False, repr=False, eq=False, default=Factory(_plant, takes_self=True))
    accepted: AcceptedChains = field(init=False, repr=False, eq=False, factory=AcceptedChains)
    """The chains that lead to them, as far as they were verified and are remembered."""

    @classmethod
    def from_pem(cls, pem: bytes) -> "TrustAnchors":
        """All certificates of a PEM bundle, its content.  ConfigError ``trust_anchors`` where there is none."""
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import Encoding

        blocks = pem_blocks("trust_anchors", pem, "certificates", CERTIFICATES)
        try:
            certificates = x509.load_pem_x509_certificates(blocks)
        except parse_errors() as error:
            raise ConfigError("trust_anchors", f"no certificates in PEM could be read: {error}") from error
        return cls(tuple(certificate.public_bytes(Encoding.DER) for certificate in certificates))

    @classmethod
    def from_der(cls, certificates: Sequence[bytes]) -> "TrustAnchors":
        """The given certificates, each in DER."""
        return cls(der_tuple(certificates))

    @property
    def roots(self) -> Roots:
        """The same for ``cryptography``."""
        return self._roots

    @property
    def subjects(self) -> tuple[bytes, ...]:
        """Names of the anchors in DER, for certificate_authorities (RFC 9846 section 4.3.4)."""
        return self._roots.subjects

    @property
    def digest(self) -> bytes:
        """32 bytes that stand for the set of anchors: whatever their order, in every process."""
        fingerprints = sorted({hashlib.sha256(der).digest() for der in self.certificates})
        return hashlib.sha256(b"".join(fingerprints)).digest()

    def __reduce__(self) -> tuple[Any, ...]:
        return TrustAnchors, (self.certificates,)
