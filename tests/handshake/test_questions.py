"""Questions: answered by a function, by a command at once or by one that comes later, they are one and the same.

All questions of all scenes are tried, in both versions.  What the ticket questions mean is tested in
``tests/resumption``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Literal

import pytest

from sansticket.codes import AlertDescription, AlertLevel
from sansticket.commands import (
    AbortHandshake,
    AcceptPeer,
    Close,
    Command,
    FlushTickets,
    ProvideSignature,
    RejectPeer,
    RequestClientCertificate,
    ResolveTicket,
    SendData,
    TicketNotOpened,
)
from sansticket.config.choices import ASK
from sansticket.connection.connection import Connection
from sansticket.errors import ALERTS, Fault, LocalProtocolError, Reason
from sansticket.events import (
    AdmitEarlyData,
    AdmitSession,
    ClaimEarlyData,
    ClaimSession,
    ConnectionTerminated,
    DataReceived,
    DecideTicket,
    EarlyDataReceived,
    Event,
    HandshakeCompleted,
    LookUpPsk,
    LookUpSession,
    OpenTicket,
    PrepareTicket,
    ProtectTicket,
    Question,
    SelectConfig,
    Sign,
    TicketIssued,
    VerifyPeer,
)
from sansticket.handshake.machine.state import Asking
from sansticket.keys.tls13 import finished_mac
from sansticket.tickets.decision import TicketReturn
from sansticket.tickets.early_data import EarlyDataStatus
from sansticket.wire.extensions.certificate import PostHandshakeAuth
from sansticket.wire.messages.alert import Alert
from sansticket.wire.messages.tls13 import CertificateRequest, Finished
from tests.support.credentials import anchors
from tests.support.hostile import APPLICATION_DATA, held_bytes
from tests.support.hostile_client import HostileClient, quick_server, session_from
from tests.support.hostile_server import HostileServer, certificate_of, quick_client
from tests.support.noting import Said, what_it_says
from tests.support.pair import Side, every, whole
from tests.support.refusals import ends, refused
from tests.support.scenes import SCENES, TIME, Keys, Scene, named, with_the_hello, without_cuts
from tests.support.state_samples import all_states, records, samples_of

Way = Literal["function", "at once", "later"]
SIDES: Final[tuple[Side, Side]] = ("client", "server")
KINDS: Final = (
    SelectConfig,
    OpenTicket,
    DecideTicket,
    LookUpPsk,
    LookUpSession,
    AdmitSession,
    AdmitEarlyData,
    ClaimSession,
    ClaimEarlyData,
    PrepareTicket,
    ProtectTicket,
    Sign,
    VerifyPeer,
)


def answer_to(question: Question, connection: Connection, keys: Keys) -> Command:
    """What the scene answers: its keys and its store, and otherwise the default."""
    if isinstance(question, OpenTicket):
        return keys.open(question)
    if isinstance(question, ProtectTicket):
        return keys.protect(question)
    if isinstance(question, LookUpSession):
        return keys.look_up(question)
    if isinstance(question, ClaimSession):
        return keys.claim(question)
    if isinstance(question, LookUpPsk):
        return keys.look_up_psk(question)
    assert isinstance(connection._engine.state, Asking)
    return connection._engine.state.default_answer(TIME)


AWAY: Final[dict[str, tuple[type[Question], ...]]] = {
    "": (),
    "keys": (OpenTicket, ProtectTicket),
    "store": (LookUpSession, ClaimSession),
    "psks": (LookUpPsk,),
}
"""The questions that a scene needs, whose tickets are looked after elsewhere."""


def kinds_in(scene: Scene) -> tuple[type[Question], ...]:
    """The questions that can be asked in a scene without making it another one."""
    return tuple(
        kind
        for kind in KINDS
        if not any(kind in away for away in AWAY.values()) or kind in AWAY[scene.elsewhere]
    )


class Play:
    """A scene in which one side asks some questions; ``heard`` are the events that bytes or answers brought."""

    def __init__(
        self,
        scene: Scene,
        asker: Side,
        how: Callable[[type[Question]], Any],
        answer: Callable[[Question, Connection, Keys], Command] = answer_to,
        kinds: tuple[type[Question], ...] | None = None,
    ) -> None:
        self.scene, self.asker, self.answer = scene, asker, answer
        answers = {kind: how(kind) for kind in (kinds_in(scene) if kinds is None else kinds)}
        self.stage = scene.open(*((answers, {}) if asker == "client" else ({}, answers)))
        self.sides: dict[Side, Connection] = {"client": self.stage.client, "server": self.stage.server}
        self.heard: dict[Side, list[Event]] = {"client": [], "server": []}
        self.events: dict[Side, list[Event]] = {"client": [], "server": []}
        self.said: dict[Side, Said] = {}
        for side, connection in self.sides.items():
            self.said[side] = what_it_says(connection)
        self.asked: list[Question] = []
        self.most_held = 0

    def perform(self, way: Way) -> Play:
        """``later``: an answer comes when everything else has come to a halt, or before the asker's own next step."""
        early, talk = with_the_hello(self.scene.talk)
        for side, command in early:
            self.events[side] += self.sides[side].send(command)
        self.carry(way)
        for side, command in talk:
            if way == "later" and side == self.asker:
                self.answer_all(way)
            if self.sides[side].state == "Ended":
                break
            self.events[side] += self.sides[side].send(command)
            self.carry(way)
        self.answer_all(way)
        return self

    def carry(self, way: Way) -> None:
        """Bytes are carried until both sides are silent.  Where answers come late they are in small pieces."""
        cut = every(100) if way == "later" else whole
        moved = True
        while moved:
            moved = False
            for sender, receiver in ((SIDES[0], SIDES[1]), (SIDES[1], SIDES[0])):
                data = self.sides[sender].data_to_send()
                for piece in cut(data) if data else ():
                    self.hear(receiver, self.sides[receiver].receive_data(piece))
                    self.most_held = max(self.most_held, held_bytes(self.sides[self.asker]))
                    moved = True
                if way == "at once":
                    self.answer_all(way)
            if not moved and way != "function" and self.needed():
                self.answer_one()
                moved = True

    def needed(self) -> bool:
        """The handshake waits for the answer: nothing else can happen."""
        connection = self.sides[self.asker]
        return connection.pending is not None and connection.cipher_suite is None

    def answer_all(self, way: Way) -> None:
        while self.sides[self.asker].pending is not None:
            self.answer_one()
            if way == "later":
                self.carry(way)

    def answer_one(self) -> None:
        connection = self.sides[self.asker]
        question = connection.pending
        assert question is not None
        assert self.heard[self.asker][-1:] == [question] or self.events[self.asker][-1:] == [question]
        self.hear(self.asker, connection.send(self.answer(question, connection, self.stage.keys)))

    def hear(self, side: Side, events: list[Event]) -> None:
        self.heard[side] += events
        self.events[side] += events

    def seen(self) -> tuple[Any, ...]:
        """Everything but the questions: what both sides said, the asker's events, what the other side heard."""
        other: Side = "server" if self.asker == "client" else "client"
        own = [event for event in self.events[self.asker] if not isinstance(event, Question)]
        return self.said, without_cuts(own), without_cuts(self.heard[other]), self.sides[self.asker].state


