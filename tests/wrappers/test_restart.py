"""A server whose place another takes, in one process: what stays behind, and what goes wrong."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from pathlib import Path
from typing import Any, Final

import pytest

from sansticket import Handover, ServerConfig
from sansticket_wrappers.asyncio import (
    Moved,
    RestartableServer,
    RestartError,
    at_rest,
    moving,
    open_connection,
)
from sansticket_wrappers.asyncio.passing import CONNECTION, GO, GREETING, Line, listen_at, predecessor_at
from tests.support.command import PATIENCE
from tests.support.configs import client_config, server_config
from tests.support.loops import LOOPS, Loop, run

NAME: Final = "server.example"


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Lines, each with how many there were before."""
    count = int(writer.get_extra_info("state") or b"0")
    try:
        while line := await at_rest(reader, writer, reader.readline, state=b"%d" % count):
            writer.write(b"%d %b" % (count, line))
            count += 1
    finally:
        writer.close()


async def start(path: Path, config: ServerConfig, handler: Any = echo, **options: Any) -> RestartableServer:
    return await RestartableServer.start(handler, "127.0.0.1", 0, config, path, **options)


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def of(cls, server: RestartableServer | asyncio.Server) -> Client:
        port = server.sockets[0].getsockname()[1]
        return cls(*await open_connection("127.0.0.1", port, client_config(), server_name=NAME))

    async def ask(self, line: bytes) -> bytes:
        self.writer.write(line)
        return await self.reader.readline()

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


@LOOPS
def test_connections_go_on_where_they_were(tmp_path: Path, new_loop: Loop) -> None:
    async def main() -> None:
        config = server_config()
        async with await start(tmp_path / "door", config) as first:
            client = await Client.of(first)
            assert await client.ask(b"one\n") == b"0 one\n"
            client.writer.write(b"half")
            async with await start(tmp_path / "door", config) as second:
                await second.arrived()
                await first.replaced()
                assert (first.connections, second.connections) == (0, 1)
                assert await client.ask(b" a line\n") == b"1 half a line\n"
                other = await Client.of(second)
                assert await other.ask(b"new\n") == b"0 new\n"
                await client.close()
                await other.close()
        assert not (tmp_path / "door").exists()

    run(main(), new_loop)


def test_programs_that_a_successor_starts_get_no_socket(tmp_path: Path) -> None:
    """Python's own sockets are not inherited (PEP 446): who kept one would keep its peer, or the port, waiting."""
    seen: list[socket.socket] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(writer.get_extra_info("socket"))
        await echo(reader, writer)

    async def main() -> None:
        config = server_config()
        async with await start(tmp_path / "door", config) as first:
            client = await Client.of(first)
            async with await start(tmp_path / "door", config, handler) as second:
                await second.arrived()
                assert await client.ask(b"one\n") == b"0 one\n"
                assert [sock.get_inheritable() for sock in second.sockets] == [False]
                assert [os.get_inheritable(sock.fileno()) for sock in seen] == [False]
                await client.close()

    run(main())


def test_a_half_close_goes_along(tmp_path: Path) -> None:
    """The client has said all, the server has not: the successor says the rest."""

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not writer.get_extra_info("state"):
            await reader.read()
            await at_rest(reader, writer, asyncio.Event().wait, state=b"later")
        assert await reader.read() == b""
        writer.write(b"the end")
        writer.close()

    async def main() -> None:
        config = server_config()
        async with await start(tmp_path / "door", config, late) as first:
            client = await Client.of(first)
            client.writer.write(b"all")
            client.writer.write_eof()
            async with await start(tmp_path / "door", config, late) as second:
                await second.arrived()
                assert await client.reader.read() == b"the end"
                await client.close()

    run(main())


