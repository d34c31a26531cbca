"""docs/wrappers.md: its programs run, and what it names is there."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from contextlib import AsyncExitStack
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest
from redis.asyncio import Redis

from sansticket import (
    AlertDescription,
    ClientConfig,
    Credential,
    PrepareTicket,
    Question,
    SealTicket,
    TrustAnchors,
)
from sansticket_wrappers.answers import WITHOUT_ANSWER
from sansticket_wrappers.asyncio import TLSError, open_connection
from tests.support.certificates import authority, server_identity
from tests.support.command import PATIENCE, ROOT
from tests.support.documents import Document, code
from tests.support.redis_server import RedisServer

PAGE: Final = Document("wrappers.md")
PRINTED: Final = {
    "Blocking sockets": ["full handshake", "resumed"],
    "asyncio": ["full handshake", "resumed"],
    "Early data": ["not early", "early"],
    "Early data from a client that blocks": ["False NOT_OFFERED", "b'HELLO'", "True ACCEPTED", "b'HELLO'"],
    "Somebody who looks on": ["b'hello'", "True True True"],
    "A session file": ["SessionFile(0 sessions of 0 servers)"],
}
"""What the programs print that run as they stand there, by the heading of their section."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ca.pem").write_bytes(authority().pem)
    (tmp_path / "chain.pem").write_bytes(server_identity().chain_pem)
    (tmp_path / "key.pem").write_bytes(server_identity().key_pem)
    return tmp_path


@pytest.mark.parametrize("title", PRINTED)
def test_a_program_runs(title: str, folder: Path) -> None:
    (folder / "program.py").write_text(code(PAGE.section(title)))
    done = subprocess.run(
        [sys.executable, "-W", "error", "program.py"],
        cwd=folder,
        env={"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "wrappers")))},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == PRINTED[title]


@pytest.mark.parametrize("title", ["Trio", "Twisted", "Clients of HTTP and FTP"])
def test_the_other_code_can_be_imported(title: str) -> None:
    PAGE.run(title, {})


def test_the_table_lists_what_there_is() -> None:
    rows = re.findall(r"^\| `(sansticket_wrappers\.\w+)` \| (.*?) \|", PAGE.text, re.MULTILINE)
    package = ROOT / "wrappers/sansticket_wrappers"
    inside = {
        "__init__",
        "__pycache__",
        "py",
        "answers",
        "farewells",
        "making",
        "times",
        "undecoded",
        "unread",
    }
    modules = {path.stem for path in package.iterdir()} - inside
    assert {name.partition(".")[2] for name, _ in rows} == modules
    for name, what in rows:
        for public in re.findall(r"`(\w+)`", what):
            assert hasattr(import_module(name), public), (name, public)


def test_what_stands_for_an_answer() -> None:
    rows = re.findall(
        r"^\| (`\w+`(?:, `\w+`)*) \| `(\w+)\(", PAGE.section("Questions that wait"), re.MULTILINE
    )
    said = {name: command for names, command in rows for name in re.findall(r"\w+", names)}
    assert set(said) == {kind.__name__ for kind in Question.__subclasses__()}
    stand_ins = {kind.__name__: type(command).__name__ for kind, command in WITHOUT_ANSWER.items()}
    assert said == {**dict.fromkeys(said, "AbortHandshake"), **stand_ins}


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE.text):
        assert (ROOT / "docs" / target).is_file()


@pytest.mark.usefixtures("_patience_with_redis")
def test_a_ban_ends_connections_on_another_server(folder: Path) -> None:
    """The code of "Revocations over Redis", on two servers."""
    one: dict[str, Any] = {}
    other: dict[str, Any] = {}
    PAGE.run("Revocations over Redis", one)
    PAGE.run("Revocations over Redis", other)
    credential = Credential.from_pem(server_identity().chain_pem, server_identity().key_pem)
    client = ClientConfig(trust_anchors=TrustAnchors.from_pem(authority().pem))

    async def main(url: str) -> None:
        async with asyncio.timeout(PATIENCE), Redis.from_url(url) as redis, AsyncExitStack() as stack:
            channels = []
            for names in (one, other):
                alice = {"answers": {PrepareTicket: lambda _: SealTicket(b"alice")}}
                server, channel, listening = await names["run"](redis, credential, 0, **alice)
                stack.callback(server.close)
                stack.callback(listening.cancel)
                channels.append(channel)
            port = server.sockets[0].getsockname()[1]
            reader, writer = await open_connection("127.0.0.1", port, client, server_name="server.example")
            stack.callback(writer.close)
            writer.write(b"here")
            assert await reader.read(100) == b"here"
            await asyncio.sleep(0.01)
            while await redis.pubsub_numsub(b"revocations") != [(b"revocations", 2)]:
                await asyncio.sleep(0.01)
            await one["ban"](channels[0], b"alice")
            with pytest.raises(TLSError) as failure:
                await reader.read(100)
            assert failure.value.event.alert == AlertDescription.ACCESS_DENIED
            while other["writers"]:
                await asyncio.sleep(0.01)

    with RedisServer() as redis:
        asyncio.run(main(redis.url))