def play(scene: Scene, asker: Side, way: Way, **named_: Any) -> Play:
    if way != "function":
        return Play(scene, asker, lambda kind: ASK, **named_).perform(way)
    made: list[Play] = []

    def answer(question: Question) -> Command:
        made[0].asked.append(question)
        return made[0].answer(question, made[0].sides[asker], made[0].stage.keys)

    made.append(Play(scene, asker, lambda kind: answer, **named_))
    return made[0].perform("function")


# --- three ways --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
@pytest.mark.parametrize("asker", SIDES)
def test_three_ways_of_answering_are_one(scene: Scene, asker: Side) -> None:
    by_function, at_once, later = (play(scene, asker, way) for way in ("function", "at once", "later"))
    assert by_function.seen() == at_once.seen()
    assert by_function.seen() == later.seen()
    questions = [event for event in later.events[asker] if isinstance(event, Question)]
    assert [type(question) for question in questions] == [type(question) for question in by_function.asked]
    assert questions == by_function.asked
    assert [one.connection for one in questions] == [one.connection for one in by_function.asked]
    assert not any(isinstance(event, Question) for event in by_function.events[asker])


def test_every_question_is_asked_somewhere() -> None:
    """And in the "later" way bytes do come while one is open."""
    plays = [play(scene, asker, "later") for scene in SCENES for asker in SIDES]
    asked = {type(event) for one in plays for event in one.events[one.asker] if isinstance(event, Question)}
    assert asked == set(KINDS)
    # By name: a class with slots may leave the one behind from which it was made.
    assert {kind.__name__ for kind in KINDS} == {kind.__name__ for kind in Question.__subclasses__()}
    for asker in SIDES:
        assert max(one.most_held for one in plays if one.asker == asker) > 100


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_question_alone(kind: type[Question]) -> None:
    """The others get their defaults."""
    scene = next(scene for scene in SCENES for asker in SIDES if any(asks(scene, asker, kind)))
    for asker in SIDES:
        kinds = tuple(
            {
                kind,
                *(k for k in kinds_in(scene) if k in (OpenTicket, ProtectTicket, LookUpSession, LookUpPsk)),
            }
        )
        results = [play(scene, asker, way, kinds=kinds).seen() for way in ("function", "at once", "later")]
        assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
