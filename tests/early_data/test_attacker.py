"""An attacker records what clients send first, and sends it again: when he likes, to whichever of three servers.

Their clocks differ and are set, servers and stores are restarted, flights are cut and mixed.  Whatever he does: early
data of one ClientHello is delivered once in the fleet where the recorder is shared, and once by each server where it is
not; nothing is delivered as early data that no client sent so; and what a client was told is accepted is there.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

import pytest
from attrs import define, field
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from sansticket import (
    ClaimEarlyData,
    ClientConnection,
    DataReceived,
    EarlyDataClaimed,
    EarlyDataNotClaimed,
    EarlyDataStatus,
    Event,
    HandshakeCompleted,
    ReplayRecorder,
    SendData,
    SendEarlyData,
    ServerConfig,
    ServerConnection,
    Session,
)
from tests.support.early_data import World, early_data_of

FRESH = 20.0
"""Seconds within which a ClientHello is in time, by the clock of one server."""

APART = 40.0
"""By how many seconds the clocks of two servers differ at most, or that of one at two times."""

BACK = 10.0
"""By how many seconds a clock goes back at most while its server is restarted."""


@define
class Hello:
    """``taken``: by which servers its early data was delivered, one entry for each time."""

    early: bytes
    client: ClientConnection
    flight: bytes
    made: float
    touched: bool = False
    """Somebody else has sent it, or a part of it."""
    taken: list[int] = field(factory=list)


@define
class Server:
    number: int
    time: Callable[[], float]
    offset: float = 0.0
    latest: float = -inf
    """The latest time that its clock has shown."""

    recorder: ReplayRecorder | None = None
    config: ServerConfig | None = None

    def clock(self) -> float:
        now = self.time() + self.offset
        self.latest = max(self.latest, now)
        return now

    def connection(self) -> ServerConnection:
        assert self.config is not None
        return ServerConnection(self.config)


class Attacker(RuleBasedStateMachine):
    """Of a fleet; ``SHARED``: its servers have one recorder."""

    SHARED = False

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.begun = self.world.now
        self.servers = [Server(number, self.world.clock) for number in range(3)]
        self.sessions: list[Session] = []
        self.hellos: list[Hello] = []
        self.calm = True
        """No clock was ever set, and nobody restarted."""

    @initialize()
    def begin(self) -> None:
        self.restart_the_store()
        for server in self.servers:
            self.configure(server)
        self.calm = True
        self.a_client_comes(0)

    # --- servers

    def configure(self, server: Server) -> None:
        named: dict[str, Any] = {"clock": server.clock}
        if self.SHARED:
            server.config = self.world.server_config(
                **named, replay=None, answers={ClaimEarlyData: lambda question: self.claim(server, question)}
            )
        else:
            server.recorder = ReplayRecorder(FRESH + BACK, since=server.clock())
            server.config = self.world.server_config(**named, replay=server.recorder)

    def claim(self, server: Server, question: ClaimEarlyData) -> EarlyDataClaimed | EarlyDataNotClaimed:
        """As Redis does it: by a clock of its own, which goes as time does."""
        in_time = question.until - server.clock() <= FRESH + APART
        if in_time and self.store.claim(question.key, self.world.now):
            return EarlyDataClaimed()
        return EarlyDataNotClaimed()

    @precondition(lambda self: self.SHARED)
    @rule()
    def restart_the_store(self) -> None:
        """It loses what it knew."""
        self.calm = False
        self.begun = self.world.now
        self.store = ReplayRecorder(FRESH + APART, since=self.world.now)

    @precondition(lambda self: not self.SHARED)
    @rule(number=st.integers(0, 2))
    def restart(self, number: int) -> None:
        server = self.servers[number]
        if server.clock() >= server.latest - BACK:
            self.calm = False
            self.configure(server)

    @rule(number=st.integers(0, 2), offset=st.floats(-APART / 2, APART / 2))
    def set_a_clock(self, number: int, offset: float) -> None:
        self.calm = False
        self.servers[number].offset = offset

    @precondition(lambda self: not self.SHARED)
    @rule(number=st.integers(0, 2), offset=st.floats(-1000, 1000))
    def set_a_clock_wildly(self, number: int, offset: float) -> None:
        """A recorder of one's own endures that, as long as it is there."""
        self.set_a_clock(number, offset)

    @rule(seconds=st.one_of(st.floats(0, 30), st.sampled_from([FRESH, FRESH + BACK, FRESH + APART, 70])))
    def time_passes(self, seconds: float) -> None:
        self.world.now += seconds

    # --- clients

    @rule(number=st.integers(0, 2))
    def a_client_comes(self, number: int) -> None:
        server = self.servers[number]
        self.sessions += self.world.sessions(server.config)
        self.sessions = self.sessions[-6:]

    @rule(which=st.integers(0, 5), records=st.integers(1, 3))
    def a_client_comes_back(self, which: int, records: int) -> None:
        """The attacker has what it sends, before anybody else has it."""
        session = self.sessions[which % len(self.sessions)]
        client = ClientConnection(self.world.client_config(), "server.example", session)
        parts = [b"%d of hello %d;" % (part, len(self.hellos)) for part in range(records)]
        for part in parts:
            if client.early_data_left:
                client.send(SendEarlyData(part))
        sent = b"".join(parts) if client.early_data is EarlyDataStatus.OFFERED else b""
        self.hellos.append(Hello(sent, client, client.data_to_send(), self.world.now))

    # --- what the attacker does

    @precondition(lambda self: self.hellos)
    @rule(which=st.integers(0, 50), number=st.integers(0, 2))
    def replay(self, which: int, number: int) -> None:
        self.attack(self.hellos[which % len(self.hellos)], number)

    @precondition(lambda self: self.hellos)
    @rule(which=st.integers(0, 50))
    def replay_to_all_at_once(self, which: int) -> None:
        hello = self.hellos[which % len(self.hellos)]
        for number in range(6):
            self.attack(hello, number % 3)

    @precondition(lambda self: self.hellos)
    @rule(which=st.integers(0, 50), number=st.integers(0, 2), length=st.integers(1, 4000))
    def replay_a_part(self, which: int, number: int, length: int) -> None:
        """The rest comes never."""
        hello = self.hellos[which % len(self.hellos)]
        self.attack(hello, number, hello.flight[: length % len(hello.flight)])

    @precondition(lambda self: self.hellos)
    @rule(which=st.integers(0, 50), other=st.integers(0, 50), number=st.integers(0, 2))
    def mix(self, which: int, other: int, number: int) -> None:
        """A ClientHello, and the early data of another."""
        hello, another = (self.hellos[index % len(self.hellos)] for index in (which, other))
        end = 5 + int.from_bytes(hello.flight[3:5])
        self.attack(
            hello, number, hello.flight[:end] + another.flight[5 + int.from_bytes(another.flight[3:5]) :]
        )

    @precondition(lambda self: self.hellos)
    @rule(
        which=st.integers(0, 50), number=st.integers(0, 2), place=st.integers(0, 4000), bit=st.integers(0, 7)
    )
    def change_a_bit(self, which: int, number: int, place: int, bit: int) -> None:
        hello = self.hellos[which % len(self.hellos)]
        flight = bytearray(hello.flight)
        flight[place % len(flight)] ^= 1 << bit
        self.attack(hello, number, bytes(flight))

    def attack(self, hello: Hello, number: int, flight: bytes | None = None) -> None:
        hello.touched = True
        happened = self.servers[number].connection().receive_data(hello.flight if flight is None else flight)
        self.judge(hello, number, happened)
        assert not any(isinstance(event, HandshakeCompleted | DataReceived) for event in happened)

    def judge(self, hello: Hello, number: int, happened: list[Event]) -> None:
        early = early_data_of(happened)
        assert hello.early.startswith(early), "nothing is early that was not sent so"
        if early:
            hello.taken.append(number)
            seen = len(hello.taken) if self.SHARED else hello.taken.count(number)
            assert seen == 1, f"it was delivered before: {hello.taken}"

    # --- what becomes of the client itself

    @precondition(lambda self: self.hellos)
    @rule(which=st.integers(0, 50), number=st.integers(0, 2))
    def the_client_arrives(self, which: int, number: int) -> None:
        hello = self.hellos.pop(which % len(self.hellos))
        server, client = self.servers[number].connection(), hello.client
        there = server.receive_data(hello.flight)
        here = client.receive_data(server.data_to_send())
        client.send(SendData(b"late"))
        there += server.receive_data(client.data_to_send())
        self.judge(hello, number, there)
        completed = [index for index, event in enumerate(there) if isinstance(event, HandshakeCompleted)]
        late = [(index, event.data) for index, event in enumerate(there) if isinstance(event, DataReceived)]
        assert len(completed) == 1
        assert [data for _, data in late] == [b"late"], "and no early data among it"
        assert late[0][0] > completed[0]
        assert any(isinstance(event, HandshakeCompleted) for event in here)
        accepted = client.early_data is EarlyDataStatus.ACCEPTED
        assert (server.early_data is EarlyDataStatus.ACCEPTED) == accepted
        assert early_data_of(there) == (hello.early if accepted else b""), "nothing is lost that was accepted"
        if self.expects(hello):
            assert accepted, "it is easy to be safe for who refuses everything"

    def expects(self, hello: Hello) -> bool:
        """Whether the early data of a client has to be accepted: it comes at once, and nothing ever went wrong."""
        window = FRESH + (APART if self.SHARED else BACK)
        in_time = self.world.now - hello.made < FRESH / 2
        undisturbed = self.calm and not hello.touched and self.world.now > self.begun + window
        return undisturbed and in_time and bool(hello.early)


