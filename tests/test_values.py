"""Values are those of attrs, to whatever looks at them: with methods that are shared, not written for each class."""

from __future__ import annotations

import copy
import importlib
import pickle
import pkgutil
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import attrs
import pytest

import sansticket
from sansticket import (
    AcceptPeer,
    Close,
    Command,
    DataReceived,
    SendData,
    Session,
    SessionAdmitted,
)
from sansticket.library import SSL_SESSIONS
from sansticket.values import changed, frozen, value
from sansticket.wire.messages.hello import ClientHello
from tests.support.newer import needs
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


def _classes_of_the_package() -> set[type]:
    found = set()
    for module in pkgutil.walk_packages(sansticket.__path__, "sansticket."):
        if not module.name.endswith("__main__"):
            things = vars(importlib.import_module(module.name)).values()
            found |= {
                thing for thing in things if isinstance(thing, type) and thing.__module__ == module.name
            }
    return found


@needs(SSL_SESSIONS)  # all modules are imported
def test_what_adds_no_field_is_made_by_inheritance_alone() -> None:
    """Making it once more would give it the same ``__init__``, and take an import as long as any other."""
    values = [one for one in _classes_of_the_package() if attrs.has(one)]
    assert len(values) > 300
    for one in values:
        base = next((base for base in one.__mro__[1:] if "__attrs_attrs__" in vars(base)), None)
        anew = "__attrs_attrs__" in vars(one)
        adds = any(not field.inherited for field in attrs.fields(one)) if anew else False
        assert anew is (adds or base is None), one
        assert anew or ("__dict__" in dir(one)) is ("__dict__" in dir(base)), one


def test_what_adds_no_field_is_a_value_of_its_own() -> None:
    answer: Any = AcceptPeer()
    twins = (
        copy.copy(answer),
        copy.deepcopy(answer),
        pickle.loads(pickle.dumps(answer)),
        attrs.evolve(answer),
    )
    for twin in (AcceptPeer(), *twins):
        assert twin == answer
        assert hash(twin) == hash(answer)
    for other in (SessionAdmitted(), Command()):
        assert answer != other
    assert repr(answer) == "AcceptPeer()"
    assert attrs.asdict(answer) == {}
    assert not hasattr(answer, "__dict__")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        answer.alert = None
    with pytest.raises(TypeError):
        cast(Any, AcceptPeer)(None)


def test_what_adds_no_field_has_those_of_its_base() -> None:
    @frozen
    class Base:
        x: int
        secret: bytes = attrs.field(repr=False)

    class Same(Base):
        __slots__ = ()

    same = Same(1, b"key")
    assert repr(same).endswith("Same(x=1)")
    assert same == attrs.evolve(Same(2, b"key"), x=1)
    assert same != Base(1, b"key")
    match same:
        case Same(x, secret):
            assert (x, secret) == (1, b"key")
    assert [field.name for field in attrs.fields(Same)] == ["x", "secret"]


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
