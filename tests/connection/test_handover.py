"""Handing a connection over: in which states, what goes along, and what is left behind (docs/handover.md)."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from functools import cache
from typing import Any, Final

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz import world
from sansticket import (
    ASK,
    Abort,
    AcceptPeer,
    CheckRevocations,
    CipherSuite,
    ClientAuthentication,
    ClientConfig,
    ClientConnection,
    ClientSessionStore,
    Close,
    Command,
    ConfigError,
    ConnectionTerminated,
    DataReceived,
    Event,
    ExternalPsk,
    FlushTickets,
    HandoverError,
    IssueTicket,
    LocalProtocolError,
    LookUpPsk,
    PrepareTicket,
    ProtocolVersion,
    PskRole,
    RequestClientCertificate,
    Revocations,
    SealTicket,
    SendData,
    ServerConfig,
    ServerConnection,
    SessionCache,
    TicketReceived,
    UpdateKeys,
    VerifyPeer,
)
from sansticket.handshake.machine.state import Ended
from tests.support.configs import client_config, server_config
from tests.support.credentials import anchors, client_credential
from tests.support.handing_over import (
    COMMANDS,
    AnyConnection,
    handed_over,
    is_live,
    outcome,
    peer_records,
    picture,
    restored,
)
from tests.support.pair import ConnectionPair

VERSIONS: Final = pytest.mark.parametrize(
    "version", [ProtocolVersion.TLS_1_2, ProtocolVersion.TLS_1_3], ids=lambda version: version.name
)

VERSIONS: Final = pytest.mark.parametrize(
    "version", [ProtocolVersion.TLS_1_2, ProtocolVersion.TLS_1_3], ids=lambda version: version.name
)
# --- in every state ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", world.SIDES)
def test_every_state(side: world.Side) -> None:
    """A connection that is up goes on elsewhere exactly as it would have; any other stays as it is, and says why."""
    for moment in world.moments(side):
        if is_live(moment):
            goes_on(moment)
        else:
            before = picture(moment._engine)
            with pytest.raises(LocalProtocolError, match="export "):
                moment.export()
            assert picture(moment._engine) == before


def goes_on(moment: AnyConnection) -> None:
    original, reference = moment.fork(), moment.fork()
    twin = handed_over(original)
    assert picture(twin._engine) == picture(reference._engine)
    assert twin._engine.current_facts() == reference._engine.current_facts()
    is_dead(original)
    for item in (*COMMANDS, *peer_records(reference)):
        assert outcome(handed_over(reference.fork()), item) == outcome(reference.fork(), item)


def is_dead(connection: AnyConnection) -> None:
    for command in COMMANDS:
        with pytest.raises(LocalProtocolError, match="on a connection that was exported"):
            connection.send(command)
    for data in (b"\x17\x03\x03\0\1\0", b""):
        with pytest.raises(LocalProtocolError, match="receive_data on a connection that was exported"):
            connection.receive_data(data)
    with pytest.raises(LocalProtocolError, match="data_to_send on a connection that was exported"):
        connection.data_to_send()
    with pytest.raises(LocalProtocolError, match="export of a connection that was exported"):
        connection.export()
    with pytest.raises(LocalProtocolError, match="pickle of a connection that was exported"):
        pickle.dumps(connection)
    with pytest.raises(LocalProtocolError, match="export_keying_material on a connection that was exported"):
        connection.export_keying_material("EXPORTER-test", None, 16)
    with pytest.raises(LocalProtocolError, match="export_early_keying_material on a connection that was exp"):
        connection.export_early_keying_material("EXPORTER-test", None, 16)
    assert (connection.state, connection.pending) == ("Ended", None)


def test_a_copy_is_not_handed_over() -> None:
    pair = connected(ProtocolVersion.TLS_1_3)
    with pytest.raises(LocalProtocolError, match="export of a copy, which only reads"):
        copy.copy(pair.server).export()


def test_the_end_is_not_handed_over() -> None:
    pair = connected(ProtocolVersion.TLS_1_3)
    pair.send("server", Abort())
    assert isinstance(pair.server._engine.state, Ended)
    with pytest.raises(LocalProtocolError, match="export after the end"):
        pair.server.export()


# --- random scripts ----------------------------------------------------------------------------------------------

SIDES: Final = ("client", "server")
Script = list[tuple[str, Any]]

steps: Final = st.tuples(
    st.sampled_from(SIDES),
    st.one_of(
        st.integers(0, 40_000).map(lambda size: SendData(bytes(size % 251 for _ in range(size)))),
        st.sampled_from(
            [
                UpdateKeys(),
                UpdateKeys(request_peer=True),
                IssueTicket(2),
                FlushTickets(),
                RequestClientCertificate(),
                Close(),
            ]
        ),
        st.integers(1, 400),  # so many bytes are carried from this side to the other
        st.just(100_000),
    ),
)


def connected(version: ProtocolVersion, **changes: Any) -> ConnectionPair:
    """The same keys and the same random numbers each time."""
    client = world.client_config(versions=[version], answers={}, **changes)
    pair = ConnectionPair(client, world.server_config(versions=[version], answers={}))
    pair.pump()
    return pair


@cache
def at_rest(version: ProtocolVersion) -> ConnectionPair:
    return connected(version)


class Run:
    """One play of a script: ``over`` says before which steps both sides are handed over."""

    def __init__(self, version: ProtocolVersion, over: set[int]) -> None:
        pair = at_rest(version)
        self.over = over
        self.sides: dict[str, AnyConnection] = {"client": pair.client.fork(), "server": pair.server.fork()}
        self.way: dict[str, bytes] = {"client": b"", "server": b""}
        self.seen: list[Any] = []

    def play(self, script: Script) -> Run:
        for number, (side, item) in enumerate(script):
            if number in self.over:
                self.hand_over()
            if isinstance(item, int):
                self.carry(side, item)
            else:
                self.note(side, item)
        for side in (*SIDES, *SIDES):
            self.carry(side, 1 << 30)
        return self

    def hand_over(self) -> None:
        for side, connection in self.sides.items():
            if is_live(connection):
                self.sides[side] = handed_over(connection)

    def carry(self, side: str, size: int) -> None:
        self.way[side] += self.sides[side].data_to_send()
        data, self.way[side] = self.way[side][:size], self.way[side][size:]
        if data:
            self.seen.append(data)
            self.note("server" if side == "client" else "client", data)

    def note(self, side: str, item: Command | bytes) -> None:
        connection = self.sides[side]
        try:
            events: Any = (
                connection.send(item) if isinstance(item, Command) else connection.receive_data(item)
            )
        except LocalProtocolError as error:
            events = str(error)
        self.seen.append((side, events))


@settings(deadline=None)
@given(
    version=st.sampled_from([ProtocolVersion.TLS_1_2, ProtocolVersion.TLS_1_3]),
    script=st.lists(steps, max_size=12),
    over=st.sets(st.integers(0, 12), min_size=1, max_size=4),
)
def test_scripts_with_a_handover_anywhere(version: ProtocolVersion, script: Script, over: set[int]) -> None:
    """The same bytes and the same events as without."""
    assert Run(version, over).play(script).seen == Run(version, set()).play(script).seen


# --- what goes along ---------------------------------------------------------------------------------------------


@VERSIONS
def test_half_a_record_and_queued_output(version: ProtocolVersion) -> None:
    pair = connected(version)
    pair.client.send(SendData(b"a question"))
    record = pair.client.data_to_send()
    pair.server.receive_data(record[:9])
    pair.server.send(SendData(b"an answer"))
    handover = pair.server.export()
    assert handover.received == record[:9]
    twin = ServerConnection.restore(handover, pair.server._engine.config)  # type: ignore[arg-type]
    assert twin.receive_data(record[9:]) == [DataReceived(b"a question")]
    assert pair.client.receive_data(twin.data_to_send()) == [DataReceived(b"an answer")]


@VERSIONS
def test_what_is_known_goes_along(version: ProtocolVersion) -> None:
    pair = connected(version)
    names = (
        "version",
        "cipher_suite",
        "group",
        "alpn_protocol",
        "server_name",
        "peer_certificates",
        "session",
    )
    for connection in (pair.client, pair.server):
        known = [getattr(connection, name) for name in names]
        keys = connection.export_keying_material("EXPORTER-test", b"context", 32)
        twin = handed_over(connection)
        assert [getattr(twin, name) for name in names] == known
        assert twin.export_keying_material("EXPORTER-test", b"context", 32) == keys


def test_the_application_is_given_again() -> None:
    pair = connected(ProtocolVersion.TLS_1_3)
    config = pair.server._engine.config
    twin = restored(pair.server.export(), config, application="mine")
    pair.client.send(SendData(b"x"))
    (event,) = twin.receive_data(pair.client.data_to_send())
    assert event.connection.application == twin.application == "mine"


def test_sessions_that_come_go_into_the_store_that_was_visited() -> None:
    """And those of a connection that fails go from there, as if nothing had been."""
    store = ClientSessionStore()
    pair = connected(ProtocolVersion.TLS_1_3, session_store=store)
    config = pair.client._engine.config
    assert isinstance(config, ClientConfig)
    key = config.store_key("server.example")
    room = ClientSessionStore().room(key, world.TIME)
    pair.client = ClientConnection.restore(pair.client.export(), config)
    pair.send("server", IssueTicket())
    pair.send("server", FlushTickets())
    assert len(pair.events("client", TicketReceived)) == 3
    assert store.room(key, world.TIME) == room - 3
    pair.send("server", Abort())
    assert store.room(key, world.TIME) == room


def test_a_config_with_a_store_where_there_was_none_visits_none() -> None:
    pair = connected(ProtocolVersion.TLS_1_3)
    config = pair.client._engine.config
    assert isinstance(config, ClientConfig)
    store = ClientSessionStore()
    pair.client = ClientConnection.restore(pair.client.export(), evolve(config, session_store=store))
    pair.send("server", IssueTicket())
    pair.send("server", FlushTickets())
    assert len(store) == 0


def test_sessions_in_the_cache_go_with_the_connection_that_fails() -> None:
    cache = SessionCache()
    server = server_config(session_cache=cache, ticket_keys=None)
    pair = ConnectionPair(client_config(), server)
    pair.pump()
    assert len(cache) == 2
    pair.server = ServerConnection.restore(pair.server.export(), server)
    pair.send("client", Abort())
    assert len(cache) == 0


def test_revocations_are_of_the_same_subject() -> None:
    """What the last ticket carried goes along: the subject is known in the other process."""
    revocations = Revocations()
    server = server_config(revocations=revocations, answers={PrepareTicket: lambda _: SealTicket(b"alice")})
    pair = ConnectionPair(client_config(), server)
    pair.pump()
    pair.server = ServerConnection.restore(pair.server.export(), server)
    assert pair.send("server", CheckRevocations()) == []
    revocations.revoke_subject(b"alice", pair.server._engine.config.clock())
    (end,) = pair.send("server", CheckRevocations())
    assert isinstance(end, ConnectionTerminated)


# --- what does not fit -------------------------------------------------------------------------------------------

OTHER_CONFIGS: Final[dict[str, tuple[str, str, Callable[[Any], Any]]]] = {
    "versions": ("server", "versions", lambda config: evolve(config, versions=[ProtocolVersion.TLS_1_2])),
    "suites": (
        "client",
        "cipher_suites",
        lambda config: evolve(config, cipher_suites=[CipherSuite.CHACHA20_POLY1305_SHA256]),
    ),
    "protocols": ("client", "alpn_protocols", lambda config: evolve(config, alpn_protocols=[b"http/1.1"])),
    "anchors": ("server", "session_id_context", lambda config: evolve(config, trust_anchors=None)),
    "verifier": (
        "client",
        "verification_label",
        lambda config: evolve(config, answers={VerifyPeer: lambda _: AcceptPeer()}),
    ),
    "post-handshake": (
        "client",
        "post_handshake_auth",
        lambda config: evolve(config, post_handshake_auth=False),
    ),
    "tickets": ("server", "ticket_keys", lambda config: evolve(config, ticket_keys=None)),
}


@pytest.mark.parametrize("what", OTHER_CONFIGS)
def test_a_config_that_does_not_fit_is_named(what: str) -> None:
    side, name, change = OTHER_CONFIGS[what]
    pair = ConnectionPair(
        client_config(alpn_protocols=[b"h2"], post_handshake_auth=True),
        server_config(alpn_protocols=[b"h2"], trust_anchors=anchors(), groups=client_config().groups),
    )
    pair.pump()
    pair.server.send(IssueTicket())
    connection: AnyConnection = pair.client if side == "client" else pair.server
    config = connection._engine.config
    handover = connection.export()
    with pytest.raises(ConfigError) as error:
        restored(handover, change(config))
    assert error.value.field == name
    restored(handover, config)


@pytest.mark.parametrize("version", [ProtocolVersion.TLS_1_2, ProtocolVersion.TLS_1_3])
def test_a_client_without_the_certificate_that_is_required(version: ProtocolVersion) -> None:
    """As in a resumption: that the context is the same does not make up for it."""
    server = server_config(trust_anchors=anchors(), session_id_context=b"site", versions=[version])
    required = evolve(server, client_authentication=ClientAuthentication.REQUIRED)
    for optional, credentials in (
        (server, ()),
        (evolve(server, client_authentication=ClientAuthentication.OPTIONAL), ()),
        (evolve(server, client_authentication=ClientAuthentication.OPTIONAL), [client_credential()]),
    ):
        pair = ConnectionPair(client_config(credentials=credentials), optional)
        pair.pump()
        handover = pair.server.export()
        if credentials:
            assert restored(handover, required).peer_certificates == client_credential().chain
            continue
        with pytest.raises(ConfigError) as error:
            restored(handover, required)
        assert error.value.field == "client_authentication"
        assert restored(handover, optional).peer_certificates == ()


def test_a_connection_without_the_extended_master_secret_that_is_required() -> None:
    pair = connected(ProtocolVersion.TLS_1_2)
    for connection in (pair.client, pair.server):
        config = connection._engine.config
        required = evolve(config, require_extended_master_secret=True)
        handover = connection.export()
        without = evolve(handover, extended_master_secret=False)
        with pytest.raises(ConfigError) as error:
            restored(without, required)
        assert error.value.field == "require_extended_master_secret"
        assert restored(without, config).version == restored(handover, required).version


def test_a_psk_that_was_withdrawn() -> None:
    """The connection is its own: who has no such PSK any more does not go on with it, unless it is looked up."""
    for side, role in (("client", PskRole.CLIENT), ("server", PskRole.SERVER)):
        connection = world.places(side)["psk", f"tls13.{side.title()}Connected"]  # type: ignore[index]
        config = connection._engine.config
        answers = {kind: how for kind, how in config.answers.items() if kind is not LookUpPsk}
        config = evolve(config, psks=(), answers=answers)
        with pytest.raises(ConfigError) as error:
            restored(connection.fork().export(), config)
        assert error.value.field == "psks"
        other = evolve(config, psks=[ExternalPsk(b"sensor", bytes(32), role=role)])
        with pytest.raises(ConfigError, match="was verified under another policy"):
            restored(connection.fork().export(), other)
    looked_up = evolve(config, answers={**config.answers, LookUpPsk: ASK})
    assert restored(connection.fork().export(), looked_up).psk_identity == b"sensor"


def test_requests_need_somebody_to_verify() -> None:
    pair = connected(ProtocolVersion.TLS_1_3)
    pair.server.send(RequestClientCertificate())
    config = pair.server._engine.config
    assert isinstance(config, ServerConfig)
    context = config.effective_session_id_context
    with pytest.raises(ConfigError) as error:
        restored(pair.server.export(), evolve(config, trust_anchors=None, session_id_context=context))
    assert error.value.field == "trust_anchors"


def test_the_other_side() -> None:
    pair = connected(ProtocolVersion.TLS_1_3)
    configs = pair.client._engine.config, pair.server._engine.config
    of_client, of_server = pair.client.export(), pair.server.export()
    with pytest.raises(HandoverError, match="of_server: a client's connection; expected a server's"):
        restored(of_client, configs[1])
    with pytest.raises(HandoverError, match="of_server: a server's connection; expected a client's"):
        restored(of_server, configs[0])
    with pytest.raises(TypeError, match="restore of bytes; expected a Handover"):
        restored(of_server.to_bytes(), configs[1])  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="config"):
        ServerConnection.restore(of_server, configs[0])  # type: ignore[arg-type]


def test_an_alert_after_it() -> None:
    """A record that does not open ends the connection there as here."""
    pair = connected(ProtocolVersion.TLS_1_3)
    twin = handed_over(pair.server)
    events: list[Event] = twin.receive_data(b"\x17\x03\x03\0\x20" + bytes(32))
    assert isinstance(events[-1], ConnectionTerminated)
    (end,) = pair.client.receive_data(twin.data_to_send())
    assert isinstance(end, ConnectionTerminated)
    assert end.by_peer
