"""Application data in tickets: any size that fits, inherited, one for each ticket, refused when it is too large.

SSL_CTX_set_session_ticket_cb(3): gen_cb is ``PrepareTicket``, and SSL_SESSION_set1_ticket_appdata its answer.
"""

from __future__ import annotations

import os
import re
from typing import Any

import pytest
from attrs import evolve

from sansticket.codes import AlertDescription
from sansticket.commands import (
    AbortHandshake,
    IssueTicket,
    ResolveTicket,
    SealTicket,
    SendData,
    TicketNotOpened,
    TicketOpened,
    TicketProtected,
)
from sansticket.config.choices import ASK
from sansticket.config.server import ServerConfig
from sansticket.crypto.groups import supported
from sansticket.errors import LocalProtocolError, Reason
from sansticket.events import (
    DecideTicket,
    OpenTicket,
    PrepareTicket,
    ProtectTicket,
    TicketIssued,
    TicketReceived,
    TicketWithheld,
)
from sansticket.handshake.server.tickets import NONE_SEALS
from sansticket.library import SSL_SESSIONS
from sansticket.tickets.decision import TicketReturn, TicketStatus
from sansticket.tickets.encoding import MAX_FIELD
from sansticket.tickets.keys.openssl import OpenSSLTicketKey, OpenSSLTicketKeys
from sansticket.tickets.keys.protection import NATIVE, OpenedTicket
from sansticket.tickets.keys.ring import TicketKeyRing
from sansticket.tickets.session import Session
from tests.support.configs import client_config, server_config
from tests.support.newer import each
from tests.support.pair import ConnectionPair
from tests.support.resumption import (
    World,
    ending,
    failed_checks,
    kinds,
    outcome,
    received,
    record,
    resumed,
)


def sealing(config: ServerConfig, *data: bytes | None) -> ServerConfig:
    """The n-th ticket of every connection carries the n-th of ``data``, or what it inherits."""

    def prepare(question: PrepareTicket) -> SealTicket:
        return SealTicket(data[question.ordinal] if question.ordinal < len(data) else None)

    return evolve(config, answers={**config.answers, PrepareTicket: prepare})


def seen(world: World, config: ServerConfig, session: Session) -> bytes:
    """The data that DecideTicket sees of a session, which is also what the resumed connection has."""
    asked: list[DecideTicket] = []

    def decide(question: DecideTicket) -> ResolveTicket:
        asked.append(question)
        return ResolveTicket(TicketReturn.USE)

    pair = world.connect(evolve(config, answers={DecideTicket: decide}), session)
    assert resumed(pair)
    (question,) = asked
    assert question.status is TicketStatus.SUCCESS_RENEW
    assert question.session is not None
    assert pair.server.session is not None
    assert pair.server.session.app_data == question.session.app_data
    return question.session.app_data


# --- there and back ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 1000, 16_000, 32_000, 50_000, 57_000])
def test_any_size(world: World, size: int) -> None:
    data = bytes(range(256)) * 256
    config = world.server()
    session = received(world.connect(sealing(config, data[:size])))[0]
    assert session.app_data == b"", "the client never sees it"
    assert data[:16] not in session.ticket
    assert seen(world, config, session) == data[:size]


@pytest.mark.parametrize("size", [0, 1, 65_536, 1_000_000])
def test_any_size_at_all_where_the_ticket_is_an_id(world: World, size: int) -> None:
    config = world.stateful(num_tickets=1)
    session = world.session(sealing(config, bytes(size)))
    assert len(session.ticket) == 32
    again = world.connect(config, session)
    assert resumed(again)
    assert again.server.session is not None
    assert again.server.session.app_data == bytes(size)
    assert again.event("server", TicketIssued).session.app_data == bytes(size), "inherited"


def test_each_ticket_has_its_own(world: World) -> None:
    config = world.server(num_tickets=4)
    sessions = received(world.connect(sealing(config, b"one", b"two", None, b"")))
    assert [seen(world, config, session) for session in sessions] == [b"one", b"two", b"two", b""]


def test_a_question_shows_what_the_last_ticket_carried(world: World) -> None:
    shown: list[tuple[int, bytes]] = []

    def prepare(question: PrepareTicket) -> SealTicket:
        shown.append((question.ordinal, question.session.app_data))
        return SealTicket(b"number %d" % question.ordinal)

    pair = world.connect(world.server(answers={PrepareTicket: prepare}))
    pair.server.send(IssueTicket())
    pair.send("server", SendData(b"x"))
    assert shown == [(0, b""), (1, b"number 0"), (2, b"number 1")]


