"""Sessions that go back to an external PSK: they are worth as much as it is, on either side (``docs/psk.md``)."""

from __future__ import annotations

from typing import Any, Final

import pytest
from attrs import evolve

from sansticket import (
    ASK,
    AcceptPeer,
    AdmitSession,
    ClientConfig,
    DecideTicket,
    ExternalPsk,
    HandshakeCompleted,
    LocalProtocolError,
    LookUpPsk,
    OpenSSLTicketKey,
    OpenSSLTicketKeys,
    ProvidePsk,
    PskRole,
    RequestClientCertificate,
    ResolveTicket,
    ServerConfig,
    Session,
    SessionAdmitted,
    SessionCache,
    SessionNotAdopted,
    SessionRefused,
    TicketReturn,
    VerifyPeer,
    adopt_session,
)
from sansticket.library import SSL_SESSIONS
from tests.support.credentials import anchors
from tests.support.hostile_client import HostileClient
from tests.support.newer import each, needs
from tests.support.resumption import NAME, World, failed_checks, received, record, resumed

KEY: Final = bytes(range(32))


def ours(identity: bytes = b"sensor-7", key: bytes = KEY) -> ExternalPsk:
    return ExternalPsk(identity, key, role=PskRole.CLIENT)


def theirs(identity: bytes = b"sensor-7", key: bytes = KEY) -> ExternalPsk:
    return ExternalPsk(identity, key, role=PskRole.SERVER)


