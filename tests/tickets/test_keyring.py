"""The key ring: rotation, retirement, automatic rotation."""

import hashlib
import hmac
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sansticket.errors import ConfigError
from sansticket.tickets.decision import TicketStatus
from sansticket.tickets.keys.ring import TicketKey, TicketKeyRing
from sansticket.tickets.keys.windowed import WindowedTicketKeys
from sansticket.tickets.stores.replay import ReplayRecorder
from sansticket.tickets.stores.revocations import Revocations
from tests.support.configs import server_config
from tests.support.inputs import BROKEN_ENTROPY, WRONG_BYTES
from tests.support.records import DUPLICATES
from tests.support.sessions import NOW, repeatable_entropy


def key(number: int, created_at: float = NOW) -> TicketKey:
    return TicketKey.generate(created_at, repeatable_entropy(number))


def status(ring: TicketKeyRing, ticket: bytes, now: float = NOW) -> TicketStatus:
    opened = ring.open(ticket, now)
    assert (opened.plaintext is not None) == opened.status.decrypted
    return opened.status


def test_the_construction_is_the_documented_one() -> None:
    ring = TicketKeyRing([key(1)])
    ticket = ring.seal(b"session", NOW, repeatable_entropy(2))
    name, salt, sealed = ticket[:16], ticket[16:40], ticket[40:]
    assert name == key(1).name
    secret = hmac.new(key(1).secret, salt, hashlib.sha256).digest()
    assert AESGCM(secret).decrypt(bytes(12), sealed, name + salt) == b"session"


def test_rotation() -> None:
    ring = TicketKeyRing([key(1)])
    first = ring.seal(b"session", NOW, os.urandom)
    assert status(ring, first) is TicketStatus.SUCCESS

    ring.rotate(key(2), NOW)
    second = ring.seal(b"session", NOW, os.urandom)
    assert ring.current == key(2)
    assert ring.keys == (key(2), key(1))
    assert second.startswith(key(2).name)
    assert status(ring, second) is TicketStatus.SUCCESS
    assert status(ring, first) is TicketStatus.SUCCESS_RENEW


def test_a_key_is_announced_before_it_is_used() -> None:
    """Two servers that rotate one after the other never get a ticket they cannot open."""
    one, other = TicketKeyRing([key(1)]), TicketKeyRing([key(1)])
    one.add(key(2))
    other.add(key(2))
    assert one.current == key(1)
    one.rotate(key(2), NOW)
    assert status(other, one.seal(b"session", NOW, os.urandom)) is TicketStatus.SUCCESS_RENEW
    assert status(one, other.seal(b"session", NOW, os.urandom)) is TicketStatus.SUCCESS_RENEW


def test_retirement_by_hand() -> None:
    ring = TicketKeyRing([key(2), key(1)])
    ticket = TicketKeyRing([key(1)]).seal(b"session", NOW, os.urandom)
    assert status(ring, ticket) is TicketStatus.SUCCESS_RENEW
    assert ring.retire(key(1).name)
    assert not ring.retire(key(1).name)
    assert status(ring, ticket) is TicketStatus.NO_DECRYPT
    with pytest.raises(ConfigError, match="rotate first"):
        ring.retire(key(2).name)


def test_retirement_by_age() -> None:
    ring = TicketKeyRing([key(1)], retire_after=100)
    ticket = ring.seal(b"session", NOW, os.urandom)
    assert status(ring, ticket, NOW + 1000) is TicketStatus.SUCCESS, "the current key stays"

    ring.rotate(key(2, NOW + 50), NOW + 50)
    assert status(ring, ticket, NOW + 99.9) is TicketStatus.SUCCESS_RENEW
    assert ring.keys == (key(2, NOW + 50), key(1)), "nothing has dropped it yet"
    assert status(ring, ticket, NOW + 100) is TicketStatus.NO_DECRYPT
    assert ring.keys == (key(2, NOW + 50),), "whoever uses the ring drops what has retired"
    ring.rotate(key(3, NOW + 120), NOW + 120)
    assert ring.keys == (key(3, NOW + 120), key(2, NOW + 50))


