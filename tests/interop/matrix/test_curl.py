"""curl, with the TLS library that it was built with (OpenSSL on Debian).

Installed by Debian's ``curl``.  It posts the payload to our server and gets it back.  For a resumption one process
makes two requests, and our server closes after the first.
"""

from __future__ import annotations

from tests.interop.matrix.conftest import Matrix
from tests.support.command import PATIENCE, Command, said
from tests.support.matrix import NO_PSK, Cannot, Cell, ClientOnly, Role, Task, cells
from tests.support.openssl_version import NO_HYBRID_BEFORE_3_5, openssl_in


def version() -> str:
    return said("curl", "--version")


class Curl(ClientOnly):
    name = "curl"
    needs = ("curl",)
    cannot = {  # noqa: RUF012
        (Role.CLIENT, Cell.EARLY): Cannot(
            "curl has --tls-earlydata from 8.11 on, and not with every TLS library."
        ),
        (Role.CLIENT, Cell.PSK): NO_PSK,
        (Role.CLIENT, Cell.TICKET_12): Cannot(
            "curl turns the tickets of TLS 1.2 off in OpenSSL, and resumes by session id."
        ),
        (Role.CLIENT, Cell.HYBRID): Cannot(NO_HYBRID_BEFORE_3_5, lambda: openssl_in(version()) >= (3, 5)),
    }

    def version(self) -> str:
        return " with ".join((version().split()[1], *version().split()[4:5]))

    def visit(self, task: Task, port: int) -> None:
        files = task.files
        payload = files.folder / "curl.payload"
        payload.write_bytes(task.payload)
        common = ["--cacert", str(files.ca), "--resolve", f"server.example:{port}:127.0.0.1"]
        common += [
            "--silent",
            "--show-error",
            "--fail",
            "--http1.1",
            "--max-time",
            str(PATIENCE),
            "--noproxy",
            "*",
        ]
        common += ["--tls-max", task.dotted, f"--tlsv{task.dotted}"]
        common += ["--data-binary", f"@{payload}", "--header", "Expect:"]
        common += (
            ["--cert", str(files.client_chain), "--key", str(files.client_key)] if task.certificate else []
        )
        arguments: list[str] = []
        for turn in range(task.times):
            last = turn == task.times - 1
            came = files.folder / f"curl.{turn}"
            came.unlink(missing_ok=True)
            arguments += ["--next"] if turn else []
            arguments += [*common, "--output", str(came)]
            arguments.append(f"https://server.example:{port}/{'' if last else 'close'}")
        with Command("curl", "--disable", *arguments) as client:
            assert client.wait_for_end() == 0, client.end
        for turn in range(task.times):
            assert (files.folder / f"curl.{turn}").read_bytes() == task.payload


PEER = Curl()


@cells()
def test_our_server(cell: Cell, matrix: Matrix) -> None:
    matrix.our_server(PEER, cell)
