"""The system's libssl does in our harness what it was measured to do: so the harness tells the truth.

Outcomes are written as ``resumed 1`` or ``full 2`` (with the number of tickets), or as the alert.  Everything
here holds for OpenSSL 3.0 and 3.5; where they differ, the test says so.
"""

import ctypes
from collections.abc import Mapping
from typing import Final

import pytest

from tests.differential import capi, libssl_ticket
from tests.differential.capi import lib
from tests.differential.libssl import LibsslClient, LibsslServer, run_libssl
from tests.differential.libssl_contexts import ClientContext, ServerContext
from tests.differential.runner import Log, exchange
from tests.differential.scenario import (
    APP_DATA,
    LIFETIME,
    Connection,
    Ending,
    Moment,
    Offer,
    Outcome,
    Psk,
    Return,
    Scenario,
    Status,
    Store,
    Tamper,
    Trigger,
    Verify,
    Version,
    resumption,
    story,
)
from tests.differential.scenarios import CONDITIONS, DECISIONS, GROUPS

TLS12, TLS13 = Version.TLS12, Version.TLS13
OPENSSL_3_0: Final = capi.VERSION_NUMBERS < (3, 5)


def last(scenario: Scenario) -> Outcome:
    return run_libssl(scenario)[-1]


# What becomes of a ticket.  The columns: no callback, ABORT, IGNORE, IGNORE_RENEW, USE, USE_RENEW.

ABORTED: Final = "INTERNAL_ERROR"
FRESH_12: Final = ("resumed 0", ABORTED, "full 0", "full 1", "resumed 0", "resumed 1")
RENEWED_12: Final = ("resumed 1", *FRESH_12[1:])
NOT_DECRYPTED_12: Final = ("full 1", ABORTED, "full 0", "full 1", ABORTED, ABORTED)
NOT_USABLE_12: Final = ("full 1", ABORTED, "full 0", "full 1", "full 1", "full 1")
NOT_ASKED_12: Final = ("full 0",) * 6
FRESH_13: Final = ("resumed 1", ABORTED, "full 0", "full 2", "resumed 0", "resumed 1")
NOT_RENEWED_13: Final = ("resumed 0", *FRESH_13[1:])
NOT_DECRYPTED_13: Final = ("full 2", ABORTED, "full 0", "full 2", ABORTED, ABORTED)
NOT_USABLE_13: Final = ("full 2", ABORTED, "full 0", "full 2", "full 2", "full 2")
NOT_ASKED_13: Final = ("full 2",) * 6
OTHER_HASH: Final = (
    ("full 0", ABORTED, "full 0", "full 2", "full 0", "full 0") if OPENSSL_3_0 else NOT_USABLE_13
)
FAILED: Final = (ABORTED,) * 6


def refused_12(alert: str) -> tuple[str, ...]:
    return alert, ABORTED, "full 0", "full 1", alert, alert


TAMPERED: Final = [tamper.value for tamper in Tamper]

TABLE_12: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(TAMPERED, NOT_DECRYPTED_12),
    "key callback: older key": RENEWED_12,
    "key callback: unknown key": NOT_DECRYPTED_12,
    "key callback: error": FAILED,
    "expired": NOT_USABLE_12,
    "other context": NOT_USABLE_12,
    "context not set any more": NOT_USABLE_12,
    "extended master secret added": NOT_USABLE_12,
    "extended master secret dropped": refused_12("HANDSHAKE_FAILURE"),
    "suite not offered now": refused_12("ILLEGAL_PARAMETER"),
    "server stateful now": NOT_ASKED_12,
    "no ticket extension": NOT_ASKED_12,
    "nothing offered": NOT_DECRYPTED_12,
    "a 1.3 ticket": NOT_DECRYPTED_12,
    # An empty ticket and the id of a session that the cache still has.
    "server stateful before": ("resumed 1", ABORTED, "resumed 0", "resumed 1", ABORTED, ABORTED),
}

