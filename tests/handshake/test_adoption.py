"""A session of another program is offered only after its certificate was verified once more."""

from __future__ import annotations

import time

import pytest
from attrs import evolve

from sansticket import (
    ASK,
    AcceptPeer,
    ClientConfig,
    ConfigError,
    HandshakeCompleted,
    Reason,
    RejectPeer,
    ResumedCertificates,
    Session,
    SessionNotAdopted,
    TicketReceived,
    VerifyPeer,
    adopt_session,
)
from sansticket.library import SSL_SESSIONS
from tests.support.certificates import authority, server_identity
from tests.support.configs import client_config, server_config
from tests.support.credentials import (
    anchors_of,
    credential_of,
    expired_credential,
    root,
    server_credential,
    subordinate,
    with_chain,
)
from tests.support.newer import needs
from tests.support.pair import ConnectionPair

pytestmark = needs(SSL_SESSIONS)

NAME = "server.example"
SERVER = server_config()


def imported(server: object = SERVER, client: ClientConfig | None = None) -> Session:
    """What OpenSSL's format keeps of a session of ours."""
    pair = ConnectionPair(client or client_config(), server, server_name=NAME)  # type: ignore[arg-type]
    pair.pump()
    session = pair.events("client", TicketReceived)[-1].session
    return Session.from_openssl_pem(session.to_openssl_pem())


def resumes(config: ClientConfig, session: Session, name: str = NAME) -> bool:
    pair = ConnectionPair(config, SERVER, server_name=name, session=session)
    pair.pump()
    return pair.event("server", HandshakeCompleted).resumed


def test_an_imported_session_is_not_offered_before_it_is_adopted() -> None:
    config, session = client_config(), imported()
    assert session.session_id_context == b""
    pair = ConnectionPair(config, SERVER, server_name=NAME, session=session)
    pair.pump()
    record = pair.event("client", HandshakeCompleted).record
    assert not record.resumed
    assert "verification policy FAILED" in str(record)


def test_an_adopted_session_resumes() -> None:
    config = client_config()
    adopted = adopt_session(config, imported(), NAME)
    assert adopted.session_id_context == config.verification_policy
    assert resumes(config, adopted)
    assert not resumes(client_config(verify_peer=False), adopted)


def test_a_session_without_a_name_gets_the_one_it_was_verified_for() -> None:
    """A server that does not acknowledge the name leaves none in OpenSSL's session."""
    config, session = client_config(), evolve(imported(), server_name=None)
    adopted = adopt_session(config, session, "Server.Example.")
    assert adopted.server_name == NAME
    assert resumes(config, adopted)


def refused(config: ClientConfig, session: Session, name: str | None = NAME) -> Reason:
    with pytest.raises(SessionNotAdopted) as caught:
        adopt_session(config, session, name)
    assert caught.value.reason.value in str(caught.value)
    return caught.value.reason


def test_who_is_not_trusted() -> None:
    strangers = ClientConfig(trust_anchors=anchors_of(root()))
    assert refused(strangers, imported()) is Reason.CERTIFICATE_UNTRUSTED


def test_a_name_that_is_not_the_certificates() -> None:
    session = evolve(imported(), server_name=None)
    assert refused(client_config(), session, "other.example") is Reason.CERTIFICATE_NAME_MISMATCH


def test_a_name_that_is_not_the_sessions() -> None:
    session = evolve(imported(), server_name="other.example")
    assert refused(client_config(), session) is Reason.CERTIFICATE_NAME_MISMATCH
    config = client_config(resume_with_other_name=True)
    assert adopt_session(config, session, NAME).server_name == NAME


def test_a_certificate_that_has_expired() -> None:
    anybody = ClientConfig(verify_peer=False)
    session = imported(server_config(credentials=[expired_credential()]), anybody)
    assert refused(client_config(), session) is Reason.CERTIFICATE_EXPIRED
    then = time.time() - 2 * 86400
    assert adopt_session(client_config(clock=lambda: then), session, NAME).peer_certificates


def test_a_session_without_a_certificate() -> None:
    session = evolve(imported(), peer_certificates=())
    assert refused(client_config(), session) is Reason.NO_SERVER_CERTIFICATE
    for chain in (server_credential().chain, [authority().der]):  # it would not show whose the session is
        with pytest.raises(SessionNotAdopted) as caught:
            adopt_session(client_config(), session, NAME, chain)
        assert caught.value.reason is Reason.NO_SERVER_CERTIFICATE
        assert adopt_session(ClientConfig(verify_peer=False), session, NAME, chain).peer_certificates == ()


def test_an_intermediate_comes_from_outside() -> None:
    intermediate = subordinate(authority())
    identity = with_chain(intermediate.issue(NAME), intermediate)
    session = imported(server_config(credentials=[credential_of(identity)]))
    assert len(session.peer_certificates) == 1
    assert refused(client_config(), session) is Reason.CERTIFICATE_UNTRUSTED
    assert adopt_session(client_config(), session, NAME, [intermediate.der]).server_name == NAME


@pytest.mark.parametrize("how", list(ResumedCertificates))
def test_an_intermediate_is_there_when_the_chain_is_looked_at_again(how: ResumedCertificates) -> None:
    """What was given is the chain of the session from then on, as if the server had shown it to us."""
    middle = subordinate(authority())
    identity = with_chain(middle.issue(NAME), middle)
    server = server_config(credentials=[credential_of(identity)])
    config = client_config(resumed_certificates=how)
    session = imported(server, config)
    assert session.peer_certificates == identity.chain_der[:1]
    adopted = adopt_session(config, session, NAME, [middle.der])
    assert adopted.peer_certificates == identity.chain_der
    assert adopt_session(config, adopted, NAME, [middle.der]) == adopted
    pair = ConnectionPair(config, server, server_name=NAME, session=adopted)
    pair.pump()
    assert pair.event("server", HandshakeCompleted).resumed
    assert pair.client.peer_certificates == identity.chain_der


def test_a_client_that_verifies_nobody() -> None:
    config = ClientConfig(verify_peer=False)
    session = evolve(imported(), peer_certificates=())
    assert resumes(config, adopt_session(config, session, NAME))
    nameless = evolve(session, server_name=None)
    assert adopt_session(config, nameless).session_id_context == config.verification_policy


def test_a_name_is_needed_where_it_is_verified() -> None:
    with pytest.raises(ConfigError, match="server_name"):
        adopt_session(client_config(), imported())


def test_the_applications_own_verification() -> None:
    session, asked = imported(), []

    def accept(question: VerifyPeer) -> AcceptPeer:
        asked.append(question)
        return AcceptPeer()

    config = ClientConfig(answers={VerifyPeer: accept})
    assert resumes(config, adopt_session(config, session, NAME))
    (question,) = asked
    assert question.certificates == server_identity().chain_der
    assert question.server_name == NAME
    assert question.public_key == server_credential().private_key.public_key()  # type: ignore[union-attr]

    no = ClientConfig(answers={VerifyPeer: lambda question: RejectPeer()})
    assert refused(no, session) is Reason.CERTIFICATE_REFUSED
    with pytest.raises(ConfigError, match="ASK for VerifyPeer"):
        adopt_session(ClientConfig(answers={VerifyPeer: ASK}), session, NAME)


def test_a_certificate_that_is_none() -> None:
    session = evolve(imported(), peer_certificates=(b"none",))
    config = ClientConfig(answers={VerifyPeer: lambda question: AcceptPeer()})
    assert refused(config, session) is Reason.CERTIFICATE_MALFORMED
    assert refused(client_config(), session) is Reason.CERTIFICATE_MALFORMED
