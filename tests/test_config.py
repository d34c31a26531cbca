"""A config that cannot work is refused when it is made: which field, what was wrong and what was expected."""

from __future__ import annotations

import copy
import os
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from attrs import fields

from sansticket import (
    ASK,
    AcceptPeer,
    ClientAuthentication,
    ClientConfig,
    Command,
    ConfigError,
    ReplayRecorder,
    ServerConfig,
)
from sansticket.codes import NamedGroup
from sansticket.config.tickets import NoTickets, SealedTickets, StoredTickets, TicketsSealedElsewhere
from sansticket.connection.client import ClientConnection
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
    SelectConfig,
    Sign,
    TicketReceived,
    VerifyPeer,
)
from sansticket.tickets.keys.ring import TicketKeyRing
from sansticket.tickets.session import Session
from sansticket.tickets.stores.cache import SessionCache
from sansticket.values import DOC
from sansticket.wire.extensions.key_exchange import KeyShareOffer, SupportedGroups
from sansticket.wire.extensions.negotiation import ApplicationProtocols
from sansticket.wire.messages.hello import ClientHello
from tests.support.configs import client_config, server_config
from tests.support.credentials import NOW, anchors, client_credential, server_credential
from tests.support.pair import ConnectionPair


async def later(question: Question) -> Command:
    return AcceptPeer()


class Later:
    async def __call__(self, question: Question) -> Command:
        return AcceptPeer()


