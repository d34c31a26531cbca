"""What a certificate's extensions may be, for ``cryptography.x509.verification``: the profile of RFC 5280 section 6.

The library's own is that of the public Web PKI.  Ours is for private authorities too, and asks what a verifier has to
ask, not what an authority has to write:

- whether an extension that is understood is critical does not matter (section 4.2: that is for those who do not
  understand it).  Understood are also certificatePolicies, policyConstraints and inhibitAnyPolicy (see ``policies``)
  and cRLDistributionPoints (nothing is fetched: whoever wants revocation has ``sansticket.verifiers``), but for
  ``library.CRITICAL_POLICIES``;
- an authority has basicConstraints with cA; its keyUsage, if it is there, allows to sign certificates (section 6.1.4
  (k) and (n)); its extendedKeyUsage, if it is there, has the purpose or any;
- a leaf's keyUsage, if it is there, has digitalSignature (RFC 9846 section 4.5.1.2), its extendedKeyUsage the purpose
  or any (section 4.2.1.12).  It may be marked as an authority, as certificates that are their own anchor usually are;
- key identifiers may be missing, and a client's subjectAltName.
"""

from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any

from sansticket.library import CRITICAL_POLICIES

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.x509.verification import ExtensionPolicy, Policy


class Role(Enum):
    """Whose chain it is."""

    SERVER = "server"
    CLIENT = "client"


def _is_authority(policy: "Policy", certificate: "x509.Certificate", value: "x509.BasicConstraints") -> None:
    if not value.ca:
        raise ValueError("basicConstraints of an issuer does not make it an authority")


def _issuer_key_usage(
    policy: "Policy", certificate: "x509.Certificate", usage: "x509.KeyUsage | None"
) -> None:
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("keyUsage of an issuer does not allow signing certificates")


def _leaf_key_usage(policy: "Policy", certificate: "x509.Certificate", usage: "x509.KeyUsage | None") -> None:
    if usage is not None and not usage.digital_signature:
        raise ValueError("keyUsage does not allow digital signatures")


def _for_servers(
    policy: "Policy", certificate: "x509.Certificate", purposes: "x509.ExtendedKeyUsage | None"
) -> None:
    from cryptography.x509.oid import ExtendedKeyUsageOID

    fit = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    if purposes is not None and fit.isdisjoint(purposes):
        raise ValueError("EKU does not allow server authentication")


def _for_clients(
    policy: "Policy", certificate: "x509.Certificate", purposes: "x509.ExtendedKeyUsage | None"
) -> None:
    from cryptography.x509.oid import ExtendedKeyUsageOID

    fit = {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    if purposes is not None and fit.isdisjoint(purposes):
        raise ValueError("EKU does not allow client authentication")


@cache
def extension_policies(role: Role, by_name: bool) -> "tuple[ExtensionPolicy, ExtensionPolicy]":
    """For issuers and for leaves.

    ``by_name``: the library is asked for a name.  It calls that a server; what has no name is a client to it,
    whatever the key is for.
    """
    from cryptography import x509
    from cryptography.x509.verification import Criticality, ExtensionPolicy

    either = Criticality.AGNOSTIC
    purpose = _for_servers if role is Role.SERVER else _for_clients
    issuers = (
        _common(ExtensionPolicy.webpki_defaults_ca())
        .require_present(x509.BasicConstraints, either, _is_authority)
        .may_be_present(x509.KeyUsage, either, _issuer_key_usage)
        .may_be_present(x509.ExtendedKeyUsage, either, purpose)
    )
    leaves = (
        _common(ExtensionPolicy.webpki_defaults_ee())
        .may_be_present(x509.BasicConstraints, either, None)
        .may_be_present(x509.KeyUsage, either, _leaf_key_usage)
        .may_be_present(x509.ExtendedKeyUsage, either, purpose)
    )
    if by_name:
        return issuers, leaves.require_present(x509.SubjectAlternativeName, either, None)
    return issuers, leaves.may_be_present(x509.SubjectAlternativeName, either, None)


def _common(policy: "ExtensionPolicy") -> "ExtensionPolicy":
    """What holds for issuers and leaves alike: extensions that restrict nothing here, critical or not."""
    from cryptography import x509
    from cryptography.x509.verification import Criticality

    harmless: tuple[Any, ...] = (
        x509.AuthorityKeyIdentifier,
        x509.SubjectKeyIdentifier,
        x509.AuthorityInformationAccess,
    )
    if CRITICAL_POLICIES.installed:
        harmless += (
            x509.CertificatePolicies,
            x509.PolicyConstraints,
            x509.InhibitAnyPolicy,
            x509.CRLDistributionPoints,
        )
    for kind in harmless:
        policy = policy.may_be_present(kind, Criticality.AGNOSTIC, None)
    return policy
