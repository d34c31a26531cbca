"""Windowed keys: a fleet with one root secret and clocks that differ."""

import os
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sansticket.errors import ConfigError
from sansticket.tickets.decision import TicketStatus
from sansticket.tickets.keys.windowed import WindowedTicketKeys
from tests.support.inputs import BROKEN_ENTROPY, WRONG_BYTES
from tests.support.records import DUPLICATES
from tests.support.sessions import NOW, repeatable_entropy

ROOT = bytes(range(32))
OTHER_ROOT = bytes(range(1, 33))
START = 1_699_999_200.0
"""The beginning of an hour."""


def fleet(root: bytes = ROOT, **changes: Any) -> WindowedTicketKeys:
    return WindowedTicketKeys(root, 3600, accept_for=7200, clock_skew=300, **changes)


def status(keys: WindowedTicketKeys, ticket: bytes, now: float) -> TicketStatus:
    return keys.open(ticket, now).status


def test_servers_agree_without_talking() -> None:
    one, other = fleet(), fleet()
    assert one.current(NOW) == other.current(NOW)
    assert status(other, one.seal(b"session", NOW, os.urandom), NOW) is TicketStatus.SUCCESS


def test_the_life_of_a_key() -> None:
    """Known before it is used, used for a period, then it only opens, then it is gone."""
    keys = fleet()
    ticket = keys.seal(b"session", START, os.urandom)
    assert status(keys, ticket, START - 300.5) is TicketStatus.NO_DECRYPT
    assert status(keys, ticket, START - 300) is TicketStatus.SUCCESS
    assert status(keys, ticket, START + 3599.5) is TicketStatus.SUCCESS
    assert status(keys, ticket, START + 3600) is TicketStatus.SUCCESS_RENEW
    assert status(keys, ticket, START + 3600 + 7200 + 299.5) is TicketStatus.SUCCESS_RENEW
    assert status(keys, ticket, START + 3600 + 7200 + 300) is TicketStatus.NO_DECRYPT
    assert keys.current(START + 3599.5) == keys.current(START)
    assert keys.current(START + 3600) != keys.current(START)
    assert keys.current(START).created_at == START


times = st.floats(0, 4e9)
skews = st.floats(-150, 150)


@given(now=times, age=st.floats(0, 7200, exclude_max=True), sealer=skews, opener=skews)
def test_within_the_skew_every_ticket_opens_for_its_whole_life(
    now: float, age: float, sealer: float, opener: float
) -> None:
    """Each clock is at most 150 s wrong, so that two differ by at most 300 s."""
    ticket = fleet().seal(b"session", now + sealer, repeatable_entropy(1))
    assert fleet().open(ticket, now + age + opener).plaintext == b"session"


@given(
    now=times,
    period=st.floats(10, 1e5),
    accept_for=st.floats(0, 1e5),
    skew=st.floats(0, 1000),
    later=st.floats(0, 1e6),
)
def test_no_ticket_opens_for_ever(
    now: float, period: float, accept_for: float, skew: float, later: float
) -> None:
    assume(accept_for + 2 * skew < 100 * period)
    keys = WindowedTicketKeys(ROOT, period, accept_for=accept_for, clock_skew=skew)
    ticket = keys.seal(b"session", now, repeatable_entropy(1))
    opened = keys.open(ticket, now + later)
    if later < accept_for + skew:
        assert opened.plaintext == b"session"
    if later > period + accept_for + skew + 1e-3:
        assert opened.status is TicketStatus.NO_DECRYPT


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_any_order_of_times(times: list[float]) -> None:
    """One object that is asked about many moments answers as a new one does."""
    keys = fleet()
    for now in times:
        ticket = fleet().seal(b"session", now, repeatable_entropy(1))
        assert keys.seal(b"session", now, repeatable_entropy(1)) == ticket
        assert keys.open(ticket, now) == fleet().open(ticket, now)
        assert keys.open(ticket, 0.0) == fleet().open(ticket, 0.0)


def test_names_show_nothing() -> None:
    """No two windows, and no two roots, have anything in common."""
    names = {
        fleet(root).current(START + 3600 * window).name
        for window in range(100)
        for root in (ROOT, OTHER_ROOT)
    }
    secrets = {
        fleet(root).current(START + 3600 * window).secret
        for window in range(100)
        for root in (ROOT, OTHER_ROOT)
    }
    assert len(names) == len(secrets) == 200
    assert not {name for name in names if any(secret.startswith(name) for secret in secrets)}
    assert {len(name) for name in names} == {16}


