"""The wrapper for Trio: Trio's own checks of a stream, and loopback with itself and with Trio's SSLStream."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from math import inf
from typing import Any

import pytest
import trio
import trio.testing

from sansticket import (
    ASK,
    Abort,
    AcceptPeer,
    AlertDescription,
    ClientConnection,
    ClientSessionStore,
    Command,
    ConnectionTerminated,
    DataReceived,
    Event,
    IssueTicket,
    LookUpSession,
    PrepareTicket,
    ProtocolVersion,
    ProvideSession,
    Question,
    Reason,
    SealTicket,
    SelectConfig,
    ServerConfig,
    ServerConnection,
    Session,
    TicketIssued,
    TicketReceived,
    UpdateKeys,
    UseConfig,
    VerifyPeer,
)
from sansticket.debug.trace import Carried, Happened
from sansticket.debug.watch import watch
from sansticket_wrappers.trio import TLSError, TLSStream, open_tls_over_tcp_stream, serve_tls_over_tcp
from tests.support.certificates import authority, new_authority, server_identity
from tests.support.command import PATIENCE
from tests.support.configs import client_config, server_config
from tests.support.credentials import anchors_of
from tests.support.loopback import free_port
from tests.support.stdlib_peer import client_context, server_context

NAME = "server.example"
Handler = Callable[[TLSStream], Awaitable[None]]


def run(main: Callable[[], Awaitable[None]], **options: Any) -> None:
    async def bounded() -> None:
        with trio.fail_after(PATIENCE):
            await main()

    trio.run(bounded, **options)


def run_on_mock_clock(main: Callable[[], Awaitable[None]]) -> None:
    """Time passes at once when nobody can go on."""
    run(main, clock=trio.testing.MockClock(autojump_threshold=0))


@asynccontextmanager
async def serving(
    config: ServerConfig, handler: Handler | None = None, at: int = 0, **options: Any
) -> AsyncIterator[int]:
    """The port of a server.  What its handlers raise is raised here."""
    async with trio.open_nursery() as nursery:
        serve = partial(serve_tls_over_tcp, handler or capitals, at, config, host="127.0.0.1", **options)
        (listener,) = await nursery.start(serve)
        yield listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def capitals(stream: TLSStream) -> None:
    """Until the end of the stream."""
    async for data in stream:
        await stream.send_all(data.upper())
    await stream.send_eof()


async def ask(port: int, question: bytes = b"hello", **options: Any) -> tuple[bytes, TLSStream]:
    """One question and its answer, until the end of the stream."""
    options.setdefault("config", client_config())
    stream = await open_tls_over_tcp_stream("127.0.0.1", port, server_name=NAME, **options)
    async with stream:
        await stream.do_handshake()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_and_end, stream, question)
            answer = await read(stream)
    return answer, stream


async def send_and_end(stream: TLSStream, data: bytes) -> None:
    await stream.send_all(data)
    await stream.send_eof()


async def read(stream: trio.abc.ReceiveStream) -> bytes:
    data = b""
    async for piece in stream:
        data += piece
    return data


def over(one: trio.abc.Stream, other: trio.abc.Stream, **changes: Any) -> tuple[TLSStream, TLSStream]:
    """A client and a server over two ends of a stream."""
    client, server = ClientConnection(client_config(), NAME), ServerConnection(server_config(**changes))
    return TLSStream(one, client, linger=0.05), TLSStream(other, server, linger=0.05)


# --- what Trio says of streams -------------------------------------------------------------------------------


def test_trios_own_checks() -> None:
    async def make() -> tuple[TLSStream, TLSStream]:
        return over(*trio.testing.memory_stream_pair())

    async def make_clogged() -> tuple[TLSStream, TLSStream]:
        client, server = over(*trio.testing.lockstep_stream_pair())
        async with trio.open_nursery() as nursery:  # a handshake has to be read, even where nothing else is
            nursery.start_soon(client.do_handshake)
            nursery.start_soon(server.do_handshake)
        return client, server

    async def main() -> None:
        await trio.testing.check_half_closeable_stream(make, make_clogged)

    run(main)


def test_a_send_that_was_cancelled_breaks_the_stream_and_a_receive_does_not() -> None:
    async def main() -> None:
        client, server = over(*trio.testing.lockstep_stream_pair())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.do_handshake)
            nursery.start_soon(server.do_handshake)
        with trio.move_on_after(1):
            await server.receive_some()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send_all, b"hello")
            assert await server.receive_some() == b"hello"
        with trio.move_on_after(1):
            await client.send_all(b"never read")
        with pytest.raises(trio.BrokenResourceError):
            await client.send_all(b"hello")
        await trio.aclose_forcefully(client)
        await trio.aclose_forcefully(server)

    run_on_mock_clock(main)


def test_a_handshake_that_was_cancelled_can_go_on() -> None:
    """Here with a question open, which is asked again."""

    async def think(question: VerifyPeer) -> Command:
        for _ in range(3):
            await trio.sleep(1)
        return AcceptPeer()

    async def impatiently(stream: TLSStream, interruptions: list[float]) -> None:
        for patience in range(10):
            with trio.move_on_after(0.5 + patience):
                await stream.do_handshake()
                return
            interruptions.append(trio.current_time())

    async def main() -> None:
        one, other = trio.testing.memory_stream_pair()
        config = client_config(answers={VerifyPeer: ASK})
        client = TLSStream(one, ClientConnection(config, NAME), answers={VerifyPeer: think})
        server = TLSStream(other, ServerConnection(server_config()))
        interruptions: list[float] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(impatiently, client, interruptions)
            nursery.start_soon(server.do_handshake)
        assert len(interruptions) == 3
        await client.send_all(b"hello")
        assert await server.receive_some() == b"hello"

    run_on_mock_clock(main)


# --- what flows ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [ProtocolVersion.TLS_1_2, ProtocolVersion.TLS_1_3])
def test_both_write_before_they_read(version: ProtocolVersion) -> None:
    """Over a stream without a buffer: nobody waits in the handshake for a peer that is writing."""

    async def write_then_read(stream: TLSStream, data: bytes, received: list[bytes]) -> None:
        await stream.do_handshake()
        await stream.send_all(data)
        received.append(await stream.receive_some())

    async def main() -> None:
        client, server = over(*trio.testing.lockstep_stream_pair(), versions=(version,))
        received: list[bytes] = []
        await_server: list[bytes] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(write_then_read, client, b"from the client", received)
            await server.do_handshake()
            await_server.append(await server.receive_some())
            await server.send_all(b"from the server")
        assert (await_server, received) == ([b"from the client"], [b"from the server"])
        await trio.aclose_forcefully(client)
        await trio.aclose_forcefully(server)

    run_on_mock_clock(main)


def test_tickets_go_with_the_first_write_or_with_the_end() -> None:
    async def main(writes: bool) -> None:
        tickets: list[Event] = []

        async def observe(happened: Sequence[Event]) -> None:
            tickets.extend(event for event in happened if isinstance(event, TicketReceived))

        one, other = trio.testing.memory_stream_pair()
        client = TLSStream(one, ClientConnection(client_config(), NAME), observe=observe, linger=0.05)
        server = TLSStream(other, ServerConnection(server_config()), linger=0.05)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.do_handshake)
            nursery.start_soon(server.do_handshake)
        with trio.move_on_after(1):
            await client.receive_some()
        assert tickets == []
        if writes:
            await server.send_all(b"hello")
            assert await client.receive_some() == b"hello"
        else:
            await server.aclose()
            assert await client.receive_some() == b""
        assert len(tickets) == 2

    run_on_mock_clock(partial(main, True))
    run_on_mock_clock(partial(main, False))


def test_the_second_connection_resumes() -> None:
    async def main() -> None:
        config = client_config(session_store=ClientSessionStore())
        async with serving(server_config()) as port:
            for resumed in (False, True, True):
                answer, stream = await ask(port, config=config)
                assert (answer, stream.connection.resumed) == (b"HELLO", resumed)

    run(main)


def test_much_data_both_ways_at_once() -> None:
    """The server answers while it is still being asked, and neither side stops the other."""
    size = 5_000_000

    async def main() -> None:
        async with serving(server_config()) as port:
            answer, _ = await ask(port, b"x" * size)
            assert len(answer) == size

    run(main)


def test_a_sender_waits_for_a_receiver_that_is_slow() -> None:
    async def main() -> None:
        sent = 0

        async def flood(stream: TLSStream) -> None:
            nonlocal sent
            for _ in range(200):
                await stream.wait_send_all_might_not_block()
                await stream.send_all(bytes(100_000))
                sent += 100_000

        async with serving(server_config(), flood) as port:
            stream = await open_tls_over_tcp_stream("127.0.0.1", port, client_config(), server_name=NAME)
            async with stream:
                await stream.do_handshake()
                before = -1
                while sent != before:
                    before = sent
                    await trio.sleep(0.2)
                assert sent < 15_000_000
                received = 0
                while received < 20_000_000:
                    received += len(await stream.receive_some())

    run(main)


def test_keys_are_updated_and_tickets_sent_amid_data() -> None:
    async def main() -> None:
        async def handler(stream: TLSStream) -> None:
            await stream.command(UpdateKeys(request_peer=True))
            await stream.command(IssueTicket(3))
            await capitals(stream)

        store = ClientSessionStore()
        config = client_config(session_store=store)
        async with serving(server_config(num_tickets=0), handler) as port:
            assert (await ask(port, b"x" * 500_000, config=config))[0] == b"X" * 500_000
        assert len(store) == 3

    run(main)


def test_trios_own_client_and_server() -> None:
    async def main() -> None:
        async with serving(server_config()) as port:
            theirs = await trio.open_ssl_over_tcp_stream(
                "127.0.0.1", port, ssl_context=client_context(authority()), https_compatible=True
            )
            async with theirs:
                await theirs.send_all(b"hello")
                assert await theirs.receive_some() == b"HELLO"

        async with trio.open_nursery() as nursery:

            async def handler(stream: trio.SSLStream[trio.SocketStream]) -> None:
                await stream.send_all((await stream.receive_some()).upper())
                await stream.aclose()

            context = server_context(server_identity())
            serve = partial(trio.serve_ssl_over_tcp, handler, 0, context, host="127.0.0.1")
            (listener,) = await nursery.start(serve)
            port = listener.transport_listener.socket.getsockname()[1]
            answer, _ = await ask(port)
            assert answer == b"HELLO"
            nursery.cancel_scope.cancel()

    run(main)


# --- what goes wrong -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("https_compatible", [False, True])
def test_the_end_of_the_stream_without_close_notify(https_compatible: bool) -> None:
    async def main() -> None:
        async def cut(stream: TLSStream) -> None:
            await stream.send_all(b"hello")
            assert isinstance(stream.transport, trio.SocketStream)
            await stream.transport.send_eof()
            with pytest.raises(trio.BrokenResourceError):
                await stream.receive_some()

        async with serving(server_config(), cut) as port:
            stream = await open_tls_over_tcp_stream(
                "127.0.0.1", port, client_config(), server_name=NAME, https_compatible=https_compatible
            )
            async with stream:
                received = [await stream.receive_some(3), await stream.receive_some()]
                assert received == [b"hel", b"lo"]
                if https_compatible:
                    assert await stream.receive_some() == b""
                else:
                    with pytest.raises(trio.BrokenResourceError) as caught:
                        await stream.receive_some()
                    assert isinstance(caught.value.__cause__, TLSError)
                    assert caught.value.__cause__.event.reason is Reason.TRUNCATED
                with pytest.raises(trio.BrokenResourceError):
                    await stream.send_all(b"hello")

    run(main)


@pytest.mark.parametrize("cancelled", [True, False])
def test_what_has_come_is_read_also_where_nothing_can_be_written(cancelled: bool) -> None:
    """The peer asks for new keys, and no longer hears the answer."""

    async def lose() -> None:
        if cancelled:
            await trio.sleep_forever()
        raise trio.BrokenResourceError("nobody reads that")

    async def main() -> None:
        one, other = trio.testing.memory_stream_pair()
        client, server = over(one, other)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.do_handshake)
            nursery.start_soon(server.do_handshake)
        one.send_stream.send_all_hook = lose
        if cancelled:
            with trio.move_on_after(1):
                await client.send_all(b"never sent")
        for word in (b"one", b"two"):
            await server.command(UpdateKeys(request_peer=True))
            await server.send_all(word)
            assert await client.receive_some() == word
        await server.send_eof()
        assert await client.receive_some() == b""
        with pytest.raises(trio.BrokenResourceError):
            await client.send_all(b"hello")
        await trio.aclose_forcefully(client)
        await trio.aclose_forcefully(server)

    run_on_mock_clock(main)


def test_an_answer_that_fails_is_told_also_where_its_alert_cannot_be_written() -> None:
    async def main() -> None:
        one, other = trio.testing.memory_stream_pair()
        config = server_config(ticket_keys=None, answers={SelectConfig: ASK})

        async def choose(question: SelectConfig) -> Command:
            await one.aclose()
            raise RuntimeError("the store is on fire")

        client = ClientConnection(client_config(), NAME)
        server = TLSStream(other, ServerConnection(config), answers={SelectConfig: choose})
        await one.send_all(client.data_to_send())
        with pytest.raises(RuntimeError, match="the store is on fire"):
            await server.do_handshake()
        with pytest.raises(trio.BrokenResourceError, match="answer to SelectConfig"):
            await server.do_handshake()
        await server.aclose()

    run_on_mock_clock(main)


def test_the_alert_comes_before_the_end_even_if_bytes_were_left_unread() -> None:
    async def main() -> None:
        async with serving(server_config()) as port:
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            async with stream, trio.open_nursery() as nursery:
                nursery.start_soon(stream.send_all, b"GET / HTTP/1.1\r\n" + bytes(1_000_000))
                assert (await read(stream))[:5] == bytes.fromhex("1503030002")
                nursery.cancel_scope.cancel()

    run(main)


def test_the_end_is_not_destroyed_where_another_task_reads() -> None:
    """What the peer says after it is dropped, and answered with no RST, as where nobody reads."""
    size = 16_000  # with more, Trio would have told the sender to wait

    async def handler(stream: TLSStream) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hear_that_it_is_closed, stream)
            await trio.testing.wait_all_tasks_blocked(0.05)
            await stream.send_all(bytes(size))
            said.set()
            with trio.fail_after(PATIENCE / 2):
                await stream.aclose()

    async def hear_that_it_is_closed(stream: TLSStream) -> None:
        with pytest.raises(trio.ClosedResourceError):
            await stream.receive_some()

    async def main() -> None:
        nonlocal said
        said = trio.Event()
        async with serving(server_config(), handler, linger=PATIENCE) as port:
            below = trio.socket.socket()
            below.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await below.connect(("127.0.0.1", port))
            client = TLSStream(trio.SocketStream(below), ClientConnection(client_config(), NAME))
            async with client:
                await client.do_handshake()
                await said.wait()
                await trio.sleep(0.1)
                await client.send_all(b"is there more?")
                await trio.sleep(0.1)
                assert await read(client) == bytes(size)

    said: trio.Event
    run(main)


@pytest.mark.parametrize("aborted", [False, True])
def test_who_waits_for_room_holds_up_nobody_who_closes(aborted: bool) -> None:
    """The last word is a few bytes, and is not to be missed: a slow peer would take the whole for cut off."""

    async def main() -> None:
        one, other = trio.testing.memory_stream_pair()
        other.send_stream.wait_send_all_might_not_block_hook = trio.sleep_forever
        client, server = over(one, other)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.do_handshake)
            nursery.start_soon(server.do_handshake)
        await server.send_all(b"that was all")

        async def wait_for_room() -> None:
            with pytest.raises(trio.BrokenResourceError if aborted else trio.ClosedResourceError):
                await server.wait_send_all_might_not_block()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait_for_room)
            await trio.sleep(1)
            if aborted:
                server.abort()
                await trio.sleep(1)
            await server.aclose()
        assert await client.receive_some() == b"that was all"
        if aborted:
            with pytest.raises(trio.BrokenResourceError, match="internal_error"):
                await client.receive_some()
        else:
            assert await client.receive_some() == b""
        await trio.aclose_forcefully(client)

    run_on_mock_clock(main)


def test_a_client_that_does_not_trust_the_server_says_so() -> None:
    async def main() -> None:
        log: list[Event] = []

        async def observe(happened: Sequence[Event]) -> None:
            log.extend(happened)

        async with serving(server_config(), observe=observe) as port:
            stranger = client_config(trust_anchors=anchors_of(new_authority("stranger")))
            with pytest.raises(trio.BrokenResourceError, match="no path to a trust anchor"):
                await ask(port, config=stranger)
            assert (await ask(port))[0] == b"HELLO"
        (alert,) = (event.alert for event in log if type(event).__name__ == "ConnectionTerminated")
        assert alert == AlertDescription.UNKNOWN_CA

    run(main)


def test_a_client_that_says_nothing_is_left() -> None:
    async def main() -> None:
        async with (
            serving(server_config(), timeout=0.1) as port,
            await trio.open_tcp_stream("127.0.0.1", port) as stream,
        ):
            assert (await read(stream)).startswith(bytes.fromhex("15"))  # user_canceled

    run(main)


def test_a_peer_that_neither_reads_nor_closes_is_left() -> None:
    async def main() -> None:
        async def handler(stream: TLSStream) -> None:
            with trio.move_on_after(0.1):
                await stream.send_all(bytes(20_000_000))
            started = trio.current_time()
            await stream.aclose()
            took.append(trio.current_time() - started)
            ended.set()

        took: list[float] = []
        ended = trio.Event()
        async with serving(server_config(), handler, linger=0.1) as port:
            stream = await open_tls_over_tcp_stream("127.0.0.1", port, client_config(), server_name=NAME)
            await stream.do_handshake()
            await ended.wait()
            await trio.aclose_forcefully(stream)
        assert took[0] < PATIENCE / 2

    run(main)


def test_a_session_that_was_never_sent_is_kept() -> None:
    async def main() -> None:
        store = ClientSessionStore()
        config = client_config(session_store=store)
        async with serving(server_config(), at=free_port()) as port:
            await ask(port, config=config)
        with pytest.raises(OSError, match="attempts to connect"):
            await ask(port, config=config)
        assert len(store) == 2

    run(main)


# --- questions -----------------------------------------------------------------------------------------------


def test_an_asynchronous_session_store() -> None:
    sessions: dict[bytes, Session] = {}

    async def look_up(question: LookUpSession) -> Command:
        await trio.sleep(0.01)
        return ProvideSession(sessions.pop(question.session_id, None))

    async def observe(happened: Sequence[Event]) -> None:
        for event in happened:
            if isinstance(event, TicketIssued):
                await trio.sleep(0.01)
                sessions[event.session.session_id] = event.session

    async def main() -> None:
        config = server_config(ticket_keys=None, answers={LookUpSession: ASK})
        client = client_config(session_store=ClientSessionStore())
        async with serving(config, answers={LookUpSession: look_up}, observe=observe) as port:
            for resumed in (False, True, True):
                answer, stream = await ask(port, b"x" * 300_000, config=client)
                assert (answer, stream.connection.resumed) == (b"X" * 300_000, resumed)
        assert len(sessions) == 2

    run(main)


def test_questions_have_what_the_program_knows_of_the_connection() -> None:
    """Here the address of the peer, on the server, and a name on the client."""
    known: list[Any] = []

    async def prepare(question: PrepareTicket) -> Command:
        known.append(question.connection.application)
        return SealTicket()

    async def main() -> None:
        answers = {PrepareTicket: prepare}
        async with serving(
            server_config(), answers=answers, application=lambda stream: stream.socket.getpeername()
        ) as port:
            _, stream = await ask(port, application="of alice")
        assert stream.connection.application == "of alice"
        assert {(host, type(number)) for host, number in known} == {("127.0.0.1", int)}

    run(main)


def test_an_answer_that_does_not_come_costs_a_full_handshake() -> None:
    """The config need not say that it asks."""
    asked: list[bytes] = []

    async def look_up(question: LookUpSession) -> Command:
        asked.append(question.session_id)
        await trio.sleep_forever()
        raise AssertionError

    async def main() -> None:
        config = server_config(ticket_keys=None)
        client = client_config(session_store=ClientSessionStore())
        options: dict[str, Any] = {"answers": {LookUpSession: look_up}, "answer_timeout": 0.01}
        async with serving(config, **options) as port:
            for _ in range(2):
                answer, stream = await ask(port, b"hello", config=client)
                assert (answer, stream.connection.resumed) == (b"HELLO", False)

    run(main)
    assert asked


def test_a_question_that_a_send_raises() -> None:
    """A ticket on request is prepared when the next data are sent."""

    async def prepare(question: PrepareTicket) -> Command:
        await trio.sleep(0.01)
        return SealTicket(b"prepared")

    async def main() -> None:
        async def handler(stream: TLSStream) -> None:
            await stream.command(IssueTicket())
            await capitals(stream)

        store = ClientSessionStore()
        config = server_config(num_tickets=0, answers={PrepareTicket: ASK})
        async with serving(config, handler, answers={PrepareTicket: prepare}) as port:
            await ask(port, b"x" * 300_000, config=client_config(session_store=store))
        assert len(store) == 1

    run(main)


@pytest.mark.parametrize(("seconds", "data"), [(0.01, b"prepared"), (60.0, b"")], ids=["in time", "too late"])
def test_a_question_that_the_end_raises(seconds: float, data: bytes) -> None:
    """What was queued leaves before close_notify, as the application wants it."""

    async def prepare(question: PrepareTicket) -> Command:
        await trio.sleep(seconds)
        return SealTicket(b"prepared")

    made: list[bytes] = []

    async def observe(happened: Sequence[Event]) -> None:
        made.extend(event.session.app_data for event in happened if isinstance(event, TicketIssued))

    async def main() -> None:
        one, other = trio.testing.memory_stream_pair()
        store = ClientSessionStore()
        client = TLSStream(one, ClientConnection(client_config(session_store=store), NAME))
        config = server_config(num_tickets=0, answers={PrepareTicket: ASK})
        server = TLSStream(other, ServerConnection(config), answers={PrepareTicket: prepare}, observe=observe)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.do_handshake)
            await server.do_handshake()
        await server.command(IssueTicket(2))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.aclose)
            async with client:
                assert await client.receive_some() == b"", "close_notify has come"
        assert len(store) == 2

    run_on_mock_clock(main)
    assert made == [data] * 2


def test_an_answer_that_fails_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody is there to be told: the tickets and close_notify leave all the same."""

    async def fail(question: PrepareTicket) -> Command:
        raise RuntimeError("the store is on fire")

    async def main() -> None:
        one, other = trio.testing.memory_stream_pair()
        store = ClientSessionStore()
        client = TLSStream(one, ClientConnection(client_config(session_store=store), NAME))
        config = server_config(num_tickets=0, answers={PrepareTicket: ASK})
        server = TLSStream(other, ServerConnection(config), answers={PrepareTicket: fail})
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.do_handshake)
            await server.do_handshake()
        await server.command(IssueTicket())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.aclose)
            async with client:
                assert await client.receive_some() == b""
        assert len(store) == 1

    run(main)
    assert "answer to PrepareTicket failed" in caplog.text


