"""The ticket questions, answered in all three ways: by a function, by a command at once, and by one that comes later.

The three must be one thing: the same bytes in both directions, the same events, the same account.  And wrong answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from attrs import evolve

from sansticket.codes import AlertDescription
from sansticket.commands import (
    AbortHandshake,
    Close,
    Command,
    IssueTicket,
    ProvideSession,
    ResolveTicket,
    SealTicket,
    SendData,
    SessionNotClaimed,
    SessionRefused,
    TicketNotOpened,
    TicketOpened,
    TicketProtected,
)
from sansticket.config.choices import ASK
from sansticket.config.server import ServerConfig
from sansticket.errors import ConfigError, LocalProtocolError, Reason
from sansticket.events import (
    AdmitSession,
    ClaimSession,
    ConnectionTerminated,
    DecideTicket,
    Event,
    LookUpSession,
    OpenTicket,
    PrepareTicket,
    ProtectTicket,
    Question,
    TicketIssued,
)
from sansticket.tickets.decision import TicketReturn, TicketStatus
from sansticket.tickets.keys.ring import TicketKeyRing
from sansticket.tickets.session import Session
from tests.support.noting import what_it_says
from tests.support.pair import ConnectionPair
from tests.support.resumption import (
    World,
    checks,
    ending,
    kinds,
    outcome,
    received,
    record,
    records_of,
    resumed,
)
from tests.support.sessions import repeatable_entropy

Function = Callable[[Any], Command]


class Service:
    """Ticket keys and a session store that are elsewhere: what the functions and the commands have in common."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.entropy = repeatable_entropy(1)
        self.ring = TicketKeyRing.generate(world.clock(), self.entropy)
        self.sessions: dict[bytes, Session] = {}

    def open(self, question: OpenTicket) -> TicketOpened | TicketNotOpened:
        opened = self.ring.open(question.ticket, self.world.clock())
        if opened.plaintext is None:
            return TicketNotOpened(opened.key_name)
        return TicketOpened(opened.plaintext, opened.key_name)

    def protect(self, question: ProtectTicket) -> TicketProtected:
        return TicketProtected(self.ring.seal(question.plaintext, self.world.clock(), self.entropy))

    def look_up(self, question: LookUpSession) -> ProvideSession:
        return ProvideSession(self.sessions.get(question.session_id))


def decide(question: DecideTicket) -> ResolveTicket:
    if question.session is not None and question.session.app_data == b"no more":
        return ResolveTicket(TicketReturn.IGNORE_RENEW)
    return ResolveTicket(TicketReturn.USE_RENEW if question.status.decrypted else TicketReturn.IGNORE_RENEW)


def prepare(question: PrepareTicket) -> SealTicket:
    return SealTicket(b"ticket %d" % question.ordinal)


STORIES: Final = {
    "remote keys": lambda service: {
        OpenTicket: service.open,
        ProtectTicket: service.protect,
        DecideTicket: decide,
        PrepareTicket: prepare,
    },
    "own keys": lambda service: {DecideTicket: decide, PrepareTicket: prepare},
    "external store": lambda service: {LookUpSession: service.look_up, PrepareTicket: prepare},
}

WAYS: Final = ("function", "at once", "later")


def tell(story: str, way: str) -> list[tuple[Any, ...]]:
    """A full handshake, a resumption, and an altered ticket, each with data and with tickets on request; everything
    that can be seen of it."""
    world = World()
    service = Service(world)
    functions: dict[type[Question], Function] = STORIES[story](service)
    config = world.server(
        entropy=repeatable_entropy(2),
        ticket_keys=service.ring if story == "own keys" else None,
        answers=functions if way == "function" else dict.fromkeys(functions, ASK),
    )
    client = world.client(entropy=repeatable_entropy(3))
    told: list[tuple[Any, ...]] = []
    session: Session | None = None
    for number in range(3):
        if session is not None and number == 2:
            session = evolve(session, ticket=session.ticket[:-1])
        pair = ConnectionPair(client, config, session=session)
        said = what_it_says(pair.server)
        speak(pair, functions, late=way == "later")
        for event in pair.events("server", TicketIssued):
            service.sessions[event.session.session_id] = event.session
        told.append((said, *seen_of(pair)))
        session = received(pair)[0]
    return told


