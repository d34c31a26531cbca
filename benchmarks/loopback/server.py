"""An asyncio server in a process of its own, which says what it has cost.

It answers a byte to each message whose last byte is a full stop, until the client closes.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import ssl
from collections.abc import Awaitable, Callable
from math import inf
from multiprocessing.connection import Connection
from typing import Any, Final

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from benchmarks.footprint import resident
from benchmarks.ours import server_config
from benchmarks.stdlib import server_context
from benchmarks.workers import Process
from sansticket import CipherSuite, ReplayRecorder, ServerConfig, WindowedTicketKeys
from sansticket.adapters import SSLContext
from tests.support.certificates import Identity

HOST: Final = "127.0.0.1"
READ: Final = 65_536
"""Bytes that a read of the application takes at most."""


@frozen
class Version:
    """Of the protocol, with its only suite."""

    name: str
    number: ssl.TLSVersion
    suite: CipherSuite
    openssl_suite: str


MODERN: Final = Version(
    "TLS 1.3", ssl.TLSVersion.TLSv1_3, CipherSuite.AES_128_GCM_SHA256, "TLS_AES_128_GCM_SHA256"
)
OLD: Final = Version(
    "TLS 1.2",
    ssl.TLSVersion.TLSv1_2,
    CipherSuite.ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    "ECDHE-ECDSA-AES128-GCM-SHA256",
)


@frozen
class Setting:
    """What a server is told: which of ``STARTS`` it is, who it is, and of which secret its ticket keys are."""

    kind: str
    version: Version
    chain_pem: bytes
    key_pem: bytes
    ticket_secret: bytes

    @property
    def identity(self) -> Identity:
        chain = tuple(x509.load_pem_x509_certificates(self.chain_pem))
        return Identity(chain, load_pem_private_key(self.key_pem, None))

    def config(self, **more: Any) -> ServerConfig:
        keys = WindowedTicketKeys(self.ticket_secret, 3600, accept_for=7200)
        return server_config(
            self.identity, self.version.suite, ticket_keys=keys, ticket_lifetime=7200, **more
        )


class Server(Process):
    """From here."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(_work, setting)
        self.port: int = self.answer()

    def cpu(self) -> float:
        """Seconds since it began, in the system too."""
        seconds: float = self.ask("cpu")
        return seconds

    def memory(self) -> int:
        """Bytes that are resident; 0 where the system does not tell."""
        size: int = self.ask("memory")
        return size


def _work(pipe: Connection, setting: Setting) -> None:
    asyncio.run(_serve(pipe, setting))


async def _serve(pipe: Connection, setting: Setting) -> None:
    loop = asyncio.get_running_loop()
    server = await STARTS[setting.kind](setting)
    loop.add_reader(pipe.fileno(), _say, pipe)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def _say(pipe: Connection) -> None:
    try:
        question = pipe.recv()
    except EOFError:
        os._exit(0)
    pipe.send(_cpu() if question == "cpu" else _memory())


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _memory() -> int:
    gc.collect()
    return resident() or 0


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(READ):
            if data.endswith(b"."):
                writer.write(b"!")
        writer.close()
        await writer.wait_closed()
    except OSError:
        writer.close()


async def _ssl(setting: Setting) -> asyncio.Server:
    version = setting.version
    context = server_context(setting.identity, version.openssl_suite, version.number)
    return await asyncio.start_server(_answer, HOST, 0, ssl=context)


async def _look_alike(setting: Setting) -> asyncio.Server:
    return await asyncio.start_server(_answer, HOST, 0, ssl=SSLContext(setting.config()))


async def _wrapper(setting: Setting) -> asyncio.Server:
    from sansticket_wrappers.asyncio import start_server

    return await start_server(_answer, HOST, 0, setting.config())


async def _early(setting: Setting) -> asyncio.Server:
    from sansticket_wrappers.asyncio import start_server

    config = setting.config(max_early_data=16_384, replay=ReplayRecorder(since=-inf), half_rtt=True)
    return await start_server(_answer, HOST, 0, config, early_data=True)


STARTS: Final[dict[str, Callable[[Setting], Awaitable[asyncio.Server]]]] = {
    "ssl": _ssl,
    "look-alike": _look_alike,
    "wrapper": _wrapper,
    "early data": _early,
}
