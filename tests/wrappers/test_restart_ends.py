"""A server whose place another takes, where something ends in the middle of it: a process, a server, or the files."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import socket
import threading
import time
import warnings
from pathlib import Path
from typing import Any, Final

import pytest

from sansticket import ConfigError
from sansticket_wrappers.asyncio import (
    Hooks,
    RestartableServer,
    RestartError,
    at_rest,
    listening,
    passing,
    restart,
)
from sansticket_wrappers.asyncio.passing import (
    CONNECTION,
    GO,
    GREETING,
    LISTENER,
    READY,
    REFUSED,
    TAKEN,
    Line,
    listen_at,
    listeners_of,
    predecessor_at,
)
from tests.support.command import PATIENCE
from tests.support.configs import server_config
from tests.wrappers.test_restart import Client, echo, run, start

SOON: Final = 5.0
"""Seconds, and fewer than connections have to come to rest."""


async def in_thread(function: Any, *arguments: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)


async def successor_of(path: Path) -> Line:
    """One that has the listening socket, says that it listens, and then says nothing."""
    line = await in_thread(predecessor_at, str(path))
    for listener in await in_thread(listeners_of, line):
        listener.close()
    line.say(READY)
    assert isinstance(line, Line)
    return line


async def busy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """It never rests."""
    try:
        while line := await reader.readline():
            writer.write(line)
    finally:
        writer.close()


# --- a process that dies ---------------------------------------------------------------------------------------


def test_a_successor_that_dies_is_missed_although_nobody_rests(tmp_path: Path) -> None:
    """Whoever connects meanwhile would wait for the end of ``grace``."""

    async def main() -> None:
        async with await start(tmp_path / "door", server_config(), busy) as first:
            client = await Client.of(first)
            line = await successor_of(tmp_path / "door")
            while not first.wanted.is_set():
                await asyncio.sleep(0.01)
            line.close()
            async with asyncio.timeout(SOON):
                other = await Client.of(first)
                assert await other.ask(b"hello\n") == b"hello\n"
            assert await client.ask(b"still\n") == b"still\n"
            await client.close()
            await other.close()

    run(main())


def test_a_predecessor_that_dies_leaves_no_socket_half_taken(tmp_path: Path) -> None:
    async def main() -> None:
        with listen_at(str(tmp_path / "door")) as sock, socket.create_server(("127.0.0.1", 0)) as listener:
            sock.settimeout(PATIENCE / 2)
            starting = asyncio.create_task(start(tmp_path / "door", server_config()))
            line = Line((await in_thread(sock.accept))[0])
            await in_thread(line.expect, GREETING)
            line.send(LISTENER, b"", listener.fileno())
            line.close()
            with pytest.raises(RestartError, match="has gone"):
                await starting

    gc.collect()  # what other tests have left
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        run(main())
        gc.collect()
    assert [str(one.message) for one in caught if "socket" in str(one.message)] == []


@pytest.mark.parametrize("word", [READY, TAKEN, CONNECTION, GO])
def test_who_is_slow_is_not_taken_for_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, word: bytes
) -> None:
    """A machine under load, or a process that loads much: both would go on, and each believe that it is alone."""

    def say(line: Line, said_now: bytes) -> None:
        if said_now == word:
            time.sleep(0.6)
        said(line, said_now)

    def send(line: Line, kind: bytes, content: bytes = b"", descriptor: int | None = None) -> None:
        if kind != word:
            sent(line, kind, content, descriptor)
            return
        assert descriptor is not None
        socket.send_fds(line._sock, [kind], [descriptor])
        time.sleep(0.6)
        line._sock.sendall(len(content).to_bytes(4) + content)

    async def main() -> None:
        config = server_config()
        async with await start(tmp_path / "door", config, grace=0.5) as first:
            clients = [await Client.of(first) for _ in range(2)]
            for client in clients:
                assert await client.ask(b"one\n") == b"0 one\n"
            async with await start(tmp_path / "door", config) as second:
                await second.arrived()
                await first.replaced()
                assert (first.connections, second.connections) == (0, 2)
                for client in clients:
                    assert await client.ask(b"two\n") == b"1 two\n"
                    await client.close()

    said, sent = Line.say, Line.send
    monkeypatch.setattr(Line, "say", say)
    monkeypatch.setattr(Line, "send", send)
    monkeypatch.setattr(passing, "TIMEOUT", 0.3)
    monkeypatch.setattr(restart, "PATIENCE", 0.3, raising=False)
    run(main())
    assert "the other process has not answered for 0.3 s; it is waited for as long as it lives" in caplog.text


def test_a_successor_that_hangs_can_be_ended(tmp_path: Path) -> None:
    """Also after ``grace``: the old server has all that did not go over, and listens."""

    async def main() -> None:
        config = server_config()
        async with await start(tmp_path / "door", config, grace=0.1) as first:
            client = await Client.of(first)
            assert await client.ask(b"one\n") == b"0 one\n"
            line = await successor_of(tmp_path / "door")
            _, _, descriptor = await in_thread(line.receive)
            os.close(descriptor)
            await asyncio.sleep(0.4)
            assert first.under_way == 1
            line.close()
            async with asyncio.timeout(SOON):
                assert await client.ask(b"two\n") == b"1 two\n"
                other = await Client.of(first)
                assert await other.ask(b"new\n") == b"0 new\n"
            async with await start(tmp_path / "door", config) as second:
                await second.arrived()
                await first.replaced()
                assert (first.connections, second.connections) == (0, 2)
                await client.close()
                await other.close()

    run(main())


def test_what_one_successor_did_not_take_another_may(tmp_path: Path) -> None:
    """The first had a config that was wrong, and goes."""

    async def main() -> None:
        config = server_config()
        async with await start(tmp_path / "door", config) as first:
            client = await Client.of(first)
            assert await client.ask(b"one\n") == b"0 one\n"
            line = await successor_of(tmp_path / "door")
            _, _, descriptor = await in_thread(line.receive)
            os.close(descriptor)
            line.say(REFUSED)
            async with asyncio.timeout(SOON):
                while first.under_way:
                    await asyncio.sleep(0.01)
                assert await client.ask(b"two\n") == b"1 two\n"
                line.close()
                while first.wanted.is_set():
                    await asyncio.sleep(0.01)
                async with await start(tmp_path / "door", config) as second:
                    await second.arrived()
                    await first.replaced()
                    assert (first.connections, second.connections) == (0, 1)
                    assert await client.ask(b"three\n") == b"2 three\n"
                    await client.close()

    run(main())


def test_of_several_successors_one_comes_in(tmp_path: Path) -> None:
    """The others hear why they did not."""

    async def main() -> None:
        path = str(tmp_path / "door")
        async with await start(tmp_path / "door", server_config()):
            starting = [in_thread(predecessor_at, path) for _ in range(5)]
            waiting = asyncio.gather(*starting, return_exceptions=True)
            await asyncio.sleep(0)
            time.sleep(0.2)  # the server lets nobody in meanwhile
            lines = await waiting
            results = await asyncio.gather(
                *(in_thread(listeners_of, line) for line in lines if isinstance(line, Line)),
                return_exceptions=True,
            )
            for line in lines:
                if isinstance(line, Line):
                    line.close()
            (listeners,) = [result for result in results if isinstance(result, list)]
            for listener in listeners:
                listener.close()
            others = [one for one in (*lines, *results) if isinstance(one, Exception)]
            assert {type(other) for other in others} == {RestartError}

    run(main())


# --- a server that is closed -----------------------------------------------------------------------------------


def test_who_waits_for_what_arrives_hears_that_nothing_will(tmp_path: Path) -> None:
    async def main() -> None:
        config = server_config()
        async with await start(tmp_path / "door", config, busy) as first:
            client = await Client.of(first)
            second = await start(tmp_path / "door", config, busy)
            waiting = asyncio.create_task(second.arrived())
            await asyncio.sleep(0)
            await second.close()
            with pytest.raises(RestartError, match="closed before all had arrived"):
                await waiting
            client.writer.close()

    run(main())


def test_where_nobody_was_before_all_has_arrived_whoever_comes(tmp_path: Path) -> None:
    """A stranger who says nothing, here."""

    async def main() -> None:
        async with await start(tmp_path / "door", server_config()) as server:
            with socket.socket(socket.AF_UNIX) as stranger:
                await in_thread(stranger.connect, str(tmp_path / "door"))
                while (tmp_path / "door").exists():
                    await asyncio.sleep(0.01)
                async with asyncio.timeout(SOON):
                    await server.arrived()

    run(main())


def test_a_connection_under_way_does_not_come_back_to_a_server_that_was_closed(tmp_path: Path) -> None:
    handled: list[bytes] = []

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handled.append(writer.get_extra_info("state"))
        await echo(reader, writer)

    async def main() -> None:
        first = await start(tmp_path / "door", server_config(), counted)
        client = await Client.of(first)
        assert await client.ask(b"one\n") == b"0 one\n"
        line = await successor_of(tmp_path / "door")
        _, _, descriptor = await in_thread(line.receive)
        await first.close()
        os.close(descriptor)
        async with asyncio.timeout(SOON):
            with pytest.raises(ConnectionError):
                await client.reader.read()
        line.close()
        assert (first.connections, first.under_way, handled) == (0, 0, [b""])

    run(main())


def test_closing_can_be_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so to whoever cancelled it, a time-out for example."""
    ending = asyncio.Event()

    async def take_over(server: RestartableServer, line: Line) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ending.set()
            await asyncio.sleep(0.05)

    async def main() -> None:
        config = server_config()
        async with await start(tmp_path / "door", config):
            second = await start(tmp_path / "door", config)
            await asyncio.sleep(0)
            closing = asyncio.create_task(second.close())
            await ending.wait()
            closing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await closing
            await second.close()

    monkeypatch.setattr(RestartableServer, "_take_over", take_over)
    run(main())