def speak(pair: ConnectionPair, functions: dict[type[Question], Function], *, late: bool) -> None:
    """``late``: the client's data comes in while the first ticket waits for an answer; otherwise with the Finished."""
    pair.carry("client")
    answer(pair, functions)
    pair.carry("server")
    pair.client.send(SendData(b"meanwhile"))
    sent = pair.client.data_to_send()
    pair.wire.append(("client", sent))
    *before, data = records_of(sent)
    for piece in (b"".join(before), data) if late else (sent,):
        pair.deliver("server", piece)
    assert (pair.data("server") == b"") == (pair.server.pending is not None)
    answer(pair, functions)
    assert pair.data("server") == b"meanwhile"
    pair.send("server", IssueTicket(2), pump=False)
    pair.send("server", SendData(b"with tickets"), pump=False)
    answer(pair, functions)
    pair.pump()
    assert pair.data("client") == b"with tickets"


def answer(pair: ConnectionPair, functions: dict[type[Question], Function]) -> None:
    while (question := pair.server.pending) is not None:
        assert pair.server_events[-1] == question
        pair.send("server", functions[type(question)](question), pump=False)


def seen_of(pair: ConnectionPair) -> tuple[Any, ...]:
    events = [event for event in pair.server_events if not isinstance(event, Question)]
    wire = b"".join(data for sender, data in pair.wire if sender == "client")
    return wire, events, pair.client_events, str(record(pair))


@pytest.mark.parametrize("story", STORIES)
def test_three_ways_of_answering_are_one(story: str) -> None:
    by_function, at_once, later = (tell(story, way) for way in WAYS)
    assert by_function == at_once == later
    records = [told[-1] for told in by_function]
    assert [text.partition(",")[0] for text in records] == [
        "full handshake",
        "resumed identity 0",
        "full handshake",
    ]
    assert [kinds(told[2]).count("TicketIssued") for told in by_function] == [4, 3, 4]


# --- OpenTicket and ProtectTicket ----------------------------------------------------------------------------


def remote(world: World, service: Service | None = None, **changes: Any) -> ServerConfig:
    service = service or Service(world)
    functions: dict[type[Question], Any] = {OpenTicket: service.open, ProtectTicket: service.protect}
    return world.server(answers={**functions, **changes.pop("answers", {})}, **changes)


def test_no_ring_is_made_where_the_keys_are_elsewhere(world: World) -> None:
    assert remote(world).ticket_keys is None
    assert outcome(world.connect(remote(world))) == (False, 2)


def test_keys_here_and_elsewhere(world: World) -> None:
    ring = TicketKeyRing.generate(world.clock(), repeatable_entropy(1))
    with pytest.raises(ConfigError, match="ticket_keys: given, but OpenTicket is answered too"):
        remote(world, ticket_keys=ring)


@pytest.mark.parametrize("question", [OpenTicket, ProtectTicket])
def test_one_without_the_other(world: World, question: type[Question]) -> None:
    with pytest.raises(ConfigError, match="need each other"):
        world.server(answers={question: ASK})


@pytest.mark.parametrize(
    ("renew", "status", "expected"),
    [
        (None, TicketStatus.SUCCESS_RENEW, (True, 1)),
        (True, TicketStatus.SUCCESS_RENEW, (True, 1)),
        (False, TicketStatus.SUCCESS, (True, 0)),
    ],
)
def test_what_the_key_service_reports(
    world: World, renew: bool | None, status: TicketStatus, expected: tuple[bool, int]
) -> None:
    service = Service(world)
    session = world.session(remote(world, service))

    def opened(question: OpenTicket) -> TicketOpened:
        honest = service.open(question)
        assert isinstance(honest, TicketOpened)
        return TicketOpened(honest.plaintext, b"a name of mine", renew)

    pair = world.connect(remote(world, service, answers={OpenTicket: opened}), session)
    assert outcome(pair) == expected
    (identity,) = record(pair).identities
    assert (identity.status, identity.key_name) == (status, b"a name of mine")


