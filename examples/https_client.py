"""An HTTPS client on asyncio.  It keeps its sessions in a file, and resumes them the next time:

    python -m examples.https_client https://localhost:4433/ --ca ca.pem --sessions sessions.bin

``get`` is the whole client: one request on one connection.  The session store in the config does the rest.

With ``--early-data`` a request goes with the first flight where the session allows it (RFC 8470): the answer is there a
round trip earlier, and whoever records the request can send it again.  A GET is made for that.  A server that minds
answers 425, and gets it again after a handshake.
"""

import argparse
import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from attrs import evolve, frozen

from sansticket import ClientConfig, TrustAnchors
from sansticket_wrappers.asyncio import open_connection
from sansticket_wrappers.session_file import SessionFile

MAX_HEAD: Final = 65_536
MAX_BODY: Final = 67_108_864
"""Bytes."""


class HTTPError(Exception):
    """That was no response, or not all of it."""


@frozen
class Response:
    status: int
    headers: dict[str, str]
    """By name in small letters."""
    body: bytes
    resumed: bool
    """Whether the connection was a resumption."""
    early: bool
    """Whether the request was sent, and taken, as early data."""


async def get(
    url: str, config: ClientConfig, *, timeout: float = 30.0, address: str | None = None
) -> Response:
    """``address``: where to connect, if it is not the host of the URL.  Raises OSError, HTTPError."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise HTTPError(f"{url!r} is no URL of HTTPS")
    async with asyncio.timeout(timeout):
        response = await exchange(parts, config, address)
        if response.status == 425 and response.early:
            response = await exchange(parts, evolve(config, early_data=False), address)
        return response


async def exchange(parts: SplitResult, config: ClientConfig, address: str | None) -> Response:
    """One request and its response, on a connection of its own."""
    assert parts.hostname is not None
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    head = f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode("ascii")
    reader, writer = await open_connection(
        *(address or parts.hostname, parts.port or 443, config),
        server_name=parts.hostname,
        early_data=head,
        limit=MAX_HEAD,
        https_compatible=True,
    )
    try:
        if not writer.get_extra_info("early_data").sent:
            writer.write(head)
        await writer.drain()
        return await read_response(reader, writer)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def read_response(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Response:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status = int(first.split(" ")[1])
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = await read_chunks(reader)
        elif "content-length" in headers:
            body = await read_exactly(reader, int(headers["content-length"]))
        else:
            body = await read_to_end(reader, writer)
    except (ValueError, IndexError, EOFError, asyncio.LimitOverrunError) as error:
        raise HTTPError(f"bad response: {error}") from error
    early = writer.get_extra_info("early_data").sent > 0
    return Response(status, headers, body, writer.get_extra_info("tls").resumed, early)


async def read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while length := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        body += await read_exactly(reader, length, before=len(body))
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass  # trailers
    return body


async def read_exactly(reader: asyncio.StreamReader, length: int, before: int = 0) -> bytes:
    if not 0 <= before + length <= MAX_BODY:
        raise HTTPError(f"a body of more than {MAX_BODY} bytes")
    return await reader.readexactly(length)


async def read_to_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Here close_notify is the only sign that nothing is missing."""
    body = b""
    while data := await reader.read(65_536):
        body += data
        if len(body) > MAX_BODY:
            raise HTTPError(f"a body of more than {MAX_BODY} bytes")
    if writer.get_extra_info("truncated"):
        raise HTTPError("the end of the body is missing")
    return body


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Get URLs over HTTPS, and resume the sessions of the last time."
    )
    parser.add_argument("urls", nargs="+", metavar="URL")
    parser.add_argument("--ca", type=Path, required=True, help="PEM file of the certificates to trust")
    parser.add_argument("--address", help="where to connect, if it is not the host of the URL")
    parser.add_argument("--sessions", type=Path, default="sessions.bin", help="where the sessions are kept")
    parser.add_argument("--early-data", action="store_true", help="send requests with the first flight")
    options = parser.parse_args()
    store = SessionFile(options.sessions)
    anchors = TrustAnchors.from_pem(options.ca.read_bytes())
    config = ClientConfig(
        trust_anchors=anchors,
        session_store=store,
        alpn_protocols=[b"http/1.1"],
        early_data=options.early_data,
    )
    for url in options.urls:
        response = asyncio.run(get(url, config, address=options.address))
        how = "early" if response.early else "resumed" if response.resumed else "full handshake"
        print(f"{url}: {response.status}, {how}", file=sys.stderr, flush=True)
        sys.stdout.buffer.write(response.body)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
