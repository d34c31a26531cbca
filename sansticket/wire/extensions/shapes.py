"""The forms that most extension bodies have, each named once: a class says ``BODY = numbers16`` and is done.

A shape turns a body into the values of the class's fields, in their order, and back.  It checks lengths and nothing
else: where the definition of an extension forbids values, its class decodes by hand.
"""

from collections.abc import Callable
from typing import Any, Final

from sansticket.values import frozen
from sansticket.wire.cursor import (
    items,
    malformed,
    numbers,
    pack_items,
    pack_numbers,
    vector8,
    vector16,
    whole_vector8,
    whole_vector16,
)


@frozen
class Shape:
    """``read`` takes a whole body and gives the values, or raises ``Fault``; ``write`` takes the values."""

    read: Callable[[bytes], tuple[Any, ...]]
    write: Callable[..., bytes]


def number(width: int) -> Shape:
    """One number of ``width`` bytes."""

    def read(body: bytes) -> tuple[int]:
        if len(body) != width:
            raise malformed(f"{len(body)} bytes, where {width} are expected")
        return (int.from_bytes(body),)

    return Shape(read, lambda value: value.to_bytes(width))


def single_bytes(count: int) -> Shape:
    """``count`` numbers of one byte each."""

    def read(body: bytes) -> tuple[int, ...]:
        if len(body) != count:
            raise malformed(f"{len(body)} bytes, where {count or 'none'} are expected")
        return tuple(body)

    return Shape(read, lambda *values: bytes(values))


nothing: Final = single_bytes(0)
"""It says what it says by being there."""

number8: Final = number(1)
number16: Final = number(2)
number32: Final = number(4)
two_numbers8: Final = single_bytes(2)

numbers8: Final = Shape(
    lambda body: (tuple(whole_vector8(body, 1)),),
    lambda values: vector8(bytes(values)),
)
"""At least one number of 8 bits."""

few_numbers16: Final = Shape(
    lambda body: (numbers(whole_vector8(body, 2, 254)),),
    lambda values: vector8(pack_numbers(values)),
)
"""1 to 127 numbers of 16 bits."""

numbers16: Final = Shape(
    lambda body: (numbers(whole_vector16(body, 2)),),
    lambda values: vector16(pack_numbers(values)),
)
"""1 to 32,767 numbers of 16 bits."""

opaque8: Final = Shape(lambda body: (whole_vector8(body),), vector8)
"""0 to 255 bytes."""

filled8: Final = Shape(lambda body: (whole_vector8(body, 1),), vector8)
"""1 to 255 bytes."""

filled16: Final = Shape(lambda body: (whole_vector16(body, 1),), vector16)
"""1 to 65,535 bytes."""

names8: Final = Shape(
    lambda body: (items(whole_vector16(body, 2), 1, 1),),
    lambda values: vector16(pack_items(values, 1)),
)
"""At least one vector of 1 to 255 bytes."""

names16: Final = Shape(
    lambda body: (items(whole_vector16(body, 1), 2, 1),),
    lambda values: vector16(pack_items(values, 2)),
)
"""At least one vector of 1 to 65,535 bytes."""
