"""Revocations: what is refused, that merges go in any order, the bound, and the written form."""

import copy
import pickle
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from itertools import permutations
from math import inf, nan
from random import Random
from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sansticket.errors import ConfigError
from sansticket.tickets.stores.revocations import (
    ENTRY,
    HEAD,
    RevocationFormatError,
    Revocations,
    certificate_subject,
    subjects_of,
)
from sansticket.tickets.stores.times import NAME, Times
from tests.support.credentials import client_credential, server_credential
from tests.support.examples import examples
from tests.support.sessions import NOW

CLIENT_CHAIN, SERVER_CHAIN = client_credential().chain, server_credential().chain
FAMILY = bytes(range(16))
DAY = 86_400


def name_of(number: int) -> bytes:
    """A family."""
    return Random(f"family {number}").randbytes(16)


def value(seed: int, size: int, *, max_entries: int = 1_000_000) -> Revocations:
    """Some that were revoked at some time in the last day."""
    random = Random(seed)
    revocations = Revocations(max_entries=max_entries)
    for _ in range(size):
        revocations.revoke_family(random.randbytes(16), NOW - random.randrange(DAY))
    return revocations


# --- what is refused


def test_a_family_is_refused_that_was_authenticated_before() -> None:
    revocations = Revocations()
    revocations.revoke_family(FAMILY, NOW)
    assert revocations.why_refused(NOW - 0.001, family=FAMILY) == (
        "family refused from before 1700000000.000, authenticated at 1699999999.999"
    )
    assert not revocations.why_refused(NOW, family=FAMILY)  # who logs in again is welcome
    assert not revocations.why_refused(NOW - 1, family=bytes(16))
    assert not revocations.why_refused(NOW - 1)


def test_a_subject_is_the_application_data_or_the_key_of_the_certificate() -> None:
    revocations = Revocations()
    revocations.revoke_subject(b"alice", NOW)
    revocations.revoke_subject(certificate_subject(CLIENT_CHAIN[0]), NOW)
    assert revocations.why_refused(NOW - 1, app_data=b"alice").startswith("subject refused")
    assert revocations.why_refused(NOW - 1, peer_certificates=CLIENT_CHAIN).startswith("subject refused")
    assert not revocations.why_refused(NOW - 1, app_data=b"bob", peer_certificates=SERVER_CHAIN)
    assert list(subjects_of(b"", ())) == []


def test_a_name_of_one_kind_is_none_of_another() -> None:
    revocations = Revocations()
    revocations.revoke_subject(FAMILY, NOW)
    assert not revocations.why_refused(NOW - 1, family=FAMILY, key_name=FAMILY)
    assert revocations.why_refused(NOW - 1, app_data=FAMILY)


def test_a_stolen_key_is_refused_whatever_its_tickets_say() -> None:
    revocations = Revocations()
    revocations.revoke_key(b"k" * 16)
    assert revocations.why_refused(NOW + 1000 * DAY, key_name=b"k" * 16) == "key refused, whenever it was"
    revocations.revoke_key(b"l" * 16, NOW)
    assert revocations.why_refused(NOW - 1, key_name=b"l" * 16)
    assert not revocations.why_refused(NOW, key_name=b"l" * 16)
    revocations.forget(NOW + 1000 * DAY)
    assert len(revocations) == 1
    assert revocations.why_refused(NOW + 1000 * DAY, key_name=b"k" * 16)


def test_the_application_names_subjects() -> None:
    def users(app_data: bytes, peer_certificates: tuple[bytes, ...]) -> list[bytes]:
        return app_data.split(b",")

    revocations = Revocations(subjects=users)
    revocations.revoke_subject(b"alice", NOW)
    assert revocations.why_refused(NOW - 1, app_data=b"bob,alice")
    assert not revocations.why_refused(NOW - 1, app_data=b"bob")


def test_whose_subjects_cannot_be_told_is_refused() -> None:
    revocations = Revocations()
    assert not revocations.why_refused(NOW, peer_certificates=(b"no certificate",))  # nobody is revoked
    revocations.revoke_family(FAMILY, NOW)
    assert revocations.why_refused(NOW, peer_certificates=(b"no certificate",)) == "no subjects: ValueError"


