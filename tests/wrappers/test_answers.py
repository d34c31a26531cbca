"""Questions that coroutines answer: what stands for an answer that does not come, and the thread for blocking calls."""

from __future__ import annotations

import asyncio
import threading

import pytest

import sansticket
from sansticket import (
    ASK,
    AbortHandshake,
    ClientConfig,
    ConfigError,
    LookUpSession,
    PrepareTicket,
    ProvideSession,
    Question,
    SealTicket,
    Session,
    SessionCache,
    TicketIssued,
)
from sansticket_wrappers.answers import WITHOUT_ANSWER, asking, without_answer
from sansticket_wrappers.blocking import SSLContext, in_thread
from tests.support.configs import client_config, server_config
from tests.support.sockets import for_client, secured

QUESTIONS = [
    kind
    for name in dir(sansticket)
    if isinstance(kind := getattr(sansticket, name), type)
    and issubclass(kind, Question)
    and kind is not Question
]


def test_every_question_has_something_that_stands_for_its_answer() -> None:
    """Or its handshake cannot do without."""
    assert set(QUESTIONS) - set(WITHOUT_ANSWER) == {
        sansticket.SelectConfig,
        sansticket.Sign,
        sansticket.VerifyPeer,
    }
    assert without_answer(sansticket.SelectConfig.__new__(sansticket.SelectConfig)) == AbortHandshake()
    assert without_answer(LookUpSession(b"id", 0x0304)) == ProvideSession(None)


def test_a_config_asks_what_is_answered() -> None:
    async def look_up(question: LookUpSession) -> ProvideSession:
        return ProvideSession(None)

    config = server_config(answers={PrepareTicket: lambda question: SealTicket()})
    asked = asking(config, {LookUpSession: look_up})
    assert asked.answers[LookUpSession] is ASK
    assert asked.answers[PrepareTicket] is config.answers[PrepareTicket]
    assert asking(config, {}) is config
    with pytest.raises(ConfigError, match="LookUpSession"):
        asking(ClientConfig(trust_anchors=client_config().trust_anchors), {LookUpSession: look_up})


def test_a_blocking_server_asks_a_store_that_is_asynchronous() -> None:
    """On a loop in a thread of its own, where the coroutines of all connections are."""
    store: dict[bytes, Session] = {}
    threads: set[str] = set()

    async def look_up(question: LookUpSession) -> ProvideSession:
        await asyncio.sleep(0)
        threads.add(threading.current_thread().name)
        return ProvideSession(store.get(question.session_id))

    server = SSLContext(server_config(ticket_keys=None, answers={LookUpSession: in_thread(look_up)}))

    def keep(tls: object, event: object) -> None:
        if isinstance(event, TicketIssued):
            store[event.session.session_id] = event.session

    server.on_event = keep
    client = for_client("ours")
    for resumed in (False, True, True):
        with secured(client, server) as (ours, theirs):
            theirs.sendall(b"tickets")
            assert ours.recv(100) == b"tickets"
            assert ours.session_reused == resumed
    assert threads == {"sansticket answers"}


def test_a_store_that_does_not_answer_costs_a_full_handshake() -> None:
    async def look_up(question: LookUpSession) -> ProvideSession:
        await asyncio.sleep(3600)
        raise AssertionError

    server = SSLContext(
        server_config(
            ticket_keys=None,
            session_cache=SessionCache(),
            answers={LookUpSession: in_thread(look_up, timeout=0.01)},
        )
    )
    other = SSLContext(server_config(ticket_keys=None, session_cache=SessionCache()))
    client = for_client("ours")
    for context in (other, server):
        with secured(client, context) as (ours, theirs):
            theirs.sendall(b"tickets")
            assert ours.recv(100) == b"tickets"
            assert not ours.session_reused


def test_what_a_coroutine_raises_is_an_exception_of_the_function() -> None:
    async def prepare(question: PrepareTicket) -> SealTicket:
        raise LookupError("no data for the ticket")

    answer = in_thread(prepare)
    with pytest.raises(LookupError, match="no data for the ticket"):
        answer(PrepareTicket.__new__(PrepareTicket))
