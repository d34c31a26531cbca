"""One server of a fleet: a client that comes back is resumed by any of them.

    head -c 32 /dev/urandom > root-secret
    python -m examples.fleet_server 4433 --chain chain.pem --key key.pem --root-secret root-secret
    python -m examples.fleet_server 4434 --chain chain.pem --key key.pem --root-secret root-secret

All servers have the same root secret, from which they derive the keys of their tickets, each by its own clock: they
never talk to each other.  With ``--redis URL`` tickets are ids, the sessions are in Redis (sealed with those keys),
and each ticket of TLS 1.3 is resumed once in the whole fleet.

To every line a server answers who it is and whether the connection was resumed, or the line came early.  Early data is
taken with ``--early-data 1000``, and then somebody can send the first flight of a client to each server.  With
``--recorder URL`` they remember in Redis whose they have taken, by SET NX PX, and one of them takes it; otherwise each
remembers for itself, and each takes it once.  ``docs/fleet.md`` has the rest.
"""

import argparse
import asyncio
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from sansticket import ASK, ClaimEarlyData, Credential, ReplayRecorder, ServerConfig, WindowedTicketKeys
from sansticket_wrappers.answers import Answers
from sansticket_wrappers.asyncio import Hooks, start_server

PATIENCE = 60.0
"""Seconds that a client may be silent."""


async def serve(options: argparse.Namespace) -> None:
    """Until it is cancelled."""
    clock = partial(_time_on, options.clock_offset)
    keys = WindowedTicketKeys(
        options.root_secret.read_bytes(),
        options.period,
        accept_for=options.lifetime,
        clock_skew=options.clock_skew,
    )
    settings: dict[str, Any] = {"ticket_keys": keys}
    hooks: Callable[[], Hooks] = Hooks
    if options.redis is not None:
        from redis.asyncio import Redis  # who shares keys only need not have it

        from sansticket_wrappers.redis import RedisStore

        redis = Redis.from_url(options.redis)
        store = RedisStore(redis, keys, clock=clock, timeout=options.redis_timeout)
        settings, hooks = store.settings(), store.hooks
    answers = take_early_data(options, settings, clock) if options.early_data else {}
    credential = Credential.from_pem(options.chain.read_bytes(), options.key.read_bytes())
    config = ServerConfig(credentials=[credential], ticket_lifetime=options.lifetime, clock=clock, **settings)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                while await reader.readline():
                    writer.write(f"server {options.name}: {how(writer)}\n".encode())
                    await writer.drain()
        except OSError:
            pass  # the client has gone, or says nothing
        finally:
            writer.close()

    server = await start_server(
        answer, "127.0.0.1", options.port, config, hooks=hooks, answers=answers, early_data=True
    )
    async with server:
        print(f"listening on port {server.sockets[0].getsockname()[1]}", flush=True)
        await server.serve_forever()


def _time_on(offset: float) -> float:
    """By a clock that is wrong by so many seconds."""
    return time.time() + offset


def how(writer: asyncio.StreamWriter) -> str:
    """How the client came whose line has just been read."""
    if not writer.get_extra_info("early_data").completed:
        return "early"
    return "resumed" if writer.get_extra_info("tls").resumed else "full"


def take_early_data(
    options: argparse.Namespace, settings: dict[str, Any], clock: Callable[[], float]
) -> Answers:
    """Say it in the settings of the config.  Who answers ``ClaimEarlyData``."""
    half = options.window / 2
    settings |= {"max_early_data": options.early_data, "half_rtt": True, "early_data_window": (half, half)}
    if options.recorder is None:
        settings["replay"] = ReplayRecorder(options.window, since=clock())
        return {}
    from redis.asyncio import Redis

    from sansticket_wrappers.redis import RedisRecorder

    redis = Redis.from_url(options.recorder)
    recorder = RedisRecorder(
        redis,
        window=3 * options.window,  # clocks differ, see docs/fleet.md
        clock=clock,
        timeout=options.redis_timeout,
    )
    settings["answers"] = {**settings.get("answers", {}), ClaimEarlyData: ASK}
    return {ClaimEarlyData: recorder.answer}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Serve as one of a fleet that shares its tickets.")
    parser.add_argument("port", type=int, help="0 for any that is free")
    parser.add_argument("--chain", type=Path, required=True, help="PEM file of the certificates, leaf first")
    parser.add_argument("--key", type=Path, required=True, help="PEM file of the private key")
    parser.add_argument("--root-secret", type=Path, required=True, help="file of at least 32 random bytes")
    parser.add_argument("--redis", metavar="URL", help="where the sessions are; without it in the tickets")
    parser.add_argument(
        "--early-data", type=int, default=0, help="bytes that may come with the first flight (default: none)"
    )
    parser.add_argument(
        "--recorder",
        metavar="URL",
        help="Redis that knows whose early data was taken; without it each server does",
    )
    parser.add_argument(
        "--redis-timeout",
        type=float,
        default=0.25,
        help="seconds that a handshake waits for either Redis (default: %(default)s)",
    )
    parser.add_argument(
        "--window", type=float, default=20, help="seconds within which it has to come (default: %(default)s)"
    )
    parser.add_argument("--name", default="", help="what it calls itself")
    parser.add_argument(
        "--period", type=float, default=3600, help="seconds of a ticket key (default: %(default)s)"
    )
    parser.add_argument(
        "--lifetime", type=int, default=7200, help="seconds of a ticket (default: %(default)s)"
    )
    parser.add_argument(
        "--clock-skew",
        type=float,
        default=300,
        help="seconds by which clocks may differ (default: %(default)s)",
    )
    parser.add_argument("--clock-offset", type=float, default=0, help="seconds by which this clock is ahead")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    try:
        asyncio.run(serve(options))
    except KeyboardInterrupt:
        print("goodbye")


if __name__ == "__main__":
    main()