@pytest.mark.parametrize("asker", SIDES)
def test_a_question_that_is_not_named_is_as_one_answered_with_its_default(scene: Scene, asker: Side) -> None:
    """Nobody is asked, and much of it takes no state of its own; what both sides see and say is the same."""
    away = AWAY[scene.elsewhere]
    plain = play(scene, asker, "function", kinds=away)
    assert {type(question) for question in plain.asked} <= set(away)
    # Who verifies is a part of the policy, and so of the context that stands in tickets.
    asked = play(scene, asker, "function", kinds=tuple({*kinds_in(scene)} - {VerifyPeer}))
    assert plain.seen() == asked.seen()


def asks(scene: Scene, asker: Side, kind: type[Question]) -> list[bool]:
    return [isinstance(question, kind) for question in play(scene, asker, "function").asked]


# --- functions that fail -----------------------------------------------------------------------------------------


class Boom(Exception):
    pass


FORGIVEN: Final = (LookUpSession, LookUpPsk, AdmitEarlyData, ClaimEarlyData)
"""The questions whose function may fail."""


def failing(kind: type[Question], result: Callable[[], Any]) -> tuple[ConnectionTerminated, Play]:
    """A scene with ``kind`` answered by ``result``; how it ended."""
    for scene in SCENES:
        for asker in SIDES:
            if kind not in kinds_in(scene) or not any(asks(scene, asker, kind)):
                continue

            def answer(question: Question, connection: Connection, keys: Keys) -> Any:
                return result() if isinstance(question, kind) else answer_to(question, connection, keys)

            one = play(scene, asker, "function", answer=answer)
            end = one.events[asker][-1]
            assert isinstance(end, ConnectionTerminated)
            return end, one
    raise AssertionError(f"{kind.__name__} is asked nowhere")


