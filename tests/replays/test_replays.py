"""Recordings play again byte for byte, out of their file and nothing else."""

from __future__ import annotations

import base64
import os
from typing import Any

import pytest
from attrs import evolve

from sansticket import (
    AcceptPeer,
    ClientSessionStore,
    Close,
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
    with (
        pytest.raises(AssertionError) as caught,
        kept_on_failure(tmp_path / "found", client=one, server=other),
    ):
        raise AssertionError
    assert f"replay {tmp_path}/found/client.replay" in "".join(caught.value.__notes__)
    for name in ("client", "server"):
        data = (tmp_path / "found" / f"{name}.replay").read_bytes()
        assert is_replay(data)
        list(Player(Recording.from_bytes(data)).rest())
    with kept_on_failure(tmp_path / "nothing", client=one):
        pass
    assert not (tmp_path / "nothing").exists()