WRONG_ON_BOTH = [
    ("versions", 0x0304, "expected a sequence, each a number"),
    ("versions", "TLS 1.3", "'TLS 1.3'; expected a sequence"),
    ("versions", ["TLS 1.3"], "'TLS 1.3'; expected a number"),
    ("versions", [[]], r"\[\]; expected a number"),
    ("versions", [0x0302], "770 is not one that sansticket knows; expected of"),
    ("versions", [], "empty; expected at least one"),
    ("versions", [0x0304, 0x0304], "one is named twice"),
    ("cipher_suites", None, "expected a sequence"),
    ("cipher_suites", [0x1304], "not one that sansticket knows"),
    ("groups", ["x25519"], "'x25519'; expected a number"),
    ("groups", [], "empty"),
    ("signature_schemes", [0x0201], "not one that sansticket knows"),
    ("alpn_protocols", "h2", "'h2'; expected a sequence, each bytes"),
    ("alpn_protocols", b"h2", "expected a sequence, each bytes"),
    ("alpn_protocols", ["h2"], "'h2'; expected bytes"),
    ("alpn_protocols", [b""], "expected 1 to 255 bytes"),
    ("alpn_protocols", [bytes(256)], "expected 1 to 255 bytes"),
    ("alpn_protocols", [bytes(255)] * 129, "too many; expected at most 32767 bytes"),
    ("credentials", server_credential(), "expected a sequence, each a Credential"),
    ("credentials", ["cert.pem"], "a value of type str; expected a Credential"),
    ("trust_anchors", b"-----BEGIN", "expected TrustAnchors or None"),
    ("psks", b"key", "expected a sequence, each an ExternalPsk"),
    ("psks", ["name"], "a value of type str; expected an ExternalPsk"),
    ("answers", [DecideTicket], "expected a mapping"),
    ("answers", 5, "5; expected a mapping"),
    ("answers", {"DecideTicket": ASK}, "'DecideTicket'; expected a class like DecideTicket"),
    ("answers", {Question: ASK}, "is not a question; expected a class like DecideTicket"),
    ("answers", {int: ASK}, "is not a question"),
    ("answers", {DecideTicket: None}, "None for DecideTicket; expected a function or ASK"),
    (
        "answers",
        {DecideTicket: later},
        "a coroutine function for DecideTicket; expected a function that gives",
    ),
    ("answers", {DecideTicket: partial(later)}, "a coroutine function for DecideTicket"),
    ("answers", {DecideTicket: Later()}, "a coroutine function for DecideTicket"),
    ("verification_label", "pinned", "'pinned'; expected bytes or None"),
    ("verification_label", b"", "0 bytes; expected 1 to 255"),
    ("verification_label", b"pinned", "given, but answers has nothing for VerifyPeer"),
    ("clock", 1_700_000_000, "expected a function, without arguments to seconds since the epoch"),
    ("entropy", b"random", "expected a function"),
    ("key_log", "keys.txt", "expected a function, that takes a line"),
    ("padding", 100, "expected a function, from a length to a length"),
    ("certificate_compression", [4], "4 is not one that sansticket knows"),
    ("certificate_compression", "zlib", "'zlib'; expected a sequence, each a number"),
    ("certificate_compression", [1, 1], "one is named twice"),
    ("record_size_limit", 63, "expected an integer from 64 to 16385"),
    ("record_size_limit", 16_386, "expected an integer from 64 to 16385"),
    ("resumed_certificates", "verify", "expected a ResumedCertificates"),
    ("max_session_age", 604_801, "expected an integer from 1 to 604800"),
    ("require_extended_master_secret", "yes", "expected True or False"),
    ("tickets_in_tls12", None, "expected True or False"),
    ("max_handshake_message", 16_383, "expected an integer from 16384 to 16777215"),
    ("max_handshake_message", 1e6, "expected an integer"),
    ("max_buffered", "1 MB", "expected an integer"),
    ("min_rsa_bits", 511, "expected an integer from 512 to 16384"),
    ("min_rsa_bits", "2048", "expected an integer"),
    ("min_rsa_bits", None, "expected an integer"),
    ("max_certificates", 0, "expected an integer from 1 to 100"),
]
WRONG_ON_A_CLIENT = [
    ("trust_anchors", None, "none given; expected TrustAnchors, or an answer for VerifyPeer"),
    ("verify_peer", "no", "expected True or False"),
    ("key_shares", 29, "expected a sequence"),
    ("key_shares", [NamedGroup.X25519, NamedGroup.X25519], "one is named twice"),
    ("key_shares", [0x0100], "256 is not one"),
    ("middlebox_compatibility", 1, "expected True or False"),
    ("post_handshake_auth", 1, "expected True or False"),
    ("session_store", {}, "expected a ClientSessionStore or None"),
    ("ticket_request", 2, "expected two numbers, or None"),
    ("ticket_request", (1,), "1 numbers; expected two"),
    ("ticket_request", (1, 256), "expected an integer from 0 to 255"),
    ("ticket_request", (True, 1), "expected an integer from 0 to 255"),
    ("ticket_request", "21", "'21'; expected two numbers, or None"),
    ("key_shares", ["x25519"], "'x25519'; expected a number"),
    ("request_tickets", 1, "expected True or False"),
    ("request_tickets", True, "needs a session_store"),
    ("resume_with_other_name", "yes", "expected True or False"),
    ("early_data", 1, "expected True or False"),
    ("request_stapling", 1, "expected True or False"),
    ("require_stapling", None, "expected True or False"),
]
WRONG_ON_A_SERVER = [
    ("credentials", [], "none given; a server needs at least one"),
    ("client_authentication", "required", "expected a ClientAuthentication"),
    ("ticket_keys", b"key", "has no seal; expected TicketKeys, or None"),
    ("session_cache", {}, "expected a SessionCache or None"),
    ("num_tickets", -1, "expected an integer from 0 to 65535"),
    ("num_tickets", None, "expected an integer"),
    ("max_tickets_requested", 256, "expected an integer from 0 to 255"),
    ("ticket_flush", "write", "expected a TicketFlush"),
    ("ticket_lifetime", 0, "expected an integer from 1 to 604800"),
    ("session_id_context", "context", "expected bytes or None"),
    ("session_id_context", bytes(33), "33 bytes; expected at most 32"),
    ("resume_with_other_name", 1, "expected True or False"),
    ("tickets_without_psk_modes", 1, "expected True or False"),
    ("single_use_tickets", 1, "expected True or False"),
    ("single_use_tickets", True, "needs stateful tickets"),
    ("stateless_retry", {}, "expected a TicketKeyRing, WindowedTicketKeys or None"),
    ("max_early_data", 1 << 32, "expected an integer from 0 to 4294967295"),
    ("max_early_data", 1, "1, and nothing protects from replay; expected single_use_tickets=True"),
    ("early_data_window", 10, "expected two numbers of seconds"),
    ("early_data_window", (10, -1), "-1; expected seconds, 0 or more"),
    ("replay", {}, "expected a ReplayRecorder or None"),
    ("ticket_uses", {}, "expected TicketUses or None"),
    ("revocations", {}, "expected Revocations or None"),
    ("replay", ReplayRecorder(19.5), r"remembers for 19\.5 seconds; expected at least 20"),
    ("half_rtt", 1, "expected True or False"),
]
Make = Callable[..., object]
ROWS: list[Any] = [
    *(pytest.param(client_config, *row) for row in [*WRONG_ON_BOTH, *WRONG_ON_A_CLIENT]),
    *(pytest.param(server_config, *row) for row in [*WRONG_ON_BOTH, *WRONG_ON_A_SERVER]),
]


