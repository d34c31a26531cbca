"""Attackers: who replays what he has heard, and who steals the sessions of a client and goes on with them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from sansticket.fleet.fleets import Client, Fleet
from sansticket.fleet.visits import Kind, Visit
from sansticket.tickets.session import Session
from sansticket.tickets.stores.client import ClientSessionStore


class Replayer:
    """Hears the first flight of every client, and sends it to every server, ``later`` seconds after.

    He knows no secret, and hears none of the answers.
    """

    def __init__(self, fleet: Fleet, later: Sequence[float]) -> None:
        self.heard: int = 0
        """Flights."""
        self.sent: int = 0
        """How often one was sent."""
        self.delivered: int = 0
        """How often an application got early data by that."""
        self._fleet = fleet
        self._later = later
        fleet.listeners.append(self._hear)

    def _hear(self, flight: bytes) -> None:
        self.heard += 1
        for seconds in self._later:
            self._fleet.world.after(seconds, partial(self._send, flight))

    def _send(self, flight: bytes) -> None:
        for server in self._fleet.servers:
            if server.up:
                self.sent += 1
                self.delivered += self._fleet.feed(server, flight)


class Thief:
    """Copies the freshest session of ``victim`` with its secret, ``delay`` seconds from now or as soon as there is one.

    From then on he comes as the victim, after a wait of ``mean`` seconds on average, and keeps the tickets that he gets
    by it.  Where he is not resumed he gives up.
    """

    def __init__(self, fleet: Fleet, victim: Client, delay: float, mean: float) -> None:
        self.victim = victim
        self.client: Client = fleet.client("thief", per_server=1)
        self.stole_at: float | None = None
        """Seconds since the beginning of the world."""
        self._fleet = fleet
        self._coming = fleet.world.chance(self.client.name)
        self._mean = mean
        fleet.world.after(delay, self._steal)

    def visits(self) -> list[Visit]:
        """His own."""
        return [visit for visit in self._fleet.visits if visit.who == self.client.name]

    def seen(self) -> list[Visit]:
        """Since the theft, those of both in which a ticket was refused, or known to have been used by somebody else."""
        names = (self.client.name, self.victim.name)
        return [
            visit
            for visit in self._fleet.visits
            if self.stole_at is not None
            and visit.who in names
            and visit.began >= self.stole_at
            and (visit.refused or visit.reused)
        ]

    def _steal(self) -> None:
        session = self._look()
        if session is None:
            self._fleet.world.after(60.0, self._steal)
            return
        self.stole_at = self._fleet.world.elapsed
        self.client.sessions.put(self.client.key, session, self._fleet.world.now)
        self._wait()

    def _look(self) -> Session | None:
        """The victim notices nothing of it."""
        copied = ClientSessionStore.from_bytes(self.victim.sessions.to_bytes())
        loan = copied.reserve(self.victim.key, self._fleet.world.now)
        return loan.session if loan is not None else None

    def _wait(self) -> None:
        come = partial(self.client.visit, again=False, told=self._told)
        self._fleet.world.after(self._coming.wait(self._mean), come)

    def _told(self, visit: Visit) -> None:
        if visit.kind is Kind.RESUMED:
            self._wait()
