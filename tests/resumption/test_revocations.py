"""Sessions that were taken back are not resumed, however they are found; open connections end when asked to look."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any, Final

import pytest
from attrs import evolve

from sansticket.codes import AlertDescription, ProtocolVersion
from sansticket.commands import (
    CheckRevocations,
    Close,
    IssueTicket,
    ProvideSession,
    RequestClientCertificate,
    ResolveTicket,
    SealTicket,
    SendData,
)
from sansticket.config.choices import ASK, ClientAuthentication
from sansticket.config.client import ClientConfig
from sansticket.config.server import ServerConfig
from sansticket.errors import ConfigError, LocalProtocolError, Reason
from sansticket.events import (
    AdmitEarlyData,
    AdmitSession,
    ConnectionTerminated,
    DecideTicket,
    HandshakeCompleted,
    LookUpSession,
    PrepareTicket,
    TicketIssued,
)
from sansticket.library import SSL_SESSIONS
from sansticket.tickets.decision import TicketReturn
from sansticket.tickets.early_data import EarlyDataStatus
from sansticket.tickets.keys.openssl import OpenSSLTicketKey, OpenSSLTicketKeys
from sansticket.tickets.keys.protection import TicketKeys
from sansticket.tickets.keys.ring import TicketKeyRing
from sansticket.tickets.session import Session
from sansticket.tickets.stores.revocations import Revocations, certificate_subject
from sansticket.tickets.stores.uses import ReusePolicy
from tests.resumption.test_admission import by_cache, by_hook, by_store, by_ticket
from tests.resumption.test_reuse import Side
from tests.support import early_data
from tests.support.configs import server_config
from tests.support.credentials import anchors, client_credential
from tests.support.hostile_client import HostileClient
from tests.support.newer import needs
from tests.support.pair import ConnectionPair
from tests.support.resumption import World, checks, ending, received, record, resumed
from tests.support.sessions import repeatable_entropy

VERSIONS: Final = {"1.3": (ProtocolVersion.TLS_1_3,), "1.2": (ProtocolVersion.TLS_1_2,)}
WAYS: Final = (by_ticket, by_cache, by_hook, by_store)
Way = Callable[..., ServerConfig]
ALICE: Final = {PrepareTicket: lambda _: SealTicket(b"alice")}


@pytest.fixture(params=VERSIONS)
def versions(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {"versions": VERSIONS[request.param]}


@pytest.fixture(params=WAYS, ids=lambda way: way.__name__)
def way(request: pytest.FixtureRequest) -> Way:
    make: Way = request.param
    return make


@pytest.fixture
def revocations() -> Revocations:
    return Revocations()


def issued(pair: ConnectionPair) -> Session:
    """The first session that the server made."""
    return pair.events("server", TicketIssued)[0].session


def again(world: World, config: ServerConfig, first: ConnectionPair, client: ClientConfig) -> ConnectionPair:
    """Another connection, with the first session; a store elsewhere gives what it was given."""
    pair = world.connect(config, received(first)[0], client=client)
    if isinstance(pair.server.pending, LookUpSession):
        pair.send("server", ProvideSession(issued(first)))
    return pair


def why(pair: ConnectionPair, index: int = 0) -> str:
    """What the record says of the identity: one check, that failed."""
    (check,) = checks(pair, index)
    assert (check.name, check.passed) == ("revocation", False)
    return check.detail


# --- however a session is found


def test_a_family_is_refused_however_it_is_found(
    world: World, way: Way, versions: dict[str, Any], revocations: Revocations
) -> None:
    config, client = way(world, revocations=revocations, **versions), world.client(**versions)
    one, other = (world.connect(config, client=client) for _ in range(2))
    world.clock.forward(5)
    revocations.revoke_family(issued(one).family, world.clock.now)
    pair = again(world, config, one, client)
    assert not resumed(pair)
    assert why(pair).startswith("family refused from before ")
    assert "revocation FAILED (family refused from before" in str(record(pair))
    assert record(pair).tickets_to_follow or config.session_cache is not None or way is by_store
    assert received(pair) != []
    passed = again(world, config, other, client)
    assert resumed(passed)
    assert checks(passed)[0].name == "revocation"
    assert checks(passed)[0].passed


def test_without_revocations_there_is_no_such_check(world: World, versions: dict[str, Any]) -> None:
    config, client = world.server(**versions), world.client(**versions)
    pair = world.connect(config, world.session(config, client=client), client=client)
    assert resumed(pair)
    assert "revocation" not in [check.name for check in checks(pair)]


def test_no_renewal_outlives_the_ban(
    world: World, versions: dict[str, Any], revocations: Revocations
) -> None:
    """What was renewed after the ban, by a server that did not know of it, goes back to the same full handshake."""
    keys = TicketKeyRing.generate(world.clock.now, repeatable_entropy(1))
    renewing = {"answers": {PrepareTicket: lambda _: SealTicket(b"alice")}}
    knows = world.server(revocations=revocations, ticket_keys=keys, **versions)
    ignorant = world.server(ticket_keys=keys, **renewing, **versions)
    client = world.client(**versions)
    session = world.session(ignorant, client=client)
    world.clock.forward(10)
    revocations.revoke_subject(b"alice", world.clock.now)
    world.clock.forward(10)
    pair = world.connect(ignorant, session, client=client)
    assert resumed(pair)
    renewed = received(pair)[0] if received(pair) else session
    refused = world.connect(knows, renewed, client=client)
    assert not resumed(refused)
    assert why(refused).startswith("subject refused from before ")


def test_who_logs_in_again_is_welcome(
    world: World, versions: dict[str, Any], revocations: Revocations
) -> None:
    config = world.server(revocations=revocations, answers=ALICE, **versions)
    client = world.client(**versions)
    first = world.connect(config, client=client)
    world.clock.forward(10)
    revocations.revoke_subject(b"alice", world.clock.now)
    refused = again(world, config, first, client)
    assert not resumed(refused)
    assert issued(refused).family != issued(first).family
    assert resumed(again(world, config, refused, client))


def test_a_session_of_a_clock_that_had_jumped_ahead(
    world: World, versions: dict[str, Any], revocations: Revocations
) -> None:
    """A ban of now does not reach it; that of its family can be given any time."""
    config, client = world.server(revocations=revocations, **versions), world.client(**versions)
    now = world.clock.now
    world.clock.now = now + 60
    first = world.connect(config, client=client)
    world.clock.now = now
    family = issued(first).family
    revocations.revoke_family(family, now)
    assert resumed(again(world, config, first, client))
    revocations.revoke_family(family, now + 604_800)
    assert not resumed(again(world, config, first, client))
    ended(first, "family refused from before ")
    fresh = world.connect(config, client=client)
    assert resumed(again(world, config, fresh, client))


def test_the_holder_of_a_certificate_is_a_subject(
    world: World, way: Way, versions: dict[str, Any], revocations: Revocations
) -> None:
    mutual = {"trust_anchors": anchors(), "client_authentication": ClientAuthentication.REQUIRED}
    config = way(world, revocations=revocations, **mutual, **versions)
    client = world.client(credentials=[client_credential()], **versions)
    first = world.connect(config, client=client)
    revocations.revoke_subject(certificate_subject(client_credential().chain[0]), world.clock.now + 1)
    pair = again(world, config, first, client)
    assert not resumed(pair)
    assert why(pair).startswith("subject refused from before ")


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param(TicketKeyRing.generate(0.0, repeatable_entropy(1)), id="ring"),
        pytest.param(
            OpenSSLTicketKeys([OpenSSLTicketKey.from_bytes(bytes(range(80)))]),
            marks=needs(SSL_SESSIONS),
            id="openssl",
        ),
    ],
)
def test_a_key_that_was_stolen(
    world: World, versions: dict[str, Any], revocations: Revocations, keys: TicketKeys
) -> None:
    config = world.server(revocations=revocations, ticket_keys=keys, **versions)
    client = world.client(**versions)
    first = world.connect(config, client=client)
    before = again(world, config, first, client)
    assert resumed(before)
    revocations.revoke_key(record(before).identities[0].key_name)
    pair = again(world, config, first, client)
    assert not resumed(pair)
    assert why(pair) == "key refused, whenever it was"
    (end,) = before.send("server", CheckRevocations())
    assert isinstance(end, ConnectionTerminated)
    assert end.detail == "key refused, whenever it was"


@needs(SSL_SESSIONS)
def test_a_session_of_nobody_knows_which_family(
    world: World, versions: dict[str, Any], revocations: Revocations
) -> None:
    """OpenSSL's format has no place for a family; subjects and keys are what is left."""
    keys = OpenSSLTicketKeys([OpenSSLTicketKey.from_bytes(bytes(range(80)))])
    config = world.server(revocations=revocations, ticket_keys=keys, answers=ALICE, **versions)
    client = world.client(**versions)
    first = world.connect(config, client=client)
    world.clock.forward(5)
    revocations.revoke_family(issued(first).family, world.clock.now)
    assert resumed(again(world, config, first, client))
    revocations.revoke_subject(b"alice", world.clock.now)
    assert not resumed(again(world, config, first, client))