def test_the_subject_of_a_certificate_is_its_key() -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    for der in (*CLIENT_CHAIN, *SERVER_CHAIN):
        key = x509.load_der_x509_certificate(der).public_key()
        assert certificate_subject(der) == key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for wrong in (b"", b"\x30", b"\x30\x00", b"\x30\x02\x30\x00", CLIENT_CHAIN[0][:-1], CLIENT_CHAIN[0] * 2):
        with pytest.raises(ValueError, match="no DER"):
            certificate_subject(wrong)


def test_the_later_time_counts() -> None:
    revocations = Revocations()
    for before in (NOW, NOW - 10, NOW + 0.0001):
        revocations.revoke_family(FAMILY, before)
    assert len(revocations) == 1
    assert revocations.why_refused(NOW, family=FAMILY)  # rounded up to the millisecond
    assert not revocations.why_refused(NOW + 0.001, family=FAMILY)


@pytest.mark.parametrize("before", [nan, inf, -1.0, 0, NOW * 1000, 1e306, 10**400, "now", None, True])
def test_a_time_is_a_time(before: Any) -> None:
    revocations = Revocations()
    with pytest.raises(ConfigError, match=r"^before: "):
        revocations.revoke_family(FAMILY, before)
    assert not len(revocations)


@pytest.mark.parametrize("some", [False, True], ids=["nothing", "something"])
@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        *[
            ("family", wrong)
            for wrong in (b"f", FAMILY[:15], bytes(17), FAMILY + bytes(6), None, 5, "f" * 16)
        ],
        *[("family", wrong) for wrong in (bytearray(FAMILY), memoryview(FAMILY))],
        *[("key_name", wrong) for wrong in (None, 5, "k" * 16, bytearray(16))],
        *[("authenticated_at", wrong) for wrong in (nan, inf, -inf, 1e306, -1e306, 10**400, "now", None)],
    ],
)
def test_who_asks_for_what_cannot_be_hears_so(field: str, wrong: Any, some: bool) -> None:
    """Whatever is revoked: the beginning of a family's id would be found in its place."""
    revocations = Revocations()
    if some:
        revocations.revoke_family(FAMILY, NOW)
    given: dict[str, Any] = {"authenticated_at": NOW - 1, "family": FAMILY, field: wrong}
    with pytest.raises(ConfigError, match=f"^{field}: "):
        revocations.why_refused(**given)


@pytest.mark.parametrize(
    ("kind", "field"), [("family", "family"), ("subject", "subject"), ("key", "key_name")]
)
def test_a_name_is_some_bytes(kind: str, field: str) -> None:
    revocations = Revocations()
    for wrong in (b"", "alice", None, *([b"short", bytes(17)] if kind == "family" else [])):
        with pytest.raises(ConfigError, match=f"^{field}: "):
            getattr(revocations, f"revoke_{kind}")(wrong, NOW)
    assert not len(revocations)


@pytest.mark.parametrize(
    "settings", [{"max_entries": 0}, {"max_entries": 1 << 32}, {"max_entries": 1.5}, {"subjects": b"alice"}]
)
def test_settings_are_checked(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"^{next(iter(settings))}: "):
        Revocations(**settings)
    with pytest.raises(ConfigError, match=f"^{next(iter(settings))}: "):
        Revocations.from_bytes(Revocations().to_bytes(), **settings)


# --- merges


@st.composite
def values(draw: st.DrawFn, names: int = 12, max_entries: int = 5) -> Revocations:
    """Of few names, so that they meet; some forget, some are full."""
    revocations = Revocations(max_entries=max_entries)
    for name, time in draw(st.lists(st.tuples(st.integers(1, names), st.integers(1, 20)), max_size=12)):
        revocations.revoke_family(name_of(name), float(time))
    if draw(st.booleans()):
        revocations.forget(float(draw(st.integers(1, 20))), 1)
    return revocations


def merged(values: Any) -> bytes:
    result = Revocations(max_entries=5)
    for one in values:
        result.merge(one)
    return result.to_bytes()