TABLE_13: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(TAMPERED, NOT_DECRYPTED_13),
    "key callback: current key": NOT_RENEWED_13,
    "key callback: unknown key": NOT_DECRYPTED_13,
    "key callback: error": FAILED,
    "expired": NOT_USABLE_13,
    "other context": NOT_USABLE_13,
    "context not set any more": NOT_USABLE_13,
    "other hash, by the client": OTHER_HASH,
    "other hash, by the server": OTHER_HASH,
    "server stateful now": NOT_ASKED_13,
    "server stateful before": NOT_DECRYPTED_13,
    "nothing offered": NOT_ASKED_13,
    "a 1.2 ticket": NOT_ASKED_13,
}
"""What is in neither table is as a fresh ticket."""

ROWS: Final = [
    *((TLS12, name, TABLE_12.get(name, FRESH_12)) for name in CONDITIONS[TLS12]),
    *((TLS13, name, TABLE_13.get(name, FRESH_13)) for name in CONDITIONS[TLS13]),
]
if not OPENSSL_3_0:  # An age of exactly the lifetime is expired since then.
    ROWS[:] = [(v, n, e) for v, n, e in ROWS if n != "as old as its lifetime"]


@pytest.mark.parametrize(("version", "name", "expected"), ROWS, ids=[f"{v.value}, {n}" for v, n, _ in ROWS])
def test_what_becomes_of_a_ticket(version: Version, name: str, expected: tuple[str, ...]) -> None:
    condition = CONDITIONS[version][name]
    found = [str(last(condition.scenario(version, decision=decision))) for decision in DECISIONS]
    assert found == list(expected)


@pytest.mark.parametrize(
    ("version", "name", "status", "key_name_length"),
    [
        (TLS12, "fresh", Status.SUCCESS, 16),
        (TLS12, "key callback: older key", Status.SUCCESS_RENEW, 16),
        (TLS12, "key callback: unknown key", Status.NO_DECRYPT, 16),
        (TLS12, "truncated to one byte", Status.NO_DECRYPT, 1),
        (TLS12, "nothing offered", Status.EMPTY, 0),
        (TLS12, "expired", Status.SUCCESS, 16),
        (TLS13, "fresh", Status.SUCCESS_RENEW, 16),
        (TLS13, "key callback: current key", Status.SUCCESS, 16),
        (TLS13, "key callback: older key", Status.SUCCESS_RENEW, 16),
        (TLS13, "unknown key name", Status.NO_DECRYPT, 16),
        (TLS13, "truncated to one byte", Status.NO_DECRYPT, 1),
    ],
)
def test_what_the_decision_callback_is_told(
    version: Version, name: str, status: Status, key_name_length: int
) -> None:
    outcome = last(CONDITIONS[version][name].scenario(version, decision=Return.IGNORE))
    assert outcome.statuses == (status,)
    assert outcome.key_name_length == key_name_length


def test_every_ticket_is_prepared_by_the_generation_callback() -> None:
    for name, scenario in GROUPS["decisions"]():
        for outcome in run_libssl(scenario):
            assert outcome.prepared == outcome.tickets, name


# How many tickets.


@pytest.mark.parametrize("stateful", [False, True])
@pytest.mark.parametrize("number", [0, 1, 2, 3, 5, 10, 50])
def test_num_tickets(number: int, stateful: bool) -> None:
    plain = Connection(stateful=stateful)
    assert str(last(story(plain.but(num_tickets=number)))) == f"full {number}"
    assert str(last(resumption(plain, num_tickets=number))) == f"resumed {min(1, number)}"
    plain = plain.but(version=TLS12)
    assert str(last(story(plain.but(num_tickets=number)))) == ("full 0" if stateful else "full 1")
    assert str(last(resumption(plain, num_tickets=number))) == "resumed 0"


