"""Values are those of attrs, to whatever looks at them: with methods that are shared, not written for each class."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

import sansticket
from sansticket import Close, DataReceived, SendData, Session
from sansticket.values import changed, frozen, value
from sansticket.wire.messages.hello import ClientHello
from tests.support.state_samples import all_states


def _length(data: bytes) -> str:
    return f"<{len(data)} bytes>"


class OfAttrs:
    """The models: the same classes as attrs makes them alone."""

    @attrs.frozen
    class Point:
        x: int
        y: int = 0
        _secret: bytes = attrs.field(default=b"", repr=False)
        data: bytes = attrs.field(default=b"abc", repr=_length)
        note: Any = attrs.field(default=None, eq=False)
        made: str = attrs.field(init=False, default="here")

    @attrs.frozen
    class Colored(Point):
        color: str = "red"

    @attrs.frozen
    class Nothing:
        pass

    @attrs.frozen
    class Single:
        values: tuple[int, ...]


class Ours:
    @frozen
    class Point:
        x: int
        y: int = 0
        _secret: bytes = attrs.field(default=b"", repr=False)
        data: bytes = attrs.field(default=b"abc", repr=_length)
        note: Any = attrs.field(default=None, eq=False)
        made: str = attrs.field(init=False, default="here")

    @frozen
    class Colored(Point):
        color: str = "red"

    @frozen
    class Nothing:
        pass

    @frozen
    class Single:
        values: tuple[int, ...]


class Inner:
    @value
    class Point:
        x: int
        y: int = 0
        _secret: bytes = attrs.field(default=b"", repr=False)
        data: bytes = attrs.field(default=b"abc", repr=_length)
        note: Any = attrs.field(default=None, eq=False)
        made: str = attrs.field(init=False, default="here")

    @value
    class Colored(Point):
        color: str = "red"

    @value
    class Nothing:
        pass

    @value
    class Single:
        values: tuple[int, ...]


MADE: list[Callable[[Any], Any]] = [
    lambda of: of.Point(1),
    lambda of: of.Point(1, 2),
    lambda of: of.Point(1, 2, b"secret", b"data", "note"),
    lambda of: of.Point(1, note=[]),
    lambda of: of.Colored(1, color="blue"),
    lambda of: of.Colored(1),
    lambda of: of.Nothing(),
    lambda of: of.Single((1,)),
    lambda of: of.Single(()),
]


@pytest.mark.parametrize("ours", [Ours, Inner])
def test_values_are_equal_where_those_of_attrs_are(ours: Any) -> None:
    for one in MADE:
        for other in MADE:
            expected = one(OfAttrs) == other(OfAttrs)
            assert (one(ours) == other(ours)) is expected
            assert (one(ours) != other(ours)) is not expected
            if expected:
                assert hash(one(ours)) == hash(other(ours))
        assert one(ours) != one(OfAttrs)
        assert one(ours) != 1


@pytest.mark.parametrize("ours", [Ours, Inner])
@pytest.mark.parametrize("make", MADE)
def test_values_are_shown_and_taken_apart_as_those_of_attrs(ours: Any, make: Callable[[Any], Any]) -> None:
    model, made = make(OfAttrs), make(ours)
    assert repr(made) == repr(model).replace("OfAttrs.", f"{ours.__name__}.")
    assert attrs.asdict(made) == attrs.asdict(model)
    assert [field.name for field in attrs.fields(type(made))] == [
        field.name for field in attrs.fields(type(model))
    ]
    assert type(made).__match_args__ == type(model).__match_args__
    assert [*type(made).__slots__] == [
        name for name in type(model).__slots__ if ours is Ours or name != "__weakref__"
    ]
    assert (
        made
        == copy.copy(made)
        == copy.deepcopy(made)
        == pickle.loads(pickle.dumps(made))
        == attrs.evolve(made)
    )


def test_a_value_that_contains_itself_is_shown() -> None:
    for of in (OfAttrs, Ours):
        values: list[Any] = []
        point: Any = of.Point(1, note=values)  # type: ignore[attr-defined]  # both have it
        values.append(point)
        assert repr(point).endswith("note=[...], made='here')")


def test_a_method_of_a_class_s_own_stays() -> None:
    @frozen
    class Quiet:
        key: bytes

        def __repr__(self) -> str:
            return "<a key>"

    assert repr(Quiet(b"secret")) == "<a key>"
    assert Quiet(b"1") == Quiet(b"1") != Quiet(b"2")


def test_what_applications_hold_is_frozen_at_run_time() -> None:
    for held, name in ((SendData(b""), "data"), (Close(), "at_once"), (DataReceived(b""), "data")):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(held, name, None)
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            delattr(held, name)


def test_states_and_sessions_share_their_methods() -> None:
    held = [Session, SendData, DataReceived, ClientHello]
    methods = {(made.__eq__, made.__hash__) for made in (*all_states(), *held)}
    assert methods == {(Session.__eq__, Session.__hash__)}


def test_the_package_has_no_other_frozen_classes() -> None:
    """One that attrs makes alone costs an import twice as much."""
    sources = Path(sansticket.__file__).parent.rglob("*.py")
    found = [
        source.name
        for source in sources
        if re.search(r"^from attrs import.*\bfrozen$", source.read_text(), re.M)
    ]
    assert found == []


@pytest.mark.parametrize("of", [OfAttrs, Ours, Inner])
def test_a_changed_value_is_that_of_attrs(of: Any) -> None:
    for make, fields in (
        (MADE[2], {"x": 3, "secret": b"other"}),
        (MADE[5], {"color": "green"}),
        (MADE[3], {}),
    ):
        one = make(of)
        assert changed(one, **fields) == attrs.evolve(one, **fields)
        assert changed(one, **fields) is not one
    with pytest.raises(TypeError, match="nothing"):
        changed(MADE[0](of), nothing=1)
