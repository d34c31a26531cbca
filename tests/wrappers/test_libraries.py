"""Libraries that have sockets of their own, with the blocking context: real connections, and the second one resumes."""

from __future__ import annotations

import ftplib
import http.client
import imaplib
import poplib
import smtplib
import socket
import ssl
import urllib.request
from collections.abc import Callable

import httpx
import pytest
import requests
import urllib3

from sansticket import ClientSessionStore
from sansticket_wrappers.blocking import SSLContext
from sansticket_wrappers.ftplib import FTP_TLS
from sansticket_wrappers.requests import ContextAdapter
from tests.support.command import PATIENCE
from tests.support.configs import client_config
from tests.support.http_server import http_server
from tests.support.sockets import SIDES, accept, for_server, listening
from tests.support.talking import converse, talking
from tests.support.vsftpd import CONTENT, vsftpd


def context() -> SSLContext:
    """127.0.0.1 is a name in the certificate of the servers."""
    return SSLContext(client_config(session_store=ClientSessionStore()))


@pytest.fixture(params=SIDES)
def server(request: pytest.FixtureRequest) -> ssl.SSLContext:
    return for_server(request.param)


# --- HTTP ----------------------------------------------------------------------------------------------------


def with_http_client(tls: SSLContext, port: int) -> bytes:
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=tls, timeout=PATIENCE)
    connection.request("GET", "/")
    with connection.getresponse() as response:
        body = response.read()
    connection.close()
    return body


def with_urllib(tls: SSLContext, port: int) -> bytes:
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls)
    )
    with opener.open(f"https://127.0.0.1:{port}/", timeout=PATIENCE) as response:
        body: bytes = response.read()
    return body


def with_urllib3(tls: SSLContext, port: int) -> bytes:
    with urllib3.PoolManager(ssl_context=tls, timeout=PATIENCE, retries=False) as pool:
        return pool.request("GET", f"https://127.0.0.1:{port}/").data


def with_httpx(tls: SSLContext, port: int) -> bytes:
    with httpx.Client(verify=tls, timeout=PATIENCE, trust_env=False) as client:
        return client.get(f"https://127.0.0.1:{port}/").content


def with_requests(tls: SSLContext, port: int) -> bytes:
    with requests.Session() as session:
        session.mount("https://", ContextAdapter(tls))
        return session.get(f"https://127.0.0.1:{port}/", timeout=PATIENCE).content


@pytest.mark.library("http.client", "client", "resumes")
@pytest.mark.library("http.server", "server", "resumes")
@pytest.mark.library("urllib.request", "client", "resumes")
@pytest.mark.library("urllib3", "client", "resumes")
@pytest.mark.library("httpx, blocking", "client", "resumes")
@pytest.mark.library("requests", "client", "resumes")
@pytest.mark.parametrize("get", [with_http_client, with_urllib, with_urllib3, with_httpx, with_requests])
def test_http(get: Callable[[SSLContext, int], bytes], server: ssl.SSLContext) -> None:
    tls = context()
    with http_server(server) as port:
        assert [get(tls, port) for _ in range(3)] == [b"full", b"resumed", b"resumed"]


def was_resumed(sock: object) -> bool | None:
    assert isinstance(sock, ssl.SSLSocket)
    return sock.session_reused


# --- mail ----------------------------------------------------------------------------------------------------


@pytest.mark.library("smtplib", "client", "resumes")
def test_smtp(server: ssl.SSLContext) -> None:
    """STARTTLS: in clear first, on the same socket."""
    hello = b"250-mail.example\r\n250 STARTTLS\r\n"

    def serve(sock: socket.socket) -> None:
        converse(sock, b"220 mail.example ESMTP\r\n", {b"EHLO": hello, b"STARTTLS": b"220 go on\r\n"})
        with accept(server, sock) as secure:
            converse(secure, b"", {b"EHLO": hello, b"NOOP": b"250 yes\r\n", b"QUIT": b"221 bye\r\n"})

    tls = context()
    with talking(serve, 2) as port:
        for resumed in (False, True):
            with smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE) as client:
                assert client.starttls(context=tls)[0] == 220
                assert client.noop()[0] == 250
                assert was_resumed(client.sock) == resumed


@pytest.mark.library("imaplib", "client", "resumes")
def test_imap(server: ssl.SSLContext) -> None:
    def serve(sock: socket.socket) -> None:
        replies = {
            b"CAPABILITY": b"* CAPABILITY IMAP4rev1\r\nTAG OK done\r\n",
            b"NOOP": b"TAG OK done\r\n",
            b"LOGOUT": b"* BYE\r\nTAG OK done\r\n",
        }
        with accept(server, sock) as secure:
            converse(secure, b"* OK ready\r\n", replies)

    tls = context()
    with talking(serve, 2) as port:
        for resumed in (False, True):
            with imaplib.IMAP4_SSL("127.0.0.1", port, ssl_context=tls, timeout=PATIENCE) as client:
                assert client.noop()[0] == "OK"
                assert was_resumed(client.sock) == resumed


@pytest.mark.library("poplib", "client", "resumes")
def test_pop3(server: ssl.SSLContext) -> None:
    def serve(sock: socket.socket) -> None:
        with accept(server, sock) as secure:
            converse(secure, b"+OK ready\r\n", {b"NOOP": b"+OK\r\n", b"QUIT": b"+OK bye\r\n"})

    tls = context()
    with talking(serve, 2) as port:
        for resumed in (False, True):
            client = poplib.POP3_SSL("127.0.0.1", port, context=tls, timeout=PATIENCE)
            assert client.noop() == b"+OK"
            assert was_resumed(client.sock) == resumed
            client.quit()


