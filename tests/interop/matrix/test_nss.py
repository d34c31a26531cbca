"""NSS: ``selfserv`` and ``tstclnt``.

Installed by Debian's ``libnss3-tools``.  Certificates and keys are put into a database in a folder of the test by
``certutil`` and ``pk12util``.  The server is started on a port that is free; it answers an HTTP request with a page
that repeats the request, and closes.  The client sends a request from a file, on as many connections as ``-L`` says;
it does not close by itself, so the request tells our server to.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.serialization import NoEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

from sansticket.commands import SendData
from tests.interop.matrix.conftest import Matrix
from tests.support.certificates import client_identity, server_identity
from tests.support.command import PATIENCE, Command
from tests.support.loopback import Line, free_port
from tests.support.matrix import (
    HYBRID,
    PSK_IDENTITY,
    PSK_KEY,
    RETRY_GROUP,
    Cannot,
    Cell,
    Files,
    Peer,
    Role,
    Served,
    Task,
    cells,
)

GROUPS = {RETRY_GROUP: "P384", HYBRID: "mlkem768x25519"}
EARLY_TRIES = 5
"""tstclnt sends early what it has read of its file by then, which on a busy machine may be nothing."""
ANTI_REPLAY_WINDOW = 10.5
"""Seconds for which selfserv accepts no early data: somebody could have sent it to the one before."""
END = b"EOF\r\n\r\n\r\n"
"""How ``selfserv`` ends a page."""


@cache
def database(files: Files) -> str:
    folder = files.folder / "nss"
    folder.mkdir()
    where = f"sql:{folder}"
    run("certutil", "-N", "-d", where, "--empty-password")
    run("certutil", "-A", "-d", where, "-n", "root", "-t", "CT,C,C", "-a", "-i", files.ca)
    for name, identity in ("server", server_identity()), ("client", client_identity()):
        pkcs12 = folder / f"{name}.p12"
        chain = identity.certificate
        pkcs12.write_bytes(
            serialize_key_and_certificates(name.encode(), identity.key, chain, None, NoEncryption())
        )
        run("pk12util", "-i", pkcs12, "-d", where, "-W", "")
    return where


def run(*arguments: str | Path) -> None:
    subprocess.run(arguments, check=True, capture_output=True, timeout=PATIENCE)


@cache
def has_hybrid() -> bool:
    described = subprocess.run(["tstclnt"], capture_output=True, text=True, timeout=PATIENCE)
    return GROUPS[HYBRID] in described.stdout + described.stderr


NO_HYBRID = Cannot(
    "NSS has X25519MLKEM768 from 3.105 on, and its tools when their help names it.", has_hybrid
)


class NSS(Peer):
    name = "NSS"
    needs = ("NSS",)
    cannot = {  # noqa: RUF012
        (Role.SERVER, Cell.HYBRID): NO_HYBRID,
        (Role.CLIENT, Cell.HYBRID): NO_HYBRID,
        (Role.SERVER, Cell.PSK): Cannot(
            "selfserv goes on with its certificate where both have a PSK, with tstclnt too."
        ),
        (Role.SERVER, Cell.LARGE): Cannot("selfserv takes no request of more than 10 kB."),
        (Role.CLIENT, Cell.ALPN): Cannot("tstclnt has no option for ALPN."),
    }

    def version(self) -> str:
        """That of the Debian package: the programs do not say theirs."""
        query = ["sh", "-c", "dpkg-query -W -f '${Version}' libnss3-tools"]
        package = subprocess.run(query, capture_output=True, text=True, timeout=PATIENCE)
        return package.stdout.partition(":")[2].partition("-")[0]

    @contextmanager
    def serve(self, task: Task) -> Iterator[Served]:
        port = free_port()
        arguments = ["-d", database(task.files), "-e", "server", "-p", str(port), "-v", *self.common(task)]
        arguments += ["-r", "-r"] if task.certificate else []
        arguments += ["-Q"] if task.alpn else []
        arguments += ["-I", GROUPS[task.group]] if task.group else []
        with Command("selfserv", *arguments) as server:
            server.wait_for("About to call accept.")
            if task.cell is Cell.EARLY:
                time.sleep(ANTI_REPLAY_WINDOW)
            yield Served(port, request)

    def visit(self, task: Task, port: int) -> None:
        arguments = ["-h", "127.0.0.1", "-a", "server.example", "-p", str(port), "-d", database(task.files)]
        arguments += self.common(task)
        arguments += ["-n", "client"] if task.certificate else []
        arguments += ["-I", GROUPS[HYBRID]] if task.group is HYBRID else []
        body = task.payload.decode()
        request = f"POST /close HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        asked = task.files.folder / "nss.request"
        asked.write_text(request, newline="")
        times = EARLY_TRIES if task.cell is Cell.EARLY else task.times
        arguments += ["-A", str(asked), "-L", str(times)]
        with Command("tstclnt", *arguments) as client:
            assert client.wait_for_end() == 0, client.end
            assert client.output.count(body) == times, client.end

    def common(self, task: Task) -> list[str]:
        arguments = ["-G", "-V", f"tls{task.dotted}:tls{task.dotted}"]
        arguments += ["-Z"] if task.cell is Cell.EARLY else []
        arguments += ["-z", f"0x{PSK_KEY.hex()}:{PSK_IDENTITY}"] if task.cell is Cell.PSK else []
        return arguments + (["-u"] if task.tickets else [])


def request(line: Line, payload: bytes) -> bytes:
    """What selfserv repeats of a request's header."""
    line.send(SendData(b"GET / HTTP/1.0\r\nPayload: " + payload.rstrip() + b"\r\n\r\n"))
    page = line.take_until(END)
    return page.partition(b"Payload: ")[2].partition(b"\r\n")[0] + b"\n"


PEER = NSS()


@cells()
def test_our_client(cell: Cell, matrix: Matrix) -> None:
    matrix.our_client(PEER, cell)


@cells()
def test_our_server(cell: Cell, matrix: Matrix) -> None:
    matrix.our_server(PEER, cell)
