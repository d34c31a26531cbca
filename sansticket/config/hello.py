"""What every ClientHello of a config says, and every CertificateRequest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from sansticket.codes import PskKeyExchangeMode
from sansticket.config.base import Config
from sansticket.config.derived import TLS12, TLS13, Numbers, schemes_in_chains
from sansticket.psk import ExternalPsk
from sansticket.wire.extensions.base import Extension
from sansticket.wire.extensions.certificate import CompressCertificate, PostHandshakeAuth
from sansticket.wire.extensions.key_exchange import SupportedGroups
from sansticket.wire.extensions.negotiation import (
    ApplicationProtocols,
    RecordSizeLimit,
    SignatureAlgorithms,
    SignatureAlgorithmsCert,
    SupportedVersions,
)
from sansticket.wire.extensions.resumption import PskKeyExchangeModes
from sansticket.wire.extensions.tls12 import (
    EcPointFormats,
    ExtendedMasterSecret,
    RenegotiationInfo,
    SessionTicketExtension,
)

UNCOMPRESSED: Final = b"\0"
"""The only ECPointFormat in use (RFC 8422 section 5.1.2)."""


LARGEST_RECORD: Final[dict[int, int]] = {TLS12: 16_384, TLS13: 16_385}
"""Bytes of plaintext, which in TLS 1.3 has its content type inside (RFC 8449 section 4)."""


def signature_extensions(config: Config, *versions: int) -> tuple[Extension, ...]:
    """What we accept in handshakes of these versions, and inside certificates."""
    schemes = config.schemes_of(*versions)
    verifiable = schemes_in_chains(schemes, config.verifies_by_default)
    return SignatureAlgorithms(schemes), SignatureAlgorithmsCert(verifiable)


def fixed_extensions(config: Config, post_handshake_auth: bool, modes: Numbers) -> tuple[Extension, ...]:
    """All extensions that do not depend on the server, on key shares, on sessions and on how many of them are kept.

    Who takes no certificate names no signatures: so says the client that there is no other way (RFC 9846 section 9.2).
    """
    versions = config.usable_versions
    extensions: list[Extension] = [SupportedGroups(config.groups_of(versions[0]))]
    if not config.psk_only:
        extensions.extend(signature_extensions(config, *versions))
    if config.alpn_protocols:
        extensions.append(ApplicationProtocols(config.alpn_protocols))
    if config.record_size_limit is not None:
        extensions.append(RecordSizeLimit(min(config.record_size_limit, LARGEST_RECORD[versions[0]])))
    if TLS12 in versions:
        extensions.extend(extensions12(config))
    if TLS13 in versions:
        if config.certificate_compression:
            extensions.append(CompressCertificate(config.certificate_compression))
        extensions.extend((SupportedVersions(versions), PskKeyExchangeModes(modes)))
        if post_handshake_auth:
            extensions.append(PostHandshakeAuth())
    return tuple(extensions)


def extensions12(config: Config) -> Iterator[Extension]:
    """What only a server of TLS 1.2 looks at."""
    yield ExtendedMasterSecret()
    yield RenegotiationInfo(b"")
    yield EcPointFormats(UNCOMPRESSED)
    if config.tickets_in_tls12:
        yield SessionTicketExtension(b"")


def psk_modes(psks: Iterable[ExternalPsk]) -> Numbers:
    """psk_ke if one of the PSKs allows it, and never first: there are servers that take what comes first."""
    dhe, ke = PskKeyExchangeMode.PSK_DHE_KE, PskKeyExchangeMode.PSK_KE
    return (dhe, ke) if any(psk.does_without_key_exchange for psk in psks) else (dhe,)