def told(one: Play, alert: AlertDescription) -> None:
    """The other side got the alert."""
    other: Side = "server" if one.asker == "client" else "client"
    end = one.heard[other][-1]
    assert isinstance(end, ConnectionTerminated)
    assert (end.reason, end.alert, end.by_peer) == (Reason.PEER_ALERT, alert, True)
    assert one.sides[one.asker].state == "Ended"


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind not in FORGIVEN], ids=lambda kind: kind.__name__
)
@ends(Reason.ANSWER_FAILED)
def test_function_that_raises(kind: type[Question]) -> ConnectionTerminated:
    """The exception is the event's cause, and the peer learns nothing of it."""
    boom = Boom("secret")

    def result() -> Any:
        raise boom

    end, one = failing(kind, result)
    assert end.cause is boom
    assert "secret" not in str(end)
    assert end.alert == ALERTS[Reason.ANSWER_FAILED] == AlertDescription.INTERNAL_ERROR
    told(one, AlertDescription.INTERNAL_ERROR)
    return end


@pytest.mark.parametrize("kind", [AdmitEarlyData, ClaimEarlyData])
def test_a_word_on_early_data_that_raises(kind: type[Question]) -> None:
    """A connection is none the worse without it."""

    def answer(question: Question, connection: Connection, keys: Keys) -> Command:
        if isinstance(question, kind):
            raise Boom("secret")
        return answer_to(question, connection, keys)

    one = play(named("early data"), "server", "function", answer=answer)
    (done,) = (event for event in one.events["server"] if isinstance(event, HandshakeCompleted))
    assert done.resumed
    assert done.record.early_data.status is EarlyDataStatus.REJECTED
    assert done.record.early_data.detail == "Boom"
    assert not any(isinstance(event, EarlyDataReceived) for event in one.events["server"])


@pytest.mark.parametrize("way", ["sessions elsewhere", "TLS 1.2, resumed by id"])
def test_a_look_up_that_raises(way: str) -> None:
    """A question whose function may fail: nothing was used up, and who has no session has a full handshake."""

    def answer(question: Question, connection: Connection, keys: Keys) -> Command:
        if isinstance(question, LookUpSession):
            raise Boom("secret")
        return answer_to(question, connection, keys)

    one = play(named(way), "server", "function", answer=answer)
    (done,) = (event for event in one.events["server"] if isinstance(event, HandshakeCompleted))
    assert not done.resumed
    assert "found FAILED (the look-up failed: Boom)" in str(done.record)
    assert "secret" not in str(done.record)


def test_a_look_up_of_a_psk_that_raises() -> None:
    """It is not known; then the next is tried, and in the end the certificate."""

    def answer(question: Question, connection: Connection, keys: Keys) -> Command:
        if isinstance(question, LookUpPsk):
            raise Boom("secret")
        return answer_to(question, connection, keys)

    one = play(named("external PSK elsewhere"), "server", "function", answer=answer)
    (done,) = (event for event in one.events["server"] if isinstance(event, HandshakeCompleted))
    assert done.psk_identity is None
    assert "psk FAILED (the look-up failed: Boom)" in str(done.record)
    assert "secret" not in str(done.record)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("answer", [None, True, FlushTickets(), SendData(b"no answer")], ids=repr)
@ends(Reason.ANSWER_FAILED)
def test_function_whose_result_is_no_answer(kind: type[Question], answer: Any) -> ConnectionTerminated:
    end, one = failing(kind, lambda: answer)
    assert isinstance(end.cause, LocalProtocolError)
    assert re.match(rf"{type(answer).__name__} in (tls13\.)?Ask", str(end.cause))
    assert end.detail == f"{kind.__name__}: {end.cause}"
    told(one, AlertDescription.INTERNAL_ERROR)
    return end


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@ends(Reason.ABORTED_BY_APPLICATION)
def test_function_that_aborts(kind: type[Question]) -> ConnectionTerminated:
    end, one = failing(kind, lambda: AbortHandshake(AlertDescription.ACCESS_DENIED))
    assert end.alert == AlertDescription.ACCESS_DENIED
    assert end.cause is None
    assert kind.__name__ in end.detail
    told(one, AlertDescription.ACCESS_DENIED)
    return end


# --- commands that are wrong -------------------------------------------------------------------------------------


