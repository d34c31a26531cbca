"""HTTP over our contexts: aiohttp and uvicorn as servers; aiohttp, httpx and urllib3 as clients.

Every client asks twice, on two connections: with a session store in its context the second one resumes.
"""

import asyncio
import gc
import ssl
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
import trio
import urllib3
import uvicorn
from aiohttp import web

from sansticket import ClientSessionStore, HandshakeCompleted
from sansticket.adapters import SSLContext, SSLObject
from tests.support.certificates import new_authority
from tests.support.command import PATIENCE
from tests.support.configs import client_config
from tests.support.loops import run
from tests.support.sockets import beside
from tests.support.ssl_objects import OURS, STDLIB, House

DOCS = Path(__file__).parents[3] / "docs/adapters.md"

BODY = b"a page, and some more of it\n" * 10_000

Server = Callable[[House], Any]


# --- servers, each in a thread of its own -----------------------------------------------------------------------


@contextmanager
def in_a_thread(serve: Callable[[Callable[[int], None], asyncio.Event], Any]) -> Iterator[int]:
    """Run ``serve(tell_port, stop)`` with asyncio; the port that it tells."""
    started: Future[tuple[int, Callable[[], object]]] = Future()

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        stopping = partial(loop.call_soon_threadsafe, stop.set)
        try:
            await serve(lambda port: started.set_result((port, stopping)), stop)
        except BaseException as error:
            if not started.done():
                started.set_exception(error)
            raise

    with beside(asyncio.run, main()):
        port, stop = started.result(PATIENCE)
        try:
            yield port
        finally:
            stop()


@contextmanager
def aiohttp_server(context: ssl.SSLContext) -> Iterator[int]:
    async def answer(request: web.Request) -> web.Response:
        assert request.secure
        return web.Response(body=BODY + await request.read())

    async def serve(tell_port: Callable[[int], None], stop: asyncio.Event) -> None:
        application = web.Application()
        application.router.add_route("*", "/", answer)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        tell_port(runner.addresses[0][1])
        await stop.wait()
        await runner.cleanup()

    with in_a_thread(serve) as port:
        yield port


@contextmanager
def uvicorn_server(context: ssl.SSLContext) -> Iterator[int]:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        assert scope["scheme"] == "https"
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": BODY + body})

    async def serve(tell_port: Callable[[int], None], stop: asyncio.Event) -> None:
        config = uvicorn.Config(
            application,
            port=0,
            lifespan="off",
            log_level="critical",
            http="h11",
            ssl_context_factory=lambda config, default: context,
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:
            assert not serving.done()
            await asyncio.sleep(0.01)
        tell_port(server.servers[0].sockets[0].getsockname()[1])
        await stop.wait()
        server.should_exit = True
        await serving

    with in_a_thread(serve) as port:
        yield port


@pytest.fixture(params=[OURS, STDLIB], ids=lambda house: house.name)
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    """Of an aiohttp server, with a context of ours or not."""
    with aiohttp_server(request.param.server(alpn=["http/1.1"])) as number:
        yield number


class Client:
    """A context of ours with a session store; it notes which handshakes were resumptions."""

    def __init__(self, kind: type[SSLContext] = SSLContext, **changes: Any) -> None:
        self.context = kind(client_config(session_store=ClientSessionStore(), **changes))
        self.context.on_event = self.note
        self.resumed: list[bool] = []

    def note(self, tls: SSLObject, event: object) -> None:
        if isinstance(event, HandshakeCompleted):
            self.resumed.append(event.resumed)


def url(port: int) -> str:
    return f"https://127.0.0.1:{port}/"


# --- clients ----------------------------------------------------------------------------------------------------


def ask_with_aiohttp(port: int, context: ssl.SSLContext) -> None:
    async def main() -> None:
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:
            for _ in range(2):
                async with session.post(url(port), data=b"question", ssl=context) as response:
                    assert await response.read() == BODY + b"question"

    with warnings.catch_warnings():
        # Whosever context it is: aiohttp does not wait for its last connection to be closed.
        warnings.simplefilter("ignore", ResourceWarning)
        run(main())
        gc.collect()


async def ask_with_httpx(port: int, context: ssl.SSLContext) -> None:
    limits = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(verify=context, limits=limits, timeout=60) as client:
        for _ in range(2):
            response = await client.post(url(port), content=b"question")
            assert response.content == BODY + b"question"


@pytest.mark.library("aiohttp", "client", "server", "resumes")
def test_aiohttp(port: int) -> None:
    client = Client()
    ask_with_aiohttp(port, client.context)
    assert client.resumed == [False, True]


@pytest.mark.library("httpx, asynchronous", "client", "resumes")
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_httpx(port: int, backend: str) -> None:
    client = Client()
    if backend == "trio":
        trio.run(ask_with_httpx, port, client.context)  # which has its time for each step
    else:
        run(ask_with_httpx(port, client.context))
    assert client.resumed == [False, True]


@pytest.mark.library("uvicorn", "server")
@pytest.mark.parametrize("house", [OURS, STDLIB], ids=lambda house: house.name)
def test_uvicorn(house: House) -> None:
    """Asked by aiohttp and httpx, by way of our contexts or the standard library's."""
    server = OURS.server()
    with uvicorn_server(server) as port:
        client = house.client()
        ask_with_aiohttp(port, client)
        run(ask_with_httpx(port, client))
    assert server.session_stats()["accept_good"] == 4


def test_a_connection_that_is_kept(port: int) -> None:
    client = Client()

    async def main() -> None:
        async with httpx.AsyncClient(verify=client.context, timeout=60) as session:
            for _ in range(3):
                assert (await session.get(url(port))).content == BODY

    run(main())
    assert client.resumed == [False]


def test_what_the_client_does_not_trust(port: int) -> None:
    context = OURS.client(trusted=new_authority("another root"))

    async def main() -> None:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await session.get(url(port), ssl=context)
        async with httpx.AsyncClient(verify=context, timeout=60) as client:
            with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
                await client.get(url(port))

    run(main())


# --- clients with sockets of their own ----------------------------------------------------------------------------


def recipe() -> type[SSLContext]:
    """The subclass with ``wrap_socket`` that docs/adapters.md shows."""
    code = DOCS.read_text().partition("<!-- wrap_socket -->\n```python\n")[2].partition("```")[0]
    names: dict[str, Any] = {}
    exec(compile(code, DOCS, "exec"), names)
    made: type[SSLContext] = names["SocketContext"]
    return made


def test_urllib3(port: int) -> None:
    client = Client(recipe())
    with urllib3.PoolManager(ssl_context=client.context, maxsize=1, retries=False, timeout=60) as pool:
        for _ in range(2):
            response = pool.request("POST", url(port), body=b"question", headers={"Connection": "close"})
            assert response.data == BODY + b"question"
    assert client.resumed == [False, True]


def test_httpx_without_async(port: int) -> None:
    client = Client(recipe())
    with httpx.Client(verify=client.context, timeout=60) as session:
        for _ in range(2):
            response = session.post(url(port), content=b"question", headers={"Connection": "close"})
            assert response.content == BODY + b"question"
    assert client.resumed == [False, True]
