"""Sessions for single use, in TLS 1.3: each is claimed by one connection, and last of all (RFC 9846 section 8.1).

The cache decides for its process, and whoever answers ``ClaimSession`` for all servers that share a store; where both
are there, both.  Each is told what is left of the session (``SpentSession``), to give it to whoever comes second.
"""

from __future__ import annotations

from typing import Final, Generic

from attrs import evolve

from sansticket.commands import SessionClaimed, SessionNotClaimed
from sansticket.errors import LocalProtocolError
from sansticket.events import ClaimSession
from sansticket.handshake.machine.flight import Flight
from sansticket.handshake.machine.state import Asking
from sansticket.handshake.server import search
from sansticket.handshake.server.reuse import CANNOT_TELL, not_claimed, spent_by
from sansticket.handshake.server.rules import After, Candidate
from sansticket.tickets.records import Check
from sansticket.tickets.stores.spent import SpentSession
from sansticket.values import value

CLAIMED: Final = Check("single use", True)


def claim(candidate: Candidate[After], flight: Flight) -> After:
    """It was admitted."""
    spent, ask = spent_by(candidate, flight), candidate.rules.questions().claim_session
    if ask is not None and ClaimSession in candidate.rules.config.answers:
        return ask(candidate, spent)
    return claimed(candidate, spent, flight, taken=False)


@value
class AskClaimSession(Asking, Generic[After]):
    """Each session is for one connection, and this client is its own: has it not been used before?"""

    QUESTION = ClaimSession

    candidate: Candidate[After]
    spent: SpentSession

    def question(self) -> ClaimSession:
        return ClaimSession(self.candidate.session, self.spent)

    def default_answer(self, now: float) -> SessionClaimed:
        return SessionClaimed()

    def on_session_claimed(self, command: SessionClaimed, flight: Flight) -> After:
        if failed := search.no_more(self.candidate, flight.now):
            return search.settle(self.candidate, failed, flight=flight)
        taken = ClaimSession in self.candidate.rules.config.answers
        return claimed(self.candidate, self.spent, flight, taken=taken)

    def on_session_not_claimed(self, command: SessionNotClaimed, flight: Flight) -> After:
        spent, asked = command.spent, self.spent.session_id
        if spent is not None and spent.session_id != asked:
            raise LocalProtocolError(
                f"SessionNotClaimed has what is left of {spent.session_id.hex()}; expected {asked.hex()}"
            )
        candidate, check = not_claimed(self.candidate, spent, flight)
        return search.settle(candidate, check, flight=flight)


def claimed(candidate: Candidate[After], spent: SpentSession, flight: Flight, *, taken: bool) -> After:
    """The cache has to agree.  ``taken``: an external store has given the session to this connection alone."""
    cache = candidate.rules.config.session_cache
    if cache is not None:
        if not cache.claim(candidate.session, flight.now, taken=taken):
            if not cache.was_claimed(spent.session_id):
                return search.settle(candidate, CANNOT_TELL, flight=flight)
            candidate, check = not_claimed(candidate, cache.spent(spent.session_id), flight)
            return search.settle(candidate, check, flight=flight)
        cache.note_use(spent)
    return search.used(evolve(candidate, checks=(*candidate.checks, CLAIMED)), flight)
