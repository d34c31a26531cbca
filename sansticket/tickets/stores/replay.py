"""Which ClientHellos had early data accepted: each is remembered, so that its replay is not accepted too.

RFC 9846 section 8.2.  A server accepts early data only if it comes within a window around the time at which the
ClientHello says that it was sent, and only from a ClientHello that is not remembered.  So nothing has to be remembered
for longer than the window: whatever is replayed later is refused for its time.

What cannot be known is refused.  All that was claimed at ``_forgotten`` or before may have been forgotten, so nothing
is claimed before ``_forgotten`` and a whole window more.  That is one rule for two cases:

- *The beginning.*  What came before the recorder was made is unknown to it.  A server that was restarted accepts no
  early data for a window.
- *A clock that is set back* comes once more to times at which ClientHellos were accepted forgotten since.  They
  would be in time again, and are refused until the clock is where it was.  What is still remembered is no reason.

What is claimed has to be forgotten one day.  No call forgets more than ``FORGOTTEN_AT_ONCE``; a recorder that is full
refuses, and never forgets what may still be replayed.  The keys lie on many small shelves instead of in one large set,
because a set that grows is copied as a whole.  Python's hash of bytes says on which, differently in each process.
"""

from collections import deque
from hashlib import sha256
from os import getpid
from threading import Lock
from typing import Any, Final, Self

from attrs import define

from sansticket.errors import ConfigError
from sansticket.inputs import check_bytes, check_kind, check_seconds, has_float, is_time
from sansticket.text import quoted

FORGOTTEN_AT_ONCE: Final = 4
"""How many one call forgets at most.  More than one, so that a recorder that is full of what is over is soon empty."""

SHELVES: Final = 256

PERIODS: Final = 32
"""Times are kept for periods of this part of the window, and not for each key."""


@define
class _Period:
    """Keys that were claimed within a short time, one after the other."""

    began: float

    latest: float
    """When the last of them was, by a clock that never went back."""

    count: int = 0
    """How many of them are remembered."""


class ReplayRecorder:
    """Remembers ClientHellos for a while, so that the early data of each is accepted once.  Safe to be used by threads.

    ``window``: seconds for which each is remembered.  At least the two parts of ``early_data_window`` together.

    ``max_hellos``: how many it remembers at a time, at about 160 bytes each, and 200 at the most.  When it is full,
    early data is refused.

    ``since``: the time, on the clock of the config, since when nothing was accepted that it does not know.  By default
    that is the time of its first ``claim``.  ``time.time()``, where the recorder is made, lets the first window pass
    before the first client comes; ``-inf`` says that there never was anything (the ticket keys are new too).

    One recorder serves all connections and configs of a process, and only that process: forked ones have nothing in
    common from then on, and would accept the same ClientHello once each.  Therefore a recorder claims nothing but in
    the process where it was made, nor does one that comes out of a pickle.  ``copy`` and ``deepcopy`` give the
    recorder itself.  For several processes and machines see docs/fleet.md.
    """

    def __init__(
        self, window: float = 20.0, *, max_hellos: int = 1_000_000, since: float | None = None
    ) -> None:
        """ConfigError for anything but a window of more than 0 seconds and a ``max_hellos`` of at least 1."""
        check_seconds("window", window, 0)
        check_kind("max_hellos", max_hellos, int, "a number")
        if max_hellos < 1:
            raise ConfigError("max_hellos", f"{quoted(max_hellos)}; expected 1 or more")
        if since is not None:
            check_kind("since", since, (int, float), "a number of seconds")
            if since != since or not has_float(since):
                raise ConfigError("since", f"{quoted(since)}; expected a time")
        self._window = float(window)
        self._max_hellos = max_hellos
        self._forgotten = since
        self._latest = float("-inf")  # the latest time that there was
        self._known: list[set[bytes]] = [set() for _ in range(SHELVES)]
        self._order: deque[bytes] = deque()  # of the same, the oldest first
        self._periods: deque[_Period] = deque()  # of the same, none of them empty
        self._process: int | None = getpid()
        self._lock = Lock()

    @property
    def window(self) -> float:
        """Seconds for which each ClientHello is remembered."""
        return self._window

    @property
    def max_hellos(self) -> int:
        """How many it remembers at a time."""
        return self._max_hellos

    def __len__(self) -> int:
        """How many are remembered; some of them may be over."""
        return len(self._order)

    def __repr__(self) -> str:
        where = "" if self._process == getpid() else ", of another process: claims nothing"
        return f"{type(self).__name__}({len(self)} of {self._max_hellos}, {self._window} s{where})"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _of_no_process, (type(self), self._window, self._max_hellos)

    def claim(self, key: bytes, now: float) -> bool:
        """Whether early data of the ClientHello with this key may be accepted.  Within the window True for one only.

        ``key``: any bytes that no other ClientHello has.  ``now``: the time by which the ClientHello was found to be in
        time, in seconds; this reads no clock.  ConfigError for a key that is no bytes.
        """
        check_bytes("key", key)
        name = sha256(key).digest()[:16]
        # Before the lock, which another thread may have held when the process was forked.
        if self._process != getpid() or not is_time(now):
            return False
        with self._lock:
            return self._claim(name, now)

    def _claim(self, name: bytes, now: float) -> bool:
        self._latest = max(self._latest, now)
        forgotten = self._forgotten = self._forget(now if self._forgotten is None else self._forgotten)
        shelf = self._known[hash(name) % SHELVES]
        if now <= forgotten + self._window or name in shelf or len(self._order) >= self._max_hellos:
            return False
        shelf.add(name)
        self._order.append(name)
        self._note_time()
        return True

    def _note_time(self) -> None:
        latest = self._latest
        if not self._periods or latest - self._periods[-1].began > self._window / PERIODS:
            self._periods.append(_Period(latest, latest))
        period = self._periods[-1]
        period.latest = latest
        period.count += 1

    def _forget(self, forgotten: float) -> float:
        """What is over goes, a period later than it might, so that a clock that goes back by less makes no difference.

        ``forgotten``, or the time of the latest that went now.
        """
        over = self._latest - self._window - self._window / PERIODS
        for _ in range(FORGOTTEN_AT_ONCE):
            if not self._periods or self._periods[0].latest >= over:
                break
            period = self._periods[0]
            name = self._order.popleft()
            self._known[hash(name) % SHELVES].remove(name)
            forgotten = max(forgotten, period.latest)
            period.count -= 1
            if not period.count:
                self._periods.popleft()
        return forgotten


def _of_no_process(kind: type[ReplayRecorder], window: float, max_hellos: int) -> ReplayRecorder:
    """What comes out of a pickle: it remembers nothing, and claims nothing."""
    recorder = kind(window, max_hellos=max_hellos)
    recorder._process = None
    return recorder
