"""Which session expires next, in bounded memory and with a bounded amount of work for each call."""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Final

Entry = tuple[int, int, bytes]
"""When, in milliseconds since the epoch; the order in which the session came; its id."""

MOVED_AT_ONCE: Final = 4
"""Entries that are looked at with each that comes, while those of sessions that are gone are cleared away."""


class Expiry:
    """Two heaps.  Sessions that are removed leave their entries behind; when these are the majority, all that there is
    becomes the old heap, from whose end a few at a time move to the new one, if their session is still kept."""

    def __init__(self) -> None:
        self._new: list[Entry] = []
        self._old: list[Entry] = []

    def __len__(self) -> int:
        return len(self._new) + len(self._old)

    def add(self, entry: Entry, kept: int, is_kept: Callable[[Entry], bool]) -> None:
        """One more, where ``kept`` sessions are kept."""
        heappush(self._new, entry)
        if not self._old and len(self._new) > 2 * kept + 64:
            self._old, self._new = self._new, []
        for _ in range(min(MOVED_AT_ONCE, len(self._old))):
            moved = self._old.pop()  # what is left is a heap still
            if is_kept(moved):
                heappush(self._new, moved)

    def is_due(self, now: int) -> bool:
        """Whether the time of any has come."""
        return any(heap and heap[0][0] <= now for heap in (self._new, self._old))

    def due(self, now: int) -> Entry | None:
        """Take out the earliest, if its time has come."""
        heaps = [heap for heap in (self._new, self._old) if heap and heap[0][0] <= now]
        return heappop(min(heaps)) if heaps else None

    def clear(self) -> None:
        """Forget them all."""
        self._new, self._old = [], []
