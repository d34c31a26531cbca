"""The client's session store: single use, the freshest first, reservations, bounds, serialisation."""

import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sansticket.codes import ProtocolVersion
from sansticket.errors import ConfigError
from sansticket.tickets.session import Session, SessionFormatError
from sansticket.tickets.stores.client import (
    AT_ONCE,
    MAX_SHARED,
    ClientSessionStore,
    Reservation,
    StoreKey,
    _ends_at,
)
from tests.support.configs import client_config, server_config
from tests.support.forked import CAN_FORK, MAY_HAVE_THREADS, forked
from tests.support.inputs import WRONG_BYTES
from tests.support.pair import ConnectionPair
from tests.support.records import DUPLICATES
from tests.support.sessions import NOW, ORDINARY, ORDINARY_12, numbered, sessions
from tests.support.work import steps

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


@pytest.mark.parametrize("key", ["example.com", None, ("example.com", 443)], ids=str)
def test_a_key_that_is_none(key: Any) -> None:
    """A store that took a name for one could not be written down any more."""
    store = holding(numbered(1))
    with pytest.raises(ConfigError, match=r"^key: a value of type \w+; expected a StoreKey"):
        store.put(key, numbered(2), NOW)
    assert store.reserve(key, NOW) is None
    assert len(ClientSessionStore.from_bytes(store.to_bytes())) == 1


@pytest.mark.parametrize("key", [["example.com"], {}], ids=str)
def test_a_key_that_is_none_and_has_no_hash(key: Any) -> None:
    with pytest.raises(ConfigError, match=r"^key: a value of type \w+; expected a StoreKey"):
        ClientSessionStore().put(key, numbered(1), NOW)


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
    other = ClientSessionStore.from_bytes(store.to_bytes())
    assert other.to_bytes() == store.to_bytes()
    assert {key: kept.sessions for key, kept in other._sessions.items()} == {
        key: kept.sessions for key, kept in store._sessions.items()
    }
    for made in (
        store,
        other,
    ):  # a bound, which stays where it was when the session that ends first is taken out
        assert all(kept.ends <= min(map(_ends_at, kept.sessions)) for kept in made._sessions.values())
    assert list(other._sessions) == list(store._sessions)
    assert len(other) == len(store) == sum(len(kept.sessions) for kept in store._sessions.values())


@given(stores())
def test_a_copy_shows_no_ticket_that_the_store_can_show(store: ClientSessionStore) -> None:
    """What is shown twice links two connections; so a ticket is in one place only."""
    assert copy.copy(store) is copy.deepcopy(store) is store
    other = pickle.loads(pickle.dumps(store))
    lasting = {
        key: kept.sessions
        for key, kept in store._sessions.items()
        if any(session.version == ProtocolVersion.TLS_1_2 for session in kept.sessions)
    }
    assert list(other._sessions) == list(lasting)
    for key, kept in other._sessions.items():
        assert kept.sessions == [one for one in lasting[key] if one.version == ProtocolVersion.TLS_1_2]


@pytest.mark.parametrize("duplicate", DUPLICATES, ids=["copy", "deepcopy", "pickle"])
def test_what_was_lent_once_comes_back_once(duplicate: Callable[[Reservation], Reservation]) -> None:
    """Given back by one of two, shown by a connection, and given back by the other: the ticket would be shown twice."""
    store = holding(numbered(1))
    reservation = store.reserve(KEY, NOW)
    assert reservation is not None
    twin = duplicate(reservation)
    assert (twin.key, twin.session) == (reservation.key, reservation.session)
    assert [one.give_back(NOW) for one in (reservation, twin)] == [True, False]
    assert reserved(store) == numbered(1)
    assert not twin.give_back(NOW)
    assert reserved(twin._store) is None


