"""``help()`` shows what is said of a field.

The docs of a field are the string below it, which is where editors and type checkers look, but the interpreter
forgets it.  ``help()`` and ``inspect.getdoc`` take the docs of a slot from ``__slots__`` where that is a mapping
(Python reference, section 3.3.2.4.1), so the classes that users see get one, which reads the source when it is
asked: an import pays nothing for it.  Or a field says it in its metadata (``says``), which serves for classes without
slots as well: a config's fields are listed in its docstring.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from attrs import Attribute, fields, has

from sansticket.values import DOC


def show_field_docs(things: Iterable[object]) -> None:
    """Let ``help()`` show the docs of the fields of those ``things`` that are classes of ours, and of their bases."""
    classes = [thing for thing in things if isinstance(thing, type)]
    for owner in dict.fromkeys(base for thing in classes for base in thing.__mro__):
        if not owner.__module__.startswith("sansticket"):
            continue
        slots: Any = owner.__dict__.get("__slots__")
        if isinstance(slots, tuple) and slots:
            owner.__slots__ = FieldDocs(owner, slots)  # type: ignore[attr-defined]  # a type has them if it says so
        elif has(owner) and slots is None and not isinstance(vars(owner)["__doc__"], DocOfFields):
            owner.__doc__ = DocOfFields(owner.__doc__)  # type: ignore[assignment]  # whoever reads it gets a str


class DocOfFields:
    """The docstring of a class with its fields in it, which is put together when somebody reads it."""

    def __init__(self, doc: str | None) -> None:
        self._doc = doc

    def __get__(self, instance: object, owner: type[Any]) -> str | None:
        return with_fields(self._doc, owner)


class FieldDocs(dict[str, "str | None"]):
    """The slots of ``owner``, each with its metadata or with what its source says below it; read when first asked."""

    def __init__(self, owner: type[Any], slots: Iterable[str]) -> None:
        super().__init__(dict.fromkeys(slots))
        self._unread: type[Any] | None = owner

    def __getitem__(self, name: str) -> str | None:
        if self._unread is not None:
            self.update(docs_below_fields(self._unread) | docs_in_metadata(self._unread))
            self._unread = None
        return super().__getitem__(name)


def docs_in_metadata(owner: type[Any]) -> dict[str, str]:
    """The docs of the fields, inherited ones too, that have them in their metadata."""
    if not has(owner):
        return {}
    return {
        field.name: f"{field.metadata[DOC]}{bounds_of(field)}"
        for field in fields(owner)
        if DOC in field.metadata
    }


def bounds_of(field: Attribute[Any]) -> str:
    """What the validator of a number says of it."""
    low, high = (getattr(field.validator, name, None) for name in ("low", "high"))
    return "" if low is None or high is None else f"  From {low:,} to {high:,}."


def docs_below_fields(owner: type[Any]) -> dict[str, str]:
    """The strings below the fields of a class; none if its source is not there."""
    try:
        body = ast.parse(inspect.cleandoc(inspect.getsource(owner))).body
    except (OSError, TypeError, SyntaxError):
        return {}
    statements = body[0].body if body and isinstance(body[0], ast.ClassDef) else []
    found = {}
    for field, below in pairwise(statements):
        match field, below:
            case ast.AnnAssign(ast.Name(name)), ast.Expr(ast.Constant(str(text))):
                found[name] = inspect.cleandoc(text)
    return found


def with_fields(doc: str | None, owner: type[Any]) -> str | None:
    """The docstring of a class, and after it the fields that have their docs in their metadata."""
    from textwrap import fill  # compiles its patterns

    said = docs_in_metadata(owner)
    if not said:
        return doc
    indented = "        "
    listed = (
        f"    {name}\n{fill(text, 110, initial_indent=indented, subsequent_indent=indented)}\n"
        for name, text in said.items()
    )
    return f"{(doc or '').rstrip()}\n\n    Fields:\n\n" + "\n".join(listed)
