"""The client's session store: single use, the freshest first, reservations, bounds, serialisation."""

import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sansticket.errors import ConfigError
from sansticket.tickets.session import Session, SessionFormatError
from sansticket.tickets.stores.client import ClientSessionStore, Reservation, StoreKey
from tests.support.sessions import NOW, ORDINARY, ORDINARY_12, numbered, sessions

KEY = StoreKey("example.com")
OTHER = StoreKey("example.org")


def numbered_12(number: int, *, issued_at: float = NOW) -> Session:
    return evolve(ORDINARY_12, ticket=number.to_bytes(32), issued_at=issued_at)


def holding(*held: Session, per_server: int = 4) -> ClientSessionStore:
    store = ClientSessionStore(per_server=per_server)
    for session in held:
        assert store.put(KEY, session, NOW)
    return store


def reserved(store: ClientSessionStore, key: StoreKey = KEY, now: float = NOW) -> Session | None:
    reservation = store.reserve(key, now)
    return None if reservation is None else reservation.session


def test_each_ticket_once() -> None:
    store = holding(numbered(1), numbered(2))
    assert {reserved(store), reserved(store)} == {numbered(1), numbered(2)}
    assert reserved(store) is None
    assert len(store) == 0


@given(st.permutations(range(4)))
def test_the_freshest_first(order: list[int]) -> None:
    store = holding(*(numbered(number, issued_at=NOW + number) for number in order))
    assert [reserved(store) for _ in order] == [numbered(n, issued_at=NOW + n) for n in (3, 2, 1, 0)]


def test_of_two_that_came_together_the_later_one() -> None:
    store = holding(numbered(2), numbered(1))
    assert [reserved(store), reserved(store)] == [numbered(1), numbered(2)]


def test_given_back() -> None:
    store = holding(numbered(1), numbered(2, issued_at=NOW + 1))
    reservation = store.reserve(KEY, NOW + 1)
    assert reservation is not None
    assert (reservation.key, reservation.session) == (KEY, numbered(2, issued_at=NOW + 1))
    assert len(store) == 1
    assert reservation.give_back(NOW + 2)
    assert reserved(store) == numbered(2, issued_at=NOW + 1)


def test_given_back_too_late() -> None:
    store = holding(numbered(1))
    reservation = store.reserve(KEY, NOW)
    assert reservation is not None
    assert reservation.give_back(NOW + 7200)
    assert len(store) == 0


SETTLEMENTS: list[Callable[[Reservation], bool]] = [
    Reservation.used,
    Reservation.refused,
    lambda reservation: reservation.give_back(NOW),
]


@pytest.mark.parametrize("first", SETTLEMENTS)
@pytest.mark.parametrize("second", SETTLEMENTS)
@pytest.mark.parametrize("make", [numbered, numbered_12])
def test_only_the_first_word_counts(
    make: Callable[[int], Session],
    first: Callable[[Reservation], bool],
    second: Callable[[Reservation], bool],
) -> None:
    store = holding(make(1))
    reservation = store.reserve(KEY, NOW)
    assert reservation is not None
    assert first(reservation)
    left = len(store)
    assert not second(reservation)
    assert len(store) == left


@pytest.mark.parametrize("settle", SETTLEMENTS[:2])
def test_a_ticket_that_was_sent_never_comes_back(settle: Callable[[Reservation], bool]) -> None:
    store = holding(numbered(1))
    reservation = store.reserve(KEY, NOW)
    assert reservation is not None
    assert settle(reservation)
    assert reserved(store) is None


def test_a_tls12_session_is_lent_until_it_is_refused() -> None:
    """Its resumption brings no new ticket."""
    store = holding(numbered_12(1))
    one, other, third = (store.reserve(KEY, NOW) for _ in range(3))
    assert one is not None
    assert other is not None
    assert third is not None
    assert one.session == other.session == third.session == numbered_12(1)
    assert one.used()
    assert third.give_back(NOW)
    assert len(store) == 1
    assert other.refused()
    assert reserved(store) is None
    again = ClientSessionStore()
    again.put(KEY, numbered_12(1), NOW)
    last = again.reserve(KEY, NOW)
    again.forget(KEY)
    assert last is not None
    assert last.refused()
    assert len(again) == 0


def test_a_refused_session_takes_no_other_with_it() -> None:
    store = holding(numbered_12(1), numbered_12(2, issued_at=NOW + 1))
    reservation = store.reserve(KEY, NOW + 1)
    assert reservation is not None
    assert reservation.refused()
    assert reserved(store) == numbered_12(1)