@CAN_FORK
@MAY_HAVE_THREADS
def test_a_forked_process_shows_no_ticket_that_the_other_can_show() -> None:
    store = holding(numbered_12(1, issued_at=NOW - 1), numbered(1), numbered(2))
    lent = store.reserve(KEY, NOW)
    assert lent is not None

    def in_a_worker() -> tuple[Any, ...]:
        given_back = lent.give_back(NOW), lent.refused(), lent.used()
        written = len(ClientSessionStore.from_bytes(store.to_bytes()))
        first = reserved(store), len(store), store.room(KEY, NOW)
        store.put(KEY, numbered(3), NOW)
        own = store.reserve(KEY, NOW)
        assert own is not None
        back = own.give_back(NOW)
        return given_back, written, first, own.session, back, [reserved(store) for _ in range(2)]

    lasting = numbered_12(1, issued_at=NOW - 1)
    assert forked(in_a_worker) == (
        (False, False, False),
        1,
        (lasting, 1, 3),
        numbered(3),
        True,
        [numbered(3), lasting],
    )
    assert lent.give_back(NOW)
    assert {reserved(store), reserved(store)} == {numbered(1), numbered(2)}


@CAN_FORK
@MAY_HAVE_THREADS
@pytest.mark.parametrize("version", [ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2])
def test_connections_of_a_forked_process(version: int) -> None:
    """The client's ticket is offered by one of two processes, the server's session claimed in one."""
    store, server = ClientSessionStore(), server_config(versions=[version])
    client = client_config(versions=[version], session_store=store)

    def resumes() -> bool:
        pair = ConnectionPair(client, server)
        pair.pump()
        return pair.client.resumed

    assert not resumes()
    assert [forked(resumes), resumes()] == [version == ProtocolVersion.TLS_1_2, True]


