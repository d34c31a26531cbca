"""Memory of an idle server connection, and the time it takes to import."""

from __future__ import annotations

import gc
import os
import resource
import statistics
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.contenders import Contender
from benchmarks.floor import Floor

CONNECTIONS = 1000
WARM_UP = 100


def idle_memory(contender: Contender | Floor) -> tuple[float, float | None]:
    """KiB of one idle server connection: what Python allocated, and how much the process grew.

    The second sees also what OpenSSL allocates; None where the system does not tell.
    """
    for _ in range(WARM_UP):
        contender.idle_server()
    gc.collect()
    before = resident()
    held = [contender.idle_server() for _ in range(CONNECTIONS)]
    gc.collect()
    after = resident()
    grown = None if before is None or after is None else (after - before) / CONNECTIONS / 1024
    del held
    tracemalloc.start()
    held = [contender.idle_server() for _ in range(CONNECTIONS // 10)]
    gc.collect()
    traced = tracemalloc.get_traced_memory()[0] / len(held) / 1024
    tracemalloc.stop()
    return traced, grown


def say_idle_memory(pipe: Connection, make: Callable[[], Contender | Floor]) -> None:
    """In a process of its own: the name, and ``idle_memory``."""
    contender = make()
    pipe.send((contender.name, *idle_memory(contender)))


def resident() -> int | None:
    """Bytes of the process that are in memory; None if this is not Linux."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * resource.getpagesize()


FLOOR_MODULES = (
    "cryptography.hazmat.primitives.ciphers.aead",
    "cryptography.hazmat.primitives.asymmetric.x25519",
    "cryptography.hazmat.primitives.asymmetric.ec",
    "cryptography.hazmat.primitives.hmac",
)


def import_times(modules: dict[str, str], rounds: int) -> dict[str, float]:
    """Milliseconds of CPU time of each import statement over a bare interpreter; the median of the rounds."""
    statements = {"": "pass", **modules}
    for statement in statements.values():
        _cpu_time(statement)  # the bytecode is compiled and the files are cached
    over: dict[str, list[float]] = {name: [] for name in modules}
    for _ in range(rounds):
        times = {name: _cpu_time(statement) for name, statement in statements.items()}
        for name, values in over.items():
            values.append(1000 * (times[name] - times[""]))
    return {name: statistics.median(values) for name, values in over.items()}


def _cpu_time(statement: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Where bytecode is not kept, each import would compile the files again.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([sys.executable, "-c", statement], check=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