@pytest.mark.parametrize("fails", [False, True])
def test_a_stream_that_is_aborted_while_it_is_closed(fails: bool) -> None:
    """And a question is answered: closing it raises nothing for that."""

    async def prepare(question: PrepareTicket) -> Command:
        await trio.sleep(0.2)
        if fails:
            raise RuntimeError("the store is on fire")
        return SealTicket()

    async def main() -> None:
        one, other = trio.testing.memory_stream_pair()
        client = TLSStream(one, ClientConnection(client_config(), NAME), linger=0.05)
        config = server_config(num_tickets=0, answers={PrepareTicket: ASK})
        server = TLSStream(other, ServerConnection(config), answers={PrepareTicket: prepare}, linger=1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.do_handshake)
            await server.do_handshake()
        await server.command(IssueTicket())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.aclose)
            await trio.sleep(0.1)
            server.abort()
            with pytest.raises(trio.BrokenResourceError, match="internal_error"):
                await client.receive_some()
            await client.aclose()

    run_on_mock_clock(main)


def test_data_behind_tickets_that_cannot_be_made() -> None:
    """Whoever sends them is told."""

    def fail(question: PrepareTicket) -> Command:
        raise RuntimeError("the store is on fire")

    told: list[str] = []

    async def main() -> None:
        async def handler(stream: TLSStream) -> None:
            await stream.command(IssueTicket())
            try:
                await stream.send_all(b"data")
            except trio.BrokenResourceError as error:
                told.append(str(error))

        async with serving(server_config(num_tickets=0, answers={PrepareTicket: fail}), handler) as port:
            config = client_config()
            async with await open_tls_over_tcp_stream("127.0.0.1", port, config, server_name=NAME) as stream:
                with pytest.raises(trio.BrokenResourceError, match="internal_error"):
                    await stream.receive_some()

    run(main)
    assert told == ["a function of the application raised: PrepareTicket: RuntimeError"]


