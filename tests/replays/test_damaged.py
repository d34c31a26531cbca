"""Files that are no replays, or damaged ones, are clear errors."""

from __future__ import annotations

import json
import random
import re
from functools import cache
from hashlib import sha256
from typing import Any

import pytest

from sansticket import ClientConnection, TicketReused, TicketUses
from sansticket.debug.ladders.page import page
from sansticket.debug.ladders.picture import picture
from sansticket.debug.trace import Carried
from sansticket.replays.outside import Playing
from sansticket.replays.player import Player
from sansticket.replays.recorder import record_server
from sansticket.replays.recording import Recording, is_replay
from sansticket.replays.values import ReplayError
from tests.replays.test_replays import talk
from tests.support.resumption import World


@cache
def whole() -> bytes:
    return talk()[1].recording.to_bytes()


def sealed(lines: list[Any]) -> bytes:
    """With a last line that fits."""
    body = b"".join(json.dumps(one).encode() + b"\n" for one in lines)
    end = {"end": len(lines) - 1, "sha256": sha256(body).hexdigest()}
    return body + json.dumps(end).encode() + b"\n"


def lines() -> list[Any]:
    return [json.loads(line) for line in whole().splitlines()[:-1]]


def test_the_helper_writes_the_same() -> None:
    assert sealed(lines()) == whole()


@pytest.mark.parametrize("size", [0, 1, 10, 100, 1000, -1, -2, -20, -200])
def test_a_torn_file(size: int) -> None:
    with pytest.raises(ReplayError, match=r"no replay|has no end|is no JSON"):
        Recording.from_bytes(whole()[:size])


def test_a_byte_that_was_changed() -> None:
    source = random.Random(1)
    for _ in range(100):
        data = bytearray(whole())
        place = source.randrange(50, len(data) - 120)
        data[place] ^= 1 << source.randrange(7)
        with pytest.raises(ReplayError, match=r"changed or damaged|is no JSON|has no end"):
            Recording.from_bytes(bytes(data))


def changed(change: Any) -> bytes:
    made = lines()
    change(made)
    return sealed(made)


