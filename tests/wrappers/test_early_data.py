"""Early data over sockets: told apart in asyncio, and the first that comes after the handshake everywhere else."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any

import pytest
import trio
import trio.testing
from attrs import evolve, frozen
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from sansticket import (
    AcceptEarlyData,
    AdmitEarlyData,
    ClaimEarlyData,
    ClientConnection,
    Close,
    Command,
    DataReceived,
    EarlyDataClaimed,
    EarlyDataStatus,
    Event,
    HandshakeCompleted,
    Question,
    ReplayRecorder,
    SendData,
    SendEarlyData,
    ServerConfig,
    ServerConnection,
    Session,
    TicketReceived,
    WindowedTicketKeys,
)
from sansticket_wrappers.asyncio import EarlyData, TLSError, open_connection
from sansticket_wrappers.blocking import SSLContext, in_thread
from sansticket_wrappers.trio import TLSStream
from tests.support.command import PATIENCE
from tests.support.configs import client_config, server_config
from tests.support.loopback import Line
from tests.support.pair import ConnectionPair
from tests.support.sockets import beside, listening
from tests.wrappers import test_trio, test_twisted
from tests.wrappers.test_asyncio import NAME, run, serving

LIMIT = 1000
EARLY = b"what comes early"
LATE = b", and what does not"
CLIENT = client_config(early_data=True)


def server(**changes: Any) -> ServerConfig:
    defaults: dict[str, Any] = {
        "ticket_keys": WindowedTicketKeys(bytes(32)),
        "max_early_data": LIMIT,
        "replay": ReplayRecorder(since=-inf),
    }
    return server_config(**{**defaults, **changes})


def session_of(config: ServerConfig) -> Session:
    """As a client has it that was there before."""
    pair = ConnectionPair(CLIENT, evolve(config, answers={}))
    pair.pump()
    return pair.events("client", TicketReceived)[0].session


class ByHand:
    """A client on asyncio that sends when it is told to: its first flight is ready, with early data if it can be."""

    def __init__(self, session: Session | None, early: bytes = EARLY) -> None:
        self.connection = ClientConnection(CLIENT, NAME, session)
        if session is not None:
            self.connection.send(SendEarlyData(early))
        self.events: list[Event] = []

    async def connect(self, port: int) -> None:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)

    def flush(self) -> bytes:
        flight = self.connection.data_to_send()
        self.writer.write(flight)
        return flight

    def send(self, command: Command) -> None:
        self.connection.send(command)
        self.flush()

    async def hear(self, kind: type[Event]) -> None:
        """Until it has happened; nothing is sent."""
        while not any(isinstance(event, kind) for event in self.events):
            await self.take()

    async def take(self) -> None:
        """What comes next, which is not the end."""
        data = await self.reader.read(10_000)
        assert data, f"the end came after {self.events}"
        self.events += self.connection.receive_data(data)

    @property
    def data(self) -> bytes:
        return b"".join(event.data for event in self.events if isinstance(event, DataReceived))


@frozen
class Read:
    """What a handler of the server found at some moment."""

    data: bytes
    early: int
    completed: bool


class Handler:
    """Answers the first that it reads, and notes everything."""

    def __init__(self, answer: bytes = b"an answer") -> None:
        self.answer = answer
        self.found: list[Read] = []
        self.error: Exception | None = None

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        early: EarlyData = writer.get_extra_info("early_data")
        try:
            while data := await reader.read(1000):
                self.found.append(Read(data, early.received, early.completed))
                if len(self.found) == 1:
                    writer.write(self.answer)
                    await early.wait()
        except OSError as error:
            self.error = error


async def until(what: Callable[[], object]) -> None:
    while not what():
        await asyncio.sleep(0.01)


# --- asyncio -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("half_rtt", [True, False])
def test_early_data_comes_before_the_handshake_is_done(half_rtt: bool) -> None:
    """The client's second flight is held back.  With ``half_rtt`` the answer does not wait for it."""
    config, handler = server(half_rtt=half_rtt), Handler()

    async def main() -> None:
        async with serving(config, handler, early_data=True) as port:
            client = ByHand(session_of(config))
            await client.connect(port)
            client.flush()
            await until(lambda: handler.found)
            await client.hear(HandshakeCompleted)
            if half_rtt:
                await client.hear(DataReceived)
                assert client.data == handler.answer
            await asyncio.sleep(0.1)
            assert handler.found == [Read(EARLY, len(EARLY), completed=False)]
            client.send(SendData(LATE))
            await client.hear(DataReceived)
            assert client.data == handler.answer
            await until(lambda: len(handler.found) == 2)
            client.send(Close())
            client.writer.close()
        assert handler.found[1:] == [Read(LATE, len(EARLY), completed=True)]
        assert handler.error is None

    run(main())


