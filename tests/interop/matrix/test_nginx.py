"""nginx, as a web server and as the proxy of one.

Installed by Debian's ``nginx``.  It runs as one process in the foreground, on ports that are free, with everything
it writes in a folder of the test.  As a server it keeps what is put (``dav_methods PUT``) and gives it back; as a
client it passes what comes over plain HTTP on to our server.
"""

from __future__ import annotations

import http.client
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.interop.matrix.conftest import Matrix
from tests.support.command import PATIENCE, Command
from tests.support.loopback import Line, free_port, wait_for_port
from tests.support.loopback import http as request
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

GROUPS = {RETRY_GROUP: "secp384r1", HYBRID: "X25519MLKEM768"}

FRAME = """\
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr;
events {{ }}
http {{
    access_log off;
    client_max_body_size 0;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        {lines}
    }}
}}
"""


def version() -> str:
    return subprocess.run(
        [tool("nginx"), "-V"], capture_output=True, text=True, check=True, timeout=PATIENCE
    ).stderr


NO_HYBRID = Cannot(NO_HYBRID_BEFORE_3_5, lambda: openssl_in(version()) >= (3, 5))


class Nginx(Peer):
    name = "nginx"
    needs = ("nginx",)
    cannot = {  # noqa: RUF012
        (Role.SERVER, Cell.PSK): NO_PSK,
        (Role.CLIENT, Cell.PSK): NO_PSK,
        (Role.CLIENT, Cell.EARLY): Cannot("nginx sends no early data to the server that it is a proxy of."),
        (Role.SERVER, Cell.HYBRID): NO_HYBRID,
        (Role.CLIENT, Cell.HYBRID): NO_HYBRID,
        (Role.CLIENT, Cell.ALPN): Cannot("nginx sends no ALPN to the server that it is a proxy of."),
    }

    def version(self) -> str:
        number = version().partition("nginx/")[2].split()[0]
        return f"{number} with OpenSSL {'.'.join(map(str, openssl_in(version())))}"

    @contextmanager
    def serve(self, task: Task) -> Iterator[Served]:
        files, port = task.files, free_port()
        lines = [
            f"listen 127.0.0.1:{port} ssl;",
            f"ssl_certificate {files.chain};",
            f"ssl_certificate_key {files.key};",
            f"ssl_protocols TLSv{task.dotted};",
            f"ssl_session_tickets {'on' if task.tickets else 'off'};",
            "ssl_session_cache shared:sessions:1m;",
            "location / { root {folder}/www; dav_methods PUT; }",
        ]
        lines += ["ssl_early_data on;"] if task.cell is Cell.EARLY else []
        lines += [f"ssl_ecdh_curve {GROUPS[task.group]};"] if task.group else []
        if task.certificate:
            lines += ["ssl_verify_client on;", f"ssl_client_certificate {files.ca};"]
        with nginx(lines, port):
            yield Served(port, put_and_get)

    def visit(self, task: Task, port: int) -> None:
        files, front = task.files, free_port()
        lines = [
            f"listen 127.0.0.1:{front};",
            f"location / {{ proxy_pass https://127.0.0.1:{port}; }}",
            "proxy_ssl_server_name on;",
            "proxy_ssl_name server.example;",
            "proxy_ssl_verify on;",
            f"proxy_ssl_trusted_certificate {files.ca};",
            f"proxy_ssl_protocols TLSv{task.dotted};",
        ]
        if task.certificate:
            lines += [
                f"proxy_ssl_certificate {files.client_chain};",
                f"proxy_ssl_certificate_key {files.client_key};",
            ]
        with nginx(lines, front):
            for _ in range(task.times):
                with closing(http.client.HTTPConnection("127.0.0.1", front, timeout=PATIENCE)) as connection:
                    connection.request("POST", "/", task.payload)
                    answer = connection.getresponse()
                    assert (answer.status, answer.read()) == (200, task.payload)


@contextmanager
def nginx(lines: list[str], port: int) -> Iterator[None]:
    with TemporaryDirectory() as folder:
        Path(folder, "www").mkdir()
        config = Path(folder, "nginx.conf")
        inner = "\n        ".join(lines).replace("{folder}", folder)
        config.write_text(FRAME.format(folder=folder, lines=inner))
        with Command(tool("nginx"), "-p", folder, "-e", "stderr", "-c", config) as program:
            wait_for_port(port, program)
            yield


def put_and_get(line: Line, payload: bytes) -> bytes:
    """nginx does not answer a close_notify, so it is asked to be the first to close."""
    request(line, payload, "PUT", "/payload")
    return request(line, b"", "GET", "/payload", last=True)


PEER = Nginx()


@cells()
def test_our_client(cell: Cell, matrix: Matrix) -> None:
    matrix.our_client(PEER, cell)


@cells()
def test_our_server(cell: Cell, matrix: Matrix) -> None:
    matrix.our_server(PEER, cell)
