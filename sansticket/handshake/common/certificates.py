"""Certificates, signatures and Finished: what both sides of TLS 1.3 do alike (RFC 9846 section 4.5)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from sansticket.config.base import Config
from sansticket.config.choices import ResumedCertificates
from sansticket.config.client import ClientConfig
from sansticket.crypto.certificates import Credential
from sansticket.crypto.inspection import signing_key_of
from sansticket.crypto.stapling import verify_staple
from sansticket.crypto.verification import (
    check_validity,
    ders,
    verify_client_chain,
    verify_server_chain,
)
from sansticket.errors import Fault, LocalProtocolError
from sansticket.events import CertificateWithheld, VerifyPeer
from sansticket.handshake.machine.flight import Flight
from sansticket.tickets.records import Check
from sansticket.tickets.session import Session
from sansticket.values import value
from sansticket.wire.extensions.certificate import CertificateAuthorities, StatusRequest
from sansticket.wire.extensions.negotiation import SignatureAlgorithms, SignatureAlgorithmsCert
from sansticket.wire.messages.hello import ClientHello
from sansticket.wire.messages.tls13 import (
    CertificateRequest,
)

if TYPE_CHECKING:
    from sansticket.config.server import ServerConfig


def scheme_for(
    credential: Credential, peer_schemes: Collection[int], our_schemes: Sequence[int]
) -> int | None:
    """The signature scheme that the credential's key, the peer and our config have in common."""
    return common_scheme(credential.usable_schemes(tls13=True), peer_schemes, our_schemes)


def common_scheme(usable: Sequence[int], theirs: Collection[int], ours: Collection[int]) -> int | None:
    """The first that all three have."""
    for scheme in usable:
        if scheme in theirs and scheme in ours:
            return scheme
    return None


def preferred(
    fitting: Sequence[tuple[Credential, int]], asked: ClientHello | CertificateRequest
) -> tuple[Credential, int] | None:
    """Of those whose key fits: the first whose whole chain the peer can verify, and the first of those that an
    authority has issued which the peer names (RFC 9846 section 4.5.1.2).

    Where there is no such chain, any will do: the peer may know a certificate all the same.  But none with SHA-1, and
    none that is for those only who name its authority.
    """
    schemes = asked.find(SignatureAlgorithmsCert) or asked.find(SignatureAlgorithms)
    known = schemes.schemes if schemes is not None else ()
    authorities = asked.find(CertificateAuthorities)
    names = frozenset(authorities.names) if authorities is not None else frozenset()
    free = [
        one for one in fitting if not (one[0].must_match_issuer and names.isdisjoint(one[0].issuer_names))
    ]
    verifiable = [one for one in free if one[0].is_signed_with(known)]
    candidates = verifiable or [one for one in free if not one[0].needs_sha1]
    if names and len(candidates) > 1:
        candidates = [one for one in candidates if not names.isdisjoint(one[0].issuer_names)] or candidates
    return candidates[0] if candidates else None


def issued_by(credentials: Sequence[Credential], names: frozenset[bytes]) -> list[Credential]:
    """A client's credentials that one of the authorities has issued which the server names; if it names none, those
    that are not for named authorities only."""
    if not names:
        return [one for one in credentials if not one.must_match_issuer]
    return [one for one in credentials if not names.isdisjoint(one.issuer_names)]


def why_withheld(config: Config, wanted: Sequence[Credential]) -> str | None:
    """What keeps a client from showing one of its credentials; None if it has none.  ``wanted``: see ``issued_by``."""
    if not config.credentials:
        return None
    if not wanted:
        return "none of them was issued by an authority that the server names"
    return "the server takes no signature that their keys can make, or not that kind of key"


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
    compression: int | None = None
    """By which algorithm the certificate is compressed: TLS 1.3 only."""

    def tell(self, flight: Flight) -> None:
        """There is nothing to be said."""


@value
class ShowNothing:
    """A client that is asked for a certificate has none that fits: it sends an empty Certificate."""

    why: str | None

    def tell(self, flight: Flight) -> None:
        """The application hears what was withheld."""
        if self.why is not None:
            flight.emit(CertificateWithheld(self.why))


def staple_for(credential: Credential, hello: ClientHello, now: float) -> bytes | None:
    """What a server has to staple, if the client asks for it; which responders it trusts is for it to know."""
    request = hello.find(StatusRequest)
    return credential.staple_at(now) if request is not None and request.wants_ocsp else None


def verify_chain_default(
    config: Config, chain: Sequence[bytes], server_name: str | None, now: float, staple: bytes | None = None
) -> None:
    """The default answer to ``VerifyPeer``: raises a Fault where it is no.  A client without a name verifies none."""
    anchors = config.trust_anchors
    if anchors is None:
        raise LocalProtocolError("no trust anchors, and answers has nothing for VerifyPeer")
    moment = datetime.fromtimestamp(now, UTC)
    if isinstance(config, ClientConfig):
        path = verify_server_chain(chain, anchors, server_name, moment, config.min_rsa_bits)
        if staple is not None:
            verify_staple(staple, path, moment, config.min_rsa_bits)
    else:
        verify_client_chain(chain, anchors, moment, config.min_rsa_bits)


def verified_path(config: ServerConfig, chain: Sequence[bytes], now: float) -> tuple[bytes, ...]:
    """The path from a client's certificate to an anchor of the config, in DER; empty where there is none, or where it
    is the application that verifies."""
    if config.trust_anchors is None or VerifyPeer in config.answers:
        return ()
    try:
        return ders(
            verify_client_chain(
                chain, config.trust_anchors, datetime.fromtimestamp(now, UTC), config.min_rsa_bits
            )
        )
    except Fault:
        return ()


def check_certificates_again(
    config: Config, session: Session, server_name: str | None, now: float
) -> tuple[Check, ...]:
    """What the config wants to know again of the certificates in a session, before it goes on."""
    how, chain = config.resumed_certificates, session.peer_certificates
    if how is ResumedCertificates.REUSE or not chain:
        return ()
    try:
        signing_key_of(chain[0], config.min_rsa_bits)
        if how is ResumedCertificates.CHECK_VALIDITY:
            then = datetime.fromtimestamp(session.authenticated_at, UTC)
            check_validity(chain, datetime.fromtimestamp(now, UTC), then)
        else:
            verify_chain_default(config, chain, server_name, now)
    except Fault as fault:
        return (Check("certificates", False, str(fault)),)
    return (Check("certificates", True, how.value),)


def check_authentication_age(config: Config, session: Session, now: float) -> Check:
    """No chain of renewals goes on for ever (RFC 9846 section 4.7.1)."""
    age = session.authentication_age(now)
    return Check(
        "authentication age", age < config.max_session_age, f"{age:.3f} s, at most {config.max_session_age} s"
    )
