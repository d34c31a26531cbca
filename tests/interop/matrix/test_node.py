"""Node.js's tls module, by the program ``peer.mjs``.

Installed by Debian's ``nodejs``, or from nodejs.org; it brings its own OpenSSL, or uses the system's.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from tests.interop.matrix.conftest import Matrix
from tests.support.command import said
from tests.support.matrix import NO_EARLY_DATA, Cannot, Cell, Role, cells
from tests.support.programs import Program


@cache
def node(expression: str) -> str:
    return said("node", "-p", expression).strip()


def has_hybrid() -> bool:
    major, minor = map(int, node("process.versions.openssl").split(".")[:2])
    return (major, minor) >= (3, 5)


NO_HYBRID = Cannot(
    "Node.js has the groups of its OpenSSL, and X25519MLKEM768 came with OpenSSL 3.5.", has_hybrid
)


class Node(Program):
    name = "Node.js"
    needs = ("Node.js",)
    cannot = {  # noqa: RUF012
        (Role.SERVER, Cell.EARLY): NO_EARLY_DATA,
        (Role.CLIENT, Cell.EARLY): NO_EARLY_DATA,
        (Role.SERVER, Cell.HYBRID): NO_HYBRID,
        (Role.CLIENT, Cell.HYBRID): NO_HYBRID,
    }

    def version(self) -> str:
        return f"{node('process.versions.node')} with OpenSSL {node('process.versions.openssl')}"

    def command(self) -> Sequence[str | Path]:
        return ["node", Path(__file__).with_name("peer.mjs")]


PEER = Node()


@cells()
def test_our_client(cell: Cell, matrix: Matrix) -> None:
    matrix.our_client(PEER, cell)


@cells()
def test_our_server(cell: Cell, matrix: Matrix) -> None:
    matrix.our_server(PEER, cell)