@pytest.mark.parametrize(
    "arguments",
    [
        *(("example.com", port) for port in ("443", [443], None, 443.0, True, False)),
        *((name,) for name in (5, [b"name"], None, True, 1.5, b"example.com", bytearray(b"name"))),
        *(("example.com", 443, alpn) for alpn in (5, "h2", [b"h2"], None, True, 1.5, b"h2", ("h2",), (5,))),
        *(("example.com", 443, (), policy) for policy in WRONG_BYTES),
    ],
)
def test_a_key_is_of_its_types(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(SessionFormatError, match="of another type"):
        StoreKey(*arguments)


@pytest.mark.parametrize("wrong", ["4", [4], None, True, 4.0, b"4"])
def test_bounds_are_numbers(wrong: Any) -> None:
    with pytest.raises(ConfigError, match="per_server"):
        ClientSessionStore(per_server=wrong)
    with pytest.raises(ConfigError, match="servers"):
        ClientSessionStore(servers=wrong)


@pytest.mark.parametrize("wrong", [*WRONG_BYTES[:-1]])
def test_what_is_read_is_bytes(wrong: Any) -> None:
    with pytest.raises(SessionFormatError, match="expected bytes"):
        ClientSessionStore.from_bytes(wrong)


@pytest.mark.parametrize(
    "what",
    [len, ClientSessionStore.to_bytes, lambda store: store.flush(NOW), lambda store: store.flush(NOW + 900)],
)
@pytest.mark.parametrize("servers", [False, True], ids=["of one server", "of many servers"])
def test_twice_as_many_sessions_are_twice_the_work(
    what: Callable[[ClientSessionStore], object], servers: bool
) -> None:
    def work(number: int) -> int:
        store = ClientSessionStore(per_server=1000, servers=1000)
        for index in range(number):
            store.put(StoreKey(f"server{index * servers}"), numbered(index, lifetime=800), NOW)
        return steps(lambda: what(store))

    assert work(400) < 2.3 * work(200)


def test_a_session_more_is_no_more_work_where_there_are_many() -> None:
    def work(number: int) -> int:
        store = holding(*map(numbered, range(number)), per_server=1000)
        new = numbered(number, issued_at=NOW + 1)
        return steps(
            lambda: (store.put(KEY, new, NOW), store.reserve(KEY, NOW), store.drop(KEY, numbered(3)))
        )

    assert work(800) < 1.5 * work(50)


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
        kept = self.store._sessions.get(key)
        left = kept.sessions if kept is not None else []
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
        assert all(0 < len(held.sessions) <= 3 for held in self.store._sessions.values())
        assert len(self.store) == sum(len(held.sessions) for held in self.store._sessions.values())


TestStoreMachine = StoreMachine.TestCase


def test_what_came_before_another_process_began(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same as after a fork, without one; a server whose sessions are all of that kind is forgotten."""
    lasting = numbered_12(1, issued_at=NOW - 1)
    store = holding(lasting, numbered(1), numbered(2))
    other = StoreKey("other.example")
    store.put(other, numbered(3), NOW)
    monkeypatch.setattr("sansticket.tickets.stores.client.getpid", lambda: -1)
    assert store.reserve(other, NOW) is None
    assert len(store) == 1
    assert reserved(store) == lasting
    store.put(KEY, numbered(4), NOW)
    assert reserved(store) == numbered(4)


# --- many servers ----------------------------------------------------------------------------------------------

MANY = 3_000


def of_many() -> ClientSessionStore:
    store = ClientSessionStore(servers=MANY)
    for number in range(MANY):
        store.put(StoreKey(f"{number}.example"), numbered(number, issued_at=NOW - number), NOW)
    return store


class Turns:
    """A lock that notes how much was done while it was held."""

    def __init__(self, store: ClientSessionStore) -> None:
        self.held = False
        self.changes: list[int] = []
        self._store = store

    def __enter__(self) -> None:
        self.held, self._before = True, len(self._store)

    def __exit__(self, *exception: object) -> None:
        self.held = False
        self.changes.append(self._before - len(self._store))


def test_of_many_servers_a_part_at_a_time_is_looked_through() -> None:
    store = of_many()
    store._lock = turns = Turns(store)  # type: ignore[assignment]  # stands in for the lock
    assert store.flush(NOW + numbered(1).lifetime) == MANY
    assert len(store) == 0
    assert turns.changes == [AT_ONCE, AT_ONCE, MANY - 2 * AT_ONCE]


@pytest.mark.parametrize("write", [ClientSessionStore.to_bytes, pickle.dumps])
def test_nobody_waits_for_sessions_to_be_written(
    write: Callable[[ClientSessionStore], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, waits = holding(numbered(1), numbered_12(2)), []
    store._lock = turns = Turns(store)  # type: ignore[assignment]  # stands in for the lock
    to_bytes = Session.to_bytes
    monkeypatch.setattr(Session, "to_bytes", lambda session: (waits.append(turns.held), to_bytes(session))[1])
    assert write(store)
    assert set(waits) == {False}


def test_a_chain_is_there_once() -> None:
    """However many servers show it, and in however many handshakes, and in the next run of the program."""
    store = ClientSessionStore()
    for name in ("a.example", "b.example"):
        chain = (b"leaf " * 100, b"issuer " * 100)
        copied = tuple(bytes(bytearray(one)) for one in chain)
        for number in range(2):
            session = evolve(numbered(number), peer_certificates=copied)
            assert store.put(StoreKey(name), session, NOW)
            assert session == evolve(numbered(number), peer_certificates=chain)
    for made in (store, ClientSessionStore.from_bytes(store.to_bytes())):
        found = [made.reserve(StoreKey(name), NOW) for name in ("a.example", "b.example") for _ in range(2)]
        chains = {id(one.session.peer_certificates) for one in found if one is not None}
        assert (len(found), len(chains)) == (4, 1)


@pytest.mark.parametrize(("length", "shared"), [(MAX_SHARED, True), (MAX_SHARED + 1, False)])
def test_a_chain_is_kept_once_but_none_that_is_very_long(length: int, shared: bool) -> None:
    """What is remembered outlives the store, so a peer must not say how much that is."""
    first, second = (evolve(numbered(number), peer_certificates=(bytes(length),)) for number in (1, 2))
    store = ClientSessionStore()
    for session in (first, second):
        assert store.put(StoreKey("server.example"), session, NOW)
    assert first.peer_certificates == second.peer_certificates
    assert (first.peer_certificates is second.peer_certificates) == shared


@pytest.mark.parametrize(("length", "shared"), [(MAX_SHARED, True), (MAX_SHARED + 1, False)])
def test_what_a_file_says_of_its_keys_is_remembered_unless_it_is_long(length: int, shared: bool) -> None:
    """The same of what is read: two stores have one policy, and one list of protocols, between them."""
    key = StoreKey("server.example", alpn=(b"a" * length,), policy=b"p" * length)
    store = ClientSessionStore()
    assert store.put(key, numbered(1), NOW)
    first, second = (next(iter(ClientSessionStore.from_bytes(store.to_bytes())._sessions)) for _ in range(2))
    assert first == second == key
    assert (first.policy is second.policy) == shared
    assert (first.alpn is second.alpn) == shared