@pytest.mark.parametrize(("make", "field", "value", "complaint"), ROWS)
def test_a_wrong_value(make: Make, field: str, value: object, complaint: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{field}: .*{complaint}") as caught:
        make(**{field: value})
    assert caught.value.field == field


@pytest.mark.parametrize("kind", [ClientConfig, ServerConfig])
def test_every_field_has_a_wrong_value(kind: type) -> None:
    """A new field needs a check, and a row above."""
    tried = {row[0] for row in WRONG_ON_BOTH}
    tried |= {row[0] for row in (WRONG_ON_A_CLIENT if kind is ClientConfig else WRONG_ON_A_SERVER)}
    assert tried == {field.name for field in kind.__attrs_attrs__ if field.init}


KEY = b"a key that somebody put into the wrong place"
HOLD_KEYS = [
    (server_config, "ticket_keys"),
    (server_config, "stateless_retry"),
    (server_config, "credentials"),
    (server_config, "psks"),
    (server_config, "entropy"),
    (client_config, "session_store"),
    (client_config, "credentials"),
    (client_config, "psks"),
]


@pytest.mark.parametrize(("make", "field"), HOLD_KEYS)
@pytest.mark.parametrize("given", [KEY, KEY.decode(), [KEY], [KEY.decode()], bytearray(KEY)], ids=repr)
def test_a_key_in_the_wrong_place_is_not_in_the_complaint(make: Make, field: str, given: object) -> None:
    """Whoever comes from other stacks gives keys as bytes: ``ticket_keys=secret`` must not end in a log."""
    with pytest.raises(ConfigError, match=rf"^{field}: a value of type \w+") as caught:
        make(**{field: given})
    shown = str(caught.value)
    assert "key that" not in shown
    assert "place" not in shown
    assert str(KEY[0]) not in shown


def test_a_class_is_no_ticket_keys() -> None:
    with pytest.raises(
        ConfigError, match=r"^ticket_keys: a class, TicketKeyRing; expected TicketKeys, or None"
    ):
        server_config(ticket_keys=TicketKeyRing)


OF_ANY_TYPE: list[object] = [5, "five", ["five"], None, True, 1.5, b"five", {}, object()]
FLAGS = {
    "require_extended_master_secret",
    "tickets_in_tls12",
    "verify_peer",
    "middlebox_compatibility",
    "post_handshake_auth",
    "resume_with_other_name",
    "tickets_without_psk_modes",
    "early_data",
    "request_stapling",
    "require_stapling",
    "half_rtt",
}
NUMBERS = {"max_certificates", "num_tickets", "max_tickets_requested", "ticket_lifetime", "max_session_age"}
OPTIONAL = {
    "key_log",
    "padding",
    "key_shares",
    "session_store",
    "ticket_request",
    "ticket_keys",
    "session_cache",
    "session_id_context",
    "verification_label",
    "replay",
    "stateless_retry",
    "ticket_uses",
    "revocations",
    "record_size_limit",
}


@pytest.mark.parametrize("kind", [ClientConfig, ServerConfig])
def test_every_field_is_judged_by_itself(kind: type) -> None:
    """By a validator, which knows the name of its field; only rules over two fields come after all of them."""
    assert [one.name for one in fields(kind) if one.validator is None] == []


def is_right(kind: type, name: str, value: object) -> bool:
    """Whether one of ``OF_ANY_TYPE`` is a value for that field."""
    if value is None:
        return name in OPTIONAL or (name == "trust_anchors" and kind is ServerConfig)
    if value == {}:
        return name in {"answers", "alpn_protocols", "key_shares", "psks", "certificate_compression"} or (
            name,
            kind,
        ) == (
            "credentials",
            ClientConfig,
        )
    if value == b"five":
        return name == "session_id_context"
    return name in (FLAGS if value is True else NUMBERS if value == 5 else ())


@pytest.mark.parametrize("value", OF_ANY_TYPE, ids=lambda value: repr(value).partition(" object at")[0])
@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, field.name) for kind in (ClientConfig, ServerConfig) for field in fields(kind) if field.init],
)
def test_a_value_of_any_type(kind: type, name: str, value: object) -> None:
    """It is taken, or the error names the field: whatever else is made of that field before it is checked."""
    make = client_config if kind is ClientConfig else server_config
    if is_right(kind, name, value):
        assert make(**{name: value})
        return
    with pytest.raises(ConfigError, match=f"^{name}: ") as caught:
        make(**{name: value})
    assert caught.value.field == name
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("kind", [ClientConfig, ServerConfig])
def test_every_field_has_its_documentation(kind: type) -> None:
    for field in fields(kind):
        assert field.metadata[DOC].strip().endswith("."), field.name


