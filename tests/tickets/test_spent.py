"""What is left of a session that was used up: its bytes, and what they cannot be."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from sansticket import Session, SessionCache, SessionFormatError, SpentSession, TicketUse
from tests.support.sessions import numbered

USE = TicketUse(
    at=1_764_400_000.125,
    version=0x0304,
    family=bytes(range(16)),
    generation=3,
    server_name="server.example",
    alpn_protocol=b"h2",
    client_random=bytes(range(32)),
    hello=bytes(range(16, 32)),
)
SPENT = SpentSession(bytes(range(32)), USE, 0x1301, bytes(range(64, 96)), 1_764_399_999.5)

times = st.integers(0, (1 << 48) - 2).map(lambda milliseconds: milliseconds / 1000)
uses = st.builds(
    TicketUse,
    at=times,
    version=st.integers(0, 0xFFFF),
    family=st.just(b"") | st.binary(min_size=16, max_size=16),
    generation=st.integers(0, 0xFFFFFFFF),
    server_name=st.none() | st.text(min_size=1, max_size=60).filter(lambda name: name.isprintable()),
    alpn_protocol=st.none() | st.binary(min_size=1, max_size=255),
    client_random=st.binary(min_size=32, max_size=32),
    hello=st.binary(min_size=16, max_size=16),
)


@given(
    st.binary(min_size=1, max_size=32),
    uses,
    st.integers(0, 0xFFFF),
    st.binary(min_size=1, max_size=255),
    times,
)
def test_it_comes_back_as_it_was(
    session_id: bytes, use: TicketUse, suite: int, key: bytes, authenticated_at: float
) -> None:
    spent = SpentSession(session_id, use, suite, key, authenticated_at)
    assert SpentSession.from_bytes(spent.to_bytes()) == spent


@given(st.binary(max_size=200))
def test_bytes_of_any_kind(data: bytes) -> None:
    for some in (data, b"\x81" + data):
        try:
            spent = SpentSession.from_bytes(some)
        except SessionFormatError:
            continue
        assert spent.to_bytes() == some


@given(st.data())
def test_one_that_was_cut_or_changed(data: st.DataObject) -> None:
    """Never another exception, and never two readings of the same bytes."""
    whole = bytearray(SPENT.to_bytes())
    for cut in range(len(whole)):
        with pytest.raises(SessionFormatError):
            SpentSession.from_bytes(bytes(whole[:cut]))
    with pytest.raises(SessionFormatError, match="after the end"):
        SpentSession.from_bytes(bytes(whole) + b"\0")
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        other = SpentSession.from_bytes(bytes(whole))
    except SessionFormatError:
        return
    assert other.to_bytes() == bytes(whole)


def test_it_is_no_session_and_no_session_is_one() -> None:
    """A store has both under one name."""
    session = numbered(1)
    with pytest.raises(SessionFormatError, match="known format"):
        SpentSession.from_bytes(session.to_bytes())
    with pytest.raises(SessionFormatError, match="known format"):
        Session.from_bytes(SPENT.to_bytes())


@pytest.mark.parametrize("data", [None, 5, "text", [1]])
def test_what_is_no_bytes(data: Any) -> None:
    with pytest.raises(SessionFormatError, match="expected bytes"):
        SpentSession.from_bytes(data)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("session_id", value) for value in (b"", bytes(33), "id", None)],
        *[("cipher_suite", value) for value in (-1, 1 << 16, True, "suite")],
        *[("binder_key", value) for value in (b"", bytes(256), None)],
        *[("authenticated_at", value) for value in (-1, float("nan"), float("inf"), 1 << 48, "now", True)],
        *[("use", value) for value in (None, b"use", 1.5)],
    ],
)
def test_values_that_it_cannot_have(name: str, value: Any) -> None:
    with pytest.raises(SessionFormatError, match=f"^{name} of what is left of a session"):
        evolve(SPENT, **{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("at", value) for value in (-0.1, float("nan"), float("inf"), "now")],
        *[("version", value) for value in (-1, 1 << 16, True)],
        *[("family", value) for value in (bytes(15), "family", None)],
        *[("generation", value) for value in (-1, 1 << 32)],
        *[("server_name", value) for value in ("", "x" * 256, "\udc80", b"name")],
        *[("alpn_protocol", value) for value in (b"", bytes(256), "h2")],
        *[("client_random", value) for value in (bytes(31), None)],
        *[("hello", value) for value in (bytes(17), "hello")],
    ],
)
def test_uses_that_it_cannot_have(name: str, value: Any) -> None:
    with pytest.raises(SessionFormatError, match=rf"^use\.{name} of what is left of a session"):
        evolve(SPENT, use=evolve(USE, **{name: value}))


def test_it_is_small_and_shows_no_key() -> None:
    """A cache keeps it as bytes."""
    assert len(SPENT.to_bytes()) < 200
    assert SPENT.binder_key.hex() not in repr(SPENT)
    assert repr(SPENT.binder_key) not in repr(SPENT)


def test_a_cache_forgets_in_time_what_is_left() -> None:
    """Whoever looks makes it so, also if nothing is claimed any more."""
    cache, session = SessionCache(), numbered(2)
    cache.add(session, session.issued_at)
    assert cache.claim(session, session.issued_at)
    cache.note_use(evolve(SPENT, session_id=session.session_id))
    end = session.issued_at + session.lifetime
    assert cache.was_claimed(session.session_id, end - 0.001)
    assert cache.spent(session.session_id) is not None
    assert not cache.was_claimed(session.session_id, end)
    assert cache.spent(session.session_id) is None
    assert not cache.claim(session, end - 1), "a clock that was set back brings no session back"


def test_a_cache_is_told_of_what_it_claimed_only() -> None:
    cache, session = SessionCache(), numbered(2)
    spent = evolve(SPENT, session_id=session.session_id)
    cache.add(session, session.issued_at)
    cache.note_use(spent)
    assert cache.spent(session.session_id) is None
    assert cache.claim(session, session.issued_at)
    assert cache.spent(session.session_id) is None
    cache.note_use(spent)
    assert cache.spent(session.session_id) == spent
    assert cache.clear() == 0
    assert cache.spent(session.session_id) == spent, "what was claimed stays claimed"
