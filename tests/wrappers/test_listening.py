"""Connections that come while a server stops to listen, while files are short, while what serves them fails."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from typing import Any

import pytest

from sansticket_wrappers.asyncio import listening
from sansticket_wrappers.asyncio.listening import Listening
from tests.support.loops import LOOPS, Loop, run


class Greeting(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(b"hello")  # type: ignore[attr-defined]
        transport.close()


async def what_it_says(listener: socket.socket) -> bytes:
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    try:
        return await reader.read()
    except ConnectionResetError:
        return b"reset"
    finally:
        writer.close()


@LOOPS
def test_a_connection_that_was_accepted_when_it_stopped_is_served(new_loop: Loop) -> None:
    """``asyncio.Server`` drops it: in 3.13.0 a client is reset, where a successor would have listened."""

    async def main() -> None:
        def last() -> Greeting:
            server.stop()
            return Greeting()

        with socket.create_server(("127.0.0.1", 0)) as listener:
            server = Listening(listener, last)
            assert await what_it_says(listener) == b"hello"
            waiting = asyncio.ensure_future(what_it_says(listener))
            await asyncio.sleep(0.05)
            assert not waiting.done()
            assert listener.fileno() > 0  # as open as before: for a successor
            server = Listening(listener, last)
            assert await waiting == b"hello"

    run(main(), new_loop)


@LOOPS
def test_what_was_accepted_when_it_was_closed_is_dropped(new_loop: Loop) -> None:
    async def main() -> None:
        def last() -> Greeting:
            server.close()
            loop.call_soon(server.close)  # when it is on its way
            return Greeting()

        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            server = Listening(listener, last)
            assert await what_it_says(listener) in (b"", b"reset")
            assert not asyncio.all_tasks() - {asyncio.current_task()}

    run(main(), new_loop)


class Short(socket.socket):
    """One for which there are no files, for a while."""

    errors: list[OSError]

    def accept(self) -> Any:
        if self.errors:
            raise self.errors.pop()
        return super().accept()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_files_are_short_for_a_while(
    number: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The socket stays ready: without a pause the loop would do nothing else."""
    monkeypatch.setattr(listening, "ACCEPT_RETRY_DELAY", 0.01)

    async def main() -> None:
        with Short() as listener:
            listener.errors = [OSError(number, "short"), OSError(number, "short")]
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            server = Listening(listener, Greeting)
            assert await what_it_says(listener) == b"hello"
            server.stop()

    with caplog.at_level(logging.WARNING):
        run(main())
    assert caplog.text.count("no connection is accepted for 0.01 s") == 2


def test_a_pause_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "ACCEPT_RETRY_DELAY", 0.01)

    async def main() -> None:
        with Short() as listener:
            listener.errors = [OSError(errno.EMFILE, "short")]
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            server = Listening(listener, Greeting)
            waiting = asyncio.ensure_future(what_it_says(listener))
            while listener.errors:
                await asyncio.sleep(0)
            server.stop()
            await asyncio.sleep(0.05)
            assert not waiting.done()
            waiting.cancel()

    run(main())


def test_one_for_which_no_protocol_is_made_is_closed() -> None:
    async def main() -> None:
        def make() -> Greeting:
            if wrong:
                raise wrong.pop()
            return Greeting()

        wrong = [ValueError("none")]
        seen: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: seen.append(context))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            server = Listening(listener, make)
            assert await what_it_says(listener) == b""
            assert await what_it_says(listener) == b"hello"
            server.stop()
        assert [str(context["exception"]) for context in seen] == ["none"]

    run(main())


def test_a_wrong_errno_is_for_the_loop() -> None:
    async def main() -> None:
        seen: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: seen.append(context))
        with Short() as listener:
            listener.errors = [OSError(errno.EPERM, "not you")]
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            server = Listening(listener, Greeting)
            assert await what_it_says(listener) == b"hello"
            server.stop()
        assert [context["exception"].errno for context in seen] == [errno.EPERM]

    run(main())
