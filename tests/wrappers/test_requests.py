"""requests over a context of ours, which alone says whom to trust."""

from __future__ import annotations

import copy
import pickle
import select
import socket
from contextlib import suppress
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

import pytest
import requests

from sansticket import ClientConfig, ClientSessionStore, ConfigError, HandshakeCompleted
from sansticket_wrappers.blocking import SSLContext
from sansticket_wrappers.requests import ContextAdapter
from sansticket_wrappers.session_file import SessionFile
from tests.support.certificates import authority, new_authority
from tests.support.command import PATIENCE
from tests.support.configs import client_config
from tests.support.credentials import anchors_of
from tests.support.http_server import http_server, running
from tests.support.sockets import accept, for_server


def get(context: SSLContext, port: int, **options: Any) -> str:
    """On a connection of its own."""
    with requests.Session() as session:
        session.mount("https://", ContextAdapter(context))
        return session.get(f"https://127.0.0.1:{port}/", timeout=PATIENCE, **options).text


def test_over_a_restart(tmp_path: Path) -> None:
    with http_server(for_server("theirs")) as port:
        found = []
        for _ in range(3):
            config = client_config(session_store=SessionFile(tmp_path / "sessions", bytes(32)))
            found.append(get(SSLContext(config), port))
    assert found == ["full", "resumed", "resumed"]


@pytest.mark.parametrize("bundle", [True, "a file"])
def test_the_context_stays_as_it_is(
    bundle: bool | str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """requests would load the certificates of certifi into it, or those that the environment names."""
    (tmp_path / "a file").write_bytes(authority().pem)
    if bundle is not True:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / bundle))
    context = SSLContext(client_config(trust_anchors=anchors_of(new_authority("stranger"))))
    before = context.get_ca_certs(binary_form=True)
    with http_server(for_server("ours")) as port, pytest.raises(requests.exceptions.SSLError):
        get(context, port)
    assert context.get_ca_certs(binary_form=True) == before


def test_what_the_context_has_to_say_is_not_said_elsewhere() -> None:
    context = SSLContext(ClientConfig(trust_anchors=anchors_of(authority())))
    with http_server(for_server("ours")) as port:
        with pytest.raises(ConfigError, match=r"^verify: "):
            get(context, port, verify=False)
        with pytest.raises(ConfigError, match=r"^cert: "):
            get(context, port, cert="client.pem")


def test_copies_have_the_same_context() -> None:
    adapter = ContextAdapter(SSLContext(client_config(session_store=ClientSessionStore())), max_retries=3)
    copied = copy.copy(adapter)
    assert copied.max_retries.total == 3
    with http_server(for_server("theirs")) as port:
        found = []
        for one in (adapter, copied):
            with requests.Session() as session:
                session.mount("https://", one)
                found.append(session.get(f"https://127.0.0.1:{port}/", timeout=PATIENCE).text)
    assert found == ["full", "resumed"]


def test_who_pickles_hears_at_once_that_it_cannot_be() -> None:
    session = requests.Session()
    session.mount("https://", ContextAdapter(SSLContext(client_config())))
    with pytest.raises(TypeError, match="cannot pickle 'SSLContext' object"):
        pickle.dumps(session)


class Connect(BaseRequestHandler):
    """A proxy that speaks TLS: one tunnel to where CONNECT says, until either side has said all."""

    def handle(self) -> None:
        self.request.settimeout(PATIENCE)
        asked = b""
        while b"\r\n\r\n" not in asked:
            more = self.request.recv(1)
            assert more, f"the end came behind {asked!r}"
            asked += more
        host, _, port = asked.split()[1].decode().partition(":")
        with socket.create_connection((host, int(port)), PATIENCE) as beyond:
            self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            with suppress(OSError):  # it is over
                carry(self.request, beyond)


def carry(tls: Any, beyond: socket.socket) -> None:
    """Both ways in one thread: an SSL of OpenSSL is not for two at the same time."""
    while ready := [tls] if tls.pending() else select.select([tls, beyond], [], [], PATIENCE)[0]:
        for source in ready:
            data = source.recv(65_536)
            if not data:
                return
            (beyond if source is tls else tls).sendall(data)


def test_a_proxy_that_speaks_tls_is_verified_by_the_context_too() -> None:
    """The system, whose certificates urllib3 would take for that, does not trust this one."""
    context = SSLContext(client_config())
    verified = []
    context.on_event = lambda tls, event: verified.append(tls) if type(event) is HandshakeCompleted else None
    with http_server(for_server("theirs")) as port, ThreadingTCPServer(("127.0.0.1", 0), Connect) as proxy:
        proxy.socket = accept(for_server("theirs"), proxy.socket)
        with running(proxy), requests.Session() as session:
            session.mount("https://", ContextAdapter(context))
            through = {"https": f"https://127.0.0.1:{proxy.server_address[1]}"}
            url = f"https://127.0.0.1:{port}/"
            assert session.get(url, proxies=through, timeout=PATIENCE).text == "full"
    assert len(verified) == 2