def test_lists_of_every_kind() -> None:
    given: Any
    for given in ([b"h2"], (b"h2",), iter([b"h2"]), {b"h2"}, {b"h2": 1}):
        assert client_config(alpn_protocols=given).alpn_protocols == (b"h2",)


def test_a_key_that_is_elsewhere_needs_somebody_who_signs() -> None:
    from attrs import evolve

    elsewhere = evolve(server_credential(), private_key=None)
    with pytest.raises(ConfigError, match=r"^credentials: one has no private key"):
        server_config(credentials=[elsewhere])
    assert server_config(credentials=[elsewhere], answers={Sign: ASK})


# --- questions that are never asked --------------------------------------------------------------------------


def answer(question: Question) -> object:
    raise AssertionError(question)


ELSEWHERE: dict[type[Question], Any] = {OpenTicket: ASK, ProtectTicket: ASK}
ONLY_13: dict[str, Any] = {"versions": [0x0304]}
ONLY_12: dict[str, Any] = {"versions": [0x0303]}
NO_KEYS: dict[str, Any] = {"ticket_keys": None}
EARLY: dict[str, Any] = {"max_early_data": 1, "replay": ReplayRecorder()}
SINGLE: dict[str, Any] = {**NO_KEYS, "single_use_tickets": True, "session_cache": SessionCache()}
ASKS: dict[str, Any] = {"client_authentication": ClientAuthentication.OPTIONAL, "trust_anchors": anchors()}
REQUIRES: dict[str, Any] = {**ASKS, "client_authentication": ClientAuthentication.REQUIRED}

