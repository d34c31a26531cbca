"""docs/coming-from.md: each program runs alone, before and after, and prints what stands below it; names are there."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import evolve

import sansticket
from sansticket import (
    ClientConfig,
    ClientConnection,
    Credential,
    ServerConfig,
    ServerConnection,
    Session,
    TrustAnchors,
)
from sansticket.__main__ import main
from tests.support.documents import Document
from tests.support.pair import ConnectionPair
from tests.support.resumption import failed_checks, outcome, received

PAGE: Final = Document("coming-from.md")
PROGRAM: Final = re.compile(
    r"^<!-- (?P<name>.+?) -->\n```python\n(?P<text>.*?)^```$(?:\n\n```text\n(?P<printed>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)
PROGRAMS: Final = {found["name"]: found for found in PROGRAM.finditer(PAGE.text)}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With the files of the command at the head of the page."""
    (command,) = re.findall(r"^python -m sansticket (.*)$", PAGE.text, re.MULTILINE)
    assert main([*command.split(), "--folder", str(tmp_path)]) == 0
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(name: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(PROGRAMS[name]["text"], f"docs/coming-from.md, {name}", "exec", dont_inherit=True), names)
    return names


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_runs_alone(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    run(name)
    printed = PROGRAMS[name]["printed"]
    assert printed is None or capsys.readouterr().out == printed


def test_every_section_has_two_migrations() -> None:
    for section in ("ssl", "pyOpenSSL", "libssl", "Go"):
        names = [name for name in PROGRAMS if name.startswith(f"{section}, ")]
        assert len([name for name in names if name.endswith(": after")]) == 2
    assert len(PROGRAMS) == len(re.findall(r"^```python$", PAGE.text, re.MULTILINE)) == 12
    assert len(re.findall(r"^```(?:c|go)$", PAGE.text, re.MULTILINE)) == 4


def connect(config: ServerConfig, session: Session | None = None, application: Any = None) -> ConnectionPair:
    client = ClientConfig(trust_anchors=TrustAnchors.from_pem(Path("ca.pem").read_bytes()))
    pair = ConnectionPair(client, config, server_name="localhost", session=session)
    pair.server = ServerConnection(config, application=application)
    pair.pump()
    return pair


def test_libssl_data_in_tickets(folder: Path) -> None:
    names = run("libssl, data in tickets: after")
    alice = connect(names["config"], application=b"alice")
    assert outcome(connect(names["config"], received(alice)[0], b"alice")) == (True, 1)
    mallory = connect(names["config"], application=b"mallory")
    assert outcome(connect(names["config"], received(mallory)[0], b"mallory"))[0] is False


def test_libssl_a_cache_that_is_elsewhere(folder: Path) -> None:
    names, kept = run("libssl, cache: after"), {}

    class Database:
        async def set(self, key: bytes, value: bytes, seconds: int) -> None:
            kept[key] = value

        async def get(self, key: bytes) -> bytes | None:
            return kept.get(key)

    def visit(session: Session | None = None) -> ConnectionPair:
        pair, seen = connect(names["config"], session), 0
        while seen < len(pair.server_events):
            event = pair.server_events[seen]
            seen += 1
            pair.server_events += asyncio.run(names["heed"](pair.server, event, Database()))
            pair.pump()
        return pair

    session = received(visit())[0]
    assert visit(session).client.resumed
    kept.clear()
    assert not visit(session).client.resumed


def test_go_keys(folder: Path) -> None:
    names = run("Go, keys: after")
    session = received(connect(names["config"]))[0]
    names["rotate"]([bytes(32), *names["secrets"]])
    assert outcome(connect(names["config"], session)) == (True, 1)
    names["rotate"]([bytes(32)])
    assert not connect(names["config"], session).client.resumed


def test_go_data_in_tickets(folder: Path) -> None:
    config = run("Go, data in tickets: after")["config"]
    session = received(connect(config))[0]
    assert outcome(connect(config, session)) == (True, 1)
    elsewhere = evolve(config, answers={**config.answers, sansticket.PrepareTicket: other_tenant})
    stranger = connect(config, received(connect(elsewhere))[0])
    assert failed_checks(stranger) == ["admission"]


def other_tenant(question: sansticket.PrepareTicket) -> sansticket.SealTicket:
    return sansticket.SealTicket(b"another")


def test_the_pin_is_what_decides(folder: Path) -> None:
    config = run("pyOpenSSL, verification: after")["for_client"]
    chain, key = (Path(name).read_bytes() for name in ("chain.pem", "key.pem"))
    for expected in (True, False):
        server = ServerConfig(credentials=[Credential.from_pem(chain, key)])
        if not expected:
            server = evolve(
                server, credentials=[sansticket.testing.PrivateAuthority.make().issue("localhost")]
            )
        pair = ConnectionPair(config, server, server_name="localhost")
        pair.pump()
        assert isinstance(pair.client, ClientConnection)
        assert bool(pair.events("client", sansticket.HandshakeCompleted)) is expected


@pytest.mark.parametrize("row", re.findall(r"^\| .* \|$", PAGE.text, re.MULTILINE))
def test_what_a_row_names_is_there(row: str) -> None:
    *_, ours, _ = re.split(r"(?<!\\)\|", row)
    for name in re.findall(r"`([A-Z]\w+)(?:\.(\w+))?", ours):
        if name[0] in ("SSL_VERIFY_FAIL_IF_NO_PEER_CERT", "SSLContext"):
            continue
        thing = getattr(sansticket, name[0])
        assert not name[1] or hasattr(thing, name[1]) or name[1] in sansticket.ServerConfig.__annotations__, (
            name
        )
    fields = {field.name for config in (ClientConfig, ServerConfig) for field in config.__attrs_attrs__}
    for field in re.findall(r"`(\w+)=", ours):
        assert field in fields | {"application"}, field
