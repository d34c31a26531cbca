"""The session cache: bounds, order, hooks, modes, single use."""

import copy
import pickle
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from attrs import evolve
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sansticket.errors import ConfigError
from sansticket.tickets.session import Session
from sansticket.tickets.stores.cache import AUTO_CLEAR_EVERY, CacheMode, SessionCache
from sansticket.tickets.stores.claims import BATCH
from tests.support.forked import CAN_FORK, MAY_HAVE_THREADS, forked
from tests.support.sessions import NOW, ORDINARY, numbered
from tests.support.work import steps


class Hooks:
    """Writes down what was called; plays an external store that can keep what it was told to drop."""

    def __init__(self, *, drops: bool = True) -> None:
        self.drops = drops
        self.calls: list[tuple[str, int]] = []
        self.store: dict[bytes, Session] = {}

    def new(self, session: Session) -> None:
        self.calls.append(("new", int.from_bytes(session.session_id)))
        self.store[session.session_id] = session

    def remove(self, session: Session) -> None:
        self.calls.append(("remove", int.from_bytes(session.session_id)))
        if self.drops:
            self.store.pop(session.session_id, None)

    def get(self, session_id: bytes) -> Session | None:
        self.calls.append(("get", int.from_bytes(session_id)))
        return self.store.get(session_id)

    def taken(self) -> list[tuple[str, int]]:
        """The calls since the last time."""
        calls, self.calls = self.calls, []
        return calls

    def cache(self, size: int = 100, mode: CacheMode = CacheMode.SERVER) -> SessionCache:
        return SessionCache(size, mode=mode, on_new=self.new, on_remove=self.remove, on_get=self.get)


def test_a_session_is_found_until_it_expires() -> None:
    hooks = Hooks()
    cache = SessionCache(on_new=hooks.new, on_remove=hooks.remove)
    assert cache.keep(numbered(1), NOW)
    assert numbered(1).session_id in cache
    assert cache.get(numbered(1).session_id, NOW + 7199.9) == numbered(1)
    assert cache.get(numbered(2).session_id, NOW) is None
    assert hooks.taken() == [("new", 1)]
    assert cache.get(numbered(1).session_id, NOW + 7200) is None
    assert hooks.taken() == [("remove", 1)]
    assert len(cache) == 0
    assert cache.get(numbered(1).session_id, NOW) is None
    assert hooks.taken() == []


def test_n_sessions_fit_into_size_n() -> None:
    """libssl holds one less."""
    for size in (1, 2, 3, 10):
        cache = SessionCache(size)
        for number in range(size):
            cache.keep(numbered(number), NOW)
        assert len(cache) == size
        cache.keep(numbered(size), NOW)
        assert len(cache) == size
        assert numbered(0).session_id not in cache


def test_size_0_is_no_limit() -> None:
    cache = SessionCache(0)
    for number in range(1000):
        cache.keep(numbered(number), NOW)
    assert len(cache) == 1000


def test_the_least_recently_used_goes() -> None:
    hooks = Hooks()
    cache = hooks.cache(3)
    for number in (1, 2, 3):
        cache.keep(numbered(number), NOW)
    cache.get(numbered(1).session_id, NOW)
    hooks.taken()
    cache.keep(numbered(4), NOW)
    assert hooks.taken() == [("remove", 2), ("new", 4)], "room is made before the newcomer is announced"
    cache.keep(numbered(5), NOW)
    assert hooks.taken() == [("remove", 3), ("new", 5)]
    assert numbered(1).session_id in cache


def test_those_that_expired_go_first() -> None:
    hooks = Hooks()
    cache = hooks.cache(4)
    for number, lifetime in ((1, 7200), (2, 100), (3, 50), (4, 7200)):
        cache.keep(numbered(number, lifetime=lifetime), NOW)
    hooks.taken()
    cache.keep(numbered(5), NOW + 100)
    assert hooks.taken() == [("remove", 3), ("remove", 2), ("new", 5)]
    assert len(cache) == 3


def test_a_smaller_size_takes_effect_with_the_next_session() -> None:
    cache = SessionCache(10)
    for number in range(10):
        cache.keep(numbered(number), NOW)
    cache.size = 3
    assert len(cache) == 10
    cache.keep(numbered(10), NOW)
    assert [number for number in range(11) if numbered(number).session_id in cache] == [8, 9, 10]


