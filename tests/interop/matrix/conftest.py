"""``--write-interop``: write docs/interop.md from what passed in this run, if nothing failed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import ROOT
from tests.support.matrix import YES, Cell, Files, Peer, Role, table, try_our_client, try_our_server

TABLE = ROOT / "docs" / "interop.md"


class Matrix:
    """Tries cells, and remembers what became of each."""

    def __init__(self, files: Files) -> None:
        self.versions: dict[str, str] = {}
        self.outcome: dict[tuple[str, Role, Cell], str] = {}
        self._files = files

    def our_client(self, peer: Peer, cell: Cell) -> None:
        """Our client with the peer's server."""
        self._prepare(peer, Role.SERVER, cell)
        try_our_client(peer, cell, self._files)
        self.outcome[peer.name, Role.SERVER, cell] = YES

    def our_server(self, peer: Peer, cell: Cell) -> None:
        """Our server with the peer's client."""
        self._prepare(peer, Role.CLIENT, cell)
        try_our_server(peer, cell, self._files)
        self.outcome[peer.name, Role.CLIENT, cell] = YES

    def _prepare(self, peer: Peer, role: Role, cell: Cell) -> None:
        peer.require()
        if peer.name not in self.versions:
            self.versions[peer.name] = peer.version()
        cannot = peer.cannot.get((role, cell))
        if cannot is not None and not cannot.able():
            self.outcome[peer.name, role, cell] = cannot.sentence
            pytest.skip(cannot.sentence)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-interop", action="store_true", help="write docs/interop.md from this run")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.matrix)


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("pem")).write()


@pytest.fixture(scope="session")
def matrix(files: Files, request: pytest.FixtureRequest) -> Iterator[Matrix]:
    made = Matrix(files)
    yield made
    if request.config.getoption("--write-interop", default=False) and request.session.testsfailed == 0:
        TABLE.write_text(table(made.versions, made.outcome))
