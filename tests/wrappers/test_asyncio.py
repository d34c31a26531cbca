"""The wrapper for asyncio, on loopback: with itself, with the standard library's TLS, and with bare sockets."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from sansticket import (
    ASK,
    AlertDescription,
    ClientSessionStore,
    Command,
    Connection,
    Event,
    ExternalPsk,
    IssueTicket,
    LookUpPsk,
    LookUpSession,
    PrepareTicket,
    ProvidePsk,
    ProvideSession,
    PskRole,
    Reason,
    SealTicket,
    SelectConfig,
    ServerConfig,
    ServerConnection,
    Session,
    TicketIssued,
    UseConfig,
)
from sansticket import events as happenings
from sansticket_wrappers.asyncio import (
    Hooks,
    TLSError,
    TLSProtocol,
    TLSTransport,
    open_connection,
    start_server,
)
from tests.support.certificates import authority, new_authority, server_identity
from tests.support.command import PATIENCE
from tests.support.configs import client_config, server_config
from tests.support.credentials import anchors_of, server_credential
from tests.support.loopback import free_port
from tests.support.stdlib_peer import client_context, server_context

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
NAME = "server.example"

new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
"""Of which kind: the tests of uvloop say another."""


def run(main: Coroutine[Any, Any, None]) -> None:
    """Bounded; no task is left behind, and the loop has nothing to complain about."""
    complaints: list[dict[str, Any]] = []

    async def bounded() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        async with asyncio.timeout(PATIENCE):
            await main
            # Before Python 3.12 a server does not wait for its handlers.
            if others := asyncio.all_tasks() - {asyncio.current_task()}:
                await asyncio.wait(others)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(bounded())
    gc.collect()
    assert complaints == []


@asynccontextmanager
async def serving(
    config: ServerConfig, handler: Handler | None = None, at: int = 0, **options: Any
) -> AsyncIterator[int]:
    """The port of a server.  What its handlers raise is raised at the end."""
    tasks: list[asyncio.Task[None]] = []

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.create_task(served(handler or capitals, reader, writer)))

    server = await start_server(connected, "127.0.0.1", at, config, **options)
    try:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*tasks)
    finally:
        server.close()
        await server.wait_closed()
        while getattr(server, "_active_count", 0):  # Python 3.11 does not wait for the connections
            await asyncio.sleep(0.01)


async def served(handler: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await handler(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def capitals(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until the end of the stream."""
    while data := await reader.read(65_536):
        writer.write(data.upper())
        await writer.drain()


async def ask(port: int, question: bytes = b"hello", **options: Any) -> tuple[bytes, Connection]:
    """One question and its answer, until the end of the stream."""
    options.setdefault("config", client_config())
    reader, writer = await open_connection("127.0.0.1", port, server_name=NAME, **options)
    writer.write(question)
    writer.write_eof()
    answer = await reader.read()
    await close(writer)
    connection = writer.get_extra_info("tls")
    assert isinstance(connection, Connection)
    return answer, connection


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()


def same_socket(writer: asyncio.StreamWriter) -> socket.socket:
    """The socket below, which a transport does not let be shut down: uvloop's has no method for it."""
    return socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno()))


def tls(writer: asyncio.StreamWriter) -> TLSTransport:
    assert isinstance(writer.transport, TLSTransport)
    return writer.transport


def terminations(log: list[Event]) -> list[happenings.ConnectionTerminated]:
    return [event for event in log if isinstance(event, happenings.ConnectionTerminated)]


def observing(log: list[Event]) -> Callable[[], Hooks]:
    """Hooks that note everything except data."""

    async def observe(happened: Sequence[Event]) -> None:
        log.extend(happened)

    return lambda: Hooks(observe=observe)


# --- what flows ----------------------------------------------------------------------------------------------


def test_an_answer_after_a_half_close() -> None:
    async def main() -> None:
        async with serving(server_config()) as port:
            answer, connection = await ask(port)
            assert answer == b"HELLO"
            assert not connection.resumed

    run(main())


def test_the_second_connection_resumes() -> None:
    async def main() -> None:
        config = client_config(session_store=ClientSessionStore())
        async with serving(server_config()) as port:
            for resumed in (False, True, True):
                answer, connection = await ask(port, config=config)
                assert (answer, connection.resumed) == (b"HELLO", resumed)

    run(main())


