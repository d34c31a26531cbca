"""``wrap_socket`` of ours and of the standard library, over loopback: with each other, and both doing the same."""

from __future__ import annotations

import gc
import hashlib
import io
import select
import selectors
import signal
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any
from weakref import ref

import pytest

from sansticket import (
    Command,
    IssueTicket,
    LocalProtocolError,
    PrepareTicket,
    SessionCache,
    TicketFlush,
    TicketIssued,
    UpdateKeys,
)
from sansticket.adapters import SSLObject
from sansticket_wrappers.blocking import SSLContext, SSLSocket, create_default_context
from tests.support.certificates import authority, client_identity, server_identity
from tests.support.command import PATIENCE
from tests.support.configs import client_config
from tests.support.credentials import client_credential
from tests.support.loopback import free_port
from tests.support.sockets import (
    NAME,
    SIDES,
    accept,
    beside,
    bounded,
    connect,
    for_client,
    for_server,
    secured,
    stream,
)

Ends = tuple[ssl.SSLSocket, ssl.SSLSocket]


@pytest.fixture(params=[(one, other) for one in SIDES for other in SIDES], ids=" and ".join)
def ends(request: pytest.FixtureRequest) -> Iterator[Ends]:
    """A client and a server after their handshake, of each kind."""
    client, server = request.param
    with secured(for_client(client), for_server(server)) as both:
        yield both


@pytest.fixture(params=SIDES)
def server_kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture(params=SIDES)
def client_kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


