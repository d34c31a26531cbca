"""Within which context a session goes on: the session id context, the config that was selected, the certificates.

SSL_CTX_set_session_id_context(3), and what libssl leaves open: resumption across policies and names.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from itertools import product
from typing import Any, Final

import pytest
from attrs import evolve

from sansticket.codes import ProtocolVersion
from sansticket.commands import AcceptPeer, ResolveTicket, SealTicket, UseConfig
from sansticket.config.choices import ASK, ClientAuthentication, ResumedCertificates
from sansticket.config.server import ServerConfig
from sansticket.crypto.certificates import Credential
from sansticket.errors import ConfigError, Reason
from sansticket.events import (
    DecideTicket,
    HandshakeCompleted,
    LookUpSession,
    PrepareTicket,
    SelectConfig,
    TicketIssued,
    VerifyPeer,
)
from sansticket.tickets.decision import TicketReturn
from sansticket.tickets.keys.ring import TicketKeyRing
from sansticket.tickets.records import Check
from sansticket.tickets.session import Session
from sansticket.tickets.stores.cache import SessionCache
from sansticket.wire.extensions.negotiation import ServerNameAck
from sansticket.wire.messages.tls13 import EncryptedExtensions
from tests.support.certificates import authority, client_identity, new_authority, server_identity
from tests.support.credentials import (
    anchors,
    anchors_of,
    client_credential,
    credential_of,
    server_credential,
    subordinate,
)
from tests.support.hostile_client import HostileClient
from tests.support.pair import ConnectionPair
from tests.support.resumption import (
    START,
    World,
    ending,
    failed_checks,
    made_by,
    outcome,
    received,
    record,
    resumed,
)

NONE, OPTIONAL, REQUIRED = ClientAuthentication
OTHER_ANCHORS: Final = anchors_of(new_authority("another root"), authority())
ONE: Final = client_credential()


def accept(question: VerifyPeer) -> AcceptPeer:
    return AcceptPeer()


@pytest.fixture
def keys(world: World) -> TicketKeyRing:
    """What the servers of a test share."""
    return TicketKeyRing.generate(world.clock(), world.server().entropy)


# --- explicit contexts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (b"A", b"A", True),
        (bytes(32), bytes(32), True),
        (b"", b"", True),
        (b"A", b"B", False),
        (b"A", b"AA", False),
        (b"A", b"", False),
        (b"", b"A", False),
        (b"A", None, False),
        (None, b"A", False),
        (None, None, True),
    ],
)
@pytest.mark.parametrize("stateful", [False, True])
def test_the_context_decides(
    world: World, keys: TicketKeyRing, first: bytes | None, second: bytes | None, same: bool, stateful: bool
) -> None:
    config = world.stateful() if stateful else world.server(ticket_keys=keys)
    session = world.session(evolve(config, session_id_context=first))
    pair = world.connect(evolve(config, session_id_context=second), session)
    assert outcome(pair) == ((True, 1) if same else (False, 2))
    assert failed_checks(pair) == ([] if same else ["context"])


def test_it_is_part_of_the_session_and_known_to_the_connection(world: World) -> None:
    config = world.server(session_id_context=b"www")
    pair = world.connect(config)
    assert pair.server.session_id_context == b"www"
    assert {event.session.session_id_context for event in pair.events("server", TicketIssued)} == {b"www"}


def test_at_most_32_bytes(world: World) -> None:
    assert world.server(session_id_context=bytes(32)).effective_session_id_context == bytes(32)
    with pytest.raises(ConfigError, match="session_id_context: 33 bytes"):
        world.server(session_id_context=bytes(33))


@pytest.mark.parametrize("mode", [OPTIONAL, REQUIRED])
def test_none_at_all_with_client_certificates_is_an_error_when_the_config_is_made(
    world: World, mode: ClientAuthentication
) -> None:
    """And not, as in libssl, in the middle of somebody's handshake."""
    with pytest.raises(ConfigError, match="session_id_context: empty"):
        world.server(session_id_context=b"", client_authentication=mode, trust_anchors=anchors())


# --- derived contexts ----------------------------------------------------------------------------------------

POLICIES: Final[dict[str, dict[str, Any]]] = {
    "none": {},
    "none, with anchors": {"trust_anchors": anchors()},
    "optional": {"client_authentication": OPTIONAL, "trust_anchors": anchors()},
    "required": {"client_authentication": REQUIRED, "trust_anchors": anchors()},
    "required, other anchors": {"client_authentication": REQUIRED, "trust_anchors": OTHER_ANCHORS},
    "required, the application verifies": {
        "client_authentication": REQUIRED,
        "trust_anchors": anchors(),
        "answers": {VerifyPeer: accept},
        "verification_label": b"accept",
    },
    "required, the application alone": {
        "client_authentication": REQUIRED,
        "answers": {VerifyPeer: accept},
        "verification_label": b"accept",
    },
}