async def fails(question: LookUpSession) -> Command:
    raise RuntimeError("the store is on fire")


async def wrong(question: LookUpSession) -> Command:
    return SealTicket()


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({LookUpSession: fails}, "the store is on fire"),
        ({LookUpSession: wrong}, "SealTicket in tls13.AskLookUpSession"),
        ({}, "LookUpSession"),
    ],
)
def test_a_handler_that_fails_raises_after_its_alert(answers: Any, message: str) -> None:
    async def main() -> None:
        config = server_config(ticket_keys=None, answers={LookUpSession: ASK})
        client = client_config(session_store=ClientSessionStore())

        async def serve(transport: trio.abc.Stream) -> None:
            async with TLSStream(transport, ServerConnection(config), answers=answers) as stream:
                await capitals(stream)

        async def fail(transport: trio.abc.Stream) -> None:
            with pytest.raises(Exception, match=message):
                await serve(transport)

        one, other = trio.testing.memory_stream_pair()
        async with trio.open_nursery() as nursery, TLSStream(one, ClientConnection(client, NAME)) as stream:
            nursery.start_soon(serve, other)
            await stream.send_eof()
            assert await read(stream) == b""

        one, other = trio.testing.memory_stream_pair()
        async with trio.open_nursery() as nursery, TLSStream(one, ClientConnection(client, NAME)) as stream:
            nursery.start_soon(fail, other)
            with pytest.raises(trio.BrokenResourceError, match="internal_error"):
                await stream.do_handshake()

    run(main)