# --- renewal -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stateful", [False, True])
def test_a_renewed_ticket_inherits_it(world: World, stateful: bool) -> None:
    config = world.stateful() if stateful else world.server()
    session = world.session(sealing(config, b"for life"))
    for _ in range(4):
        pair = world.connect(config, session)
        assert outcome(pair) == (True, 1)
        assert pair.event("server", TicketIssued).session.app_data == b"for life"
        (session,) = received(pair)


def test_unless_it_is_given_other_data_or_none(world: World) -> None:
    config = world.server()
    session = world.session(sealing(config, b"first"))
    (second,) = received(world.connect(sealing(config, b"second"), session))
    assert seen(world, config, second) == b"second"
    (third,) = received(world.connect(sealing(config, b""), second))
    assert seen(world, config, third) == b""
    assert seen(world, config, second) == b"second", "a ticket is never changed"


def test_a_full_handshake_inherits_nothing(world: World) -> None:
    config = world.server()
    session = world.session(sealing(config, b"private"))
    world.clock.forward(7200)
    pair = world.connect(config, session)
    assert not resumed(pair)
    assert {event.session.app_data for event in pair.events("server", TicketIssued)} == {b""}


# --- too large -----------------------------------------------------------------------------------------------


def fits(pair: ConnectionPair, size: int) -> bool:
    """Answers the open question if ``size`` bytes fit; otherwise nothing changes."""
    state = pair.server.state
    try:
        pair.send("server", SealTicket(bytes(size)), pump=False)
    except LocalProtocolError as error:
        refusal = str(error)
    else:
        return True
    assert f"{size} bytes of app_data makes a ticket of" in refusal
    assert "expected at most 57344" in refusal
    assert pair.server.state == state
    assert isinstance(pair.server.pending, PrepareTicket)
    return False


def elsewhere() -> dict[str, Any]:
    """Keys that are elsewhere and do not protect at all: a ticket is its plaintext."""
    return {
        "ticket_keys": None,
        "answers": {
            OpenTicket: lambda question: TicketOpened(question.ticket),
            ProtectTicket: lambda question: TicketProtected(question.plaintext),
            PrepareTicket: ASK,
        },
    }


@pytest.mark.parametrize("remote", [False, True])
def test_too_large_is_refused_to_the_caller_and_the_handshake_lives(world: World, remote: bool) -> None:
    config = world.server(**(elsewhere() if remote else {"answers": {PrepareTicket: ASK}}))
    pair = world.connect(config)
    size = 57_345
    while not fits(pair, size):
        size -= 1
    assert pair.event("server", TicketIssued).session.app_data == bytes(size)
    assert 57_000 < size < 57_344
    pair.send("server", SealTicket(b"small"))
    assert outcome(pair) == (False, 2)
    assert len(received(pair)[0].ticket) == 57_344, "the largest ticket that there is"
    pair.send("client", SendData(b"all is well"))
    assert pair.data("server") == b"all is well"


def test_nothing_is_kept_of_what_was_refused(world: World) -> None:
    pair = world.connect(world.server(answers={PrepareTicket: ASK}))
    assert not fits(pair, 70_000)
    pair.send("server", SealTicket())
    assert pair.event("server", TicketIssued).session.app_data == b""


def test_larger_than_a_session_can_be(world: World) -> None:
    pair = world.connect(world.stateful(answers={PrepareTicket: ASK}))
    assert not fits(pair, MAX_FIELD + 1)
    pair.send("server", SealTicket(b"small"))
    assert len(received(pair)) == 1


@pytest.mark.parametrize("data", ["text", bytearray(b"x"), 5])
def test_not_bytes(data: Any) -> None:
    with pytest.raises(TypeError, match="app_data"):
        SealTicket(data)


def withheld(pair: ConnectionPair) -> list[str]:
    return [event.why for event in pair.events("server", TicketWithheld)]


