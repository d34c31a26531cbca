"""Which tickets were used: what is remembered, for how long, and what goes when there is no room."""

from __future__ import annotations

import copy
import pickle
import sys
import threading
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from sansticket import ConfigError, ReusePolicy, TicketUse, TicketUses
from sansticket.tickets.stores.uses import FORGOTTEN_AT_ONCE, name_of

LATER = 1e12

USE = TicketUse(
    at=1000.0,
    version=0x0304,
    family=bytes(range(16)),
    generation=3,
    server_name="server.example",
    alpn_protocol=b"h2",
    client_random=bytes(range(32)),
    hello=bytes(16),
)


def at(now: float) -> TicketUse:
    return evolve(USE, at=now)


def test_the_first_use_is_remembered() -> None:
    uses = TicketUses()
    assert uses.earlier(b"ticket") is None
    assert uses.note(b"ticket", at(1), LATER) is None
    assert uses.note(b"ticket", at(2), LATER) == at(1)
    assert uses.note(b"ticket", at(3), LATER) == at(1)
    assert uses.earlier(b"ticket") == at(1)
    assert uses.earlier(b"another") is None
    assert uses.note(b"another", at(4), LATER) is None
    assert (len(uses), uses.forgotten) == (2, 0)


def test_when_it_is_full_the_oldest_use_is_forgotten() -> None:
    uses = TicketUses(3)
    for number in range(5):
        assert uses.note(bytes((number,)), at(number), LATER) is None
        uses.note(b"\0", at(number), LATER) if number < 3 else None
    assert [uses.earlier(bytes((number,))) for number in range(5)] == [None, None, at(2), at(3), at(4)]
    assert (len(uses), uses.forgotten) == (3, 2)


def test_what_has_expired_goes_first() -> None:
    uses = TicketUses(3)
    uses.note(b"short", at(0), 10)
    uses.note(b"shorter", at(0), 5)
    uses.note(b"long", at(0), LATER)
    uses.note(b"new", at(10), LATER)
    assert (len(uses), uses.forgotten) == (2, 0)
    assert uses.earlier(b"short") is None
    assert uses.earlier(b"shorter") is None
    assert uses.earlier(b"long") == at(0)


def test_what_has_expired_is_no_earlier_use() -> None:
    """Also where it is remembered still; a clock that was wrong loses nothing by asking."""
    uses = TicketUses()
    uses.note(b"ticket", at(0), 10)
    assert [uses.earlier(b"ticket", now) for now in (9.999, 10, 9.999)] == [at(0), None, at(0)]


def test_one_call_forgets_so_many_at_most() -> None:
    """What one connection pays does not depend on how many came before it."""
    uses = TicketUses()
    for number in range(FORGOTTEN_AT_ONCE + 2):
        uses.note(bytes((number,)), at(0), 10)
    uses.note(b"new", at(100), LATER)
    assert (len(uses), uses.forgotten) == (3, 0)
    uses.note(b"newer", at(100), LATER)
    assert (len(uses), uses.forgotten) == (2, 0)


def test_what_has_expired_when_it_is_noted() -> None:
    uses = TicketUses(3)
    assert uses.note(b"over", at(10), 10) is None
    assert len(uses) == 0


def test_ended_families_have_the_same_bound_and_a_table_of_their_own() -> None:
    uses = TicketUses(2)
    uses.note(b"ticket", at(0), LATER)
    for number in range(3):
        uses.end_family(bytes((number,)) * 16, 0, LATER)
    assert [uses.has_ended(bytes((number,)) * 16) for number in range(4)] == [False, True, True, False]
    assert uses.earlier(b"ticket") == at(0)
    assert (len(uses), uses.forgotten) == (1, 1)
    uses.end_family(b"later" * 3, LATER, 2 * LATER)
    assert not uses.has_ended(b"\1" * 16)
    assert uses.has_ended(b"\2" * 16)
    assert uses.has_ended(b"later" * 3)
    assert uses.forgotten == 1, "the other one had been over"
    assert not uses.has_ended(b"")


def test_a_family_that_is_ended_twice_has_one_place() -> None:
    uses = TicketUses(2)
    for now in range(5):
        uses.end_family(b"one", now, LATER)
    uses.end_family(b"other", 5, LATER)
    assert uses.has_ended(b"one")
    assert uses.has_ended(b"other")
    assert uses.forgotten == 0