def test_what_a_server_s_answers_raise_ends_one_connection(caplog: pytest.LogCaptureFixture) -> None:
    """And neither the server nor those who are served already."""

    async def main() -> None:
        client = client_config(session_store=ClientSessionStore())
        async with serving(server_config(ticket_keys=None), answers={LookUpSession: fails}) as port:
            other = await open_tls_over_tcp_stream("127.0.0.1", port, client_config(), server_name=NAME)
            async with other:
                await other.send_all(b"before")
                assert await other.receive_some() == b"BEFORE"
                await ask(port, config=client)
                with pytest.raises(trio.BrokenResourceError, match="internal_error"):
                    await ask(port, config=client)
                await other.send_all(b"after")
                assert await other.receive_some() == b"AFTER"

    run(main)
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == [
        "the store is on fire"
    ]


def test_an_observer_that_fails_ends_its_connection_only(caplog: pytest.LogCaptureFixture) -> None:
    """With an alert: close_notify would say that an empty answer is the whole of it."""

    async def observe(happened: Sequence[Event]) -> None:
        if any(isinstance(event, TicketIssued) for event in happened):
            raise RuntimeError("the store is on fire")

    async def main() -> None:
        async with serving(server_config(), observe=observe) as port:
            for _ in range(2):
                stream = await open_tls_over_tcp_stream("127.0.0.1", port, client_config(), server_name=NAME)
                async with stream:
                    with pytest.raises(trio.BrokenResourceError, match="internal_error"):
                        await stream.receive_some()

    run(main)
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == [
        "the store is on fire",
        "the store is on fire",
    ]


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("said_all", [False, True])
def test_a_handler_of_connections_that_fails_does_not_say_that_the_data_end(
    said_all: bool, kind: type[BaseException]
) -> None:
    """Unless it had said so before."""
    log: list[Event] = []

    async def observe(happened: Sequence[Event]) -> None:
        log.extend(happened)

    async def half(stream: TLSStream) -> None:
        await stream.send_all(b"half")
        if said_all:
            await stream.send_eof()
        raise kind("the disk is full")

    async def main() -> None:
        received = []
        with pytest.RaisesGroup(pytest.RaisesGroup(pytest.RaisesExc(kind, match="disk is full"))):
            async with trio.open_nursery() as nursery:
                serve = partial(
                    serve_tls_over_tcp, half, 0, server_config(), host="127.0.0.1", observe=observe
                )
                (listener,) = await nursery.start(serve)
                port = listener.socket.getsockname()[1]
                with trio.CancelScope(shield=True):
                    stream = await open_tls_over_tcp_stream(
                        "127.0.0.1", port, client_config(), server_name=NAME
                    )
                    async with stream:
                        received.append(await stream.receive_some())
                        if said_all:
                            received.append(await stream.receive_some())
                        else:
                            with pytest.raises(trio.BrokenResourceError, match="internal_error"):
                                await stream.receive_some()
        assert b"".join(received) == b"half"

    run(main)
    reasons = [event.reason for event in log if isinstance(event, ConnectionTerminated)]
    assert reasons == ([] if said_all else [Reason.ABORTED_BY_APPLICATION])


