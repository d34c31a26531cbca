"""Monitoring: what counters and logs say of real connections, and that no peer makes a time series."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
from contextlib import suppress
from itertools import product
from math import inf
from typing import Any, Final

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry, generate_latest

from sansticket import (
    ClientSessionStore,
    ConfigError,
    OpenSSLTicketKey,
    OpenSSLTicketKeys,
    SessionCache,
    TicketKeyRing,
    WindowedTicketKeys,
)
from sansticket.accounts import Account
from sansticket.adapters import SSLContext
from sansticket_wrappers.asyncio import Hooks, open_connection, start_server
from sansticket_wrappers.monitoring import METRICS, JsonLines, Kind, LogSink, Monitor
from sansticket_wrappers.monitoring.opentelemetry import OpenTelemetrySink
from sansticket_wrappers.monitoring.prometheus import PrometheusSink
from tests.support.command import ROOT
from tests.support.configs import client_config, server_config
from tests.support.loops import run
from tests.support.ssl_objects import shaken

NAME: Final = "server.example"


class Kept:
    def __init__(self) -> None:
        self.accounts: list[Account] = []

    def take(self, account: Account) -> None:
        self.accounts.append(account)


class Broken:
    def take(self, account: Account) -> None:
        raise RuntimeError("on purpose")


async def visits(number: int, *, watch: Any = None, hooks: Any = Hooks, config: Any = None) -> None:
    """So many connections, of which all but the first resume; the last one is cut off."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            writer.write(await reader.read(100))
        writer.close()

    server = await start_server(answer, "127.0.0.1", 0, config or server_config(), watch=watch, hooks=hooks)
    port = server.sockets[0].getsockname()[1]
    client = client_config(session_store=ClientSessionStore())
    for left in range(number - 1, -1, -1):
        reader, writer = await open_connection("127.0.0.1", port, client, server_name=NAME)
        if not left:
            writer.transport.abort()
            break
        writer.write(b"x")
        assert await reader.read() == b"x"
        writer.close()
        await writer.wait_closed()
    await asyncio.sleep(0.05)
    server.close()


def test_prometheus() -> None:
    registry = CollectorRegistry()
    sink = PrometheusSink(registry)
    run(visits(3, watch=Monitor("server", sink).watch))

    def value(name: str, **labels: str) -> float:
        return registry.get_sample_value(f"sansticket_{name}", {"side": "server", **labels}) or 0

    assert value("handshakes_total", version="TLS_1_3", outcome="full") == 1
    assert value("handshakes_total", version="TLS_1_3", outcome="resumed") == 2
    assert value("not_resumed_total", reason="none_offered") == 1
    assert value("tickets_total", fate="issued") == 4
    assert value("session_age_seconds_count") == 2
    assert value("terminations_total", reason="truncated", by="us") == 1
    assert value("early_data_total", status="not_offered", reason="none") == 3


def test_opentelemetry() -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    sink = OpenTelemetrySink(provider.get_meter("test"))
    ring = TicketKeyRing.generate(0, lambda size: bytes(size))
    sink.watch_keys("main", ring, clock=lambda: 500.0)
    sink.watch_cache("main", SessionCache(100))
    run(visits(3, watch=Monitor("server", sink).watch))
    data: Any = reader.get_metrics_data()
    found = {
        (metric.name, *sorted(point.attributes.items())): point
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    }
    resumed = ("outcome", "resumed"), ("side", "server"), ("version", "TLS_1_3")
    assert found["sansticket.handshakes", *resumed].value == 2
    assert found["sansticket.session_age", ("side", "server")].count == 2
    assert found["sansticket.ticket_key_age", ("keys", "main")].value == 500
    assert found["sansticket.cache_size", ("cache", "main")].value == 100
    provider.shutdown()


def test_hooks_and_contexts_tell_the_same() -> None:
    """By way of Hooks, as in Twisted and Trio, and of a context, as in everything that takes one."""
    by_watch, by_hooks, by_context = Kept(), Kept(), Kept()
    run(visits(2, watch=Monitor("server", by_watch).watch))
    run(visits(2, hooks=lambda: Hooks(observe=Monitor("server", by_hooks).observe)))

    def kinds(kept: Kept) -> list[tuple[str, str | None]]:
        return [(account["event"], account.get("outcome")) for account in kept.accounts]

    assert kinds(by_watch) == kinds(by_hooks)
    context = SSLContext(server_config())
    context.on_event = Monitor("server", by_context).on_event
    shaken(SSLContext(client_config()), context)
    assert ("handshake", "full") in kinds(by_context)


def test_a_log_of_json_lines() -> None:
    stream = io.StringIO()
    logger = logging.Logger("of this test")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logger.addHandler(handler)
    run(visits(2, watch=Monitor("server", LogSink(logger)).watch))
    logger.warning("something %s", "else")
    try:
        raise ValueError("x")
    except ValueError:
        logger.exception("failed")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert lines[0]["event"] == "handshake"
    assert lines[0]["level"] == "INFO"
    assert lines[0]["logger"] == "of this test"
    assert [line["level"] for line in lines if line.get("event") == "terminated"] == ["WARNING"]
    assert lines[-2]["message"] == "something else"
    assert "ValueError: x" in lines[-1]["exception"]


def test_words_of_the_log_for_people(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "sansticket.accounts"):
        run(visits(1, watch=Monitor("server", LogSink()).watch))
    assert caplog.messages[0].startswith("server: handshake: full handshake, ")
    assert caplog.messages[-1].startswith("server: terminated: ")