@given(st.lists(values(), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_merges_go_in_any_order_and_twice(some: list[Revocations], random: Random) -> None:
    once = merged(some)
    assert all(merged(order) == once for order in permutations(some))
    again = [*some, *some, Revocations.from_bytes(once)]
    random.shuffle(again)
    assert merged(again) == once
    left = reduce(lambda a, b: Revocations.from_bytes(merged([a, b])), some)
    right = reduce(lambda a, b: Revocations.from_bytes(merged([b, a])), reversed(some))
    assert left.to_bytes() == right.to_bytes() == merged([left]) == once


@given(values(names=6, max_entries=2), values(names=6, max_entries=2))
def test_a_merge_unsays_nothing(one: Revocations, other: Revocations) -> None:
    both = one.copy()
    both.merge(other)
    for name in range(1, 8):
        for time in range(22):
            refused = one.why_refused(time, family=name_of(name)) or other.why_refused(
                time, family=name_of(name)
            )
            if refused:
                assert both.why_refused(time, family=name_of(name))


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 40)), max_size=60), st.integers(1, 8))
@settings(max_examples=examples(50))
def test_it_does_what_a_dictionary_would(steps: list[tuple[int, int]], size: int) -> None:
    """The bound keeps those with the latest times, however they came; the rest refuses too much, never too little."""
    revocations, known = Revocations(max_entries=size), dict[int, int]()
    for name, time in steps:
        revocations.revoke_family(name_of(name), float(time))
        known[name] = max(known.get(name, 0), time)
        for revoked, before in known.items():
            assert revocations.why_refused(before - 0.5, family=name_of(revoked))
    times = sorted(known.values(), reverse=True)
    floor = times[size] if len(times) > size else 0
    assert len(revocations) == sum(time > floor for time in times) <= size
    for name in range(1, 32):
        before = max(known.get(name, 0), floor)
        just_before = max(before - 0.5, 0)
        assert bool(revocations.why_refused(just_before, family=name_of(name))) == (just_before < before)
        assert not revocations.why_refused(before, family=name_of(name))


def test_what_is_new_is_what_other_servers_need() -> None:
    here, there = value(1, 10), value(2, 10)
    there.merge(Revocations.from_bytes(here.revoke_family(FAMILY, NOW).to_bytes()))
    there.merge(here.revoke_subject(b"alice", NOW))
    there.merge(here.revoke_key(b"k" * 16))
    assert there.why_refused(NOW - 1, family=FAMILY)
    assert there.why_refused(NOW - 1, app_data=b"alice")
    assert there.why_refused(NOW, key_name=b"k" * 16)
    assert len(there) == 13


def neighbours(numbers: range, before: float) -> Revocations:
    """Names that stand close together, as somebody may have chosen them."""
    names = b"".join(number.to_bytes(16) + round(before * 1000).to_bytes(6) for number in numbers)
    return Revocations.from_bytes(
        b"\1" + bytes(6) + len(numbers).to_bytes(4) + names, max_entries=len(numbers)
    )


def test_names_that_are_close_together_are_merged_like_others() -> None:
    one, other, few = (
        neighbours(numbers, at) for numbers, at in ((range(50), 2), (range(30, 90), 3), (range(48, 52), 1))
    )
    for several in permutations((one, other, few)):
        result = Revocations()
        for each in several:
            result.merge(each)
        assert len(result) == 90
        for number in range(91):
            revoked = number < 90, number >= 30 and number < 90
            name = number.to_bytes(16)
            assert (
                bool(result.why_refused(1.9, family=name)),
                bool(result.why_refused(2.9, family=name)),
            ) == revoked
            assert not result.why_refused(3, family=name)
    small = Revocations(max_entries=40)
    small.merge(one)  # of which none is left, as all have one time
    assert (len(small), small.why_refused(1.9, family=b"")) == (
        0,
        "everything refused from before 2.000, authenticated at 1.900",
    )
    small.merge(few)
    assert len(small) == 0
    small.merge(neighbours(range(30, 50), 3))
    assert len(small) == 20


def test_names_that_are_close_together_are_read_and_merged_once() -> None:
    """What takes time with the square of their number would take a minute here."""
    start = process_time()
    read = neighbours(range(60_000), NOW)
    merged_into = Revocations()
    merged_into.merge(read)
    merged_into.merge(neighbours(range(30_000, 90_000), NOW + 1))
    assert process_time() - start < 6
    assert len(merged_into) == 90_000


def test_only_revocations_are_merged() -> None:
    revocations = value(1, 3)
    before = revocations.to_bytes()
    wrong: Any = before
    with pytest.raises(TypeError, match="merge with bytes; expected Revocations"):
        revocations.merge(wrong)
    revocations.merge(revocations)
    assert revocations.to_bytes() == before


# --- forgetting, and clocks that jump


