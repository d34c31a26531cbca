"""Whether a certificate may come without an OCSP response, whoever verifies the response that comes."""

from __future__ import annotations

from collections.abc import Sequence

from sansticket.config.client import ClientConfig
from sansticket.crypto.stapling import must_staple
from sansticket.errors import Fault, Reason


def check_stapled(config: ClientConfig, chain: Sequence[bytes], staple: bytes | None) -> None:
    """For a client that asks: the config requires a response, or the certificate itself does (RFC 7633).

    Where nobody looks at the certificate nobody looks at that.
    """
    if staple is not None:
        return
    if config.require_stapling:
        raise Fault(Reason.MISSING_CERTIFICATE_STATUS, "the server has stapled none: see require_stapling")
    if config.somebody_verifies and must_staple(chain[0]):
        raise Fault(Reason.MISSING_CERTIFICATE_STATUS, "the certificate must be stapled, and is not")
