"""GnuTLS: ``gnutls-serv --echo`` and ``gnutls-cli``.

Installed by Debian's ``gnutls-bin``.  The server is started with its certificate on a port that is free, and gives
back what it gets; the client gets the payload on its standard input, and with ``--resume`` connects twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sansticket.commands import SendData
from tests.interop.matrix.conftest import Matrix
from tests.support.command import Command, said
from tests.support.loopback import Line, echo, free_port
from tests.support.matrix import (
    HYBRID,
    PSK_IDENTITY,
    PSK_KEY,
    RETRY_GROUP,
    Cannot,
    Cell,
    Peer,
    Role,
    Served,
    Task,
    cells,
)

GROUPS = {RETRY_GROUP: "GROUP-SECP384R1", HYBRID: "GROUP-X25519-MLKEM768"}


def has_hybrid() -> bool:
    return GROUPS[HYBRID] in said("gnutls-cli", "--list")


NO_HYBRID = Cannot("GnuTLS has X25519MLKEM768 from 3.8.9 on, where it is built with it.", has_hybrid)


class GnuTLS(Peer):
    name = "GnuTLS"
    needs = ("GnuTLS",)
    cannot = {  # noqa: RUF012
        (Role.SERVER, Cell.HYBRID): NO_HYBRID,
        (Role.CLIENT, Cell.HYBRID): NO_HYBRID,
    }

    def version(self) -> str:
        return said("gnutls-cli", "--version").split()[1]

    @contextmanager
    def serve(self, task: Task) -> Iterator[Served]:
        port, files = free_port(), task.files
        arguments = ["--echo", "--port", port, "--priority", self.priority(task, server=True)]
        if task.cell is Cell.PSK:
            passwords = files.folder / "gnutls.passwords"
            passwords.write_text(f"{PSK_IDENTITY}:{PSK_KEY.hex()}\n")
            arguments += ["--pskpasswd", passwords]
        else:
            arguments += ["--x509certfile", files.chain, "--x509keyfile", files.key]
            arguments += ["--x509cafile", files.ca]
        arguments += ["--earlydata"] if task.cell is Cell.EARLY else []
        arguments += ["--require-client-cert", "--verify-client-cert"] if task.certificate else ["-a"]
        arguments += ["--alpn", task.alpn] if task.alpn else []
        arguments += [] if task.tickets else ["--noticket"]
        with Command("gnutls-serv", *map(str, arguments)) as server:
            server.wait_for("IPv4 0.0.0.0 port")
            yield Served(port, early_and_echo)

    def visit(self, task: Task, port: int) -> None:
        files = task.files
        arguments = ["127.0.0.1", "--port", port, "--x509cafile", files.ca]
        arguments += ["--priority", self.priority(task, server=False)]
        arguments += ["--sni-hostname", "server.example", "--verify-hostname", "server.example"]
        arguments += ["--logfile", "/dev/null"]
        if task.certificate:
            arguments += ["--x509certfile", files.client_chain, "--x509keyfile", files.client_key]
        arguments += ["--alpn", task.alpn] if task.alpn else []
        arguments += [] if task.tickets else ["--noticket"]
        if task.cell is Cell.PSK:
            arguments += ["--pskusername", PSK_IDENTITY, "--pskkey", PSK_KEY.hex()]
        if task.cell is Cell.EARLY:
            early = files.folder / "gnutls.early"
            early.write_bytes(task.payload)
            arguments += ["--earlydata", early]
        if task.times > 1:
            arguments += ["--resume"] + (["--waitresumption"] if task.tls13 else [])
        with Command("gnutls-cli", *map(str, arguments)) as client:
            client.give_and_take(task.payload.decode())
            client.end_input()
            assert client.wait_for_end() == 0, client.end

    def priority(self, task: Task, *, server: bool) -> str:
        only = task.group is not None and (server or task.group is HYBRID)
        group = f":-GROUP-ALL:+{GROUPS[task.group]}" if task.group and only else ""
        psk = ":-KX-ALL:+DHE-PSK:+ECDHE-PSK" if task.cell is Cell.PSK else ""
        return f"NORMAL:-VERS-ALL:+VERS-TLS{task.dotted}{group}{psk}"


def early_and_echo(line: Line, payload: bytes) -> bytes:
    """gnutls-serv takes early data, and answers only what comes after it."""
    if line.completed is None:
        line.send(SendData(payload))
        line.shake_hands()
    return echo(line, payload)


PEER = GnuTLS()


@cells()
def test_our_client(cell: Cell, matrix: Matrix) -> None:
    matrix.our_client(PEER, cell)


@cells()
def test_our_server(cell: Cell, matrix: Matrix) -> None:
    matrix.our_server(PEER, cell)
