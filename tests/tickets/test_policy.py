"""How long sessions live: the three rules, each alone and together."""

from __future__ import annotations

import pytest
from attrs import evolve

from sansticket.tickets.policy import NO_HINT, TicketPolicy
from sansticket.tickets.session import Session
from tests.support.sessions import NOW, ORDINARY, ORDINARY_12

HOUR, DAY = 3600, 86_400
POLICY = TicketPolicy(ticket_lifetime=2 * HOUR, max_session_age=DAY, keeps_issue_time=True)
ONE_TIME = evolve(POLICY, keeps_issue_time=False)


def made(ago: float, lifetime: int) -> Session:
    return evolve(ORDINARY, issued_at=NOW - ago, lifetime=lifetime)


@pytest.mark.parametrize(
    ("age", "lifetime"),
    [(0, 2 * HOUR), (DAY - HOUR, HOUR), (DAY - 0.5, 0), (DAY, 0), (2 * DAY, -DAY), (-5, 2 * HOUR)],
)
def test_without_a_resumption(age: float, lifetime: int) -> None:
    """The config's lifetime, cut where the last full handshake is too long ago; a clock that goes back adds nothing."""
    assert POLICY.lifetime(None, NOW - age, NOW) == ONE_TIME.lifetime(None, NOW - age, NOW) == lifetime


@pytest.mark.parametrize(
    ("ago", "lifetime", "age", "two_times", "one_time"),
    [
        (0, 5 * HOUR, 0, 5 * HOUR, 5 * HOUR),
        (HOUR, 5 * HOUR, HOUR, 5 * HOUR, 4 * HOUR),
        (HOUR, 5 * HOUR, DAY - HOUR, HOUR, HOUR),
        (5 * HOUR, 5 * HOUR, 6 * HOUR, 5 * HOUR, 0),
        (0, 5 * HOUR, DAY, 0, 0),
    ],
)
def test_a_renewal(ago: int, lifetime: int, age: int, two_times: int, one_time: int) -> None:
    """The lifetime of the session, whatever the config says now; its end, where a ticket has place for one time."""
    resumed = made(ago, lifetime)
    assert POLICY.lifetime(resumed, NOW - age, NOW) == two_times
    assert ONE_TIME.lifetime(resumed, NOW - age, NOW) == one_time


def test_the_session_of_a_full_handshake() -> None:
    assert POLICY.first_lifetime() == POLICY.lifetime(None, NOW, NOW) == 2 * HOUR
    assert evolve(POLICY, max_session_age=HOUR).first_lifetime() == HOUR


def test_what_a_ticket_of_tls12_announces() -> None:
    """RFC 5077 section 3.3: a renewed one says nothing, since its session keeps the time that the client knows."""
    assert POLICY.hint(ORDINARY_12, renewed=False) == ORDINARY_12.lifetime
    assert POLICY.hint(ORDINARY_12, renewed=True) == NO_HINT == 0