def test_the_standard_librarys_client() -> None:
    async def main() -> None:
        async with serving(server_config()) as port:
            context = client_context(authority())
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=context, server_hostname=NAME
            )
            writer.write(b"x" * 1_000_000)
            assert await reader.readexactly(1_000_000) == b"X" * 1_000_000
            await close(writer)

    run(main())


def test_the_standard_librarys_server() -> None:
    async def main() -> None:
        async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write((await reader.readexactly(5)).upper())
            await close(writer)

        server = await asyncio.start_server(once, "127.0.0.1", 0, ssl=server_context(server_identity()))
        async with server:
            port = server.sockets[0].getsockname()[1]
            reader, writer = await open_connection("127.0.0.1", port, client_config(), server_name=NAME)
            writer.write(b"hello")
            assert await reader.read() == b"HELLO"
            await close(writer)

    run(main())


def test_a_writer_waits_for_a_reader_that_is_slow() -> None:
    size, piece = 8_000_000, bytes(100_000)

    async def main() -> None:
        most = 0
        stalled = asyncio.Event()

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal most
            for _ in range(size // len(piece)):
                writer.write(piece)
                most = max(most, tls(writer).get_write_buffer_size())
                drained = asyncio.ensure_future(writer.drain())
                done, _ = await asyncio.wait([drained], timeout=None if stalled.is_set() else 0.2)
                if not done:
                    stalled.set()
                await drained

        async with serving(server_config(), handler) as port:
            reader, writer = await open_connection("127.0.0.1", port, client_config(), server_name=NAME)
            await stalled.wait()  # nobody reads, so at some point nothing can be written any more
            assert len(await reader.read(-1)) == size
            await close(writer)
        assert most < 400_000

    run(main())


def test_half_close_from_either_side() -> None:
    async def main() -> None:
        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"first me")
            writer.write_eof()
            received.append(await reader.read())

        received: list[bytes] = []
        async with serving(server_config(), handler) as port:
            reader, writer = await open_connection("127.0.0.1", port, client_config(), server_name=NAME)
            assert await reader.read() == b"first me"
            writer.write(b"then you")
            await close(writer)
        assert received == [b"then you"]

    run(main())


def test_tickets_on_request_leave_with_the_next_data() -> None:
    async def main() -> None:
        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readexactly(5)
            tls(writer).command(IssueTicket(3))
            writer.write(b"three tickets")

        store = ClientSessionStore()
        async with serving(server_config(num_tickets=0), handler) as port:
            await ask(port, config=client_config(session_store=store))
        assert len(store) == 3

    run(main())


@pytest.mark.parametrize("asked", [True, False], ids=["asked", "observed"])
@pytest.mark.parametrize("half", [True, False], ids=["half-close", "close"])
def test_tickets_on_request_leave_before_the_end(half: bool, asked: bool) -> None:
    """What is asked, or told, of them takes its time; and then there is close_notify."""

    async def prepare(question: PrepareTicket) -> Command:
        await asyncio.sleep(0.01)
        return SealTicket(b"prepared")

    made: list[bytes] = []

    async def observe(happened: Sequence[Event]) -> None:
        await asyncio.sleep(0.01)
        made.extend(event.session.app_data for event in happened if isinstance(event, TicketIssued))

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(5)
        tls(writer).command(IssueTicket(2))
        if half:
            writer.write_eof()
            assert await reader.read() == b""

    async def main() -> None:
        store = ClientSessionStore()
        answers = {PrepareTicket: prepare} if asked else {}
        hooks = lambda: Hooks(observe=observe)  # noqa: E731
        async with serving(server_config(num_tickets=0), handler, answers=answers, hooks=hooks) as port:
            reader, writer = await open_connection(
                "127.0.0.1", port, server_name=NAME, config=client_config(session_store=store)
            )
            writer.write(b"hello")
            assert await reader.read() == b"", "close_notify has come"
            await close(writer)
        assert len(store) == 2

    run(main())
    assert made == [b"prepared" if asked else b""] * 2


# --- what goes wrong -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("https_compatible", [False, True])
def test_the_end_of_the_stream_without_close_notify(https_compatible: bool) -> None:
    async def main() -> None:
        async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"hello")
            await writer.drain()
            with same_socket(writer) as raw:
                raw.shutdown(socket.SHUT_WR)
            with suppress(TLSError):
                await reader.read()

        async with serving(server_config(), cut) as port:
            reader, writer = await open_connection(
                "127.0.0.1", port, client_config(), server_name=NAME, https_compatible=https_compatible
            )
            if https_compatible:
                assert await reader.read() == b"hello"
            else:
                with pytest.raises(TLSError, match="end of stream without close_notify") as caught:
                    await reader.read()
                assert caught.value.event.reason is Reason.TRUNCATED
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    run(main())