@pytest.mark.parametrize("named", [b"", b"some key"])
def test_what_does_not_open(world: World, named: bytes) -> None:
    service = Service(world)
    session = world.session(remote(world, service))
    config = remote(world, service, answers={OpenTicket: lambda question: TicketNotOpened(named)})
    pair = world.connect(config, session)
    assert outcome(pair) == (False, 2)
    (identity,) = record(pair).identities
    assert (identity.status, identity.key_name) == (TicketStatus.NO_DECRYPT, named or session.ticket[:16])


@pytest.mark.parametrize("plaintext", [b"", b"garbage", bytes(500)])
def test_what_opens_to_no_session(world: World, plaintext: bytes) -> None:
    service = Service(world)
    session = world.session(remote(world, service))
    config = remote(world, service, answers={OpenTicket: lambda question: TicketOpened(plaintext)})
    pair = world.connect(config, session)
    assert outcome(pair) == (False, 2)
    assert record(pair).identities[0].status is TicketStatus.NO_DECRYPT


def test_each_identity_is_a_question(world: World) -> None:
    service = Service(world)
    asked: list[tuple[int, bytes]] = []

    def note(question: OpenTicket) -> TicketNotOpened:
        asked.append((question.index, question.ticket))
        return TicketNotOpened()

    sessions = received(world.connect(remote(world, service)))
    pair = world.connect(remote(world, service, answers={OpenTicket: note}), sessions)
    assert outcome(pair) == (False, 2)
    assert asked == [(index, session.ticket) for index, session in enumerate(sessions)]


def test_a_ticket_that_was_not_protected_is_not_sent(world: World) -> None:
    service = Service(world)
    answers = iter([None, b"a ticket", None])

    def protect(question: ProtectTicket) -> TicketProtected:
        return TicketProtected(next(answers))

    pair = world.connect(remote(world, service, num_tickets=3, answers={ProtectTicket: protect}))
    assert [session.ticket for session in received(pair)] == [b"a ticket"]
    assert pair.event("server", TicketIssued).ordinal == 0, "nonces have no gaps"
    pair.send("client", SendData(b"on"))
    assert pair.data("server") == b"on"


@pytest.mark.parametrize("size", [0, 57_345])
def test_a_ticket_of_an_impossible_size(world: World, size: int) -> None:
    pair = world.connect(remote(world, answers={ProtectTicket: ASK}))
    for _ in range(2):
        with pytest.raises(LocalProtocolError, match=f"a ticket of {size} bytes; expected 1 to 57344"):
            pair.server.send(TicketProtected(bytes(size)))
        pair.send("server", TicketProtected(bytes(57_344)))
    assert [len(session.ticket) for session in received(pair)] == [57_344, 57_344]


@pytest.mark.parametrize(
    "make",
    [
        lambda: TicketOpened("text"),
        lambda: TicketProtected("text"),
        lambda: ProvideSession(b"bytes"),
        lambda: ResolveTicket(3),
        lambda: ResolveTicket(None),
    ],
)
def test_answers_of_the_wrong_kind(make: Callable[[], Command]) -> None:
    with pytest.raises(TypeError):
        make()


# --- wrong answers -------------------------------------------------------------------------------------------

QUESTIONS: Final[dict[type[Question], Command]] = {
    OpenTicket: TicketNotOpened(),
    DecideTicket: ResolveTicket(TicketReturn.IGNORE_RENEW),
    LookUpSession: ProvideSession(None),
    AdmitSession: SessionRefused(),
    ClaimSession: SessionNotClaimed(),
    PrepareTicket: SealTicket(),
    ProtectTicket: TicketProtected(b"ticket"),
}
"""The ticket questions, and an answer to each that lets the handshake go on."""


