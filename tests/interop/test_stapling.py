"""OCSP stapling with other implementations: OpenSSL in memory and by its command, GnuTLS and nginx over loopback."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from sansticket import ClientConnection, HandshakeCompleted, ProtocolVersion, Reason, ServerConnection
from sansticket.codes import AlertDescription
from tests.interop.test_nginx import Start, nginx
from tests.interop.test_openssl_command import Files, files, leave
from tests.interop.test_small_extensions import gnutls_client, gnutls_server
from tests.support.certificates import authority, server_identity
from tests.support.command import s_client, s_server
from tests.support.configs import client_config, server_config
from tests.support.loopback import OurServer, Refused, dial, free_port
from tests.support.peers import require
from tests.support.pyopenssl_peer import PyOpenSSLPeer, context, run
from tests.support.staples import REVOKED, respond, responder, staple, stapled_credential

__all__ = ["files", "nginx"]

TLS12: Final = ProtocolVersion.TLS_1_2
TLS13: Final = ProtocolVersion.TLS_1_3
OPTION: Final = {TLS12: "-tls1_2", TLS13: "-tls1_3"}

each_version = pytest.mark.parametrize("version", [TLS13, TLS12])


def delegated() -> bytes:
    """Signed by somebody whom the issuer has authorized."""
    delegate = responder(authority())
    return respond(
        server_identity().certificate,
        authority(),
        signer=delegate,
        shown=[delegate.certificate],
        by_hash=True,
    )


def written(files: Files, response: bytes) -> Path:
    path = files.ca.with_name("staple.der")
    path.write_bytes(response)
    return path


def our_client(version: int, **changes: Any) -> Any:
    return client_config(versions=[version], require_stapling=True, **changes)


def our_server(version: int, *staples: Any) -> Any:
    return server_config(versions=[version], credentials=[stapled_credential("p256", *staples)])


def dialled(port: int, version: int) -> bytes | None:
    with dial(port, our_client(version)) as line:
        line.close()
        response: bytes | None = line.connection.ocsp_response  # type: ignore[union-attr]
        return response


def refuses(port: int, version: int, reason: Reason) -> None:
    with pytest.raises(Refused, match=reason.value), dial(port, our_client(version)):
        pass


# --- OpenSSL in memory -------------------------------------------------------------------------------------------


def openssl(version: int, **options: Any) -> Any:
    return context(version=version, **options)


def as_client(version: int, response: bytes) -> tuple[ClientConnection, PyOpenSSLPeer, Sequence[Any]]:
    theirs = openssl(version, identity=server_identity())
    theirs.set_ocsp_server_callback(lambda connection, data: response)
    ours, peer = ClientConnection(our_client(version), "server.example"), PyOpenSSLPeer(theirs, server=True)
    return ours, peer, run(ours, peer)


@each_version
@pytest.mark.parametrize("make", [staple, delegated])
def test_openssl_staples_for_our_client(version: int, make: Any) -> None:
    response = make()
    ours, peer, events = as_client(version, response)
    assert peer.error is None, events
    assert ours.ocsp_response == response


@each_version
def test_our_client_refuses_what_openssl_staples(version: int) -> None:
    for response, alert in (
        (staple("p256", REVOKED), AlertDescription.CERTIFICATE_REVOKED),
        (b"garbage", AlertDescription.BAD_CERTIFICATE_STATUS_RESPONSE),
        (b"", AlertDescription.BAD_CERTIFICATE_STATUS_RESPONSE),
    ):
        _, peer, events = as_client(version, response)
        assert events[-1].alert is alert
        assert peer.error is not None


@each_version
@pytest.mark.parametrize("asks", [True, False])
def test_our_server_staples_for_openssl(version: int, asks: bool) -> None:
    theirs, seen = openssl(version, authority=authority()), list[bytes]()

    def note(connection: Any, response: bytes, data: Any) -> bool:
        seen.append(response)
        return True

    theirs.set_ocsp_client_callback(note)
    peer = (Asking if asks else PyOpenSSLPeer)(theirs)
    events = run(ServerConnection(our_server(version)), peer)
    assert HandshakeCompleted in map(type, events), (events, peer.error)
    assert [one for one in seen if one] == ([staple()] if asks else [])


class Asking(PyOpenSSLPeer):
    """A client that asks for an OCSP response in its hello."""

    asked = False

    def _step(self) -> None:
        if not self.asked:
            self.asked = True
            self.tls.request_ocsp()
        super()._step()


# --- its command -------------------------------------------------------------------------------------------------


@each_version
def test_s_server_staples_for_our_client(files: Files, version: int) -> None:
    with s_server(
        files.chain, files.key, "-status_file", written(files, staple()), version=OPTION[version]
    ) as server:
        port = int(server.wait_for("ACCEPT").rpartition(":")[2])
        assert dialled(port, version) == staple()


@each_version
def test_our_client_refuses_a_revoked_s_server(files: Files, version: int) -> None:
    response = written(files, staple("p256", REVOKED))
    with s_server(files.chain, files.key, "-status_file", response, version=OPTION[version]) as server:
        port = int(server.wait_for("ACCEPT").rpartition(":")[2])
        refuses(port, version, Reason.CERTIFICATE_REVOKED)
        server.wait_for("certificate revoked")
    with s_server(files.chain, files.key, version=OPTION[version]) as server:
        port = int(server.wait_for("ACCEPT").rpartition(":")[2])
        refuses(port, version, Reason.MISSING_CERTIFICATE_STATUS)
        server.wait_for("bad certificate status response")


@each_version
def test_our_server_staples_for_s_client(files: Files, version: int) -> None:
    with OurServer(our_server(version)) as server:
        with s_client(server.port, files.ca, "-status", version=OPTION[version]) as client:
            client.wait_for("OCSP Response Status: successful")
            client.wait_for("Cert Status: good")
            client.wait_for("Verify return code: 0")
            leave(client)
        server.visits()


# --- GnuTLS ------------------------------------------------------------------------------------------------------


@each_version
def test_gnutls_staples_for_our_client(files: Files, version: int) -> None:
    require("GnuTLS")
    port = free_port()
    response = written(files, staple())
    with gnutls_server(version, files, port, "--ocsp-response", response) as server:
        server.wait_for("IPv4 0.0.0.0 port")
        assert dialled(port, version) == staple()


@each_version
def test_our_server_staples_for_gnutls(files: Files, version: int) -> None:
    """It verifies what is stapled, with nothing else said."""
    require("GnuTLS")
    with (
        OurServer(our_server(version)) as server,
        gnutls_client(version, files, server.port) as client,
    ):
        client.wait_for("OCSP status request")
        client.wait_for("Handshake was completed")
        client.end_input()
        assert client.wait_for_end() == 0, client.end


@each_version
def test_gnutls_refuses_what_our_server_says_of_itself(files: Files, version: int) -> None:
    require("GnuTLS")
    with (
        OurServer(our_server(version, REVOKED)) as server,
        gnutls_client(version, files, server.port) as client,
    ):
        client.wait_for("revoked")
        assert client.wait_for_end() != 0, client.end


# --- nginx -------------------------------------------------------------------------------------------------------


@each_version
def test_nginx_staples_for_our_client(nginx: Start, files: Files, version: int) -> None:
    port = nginx([], "ssl_stapling on;", f"ssl_stapling_file {written(files, staple())};")
    with dial(port, our_client(version)) as line:
        assert line.connection.ocsp_response == staple()  # type: ignore[union-attr]
