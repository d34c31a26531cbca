"""A server: its clock, the config that follows from the plan of its fleet, what it remembers until it is restarted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from attrs import define, field

from sansticket.codes import NamedGroup, SignatureScheme
from sansticket.commands import (
    EarlyDataClaimed,
    EarlyDataNotClaimed,
    ProvideSession,
    SessionClaimed,
    SessionNotClaimed,
)
from sansticket.config.server import ServerConfig
from sansticket.connection.server import ServerConnection
from sansticket.errors import ConfigError
from sansticket.events import (
    ClaimEarlyData,
    ClaimSession,
    Event,
    LookUpSession,
    Sign,
    TicketIssued,
    TicketReused,
)
from sansticket.fleet import identity
from sansticket.fleet.plan import DAY, OwnKeys, Plan, Recorders, WindowedKeys
from sansticket.fleet.store import Store, StoreError
from sansticket.fleet.world import World
from sansticket.tickets.keys.protection import TicketKeys
from sansticket.tickets.keys.ring import TicketKeyRing
from sansticket.tickets.keys.windowed import WindowedTicketKeys
from sansticket.tickets.session import Session
from sansticket.tickets.stores.cache import CacheMode, SessionCache
from sansticket.tickets.stores.replay import ReplayRecorder
from sansticket.tickets.stores.revocations import Revocations
from sansticket.tickets.stores.spent import SpentSession
from sansticket.tickets.stores.uses import ReusePolicy, TicketUses

FRESH: Final = 20.0
"""Seconds within which a ClientHello is in time, by the clock of one server."""

APART: Final = 40.0
"""Seconds for which a shared recorder remembers longer: the clocks of its servers may differ by as much."""

TELLING: Final = 1.0
"""Seconds until all servers know what one has revoked."""

GROUPS: Final = (NamedGroup.X25519, NamedGroup.SECP256R1)
"""The second is that of the certificate, without which TLS 1.2 has no signature (RFC 8422 section 5.1)."""
SCHEMES: Final = (SignatureScheme.ECDSA_SECP256R1_SHA256,)


def root_secret(world: World) -> bytes:
    """The root secret of the world's fleet: 32 bytes."""
    return world.chance("root secret").read(32)


@define(eq=False)
class Shared:
    """What all servers of a fleet have together: a store where the plan has one, a recorder, a table of used tickets.

    ``revocations`` are the lists of all servers, by their numbers.
    """

    store: Store | None
    recorder: ReplayRecorder
    uses: TicketUses | None
    revocations: dict[int, Revocations] = field(factory=dict)

    def spread(self, news: Revocations) -> None:
        """All servers are told."""
        for revocations in self.revocations.values():
            revocations.merge(news)


