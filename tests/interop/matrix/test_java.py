"""Java's JSSE, by the program ``Peer.java``.

Installed by Debian's ``default-jdk-headless``.  The program is compiled once per run.
"""

from __future__ import annotations

import atexit
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from tests.interop.matrix.conftest import Matrix
from tests.support.command import said
from tests.support.matrix import HYBRID, NO_EARLY_DATA, NO_PSK, RETRY_GROUP, Cannot, Cell, Role, cells
from tests.support.programs import Program

COMPILING = 120
"""Seconds that the compiler may take."""


@cache
def classes() -> Path:
    folder = Path(mkdtemp(prefix="sansticket-java-"))
    atexit.register(rmtree, folder, ignore_errors=True)
    source = Path(__file__).with_name("Peer.java")
    subprocess.run(["javac", "-d", folder, source], check=True, timeout=COMPILING)
    return folder


@cache
def version() -> str:
    return said("java", "--version").split()[1]


NO_HYBRID = Cannot("JSSE has X25519MLKEM768 from Java 27 on.", lambda: int(version().partition(".")[0]) >= 27)


class JSSE(Program):
    name = "Java JSSE"
    needs = ("Java",)
    groups = {RETRY_GROUP: "secp384r1", HYBRID: "X25519MLKEM768"}  # noqa: RUF012
    cannot = {  # noqa: RUF012
        (Role.SERVER, Cell.EARLY): NO_EARLY_DATA,
        (Role.CLIENT, Cell.EARLY): NO_EARLY_DATA,
        (Role.SERVER, Cell.PSK): NO_PSK,
        (Role.CLIENT, Cell.PSK): NO_PSK,
        (Role.SERVER, Cell.HYBRID): NO_HYBRID,
        (Role.CLIENT, Cell.HYBRID): NO_HYBRID,
    }

    def version(self) -> str:
        return version()

    def command(self) -> Sequence[str | Path]:
        return ["java", "-XX:TieredStopAtLevel=1", "-cp", classes(), "Peer"]


PEER = JSSE()


@cells()
def test_our_client(cell: Cell, matrix: Matrix) -> None:
    matrix.our_client(PEER, cell)


@cells()
def test_our_server(cell: Cell, matrix: Matrix) -> None:
    matrix.our_server(PEER, cell)
