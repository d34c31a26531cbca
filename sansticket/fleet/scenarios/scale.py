"""Ten thousand servers, from fifty that are simulated, and the arithmetic between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import floor
from typing import Final

from sansticket.fleet.figures import Case, count, handshakes, resumed_of_shown, resumption
from sansticket.fleet.plan import OwnKeys, WindowedKeys
from sansticket.fleet.report import Curve, Picture, Report, Size, number_of
from sansticket.fleet.scenarios.base import Scenario, Setting
from sansticket.fleet.visits import Kind, Visit
from sansticket.tickets.keys.protection import KEY_NAME_LENGTH
from sansticket.tickets.keys.ring import SECRET_LENGTH
from sansticket.tickets.stores.revocations import HEAD
from sansticket.tickets.stores.times import ENTRY
from sansticket.values import frozen

MANY: Final = 10_000
KEYS: Final = WindowedKeys()
COMES_BACK: Final = 1800.0
LISTED: Final = 100_000
"""Families that are revoked at a time."""

PARTS: Final = (10, 5, 2, 1)
"""The largest fleet is divided by these, its clients too: each server has as many."""


def play(setting: Setting) -> Report:
    size = setting.size
    numbers = sorted({max(1, size.servers // part) for part in PARTS})
    shared = [_fleet_of(setting, number, "windowed keys") for number in numbers]
    own = [_fleet_of(setting, number, "own keys") for number in numbers]
    curves = (
        Curve("windowed keys", _points(numbers, shared)),
        Curve("own keys", _points(numbers, own)),
        Curve("1 / servers", tuple((number, round(1 / number, 4)) for number in numbers)),
    )
    return Report(
        scenario=SCALE.name,
        title=SCALE.title,
        size=size,
        tables=(resumption([*shared, *own]), handshakes([shared[-1]])),
        picture=Picture(x="servers", y="tickets shown that were resumed", curves=curves),
        notes=tuple(Arithmetic(setting, shared[-1], own[-1]).lines()),
    )


def _fleet_of(setting: Setting, servers: int, name: str) -> Case:
    keys = KEYS if name == "windowed keys" else OwnKeys()
    fleet = setting.fleet(servers=servers, keys=keys)
    fleet.populate(max(1, setting.size.clients * servers // setting.size.servers), COMES_BACK)
    fleet.world.run(setting.seconds)
    return Case(f"{number_of(servers, 'server')}, {name}", fleet)


def _points(numbers: list[int], cases: list[Case]) -> tuple[tuple[float, float], ...]:
    shares = zip(numbers, (resumed_of_shown(case.visits) for case in cases), strict=True)
    return tuple((number, round(share, 4)) for number, share in shares if share is not None)


@frozen
class Arithmetic:
    """From the largest fleets that were simulated to ``MANY`` servers, each of which has as many clients."""

    setting: Setting
    shared: Case
    own: Case

    def lines(self) -> Iterator[str]:
        """A sentence for each step."""
        size = self.setting.size
        visits = self.shared.visits
        hourly = len(visits) / size.hours
        many = hourly / size.servers * MANY
        share = count(visits, Kind.RESUMED) / max(1, len(visits))
        yield (
            f"Load: {number_of(len(visits), 'visit')} / {number_of(size.servers, 'server')} / {size.hours} h = "
            f"{hourly / size.servers:.2f} for each server and hour; × {MANY:,} = {many:,.0f} visits an hour."
        )
        yield (
            f"Windowed keys: {count(visits, Kind.RESUMED):,} of {number_of(len(visits), 'visit')} = {share:.1%} are "
            "resumed, as with fewer servers, since any server opens what any other has sealed; "
            f"{share:.4f} × {many:,.0f} = {share * many:,.0f} an hour."
        )
        ours = resumed_of_shown(self.own.visits) or 0.0
        yield (
            f"Own keys: 1 of {number_of(size.servers, 'server')} can open a ticket, 1 / {size.servers} = "
            f"{1 / size.servers:.1%}; {ours:.1%} were resumed. With {MANY:,} it is {1 / MANY:.2%}."
        )
        yield from self._bytes(visits, share * many)
        yield from self._times(visits, share * many)
        yield from self._memory()

    def _bytes(self, visits: list[Visit], resumed: float) -> Iterator[str]:
        full, short = (self._mean(visits, kind, _bytes) for kind in (Kind.FULL, Kind.RESUMED))
        yield (
            f"Bytes: a full handshake has {full:,.0f}, a resumption {short:,.0f}; ({full:,.0f} − {short:,.0f}) × "
            f"{resumed:,.0f} = {(full - short) * resumed / 1e6:,.1f} MB an hour that need not be sent."
        )

    def _times(self, visits: list[Visit], resumed: float) -> Iterator[str]:
        if self.setting.stopwatch is None:
            return
        full, short = (self._mean(visits, kind, _seconds) * 1000 for kind in (Kind.FULL, Kind.RESUMED))
        yield (
            f"Time of the servers: {full:.2f} ms for a full handshake, {short:.2f} ms for a resumption; "
            f"({full:.2f} − {short:.2f}) ms × {resumed:,.0f} = {(full - short) / 1000 * resumed:,.0f} s an hour."
        )

    def _memory(self) -> Iterator[str]:
        plan = self.shared.fleet.plan
        kept = plan.ticket_lifetime + 2 * KEYS.clock_skew
        windows = floor(kept / KEYS.period) + 2
        key = KEY_NAME_LENGTH + SECRET_LENGTH
        yield (
            f"Memory of keys: windows of {KEYS.period:,.0f} s that are open at a time, ({plan.ticket_lifetime:,} + 2 × "
            f"{KEYS.clock_skew:.0f}) / {KEYS.period:,.0f} and 2 more that have begun or end = {windows} at most, of "
            f"{key} bytes each = {windows * key} bytes on each server. It does not grow with the number of "
            f"servers, who tell each other nothing: 0 messages."
        )
        listed = HEAD + LISTED * ENTRY
        yield (
            f"Memory of revocations: {HEAD} bytes and {ENTRY} for each name, {HEAD} + {LISTED:,} × {ENTRY} = "
            f"{listed / 1e6:.1f} MB on each server for {LISTED:,} families; a new one is {HEAD + ENTRY} bytes for each "
            f"of the others, {HEAD + ENTRY} × {MANY - 1:,} = {(HEAD + ENTRY) * (MANY - 1) / 1e6:.2f} MB."
        )

    @staticmethod
    def _mean(visits: list[Visit], kind: Kind, of: Callable[[Visit], float]) -> float:
        """0 where there is none."""
        found = [of(visit) for visit in visits if visit.kind is kind]
        return sum(found) / len(found) if found else 0.0


def _bytes(visit: Visit) -> float:
    return visit.from_client + visit.from_server


def _seconds(visit: Visit) -> float:
    return visit.server_cpu or 0.0


SCALE: Final = Scenario(
    "ten-thousand",
    "what do 10,000 servers with windowed keys resume, computed from 50 that are simulated?",
    "Fleets of a tenth, a fifth, half and all of the servers, each server with as many clients; then arithmetic.",
    Size(clients=200, hours=3, servers=50),
    play,
)