ASKED_BY_A_SERVER: list[tuple[type[Question], dict[str, Any]]] = [
    (SelectConfig, {}),
    (Sign, {}),
    (VerifyPeer, {}),
    (VerifyPeer, ONLY_13),
    (VerifyPeer, {**ONLY_12, **ASKS}),
    (DecideTicket, {}),
    (DecideTicket, ONLY_12),
    (DecideTicket, {**ONLY_13, "tickets_in_tls12": False}),
    (PrepareTicket, {}),
    (PrepareTicket, {"num_tickets": 0}),
    (PrepareTicket, {**NO_KEYS, "session_cache": SessionCache()}),
    (LookUpSession, {}),
    (LookUpSession, ONLY_12),
    (LookUpSession, {**NO_KEYS, **ONLY_13}),
    (LookUpPsk, {}),
    (LookUpPsk, {**ONLY_13, **ASKS}),
    (LookUpPsk, {"credentials": ()}),
    (AdmitSession, {}),
    (AdmitSession, {**NO_KEYS, **ONLY_12, "session_cache": SessionCache()}),
    (AdmitSession, {**ONLY_12, "tickets_in_tls12": False, "session_cache": SessionCache()}),
    (AdmitEarlyData, EARLY),
    (ClaimEarlyData, {"max_early_data": 1}),
    (ClaimEarlyData, EARLY),
    (ClaimSession, SINGLE),
    (ClaimSession, {**SINGLE, **ONLY_13}),
    (ClaimSession, {**SINGLE, **ONLY_12}),
    (PrepareTicket, {**NO_KEYS, **ONLY_12, "session_cache": SessionCache()}),
]
NEVER_ASKED_BY_A_SERVER: list[tuple[type[Question], dict[str, Any], str]] = [
    (VerifyPeer, ONLY_12, "client_authentication, or TLS 1.3"),
    (DecideTicket, NO_KEYS, "stateless tickets"),
    (DecideTicket, {**NO_KEYS, "session_cache": SessionCache()}, "stateless tickets"),
    (DecideTicket, {**ONLY_12, "tickets_in_tls12": False}, "tickets_in_tls12"),
    (PrepareTicket, NO_KEYS, "stateless tickets"),
    (LookUpSession, ONLY_13, "ticket_keys=None, or TLS 1.2"),
    (LookUpPsk, ONLY_12, "TLS 1.3 among the versions"),
    (LookUpPsk, {**ONLY_13, **REQUIRES}, "client_authentication other than REQUIRED"),
    (AdmitSession, NO_KEYS, "stateless tickets"),
    (AdmitSession, {**ONLY_12, "tickets_in_tls12": False}, "tickets_in_tls12"),
    (ClaimSession, {}, "single_use_tickets"),
    (AdmitEarlyData, {}, "max_early_data"),
    (ClaimEarlyData, {}, "max_early_data"),
    (AdmitEarlyData, {**ONLY_12, **EARLY}, "TLS 1.3 among the versions"),
    (ClaimEarlyData, {**ONLY_12, **EARLY}, "TLS 1.3 among the versions"),
]


@pytest.mark.parametrize(("question", "changes"), ASKED_BY_A_SERVER)
def test_what_a_server_can_ask(question: type[Question], changes: dict[str, Any]) -> None:
    for how in (ASK, answer):
        assert question in server_config(**changes, answers={question: how}).answers


@pytest.mark.parametrize("keys", [{}, ONLY_12, ONLY_13])
def test_what_a_server_can_ask_whose_keys_are_elsewhere(keys: dict[str, Any]) -> None:
    assert server_config(**keys, answers=ELSEWHERE)
    assert server_config(**keys, answers={**ELSEWHERE, DecideTicket: ASK, PrepareTicket: ASK})


@pytest.mark.parametrize(("question", "changes", "expected"), NEVER_ASKED_BY_A_SERVER)
def test_what_a_server_can_never_ask(
    question: type[Question], changes: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ConfigError, match=rf"^answers: {question.__name__} can never be asked; .*{expected}"):
        server_config(**changes, answers={question: answer})


def test_keys_elsewhere_for_no_ticket() -> None:
    with pytest.raises(ConfigError, match=r"^answers: OpenTicket can never be asked; expected TLS 1\.3"):
        server_config(**ONLY_12, tickets_in_tls12=False, answers=ELSEWHERE)


@pytest.mark.parametrize("question", sorted(server_config().lacking, key=lambda kind: kind.__name__))
def test_what_a_client_can_ask(question: type[Question]) -> None:
    answers = {question: answer}
    if question in (VerifyPeer, Sign):
        config = client_config(credentials=[client_credential()], answers=answers)
        assert question in config.answers
        return
    with pytest.raises(ConfigError, match=f"^answers: {question.__name__} is no question of a client"):
        client_config(answers=answers)