def asking(question: type[Question]) -> Iterator[ConnectionPair]:
    """A connection in which this question is open."""
    world = World()
    if question is LookUpSession:
        config, first = world.stateful(answers={LookUpSession: ASK}), world.stateful()
    elif question is ClaimSession:
        config = world.stateful(answers={ClaimSession: ASK}, single_use_tickets=True)
        first = evolve(config, answers={})
    elif question in (OpenTicket, ProtectTicket):
        service = Service(world)
        config, first = remote(world, service, answers={question: ASK}), remote(world, service)
    else:
        config = world.server(answers={question: ASK})
        first = evolve(config, answers={})
    pair = world.connect(config, world.session(first))
    while question in (PrepareTicket, ProtectTicket) and pair.server.pending is None:
        pair.send("server", IssueTicket())
    assert isinstance(pair.server.pending, question)
    yield pair


@pytest.fixture(params=list(QUESTIONS), ids=lambda question: question.__name__)
def asked(request: pytest.FixtureRequest) -> Iterator[ConnectionPair]:
    yield from asking(request.param)


def test_other_answers_change_nothing(asked: ConnectionPair) -> None:
    question = asked.server.pending
    for answered, command in QUESTIONS.items():
        if not isinstance(question, answered):
            with pytest.raises(LocalProtocolError, match=rf"{type(command).__name__} in (tls13\.)?Ask"):
                asked.server.send(command)
    for command in (SendData(b"x"), IssueTicket()):
        with pytest.raises(LocalProtocolError, match=r"in (tls13\.)?Ask"):
            asked.server.send(command)
    assert asked.server.pending is question
    finish(asked)


def finish(pair: ConnectionPair) -> None:
    """The honest answers, and the connection is up."""
    while pair.server.pending is not None:
        pair.send("server", QUESTIONS[type(pair.server.pending)])
    pair.send("client", SendData(b"all is well"))
    assert pair.data("server") == b"all is well"


def test_an_answer_to_no_question(world: World) -> None:
    pair = world.connect(world.server())
    for command in (*QUESTIONS.values(), AbortHandshake()):
        with pytest.raises(LocalProtocolError, match=r"in tls13\.ServerConnected"):
            pair.server.send(command)
    pair.send("client", SendData(b"all is well"))
    assert pair.data("server") == b"all is well"


@pytest.mark.parametrize("alert", [AlertDescription.INTERNAL_ERROR, AlertDescription.ACCESS_DENIED])
def test_every_question_can_be_answered_with_the_end(asked: ConnectionPair, alert: AlertDescription) -> None:
    asked.send("server", AbortHandshake(alert))
    assert ending(asked).reason is Reason.ABORTED_BY_APPLICATION
    assert ending(asked, "client").alert == alert


@pytest.mark.parametrize("status", ["NO_DECRYPT", "SUCCESS_RENEW"])
@pytest.mark.parametrize("answered", list(TicketReturn))
def test_use_of_what_did_not_open(world: World, answered: TicketReturn, status: str) -> None:
    """Refused to who commands it, the end when a function says it (DESIGN of the questions)."""
    config = world.server()
    session = world.session(config)
    if status == "NO_DECRYPT":
        session = evolve(session, ticket=session.ticket[:-1])
    wrong = status == "NO_DECRYPT" and answered.uses
    pair = world.connect(evolve(config, answers={DecideTicket: ASK}), session)
    if wrong:
        with pytest.raises(LocalProtocolError, match="expected IGNORE_RENEW, IGNORE or ABORT"):
            pair.server.send(ResolveTicket(answered))
        assert isinstance(pair.server.pending, DecideTicket)
        pair.send("server", ResolveTicket(TicketReturn.IGNORE_RENEW))
        assert outcome(pair) == (False, 2)
    by_function = evolve(config, answers={DecideTicket: lambda question: ResolveTicket(answered)})
    pair = world.connect(by_function, session)
    if wrong:
        assert ending(pair).reason is Reason.ANSWER_FAILED
        assert isinstance(ending(pair).cause, LocalProtocolError)
        assert ending(pair, "client").alert == AlertDescription.INTERNAL_ERROR
    elif answered is TicketReturn.ABORT:
        assert ending(pair).reason is Reason.TICKET_ABORTED
        assert ending(pair, "client").alert == AlertDescription.INTERNAL_ERROR
    else:
        assert resumed(pair) == answered.uses