# --- FTP -----------------------------------------------------------------------------------------------------


@pytest.mark.library("ftplib", "client", "resumes")
def test_ftp_with_data_connections_that_resume(server: ssl.SSLContext) -> None:
    reused: list[bool] = []

    def serve(sock: socket.socket) -> None:
        converse(sock, b"220 ready\r\n", {b"AUTH": b"234 go on\r\n"})
        with accept(server, sock) as secure, listening() as passive:
            high, low = divmod(passive.getsockname()[1], 256)
            replies = {b"PBSZ": b"200\r\n", b"PROT": b"200\r\n", b"TYPE": b"200\r\n"}
            replies |= {b"PASV": f"227 (127,0,0,1,{high},{low})\r\n".encode(), b"RETR": b"150 here\r\n"}
            converse(secure, b"", replies)
            below, _ = passive.accept()
            with accept(server, below) as data:
                reused.append(data.session_reused)
                data.sendall(b"the file")
                data.unwrap()
            secure.sendall(b"226 done\r\n")
            converse(secure, b"", {b"QUIT": b"221 bye\r\n"})

    tls = SSLContext(client_config())
    with talking(serve, 1) as port, FTP_TLS(context=tls) as client:
        client.connect("127.0.0.1", port, timeout=PATIENCE)
        client.auth()
        client.prot_p()
        received: list[bytes] = []
        client.retrbinary("RETR file", received.append)
        assert b"".join(received) == b"the file"
        client.quit()
    assert reused == [True]


@pytest.mark.parametrize("commands", [["auth", "prot_p", "ccc"], ["prot_p"]], ids=" ".join)
def test_ftp_data_that_are_private_beside_commands_that_are_not(
    server: ssl.SSLContext, commands: list[str]
) -> None:
    """After CCC, and where the control connection never had TLS: PROT P is kept, and resumes what there was."""
    reused: list[bool] = []

    def serve(sock: socket.socket) -> None:
        replies = {b"PBSZ": b"200\r\n", b"PROT": b"200\r\n"}
        if "auth" in commands:
            converse(sock, b"220 ready\r\n", {b"AUTH": b"234 go on\r\n"})
            secure = accept(server, sock)
            converse(secure, b"", {**replies, b"CCC": b"200 in clear\r\n"})
            sock = secure.unwrap()
        else:
            converse(sock, b"220 ready\r\n", replies)
        with sock, listening() as passive:
            high, low = divmod(passive.getsockname()[1], 256)
            passively = f"227 (127,0,0,1,{high},{low})\r\n".encode()
            converse(sock, b"", {b"TYPE": b"200\r\n", b"PASV": passively, b"RETR": b"150 here\r\n"})
            with accept(server, passive.accept()[0]) as data:
                reused.append(data.session_reused)
                data.sendall(b"the file")
                data.unwrap()
            sock.sendall(b"226 done\r\n")
            converse(sock, b"", {b"QUIT": b"221 bye\r\n"})

    with talking(serve, 1) as port, FTP_TLS(context=SSLContext(client_config())) as client:
        client.connect("127.0.0.1", port, timeout=PATIENCE)
        for command in commands:
            getattr(client, command)()
        received: list[bytes] = []
        client.retrbinary("RETR file", received.append)
        assert b"".join(received) == b"the file"
        client.quit()
    assert reused == ["auth" in commands]


@pytest.mark.parametrize("versions", [[0x0303], [0x0304]])
@pytest.mark.parametrize("kind", [FTP_TLS, ftplib.FTP_TLS])
def test_vsftpd_which_requires_it(kind: type[ftplib.FTP_TLS], versions: list[int]) -> None:
    """The class of ours by itself; the standard library's with a store in the config."""
    stores = {} if kind is FTP_TLS else {"session_store": ClientSessionStore()}
    with vsftpd() as port, kind(context=SSLContext(client_config(versions=versions, **stores))) as client:
        client.connect("127.0.0.1", port, timeout=PATIENCE)
        client.login()
        client.prot_p()
        for _ in range(3):
            received: list[bytes] = []
            client.retrbinary("RETR file", received.append)
            assert b"".join(received) == CONTENT
        assert client.nlst() == ["file"]


def test_vsftpd_refuses_what_does_not_resume() -> None:
    with vsftpd() as port, ftplib.FTP_TLS(context=SSLContext(client_config())) as client:
        client.connect("127.0.0.1", port, timeout=PATIENCE)
        client.login()
        client.prot_p()
        with pytest.raises(ftplib.error_perm, match="522"):
            client.nlst()


def test_ftp_in_the_clear_stays_that() -> None:
    """Data connections are TLS from ``prot_p`` on."""

    def serve(sock: socket.socket) -> None:
        with listening() as passive:
            high, low = divmod(passive.getsockname()[1], 256)
            replies = {
                b"TYPE": b"200\r\n",
                b"PASV": f"227 (127,0,0,1,{high},{low})\r\n".encode(),
                b"RETR": b"150\r\n",
            }
            converse(sock, b"220 ready\r\n", replies)
            data, _ = passive.accept()
            with data:
                data.sendall(b"the file")
            sock.sendall(b"226 done\r\n")
            converse(sock, b"", {b"QUIT": b"221 bye\r\n"})
            sock.close()

    with talking(serve, 1) as port, FTP_TLS() as client:
        client.connect("127.0.0.1", port, timeout=PATIENCE)
        received: list[bytes] = []
        client.retrbinary("RETR file", received.append)
        assert received == [b"the file"]