def test_a_sink_that_fails_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept()
    run(visits(1, watch=Monitor("server", Broken(), kept).watch))
    assert kept.accounts
    assert "Broken failed" in caplog.text


@pytest.mark.parametrize("side", ["servers", "Client", None, LogSink()])
def test_there_are_two_sides(side: Any) -> None:
    """A sink in its place would get nothing, and nobody would hear of it."""
    with pytest.raises(ConfigError, match=r"side: .*; expected 'client' or 'server'"):
        Monitor(side, LogSink())


GAUGES: Final = {
    "ring": (TicketKeyRing.generate(100, lambda size: bytes(size)), 1, 900.0),
    "windows": (WindowedTicketKeys(bytes(range(32)), clock_skew=0), 3, 1000.0),
    "openssl": (OpenSSLTicketKeys([OpenSSLTicketKey(bytes(16), bytes(16), bytes(16))]), 1, None),
}


@pytest.mark.parametrize("name", GAUGES)
def test_ages_of_keys(name: str) -> None:
    registry = CollectorRegistry()
    sink, (keys, number, age) = PrometheusSink(registry), GAUGES[name]
    sink.watch_keys(name, keys, clock=lambda: 1000.0)
    labels = {"keys": name}
    assert registry.get_sample_value("sansticket_ticket_keys", labels) == number
    assert registry.get_sample_value("sansticket_ticket_key_age_seconds", labels) == age
    last = registry.get_sample_value("sansticket_ticket_key_last_seconds", labels)
    assert last is not None
    assert last > 0


def test_how_full_a_cache_is() -> None:
    registry = CollectorRegistry()
    sink = PrometheusSink(registry)
    cache = SessionCache(50)
    sink.watch_cache("sessions", cache)
    sink.watch_cache("store", ClientSessionStore())
    run(visits(1, config=server_config(session_cache=cache, ticket_keys=None)))
    samples = {
        (name, cache): registry.get_sample_value(f"sansticket_cache_{name}", {"cache": cache})
        for name, cache in product(("sessions", "size"), ("sessions", "store"))
    }
    assert samples["size", "sessions"] == 50
    assert samples["size", "store"] == inf
    assert samples["sessions", "sessions"] == len(cache)
    assert samples["sessions", "store"] == 0


@pytest.mark.parametrize("make", [PrometheusSink, OpenTelemetrySink])
def test_what_has_no_number_is_refused_when_it_is_given(make: Any) -> None:
    """Whoever reads the counters would get none of them."""
    registry = CollectorRegistry()
    sink = make(registry) if make is PrometheusSink else make()
    with pytest.raises(TypeError, match="no len"):
        sink.watch_cache("elsewhere", object())
    with pytest.raises(AttributeError, match="opens_until"):
        sink.watch_keys("none", object())
    assert b"terminations" in generate_latest(registry) or make is OpenTelemetrySink


def test_there_are_few_time_series() -> None:
    """Whatever a peer says: each label has its values in the code."""
    for metric in METRICS:
        number = 1
        for values in metric.labels.values():
            assert (values is None) == (metric.kind is Kind.GAUGE)
            number *= len(values or ())
        assert number <= 320 or metric.kind is Kind.GAUGE, metric.name


def test_labels_are_the_lists_values() -> None:
    """Of all that was counted above, and of all that can be: the names are checked where they are used."""
    registry = CollectorRegistry()
    sink = PrometheusSink(registry)
    run(visits(3, watch=Monitor("server", sink).watch))
    known = {f"sansticket_{metric.name}": metric for metric in METRICS}
    seen = 0
    for family in registry.collect():
        for sample in family.samples:
            metric = known[family.name]
            for label, value in sample.labels.items():
                if label != "le":
                    seen += 1
                    values = metric.labels[label]
                    assert values is not None
                    assert value in values
    assert seen


def test_the_dashboard_names_metrics_that_are_there() -> None:
    """And labels that they have; and what prometheus_client gives is called so."""
    dashboard = json.loads((ROOT / "docs/grafana/sansticket.json").read_text(encoding="utf-8"))
    exposed = set()
    for metric in METRICS:
        name = f"sansticket_{metric.name}"
        exposed |= {f"{name}_total"} if metric.kind is Kind.COUNTER else {name, f"{name}_bucket"}
    registry = CollectorRegistry()
    sink = PrometheusSink(registry)
    text = generate_latest(registry).decode()
    assert sink is not None
    assert all(f"# HELP {name.removesuffix('_bucket')}" in text for name in exposed)
    labels = {label for metric in METRICS for label in metric.labels} | {"job", "instance", "le"}
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]] + [
        one["query"] for one in dashboard["templating"]["list"] if one["type"] == "query"
    ]
    used = set()
    for expression in expressions:
        names = set(re.findall(r"sansticket_\w+", expression))
        assert names <= exposed, expression
        used |= {name.removesuffix("_total").removesuffix("_bucket") for name in names}
        for group in re.findall(r"by \(([^)]*)\)", expression):
            assert set(group.split(", ")) <= labels
        assert (
            set(re.findall(r"(\w+)=?[~!=]*=\"?", "".join(re.findall(r"\{([^}]*)\}", expression)))) <= labels
        )
    assert used == {f"sansticket_{metric.name}" for metric in METRICS}, "each is in a panel"
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
