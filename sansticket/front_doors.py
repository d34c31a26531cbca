"""Packages that load what they are asked for (PEP 562): a client needs nothing of what only a server does.

The face of such a package imports its names where only type checkers look, and says once more where each is at home.
The interpreter loads that module when the name is asked for the first time; after that the name is there as any other.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping
from importlib import import_module

from sansticket.field_docs import show_field_docs


def front_door(
    package: str, homes: Mapping[str, str], rooms: Collection[str] = ()
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` for the face of a package.

    ``homes`` has the names by their modules, between spaces; ``rooms`` are packages inside it that are public
    themselves.
    """
    face = sys.modules[package]
    home_of = {name: home for home, names in homes.items() for name in names.split()}

    def load(name: str) -> object:
        if name == "__all__":  # a star, or help: everything is there then, and still no __all__
            for one in home_of:
                getattr(face, one)
        if name in rooms:
            return import_module(f"{package}.{name}")
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        thing = getattr(import_module(home_of[name]), name)
        show_field_docs([thing])
        setattr(face, name, thing)
        return thing

    return load, lambda: sorted({*vars(face), *home_of, *rooms})