@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize("number", [0, 1, 4])
def test_when_num_tickets_is_set(moment: Moment, number: int) -> None:
    expected = 2 if moment is Moment.CONFIG_AFTER_START else number
    later = (moment, number)
    assert str(last(story(Connection(num_tickets_later=later)))) == f"full {expected}"
    assert str(last(resumption(num_tickets_later=later))) == f"resumed {min(1, expected)}"


@pytest.mark.parametrize("trigger", Trigger)
@pytest.mark.parametrize("number", [0, 1, 2])
def test_tickets_on_request(trigger: Trigger, number: int) -> None:
    for requested in (1, 2, 3, 5):
        plain = Connection(requests=requested, trigger=trigger, num_tickets=number)
        assert str(last(story(plain))) == f"full {number} + {requested}"
        assert (
            str(last(resumption(Connection(), **_requests(plain))))
            == f"resumed {min(1, number)} + {requested}"
        )
        assert last(story(plain.but(version=TLS12))).requested_tickets == 0


def _requests(connection: Connection) -> dict[str, object]:
    return {name: getattr(connection, name) for name in ("requests", "trigger", "num_tickets")}


@pytest.mark.parametrize("ticket", range(5))
def test_requested_tickets_resume(ticket: int) -> None:
    assert last(resumption(Connection(requests=3), requests=0, offer=Offer(ticket=ticket))).resumed


@pytest.mark.parametrize("stateful", [False, True])
@pytest.mark.parametrize("before", [None, 0, 1, 4])
@pytest.mark.parametrize("number", [0, 1, 2, 5])
def test_tickets_after_post_handshake_authentication(number: int, before: int | None, stateful: bool) -> None:
    asked = {
        "num_tickets": number,
        "num_tickets_before_post_handshake": before,
        "post_handshake": ("client-one",),
    }
    expected = number if before is None else before
    full = last(story(Connection(stateful=stateful).but(**asked)))
    assert (full.tickets, full.post_handshake_tickets, full.peer) == (number, (expected,), "client-one")
    resumed = last(resumption(Connection(stateful=stateful), **asked))
    assert (resumed.tickets, resumed.post_handshake_tickets) == (min(1, number), (min(1, expected),))


@pytest.mark.parametrize(("ticket", "peer"), [(1, None), (3, "client-one"), (5, "client-two")])
def test_whose_the_tickets_are(ticket: int, peer: str | None) -> None:
    twice = Connection(post_handshake=("client-one", "client-two"))
    outcome = last(resumption(twice, offer=Offer(ticket=ticket), post_handshake=()))
    assert (outcome.resumed, outcome.peer) == (True, peer)


def test_a_client_that_declines_post_handshake_authentication() -> None:
    declines = Connection(post_handshake=(None,))
    assert str(last(story(declines))) == "full 2 + 2"
    assert str(last(story(declines.but(post_handshake_required=True)))) == "CERTIFICATE_REQUIRED"


# The session id context.


@pytest.mark.parametrize("stateful", [False, True])
@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("verify", Verify)
def test_session_id_context(version: Version, verify: Verify, stateful: bool) -> None:
    def second(before: bytes | None, now: bytes | None) -> Outcome:
        first = Connection(
            version=version, stateful=stateful, verify=verify, certificate="client-one", sid_context=before
        )
        return last(resumption(first, sid_context=now))

    for context in (b"A", b"A" * 32):
        assert second(context, context).resumed
    for before, now in ((b"A", b"B"), (b"A", b"AA"), (b"A", None), (None, b"A")):
        outcome = second(before, now)
        assert (outcome.completed, outcome.resumed) == (True, False)
    never = second(None, None)
    if verify is Verify.NONE:
        assert never.resumed
    elif stateful:
        assert (never.completed, never.resumed) == (True, False)
    else:
        assert (never.alert, never.alert_from) == ("INTERNAL_ERROR", "server")


@pytest.mark.parametrize("version", Version)
def test_a_required_certificate_is_never_asked_for_when_an_anonymous_session_resumes(
    version: Version,
) -> None:
    outcome = last(resumption(Connection(version=version), verify=Verify.REQUIRED))
    assert (outcome.resumed, outcome.peer) == (True, None)


