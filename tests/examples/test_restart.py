"""A server of three processes, one after the other, under load: no connection is lost, and no byte."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.support.certificates import authority, server_identity
from tests.support.command import PATIENCE, Command, example
from tests.support.loopback import free_port
from tests.support.peers import require
from tests.support.stdlib_peer import client_context

CLIENTS: Final = 4


class Server:
    """The example, by one process after the other."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        files = {
            "chain": server_identity().chain_pem,
            "key": server_identity().key_pem,
            "ticket-key": bytes(range(32)),
        }
        for name, content in files.items():
            (folder / name).write_bytes(content)
        options = [text for name in files for text in (f"--{name}", str(folder / name))]
        self.door = str(folder / "door")
        self._options = ["--path", self.door, *options]
        self._stack = stack
        self.processes: list[Command] = []
        self.port = free_port()
        self.start()

    def start(self) -> int:
        """Another process; how many connections it got from the one before."""
        process = self._stack.enter_context(
            example("restartable_server", str(self.port), *self._options, "--grace", "10")
        )
        assert int(process.wait_for("listening on port")) == self.port
        arrived = int(process.wait_for("arrived:"))
        if self.processes:
            assert self.processes[-1].wait_for_end() == 0
            assert self.processes[-1].output.endswith("replaced\n")
        self.processes.append(process)
        return arrived

    def healthy(self) -> bool:
        return not any("Traceback" in process.output for process in self.processes)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with ExitStack() as stack:
        yield Server(tmp_path, stack)


class Client:
    """A client of the standard library, which goes on asking until it is told to stop."""

    def __init__(self, port: int, version: ssl.TLSVersion) -> None:
        self._port = port
        self._context = client_context(authority(), version=version)
        self.answered = 0
        self.served_by: set[bytes] = set()
        self.connections = 0
        self.error: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        if self.error is not None:
            raise self.error

    def _run(self) -> None:
        try:
            self.ask()
        except BaseException as error:
            self.error = error

    @contextmanager
    def connection(self) -> Iterator[ssl.SSLSocket]:
        below = socket.create_connection(("127.0.0.1", self._port), PATIENCE)
        with self._context.wrap_socket(below, server_hostname="server.example") as sock:
            self.connections += 1
            yield sock

    def ask(self) -> None:
        """One connection that stays: requests in two pieces, two at a time."""
        with self.connection() as sock, sock.makefile("rb") as answers:
            while not self._stop.is_set():
                size = self.answered * 37 % 3000
                both = b"".join(self.request(self.answered + number, size) for number in (1, 2))
                cut = len(both) * (self.answered % 7) // 7
                sock.sendall(both[:cut])
                sock.sendall(both[cut:])
                for _ in range(2):
                    self.check(answers.readline, answers.read, size)

    def request(self, number: int, size: int) -> bytes:
        return b"GET /%d HTTP/1.1\r\nX: %b\r\n\r\n" % (number, b"x" * size)

    def check(self, line: object, read: object, size: int) -> None:
        assert callable(line)
        assert callable(read)
        assert line() == b"HTTP/1.1 200 OK\r\n"
        length = int(line().removeprefix(b"Content-Length: "))
        assert line() == b"\r\n"
        process, count, path = read(length).split()
        self.answered += 1
        assert (int(count), path) == (self.answered, b"/%d" % self.answered)
        self.served_by.add(process)


class ManyConnections(Client):
    """A new connection for each request."""

    def ask(self) -> None:
        while not self._stop.is_set():
            self.answered = 0
            with self.connection() as sock, sock.makefile("rb") as answers:
                sock.sendall(self.request(1, 10))
                self.check(answers.readline, answers.read, 10)


def test_two_restarts_under_load(server: Server) -> None:
    versions = (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2)
    staying = [Client(server.port, versions[number % 2]) for number in range(CLIENTS)]
    coming = [ManyConnections(server.port, version) for version in versions]
    for client in (*staying, *coming):
        client.start()
    arrived = []
    for processes in (1, 2):
        wait_until(lambda number=processes: all(client.answered > 20 * number for client in staying))
        wait_until(lambda number=processes: all(len(client.served_by) == number for client in coming))
        arrived.append(server.start())
    wait_until(lambda: all(len(client.served_by) == 3 for client in (*staying, *coming)))
    wait_until(lambda: all(client.connections > 3 for client in coming))
    for client in (*staying, *coming):
        client.stop()
    assert all(client.connections == 1 and client.answered > 40 for client in staying)
    assert all(len(client.served_by) == 3 and client.connections > 3 for client in coming)
    assert all(number >= CLIENTS for number in arrived)
    assert server.healthy()


def wait_until(condition: object) -> None:
    """Bounded."""
    assert callable(condition)
    waiting = threading.Event()
    for _ in range(int(PATIENCE * 50)):
        if condition():
            return
        waiting.wait(0.02)
    raise AssertionError("it takes too long")


def test_idle_connections_and_what_they_sent_by_halves(server: Server) -> None:
    """Half a request is there when the process changes; the rest comes to the next one."""
    client, door = Client(server.port, ssl.TLSVersion.TLSv1_3), Path(server.door)
    assert door.is_socket()
    assert door.stat().st_mode & 0o777 == 0o600
    with client.connection() as idle, client.connection() as sock, sock.makefile("rb") as answers:
        sock.sendall(b"GET /1 HTT")
        assert server.start() == 2
        sock.sendall(b"P/1.1\r\n\r\n")
        client.check(answers.readline, answers.read, 0)
        idle.sendall(client.request(1, 0))
        client.answered = 0
        with idle.makefile("rb") as others:
            client.check(others.readline, others.read, 0)
    assert server.healthy()


def test_curl_does_not_notice(server: Server) -> None:
    """One curl that asks on and on, on one connection, and a restart in between."""
    require("curl")
    curl = Command(
        *("curl", "-sS", "--rate", "100/s", "--cacert", authority_file(server)),
        *("--resolve", f"server.example:{server.port}:127.0.0.1", "-w", "connects %{num_connects}\n"),
        f"https://server.example:{server.port}/[1-100000]",
    )
    with curl:
        curl.wait_for(" /20")
        first = curl.output.split()[0]
        assert server.start() == 1
        answered = len(curl.output.splitlines()) // 2
        curl.wait_for(f" /{answered + 20}")
        lines = curl.output.splitlines()[:-1]  # the last one may be half there
    answers = [line.split() for line in lines if not line.startswith("connects")]
    assert [(int(count), path) for _, count, path in answers] == [
        (number, f"/{number}") for number in range(1, len(answers) + 1)
    ]
    assert answers[0][0] == first != answers[-1][0]
    assert sum(int(line.split()[1]) for line in lines if line.startswith("connects")) == 1
    assert server.healthy()


def authority_file(server: Server) -> Path:
    file = Path(server.door).parent / "ca.pem"
    file.write_bytes(authority().pem)
    return file


def test_a_predecessor_that_was_killed_left_its_door(server: Server) -> None:
    """Its connections are gone with it; the next one begins anew, on the same port and at the same door."""
    server.processes[0].kill()
    process = server._stack.enter_context(example("restartable_server", str(server.port), *server._options))
    assert int(process.wait_for("listening on port")) == server.port
    assert process.wait_for("arrived:") == "0"
    client = Client(server.port, ssl.TLSVersion.TLSv1_3)
    with client.connection() as sock, sock.makefile("rb") as answers:
        sock.sendall(client.request(1, 0))
        client.check(answers.readline, answers.read, 0)
