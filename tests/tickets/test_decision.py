"""The decision: the measured table cell by cell, and ``resolve`` over its whole domain.

There it is held against another statement of the same rules."""

from collections.abc import Iterable
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansticket.codes import AlertDescription, ProtocolVersion
from sansticket.errors import ALERTS, Reason
from sansticket.tickets.decision import (
    Decision,
    Resolution,
    TicketCounts,
    TicketReturn,
    TicketStatus,
    may_return,
    reported_status,
    resolve,
)

EMPTY, NO_DECRYPT, SUCCESS, SUCCESS_RENEW = TicketStatus
ABORT, IGNORE, IGNORE_RENEW, USE, USE_RENEW = TicketReturn
TLS_1_2, TLS_1_3 = ProtocolVersion.TLS_1_2, ProtocolVersion.TLS_1_3

STATUSES = tuple(TicketStatus)
RETURNS = tuple(TicketReturn)
FAULTS = (None, Reason.EXTENDED_MASTER_SECRET_CHANGED)


def test_the_values_are_those_of_the_manual() -> None:
    assert [status.value for status in STATUSES] == [3, 4, 5, 6]
    assert [answer.value for answer in RETURNS] == [0, 1, 2, 3, 4]


# The table.  A cell is what happened with the default of two tickets: "r1" resumed and one ticket, "f2" full
# handshake and two tickets, or an alert.  The columns: nobody asked, ABORT, IGNORE, IGNORE_RENEW, USE and
# USE_RENEW.

COLUMNS: tuple[TicketReturn | None, ...] = (None, *RETURNS)
TABLE = {
    # version, status, usable, fault: cells
    (TLS_1_2, SUCCESS, True, None): "r0 internal_error f0 f1 r0 r1",
    (TLS_1_2, SUCCESS_RENEW, True, None): "r1 internal_error f0 f1 r0 r1",
    (TLS_1_2, NO_DECRYPT, False, None): "f1 internal_error f0 f1 internal_error internal_error",
    (TLS_1_2, EMPTY, False, None): "f1 internal_error f0 f1 internal_error internal_error",
    (TLS_1_2, SUCCESS, False, None): "f1 internal_error f0 f1 f1 f1",
    (TLS_1_2, SUCCESS, False, Reason.ILLEGAL_VALUE): (
        "illegal_parameter internal_error f0 f1 illegal_parameter illegal_parameter"
    ),
    (TLS_1_2, SUCCESS, False, Reason.EXTENDED_MASTER_SECRET_CHANGED): (
        "handshake_failure internal_error f0 f1 handshake_failure handshake_failure"
    ),
    (TLS_1_3, SUCCESS_RENEW, True, None): "r1 internal_error f0 f2 r0 r1",
    (TLS_1_3, SUCCESS, True, None): "r0 internal_error f0 f2 r0 r1",
    (TLS_1_3, NO_DECRYPT, False, None): "f2 internal_error f0 f2 internal_error internal_error",
    (TLS_1_3, SUCCESS_RENEW, False, None): "f2 internal_error f0 f2 f2 f2",
}
CELLS = [
    (*row, answer, cell)
    for row, cells in TABLE.items()
    for answer, cell in zip(COLUMNS, cells.split(), strict=True)
]


def _cell(found: Resolution) -> str:
    if found.failure is not None:
        assert found.alert is not None
        assert found.tickets == 0
        assert found.winner is None
        return found.alert.name.lower()
    assert found.alert is None
    return f"{'f' if found.winner is None else 'r'}{found.tickets}"


@pytest.mark.parametrize(("version", "status", "usable", "fault", "answer", "cell"), CELLS)
def test_the_measured_table(
    version: ProtocolVersion,
    status: TicketStatus,
    usable: bool,
    fault: Reason | None,
    answer: TicketReturn | None,
    cell: str,
) -> None:
    given_answer = status.default_return if answer is None else answer
    assert _cell(resolve([Decision(status, given_answer, usable, fault)], version)) == cell


@pytest.mark.parametrize("n", [0, 1, 2, 3, 5, 10, 50, 256, 1000])
def test_how_many_tickets(n: int) -> None:
    """With and without something to decide; libssl has no upper limit either."""
    assert _cell(resolve([], TLS_1_3, n)) == f"f{n}"
    assert _cell(resolve([], TLS_1_2, n)) == "f0"
    default = Decision.by_default(SUCCESS_RENEW, True)
    assert _cell(resolve([default], TLS_1_3, n)) == f"r{min(1, n)}"
    assert _cell(resolve([Decision(NO_DECRYPT, IGNORE_RENEW, False)], TLS_1_3, n)) == f"f{n}"
    assert _cell(resolve([Decision(NO_DECRYPT, IGNORE_RENEW, False)], TLS_1_2, n)) == "f1"


