"""httpx over sansticket: a transport whose connections resume the sessions of earlier ones.

    config = ClientConfig(trust_anchors=anchors, session_store=ClientSessionStore(), alpn_protocols=[b"http/1.1"])
    async with httpx.AsyncClient(transport=TLSTransport(config)) as client:
        response = await client.get("https://example.org/")
        tls(response).resumed

httpx does all of HTTP, and keeps connections open; whenever it needs another one to the same host, that one
resumes.  The way in is public: httpx takes transports, and httpcore, which does its work, takes network backends.
"""

import argparse
import asyncio
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpcore
import httpx

from sansticket import ClientConfig, ClientSessionStore, Connection, TrustAnchors
from sansticket_wrappers.asyncio import open_connection


class TLSTransport(httpx.AsyncBaseTransport):
    """For HTTPS, over asyncio.  ``options`` are those of httpcore's connection pool."""

    def __init__(self, config: ClientConfig, **options: Any) -> None:
        # httpcore would make a context with all root certificates for each connection, for nothing.
        unused = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._pool = httpcore.AsyncConnectionPool(unused, network_backend=Backend(config), **options)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.scheme != "https":
            raise httpx.UnsupportedProtocol(f"{request.url.scheme} is not https", request=request)
        url = request.url
        with errors_of_httpx(request):
            response = await self._pool.handle_async_request(
                httpcore.Request(
                    method=request.method,
                    url=httpcore.URL(
                        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                    ),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=dict(request.extensions),
                )
            )
        assert isinstance(response.stream, AsyncIterable)
        return httpx.Response(
            status_code=response.status,
            headers=response.headers,
            stream=Body(response, request),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


def tls(response: httpx.Response) -> Connection:
    """The connection that brought a response."""
    connection = response.extensions["network_stream"].get_extra_info("tls")
    assert isinstance(connection, Connection)
    return connection


class Body(httpx.AsyncByteStream):
    """httpcore's stream as httpx wants it."""

    def __init__(self, response: httpcore.Response, request: httpx.Request) -> None:
        self._response = response
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with errors_of_httpx(self._request):
            async for part in self._response.aiter_stream():
                yield part

    async def aclose(self) -> None:
        with errors_of_httpx(self._request):
            await self._response.aclose()


class Backend(httpcore.AsyncNetworkBackend):
    """Where httpcore gets its connections from."""

    def __init__(self, config: ClientConfig) -> None:
        self._config = config

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return Unconnected(host, port, self._config)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Unconnected(httpcore.AsyncNetworkStream):
    """A host and its port.  Connecting and TLS are one step here, which httpcore takes with ``start_tls``."""

    def __init__(self, host: str, port: int, config: ClientConfig) -> None:
        self._host = host
        self._port = port
        self._config = config

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        with errors_of_httpcore(httpcore.ConnectTimeout, httpcore.ConnectError):
            async with asyncio.timeout(timeout):
                streams = await open_connection(
                    self._host, self._port, self._config, server_name=server_hostname, https_compatible=True
                )
        return Stream(*streams)

    async def aclose(self) -> None:
        pass


class Stream(httpcore.AsyncNetworkStream):
    """A TLS connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with errors_of_httpcore(httpcore.ReadTimeout, httpcore.ReadError):
            async with asyncio.timeout(timeout):
                return await self._reader.read(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        with errors_of_httpcore(httpcore.WriteTimeout, httpcore.WriteError):
            async with asyncio.timeout(timeout):
                self._writer.write(buffer)
                await self._writer.drain()

    async def aclose(self) -> None:
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":  # httpcore asks this of an idle connection: has the server closed it?
            return self._reader.at_eof() or self._reader.exception() is not None
        return self._writer.get_extra_info(info)


@contextmanager
def errors_of_httpcore(timeout: type[Exception], other: type[Exception]) -> Iterator[None]:
    """Raise those where asyncio raises its own."""
    try:
        yield
    except TimeoutError as error:
        raise timeout(str(error)) from error
    except OSError as error:
        raise other(str(error)) from error


@contextmanager
def errors_of_httpx(request: httpx.Request) -> Iterator[None]:
    """Raise those where httpcore raises its own: the names are the same."""
    try:
        yield
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise getattr(httpx, type(error).__name__)(str(error), request=request) from error


async def get(urls: list[str], config: ClientConfig) -> None:
    """Each on a connection of its own."""
    transport = TLSTransport(config, max_keepalive_connections=0)
    async with httpx.AsyncClient(transport=transport) as client:
        for url in urls:
            response = await client.get(url)
            how = "resumed" if tls(response).resumed else "full handshake"
            print(f"{url}: {response.status_code}, {how}, {len(response.content)} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description="Get URLs with httpx, each on a connection of its own.")
    parser.add_argument("urls", nargs="+", metavar="URL")
    parser.add_argument("--ca", type=Path, required=True, help="PEM file of the certificates to trust")
    options = parser.parse_args()
    config = ClientConfig(
        trust_anchors=TrustAnchors.from_pem(options.ca.read_bytes()),
        session_store=ClientSessionStore(),
        alpn_protocols=[b"http/1.1"],
    )
    asyncio.run(get(options.urls, config))


if __name__ == "__main__":
    main()
