"""What follows from the fields of a config.  A config does not change: it works these out once, and keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from sansticket.codes import NamedGroup, ProtocolVersion
from sansticket.config.defaults import CERTIFICATE_ONLY_SCHEMES, TLS_1_3_ONLY_GROUPS, TLS_1_3_ONLY_SCHEMES
from sansticket.crypto.certificates import Credential
from sansticket.crypto.signatures import verifiable_in_chains
from sansticket.crypto.suites import SUITES
from sansticket.crypto.verification import TrustAnchors

TLS12: Final = ProtocolVersion.TLS_1_2
TLS13: Final = ProtocolVersion.TLS_1_3

Numbers = tuple[int, ...]

CLASSICAL_HALVES: Final[Mapping[int, int]] = {
    NamedGroup.X25519_MLKEM768: NamedGroup.X25519,
    NamedGroup.SECP256R1_MLKEM768: NamedGroup.SECP256R1,
    NamedGroup.SECP384R1_MLKEM1024: NamedGroup.SECP384R1,
}


def suites_by_version(suites: Numbers) -> dict[int, Numbers]:
    """The cipher suites of each protocol version."""
    tls13 = tuple(suite for suite in suites if suite >> 8 == 0x13)
    return {TLS13: tls13, TLS12: tuple(suite for suite in suites if suite not in tls13)}


def groups_by_version(groups: Numbers) -> dict[int, Numbers]:
    """The groups for a key exchange of each protocol version."""
    return {TLS13: groups, TLS12: tuple(group for group in groups if group not in TLS_1_3_ONLY_GROUPS)}


def schemes_by_versions(schemes: Numbers) -> dict[Numbers, Numbers]:
    """The signature schemes for handshakes of any of these protocol versions, the higher of which comes first."""
    return {
        (TLS13,): tuple(scheme for scheme in schemes if scheme not in CERTIFICATE_ONLY_SCHEMES),
        (TLS12,): tuple(scheme for scheme in schemes if scheme not in TLS_1_3_ONLY_SCHEMES),
        (TLS13, TLS12): schemes,
    }


def can_sign(credential: Credential, version: int, schemes: Numbers) -> bool:
    """Whether one of the schemes is for the credential's key, in handshakes of that version."""
    return not set(schemes).isdisjoint(credential.usable_schemes(tls13=version == TLS13))


def can_authenticate(credential: Credential, version: int, schemes: Numbers, suites: Numbers) -> bool:
    """Whether a server can show it: in TLS 1.2 the cipher suite names the kind of its key (RFC 8422 section 2)."""
    kinds = {SUITES[suite].tls12_authentication for suite in suites}
    fits = version == TLS13 or credential.tls12_authentication in kinds
    return fits and can_sign(credential, version, schemes)


def schemes_in_chains(schemes: Numbers, verifies_by_default: bool) -> Numbers:
    """The signature schemes for certificates, where these are for handshakes (RFC 9846 section 4.3.3): those that the
    default answer to ``VerifyPeer`` can verify, or all if it is not asked."""
    schemes += tuple(scheme for scheme in CERTIFICATE_ONLY_SCHEMES if scheme not in schemes)
    if not verifies_by_default:
        return schemes
    return tuple(scheme for scheme in schemes if scheme in verifiable_in_chains())


def key_share_groups(groups: Numbers, chosen: Numbers | None) -> Numbers:
    """The groups of the key shares in a first ClientHello, in the order that they have in ``groups``."""
    if chosen is not None:
        return tuple(group for group in groups if group in chosen)
    classical = CLASSICAL_HALVES.get(groups[0])
    return (groups[0], classical) if classical is not None and classical in groups else groups[:1]


def _anchors(anchors: TrustAnchors | None) -> bytes:
    return anchors.digest if anchors is not None else b""


def verification_policy(
    how: bytes, min_rsa_bits: int, anchors: TrustAnchors | None, stapling: bytes = b""
) -> bytes:
    """16 bytes that stand for how a server was verified."""
    parts = [b"sansticket verification policy", how, b"%d" % min_rsa_bits, _anchors(anchors)]
    if stapling:
        parts.append(stapling)
    return sha256(b"\0".join(parts)).digest()[:16]


def client_identity(chains: tuple[tuple[bytes, ...], ...]) -> bytes:
    """16 bytes that stand for the certificates that we have to show, in their order; nothing for none."""
    ours = b"".join(sha256(b"".join(chain)).digest() for chain in chains)
    return sha256(b"sansticket client identity\0" + ours).digest()[:16] if chains else b""


def store_policy(policy: bytes, chains: tuple[tuple[bytes, ...], ...], psks: tuple[bytes, ...]) -> bytes:
    """16 bytes that stand for that, for the certificates that we have to show, and for the external PSKs."""
    ours = b"".join(sha256(b"".join(chain)).digest() for chain in chains)
    if psks:
        ours += b"psks" + b"".join(sorted(psks))
    return sha256(b"sansticket session store\0" + policy + ours).digest()[:16]


def session_id_context(mode: bytes, how: bytes, min_rsa_bits: int, anchors: TrustAnchors | None) -> bytes:
    """16 bytes that stand for the policy for client certificates."""
    parts = (b"sansticket session id context", mode, how, b"%d" % min_rsa_bits, _anchors(anchors))
    return sha256(b"\0".join(parts)).digest()[:16]


def application(label: bytes | None, verifier: bytes | None) -> bytes:
    """What stands for an application that verifies: the label that it gave, or random bytes of its own."""
    if label is not None:
        return b"application\0label\0" + sha256(label).digest()
    return b"application\0answers\0" + (verifier or b"")