WRONG: dict[str, tuple[Any, str]] = {
    "version": (lambda made: made[0].update(version=2), "version 2 of the format; expected 1"),
    "no config": (lambda made: made[0].pop("config"), "line 1 has no 'config'"),
    "a config of another kind": (lambda made: made[0].update(config=[]), "config, with and objects are not"),
    "objects of another kind": (lambda made: made[0].update(objects=[1]), "config, with and objects are not"),
    "a step without calls": (lambda made: made[2].pop("calls"), "line 3 is no step: KeyError: 'calls'"),
    "a call without a name": (
        lambda made: made[2]["calls"].append([["clock"], 1]),
        "line 3 is no step: TypeError: a call without a name",
    ),
    "a step of another kind": (
        lambda made: made[2].update(do="fly"),
        "line 3: 'fly'; expected one of make, receive",
    ),
    "made twice": (lambda made: made.append(made[1]), "the first step, and no other, makes the connection"),
    "no step": (lambda made: made.__delitem__(slice(1, None)), "the first step, and no other"),
    "a line that is a list": (lambda made: made.append([]), "is no object of JSON"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said(name: str) -> None:
    change, why = WRONG[name]
    with pytest.raises(ReplayError, match=why):
        Recording.from_bytes(changed(change))


UNPLAYABLE: dict[str, tuple[Any, str]] = {
    "an unknown field": (
        lambda made: made[0]["config"]["fields"].update(colour=1),
        "its config cannot be made",
    ),
    "a field out of range": (lambda made: made[0]["config"]["fields"].update(num_tickets=-1), "num_tickets"),
    "no side": (lambda made: made[0]["config"].pop("side"), "its config cannot be made: KeyError"),
    "an unknown question": (
        lambda made: made[0]["config"]["answers"].update(Fly="ask"),
        "the name of a question",
    ),
    "an unknown object": (
        lambda made: made[0]["config"]["outside"].update(ticket_keys=9),
        "object 9; expected one of",
    ),
    "a chain that is none": (
        lambda made: made[0]["config"]["credentials"][0].update(chain={"t": [{"b": "AAEC"}]}),
        "its config cannot be made: ConfigError",
    ),
    "an unknown value": (
        lambda made: made[2].update({"with": {"!": "System"}}),
        "'System'; expected the name of",
    ),
    "a value that cannot be": (
        lambda made: made[2].update({"with": {"!": "IssueTicket", "count": -1}}),
        "IssueTicket cannot be made",
    ),
    "no base64": (lambda made: made[2].update({"with": {"b": "*"}}), "not in base64"),
    "an unknown kind": (lambda made: made[2].update({"with": {"z": 1}}), "a value of kind 'z'"),
    "a list": (lambda made: made[2].update({"with": [1]}), "a value that is a list"),
    "an unknown member": (
        lambda made: made[2].update({"with": {"e": "Reason.WEATHER"}}),
        "a member of an enum",
    ),
}


@pytest.mark.parametrize("name", UNPLAYABLE)
def test_what_cannot_be_played_is_said(name: str) -> None:
    change, why = UNPLAYABLE[name]
    recording = Recording.from_bytes(changed(change))
    with pytest.raises(ReplayError, match=why):
        list(Player(recording).rest())


def test_what_has_no_config_is_not_stripped() -> None:
    for config in ({}, {"fields": None}, {"fields": []}):
        recording = Recording.from_bytes(changed(lambda made, config=config: made[0].update(config=config)))
        with pytest.raises(ReplayError, match="its config has no fields"):
            recording.without_secrets()


@pytest.mark.parametrize("given", ["text", 5, {"t": [1]}, None])
def test_what_came_and_is_no_bytes_is_in_no_ladder(given: Any) -> None:
    def spoil(made: Any) -> None:
        for one in made[1:]:
            if one["do"] == "receive":
                one["with"] = given

    steps = Player(Recording.from_bytes(changed(spoil))).ladder()
    assert all(isinstance(one, Carried) and one.sender == "server" for one in steps)


def test_nobody_is_interrupted_by_a_file() -> None:
    """What was raised and is no Exception was somebody's Ctrl-C then, and is none now."""

    def spoil(made: Any) -> None:
        made[2]["calls"][0] = ["clock", {"raised": ["SystemExit", "1", False]}]

    differences = [played.difference for played in Player(Recording.from_bytes(changed(spoil))).rest()]
    assert differences[1].startswith("it raised: noted nothing, came SystemExit: 1")


def test_too_deep() -> None:
    deep: Any = {"b": ""}
    for _ in range(100):
        deep = {"t": [deep]}
    recording = Recording.from_bytes(changed(lambda made: made[2].update({"with": deep})))
    with pytest.raises(ReplayError, match="too deep"):
        list(Player(recording).rest())


def test_an_event_that_cannot_be_told() -> None:
    """Here of a use without a family, which the table of uses is said to have had."""
    world = World()
    config = world.server(ticket_uses=TicketUses(window=0))
    session = world.session(config)
    for _ in range(2):
        client, server = ClientConnection(world.client(), "server.example", session), record_server(config)
        for _ in range(2):
            server.receive_data(client.data_to_send())
            client.receive_data(server.data_to_send())
    whole = server.recording.to_bytes()
    assert b'"family": {"b": ' in whole
    assert any(
        isinstance(one, TicketReused) for played in Player(server.recording).rest() for one in played.events
    )
    made = [
        json.loads(line)
        for line in re.sub(rb'"family": {"b": "[^"]+"}', b'"family": null', whole).splitlines()
    ]
    for play in (lambda player: list(player.rest()), Player.ladder):
        with pytest.raises(ReplayError, match="has an event that cannot be told: TypeError"):
            play(Player(Recording.from_bytes(sealed(made[:-1]))))


@pytest.mark.parametrize("time", [10**400, -(10**400), float("nan"), float("inf"), 1e308, True, "noon"])
def test_what_no_clock_can_have_said_is_no_time_of_a_ladder(time: Any) -> None:
    def spoil(made: Any) -> None:
        for one in made[3:]:
            one["calls"] = [[what, time if what == "clock" else result] for what, result in one["calls"]]

    player = Player(Recording.from_bytes(changed(spoil)))
    steps = player.ladder()
    assert {one.time for one in steps} <= {one.time for one in Player(Recording.from_bytes(whole())).ladder()}
    assert "<html" in page(picture(steps, player.key_log, "A replay", secrets=False))


@pytest.mark.parametrize("depth", [1, 300])
def test_a_config_within_a_config(depth: int) -> None:
    """It begins anew there, and so does what is too deep: there is none."""

    def spoil(made: Any) -> None:
        inner: Any = (1,)
        for _ in range(depth):
            config = made[0]["config"]
            inner = {"config": {**config, "fields": {**config["fields"], "alpn_protocols": inner}}}
        next(one for one in made[1:] if one["do"] == "receive")["with"] = {
            "config": {
                **made[0]["config"],
                "fields": {**made[0]["config"]["fields"], "alpn_protocols": inner},
            }
        }

    recording = Recording.from_bytes(changed(spoil))
    for play in (lambda player: list(player.rest()), Player.ladder):
        with pytest.raises(ReplayError, match="a config within a config"):
            play(Player(recording))


@pytest.mark.parametrize("kind", ["", "\0", "\ud800", "a b", "TicketKeyRing", "type", "Thing" * 1000])
def test_an_object_of_whatever_class_the_file_says(kind: str) -> None:
    """It is named in errors and nowhere else."""
    playing = Playing([{"kind": kind, "attributes": {}}], lambda content: None)
    assert bool(playing.standing_for(0))


def test_calls_that_were_mixed_up_are_a_difference() -> None:
    made = lines()
    made[2]["calls"].reverse()
    differences = [played.difference for played in Player(Recording.from_bytes(sealed(made))).rest()]
    assert differences[1].startswith("asks for ")
    assert ", and what was noted is " in differences[1]
    assert is_replay(whole())
