"""Certificates of trustme as they come: what the tests of these frameworks and of many projects are written with."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import anyio
import pytest
import trustme
import urllib3
from attrs import frozen

from tests.adapters.frameworks.test_anyio import connect, echo, serving
from tests.adapters.frameworks.test_http import (
    BODY,
    aiohttp_server,
    ask_with_aiohttp,
    ask_with_httpx,
    recipe,
    url,
    uvicorn_server,
)
from tests.support.loops import run

NAMES = ("localhost", "127.0.0.1", "server.example")


@frozen
class Contexts:
    """A client and a server that require certificates of each other."""

    client: Any
    server: Any


@pytest.fixture(params=[1, 2], ids=["root", "intermediate"])
def contexts(request: pytest.FixtureRequest, tmp_path: Path) -> Contexts:
    top = issuer = trustme.CA()
    for _ in range(request.param - 1):
        issuer = issuer.create_child_ca()
    made = []
    for kind, names in ((ssl.PROTOCOL_TLS_CLIENT, ["client@example"]), (ssl.PROTOCOL_TLS_SERVER, NAMES)):
        file = tmp_path / f"{kind.name}.pem"
        issuer.issue_cert(*names).private_key_and_cert_chain_pem.write_to_path(file)
        context = recipe()(kind)
        context.load_verify_locations(cadata=top.cert_pem.bytes().decode())
        context.load_cert_chain(file)
        context.verify_mode = ssl.CERT_REQUIRED
        made.append(context)
    return Contexts(*made)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_anyio(contexts: Contexts, backend: str) -> None:
    async def main() -> None:
        with anyio.fail_after(60):
            async with (
                serving(echo, contexts.server) as port,
                await connect(port, contexts.client) as stream,
            ):
                await stream.send(b"hello")
                assert await stream.receive() == b"hello"

    anyio.run(main, backend=backend)


@pytest.mark.parametrize("serve", [aiohttp_server, uvicorn_server])
def test_http(contexts: Contexts, serve: Any) -> None:
    """aiohttp and httpx, to an address."""
    with serve(contexts.server) as port:
        ask_with_aiohttp(port, contexts.client)
        run(ask_with_httpx(port, contexts.client))
    assert contexts.server.session_stats()["accept_good"] == 4


def test_urllib3(contexts: Contexts) -> None:
    with (
        aiohttp_server(contexts.server) as port,
        urllib3.PoolManager(ssl_context=contexts.client, retries=False, timeout=60) as pool,
    ):
        assert pool.request("GET", url(port), headers={"Connection": "close"}).data == BODY
