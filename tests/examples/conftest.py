"""A fleet of servers, and a Redis for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.certificates import server_identity
from tests.support.command import example
from tests.support.loopback import free_port
from tests.support.redis_server import RedisServer
from tests.support.server_fleet import NAMES, Fleet, StartFleet


@pytest.fixture
def start_fleet(tmp_path: Path) -> Iterator[StartFleet]:
    """Starts the three with the same arguments, and with those of ``each`` for one of them."""
    files = {
        "chain": server_identity().chain_pem,
        "key": server_identity().key_pem,
        "root-secret": bytes(range(32)),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    def start(*arguments: str, each: Sequence[Sequence[str]] = ((), (), ())) -> Fleet:
        shared = [text for name in files for text in (f"--{name}", str(tmp_path / name))]
        shared += [
            "--redis-timeout",
            "1",
        ]  # a slow machine has it, and one that is frozen is not waited for long
        commands = {
            name: running.enter_context(
                example("fleet_server", str(free_port()), "--name", name, *shared, *arguments, *own)
            )
            for name, own in zip(NAMES, each, strict=True)
        }
        ports = {name: int(command.wait_for("listening on port")) for name, command in commands.items()}
        return Fleet(ports, commands)

    with ExitStack() as running:
        yield start


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with RedisServer() as running:
        yield running
