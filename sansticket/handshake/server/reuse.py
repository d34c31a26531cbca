"""A ticket that is shown again, where the config remembers which were used (``TicketUses``), in both versions.

TLS 1.3: whoever shows a ticket has proved to have it, by its binder; so a use is noted when the session passed all
else.  But a binder can be repeated with its whole ClientHello, by anybody who saw it: that proves nothing new.

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
from sansticket.tickets.stores.uses import ReusePolicy, TicketUse, TicketUses, name_of

JUST_AFTER: Final = 0.001
"""Seconds: sessions keep their times to the millisecond."""

NO_OTHER: Final = Check("reuse", True, "no other use is known")
FAMILY_ENDED: Final = Check("family", False, "ended, since one of its tickets was used again")


def noted(uses: TicketUses, candidate: Candidate[After], flight: Flight) -> tuple[Candidate[After], Check]:
    """The candidate with the use before this one, if there was any, and what follows from that."""
    rules, session, identity = candidate.rules, candidate.session, candidate.search.now_shown.identity
    use = use_of(rules.encounter(), session.version, session.family, session.generation, flight.now)
    try:
        until = ends_at(session, rules.config)
        earlier = uses.note(identity, use, until) if rules.PROVES else uses.earlier(identity)
    except Exception as error:
        return candidate, Check("reuse", True, f"nobody can tell: {type(error).__name__}")
    if earlier is None:
        return candidate, NO_OTHER
    candidate = evolve(candidate, earlier_use=earlier)
    passed = abs(use.at - earlier.at)
    if raced(uses, passed):
        return candidate, Check("reuse", True, f"again after {passed:.3f} s, at most {uses.window:.3f} s")
    proven = rules.PROVES and use.hello != earlier.hello
    policy = carried_out(uses, session, rules.config, flight, proven=proven)
    flight.emit(TicketReused(earlier, use, policy, proven))
    ignored = policy is ReusePolicy.IGNORE
    return candidate, Check("reuse", ignored, f"used {passed:.3f} s before: {policy.value}")


def raced(uses: TicketUses, passed: float) -> bool:
    """Whether it is within the window.  One of 0 seconds is none, also where a coarse clock has not moved."""
    return 0 < uses.window >= passed


def ended_family(uses: TicketUses, session: Session) -> Check | None:
    """Why it is not resumed, if its family was ended.  A table that cannot say so costs nothing."""
    try:
        return FAMILY_ENDED if uses.has_ended(session.family) else None
    except Exception:
        return None


def used_up(uses: TicketUses, search: Search[After], flight: Flight) -> None:
    """An id whose session is for single use, and gone: nobody can prove to have it any more."""
    try:
        earlier = uses.earlier(search.now_shown.identity)
    except Exception:
        return  # it is refused in any case
    if earlier is None or raced(uses, abs(flight.now - earlier.at)):
        return
    use = use_of(
        search.rules.encounter(), search.rules.NUMBER, earlier.family, earlier.generation, flight.now
    )
    flight.emit(TicketReused(earlier, use, ReusePolicy.REFUSE, proven=False))


def note_finished(
    uses: TicketUses, greeting: Greeting, ticket: bytes, outcome: Outcome, flight: Flight
) -> None:
    """TLS 1.2: the client has proved that the ticket is its own.  It is too late to refuse it, where another one was
    faster."""
    session = outcome.session
    if session is None or not ticket or not outcome.gives_ticket:
        return
    config: ServerConfig = greeting.config
    use = use_of(greeting, session.version, session.family, session.generation, flight.now)
    try:
        earlier = uses.note(ticket, use, ends_at(session, config))
    except Exception:
        return  # the record says so already
    known = outcome.record.identities[0].earlier_use is not None
    if earlier is None or known or raced(uses, abs(use.at - earlier.at)):
        return
    policy = carried_out(uses, session, config, flight, proven=True)
    if policy is ReusePolicy.REFUSE:
        policy = ReusePolicy.IGNORE
    flight.emit(TicketReused(earlier, use, policy, proven=True))


def carried_out(
    uses: TicketUses, session: Session, config: ServerConfig, flight: Flight, *, proven: bool
) -> ReusePolicy:
    """The policy, as far as it can be carried out."""
    if uses.policy is not ReusePolicy.END_FAMILY:
        return uses.policy
    if not proven or not session.family:
        return ReusePolicy.REFUSE
    ended = config.revocations is not None
    if config.revocations is not None:
        # All of a family were authenticated at one time: this refuses them, and can be forgotten when they are too old.
        config.revocations.revoke_family(session.family, session.authenticated_at + JUST_AFTER)
    try:
        uses.end_family(session.family, flight.now, session.authenticated_at + config.max_session_age)
        ended = True
    except Exception:  # the list may have it all the same
        pass
    return ReusePolicy.END_FAMILY if ended else ReusePolicy.REFUSE


def use_of(greeting: Greeting, version: int, family: bytes, generation: int, now: float) -> TicketUse:
    """The facts of this one."""
    return TicketUse(
        at=now,
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