@pytest.mark.parametrize(
    "other",
    [
        OTHER,
        StoreKey("example.com", 8443),
        StoreKey("example.com", 443, (b"h2",)),
        StoreKey("example.com", 443, (), b"other anchors"),
    ],
)
def test_sessions_do_not_cross(other: StoreKey) -> None:
    store = holding(numbered(1))
    assert reserved(store, other) is None
    assert reserved(store) == numbered(1)
    store.put(KEY, numbered(1), NOW)
    store.put(other, numbered(2), NOW)
    assert store.forget(KEY) == 1
    assert store.forget(KEY) == 0
    assert reserved(store, other) == numbered(2)


def test_the_protocols_are_kept_apart_in_their_order() -> None:
    both, turned = StoreKey("a", alpn=(b"h2", b"http/1.1")), StoreKey("a", alpn=(b"http/1.1", b"h2"))
    store = ClientSessionStore()
    store.put(both, numbered(1), NOW)
    assert reserved(store, turned) is None


def test_expired_sessions_are_neither_kept_nor_given() -> None:
    store = holding(numbered(1))
    assert not store.put(KEY, numbered(2), NOW + 7200)
    assert reserved(store, now=NOW + 7200) is None
    assert len(store) == 0


def test_no_ticket_is_used_after_seven_days() -> None:
    """RFC 9846 section 4.6.1, whatever lifetime the server gave; TLS 1.2 has no such limit."""
    long = numbered(1, lifetime=10_000_000)
    assert reserved(holding(long), now=NOW + 604_799.9) == long
    assert reserved(holding(long), now=NOW + 604_800) is None
    long_12 = evolve(numbered_12(1), lifetime=10_000_000)
    assert reserved(holding(long_12), now=NOW + 604_800) == long_12


def test_what_shows_the_server_nothing_is_not_kept() -> None:
    store = ClientSessionStore()
    assert not store.put(KEY, ORDINARY, NOW)
    assert store.put(KEY, evolve(ORDINARY_12, session_id=bytes(32)), NOW)


def test_the_same_session_twice_is_one() -> None:
    store = holding(numbered(1), numbered(1))
    assert len(store) == 1


def test_the_stalest_of_a_server_goes() -> None:
    store = holding(*(numbered(n, issued_at=NOW + n) for n in (1, 3, 2)), per_server=2)
    assert [reserved(store), reserved(store)] == [numbered(n, issued_at=NOW + n) for n in (3, 2)]
    store = holding(numbered(2, issued_at=NOW + 2), numbered(1, issued_at=NOW + 1), per_server=1)
    assert reserved(store) == numbered(2, issued_at=NOW + 2)


def test_the_server_that_was_not_used_for_longest_goes() -> None:
    store = ClientSessionStore(servers=2)
    one, two, three = (StoreKey(name) for name in ("one", "two", "three"))
    for key in (one, two):
        store.put(key, numbered_12(1), NOW)
    assert reserved(store, one) is not None
    store.put(three, numbered_12(1), NOW)
    assert [key for key in (one, two, three) if reserved(store, key) is not None] == [one, three]


def test_flush() -> None:
    store = holding(numbered(1, lifetime=10), numbered(2))
    store.put(OTHER, numbered(3, lifetime=10), NOW)
    assert store.flush(NOW + 9) == 0
    assert store.flush(NOW + 10) == 2
    assert len(store) == 1


store_keys = st.builds(
    StoreKey,
    st.text(min_size=1, max_size=10),
    st.integers(0, 65535),
    st.lists(st.binary(min_size=1, max_size=9), max_size=3).map(tuple),
    st.binary(max_size=32),
)


@st.composite
def stores(draw: st.DrawFn) -> ClientSessionStore:
    store = ClientSessionStore()
    for key in draw(st.lists(store_keys, max_size=3)):
        for session in draw(st.lists(sessions(), max_size=3)):
            store.put(key, session, session.issued_at)
    return store


@given(stores())
def test_serialisation_round_trip(store: ClientSessionStore) -> None:
    for other in (
        ClientSessionStore.from_bytes(store.to_bytes()),
        copy.deepcopy(store),
        pickle.loads(pickle.dumps(store)),
    ):
        assert other.to_bytes() == store.to_bytes()
        assert other._sessions == store._sessions
        assert list(other._sessions) == list(store._sessions)


@given(stores(), st.data())
def test_every_strict_prefix_fails_or_is_a_smaller_store(
    store: ClientSessionStore, data: st.DataObject
) -> None:
    encoded = store.to_bytes()
    cut = encoded[: data.draw(st.integers(0, len(encoded) - 1))]
    try:
        smaller = ClientSessionStore.from_bytes(cut)
    except SessionFormatError:
        return
    assert len(smaller) < len(store)
    assert smaller.to_bytes() == cut, "cut between two servers"