def test_a_session_with_the_same_id_is_replaced() -> None:
    hooks = Hooks()
    cache = hooks.cache(1)
    cache.keep(numbered(1), NOW)
    cache.keep(evolve(numbered(1), lifetime=10), NOW)
    assert hooks.taken() == [("new", 1), ("new", 1)]
    assert len(cache) == 1
    assert cache.flush(NOW + 10) == 1
    assert cache.flush(NOW + 7200) == 0


@pytest.mark.parametrize(("answer", "kept"), [(False, False), (True, True), (None, True)])
def test_what_the_new_hook_says(answer: bool | None, kept: bool) -> None:
    hooks = Hooks()
    cache = SessionCache(on_new=lambda session: answer, on_remove=hooks.remove)
    assert cache.keep(numbered(1), NOW) is kept
    assert len(cache) == kept
    assert hooks.taken() == []


def test_a_session_without_an_id_cannot_be_cached() -> None:
    with pytest.raises(ValueError, match="session id"):
        SessionCache().keep(ORDINARY, NOW)


def test_flush() -> None:
    hooks = Hooks()
    cache = hooks.cache()
    for number, lifetime in ((1, 300), (2, 100), (3, 200), (4, 100)):
        cache.keep(numbered(number, lifetime=lifetime), NOW)
    hooks.taken()
    assert cache.flush(NOW + 99.999) == 0
    assert cache.flush(NOW + 200) == 3
    assert hooks.taken() == [("remove", 2), ("remove", 4), ("remove", 3)]
    assert len(cache) == 1


def test_clear() -> None:
    hooks = Hooks()
    cache = hooks.cache()
    for number in (3, 1, 2):
        cache.keep(numbered(number), NOW)
    cache.get(numbered(3).session_id, NOW)
    hooks.taken()
    assert cache.clear() == 3
    assert hooks.taken() == [("remove", 3), ("remove", 1), ("remove", 2)]
    assert cache.clear() == 0
    assert cache.flush(NOW + 1e6) == 0
    assert hooks.taken() == []


def test_failure_and_unclean_close() -> None:
    hooks = Hooks()
    cache = hooks.cache()
    cache.keep(numbered(1), NOW)
    hooks.taken()
    assert cache.remove(numbered(1))
    assert not cache.remove(numbered(1))
    assert hooks.taken() == [("remove", 1)]

    cache.mode |= CacheMode.NO_INTERNAL_STORE
    assert not cache.remove(numbered(2))
    assert hooks.taken() == [("remove", 2)], "only the external store can have it"


@pytest.mark.parametrize("never", [False, True])
@pytest.mark.parametrize(
    ("mode", "comes"),
    [
        (CacheMode.SERVER, SessionCache.keep),
        # From an external store: where other servers make the sessions, nothing else comes to this cache.
        (CacheMode.SERVER, SessionCache.admit),
        (CacheMode.OFF, SessionCache.admit),
    ],
)
def test_expired_sessions_go_by_themselves(
    mode: CacheMode, comes: Callable[[SessionCache, Session, float], bool], never: bool
) -> None:
    hooks = Hooks()
    cache = hooks.cache(0, mode | CacheMode.NO_AUTO_CLEAR if never else mode)
    comes(cache, numbered(0, lifetime=1), NOW)
    for number in range(1, 254):
        comes(cache, numbered(number), NOW + 2)
    assert numbered(0).session_id in cache
    comes(cache, numbered(254), NOW + 2)
    assert (numbered(0).session_id in cache) is never
    assert hooks.calls.count(("remove", 0)) == (not never)


# The modes


@pytest.mark.parametrize("mode", [CacheMode.OFF, CacheMode.CLIENT])
def test_off(mode: CacheMode) -> None:
    """Nothing new is kept; the external store is asked all the same, and its answer is kept."""
    hooks = Hooks()
    cache = hooks.cache(mode=mode)
    assert not cache.keep(numbered(1), NOW)
    assert hooks.taken() == []
    hooks.store[numbered(1).session_id] = numbered(1)
    assert cache.get(numbered(1).session_id, NOW) == numbered(1)
    assert len(cache) == 1
    assert cache.get(numbered(1).session_id, NOW) == numbered(1)
    assert hooks.taken() == [("get", 1)]


@pytest.mark.parametrize("mode", [CacheMode.SERVER, CacheMode.BOTH])
def test_server(mode: CacheMode) -> None:
    hooks = Hooks()
    cache = hooks.cache(mode=mode)
    cache.keep(numbered(1), NOW)
    assert cache.get(numbered(1).session_id, NOW) == numbered(1)
    assert hooks.taken() == [("new", 1)], "found here, so nobody else is asked"


