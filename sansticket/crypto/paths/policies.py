"""Certificate policies, as far as a path itself asks for them (RFC 5280 section 6.1, RFC 9618).

We require no policy and take any.  But an authority can say that every path through it must have a valid policy
(policyConstraints with requireExplicitPolicy), and such a path without one is refused.  policyMappings are not
followed: behind them no policy is valid, which matters only where one is required.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from sansticket.crypto.inspection import extension_of
from sansticket.errors import Fault, Reason

if TYPE_CHECKING:
    from cryptography import x509

_POLICY_CONSTRAINTS: Final = bytes.fromhex("0603551d24")
"""The identifier of policyConstraints, as it stands in a certificate."""

_ANY_POLICY: Final = "2.5.29.32.0"
_POLICY_MAPPINGS: Final = "2.5.29.33"


def check_policies(chain: Sequence[bytes], path: "Sequence[x509.Certificate]") -> None:
    """Fault CERTIFICATE_INVALID for a path (leaf first, anchor last) that must have a valid policy and has none.

    ``chain`` is what the peer sent: where no certificate constrains policies there is nothing to do.
    """
    if any(_POLICY_CONSTRAINTS in der for der in chain) and not _has_policy_if_required(path[-2::-1]):
        raise Fault(Reason.CERTIFICATE_INVALID, "policyConstraints require a policy, and the path has none")


def _has_policy_if_required(certificates: "Sequence[x509.Certificate]") -> bool:
    """``certificates`` begin with the one that the anchor issued, and end with the leaf."""
    from cryptography import x509

    explicit = inhibit_any = len(certificates) + 1  # how many more certificates until it holds
    valid: frozenset[str] | None = None  # None: every policy
    for number, certificate in enumerate(certificates, 1):
        is_last = number == len(certificates)
        self_issued = certificate.subject == certificate.issuer
        valid = _valid_after(certificate, valid, inhibit_any > 0 or (self_issued and not is_last))
        if explicit == 0 and valid == frozenset():
            return False
        if is_last or not self_issued:
            explicit, inhibit_any = max(explicit - 1, 0), max(inhibit_any - 1, 0)
        constraints = extension_of(certificate, x509.PolicyConstraints)
        required = constraints.require_explicit_policy if constraints is not None else None
        if required is not None and (required == 0 or not is_last):
            explicit = min(explicit, required)
        inhibited = extension_of(certificate, x509.InhibitAnyPolicy)
        if inhibited is not None:
            inhibit_any = min(inhibit_any, inhibited.skip_certs)
    return explicit > 0 or valid != frozenset()


def _valid_after(
    certificate: "x509.Certificate", valid: frozenset[str] | None, any_counts: bool
) -> frozenset[str] | None:
    """The policies that are valid up to this certificate; ``any_counts``: its anyPolicy does."""
    from cryptography import x509

    policies = extension_of(certificate, x509.CertificatePolicies)
    maps = any(each.oid.dotted_string == _POLICY_MAPPINGS for each in certificate.extensions)
    if policies is None or maps:
        return frozenset()
    named = frozenset(each.policy_identifier.dotted_string for each in policies)
    if _ANY_POLICY in named and any_counts:
        return valid
    named -= {_ANY_POLICY}
    return named if valid is None else valid & named
