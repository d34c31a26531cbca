"""The counters in a registry of ``prometheus_client`` (the extra ``prometheus``)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from sansticket.accounts import Account
from sansticket_wrappers.monitoring.metrics import (
    AGES,
    METRICS,
    Gauges,
    Kind,
    age_of,
    counts_of,
    gauges_of_cache,
    gauges_of_keys,
    labels_of,
)

PREFIX: Final = "sansticket_"


class PrometheusSink:
    """Counts in ``registry``, the default one of ``prometheus_client`` unless another is given.

    One for a registry: a second one would have the same names (ValueError of ``prometheus_client``).
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._counters = {
            one.name: Counter(PREFIX + one.name, one.help, labels_of(one), registry=registry)
            for one in METRICS
            if one.kind is Kind.COUNTER
        }
        self._gauges = {
            one.name: Gauge(PREFIX + one.name, one.help, labels_of(one), registry=registry)
            for one in METRICS
            if one.kind is Kind.GAUGE
        }
        self._ages = {
            one.name: Histogram(PREFIX + one.name, one.help, labels_of(one), buckets=AGES, registry=registry)
            for one in METRICS
            if one.kind is Kind.HISTOGRAM
        }

    def take(self, account: Account) -> None:
        for name, labels in counts_of(account):
            self._counters[name].labels(**labels).inc()
        age = age_of(account)
        if age is not None:
            self._ages["session_age_seconds"].labels(side=account["side"]).observe(age)

    def watch_keys(self, name: str, keys: Any, clock: Callable[[], float] = time.time) -> None:
        """The age and number of ticket keys, under a ``name`` of yours.  AttributeError for what has no such keys."""
        self._add(gauges_of_keys(name, keys, clock))

    def watch_cache(self, name: str, cache: Any) -> None:
        """How full a ``SessionCache`` or ``ClientSessionStore`` is, under a ``name`` of yours.

        TypeError for what has no length, as stores that are elsewhere.
        """
        self._add(gauges_of_cache(name, cache))

    def _add(self, gauges: Gauges) -> None:
        for name, labels, number in gauges:
            self._gauges[name].labels(**labels).set_function(number)
