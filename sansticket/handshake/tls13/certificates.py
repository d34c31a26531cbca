"""The messages of TLS 1.3 about certificates (RFC 9846 sections 4.4.2, 4.5.1 and 4.5.2)."""

from __future__ import annotations

from functools import lru_cache

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
from sansticket.wire.compression import ALGORITHMS, compressed_once, decompressed
from sansticket.wire.extensions.certificate import (
    CertificateAuthorities,
    CertificateStatusResponse,
    CompressCertificate,
)
from sansticket.wire.extensions.negotiation import SignatureAlgorithms
from sansticket.wire.messages.base import ExtensionsMessage
from sansticket.wire.messages.tls13 import (
    Certificate,
    CertificateEntry,
    CertificateRequest,
    CertificateVerify,
    CompressedCertificate,
)


def certificate_request(config: Config, context: bytes) -> CertificateRequest:
    """Ask the client for a certificate, naming the authorities that we trust (RFC 9846 section 4.4.2)."""
    extensions = signature_extensions(config, ProtocolVersion.TLS_1_3)
    if config.certificate_compression:
        extensions = (*extensions, CompressCertificate(config.certificate_compression))
    names = named_authorities(config)
    if names:
        extensions = (*extensions, CertificateAuthorities(names))
    return CertificateRequest(context, extensions)


def compression_for(config: Config, asked: ExtensionsMessage) -> int | None:
    """Our most preferred algorithm that the peer can undo (RFC 8879 section 3)."""
    if not config.certificate_compression:
        return None
    offered = asked.find(CompressCertificate)
    theirs = offered.algorithms if offered is not None else ()
    return next((one for one in config.certificate_compression if one in theirs), None)


def shown(
    context: bytes, credential: Credential | None, algorithm: int | None = None, staple: bytes | None = None
) -> bytes:
    """The message with our chain, compressed if that makes it shorter; with none where a client has none that fits.

    ``staple`` is the OCSP response that goes with the first certificate (RFC 9846 section 4.5.1.1).

    What depends on a request is not remembered.
    """
    chain = credential.chain if credential is not None else ()
    if staple is None and not context:
        message = written_once(chain)
    else:
        entries = [CertificateEntry(der) for der in chain]
        if staple is not None:
            entries[0] = CertificateEntry(chain[0], (CertificateStatusResponse(staple),))
        message = Certificate(context, tuple(entries)).encode()
    if algorithm is None:
        return message
    body = message[4:]
    compressed = compressed_once(algorithm, body) if not context else ALGORITHMS[algorithm].compress(body)
    smaller = CompressedCertificate(algorithm, len(body), compressed).encode()
    return smaller if len(smaller) < len(message) else message


@lru_cache(maxsize=64)
def written_once(chain: tuple[bytes, ...]) -> bytes:
    """The Certificate of a handshake, which is the same in each."""
    return Certificate(b"", tuple([CertificateEntry(der) for der in chain])).encode()


def undone(message: CompressedCertificate, config: Config) -> Certificate:
    """The Certificate that the peer has compressed, within the bound for a message (RFC 8879 section 4)."""
    if not config.certificate_compression:
        raise Fault(
            Reason.UNEXPECTED_MESSAGE, "CompressedCertificate, and we did not offer compress_certificate"
        )
    if message.algorithm not in config.certificate_compression:
        raise Fault(Reason.ILLEGAL_VALUE, f"compression algorithm {message.algorithm}, which was not offered")
    if message.length + 4 > config.max_handshake_message:
        raise Fault(Reason.MESSAGE_TOO_LARGE, f"a Certificate of {message.length} bytes")
    return Certificate.decode(decompressed(message.algorithm, message.compressed, message.length))


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
    if chosen is None:
        return ShowNothing(why_withheld(config, wanted))
    return ShowCertificate(*chosen, compression_for(config, message))


def chain_of(message: Certificate, config: Config, stapled: bool = False) -> tuple[bytes, ...]:
    """The peer's chain, within the config's bound.  Of extensions of certificates we request none but OCSP responses,
    and those from servers only; each certificate may have one."""
    entries = message.entries
    if len(entries) > config.max_certificates:
        raise Fault(
            Reason.MESSAGE_TOO_LARGE,
            f"{len(entries)} certificates; at most {config.max_certificates} are accepted",
        )
    for entry in entries:
        if entry.extensions and not (stapled and only_status(entry)):
            raise Fault(Reason.UNSOLICITED_EXTENSION, f"{quoted(entry.extensions[0])} in Certificate")
    return tuple([entry.certificate for entry in entries])


def only_status(entry: CertificateEntry) -> bool:
    """Nothing stands beside a certificate but its OCSP response."""
    return len(entry.extensions) == 1 and entry.find(CertificateStatusResponse) is not None


def staple_of(message: Certificate) -> bytes | None:
    """The OCSP response for the first certificate; those for others say nothing about it."""
    response = message.entries[0].find(CertificateStatusResponse)
    return response.response if response is not None else None


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
