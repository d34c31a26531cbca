"""External PSKs in the search for a session (RFC 9846 section 4.3.11, RFC 9257 section 6.1.2).

What a client shows may be a ticket, the id of a session, or the name of an external PSK, and nothing in it says which.
There is one order: our own tickets and ids come first, and what is neither is looked up here, among the config's
``psks`` and then by whoever answers ``LookUpPsk``.  A session that goes back to a PSK is looked up here as well: one
whose PSK was withdrawn, or has another key now, is not resumed.
"""

from __future__ import annotations

from typing import Final, Generic

from sansticket.commands import ProvidePsk
from sansticket.errors import LocalProtocolError
from sansticket.events import LookUpPsk
from sansticket.handshake.machine.flight import Flight
from sansticket.handshake.machine.state import Asking
from sansticket.handshake.server import search
from sansticket.handshake.server.rules import (
    After,
    Found,
    Judgement,
    NotOurs,
    Outcome,
    Search,
    SoughtPsk,
    failed,
)
from sansticket.psk import ExternalPsk, ImportedIdentity, PskRole
from sansticket.text import quoted
from sansticket.tickets.decision import Decision, TicketStatus
from sansticket.tickets.records import Check, IdentityRecord, ResumptionRecord
from sansticket.values import value

UNKNOWN: Final = Check("psk", False, "no PSK of this identity")


def look_up(sought: SoughtPsk[After], flight: Flight) -> After:
    """What was looked up before, our config, or whoever knows more."""
    for identity, psk in sought.search.psks:
        if identity == sought.identity:
            return known(sought, psk, UNKNOWN, flight)
    rules = sought.search.rules
    psk, ask = rules.config.psk_of.get(sought.identity), rules.questions().look_up_psk
    if psk is None and ask is not None and LookUpPsk in rules.config.answers:
        return ask(sought)
    return looked_up(sought, psk, UNKNOWN, flight)


@value
class AskLookUpPsk(Asking, Generic[After]):
    """The config does not have the PSK: does somebody else?"""

    QUESTION = LookUpPsk

    sought: SoughtPsk[After]

    def question(self) -> LookUpPsk:
        return LookUpPsk(self.sought.identity, ImportedIdentity.parse(self.sought.identity))

    def default_answer(self, now: float) -> ProvidePsk:
        return ProvidePsk(None)

    def answer_after(self, error: Exception) -> ProvidePsk:
        """As for sessions: a store that is down costs full handshakes, where there can be any."""
        return ProvidePsk(None, why=failed(error).detail)

    def on_provide_psk(self, command: ProvidePsk, flight: Flight) -> After:
        psk, asked = command.psk, self.sought.identity
        if psk is not None and psk.identity != asked:
            raise LocalProtocolError(
                f"ProvidePsk has a PSK with identity {quoted(psk.identity)}; expected {quoted(asked)}"
            )
        if psk is not None and psk.role is not PskRole.SERVER:
            raise LocalProtocolError(
                f"ProvidePsk has a PSK for a {psk.role.value}; expected {PskRole.SERVER}"
            )
        why = Check("psk", False, command.why) if command.why else UNKNOWN
        return looked_up(self.sought, psk, why, flight)


def looked_up(sought: SoughtPsk[After], psk: ExternalPsk | None, why: Check, flight: Flight) -> After:
    """Keep it in mind: it may be shown again, or a session may go back to it."""
    before = sought.search
    kept = (*before.psks, (sought.identity, psk))
    after = Search(before.rules, before.shown, before.decisions, before.identities, before.found, kept)
    return known(SoughtPsk(after, sought.identity, sought.purpose), psk, why, flight)


def known(sought: SoughtPsk[After], psk: ExternalPsk | None, why: Check, flight: Flight) -> After:
    purpose = sought.purpose
    if isinstance(purpose, Found):
        session, found_by, key_name = purpose.session, purpose.found_by, purpose.key_name
        status, answer = purpose.status, purpose.ticket_return
        return search.judged(
            sought.search, session, found_by, status, answer, key_name, flight, looked_up=True, psk=psk
        )
    if psk is None:
        return unknown(sought.search, purpose, why, flight)
    return judged(sought.search, psk, flight)


def unknown(before: Search[After], purpose: NotOurs, why: Check, flight: Flight) -> After:
    """Neither ticket nor id nor PSK: on as if nobody had looked for a PSK."""
    if purpose.why is None:
        return search.decide(before, TicketStatus.NO_DECRYPT, purpose.key_name, None, (why,), flight)
    return search.unknown_id(before, (purpose.why, why), flight)


def judged(before: Search[After], psk: ExternalPsk, flight: Flight) -> After:
    """It ends the search, unless it cannot be used; a binder that does not verify ends the handshake."""
    judgement = before.rules.judge_psk(before.index, psk)
    record = IdentityRecord(before.index, checks=judgement.checks, psk_identity=psk.identity)
    if judgement.passed:
        return conclude(before, judgement, record, psk, flight)
    decision = Decision.by_default(TicketStatus.NO_DECRYPT, usable=False)
    return search.go_on(before.decided(decision, record, None), flight)


def conclude(
    before: Search[After],
    judgement: Judgement[After],
    identity: IdentityRecord,
    psk: ExternalPsk,
    flight: Flight,
) -> After:
    """Our answer.  Tickets follow as after a full handshake: the client has none yet."""
    rules, index = judgement.rules, before.index
    identities = (*before.identities, identity, *rules.not_looked_at(index + 1))
    tickets = rules.counts(flight.num_tickets).full
    record = ResumptionRecord(
        identities, index, tickets, f"identity {index} is an external PSK", psk.identity
    )
    outcome = Outcome(None, before.decisions, record, flight.num_tickets, psk, before.found)
    return rules.answer(outcome, flight)
