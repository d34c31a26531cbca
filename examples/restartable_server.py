"""A server whose next version takes its place while clients are connected, and none of them notices:

    python -m examples.restartable_server 4433 --path /tmp/echo.sock --chain chain.pem --key key.pem --ticket-key root
    python -m examples.restartable_server 4433 --path /tmp/echo.sock --chain chain.pem --key key.pem --ticket-key root

The first listens; the second one gets its listening socket and its connections, and the first one ends.  It speaks as
much HTTP/1.1 as curl needs to be told which process answered, and how many requests came on this connection before:

    curl --cacert ca.pem https://localhost:4433/ https://localhost:4433/

``--ticket-key`` is a file with 32 random bytes, so that the tickets of one process are good in the next.
"""

import argparse
import asyncio
import os
from pathlib import Path
from typing import Final

from sansticket import Credential, ServerConfig, WindowedTicketKeys
from sansticket_wrappers.asyncio import RestartableServer, at_rest

MAX_HEAD: Final = 16_384


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection, or what another process has left of it."""
    count = int(writer.get_extra_info("state") or b"0")
    try:
        while True:
            head = await at_rest(reader, writer, lambda: reader.readuntil(b"\r\n\r\n"), state=b"%d" % count)
            count += 1
            path = head.split(b" ", 2)[1].decode("latin-1")
            body = f"{os.getpid()} {count} {path}\n".encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            await writer.drain()
    except (OSError, EOFError, IndexError):
        pass  # the client has gone, or does not speak HTTP
    finally:
        writer.close()


async def run(port: int, path: str, config: ServerConfig, grace: float) -> None:
    server = await RestartableServer.start(
        serve, "127.0.0.1", port, config, path, grace=grace, limit=MAX_HEAD, https_compatible=True
    )
    async with server:
        print(f"listening on port {server.sockets[0].getsockname()[1]}", flush=True)
        await server.arrived()
        print(f"arrived: {server.connections}", flush=True)
        await server.replaced()
        print("replaced", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("port", type=int)
    for name in ("path", "chain", "key", "ticket-key"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--grace", type=float, default=30.0, metavar="SECONDS")
    options = parser.parse_args()
    credential = Credential.from_pem(Path(options.chain).read_bytes(), Path(options.key).read_bytes())
    keys = WindowedTicketKeys(Path(options.ticket_key).read_bytes())
    asyncio.run(
        run(
            options.port,
            options.path,
            ServerConfig(credentials=[credential], ticket_keys=keys),
            options.grace,
        )
    )


if __name__ == "__main__":
    main()