@pytest.mark.parametrize("version", Version)
def test_the_peer_is_restored(version: Version) -> None:
    first = Connection(version=version, verify=Verify.REQUIRED, certificate="client-one")
    assert last(resumption(first, certificate=None)).peer == "client-one"


# The generation callback.


def test_a_failing_generation_callback() -> None:
    for stateful in (False, True):
        failing = Connection(stateful=stateful, num_tickets=3)
        for at in (1, 2, 3):
            outcome = last(story(failing.but(generation_fails_at=at)))
            assert (outcome.alert, outcome.alert_from, outcome.tickets) == (
                "INTERNAL_ERROR",
                "server",
                at - 1,
            )
        assert last(resumption(failing, generation_fails_at=1)).alert == "INTERNAL_ERROR"
        assert last(resumption(failing, generation_fails_at=2)).resumed
    old = Connection(version=TLS12)
    assert last(story(old.but(generation_fails_at=1))).alert == "INTERNAL_ERROR"
    assert last(story(old.but(generation_fails_at=2))).alert is None
    assert last(story(old.but(generation_fails_at=1, stateful=True))).alert is None


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("size", [0, 1, 1000, 16000])
def test_app_data(version: Version, size: int) -> None:
    first = Connection(version=version, app_data=b"x" * size)
    again = first.but(app_data=None, offer=Offer(), decision=Return.USE_RENEW)
    outcomes = run_libssl(story(first, again, again))
    assert [outcome.app_data for outcome in outcomes] == [None, b"x" * size, b"x" * size]


# Caches and single use.


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize(
    ("store", "external", "resumed", "lookups"),
    [
        (Store.OFF, False, False, 0),
        (Store.SERVER, False, True, 0),
        (Store.SERVER, True, True, 0),
        (Store.NO_INTERNAL, False, False, 0),
        (Store.NO_INTERNAL, True, True, 1),
        (Store.NO_INTERNAL_LOOKUP, False, False, 0),
        (Store.NO_INTERNAL_LOOKUP, True, True, 1),
        (Store.NO_INTERNAL_STORE, False, False, 0),
        (Store.NO_INTERNAL_STORE, True, True, 1),
    ],
)
def test_cache_modes(version: Version, store: Store, external: bool, resumed: bool, lookups: int) -> None:
    plain = Connection(version=version, stateful=True)
    again = plain.but(offer=Offer())
    first, second = run_libssl(story(plain, again, store=store, external_store=external))
    assert (second.resumed, second.lookups) == (resumed, lookups)
    assert first.sessions == (0 if store is Store.OFF else 1 if version is TLS12 else 2)


def test_which_session_an_unclean_end_removes() -> None:
    plain = Connection(stateful=True, num_tickets=3)
    for ticket, resumed in ((0, True), (1, True), (2, False)):
        dropped, after = run_libssl(
            story(plain.but(ending=Ending.DROP), plain.but(offer=Offer(ticket=ticket)))
        )
        assert (dropped.removals, after.resumed) == (1, resumed)


@pytest.mark.parametrize("early_data", [0, 1000])
def test_single_use(early_data: int) -> None:
    first = Connection(max_early_data=early_data)
    again = first.but(offer=Offer(connection=0))
    resumed = [outcome.resumed for outcome in run_libssl(story(first, again, again))]
    assert resumed == [False, True, not early_data]


