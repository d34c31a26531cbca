"""``python -m sansticket session``: what a session file says, and conversion."""

from __future__ import annotations

import io
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from attrs import evolve

from sansticket import ClientConfig, Session, TrustAnchors
from sansticket.__main__ import main
from sansticket.library import SSL_SESSIONS
from tests.cli.conftest import Failure, Output
from tests.support.certificates import authority, server_identity
from tests.support.command import PATIENCE, ROOT, example, s_client
from tests.support.credentials import root, subordinate, with_chain
from tests.support.newer import needs
from tests.support.peers import require
from tests.support.sessions import ORDINARY, ORDINARY_12

if SSL_SESSIONS.installed:
    from sansticket.tickets import openssl

pytestmark = needs(SSL_SESSIONS)

CLIENT = evolve(
    ORDINARY,
    ticket=bytes(range(100)),
    server_name="server.example",
    session_id_context=b"",
    peer_certificates=server_identity().chain_der,
    max_early_data=1000,
)
SERVER = evolve(ORDINARY, app_data=b"secret notes", authenticated_at=ORDINARY.issued_at - 60)
SERVER_12 = evolve(
    ORDINARY_12, session_id=b"i" * 32, alpn=None, server_name=None, group=0, session_id_context=b""
)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "client.pem").write_bytes(CLIENT.to_openssl_pem())
    (tmp_path / "client.der").write_bytes(CLIENT.to_openssl_der())
    (tmp_path / "client.bin").write_bytes(CLIENT.to_bytes())
    (tmp_path / "server.pem").write_bytes(SERVER.to_openssl_pem())
    (tmp_path / "server.bin").write_bytes(SERVER.to_bytes())
    (tmp_path / "server12.bin").write_bytes(SERVER_12.to_bytes())
    (tmp_path / "ca.pem").write_bytes(authority().pem)
    return tmp_path


def rows(lines: list[str]) -> dict[str, str]:
    """The table, which has two columns."""
    table = {}
    for line in lines[1:]:
        name, _, value = line.strip().partition("  ")
        table[name] = value.strip()
    return table


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("client.pem", "SSL_SESSION in PEM, a client's"),
        ("client.der", "SSL_SESSION in DER, a client's"),
        ("client.bin", "native session, a client's"),
    ],
)
def test_every_form_says_the_same(output: Output, files: Path, name: str, title: str) -> None:
    lines = output("session", files / name)
    assert lines[0] == title
    assert rows(lines) | {"issued": "", "expires": "", "peer's certificates": ""} == {
        "version": "TLS 1.3",
        "cipher suite": "AES_128_GCM_SHA256",
        "key exchange": "X25519_MLKEM768",
        "issued": "",
        "expires": "",
        "server name": "server.example",
        "ALPN": "h2",
        "peer's certificates": "",
        "verification policy": "none",
        "early data": "up to 1000 bytes",
        "ticket": "100 bytes, key name 000102030405060708090a0b0c0d0e0f",
        "secret": "32 bytes, not shown",
    }
    assert rows(lines)["issued"] == "2023-11-14 22:13:20+00:00"
    assert rows(lines)["expires"] == "2023-11-15 00:13:20+00:00, after 7200 s"
    assert rows(lines)["peer's certificates"].startswith("1, the first is CN=server.example, valid until 20")


@pytest.mark.parametrize("form", ["native", "PEM"])
def test_a_session_of_an_external_psk(output: Output, files: Path, form: str) -> None:
    session = evolve(CLIENT, psk_identity=b"sensor\x1b", peer_certificates=())
    (files / "psk").write_bytes(session.to_bytes() if form == "native" else session.to_openssl_pem())
    assert rows(output("session", files / "psk"))["external PSK"] == r"b'sensor\x1b'"


def test_the_lineage_of_a_session(output: Output, files: Path) -> None:
    session = evolve(CLIENT, ticket=b"", family=bytes(range(16)), generation=3)
    (files / "family").write_bytes(session.to_bytes())
    said = rows(output("session", files / "family"))["family"]
    assert said == "000102030405060708090a0b0c0d0e0f, generation 3"
    assert "family" not in rows(output("session", files / "client.bin"))


@pytest.mark.parametrize("name", ["client.pem", "client.bin", "server.pem", "server.bin"])
def test_secrets_are_not_shown_unless_asked_for(output: Output, files: Path, name: str) -> None:
    secrets = [CLIENT.secret.hex(), CLIENT.ticket.hex(), "secret notes", SERVER.app_data.hex(), "0x89abcdef"]
    text = "\n".join(output("session", files / name))
    assert not any(secret in text for secret in secrets)
    text = "\n".join(output("session", files / name, "--secrets"))
    shown = [CLIENT.secret.hex(), "0x89abcdef"]
    shown += [CLIENT.ticket.hex()] if "client" in name else [SERVER.app_data.hex()]
    assert all(secret in text for secret in shown)


