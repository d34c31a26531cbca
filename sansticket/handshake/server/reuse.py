"""A ticket that is shown again, where somebody remembers which were used, in both versions.

Who remembers: the config's table (``TicketUses``); and where sessions are for single use, the cache that they were
claimed in or the store elsewhere, each with what is left of the session (``SpentSession``).

TLS 1.3: whoever shows a ticket has proved to have it, by its binder; so a use is noted when the session passed all
else.  But a binder can be repeated with its ClientHello, by anybody who saw it: that proves nothing new.  Such a copy
has the random of the first, which the binder covers.  It need not be the same to the last byte: no binder covers the
others, and before a HelloRetryRequest there is another ClientHello, with a binder of its own.

TLS 1.2: a ticket stands in clear in every ClientHello, and showing it proves nothing.  A use is noted when the client's
Finished has come, and only if the ticket was renewed: one that was not is for many connections.
"""

from __future__ import annotations

from typing import Final

from attrs import evolve

from sansticket.config.server import ServerConfig
from sansticket.events import TicketReused
from sansticket.handshake.machine.flight import Flight
from sansticket.handshake.server.rules import After, Candidate, Greeting, Outcome, Search
from sansticket.tickets.records import Check
from sansticket.tickets.session import Session
from sansticket.tickets.stores.spent import SpentSession
from sansticket.tickets.stores.uses import DEFAULT_WINDOW, ReusePolicy, TicketUse, TicketUses, name_of

USED_BEFORE: Final = Check("single use", False, "used before")
CANNOT_TELL: Final = Check("single use", False, "the cache cannot tell whether it was used before")

JUST_AFTER: Final = 0.001
"""Seconds: sessions keep their times to the millisecond."""

NO_OTHER: Final = Check("reuse", True, "no other use is known")
FAMILY_ENDED: Final = Check("family", False, "ended, since one of its tickets was used again")


def noted(uses: TicketUses, candidate: Candidate[After], flight: Flight) -> tuple[Candidate[After], Check]:
    """The candidate with the use before this one, if there was any, and what follows from that."""
    rules, session, identity = candidate.rules, candidate.session, candidate.search.now_shown.identity
    use = use_of(rules.negotiated, session.version, session.family, session.generation, flight.now)
    try:
        until = ends_at(session, rules.config)
        earlier = uses.note(identity, use, until) if rules.PROVES else uses.earlier(identity)
    except Exception as error:
        return candidate, Check("reuse", True, f"nobody can tell: {type(error).__name__}")
    if earlier is None:
        return candidate, NO_OTHER
    candidate = evolve(candidate, earlier_use=earlier)
    passed = abs(use.at - earlier.at)
    if raced(uses.window, passed):
        return candidate, Check("reuse", True, f"again after {passed:.3f} s, at most {uses.window:.3f} s")
    proven = rules.PROVES and is_new(use, earlier)
    policy = carried_out(rules.config, session.family, session.authenticated_at, flight, proven=proven)
    flight.emit(TicketReused(earlier, use, policy, proven))
    ignored = policy is ReusePolicy.IGNORE
    return candidate, Check("reuse", ignored, f"used {passed:.3f} s before: {policy.value}")


def raced(window: float, passed: float) -> bool:
    """Whether it is within the window.  One of 0 seconds is none, also where a coarse clock has not moved."""
    return 0 < window >= passed


def is_new(use: TicketUse, earlier: TicketUse) -> bool:
    """Whether its ClientHello was made for this connection, by one who can make a binder, and is no copy."""
    return use.client_random != earlier.client_random


def ended_family(uses: TicketUses, session: Session) -> Check | None:
    """Why it is not resumed, if its family was ended.  A table that cannot say so costs nothing."""
    try:
        return FAMILY_ENDED if uses.has_ended(session.family) else None
    except Exception:
        return None


# --- sessions for single use -----------------------------------------------------------------------------------------


def spent_by(candidate: Candidate[After], flight: Flight) -> SpentSession:
    """What is left of its session when this connection has used it up."""
    rules, session = candidate.rules, candidate.session
    use = use_of(rules.negotiated, session.version, session.family, session.generation, flight.now)
    key = rules.binder_key(session)
    return SpentSession(session.session_id, use, session.cipher_suite, key, session.authenticated_at)


def used_up(
    search: Search[After], spent: SpentSession | None, flight: Flight
) -> tuple[Check, TicketUse | None]:
    """An id is shown whose session is gone: only what is left of it can tell who shows it."""
    earlier = remembered(search, flight) if spent is None else spent.use
    if earlier is None:
        return USED_BEFORE, None
    authenticated_at = (
        0.0 if spent is None else spent.authenticated_at
    )  # of no account where nothing is proven
    has_it = spent is not None and search.rules.shows(search.index, spent)
    return used_again(search, earlier, authenticated_at, flight, has_it=has_it), earlier