def test_wrong_answers_change_nothing() -> None:
    """After any number of them the right one is taken."""
    client = HostileClient(quick_server(answers={SelectConfig: ASK, Sign: ASK})).say_hello()
    server = client.victim
    for _ in range(2):
        for command in (
            AcceptPeer(),
            ProvideSignature(b"x"),
            TicketNotOpened(),
            SendData(b"x"),
            FlushTickets(),
        ):
            with pytest.raises(
                LocalProtocolError, match="in AskSelectConfig; expected AbortHandshake or UseConfig"
            ):
                server.send(command)
            assert isinstance(server.pending, SelectConfig)
            assert server.data_to_send() == b""
    assert isinstance(server._engine.state, Asking)
    server.send(server._engine.state.default_answer(TIME))
    assert isinstance(server.pending, Sign)


@pytest.mark.parametrize(
    "command", [AcceptPeer(), AbortHandshake(), RejectPeer(), ResolveTicket(TicketReturn.USE)], ids=repr
)
def test_answer_to_no_question(command: Command) -> None:
    client = HostileClient()
    for state, step in (
        ("WaitClientHello", client.begin),
        ("tls13.WaitClientFinished", client.say_finished),
        ("tls13.ServerConnected", client.listen),
    ):
        with pytest.raises(LocalProtocolError, match=f"{type(command).__name__} in {state}"):
            client.victim.send(command)
        step()
    client.assert_alive()


def test_the_same_answer_twice() -> None:
    server = HostileServer(quick_client(answers={VerifyPeer: ASK})).serve()
    assert isinstance(server.victim.pending, VerifyPeer)
    server.victim.send(AcceptPeer())
    with pytest.raises(LocalProtocolError, match=r"AcceptPeer in tls13\.ClientConnected"):
        server.victim.send(AcceptPeer())
    server.hear_finished().assert_alive()


# --- answers that end it -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("alert", [AlertDescription.BAD_CERTIFICATE, AlertDescription.UNKNOWN_CA])
@ends(Reason.CERTIFICATE_REFUSED)
def test_reject_peer(alert: AlertDescription) -> ConnectionTerminated:
    server = HostileServer(quick_client(answers={VerifyPeer: lambda _: RejectPeer(alert)})).serve()
    server.assert_refused(Reason.CERTIFICATE_REFUSED, alert)
    end = server.events[-1]
    assert isinstance(end, ConnectionTerminated)
    return end


@refused(Reason.CERTIFICATE_REVOKED)
def test_a_function_that_raises_its_verdict() -> HostileServer:
    """As ``sansticket.verifiers`` do: the reason and its alert are those of the Fault."""

    def revoked(question: VerifyPeer) -> AcceptPeer:
        raise Fault(Reason.CERTIFICATE_REVOKED, "since yesterday")

    return HostileServer(quick_client(answers={VerifyPeer: revoked})).serve()


@refused(Reason.TICKET_ABORTED)
def test_ticket_policy_that_aborts() -> HostileClient:
    session = session_from(config := quick_server())
    answers = {DecideTicket: lambda _: ResolveTicket(TicketReturn.ABORT)}
    return HostileClient(
        quick_server(ticket_keys=config.ticket_keys, answers=answers), sessions=(session,)
    ).say_hello()


def test_use_of_a_ticket_that_did_not_decrypt() -> None:
    """As a command it is refused; from a function it is fatal, with the same exception as the cause."""
    session = session_from(quick_server())
    asked = HostileClient(quick_server(answers={DecideTicket: ASK}), sessions=(session,)).say_hello()
    with pytest.raises(LocalProtocolError, match="USE_RENEW on a ticket with status NO_DECRYPT"):
        asked.victim.send(ResolveTicket(TicketReturn.USE_RENEW))
    assert isinstance(asked.victim.pending, DecideTicket)
    answers = {DecideTicket: lambda _: ResolveTicket(TicketReturn.USE_RENEW)}
    client = HostileClient(quick_server(answers=answers), sessions=(session,)).say_hello()
    end = client.events[-1]
    assert isinstance(end, ConnectionTerminated)
    assert isinstance(end.cause, LocalProtocolError)
    assert client.listen().alerts == [Alert(AlertLevel.FATAL, AlertDescription.INTERNAL_ERROR)]


