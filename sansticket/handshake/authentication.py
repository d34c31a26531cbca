"""Certificates, signatures and Finished: what both sides of TLS 1.3 do alike (RFC 9846 section 4.5)."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Final

from sansticket.config import CERTIFICATE_ONLY_SCHEMES, Config, ResumedCertificates
from sansticket.crypto.certificates import Credential
from sansticket.crypto.signatures import PublicKey, certificate_verify_input, sign, verify
from sansticket.crypto.verification import (
    TrustAnchors,
    check_validity,
    verify_client_chain,
    verify_server_chain,
)
from sansticket.errors import Fault, LocalProtocolError, Reason
from sansticket.keys.schedule13 import finished_mac
from sansticket.keys.transcript import Transcript
from sansticket.tickets.records import Check
from sansticket.values import value
from sansticket.wire.codes import ProtocolVersion
from sansticket.wire.cursor import malformed
from sansticket.wire.extensions import (
    CertificateAuthorities,
    Extension,
    SignatureAlgorithms,
    SignatureAlgorithmsCert,
)
from sansticket.wire.messages import (
    Certificate,
    CertificateEntry,
    CertificateRequest,
    CertificateVerify,
    ClientHello,
    Finished,
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


def signature_extensions(schemes: tuple[int, ...]) -> tuple[Extension, ...]:
    """What we accept in handshakes, and what besides inside certificates.

    Ed25519 and Ed448 are for certificates that are their own trust anchors: of authorities the library takes neither.
    """
    others = tuple(scheme for scheme in CERTIFICATE_ONLY_SCHEMES if scheme not in schemes)
    return SignatureAlgorithms(schemes), SignatureAlgorithmsCert(schemes + others)


MAX_AUTHORITIES: Final = 49_152
"""Bytes of names of authorities, each with its length: more than that, and the rest of a CertificateRequest may not
fit into the 65,535 bytes of its extensions.  Debian's bundle of public authorities has 15 KB."""


def named_authorities(config: Config) -> tuple[bytes, ...]:
    """Whom we trust, for a CertificateRequest.  It is a hint: where they are too many none is named."""
    names = config.trust_anchors.subjects if config.trust_anchors is not None else ()
    return names if sum(2 + len(name) for name in names) <= MAX_AUTHORITIES else ()


def certificate_request(config: Config, context: bytes) -> CertificateRequest:
    """Ask the client for a certificate, naming the authorities that we trust (RFC 9846 section 4.4.2)."""
    extensions = signature_extensions(config.schemes_of(ProtocolVersion.TLS_1_3))
    names = named_authorities(config)
    if names:
        extensions = (*extensions, CertificateAuthorities(names))
    return CertificateRequest(context, extensions)


def certificate_message(context: bytes, credential: Credential | None) -> Certificate:
    """Our chain; an empty one where a client has none that fits."""
    chain = credential.chain if credential is not None else ()
    return Certificate(context, tuple(CertificateEntry(der) for der in chain))


@value
class ShowCertificate:
    """A client that is asked for a certificate has one that fits."""

    credential: Credential
    scheme: int


@value
class ShowNothing:
    """A client that is asked for a certificate has none that fits: it sends an empty Certificate."""


def answer_request(message: CertificateRequest, config: Config) -> ShowCertificate | ShowNothing:
    """The best credential that the server can verify and, if it names authorities, seems to want.

    Its oid_filters are about extensions of certificates, none of which we recognize: they are ignored (RFC 9846
    section 4.3.5).
    """
    schemes = message.find(SignatureAlgorithms)
    if schemes is None:
        raise Fault(Reason.MISSING_EXTENSION, "signature_algorithms in CertificateRequest")
    authorities = message.find(CertificateAuthorities)
    names = frozenset(authorities.names) if authorities is not None else None
    fitting = []
    for credential in config.credentials:
        scheme = scheme_for(credential, schemes.schemes, config.signature_schemes)
        if scheme is not None and (names is None or not names.isdisjoint(credential.issuer_names)):
            fitting.append((credential, scheme))
    chosen = preferred(fitting, message)
    return ShowCertificate(*chosen) if chosen is not None else ShowNothing()


def chain_of(message: Certificate, config: Config) -> tuple[bytes, ...]:
    """The peer's chain, within the config's bound.  We request no extensions of certificates: there must be none."""
    entries = message.entries
    if len(entries) > config.max_certificates:
        raise Fault(
            Reason.MESSAGE_TOO_LARGE,
            f"{len(entries)} certificates; at most {config.max_certificates} are accepted",
        )
    for entry in entries:
        if entry.extensions:
            raise Fault(Reason.UNSOLICITED_EXTENSION, f"{entry.extensions[0]!r} in Certificate")
    return tuple(entry.certificate for entry in entries)


def sign_default(credential: Credential, scheme: int, message: bytes) -> bytes:
    """The default answer to ``Sign``."""
    if credential.private_key is None:
        raise LocalProtocolError("the credential has no private key, and answers has nothing for Sign")
    return sign(credential.private_key, scheme, message)


def check_certificate_verify(
    message: CertificateVerify,
    config: Config,
    public_key: PublicKey,
    transcript: Transcript,
    *,
    of_server: bool,
) -> None:
    """The peer holds the key of its certificate, and signed this handshake."""
    if message.scheme not in config.schemes_of(ProtocolVersion.TLS_1_3):
        raise Fault(Reason.UNOFFERED_SIGNATURE_SCHEME, f"{message.scheme:#06x} in CertificateVerify")
    signed = certificate_verify_input(of_server, transcript.digest())
    verify(public_key, message.scheme, signed, message.signature)


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


def finished_message(hash_name: str, traffic_secret: bytes, transcript: Transcript) -> Finished:
    return Finished(finished_mac(hash_name, traffic_secret, transcript.digest()))


def check_finished(message: Finished, hash_name: str, traffic_secret: bytes, transcript: Transcript) -> None:
    expected = finished_mac(hash_name, traffic_secret, transcript.digest())
    if len(message.verify_data) != len(expected):
        raise malformed(f"a Finished of {len(message.verify_data)} bytes; expected {len(expected)}")
    if not hmac.compare_digest(expected, message.verify_data):
        raise Fault(Reason.BAD_FINISHED)