def test_a_family_that_is_ended_again_is_the_last_to_go() -> None:
    uses = TicketUses(2)
    for family in (b"one", b"other", b"one", b"third"):
        uses.end_family(family, 0, LATER)
    assert uses.has_ended(b"one"), "one other was ended after it"
    assert not uses.has_ended(b"other")


@given(
    st.integers(1, 5),
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 30), st.integers(0, 60)), max_size=60),
)
def test_it_is_the_first_of_what_is_remembered(capacity: int, notes: list[tuple[int, int, int]]) -> None:
    """Against all that ever was noted: never a use that was not the first since it was forgotten, never too many."""
    uses, known = TicketUses(capacity), dict[int, TicketUse]()
    for ticket, now, until in notes:
        before = uses.earlier(bytes((ticket,)))
        assert before in (None, known.get(ticket))
        earlier = uses.note(bytes((ticket,)), at(now), until)
        assert earlier == before
        if earlier is None:
            known[ticket] = at(now)
        assert len(uses) <= capacity


def test_many_threads_note_one_ticket_once() -> None:
    uses, first = TicketUses(100), list[int]()
    barrier = threading.Barrier(8)

    def work() -> None:
        barrier.wait()
        for number in range(200):
            if uses.note(number.to_bytes(2), at(number), LATER) is None:
                first.append(number)

    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(switch)
    assert len(uses) == 100
    assert uses.forgotten == len(first) - 100
    assert set(first) == set(range(200))


def test_no_ticket_is_kept() -> None:
    """What is remembered of it is a hash."""
    uses = TicketUses()
    ticket = b"a ticket that somebody could show"
    uses.note(ticket, USE, LATER)
    kept = pickle.dumps([*uses._uses.items()])
    assert ticket not in kept
    assert name_of(ticket) in kept
    assert len(name_of(ticket)) == 16


def test_copies_are_the_table_itself_and_pickles_are_empty() -> None:
    uses = TicketUses(7, window=3, policy=ReusePolicy.END_FAMILY)
    uses.note(b"ticket", USE, LATER)
    uses.end_family(b"family", 0, LATER)
    assert copy.copy(uses) is uses
    assert copy.deepcopy(uses) is uses
    other = pickle.loads(pickle.dumps(uses))
    assert (other.capacity, other.window, other.policy, len(other)) == (7, 3.0, ReusePolicy.END_FAMILY, 0)
    assert not other.has_ended(b"family")
    assert other.note(b"ticket", USE, LATER) is None


def test_it_is_true_and_says_how_much_it_holds() -> None:
    uses = TicketUses(7, window=3, policy=ReusePolicy.IGNORE)
    assert uses
    uses.note(b"ticket", USE, LATER)
    assert repr(uses) == "TicketUses(1 of 7, 3.0 s, ignore)"


def test_the_repr_of_a_use() -> None:
    assert repr(USE) == (
        "TicketUse(at=1000.0, version=772, family=000102030405060708090a0b0c0d0e0f, generation=3, "
        "server_name='server.example', alpn_protocol=b'h2', "
        "client_random=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f)"
    )


@pytest.mark.parametrize(
    ("field", "make"),
    [
        ("capacity", lambda: TicketUses(0)),
        ("capacity", lambda: TicketUses(1.5)),  # type: ignore[arg-type]  # what is wrong with it
        ("capacity", lambda: TicketUses(True)),
        ("window", lambda: TicketUses(window=-1)),
        ("window", lambda: TicketUses(window=float("nan"))),
        ("window", lambda: TicketUses(window="10")),  # type: ignore[arg-type]  # what is wrong with it
        ("policy", lambda: TicketUses(policy="refuse")),  # type: ignore[arg-type]  # what is wrong with it
        ("ticket", lambda: TicketUses().note("ticket", USE, 1)),  # type: ignore[arg-type]  # what is wrong with it
        ("ticket", lambda: TicketUses().earlier(5)),  # type: ignore[arg-type]  # what is wrong with it
        ("family", lambda: TicketUses().end_family(b"", 0, 1)),
        ("family", lambda: TicketUses().end_family("f", 0, 1)),  # type: ignore[arg-type]  # what is wrong with it
    ],
)
def test_what_is_no_argument_is_named(field: str, make: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        make()
    assert caught.value.field == field
