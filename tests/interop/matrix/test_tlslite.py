"""tlslite-ng, a TLS library in Python, by the program ``tlslite_peer.py`` on this interpreter.

Installed by ``pip install tlslite-ng kyber-py`` (the ``matrix`` extra); the second is for its hybrid groups.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from tests.interop.matrix.conftest import Matrix
from tests.support.matrix import LARGE, NO_EARLY_DATA, Cell, Role, cells
from tests.support.programs import Program


class TlsliteNg(Program):
    name = "tlslite-ng"
    needs = ("tlslite-ng",)
    large = LARGE[: len(LARGE) // 10]
    cannot = {  # noqa: RUF012
        (Role.SERVER, Cell.EARLY): NO_EARLY_DATA,
        (Role.CLIENT, Cell.EARLY): NO_EARLY_DATA,
    }

    def version(self) -> str:
        return version("tlslite-ng")

    def command(self) -> Sequence[str | Path]:
        return [sys.executable, "-u", Path(__file__).with_name("tlslite_peer.py")]


PEER = TlsliteNg()


@cells()
def test_our_client(cell: Cell, matrix: Matrix) -> None:
    matrix.our_client(PEER, cell)


@cells()
def test_our_server(cell: Cell, matrix: Matrix) -> None:
    matrix.our_server(PEER, cell)