def test_what_does_not_fit_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A successor with another config takes new connections; those that are there end where they are."""

    async def main() -> None:
        config, other = server_config(), server_config(session_id_context=b"another")
        async with await start(tmp_path / "door", config, grace=0.5) as first:
            client = await Client.of(first)
            assert await client.ask(b"one\n") == b"0 one\n"
            async with await start(tmp_path / "door", other) as second:
                while not caplog.messages:
                    await asyncio.sleep(0.01)
                assert await client.ask(b"two\n") == b"1 two\n"
                await first.replaced()
                assert (first.connections, second.connections) == (1, 0)
                await client.close()

    run(main())
    assert "session_id_context: the peer of this connection was verified under another policy" in caplog.text


def test_the_config_is_chosen_by_what_the_handover_says(tmp_path: Path) -> None:
    config, other = server_config(), server_config(session_id_context=b"another")
    seen: list[str | None] = []

    def choose(handover: Handover) -> ServerConfig:
        seen.append(handover.server_name)
        return config

    async def main() -> None:
        async with await start(tmp_path / "door", config) as first:
            client = await Client.of(first)
            async with await start(tmp_path / "door", other, choose=choose) as second:
                await second.arrived()
                assert await client.ask(b"one\n") == b"0 one\n"
                await client.close()

    run(main())
    assert seen == [NAME]


def test_a_successor_that_goes_leaves_everything_as_it_was(tmp_path: Path) -> None:
    """At each point where it can go: the server serves on, and another one can come."""
    door = tmp_path / "door"

    async def main() -> None:
        config, loop = server_config(), asyncio.get_running_loop()
        async with await start(door, config) as first:
            client = await Client.of(first)
            for greeting in (b"", b"something else that is long enough", GREETING):
                sock = socket.socket(socket.AF_UNIX)
                await loop.run_in_executor(None, sock.connect, str(door))
                sock.sendall(greeting)
                sock.close()
                while door.exists():
                    await asyncio.sleep(0.01)
                while not door.exists():
                    await asyncio.sleep(0.01)
                assert await client.ask(b"still\n")
            line = await loop.run_in_executor(None, predecessor_at, str(door))
            assert line is not None
            _, _, listener = await loop.run_in_executor(None, line.receive)
            line.say(b"R")
            while not first.wanted.is_set():
                await asyncio.sleep(0.01)
            line.close()
            os.close(listener)
            while first.wanted.is_set():
                await asyncio.sleep(0.01)
            assert await client.ask(b"still\n") == b"3 still\n"
            async with await start(door, config) as second:
                await second.arrived()
                assert await client.ask(b"there\n") == b"4 there\n"
                await client.close()

    run(main())


def test_nobody_touches_a_connection_that_was_not_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The successor could take it, and never hears that it may: both would seal under the same keys."""
    handled: list[bytes] = []

    async def greets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handled.append(writer.get_extra_info("state") or b"new")
        try:
            await at_rest(reader, writer, reader.readline, state=b"old")
            writer.write(b"there\n")
        finally:
            writer.close()

    def say(line: Line, word: bytes) -> None:
        if word == GO:
            raise BrokenPipeError
        said(line, word)

    async def main() -> None:
        config = server_config()
        async with await start(tmp_path / "door", config, greets) as first:
            client = await Client.of(first)
            async with await start(tmp_path / "door", config, greets) as second:
                await second.arrived()
                while first.wanted.is_set():
                    await asyncio.sleep(0.01)
                assert (first.connections, second.connections) == (1, 0)
                assert await client.ask(b"hello\n") == b"there\n"
                await client.close()

    said = Line.say
    monkeypatch.setattr(Line, "say", say)
    run(main())
    assert handled == [b"new", b"old"]


