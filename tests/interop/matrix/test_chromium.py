"""Chromium without a window.

Installed by Debian's ``chromium``, with ``certutil`` of ``libnss3-tools`` to make it trust our authority.  It is
started with an empty profile and a home folder of its own, finds server.example on loopback, loads the page of our
server, whose script sends the payload and takes it back, and prints what became of the page.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.interop.matrix.conftest import Matrix
from tests.support.command import PATIENCE, Command
from tests.support.matrix import NO_PSK, Cannot, Cell, ClientOnly, Role, Task, cells

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *(
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
    ),
    *("--host-resolver-rules=MAP server.example 127.0.0.1, MAP * ~NOTFOUND", "--no-proxy-server"),
)

SPARE = 2
"""Chromium opens a connection or two before it needs them: only when those are closed it resumes."""


class Chromium(ClientOnly):
    name = "Chromium"
    needs = ("Chromium", "NSS")
    cannot = {  # noqa: RUF012
        (Role.CLIENT, Cell.PSK): NO_PSK,
        (Role.CLIENT, Cell.CERTIFICATE): Cannot(
            "Chromium without a window chooses a client certificate only by a policy for the whole machine."
        ),
        (Role.CLIENT, Cell.CLOSE): Cannot("Chromium closes its connections without close_notify."),
    }

    def version(self) -> str:
        said = subprocess.run(["chromium", "--version"], capture_output=True, text=True, timeout=PATIENCE)
        return said.stdout.split()[1]

    def visit(self, task: Task, port: int) -> None:
        with TemporaryDirectory(ignore_cleanup_errors=True) as home:
            trust(Path(home), task.files.ca)
            arguments = [f"--user-data-dir={home}/profile", f"--ssl-version-max=tls{task.dotted}"]
            arguments += [f"--ssl-version-min=tls{task.dotted}", "--dump-dom"]
            times = task.times if task.times == 1 else task.times + SPARE
            method = "POST"
            if task.cell is Cell.EARLY:  # which it sends only for what may be carried out twice
                method, arguments = "GET", [*arguments, "--enable-features=EnableTLS13EarlyData"]
            page = f"https://server.example:{port}/?size={len(task.payload)}&times={times}&method={method}"
            with Command("env", f"HOME={home}", "chromium", *FLAGS, *arguments, page) as browser:
                assert browser.wait_for_end() == 0, browser.end
                shown = browser.output.partition("<script>")[0]
                assert shown.count("there and back ") == times, browser.end


def trust(home: Path, authority: Path) -> None:
    database = home / ".pki" / "nssdb"
    database.mkdir(parents=True)
    where = f"sql:{database}"
    for arguments in (
        ["-N", "--empty-password"],
        ["-A", "-n", "root", "-t", "C,,", "-a", "-i", str(authority)],
    ):
        command = ["certutil", "-d", where, *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)


PEER = Chromium()


@cells()
def test_our_server(cell: Cell, matrix: Matrix) -> None:
    matrix.our_server(PEER, cell)