@define(eq=False)
class Server:
    """One server of a fleet.  ``number`` counts from 0, ``offset`` is by how many seconds its clock is ahead.

    ``config`` is made anew by ``start``; a connection of a life before is not continued.
    """

    world: World
    """Whose time and entropy it has."""
    plan: Plan
    """That of its fleet."""
    number: int
    offset: float
    shared: Shared = field(repr=False)
    """What it has together with the others."""
    up: bool = True
    """It takes connections."""
    life: int = 0
    """How often it was started."""
    recorder: ReplayRecorder | None = field(default=None, repr=False)
    """Its own, in this life."""
    uses: TicketUses | None = field(default=None, repr=False)
    """Likewise, or that of all."""
    revocations: Revocations | None = field(default=None, repr=False)
    """What it does not resume, where the plan has a policy for reuse."""
    config: ServerConfig = field(init=False, repr=False)
    """That of this life."""

    def __attrs_post_init__(self) -> None:
        self.start()

    def clock(self) -> float:
        """What it takes for the time."""
        return self.world.now + self.offset

    def start(self) -> None:
        """With nothing in its memory, but what its config and the root secret give."""
        self.up, self.life = True, self.life + 1
        plan = self.plan
        named: dict[str, Any] = {"max_early_data": plan.early_data}
        answers: dict[Any, Callable[[Any], Any]] = {Sign: identity.sign}
        if plan.early_data and plan.recorders is Recorders.OWN:
            named["replay"] = self.recorder = ReplayRecorder(FRESH, since=self.clock())
        elif plan.early_data:
            answers[ClaimEarlyData] = self._claim_early_data
        if plan.reuse is not None:
            named |= self._remembering(plan.reuse)
        if isinstance(plan.keys, OwnKeys | WindowedKeys):
            named["ticket_keys"] = self._ticket_keys(plan.keys)
        else:
            named |= self._stored()
            answers |= {LookUpSession: self._look_up, ClaimSession: self._claim}
        self.config = ServerConfig(
            versions=[plan.version],
            groups=GROUPS,
            signature_schemes=SCHEMES,
            credentials=[identity.credential()],
            alpn_protocols=[identity.PROTOCOL],
            num_tickets=plan.num_tickets,
            ticket_lifetime=plan.ticket_lifetime,
            clock=self.clock,
            entropy=self.world.entropy,
            answers=answers,
            **named,
        )

    def stop(self) -> None:
        """Its connections are cut, and it takes no more until it is started."""
        self.up = False

    def connection(self) -> ServerConnection:
        """A new one."""
        return ServerConnection(self.config)

    def heed(self, events: list[Event]) -> None:
        """As the wrappers do it: a new session is in the store before its ticket leaves."""
        if self.revocations is not None and any(isinstance(event, TicketReused) for event in events):
            news = self.revocations.copy()
            self.world.after(TELLING, lambda: self.shared.spread(news))
        new = [event.session for event in events if isinstance(event, TicketIssued)]
        store = self.shared.store
        if new and store is not None:
            with suppress(StoreError):  # or its ticket will not be found
                store.put(new, self.clock())

    def _remembering(self, policy: ReusePolicy) -> Mapping[str, Any]:
        """Which tickets were used, and what the others know to be revoked."""
        own = TicketUses(policy=policy)
        self.uses = own if self.shared.uses is None else self.shared.uses
        self.revocations = Revocations()
        for known in self.shared.revocations.values():
            self.revocations.merge(known)
        self.shared.revocations[self.number] = self.revocations
        return {"ticket_uses": self.uses, "revocations": self.revocations}

    # --- how sessions are shared

    def _ticket_keys(self, keys: OwnKeys | WindowedKeys) -> TicketKeys:
        lifetime = self.plan.ticket_lifetime
        if isinstance(keys, OwnKeys):
            return TicketKeyRing.generate(
                self.clock(), self.world.entropy, rotate_after=DAY, retire_after=DAY + lifetime
            )
        return WindowedTicketKeys(
            root_secret(self.world), keys.period, accept_for=lifetime, clock_skew=keys.clock_skew
        )

    def _stored(self) -> Mapping[str, Any]:
        """The cache keeps nothing: it tells what is to be removed."""
        cache = SessionCache(mode=CacheMode.SERVER | CacheMode.NO_INTERNAL, on_remove=self._remove)
        return {"ticket_keys": None, "single_use_tickets": True, "session_cache": cache}

    @property
    def _store(self) -> Store:
        if self.shared.store is None:
            raise ConfigError("keys", "stored sessions, and the fleet has no store; expected one")
        return self.shared.store

    def _look_up(self, question: LookUpSession) -> ProvideSession:
        """A failure is for the connection, whose record names it."""
        return ProvideSession(self._store.find(question.session_id, self.clock()))

    def _claim(self, question: ClaimSession) -> SessionClaimed | SessionNotClaimed:
        try:
            found = self._store.claim(question.spent, self.clock())
        except StoreError:
            return SessionNotClaimed()
        if isinstance(found, SpentSession):
            return SessionNotClaimed(found)
        return SessionClaimed() if found == question.session else SessionNotClaimed()

    def _remove(self, session: Session) -> None:
        with suppress(StoreError):  # or it expires
            self._store.remove(session.session_id)

    def _claim_early_data(self, question: ClaimEarlyData) -> EarlyDataClaimed | EarlyDataNotClaimed:
        in_time = question.until - self.clock() <= FRESH + APART
        if in_time and self.shared.recorder.claim(question.key, self.world.now):
            return EarlyDataClaimed()
        return EarlyDataNotClaimed()