def test_the_next_identity_is_looked_at(world: World, revocations: Revocations) -> None:
    config = world.server(revocations=revocations)
    one, other = world.connect(config), world.connect(config)
    world.clock.forward(1)
    revocations.revoke_family(issued(one).family, world.clock.now)
    pair = world.connect(config, [received(one)[0], received(other)[0]])
    assert resumed(pair)
    assert record(pair).winner == 1
    assert why(pair, 0).startswith("family refused")


def test_configs_share_it_and_it_changes_under_them(world: World, revocations: Revocations) -> None:
    config = world.server(revocations=revocations)
    first = world.connect(config)
    other = evolve(config, num_tickets=3)
    assert resumed(again(world, other, first, world.client()))
    revocations.revoke_family(issued(first).family, world.clock.now + 1)
    assert not resumed(again(world, other, first, world.client()))
    assert not resumed(again(world, config, first, world.client()))


def test_it_is_revocations_or_none(world: World) -> None:
    for wrong in ({b"alice": 0}, Revocations, b"alice"):
        with pytest.raises(ConfigError, match=r"^revocations: .*; expected Revocations or None"):
            world.server(revocations=wrong)


def test_a_function_that_cannot_tell_whose_it_is_refuses(world: World, versions: dict[str, Any]) -> None:
    def whose(app_data: bytes, chain: tuple[bytes, ...]) -> list[bytes]:
        raise KeyError(app_data)

    revocations = Revocations(subjects=whose)
    config, client = world.server(revocations=revocations, **versions), world.client(**versions)
    first = world.connect(config, client=client)
    assert resumed(again(world, config, first, client)), "nobody is revoked"
    revocations.revoke_subject(b"bob", world.clock.now)
    pair = again(world, config, first, client)
    assert not resumed(pair)
    assert why(pair) == "no subjects: KeyError"


