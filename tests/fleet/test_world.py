"""Time that is a number, and chances that follow from a seed."""

from __future__ import annotations

import pytest

from sansticket import ConfigError
from sansticket.fleet import Chance, World


def test_what_is_planned_happens_in_its_order() -> None:
    world = World()
    seen: list[tuple[str, float]] = []

    def note(name: str) -> None:
        seen.append((name, world.elapsed))

    world.after(2.0, lambda: note("last"))
    world.after(1.0, lambda: note("first"))
    world.after(1.0, lambda: note("second"))
    world.after(1.5, lambda: world.after(0.25, lambda: note("planned on the way")))
    world.run(1.9)
    assert seen == [("first", 1.0), ("second", 1.0), ("planned on the way", 1.75)]
    assert world.elapsed == pytest.approx(1.9)
    world.run(0.2)
    assert seen[-1] == ("last", 2.0)


def test_nobodys_choices_change_another_s() -> None:
    alone = World(7).chance("clients")
    expected = [alone.below(1000) for _ in range(20)]
    world = World(7)
    clients, others = world.chance("clients"), world.chance("others")
    seen = []
    for _ in range(20):
        others.part()
        world.entropy(13)
        seen.append(clients.below(1000))
    assert seen == expected
    assert expected != [World(8).chance("clients").below(1000) for _ in range(20)]


def test_the_bytes_are_one_row() -> None:
    """However they are read."""
    whole = Chance(b"a name").read(1000)
    piecewise = Chance(b"a name")
    assert b"".join(piecewise.read(length) for length in (0, 1, 31, 32, 33, 903)) == whole
    assert whole != Chance(b"another").read(1000)
    assert len(set(whole)) > 200


def test_chances_are_what_they_say() -> None:
    chance = Chance(b"fair")
    waits = [chance.wait(10.0) for _ in range(5000)]
    assert min(waits) >= 0
    assert sum(waits) / len(waits) == pytest.approx(10, rel=0.05)
    parts = [chance.part() for _ in range(5000)]
    assert 0 <= min(parts) < 0.01
    assert 0.99 < max(parts) < 1
    assert {chance.below(3) for _ in range(100)} == {0, 1, 2}
    assert {chance.choice("ab") for _ in range(100)} == {"a", "b"}
    assert all(5 <= chance.between(5, 6) < 6 for _ in range(100))


@pytest.mark.parametrize("seed", [-1, 1.5, "1", True])
def test_a_seed_is_a_number(seed: object) -> None:
    with pytest.raises(ConfigError, match=r"^seed"):
        World(seed)  # type: ignore[arg-type]  # on purpose