def test_no_internal_lookup() -> None:
    hooks = Hooks()
    cache = hooks.cache(mode=CacheMode.SERVER | CacheMode.NO_INTERNAL_LOOKUP)
    cache.keep(numbered(1), NOW)
    assert len(cache) == 1
    assert cache.get(numbered(1).session_id, NOW) == numbered(1)
    assert hooks.taken() == [("new", 1), ("get", 1)]
    hooks.store.clear()
    assert cache.get(numbered(1).session_id, NOW) is None
    hooks.store[numbered(2).session_id] = numbered(2)
    assert cache.get(numbered(2).session_id, NOW) == numbered(2)
    assert len(cache) == 2


@pytest.mark.parametrize("mode", [CacheMode.NO_INTERNAL_STORE, CacheMode.NO_INTERNAL])
def test_what_is_not_kept_here_needs_no_room(mode: CacheMode) -> None:
    """Nobody goes for it, and no store is told to forget anybody."""
    hooks = Hooks()
    cache = hooks.cache(1, CacheMode.SERVER | mode)
    cache.add(numbered(1), NOW)
    assert cache.keep(numbered(2), NOW)
    assert hooks.taken() == [("new", 2)]
    assert numbered(1).session_id in cache


@pytest.mark.parametrize("mode", [CacheMode.NO_INTERNAL_STORE, CacheMode.NO_INTERNAL])
def test_no_internal_store(mode: CacheMode) -> None:
    hooks = Hooks()
    cache = hooks.cache(mode=CacheMode.SERVER | mode)
    assert cache.keep(numbered(1), NOW)
    assert cache.get(numbered(1).session_id, NOW) == numbered(1)
    assert len(cache) == 0
    assert hooks.taken() == [("new", 1), ("get", 1)]
    assert cache.take(numbered(1).session_id, NOW) == numbered(1), "libssl never resumes here"
    assert hooks.taken() == [("get", 1), ("remove", 1)]
    assert cache.take(numbered(1).session_id, NOW) is None


def test_the_values_of_the_modes_are_those_of_the_manual() -> None:
    assert [mode.value for mode in (CacheMode.OFF, CacheMode.CLIENT, CacheMode.SERVER, CacheMode.BOTH)] == [
        0,
        1,
        2,
        3,
    ]
    assert CacheMode.NO_AUTO_CLEAR.value == 0x80
    assert CacheMode.NO_INTERNAL == CacheMode.NO_INTERNAL_LOOKUP | CacheMode.NO_INTERNAL_STORE


# What an external store may answer


def test_an_external_session_that_expired_is_removed() -> None:
    hooks = Hooks()
    cache = hooks.cache()
    hooks.store[numbered(1).session_id] = numbered(1)
    assert cache.get(numbered(1).session_id, NOW) == numbered(1)
    cache.mode |= CacheMode.NO_INTERNAL_LOOKUP
    hooks.taken()
    assert cache.get(numbered(1).session_id, NOW + 7200) is None
    assert hooks.taken() == [("get", 1), ("remove", 1)]
    assert len(cache) == 0
    assert hooks.store == {}


def test_an_external_session_with_another_id_is_not_used() -> None:
    cache = SessionCache(on_get=lambda session_id: numbered(2))
    assert cache.get(numbered(1).session_id, NOW) is None
    assert len(cache) == 0


def test_an_external_session_evicts_like_any_other() -> None:
    hooks = Hooks()
    cache = hooks.cache(1)
    cache.keep(numbered(1), NOW)
    hooks.taken()
    assert cache.admit(numbered(2), NOW)
    assert hooks.taken() == [("remove", 1)]
    assert cache.admit(numbered(2), NOW)
    assert hooks.taken() == []


# Single use


def test_taken_once() -> None:
    hooks = Hooks()
    cache = SessionCache(on_remove=hooks.remove)
    cache.keep(numbered(1), NOW)
    assert cache.take(numbered(1).session_id, NOW) == numbered(1)
    assert hooks.taken() == [("remove", 1)]
    assert cache.take(numbered(1).session_id, NOW) is None
    assert cache.take(numbered(2).session_id, NOW) is None
    assert hooks.taken() == []