def test_a_client_without_a_certificate_signs_nothing() -> None:
    with pytest.raises(ConfigError, match=r"^answers: Sign can never be asked; expected credentials"):
        client_config(answers={Sign: ASK})


def test_a_question_of_somebody_else() -> None:
    other = type("Other", (Question,), {})
    for make, side in ((client_config, "client"), (server_config, "server")):
        with pytest.raises(ConfigError, match=f"^answers: Other is no question of a {side}"):
            make(answers={other: answer})


def test_every_question_has_its_place() -> None:
    server = server_config().lacking
    ours = {
        kind.__name__
        for kind in Question.__subclasses__()
        if kind.__module__.startswith("sansticket.events.")
    }
    assert {kind.__name__ for kind in {*server, *client_config().lacking}} == ours
    assert {question for question, _ in ASKED_BY_A_SERVER} | set(ELSEWHERE) == set(server)


# --- the ways of having tickets --------------------------------------------------------------------------------


def test_the_ways_of_having_tickets() -> None:
    sealed = server_config()
    assert sealed.ticket_keys is not None
    assert sealed.tickets == SealedTickets(sealed.ticket_keys)
    cache = SessionCache()
    with_ids = server_config(session_cache=cache, answers={LookUpSession: ASK})
    assert isinstance(with_ids.tickets, SealedTickets)
    assert server_config(answers=ELSEWHERE).tickets == TicketsSealedElsewhere()
    both = {**ELSEWHERE, LookUpSession: ASK}
    assert server_config(answers=both, session_cache=cache).tickets == TicketsSealedElsewhere()
    assert server_config(ticket_keys=None, session_cache=cache).tickets == StoredTickets(cache)
    assert server_config(ticket_keys=None, answers={LookUpSession: ASK}).tickets == StoredTickets(None)
    assert server_config(ticket_keys=None).tickets == NoTickets()


@pytest.mark.parametrize("question", [OpenTicket, ProtectTicket])
def test_half_of_the_keys_elsewhere(question: type[Question]) -> None:
    with pytest.raises(ConfigError, match=r"^answers: OpenTicket and ProtectTicket need each other"):
        server_config(answers={question: ASK}, ticket_keys=None)


def test_two_ways_at_once() -> None:
    keys = server_config().ticket_keys
    with pytest.raises(ConfigError, match=r"^ticket_keys: given, but OpenTicket is answered too"):
        server_config(answers=ELSEWHERE, ticket_keys=keys)


# --- the ring that is made where nothing is said --------------------------------------------------------------

DAY = 86_400