def test_a_servers_session(output: Output, files: Path) -> None:
    lines = output("session", files / "server.bin")
    assert lines[0] == "native session, a server's"
    table = rows(lines)
    assert table["session id context"] == SERVER.session_id_context.hex()
    assert table["last full handshake"] == "2023-11-14 22:12:20+00:00"
    assert table["application data"] == "12 bytes, not shown"
    assert table["early data"] == "none"


def test_a_session_of_tls_1_2(output: Output, files: Path) -> None:
    table = rows(output("session", files / "server12.bin", "--secrets"))
    assert table["version"] == "TLS 1.2"
    assert table["extended master secret"] == "yes"
    assert table["session id"] == SERVER_12.session_id.hex()
    assert table["master secret"] == SERVER_12.secret.hex()
    assert table["key exchange"] == "not known"
    assert table["server name"] == table["ALPN"] == table["session id context"] == "none"
    assert output("session", files / "server12.bin", "--side", "client")[0] == "native session, a client's"


def test_what_an_ssl_session_says_besides(output: Output, tmp_path: Path) -> None:
    fields = openssl.decode(CLIENT.to_openssl_der())
    fields.verify_result, fields.timeout, fields.lifetime_hint = 18, 7200, 300
    (tmp_path / "session.der").write_bytes(openssl.encode(fields))
    table = rows(output("session", tmp_path / "session.der"))
    assert table["time-out, and hint"] == "7200 s, and 300 s"
    assert table["verify result"] == "18: the certificate was not verified"
    assert table["expires"].endswith("after 300 s")


def test_what_a_peer_has_sent_cannot_reach_the_terminal_as_it_is(output: Output, tmp_path: Path) -> None:
    odd = evolve(ORDINARY, alpn=b"\x1b[31m\xff", server_name="\x07é", peer_certificates=(b"none",))
    (tmp_path / "odd").write_bytes(odd.to_bytes())
    lines = output("session", tmp_path / "odd")
    assert "".join(lines).isprintable()
    table = rows(lines)
    assert table["ALPN"] == r"\x1b[31m\\xff"
    assert table["server name"] == r"\x07\xe9"
    assert table["peer's certificates"] == "1, the first cannot be read"


def test_a_time_that_no_calendar_has(output: Output, tmp_path: Path) -> None:
    (tmp_path / "late").write_bytes(evolve(ORDINARY, issued_at=281_000_000_000).to_bytes())
    assert rows(output("session", tmp_path / "late"))["issued"] == "281000000000 s after 1970"


# --- conversion ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["client.pem", "client.der", "client.bin"])
@pytest.mark.parametrize("form", ["pem", "der", "native"])
def test_conversion(files: Path, capsys: pytest.CaptureFixture[str], source: str, form: str) -> None:
    result = files / "result"
    assert main(["session", str(files / source), "--to", form, "--output", str(result)]) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert ("adopted" in printed.err) == (form == "native" and source != "client.bin")
    expected = {"pem": CLIENT.to_openssl_pem(), "der": CLIENT.to_openssl_der(), "native": CLIENT.to_bytes()}
    assert result.read_bytes() == expected[form]
    assert stat.S_IMODE(result.stat().st_mode) == 0o600


def test_pem_goes_to_standard_output(output: Output, files: Path) -> None:
    assert (
        output("session", files / "server.bin", "--to", "pem")
        == SERVER.to_openssl_pem().decode().splitlines()
        == output("session", files / "server.bin", "--to", "pem", "--output", "-")
    )


def test_from_standard_input_to_standard_output(files: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "sansticket", "session", "-", "--to", "der"],
        input=(files / "client.bin").read_bytes(),
        capture_output=True,
        cwd=ROOT,
        timeout=PATIENCE,
    )
    assert (run.returncode, run.stderr, run.stdout) == (0, b"", CLIENT.to_openssl_der())


