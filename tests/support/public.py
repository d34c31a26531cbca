"""What is public, and what its users see of it."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from functools import cached_property
from types import ModuleType
from typing import Any, Final

import attrs

from sansticket.values import DOC

PUBLIC: Final = (
    "sansticket",
    "sansticket.events",
    "sansticket.commands",
    "sansticket.config",
    "sansticket.accounts",
    "sansticket.adapters",
    "sansticket.fleet",
    "sansticket.testing",
    "sansticket.verifiers.pyopenssl",
)
"""The modules that the documentation names."""


def names_of(module: ModuleType) -> list[str]:
    """The public names of a module: its ``__all__``, or what is no module and has no underscore before it."""
    listed: list[str] | None = getattr(module, "__all__", None)
    if listed is not None:
        return sorted(listed)
    return sorted(
        name
        for name, thing in vars(module).items()
        if not name.startswith("_") and not inspect.ismodule(thing)
    )


def things() -> dict[str, Any]:
    """Every public thing by the first name that it has, ``sansticket.config.Answer`` and so on."""
    found: dict[str, Any] = {}
    known: set[int] = set()
    for name in PUBLIC:
        module = importlib.import_module(name)
        for public in names_of(module):
            thing = getattr(module, public)
            if id(thing) not in known:
                known.add(id(thing))
                found[f"{name}.{public}"] = thing
    return found


def classes() -> dict[str, type[Any]]:
    return {name: thing for name, thing in things().items() if inspect.isclass(thing)}


def members(owner: type[Any]) -> Iterator[tuple[str, Any]]:
    """(name, function or property) of the public methods and properties that a class has from this package."""
    for base in owner.__mro__:
        if base.__module__.partition(".")[0] != "sansticket":
            continue
        for name, member in vars(base).items():
            function = getattr(member, "__func__", member)
            if not name.startswith("_") and (
                inspect.isfunction(function) or isinstance(member, property | cached_property)
            ):
                yield f"{base.__module__}.{base.__name__}.{name}", getattr(base, name)


def fields(owner: type[Any]) -> list[str]:
    """The public fields of an attrs class; none of other classes."""
    if not attrs.has(owner):
        return []
    return [attribute.name for attribute in attrs.fields(owner) if not attribute.name.startswith("_")]


def docs_of(owner: type[Any], field: str) -> str | None:
    """What is said of a field: of its slot, or in its metadata."""
    slot = getattr(owner, field, None)
    if inspect.ismemberdescriptor(slot):
        return inspect.getdoc(slot)
    said: str | None = getattr(attrs.fields(owner), field).metadata.get(DOC)
    return said
