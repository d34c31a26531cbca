"""A ready-made answer to ``VerifyPeer``, on the path validation of OpenSSL, with certificate revocation lists.

``cryptography`` does not verify authorities with Ed25519, Ed448 and RSASSA-PSS keys, some name constraints, and forms
that RFC 5280 forbids to write; OpenSSL does.  ``docs/certificates.md`` lists what each accepts.

    answers={VerifyPeer: ServerVerifier()}      # in a ClientConfig with trust_anchors: verifies servers
    answers={VerifyPeer: ClientVerifier()}      # in a ServerConfig with trust_anchors: verifies clients

OpenSSL finds the path and verifies it; what it does
not look at, or leaves to its security level, is looked at here as the default answer does it: the name, what the keys
are for, how strong they and the hashes are, required policies.  The reasons and alerts of refusals are those of the
default answer.  Both take:

``crls``: certificate revocation lists, each in DER or PEM.  Where there are any, every authority of a path must have
one that is valid, or with ``crls_for_leaf_only`` the authority of the peer's certificate.
``clock``: seconds since the epoch; None for the system's clock, as OpenSSL reads it.
``min_rsa_bits``: bits of every RSA key in a path, authorities included.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from attrs import field, fields
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import crypto

from sansticket.commands import AcceptPeer
from sansticket.config import Config
from sansticket.crypto.inspection import (
    extension_of,
    load,
    may_sign,
    names_of,
    parse_errors,
    require_strength,
    unreadable,
)
from sansticket.crypto.paths.diagnosis import BROKEN_HASHES, WRONG_ORDER, in_wrong_order, validity_of
from sansticket.crypto.paths.policies import check_policies
from sansticket.crypto.signatures import MIN_RSA_BITS
from sansticket.crypto.stapling import verify_staple
from sansticket.errors import ConfigError, Fault, LocalProtocolError, Reason
from sansticket.field_docs import show_field_docs
from sansticket.text import quoted
from sansticket.values import frozen

if TYPE_CHECKING:
    from sansticket.events import VerifyPeer

__all__ = ["ClientVerifier", "ServerVerifier"]

SYSTEM_CLOCK: Final[Any] = fields(Config).clock.default
"""What OpenSSL reads too."""

MIN_CURVE_BITS: Final = 224
"""Bits of an authority's curve: as strong as RSA with 2048 (RFC 9325 section 4.5)."""

REASONS: Final = {
    2: Reason.CERTIFICATE_UNTRUSTED,  # X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT
    3: Reason.CERTIFICATE_UNTRUSTED,  # X509_V_ERR_UNABLE_TO_GET_CRL
    6: Reason.CERTIFICATE_UNSUPPORTED,  # X509_V_ERR_UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY
    9: Reason.CERTIFICATE_EXPIRED,  # X509_V_ERR_CERT_NOT_YET_VALID
    10: Reason.CERTIFICATE_EXPIRED,  # X509_V_ERR_CERT_HAS_EXPIRED
    18: Reason.CERTIFICATE_UNTRUSTED,  # X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT
    19: Reason.CERTIFICATE_UNTRUSTED,  # X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN
    20: Reason.CERTIFICATE_UNTRUSTED,  # X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
    21: Reason.CERTIFICATE_UNTRUSTED,  # X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE
    23: Reason.CERTIFICATE_REVOKED,  # X509_V_ERR_CERT_REVOKED
    51: Reason.CERTIFICATE_UNSUPPORTED,  # X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE
    52: Reason.CERTIFICATE_UNSUPPORTED,  # X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX
    53: Reason.CERTIFICATE_UNSUPPORTED,  # X509_V_ERR_UNSUPPORTED_NAME_SYNTAX
}
"""What OpenSSL's verdicts are here (X509_STORE_CTX_get_error(3)); CERTIFICATE_INVALID for all others."""


def _in_der(crls: Any) -> tuple[bytes, ...]:
    """Revocation lists in DER or PEM, as a tuple in DER.  ConfigError for one that cannot be read."""
    if not isinstance(crls, tuple | list) or not all(isinstance(each, bytes) for each in crls):
        raise ConfigError(
            "crls", f"{quoted(crls)}; expected a list of revocation lists in DER or PEM, each bytes"
        )
    try:
        return tuple(
            x509.load_pem_x509_crl(each).public_bytes(Encoding.DER)
            if each.startswith(b"-----")
            else x509.load_der_x509_crl(each).public_bytes(Encoding.DER)
            for each in crls
        )
    except ValueError as error:
        raise ConfigError("crls", f"one cannot be read: {error}") from None