def test_a_descriptor_that_comes_too_late_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread has it, and the server is closed before its loop does."""
    came, closed, seen = threading.Event(), threading.Event(), []

    def receive(line: Line) -> tuple[bytes, bytes, int]:
        kind, content, descriptor = received(line)
        if kind == b"C":
            seen.append(descriptor)
            came.set()
            closed.wait(SOON)
        return kind, content, descriptor

    async def main() -> None:
        config = server_config()
        async with await start(tmp_path / "door", config) as first:
            client = await Client.of(first)
            second = await start(tmp_path / "door", config)
            while not came.is_set():
                await asyncio.sleep(0.01)
            await second.close()
            closed.set()
            async with asyncio.timeout(SOON):
                while is_open(*seen):
                    await asyncio.sleep(0.01)
            assert await client.ask(b"still\n") == b"0 still\n"
            await client.close()

    received = Line.receive
    monkeypatch.setattr(Line, "receive", receive)
    run(main())


def is_open(descriptor: int) -> bool:
    return os.path.exists(f"/proc/self/fd/{descriptor}")


# --- hooks and options -------------------------------------------------------------------------------------------


def test_hooks_that_cannot_be_made_leave_a_connection_where_it_was(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked = 0

    def hooks() -> Hooks:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise RuntimeError("no hooks for the first")
        return Hooks()

    async def main() -> None:
        config = server_config()
        async with await start(tmp_path / "door", config) as first:
            clients = [await Client.of(first), await Client.of(first)]
            async with await start(tmp_path / "door", config, hooks=hooks) as second:
                async with asyncio.timeout(SOON):
                    while (first.connections, second.connections) != (1, 1):
                        await asyncio.sleep(0.01)
                for client in clients:
                    assert await client.ask(b"here\n") == b"0 here\n"
                    await client.close()
                await second.arrived()

    run(main())
    assert "a connection stays with the predecessor: no hooks for the first" in caplog.text


def test_a_connection_that_the_successor_does_not_let_in_is_not_handled(tmp_path: Path) -> None:
    handled: list[asyncio.StreamWriter] = []

    async def noting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handled.append(writer)

    def banned(transport: asyncio.Transport) -> None:
        raise PermissionError("banned")

    async def main() -> None:
        complaints: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        config = server_config()
        async with await start(tmp_path / "door", config) as first:
            client = await Client.of(first)
            hooks = Hooks(application=banned)
            async with await start(tmp_path / "door", config, noting, hooks=lambda: hooks) as second:
                await second.arrived()
                with pytest.raises(ConnectionError, match="internal_error"):
                    await client.reader.read()
                while second.connections:
                    await asyncio.sleep(0.01)
        assert [str(complaint["exception"]) for complaint in complaints] == ["banned"]

    run(main())
    assert handled == []


@pytest.mark.parametrize("options", [{"backlog": 10}, {"early_data": True}, {"tiemout": 1.0}])
def test_options_that_are_none_are_refused_at_once(tmp_path: Path, options: dict[str, Any]) -> None:
    """Each connection would fail otherwise, which nobody hears of who waits for ``start``."""

    async def main() -> None:
        with pytest.raises(TypeError, match=next(iter(options))):
            await start(tmp_path / "door", server_config(), **options)

    run(main())


@pytest.mark.parametrize("options", [{"read_size": 0}, {"limit": 0}, {"limit": None}, {"read_size": 1.5}])
def test_so_are_sizes(tmp_path: Path, options: dict[str, Any]) -> None:
    async def main() -> None:
        with pytest.raises(ConfigError, match=next(iter(options))):
            await start(tmp_path / "door", server_config(), **options)

    run(main())


def test_an_address_of_ipv6(tmp_path: Path) -> None:
    async def main() -> None:
        server = await RestartableServer.start(echo, "::1", 0, server_config(), tmp_path / "door")
        async with server:
            assert server.sockets[0].getsockname()[0] == "::1"

    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    run(main())


@pytest.mark.parametrize("state", ["1", 1, None])
def test_a_state_that_is_none_does_not_cost_the_connection(tmp_path: Path, state: Any) -> None:
    """It would have left by the time that this is seen."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with pytest.raises(TypeError, match=f"a state of type {type(state).__name__}; expected bytes"):
                await at_rest(reader, writer, reader.readline, state)
            writer.write(await reader.readline())
        finally:
            writer.close()

    async def main() -> None:
        async with await start(tmp_path / "door", server_config(), handler) as server:
            client = await Client.of(server)
            assert await client.ask(b"hello\n") == b"hello\n"
            await client.close()

    run(main())


