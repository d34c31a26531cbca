"""Times by name, packed: 22 bytes for each, and no object of its own.

The names are hashes, so their first bits spread them evenly over shelves.  A shelf is bytes that never change: whoever
adds a time puts another shelf in its place, and who reads needs no lock.  A million names are 250 on each.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import Final, Self

NAME: Final = 16
"""Bytes of a name."""

TIME: Final = 6
"""Bytes of a time, big-endian: milliseconds since the epoch."""

ENTRY: Final = NAME + TIME

SHELVES: Final = 1 << 12
"""By the first twelve bits of the name."""

FEW: Final = 8
"""Entries of a shelf that are put onto another one by one: what is revoked alone is told to others alone."""


def entries_in(packed: bytes) -> Iterator[bytes]:
    """Each entry: a name and its time."""
    for start in range(0, len(packed), ENTRY):
        yield packed[start : start + ENTRY]


def time_in(entry: bytes) -> int:
    """The time of an entry."""
    return int.from_bytes(entry[NAME:])


class Times:
    """Of each name the latest time that it was given, in milliseconds; 0 of all others.

    One thread may write at a time, and any number read meanwhile.
    """

    def __init__(self) -> None:
        self._shelves: list[bytes] = [b""] * SHELVES
        self.count: int = 0

    def copy(self) -> Self:
        """Another with the same, which goes its own way."""
        other = type(self)()
        other._shelves, other.count = [*self._shelves], self.count
        return other

    def __iter__(self) -> Iterator[bytes]:
        """The entries by name, in order."""
        for shelf in filter(None, self._shelves):
            yield from sorted(entries_in(shelf))

    def of(self, name: bytes) -> int:
        """The time of this name."""
        shelf = self._shelves[name[0] << 4 | name[1] >> 4]
        at = shelf.find(name)
        if at > 0 and at % ENTRY:
            at = _find(shelf, name)
        return int.from_bytes(shelf[at + NAME : at + ENTRY]) if at >= 0 else 0

    def raise_to(self, entry: bytes) -> None:
        """The time of the entry, unless there is a later one already."""
        name, number = entry[:NAME], entry[0] << 4 | entry[1] >> 4
        shelf = self._shelves[number]
        at = _find(shelf, name)
        if at < 0:
            self._shelves[number] = shelf + entry
            self.count += 1
        elif shelf[at + NAME : at + ENTRY] < entry[NAME:]:
            self._shelves[number] = shelf[:at] + entry + shelf[at + ENTRY :]

    def put_sorted(self, packed: bytes) -> None:
        """Entries in the order of their names, where there are none yet."""
        for number, entries in groupby(entries_in(packed), _shelf_of):
            self._shelves[number] = b"".join(entries)
        self.count = len(packed) // ENTRY

    @property
    def filled(self) -> list[tuple[int, bytes]]:
        """The shelves with anything on them, and their numbers."""
        return [(number, shelf) for number, shelf in enumerate(self._shelves) if shelf]

    def join(self, number: int, theirs: bytes, above: int) -> None:
        """Of each name on a shelf of another the later time, those not counted that are ``above`` or before.

        One pass, however many there are: whoever wrote them chose their names, and may have put them on one shelf.
        """
        limit, shelf = above.to_bytes(TIME), self._shelves[number]
        news = [entry for entry in entries_in(theirs) if entry[NAME:] > limit]
        if len(news) <= FEW:
            for entry in news:
                self.raise_to(entry)
            return
        times = {entry[:NAME]: entry[NAME:] for entry in entries_in(shelf)}
        before = len(times)
        for entry in news:
            name, time = entry[:NAME], entry[NAME:]
            if times.get(name, b"") < time:
                times[name] = time
        self._shelves[number] = b"".join([name + time for name, time in times.items()])
        self.count += len(times) - before

    def drop(self, until: int) -> None:
        """Forget every name whose time is ``until`` or before."""
        limit = until.to_bytes(TIME)
        for number, shelf in enumerate(self._shelves):
            kept = [entry for entry in entries_in(shelf) if entry[NAME:] > limit]
            if len(kept) * ENTRY < len(shelf):
                self._shelves[number] = b"".join(kept)
                self.count -= len(shelf) // ENTRY - len(kept)


def _shelf_of(name: bytes) -> int:
    """By the first twelve bits."""
    return name[0] << 4 | name[1] >> 4


def _find(shelf: bytes, name: bytes) -> int:
    """Where its entry begins, or -1.  The same bytes across two entries are not meant."""
    at = shelf.find(name)
    while at > 0 and at % ENTRY:
        at = shelf.find(name, at + 1)
    return at