def test_the_end_of_the_grace_is_not_amid_a_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is under way arrives; what rests later stays, and is served."""

    def send(line: Line, kind: bytes, content: bytes = b"", descriptor: int | None = None) -> None:
        if kind != CONNECTION:
            sent(line, kind, content, descriptor)
            return
        assert descriptor is not None
        socket.send_fds(line._sock, [kind], [descriptor])
        time.sleep(0.4)
        line._sock.sendall(len(content).to_bytes(4) + content)

    async def main() -> None:
        config = server_config()
        async with await start(tmp_path / "door", config, restless, grace=0.2) as first:
            rests, moves = await Client.of(first), await Client.of(first)
            assert await rests.ask(b"at work\n") == b"at work\n"
            assert await moves.ask(b"done\n") == b"done\n"
            async with await start(tmp_path / "door", config, restless) as second:
                await second.arrived()
                await first.replaced()
                assert (first.connections, second.connections) == (1, 1)
                assert await moves.ask(b"done\n") == b"done\n"
                assert await rests.ask(b"done\n") == b"done\n"
                assert await rests.ask(b"done\n") == b"done\n"
                assert len(handled) == 4  # two, and each began anew: one there and one here
                await asyncio.sleep(0.2)
                assert len(handled) == 4
                await moves.close()
                await rests.close()

    handled: list[object] = []

    async def restless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handled.append(writer)
        line = b"done\n" if writer.get_extra_info("state") else await reader.readline()
        if not writer.get_extra_info("state"):
            writer.write(line)
        while True:
            read = reader.readline
            line = await (at_rest(reader, writer, read, b"old") if line == b"done\n" else read())
            if not line:
                break
            writer.write(line)
        writer.close()

    sent = Line.send
    monkeypatch.setattr(Line, "send", send)
    run(main())


def test_a_connection_without_a_descriptor_to_spare_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit of open files is reached just when all of them are there twice."""
    refused: list[int] = []

    def dup(descriptor: int) -> int:
        if len(refused) < 3:
            refused.append(descriptor)
            raise OSError(24, "Too many open files")
        return made(descriptor)

    async def main() -> None:
        config = server_config()
        async with await start(tmp_path / "door", config) as first:
            client = await Client.of(first)
            assert await client.ask(b"one\n") == b"0 one\n"
            async with await start(tmp_path / "door", config) as second:
                await second.arrived()
                assert (len(refused), second.connections) == (3, 1)
                assert await client.ask(b"two\n") == b"1 two\n"
                await client.close()

    made = os.dup
    monkeypatch.setattr(moving.os, "dup", dup)
    run(main())


