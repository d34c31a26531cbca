"""In every scene: a connection that is handed over again and again, also amid a record, says the same."""

from __future__ import annotations

import random
from typing import Any

import pytest

from sansticket import Command
from tests.support.handing_over import handed_over, is_live
from tests.support.scenes import SCENES, Part, Scene, perform, without_cuts


def outcome(scene: Scene) -> dict[str, Any]:
    parts = perform(scene.open(), scene.talk)
    return {
        side: (without_cuts(part.events), bytes(part.output), part.connection.state)
        for side, part in parts.items()
    }


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_a_scene_with_handovers_everywhere(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    source, count = random.Random(scene.name), 0
    expected, take = outcome(scene), Part.take

    def hand_over(part: Part) -> None:
        nonlocal count
        if is_live(part.connection):
            part.connection = handed_over(part.connection)
            count += 1

    def take_in_two(part: Part, item: Command | bytes) -> None:
        hand_over(part)
        if isinstance(item, Command) or not is_live(part.connection):
            take(part, item)
            return
        place = source.randrange(len(item) + 1)
        for piece in (item[:place], item[place:]):
            if piece:
                take(part, piece)
                hand_over(part)

    monkeypatch.setattr(Part, "take", take_in_two)
    assert outcome(scene) == expected
    assert count