class AttackerOfOneRecorder(Attacker):
    SHARED = True


TestAttackerOfEach = Attacker.TestCase
TestAttackerOfOne = AttackerOfOneRecorder.TestCase


# --- why the windows are longer than that of early data ------------------------------------------------------


def delivered(config: ServerConfig, flight: bytes) -> bool:
    return bool(early_data_of(ServerConnection(config).receive_data(flight)))


@pytest.mark.parametrize(("window", "again"), [(FRESH, True), (FRESH + 5, False)])
def test_a_clock_that_goes_back_over_a_restart(window: float, again: bool) -> None:
    """A hello that came as early as it may, and is replayed as late as it may: a new recorder cannot know of it."""
    world = World()
    session = world.session()
    flight = world.first_flight(b"early", session)
    made = world.now
    world.now = made - 9.9
    server = world.server_config(replay=ReplayRecorder(FRESH, since=-inf))
    assert delivered(server, flight)
    world.now -= 5  # while it is restarted
    restarted = world.server_config(replay=ReplayRecorder(window, since=world.now))
    world.now = made + 9.9
    assert delivered(restarted, flight) == again


@pytest.mark.parametrize(("window", "again"), [(FRESH, True), (FRESH + 15, False)])
def test_clocks_that_differ(window: float, again: bool) -> None:
    """By 15 seconds: as early as may be on the one that is behind, as late as may be on the one that is ahead."""
    world = World()
    session = world.session()
    flight = world.first_flight(b"early", session)
    made, store = world.now, ReplayRecorder(window, since=-inf)

    def server(offset: float) -> ServerConfig:
        def claim(question: ClaimEarlyData) -> EarlyDataClaimed | EarlyDataNotClaimed:
            return EarlyDataClaimed() if store.claim(question.key, world.now) else EarlyDataNotClaimed()

        answers = {ClaimEarlyData: claim}
        return world.server_config(replay=None, clock=lambda: world.now + offset, answers=answers)

    ahead, behind = server(7.5), server(-7.5)
    world.now = made - 9.9 - 7.5
    assert delivered(ahead, flight)
    world.now = made + 9.9 + 7.5
    assert delivered(behind, flight) == again