@pytest.mark.parametrize("drops", [False, True])
@pytest.mark.parametrize(
    "mode",
    [
        CacheMode.SERVER,
        CacheMode.OFF,
        CacheMode.SERVER | CacheMode.NO_INTERNAL_LOOKUP,
        CacheMode.SERVER | CacheMode.NO_INTERNAL_STORE,
        CacheMode.SERVER | CacheMode.NO_INTERNAL,
    ],
    ids=str,
)
def test_taken_once_whatever_the_store_does(mode: CacheMode, drops: bool) -> None:
    """With libssl a store that keeps its copy makes a session usable for ever."""
    hooks = Hooks(drops=drops)
    cache = hooks.cache(mode=mode)
    cache.keep(numbered(1), NOW)
    hooks.store[numbered(1).session_id] = numbered(1)
    assert cache.get(numbered(1).session_id, NOW) == numbered(1), "to look is not to take"
    assert cache.take(numbered(1).session_id, NOW) == numbered(1)
    assert hooks.calls.count(("remove", 1)) == 1
    for later in (0, 100, 7199):
        assert cache.take(numbered(1).session_id, NOW + later) is None
        assert cache.get(numbered(1).session_id, NOW + later) is None
    assert not cache.admit(numbered(1), NOW)
    assert not cache.claim(numbered(1), NOW)
    assert hooks.calls.count(("remove", 1)) == 1
    assert len(cache) == 0


@pytest.mark.parametrize("taken", [False, True])
@pytest.mark.parametrize("mode", [CacheMode.SERVER, CacheMode.SERVER | CacheMode.NO_INTERNAL], ids=str)
def test_what_was_claimed_is_not_removed_once_more(mode: CacheMode, taken: bool) -> None:
    """The connection that issued it fails later: the store may have what is left of it in its place by then."""
    hooks = Hooks()
    cache = hooks.cache(mode=mode)
    cache.keep(numbered(1), NOW)
    assert cache.claim(numbered(1), NOW, taken=taken)
    calls = hooks.taken()
    assert calls.count(("remove", 1)) == (not taken or mode is CacheMode.SERVER)
    assert not cache.remove(numbered(1))
    assert hooks.taken() == []


def test_an_expired_session_cannot_be_claimed() -> None:
    hooks = Hooks()
    cache = hooks.cache()
    assert not cache.claim(numbered(1), NOW + 7200)
    assert hooks.taken() == []
    cache.keep(numbered(1), NOW)
    assert not cache.claim(numbered(1), NOW + 7200)
    assert hooks.taken() == [("new", 1), ("remove", 1)]


def test_claims_are_remembered_in_bounded_memory() -> None:
    """When they no longer fit, sessions from outside that expire early cannot be claimed any more."""
    cache = SessionCache(remembered_claims=2)
    early, middle, late = (numbered(number, lifetime=100 * number) for number in (1, 2, 3))
    assert cache.claim(middle, NOW)
    assert cache.claim(early, NOW)
    assert cache.claim(late, NOW), "now the earliest is forgotten"
    for session in (early, middle, late):
        assert not cache.claim(session, NOW)
    assert not cache.claim(numbered(4, lifetime=100), NOW), "it could be one that was forgotten"
    own = numbered(5, lifetime=100)
    cache.keep(own, NOW)
    assert cache.claim(own, NOW), "what was here until now was not claimed"
    assert cache.claim(numbered(6, lifetime=300), NOW)
    assert not cache.claim(middle, NOW)


def test_a_clock_that_goes_back_frees_no_claim() -> None:
    cache = SessionCache()
    short = numbered(1, lifetime=10)
    assert cache.claim(short, NOW)
    assert cache.claim(numbered(2), NOW + 10), "the first has expired and is forgotten"
    assert not cache.claim(short, NOW)


def test_what_a_store_has_given_to_us_alone_needs_no_memory() -> None:
    """However many were claimed and forgotten; what is remembered is refused all the same."""
    cache = SessionCache(remembered_claims=1)
    first, second = numbered(1, lifetime=100), numbered(2)
    assert cache.claim(second, NOW, taken=True)
    assert cache.claim(first, NOW, taken=True), "and forgotten at once"
    assert not cache.claim(numbered(3, lifetime=100), NOW)
    assert cache.claim(numbered(3, lifetime=100), NOW, taken=True)
    assert not cache.claim(second, NOW, taken=True)
    assert not cache.claim(numbered(4, lifetime=0), NOW, taken=True)