def test_automatic_rotation() -> None:
    ring = TicketKeyRing.generate(NOW, os.urandom, rotate_after=60, retire_after=160)
    first = ring.seal(b"session", NOW, os.urandom)
    before = ring.current
    assert ring.seal(b"session", NOW + 59.9, os.urandom)[:16] == before.name
    assert status(ring, first, NOW + 59.9) is TicketStatus.SUCCESS
    assert status(ring, first, NOW + 60) is TicketStatus.SUCCESS_RENEW, (
        "it is due, though no ticket was sealed"
    )

    second = ring.seal(b"session", NOW + 60, os.urandom)
    assert second[:16] == ring.current.name != before.name
    assert ring.current.created_at == NOW + 60
    assert status(ring, second, NOW + 60) is TicketStatus.SUCCESS
    assert status(ring, first, NOW + 159.9) is TicketStatus.SUCCESS_RENEW
    assert status(ring, first, NOW + 160) is TicketStatus.NO_DECRYPT

    ring.seal(b"session", NOW + 160, os.urandom)
    assert before not in ring.keys
    assert len(ring.keys) == 2


def test_a_ring_at_rest_retires_its_current_key() -> None:
    ring = TicketKeyRing.generate(NOW, os.urandom, rotate_after=60, retire_after=160)
    ticket = ring.seal(b"session", NOW, os.urandom)
    assert status(ring, ticket, NOW + 160) is TicketStatus.NO_DECRYPT
    assert status(ring, ring.seal(b"session", NOW + 500, os.urandom), NOW + 500) is TicketStatus.SUCCESS
    assert len(ring.keys) == 1


def test_a_clock_that_goes_back_rotates_nothing() -> None:
    ring = TicketKeyRing.generate(NOW, os.urandom, rotate_after=60, retire_after=160)
    ticket = ring.seal(b"session", NOW - 1000, os.urandom)
    assert status(ring, ticket, NOW - 1000) is TicketStatus.SUCCESS
    assert len(ring.keys) == 1


def test_threads_rotate_once() -> None:
    ring = TicketKeyRing.generate(NOW, os.urandom, rotate_after=60)
    with ThreadPoolExecutor(8) as pool:
        tickets = list(pool.map(lambda _: ring.seal(b"session", NOW + 60, os.urandom), range(400)))
    assert len(ring.keys) == 2
    assert {ticket[:16] for ticket in tickets} == {ring.current.name}


def test_a_thread_that_waited_does_not_rotate_again() -> None:
    """It found the key due, but another thread had replaced it when the lock was free."""
    ring = TicketKeyRing.generate(NOW, os.urandom, rotate_after=60)

    class Lock:
        def __enter__(self) -> None:
            ring._make_current(key(5, NOW + 60), NOW + 60)

        def __exit__(self, *_: object) -> None:
            pass

    ring._lock = Lock()  # type: ignore[assignment]
    assert ring.seal(b"session", NOW + 60, os.urandom)[:16] == key(5).name
    assert len(ring.keys) == 2


def test_names_are_unique() -> None:
    twin = TicketKey(key(1).name, bytes(32), NOW)
    with pytest.raises(ConfigError, match="same name"):
        TicketKeyRing([key(1), twin])
    ring = TicketKeyRing([key(1)])
    with pytest.raises(ConfigError, match="same name"):
        ring.add(twin)
    with pytest.raises(ConfigError, match="same name"):
        ring.rotate(twin, NOW)
    ring.add(key(1))
    assert ring.keys == (key(1),)
    assert status(ring, ring.seal(b"session", NOW, os.urandom)) is TicketStatus.SUCCESS


def test_what_cannot_work_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least one"):
        TicketKeyRing([])
    with pytest.raises(ConfigError, match="rotate_after"):
        TicketKeyRing([key(1)], rotate_after=0)
    with pytest.raises(ConfigError, match="retire_after"):
        TicketKeyRing([key(1)], retire_after=0)
    with pytest.raises(ConfigError, match="retire_after"):
        TicketKeyRing([key(1)], rotate_after=60, retire_after=60)
    with pytest.raises(ConfigError, match="name"):
        TicketKey(bytes(15), bytes(32), NOW)
    with pytest.raises(ConfigError, match="secret"):
        TicketKey(bytes(16), bytes(16), NOW)


def test_repr_names_the_keys_and_hides_them() -> None:
    assert key(1).name.hex() in repr(TicketKeyRing([key(1)]))
    assert repr(key(1).secret) not in repr(key(1))
    assert key(1).secret.hex() not in repr(TicketKeyRing([key(1)]))


