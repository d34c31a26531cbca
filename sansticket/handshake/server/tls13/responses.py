"""How far a client is with its answer to a request for its certificate after the handshake (RFC 9846 section 4.7.2)."""

from __future__ import annotations

from attrs import field

from sansticket.crypto.signatures import PublicKey
from sansticket.keys.transcript import Transcript
from sansticket.values import value


@value
class CertificateRequested:
    """A post-handshake request that was not answered yet.  ``transcript`` ends with it."""

    context: bytes
    transcript: Transcript
    required: bool


@value
class NoResponse:
    """The client is not in the middle of an answer to a request."""


@value
class CertificateShown:
    """It sent a certificate, and owes the proof."""

    transcript: Transcript
    chain: tuple[bytes, ...] = field(repr=False)
    public_key: PublicKey = field(repr=False)


@value
class CertificateProved:
    """It proved that it has the key, or declined; it owes the Finished."""

    transcript: Transcript
    chain: tuple[bytes, ...] = field(repr=False)


Response = NoResponse | CertificateShown | CertificateProved