@pytest.mark.parametrize("kept", [False, True])
def test_what_was_taken_from_a_store_is_not_removed_there(kept: bool) -> None:
    hooks = Hooks()
    cache = hooks.cache()
    if kept:
        cache.keep(numbered(1), NOW)
    assert cache.claim(numbered(1), NOW, taken=True)
    assert hooks.calls.count(("remove", 1)) == kept, "only what was here is gone from here"
    assert cache.claim(numbered(2), NOW)
    assert hooks.calls.count(("remove", 2)) == 1


def test_an_external_copy_of_a_forgotten_claim_is_not_claimed() -> None:
    """It is admitted, since nobody remembers it, and kept here; the claim fails all the same."""
    cache = SessionCache(remembered_claims=1)
    first = numbered(1, lifetime=100)
    assert cache.claim(first, NOW)
    assert cache.claim(numbered(2), NOW)
    assert cache.admit(first, NOW)
    assert cache.take(first.session_id, NOW) is None


@CAN_FORK
@MAY_HAVE_THREADS
@pytest.mark.parametrize("mode", [CacheMode.SERVER, CacheMode.SERVER | CacheMode.NO_INTERNAL])
@pytest.mark.parametrize("known", [False, True])
def test_a_forked_process_claims_nothing_that_the_other_can(mode: CacheMode, known: bool) -> None:
    """Known to the cache, or found by it in a store that gives it to both."""
    hooks = Hooks(drops=False)
    cache = hooks.cache(mode=mode)
    if known:
        cache.keep(numbered(1), NOW)
    hooks.store[numbered(1).session_id] = numbered(1)

    def in_a_worker() -> tuple[Any, ...]:
        found = cache.get(numbered(1).session_id, NOW)
        return found, cache.take(numbered(1).session_id, NOW), cache.take(numbered(1).session_id, NOW)

    assert forked(in_a_worker) == (numbered(1), None, None)
    assert cache.take(numbered(1).session_id, NOW) == numbered(1)
    assert cache.take(numbered(1).session_id, NOW) is None


@CAN_FORK
@MAY_HAVE_THREADS
def test_a_forked_process_claims_what_came_there() -> None:
    """And what a store gave to it alone; what came before stays the other's, whatever came since."""
    cache = SessionCache()
    for number in range(3):
        cache.add(numbered(number), NOW)

    def in_a_worker() -> list[bool]:
        cache.add(numbered(3), NOW)
        cache.add(numbered(1), NOW)
        return [
            *(cache.claim(numbered(number), NOW) for number in (0, 1, 2, 3, 3, 4)),
            cache.claim(numbered(5), NOW, taken=True),
            cache.claim(numbered(5), NOW, taken=True),
        ]

    assert forked(in_a_worker) == [False, True, False, True, False, False, True, False]
    assert forked(lambda: forked(lambda: cache.claim(numbered(2), NOW))) is False
    assert [cache.claim(numbered(number), NOW) for number in range(3)] == [True] * 3


@pytest.mark.parametrize("drops", [False, True])
@pytest.mark.parametrize("mode", [CacheMode.SERVER, CacheMode.SERVER | CacheMode.NO_INTERNAL])
def test_many_threads_take_each_session_once(mode: CacheMode, drops: bool) -> None:
    threads, sessions = 8, 40
    hooks = Hooks(drops=drops)
    cache = hooks.cache(mode=mode)
    for number in range(sessions):
        cache.keep(numbered(number), NOW)
    barrier = Barrier(threads)

    def take_all(_: int) -> list[Session]:
        barrier.wait()
        found = (cache.take(numbered(number).session_id, NOW) for number in range(sessions))
        return [session for session in found if session is not None]

    with ThreadPoolExecutor(threads) as pool:
        taken = [session for part in pool.map(take_all, range(threads)) for session in part]
    assert sorted(taken, key=lambda session: session.session_id) == [numbered(n) for n in range(sessions)]
    removed = Counter(number for name, number in hooks.calls if name == "remove")
    assert removed == dict.fromkeys(range(sessions), 1)


# Odds and ends


def test_hooks_may_use_the_cache() -> None:
    cache = SessionCache(1)
    seen: list[int] = []
    cache.on_new = lambda session: seen.append(len(cache))
    cache.on_remove = lambda session: seen.append(cache.flush(NOW))
    cache.keep(numbered(1), NOW)
    cache.keep(numbered(2), NOW)
    assert seen == [0, 0, 0]