def test_the_root_secret_is_replaced() -> None:
    old, both, new = fleet(), fleet(also_open=[OTHER_ROOT]), fleet(OTHER_ROOT, also_open=[ROOT])
    for sealer, opener, expected in (
        (old, both, TicketStatus.SUCCESS),
        (both, old, TicketStatus.SUCCESS),
        (new, both, TicketStatus.SUCCESS_RENEW),
        (both, new, TicketStatus.SUCCESS_RENEW),
        (new, new, TicketStatus.SUCCESS),
        (new, old, TicketStatus.NO_DECRYPT),
        (old, fleet(OTHER_ROOT), TicketStatus.NO_DECRYPT),
    ):
        assert status(opener, sealer.seal(b"session", NOW, os.urandom), NOW) is expected


def test_the_same_root_twice_is_the_current_one() -> None:
    keys = fleet(also_open=[ROOT])
    assert status(keys, keys.seal(b"session", NOW, os.urandom), NOW) is TicketStatus.SUCCESS


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"root_secret": bytes(31)}, "root_secret"),
        ({"also_open": [bytes(31)]}, "also_open"),
        *(({"root_secret": wrong}, "root_secret") for wrong in (*WRONG_BYTES, 3600)),
        *(
            ({"also_open": wrong}, "also_open")
            for wrong in (*WRONG_BYTES[:-1], ROOT, bytearray(ROOT), memoryview(ROOT))
        ),
        *(({"also_open": [wrong]}, "also_open") for wrong in (*WRONG_BYTES, 3600)),
        *(
            ({field: wrong}, field)
            for field in ("period", "accept_for", "clock_skew")
            for wrong in ("60", [60], None, True, b"60", float("nan"))
        ),
        ({"period": 0}, "period"),
        ({"period": float("inf")}, "period"),
        ({"accept_for": -1}, "accept_for"),
        ({"accept_for": float("nan")}, "accept_for"),
        ({"clock_skew": -1}, "clock_skew"),
        ({"clock_skew": float("inf")}, "clock_skew"),
        ({"period": 1}, "period"),
        *(
            ({"period": odd, "accept_for": 0, "clock_skew": 0}, "period")
            for odd in (1e-9, 0.0009, 1.1e9, 1e300)
        ),
    ],
)
def test_what_cannot_work_is_refused(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        WindowedTicketKeys(**{"root_secret": ROOT, **arguments})
    assert caught.value.field == field


@pytest.mark.parametrize("period", [0.001, 1e9])
@pytest.mark.parametrize("now", [0.0, NOW, 2.8e11])
def test_the_shortest_and_the_longest_period(period: float, now: float) -> None:
    keys = WindowedTicketKeys(ROOT, period, accept_for=1000 * period, clock_skew=0)
    ticket = keys.seal(b"session", now, os.urandom)
    assert keys.open(ticket, now).plaintext == b"session"


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_what_holds_bytes_is_copied(kind: Any) -> None:
    given = bytearray(ROOT)
    keys, others = WindowedTicketKeys(kind(given)), WindowedTicketKeys(bytes(32), also_open=[kind(given)])
    given[:] = bytes(len(given))
    ticket = WindowedTicketKeys(ROOT).seal(b"session", NOW, os.urandom)
    assert keys.open(ticket, NOW).plaintext == others.open(ticket, NOW).plaintext == b"session"


@pytest.mark.parametrize("entropy", BROKEN_ENTROPY)
def test_without_enough_entropy_nothing_is_sealed(entropy: Any) -> None:
    with pytest.raises(ConfigError, match="entropy: gave"):
        WindowedTicketKeys(ROOT).seal(b"session", NOW, entropy)


@pytest.mark.parametrize("duplicate", DUPLICATES, ids=["copy", "deepcopy", "pickle"])
def test_a_copy_seals_with_salts_of_its_own(duplicate: Any) -> None:
    keys = WindowedTicketKeys(ROOT)
    tickets = [one.seal(b"session", NOW, os.urandom) for one in (keys, duplicate(keys)) * 50]
    assert len({ticket[:40] for ticket in tickets}) == 100
    assert {keys.open(ticket, NOW).plaintext for ticket in tickets} == {b"session"}


def test_as_many_windows_as_are_allowed() -> None:
    keys = WindowedTicketKeys(ROOT, 600, accept_for=604_800, clock_skew=300)
    ticket = keys.seal(b"session", NOW, os.urandom)
    assert status(keys, ticket, NOW + 604_800) is TicketStatus.SUCCESS_RENEW


def test_repr_hides_the_root() -> None:
    assert repr(fleet()) == "WindowedTicketKeys(period=3600, accept_for=7200)"
