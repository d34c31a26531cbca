"""haproxy, with TLS towards its clients and towards its servers.

Installed by Debian's ``haproxy``.  It runs in the foreground on ports that are free, with a config of the test, in
TCP mode.  As a server it passes plain bytes on to an echo server of ours without TLS; as a client it passes the
plain bytes of the test on to our server.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.interop.matrix.conftest import Matrix
from tests.support.command import Command, said
from tests.support.loopback import PlainEcho, free_port, plain_exchange, wait_for_port
from tests.support.matrix import (
    HYBRID,
    NO_PSK,
    RETRY_GROUP,
    Cannot,
    Cell,
    Peer,
    Role,
    Served,
    Task,
    cells,
)
from tests.support.openssl_version import NO_HYBRID_BEFORE_3_5, openssl_in
from tests.support.peers import tool

GROUPS = {RETRY_GROUP: "P-384", HYBRID: "X25519MLKEM768"}

FRAME = """\
global
    nbthread 1
    tune.ssl.default-dh-param 2048
defaults
    mode tcp
    timeout connect 20s
    timeout client 20s
    timeout server 20s
listen test
    bind 127.0.0.1:{port} {bind}
    server other 127.0.0.1:{to} {server}
"""


def version() -> str:
    return said(tool("haproxy"), "-vv")


NO_HYBRID = Cannot(NO_HYBRID_BEFORE_3_5, lambda: openssl_in(version()) >= (3, 5))


class Haproxy(Peer):
    name = "haproxy"
    needs = ("haproxy",)
    cannot = {  # noqa: RUF012
        (Role.CLIENT, Cell.EARLY): Cannot(
            "haproxy sends early data only with HTTP that it may send again, and with 2.6 the connection ended."
        ),
        (Role.SERVER, Cell.PSK): NO_PSK,
        (Role.CLIENT, Cell.PSK): NO_PSK,
        (Role.SERVER, Cell.HYBRID): NO_HYBRID,
        (Role.CLIENT, Cell.HYBRID): NO_HYBRID,
    }

    def version(self) -> str:
        number = version().split()[2]
        return f"{number} with OpenSSL {'.'.join(map(str, openssl_in(version())))}"

    @contextmanager
    def serve(self, task: Task) -> Iterator[Served]:
        files = task.files
        both = files.folder / "haproxy.pem"
        both.write_bytes(files.chain.read_bytes() + files.key.read_bytes())
        options = [f"ssl crt {both}", *self.common(task)]
        options += ["allow-0rtt"] if task.cell is Cell.EARLY else []
        options += [f"curves {GROUPS[task.group]}"] if task.group else []
        options += [f"verify required ca-file {files.ca}"] if task.certificate else []
        with PlainEcho() as other, haproxy(other.port, bind=options) as port:
            yield Served(port)

    def visit(self, task: Task, port: int) -> None:
        files = task.files
        options = [f"ssl verify required ca-file {files.ca}", *self.common(task)]
        options += ["sni str(server.example) verifyhost server.example"]
        if task.certificate:
            both = files.folder / "haproxy.client.pem"
            both.write_bytes(files.client_chain.read_bytes() + files.client_key.read_bytes())
            options.append(f"crt {both}")
        with haproxy(port, server=options) as front:
            for _ in range(task.times):
                assert plain_exchange(front, task.payload) == task.payload

    def common(self, task: Task) -> list[str]:
        options = [f"ssl-min-ver TLSv{task.dotted} ssl-max-ver TLSv{task.dotted}"]
        options += [f"alpn {task.alpn}"] if task.alpn else []
        return options + ([] if task.tickets else ["no-tls-tickets"])


@contextmanager
def haproxy(to: int, *, bind: list[str] | None = None, server: list[str] | None = None) -> Iterator[int]:
    """Passes bytes on to the port ``to``; gives the port on which it takes them."""
    port = free_port()
    with TemporaryDirectory() as folder:
        config = Path(folder, "haproxy.cfg")
        config.write_text(
            FRAME.format(port=port, to=to, bind=" ".join(bind or ()), server=" ".join(server or ()))
        )
        with Command(tool("haproxy"), "-db", "-f", config) as program:
            wait_for_port(port, program)
            yield port


PEER = Haproxy()


@cells()
def test_our_client(cell: Cell, matrix: Matrix) -> None:
    matrix.our_client(PEER, cell)


@cells()
def test_our_server(cell: Cell, matrix: Matrix) -> None:
    matrix.our_server(PEER, cell)
