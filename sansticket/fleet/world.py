"""Time that is only a number, randomness from a seed, and what is to happen at which moment.

Nothing here reads a clock or draws randomness.  What happens at the same moment happens in the order in which it was
planned, and whoever chooses has numbers of his own: the same seed gives the same world, on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from heapq import heappop, heappush
from itertools import count
from math import log
from typing import Final, TypeVar

from sansticket.errors import ConfigError
from sansticket.inputs import Entropy, check_kind
from sansticket.text import quoted

T = TypeVar("T")

BEGINNING: Final = 1_800_000_000.0
"""Seconds since the epoch at which every world begins, a full hour: 15 January 2027, 8 o'clock."""


class Chance:
    """An endless row of bytes that follows from its name: SHA-256 of the name and a counter."""

    def __init__(self, name: bytes) -> None:
        self._name = sha256(name).digest()
        self._blocks = count()
        self._rest = b""

    def read(self, length: int) -> bytes:
        """The next ``length`` bytes.  As ``Config.entropy`` it makes a connection repeatable."""
        while len(self._rest) < length:
            self._rest += sha256(self._name + next(self._blocks).to_bytes(8)).digest()
        taken, self._rest = self._rest[:length], self._rest[length:]
        return taken

    def part(self) -> float:
        """From 0 to 1, and never 1."""
        return (int.from_bytes(self.read(7)) >> 3) / (1 << 53)

    def between(self, low: float, high: float) -> float:
        """``low`` included."""
        return low + (high - low) * self.part()

    def below(self, number: int) -> int:
        """0 to ``number - 1``."""
        return int.from_bytes(self.read(8)) % number

    def choice(self, of: Sequence[T]) -> T:
        """One of them, each as likely."""
        return of[self.below(len(of))]

    def wait(self, mean: float) -> float:
        """Seconds until something happens that happens every ``mean`` seconds on average, and knows no past."""
        return -mean * log(1.0 - self.part())


class World:
    """``now`` is the time that every right clock shows, in seconds since the epoch.

    ConfigError for a ``seed`` that is no number, or below 0.
    """

    def __init__(self, seed: int = 1) -> None:
        check_kind("seed", seed, int, "a number")
        if seed < 0:
            raise ConfigError("seed", f"{quoted(seed)}; expected 0 or more")
        self.now: float = BEGINNING
        self._seed = seed
        self._order = count()
        self._plans: list[tuple[float, int, Callable[[], None]]] = []
        self.entropy: Entropy = self.chance("entropy").read

    def chance(self, name: str) -> Chance:
        """Numbers for one purpose: nobody else's choices change them."""
        return Chance(f"{self._seed} {name}".encode())

    def clock(self) -> float:
        """``now``, as ``Config.clock`` wants it."""
        return self.now

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return self.now - BEGINNING

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Let something happen that many seconds from now."""
        heappush(self._plans, (self.now + seconds, next(self._order), action))

    def run(self, seconds: float) -> None:
        """Let time pass, and all happen that is planned until then, that moment included."""
        end = self.now + seconds
        while self._plans and self._plans[0][0] <= end:
            self.now, _, action = heappop(self._plans)
            action()
        self.now = end
