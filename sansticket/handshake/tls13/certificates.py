"""The messages of TLS 1.3 about certificates (RFC 9846 sections 4.4.2, 4.5.1 and 4.5.2)."""

from __future__ import annotations

from sansticket.codes import ProtocolVersion
from sansticket.config.base import Config
from sansticket.config.hello import signature_extensions
from sansticket.crypto.certificates import Credential
from sansticket.crypto.signatures import PublicKey, certificate_verify_input, verify
from sansticket.errors import Fault, Reason
from sansticket.handshake.common.certificates import (
    ShowCertificate,
    ShowNothing,
    issued_by,
    named_authorities,
    preferred,
    scheme_for,
    why_withheld,
)
from sansticket.keys.transcript import Transcript
from sansticket.text import quoted
from sansticket.wire.extensions.certificate import CertificateAuthorities
from sansticket.wire.extensions.negotiation import SignatureAlgorithms
from sansticket.wire.messages.tls13 import (
    Certificate,
    CertificateEntry,
    CertificateRequest,
    CertificateVerify,
)


def certificate_request(config: Config, context: bytes) -> CertificateRequest:
    """Ask the client for a certificate, naming the authorities that we trust (RFC 9846 section 4.4.2)."""
    extensions = signature_extensions(config, ProtocolVersion.TLS_1_3)
    names = named_authorities(config)
    if names:
        extensions = (*extensions, CertificateAuthorities(names))
    return CertificateRequest(context, extensions)


def certificate_message(context: bytes, credential: Credential | None) -> Certificate:
    """Our chain; an empty one where a client has none that fits."""
    chain = credential.chain if credential is not None else ()
    return Certificate(context, tuple(CertificateEntry(der) for der in chain))


def answer_request(message: CertificateRequest, config: Config) -> ShowCertificate | ShowNothing:
    """The best credential that the server can verify and, if it names authorities, seems to want.

    Its oid_filters are about extensions of certificates, none of which we recognize: they are ignored (RFC 9846
    section 4.3.5).
    """
    schemes = message.find(SignatureAlgorithms)
    if schemes is None:
        raise Fault(Reason.MISSING_EXTENSION, "signature_algorithms in CertificateRequest")
    authorities = message.find(CertificateAuthorities)
    names = frozenset(authorities.names) if authorities is not None else frozenset()
    wanted = issued_by(config.credentials, names)
    fitting = []
    for credential in wanted:
        scheme = scheme_for(credential, schemes.schemes, config.signature_schemes)
        if scheme is not None:
            fitting.append((credential, scheme))
    chosen = preferred(fitting, message)
    return ShowCertificate(*chosen) if chosen is not None else ShowNothing(why_withheld(config, wanted))


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
            raise Fault(Reason.UNSOLICITED_EXTENSION, f"{quoted(entry.extensions[0])} in Certificate")
    return tuple(entry.certificate for entry in entries)


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