def test_a_stream_that_was_aborted() -> None:
    async def main() -> None:
        client, server = over(*trio.testing.memory_stream_pair())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.do_handshake)
            nursery.start_soon(server.do_handshake)
        client.abort()
        client.abort()
        for forbidden in (partial(client.send_all, b"x"), client.receive_some, client.send_eof):
            with pytest.raises(trio.BrokenResourceError):
                await forbidden()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.aclose)
            with pytest.raises(trio.BrokenResourceError, match="internal_error"):
                await server.receive_some()
            await server.aclose()

    run(main)


@pytest.mark.parametrize("how", ["abort", "command", "an answer", "an observer"])
def test_whoever_reads_hears_at_once_that_the_connection_has_ended(how: str) -> None:
    """By somebody who does not read; its peer may say nothing more, and keep it open."""

    async def prepare(question: PrepareTicket) -> Command:
        if how == "an observer":
            return SealTicket()
        raise RuntimeError("the store is on fire")

    async def observe(happened: Sequence[Event]) -> None:
        if any(isinstance(event, TicketIssued) for event in happened):
            raise RuntimeError("the store is on fire")

    async def end(server: TLSStream) -> None:
        await trio.sleep(0.5)
        if how == "abort":
            server.abort()
        elif how == "command":
            await server.command(Abort())
        else:
            await server.command(IssueTicket())
            with pytest.raises(RuntimeError, match="the store is on fire"):
                await server.send_all(b"hello")

    async def main() -> None:
        one, other = trio.testing.memory_stream_pair()
        client = TLSStream(one, ClientConnection(client_config(), NAME), linger=0.05)
        connection = ServerConnection(server_config(num_tickets=0, answers={PrepareTicket: ASK}))
        answers = {PrepareTicket: prepare}
        server = TLSStream(other, connection, answers=answers, observe=observe, linger=0.05)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.do_handshake)
            nursery.start_soon(server.do_handshake)
        why = "on fire" if how == "an observer" else "aborted by the application"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(end, server)
            with trio.fail_after(1), pytest.raises(trio.BrokenResourceError, match=why):
                await server.receive_some()
        await trio.aclose_forcefully(client)
        await trio.aclose_forcefully(server)

    run_on_mock_clock(main)