def test_who_does_not_ask_for_it_reads_it_after_the_handshake() -> None:
    config, handler = server(), Handler()

    async def main() -> None:
        async with serving(config, handler) as port:
            client = ByHand(session_of(config))
            await client.connect(port)
            client.flush()
            await client.hear(HandshakeCompleted)
            await asyncio.sleep(0.1)
            assert handler.found == []
            client.send(SendData(LATE))
            await client.hear(DataReceived)
            client.send(Close())
            client.writer.close()
        assert b"".join(read.data for read in handler.found) == EARLY + LATE
        assert all(read.early == len(EARLY) and read.completed for read in handler.found)

    run(main())


def test_a_recorded_flight_is_read_once() -> None:
    config, handler = server(), Handler()

    async def main() -> None:
        async with serving(config, handler, early_data=True) as port:
            client = ByHand(session_of(config))
            await client.connect(port)
            flight = client.flush()
            await until(lambda: handler.found)
            for _ in range(3):
                _, attacker = await asyncio.open_connection("127.0.0.1", port)
                attacker.write(flight)
                await attacker.drain()
                await asyncio.sleep(0.05)
                attacker.close()
            assert len(handler.found) == 1
            await client.hear(HandshakeCompleted)
            client.send(Close())
            client.writer.close()
        assert handler.found == [Read(EARLY, len(EARLY), completed=False)]

    run(main())


def test_a_client_that_never_comes_back_ends_as_a_failure() -> None:
    """Whoever handles early data hears that there was no handshake."""
    config, handler = server(), Handler()

    async def main() -> None:
        async with serving(config, handler, early_data=True) as port:
            client = ByHand(session_of(config))
            await client.connect(port)
            client.flush()
            await until(lambda: handler.found)
            client.writer.close()
            await until(lambda: handler.error)
        assert isinstance(handler.error, TLSError)

    run(main())


def test_the_time_for_the_handshake_goes_on() -> None:
    config, handler = server(), Handler()

    async def main() -> None:
        async with serving(config, handler, early_data=True, timeout=1) as port:
            client = ByHand(session_of(config))
            await client.connect(port)
            client.flush()
            await until(lambda: handler.error)
            assert isinstance(handler.error, TimeoutError)
            assert handler.found == [Read(EARLY, len(EARLY), completed=False)]
            client.writer.close()

    with pytest.raises(TimeoutError, match="the TLS handshake took too long"):
        run(main())  # of the handler that closes


def test_what_is_closed_early_is_closed_when_the_handshake_is_done() -> None:
    config = server()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read(1000)).upper())

    async def main() -> None:
        async with serving(config, handler, early_data=True) as port:
            reader, writer = await open_connection(
                *("127.0.0.1", port, CLIENT), server_name=NAME, session=session_of(config), early_data=EARLY
            )
            assert await reader.read() == EARLY.upper()
            writer.close()
            await writer.wait_closed()

    run(main())


def test_an_application_that_writes_early_is_slowed_down() -> None:
    """What waits for the handshake is not without bound: ``drain`` waits too."""
    config = server()
    drained: list[bool] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        early: EarlyData = writer.get_extra_info("early_data")
        await reader.read(1000)
        writer.write(b"an answer")
        await writer.drain()
        drained.append(early.completed)

    async def main() -> None:
        async with serving(config, handler, early_data=True) as port:
            client = ByHand(session_of(config))
            await client.connect(port)
            client.flush()
            await client.hear(HandshakeCompleted)
            await asyncio.sleep(0.1)
            assert not drained
            client.flush()
            await client.hear(DataReceived)
            client.send(Close())
            client.writer.close()
        assert drained == [True]

    run(main())