# Several identities.  "ext" is an external PSK: nobody is asked about it.

VALID = {answer: Decision(SUCCESS_RENEW, answer, True) for answer in TicketReturn}
BAD = {answer: Decision(NO_DECRYPT, answer, False) for answer in TicketReturn}
EXPIRED = {answer: Decision(SUCCESS_RENEW, answer, False) for answer in TicketReturn}
EXT = Decision.by_default(SUCCESS_RENEW, True)


@pytest.mark.parametrize(
    ("decisions", "winner", "tickets"),
    [
        # as measured, with an external PSK in the second place
        ([VALID[IGNORE], EXT], 1, 1),
        ([VALID[IGNORE_RENEW], EXT], 1, 1),
        ([VALID[USE]], 0, 0),
        ([VALID[USE_RENEW]], 0, 1),
        ([BAD[IGNORE_RENEW], EXT], 1, 1),
        ([BAD[IGNORE], EXT], 1, 1),
        ([EXPIRED[IGNORE], EXT], 1, 1),
        ([EXPIRED[IGNORE_RENEW], EXT], 1, 1),
        ([EXT], 0, 1),
        ([VALID[IGNORE], BAD[IGNORE]], None, 0),
        ([VALID[IGNORE_RENEW], BAD[IGNORE_RENEW]], None, 2),
        ([VALID[IGNORE], VALID[IGNORE]], None, 0),
        ([VALID[IGNORE], VALID[IGNORE_RENEW]], None, 2),
        ([VALID[IGNORE_RENEW], VALID[IGNORE]], None, 2),
        # where libssl would have stopped at an expired one
        ([EXPIRED[USE_RENEW], EXT], 1, 1),
        ([EXPIRED[USE], VALID[USE]], 1, 0),
        ([EXPIRED[USE], VALID[USE_RENEW]], 1, 1),
        ([EXPIRED[USE_RENEW], VALID[USE]], 1, 1),
        ([EXPIRED[USE], EXPIRED[USE]], None, 2),
        ([EXPIRED[USE], VALID[IGNORE]], None, 2),
        # one RENEW is enough, before the one that is used and not after it
        ([BAD[IGNORE_RENEW], VALID[USE]], 1, 1),
        ([VALID[USE], VALID[USE_RENEW]], 0, 0),
    ],
)
def test_several_identities(decisions: list[Decision], winner: int | None, tickets: int) -> None:
    found = resolve(decisions, TLS_1_3)
    assert (found.winner, found.tickets, found.failure) == (winner, tickets, None)


@pytest.mark.parametrize("before", [VALID[IGNORE], VALID[IGNORE_RENEW], BAD[IGNORE_RENEW], EXPIRED[USE]])
def test_abort_on_any_identity_that_was_looked_at_is_fatal(before: Decision) -> None:
    assert resolve([before, VALID[ABORT]], TLS_1_3).failure is Reason.TICKET_ABORTED
    assert resolve([VALID[ABORT], before], TLS_1_3).failure is Reason.TICKET_ABORTED
    assert resolve([VALID[USE], VALID[ABORT]], TLS_1_3).winner == 0


def test_abort_may_name_its_alert() -> None:
    decision = Decision(SUCCESS, ABORT, True, alert=AlertDescription.ACCESS_DENIED)
    assert resolve([decision], TLS_1_3).alert is AlertDescription.ACCESS_DENIED
    assert resolve([Decision(SUCCESS, ABORT, True)], TLS_1_3).alert is AlertDescription.INTERNAL_ERROR


# The manual's rules once more, as statements about the whole instead of a walk through it.


def _kind(decision: Decision) -> str:
    """What one identity does to the search."""
    uses = decision.ticket_return in {USE, USE_RENEW}
    if decision.ticket_return is ABORT:
        return "abort"
    if uses and decision.status in {EMPTY, NO_DECRYPT}:
        return "illegal"
    if uses and decision.fault is not None:
        return "fault"
    return "winner" if uses and decision.usable else "next"


