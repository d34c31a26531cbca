"""What is cancelled, at whichever moment: it can be repeated, or the connection has ended and says so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial

import pytest
import trio
import trio.testing

from sansticket import (
    ASK,
    ClientConnection,
    ClientSessionStore,
    Command,
    Event,
    IssueTicket,
    KeysUpdated,
    PrepareTicket,
    ProtocolVersion,
    SealTicket,
    ServerConnection,
    UpdateKeys,
)
from sansticket_wrappers.asyncio import TLSError as AsyncioTLSError
from sansticket_wrappers.asyncio import open_connection
from sansticket_wrappers.trio import TLSStream
from tests.support.configs import client_config, server_config
from tests.support.loops import LOOPS, Loop, run
from tests.wrappers import test_asyncio as on_asyncio
from tests.wrappers.test_trio import NAME

DATA = b"x" * 20_000


# --- Trio ----------------------------------------------------------------------------------------------------


class AtStep(trio.abc.Instrument):
    """Cancels ``scope`` when its task goes on for the ``number``th time."""

    def __init__(self, number: int, scope: trio.CancelScope) -> None:
        self.left = number
        self._scope = scope
        self._task = trio.lowlevel.current_task()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self._task:
            self.left -= 1
            if self.left == 0:
                self._scope.cancel()


async def cancelled_at(number: int, act: Callable[[], Awaitable[None]]) -> bool:
    """False if it was done before that."""
    with trio.CancelScope() as scope:
        instrument = AtStep(number, scope)
        trio.lowlevel.add_instrument(instrument)
        try:
            await act()
        finally:
            trio.lowlevel.remove_instrument(instrument)
    return instrument.left <= 0


async def take_note(happened: Sequence[Event]) -> None:
    await trio.lowlevel.checkpoint()


async def ends_or_goes_on(version: ProtocolVersion, side: str, number: int) -> bool:
    """A handshake and what follows, cancelled at one moment and then repeated.  False if there is no such moment."""
    one, other = trio.testing.memory_stream_pair()
    config = client_config(versions=[version])
    client = TLSStream(one, ClientConnection(config, NAME), observe=take_note, linger=0.05)
    server = TLSStream(other, ServerConnection(server_config()), observe=take_note, linger=0.05)
    stream, peer = (client, server) if side == "client" else (server, client)
    received, heard = bytearray(), bytearray()

    async def work() -> None:
        await stream.do_handshake()
        while len(received) < len(DATA):
            received.extend(await stream.receive_some())

    async def answer() -> None:
        with suppress(trio.BrokenResourceError):
            if version == ProtocolVersion.TLS_1_3:
                await peer.command(UpdateKeys(request_peer=True))
            await peer.send_all(DATA)
            heard.extend(await peer.receive_some())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer)
        was_cancelled = await cancelled_at(number, work)
        try:
            await work()
            assert received == DATA
            await stream.send_all(b"hello")
        except trio.BrokenResourceError:
            nursery.cancel_scope.cancel()  # it says so
    await trio.aclose_forcefully(client)
    await trio.aclose_forcefully(server)
    assert heard in (b"", b"hello")
    return was_cancelled


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("version", [ProtocolVersion.TLS_1_2, ProtocolVersion.TLS_1_3])
def test_a_stream_goes_on_wherever_it_was_cancelled_or_is_broken(version: ProtocolVersion, side: str) -> None:
    """It does not wait for a peer that waits for it."""
    number, clock = 1, trio.testing.MockClock(autojump_threshold=0)

    async def main() -> bool:
        with trio.fail_after(60):
            return await ends_or_goes_on(version, side, number)

    while trio.run(main, clock=clock):
        number += 1
    assert number > 15


def test_what_was_cancelled_is_observed_when_the_stream_is_closed() -> None:
    """If nobody has repeated it before."""

    async def main() -> None:
        seen: list[Event] = []
        first = True

        async def observe(happened: Sequence[Event]) -> None:
            nonlocal first
            if first and any(type(event).__name__ == "HandshakeCompleted" for event in happened):
                first = False
                await trio.sleep_forever()
            seen.extend(happened)

        one, other = trio.testing.memory_stream_pair()
        client = TLSStream(one, ClientConnection(client_config(), NAME), observe=observe, linger=0.05)
        server = TLSStream(other, ServerConnection(server_config()), linger=0.05)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.do_handshake)
            with trio.move_on_after(1):
                await client.do_handshake()
            await client.aclose()
            nursery.cancel_scope.cancel()
        await trio.aclose_forcefully(server)
        assert sum(type(event).__name__ == "HandshakeCompleted" for event in seen) == 1

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("act", ["send_all", "command", "send_eof", "receive_some"])
def test_a_question_whose_asker_was_cancelled_is_asked_by_who_comes_next(act: str, fails: bool) -> None:
    """Whatever he wants to do."""
    asked = 0

    async def prepare(question: PrepareTicket) -> Command:
        nonlocal asked
        asked += 1
        if asked == 1:
            await trio.sleep_forever()
        if fails:
            raise RuntimeError("the store is on fire")
        return SealTicket(b"prepared")

    async def main() -> None:
        one, other = trio.testing.memory_stream_pair()
        store = ClientSessionStore()
        client = TLSStream(one, ClientConnection(client_config(session_store=store), NAME), linger=0.05)
        config = server_config(num_tickets=0, answers={PrepareTicket: ASK})
        server = TLSStream(other, ServerConnection(config), answers={PrepareTicket: prepare}, linger=0.05)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.do_handshake)
            nursery.start_soon(server.do_handshake)
        await server.command(IssueTicket())
        with trio.move_on_after(1):
            await server.send_all(b"one, ")
        acts: dict[str, Callable[[], Awaitable[object]]] = {
            "send_all": partial(server.send_all, b"two"),
            "command": partial(server.command, UpdateKeys()),
            "send_eof": server.send_eof,
            "receive_some": server.receive_some,
        }
        await client.send_all(b"hello")
        if fails:
            with pytest.raises(RuntimeError, match="the store is on fire"):
                await acts[act]()
            with pytest.raises(trio.BrokenResourceError, match="internal_error"):
                await client.receive_some()
        else:
            await acts[act]()
            received = await client.receive_some()
            assert received == (b"one, two" if act == "send_all" else b"one, ")
            assert len(store) == 1
        await trio.aclose_forcefully(client)
        await trio.aclose_forcefully(server)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert asked == 2


@pytest.mark.parametrize("reads_on", [True, False])
@pytest.mark.parametrize("gives_up", [True, False])
def test_an_answer_does_not_stay_with_who_waited_for_room(gives_up: bool, reads_on: bool) -> None:
    """Who reads had left it to him; if he gives up it is written by who reads now, or else with what comes next."""
    answered: list[float] = []

    async def note_answers(happened: Sequence[Event]) -> None:
        if [event for event in happened if isinstance(event, KeysUpdated) and event.by_peer]:
            answered.append(trio.current_time())

    async def no_room() -> None:
        await trio.sleep(60 if gives_up else 2.5)

    async def wait_for_room(client: TLSStream) -> None:
        with trio.move_on_after(3):
            await client.wait_send_all_might_not_block()

    async def read(client: TLSStream) -> None:
        assert await client.receive_some() == b"hello"
        if reads_on:
            await client.receive_some()

    async def main() -> None:
        one, other = trio.testing.memory_stream_pair()
        one.send_stream.wait_send_all_might_not_block_hook = no_room
        client = TLSStream(one, ClientConnection(client_config(), NAME), linger=0.05)
        server = TLSStream(other, ServerConnection(server_config()), observe=note_answers, linger=0.05)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.do_handshake)
            nursery.start_soon(server.do_handshake)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait_for_room, client)
            await trio.sleep(1)
            nursery.start_soon(read, client)
            nursery.start_soon(server.receive_some)
            await server.command(UpdateKeys(request_peer=True))
            await server.send_all(b"hello")
            await trio.sleep(1)
            assert not answered
            await trio.sleep(5)
            assert bool(answered) is (reads_on or not gives_up)
            await client.send_all(b"x")
            await trio.sleep(1)
            assert len(answered) == 1
            nursery.cancel_scope.cancel()
        await trio.aclose_forcefully(client)
        await trio.aclose_forcefully(server)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


# --- asyncio -------------------------------------------------------------------------------------------------


def test_a_connection_whose_hook_was_cancelled_has_ended() -> None:
    """By an application that cancels all tasks, say; and then waits for its connections."""

    async def main() -> None:
        asked = asyncio.Event()

        async def prepare(question: PrepareTicket) -> Command:
            asked.set()
            await asyncio.Event().wait()
            raise AssertionError

        async def cancel_all_others(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.transport.command(IssueTicket())  # type: ignore[attr-defined]  # it is ours
            writer.write(b"hello")
            await asked.wait()
            for task in asyncio.all_tasks():
                if task.get_coro().__qualname__.startswith("TLSProtocol"):  # type: ignore[union-attr]
                    task.cancel()
            with pytest.raises(ConnectionAbortedError):
                await reader.read()

        config = server_config(answers={PrepareTicket: ASK})
        async with on_asyncio.serving(
            config, cancel_all_others, answers={PrepareTicket: prepare}, linger=0.1
        ) as port:
            reader, writer = await open_connection("127.0.0.1", port, client_config(), server_name=NAME)
            with pytest.raises(AsyncioTLSError):
                await reader.read()
            writer.close()

    on_asyncio.run(main())


async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        await reader.read()


@LOOPS
def test_an_attempt_is_cancelled_in_whichever_round_of_the_loop(new_loop: Loop) -> None:
    """And raises nothing else for it."""

    async def main() -> None:
        async with on_asyncio.serving(server_config(), listen, linger=0.1) as port:
            rounds, done = 0, False
            while not done:
                attempt = asyncio.ensure_future(
                    open_connection("127.0.0.1", port, client_config(), server_name=NAME, linger=0.1)
                )
                for _ in range(rounds):
                    await asyncio.sleep(0)
                done = attempt.done()
                attempt.cancel()
                with suppress(asyncio.CancelledError):
                    _, writer = await attempt
                    writer.close()
                rounds += 1

    run(main(), new_loop)
