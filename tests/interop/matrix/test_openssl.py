"""OpenSSL: ``openssl s_server -rev`` and ``openssl s_client``.

Installed by Debian's ``openssl``.  The server chooses its port, says which, and gives back every line reversed; the
client gets the payload on its standard input, and keeps its session in a file for the next time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sansticket.commands import SendData
from tests.interop.matrix.conftest import Matrix
from tests.support.command import Command, said
from tests.support.loopback import Line, echo
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
from tests.support.openssl_version import NO_HYBRID_BEFORE_3_5, openssl_in

EARLY_DATA = ["-early_data", "-max_early_data", "16384"]
PSK = ["-nocert", "-psk_identity", PSK_IDENTITY, "-psk", PSK_KEY.hex()]
GROUPS = {RETRY_GROUP: "P-384", HYBRID: "X25519MLKEM768"}


def version() -> tuple[int, ...]:
    return openssl_in(said("openssl", "version"))


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
        arguments = ["-accept", "127.0.0.1:0"]
        arguments += EARLY_DATA if task.cell is Cell.EARLY else ["-rev"]
        arguments += PSK if task.cell is Cell.PSK else ["-cert", str(files.chain), "-key", str(files.key)]
        arguments += ["-groups", GROUPS[task.group]] if task.group else []
        if task.certificate:
            arguments += ["-Verify", "1", "-verify_return_error", "-CAfile", str(files.ca)]
        with Command("openssl", "s_server", *arguments, *self.common(task)) as server:
            port = int(server.wait_for("ACCEPT").rpartition(":")[2])
            yield Served(port, printed_by(server) if task.cell is Cell.EARLY else lines_reversed)

    def visit(self, task: Task, port: int) -> None:
        files, session = task.files, str(task.files.folder / "openssl.session")
        early, payload = files.folder / "openssl.early", task.payload.decode()
        early.write_text(payload, newline="")
        arguments = ["-connect", f"127.0.0.1:{port}", "-CAfile", str(files.ca), "-nocommands"]
        arguments += ["-servername", "server.example", "-verify_hostname", "server.example"]
        arguments += ["-verify_return_error"]
        arguments += ["-groups", GROUPS[HYBRID]] if task.group is HYBRID else []
        if task.certificate:
            arguments += ["-cert", str(files.client_chain), "-key", str(files.client_key)]
        arguments += PSK[1:] if task.cell is Cell.PSK else []
        for turn in range(task.times):
            resuming = ["-sess_out", session] if turn == 0 else ["-sess_in", session]
            resuming += ["-early_data", str(early)] if turn and task.cell is Cell.EARLY else []
            with Command("openssl", "s_client", *arguments, *resuming, *self.common(task)) as client:
                client.give_and_take(payload)
                client.end_input()
                assert client.wait_for_end() == 0, client.end
                assert ("Reused, TLS" in client.output) == (turn > 0 or task.cell is Cell.PSK), client.end

    def common(self, task: Task) -> list[str]:
        arguments = ["-tls1_3" if task.tls13 else "-tls1_2"]
        arguments += ["-alpn", task.alpn] if task.alpn else []
        return arguments + ([] if task.tickets else ["-no_ticket"])


def printed_by(server: Command) -> Callable[[Line, bytes], bytes]:
    """Early data is taken by no server of OpenSSL's that answers with it."""

    def talk(line: Line, payload: bytes) -> bytes:
        line.send(SendData(payload))
        line.pump(lambda: line.completed is not None)
        server.wait_for(payload.decode().rstrip())
        return payload

    return talk


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
