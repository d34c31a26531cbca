"""Application data: each contender in a process of its own, since a large write changes how a process allocates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from benchmarks.contenders import Pair, check
from benchmarks.floor import FloorPair
from benchmarks.harness import Operation, Plan, measure_runs
from benchmarks.ours import Ours
from benchmarks.report import HAVE_PYOPENSSL, section, table
from benchmarks.stdlib import Stdlib
from benchmarks.workers import Worker
from sansticket import CipherSuite

AES: Final = "TLS_AES_128_GCM_SHA256"
CHACHA20: Final = "TLS_CHACHA20_POLY1305_SHA256"

FLOORS: Final[Mapping[str, Callable[[], Pair]]] = {
    AES: partial(FloorPair, AESGCM, 16),
    CHACHA20: partial(FloorPair, ChaCha20Poly1305, 32),
}
SUITES: Final = {AES: CipherSuite.AES_128_GCM_SHA256, CHACHA20: CipherSuite.CHACHA20_POLY1305_SHA256}

ROWS: Final = {
    "16 KiB writes": ("transfer", 16_384),
    "1 MiB writes": ("transfer", 1_048_576),
    "64 byte round trips": ("echo", 64),
}
"""A method of a pair, and how many bytes."""


def bulk_aes(plan: Plan) -> str:
    return _bulk(AES, plan)


def bulk_chacha20(plan: Plan) -> str:
    return _bulk(CHACHA20, plan)


def _bulk(suite: str, plan: Plan) -> str:
    """Throughput relative to ``ssl``: more is faster."""
    names = ["floor", Ours.name, Stdlib.name, *(["pyOpenSSL"] if HAVE_PYOPENSSL else [])]
    rows = []
    with ExitStack() as ended:
        workers = {name: ended.enter_context(Worker(_operations, name, suite)) for name in names}
        for label in ROWS:
            measured = measure_runs({name: worker.run(label) for name, worker in workers.items()}, plan)
            base = measured[Stdlib.name]
            ratios = [f"{1 / measured[name].times(base):.2f}" for name in names if name != Stdlib.name]
            rows.append([label, f"{base.best * 1e6:.1f} µs", *ratios])
    return section(
        f"Application data, {suite}, times as fast as ssl",
        table(["", Stdlib.name, *(name for name in names if name != Stdlib.name)], rows),
    )


def _operations(name: str, suite: str) -> dict[str, Operation]:
    """Of one contender, in its process."""
    pair = _pair(name, suite)
    check(pair)
    return {label: partial(getattr(pair, method), bytes(size)) for label, (method, size) in ROWS.items()}


def _pair(name: str, suite: str) -> Pair:
    if name == "floor":
        return FLOORS[suite]()
    if name == Ours.name:
        return Ours(SUITES[suite]).pair()
    if name == Stdlib.name:
        return Stdlib(suite).pair()
    from benchmarks.pyopenssl import PyOpenSSL

    return PyOpenSSL(suite).pair()
