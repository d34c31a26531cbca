"""The questions: after each the connection accepts nothing but its answer, ``Close``, and bytes, which it keeps."""

from __future__ import annotations

from attrs import field

from sansticket.crypto.certificates import Credential
from sansticket.crypto.signatures import PublicKey
from sansticket.crypto.verification import TrustAnchors
from sansticket.events.base import Question
from sansticket.events.happenings import size_of
from sansticket.values import frozen


@frozen
class Sign(Question):
    """A signature with the key of ``credential`` is needed.

    Answers: ``ProvideSignature``, ``AbortHandshake``.  Default: sign with the credential's private key.
    ``message`` is what to sign, not its hash; ``scheme`` a SignatureScheme number.
    """

    scheme: int
    """A number of ``SignatureScheme``."""
    message: bytes = field(repr=False)
    """What to sign, not its hash."""
    credential: Credential
    """Whose key is to sign."""


@frozen
class VerifyPeer(Question):
    """The peer proved that it holds the key of ``certificates[0]``: is it who it should be?

    Answers: ``AcceptPeer``, ``RejectPeer``, ``AbortHandshake``.  Default: verify the chain against the config's
    trust anchors, on a client also the server name and what the server has stapled.  ``server_name`` is None on a
    server.  ``sansticket.verifiers`` has ready-made answers.
    """

    certificates: tuple[bytes, ...] = field(repr=lambda chain: f"<{len(chain)} certificates>")
    """The chain in DER, leaf first."""
    server_name: str | None
    """The name that the certificate must be for; None on a server."""
    public_key: PublicKey = field(repr=False, eq=False)
    """That of the leaf, as an object of ``cryptography``."""
    trust_anchors: TrustAnchors | None = field(repr=False)
    """Those of the config, or None."""
    ocsp_response: bytes | None = field(default=None, repr=size_of)
    """What the server has stapled to its certificate, in DER and as it came; None if it was not asked, and did not."""
