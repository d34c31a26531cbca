"""Recordings play again byte for byte, out of their file and nothing else."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator
from copy import copy, deepcopy
from typing import Any

import pytest
from attrs import evolve

from sansticket import (
    AcceptPeer,
    ClientConnection,
    ClientSessionStore,
    Close,
    DataReceived,
    IssueTicket,
    LocalProtocolError,
    NamedGroup,
    ProtocolVersion,
    RejectPeer,
    SendData,
    SessionCache,
    SignatureScheme,
    UpdateKeys,
    VerifyPeer,
)
from sansticket.config import ASK
from sansticket.library import ML_KEM
from sansticket.replays.keeping import kept_on_failure
from sansticket.replays.player import MISSING, Player
from sansticket.replays.recorder import Recorded, record_client, record_server
from sansticket.replays.recording import Recording, is_replay
from sansticket.replays.values import ReplayError
from tests.replays.scripts import Script, opened, plays, recordings_of
from tests.support.configs import client_config, server_config
from tests.support.credentials import server_credential
from tests.support.newer import each
from tests.support.scenes import SCENES, Scene, perform

IN_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")

SCRIPTS = 100 if os.environ.get("SANSTICKET_QUICK") else 1000


@pytest.mark.parametrize("block", range(10))
def test_a_thousand_random_scripts(block: int) -> None:
    """A hundred in the quick run."""
    for seed in range(block, SCRIPTS, 10):
        script = Script(seed)
        script.run()
        for recorded, events in zip(script.sides, script.events, strict=True):
            plays(recorded, events)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_every_scene(scene: Scene) -> None:
    stage = opened(scene)
    perform(stage, scene.talk)
    for recorded in recordings_of(stage):
        player = plays(recorded)
        assert player.connection is not None
        assert player.state == recorded.connection.state


def talk(
    client: dict[str, Any] | None = None, server: dict[str, Any] | None = None, **more: Any
) -> tuple[Recorded, Recorded]:
    """With the system's clock and randomness, and all that the library draws itself."""
    one = record_client(client_config(**(client or {})), "server.example", **more)
    other = record_server(server_config(**(server or {})))
    pump(one, other)
    one.send(SendData(b"a question"))
    if one.version == ProtocolVersion.TLS_1_3:
        other.send(IssueTicket())
    other.send(SendData(b"an answer"))
    pump(one, other)
    return one, other


def pump(one: Recorded, other: Recorded) -> None:
    for _ in range(5):
        for sender, receiver in ((one, other), (other, one)):
            if data := sender.data_to_send():
                receiver.receive_data(data)


CONFIGS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "what the library draws": (
        {"groups": (NamedGroup.X25519_MLKEM768,)},
        {
            "credentials": [server_credential("rsa")],
            "signature_schemes": (SignatureScheme.RSA_PSS_RSAE_SHA256,),
        },
    ),
    "padding": ({"padding": lambda length: length % 7}, {"padding": lambda length: 3}),
    "a cache": ({}, {"ticket_keys": None, "session_cache": SessionCache()}),
    "a store": ({"session_store": ClientSessionStore(), "request_tickets": True}, {}),
    "TLS 1.2": ({"versions": (ProtocolVersion.TLS_1_2,)}, {}),
    "a function that verifies": ({"answers": {VerifyPeer: lambda question: AcceptPeer()}}, {}),
}


@pytest.mark.parametrize("name", each(CONFIGS, {"what the library draws": ML_KEM}))
def test_with_real_randomness(name: str) -> None:
    client, server = CONFIGS[name]
    for _ in range(2):  # the second time a session is resumed, where there is a store
        for recorded in talk(client, server):
            player = plays(recorded)
            assert player.connection is not None
            assert player.connection.version == recorded.version


def test_the_keys_are_in_no_file() -> None:
    """Private keys and ticket keys are never written; with the secrets the randomness is."""
    one, other = talk()
    key = server_credential().private_key
    assert key is not None
    number = key.private_numbers().private_value  # type: ignore[union-attr]  # an elliptic curve's
    data = other.recording.to_bytes()
    assert base64.b64encode(number.to_bytes(32)) not in data
    plays(one)


@pytest.mark.parametrize(
    "given", [Close, SendData, object(), Script, "Close", None, {}, 5], ids=lambda given: type(given).__name__
)
def test_what_is_no_command_is_refused_again_in_the_same_words(given: Any) -> None:
    """The commonest: a command without its parentheses."""
    client, _ = talk()
    with pytest.raises(LocalProtocolError):
        client.send(given)
    again = Recording.from_bytes(client.recording.to_bytes())
    assert [played.difference for played in Player(again).rest() if played.difference] == []