@pytest.mark.parametrize("by_observer", [True, False])
def test_an_observer_hears_that_a_stream_was_aborted_amid_something_else(by_observer: bool) -> None:
    """Amid what he is told, or amid an answer."""
    asked = trio.Event()
    log: list[type[Event]] = []

    async def observe(happened: Sequence[Event]) -> None:
        log.extend(map(type, happened))
        if by_observer and DataReceived in log:
            server.abort()

    async def prepare(question: PrepareTicket) -> Command:
        asked.set()
        await trio.sleep_forever()
        raise AssertionError

    async def serve() -> None:
        if by_observer:
            await client.send_all(b"hello")
            assert await server.receive_some() == b"hello"
            return
        await server.command(IssueTicket())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            await asked.wait()
            server.abort()
            await server.aclose()
            nursery.cancel_scope.cancel()

    async def send() -> None:
        await server.send_all(b"hello")

    async def main() -> None:
        nonlocal client, server
        one, other = trio.testing.memory_stream_pair()
        client = TLSStream(one, ClientConnection(client_config(), NAME), linger=0.05)
        connection = ServerConnection(server_config(num_tickets=0, answers={PrepareTicket: ASK}))
        answers = {PrepareTicket: prepare}
        server = TLSStream(other, connection, answers=answers, observe=observe, linger=0.05)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.do_handshake)
            nursery.start_soon(server.do_handshake)
        await serve()
        await server.aclose()
        await trio.aclose_forcefully(client)

    client: TLSStream
    server: TLSStream
    run_on_mock_clock(main)
    assert log.count(ConnectionTerminated) == 1