def test_the_alert_comes_before_the_end_even_if_bytes_were_left_unread() -> None:
    """A socket closed with bytes unread in it sends RST, and the alert would be lost."""

    async def main() -> None:
        async with serving(server_config()) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: nowhere\r\n\r\n" + bytes(1_000_000))
            assert (await reader.read())[:5] == bytes.fromhex("1503030002")
            await close(writer)

    run(main())


def test_a_client_that_does_not_trust_the_server_says_so() -> None:
    async def main() -> None:
        log: list[Event] = []
        async with serving(server_config(), hooks=observing(log)) as port:
            stranger = client_config(trust_anchors=anchors_of(new_authority("stranger")))
            with pytest.raises(TLSError, match="no path to a trust anchor"):
                await ask(port, config=stranger)
            assert (await ask(port))[0] == b"HELLO"
        (event,) = terminations(log)
        assert (event.by_peer, event.alert) == (True, AlertDescription.UNKNOWN_CA)

    run(main())


def test_a_peer_that_says_nothing_is_left() -> None:
    async def main() -> None:
        async with serving(server_config(), timeout=0.1) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert (await reader.read()).startswith(bytes.fromhex("15"))  # user_canceled
            await close(writer)

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            await close(writer)

        async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(TimeoutError):
                await open_connection("127.0.0.1", port, client_config(), server_name=NAME, timeout=0.1)

    run(main())


def test_a_peer_that_neither_reads_nor_closes_is_left() -> None:
    async def main() -> None:
        async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(bytes(20_000_000))
            await close(writer)

        async with serving(server_config(), flood, linger=0.2) as port:
            _, writer = await open_connection("127.0.0.1", port, client_config(), server_name=NAME, limit=1)
            await asyncio.sleep(0.1)
            # The server's handler ends although we never read.
        tls(writer).abort()
        with suppress(ConnectionError):
            await writer.wait_closed()

    run(main())


def test_a_cancelled_connection_attempt_says_goodbye() -> None:
    async def main() -> None:
        goodbye = asyncio.get_running_loop().create_future()
        hello_came = asyncio.Event()

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            hello_came.set()
            goodbye.set_result(await reader.read())
            await close(writer)

        async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            attempt = asyncio.create_task(
                open_connection("127.0.0.1", port, client_config(), server_name=NAME)
            )
            await hello_came.wait()
            attempt.cancel()
            with pytest.raises(asyncio.CancelledError):
                await attempt
            assert (await goodbye).endswith(bytes.fromhex("15030300020100"))  # close_notify

    run(main())


def test_a_session_that_was_never_sent_is_kept() -> None:
    async def main() -> None:
        store = ClientSessionStore()
        config = client_config(session_store=store)
        async with serving(server_config(), at=free_port()) as port:
            await ask(port, config=config)
            before = len(store)
        with pytest.raises(ConnectionRefusedError):
            await ask(port, config=config)
        assert len(store) == before == 2

    run(main())


# --- questions -----------------------------------------------------------------------------------------------


class Store:
    """A store that takes its time."""

    def __init__(self) -> None:
        self.sessions: dict[bytes, Session] = {}
        self.asked = 0

    def hooks(self) -> Hooks:
        return Hooks({LookUpSession: self.look_up}, self.observe)

    async def look_up(self, question: LookUpSession) -> Command:
        self.asked += 1
        await asyncio.sleep(0.01)
        return ProvideSession(self.sessions.pop(question.session_id, None))

    async def observe(self, happened: Sequence[Event]) -> None:
        for event in happened:
            if isinstance(event, TicketIssued):
                await asyncio.sleep(0.01)
                self.sessions[event.session.session_id] = event.session


def test_an_asynchronous_session_store() -> None:
    async def main() -> None:
        store = Store()
        config = server_config(ticket_keys=None, answers={LookUpSession: ASK})
        client = client_config(session_store=ClientSessionStore())
        async with serving(config, hooks=store.hooks) as port:
            for resumed in (False, True, True):
                answer, connection = await ask(port, b"x" * 300_000, config=client)
                assert (answer, connection.resumed) == (b"X" * 300_000, resumed)
        assert store.asked == 2
        assert len(store.sessions) == 2

    run(main())


