"""What holds for every built-in kind of ticket keys: tickets come back whole or not at all."""

import copy
import os
import pickle
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansticket.library import SSL_SESSIONS
from sansticket.tickets.decision import TicketStatus
from sansticket.tickets.keys.openssl import OpenSSLTicketKey, OpenSSLTicketKeys
from sansticket.tickets.keys.protection import OpenedTicket, TicketKeys, session_in
from sansticket.tickets.keys.ring import OVERHEAD, TicketKeyRing
from sansticket.tickets.keys.windowed import WindowedTicketKeys
from tests.support.newer import each
from tests.support.sessions import NOW, ORDINARY, ORDINARY_12, repeatable_entropy

Maker = Callable[[int], TicketKeys]


def ring(seed: int) -> TicketKeys:
    return TicketKeyRing.generate(NOW, repeatable_entropy(seed))


def windowed(seed: int) -> TicketKeys:
    return WindowedTicketKeys(repeatable_entropy(seed)(32))


def openssl_80(seed: int) -> TicketKeys:
    return OpenSSLTicketKeys([OpenSSLTicketKey.generate(repeatable_entropy(seed))])


def openssl_48(seed: int) -> TicketKeys:
    return OpenSSLTicketKeys([OpenSSLTicketKey.generate(repeatable_entropy(seed), 48)])


every_kind = pytest.mark.parametrize("make", [ring, windowed, openssl_80, openssl_48])
every_codec = pytest.mark.parametrize(
    "make",
    each([ring, windowed, openssl_80, openssl_48], dict.fromkeys((openssl_80, openssl_48), SSL_SESSIONS)),
)


def overhead(keys: TicketKeys, plaintext: bytes) -> int:
    """How much longer a ticket is than what it holds.  CBC pads to the next block."""
    return 80 - len(plaintext) % 16 if isinstance(keys, OpenSSLTicketKeys) else OVERHEAD


@every_kind
@given(plaintext=st.binary(max_size=2000))
def test_round_trip(make: Maker, plaintext: bytes) -> None:
    keys = make(1)
    ticket = keys.seal(plaintext, NOW, os.urandom)
    assert len(ticket) == len(plaintext) + overhead(keys, plaintext)
    assert keys.open(ticket, NOW) == OpenedTicket(TicketStatus.SUCCESS, ticket[:16], plaintext)


def _is_refused(keys: TicketKeys, ticket: bytes) -> None:
    assert keys.open(ticket, NOW) == OpenedTicket(TicketStatus.NO_DECRYPT, ticket[:16], None)


@every_kind
def test_every_flipped_bit(make: Maker) -> None:
    keys = make(2)
    ticket = keys.seal(ORDINARY.to_bytes(), NOW, repeatable_entropy(3))
    for bit in range(8 * len(ticket)):
        altered = bytearray(ticket)
        altered[bit // 8] ^= 1 << bit % 8
        _is_refused(keys, bytes(altered))


@every_kind
def test_every_truncation(make: Maker) -> None:
    keys = make(2)
    ticket = keys.seal(ORDINARY.to_bytes(), NOW, repeatable_entropy(3))
    for length in range(1, len(ticket)):
        _is_refused(keys, ticket[:length])


@every_kind
def test_no_ticket_is_empty(make: Maker) -> None:
    opened = make(2).open(b"", NOW)
    assert opened == OpenedTicket(TicketStatus.EMPTY, b"", None)


@every_kind
@given(more=st.binary(min_size=1, max_size=100))
def test_extensions(make: Maker, more: bytes) -> None:
    keys = make(2)
    ticket = keys.seal(ORDINARY.to_bytes(), NOW, repeatable_entropy(3))
    _is_refused(keys, ticket + more)
    _is_refused(keys, more + ticket)


@every_kind
@given(ticket=st.binary(min_size=1, max_size=300))
def test_anything_else(make: Maker, ticket: bytes) -> None:
    _is_refused(make(2), ticket)
    name = make(2).seal(b"", NOW, repeatable_entropy(3))[:16]
    _is_refused(make(2), name + ticket)


@every_kind
def test_somebody_elses_ticket(make: Maker) -> None:
    _is_refused(make(1), make(2).seal(b"session", NOW, os.urandom))


@every_kind
def test_tickets_of_one_session_share_only_the_key_name(make: Maker) -> None:
    keys = make(4)
    entropy = repeatable_entropy(5)
    tickets = [keys.seal(ORDINARY.to_bytes(), NOW, entropy) for _ in range(50)]
    assert len({ticket[:16] for ticket in tickets}) == 1
    assert len({ticket[16:32] for ticket in tickets}) == 50
    # Equal bytes at equal places occur as often as chance has it: 1 in 256.
    pairs = [(a, b) for i, a in enumerate(tickets) for b in tickets[:i]]
    equal = sum(x == y for a, b in pairs for x, y in zip(a[16:], b[16:], strict=True))
    assert 0.7 < 256 * equal / sum(len(a) - 16 for a, _ in pairs) < 1.3


@every_codec
def test_the_session_of_a_ticket(make: Maker) -> None:
    keys = make(6)
    opened = keys.open(keys.seal(keys.codec.encode(ORDINARY), NOW, os.urandom), NOW)
    assert session_in(opened.plaintext, keys.codec, NOW, ORDINARY.version) == ORDINARY
    assert ORDINARY.secret.hex() not in repr(opened)
    assert repr(keys.codec.encode(ORDINARY)) not in repr(opened)


@every_codec
@pytest.mark.parametrize("plaintext", [None, b"", b"garbage"])
def test_a_plaintext_that_is_no_session(make: Maker, plaintext: bytes | None) -> None:
    assert session_in(plaintext, make(6).codec, NOW, ORDINARY.version) is None


@every_codec
def test_every_prefix_and_more_of_a_plaintext_is_no_session(make: Maker) -> None:
    codec = make(6).codec
    plaintext = codec.encode(ORDINARY)
    for end in range(len(plaintext)):
        assert session_in(plaintext[:end], codec, NOW, ORDINARY.version) is None
    assert session_in(plaintext + b"\0", codec, NOW, ORDINARY.version) is None


@every_codec
def test_a_session_of_the_other_version_counts_as_none(make: Maker) -> None:
    codec = make(6).codec
    assert session_in(codec.encode(ORDINARY_12), codec, NOW, ORDINARY_12.version) == ORDINARY_12
    assert session_in(codec.encode(ORDINARY_12), codec, NOW, ORDINARY.version) is None
    assert session_in(codec.encode(ORDINARY), codec, NOW, ORDINARY_12.version) is None


@every_kind
def test_copies_open_each_others_tickets(make: Maker) -> None:
    keys = make(7)
    ticket = keys.seal(b"session", NOW, os.urandom)
    for other in (copy.deepcopy(keys), pickle.loads(pickle.dumps(keys))):
        assert other.open(ticket, NOW).plaintext == b"session"
        assert keys.open(other.seal(b"theirs", NOW, os.urandom), NOW).plaintext == b"theirs"


@every_kind
def test_the_same_entropy_gives_the_same_ticket(make: Maker) -> None:
    tickets = {make(8).seal(b"session", NOW, repeatable_entropy(9)) for _ in range(2)}
    assert len(tickets) == 1