def test_only_its_own_socket_goes_with_a_server(tmp_path: Path) -> None:
    """One that took its successor for dead, which was only slow: the successor can be found further on."""

    async def main() -> None:
        config = server_config()
        first = await start(tmp_path / "door", config)
        os.unlink(tmp_path / "door")
        async with await start(tmp_path / "door", config):
            await first.close()
            assert (tmp_path / "door").exists()
        assert not (tmp_path / "door").exists()

    run(main())


# --- files that are short ----------------------------------------------------------------------------------------


def test_a_successor_comes_while_files_are_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It waits in the queue; without a pause the loop would do nothing else."""
    monkeypatch.setattr(listening, "ACCEPT_RETRY_DELAY", 0.05)

    class Door(socket.socket):
        short = 2

        def accept(self) -> Any:
            if self.short:
                self.short -= 1
                raise OSError(errno.EMFILE, "short")
            return super().accept()

    def listen(path: str) -> socket.socket:
        return Door(fileno=listen_at(path).detach())

    async def main() -> None:
        config = server_config()
        monkeypatch.setattr(listening, "listen_at", listen)
        async with await start(tmp_path / "door", config) as first:
            monkeypatch.setattr(listening, "listen_at", listen_at)
            client = await Client.of(first)
            async with await start(tmp_path / "door", config) as second:
                await second.arrived()
                assert await client.ask(b"there\n") == b"0 there\n"
                await client.close()

    run(main())
    assert caplog.text.count("no successor can come for 0.05 s") == 2


def test_a_server_that_cannot_listen_for_its_successor_tries_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It has taken over by then: it serves, and whoever waits for the end of that hears nothing of it."""
    monkeypatch.setattr(listening, "ACCEPT_RETRY_DELAY", 0.05)
    short = 3

    def listen(path: str) -> socket.socket:
        nonlocal short
        short -= 1
        if short == 2 or short < 0:
            return listen_at(path)
        raise OSError(errno.EMFILE, "short")

    async def main() -> None:
        monkeypatch.setattr(listening, "listen_at", listen)
        config = server_config()
        first = await start(tmp_path / "door", config)
        second = await start(tmp_path / "door", config)
        await second.arrived()
        await first.replaced()
        while not (tmp_path / "door").exists():
            await asyncio.sleep(0.01)
        async with first, second, await start(tmp_path / "door", config) as third:
            await third.arrived()
            await second.replaced()

    run(main())
    assert caplog.text.count("no successor can come") == 2