def test_binary_does_not_go_to_a_terminal(
    failure: Failure, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    said = failure("session", files / "client.pem", "--to", "der")
    assert said == "this is binary, and standard output is a terminal; expected --output FILE, or > FILE"


def test_whose_session_decides_on_its_context(output: Output, files: Path, tmp_path: Path) -> None:
    for side, context in (("server", ORDINARY_12.session_id_context), ("client", b"")):
        (tmp_path / "it").write_bytes(ORDINARY_12.to_bytes())
        output("session", tmp_path / "it", "--side", side, "--to", "der", "--output", tmp_path / "made")
        assert openssl.decode((tmp_path / "made").read_bytes()).session_id_context == context


# --- adoption ------------------------------------------------------------------------------------------------


def test_a_session_is_verified_and_adopted(output: Output, files: Path) -> None:
    options = ["--ca", files / "ca.pem", "--name", "server.example"]
    output("session", files / "client.pem", "--to", "native", "--output", files / "made", *options)
    config = ClientConfig(trust_anchors=TrustAnchors.from_pem(authority().pem))
    adopted = evolve(CLIENT, session_id_context=config.verification_policy)
    assert Session.from_bytes((files / "made").read_bytes()) == adopted
    lines = output("session", files / "client.pem", *options)
    assert rows(lines)["verification policy"] == config.verification_policy.hex()


def test_a_session_of_a_stranger_is_not(failure: Failure, files: Path) -> None:
    (files / "other.pem").write_bytes(root().pem)
    said = failure("session", files / "client.pem", "--ca", files / "other.pem", "--name", "server.example")
    assert said.startswith("no path to a trust anchor")
    said = failure("session", files / "client.pem", "--ca", files / "ca.pem", "--name", "other.example")
    assert said.startswith("certificate is for another name")


def test_intermediates(output: Output, failure: Failure, files: Path) -> None:
    intermediate = subordinate(authority())
    identity = with_chain(intermediate.issue("server.example"), intermediate)
    session = evolve(CLIENT, peer_certificates=identity.chain_der[:1])
    (files / "s.pem").write_bytes(session.to_openssl_pem())
    (files / "between.pem").write_bytes(intermediate.pem)
    options = ["--ca", files / "ca.pem", "--name", "server.example"]
    failure("session", files / "s.pem", *options)
    output("session", files / "s.pem", *options, "--intermediates", files / "between.pem")
    said = failure("session", files / "s.pem", *options, "--intermediates", files / "client.bin")
    assert said.startswith("certificates: ")
    said = failure("session", files / "s.pem", "--ca", files / "client.bin", "--name", "server.example")
    assert "trust_anchors" in said


def test_from_s_client_to_our_client(output: Output, files: Path) -> None:
    """As ``--help`` shows it."""
    require("openssl command")
    (files / "chain.pem").write_bytes(server_identity().chain_pem)
    (files / "key.pem").write_bytes(server_identity().key_pem)
    with example(
        "blocking_server", "0", "--chain", files / "chain.pem", "--key", files / "key.pem"
    ) as server:
        port = int(server.wait_for("listening on port"))
        with s_client(port, files / "ca.pem", "-sess_out", files / "s.pem") as theirs:
            theirs.type("hello\n")
            theirs.wait_for("HELLO")
            theirs.type("Q\n")
            assert theirs.wait_for_end() == 0
        output(
            *("session", files / "s.pem", "--to", "native", "--output", files / "session.bin"),
            *("--ca", files / "ca.pem", "--name", "server.example"),
        )
        with example(
            *("blocking_client", "127.0.0.1", str(port), "--name", "server.example"),
            *("--ca", files / "ca.pem", "--session", files / "session.bin"),
        ) as ours:
            ours.wait_for("resumed")
            ours.end_input()
            assert ours.wait_for_end() == 0


# --- what goes wrong -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no session; expected the native encoding, or an SSL_SESSION in DER or PEM"),
        (b"hello", "no session"),
        (b"\x01", "the data is cut short"),
        (b"0", "not an SSL_SESSION in DER"),
        (b"-----BEGIN CERTIFICATE-----\n", "no PEM block of SSL SESSION PARAMETERS"),
    ],
)
def test_what_is_no_session(failure: Failure, tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "it").write_bytes(content)
    assert failure("session", tmp_path / "it").startswith(f"{tmp_path / 'it'}: {why}")


def test_files_that_cannot_be_read_or_written(failure: Failure, files: Path) -> None:
    assert failure("session", files / "none") == f"{files / 'none'}: No such file or directory"
    assert failure("session", files) == f"{files}: Is a directory"
    said = failure("session", files / "client.pem", "--to", "pem", "--output", files / "no/such/folder")
    assert said == f"{files / 'no/such/folder'}: No such file or directory"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "the following arguments are required: FILE"),
        (["s", "--to", "json"], "invalid choice: 'json'"),
        (["s", "--side", "proxy"], "invalid choice: 'proxy'"),
        (["s", "--output", "o"], "--output without --to"),
        (["s", "--ca", "ca.pem"], "--ca and --name need each other"),
        (["s", "--name", "server.example"], "--ca and --name need each other"),
        (["s", "--intermediates", "i.pem"], "--intermediates without --ca"),
    ],
)
def test_a_wrong_command_line(refusal: Failure, arguments: list[str], why: str) -> None:
    assert why in refusal("session", *arguments)


def test_standard_input(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(SERVER.to_bytes())))
    assert output("session", "-")[0] == "native session, a server's"