@pytest.mark.parametrize("amid", ["data", "an answer"])
def test_a_stream_whose_connection_was_interrupted_says_so(amid: str) -> None:
    """Half a step is none to go on from: nobody waits for a peer that waits for us."""
    interrupted = False
    log: list[Event] = []

    def padding(length: int) -> int:
        if interrupted:
            raise KeyboardInterrupt
        return 0

    async def observe(happened: Sequence[Event]) -> None:
        log.extend(happened)

    async def prepare(question: PrepareTicket) -> Command:
        return SealTicket()

    async def main() -> None:
        nonlocal interrupted
        one, other = trio.testing.memory_stream_pair()
        config = server_config(padding=padding, num_tickets=0, answers={PrepareTicket: ASK})
        answers = {PrepareTicket: prepare}
        server = TLSStream(other, ServerConnection(config), answers=answers, observe=observe, linger=0.05)
        client = TLSStream(one, ClientConnection(client_config(), NAME), linger=0.05)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.do_handshake)
            nursery.start_soon(server.do_handshake)
        if amid == "an answer":
            await server.command(IssueTicket())
        interrupted = True
        with pytest.raises(KeyboardInterrupt):
            await server.send_all(b"hello")
        interrupted = False
        for call in (partial(server.send_all, b"x"), server.receive_some, server.send_eof):
            with pytest.raises(trio.BrokenResourceError):
                await call()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.aclose)
            with pytest.raises(trio.BrokenResourceError):
                await client.receive_some()
            await client.aclose()

    run_on_mock_clock(main)
    assert sum(isinstance(event, ConnectionTerminated) for event in log) == 1