def receive_all(sock: ssl.SSLSocket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        piece = sock.recv(min(length - len(data), 65_536))
        assert piece, "the end came too early"
        data += piece
    return data


def send_pieces(sock: ssl.SSLSocket, data: bytes) -> None:
    """As the call was that has to be repeated."""
    done = 0
    while done < len(data):
        done += sock.send(data[done : done + 100_000])


# --- what a socket does --------------------------------------------------------------------------------------


def test_bytes_there_and_back(ends: Ends) -> None:
    client, server = ends
    for one, other in (ends, ends[::-1]):
        assert one.send(b"a few bytes") == 11
        assert other.recv(5) == b"a few"
        assert other.pending() == 6
        assert other.recv(100) == b" bytes"
        assert other.pending() == 0
    buffer = bytearray(8)
    client.sendall(b"into")
    assert server.recv_into(buffer) == 4
    client.sendall(b"it")
    assert server.recv_into(memoryview(buffer)[4:], 2) == 2
    assert buffer == b"intoit\0\0"
    assert client.send(b"") == 0
    assert client.write(memoryview(b"view")) == 4
    assert server.read(4) == b"view"


def test_what_is_known(ends: Ends) -> None:
    client, server = ends
    assert isinstance(client, ssl.SSLSocket)
    assert isinstance(server, ssl.SSLSocket)
    for sock in ends:
        assert sock.version() == "TLSv1.3"
        assert sock.cipher()[0].startswith("TLS_")  # type: ignore[index]
        assert sock.compression() is None
        assert sock.selected_alpn_protocol() is None
        assert not sock.session_reused
        assert sock.fileno() > 0
        assert sock.gettimeout() == PATIENCE
    assert client.cipher() == server.cipher()
    assert (client.server_side, server.server_side) == (False, True)
    assert (client.server_hostname, server.server_hostname) == (NAME, None)
    assert client.getpeercert(True) == server_identity().chain_der[0]
    assert client.getpeercert()["subject"] == ((("commonName", NAME),),)  # type: ignore[index]
    assert server.getpeercert() is None
    assert client.shared_ciphers() is None
    assert client.getpeername() == server.getsockname()
    assert server.getpeername() == client.getsockname()


def test_files(ends: Ends) -> None:
    client, server = ends
    content = bytes(range(256)) * 1000
    with beside(client.sendfile, io.BytesIO(content)) as sent:
        assert receive_all(server, len(content)) == content
    assert sent.result() == len(content)
    with client.makefile("w", encoding="utf-8") as out, server.makefile("r", encoding="utf-8") as lines:
        out.write("first line\nsecond line\n")
        out.flush()
        assert [lines.readline(), lines.readline()] == ["first line\n", "second line\n"]


@pytest.mark.parametrize(
    "kinds", [("ours", "ours"), ("ours", "theirs"), ("theirs", "ours")], ids=" and ".join
)
def test_much_in_both_directions_at_once(kinds: tuple[str, str]) -> None:
    """A reader and a writer on each socket of ours, at once.

    The standard library's socket does both in one thread: with two it raises BlockingIOError or waits for what has
    come already, in about one of a hundred connections (CPython 3.13.0, OpenSSL 3.0, with itself on both sides).
    """
    size = 500_000 // 32 * 32
    there, back = (hashlib.sha256(seed).digest() * (size // 32) for seed in (b"there", b"back"))
    with (
        secured(*(make(kind) for make, kind in zip((for_client, for_server), kinds, strict=True))) as (
            client,
            server,
        ),
        both_directions(client, kinds[0], there, len(back)) as came_back,
        both_directions(server, kinds[1], back, len(there)) as arrived,
    ):
        assert came_back.result(PATIENCE) == back
        assert arrived.result(PATIENCE) == there


@contextmanager
def both_directions(sock: ssl.SSLSocket, kind: str, data: bytes, length: int) -> Iterator[Future[bytes]]:
    """Send it and receive that much, in two threads of ours or one of theirs."""

    def send_and_receive() -> bytes:
        sock.sendall(data)
        return receive_all(sock, length)

    if kind == "theirs":
        with beside(send_and_receive) as received:
            yield received
    else:
        with beside(sock.sendall, data), beside(receive_all, sock, length) as received:
            yield received


def test_what_is_not_allowed(ends: Ends) -> None:
    client, _ = ends
    for call in (
        lambda: client.send(b"x", socket.MSG_OOB),
        lambda: client.recv(1, socket.MSG_PEEK),
        lambda: client.recvfrom(1),
        lambda: client.sendto(b"x", ("127.0.0.1", 1)),
    ):
        with pytest.raises(ValueError, match="not allowed"):
            call()
    with pytest.raises(NotImplementedError):
        client.sendmsg([b"x"])
    with pytest.raises(NotImplementedError):
        client.dup()


# --- how it ends ---------------------------------------------------------------------------------------------


def test_unwrap_and_on_in_clear(ends: Ends) -> None:
    """What follows close_notify at once, in clear, is still in the socket."""
    client, server = ends

    def serve() -> None:
        assert server.recv(100) == b"that was all"
        assert server.unwrap() is server
        server.sendall(b"in clear")

    with beside(serve):
        client.sendall(b"that was all")
        assert client.unwrap() is client
        assert client.version() is None
        assert client.recv(100) == b"in clear"
    client.sendall(b"indeed")
    assert server.recv(100) == b"indeed"


def test_tls_that_begins_later_and_again(client_kind: str, server_kind: str) -> None:
    """STARTTLS, back, and once more on the same socket."""
    client_tls, server_tls = for_client(client_kind), for_server(server_kind)

    def serve(below: socket.socket) -> None:
        assert below.recv(100) == b"STARTTLS"
        below.sendall(b"ready")
        for word in (b"one", b"two"):
            sock = accept(server_tls, below)
            sock.sendall(sock.recv(100).upper())
            assert sock.recv(100) == b""
            below = sock.unwrap()
            below.sendall(b"clear " + word)
            assert below.recv(100) == b"again"
        below.close()

    with stream() as (below, other), beside(serve, other):
        below.sendall(b"STARTTLS")
        assert below.recv(100) == b"ready"
        for word in (b"one", b"two"):
            sock = connect(client_tls, below)
            sock.sendall(word)
            assert sock.recv(100) == word.upper()
            below = sock.unwrap()
            assert below.recv(100) == b"clear " + word
            below.sendall(b"again")
        below.close()


def test_nothing_is_read_behind_the_record_that_is_needed(ends: Ends) -> None:
    client, server = ends
    client.sendall(b"first")
    client.sendall(b"second")
    raw = socket.socket(fileno=server.fileno())
    try:
        deadline = time.monotonic() + PATIENCE
        while len(raw.recv(1000, socket.MSG_PEEK)) < 2 * 22 + 11:
            assert time.monotonic() < deadline
        assert server.recv(100) == b"first"
        assert len(raw.recv(1000, socket.MSG_PEEK)) == 22 + 6, "the second record, from its header on"
    finally:
        raw.detach()
    assert server.recv(100) == b"second"


def test_an_end_without_close_notify(client_kind: str, server_kind: str) -> None:
    for suppress in (True, False):
        with stream() as (one, other), beside(accept, for_server(server_kind), other) as accepted:
            client = connect(for_client(client_kind), one, suppress_ragged_eofs=suppress)
            server = accepted.result(PATIENCE)
            server.sendall(b"data")
            server.shutdown(socket.SHUT_WR)
            assert client.recv(100) == b"data"
            if suppress:
                assert client.recv(100) == b""
                assert client.recv_into(bytearray(9)) == 0
            else:
                with pytest.raises(ssl.SSLEOFError):
                    client.recv(100)
            client.close()
            server.close()


def test_the_end_of_the_peer(ends: Ends) -> None:
    client, server = ends
    with beside(client.unwrap):
        assert server.recv(100) == b""
        assert server.recv(100) == b""
        server.unwrap()
    with pytest.raises(ValueError, match="No SSL wrapper around"):
        client.unwrap()


def test_data_that_nobody_has_read(ends: Ends) -> None:
    client, server = ends
    server.sendall(b"you have to read this")
    with pytest.raises(ssl.SSLError, match="APPLICATION_DATA_AFTER_CLOSE_NOTIFY"):
        client.unwrap()


def test_closed_sockets(ends: Ends) -> None:
    client, _ = ends
    client.close()
    assert client.fileno() == -1
    for call in (lambda: client.recv(1), lambda: client.send(b"x")):
        with pytest.raises(OSError, match="Bad file descriptor"):
            call()
    with pytest.raises(ValueError, match="Read on closed or unwrapped"):
        client.read(1)
    with pytest.raises(ValueError, match="Write on closed or unwrapped"):
        client.write(b"x")


def test_a_socket_that_another_thread_closes_amid_a_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it has a time-out, and is closed before it is waited for: an OSError, as everywhere else."""
    encrypt = SSLObject.write

    with secured(for_client("ours"), for_server("theirs")) as (client, _):

        def close_meanwhile(self: SSLObject, data: bytes) -> int:
            client.close()
            return encrypt(self, data)

        monkeypatch.setattr(SSLObject, "write", close_meanwhile)
        with pytest.raises(OSError, match="Bad file descriptor"):
            client.sendall(b"x")


def test_a_socket_that_another_thread_closes_while_it_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """``_sslobj`` is None from one moment to the next."""
    with secured(for_client("ours"), for_server("theirs")) as (client, server):
        assert isinstance(client, SSLSocket)
        driver = client._sslobj
        for look in (lambda: client.ssl_object, lambda: client.command(UpdateKeys())):  # type: ignore[attr-defined]
            now = iter([driver, None])
            with monkeypatch.context() as patch:
                patch.setattr(SSLSocket, "_sslobj", property(lambda _, now=now: next(now)), raising=False)
                assert look() in (None, driver.tls)  # type: ignore[func-returns-value]
        client.sendall(b"hello")
        assert server.recv(10) == b"hello"


def test_a_socket_that_is_dropped_is_closed() -> None:
    """Nothing keeps it alive but whoever uses it: no collector has to find it."""
    gc.disable()
    try:
        with stream() as (one, other), beside(accept, for_server("ours", num_tickets=0), other) as accepted:
            client = connect(for_client("ours"), one)
            server = accepted.result(PATIENCE)
            watched = ref(client)
            with pytest.warns(ResourceWarning):
                del client
            assert watched() is None
            assert server.recv(1) == b""
            server.close()
    finally:
        gc.enable()


# --- time-outs -----------------------------------------------------------------------------------------------


def test_a_read_that_takes_too_long(ends: Ends) -> None:
    client, server = ends
    client.settimeout(0.05)
    started = time.monotonic()
    with pytest.raises(TimeoutError, match="The read operation timed out"):
        client.recv(1)
    assert time.monotonic() - started >= 0.05
    server.sendall(b"late")
    client.settimeout(PATIENCE)
    assert client.recv(10) == b"late"


def test_a_write_that_takes_too_long_can_go_on(ends: Ends) -> None:
    """What was accepted is not sent twice, and nothing is missing."""
    client, server = ends
    for sock in ends:
        sock.settimeout(0.1)
    data = hashlib.sha256().digest() * 150_000
    done = 0
    with pytest.raises(TimeoutError, match="The write operation timed out"):  # noqa: PT012  # one of these calls
        while True:
            done += client.send(data[done : done + 100_000])
    assert 0 < done < len(data)
    for sock in ends:
        sock.settimeout(PATIENCE)
    with beside(send_pieces, client, data[done:]):
        assert receive_all(server, len(data)) == data


def test_a_handshake_that_takes_too_long(client_kind: str) -> None:
    with stream() as (one, _):
        one.settimeout(0.05)
        with pytest.raises(TimeoutError, match="The handshake operation timed out"):
            connect(for_client(client_kind), one)


def test_a_peer_that_dribbles_gains_no_time(client_kind: str) -> None:
    """The time-out is that of the call, not of each byte."""

    def dribble(other: socket.socket) -> None:
        other.recv(10_000)
        for byte in b"\x16\x03\x03\x03\xe8" + bytes(1000):
            try:
                other.sendall(bytes([byte]))
            except OSError:
                return  # it has had enough
            time.sleep(0.02)

    with stream() as (one, other), beside(dribble, other):
        one.settimeout(0.3)
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            connect(for_client(client_kind), one)
        assert time.monotonic() - started < 10


# --- signals -------------------------------------------------------------------------------------------------


def alarmed(seconds: float, call: Callable[..., object], argument: object) -> None:
    """The alarm comes within the call, or before it on a machine that is busy."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    call(argument)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="signals of POSIX")
@pytest.mark.parametrize("kind", [KeyboardInterrupt, TimeoutError])
@pytest.mark.parametrize("timeout", [None, PATIENCE])
def test_what_interrupts_a_call_that_waits(timeout: float | None, kind: type[BaseException]) -> None:
    """Ctrl-C, say, or an alarm: the connection is as it was, and a write that is repeated goes on where it was.

    The standard library's socket, if it blocks, is not interrupted when it writes.
    """

    def interrupt(*_: object) -> None:
        raise kind("by a signal")

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with secured(for_client("ours"), for_server("theirs")) as (client, server):
            client.settimeout(timeout)
            with pytest.raises(kind, match="by a signal"):
                alarmed(0.1, client.recv, 1)
            server.sendall(b"late")
            assert client.recv(10) == b"late"
            data = hashlib.sha256().digest() * 150_000
            with pytest.raises(kind, match="by a signal"):
                alarmed(0.5, client.send, data)
            client.settimeout(PATIENCE / 2)
            with beside(client.sendall, data):
                assert receive_all(server, len(data)) == data
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# --- without blocking ----------------------------------------------------------------------------------------


def shake_hands(*socks: ssl.SSLSocket) -> None:
    """As an event loop does it: whoever wants to read waits for that, and whoever wants to write for that."""
    with selectors.DefaultSelector() as selector:
        for sock in socks:
            selector.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE)
        while selector.get_map():
            for key, _ in selector.select(PATIENCE):
                sock = key.fileobj  # type: ignore[assignment]
                try:
                    sock.do_handshake()
                except ssl.SSLWantReadError:
                    selector.modify(sock, selectors.EVENT_READ)
                except ssl.SSLWantWriteError:
                    selector.modify(sock, selectors.EVENT_WRITE)
                else:
                    selector.unregister(sock)


def test_non_blocking_sockets(client_kind: str, server_kind: str) -> None:
    with stream() as (one, other):
        one.setblocking(False)
        other.setblocking(False)
        client = connect(for_client(client_kind), one, do_handshake_on_connect=False)
        server = accept(for_server(server_kind), other, do_handshake_on_connect=False)
        shake_hands(client, server)
        with pytest.raises(ssl.SSLWantReadError):
            server.recv(1)
        data = hashlib.sha256(b"non-blocking").digest() * 40_000
        sent, received, was_full = 0, bytearray(), False
        while len(received) < len(data):
            try:
                while sent < len(data):
                    sent += client.send(data[sent:])
            except ssl.SSLWantWriteError:
                was_full = True
            try:
                while piece := server.recv(65_536):
                    received += piece
            except ssl.SSLWantReadError:
                if len(received) < len(data):
                    select.select([server], [client] if sent < len(data) else [], [], PATIENCE)
        assert was_full
        assert received == data
        client.close()
        server.close()


def test_a_handshake_on_connect_cannot_be_without_blocking(client_kind: str) -> None:
    with stream() as (one, _):
        one.setblocking(False)
        with pytest.raises(ValueError, match="do_handshake_on_connect should not be specified"):
            connect(for_client(client_kind), one)


def test_a_repeated_write_must_not_be_shorter() -> None:
    with secured(for_client("ours"), for_server("ours")) as (client, _):
        client.setblocking(False)
        with pytest.raises(ssl.SSLWantWriteError):  # noqa: PT012  # one of these calls
            while True:
                client.send(bytes(65_536))
        with pytest.raises(ssl.SSLError, match="BAD_WRITE_RETRY"):
            client.send(b"shorter")


# --- before and around the connection ------------------------------------------------------------------------


def test_connect_and_accept(client_kind: str, server_kind: str) -> None:
    """A socket that is connected later, and one that listens, which gives TLS sockets."""
    with bounded(), socket.create_server(("127.0.0.1", 0)) as below:
        listener = accept(for_server(server_kind), below)

        def serve() -> None:
            for _ in range(2):
                sock, address = listener.accept()
                with sock:
                    assert isinstance(sock, ssl.SSLSocket)
                    assert sock.getpeername() == address
                    sock.sendall(sock.recv(100).upper())
            listener.close()

        address = listener.getsockname()
        with beside(serve):
            for call in ("connect", "connect_ex"):
                with connect(for_client(client_kind), socket.socket()) as client:
                    with pytest.raises(OSError, match="not connected"):
                        client.getpeername()
                    assert not getattr(client, call)(address)
                    client.sendall(b"hello")
                    assert client.recv(100) == b"HELLO"
                    with pytest.raises(ValueError, match="already-connected"):
                        client.connect(address)


def test_a_refused_connection(client_kind: str) -> None:
    with connect(for_client(client_kind), socket.socket()) as client, pytest.raises(ConnectionRefusedError):
        client.connect(("127.0.0.1", free_port()))


def test_arguments_that_do_not_fit(client_kind: str) -> None:
    with stream() as (one, _), pytest.raises(ValueError, match="check_hostname requires server_hostname"):
        for_client(client_kind).wrap_socket(one)
    wrong_side = "Cannot create a client socket with a PROTOCOL_TLS_SERVER context"
    with stream() as (one, _), pytest.raises(ssl.SSLError, match=wrong_side):
        connect(for_server(client_kind), one)
    with stream() as (one, _), pytest.raises(ValueError, match="server_hostname can only be specified in"):
        accept(for_server(client_kind), one, server_hostname=NAME)
    datagrams = socket.socket(type=socket.SOCK_DGRAM)
    with datagrams, pytest.raises(NotImplementedError, match="only stream sockets"):
        connect(for_client(client_kind), datagrams)
    with pytest.raises(TypeError, match="does not have a public constructor"):
        SSLSocket()


def test_a_server_of_another_name(client_kind: str, server_kind: str) -> None:
    """The client says so, and the server learns of it by the alert, unless the RST that follows overtakes it: the
    client closes its socket without having read all that the server said."""
    with stream() as (one, other):

        def serve() -> None:
            with pytest.raises((ssl.SSLError, ConnectionResetError)) as refused:
                accept(for_server(server_kind), other)
            if isinstance(refused.value, ssl.SSLError):
                assert str(refused.value.reason).startswith("SSLV3_ALERT_")

        with beside(serve):
            context = for_client(client_kind)
            with pytest.raises(ssl.SSLCertVerificationError) as error:
                context.wrap_socket(one, server_hostname="other.example")
    assert error.value.verify_code == 62


def test_plain_http_is_recognised(server_kind: str) -> None:
    with stream() as (one, other):
        one.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with pytest.raises(ssl.SSLError, match="HTTP_REQUEST"):
            accept(for_server(server_kind), other)


def test_bytes_that_are_no_tls(client_kind: str) -> None:
    with stream() as (one, other):
        other.sendall(b"220 mail.example ESMTP\r\n")
        with pytest.raises(ssl.SSLError, match=r"WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE"):
            connect(for_client(client_kind), one)


# --- sessions ------------------------------------------------------------------------------------------------


def test_sessions_by_hand(server_kind: str) -> None:
    """As ftplib's users do it: the session of one socket is given to another."""
    context, server_tls = SSLContext(client_config()), for_server(server_kind)
    session: Any = None
    for resumed in (False, True):
        with stream() as (one, other), beside(accept, server_tls, other) as accepted:
            client = connect(context, one, session=session)
            server = accepted.result(PATIENCE)
            server.sendall(b"a ticket comes before this")
            client.recv(100)
            assert client.session_reused == server.session_reused == resumed
            session = client.session
            assert session.has_ticket
            client.close()
            server.close()


def test_a_store_resumes_by_itself(server_kind: str) -> None:
    context, server_tls = for_client("ours"), for_server(server_kind)
    for resumed in (False, True, True):
        with secured(context, server_tls) as (client, server):
            server.sendall(b"tickets")
            client.recv(100)
            assert client.session_reused == resumed
            assert isinstance(client, SSLSocket)
            assert client.ssl_object is not None
            assert (client.ssl_object.resumption_record is not None) == (client.version() is not None)


def test_commands(client_kind: str) -> None:
    with secured(for_client(client_kind), for_server("ours")) as (client, server):
        assert isinstance(server, SSLSocket)
        issued: list[object] = []
        server.context.on_event = lambda tls, event: issued.append(event)  # type: ignore[attr-defined]
        server.command(IssueTicket(3))
        server.command(UpdateKeys())
        server.sendall(b"data")
        assert client.recv(100) == b"data"
        assert len([event for event in issued if isinstance(event, TicketIssued)]) == 3
        client.sendall(b"under the old keys, then the new ones")
        assert server.recv(100).startswith(b"under")
        with beside(client.unwrap):
            assert server.recv(1) == b""
            server.unwrap()
        assert server.ssl_object is None
        with pytest.raises(ValueError, match="No SSL wrapper around"):
            server.command(IssueTicket(1))


def test_data_behind_tickets_that_cannot_be_made(client_kind: str) -> None:
    """The caller is told, and the peer too."""

    def prepare(question: PrepareTicket) -> Command:
        raise ZeroDivisionError

    context = for_server("ours")
    assert isinstance(context, SSLContext)
    context.configure(ticket_flush=TicketFlush.WRITE, answers={PrepareTicket: prepare})
    with secured(for_client(client_kind), context) as (client, server):
        with pytest.raises(ssl.SSLError) as caught:
            server.sendall(b"data")
        assert caught.value.reason == "CALLBACK_FAILED"
        with pytest.raises(ssl.SSLError) as caught:
            client.recv(1)
        assert caught.value.reason == "TLSV1_ALERT_INTERNAL_ERROR"


def test_a_command_before_the_handshake() -> None:
    with stream() as (one, _):
        client = connect(for_client("ours"), one, do_handshake_on_connect=False)
        assert isinstance(client, SSLSocket)
        with pytest.raises(LocalProtocolError, match="before the handshake"):
            client.command(UpdateKeys())
        client.close()


def test_a_reader_waits_for_nobody_who_writes() -> None:
    """Its peer asks for new keys and does not read: the answer is given to the writer, who has to wait."""
    with secured(for_client("ours"), for_server("ours")) as (client, server):
        assert isinstance(server, SSLSocket)
        big = bytes(1_500_000)
        with beside(client.sendall, big):
            for _ in range(5):
                server.command(UpdateKeys())
                server.sendall(b"read this")
                assert receive_all(client, 9) == b"read this"
            assert receive_all(server, len(big)) == big


def test_a_reader_keeps_nobody_from_closing() -> None:
    """Its peer says nothing before it has heard close_notify.  With OpenSSL that goes out as well."""
    with secured(for_client("theirs"), for_server("ours")) as (client, server):
        server.settimeout(None)
        seen: list[object] = []

        def read() -> None:
            try:
                seen.append(server.recv(100))
            except ssl.SSLZeroReturnError as error:
                seen.append(error)

        with beside(read):
            while not server._sslobj._reading.locked():  # type: ignore[attr-defined]  # the driver's
                time.sleep(0.01)
            with beside(server.unwrap):
                assert client.recv(1) == b""
                client.unwrap().close()
        assert len(seen) == 1


# --- certificates and names ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SIDES)
def test_an_sni_callback_is_shown_the_socket(kind: str, client_kind: str) -> None:
    context, other_context = for_server(kind), for_server(kind)
    other_context.set_alpn_protocols(["h2"])
    seen: list[Any] = []

    def choose(sock: ssl.SSLSocket, name: str | None, given: ssl.SSLContext) -> None:
        seen.extend([type(sock), isinstance(sock, ssl.SSLSocket), name, given is context])
        sock.context = other_context

    context.sni_callback = choose  # type: ignore[assignment]
    with secured(for_client(client_kind), context) as (_, server):
        assert server.context is other_context
        assert seen == [type(server), True, NAME, True]


def test_client_certificates_after_the_handshake() -> None:
    with secured(*authenticating()) as (client, server):
        assert server.getpeercert() is None
        server.verify_client_post_handshake()
        server.sendall(b"who are you?")
        assert client.recv(100) == b"who are you?"
        client.sendall(b"me")
        assert server.recv(100) == b"me"
        assert server.getpeercert(True) == client_identity().chain_der[0]


def authenticating() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A client that has a certificate, and a server that can ask for it later."""
    client_context = SSLContext(client_config(credentials=[client_credential()]))
    client_context.post_handshake_auth = True
    server_context = SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with server_identity().files() as (chain, key):
        server_context.load_cert_chain(chain, key)
    server_context.load_verify_locations(cadata=authority().pem.decode())
    server_context.verify_mode = ssl.CERT_REQUIRED
    server_context.post_handshake_auth = True
    return client_context, server_context


@pytest.mark.parametrize("timeout", [None, PATIENCE])
def test_an_answer_leaves_as_soon_as_there_is_room_for_it(timeout: float | None) -> None:
    """Its reader goes on waiting for a peer that waits for it."""
    for_this_client, for_this_server = authenticating()
    one, other = socket.socketpair()
    other.settimeout(PATIENCE)
    with (
        beside(accept, for_this_server, other) as accepted,
        connect(for_this_client, one) as client,
        accepted.result(PATIENCE) as server,
    ):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        sent = 0
        while select.select([], [client], [], 0)[1]:
            sent += client.send(bytes(100))
        client.settimeout(timeout)
        server.verify_client_post_handshake()
        server.sendall(b"who are you?")
        with beside(receive_all, client, 21) as received:
            time.sleep(0.1)  # now it has read that, and could not answer
            receive_all(server, sent)
            server.settimeout(0.05)
            deadline = time.monotonic() + PATIENCE / 10
            while server.getpeercert(True) is None and time.monotonic() < deadline:
                with pytest.raises(TimeoutError):
                    server.recv(1)
            server.sendall(b"thank you")
        assert received.result() == b"who are you?thank you"
        assert server.getpeercert(True) == client_identity().chain_der[0]


def test_the_binding_of_a_channel() -> None:
    with secured(for_client("ours"), for_server("ours")) as (client, server):
        bound = client.get_channel_binding("tls-exporter")
        assert bound == server.get_channel_binding("tls-exporter")
        assert len(bound or b"") == 32


def test_chains() -> None:
    """What the standard library makes its lists from, public since 3.13."""
    with secured(for_client("ours"), for_server("ours")) as (client, server):
        for chain in (client._sslobj.get_unverified_chain(), client._sslobj.get_verified_chain()):  # type: ignore[attr-defined]
            assert chain[0].public_bytes(2) == server_identity().chain_der[0]
            assert chain[0].public_bytes() == ssl.DER_cert_to_PEM_cert(server_identity().chain_der[0])
            with pytest.raises(ValueError, match="format"):
                chain[0].public_bytes(3)
        assert server._sslobj.get_unverified_chain() == []  # type: ignore[attr-defined]
        if hasattr(ssl.SSLSocket, "get_verified_chain"):
            assert client.get_verified_chain() == [*server_identity().chain_der, authority().der]


def test_a_default_context(tmp_path: Any) -> None:
    (tmp_path / "ca.pem").write_bytes(authority().pem)
    context = create_default_context(cafile=tmp_path / "ca.pem")
    assert type(context) is SSLContext
    with secured(context, for_server("theirs")) as (client, _):
        assert client.version() == "TLSv1.3"
    assert type(create_default_context(ssl.Purpose.CLIENT_AUTH)) is SSLContext


def test_a_connection_in_an_older_version(server_kind: str) -> None:
    context = for_client("ours", versions=[0x0303])
    server = (
        for_server("ours", session_cache=SessionCache()) if server_kind == "ours" else for_server("theirs")
    )
    server.minimum_version = ssl.TLSVersion.TLSv1_2
    for resumed in (False, True):
        with secured(context, server) as (client, other):
            other.sendall(b"1.2")
            assert client.recv(3) == b"1.2"
            assert client.version() == "TLSv1.2"
            assert client.session_reused == resumed
            with beside(client.unwrap):
                assert other.recv(1) == b""
                other.unwrap()
