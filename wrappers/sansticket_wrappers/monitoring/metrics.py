"""The counters: what each is called, what it counts, and by what.

A label has few values, all of which are written in the code: no peer and no user can make another time series.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any, Final

from attrs import field, frozen

from sansticket import EarlyDataReason, EarlyDataStatus, ProtocolVersion, Reason
from sansticket.accounts import REASONS, Account

SIDES: Final = ("client", "server")
OUTCOMES: Final = ("resumed", "external_psk", "full")
FATES: Final = ("issued", "received", "withheld", "reused")
TERMINATIONS: Final = tuple(reason.name.lower() for reason in Reason)
EARLY_DATA: Final = tuple(status.name.lower() for status in EarlyDataStatus)
WHY_NO_EARLY_DATA: Final = ("none", *(reason.name.lower() for reason in EarlyDataReason))

AGES: Final = (60.0, 300.0, 900.0, 3600.0, 7200.0, 14_400.0, 28_800.0, 86_400.0, 172_800.0, 604_800.0)
"""Seconds, the upper bounds of a histogram's buckets."""


class Kind(Enum):
    """What its number does."""

    COUNTER = "counter"
    """It only grows."""
    HISTOGRAM = "histogram"
    """How often it was how large."""
    GAUGE = "gauge"
    """It is read when somebody asks."""


@frozen
class Metric:
    """``labels`` has all the values that each can have; of a gauge None: the names that its owner gave."""

    name: str
    """Without the prefix ``sansticket_``; Prometheus has ``_total`` behind that of a counter."""
    kind: Kind
    """What its number does."""
    help: str
    """A sentence."""
    labels: Mapping[str, tuple[str, ...] | None] = field(factory=dict)
    """By what it counts."""


METRICS: Final = (
    Metric(
        "handshakes",
        Kind.COUNTER,
        "Handshakes that were completed, by what became of the sessions that were offered.",
        {"side": SIDES, "version": tuple(version.name for version in ProtocolVersion), "outcome": OUTCOMES},
    ),
    Metric(
        "not_resumed",
        Kind.COUNTER,
        "Full handshakes, by what spoke against the first session that was offered.",
        {"side": SIDES, "reason": REASONS},
    ),
    Metric(
        "tickets_refused",
        Kind.COUNTER,
        "Tickets and session ids that were offered and not taken, each by what spoke against it.",
        {"side": SIDES, "reason": REASONS},
    ),
    Metric(
        "tickets",
        Kind.COUNTER,
        "Tickets that were issued, received, could not be made, or were shown a second time.",
        {"side": SIDES, "fate": FATES},
    ),
    Metric(
        "early_data",
        Kind.COUNTER,
        "Handshakes of TLS 1.3 by what became of early data, and why there was none.",
        {"side": SIDES, "status": EARLY_DATA, "reason": WHY_NO_EARLY_DATA},
    ),
    Metric(
        "terminations",
        Kind.COUNTER,
        "Connections that ended otherwise than by close_notify of both sides, by the reason.",
        {"side": SIDES, "reason": TERMINATIONS, "by": ("us", "peer")},
    ),
    Metric(
        "session_age_seconds", Kind.HISTOGRAM, "Seconds since a resumed session was issued.", {"side": SIDES}
    ),
    Metric(
        "ticket_key_age_seconds", Kind.GAUGE, "Seconds since the key was made that seals now.", {"keys": None}
    ),
    Metric(
        "ticket_key_last_seconds",
        Kind.GAUGE,
        "Seconds until the last of the keys opens nothing any more; +Inf if only a call ends it.",
        {"keys": None},
    ),
    Metric("ticket_keys", Kind.GAUGE, "Keys that open tickets.", {"keys": None}),
    Metric("cache_sessions", Kind.GAUGE, "Sessions in a cache or store.", {"cache": None}),
    Metric("cache_size", Kind.GAUGE, "How many it can have; +Inf without a limit.", {"cache": None}),
)

Count = tuple[str, dict[str, str]]
"""The name of a counter, and its labels."""


def counts_of(account: Account) -> Iterator[Count]:
    """What an account adds one to.  What is in no list is counted under no name."""
    for name, labels in _COUNTED_BY.get(account["event"], _nothing)(account):
        yield name, {"side": account["side"], **labels}


def age_of(account: Account) -> float | None:
    """For the histogram."""
    age = account.get("session_age")
    return float(age) if age is not None else None


def _nothing(account: Account) -> Iterator[Count]:
    yield from ()


def _of_handshake(account: Account) -> Iterator[Count]:
    yield "handshakes", {"version": account["version"], "outcome": account["outcome"]}
    if account["reason"] is not None:
        yield "not_resumed", {"reason": account["reason"]}
    for reason in account["refusals"]:
        yield "tickets_refused", {"reason": reason}
    if account["version"] == ProtocolVersion.TLS_1_3.name:
        yield (
            "early_data",
            {"status": account["early_data"], "reason": account["early_data_reason"] or "none"},
        )


def _of_end(account: Account) -> Iterator[Count]:
    yield "terminations", {"reason": account["reason"], "by": "peer" if account["by_peer"] else "us"}


def _of_ticket(account: Account) -> Iterator[Count]:
    yield "tickets", {"fate": account["event"].removeprefix("ticket_")}


_COUNTED_BY: Final[Mapping[str, Callable[[Account], Iterator[Count]]]] = {
    "handshake": _of_handshake,
    "terminated": _of_end,
    **{f"ticket_{fate}": _of_ticket for fate in FATES},
}


def labels_of(metric: Metric) -> tuple[str, ...]:
    return tuple(metric.labels)


def named(name: str) -> Metric:
    """The metric of that name."""
    return next(metric for metric in METRICS if metric.name == name)


Number = Callable[[], float]
Gauges = list[tuple[str, dict[str, str], Number]]
"""Name, labels, and a function that gives the number."""


def gauges_of_keys(name: str, keys: Any, clock: Callable[[], float]) -> Gauges:
    """Of ticket keys with ``opens_until``; their age where they know when they were made."""
    labels = {"keys": name}

    def left() -> float:
        now = clock()
        return max((until - now for until in keys.opens_until(now).values()), default=0.0)

    found: Gauges = [
        ("ticket_keys", labels, lambda: float(len(keys.opens_until(clock())))),
        ("ticket_key_last_seconds", labels, left),
    ]
    if _made_at(keys, clock()) is not None:

        def age() -> float:
            now = clock()
            made = _made_at(keys, now)
            return 0.0 if made is None else max(0.0, now - made)

        found.append(("ticket_key_age_seconds", labels, age))
    return _tried(found)


def _made_at(keys: Any, now: float) -> float | None:
    """When the key was made that seals at ``now``; None if nobody knows."""
    current = getattr(keys, "current", None)
    made = getattr(current(now) if callable(current) else current, "created_at", None)
    return float(made) if isinstance(made, int | float) else None


def gauges_of_cache(name: str, cache: Any) -> Gauges:
    """Of anything with a length; ``size`` says how many it can have, 0 or nothing that there is no limit."""
    labels = {"cache": name}
    return _tried(
        [
            ("cache_sessions", labels, lambda: float(len(cache))),
            ("cache_size", labels, lambda: float(getattr(cache, "size", 0) or "inf")),
        ]
    )


def _tried(gauges: Gauges) -> Gauges:
    """What cannot be read raises now: later it would cost whoever asks for numbers all the others, too."""
    for _, _, number in gauges:
        number()
    return gauges