@pytest.fixture(params=each(["sealed", "stored", "of OpenSSL"], {"of OpenSSL": SSL_SESSIONS}))
def tickets(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Each way of having tickets."""
    if request.param == "stored":
        return {"ticket_keys": None, "session_cache": SessionCache()}
    if request.param == "of OpenSSL":
        return {"ticket_keys": OpenSSLTicketKeys((OpenSSLTicketKey.from_bytes(bytes(range(80))),))}
    return {}


class Psks:
    """PSKs that can be withdrawn; it notes what it was asked."""

    def __init__(self, *known: ExternalPsk) -> None:
        self.known = {psk.identity: psk for psk in known}
        self.asked: list[bytes] = []

    def __call__(self, question: LookUpPsk) -> ProvidePsk:
        self.asked.append(question.identity)
        return ProvidePsk(self.known.get(question.identity))


def test_it_resumes_again_and_again(world: World, tickets: dict[str, Any]) -> None:
    client, server = world.client(psks=[ours()]), world.server(psks=[theirs()], **tickets)
    session = world.session(server, client=client)
    assert session.psk_identity == b"sensor-7"
    for _ in range(3):
        pair = world.connect(server, session, client=client)
        assert resumed(pair)
        for side in (pair.client, pair.server):
            assert side.psk_identity == b"sensor-7"
        completed = pair.event("server", HandshakeCompleted)
        assert completed.psk_identity == b"sensor-7"
        assert completed.record.psk_identity is None
        assert completed.session is not None
        assert completed.session.psk_identity == b"sensor-7"
        assert "psk (b'sensor-7')" in str(record(pair, "client"))
        (session,) = received(pair)
        assert session.psk_identity == b"sensor-7"


def test_the_questions_show_whose_it_is(world: World) -> None:
    seen: list[Session | None] = []

    def decide(question: DecideTicket) -> ResolveTicket:
        seen.append(question.session)
        return ResolveTicket(TicketReturn.USE_RENEW)

    def admit(question: AdmitSession) -> SessionAdmitted | SessionRefused:
        seen.append(question.session)
        return SessionRefused("it was told to leave")

    client = world.client(psks=[ours()])
    server = world.server(psks=[theirs()], answers={DecideTicket: decide, AdmitSession: admit})
    session = world.session(server, client=client)
    pair = world.connect(server, session, client=client)
    assert not resumed(pair)
    assert [one.psk_identity for one in seen if one is not None] == [b"sensor-7", b"sensor-7"]
    assert pair.server.psk_identity == b"sensor-7"  # by the PSK itself, which stands behind the ticket


def test_a_psk_that_was_withdrawn(world: World, tickets: dict[str, Any]) -> None:
    """Its sessions go with it, without that anybody has to say so; and the PSK itself is not asked for again."""
    psks = Psks(theirs())
    client, server = world.client(psks=[ours()]), world.server(answers={LookUpPsk: psks}, **tickets)
    session = world.session(server, client=client)
    assert psks.asked == [b"sensor-7"]
    assert resumed(world.connect(server, session, client=client))
    assert psks.asked == [b"sensor-7"] * 2
    again = world.session(server, client=client)
    del psks.known[b"sensor-7"], psks.asked[:]
    pair = world.connect(server, again, client=client)
    assert not resumed(pair)
    assert failed_checks(pair) == ["psk"]
    assert "the session's PSK is not known any more" in str(record(pair))
    assert psks.asked == [b"sensor-7"]  # for the ticket; what stands behind it is the same one
    assert pair.server.psk_identity is None
    assert pair.client.peer_certificates


def test_the_question_can_be_answered_later(world: World) -> None:
    client, server = world.client(psks=[ours()]), world.server(answers={LookUpPsk: ASK})
    first = world.connect(server, client=client)
    first.send("server", ProvidePsk(theirs()))
    session = received(first)[0]
    for answer, expected in ((ProvidePsk(theirs()), True), (ProvidePsk(None), False)):
        pair = world.connect(server, session, client=client)
        assert pair.event("server", LookUpPsk).identity == b"sensor-7"
        pair.send("server", answer)
        assert resumed(pair) is expected


def test_a_psk_that_has_another_key_now(world: World, tickets: dict[str, Any]) -> None:
    client, server = world.client(psks=[ours()]), world.server(psks=[theirs()], **tickets)
    session = world.session(server, client=client)
    for psk, expected in ((theirs(), True), (theirs(key=bytes(32)), False)):
        # A hand-made client, which has the session and not the PSK: so has whoever has stolen it.
        peer = HostileClient(evolve(server, psks=[psk]), sessions=(session,)).complete()
        (completed,) = (event for event in peer.events if isinstance(event, HandshakeCompleted))
        assert completed.resumed is expected
        failed = [check.name for check in completed.record.identities[0].checks if not check.passed]
        assert failed == ([] if expected else ["context"])


def test_a_server_that_knows_no_psks_any_more(world: World, tickets: dict[str, Any]) -> None:
    client, server = world.client(psks=[ours()]), world.server(psks=[theirs()], **tickets)
    session = world.session(server, client=client)
    pair = world.connect(evolve(server, psks=()), session, client=client)
    assert not resumed(pair)
    assert failed_checks(pair) == ["psk"]


def test_a_session_of_a_certificate_is_not_one_of_a_psk(world: World, tickets: dict[str, Any]) -> None:
    """Nobody is asked about it, and it goes on, with PSKs in the config too."""
    psks = Psks(theirs())
    server = world.server(answers={LookUpPsk: psks}, **tickets)
    session = world.session(server)
    assert session.psk_identity is None
    pair = world.connect(server, session)
    assert resumed(pair)
    assert pair.server.psk_identity is None
    assert psks.asked == []


def test_the_ticket_wins_where_both_are_shown(world: World) -> None:
    """And then the PSK is asked for once, on behalf of the session."""
    psks = Psks(theirs())
    client, server = world.client(psks=[ours()]), world.server(answers={LookUpPsk: psks})
    session = world.session(server, client=client)
    psks.asked.clear()
    pair = world.connect(server, session, client=client)
    assert resumed(pair)
    assert psks.asked == [b"sensor-7"]
    assert record(pair).winner == 0


@pytest.mark.parametrize("retried", [False, True])
def test_the_psk_goes_on_where_the_ticket_does_not(world: World, retried: bool) -> None:
    psks = Psks(theirs())
    client = world.client(psks=[ours()])
    server = world.server(answers={LookUpPsk: psks})
    session = world.session(server, client=client)
    other = world.server(answers={LookUpPsk: psks}, **({"groups": (23,)} if retried else {}))
    psks.asked.clear()
    pair = world.connect(other, session, client=client)
    assert not resumed(pair)
    assert (pair.server.psk_identity, record(pair).winner) == (b"sensor-7", 1)
    assert psks.asked == [session.ticket, b"sensor-7"]


def test_no_certificate_is_asked_for_after_a_resumption_either(world: World) -> None:
    client = world.client(psks=[ours()], post_handshake_auth=True)
    server = world.server(psks=[theirs()], trust_anchors=anchors())
    pair = world.connect(server, world.session(server, client=client), client=client)
    assert resumed(pair)
    with pytest.raises(LocalProtocolError, match="external PSK"):
        pair.server.send(RequestClientCertificate())


# --- the client ----------------------------------------------------------------------------------------------------


def why_not_offered(world: World, client: ClientConfig, session: Session, server: ServerConfig) -> list[str]:
    """The checks that a session failed on the client."""
    pair = world.connect(server, session, client=client)
    assert not resumed(pair)
    return failed_checks(pair, side="client")


def test_a_client_without_the_psk_offers_no_session_of_it(world: World) -> None:
    """Without it the server that it would talk to is nobody whom this config trusts."""
    server = world.server(psks=[theirs()])
    session = world.session(server, client=world.client(psks=[ours()]))
    for psks in ([], [ours(b"other", bytes(32))]):
        assert why_not_offered(world, world.client(psks=psks), session, server) == ["psk"]


def test_a_client_whose_psk_has_another_key_now(world: World) -> None:
    session = world.session(world.server(psks=[theirs()]), client=world.client(psks=[ours()]))
    new = bytes(range(1, 33))
    changed = world.client(psks=[ours(key=new)])
    assert why_not_offered(world, changed, session, world.server(psks=[theirs(key=new)])) == ["psk"]


@pytest.mark.parametrize("policy", [{"verify_peer": False}, {}], ids=["nobody verified", "by certificate"])
def test_a_client_of_psks_only_offers_no_session_of_a_certificate(
    world: World, policy: dict[str, Any]
) -> None:
    server = world.server(psks=[theirs()])
    before = world.client(**policy, **({"trust_anchors": None} if policy else {}))
    session = world.session(server, client=before)
    client = world.client(trust_anchors=None, psks=[ours()], **policy)
    assert client.psk_only
    assert why_not_offered(world, client, session, server) == ["verification policy"]


def test_a_client_that_verifies_otherwise_offers_a_session_of_its_psk(world: World) -> None:
    """The PSK has authenticated the server, and no trust anchor had a part in it."""
    server = world.server(psks=[theirs()])
    session = world.session(server, client=world.client(psks=[ours()]))
    for policy in ({"trust_anchors": None}, {"answers": {VerifyPeer: lambda _: AcceptPeer()}}):
        assert resumed(world.connect(server, session, client=world.client(psks=[ours()], **policy)))


def test_nothing_is_adopted_by_a_client_of_psks_only(world: World) -> None:
    """There is no certificate that it would trust; not even with ``verify_peer=False``."""
    session = world.session(world.server())
    for verify in (True, False):
        config = world.client(trust_anchors=None, psks=[ours()], verify_peer=verify)
        with pytest.raises(SessionNotAdopted, match="external PSKs only"):
            adopt_session(config, session, NAME)


def test_a_session_of_a_psk_is_kept_with_its_identity(world: World) -> None:
    session = world.session(world.server(psks=[theirs()]), client=world.client(psks=[ours()]))
    assert Session.from_bytes(session.to_bytes()) == session
    assert "sensor-7" in repr(session)


@needs(SSL_SESSIONS)
def test_a_session_of_a_psk_keeps_its_identity_in_openssl_s_format(world: World) -> None:
    session = world.session(world.server(psks=[theirs()]), client=world.client(psks=[ours()]))
    assert Session.from_openssl_der(session.to_openssl_der()).psk_identity == b"sensor-7"