def not_claimed(
    candidate: Candidate[After], spent: SpentSession | None, flight: Flight
) -> tuple[Candidate[After], Check]:
    """Somebody else was faster, or first; this client has the session as well."""
    earlier = remembered(candidate.search, flight) if spent is None else spent.use
    if earlier is None:
        return candidate, USED_BEFORE
    authenticated_at = candidate.session.authenticated_at
    check = used_again(candidate.search, earlier, authenticated_at, flight, has_it=True)
    return evolve(candidate, earlier_use=earlier), check


def used_again(
    search: Search[After], earlier: TicketUse, authenticated_at: float, flight: Flight, *, has_it: bool
) -> Check:
    """It is refused in any case.  Without a table there is its default window, and no family ends."""
    rules, config = search.rules, search.rules.config
    window = DEFAULT_WINDOW if config.ticket_uses is None else config.ticket_uses.window
    use = use_of(rules.negotiated, rules.NUMBER, earlier.family, earlier.generation, flight.now)
    passed = abs(use.at - earlier.at)
    when = f"used before, {passed:.3f} s ago"
    if raced(window, passed):
        return Check("single use", False, f"{when}, at most {window:.3f} s")
    proven = has_it and is_new(use, earlier)
    policy = carried_out(config, earlier.family, authenticated_at, flight, proven=proven)
    if policy is ReusePolicy.IGNORE:
        policy = ReusePolicy.REFUSE
    flight.emit(TicketReused(earlier, use, policy, proven))
    return Check("single use", False, f"{when}: {policy.value}")


def remembered(search: Search[After], flight: Flight) -> TicketUse | None:
    """What the table knows, where nobody else does, of a ticket that has not expired."""
    uses = search.rules.config.ticket_uses
    try:
        return None if uses is None else uses.earlier(search.now_shown.identity, flight.now)
    except Exception:
        return None  # it is refused in any case


# --- in TLS 1.2, and what follows ------------------------------------------------------------------------------------


def note_finished(
    uses: TicketUses, greeting: Greeting, ticket: bytes, outcome: Outcome, flight: Flight
) -> None:
    """TLS 1.2: the client has proved that the ticket is its own.  It is too late to refuse it, where another one was
    faster."""
    session = outcome.session
    if session is None or not ticket or not outcome.record.tickets_to_follow:
        return
    config: ServerConfig = greeting.config
    use = use_of(greeting, session.version, session.family, session.generation, flight.now)
    try:
        earlier = uses.note(ticket, use, ends_at(session, config))
    except Exception:
        return  # the record says so already
    known = outcome.record.identities[0].earlier_use is not None
    if earlier is None or known or raced(uses.window, abs(use.at - earlier.at)):
        return
    policy = carried_out(config, session.family, session.authenticated_at, flight, proven=True)
    if policy is ReusePolicy.REFUSE:
        policy = ReusePolicy.IGNORE
    flight.emit(TicketReused(earlier, use, policy, proven=True))


def carried_out(
    config: ServerConfig, family: bytes, authenticated_at: float, flight: Flight, *, proven: bool
) -> ReusePolicy:
    """The policy, as far as it can be carried out."""
    uses = config.ticket_uses
    if uses is None or uses.policy is not ReusePolicy.END_FAMILY:
        return ReusePolicy.REFUSE if uses is None else uses.policy
    if not proven or not family:
        return ReusePolicy.REFUSE
    ended = config.revocations is not None
    if config.revocations is not None:
        # All of a family were authenticated at one time: this refuses them, and can be forgotten when they are too old.
        config.revocations.revoke_family(family, authenticated_at + JUST_AFTER)
    try:
        uses.end_family(family, flight.now, authenticated_at + config.max_session_age)
        ended = True
    except Exception:  # the list may have it all the same
        pass
    return ReusePolicy.END_FAMILY if ended else ReusePolicy.REFUSE


def use_of(greeting: Greeting, version: int, family: bytes, generation: int, now: float) -> TicketUse:
    """The facts of this one."""
    return TicketUse(
        at=round(now * 1000) / 1000,
        version=version,
        family=family,
        generation=generation,
        server_name=greeting.server_name,
        alpn_protocol=greeting.alpn_protocol,
        client_random=greeting.hello.random,
        hello=name_of(greeting.raw_hello),
    )


def ends_at(session: Session, config: ServerConfig) -> float:
    """When the session is refused for its age."""
    return min(session.issued_at + session.lifetime, session.authenticated_at + config.max_session_age)
