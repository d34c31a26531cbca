"""A server whose sessions are in Redis: python -m examples.redis_server chain.pem key.pem root-secret redis://..."""

import asyncio
import sys
from pathlib import Path

from redis.asyncio import Redis

from sansticket import Credential, ServerConfig, WindowedTicketKeys
from sansticket_wrappers.asyncio import start_server
from sansticket_wrappers.redis import RedisStore


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"resumed\n" if writer.get_extra_info("tls").resumed else b"full handshake\n")
    writer.close()


async def main(chain: str, key: str, secret: str, url: str) -> None:
    store = RedisStore(Redis.from_url(url), WindowedTicketKeys(Path(secret).read_bytes(), 3600))
    credential = Credential.from_pem(Path(chain).read_bytes(), Path(key).read_bytes())
    config = ServerConfig(credentials=[credential], **store.settings())
    server = await start_server(answer, "127.0.0.1", 0, config, hooks=store.hooks)
    print(f"listening on port {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if len(sys.argv) != 5:
    sys.exit(__doc__)
asyncio.run(main(*sys.argv[1:]))
