"""The presentation language (RFC 9846 section 3) once more, for those who break it: bytes as trees, trees as bytes.

It knows nothing of the package's own decoders, so that it can say of changed bytes whether they still are a message.
A tree is made of three things: ``Bytes`` of a fixed size, ``Vector`` with a length before it, ``Struct`` with names.  A
change is a tree in which one node was replaced; all lengths around it fit, unless a vector's ``skew`` says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from attrs import evolve, frozen

Path = tuple[str, ...]
"""From the root to a node: the names of fields; the numbers of items."""


class NotAMessage(Exception):
    """These bytes do not have this form."""


@frozen
class Bytes:
    """A number, or opaque bytes of a fixed size."""

    data: bytes

    def write(self) -> bytes:
        return self.data


@frozen
class Struct:
    """Fields one after the other."""

    fields: tuple[tuple[str, Node], ...]

    def write(self) -> bytes:
        return b"".join([node.write() for _, node in self.fields])


@frozen
class Vector:
    """``content`` after its length of ``width`` bytes, which says ``skew`` too much.

    ``low``: the least that it may have; ``items``: there are several of a kind in it, each of ``unit`` bytes if that
    is not 0.
    """

    width: int
    low: int
    content: Node
    items: bool = False
    unit: int = 0
    skew: int = 0

    def write(self) -> bytes:
        content = self.content.write()
        return ((len(content) + self.skew) % 256**self.width).to_bytes(self.width) + content


Node = Bytes | Struct | Vector
Form = Callable[[bytes, int], tuple[Node, int]]
"""Reads a node at a place; gives the place behind it, too."""


def nodes(node: Node, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """All of a tree, with their paths."""
    yield path, node
    if isinstance(node, Struct):
        for name, inner in node.fields:
            yield from nodes(inner, (*path, name))
    elif isinstance(node, Vector):
        yield from (pair for pair in nodes(node.content, path) if pair[0] != path)


def at(node: Node, path: Path) -> Node:
    """The node there; a vector is passed through to its content."""
    for name in path:
        inner = node.content if isinstance(node, Vector) else node
        assert isinstance(inner, Struct)
        node = dict(inner.fields)[name]
    return node


def put(node: Node, path: Path, new: Node | None) -> Node:
    """The tree with ``new`` there; without the node, if that is None."""
    if isinstance(node, Vector):
        if path:
            return evolve(node, content=put(node.content, path, new))
        assert new is not None
        return new
    if not path:
        assert new is not None
        return new
    assert isinstance(node, Struct)
    name, *rest = path
    if not rest and new is None:
        return Struct(tuple(field for field in node.fields if field[0] != name))
    return Struct(
        tuple(
            (own, put(inner, tuple(rest), new)) if own == name else (own, inner) for own, inner in node.fields
        )
    )


# --- forms -------------------------------------------------------------------------------------------------------


def fixed(size: int) -> Form:
    def read(data: bytes, start: int) -> tuple[Node, int]:
        if start + size > len(data):
            raise NotAMessage
        return Bytes(data[start : start + size]), start + size

    return read


U8, U16, U24, U32, RANDOM = fixed(1), fixed(2), fixed(3), fixed(4), fixed(32)


def rest(data: bytes, start: int) -> tuple[Node, int]:
    return Bytes(data[start:]), len(data)


def nothing(data: bytes, start: int) -> tuple[Node, int]:
    return Struct(()), start


def struct(**fields: Form) -> Form:
    def read(data: bytes, start: int) -> tuple[Node, int]:
        found = []
        for name, form in fields.items():
            node, start = form(data, start)
            found.append((name, node))
        return Struct(tuple(found)), start

    return read


def vector(
    width: int,
    low: int = 0,
    of: Form | None = None,
    name: Callable[[Node, int], str] | None = None,
    unit: int = 0,
) -> Form:
    """``of``: what fills it, opaque bytes otherwise; ``name``: what an item is called, by default its number."""

    def read(data: bytes, start: int) -> tuple[Node, int]:
        size = int.from_bytes(data[start : start + width])
        start += width
        stop = start + size
        if stop > len(data) or size < low:
            raise NotAMessage
        if of is None:
            return Vector(width, low, Bytes(data[start:stop])), stop
        inside = data[:stop]
        items: list[tuple[str, Node]] = []
        while start < stop:
            node, start = of(inside, start)
            label = str(len(items)) if name is None else name(node, len(items))
            items.append((label, node))
        return Vector(width, low, Struct(tuple(items)), True, unit), stop

    return read


def numbers(width: int, low: int = 1) -> Form:
    """A vector of 16-bit numbers."""
    return vector(width, low, U16, unit=2)


def extensions(forms: dict[int, Form], width: int = 2) -> Form:
    """A block; what has no form of its own is opaque.  An item is called by its type."""

    def extension(data: bytes, start: int) -> tuple[Node, int]:
        kind, start = U16(data, start)
        form = forms.get(int.from_bytes(kind.write()), rest)
        size = int.from_bytes(data[start : start + 2])
        stop = start + 2 + size
        if start + 2 > len(data) or stop > len(data):
            raise NotAMessage
        body, end = form(data[:stop], start + 2)
        if end != stop:
            raise NotAMessage
        return Struct((("type", kind), ("body", Vector(2, 0, body)))), stop

    return vector(width, 0, extension, lambda node, place: f"{type_of(node)}")


def optional(form: Form) -> Form:
    """At the end of a message."""

    def read(data: bytes, start: int) -> tuple[Node, int]:
        return form(data, start) if start < len(data) else (Struct(()), start)

    return read


def only(first: int, form: Form) -> Form:
    """This form where the first byte is this; where it is another, the rest has a form that nobody knows."""

    def read(data: bytes, start: int) -> tuple[Node, int]:
        known = data[start : start + 1] in (b"", bytes((first,)))
        return form(data, start) if known else rest(data, start)

    return read


def type_of(extension: Node) -> int:
    assert isinstance(extension, Struct)
    return int.from_bytes(extension.fields[0][1].write())


def parse(form: Form, body: bytes) -> Node:
    """All of it, or ``NotAMessage``."""
    node, end = form(body, 0)
    if end != len(body):
        raise NotAMessage
    return node


def has_form(form: Form, body: bytes) -> bool:
    try:
        parse(form, body)
    except NotAMessage:
        return False
    return True


GREASE: Final = 0x2A2A
"""A number that is reserved for being unknown (RFC 8701)."""