@frozen
class _StoreVerifier:
    """What both have in common.  Whose chain it is says the class: a client's question may be without a name too."""

    crls: tuple[bytes, ...] = field(default=(), converter=_in_der, repr=lambda crls: f"<{len(crls)}>")
    """Certificate revocation lists, each in DER or PEM.  Where there are any, every authority of a path
    must have one that is valid."""
    crls_for_leaf_only: bool = field(default=False, kw_only=True)
    """Of the authorities only that of the peer's certificate must have a list."""
    clock: Callable[[], float] | None = field(default=None, kw_only=True, repr=False)
    """Seconds since the epoch; None for the system's clock, as OpenSSL reads it."""
    min_rsa_bits: int = field(default=MIN_RSA_BITS, kw_only=True)
    """Bits of every RSA key in a path, authorities included."""

    def __attrs_post_init__(self) -> None:
        if type(self.crls_for_leaf_only) is not bool:
            raise ConfigError(
                "crls_for_leaf_only", f"{quoted(self.crls_for_leaf_only)}; expected True or False"
            )
        if self.clock is not None and not callable(self.clock):
            raise ConfigError("clock", f"{quoted(self.clock)}; expected a function to seconds, or None")
        if type(self.min_rsa_bits) is not int or self.min_rsa_bits < 0:
            raise ConfigError("min_rsa_bits", f"{quoted(self.min_rsa_bits)}; expected a number of bits")

    def _path(self, question: "VerifyPeer", purpose: x509.ObjectIdentifier) -> list[x509.Certificate]:
        """The path that OpenSSL finds, from the leaf to the anchor, when nothing speaks against it."""
        if question.trust_anchors is None:
            raise LocalProtocolError(f"{type(self).__name__} needs the config's trust_anchors; it has none")
        try:
            path = self._found(question.certificates, question.trust_anchors.certificates)
            self._check(path, purpose)
            check_policies([certificate.public_bytes(Encoding.DER) for certificate in path], path)
        except parse_errors() as error:
            raise unreadable(error) from None
        return path

    def _found(self, chain: Sequence[bytes], anchors: tuple[bytes, ...]) -> list[x509.Certificate]:
        try:
            leaf, *others = [crypto.load_certificate(crypto.FILETYPE_ASN1, der) for der in chain]
        except crypto.Error as error:
            raise Fault(Reason.CERTIFICATE_MALFORMED, str(error)) from None
        try:
            found = crypto.X509StoreContext(self._store(_loaded(anchors)), leaf, others).get_verified_chain()
            self._check_issuers(found[1:])
        except crypto.X509StoreContextError as error:
            raise self._refused(chain, error) from None
        return [load(crypto.dump_certificate(crypto.FILETYPE_ASN1, each)) for each in found]

    def _refused(self, chain: Sequence[bytes], error: crypto.X509StoreContextError) -> Fault:
        reason, verdict = REASONS.get(error.errors[0], Reason.CERTIFICATE_INVALID), str(error)
        if in_wrong_order([load(der) for der in chain]):
            verdict = WRONG_ORDER
        elif reason is Reason.CERTIFICATE_EXPIRED:
            verdict = validity_of(error.certificate.to_cryptography(), self._now())
        return Fault(reason, verdict)

    def _now(self) -> datetime:
        return datetime.fromtimestamp((self.clock or SYSTEM_CLOCK)(), UTC)

    def _check_issuers(self, issuers: Sequence[crypto.X509]) -> None:
        """That no issuer has been revoked, but the anchor, which is the last.

        One by one: of a whole path OpenSSL wants to know that of an anchor too, if it is no root, and asks for the list
        of an authority that is not in the path.
        """
        if self.crls and not self.crls_for_leaf_only:
            for certificate, its_issuer in pairwise(issuers):
                crypto.X509StoreContext(self._store([its_issuer]), certificate).verify_certificate()

    def _store(self, anchors: Iterable[crypto.X509]) -> crypto.X509Store:
        """A new one each time, which is cheap: its time is set, and it may not be shared by threads then.

        Of the lists it asks for that of the first certificate's issuer.
        """
        store = crypto.X509Store()
        for anchor in anchors:
            store.add_cert(anchor)
        # An anchor need not be self-signed.  Policies are checked here: where one is required, OpenSSL wants to be
        # told which ones will do, and pyOpenSSL does not tell it.
        flags = crypto.X509StoreFlags.PARTIAL_CHAIN
        for crl in _loaded_lists(self.crls):
            store.add_crl(crl)
            flags |= crypto.X509StoreFlags.CRL_CHECK
        store.set_flags(flags)
        if self.clock is not None:
            store.set_time(datetime.fromtimestamp(self.clock(), UTC))
        return store

    def _check(self, path: Sequence[x509.Certificate], purpose: x509.ObjectIdentifier) -> None:
        """What OpenSSL does not do without a purpose and a security level, of which pyOpenSSL sets none."""
        for certificate in path:
            _check_key(certificate.public_key(), self.min_rsa_bits)
            purposes = extension_of(certificate, x509.ExtendedKeyUsage)
            fit = {purpose, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
            if purposes is not None and fit.isdisjoint(purposes):
                raise Fault(Reason.CERTIFICATE_UNSUPPORTED, f"extendedKeyUsage without {purpose._name}")
        for certificate in path[:-1]:
            if certificate.signature_algorithm_oid.dotted_string in BROKEN_HASHES:
                raise Fault(Reason.CERTIFICATE_INVALID, "a signature over a broken hash")
        if not may_sign(path[0]):
            raise Fault(Reason.CERTIFICATE_INVALID, "keyUsage does not allow digital signatures")


class ServerVerifier(_StoreVerifier):
    """For a client: verifies the server's chain against the config's ``trust_anchors``, its name, and the OCSP response
    that it has stapled.

    ``crls``, ``crls_for_leaf_only``, ``clock``, ``min_rsa_bits``: see the module.  Called with a ``VerifyPeer`` it
    returns ``AcceptPeer`` or raises the ``Fault`` that ends the connection.  LocalProtocolError where there are no
    trust anchors, or where the connection was made without a server name.
    """

    __slots__ = ()

    def __call__(self, question: "VerifyPeer") -> AcceptPeer:
        if question.server_name is None:
            raise LocalProtocolError("ServerVerifier needs the server's name; the connection has none")
        path = self._path(question, ExtendedKeyUsageOID.SERVER_AUTH)
        names = names_of(path[0])
        if not names.cover(question.server_name):
            raise Fault(Reason.CERTIFICATE_NAME_MISMATCH, names.without(question.server_name))
        if question.ocsp_response is not None:
            verify_staple(question.ocsp_response, path, self._now(), self.min_rsa_bits)
        return AcceptPeer()


class ClientVerifier(_StoreVerifier):
    """For a server: verifies the client's chain against the config's ``trust_anchors``.

    Arguments, result and exceptions as ``ServerVerifier``, without a name.
    """

    __slots__ = ()

    def __call__(self, question: "VerifyPeer") -> AcceptPeer:
        self._path(question, ExtendedKeyUsageOID.CLIENT_AUTH)
        return AcceptPeer()


def _check_key(key: Any, min_rsa_bits: int) -> None:
    require_strength(key, min_rsa_bits)
    if isinstance(key, ec.EllipticCurvePublicKey) and key.key_size < MIN_CURVE_BITS:
        raise Fault(Reason.CERTIFICATE_UNSUPPORTED, f"a key on a curve of {key.key_size} bits")
    if isinstance(key, dsa.DSAPublicKey):
        raise Fault(Reason.CERTIFICATE_UNSUPPORTED, "a DSA key")


@lru_cache(maxsize=16)
def _loaded(anchors: tuple[bytes, ...]) -> tuple[crypto.X509, ...]:
    return tuple(crypto.load_certificate(crypto.FILETYPE_ASN1, der) for der in anchors)


@lru_cache(maxsize=16)
def _loaded_lists(crls: tuple[bytes, ...]) -> tuple[x509.CertificateRevocationList, ...]:
    return tuple(map(x509.load_der_x509_crl, crls))


show_field_docs((ClientVerifier, ServerVerifier))