@pytest.mark.parametrize("policy", list(ReusePolicy), ids=lambda policy: policy.name)
def test_a_family_that_was_ended_is_on_the_list(policy: ReusePolicy, revocations: Revocations) -> None:
    """With ``END_FAMILY``, and with no other policy: the other servers refuse it as well."""
    keys = TicketKeyRing.generate(0.0, repeatable_entropy(1))
    here = Side(ProtocolVersion.TLS_1_3, policy, revocations=revocations, ticket_keys=keys)
    first = here.connect()
    ticket, unused = received(first)
    open_one = here.connect(ticket)
    here.clock.forward(60)
    here.connect(ticket)
    assert len(revocations) == (policy is ReusePolicy.END_FAMILY)
    elsewhere = here.world.server(revocations=revocations.copy(), ticket_keys=keys)
    pair = here.world.connect(elsewhere, unused, client=here.client)
    if policy is ReusePolicy.END_FAMILY:
        assert why(pair).startswith("family refused from before ")
        ended(open_one, "family refused from before ")
    else:
        assert resumed(pair)
        goes_on(open_one)
    assert resumed(here.connect(received(here.connect())[0])), "another family"


# --- before anything is believed


def test_it_is_refused_before_the_binder_is_looked_at(world: World, revocations: Revocations) -> None:
    asked: list[Any] = []
    config = world.server(revocations=revocations, answers={AdmitSession: asked.append})
    stolen = evolve(world.session(config), secret=bytes(32))
    revoke_everything(revocations, world.clock.now + 1)
    thief = HostileClient(config, sessions=(stolen,)).say_hello()
    assert thief.victim.state == "tls13.WaitClientFinished"
    assert thief.victim.fork().send(Close())[-1].reason is Reason.CANCELED
    assert asked == []


def test_nothing_is_used_up(world: World, revocations: Revocations) -> None:
    config = world.stateful(revocations=revocations, single_use_tickets=True)
    first = world.connect(config)
    session_id = first.events("server", TicketIssued)[0].session.session_id
    revoke_everything(revocations, world.clock.now + 1)
    assert not resumed(world.connect(config, received(first)[0]))
    assert config.session_cache is not None
    assert not config.session_cache.was_claimed(session_id)


def test_early_data_of_a_revoked_session_is_not_admitted(revocations: Revocations) -> None:
    asked: list[Any] = []
    world = early_data.World()
    answers = {AdmitEarlyData: asked.append, **ALICE}
    world.server = {"revocations": revocations, "answers": answers}
    session = world.session()
    world.now += 1
    revocations.revoke_subject(b"alice", world.now)
    pair = world.pair(session, early=b"GET /")
    pair.pump()
    assert asked == []
    assert early_data.said(pair)[0] is EarlyDataStatus.REJECTED
    assert early_data.early_data_of(pair.server_events) == b""
    assert not resumed(pair)


