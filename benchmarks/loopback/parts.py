"""What a connection costs a server on asyncio: its process alone is measured."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from random import Random
from typing import Final

from attrs import evolve

from benchmarks.contenders import IDENTITY
from benchmarks.harness import Measured, Plan, Run, measure_runs
from benchmarks.loopback.client import EarlyVisitor, Visitor
from benchmarks.loopback.server import MODERN, OLD, Server, Setting, Version
from benchmarks.report import section, table

KINDS: Final = ("ssl", "look-alike", "wrapper")
"""The standard library's, our context in its place, and the streams of sansticket_wrappers."""

UPLOAD: Final = 100
"""MiB."""

IDLE: Final = 400
"""Connections: both ends of them fit into the files that a process may have open."""

FLEET: Final = 4
CLIENTS: Final = 40
"""That come back to the fleet, to any of its servers."""


def settings(version: Version, kinds: Sequence[str] = KINDS) -> dict[str, Setting]:
    secret = os.urandom(32)
    return {kind: Setting(kind, version, IDENTITY.chain_pem, IDENTITY.key_pem, secret) for kind in kinds}


def handshakes_of_asyncio(plan: Plan) -> str:
    """From accept to close, with a byte there and back."""
    rows = []
    for version in (MODERN, OLD):
        kinds = [*KINDS, "early data"] if version is MODERN else KINDS
        with ExitStack() as ended:
            servers = {
                kind: ended.enter_context(Server(setting))
                for kind, setting in settings(version, kinds).items()
            }
            full = measure_runs({kind: _full(servers[kind], version) for kind in KINDS}, plan)
            rows.append(_row(f"{version.name} full", full))
            resumed = {kind: _resumed(servers[kind], version) for kind in KINDS}
            if "early data" in servers:
                resumed["early data"] = _early(servers["early data"])
            rows.append(_row(f"{version.name} resumed", measure_runs(resumed, plan)))
    head = ["", "ssl", "look-alike", "wrapper", "wrapper, early data"]
    return section("Asyncio server, CPU time of a new connection / ssl", table(head, rows))


def _row(label: str, measured: dict[str, Measured]) -> list[str]:
    base = measured["ssl"]
    kinds = [*KINDS[1:], "early data"]
    ratios = [f"{measured[kind].times(base):.2f}" if kind in measured else "–" for kind in kinds]
    return [label, f"{base.best * 1e6:.0f} µs", *ratios]


def cost(servers: Sequence[Server], visit: Callable[[], object]) -> Run:
    """What visits cost these servers."""

    def run(count: int) -> float:
        before = sum(server.cpu() for server in servers)
        for _ in range(count):
            visit()
        return (sum(server.cpu() for server in servers) - before) / count

    return run


def _full(server: Server, version: Version) -> Run:
    visitor = Visitor(version)
    return cost([server], lambda: visitor.visit(server.port))


def _resumed(server: Server, version: Version) -> Run:
    visitor = Visitor(version)
    session, _ = visitor.visit(server.port)

    def visit() -> None:
        nonlocal session
        session, reused = visitor.visit(server.port, session)
        assert reused

    return cost([server], visit)


def _early(server: Server) -> Run:
    visitor = EarlyVisitor()
    visitor.visit(server.port)
    return cost([server], lambda: visitor.visit(server.port))


def upload_to_asyncio(plan: Plan) -> str:
    """Much in one direction, in records of 16 KiB."""
    with ExitStack() as ended:
        visitor, runs = Visitor(MODERN), dict[str, Run]()
        for kind, setting in settings(MODERN).items():
            server = ended.enter_context(Server(setting))
            runs[kind] = cost([server], partial(visitor.upload, server.port, UPLOAD))
        measured = measure_runs(runs, evolve(plan, rounds=min(plan.rounds, 5)))
    base = measured["ssl"]
    ratios = [f"{measured[kind].times(base):.2f}" for kind in KINDS[1:]]
    rows = [[f"{UPLOAD} MiB", f"{base.best * 1e3:.0f} ms", *ratios]]
    return section("Asyncio server, CPU time of an upload / ssl", table(["", *KINDS], rows))


def memory_of_asyncio(plan: Plan) -> str:
    """With asyncio's own part of it: sockets, transports, streams and tasks."""
    sizes = {kind: _idle_size(setting) for kind, setting in settings(MODERN).items()}
    row = ["an idle connection", *(f"{size / 1024:.1f} KiB" for size in sizes.values())]
    return section("Asyncio server, growth of the process", table(["", *sizes], [row]))


def _idle_size(setting: Setting) -> float:
    """Bytes."""
    visitor = Visitor(MODERN)
    with Server(setting) as server, ExitStack() as closed:
        for _ in range(IDLE // 4):
            visitor.visit(server.port)
        before = server.memory()
        for _ in range(IDLE):
            closed.enter_context(visitor.connect(server.port))
        return (server.memory() - before) / IDLE


def fleet_of_asyncio(plan: Plan) -> str:
    """Clients that come back come to any server; ours have the same ticket keys, ssl's cannot."""
    runs, fleets = dict[str, Run](), dict[str, Fleet]()
    with ExitStack() as ended:
        for kind, setting in settings(MODERN).items():
            fleet = fleets[kind] = Fleet([ended.enter_context(Server(setting)) for _ in range(FLEET)])
            runs[kind] = cost(fleet.servers, fleet.visit)
        measured = measure_runs(runs, plan)
    base = measured["ssl"]
    times = [f"{base.best * 1e6:.0f} µs", *(f"{measured[kind].times(base):.2f}" for kind in KINDS[1:])]
    rows = [
        ["CPU time of a visit, all servers", *times],
        ["resumed", *(f"{fleet.share:.0%}" for fleet in fleets.values())],
    ]
    return section(f"A fleet of {FLEET}, clients that come back, CPU time / ssl", table(["", *KINDS], rows))


class Fleet:
    """Servers of one name, and the clients that know them."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self.servers = servers
        self._random = Random(0)
        self._visitor = Visitor(MODERN)
        self._sessions = [self._visitor.visit(self._any().port)[0] for _ in range(CLIENTS)]
        self._visits = self._resumed = 0

    def _any(self) -> Server:
        return self._random.choice(self.servers)

    def visit(self) -> None:
        client = self._random.randrange(CLIENTS)
        self._sessions[client], reused = self._visitor.visit(self._any().port, self._sessions[client])
        self._visits += 1
        self._resumed += bool(reused)

    @property
    def share(self) -> float:
        return self._resumed / self._visits
