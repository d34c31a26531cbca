"""Which protocol version it is to be, and that nobody in the middle lowered it (RFC 9846 sections 4.2.3 and 4.3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sansticket.codes import CipherSuite, ProtocolVersion
from sansticket.errors import Fault, Reason
from sansticket.text import listed
from sansticket.wire.extensions.negotiation import SupportedVersions
from sansticket.wire.messages.hello import ClientHello, ServerHello

if TYPE_CHECKING:
    from sansticket.config.client import ClientConfig
    from sansticket.config.server import ServerConfig

TLS12: Final = ProtocolVersion.TLS_1_2
TLS13: Final = ProtocolVersion.TLS_1_3

SSL_3_0: Final = 0x0300

DOWNGRADED_TO_TLS12: Final = b"DOWNGRD\x01"
"""The end of the random of a server that has TLS 1.3 and was made to use TLS 1.2."""

DOWNGRADED_FURTHER: Final = b"DOWNGRD\x00"
"""The same for TLS 1.1 and below."""


def select_version(config: ServerConfig, hello: ClientHello) -> int:
    """The highest version of both sides.

    supported_versions counts if it is there, and legacy_version otherwise, where it cannot say more than
    TLS 1.2.  A client that was refused a higher version and now tries a lower one says so with FALLBACK_SCSV
    (RFC 7507): then the refusal was not ours.  Nobody speaks of SSL 3.0 (RFC 9846 appendix E.5).
    """
    if hello.legacy_version <= SSL_3_0:
        raise Fault(Reason.UNSUPPORTED_VERSION, f"legacy_version {hello.legacy_version:#06x}")
    extension = hello.find(SupportedVersions)
    offered = extension.versions if extension is not None else (min(hello.legacy_version, TLS12),)
    ours = config.usable_versions
    common = [version for version in ours if version in offered]
    if CipherSuite.FALLBACK_SCSV in hello.cipher_suites and ours[0] > highest_of(offered):
        raise Fault(Reason.INAPPROPRIATE_FALLBACK, f"to {listed(offered)}; we have {listed(ours)}")
    if not common:
        raise Fault(
            Reason.UNSUPPORTED_VERSION, f"the client offers {listed(offered)}; expected {listed(ours)}"
        )
    return common[0]


def highest_of(offered: tuple[int, ...]) -> int:
    """The highest version of TLS among them; other numbers are grease or drafts (RFC 8701)."""
    return max((version for version in offered if version >> 8 == TLS13 >> 8), default=0)


def random_for_tls12(config: ServerConfig, random: bytes) -> bytes:
    """The ServerHello's 32 bytes, which say that we could have done more."""
    if TLS13 in config.usable_versions:
        return random[: -len(DOWNGRADED_TO_TLS12)] + DOWNGRADED_TO_TLS12
    return random


def check_downgrade(config: ClientConfig, message: ServerHello) -> None:
    """A server that takes TLS 1.2 from us, and has more itself, did not see our hello."""
    if message.legacy_version != TLS12 or TLS12 not in config.usable_versions:
        raise Fault(
            Reason.UNSUPPORTED_VERSION,
            f"the server selects {message.legacy_version:#06x}; expected {listed(config.usable_versions)}",
        )
    signal = message.random[-len(DOWNGRADED_TO_TLS12) :]
    if TLS13 in config.usable_versions and signal in (DOWNGRADED_TO_TLS12, DOWNGRADED_FURTHER):
        raise Fault(Reason.DOWNGRADE, "the server says that it has a higher version than it selects")