def _expected(
    decisions: list[Decision], version: ProtocolVersion, n: int
) -> tuple[int | None, int, Reason | None]:
    kinds = [_kind(decision) for decision in decisions]
    end = next((index for index, kind in enumerate(kinds) if kind != "next"), None)
    tls13 = version is TLS_1_3
    if end is None:
        asked_not_to = bool(decisions) and {decision.ticket_return for decision in decisions} == {IGNORE}
        if tls13:
            return None, 0 if asked_not_to else n, None
        return None, 1 if decisions and not asked_not_to else 0, None
    if kinds[end] == "winner":
        answers = {decision.ticket_return for decision in decisions[: end + 1]}
        renewed = bool(answers & {IGNORE_RENEW, USE_RENEW})
        return end, int(renewed and (n > 0 or not tls13)), None
    failures = {
        "abort": Reason.TICKET_ABORTED,
        "illegal": Reason.ILLEGAL_TICKET_USE,
        "fault": decisions[end].fault,
    }
    return None, 0, failures[kinds[end]]


def _agrees(decisions: list[Decision], version: ProtocolVersion, n: int) -> None:
    found = resolve(decisions, version, n)
    assert (found.winner, found.tickets, found.failure) == _expected(decisions, version, n)
    assert found.why
    if found.failure is None:
        assert found.alert is None
    elif found.failure is not Reason.TICKET_ABORTED:
        assert found.alert is ALERTS[found.failure]


def _every_decision() -> Iterable[Decision]:
    for status, answer, usable, fault in product(STATUSES, RETURNS, (False, True), FAULTS):
        yield Decision(status, answer, usable, fault)


def test_the_whole_domain_of_one_and_two_identities() -> None:
    every = list(_every_decision())
    for version, n in product((TLS_1_2, TLS_1_3), (0, 1, 2)):
        _agrees([], version, n)
        for first in every:
            _agrees([first], version, n)
            for second in every:
                _agrees([first, second], version, n)


@given(
    st.lists(st.sampled_from(list(_every_decision())), max_size=8),
    st.sampled_from((TLS_1_2, TLS_1_3)),
    st.integers(0, 300),
)
def test_any_number_of_identities(decisions: list[Decision], version: ProtocolVersion, n: int) -> None:
    _agrees(decisions, version, n)


@given(st.lists(st.sampled_from(list(_every_decision())), min_size=1, max_size=5), st.integers(0, 5))
def test_what_follows_the_winner_does_not_matter(decisions: list[Decision], n: int) -> None:
    found = resolve(decisions, TLS_1_3, n)
    if found.winner is not None:
        assert resolve(decisions[: found.winner + 1], TLS_1_3, n) == found


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
def test_defaults(version: ProtocolVersion) -> None:
    """As in the manual; and a default is always an allowed answer."""
    assert {status: status.default_return for status in STATUSES} == {
        EMPTY: IGNORE_RENEW,
        NO_DECRYPT: IGNORE_RENEW,
        SUCCESS: USE,
        SUCCESS_RENEW: USE_RENEW,
    }
    assert all(may_return(status, status.default_return) for status in STATUSES)


def test_use_needs_a_session() -> None:
    forbidden = {(s, r) for s, r in product(STATUSES, RETURNS) if not may_return(s, r)}
    assert forbidden == set(product((EMPTY, NO_DECRYPT), (USE, USE_RENEW)))


def test_keys_of_our_own_always_renew_in_tls13() -> None:
    assert [reported_status(status, TLS_1_3) for status in STATUSES] == [
        EMPTY,
        NO_DECRYPT,
        SUCCESS_RENEW,
        SUCCESS_RENEW,
    ]
    assert [reported_status(status, TLS_1_2) for status in STATUSES] == list(STATUSES)


def test_ticket_request() -> None:
    """RFC 9149: the client's numbers take the place of ours, within the limit; none stays none."""
    assert TicketCounts.of(2) == TicketCounts(full=2, resumed=1)
    assert TicketCounts.of(0) == TicketCounts(full=0, resumed=0)
    assert TicketCounts.of(2, (4, 3), limit=8) == TicketCounts(full=4, resumed=3)
    assert TicketCounts.of(2, (40, 30), limit=8) == TicketCounts(full=8, resumed=8)
    assert TicketCounts.of(2, (0, 0)) == TicketCounts(full=0, resumed=0)
    assert TicketCounts.of(0, (4, 3)) == TicketCounts(full=0, resumed=0)
    counts = TicketCounts.of(2, (4, 3))
    assert resolve([], TLS_1_3, counts).tickets == 4
    assert resolve([VALID[USE_RENEW]], TLS_1_3, counts).tickets == 3
    assert resolve([VALID[USE]], TLS_1_3, counts).tickets == 0