def test_a_key_that_retired_goes_with_the_next_use() -> None:
    """Whatever the use is, and whatever comes of it."""
    uses: list[Callable[[TicketKeyRing], object]] = [
        lambda ring: ring.seal(b"session", NOW + 200, os.urandom),
        lambda ring: ring.open(b"no ticket of ours", NOW + 200),
        lambda ring: ring.rotate(key(3, NOW + 200), NOW + 200),
        lambda ring: ring.flush(NOW + 200, os.urandom),
    ]
    for use in uses:
        ring = TicketKeyRing([key(2, NOW + 150), key(1)], retire_after=160)
        use(ring)
        assert key(1) not in ring.keys
        assert key(2, NOW + 150) in ring.keys


def test_flush_by_a_timer() -> None:
    """A ring that nobody uses holds no key of tickets that nobody may open."""
    ring = TicketKeyRing.generate(NOW, os.urandom, rotate_after=60, retire_after=160)
    first = ring.current
    assert ring.flush(NOW + 159, os.urandom) == 0
    assert ring.keys == (first,)
    assert ring.flush(NOW + 160, os.urandom) == 1
    assert first not in ring.keys
    assert [one.created_at for one in ring.keys] == [NOW + 160]
    still = TicketKeyRing([key(1)], retire_after=160)
    assert still.flush(NOW + 1000, os.urandom) == 0, "what does not rotate by itself keeps its key"


@pytest.mark.parametrize("duplicate", DUPLICATES, ids=["copy", "deepcopy", "pickle"])
def test_a_copy_seals_with_salts_of_its_own(duplicate: Callable[[TicketKeyRing], TicketKeyRing]) -> None:
    """Both seal under the same key; each ticket is sealed under a key that its own random salt gives."""
    ring = TicketKeyRing([key(2), key(1)], rotate_after=60, retire_after=160)
    twin = duplicate(ring)
    assert twin.keys == ring.keys
    tickets = [one.seal(b"session", NOW, os.urandom) for one in (ring, twin) * 50]
    assert len({ticket[:40] for ticket in tickets}) == 100
    assert {status(one, ticket) for ticket in tickets for one in (ring, twin)} == {TicketStatus.SUCCESS}
    ring.retire(key(1).name)
    assert key(1) in twin.keys
    ring.seal(b"session", NOW + 60, os.urandom)
    assert twin.current == key(2), "it goes its own way"


@pytest.mark.parametrize("wrong", [*WRONG_BYTES, bytearray(32), memoryview(bytes(32))])
def test_a_key_is_made_of_bytes(wrong: Any) -> None:
    with pytest.raises(ConfigError, match="secret") as caught:
        TicketKey(bytes(16), wrong, NOW)
    assert "secret words" not in str(caught.value)
    with pytest.raises(ConfigError, match="name"):
        TicketKey(wrong, bytes(32), NOW)


@pytest.mark.parametrize("wrong", ["60", [60], None, True, b"60", float("nan"), float("inf")])
def test_times_are_numbers(wrong: Any) -> None:
    with pytest.raises(ConfigError, match="created_at"):
        TicketKey(bytes(16), bytes(32), wrong)
    if wrong is not None:
        with pytest.raises(ConfigError, match="rotate_after"):
            TicketKeyRing([key(1)], rotate_after=wrong)
        with pytest.raises(ConfigError, match="retire_after"):
            TicketKeyRing([key(1)], retire_after=wrong)


@pytest.mark.parametrize("digits", [400, 5000])
@pytest.mark.parametrize("sign", [1, -1])
def test_times_are_no_larger_than_a_float(digits: int, sign: int) -> None:
    """Integers of Python may be; those of more than 4,300 digits have no text either."""
    wrong = sign * 10**digits
    makers: tuple[tuple[str, Callable[[], object]], ...] = (
        ("created_at", lambda: TicketKey(bytes(16), bytes(32), wrong)),
        ("rotate_after", lambda: TicketKeyRing([key(1)], rotate_after=wrong)),
        ("period", lambda: WindowedTicketKeys(bytes(32), wrong)),
        ("window", lambda: ReplayRecorder(wrong)),
        ("before", lambda: Revocations().revoke_family(bytes(16), wrong)),
        ("early_data_window", lambda: server_config(early_data_window=(wrong, 1))),
    )
    for field, make in makers:
        with pytest.raises(ConfigError, match=f"{field}: a number beyond all floats; expected"):
            make()


