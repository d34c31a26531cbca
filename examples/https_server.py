"""An HTTPS server on asyncio that says what it knows of your connection.  For curl and browsers:

    python -m examples.https_server 4433 --chain chain.pem --key key.pem
    curl --cacert ca.pem https://localhost:4433/

GET and HEAD answer with a page, POST with what was posted.  HTTP/1.1 with persistent connections, nothing more.

With ``--early-data 16384`` requests are taken that come before the handshake is done (RFC 8470).  Somebody may have
recorded them and sent them again, so they are marked with ``Early-Data: 1``, as a proxy in front of an application does
it, and what is not safe to be done twice gets 425: its client sends it again after the handshake.
"""

import argparse
import asyncio
from math import inf
from pathlib import Path
from typing import Final

from attrs import evolve, frozen

from sansticket import (
    CipherSuite,
    Connection,
    Credential,
    NamedGroup,
    ProtocolVersion,
    ReplayRecorder,
    ServerConfig,
)
from sansticket_wrappers.asyncio import EarlyData, start_server

MAX_HEAD: Final = 16_384
MAX_BODY: Final = 16_777_216
PATIENCE: Final = 60.0
"""Bytes of a request's head and of its body, and seconds until one must have come."""

REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    405: "Method Not Allowed",
    413: "Content Too Large",
    425: "Too Early",
    431: "Request Header Fields Too Large",
    501: "Not Implemented",
}


class BadRequest(Exception):
    """``status`` says why; the connection is over, since nobody knows where the next request would begin."""

    def __init__(self, status: int) -> None:
        super().__init__(f"{status} {REASONS[status]}")
        self.status = status


@frozen
class Request:
    method: str
    target: str
    headers: dict[str, str]
    """By name in small letters."""
    body: bytes = b""
    length: int = 0
    """Bytes that it takes in the stream, head and body."""

    @property
    def keeps_alive(self) -> bool:
        return self.headers.get("connection", "").lower() != "close"

    @property
    def early(self) -> bool:
        """Here, or at a proxy in front of us.  The header means that whatever it says (RFC 8470 section 5.1)."""
        return "early-data" in self.headers

    def marked(self, start: int, early: EarlyData) -> "Request":
        """``start``: where in the stream it began.  It is early if a byte of it was, and the handshake is not done."""
        if start >= early.received or early.completed:
            return self
        return evolve(self, headers={**self.headers, "early-data": "1"})


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection: requests and their responses, until one side has enough."""
    start = 0
    try:
        while request := await read_request(reader, writer):
            length = request.length
            request = request.marked(start, writer.get_extra_info("early_data"))
            start += length
            status, body = respond(request, writer.get_extra_info("tls"))
            send(writer, status, body, head_only=request.method == "HEAD", last=not request.keeps_alive)
            await writer.drain()
            if not request.keeps_alive:
                break
    except BadRequest as error:
        send(writer, error.status, f"{error}\n".encode(), last=True)
    except (OSError, EOFError):
        pass  # the client has gone, or says nothing
    finally:
        writer.close()


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
    """The next request; None when there will be none.  Raises BadRequest, TimeoutError, EOFError."""
    async with asyncio.timeout(PATIENCE):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            if error.partial.strip():
                raise
            return None
        except asyncio.LimitOverrunError:
            raise BadRequest(431) from None
        request = parse(head)
        if "transfer-encoding" in request.headers:
            raise BadRequest(501)
        length = request.headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            raise BadRequest(400)
        if int(length) > MAX_BODY:
            raise BadRequest(413)
        if request.headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await reader.readexactly(int(length))
        return evolve(request, body=body, length=len(head) + len(body))


def parse(head: bytes) -> Request:
    first, *lines = head.decode("latin-1").strip("\r\n").split("\r\n")
    method, _, rest = first.partition(" ")
    target, _, version = rest.rpartition(" ")
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        seen = name.lower() in headers and name.lower() != "early-data"
        if not colon or not name or name != name.strip() or seen:
            raise BadRequest(400)
        headers[name.lower()] = value.strip()
    if not (method and target) or version not in ("HTTP/1.1", "HTTP/1.0"):
        raise BadRequest(400)
    if version == "HTTP/1.0":
        headers["connection"] = "close"
    elif "host" not in headers:
        raise BadRequest(400)  # RFC 9112 section 3.2
    return Request(method, target, headers)


def respond(request: Request, connection: Connection) -> tuple[int, bytes]:
    """The status and the body."""
    if request.early and not may_be_repeated(request):
        return 425, b"Please send it again after the handshake\n"
    if request.method == "POST":
        return 200, request.body
    if request.method in ("GET", "HEAD"):
        return 200, (describe(connection) + f"early: {'yes' if request.early else 'no'}\n").encode()
    return 405, b"GET, HEAD and POST, please\n"


def may_be_repeated(request: Request) -> bool:
    """Whether nothing is worse if it is done twice.  Only the application knows; here /once is an example."""
    return request.method in ("GET", "HEAD") and not request.target.startswith("/once")


def describe(connection: Connection) -> str:
    """What was agreed on, once that is settled."""
    if connection.version is None:
        return "the handshake goes on\n"
    lines = {
        "version": ProtocolVersion(connection.version or 0).name,
        "cipher suite": CipherSuite(connection.cipher_suite or 0).name,
        "group": NamedGroup(connection.group).name if connection.group else "none",
        "application protocol": (connection.alpn_protocol or b"none").decode("latin-1"),
        "server name": connection.server_name or "none",
        "resumed": "yes" if connection.resumed else "no",
    }
    return "".join(f"{name}: {value}\n" for name, value in lines.items())


def send(
    writer: asyncio.StreamWriter, status: int, body: bytes, *, head_only: bool = False, last: bool = False
) -> None:
    head = [
        f"HTTP/1.1 {status} {REASONS[status]}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        f"Connection: {'close' if last else 'keep-alive'}",
        *(["Allow: GET, HEAD, POST"] if status == 405 else []),
    ]
    writer.write("\r\n".join((*head, "", "")).encode("latin-1") + (b"" if head_only else body))


async def run(port: int, config: ServerConfig) -> None:
    server = await start_server(
        serve, "127.0.0.1", port, config, early_data=True, limit=MAX_HEAD, https_compatible=True
    )
    async with server:
        print(f"listening on port {server.sockets[0].getsockname()[1]}", flush=True)
        await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description="Say over HTTPS what is known of the connection.")
    parser.add_argument("port", type=int, help="0 for any that is free")
    parser.add_argument("--chain", type=Path, required=True, help="PEM file of the certificates, leaf first")
    parser.add_argument("--key", type=Path, required=True, help="PEM file of the private key")
    parser.add_argument(
        "--early-data",
        type=int,
        default=0,
        help="bytes that may come before the handshake is done (default: none)",
    )
    options = parser.parse_args()
    credential = Credential.from_pem(options.chain.read_bytes(), options.key.read_bytes())
    config = ServerConfig(
        credentials=[credential],
        alpn_protocols=[b"http/1.1"],
        max_early_data=options.early_data,
        replay=ReplayRecorder(since=-inf),  # its ticket keys are as new: nothing of before can be replayed
        half_rtt=True,  # the answer to an early request need not wait for the handshake
    )
    try:
        asyncio.run(run(options.port, config))
    except KeyboardInterrupt:
        print("goodbye")


if __name__ == "__main__":
    main()
