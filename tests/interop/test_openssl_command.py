"""The programs of ``examples/`` and the ``openssl`` command talk over loopback, as a user runs them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import frozen

from tests.support.certificates import authority, new_authority, server_identity
from tests.support.command import Command, example, s_client, s_server
from tests.support.peers import require


@frozen
class Files:
    """The PEM files of a test, and where it may keep sessions."""

    ca: Path
    chain: Path
    key: Path
    session: Path


@pytest.fixture
def files(tmp_path: Path) -> Files:
    require("openssl command")
    made = Files(*(tmp_path / name for name in ("ca.pem", "chain.pem", "key.pem", "session")))
    made.ca.write_bytes(authority().pem)
    made.chain.write_bytes(server_identity().chain_pem)
    made.key.write_bytes(server_identity().key_pem)
    return made


@contextmanager
def our_server(files: Files) -> Iterator[tuple[Command, int]]:
    with example("blocking_server", "0", "--chain", files.chain, "--key", files.key) as server:
        yield server, int(server.wait_for("listening on port"))


@contextmanager
def their_server(files: Files, *arguments: str) -> Iterator[tuple[Command, int]]:
    with s_server(files.chain, files.key, *arguments) as server:
        yield server, int(server.wait_for("ACCEPT").rpartition(":")[2])


def our_client(port: int, files: Files, name: str = "server.example") -> Command:
    return example(
        *("blocking_client", "127.0.0.1", str(port)),
        *("--name", name, "--ca", files.ca, "--session", files.session),
    )


def ask(client: Command, line: str) -> None:
    """Send a line.  Our server answers in capitals, ``s_server`` with its reverse."""
    client.type(line + "\n")
    client.wait_for(line.upper(), line[::-1])


def leave(client: Command) -> None:
    """End ``s_client``, which says goodbye."""
    client.type("Q\n")
    assert client.wait_for_end() == 0


def test_s_client_resumes_on_our_server(files: Files) -> None:
    with our_server(files) as (server, port):
        with s_client(port, files.ca, "-sess_out", files.session) as first:
            ask(first, "hello")
            leave(first)
        assert "New, TLSv1.3" in first.output
        assert "Verified peername: server.example" in first.output
        assert first.output.count("Post-Handshake New Session Ticket arrived") == 2

        with s_client(port, files.ca, "-sess_in", files.session) as second:
            ask(second, "hello again")
            leave(second)
        assert "Reused, TLSv1.3" in second.output
        assert second.output.count("Post-Handshake New Session Ticket arrived") == 1
        assert "connection failed" not in server.output


def test_s_client_updates_its_keys_on_our_server(files: Files) -> None:
    with our_server(files) as (_, port), s_client(port, files.ca) as client:
        ask(client, "before")
        for command in ("K", "k"):  # with and without asking for ours
            client.type(f"{command}\n")
            client.wait_for("KEYUPDATE")
            ask(client, f"after {command}")
        leave(client)


@pytest.mark.parametrize(
    "suite", ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
)
def test_s_client_chooses_the_suite(files: Files, suite: str) -> None:
    with our_server(files) as (_, port), s_client(port, files.ca, "-ciphersuites", suite) as client:
        ask(client, "hello")
        leave(client)
    assert f"New, TLSv1.3, Cipher is {suite}" in client.output


def test_s_client_that_does_not_trust_us_ends_only_its_own_connection(files: Files) -> None:
    other = files.ca.with_name("other.pem")
    other.write_bytes(new_authority("another root").pem)
    with our_server(files) as (server, port):
        with s_client(port, other) as client:
            assert client.wait_for_end() != 0
        assert "alert" in server.wait_for("connection failed:")
        with s_client(port, files.ca) as client:
            ask(client, "the next one is served")
            leave(client)


def test_our_client_resumes_on_s_server(files: Files) -> None:
    with their_server(files) as (_, port):
        for resumed in (False, True, True):
            with our_client(port, files) as client:
                client.wait_for("resumed" if resumed else "full handshake")
                ask(client, "hello")
                client.end_input()
                assert client.wait_for_end() == 0


def test_our_client_retries_with_the_group_of_s_server(files: Files) -> None:
    with their_server(files, "-groups", "P-384") as (server, port), our_client(port, files) as client:
        client.wait_for("full handshake")
        ask(client, "hello")
        client.end_input()
        assert client.wait_for_end() == 0
        assert "TLSv1.3" in server.wait_for("Protocol version:")


def test_our_client_without_a_ticket_of_s_server(files: Files) -> None:
    with their_server(files, "-num_tickets", "0") as (_, port), our_client(port, files) as client:
        client.wait_for("full handshake")
        ask(client, "hello")
        client.end_input()
        assert client.wait_for_end() == 0
    assert not files.session.exists()


def test_our_client_refuses_a_server_of_another_name(files: Files) -> None:
    with their_server(files) as (_, port), our_client(port, files, name="other.example") as client:
        client.wait_for("Hostname mismatch, certificate is not valid for 'other.example'")
        assert client.wait_for_end() != 0


def test_our_client_resumes_on_our_server(files: Files) -> None:
    with our_server(files) as (_, port):
        for resumed in (False, True):
            with our_client(port, files) as client:
                client.wait_for("resumed" if resumed else "full handshake")
                ask(client, "hello")
                client.end_input()
                assert client.wait_for_end() == 0
