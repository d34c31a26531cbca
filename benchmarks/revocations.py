"""What it costs to have taken tickets back: time and memory, with 100,000 families on the list."""

from __future__ import annotations

import tracemalloc
from random import Random
from time import process_time

from attrs import frozen

from sansticket import Revocations

FAMILIES = 100_000
BEFORE = 1_700_000_000.0
ROUNDS = 20
"""In which families are looked up.  The fastest counts: what else the machine does makes the others slower."""


@frozen
class RevocationCosts:
    """Microseconds of a look-up of a family, on the list or not, and of one that is added; ``memory`` and ``written``
    in bytes, ``write``, ``read`` and ``merge`` in seconds, all of the whole list."""

    families: int
    look_up: float
    add: float
    memory: int
    written: int
    write: float
    read: float
    merge: float


def _look_up(revocations: Revocations, families: list[bytes]) -> float:
    """In microseconds for each."""
    began = process_time()
    for family in families:
        revocations.why_refused(BEFORE, family=family)
    return (process_time() - began) / len(families) * 1e6


def revocation_costs() -> RevocationCosts:
    random = Random(0)
    families = [random.randbytes(16) for _ in range(2 * FAMILIES)]
    tracemalloc.start()
    revocations = Revocations()
    for family in families[:FAMILIES]:
        revocations.revoke_family(family, BEFORE)
    memory = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    look_up = min(_look_up(revocations, families[start::ROUNDS]) for start in range(ROUNDS))
    began = process_time()
    data = revocations.to_bytes()
    write = process_time() - began
    began = process_time()
    other = Revocations.from_bytes(data)
    read = process_time() - began
    began = process_time()
    other.merge(revocations)
    merge = process_time() - began
    began = process_time()
    for family in families[FAMILIES:]:
        other.revoke_family(family, BEFORE)
    add = (process_time() - began) / FAMILIES * 1e6
    return RevocationCosts(FAMILIES, look_up, add, memory, len(data), write, read, merge)