def test_an_observer_that_fails_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    """There is nobody who could be told; the transport is closed all the same."""
    failing = False

    async def observe(happened: Sequence[Event]) -> None:
        if failing:
            raise RuntimeError("the store is on fire")

    async def main() -> None:
        nonlocal failing
        one, other = trio.testing.memory_stream_pair()
        client = TLSStream(one, ClientConnection(client_config(), NAME))
        server = TLSStream(other, ServerConnection(server_config()), observe=observe, linger=0.05)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.do_handshake)
            nursery.start_soon(server.do_handshake)
        server.connection.send(IssueTicket())  # leaves with the end, and is an event
        failing = True
        await server.aclose()
        assert await client.receive_some() == b""

    run_on_mock_clock(main)
    assert "the store is on fire" in caplog.text


def test_what_the_application_knows_of_one_connection_raises(caplog: pytest.LogCaptureFixture) -> None:
    failing = [True, False]

    def peer(transport: trio.SocketStream) -> object:
        if failing.pop(0):
            raise KeyError("nobody knows this peer")
        return transport.socket.getpeername()

    async def main() -> None:
        async with serving(server_config(), application=peer) as port:
            with pytest.raises(trio.BrokenResourceError):
                await ask(port)
            assert (await ask(port))[0] == b"HELLO"

    run(main)
    assert "nobody knows this peer" in caplog.text


def test_a_question_without_an_answer_ends_in_bounded_time() -> None:
    async def never(question: LookUpSession) -> Command:
        await trio.sleep_forever()

    async def main() -> None:
        config = server_config(ticket_keys=None, answers={LookUpSession: ASK})
        client = client_config(session_store=ClientSessionStore())
        async with serving(config, answers={LookUpSession: never}, timeout=1) as port:
            await ask(port, config=client)
            with pytest.raises(trio.BrokenResourceError):
                await ask(port, config=client)
            assert (await ask(port))[0] == b"HELLO"

    run(main)


@pytest.mark.parametrize("cancelled", [True, False], ids=["cancelled", "in another task"])
@pytest.mark.parametrize("kind", [SelectConfig, PrepareTicket])
def test_a_stream_that_is_closed_while_a_question_is_open(kind: type[Question], cancelled: bool) -> None:
    """Whoever waits for its answer hears that it was closed; the peer of a connection hears close_notify."""

    async def main() -> None:
        asked, answered = trio.Event(), trio.Event()

        async def think(question: Question) -> Command:
            asked.set()
            await answered.wait()
            return UseConfig(server_config()) if kind is SelectConfig else SealTicket()

        async def serve() -> None:
            if cancelled:
                await server.receive_some()
            else:
                with pytest.raises(trio.ClosedResourceError):
                    await server.receive_some()

        one, other = trio.testing.memory_stream_pair()
        config = server_config(answers={kind: ASK})
        client = TLSStream(one, ClientConnection(client_config(), NAME))
        server = TLSStream(other, ServerConnection(config), answers={kind: think}, answer_timeout=inf)

        async def visit() -> None:
            async with client:
                if kind is PrepareTicket:
                    assert await client.receive_some() == b""
                else:
                    with pytest.raises(trio.BrokenResourceError, match="close_notify"):
                        await client.do_handshake()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(visit)
            async with trio.open_nursery() as servers:
                servers.start_soon(serve)
                await asked.wait()
                if cancelled:
                    servers.cancel_scope.cancel()
                else:
                    await server.aclose()
                    answered.set()
            await server.aclose()

    run(main)


def test_a_connection_that_is_watched() -> None:
    """It is a connection like others, and its ladder is complete."""
    client = watch(ClientConnection(client_config(), NAME))
    server = watch(ServerConnection(server_config()))

    async def main() -> None:
        one, other = trio.testing.memory_stream_pair()
        asking, answering = TLSStream(one, client), TLSStream(other, server)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(asking.send_all, b"a question")
            assert await answering.receive_some() == b"a question"

    run(main)
    for noted in (client.steps, server.steps):
        names = [type(step.event).__name__ for step in noted if isinstance(step, Happened)]
        assert "HandshakeCompleted" in names
        assert {step.sender for step in noted if isinstance(step, Carried)} == {"client", "server"}