def test_too_large_from_a_function_costs_the_ticket(world: World) -> None:
    """There is no caller who could be told; the others leave, and so does the data behind a ticket on request."""
    pair = world.connect(sealing(world.server(), b"fits", bytes(70_000)))
    why = r"SealTicket with 70000 bytes of app_data makes a ticket of \d{5} bytes; expected at most 57344"
    assert outcome(pair) == (False, 1)
    assert [event.session.app_data for event in pair.events("server", TicketIssued)] == [b"fits"]
    assert [re.fullmatch(why, said) is not None for said in withheld(pair)] == [True]
    pair.server.send(IssueTicket(2))
    pair.send("server", SendData(b"all is well"))
    assert pair.data("client") == b"all is well"
    assert (len(received(pair)), len(withheld(pair))) == (1, 3)
    assert pair.server.state == "tls13.ServerConnected"


@pytest.mark.parametrize("version", [0x0303, 0x0304])
@pytest.mark.parametrize(
    "answers",
    [
        {PrepareTicket: lambda question: SealTicket(bytes(70_000))},
        {PrepareTicket: lambda question: SealTicket(bytes(MAX_FIELD + 1))},
        {ProtectTicket: lambda question: TicketProtected(bytes(70_000))},
        {ProtectTicket: lambda question: TicketProtected(b"")},
    ],
    ids=["data", "more data than a session can have", "ticket", "empty ticket"],
)
def test_a_function_that_gives_too_much_in_both_versions(version: int, answers: Any) -> None:
    elsewhere = {"ticket_keys": None} if ProtectTicket in answers else {}
    opens = {OpenTicket: lambda question: TicketNotOpened()} if ProtectTicket in answers else {}
    config = server_config(versions=[version], answers={**opens, **answers}, **elsewhere)
    pair = ConnectionPair(client_config(versions=[version]), config)
    pair.pump()
    pair.send("server", SendData(b"all is well"))
    assert pair.data("client") == b"all is well"
    assert pair.events("client", TicketReceived) == []
    assert len(withheld(pair)) == (1 if version == 0x0303 else 2)
    assert all("expected" in why and why.isprintable() for why in withheld(pair))


def test_who_is_asked_is_told_and_no_event_says_it_again(world: World) -> None:
    pair = world.connect(world.server(answers={PrepareTicket: ASK}))
    assert not fits(pair, 70_000)
    pair.send("server", SealTicket())
    assert withheld(pair) == []


class LargeSessions:
    """Keys that open every ticket to a session with very much data, and seal as a ring does."""

    codec = NATIVE

    def __init__(self, world: World, session: Session) -> None:
        self.plaintext = evolve(session, app_data=bytes(70_000)).to_bytes()
        self.ring = TicketKeyRing.generate(world.clock(), bytes)

    def seal(self, plaintext: bytes, now: float, entropy: Any) -> bytes:
        return self.ring.seal(plaintext, now, entropy)

    def open(self, ticket: bytes, now: float) -> OpenedTicket:
        return OpenedTicket(TicketStatus.SUCCESS, b"", self.plaintext)


@pytest.mark.parametrize("asks", [False, True])
def test_inherited_data_that_does_not_fit_costs_the_ticket_and_not_the_connection(
    world: World, asks: bool
) -> None:
    first = world.connect(world.server())
    keys = LargeSessions(world, first.events("server", TicketIssued)[0].session)
    config = world.server(ticket_keys=keys, answers={PrepareTicket: ASK} if asks else {})
    pair = world.connect(config, received(first)[0])
    if asks:
        pair.send("server", SealTicket())
    assert outcome(pair) == (True, 0)
    assert pair.events("server", TicketIssued) == []
    pair.server.send(IssueTicket())
    pair.send("server", SendData(b"here"))
    if asks:
        pair.send("server", SealTicket(b"less"))
    assert pair.data("client") == b"here"
    assert len(received(pair)) == asks


def test_the_largest_ticket_fits_beside_all_that_a_client_says(world: World) -> None:
    """A.20: a share for every group that there is, a name, and more protocols than anybody has."""
    names = [b"p%03d" % number + bytes(60) for number in range(40)]
    config = world.server(alpn_protocols=names, groups=sorted(supported()), answers={PrepareTicket: ASK})
    client = world.client(groups=sorted(supported()), alpn_protocols=names, key_shares=sorted(supported()))
    pair = world.connect(config, client=client)
    size = 57_344
    while not fits(pair, size):
        size -= 1
    pair.send("server", SealTicket(b""))
    session = received(pair)[0]
    assert len(session.ticket) == 57_344
    again = world.connect(evolve(config, answers={}), session, client=client)
    assert resumed(again)
    assert failed_checks(again, side="client") == []


