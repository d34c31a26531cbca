"""Messages that are none any more: every length wrong, every field a byte too short or too long, every vector empty.

What the changed bytes are is not decided here but by the forms (``forms``): if they have the form of the message no
more, the end is decode_error (RFC 9846 section 6.2); if they still have, it is no misbehaviour of this kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attrs import evolve

from sansticket.errors import Reason
from tests.misbehaviours.ends import DECODE, End, Misbehaviour, illegal
from tests.misbehaviours.forms import FORMS, NAMES
from tests.misbehaviours.grammar import Bytes, Node, Path, Struct, Vector, has_form, nodes, parse, put
from tests.misbehaviours.order import bare
from tests.misbehaviours.playing import Said, Site

BEYOND: Final = (131_397, 0xFFFFFF)
"""Bytes of body.  No message has as many, but those with certificates, which may: a ClientHello has 131,396 at most."""

ANY_SIZE: Final = frozenset({"Certificate", "CompressedCertificate", "CertificateStatus"})
TOO_LARGE: Final = illegal(Reason.MESSAGE_TOO_LARGE)
"""RFC 9846 section 6.2 has no alert for what is more than one wants to hear."""

SKEWS: Final = {1: "one too much", -1: "one too little", 17: "17 too much"}


def message(raw: bytes, body: bytes) -> bytes:
    """With its type and its length."""
    return raw[:1] + len(body).to_bytes(3) + body


def shown(path: Path) -> str:
    """For people: extensions by their names."""
    names = [NAMES.get(int(one), one) if before == "extensions" else one for before, one in _pairs(path)]
    return ".".join(names) or "the body"


def _pairs(path: Path) -> Iterator[tuple[str, str]]:
    yield from zip(("", *path), path, strict=False)


def changes(tree: Node) -> Iterator[tuple[str, str, Node]]:
    """Kind, what, and the changed tree."""
    for path, node in nodes(tree):
        where = shown(path)
        if isinstance(node, Vector):
            for skew, what in SKEWS.items():
                yield "length", f"the length of {where} is {what}", put(tree, path, evolve(node, skew=skew))
            content = node.content.write()
            yield "length", f"the length of {where} is 0", put(tree, path, evolve(node, skew=-len(content)))
            if content:
                empty, shorter = evolve(node, content=Bytes(b"")), evolve(node, content=Bytes(content[:-1]))
                yield "empty vector", f"{where} is empty", put(tree, path, empty)
                yield "too short", f"{where} ends a byte too early", put(tree, path, shorter)
            longer = evolve(node, content=Bytes(content + b"\x01"))
            yield "too long", f"a byte more in {where}", put(tree, path, longer)
        elif isinstance(node, Bytes) and node.data:
            yield "too short", f"a byte less in {where}", put(tree, path, Bytes(node.data[:-1]))
            yield "too long", f"a byte more behind {where}", put(tree, path, Bytes(node.data + b"\x01"))


def cuts(tree: Node) -> Iterator[tuple[str, bytes]]:
    """The message ends behind each of its fields."""
    assert isinstance(tree, Struct)
    start = b""
    for name, node in tree.fields:
        yield f"ends before {name}", start
        start += node.write()


def headers(site: Site) -> Iterator[tuple[str, bytes, End]]:
    """The message says that it goes on, and nothing of that is waited for (RFC 9846 section 6)."""
    end = TOO_LARGE if bare(site.name) in ANY_SIZE else DECODE
    for length in BEYOND:
        yield f"its header says {length} bytes", site.raw[:1] + length.to_bytes(3) + site.raw[4:], end


def misbehaviours(site: Site) -> Iterator[Misbehaviour]:
    form, raw = FORMS[site.name], site.raw
    for what, said, end in headers(site):
        yield Misbehaviour(site, "length", what, Said((said,), said), end)
    tree = parse(form, raw[4:])
    seen = {raw[4:]}

    def deed(kind: str, what: str, body: bytes) -> Iterator[Misbehaviour]:
        if body not in seen and not has_form(form, body):
            seen.add(body)
            changed = message(raw, body)
            yield Misbehaviour(site, kind, what, Said((changed,), changed), DECODE)

    for kind, what, changed in changes(tree):
        yield from deed(kind, what, changed.write())
    for what, body in cuts(tree):
        yield from deed("cut short", what, body)
    yield from deed("too short", "the last byte is missing", raw[4:-1])
    yield from deed("too long", "a byte more at the end", raw[4:] + b"\0")
    yield from deed("empty vector", "has no body", b"")
