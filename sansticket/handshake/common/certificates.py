"""Certificates, signatures and Finished: what both sides of TLS 1.3 do alike (RFC 9846 section 4.5)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Final

from sansticket.config.base import Config
from sansticket.config.choices import ResumedCertificates
from sansticket.crypto.certificates import Credential
from sansticket.crypto.signatures import sign
from sansticket.crypto.verification import (
    TrustAnchors,
    check_validity,
    verify_client_chain,
    verify_server_chain,
)
from sansticket.errors import Fault, LocalProtocolError
from sansticket.tickets.records import Check
from sansticket.values import value
from sansticket.wire.extensions.certificate import CertificateAuthorities
from sansticket.wire.extensions.negotiation import SignatureAlgorithms, SignatureAlgorithmsCert
from sansticket.wire.messages.hello import ClientHello
from sansticket.wire.messages.tls13 import (
    CertificateRequest,
)


def scheme_for(
    credential: Credential, peer_schemes: Collection[int], our_schemes: Sequence[int]
) -> int | None:
    """The signature scheme that the credential's key, the peer and our config have in common."""
    return next(
        (
            scheme
            for scheme in credential.usable_schemes(tls13=True)
            if scheme in peer_schemes and scheme in our_schemes
        ),
        None,
    )


def preferred(
    fitting: Sequence[tuple[Credential, int]], asked: ClientHello | CertificateRequest
) -> tuple[Credential, int] | None:
    """Of those whose key fits: the first whose whole chain the peer can verify, and the first of those that an
    authority has issued which the peer names (RFC 9846 section 4.5.1.2).

    Where there is no such chain, any will do: the peer may know a certificate all the same.  But none with SHA-1.
    """
    schemes = asked.find(SignatureAlgorithmsCert) or asked.find(SignatureAlgorithms)
    known = schemes.schemes if schemes is not None else ()
    verifiable = [one for one in fitting if one[0].is_signed_with(known)]
    candidates = verifiable or [one for one in fitting if not one[0].needs_sha1]
    authorities = asked.find(CertificateAuthorities)
    if authorities is not None and len(candidates) > 1:
        names = frozenset(authorities.names)
        candidates = [one for one in candidates if not names.isdisjoint(one[0].issuer_names)] or candidates
    return candidates[0] if candidates else None


MAX_AUTHORITIES: Final = 49_152
"""Bytes of names of authorities, each with its length: more than that, and the rest of a CertificateRequest may not
fit into the 65,535 bytes of its extensions.  Debian's bundle of public authorities has 15 KB."""


def named_authorities(config: Config) -> tuple[bytes, ...]:
    """Whom we trust, for a CertificateRequest.  It is a hint: where they are too many none is named."""
    names = config.trust_anchors.subjects if config.trust_anchors is not None else ()
    return names if sum(2 + len(name) for name in names) <= MAX_AUTHORITIES else ()


@value
class ShowCertificate:
    """A client that is asked for a certificate has one that fits."""

    credential: Credential
    scheme: int


@value
class ShowNothing:
    """A client that is asked for a certificate has none that fits: it sends an empty Certificate."""


def sign_default(credential: Credential, scheme: int, message: bytes) -> bytes:
    """The default answer to ``Sign``."""
    if credential.private_key is None:
        raise LocalProtocolError("the credential has no private key, and answers has nothing for Sign")
    return sign(credential.private_key, scheme, message)


def verify_chain_default(
    chain: Sequence[bytes], anchors: TrustAnchors | None, server_name: str | None, now: float
) -> None:
    """The default answer to ``VerifyPeer``: raises a Fault where it is no."""
    if anchors is None:
        raise LocalProtocolError("no trust anchors, and answers has nothing for VerifyPeer")
    moment = datetime.fromtimestamp(now, UTC)
    if server_name is None:
        verify_client_chain(chain, anchors, moment)
    else:
        verify_server_chain(chain, anchors, server_name, moment)


def check_certificates_again(
    config: Config, chain: Sequence[bytes], server_name: str | None, now: float
) -> tuple[Check, ...]:
    """What the config wants to know again of the certificates in a session, before it goes on."""
    how = config.resumed_certificates
    if how is ResumedCertificates.REUSE or not chain:
        return ()
    try:
        if how is ResumedCertificates.CHECK_VALIDITY:
            check_validity(chain, datetime.fromtimestamp(now, UTC))
        else:
            verify_chain_default(chain, config.trust_anchors, server_name, now)
    except Fault as fault:
        return (Check("certificates", False, str(fault)),)
    return (Check("certificates", True, how.value),)