def test_the_application_is_asked_about_the_ticket_all_the_same(
    world: World, revocations: Revocations
) -> None:
    asked: list[DecideTicket] = []

    def decide(question: DecideTicket) -> ResolveTicket:
        asked.append(question)
        return ResolveTicket(TicketReturn.USE)

    config = world.server(revocations=revocations, answers={DecideTicket: decide})
    session = world.session(config)
    revoke_everything(revocations, world.clock.now + 1)
    pair = world.connect(config, session)
    assert not resumed(pair)
    assert len(received(pair)) == 2, "whoever meant well shall not go without"
    assert len(asked) == 1


def revoke_everything(revocations: Revocations, before: float) -> None:
    """As from a list that is so full that only its floor is left."""
    full = Revocations(max_entries=1)
    for name in (bytes(16), bytes([1]) * 16):
        full.revoke_family(name, before)
    revocations.merge(full)


# --- connections that are open


def ended(pair: ConnectionPair, why: str) -> None:
    """The server was asked to look, and has ended the connection; the client knows."""
    (end,) = pair.send("server", CheckRevocations())
    assert isinstance(end, ConnectionTerminated)
    assert (end.reason, end.alert, end.cause) == (
        Reason.SESSION_REVOKED,
        AlertDescription.ACCESS_DENIED,
        None,
    )
    assert end.detail.startswith(why)
    assert (ending(pair, "client").alert, ending(pair, "client").by_peer) == (end.alert, True)
    with pytest.raises(LocalProtocolError, match="CheckRevocations after the end of the connection"):
        pair.server.send(CheckRevocations())


def goes_on(pair: ConnectionPair) -> None:
    assert pair.send("server", CheckRevocations()) == []
    pair.send("client", SendData(b"on"))
    pair.send("server", SendData(b"and on"))
    assert pair.data("client").endswith(b"and on")


def test_an_open_connection_ends_when_it_is_asked_to_look(
    world: World, versions: dict[str, Any], revocations: Revocations
) -> None:
    config, client = world.server(revocations=revocations, **versions), world.client(**versions)
    first = world.connect(config, client=client)
    second = again(world, config, first, client)
    other = world.connect(config, client=client)
    for pair in (first, second, other):
        goes_on(pair)
    world.clock.forward(1)
    revocations.revoke_family(issued(first).family, world.clock.now)
    for pair in (first, second):
        pair.send("client", SendData(b"nobody has asked yet"))
        ended(pair, "family refused from before ")
    goes_on(other)
    world.clock.forward(1)
    goes_on(world.connect(config, client=client))


def test_who_came_after_the_ban_stays(
    world: World, versions: dict[str, Any], revocations: Revocations
) -> None:
    config = world.server(revocations=revocations, answers=ALICE, **versions)
    client = world.client(**versions)
    before = world.connect(config, client=client)
    world.clock.forward(1)
    revocations.revoke_subject(b"alice", world.clock.now)
    after = world.connect(config, client=client)
    ended(before, "subject refused from before ")
    goes_on(after)


def test_the_data_of_a_resumed_session_and_of_its_last_ticket(
    world: World, versions: dict[str, Any], revocations: Revocations
) -> None:
    config = world.server(revocations=revocations, answers=ALICE, **versions)
    client = world.client(**versions)
    pair = again(world, config, world.connect(config, client=client), client)
    assert resumed(pair)
    goes_on(pair)
    world.clock.forward(1)
    revocations.revoke_subject(b"alice", world.clock.now)
    ended(pair, "subject refused from before ")


def test_the_data_of_a_renewed_ticket_is_what_counts(
    world: World, versions: dict[str, Any], revocations: Revocations
) -> None:
    """TLS 1.2 makes its ticket before the handshake is done, TLS 1.3 afterwards."""

    def renew(question: DecideTicket) -> ResolveTicket:
        found = question.session is not None
        return ResolveTicket(TicketReturn.USE_RENEW if found else TicketReturn.IGNORE_RENEW)

    def name(question: PrepareTicket) -> SealTicket:
        return SealTicket(b"carol" if question.session.app_data else b"alice")

    answers = {DecideTicket: renew, PrepareTicket: name}
    config = world.server(revocations=revocations, answers=answers, num_tickets=1, **versions)
    client = world.client(**versions)
    pair = again(world, config, world.connect(config, client=client), client)
    assert resumed(pair)
    assert issued(pair).app_data == b"carol"
    world.clock.forward(1)
    revocations.revoke_subject(b"carol", world.clock.now)
    ended(pair, "subject refused from before ")