class Hours:
    """A clock that is moved by hand."""

    now = NOW.timestamp()

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("lifetime", [7200, 604_800])
def test_the_default_ring_rotates_daily_and_forgets(lifetime: int) -> None:
    clock = Hours()
    ring = server_config(clock=clock, ticket_lifetime=lifetime).ticket_keys
    assert isinstance(ring, TicketKeyRing)
    start, first = clock.now, ring.current
    early = ring.seal(b"early", start, os.urandom)
    late = ring.seal(b"late", start + DAY - 1, os.urandom)
    assert ring.current is first
    next_day = ring.seal(b"next day", start + DAY, os.urandom)
    assert ring.current is not first
    assert [ring.open(ticket, start + DAY).status.name for ticket in (early, late, next_day)] == [
        "SUCCESS_RENEW",
        "SUCCESS_RENEW",
        "SUCCESS",
    ]
    # The last ticket of the first key can be used to the end of its life, and no longer.
    assert ring.open(late, start + DAY + lifetime - 1).plaintext == b"late"
    assert ring.open(late, start + DAY + lifetime).status.name == "NO_DECRYPT"
    for day in range(2, 4 + lifetime // DAY):
        ring.seal(b"", start + day * DAY, os.urandom)
    assert first not in ring.keys
    assert len(ring.keys) <= 2 + lifetime // DAY


@pytest.mark.parametrize("version", [0x0304, 0x0303])
def test_a_resumption_over_midnight(version: int) -> None:
    """The clock that counts is the config's; a ticket of yesterday resumes today, and is renewed under the new key."""
    clock = Hours()
    server = server_config(clock=clock, versions=[version])
    client = client_config(clock=clock, versions=[version])
    clock.now += DAY - 600
    tickets = tickets_of(ConnectionPair(client, server))
    clock.now += 1200
    pair = ConnectionPair(client, server, session=tickets[0])
    renewed = tickets_of(pair)
    assert pair.client.resumed
    assert renewed
    assert renewed[0].ticket[:16] != tickets[0].ticket[:16]
    clock.now += 5000
    pair = ConnectionPair(client, server, session=renewed[0])
    pair.pump()
    assert pair.client.resumed


def tickets_of(pair: ConnectionPair) -> list[Session]:
    pair.pump()
    return [event.session for event in pair.client_events if isinstance(event, TicketReceived)]


# --- what a config leads to ------------------------------------------------------------------------------------


def hello_of(config: ClientConfig) -> ClientHello:
    record = ClientConnection(config, "server.example").data_to_send()
    return ClientHello.decode(record[9:])


def test_key_shares_are_sent_in_the_order_of_the_groups() -> None:
    """They MUST be (RFC 9846 section 4.3.8), however they are named."""
    groups = (NamedGroup.X25519, NamedGroup.SECP256R1, NamedGroup.SECP384R1)
    hello = hello_of(client_config(groups=groups, key_shares=[NamedGroup.SECP384R1, NamedGroup.X25519]))
    offered, shares = hello.find(SupportedGroups), hello.find(KeyShareOffer)
    assert offered == SupportedGroups(groups)
    assert shares is not None
    assert [share.group for share in shares.shares] == [NamedGroup.X25519, NamedGroup.SECP384R1]


def test_no_key_shares() -> None:
    """The server chooses, by a HelloRetryRequest."""
    config = client_config(key_shares=(), groups=(NamedGroup.X25519, NamedGroup.SECP256R1))
    assert hello_of(config).find(KeyShareOffer) == KeyShareOffer(())
    pair = ConnectionPair(config, server_config(groups=(NamedGroup.SECP256R1,)))
    pair.pump()
    assert pair.client.group == pair.server.group == NamedGroup.SECP256R1


def test_as_many_protocols_as_a_hello_has_room_for() -> None:
    protocols = [bytes((65 + number // 10, 48 + number % 10)) * 127 + b"x" for number in range(127)]
    config = client_config(alpn_protocols=protocols, groups=(NamedGroup.X25519,))
    connection = ClientConnection(config, "a" * 63 + ".example")
    found = connection._engine.state.offer.hello.find(ApplicationProtocols)
    assert found == ApplicationProtocols(tuple(protocols))


@pytest.mark.parametrize(
    "change",
    [
        lambda answers: answers.update({VerifyPeer: lambda question: AcceptPeer()}),
        lambda answers: answers.setdefault(VerifyPeer, ASK),
        lambda answers: answers.pop(VerifyPeer),
        lambda answers: answers.popitem(),
        lambda answers: answers.clear(),
        lambda answers: answers.__setitem__(VerifyPeer, ASK),
        lambda answers: answers.__delitem__(VerifyPeer),
        lambda answers: answers.__ior__({VerifyPeer: ASK}),
    ],
)
def test_answers_do_not_change(change: Callable[[Any], object]) -> None:
    """Sessions are bound to whoever verified when they were made: another one has another config."""
    config = ClientConfig(answers={VerifyPeer: print})
    for answers in (config.answers, copy.copy(config.answers), copy.deepcopy(config.answers)):
        with pytest.raises(TypeError, match="the answers of a config do not change"):
            change(answers)
        assert answers == {VerifyPeer: print}
    loaded = pickle.loads(pickle.dumps(config))
    assert loaded.answers == config.answers
    assert loaded.verification_policy != config.verification_policy, (
        "functions are found by their names there"
    )
