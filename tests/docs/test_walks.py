"""The walks of docs/architecture.md are those that the code takes, and no room is entered twice."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from sansticket import (
    ClientConnection,
    PrepareTicket,
    ProtocolVersion,
    SealTicket,
    SendData,
    ServerConnection,
)
from tests.support.documents import Document
from tests.support.resumption import World
from tests.support.walks import Step, walk

PAGE = Document("architecture.md")
TLS12, TLS13 = ProtocolVersion.TLS_1_2, ProtocolVersion.TLS_1_3


def rooms(steps: list[Step]) -> list[str]:
    """Those that are entered, in their order: by the one that has what is handed on, and none twice."""
    entered = [there for _, there in steps]
    assert len(set(entered)) == len(entered), steps
    seen = {"application"}
    for giver, there in steps:
        assert giver in seen, steps
        seen.add(there)
    return entered


def written(title: str) -> list[str]:
    """The rooms that the page names for a walk."""
    lines = PAGE.section("Three walks").splitlines()
    line = next(line for line in lines if line.startswith(f"| {title}"))
    return [room.replace("/", ".") for room in re.findall(r"`([\w/]+)`", line.split("|")[2])]


@pytest.mark.parametrize(("version", "title"), [(TLS13, "a ticket, TLS 1.3"), (TLS12, "a ticket, TLS 1.2")])
def test_a_ticket_from_the_hello_to_the_decision(version: ProtocolVersion, title: str) -> None:
    world, versions = World(), {"versions": (version,)}
    config, ours = world.server(**versions), world.client(**versions)
    session = world.session(config, client=ours)
    server = ServerConnection(config)
    hello = ClientConnection(ours, "server.example", session).data_to_send()
    steps = walk(lambda: server.receive_data(hello), session.ticket, until="resolve")
    assert rooms(steps[:-1]) == written(title)  # what decides does not see the ticket itself
    assert server.state.endswith(("WaitClientFinished", "WaitClientChangeCipherSpec"))


@pytest.mark.parametrize(("version", "title"), [(TLS13, "data, TLS 1.3"), (TLS12, "data, TLS 1.2")])
def test_application_data_from_receive_data_to_the_event(version: ProtocolVersion, title: str) -> None:
    world, versions = World(), {"versions": (version,)}
    pair = world.connect(world.server(**versions), client=world.client(**versions))
    pair.client.send(SendData(b"hello"))
    record = pair.client.data_to_send()
    steps = walk(lambda: pair.server.receive_data(record), until="tell")
    assert rooms(steps) == written(title)


def pad(length: int) -> int:
    return 0


def prepare(question: PrepareTicket) -> SealTicket:
    return SealTicket()


def line_of_a_key_log(line: str) -> None:
    pass


FIELDS: dict[str, tuple[dict[str, Any], Callable[..., object]]] = {
    "padding": ({"padding": pad}, pad),
    "key_log": ({"key_log": line_of_a_key_log}, line_of_a_key_log),
    "answers": ({"answers": {PrepareTicket: prepare}}, prepare),
}


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_of_the_config_to_where_it_acts(field: str) -> None:
    """It is handed to the config, which checks it; whoever needs it asks the config, or is given it by who did."""
    fields, function = FIELDS[field]
    world = World()

    def act() -> None:
        pair = world.connect(world.server(**fields))
        pair.send("server", SendData(b"hello"))

    steps = walk(act, function, until=function.__name__)
    assert (steps[0], steps[-1][1]) == (("application", "config"), "application")
    passed = dict.fromkeys(room for step in steps for room in step if room != "application")
    assert list(passed) == written(f"`ServerConfig.{field}`")