@given(st.binary())
def test_bytes_that_are_no_store_fail_as_documented(data: bytes) -> None:
    for candidate in (data, b"\x01" + data):
        with suppress(SessionFormatError):
            ClientSessionStore.from_bytes(candidate)


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(SessionFormatError, match="known format"):
        ClientSessionStore.from_bytes(b"\x02" + holding(numbered(1)).to_bytes()[1:])


def test_what_is_reserved_is_not_written() -> None:
    """So that a ticket is not used by this run of the program and by the next."""
    store = holding(numbered(1), numbered(2))
    store.reserve(KEY, NOW)
    assert len(ClientSessionStore.from_bytes(store.to_bytes())) == 1


def test_bounds_hold_for_what_is_read() -> None:
    store = holding(*(numbered(n, issued_at=NOW + n) for n in range(4)))
    store.put(OTHER, numbered(9), NOW)
    read = ClientSessionStore.from_bytes(store.to_bytes(), per_server=1, servers=1)
    assert reserved(read, OTHER) == numbered(9)
    assert reserved(read) is None
    read = ClientSessionStore.from_bytes(store.to_bytes(), per_server=1)
    assert reserved(read) == numbered(3, issued_at=NOW + 3)
    assert reserved(read) is None


@pytest.mark.parametrize("key", [("", 443), ("\ud800", 443), ("a", -1), ("a", 65536), ("a", 1, (b"",))])
def test_keys_that_cannot_be(key: tuple[str, int]) -> None:
    with pytest.raises(SessionFormatError):
        StoreKey(*key)


def test_what_cannot_work_is_refused() -> None:
    with pytest.raises(ConfigError, match="per_server"):
        ClientSessionStore(per_server=0)
    with pytest.raises(ConfigError, match="servers"):
        ClientSessionStore(servers=0)


def test_repr_shows_no_secrets() -> None:
    store = holding(numbered(1))
    assert repr(store) == "ClientSessionStore(1 sessions of 1 servers)"
    reservation = store.reserve(KEY, NOW)
    assert "example.com" in repr(reservation)
    assert repr(ORDINARY.secret) not in repr(reservation)


def test_many_threads_reserve_each_ticket_once() -> None:
    store = holding(*map(numbered, range(100)), per_server=100)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: reserved(store), range(150)))
    assert found.count(None) == 50
    assert {session for session in found if session is not None} == set(map(numbered, range(100)))


class StoreMachine(RuleBasedStateMachine):
    """A client, its connections and the clock: no TLS 1.3 ticket is handed to two connections that used it."""

    def __init__(self) -> None:
        super().__init__()
        self.store = ClientSessionStore(per_server=3, servers=2)
        self.now = NOW
        self.count = 0
        self.open: list[Reservation] = []
        self.spent: set[bytes] = set()

    @rule(seconds=st.sampled_from((1.0, 50.0)))
    def time_goes_on(self, seconds: float) -> None:
        self.now += seconds

    @rule(key=st.sampled_from((KEY, OTHER, StoreKey("third"))), lifetime=st.sampled_from((10, 100)))
    def ticket_comes(self, key: StoreKey, lifetime: int) -> None:
        self.count += 1
        session = numbered(self.count, lifetime=lifetime, issued_at=self.now)
        assert self.store.put(key, session, self.now)

    @rule(key=st.sampled_from((KEY, OTHER)))
    def connect(self, key: StoreKey) -> None:
        reservation = self.store.reserve(key, self.now)
        if reservation is None:
            return
        assert reservation.session.ticket not in self.spent
        assert not reservation.session.expired(self.now)
        assert reservation.session not in [other.session for other in self.open]
        left = self.store._sessions.get(key, [])
        assert all(session.issued_at <= reservation.session.issued_at for session in left)
        self.open.append(reservation)

    @rule(how=st.sampled_from(("used", "refused", "give_back", "nothing")), index=st.integers(0, 9))
    def connection_ends(self, how: str, index: int) -> None:
        if not self.open:
            return
        reservation = self.open.pop(index % len(self.open))
        if how == "give_back":
            assert reservation.give_back(self.now)
            return
        self.spent.add(reservation.session.ticket)
        if how != "nothing":
            assert getattr(reservation, how)()

    @rule()
    def program_restarts(self) -> None:
        self.store = ClientSessionStore.from_bytes(self.store.to_bytes(), per_server=3, servers=2)
        self.spent.update(reservation.session.ticket for reservation in self.open)
        self.open.clear()

    @invariant()
    def it_is_bounded(self) -> None:
        assert len(self.store._sessions) <= 2
        assert all(0 < len(held) <= 3 for held in self.store._sessions.values())


TestStoreMachine = StoreMachine.TestCase
