"""What applications answer to questions: yes in the way of the scenario, and no where it is a way to go on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from sansticket.commands import (
    AbortHandshake,
    AcceptEarlyData,
    Command,
    EarlyDataClaimed,
    EarlyDataNotClaimed,
    ProvidePsk,
    ProvideSession,
    RefuseEarlyData,
    RejectPeer,
    ResolveTicket,
    SealTicket,
    SessionClaimed,
    SessionNotClaimed,
    SessionRefused,
    TicketNotOpened,
    TicketOpened,
    TicketProtected,
)
from sansticket.events import (
    AdmitEarlyData,
    AdmitSession,
    ClaimEarlyData,
    ClaimSession,
    DecideTicket,
    LookUpPsk,
    LookUpSession,
    OpenTicket,
    PrepareTicket,
    ProtectTicket,
    Question,
    VerifyPeer,
)
from sansticket.handshake.machine.state import Asking
from sansticket.tickets.decision import TicketReturn
from tests.support.scenes import TIME
from tools.explore.world import Source

if TYPE_CHECKING:
    from tools.explore.setting import Setting
    from tools.explore.world import Node, Party


@frozen
class Given:
    """An answer; ``ends_it`` says that no connection can come of it, ``claims`` what it gives away for ever."""

    command: Command
    ends_it: bool = False
    claims: tuple[bytes, ...] = ()


def answers_of(setting: Setting, node: Node, party: Party) -> Iterator[Given]:
    """All that the application of this scenario might say."""
    question = party.question
    assert question is not None
    yes = _yes(setting, node, party, question)
    yield yes
    if setting.scenario.refuses:
        for no in _no(question, yes.command):
            if type(no) is not type(yes.command) or no != yes.command:
                yield Given(no, ends_it=isinstance(no, RejectPeer) or isinstance(question, LookUpPsk))
    if setting.scenario.aborts:
        yield Given(AbortHandshake(), ends_it=True)


def _yes(setting: Setting, node: Node, party: Party, question: Question) -> Given:
    keys = setting.keys
    match question:
        case OpenTicket():
            return Given(keys.open(question))
        case ProtectTicket():
            entropy = Source(f"tickets of the {party.name}, {len(party.sessions)}")
            return Given(TicketProtected(keys.ring.seal(question.plaintext, TIME, entropy)))
        case LookUpSession():
            return Given(keys.look_up(question))
        case LookUpPsk():
            return Given(keys.look_up_psk(question))
        case ClaimSession() if setting.scenario.scene.elsewhere == "store":
            name = question.session.session_id
            if name in node.claimed:
                return Given(SessionNotClaimed(question.spent))
            return Given(SessionClaimed(), claims=(name,))
        case ClaimEarlyData() if not setting.recorder:
            if question.key in node.claimed:
                return Given(EarlyDataNotClaimed())
            return Given(EarlyDataClaimed(), claims=(question.key,))
        case AdmitEarlyData():
            return Given(AcceptEarlyData())
    state = party.connection._engine.state
    assert isinstance(state, Asking)
    return Given(state.default_answer(TIME))


def _no(question: Question, yes: Command) -> Iterator[Command]:
    """Or yes, but."""
    match question:
        case OpenTicket():
            yield TicketNotOpened()
            if isinstance(yes, TicketOpened):
                yield evolve(yes, renew=True)
        case ProtectTicket():
            yield TicketProtected(None)
        case LookUpSession():
            yield ProvideSession(None)
        case LookUpPsk():
            yield ProvidePsk(None)
        case DecideTicket():
            yield ResolveTicket(TicketReturn.IGNORE)
            yield ResolveTicket(TicketReturn.IGNORE_RENEW)
            if question.session is not None:
                yield ResolveTicket(TicketReturn.USE_RENEW)
        case AdmitSession():
            yield SessionRefused("not today")
        case ClaimSession():
            yield SessionNotClaimed()
        case AdmitEarlyData():
            yield RefuseEarlyData("not today")
        case ClaimEarlyData():
            yield EarlyDataNotClaimed()
        case PrepareTicket():
            yield SealTicket(b"of the application")
        case VerifyPeer():
            yield RejectPeer()
