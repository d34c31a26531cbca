"""OpenSSL: ``openssl s_server -rev`` and ``openssl s_client``.

Installed by Debian's ``openssl``.  The server chooses its port, says which, and gives back every line reversed; the
client gets the payload on its standard input, and keeps its session in a file for the next time.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.interop.matrix.conftest import Matrix
from tests.support.command import Command
from tests.support.loopback import Line, echo
from tests.support.matrix import HYBRID, RETRY_GROUP, Cannot, Cell, Peer, Role, Served, Task, cells
from tests.support.openssl_version import NO_HYBRID_BEFORE_3_5, openssl_in

GROUPS = {RETRY_GROUP: "P-384", HYBRID: "X25519MLKEM768"}


def version() -> tuple[int, ...]:
    return openssl_in(subprocess.check_output(["openssl", "version"], text=True))


NO_HYBRID = Cannot(NO_HYBRID_BEFORE_3_5, lambda: version() >= (3, 5))


class OpenSSL(Peer):
    name = "OpenSSL"
    needs = ("openssl command",)
    cannot = {  # noqa: RUF012
        (Role.SERVER, Cell.HYBRID): NO_HYBRID,
        (Role.CLIENT, Cell.HYBRID): NO_HYBRID,
    }

    def version(self) -> str:
        return ".".join(map(str, version()))

    @contextmanager
    def serve(self, task: Task) -> Iterator[Served]:
        files = task.files
        arguments = ["-accept", "127.0.0.1:0", "-rev", "-cert", str(files.chain), "-key", str(files.key)]
        arguments += ["-groups", GROUPS[task.group]] if task.group else []
        if task.certificate:
            arguments += ["-Verify", "1", "-verify_return_error", "-CAfile", str(files.ca)]
        with Command("openssl", "s_server", *arguments, *self.common(task)) as server:
            yield Served(int(server.wait_for("ACCEPT").rpartition(":")[2]), lines_reversed)

    def visit(self, task: Task, port: int) -> None:
        files, session = task.files, str(task.files.folder / "openssl.session")
        arguments = ["-connect", f"127.0.0.1:{port}", "-CAfile", str(files.ca), "-nocommands"]
        arguments += ["-servername", "server.example", "-verify_hostname", "server.example"]
        arguments += ["-verify_return_error"]
        arguments += ["-groups", GROUPS[HYBRID]] if task.group is HYBRID else []
        if task.certificate:
            arguments += ["-cert", str(files.client_chain), "-key", str(files.client_key)]
        for turn in range(task.times):
            resuming = ["-sess_out", session] if turn == 0 else ["-sess_in", session]
            with Command("openssl", "s_client", *arguments, *resuming, *self.common(task)) as client:
                client.give_and_take(task.payload.decode())
                client.end_input()
                assert client.wait_for_end() == 0, client.end
                assert ("Reused, TLS" in client.output) == (turn > 0), client.end

    def common(self, task: Task) -> list[str]:
        arguments = ["-tls1_3" if task.tls13 else "-tls1_2"]
        arguments += ["-alpn", task.alpn] if task.alpn else []
        return arguments + ([] if task.tickets else ["-no_ticket"])


def lines_reversed(line: Line, payload: bytes) -> bytes:
    back = echo(line, payload)
    return b"".join(text[::-1] + b"\n" for text in back.splitlines())


PEER = OpenSSL()


@cells()
def test_our_client(cell: Cell, matrix: Matrix) -> None:
    matrix.our_client(PEER, cell)


@cells()
def test_our_server(cell: Cell, matrix: Matrix) -> None:
    matrix.our_server(PEER, cell)