def test_a_user_who_logged_in_later(world: World, revocations: Revocations) -> None:
    user = [b""]
    answers = {PrepareTicket: lambda _: SealTicket(user[0])}
    pair = world.connect(world.server(revocations=revocations, answers=answers))
    world.clock.forward(1)
    revocations.revoke_subject(b"alice", world.clock.now)
    goes_on(pair)
    user[0] = b"alice"
    pair.send("server", IssueTicket())
    pair.send("server", SendData(b"welcome"))
    ended(pair, "subject refused from before ")


def test_a_certificate_that_was_shown_after_the_handshake(world: World, revocations: Revocations) -> None:
    config = world.server(revocations=revocations, trust_anchors=anchors())
    pair = world.connect(
        config, client=world.client(credentials=[client_credential()], post_handshake_auth=True)
    )
    world.clock.forward(1)
    revocations.revoke_subject(certificate_subject(client_credential().chain[0]), world.clock.now)
    goes_on(pair)
    pair.send("server", RequestClientCertificate())
    assert pair.server.peer_certificates
    ended(pair, "subject refused from before ")


def test_after_our_close_the_peer_can_be_cut_off(
    world: World, versions: dict[str, Any], revocations: Revocations
) -> None:
    config, client = world.server(revocations=revocations, **versions), world.client(**versions)
    pair = world.connect(config, client=client)
    pair.send("server", Close())
    assert pair.server.send(CheckRevocations()) == []
    revoke_everything(revocations, world.clock.now + 1)
    (end,) = pair.server.send(CheckRevocations())
    assert isinstance(end, ConnectionTerminated)
    assert (end.reason, end.alert) == (Reason.SESSION_REVOKED, None)
    assert pair.server.data_to_send() == b""


def test_while_a_question_is_open(world: World, revocations: Revocations) -> None:
    pair = world.connect(world.server(revocations=revocations, answers={PrepareTicket: ASK}))
    assert isinstance(pair.server.pending, PrepareTicket)
    assert pair.server.send(CheckRevocations()) == []
    assert isinstance(pair.server.pending, PrepareTicket)
    revoke_everything(revocations, world.clock.now + 1)
    ended(pair, "everything refused from before ")


def test_forks_and_pickles_know_whose_they_are(
    world: World, versions: dict[str, Any], revocations: Revocations
) -> None:
    config = world.server(revocations=revocations, **versions)
    client = world.client(**versions)
    first = world.connect(config, client=client)
    pair = again(world, config, first, client)
    key_name = record(pair).identities[0].key_name
    fork = pair.server.fork()
    revocations.revoke_key(key_name)
    (end,) = fork.send(CheckRevocations())
    assert isinstance(end, ConnectionTerminated)
    assert end.reason is Reason.SESSION_REVOKED


def test_a_pickle_takes_what_is_revoked_with_it(
    world: World, versions: dict[str, Any], revocations: Revocations
) -> None:
    config = server_config(revocations=revocations, **versions)
    pair = ConnectionPair(world.client(**versions), config)
    pair.pump()
    revoke_everything(revocations, 4e9)
    restored = pickle.loads(pickle.dumps(pair.server))
    (end,) = restored.send(CheckRevocations())
    assert end.reason is Reason.SESSION_REVOKED


def test_where_nobody_could_know(world: World) -> None:
    pair = world.connect(world.server())
    with pytest.raises(LocalProtocolError, match="CheckRevocations, but the config has no revocations"):
        pair.server.send(CheckRevocations())
    with pytest.raises(LocalProtocolError, match="CheckRevocations on a client; expected a server"):
        pair.client.send(CheckRevocations())
    goes_on_without(pair)


def goes_on_without(pair: ConnectionPair) -> None:
    pair.send("server", SendData(b"nothing has changed"))
    assert pair.data("client") == b"nothing has changed"


def test_before_the_end_of_the_handshake_there_is_nothing_to_end(
    world: World, versions: dict[str, Any], revocations: Revocations
) -> None:
    config, client = world.server(revocations=revocations, **versions), world.client(**versions)
    first = world.connect(config, client=client)
    pair = ConnectionPair(client, config, server_name="server.example", session=received(first)[0])
    while not pair.events("server", HandshakeCompleted):
        assert pair.server.send(CheckRevocations()) == []
        assert pair.carry("client") or pair.carry("server")
    revoke_everything(revocations, world.clock.now + 1)
    (end,) = pair.server.send(CheckRevocations())
    assert isinstance(end, ConnectionTerminated)
    assert end.reason is Reason.SESSION_REVOKED