def test_a_coroutine_answers_for_all_connections() -> None:
    """The config need not say that it asks."""

    async def main() -> None:
        store = Store()
        config = server_config(ticket_keys=None)
        client = client_config(session_store=ClientSessionStore())
        answers = {LookUpSession: store.look_up}
        hooks = Hooks(observe=store.observe)
        async with serving(config, answers=answers, hooks=lambda: hooks) as port:
            for resumed in (False, True, True):
                assert (await ask(port, config=client))[1].resumed == resumed
        assert store.asked == 2

    run(main())


@pytest.mark.parametrize("fails", [False, True])
def test_an_answer_that_does_not_come_costs_a_full_handshake(
    fails: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """It takes too long, or raises."""
    asked: list[bytes] = []

    async def look_up(question: LookUpSession) -> Command:
        asked.append(question.session_id)
        if fails:
            raise LookupError("the store is broken")
        await asyncio.sleep(PATIENCE)
        raise AssertionError("asked for too long")

    async def main() -> None:
        client = client_config(session_store=ClientSessionStore())
        answers = {LookUpSession: look_up}
        config = server_config(ticket_keys=None)
        async with serving(config, answers=answers, answer_timeout=PATIENCE if fails else 0.01) as port:
            for _ in range(2):
                answer, connection = await ask(port, config=client)
                assert (answer, connection.resumed) == (b"HELLO", False)

    run(main())
    assert asked
    assert ("the store is broken" in caplog.text) == fails


@pytest.mark.parametrize("how", ["found", "raises", "too late"])
def test_a_psk_that_a_coroutine_looks_up(how: str, caplog: pytest.LogCaptureFixture) -> None:
    """Or does not: then there is the certificate."""
    key = bytes(range(32))

    async def look_up(question: LookUpPsk) -> Command:
        if how == "raises":
            raise LookupError("the store is broken")
        if how == "too late":
            await asyncio.sleep(PATIENCE)
        return ProvidePsk(ExternalPsk(question.identity, key, role=PskRole.SERVER))

    async def main() -> None:
        client = client_config(psks=[ExternalPsk(b"sensor-7", key, role=PskRole.CLIENT)])
        patience = 0.01 if how == "too late" else PATIENCE
        async with serving(server_config(), answers={LookUpPsk: look_up}, answer_timeout=patience) as port:
            answer, connection = await ask(port, config=client)
        assert (answer, connection.psk_identity) == (b"HELLO", b"sensor-7" if how == "found" else None)

    run(main())
    assert ("the store is broken" in caplog.text) == (how == "raises")


def test_questions_and_events_have_what_the_program_knows_of_the_connection() -> None:
    """Here the address of the peer, on the server, and a name on the client."""
    heard: list[tuple[str, Any]] = []

    async def prepare(question: PrepareTicket) -> SealTicket:
        heard.append(("server", question.connection.application))
        return SealTicket()

    async def observe(happened: Sequence[Event]) -> None:
        heard.extend(("client", event.connection.application) for event in happened)

    async def main() -> None:
        hooks = Hooks(application=lambda transport: transport.get_extra_info("peername"))
        client = Hooks(observe=observe, application=lambda transport: "of alice")
        async with serving(server_config(), answers={PrepareTicket: prepare}, hooks=lambda: hooks) as port:
            _, connection = await ask(port, hooks=client)
        addresses = {application for side, application in heard if side == "server"}
        assert [(host, type(number)) for host, number in addresses] == [("127.0.0.1", int)]
        assert {application for side, application in heard if side == "client"} == {"of alice"}
        assert connection.application == "of alice"

    run(main())


@pytest.mark.parametrize("side", ["client", "server"])
def test_a_connection_of_which_the_program_cannot_say_anything(side: str) -> None:
    """It is not let in without: who bans addresses would let everybody in."""
    complaints: list[dict[str, Any]] = []
    failing = Hooks(application=lambda transport: 1 // 0)

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        hooks = {"client": Hooks(), "server": Hooks(), side: failing}
        async with serving(server_config(), hooks=lambda: hooks["server"]) as port:
            with pytest.raises(TLSError if side == "server" else ZeroDivisionError):
                await open_connection(
                    "127.0.0.1", port, client_config(), server_name=NAME, hooks=hooks["client"]
                )

    run(main())
    assert [type(one["exception"]) for one in complaints] == [ZeroDivisionError]


def test_what_one_connection_answers_goes_before_what_all_answer() -> None:
    asked: list[str] = []

    def answering(name: str) -> Callable[[PrepareTicket], Awaitable[Command]]:
        async def prepare(question: PrepareTicket) -> Command:
            asked.append(name)
            return SealTicket(name.encode())

        return prepare

    async def main() -> None:
        hooks = Hooks({PrepareTicket: answering("one")})
        answers = {PrepareTicket: answering("all")}
        async with serving(server_config(), answers=answers, hooks=lambda: hooks) as port:
            await ask(port)

    run(main())
    assert asked == ["one", "one"]


def test_the_arguments_of_the_loop_are_passed_on() -> None:
    async def main() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        server = await start_server(
            lambda reader, writer: writer.close(),
            *(None, None, server_config()),
            sock=listener,
            backlog=3,
            start_serving=False,
        )
        assert not server.is_serving()
        await server.start_serving()
        port = listener.getsockname()[1]
        local = ("127.0.0.1", 0)
        reader, writer = await open_connection(
            "127.0.0.1", port, client_config(), server_name=NAME, local_addr=local
        )
        assert await reader.read() == b""
        await close(writer)
        server.close()
        await server.wait_closed()

    run(main())


@pytest.mark.parametrize("size", [1, 5, 300, 262_144])
def test_the_size_of_reads_is_a_choice(size: int) -> None:
    async def main() -> None:
        async with serving(server_config(), read_size=size) as port:
            question = b"x" * min(100 * size, 100_000)
            answer, _ = await ask(port, question, read_size=size)
        assert answer == question.upper()
        with pytest.raises(ValueError, match="read_size: 0; expected 1 byte or more"):
            await open_connection("127.0.0.1", port, client_config(), server_name=NAME, read_size=0)

    run(main())


def test_a_client_that_talks_while_the_application_thinks_is_held_back() -> None:
    """Nothing is read while a question is open, so whatever the client sends cannot be too much."""
    size = 4_000_000

    async def main() -> None:
        async def think(question: PrepareTicket) -> Command:
            await asyncio.sleep(0.05)
            return SealTicket(b"thought")

        config = server_config(answers={PrepareTicket: ASK}, max_buffered=65_536)
        async with serving(config, hooks=lambda: Hooks({PrepareTicket: think})) as port:
            answer, _ = await ask(port, b"x" * size)
            assert len(answer) == size

    run(main())


def test_a_config_chosen_by_a_coroutine() -> None:
    async def main() -> None:
        other = server_config(credentials=[server_credential("ed25519", "other.example")])

        async def choose(question: SelectConfig) -> Command:
            await asyncio.sleep(0)
            return UseConfig(other if question.server_name == "other.example" else server_config())

        config = server_config(answers={SelectConfig: ASK})
        async with serving(config, hooks=lambda: Hooks({SelectConfig: choose})) as port:
            for name in (NAME, "other.example"):
                _, writer = await open_connection("127.0.0.1", port, client_config(), server_name=name)
                await close(writer)

    run(main())


@pytest.mark.parametrize("says_ask", [True, False])
def test_a_chosen_config_asks_what_it_says(says_ask: bool) -> None:
    """docs/wrappers.md: the answers of the wrapper make the config ask that was given to it, and no other."""
    asked = []

    async def prepare(question: PrepareTicket) -> Command:
        asked.append(question)
        return SealTicket()

    async def main() -> None:
        chosen = server_config(num_tickets=1, answers={PrepareTicket: ASK} if says_ask else {})
        config = server_config(answers={SelectConfig: lambda question: UseConfig(chosen)})
        async with serving(config, answers={PrepareTicket: prepare}) as port:
            assert (await ask(port, b"hello"))[0] == b"HELLO"

    run(main())
    assert len(asked) == says_ask


async def fails(question: LookUpSession) -> Command:
    raise RuntimeError("the store is on fire")


async def wrong(question: LookUpSession) -> Command:
    return SealTicket()


async def nothing(happened: Sequence[Event]) -> None:
    if any(isinstance(event, TicketIssued) for event in happened):
        raise RuntimeError("the store is on fire")


@pytest.mark.parametrize(
    ("hooks", "message"),
    [
        (Hooks({LookUpSession: fails}), "the store is on fire"),
        (Hooks({LookUpSession: wrong}), "SealTicket in tls13.AskLookUpSession"),
    ],
)
def test_a_handler_that_fails_ends_its_connection_only(hooks: Hooks, message: str) -> None:
    complaints: list[dict[str, Any]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        config = server_config(ticket_keys=None, answers={LookUpSession: ASK})
        client = client_config(session_store=ClientSessionStore())
        async with serving(config, hooks=lambda: hooks) as port:
            await ask(port, config=client)
            with pytest.raises(TLSError) as caught:
                await ask(port, config=client)
            assert caught.value.event.alert == AlertDescription.INTERNAL_ERROR
            assert (await ask(port))[0] == b"HELLO"

    run(main())
    (complaint,) = complaints
    assert message in str(complaint["exception"])


def test_an_observer_that_fails_ends_its_connection_only() -> None:
    complaints: list[dict[str, Any]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        async with serving(server_config(), hooks=lambda: Hooks(observe=nothing)) as port:
            with pytest.raises(TLSError) as caught:
                await ask(port)
            assert caught.value.event.alert == AlertDescription.INTERNAL_ERROR

    run(main())
    assert [str(complaint["exception"]) for complaint in complaints] == ["the store is on fire"]


@pytest.mark.parametrize("hooks", [Hooks(), Hooks({LookUpSession: lambda question: asyncio.Event().wait()})])
def test_a_question_without_an_answer_ends_in_bounded_time(hooks: Hooks) -> None:
    async def main() -> None:
        config = server_config(ticket_keys=None, answers={LookUpSession: ASK})
        client = client_config(session_store=ClientSessionStore())
        async with serving(config, hooks=lambda: hooks, timeout=1) as port:
            await ask(port, config=client)
            with pytest.raises(TLSError) as caught:
                await ask(port, config=client)
            assert caught.value.event.alert == AlertDescription.INTERNAL_ERROR

    run(main())


def test_each_answer_has_its_time() -> None:
    """However many there are."""
    pause, number = 0.1, 12

    async def main() -> None:
        async def think(question: PrepareTicket) -> Command:
            await asyncio.sleep(pause)
            return SealTicket()

        async def observe(happened: Sequence[Event]) -> None:
            await asyncio.sleep(pause)

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            tls(writer).command(IssueTicket(number))
            writer.write(b"tickets")
            await writer.drain()

        config, hooks = server_config(num_tickets=0), Hooks(observe=observe)
        options = {"hooks": lambda: hooks, "answers": {PrepareTicket: think}, "timeout": 12 * pause}
        async with serving(config, handler, **options) as port:
            assert (await ask(port))[0] == b"tickets"

    run(main())


def test_a_client_that_leaves_while_the_application_thinks() -> None:
    async def main() -> None:
        thinking, done = asyncio.Event(), asyncio.Event()

        async def think(question: SelectConfig) -> Command:
            thinking.set()
            try:
                await asyncio.sleep(0.1)
            finally:
                done.set()
            return UseConfig(server_config())

        config = server_config(answers={SelectConfig: ASK})
        async with serving(config, hooks=lambda: Hooks({SelectConfig: think})) as port:
            attempt = asyncio.create_task(
                open_connection("127.0.0.1", port, client_config(), server_name=NAME)
            )
            await thinking.wait()
            attempt.cancel()
            with pytest.raises(asyncio.CancelledError):
                await attempt
            await done.wait()
            assert (await ask(port))[0] == b"HELLO"

    run(main())


def test_a_socket_that_is_lost_while_an_observer_works_is_no_connection() -> None:
    """The application never hears of a handshake that was completed too late."""

    async def main() -> None:
        called, protocols, done = [], [], asyncio.Event()

        async def lose(happened: Sequence[Event]) -> None:
            if any(isinstance(event, happenings.HandshakeCompleted) for event in happened):
                transport = protocols[0].socket_transport
                assert transport is not None
                transport.abort()
                await asyncio.sleep(0.05)
                done.set()

        def accept() -> TLSProtocol:
            reader = asyncio.StreamReader()
            app = asyncio.StreamReaderProtocol(reader, lambda *_: called.append(reader))
            protocols.append(TLSProtocol(ServerConnection(server_config()), app, Hooks(observe=lose)))
            return protocols[0]

        server = await asyncio.get_running_loop().create_server(accept, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            _, writer = await open_connection("127.0.0.1", port, client_config(), server_name=NAME)
            await done.wait()
            await asyncio.sleep(0)
            with suppress(ConnectionError):
                await close(writer)
        assert called == []
        with pytest.raises(ConnectionResetError, match="connection lost in the TLS handshake"):
            await protocols[0].ready

    run(main())