def test_what_is_over_is_forgotten_and_refused_all_the_same() -> None:
    revocations = Revocations()
    revocations.revoke_family(FAMILY, NOW)
    revocations.revoke_family(bytes(16), NOW + 60)
    revocations.forget(NOW + 7 * DAY - 1)
    assert len(revocations) == 2
    revocations.forget(NOW + 7 * DAY)
    assert len(revocations) == 1
    assert revocations.why_refused(NOW - 1, family=FAMILY) == (
        "everything refused from before 1700000000.000, authenticated at 1699999999.000"
    )
    assert not revocations.why_refused(NOW, family=FAMILY)
    assert revocations.why_refused(NOW, family=bytes(16))
    revocations.forget(NOW + 2 * DAY, max_session_age=DAY)
    assert not len(revocations)


def test_a_clock_that_jumps_ahead_and_back_brings_no_ticket_back() -> None:
    revocations = value(3, 100)
    revocations.revoke_family(FAMILY, NOW)
    revocations.forget(NOW + 1000 * DAY)
    assert not len(revocations)
    assert revocations.why_refused(NOW - 1, family=FAMILY)
    assert not revocations.why_refused(NOW)  # those who came since the last ban are not concerned


@pytest.mark.parametrize("now", [NOW * 1000, 1e30])
def test_a_key_that_is_refused_for_ever_is_not_forgotten_whatever_the_clock_says(now: float) -> None:
    """Its time is above all others: as a floor it would refuse everybody, for ever, on all servers."""
    revocations = Revocations()
    revocations.revoke_key(b"key")
    revocations.revoke_family(FAMILY, NOW)
    revocations.forget(now)
    assert len(revocations) == 1
    assert revocations.why_refused(NOW, key_name=b"key") == "key refused, whenever it was"
    assert not revocations.why_refused(NOW, key_name=b"another")
    assert revocations.why_refused(NOW - 1)


def test_what_was_forgotten_does_not_come_back_from_a_server_that_knows_it() -> None:
    here, there = value(4, 50), value(4, 50)
    here.forget(NOW + 30 * DAY)
    assert not len(here)
    here.merge(there)
    assert not len(here)
    there.merge(here)
    assert there.to_bytes() == here.to_bytes()


@pytest.mark.parametrize("arguments", [(nan,), ("now",), (NOW, 0), (NOW, -1), (NOW, inf)])
def test_forgetting_wants_times(arguments: Any) -> None:
    revocations = value(5, 3)
    with pytest.raises(ConfigError, match=r"^(now|max_session_age): "):
        revocations.forget(*arguments)
    assert len(revocations) == 3


# --- the bound


def test_a_full_list_refuses_too_much_rather_than_too_little() -> None:
    revocations = Revocations(max_entries=100)
    for number in range(1000):
        revocations.revoke_family(name_of(number), NOW + number)
        assert revocations._times.count <= 112
    assert len(revocations) == 100
    assert all(revocations.why_refused(NOW + number - 1, family=name_of(number)) for number in range(1000))
    assert not revocations.why_refused(NOW + 899, family=name_of(-1))
    assert repr(revocations) == "Revocations(100 of 100)"


def test_many_of_one_time_go_together() -> None:
    revocations = Revocations(max_entries=3)
    for number in range(5):
        revocations.revoke_family(name_of(number), NOW)
    assert not len(revocations)
    assert revocations.why_refused(NOW - 1, family=name_of(-1))
    assert not revocations.why_refused(NOW, family=name_of(1))


# --- the written form


@given(values(max_entries=5))
def test_the_written_form_gives_the_same_back(revocations: Revocations) -> None:
    data = revocations.to_bytes()
    for kind in (bytes, bytearray, memoryview):
        assert Revocations.from_bytes(kind(data), max_entries=5).to_bytes() == data


def test_the_layout() -> None:
    revocations = Revocations()
    assert revocations.to_bytes() == b"\1" + bytes(10)
    revocations.revoke_family(FAMILY, NOW)
    data = revocations.to_bytes()
    assert data[:HEAD] == b"\1" + bytes(6) + b"\0\0\0\1"
    assert data[-6:] == round(NOW * 1000).to_bytes(6)
    revocations.forget(NOW + 7 * DAY)
    assert revocations.to_bytes() == b"\1" + round(NOW * 1000).to_bytes(6) + bytes(4)


