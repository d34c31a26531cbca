"""``AdmitSession``: the application's last word on a resumption, in both versions, however the session was found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest
from attrs import evolve

from sansticket.accounts.reasons import reason_of
from sansticket.codes import AlertDescription, ProtocolVersion
from sansticket.commands import (
    AbortHandshake,
    Close,
    Command,
    ProvideSession,
    SealTicket,
    SessionAdmitted,
    SessionClaimed,
    SessionRefused,
)
from sansticket.config.choices import ASK, ClientAuthentication
from sansticket.config.server import ServerConfig
from sansticket.errors import Reason
from sansticket.events import (
    AdmitSession,
    ClaimSession,
    HandshakeCompleted,
    LookUpSession,
    PrepareTicket,
    Question,
    TicketIssued,
)
from sansticket.tickets.decision import FoundBy
from sansticket.tickets.records import Check
from sansticket.tickets.session import Session
from sansticket.tickets.stores.cache import SessionCache
from sansticket.tickets.stores.revocations import Revocations
from sansticket.tickets.stores.uses import ReusePolicy, TicketUses
from tests.support.credentials import anchors, client_credential
from tests.support.hostile_client import HostileClient
from tests.support.pair import ConnectionPair
from tests.support.resumption import World, checks, ending, failed_checks, outcome, received, record, resumed

VERSIONS: Final = {"1.3": (ProtocolVersion.TLS_1_3,), "1.2": (ProtocolVersion.TLS_1_2,)}
Configs = tuple[World, dict[str, Any], dict[str, Any]]


@pytest.fixture(params=VERSIONS)
def versions(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {"versions": VERSIONS[request.param]}


def by_ticket(world: World, **changes: Any) -> ServerConfig:
    return world.server(**changes)


def by_cache(world: World, **changes: Any) -> ServerConfig:
    return world.stateful(**changes)


def by_hook(world: World, **changes: Any) -> ServerConfig:
    """A store behind the cache."""
    sessions: dict[bytes, Session] = {}

    def new(session: Session) -> bool:
        sessions[session.session_id] = session
        return False

    return world.stateful(session_cache=SessionCache(on_new=new, on_get=sessions.get), **changes)


def by_store(world: World, **changes: Any) -> ServerConfig:
    return world.stateful(
        **{
            **changes,
            "session_cache": None,
            "answers": {LookUpSession: ASK, **changes.get("answers", {})},
        }
    )


WAYS: Final[dict[Callable[..., ServerConfig], FoundBy]] = {
    by_ticket: FoundBy.TICKET,
    by_cache: FoundBy.CACHE,
    by_hook: FoundBy.CACHE,
    by_store: FoundBy.STORE,
}


@pytest.fixture(params=WAYS, ids=lambda way: way.__name__)
def way(request: pytest.FixtureRequest) -> Callable[..., ServerConfig]:
    make: Callable[..., ServerConfig] = request.param
    return make


class Doorkeeper:
    """Answers, and remembers what it was asked."""

    def __init__(self, answer: Command) -> None:
        self.answer = answer
        self.asked: list[AdmitSession] = []

    def __call__(self, question: AdmitSession) -> Command:
        self.asked.append(question)
        return self.answer


def twice(
    world: World, config: ServerConfig, versions: dict[str, Any], *, later: ServerConfig | None = None
) -> ConnectionPair:
    """A full handshake, and another connection with its session; a store elsewhere gives what it was given."""
    client = world.client(**versions)
    first = world.connect(config, client=client)
    (session, *_), issued = received(first), first.events("server", TicketIssued)
    first.send("client", Close())
    first.send("server", Close())
    pair = world.connect(later or config, session, client=client)
    if isinstance(pair.server.pending, LookUpSession):
        pair.send("server", ProvideSession(issued[0].session))
    return pair


def test_it_is_asked_once_whatever_the_way(
    world: World, way: Callable[..., ServerConfig], versions: dict[str, Any]
) -> None:
    doorkeeper = Doorkeeper(SessionAdmitted())
    pair = twice(world, way(world, answers={AdmitSession: doorkeeper}, **versions), versions)
    assert resumed(pair)
    (question,) = doorkeeper.asked
    assert question.how is WAYS[way]
    assert question.session == pair.event("server", HandshakeCompleted).session
    assert failed_checks(pair) == []


def test_a_refusal_is_a_full_handshake_with_new_tickets(
    world: World, way: Callable[..., ServerConfig], versions: dict[str, Any]
) -> None:
    doorkeeper = Doorkeeper(SessionRefused("logged out"))
    config = way(world, answers={AdmitSession: doorkeeper}, **versions)
    pair = twice(world, config, versions)
    assert not resumed(pair)
    assert received(pair) != []
    assert len(doorkeeper.asked) == 1
    assert checks(pair)[-1] == Check("admission", False, "logged out")
    assert record(pair).winner is None
    if config.session_cache is not None and way is by_cache:
        assert doorkeeper.asked[0].session.session_id in config.session_cache, "nothing was used up"


def test_a_refusal_without_words(world: World) -> None:
    config = world.server(answers={AdmitSession: lambda _: SessionRefused()})
    pair = world.connect(config, world.session(config))
    assert checks(pair)[-1] == Check("admission", False, "refused")


def test_a_question_that_waits(
    world: World, way: Callable[..., ServerConfig], versions: dict[str, Any]
) -> None:
    config = way(world, answers={AdmitSession: ASK}, **versions)
    for answer, expected in ((SessionAdmitted(), True), (SessionRefused(), False)):
        pair = twice(world, config, versions)
        assert isinstance(pair.server.pending, AdmitSession)
        assert pair.server.state.endswith("AskAdmitSession")
        pair.send("server", answer)
        assert resumed(pair) == expected


MEANWHILE: Final = ("expiry", "revocation", "family", "nothing")


def answered_later(
    world: World,
    way: Callable[..., ServerConfig],
    versions: dict[str, Any],
    answer: Command,
    meanwhile: str,
    **changes: Any,
) -> None:
    """What was true when the question was asked may be so no more when the answer comes."""
    revocations, uses = Revocations(), TicketUses(policy=ReusePolicy.END_FAMILY)
    tables = {"revocations": revocations, "ticket_uses": uses, "ticket_lifetime": 100}
    pair = twice(world, way(world, **tables, **changes, **versions), versions)
    question = pair.server.pending
    assert isinstance(question, AdmitSession | ClaimSession)
    family = question.session.family
    world.clock.forward(100 if meanwhile == "expiry" else 99)
    if meanwhile == "revocation":
        revocations.revoke_family(family, world.clock())
    elif meanwhile == "family":
        uses.end_family(family, world.clock(), world.clock() + 100)
    pair.send("server", answer)
    goes_on = meanwhile == "nothing"
    assert resumed(pair) == goes_on
    assert failed_checks(pair) == ([] if goes_on else [meanwhile])
    assert reason_of(record(pair)) == ("" if goes_on else meanwhile)


@pytest.mark.parametrize("meanwhile", MEANWHILE)
def test_a_session_that_ends_while_the_application_thinks(
    world: World, way: Callable[..., ServerConfig], versions: dict[str, Any], meanwhile: str
) -> None:
    answered_later(world, way, versions, SessionAdmitted(), meanwhile, answers={AdmitSession: ASK})


@pytest.mark.parametrize("meanwhile", MEANWHILE)
@pytest.mark.parametrize("way", [by_cache, by_hook, by_store])
@pytest.mark.parametrize("question", [AdmitSession, ClaimSession])
def test_a_session_for_single_use_that_ends_while_somebody_is_asked(
    world: World, way: Callable[..., ServerConfig], question: type[Question], meanwhile: str
) -> None:
    """That it is given to nobody any more is no sign that it was used before."""
    answers: dict[type[Question], Any] = {ClaimSession: lambda _: SessionClaimed(), question: ASK}
    answer = SessionAdmitted() if question is AdmitSession else SessionClaimed()
    single = {"single_use_tickets": True, "answers": answers}
    answered_later(world, way, {"versions": VERSIONS["1.3"]}, answer, meanwhile, **single)


def test_the_end(world: World, way: Callable[..., ServerConfig], versions: dict[str, Any]) -> None:
    answer = AbortHandshake(AlertDescription.ACCESS_DENIED)
    pair = twice(world, way(world, answers={AdmitSession: lambda _: answer}, **versions), versions)
    assert ending(pair).reason is Reason.ABORTED_BY_APPLICATION
    assert ending(pair, "client").alert == AlertDescription.ACCESS_DENIED


def test_it_is_not_asked_about_a_session_that_fails_a_check(
    world: World, way: Callable[..., ServerConfig], versions: dict[str, Any]
) -> None:
    doorkeeper = Doorkeeper(SessionAdmitted())
    config = way(world, answers={AdmitSession: doorkeeper}, **versions)
    other = evolve(config, session_id_context=b"another")
    assert not resumed(twice(world, config, versions, later=other))
    assert doorkeeper.asked == []


def test_it_is_not_asked_where_nothing_is_shown(world: World, versions: dict[str, Any]) -> None:
    doorkeeper = Doorkeeper(SessionAdmitted())
    config = world.server(answers={AdmitSession: doorkeeper}, **versions)
    assert not resumed(world.connect(config, client=world.client(**versions)))
    assert doorkeeper.asked == []


def test_it_is_not_asked_before_the_client_proved_that_the_session_is_its_own(world: World) -> None:
    """A binder that does not verify ends the handshake: nobody learns from the answer what is in a ticket it saw."""
    doorkeeper = Doorkeeper(SessionAdmitted())
    config = world.server(answers={AdmitSession: doorkeeper})
    stolen = evolve(world.session(config), secret=bytes(32))
    HostileClient(config, sessions=(stolen,)).say_hello().assert_refused(Reason.BAD_BINDER)
    assert doorkeeper.asked == []


def test_it_is_asked_before_anything_is_used_up(world: World) -> None:
    """What was refused can come back; and what is admitted may have been used before."""
    asked: list[str] = []
    admits = [False, True, True]

    def admit(question: AdmitSession) -> Command:
        asked.append("admit")
        return SessionAdmitted() if admits.pop(0) else SessionRefused()

    def claim(question: ClaimSession) -> Command:
        asked.append("claim")
        return SessionClaimed()

    config = world.stateful(single_use_tickets=True, answers={AdmitSession: admit, ClaimSession: claim})
    session = world.session(config)
    assert [resumed(world.connect(config, session)) for _ in range(3)] == [False, True, False]
    assert asked == ["admit", "admit", "claim"]


def test_the_search_goes_on(world: World) -> None:
    """The second session that the client shows is another one's, and is welcome."""
    names = iter([b"first", b"second"])
    refused = [b"first"]

    def admit(question: AdmitSession) -> Command:
        return SessionRefused() if question.session.app_data in refused else SessionAdmitted()

    config = world.server(
        answers={PrepareTicket: lambda _: SealTicket(next(names, None)), AdmitSession: admit}
    )
    sessions = received(world.connect(config))
    pair = world.connect(config, sessions)
    assert outcome(pair) == (True, 1)
    assert record(pair).winner == 1
    assert failed_checks(pair) == ["admission"]
    refused.append(b"second")
    pair = world.connect(config, sessions)
    assert outcome(pair) == (False, 2)
    assert failed_checks(pair, 1) == ["admission"]


def test_the_stored_chain_is_there_to_be_judged(world: World, versions: dict[str, Any]) -> None:
    """Who verifies clients by itself hears of those who come back: a certificate that it has come to distrust."""
    certificates: list[tuple[bytes, ...]] = []

    def admit(question: AdmitSession) -> Command:
        certificates.append(question.session.peer_certificates)
        return SessionRefused("revoked")

    config = world.server(
        client_authentication=ClientAuthentication.REQUIRED,
        trust_anchors=anchors(),
        answers={AdmitSession: admit},
        **versions,
    )
    client = world.client(credentials=[client_credential()], **versions)
    (session, *_) = received(world.connect(config, client=client))
    pair = world.connect(config, session, client=client)
    assert not resumed(pair)
    assert certificates == [client_credential().chain]


@pytest.mark.parametrize("wrong", [None, True, b"bytes"])
def test_a_reason_that_is_none(wrong: Any) -> None:
    with pytest.raises(TypeError):
        SessionRefused(wrong)
