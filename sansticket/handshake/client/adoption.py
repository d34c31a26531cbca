"""Sessions that another program made: verified once more, before a client of ours offers them.

A resumption shows no certificate.  Whoever resumes trusts the verification of the handshake that made the
session, and so a client's ``Session`` keeps the policy by which its server was verified, and the credentials that the
client had (in ``session_id_context``), and is offered under the same policy and credentials only.  A session from
``openssl s_client -sess_out`` says nothing of the kind.  ``adopt_session`` verifies its certificate as the config would
have done, and gives it that config's policy and credentials.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from sansticket.commands import AcceptPeer
from sansticket.config.choices import ASK
from sansticket.config.client import ClientConfig
from sansticket.crypto.inspection import signing_key_of
from sansticket.errors import ConfigError, Fault, Reason, SansticketError
from sansticket.events import VerifyPeer
from sansticket.handshake.client.staples import check_stapled
from sansticket.handshake.client.start import normal_server_name
from sansticket.handshake.common.certificates import verify_chain_default
from sansticket.inputs import now_of
from sansticket.text import plain
from sansticket.tickets.session import Session


class SessionNotAdopted(SansticketError, ValueError):
    """The server of the session is not one that the config trusts under that name.  ``reason`` says why."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason


def adopt_session(
    config: ClientConfig,
    session: Session,
    server_name: str | None = None,
    intermediates: Sequence[bytes] = (),
) -> Session:
    """``session`` as a client of ``config`` can offer it to ``server_name``; for sessions of other programs.

    The certificates in the session are verified as in a handshake: against the trust anchors and the name, at the
    time of the config's clock; by the function that answers ``VerifyPeer``, where there is one; not at all with
    ``verify_peer=False``.  An SSL_SESSION holds the server's own certificate only: ``intermediates`` (DER) are
    those between it and the trust anchors, and are in what is adopted.  It holds no OCSP response: under
    ``require_stapling`` none is adopted, and with ``request_stapling`` none whose certificate must be stapled.

    Who the client was in that session nobody can tell from it.  Adopt one that was made with a client certificate only
    for a config with the credential of that certificate: it goes on as that client.

    That the server *had the key* of the certificate was checked by the program that made the session, or nobody
    did.  So adopt only what you would also take a private key from: a session file that you protect as one.

    Raises ``SessionNotAdopted``, or ConfigError where ``VerifyPeer`` is answered with ``ASK``: verify it yourself
    then, and ``evolve(session, session_id_context=config.session_context, server_name=...)``.
    """
    name = normal_server_name(server_name, config)
    if session.server_name not in (None, name) and not config.resume_with_other_name:
        raise SessionNotAdopted(
            Reason.CERTIFICATE_NAME_MISMATCH,
            f"the session is for {plain(session.server_name)}, not for {name}",
        )
    shown = session.peer_certificates
    chain = (*shown, *[one for one in intermediates if one not in shown]) if shown else ()
    try:
        _verify(config, chain, name)
    except Fault as fault:
        raise SessionNotAdopted(fault.reason, fault.detail) from None
    return evolve(
        session, session_id_context=config.session_context, server_name=name, peer_certificates=chain
    )


def _verify(config: ClientConfig, chain: tuple[bytes, ...], name: str | None) -> None:
    """What a handshake would have done.  Raises a Fault where it would have ended there."""
    answer = config.answers.get(VerifyPeer)
    if config.psk_only:
        raise Fault(Reason.PSK_REQUIRED, "the config has external PSKs only, and takes no certificate")
    if answer is None and not config.verify_peer:
        return
    if not chain:
        raise Fault(Reason.NO_SERVER_CERTIFICATE, "the session has none, so nothing shows whose it is")
    key = signing_key_of(chain[0], config.min_rsa_bits)
    if config.asks_for_staples:
        check_stapled(config, chain, None)
    if answer is None:
        verify_chain_default(config, chain, name, now_of(config.clock))
        return
    if answer is ASK:
        raise ConfigError("answers", "ASK for VerifyPeer; a session can be adopted with a function only")
    question = VerifyPeer(chain, name, key, config.trust_anchors)
    if not isinstance(answer(question), AcceptPeer):
        raise Fault(Reason.CERTIFICATE_REFUSED)
