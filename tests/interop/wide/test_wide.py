"""Servers and clients that are not in the matrix, each with a full and a resumed connection of both versions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.interop.matrix.conftest import Matrix
from tests.interop.wide import bouncy_castle, firefox, ftp, runtimes, services, traffic_server, web
from tests.support.matrix import Cell, Peer, Role
from tests.support.wide import CELLS, Standing

MODULES = (web, traffic_server, services, ftp, runtimes, bouncy_castle, firefox)
PEERS: tuple[Peer, ...] = tuple(peer for module in MODULES for peer in module.PEERS)

every_cell = pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name.lower())


def having(role: Role) -> list[Any]:
    """Those that CI need not have are tried where the table is written."""
    return [
        pytest.param(peer, id=peer.name, marks=pytest.mark.by_hand if peer.by_hand else ())
        for peer in PEERS
        if role in peer.roles
    ]


@pytest.fixture(scope="module", params=having(Role.SERVER))
def server(request: pytest.FixtureRequest) -> Iterator[Peer]:
    """All its cells are tried one after the other, and then it is ended."""
    peer: Peer = request.param
    yield peer
    if isinstance(peer, Standing):
        peer.end()


@every_cell
def test_our_client(cell: Cell, server: Peer, matrix: Matrix) -> None:
    matrix.our_client(server, cell)


@every_cell
@pytest.mark.parametrize("client", having(Role.CLIENT))
def test_our_server(cell: Cell, client: Peer, matrix: Matrix) -> None:
    matrix.our_server(client, cell)
