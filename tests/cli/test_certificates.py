"""``python -m sansticket certificates``: three files for a first server."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from sansticket import ClientConfig, Credential, ServerConfig, TrustAnchors
from sansticket.events import HandshakeCompleted
from tests.cli.conftest import Failure, Output
from tests.support.pair import ConnectionPair

FILES = ("ca.pem", "chain.pem", "key.pem")


def contents(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in FILES]


def test_client_and_server_take_the_files(output: Output, tmp_path: Path) -> None:
    lines = output("certificates", "server.example", "127.0.0.1", "--folder", tmp_path)
    assert lines == [
        f"{tmp_path}/ca.pem: the authority, for whoever is to believe it (TrustAnchors.from_pem)",
        f"{tmp_path}/chain.pem, {tmp_path}/key.pem: for the server server.example, 127.0.0.1 (Credential.from_pem)",
    ]
    ca, chain, key = contents(tmp_path)
    server = ServerConfig(credentials=[Credential.from_pem(chain, key)])
    for name in ("server.example", "127.0.0.1"):
        pair = ConnectionPair(ClientConfig(trust_anchors=TrustAnchors.from_pem(ca)), server, server_name=name)
        pair.pump()
        pair.event("client", HandshakeCompleted)


def test_only_the_owner_reads_the_key(output: Output, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        output("certificates", "localhost", "--folder", tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir()} == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_overwritten_without_being_told(
    output: Output, failure: Failure, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(b"mine")
    said = failure("certificates", "localhost", "--folder", tmp_path)
    assert said == f"{tmp_path}/{name} exists already; --overwrite puts a new one in its place"
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"mine"]
    output("certificates", "localhost", "--folder", tmp_path, "--overwrite")
    assert b"mine" not in contents(tmp_path)


def test_what_cannot_be_made(failure: Failure, tmp_path: Path) -> None:
    assert failure("certificates", "no name", "--folder", tmp_path).startswith("names: 'no name'; expected")
    assert failure("certificates", "localhost", "--days", 0).startswith("days: 0; expected")
    assert failure("certificates", "localhost", "--folder", tmp_path / "none").startswith(
        f"{tmp_path}/none/key.pem"
    )
    assert list(tmp_path.iterdir()) == []