def _raise_for(number: int, calls: list[int]) -> Callable[[Session], None]:
    def hook(session: Session) -> None:
        calls.append(int.from_bytes(session.session_id))
        if calls[-1] == number:
            raise RuntimeError("the store is down")

    return hook


def test_a_hook_that_raises_keeps_the_others_from_nothing() -> None:
    calls: list[int] = []
    cache = SessionCache(on_remove=_raise_for(1, calls))
    for number in (1, 2, 3):
        cache.keep(numbered(number), NOW)
    with pytest.raises(RuntimeError, match="the store is down"):
        cache.clear()
    assert calls == [1, 2, 3]
    assert len(cache) == 0


def test_memory_of_what_is_gone_is_bounded() -> None:
    cache = SessionCache()
    for number in range(2000):
        cache.keep(numbered(number), NOW)
        cache.remove(numbered(number))
    assert len(cache._expiry) <= 100


@pytest.mark.parametrize(
    ("arguments", "field"), [({"size": -1}, "size"), ({"remembered_claims": 0}, "remembered_claims")]
)
def test_what_cannot_work_is_refused(arguments: dict[str, int], field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SessionCache(**arguments)  # type: ignore[arg-type]
    assert caught.value.field == field


def test_copies_are_the_cache_itself() -> None:
    cache = SessionCache(5)
    assert copy.copy(cache) is copy.deepcopy(cache) is cache


def test_a_pickle_goes_its_own_way() -> None:
    cache = SessionCache(5)
    cache.add(numbered(1), NOW)
    other = pickle.loads(pickle.dumps(cache))
    other.add(numbered(2), NOW)
    assert cache.get(numbered(2).session_id, NOW) is None
    assert other.get(numbered(1).session_id, NOW) == numbered(1)
    assert pickle.loads(pickle.dumps(SessionCache(5))).size == 5


def test_nothing_is_used_up_in_a_cache_and_in_its_pickle() -> None:
    """What came along is claimed where it came from; what is new there is claimed there."""
    cache = SessionCache(5)
    cache.add(numbered(1), NOW)
    other = pickle.loads(pickle.dumps(cache))
    assert other.take(numbered(1).session_id, NOW) is None
    other.add(numbered(2), NOW)
    assert other.take(numbered(2).session_id, NOW) == numbered(2)
    assert other.take(numbered(2).session_id, NOW) is None
    assert cache.take(numbered(1).session_id, NOW) == numbered(1)
    again = pickle.loads(pickle.dumps(cache))
    again.add(numbered(1), NOW)
    assert again.take(numbered(1).session_id, NOW) is None


@pytest.mark.parametrize("mode", [CacheMode.SERVER, CacheMode.SERVER | CacheMode.NO_INTERNAL])
def test_a_pickled_cache_claims_nothing_that_the_original_can(mode: CacheMode) -> None:
    """Neither what it brought along, nor what an external store gives both of them; what is new in it, it can."""
    outside = {numbered(number).session_id: numbered(number) for number in (1, 2, 3)}
    cache = SessionCache(5, mode=mode)
    cache.keep(numbered(1), NOW)
    cache.keep(numbered(2), NOW)
    assert cache.claim(numbered(2), NOW) or mode is not CacheMode.SERVER
    other = pickle.loads(pickle.dumps(cache))
    cache.on_get = other.on_get = outside.get
    for number in (1, 2, 3):
        session_id = numbered(number).session_id
        assert other.take(session_id, NOW) is None
        assert (cache.take(session_id, NOW) is None) == (number == 2)
    assert other.was_claimed(numbered(2).session_id)
    other = pickle.loads(pickle.dumps(SessionCache(5)))
    other.keep(numbered(4), NOW)
    assert other.take(numbered(4).session_id, NOW) == numbered(4)
    assert other.take(numbered(4).session_id, NOW) is None
    assert other.claim(numbered(5), NOW, taken=True), "a store gave it to this one alone"


def test_a_pickled_cache_knows_the_same_sessions() -> None:
    """For sessions that may be used more than once it is as good as the original."""
    cache = SessionCache(5)
    for number in (1, 2, 3):
        cache.keep(numbered(number, lifetime=100 * number), NOW)
    other = pickle.loads(pickle.dumps(cache))
    assert [other.get(numbered(number).session_id, NOW) is not None for number in (1, 2, 3)] == [True] * 3
    assert other.flush(NOW + 200) == 2
    other.keep(numbered(7), NOW + 200)
    assert numbered(7).session_id not in cache
    assert len(cache) == 3


# By hand


@pytest.mark.parametrize(
    "mode", [CacheMode.OFF, CacheMode.CLIENT, CacheMode.SERVER, CacheMode.SERVER | CacheMode.NO_INTERNAL]
)
def test_what_the_application_adds_calls_no_hook(mode: CacheMode) -> None:
    """SSL_CTX_add_session(3): it knows of the session already.  What has to go for it is told, as ever."""
    hooks = Hooks()
    cache = hooks.cache(2, mode)
    assert cache.add(numbered(1), NOW)
    assert not cache.add(numbered(1), NOW)
    assert cache.add(numbered(2), NOW)
    assert hooks.taken() == []
    assert len(cache) == 2
    assert cache.add(numbered(3), NOW)
    assert hooks.taken() == [("remove", 1)]
    cache.mode = CacheMode.SERVER
    assert cache.get(numbered(3).session_id, NOW) == numbered(3)
    assert cache.take(numbered(2).session_id, NOW) == numbered(2)
    with pytest.raises(ValueError, match="session id"):
        cache.add(ORDINARY, NOW)


# How much work


def holding(number: int, lifetime: int = 10) -> SessionCache:
    cache = SessionCache(0, mode=CacheMode.SERVER | CacheMode.NO_AUTO_CLEAR)
    for index in range(number):
        cache.keep(numbered(index, lifetime=lifetime), NOW)
    cache.mode = CacheMode.SERVER
    return cache


@pytest.mark.parametrize("size", [0, 3000])
def test_no_call_works_through_all_that_expired(size: int) -> None:
    """Each removes some, and all of them together remove everything; in the end each session was told once."""
    gone: list[Session] = []
    cache = holding(3000)
    cache.size, cache.on_remove = size, gone.append
    most = 0
    for index in range(3000, 6000):
        before = len(gone)
        cache.keep(numbered(index), NOW + 20)
        most = max(most, len(gone) - before)
    assert 0 < most <= BATCH
    assert gone == [numbered(index, lifetime=10) for index in range(3000)], "the earliest first"
    assert len(cache) == 3000


def test_twice_as_many_that_expired_are_no_more_work() -> None:
    def work(number: int, use: Callable[[SessionCache], object]) -> int:
        cache = holding(number)
        cache._came = AUTO_CLEAR_EVERY - 1
        return steps(lambda: use(cache))

    uses: list[Callable[[SessionCache], object]] = [
        lambda cache: cache.keep(numbered(9999), NOW + 20),
        lambda cache: cache.add(numbered(9999), NOW + 20),
        lambda cache: cache.admit(numbered(9999), NOW + 20),
        lambda cache: cache.get(numbered(1).session_id, NOW + 20),
        lambda cache: cache.take(numbered(1).session_id, NOW + 20),
    ]
    for use in uses:
        assert work(4 * BATCH, use) <= 1.1 * work(2 * BATCH, use)


def test_a_flush_lets_others_in() -> None:
    cache = holding(3 * BATCH)
    entered = 0

    class Counted:
        def __init__(self, lock: Any) -> None:
            self.lock = lock

        def __enter__(self) -> None:
            nonlocal entered
            entered += 1
            self.lock.__enter__()

        def __exit__(self, *error: Any) -> None:
            self.lock.__exit__(*error)

    cache._lock = Counted(cache._lock)  # type: ignore[assignment]
    assert cache.flush(NOW + 20) == 3 * BATCH
    assert entered == 3
    assert len(cache) == 0


def test_a_flush_whose_hook_raises_removes_the_rest_all_the_same() -> None:
    calls: list[int] = []
    cache = holding(2 * BATCH)
    cache.on_remove = _raise_for(1, calls)
    with pytest.raises(RuntimeError, match="the store is down"):
        cache.flush(NOW + 20)
    assert calls == list(range(2 * BATCH))
    assert len(cache) == 0


def test_a_much_smaller_size_takes_effect_bit_by_bit() -> None:
    gone: list[Session] = []
    cache = holding(5 * BATCH, lifetime=7200)
    cache.size, cache.on_remove = 10, gone.append
    for index in range(10_000, 10_004):
        before = len(gone)
        cache.keep(numbered(index), NOW)
        assert len(gone) - before <= 2 * BATCH, "before the hook and after it"
    assert len(cache) == 10
    assert gone == [numbered(index) for index in range(5 * BATCH - 6)]


def test_claims_that_expired_go_bit_by_bit() -> None:
    cache = SessionCache()
    for index in range(3 * BATCH):
        cache.claim(numbered(index, lifetime=10), NOW, taken=True)
    for left in (2 * BATCH + 1, BATCH + 2, 3):
        assert cache.claim(numbered(50_000 + left), NOW + 20, taken=True)
        assert len(cache._claims.ids) == left


@pytest.mark.parametrize("wrong", ["5", [5], None, True, 5.0, b"5"])
def test_bounds_are_numbers(wrong: Any) -> None:
    for field in ("size", "mode", "remembered_claims"):
        with pytest.raises(ConfigError, match=field):
            SessionCache(**{field: wrong})


def test_repr() -> None:
    cache = SessionCache(5)
    cache.keep(numbered(1), NOW)
    assert repr(cache) == "SessionCache(1 of 5, CacheMode.SERVER)"
    assert repr(SessionCache(0)) == "SessionCache(0 of any number, CacheMode.SERVER)"


class CacheMachine(RuleBasedStateMachine):
    """The cache against a model that is a plain list, the least recently used first."""

    SIZE = 4

    def __init__(self) -> None:
        super().__init__()
        self.hooks = Hooks()
        self.cache = SessionCache(self.SIZE, on_new=self.hooks.new, on_remove=self.hooks.remove)
        self.model: list[Session] = []
        self.claimed: set[bytes] = set()
        self.now = NOW
        self.added = 0
        self.gone: Counter[int] = Counter()

    def _drop(self, *sessions: Session) -> None:
        for session in sessions:
            self.model.remove(session)
            self.gone[int.from_bytes(session.session_id)] += 1

    def _expired(self) -> list[Session]:
        return [session for session in self.model if session.expired(self.now)]

    @rule(seconds=st.sampled_from((0.0, 1.0, 10.0, 60.0)))
    def time_goes_on(self, seconds: float) -> None:
        self.now += seconds

    @rule(lifetime=st.sampled_from((1, 15, 1000)))
    def add(self, lifetime: int) -> None:
        session = numbered(self.added, lifetime=lifetime, issued_at=self.now)
        self.added += 1
        self.cache.keep(session, self.now)
        if len(self.model) == self.SIZE:
            self._drop(*self._expired())
            self._drop(*self.model[: max(0, len(self.model) - self.SIZE + 1)])
        self.model.append(session)

    @rule(number=st.integers(0, 20), take=st.booleans())
    def look_up(self, number: int, take: bool) -> None:
        session_id = numbered(number).session_id
        look = self.cache.take if take else self.cache.get
        found = look(session_id, self.now)
        held = next((session for session in self.model if session.session_id == session_id), None)
        if held is None or held.expired(self.now):
            assert found is None
            self._drop(*([held] if held else []))
            return
        assert found == held
        assert session_id not in self.claimed
        if take:
            self.claimed.add(session_id)
            self._drop(held)
        else:
            self.model.remove(held)
            self.model.append(held)

    @rule()
    def flush(self) -> None:
        expired = self._expired()
        assert self.cache.flush(self.now) == len(expired)
        self._drop(*expired)

    @rule(number=st.integers(0, 20))
    def connection_fails(self, number: int) -> None:
        held = [session for session in self.model if session.session_id == numbered(number).session_id]
        assert self.cache.remove(numbered(number)) == bool(held)
        self._drop(*held)

    @rule()
    def clear(self) -> None:
        assert self.cache.clear() == len(self.model)
        self._drop(*list(self.model))

    @invariant()
    def it_holds_what_the_model_holds(self) -> None:
        assert len(self.cache) == len(self.model) <= self.SIZE
        assert all(session.session_id in self.cache for session in self.model)

    @invariant()
    def each_removal_was_told_once(self) -> None:
        assert Counter(number for name, number in self.hooks.calls if name == "remove") == self.gone
        assert not self.gone or max(self.gone.values()) == 1
        assert Counter(number for name, number in self.hooks.calls if name == "new") == dict.fromkeys(
            range(self.added), 1
        )


TestCacheMachine = CacheMachine.TestCase


def test_what_came_before_another_process_began(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same as after a fork, without one."""
    cache = SessionCache()
    cache.add(numbered(1), NOW)
    monkeypatch.setattr("sansticket.tickets.stores.cache.getpid", lambda: -1)
    cache.add(numbered(2), NOW)
    assert [cache.claim(numbered(number), NOW) for number in (1, 2, 2)] == [False, True, False]