@pytest.mark.parametrize(("version", "expected"), [(TLS12, [True, False, True]), (TLS13, [True, True, True])])
def test_a_chain_of_renewals(version: Version, expected: list[bool]) -> None:
    first = Connection(version=version)
    again = first.but(offer=Offer(age=LIFETIME * 2 // 3), decision=Return.USE_RENEW)
    assert [outcome.resumed for outcome in run_libssl(story(first, again, again, again))[1:]] == expected


# Several identities, and a HelloRetryRequest.


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, FRESH_13[:1]),
        ({"decision": Return.IGNORE}, ["resumed 1"]),
        ({"decision": Return.USE}, ["resumed 0"]),
        ({"offer": Offer(tamper=Tamper.LAST_BYTE)}, ["resumed 1"]),
        ({"offer": Offer(age=LIFETIME + 1)}, ["full 2"]),
        ({"offer": Offer(age=LIFETIME + 1), "decision": Return.IGNORE}, ["resumed 1"]),
        ({"sid_context": b"other"}, ["full 2"]),
        ({"offer": None}, ["resumed 1"]),
    ],
)
def test_a_ticket_and_an_external_psk(settings: dict[str, object], expected: list[str]) -> None:
    first = Connection(server_suites=("TLS_AES_128_GCM_SHA256",))
    assert str(last(resumption(first, psk=Psk.KNOWN, **settings))) == expected[0]


def test_one_renewal_is_enough() -> None:
    first = Connection(server_suites=("TLS_AES_128_GCM_SHA256",))
    for answers, expected in (
        ((Return.IGNORE, Return.IGNORE), "full 0"),
        ((Return.IGNORE, Return.IGNORE_RENEW), "full 2"),
        ((Return.IGNORE_RENEW, Return.IGNORE), "full 2"),
        ((Return.IGNORE, Return.ABORT), "INTERNAL_ERROR"),
    ):
        assert str(last(resumption(first, psk=Psk.UNKNOWN, decisions_by_identity=answers))) == expected


def test_a_hello_retry_request_asks_twice() -> None:
    outcome = last(resumption(hello_retry=True, decision=Return.USE))
    assert str(outcome) == "resumed 0"
    assert outcome.statuses == (Status.SUCCESS_RENEW,) * 2


# The binding itself.


def test_tickets_are_sealed_as_we_seal_them() -> None:
    """A ticket of libssl opens with our code, and one that we seal anew resumes."""
    with_data = Connection(app_data=APP_DATA)
    aged = resumption(with_data, app_data=None, offer=Offer(age=100))
    assert last(aged).app_data == APP_DATA
    plaintext = b"whatever"
    assert libssl_ticket.unseal(libssl_ticket.seal(plaintext)) == plaintext


def test_what_the_functions_return() -> None:
    contexts = ServerContext(story(Connection())), ClientContext()
    assert lib.SSL_CTX_get_num_tickets(contexts[0].ctx) == 2
    assert lib.SSL_CTX_set_num_tickets(contexts[1].ctx, 1 << 63) == 1
    assert lib.SSL_CTX_set_session_id_context(contexts[0].ctx, b"x" * 33, 33) == 0
    log = Log()
    server = LibsslServer(contexts[0], Connection(num_tickets=5), log)
    client = LibsslClient(contexts[1].connect(Connection(), log, [], None), [])
    assert lib.SSL_get_num_tickets(server.ssl) == 5
    assert lib.SSL_set_session_id_context(server.ssl, b"x" * 33, 33) == 0
    assert lib.SSL_new_session_ticket(server.ssl) == 0, "before the handshake"
    exchange(client, server)
    assert client.completed
    assert server.completed
    assert lib.SSL_new_session_ticket(client.ssl) == 0, "on a client"
    assert lib.SSL_verify_client_post_handshake(server.ssl) == 0, "not offered by the client"
    assert [lib.SSL_new_session_ticket(server.ssl) for _ in range(3)] == [1, 1, 1]
    for freed in (client, server):
        freed.free()
    for context in contexts:
        context.close()


def test_an_exception_in_a_callback_reaches_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise LookupError("in a callback")

    monkeypatch.setattr(ServerContext, "_generate_ticket", fail)
    with pytest.raises(LookupError, match="in a callback"):
        run_libssl(story(Connection()))


def test_undeclared_functions_are_named() -> None:
    with pytest.raises(AttributeError, match="SSL_CTX_config is not declared"):
        lib.SSL_CTX_config(ctypes.c_void_p())