class Sealer:
    """Keys of one's own, which make of any session a ticket of that many bytes."""

    codec = NATIVE

    def __init__(self, size: int) -> None:
        self.size = size

    def seal(self, plaintext: bytes, now: float, entropy: Any) -> bytes:
        return bytes(self.size)

    def open(self, ticket: bytes, now: float) -> OpenedTicket:
        return OpenedTicket.failed(ticket)


@pytest.mark.parametrize("size", [57_345, 70_000])
def test_keys_that_make_no_ticket_that_fits(world: World, size: int) -> None:
    """Too much: that ticket is not sent, and the connection goes on; what was given to it is refused."""
    pair = world.connect(world.server(ticket_keys=Sealer(size)))
    assert outcome(pair) == (False, 0)
    assert withheld(pair) == [f"SealTicket makes a ticket of {size} bytes; expected at most 57344"] * 2
    pair.send("client", SendData(b"all is well"))
    assert pair.data("server") == b"all is well"
    pair = world.connect(world.server(ticket_keys=Sealer(size), answers={PrepareTicket: ASK}))
    assert not fits(pair, 10)
    pair.send("server", SealTicket())
    pair.send("server", SealTicket())
    assert outcome(pair) == (False, 0)


@pytest.mark.parametrize("version", [0x0303, 0x0304])
@pytest.mark.parametrize("data", [None, b"alice"])
@pytest.mark.parametrize("asks", [False, True])
@pytest.mark.parametrize("dated", each([False, True], {True: SSL_SESSIONS}))
def test_keys_that_make_none(world: World, version: int, data: bytes | None, asks: bool, dated: bool) -> None:
    """The time of no key has come, say.  Whoever gave data made no mistake, and has nothing else to give."""
    key = evolve(OpenSSLTicketKey.generate(os.urandom), not_before=int(world.clock()) + 60)
    keys = OpenSSLTicketKeys([key]) if dated else Sealer(0)
    answers: dict[Any, Any] = {PrepareTicket: ASK if asks else lambda question: SealTicket(data)}
    config = world.server(versions=[version], ticket_keys=keys, answers=answers)
    pair = world.connect(config, client=world.client(versions=[version]))
    while pair.server.pending is not None:
        pair.send("server", SealTicket(data))
    assert withheld(pair) == [NONE_SEALS] * (1 if version == 0x0303 else 2)
    assert outcome(pair) == (False, 0)
    pair.send("client", SendData(b"all is well"))
    assert pair.data("server") == b"all is well"


def test_keys_that_make_the_largest_ticket(world: World) -> None:
    pair = world.connect(world.server(ticket_keys=Sealer(57_344)))
    assert [len(session.ticket) for session in received(pair)] == [57_344, 57_344]


def test_what_a_client_hello_has_no_room_for_is_not_offered(world: World) -> None:
    config = world.server()
    session = evolve(world.session(config), ticket=bytes(65_400))
    pair = world.connect(config, session)
    assert outcome(pair) == (False, 2)
    assert failed_checks(pair, side="client") == ["size"]
    assert record(pair).identities == ()


# --- refusals of the application -----------------------------------------------------------------------------


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("alert", [AlertDescription.INTERNAL_ERROR, AlertDescription.ACCESS_DENIED])
@pytest.mark.parametrize("asks", [False, True])
def test_abort(world: World, at: int, alert: AlertDescription, asks: bool) -> None:
    """As with gen_cb returning 0: the client is through with its handshake, and gets an alert."""

    def prepare(question: PrepareTicket) -> SealTicket | AbortHandshake:
        return AbortHandshake(alert) if question.ordinal == at else SealTicket()

    pair = world.connect(world.server(answers={PrepareTicket: ASK if asks else prepare}))
    for question in (pair.server.pending,) * (at + 1) if asks else ():
        assert isinstance(question, PrepareTicket)
        pair.send("server", prepare(evolve(question, ordinal=len(received(pair)))))
    assert outcome(pair) == (False, at)
    assert ending(pair).reason is Reason.ABORTED_BY_APPLICATION
    assert ending(pair).alert == ending(pair, "client").alert == alert
    assert kinds(pair.client_events)[0] == "HandshakeCompleted"
