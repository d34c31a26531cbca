"""The account of a handshake: every check that can fail says so on its side, with the numbers behind it, in text
that people can read."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest
from attrs import evolve

from sansticket.codes import CipherSuite
from sansticket.commands import ProvideSession, ResolveTicket
from sansticket.config.choices import ClientAuthentication, ResumedCertificates
from sansticket.events import DecideTicket, LookUpSession
from sansticket.handshake.server.tls13.rules import MAX_IDENTITIES
from sansticket.tickets.decision import TicketReturn
from sansticket.tickets.keys.ring import TicketKeyRing
from sansticket.wire.extensions.resumption import PskKeyExchangeModes
from sansticket.wire.messages.hello import ClientHello
from tests.support.credentials import anchors, client_credential, server_credential
from tests.support.hostile_client import HostileClient
from tests.support.hostile_server import without
from tests.support.pair import ConnectionPair
from tests.support.resumption import START, Clock, World, made_by, received, record

KEY: Final = r"key [0-9a-f]{32}"
FAMILY: Final = r"family [0-9a-f]{32} generation 0"


def text(pair: ConnectionPair, side: Any = "server") -> str:
    said = str(record(pair, side))
    assert len(said.splitlines()) <= 1 + 4 * max(1, len(record(pair, side).identities)), "short"
    assert max(map(len, said.splitlines())) <= 280, "and readable"
    assert said.isprintable() or "\n" in said
    return said


# --- servers -------------------------------------------------------------------------------------------------

SERVER_SIDE: Final[dict[str, tuple[dict[str, Any], dict[str, Any], str]]] = {
    "expiry": ({"ticket_lifetime": 60}, {}, r"expiry FAILED \(age 100\.000 s, lifetime 60 s\)"),
    "authentication age": (
        {},
        {"max_session_age": 50},
        r"authentication age FAILED \(100\.000 s, at most 50 s\)",
    ),
    "context": ({}, {"session_id_context": b"B"}, r"context FAILED \([0-9a-f]{32}, now 42\)"),
    "an empty context": ({"session_id_context": b""}, {}, r"context FAILED \(empty, now [0-9a-f]{32}\)"),
    "hash": (
        {"cipher_suites": (CipherSuite.AES_256_GCM_SHA384,)},
        {"cipher_suites": (CipherSuite.AES_128_GCM_SHA256,)},
        r"hash FAILED \(sha384, now sha256\)",
    ),
    "client certificate": (
        {"session_id_context": b"A"},
        {"session_id_context": b"A", "client_authentication": ClientAuthentication.REQUIRED},
        r"client certificate FAILED \(the session has none\)",
    ),
}


@pytest.mark.parametrize(("before", "after", "expected"), SERVER_SIDE.values(), ids=SERVER_SIDE)
def test_each_check_of_a_server(
    world: World, before: dict[str, Any], after: dict[str, Any], expected: str
) -> None:
    ring = TicketKeyRing.generate(world.clock(), world.server().entropy)
    config = world.server(ticket_keys=ring, trust_anchors=anchors(), session_id_context=b"A")
    old = evolve(config, **{"session_id_context": None, **before})
    session = world.session(old)
    world.clock.forward(100)
    client = world.client(clock=Clock(START), credentials=[client_credential()])
    session = made_by(client, session)
    pair = world.connect(evolve(old, **{"session_id_context": None, **after}), session, client=client)
    said = text(pair)
    assert re.search(rf"^    {expected}$", said, re.MULTILINE), said
    assert said.startswith("full handshake, 2 tickets to follow: no identity could be used\n  identity 0 key")
    assert text(pair, "client").startswith("full handshake: the server took none of the sessions\n")


def test_another_name(world: World) -> None:
    config = world.server(credentials=[server_credential(), server_credential(name="other.example")])
    client = world.client(resume_with_other_name=True, verify_peer=False)
    session = world.session(config, client=client)
    pair = world.connect(config, session, client=client, name="other.example")
    assert "\n    name FAILED (server.example, now other.example)\n" in text(pair)
    assert "name (server.example, now other.example)" in text(pair, "client")


def test_what_did_not_open(world: World) -> None:
    config = world.server()
    session = world.session(config)
    pair = world.connect(config, evolve(session, ticket=b"short"))
    assert text(pair).splitlines()[1] == "  identity 0 key 73686f7274 NO_DECRYPT -> IGNORE_RENEW: no checks"


def test_what_was_not_found(world: World) -> None:
    session = world.session(world.stateful())
    expected = "  identity 0 NO_DECRYPT -> IGNORE_RENEW\n    found FAILED (no session of this id)"
    for answers in ({}, {LookUpSession: lambda question: ProvideSession(None)}):
        assert expected in text(world.connect(world.stateful(answers=answers), session))


def test_what_was_used_before(world: World) -> None:
    config = world.stateful(single_use_tickets=True)
    session = world.session(config)
    assert text(world.connect(config, session)).endswith("binder, single use")
    at_once = "\n    single use FAILED (used before, 0.000 s ago, at most 10.000 s)"
    assert at_once in text(world.connect(config, session))
    world.clock.forward(60)
    later = text(world.connect(config, session))
    assert "\n    single use FAILED (used before, 60.000 s ago: refuse)" in later
    assert re.match(rf"  identity 0 {FAMILY} NO_DECRYPT -> IGNORE_RENEW$", later.splitlines()[1])


def test_what_was_said(world: World) -> None:
    config = world.server()
    session = world.session(config)
    for answer, outcome in {
        TicketReturn.IGNORE: "full handshake, 0 tickets to follow: every identity was answered with IGNORE",
        TicketReturn.IGNORE_RENEW: "full handshake, 2 tickets to follow: no identity could be used",
        TicketReturn.USE: "resumed identity 0, 0 tickets to follow: identity 0 is resumed, without renewal",
        TicketReturn.USE_RENEW: "resumed identity 0, 1 ticket to follow: identity 0 is resumed, with renewal",
    }.items():
        decided = evolve(config, answers={DecideTicket: lambda _, answer=answer: ResolveTicket(answer)})
        first, second, *_ = text(world.connect(decided, session)).splitlines()
        assert first == outcome
        assert re.match(rf"  identity 0 {KEY} {FAMILY} SUCCESS_RENEW -> {answer.name}(: no checks)?$", second)


def test_a_resumption_in_full(world: World) -> None:
    config = world.server()
    session = world.session(config)
    world.clock.forward(60)
    assert re.fullmatch(
        r"resumed identity 0, 1 ticket to follow: identity 0 is resumed, with renewal\n"
        rf"  identity 0 {KEY} {FAMILY} SUCCESS_RENEW -> USE_RENEW\n"
        r"    passed: expiry \(age 60\.000 s, lifetime 7200 s\), "
        r"authentication age \(60\.000 s, at most 604800 s\), context, name \(the same\), client certificate, "
        r"hash \(sha256, now sha256\), age \(the client says 60\.000 s\), binder",
        text(world.connect(config, session)),
    )


def test_those_after_the_winner_and_before_it(world: World) -> None:
    config = world.server(num_tickets=3)
    sessions = received(world.connect(config))
    sessions[0] = evolve(sessions[0], ticket=sessions[0].ticket[:-1])
    pair = world.connect(config, sessions)
    lines = text(pair).splitlines()
    assert lines[0].startswith("resumed identity 1, 1 ticket to follow")
    assert lines[1].endswith("NO_DECRYPT -> IGNORE_RENEW: no checks")
    assert lines[-1] == "  identity 2: not looked at"
    assert text(pair, "client").startswith("resumed identity 1: the server took this session\n  identity 0\n")


def test_more_than_are_looked_at(world: World) -> None:
    config = world.server(num_tickets=MAX_IDENTITIES + 2)
    sessions = [evolve(one, ticket=one.ticket[:-1]) for one in received(world.connect(config))]
    said = text(world.connect(config, sessions))
    assert said.count("NO_DECRYPT") == MAX_IDENTITIES
    assert said.endswith("  identity 8\n    limit FAILED (of 10 identities 8 are looked at)")


def test_nothing_offered(world: World) -> None:
    pair = world.connect(world.server())
    assert text(pair) == "full handshake, 2 tickets to follow: no identity to decide on"
    assert text(pair, "client") == "full handshake: no session was offered"


def test_a_renewal_without_a_ticket_is_not_called_one(world: World) -> None:
    """SUCCESS_RENEW and USE_RENEW, but num_tickets is 0."""
    config = world.server()
    session = world.session(config)
    pair = world.connect(evolve(config, num_tickets=0), session)
    assert text(pair).splitlines()[0] == (
        "resumed identity 0, 0 tickets to follow: identity 0 is resumed, no ticket is to follow"
    )


def test_a_server_that_makes_no_tickets(world: World) -> None:
    pair = world.connect(world.server(ticket_keys=None), world.session(world.server()))
    assert text(pair).splitlines()[1:] == ["  identity 0", "    tickets FAILED (the config makes none)"]


def test_a_client_that_resumes_otherwise_than_we_do(world: World) -> None:
    def psk_ke_only(hello: ClientHello) -> ClientHello:
        *others, offer = without(hello, PskKeyExchangeModes).extensions
        return evolve(hello, extensions=(*others, PskKeyExchangeModes((0,)), offer))

    config = world.server()
    client = HostileClient(config, {ClientHello: psk_ke_only}, sessions=(world.session(config),)).complete()
    said = str(client.events[0].record)  # type: ignore[attr-defined]
    assert "psk_key_exchange_modes FAILED (without psk_dhe_ke, the only mode that we do)" in said


# --- clients -------------------------------------------------------------------------------------------------

CLIENT_SIDE: Final[dict[str, tuple[dict[str, Any], dict[str, Any], str]]] = {
    "expiry": ({}, {"lifetime": 60}, r"expiry FAILED \(age 100\.000 s, lifetime 60 s\)"),
    "version": ({}, {"ticket": b""}, r"version FAILED \(version 0x0304, ticket of 0 bytes\)"),
    "hash": (
        {"cipher_suites": (CipherSuite.AES_256_GCM_SHA384,)},
        {},
        r"hash FAILED \(suite 0x1301\)",
    ),
    "name": ({}, {"server_name": "other.example"}, r"name FAILED \(other\.example, now server\.example\)"),
    "verification policy": (
        {"verify_peer": False},
        {},
        r"verification policy FAILED \(the server was verified otherwise\)",
    ),
    "certificates": (
        {"resumed_certificates": ResumedCertificates.VERIFY},
        {"peer_certificates": (b"garbage",)},
        r"certificates FAILED \(malformed certificate.*\)",
    ),
    "size": ({}, {"ticket": bytes(65_400)}, r"size FAILED \(\d+ bytes, room for \d+\)"),
}


@pytest.mark.parametrize(("config", "session", "expected"), CLIENT_SIDE.values(), ids=CLIENT_SIDE)
def test_each_check_of_a_client(
    world: World, config: dict[str, Any], session: dict[str, Any], expected: str
) -> None:
    server = world.server()
    old = evolve(world.session(server), **session)
    world.clock.forward(100)
    pair = world.connect(server, old, client=world.client(**config))
    said = text(pair, "client")
    assert said.startswith("full handshake: no session was offered\n  identity 0\n")
    assert re.search(rf"^    {expected}$", said, re.MULTILINE), said
    assert text(pair) == "full handshake, 2 tickets to follow: no identity to decide on"


def test_what_was_fit_and_what_was_not(world: World) -> None:
    """The winner is counted among those that were given, not among those that were offered."""
    server = world.server()
    good, bad = received(world.connect(server))
    pair = world.connect(server, [evolve(bad, lifetime=0), good])
    said = text(pair, "client")
    assert said.startswith(
        "resumed identity 1: the server took this session\n  identity 0\n    expiry FAILED"
    )
    assert record(pair).winner == 0, "which the server never saw"
