"""The counters by a meter of OpenTelemetry's API (the extra ``opentelemetry``)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from threading import Lock
from typing import Any, Final

from opentelemetry.metrics import CallbackOptions, Meter, Observation, get_meter

from sansticket import __version__
from sansticket.accounts import Account
from sansticket_wrappers.monitoring.metrics import (
    AGES,
    METRICS,
    Gauges,
    Kind,
    Number,
    age_of,
    counts_of,
    gauges_of_cache,
    gauges_of_keys,
)

PREFIX: Final = "sansticket."


class OpenTelemetrySink:
    """Counts by ``meter``, that of the global provider unless another is given.

    The names are those of Prometheus with a dot for the first underscore and without ``_total``; what is in seconds has
    ``s`` as its unit, and no ``_seconds``.
    """

    def __init__(self, meter: Meter | None = None) -> None:
        meter = get_meter("sansticket", __version__) if meter is None else meter
        self._lock = Lock()
        self._read: dict[str, list[tuple[dict[str, str], Number]]] = {}
        self._counters = {
            one.name: meter.create_counter(PREFIX + one.name, description=one.help)
            for one in METRICS
            if one.kind is Kind.COUNTER
        }
        self._ages = {
            one.name: meter.create_histogram(
                _without_unit(one.name),
                unit="s",
                description=one.help,
                explicit_bucket_boundaries_advisory=list(AGES),
            )
            for one in METRICS
            if one.kind is Kind.HISTOGRAM
        }
        for one in METRICS:
            if one.kind is Kind.GAUGE:
                unit = "s" if one.name.endswith("_seconds") else ""
                meter.create_observable_gauge(
                    _without_unit(one.name), [self._reader(one.name)], unit=unit, description=one.help
                )

    def take(self, account: Account) -> None:
        for name, labels in counts_of(account):
            self._counters[name].add(1, labels)
        age = age_of(account)
        if age is not None:
            self._ages["session_age_seconds"].record(age, {"side": account["side"]})

    def watch_keys(self, name: str, keys: Any, clock: Callable[[], float] = time.time) -> None:
        """The age and number of ticket keys, under a ``name`` of yours.  AttributeError for what has no such keys."""
        self._add(gauges_of_keys(name, keys, clock))

    def watch_cache(self, name: str, cache: Any) -> None:
        """How full a ``SessionCache`` or ``ClientSessionStore`` is, under a ``name`` of yours.

        TypeError for what has no length, as stores that are elsewhere.
        """
        self._add(gauges_of_cache(name, cache))

    def _add(self, gauges: Gauges) -> None:
        with self._lock:
            for name, labels, number in gauges:
                self._read[name] = [*self._read.get(name, ()), (labels, number)]

    def _reader(self, name: str) -> Callable[[CallbackOptions], Iterator[Observation]]:
        def read(options: CallbackOptions) -> Iterator[Observation]:
            for labels, number in self._read.get(name, ()):
                yield Observation(number(), labels)

        return read


def _without_unit(name: str) -> str:
    return PREFIX + name.removesuffix("_seconds")