def test_abort_with_an_alert_of_its_own(world: World) -> None:
    config = world.server()
    session = world.session(config)
    answer = ResolveTicket(TicketReturn.ABORT, alert=AlertDescription.ACCESS_DENIED)
    pair = world.connect(evolve(config, answers={DecideTicket: lambda question: answer}), session)
    assert ending(pair).reason is Reason.TICKET_ABORTED
    assert ending(pair, "client").alert == AlertDescription.ACCESS_DENIED


class Trouble(Exception):
    """What the application's own code raised."""


def trouble(question: Question) -> Command:
    raise Trouble(type(question).__name__)


@pytest.mark.parametrize("question", list(QUESTIONS), ids=lambda question: question.__name__)
@pytest.mark.parametrize("wrong", [trouble, lambda question: None, lambda question: SendData(b"")])
def test_a_function_that_fails(world: World, question: type[Question], wrong: Any) -> None:
    """It raises, gives nothing, or gives what is no answer: internal_error, and the caller gets the cause."""
    service = Service(world)
    if question is LookUpSession:
        first, config = world.stateful(), world.stateful(answers={question: wrong})
    elif question is ClaimSession:
        first = world.stateful(single_use_tickets=True)
        config = evolve(first, answers={question: wrong})
    elif question in (OpenTicket, ProtectTicket):
        first, config = remote(world, service), remote(world, service, answers={question: wrong})
    elif question is AdmitSession:
        first = world.server()
        config = evolve(first, answers={question: wrong})
    else:
        first, config = world.server(), world.server(answers={question: wrong})
    pair = world.connect(config, world.session(first))
    if question is LookUpSession and wrong is trouble:
        # A store that is down costs a full handshake: nothing was used up, and the record says what happened.
        assert not resumed(pair)
        assert [str(check) for check in checks(pair)] == ["found FAILED (the look-up failed: Trouble)"]
        return
    end = ending(pair)
    assert (end.reason, end.alert) == (Reason.ANSWER_FAILED, AlertDescription.INTERNAL_ERROR)
    assert isinstance(end.cause, Trouble if wrong is trouble else LocalProtocolError)
    assert end.detail.startswith(question.__name__)
    assert ending(pair, "client").alert == AlertDescription.INTERNAL_ERROR


# --- a question that is never answered -----------------------------------------------------------------------


def test_what_comes_in_meanwhile_is_bounded(asked: ConnectionPair) -> None:
    if asked.client.version is None:
        junk = b"\x16\x03\x03\x40\x00" + bytes(0x4000)
    else:
        asked.client.send(SendData(bytes(0x4000)))
        junk = asked.client.data_to_send()
    limit, events = asked.server._engine.config.max_buffered, list[Event]()
    for _ in range(limit // len(junk)):
        events += asked.server.receive_data(junk)
    assert events == []
    end = asked.server.receive_data(junk)[-1]
    assert isinstance(end, ConnectionTerminated)
    assert end.reason is Reason.TOO_MUCH_BUFFERED


def test_it_can_be_closed_while_a_question_is_open(asked: ConnectionPair) -> None:
    (end,) = asked.send("server", Close(at_once=True))
    assert isinstance(end, ConnectionTerminated)
    assert end.reason is Reason.CANCELED
    assert asked.server.pending is None
    with pytest.raises(LocalProtocolError, match="expected nothing more"):
        asked.server.send(SealTicket())


def test_the_end_of_the_stream_waits_for_the_answer(asked: ConnectionPair) -> None:
    assert asked.deliver("server", b"") == []
    while asked.server.pending is not None:
        asked.send("server", QUESTIONS[type(asked.server.pending)], pump=False)
    assert ending(asked).reason is Reason.TRUNCATED