@pytest.mark.parametrize(("first", "second"), list(product(POLICIES, repeat=2)))
def test_no_resumption_across_policies(world: World, keys: TicketKeyRing, first: str, second: str) -> None:
    client = world.client(credentials=[ONE])
    session = world.session(world.server(ticket_keys=keys, **POLICIES[first]), client=client)
    pair = world.connect(world.server(ticket_keys=keys, **POLICIES[second]), session, client=client)
    assert resumed(pair) == (first == second)
    assert ("context" in failed_checks(pair)) == (first != second)
    shows = second.startswith(("optional", "required"))
    assert pair.server.peer_certificates == (ONE.chain if shows else ())


def test_the_order_of_the_anchors_is_no_policy(world: World) -> None:
    ders = OTHER_ANCHORS.certificates
    one, other = (
        world.server(trust_anchors=type(OTHER_ANCHORS).from_der(order)) for order in (ders, ders[::-1])
    )
    assert one.effective_session_id_context == other.effective_session_id_context
    assert len(one.effective_session_id_context) == 16


def test_a_derived_context_is_the_same_in_every_process(world: World) -> None:
    """Otherwise a fleet would not resume its own sessions."""
    program = (
        "from tests.support.resumption import World;"
        "print(World().server().effective_session_id_context.hex())"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == world.server().effective_session_id_context.hex()


# --- client certificates -------------------------------------------------------------------------------------


@pytest.mark.parametrize("stateful", [False, True])
@pytest.mark.parametrize("mode", [OPTIONAL, REQUIRED])
def test_a_resumption_restores_the_certificate_without_asking(
    world: World, mode: ClientAuthentication, stateful: bool
) -> None:
    changes = {"client_authentication": mode, "trust_anchors": anchors()}
    config = world.stateful(**changes) if stateful else world.server(**changes)
    session = world.session(config, client=world.client(credentials=[ONE]))
    pair = world.connect(config, made_by(world.client(), session))  # which has no certificate to show
    assert outcome(pair) == (True, 1)
    assert pair.server.peer_certificates == ONE.chain
    assert pair.event("server", TicketIssued).session.peer_certificates == ONE.chain


@pytest.mark.parametrize("shows", [False, True])
def test_an_anonymous_session_where_a_certificate_is_required(world: World, shows: bool) -> None:
    config = world.server(session_id_context=b"one for both", trust_anchors=anchors())
    session = world.session(evolve(config, client_authentication=OPTIONAL))
    client = world.client(credentials=[ONE] if shows else [])
    session = made_by(client, session)
    pair = world.connect(evolve(config, client_authentication=REQUIRED), session, client=client)
    if shows:
        assert outcome(pair) == (False, 2)
        assert failed_checks(pair) == ["client certificate"]
        assert pair.server.peer_certificates == ONE.chain
    else:
        assert ending(pair).reason is Reason.CERTIFICATE_REQUIRED


def test_an_anonymous_session_where_a_certificate_is_welcome(world: World) -> None:
    config = world.server(trust_anchors=anchors(), client_authentication=OPTIONAL)
    client = world.client(credentials=[ONE])
    pair = world.connect(config, made_by(client, world.session(config)), client=client)
    assert resumed(pair)
    assert pair.server.peer_certificates == ()


# --- certificates of a session that are looked at again ------------------------------------------------------

HOUR: Final = 3600
DAY: Final = 24 * HOUR
SHORT_LIVED: Final = credential_of(
    authority().issue("client.example", client=True, end=timedelta(seconds=2 * HOUR))
)


@pytest.mark.parametrize("how", list(ResumedCertificates))
@pytest.mark.parametrize("hours", [1, 3])
def test_a_client_certificate_that_has_expired_since(
    world: World, how: ResumedCertificates, hours: int
) -> None:
    config = world.server(
        client_authentication=OPTIONAL,
        trust_anchors=anchors(),
        resumed_certificates=how,
        ticket_lifetime=DAY,
    )
    session = world.session(config, client=world.client(credentials=[SHORT_LIVED]))
    world.clock.forward(hours * HOUR)
    pair = world.connect(config, made_by(world.client(), session))
    good = how is ResumedCertificates.REUSE or hours == 1
    assert resumed(pair) == good
    assert failed_checks(pair) == ([] if good else ["certificates"])
    assert pair.server.peer_certificates == (SHORT_LIVED.chain if good else ())


@pytest.mark.parametrize("how", list(ResumedCertificates))
@pytest.mark.parametrize(("begins", "ends"), [(-2, -1), (-2, 1), (-2, 3), (1, 3), (2, 3)])
@pytest.mark.parametrize("of_client", [True, False])
@pytest.mark.parametrize("version", [ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2])
def test_a_certificate_beside_the_path_that_is_not_valid(
    world: World, version: int, of_client: bool, begins: int, ends: int, how: ResumedCertificates
) -> None:
    """In the full handshake nobody minded: then it ends no session either, if it has not expired since.  Many chains
    have an authority's certificate by an older one, which nobody needs any more."""
    start, end = (timedelta(seconds=hours * HOUR) for hours in (-begins, ends))
    beside = subordinate(authority(), "an older one", start=start, end=end).der
    identity = client_identity() if of_client else server_identity()
    shown = {"credentials": [Credential((*identity.chain_der, beside), identity.key)]}
    checks_again = {"resumed_certificates": how, "versions": [version], "ticket_lifetime": DAY}
    config = world.server(versions=[version], **shown)
    client = world.client(versions=[version], resumed_certificates=how)
    if of_client:
        config = world.server(client_authentication=OPTIONAL, trust_anchors=anchors(), **checks_again)
        client = world.client(versions=[version], **shown)
    session = world.session(config, client=client)
    assert len(session.peer_certificates) == (1 if of_client else 2)
    world.clock.forward(1.5 * HOUR)
    expired_since = ends == 1 and how is ResumedCertificates.CHECK_VALIDITY
    assert resumed(world.connect(config, session, client=client)) is not expired_since


@pytest.mark.parametrize("how", list(ResumedCertificates))
def test_anchors_that_are_trusted_no_more(
    world: World, keys: TicketKeyRing, how: ResumedCertificates
) -> None:
    config = world.server(
        session_id_context=b"one for both",
        ticket_keys=keys,
        client_authentication=OPTIONAL,
        trust_anchors=anchors(),
        resumed_certificates=how,
    )
    session = world.session(config, client=world.client(credentials=[ONE]))
    strangers = anchors_of(new_authority("a root of today"))
    pair = world.connect(evolve(config, trust_anchors=strangers), made_by(world.client(), session))
    good = how is not ResumedCertificates.VERIFY
    assert resumed(pair) == good
    assert failed_checks(pair) == ([] if good else ["certificates"])


@pytest.mark.parametrize("how", list(ResumedCertificates))
def test_a_server_certificate_that_has_expired_since(world: World, how: ResumedCertificates) -> None:
    """The client does not even offer the session, whatever else it asks of certificates (RFC 9846 section 4.7.1)."""
    short = credential_of(authority().issue("server.example", end=timedelta(seconds=2 * HOUR)))
    config = world.server(credentials=[short], ticket_lifetime=DAY)
    client = world.client(resumed_certificates=how)
    session = world.session(config, client=client)
    world.clock.forward(3 * HOUR)
    renewed = evolve(config, credentials=[server_credential()])
    pair = world.connect(renewed, session, client=client)
    assert not resumed(pair)
    assert failed_checks(pair, side="client") == ["certificates"]
    assert record(pair).identities == ()


def test_a_client_without_a_name_verifies_a_server_again(world: World) -> None:
    """The chain is a server's all the same."""
    client = world.client(resumed_certificates=ResumedCertificates.VERIFY, verify_peer=False)
    config = world.server()
    (session, _) = received(world.connect(config, client=client, name=None))
    assert resumed(world.connect(config, session, client=client, name=None))
    stranger = evolve(client, trust_anchors=anchors_of(new_authority()))
    pair = world.connect(config, made_by(stranger, session), client=stranger, name=None)
    assert not resumed(pair)
    assert failed_checks(pair, side="client") == ["certificates"]


def test_verifying_again_needs_anchors(world: World) -> None:
    with pytest.raises(ConfigError, match="resumed_certificates"):
        world.server(resumed_certificates=ResumedCertificates.VERIFY)


# --- what the client minds -----------------------------------------------------------------------------------


def test_a_client_that_verifies_otherwise_does_not_offer(world: World, keys: TicketKeyRing) -> None:
    """A session that came from an unverified server would let it in for ever."""
    config = world.server(ticket_keys=keys)
    careless = world.client(verify_peer=False)
    session = world.session(config, client=careless)
    pair = world.connect(config, session)
    assert outcome(pair) == (False, 2)
    assert failed_checks(pair, side="client") == ["verification policy"]
    assert resumed(world.connect(config, session, client=careless))
    other = world.client(trust_anchors=OTHER_ANCHORS)
    pair = world.connect(config, world.session(config), client=other)
    assert failed_checks(pair, side="client") == ["verification policy"]


@pytest.mark.parametrize("resumes", [False, True])
def test_a_resumption_acknowledges_no_name(world: World, resumes: bool) -> None:
    """A.22: RFC 6066 section 3, in TLS 1.3 as in 1.2."""
    config = world.server()
    sessions = (world.session(config),) if resumes else ()
    client = HostileClient(config, sessions=sessions).complete()
    assert client.victim.resumed == resumes
    assert client.victim.server_name == "server.example"
    (extensions,) = (message for message in client.heard if isinstance(message, EncryptedExtensions))
    assert (extensions.find(ServerNameAck) is None) == resumes


@pytest.mark.parametrize("name", ["other.example", None])
@pytest.mark.parametrize(("ours", "theirs"), list(product([False, True], repeat=2)))
def test_other_names(world: World, name: str | None, ours: bool, theirs: bool) -> None:
    """Both sides have a say: CVE-2025-23419 is what can come of resuming across names."""
    credentials = [server_credential(), server_credential(name="other.example")]
    config = world.server(credentials=credentials, resume_with_other_name=theirs)
    client = world.client(resume_with_other_name=ours, verify_peer=False)
    session = world.session(config, client=client)
    pair = world.connect(config, session, client=client, name=name)
    assert resumed(pair) == (ours and theirs)
    assert failed_checks(pair, side="client") == ([] if ours else ["name"])
    if ours and not theirs:
        assert failed_checks(pair) == ["name"]


@pytest.mark.parametrize(
    ("name", "fits"), [("127.0.0.1", True), ("other.example", False), ("server.example.org", False)]
)
@pytest.mark.parametrize("by_the_application", [True, False])
@pytest.mark.parametrize("verify_peer", [True, False])
def test_other_names_must_be_the_servers(
    world: World, name: str, fits: bool, verify_peer: bool, by_the_application: bool
) -> None:
    """A client that verifies resumes under the names of the certificate that it verified (RFC 9846 section 4.7.1)."""
    config = world.server(resume_with_other_name=True)
    answers = {VerifyPeer: lambda question: AcceptPeer()} if by_the_application else {}
    client = world.client(resume_with_other_name=True, verify_peer=verify_peer, answers=answers)
    session = world.session(config, client=client)
    pair = ConnectionPair(client, config, server_name=name, session=session)
    record = pair.client._engine.state.offer.identities[0]
    assert record.passed == (fits or not (verify_peer or by_the_application))
    if not record.passed:
        (failed,) = [check for check in record.checks if not check.passed]
        assert failed == Check("name", False, f"server.example, now {name}, which the certificate is not for")


def test_another_name_without_a_certificate(world: World) -> None:
    config = world.server(resume_with_other_name=True)
    client = world.client(resume_with_other_name=True)
    for chain in (), (b"not DER",):
        session = evolve(world.session(config, client=client), peer_certificates=chain)
        pair = ConnectionPair(client, config, server_name="127.0.0.1", session=session)
        assert not pair.client._engine.state.offer.identities[0].passed


def test_case_and_a_final_dot_make_no_other_name(world: World) -> None:
    config = world.server()
    session = world.session(config)
    assert resumed(world.connect(config, session, name="Server.EXAMPLE."))


def test_other_protocols_do_not_matter(world: World) -> None:
    config = world.server(alpn_protocols=[b"h2", b"http/1.1"])
    session = world.session(config, client=world.client(alpn_protocols=[b"h2"]))
    assert session.alpn == b"h2"
    pair = world.connect(config, session, client=world.client(alpn_protocols=[b"http/1.1"]))
    assert resumed(pair)
    assert pair.client.alpn_protocol == b"http/1.1"
    assert received(pair)[0].alpn == b"http/1.1"


# --- the config that is selected by name ---------------------------------------------------------------------


class Hosts:
    """Two servers behind one address; everything about sessions is different."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.asked: list[str] = []
        self.a = self.host("server.example", b"A", 1)
        self.b = self.host("b.example", b"B", 3)
        self.front = evolve(self.a, answers={**self.a.answers, SelectConfig: self.select})

    def host(self, name: str, context: bytes, number: int) -> ServerConfig:
        def decide(question: DecideTicket) -> ResolveTicket:
            self.asked.append(f"decide {context.decode()}")
            opened = question.status.decrypted
            return ResolveTicket(TicketReturn.USE_RENEW if opened else TicketReturn.IGNORE_RENEW)

        def prepare(question: PrepareTicket) -> SealTicket:
            self.asked.append(f"prepare {context.decode()}")
            return SealTicket(context)

        return self.world.server(
            credentials=[server_credential(name=name)],
            session_id_context=context,
            num_tickets=number,
            answers={DecideTicket: decide, PrepareTicket: prepare},
        )

    def select(self, question: SelectConfig) -> UseConfig:
        return UseConfig(self.b if question.server_name == "b.example" else self.a)

    def connect(self, name: str, session: Session | None = None) -> ConnectionPair:
        self.asked.clear()
        return self.world.connect(self.front, session, name=name)


def test_everything_is_that_of_the_selected_config(world: World) -> None:
    hosts = Hosts(world)
    first = hosts.connect("b.example")
    assert outcome(first) == (False, 3)
    assert hosts.asked == ["prepare B"] * 3
    assert first.server.session_id_context == b"B"
    assert first.server.num_tickets == 3
    issued = first.events("server", TicketIssued)[0].session
    assert (issued.app_data, issued.session_id_context) == (b"B", b"B")
    session = received(first)[0]
    assert isinstance(hosts.b.ticket_keys, TicketKeyRing)
    assert session.ticket[:16] == hosts.b.ticket_keys.current.name

    again = hosts.connect("b.example", session)
    assert outcome(again) == (True, 1)
    assert hosts.asked == ["decide B", "prepare B"]
    assert outcome(hosts.connect("server.example")) == (False, 1)
    assert hosts.asked == ["prepare A"]


def test_what_one_made_is_nothing_to_the_other(world: World) -> None:
    hosts = Hosts(world)
    session = received(hosts.connect("server.example"))[0]
    moved = evolve(session, server_name="b.example")
    pair = hosts.connect("b.example", moved)
    assert outcome(pair) == (False, 3)
    assert hosts.asked == ["decide B"] + 3 * ["prepare B"]
    hosts.b = evolve(hosts.b, ticket_keys=hosts.a.ticket_keys)
    pair = hosts.connect("b.example", moved)
    assert not resumed(pair)
    assert failed_checks(pair) == ["context", "name"], "even with the same keys"


def test_a_cache_and_a_store_of_the_selected_config(world: World) -> None:
    hosts = Hosts(world)
    hosts.b = world.stateful(credentials=[server_credential(name="b.example")], answers={LookUpSession: ASK})
    session = received(hosts.connect("b.example"))[0]
    assert isinstance(hosts.b.session_cache, SessionCache)
    assert session.ticket in hosts.b.session_cache
    assert resumed(hosts.connect("b.example", session))
    hosts.b.session_cache.clear()
    pair = hosts.connect("b.example", session)
    assert isinstance(pair.server.pending, LookUpSession)


def test_nothing_about_a_session_is_looked_at_before_the_selection(world: World) -> None:
    hosts = Hosts(world)
    session = received(hosts.connect("b.example"))[0]
    front = evolve(hosts.front, answers={**hosts.front.answers, SelectConfig: ASK})
    hosts.asked.clear()
    pair = world.connect(front, session, name="b.example")
    assert hosts.asked == []
    assert pair.event("server", SelectConfig).server_name == "b.example"
    pair.send("server", UseConfig(hosts.b))
    assert outcome(pair) == (True, 1)
    assert world.clock() == START


@pytest.mark.parametrize("version", [0x0303, 0x0304])
def test_the_name_that_is_reported_is_that_of_the_resumption(world: World, version: int) -> None:
    """Not that of the session: RFC 6066 section 3 wants server_name looked at in every handshake."""
    config = world.server(resume_with_other_name=True, versions=(version,))
    client = world.client(resume_with_other_name=True, verify_peer=False, versions=(version,))
    session = world.session(config, client=client)
    assert session.server_name == "server.example"
    pair = ConnectionPair(client, config, server_name="other.example", session=session)
    pair.pump()
    assert resumed(pair)
    for connection, events in ((pair.client, pair.client_events), (pair.server, pair.server_events)):
        completed = next(event for event in events if isinstance(event, HandshakeCompleted))
        assert completed.server_name == connection.server_name == "other.example"