def test_a_file_that_was_cut_is_refused_and_nothing_is_lost() -> None:
    kept, data = value(6, 5), value(7, 5).to_bytes()
    before = kept.to_bytes()
    for length in range(len(data)):
        with pytest.raises(RevocationFormatError, match="cut short") as failure:
            kept.merge(Revocations.from_bytes(data[:length]))
        assert isinstance(failure.value, ValueError)
    assert kept.to_bytes() == before
    with pytest.raises(RevocationFormatError, match="cut short: 120 bytes; expected 121 for 5 names"):
        Revocations.from_bytes(data[:-1])


def test_what_is_wrong_is_said() -> None:
    data = value(8, 3).to_bytes()
    entries = [data[start : start + ENTRY] for start in range(HEAD, len(data), ENTRY)]
    head = data[:HEAD]
    late_floor = b"\1" + b"\x02" + bytes(5) + b"\0\0\0\1"
    for wrong, words in (
        (b"\2" + data[1:], "format 2; expected 1"),
        (data + b"\0", "too long: 78 bytes; expected 77 for 3 names"),
        (head + entries[1] + entries[0] + entries[2], "not in order"),
        (head + entries[0] + entries[0] + entries[2], "twice the same"),
        (b"\1" + bytes(9) + b"\1" + entries[0][:NAME] + bytes(6), "not above the floor"),
        (late_floor + entries[0], "not above the floor"),
        ("text", "a value of type str; expected bytes"),
        (77, "a value of type int; expected bytes"),
    ):
        anything: Any = wrong
        with pytest.raises(RevocationFormatError, match=words):
            Revocations.from_bytes(anything)


def test_no_more_is_read_than_may_be_held() -> None:
    data = value(9, 11).to_bytes()
    assert len(Revocations.from_bytes(data, max_entries=11)) == 11
    with pytest.raises(RevocationFormatError, match="253 bytes; expected at most 10 names"):
        Revocations.from_bytes(data, max_entries=10)
    huge = b"\1" + bytes(6) + b"\xff" * 4
    tracemalloc.start()
    with pytest.raises(RevocationFormatError, match="cut short"):
        Revocations.from_bytes(huge)
    assert tracemalloc.get_traced_memory()[1] < 200_000
    tracemalloc.stop()


def test_a_hundred_thousand_fit_into_three_megabytes() -> None:
    random = Random(0)
    names = [random.randbytes(16) for _ in range(100_000)]
    tracemalloc.start()
    revocations = Revocations()
    for name in names:
        revocations.revoke_family(name, NOW)
    assert tracemalloc.get_traced_memory()[0] < 3_000_000
    tracemalloc.stop()
    assert len(revocations.to_bytes()) == 11 + 22 * 100_000
    assert all(revocations.why_refused(NOW - 1, family=name) for name in names[::97])


# --- copies


def test_a_copy_is_by_value_and_what_copies_a_config_shares_it() -> None:
    revocations = value(10, 5, max_entries=7)
    assert copy.copy(revocations) is copy.deepcopy(revocations) is revocations
    other = revocations.copy()
    assert other.to_bytes() == revocations.to_bytes()
    assert other.max_entries == 7
    other.revoke_family(FAMILY, NOW)
    assert other.why_refused(NOW - 1, family=FAMILY)
    assert not revocations.why_refused(NOW - 1, family=FAMILY)
    restored = pickle.loads(pickle.dumps(revocations))
    assert restored.to_bytes() == revocations.to_bytes()
    assert restored.max_entries == 7
    assert bool(Revocations())


def test_threads_lose_nothing() -> None:
    revocations = Revocations()

    def work(number: int) -> None:
        for family in range(300):
            revocations.merge(value(number, 1))
            name = name_of(1000 * number + family)
            revocations.revoke_family(name, NOW)
            assert revocations.why_refused(NOW - 1, family=name)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(revocations) == 8 * 301


def test_the_same_bytes_across_two_entries_are_another_name() -> None:
    """Names on one shelf begin alike, and a search of bytes knows no borders."""
    times = Times()
    first, second = b"\0" * 16, b"\0\1" + b"\0" * 14
    times.raise_to(first + b"\0\0\0\0\0\1")
    times.raise_to(second + b"\0\0\0\0\0\2")
    across = b"".join(times)[7:23]
    assert times.of(across) == 0
    times.raise_to(across + b"\0\0\0\0\0\3")
    assert (times.of(first), times.of(second), times.of(across), times.count) == (1, 2, 3, 3)