@pytest.mark.parametrize(
    "wrong",
    [*WRONG_BYTES, b"", bytes(32), key(1), {key(1), key(2)}, frozenset((key(1),)), [bytes(32)], [None]],
)
def test_keys_are_keys_in_an_order(wrong: Any) -> None:
    """The first seals; a set would choose one by chance."""
    with pytest.raises(ConfigError, match="keys"):
        TicketKeyRing(wrong)


@pytest.mark.parametrize("wrong", [None, 5, bytes(32), "key"])
def test_what_is_added_is_a_key(wrong: Any) -> None:
    ring = TicketKeyRing([key(1)])
    with pytest.raises(ConfigError, match="key"):
        ring.add(wrong)
    with pytest.raises(ConfigError, match="key"):
        ring.rotate(wrong, NOW)
    assert ring.keys == (key(1),)


@pytest.mark.parametrize("entropy", BROKEN_ENTROPY)
def test_without_enough_entropy_nothing_is_made(entropy: Any) -> None:
    """A salt of no bytes would seal every ticket under one key and nonce."""
    ring = TicketKeyRing([key(1)], rotate_after=60)
    for make in (
        lambda: TicketKey.generate(NOW, entropy),
        lambda: TicketKeyRing.generate(NOW, entropy),
        lambda: ring.seal(b"session", NOW, entropy),
        lambda: ring.seal(b"session", NOW + 60, entropy),
    ):
        with pytest.raises(ConfigError, match="entropy: gave"):
            make()
    assert ring.keys == (key(1),)


class RingMachine(RuleBasedStateMachine):
    """A ring that rotates by itself and by hand: a ticket opens as long as its key lives."""

    ROTATE, RETIRE = 60.0, 200.0

    def __init__(self) -> None:
        super().__init__()
        self.entropy = repeatable_entropy(0)
        self.now = NOW
        self.ring = TicketKeyRing.generate(
            NOW, self.entropy, rotate_after=self.ROTATE, retire_after=self.RETIRE
        )
        self.made_at = {self.ring.current.name: NOW}
        self.retired: set[bytes] = set()
        self.tickets: list[bytes] = []

    @rule(seconds=st.sampled_from((0.5, 10, 59.5, 60, 140, 300)))
    def time_goes_on(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def seal(self) -> None:
        self.tickets.append(self.ring.seal(b"session", self.now, self.entropy))
        name = self.tickets[-1][:16]
        assert name == self.ring.current.name
        assert self.now - self.made_at.setdefault(name, self.now) < self.ROTATE

    @rule()
    def rotate(self) -> None:
        new = TicketKey.generate(self.now, self.entropy)
        self.made_at[new.name] = self.now
        self.ring.rotate(new, self.now)

    @rule()
    def retire_the_oldest(self) -> None:
        *_, oldest = self.ring.keys
        if oldest is not self.ring.current:
            self.ring.retire(oldest.name)
            self.retired.add(oldest.name)

    @invariant()
    def tickets_open_as_long_as_their_key_lives(self) -> None:
        for ticket in self.tickets:
            name = ticket[:16]
            age = self.now - self.made_at[name]
            if name in self.retired or age >= self.RETIRE:
                expected = TicketStatus.NO_DECRYPT
            elif name == self.ring.current.name and age < self.ROTATE:
                expected = TicketStatus.SUCCESS
            else:
                expected = TicketStatus.SUCCESS_RENEW
            assert status(self.ring, ticket, self.now) is expected


TestRingMachine = RingMachine.TestCase


def test_keys_are_in_the_order_in_which_they_are_forgotten() -> None:
    ring = TicketKeyRing([key(1)])
    ring.rotate(key(2), NOW)
    ring.rotate(key(3), NOW)
    ring.add(key(4))
    assert ring.keys == (key(3), key(4), key(2), key(1)), (
        "the current one, what was announced, the newest first"
    )
    ring.rotate(key(4), NOW)
    assert ring.keys == (key(4), key(3), key(2), key(1))
    ring.rotate(key(2), NOW)
    assert ring.keys == (key(2), key(4), key(3), key(1)), "back to an older one"