def test_an_answer_that_is_asked_for_and_an_answer_that_fails() -> None:
    one = record_client(client_config(answers={VerifyPeer: ASK}, verification_label=b"x"), "server.example")
    other = record_server(server_config())
    pump(one, other)
    assert one.pending is not None
    with pytest.raises(LocalProtocolError):
        one.send(UpdateKeys())
    one.send(RejectPeer())
    plays(one)

    def fails(question: object) -> Any:
        raise OSError("the disk is full")

    one = record_client(client_config(answers={VerifyPeer: fails}), "server.example")
    other = record_server(server_config())
    pump(one, other)
    assert any("OSError" in str(step.gave.events) for step in one.recording.steps)
    plays(one)
    plays(other)


def test_forward_and_back() -> None:
    one, _ = talk()
    player = Player(one.recording)
    assert (player.position, player.state, player.connection) == (0, "", None)
    states = [""] + [played.gave.state for played in player.rest()]
    for position in (len(player), 3, 0, 5, 4):
        player.go_to(position)
        assert (player.position, player.state) == (position, states[position])
    player.back()
    assert player.position == 3
    assert player.forward().difference == ""
    player.go_to(len(player))
    for wrong in (-1, len(player) + 1):
        with pytest.raises(ReplayError, match="expected 0 to"):
            player.go_to(wrong)
    with pytest.raises(ReplayError, match="the recording ends after step"):
        player.forward()


def test_copies_are_of_the_connection() -> None:
    """And nothing of what they are given is recorded."""
    one, other = talk()
    steps = len(one.recording.steps)
    other.send(SendData(b"more"))
    data = other.data_to_send()
    for copied in (copy(one), deepcopy(one)):
        assert type(copied) is ClientConnection
        (event,) = copied.receive_data(data)
        assert event == DataReceived(b"more")
    assert len(one.recording.steps) == steps


def test_without_secrets() -> None:
    one, other = talk()
    one.send(Close())
    pump(one, other)
    for recorded in (one, other):
        whole = recorded.recording
        stripped = Recording.from_bytes(whole.without_secrets().to_bytes())
        data = stripped.to_bytes()
        assert b"a question" not in data
        assert b"YSBxdWVzdGlvbg" not in data  # in base64
        assert b'"entropy", {"out": null}' in data
        player = Player(stripped)
        assert player.missing == MISSING
        shown = list(player.rest())
        assert player.connection is None
        assert len(player.key_log) == 0
        assert [one.gave.data for one in shown] == [step.gave.data for step in whole.steps]
        names = [[name for name, _, _ in one.gave.events] for one in shown]
        assert names == [[name for name, _, _ in step.gave.events] for step in whole.steps]
        assert all(fields == "" for one in shown for _, _, fields in one.gave.events)
        assert whole.without_secrets() == whole.without_secrets().without_secrets()


def leaves(content: Any) -> Iterator[str]:
    """Every text in a piece of JSON."""
    if isinstance(content, dict | list):
        for one in content.items() if isinstance(content, dict) else content:
            yield from leaves(list(one) if isinstance(one, tuple) else one)
    elif isinstance(content, str):
        yield content


def bytes_in(content: Any) -> set[bytes]:
    """What is written as bytes in it, at any depth."""
    if isinstance(content, dict) and isinstance(content.get("b"), str):
        return {base64.b64decode(content["b"])}
    if isinstance(content, dict | list | tuple):
        parts = content.values() if isinstance(content, dict) else content
        return {one for part in parts for one in bytes_in(part)}
    return set()


def secrets_of(recording: Recording) -> set[bytes]:
    """All that was drawn, opened, answered, stored and sent, and the secrets of the key log."""
    player = Player(recording)
    player.go_to(len(player))
    calls = [result for step in recording.steps for what, result in step.calls if what != "clock"]
    said = [step.given for step in recording.steps if step.do == "send"]
    tables = [recording.objects, recording.given, recording.config["fields"]["psks"]]
    keys = {name.rpartition(" ")[2] for name in key_log_lines(player)}
    return {one for one in bytes_in([calls, said, tables]) if len(one) >= 8} | {*map(bytes.fromhex, keys)}


