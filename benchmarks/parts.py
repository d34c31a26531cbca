"""The parts of the benchmark.  Each runs in a process of its own, so that none inherits another's heap."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from statistics import median
from typing import Final

from benchmarks.bulk import bulk_aes, bulk_chacha20
from benchmarks.contenders import Contender
from benchmarks.first_byte import as_operation, median_first_byte, visits
from benchmarks.first_handshake import KINDS, first_handshakes
from benchmarks.floor import Floor
from benchmarks.floor_tls12 import FloorOfTLS12
from benchmarks.footprint import FLOOR_MODULES, import_times, say_idle_memory
from benchmarks.growth.connections import bytes_at_once, bytes_one_by_one, connections, tickets
from benchmarks.growth.peers import anchors, identities
from benchmarks.growth.stores import cache, client_store
from benchmarks.harness import Operation, Plan, measure
from benchmarks.loopback.parts import (
    fleet_of_asyncio,
    handshakes_of_asyncio,
    memory_of_asyncio,
    upload_to_asyncio,
)
from benchmarks.ours import Ours
from benchmarks.recorder import recorder_costs
from benchmarks.report import HAVE_PYOPENSSL, section, table
from benchmarks.revocations import revocation_costs
from benchmarks.stdlib import Stdlib
from benchmarks.workers import Process
from sansticket import CipherSuite

HANDSHAKES_IN_A_ROUND: Final = 50


def contenders() -> list[Contender]:
    made: list[Contender] = [Ours(), Stdlib()]
    if HAVE_PYOPENSSL:
        from benchmarks.pyopenssl import PyOpenSSL

        made.append(PyOpenSSL())
    return made


def contenders12() -> list[Contender]:
    name = "ECDHE-ECDSA-AES128-GCM-SHA256"
    made: list[Contender] = [
        Ours(CipherSuite.ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tickets=(1, 0)),
        Stdlib(name, ssl.TLSVersion.TLSv1_2),
    ]
    if HAVE_PYOPENSSL:
        from benchmarks.pyopenssl import PyOpenSSL

        made.append(PyOpenSSL(name, ssl.TLSVersion.TLSv1_2))
    return made


def handshakes(plan: Plan) -> str:
    return _handshakes("TLS 1.3", Floor(), contenders(), plan)


def handshakes12(plan: Plan) -> str:
    return _handshakes("TLS 1.2", FloorOfTLS12(), contenders12(), plan)


def _handshakes(version: str, floor: Floor, rivals: list[Contender], plan: Plan) -> str:
    """Time of both sides, relative to the floor."""
    rows = []
    for kind in ("full", "resumed"):
        operations: dict[str, Operation] = {each.name: getattr(each, kind) for each in rivals}
        measured = measure({"floor": getattr(floor, kind), **operations}, plan)
        base = measured["floor"]
        ratios = [f"{measured[each.name].times(base):.2f}" for each in rivals]
        rows.append([f"{version} {kind}", f"{base.best * 1e6:.0f} µs", *ratios])
    head = ["", "floor", *(each.name for each in rivals)]
    return section(f"Handshakes of {version}, time / floor", table(head, rows))


def sides(plan: Plan) -> str:
    """Each of ours alone, relative to the floor of both: the median of the rounds."""
    versions = {
        "TLS 1.3": (Floor(), Ours()),
        "TLS 1.2": (FloorOfTLS12(), Ours(CipherSuite.ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tickets=(1, 0))),
    }
    rows = []
    for version, (floor, ours) in versions.items():
        for kind in ("full", "resumed"):
            shares = [_shares(ours, getattr(floor, kind), kind == "resumed") for _ in range(plan.rounds)]
            client, server = (median(share[place] for share in shares) for place in (0, 1))
            rows.append([f"{version} {kind}", f"{client:.2f}", f"{server:.2f}"])
    return section("One side's handshakes, time / floor of both", table(["", "client", "server"], rows))


def _shares(ours: Ours, floor: Operation, resumed: bool) -> tuple[float, float]:
    """Of one round."""
    base = measure({"floor": floor}, Plan(rounds=1))["floor"].best
    seconds = [ours.seconds_of_sides(resumed) for _ in range(HANDSHAKES_IN_A_ROUND)]
    client, server = (sum(one[place] for one in seconds) / len(seconds) for place in (0, 1))
    return client / base, server / base


def memory(plan: Plan) -> str:
    """Each contender in a process of its own."""
    kinds: list[Callable[[], Contender | Floor]] = [Floor, Ours, Stdlib]
    if HAVE_PYOPENSSL:
        from benchmarks.pyopenssl import PyOpenSSL

        kinds.append(PyOpenSSL)
    rows = []
    for kind in kinds:
        with Process(say_idle_memory, kind) as process:
            name, traced, grown = process.answer()
        rows.append([name, "unknown" if grown is None else f"{grown:.1f} KiB", f"{traced:.1f} KiB"])
    return section(
        "Idle server connection, growth of the process", table(["", "all", "of which Python's"], rows)
    )


def first_byte(plan: Plan) -> str:
    """What early data saves, and what it costs."""
    kinds = visits()
    measured = measure({name: as_operation(make) for name, make in kinds.items()}, plan)
    base = measured["ssl, resumed"]
    rows = [
        [name, f"{median_first_byte(make, plan.rounds):.1f} ms", f"{measured[name].times(base):.2f}"]
        for name, make in kinds.items()
    ]
    head = ["", "first byte", "CPU time of both sides / ssl, resumed"]
    return section("First byte of an answer, over a link of 50 ms there and back", table(head, rows))


def recorder(plan: Plan) -> str:
    """A million hellos in the window: as many are forgotten as come."""
    measured = recorder_costs()
    rows = [
        ["a claim", f"{measured.mean:.1f} µs", "≤ 15 µs"],
        ["a hello", f"{measured.size:.0f} bytes", "≤ 200"],
    ]
    rows += [["the slowest of 10,000 claims", f"{measured.slow:.0f} µs", ""]]
    return section(f"ReplayRecorder, {measured.hellos} hellos in the window", table(["", "", "goal"], rows))


def revocations(plan: Plan) -> str:
    """What a list of many costs a handshake, a process and a network."""
    measured = revocation_costs()
    rows = [
        ["a look-up", f"{measured.look_up:.2f} µs", "≤ 2 µs"],
        ["one more", f"{measured.add:.1f} µs", ""],
        ["in memory", f"{measured.memory / 1e6:.2f} MB", "≤ 3 MB"],
        ["written", f"{measured.written / 1e6:.2f} MB", "≤ 3 MB"],
        ["to write it", f"{measured.write * 1000:.0f} ms", ""],
        ["to read it", f"{measured.read * 1000:.0f} ms", ""],
        ["to merge it", f"{measured.merge * 1000:.0f} ms", ""],
    ]
    return section(f"Revocations, {measured.families} families", table(["", "", "goal"], rows))


def imports(plan: Plan) -> str:
    modules = {
        "floor": "import " + ", ".join(FLOOR_MODULES),
        "a client": "from sansticket import ClientConfig, ClientConnection",
        "a server": "from sansticket import ServerConfig, ServerConnection",
        "everything": "from sansticket import *",
        "ssl": "import ssl",
    }
    if HAVE_PYOPENSSL:
        modules["pyOpenSSL"] = "import OpenSSL.SSL"
    times = import_times(modules, plan.rounds)
    return section(
        "Import over a bare interpreter",
        table(["", *times], [["CPU time", *(f"{value:.0f} ms" for value in times.values())]]),
    )


def first_handshake(plan: Plan) -> str:
    """Of processes that have just started."""
    rows = []
    for kind in KINDS:
        first, times = first_handshakes(kind, plan.rounds)
        rows.append([kind, f"{first:.1f} ms", f"{times:.1f}"])
    head = ["", "the first", "times as long as a later one"]
    return section("First handshake of a process, both sides", table(head, rows))


PARTS: Final[dict[str, Callable[[Plan], str]]] = {
    "handshakes": handshakes,
    "handshakes-12": handshakes12,
    "sides": sides,
    "bulk-aes": bulk_aes,
    "bulk-chacha20": bulk_chacha20,
    "memory": memory,
    "first-byte": first_byte,
    "asyncio": handshakes_of_asyncio,
    "asyncio-upload": upload_to_asyncio,
    "asyncio-memory": memory_of_asyncio,
    "asyncio-fleet": fleet_of_asyncio,
    "recorder": recorder,
    "revocations": revocations,
    "imports": imports,
    "first-handshake": first_handshake,
    "growth-connections": connections,
    "growth-bytes": bytes_at_once,
    "growth-one-by-one": bytes_one_by_one,
    "growth-tickets": tickets,
    "growth-identities": identities,
    "growth-anchors": anchors,
    "growth-cache": cache,
    "growth-client-store": client_store,
}