def test_a_choice_that_fails_is_of_one_connection(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def choose(handover: Handover) -> ServerConfig:
        raise KeyError(handover.server_name)

    async def main() -> None:
        config = server_config()
        async with await start(tmp_path / "door", config, grace=0.3) as first:
            client = await Client.of(first)
            async with await start(tmp_path / "door", config, choose=choose) as second:
                await second.arrived()
                assert (first.connections, second.connections) == (1, 0)
                assert await client.ask(b"one\n") == b"0 one\n"
                await client.close()

    run(main())
    assert caplog.messages == ["a connection stays with the predecessor: 'server.example'"]


def test_a_predecessor_that_says_something_else(tmp_path: Path) -> None:
    async def main() -> None:
        loop, door = asyncio.get_running_loop(), listen_at(str(tmp_path / "door"))
        with door:
            starting = loop.create_task(start(tmp_path / "door", server_config()))
            sock, _ = await loop.sock_accept(door)
            with sock:
                await loop.sock_sendall(sock, b"D\0\0\0\0")
                with pytest.raises(RestartError, match="a message b'D'; expected a listening socket"):
                    await starting

    run(main())


def test_a_handler_that_does_not_rest_ends_where_it_is(tmp_path: Path) -> None:
    async def stubborn(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
        writer.close()

    async def main() -> None:
        config = server_config()
        async with await start(tmp_path / "door", config, stubborn) as first:
            client = await Client.of(first)
            assert await client.ask(b"one\n") == b"one\n"
            async with await start(tmp_path / "door", config) as second:
                assert await client.ask(b"two\n") == b"two\n"
                await client.close()
                await second.arrived()
                await first.replaced()

    run(main())


def test_who_waits_for_a_successor_hears_that_none_can_come(tmp_path: Path) -> None:
    async def main() -> None:
        async with await start(tmp_path / "s", server_config()) as server:
            waiting = asyncio.create_task(server.replaced())
            await asyncio.sleep(0)
        for waits in (waiting, server.replaced()):
            with pytest.raises(RestartError, match="the server was closed"):
                await waits
        await server.close()  # a second time

    run(main())


def test_at_rest_is_nothing_on_a_server_that_stays() -> None:
    from sansticket_wrappers.asyncio import start_server

    async def main() -> None:
        server = await start_server(echo, "127.0.0.1", 0, server_config())
        client = await Client.of(server)
        assert await client.ask(b"one\n") == b"0 one\n"
        await client.close()
        server.close()

    run(main())
    assert issubclass(Moved, Exception)


def test_a_server_that_cannot_start_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its listening socket is there before it finds out."""
    made: list[socket.socket] = []

    def create_server(*arguments: Any, **options: Any) -> socket.socket:
        made.append(create(*arguments, **options))
        return made[-1]

    async def main() -> None:
        with pytest.raises(FileNotFoundError):
            await start(tmp_path / "no folder" / "door", server_config())
        assert [listener.fileno() for listener in made] == [-1]

    create = socket.create_server
    monkeypatch.setattr(socket, "create_server", create_server)
    run(main())


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "door"
        path.write_text("what somebody has written")
        with pytest.raises(OSError, match="in use"):
            await start(path, server_config())
        assert path.read_text() == "what somebody has written"

    run(main())


def test_a_handler_that_is_cancelled_does_not_hold_up_what_is_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A time-out around ``at_rest``, say; others wait for their turn by then."""

    async def impatient(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE) as limit:
                limits.append(limit)
                await echo(reader, writer)
        except TimeoutError:
            pass

    def deliver(line: Line, package: Any) -> bool:
        time.sleep(0.15)
        return delivered(line, package)

    async def main() -> None:
        config, loop = server_config(), asyncio.get_running_loop()
        async with await start(tmp_path / "door", config, impatient) as first:
            clients = [await Client.of(first) for _ in range(3)]
            for client in clients:
                assert await client.ask(b"here\n") == b"0 here\n"
            async with await start(tmp_path / "door", config, impatient) as second:
                while not first.under_way:
                    await asyncio.sleep(0)
                for limit in limits[:3]:
                    limit.reschedule(loop.time() + 0.1)
                await second.arrived()
                await first.replaced()
                assert (first.under_way, first.connections, second.connections) == (0, 0, 3)
                for client in clients:
                    assert await client.ask(b"there\n") == b"1 there\n"
                    await client.close()

    limits: list[asyncio.Timeout] = []
    delivered = Line.deliver
    monkeypatch.setattr(Line, "deliver", deliver)
    run(main())


@pytest.mark.parametrize("moment", range(6))
def test_a_line_that_was_read_is_not_lost_to_a_cancellation(tmp_path: Path, moment: int) -> None:
    """However many rounds of the loop the two are apart: who goes on afterwards finds it, or has it."""
    read: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None

        def later(rounds: int) -> None:
            if rounds:
                task.get_loop().call_soon(later, rounds - 1)
            elif not read:
                task.cancel()

        try:
            task.get_loop().call_later(0.1, reader.feed_data, b"a line\n")
            task.get_loop().call_later(0.1, later, moment)
            read.append(await at_rest(reader, writer, reader.readline))
        except asyncio.CancelledError:
            task.uncancel()
            async with asyncio.timeout(5):
                read.append(await reader.readline())
        writer.close()

    async def main() -> None:
        async with await start(tmp_path / "door", server_config(), handler) as server:
            client = await Client.of(server)
            assert await client.reader.read() == b""
            await client.close()

    run(main())
    assert read == [b"a line\n"]


def test_who_is_cancelled_while_it_stops_waiting_is(tmp_path: Path) -> None:
    """A successor comes just then; the connection stays, for its handler to end it."""
    seen: list[BaseException] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None

        async def waiting() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                task.cancel()

        try:
            await at_rest(reader, writer, waiting)
        except BaseException as error:
            seen.append(error)
            raise
        finally:
            writer.close()

    async def main() -> None:
        config = server_config()
        async with await start(tmp_path / "door", config, handler) as first:
            client = await Client.of(first)
            async with await start(tmp_path / "door", config, handler) as second:
                await second.arrived()
                assert second.connections == 0
                await client.close()

    run(main())
    assert [type(error) for error in seen] == [asyncio.CancelledError]


def test_a_time_out_of_what_is_waited_for_is_its_own(tmp_path: Path) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def waiting() -> None:
            raise TimeoutError("of a store")

        try:
            await at_rest(reader, writer, waiting)
        except TimeoutError as error:
            writer.write(str(error).encode())
        writer.close()

    async def main() -> None:
        async with await start(tmp_path / "door", server_config(), handler) as server:
            client = await Client.of(server)
            assert await client.reader.read() == b"of a store"
            await client.close()

    run(main())