def key_log_lines(player: Player) -> list[str]:
    return [f"{label} {secret.hex()}" for (label, _), secret in player.key_log._secrets.items()]


def without_wire(recording: Recording) -> bytes:
    """The file, but for what went over the wire: that anybody could see."""
    steps = [
        evolve(step, given=None if step.do == "receive" else step.given, gave=evolve(step.gave, data=None))
        for step in recording.steps
    ]
    return evolve(recording, steps=steps).to_bytes()


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_no_secret_is_left(scene: Scene) -> None:
    """In no form, but what stood on the wire in the clear: randoms, the identities of external PSKs."""
    stage = opened(scene)
    perform(stage, scene.talk)
    for recorded in recordings_of(stage):
        data = without_wire(Recording.from_bytes(recorded.recording.without_secrets().to_bytes()))
        texts = [text for line in data.splitlines() for text in leaves(json.loads(line))]
        shown = {base64.b64decode(text) for text in texts if IN_BASE64.fullmatch(text)}
        everything = "\n".join(texts)
        carried = [step.given if step.do == "receive" else None for step in recorded.recording.steps]
        sent = [step.gave.data or b"" for step in recorded.recording.steps]
        wire = b"".join([*bytes_in(carried), *sent])
        for secret in secrets_of(recorded.recording):
            if secret in wire:
                continue
            assert not any(secret in one for one in shown)
            assert secret.hex() not in everything
            assert repr(secret)[2:-1] not in everything


def test_what_an_application_raises_is_its_own() -> None:
    """Its text goes with the secrets, and so do the bytes in ours."""

    class Stop(BaseException):
        pass

    def stops(question: object) -> Any:
        raise Stop("the password is swordfish")

    one = record_client(client_config(answers={VerifyPeer: stops}), "server.example")
    other = record_server(server_config())
    with pytest.raises(Stop):
        pump(one, other)
    assert plays(one).state == "Ended"
    raised = [step.gave.raised for step in one.recording.without_secrets().steps if step.gave.raised]
    assert raised == ["Stop"]
    (step, *_) = [step for step in one.recording.steps if step.gave.raised]
    text = f"LocalProtocolError: a session with id {bytes(16).hex()}; expected {bytes(32).hex()}"
    recording = evolve(one.recording, steps=[evolve(step, gave=evolve(step.gave, raised=text))])
    (step,) = recording.without_secrets().steps
    assert step.gave.raised == "LocalProtocolError: a session with id ...; expected ..."


def test_a_file_that_claims_to_have_its_secrets_says_what_it_lacks() -> None:
    one, _ = talk()
    stripped = one.recording.without_secrets()
    stripped.secrets = True
    (first, *_) = Player(stripped).rest()
    assert "was left out" in first.difference


def test_what_came_otherwise_is_said() -> None:
    one, _ = talk()
    recording = Recording.from_bytes(one.recording.to_bytes())
    takes = next(number for number, step in enumerate(recording.steps) if step.do == "take")
    step = recording.steps[takes]
    recording.steps[takes] = evolve(step, gave=evolve(step.gave, data=b"other"))
    player = Player(recording)
    played = list(player.rest())
    assert played[takes].difference.startswith("the bytes to send: noted 5 bytes 6f74686572, came ")
    assert played[takes + 1].difference == f"not played, since step {takes + 1} came otherwise"
    recording.steps[takes] = evolve(step, calls=(("entropy", {"b": "AA=="}),))
    assert list(Player(recording).rest())[takes].difference == "1 calls less than were noted"


def test_the_file_of_a_failure(tmp_path: Any) -> None:
    one, other = talk()
    (tmp_path / "found").mkdir()
    (tmp_path / "found" / "client.replay").write_bytes(b"of an earlier run, for all to read")
    with (
        pytest.raises(AssertionError) as caught,
        kept_on_failure(tmp_path / "found", client=one, server=other),
    ):
        raise AssertionError
    for file in (tmp_path / "found").iterdir():
        assert os.name == "nt" or file.stat().st_mode & 0o777 == 0o600
    assert f"replay {tmp_path}/found/client.replay" in "".join(caught.value.__notes__)
    for name in ("client", "server"):
        data = (tmp_path / "found" / f"{name}.replay").read_bytes()
        assert is_replay(data)
        list(Player(Recording.from_bytes(data)).rest())
    with kept_on_failure(tmp_path / "nothing", client=one):
        pass
    assert not (tmp_path / "nothing").exists()