@pytest.mark.parametrize("taken", [True, False])
def test_a_client_knows_what_became_of_it(taken: bool) -> None:
    config = server()
    there = config if taken else evolve(config, max_early_data=0)

    async def main() -> None:
        async with serving(there, early_data=True) as port:
            reader, writer = await open_connection(
                *("127.0.0.1", port, CLIENT), server_name=NAME, session=session_of(config), early_data=EARLY
            )
            early = writer.get_extra_info("early_data")
            assert early.sent == (len(EARLY) if taken else 0)
            if not early.sent:
                writer.write(EARLY)
            writer.write(LATE)
            writer.write_eof()
            assert await reader.read() == (EARLY + LATE).upper()
            writer.close()
            await writer.wait_closed()

    run(main())


@pytest.mark.parametrize("length", [LIMIT, LIMIT + 1])
def test_all_of_it_is_sent_or_nothing(length: int) -> None:
    config = server()

    async def main() -> None:
        async with serving(config) as port:
            _, writer = await open_connection(
                *("127.0.0.1", port, CLIENT),
                server_name=NAME,
                session=session_of(config),
                early_data=bytes(length),
            )
            assert writer.get_extra_info("early_data").sent == (length if length == LIMIT else 0)
            writer.close()
            await writer.wait_closed()

    run(main())


def test_without_a_session_nothing_is_sent_early() -> None:
    async def main() -> None:
        async with serving(server()) as port:
            _, writer = await open_connection("127.0.0.1", port, CLIENT, server_name=NAME, early_data=EARLY)
            assert writer.get_extra_info("early_data").sent == 0
            writer.close()
            await writer.wait_closed()

    run(main())


# --- everywhere ----------------------------------------------------------------------------------------------


def visit(port: int, session: Session) -> tuple[bytes, EarlyDataStatus]:
    """By blocking sockets: early data and other, the answer, and whether the server took what was early."""
    sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
    with Line(sock, ClientConnection(CLIENT, NAME, session)) as line:
        line.send(SendEarlyData(EARLY))
        line.shake_hands()
        status = line.connection.early_data
        line.send(SendData(LATE if status is EarlyDataStatus.ACCEPTED else EARLY + LATE))
        answer = line.take(len(EARLY + LATE))
        line.close()
    return answer, status


def visit_asyncio(config: ServerConfig, session: Session, **options: Any) -> tuple[bytes, EarlyDataStatus]:
    results: list[tuple[bytes, EarlyDataStatus]] = []

    async def main() -> None:
        async with serving(config, **options) as port:
            results.append(await asyncio.to_thread(visit, port, session))

    run(main())
    return results[0]


def visit_trio(config: ServerConfig, session: Session, **options: Any) -> tuple[bytes, EarlyDataStatus]:
    results: list[tuple[bytes, EarlyDataStatus]] = []

    async def capitals(stream: TLSStream) -> None:
        async for data in stream:
            await stream.send_all(data.upper())

    async def main() -> None:
        async with test_trio.serving(config, capitals, **options) as port:
            results.append(await trio.to_thread.run_sync(visit, port, session))

    test_trio.run(main)
    return results[0]


def visit_twisted(config: ServerConfig, session: Session, **options: Any) -> tuple[bytes, EarlyDataStatus]:
    results: list[tuple[bytes, EarlyDataStatus]] = []

    async def main(reactor: Any) -> None:
        async with test_twisted.serving(reactor, config, **options) as accepting:
            pool = reactor.getThreadPool()
            results.append(await deferToThreadPool(reactor, pool, visit, accepting.port, session))

    raising = [kind for kind, answer in options.get("answers", {}).items() if answer is raises]
    test_twisted.run(main, complaints=["the recorder is not there"] * len(raising))
    return results[0]


