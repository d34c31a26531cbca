"""A key log changes nothing: whoever is between the peers does not see that there is one."""

from __future__ import annotations

import pytest
from attrs import evolve

from tests.support.scenes import SCENES, Scene, perform


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_the_same_bytes_go_over(scene: Scene) -> None:
    lines: list[str] = []
    logs = {"key_log": lines.append}
    logged = evolve(scene, client={**scene.client, **logs}, server={**scene.server, **logs})
    plain, other = (perform(one.open(), one.talk) for one in (scene, logged))
    for side in ("client", "server"):
        assert plain[side].output == other[side].output  # type: ignore[index]  # both are sides
    assert lines