# --- Close -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_close_while_a_question_is_open(kind: type[Question]) -> None:
    """It ends the connection: what the question was about is not done."""
    states = [state for state in all_states() if issubclass(state, Asking) and state.QUESTION is kind]
    assert states
    for sample in (sample for state in states for sample in samples_of(state)):
        connection = sample.fork()
        (end,) = connection.send(Close(at_once=True))
        assert isinstance(end, ConnectionTerminated)
        assert (end.reason, end.alert) == (Reason.CANCELED, AlertDescription.USER_CANCELED)
        assert connection.pending is None
        assert len(list(records(connection.data_to_send()))) == 2  # user_canceled and close_notify
        with pytest.raises(LocalProtocolError):
            connection.send(AbortHandshake())


def test_answers_after_close() -> None:
    """Half-closed, we still read, and what is read can ask: the answer is taken, and nothing goes out."""
    config = quick_server(trust_anchors=anchors(), answers={VerifyPeer: ASK})
    client = HostileClient(config, extensions=(PostHandshakeAuth(),)).complete()
    server = client.victim
    server.send(RequestClientCertificate())
    request = client.listen().heard[-1]
    assert isinstance(request, CertificateRequest)
    server.send(Close())
    server.data_to_send()
    client.transcript = client.transcript.plus(client.heard_raw[-1])
    client.say(certificate_of(client.credential, request.context)).say_proof()
    assert isinstance(server.pending, VerifyPeer)
    with pytest.raises(LocalProtocolError, match=r"SendData in tls13\.AskVerifyAgain"):
        server.send(SendData(b"x"))
    assert server.send(Close()) == []
    server.send(AcceptPeer())
    assert (server.pending, server.state) == (None, "tls13.ServerConnected")
    assert server.data_to_send() == b""
    client.say(Finished(finished_mac(client.suite.hash_name, client.our_secret, client.transcript.digest())))
    assert client.send(APPLICATION_DATA, b"still heard") == [DataReceived(b"still heard")]
    with pytest.raises(LocalProtocolError, match="SendData after Close"):
        server.send(SendData(b"x"))


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: ProvideSignature("text"), TypeError),
        (lambda: ProvideSignature(bytes(65_536)), ValueError),
        (lambda: RejectPeer(256), ValueError),
        (lambda: AbortHandshake("handshake_failure"), TypeError),
        (lambda: ResolveTicket(TicketReturn.ABORT, alert=-1), ValueError),
        *(
            (lambda make=make, alert=alert: make(alert=alert), ValueError)
            for make in (AbortHandshake, RejectPeer, partial(ResolveTicket, TicketReturn.ABORT))
            for alert in (AlertDescription.CLOSE_NOTIFY, AlertDescription.USER_CANCELED)
        ),
    ],
)
def test_answers_that_cannot_be_are_refused_when_they_are_made(
    make: Callable[[], Command], error: type[Exception]
) -> None:
    with pytest.raises(error):
        make()


def test_an_alert_can_be_a_number() -> None:
    assert AbortHandshake(40) == AbortHandshake(AlertDescription.HANDSHAKE_FAILURE)


def test_questions_come_in_their_order() -> None:
    """A server that asks everything, of a client that resumes."""
    one = play(named("keys elsewhere, resumed"), "server", "later")
    kinds = [type(event) for event in one.events["server"] if isinstance(event, Question)]
    assert kinds[:6] == [
        SelectConfig,
        OpenTicket,
        DecideTicket,
        AdmitSession,
        PrepareTicket,
        ProtectTicket,
    ]
    assert kinds.count(PrepareTicket) == kinds.count(ProtectTicket)
    issued = [event for event in one.events["server"] if isinstance(event, TicketIssued)]
    assert len(issued) == kinds.count(PrepareTicket)