def visit_blocking(
    config: ServerConfig, session: Session, *, answers: Any = None, answer_timeout: float = 5
) -> tuple[bytes, EarlyDataStatus]:
    if answers:
        threaded = {kind: in_thread(function, timeout=answer_timeout) for kind, function in answers.items()}
        config = evolve(config, answers=threaded)
    context = SSLContext(config)
    with listening() as listener:

        def serve() -> None:
            below, _ = listener.accept()
            below.settimeout(PATIENCE)
            with context.wrap_socket(below, server_side=True) as sock:
                while data := sock.recv(1000):
                    sock.sendall(data.upper())

        with beside(serve):
            return visit(listener.getsockname()[1], session)


async def never(question: Question) -> Command:
    await asyncio.sleep(PATIENCE)
    raise AssertionError


async def never_in_trio(question: Question) -> Command:
    await trio.sleep(PATIENCE)
    raise AssertionError


async def never_in_twisted(question: Question) -> Command:
    answer: Deferred[Command] = Deferred()
    return await answer


Visit = Callable[..., tuple[bytes, EarlyDataStatus]]
VISITS = {"asyncio": visit_asyncio, "trio": visit_trio, "twisted": visit_twisted, "blocking": visit_blocking}
NEVER = {"asyncio": never, "trio": never_in_trio, "twisted": never_in_twisted, "blocking": never}

everywhere = pytest.mark.parametrize("where", VISITS)


@everywhere
def test_nothing_that_was_accepted_is_lost(where: str) -> None:
    config = server()
    assert VISITS[where](config, session_of(config)) == ((EARLY + LATE).upper(), EarlyDataStatus.ACCEPTED)


async def claims(question: ClaimEarlyData) -> EarlyDataClaimed:
    return EarlyDataClaimed()


async def admits(question: AdmitEarlyData) -> AcceptEarlyData:
    return AcceptEarlyData()


async def raises(question: Question) -> Command:
    raise RuntimeError("the recorder is not there")


@everywhere
@pytest.mark.parametrize(("kind", "answer"), [(ClaimEarlyData, claims), (AdmitEarlyData, admits)])
def test_it_is_taken_where_the_application_says_so(where: str, kind: Any, answer: Any) -> None:
    config = server()
    got, status = VISITS[where](config, session_of(config), answers={kind: answer})
    assert (got, status) == ((EARLY + LATE).upper(), EarlyDataStatus.ACCEPTED)


@everywhere
@pytest.mark.parametrize("kind", [ClaimEarlyData, AdmitEarlyData])
@pytest.mark.parametrize("late", [True, False])
def test_without_an_answer_it_is_refused_and_the_connection_goes_on(
    where: str, kind: Any, late: bool
) -> None:
    """Whether the coroutine is late or raises: RFC 9846 section 8.2."""
    config = server()
    answers = {kind: NEVER[where] if late else raises}
    got, status = VISITS[where](config, session_of(config), answers=answers, answer_timeout=0.05)
    assert (got, status) == ((EARLY + LATE).upper(), EarlyDataStatus.REJECTED)


def test_trio_gives_early_data_to_nobody_before_the_handshake_is_done() -> None:
    """Not to who comes again after he was cancelled, nor where the handshake has failed meanwhile."""
    config = server()

    async def main(fails: bool) -> None:
        client = ClientConnection(CLIENT, NAME, session_of(config))
        client.send(SendEarlyData(EARLY))
        below, other = trio.testing.memory_stream_pair()
        stream = TLSStream(other, ServerConnection(config), linger=0.05)
        await below.send_all(client.data_to_send())
        for _ in range(3):
            with trio.move_on_after(1) as scope:
                await stream.receive_some()
            assert scope.cancelled_caught
        client.receive_data(await below.receive_some())
        if fails:
            await below.send_all(bytes(100))
            for _ in range(2):
                with pytest.raises(trio.BrokenResourceError):
                    await stream.receive_some()
        else:
            await below.send_all(client.data_to_send())
            assert await stream.receive_some() == EARLY
        await trio.aclose_forcefully(stream)

    test_trio.run_on_mock_clock(partial(main, True))
    test_trio.run_on_mock_clock(partial(main, False))
