"""The shapes of bodies: what each reads, what it writes, and every length that it refuses."""

from typing import Any

import pytest
from attrs import fields
from hypothesis import given
from hypothesis import strategies as st

from sansticket.wire.extensions import shapes
from sansticket.wire.extensions.base import Extension
from sansticket.wire.extensions.shapes import Shape
from tests.support.faults import malformed
from tests.support.messages import EXTENSIONS

SHAPES: dict[str, Shape] = {name: found for name, found in vars(shapes).items() if isinstance(found, Shape)}

EXAMPLES: dict[str, tuple[tuple[Any, ...], str]] = {
    "nothing": ((), ""),
    "number8": ((200,), "c8"),
    "number16": ((0x1301,), "1301"),
    "number32": ((0x01020304,), "01020304"),
    "two_numbers8": ((2, 255), "02ff"),
    "numbers8": (((1, 0),), "02 01 00"),
    "few_numbers16": (((0x0304, 0x0303),), "04 0304 0303"),
    "numbers16": (((0x001D, 0x0017, 0x11EC),), "0006 001d 0017 11ec"),
    "opaque8": ((b"",), "00"),
    "filled8": ((b"\0",), "01 00"),
    "filled16": ((b"abc",), "0003 616263"),
    "names8": (((b"h2", b"x"),), "0005 02 6832 01 78"),
    "names16": (((b"h2", b"x"),), "0007 0002 6832 0001 78"),
}


def test_every_shape_has_an_example() -> None:
    assert EXAMPLES.keys() == SHAPES.keys()


@pytest.mark.parametrize("name", EXAMPLES)
def test_there_and_back(name: str) -> None:
    values, written = EXAMPLES[name]
    assert SHAPES[name].read(bytes.fromhex(written)) == values
    assert SHAPES[name].write(*values) == bytes.fromhex(written)


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_other_length(name: str) -> None:
    body = bytes.fromhex(EXAMPLES[name][1])
    for size in range(len(body)):
        with malformed():
            SHAPES[name].read(body[:size])
    with malformed():
        SHAPES[name].read(body + b"\0")


@pytest.mark.parametrize(
    ("name", "empty"),
    [
        ("numbers8", "00"),
        ("few_numbers16", "00"),
        ("few_numbers16", "ff" + 255 * "00"),
        ("numbers16", "0000"),
        ("numbers16", "0003 001d 00"),
        ("filled8", "00"),
        ("filled16", "0000"),
        ("names8", "0000"),
        ("names8", "0001 00"),
        ("names16", "0000"),
        ("names16", "0002 0000"),
    ],
)
def test_the_least_and_the_most(name: str, empty: str) -> None:
    with malformed():
        SHAPES[name].read(bytes.fromhex(empty))


@pytest.mark.parametrize("name", ["number8", "number16", "number32", "two_numbers8", "nothing"])
@given(body=st.binary(max_size=9))
def test_numbers_have_one_length(name: str, body: bytes) -> None:
    right = len(bytes.fromhex(EXAMPLES[name][1]))
    if len(body) == right:
        assert SHAPES[name].write(*SHAPES[name].read(body)) == body
    else:
        with malformed(f"{len(body)} bytes, where {right or 'none'} are expected"):
            SHAPES[name].read(body)


@pytest.mark.parametrize("kind", [kind for kind in EXTENSIONS if hasattr(kind, "BODY")])
def test_a_shape_has_a_value_for_each_field(kind: type[Extension]) -> None:
    name = next(name for name, shape in SHAPES.items() if shape is kind.BODY)
    values, _ = EXAMPLES[name]
    assert [type(value) for value in values] == [_plain(field.type) for field in fields(kind)]  # type: ignore[arg-type]  # each is an attrs class, which Extension is not


def _plain(annotation: Any) -> Any:
    """The class of values of a field: ``tuple`` of ``tuple[int, ...]``."""
    return getattr(annotation, "__origin__", annotation)
