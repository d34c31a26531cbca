"""What values are made with.

``frozen`` is the decorator of what applications hold in their hands: configs, commands, events, sessions, messages;
and of the steps of the key schedules.  ``value`` is that of the states and of what they are made of, whose instances
never change either.

To type checkers both are ``attrs.frozen``: wherever a field is assigned, that is an error.  To the interpreter
``value`` is ``attrs.define``, because enforcing the same once more costs 0.05 us for each field of each value that is
made, a tenth of a handshake.

Nobody refers to a ``value`` weakly: eight bytes less in each.

What attrs makes of a class is its ``__init__``, its slots and its pickling.  Equality, hash and repr are the same three
functions for all of them, to the same effect: hundreds of classes are made by an import, and to write and compile
these methods for each takes more than half of the time.

A class that adds no field to such a class is none of attrs' own: it has no decorator, says ``__slots__ = ()``, and
inherits all of it.

``changed`` makes another of a value, and ``Shared`` is for what copies do not double.
``says`` gives a field of a config or of a command its documentation, for ``help``.
"""

from collections.abc import Callable, Mapping
from functools import cache, partial
from operator import attrgetter
from reprlib import recursive_repr
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import attrs

if TYPE_CHECKING:
    from attrs import frozen as frozen
    from attrs import frozen as value


class _Compared(dict[type, Callable[[Any], Any]]):
    """For each class a function that gives the fields of an instance that count for equality and hash."""

    def __missing__(self, owner: type) -> Callable[[Any], Any]:
        names = [field.name for field in attrs.fields(owner) if field.eq]
        self[owner] = attrgetter(*names) if names else type
        return self[owner]


_COMPARED: Final = _Compared()


def _equal(self: Any, other: object) -> Any:
    """Same class, and the same in each field that counts."""
    if other.__class__ is not self.__class__:
        return NotImplemented
    compared = _COMPARED[self.__class__]
    return compared(self) == compared(other)


def _hashed(self: Any) -> int:
    """Equal values have the same."""
    owner = self.__class__
    return hash((owner, _COMPARED[owner](self)))


@recursive_repr("...")
def _shown(self: Any) -> str:
    """How it is made, without the fields that are not shown."""
    shown = []
    for field in attrs.fields(self.__class__):
        if field.repr:
            show = field.repr if callable(field.repr) else repr
            shown.append(f"{field.name}={show(getattr(self, field.name, attrs.NOTHING))}")
    return f"{self.__class__.__qualname__.rsplit('>.', 1)[-1]}({', '.join(shown)})"


@cache
def _arguments(owner: type) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    """What instances of a class with two fields or more are made with: the names, and a function that gives the
    contents.
    """
    fields = [field for field in attrs.fields(owner) if field.init]
    names = tuple(field.alias or field.name for field in fields)
    return names, attrgetter(*(field.name for field in fields))


T = TypeVar("T")


def changed(one: T, **fields: Any) -> T:
    """What ``attrs.evolve`` gives, in a fifth of the time, for what every connection needs."""
    owner: Any = one.__class__
    names, contents = _arguments(owner)
    made: T = owner(**{**dict(zip(names, contents(one), strict=True)), **fields})
    return made


_METHODS: Final = {"__eq__": _equal, "__hash__": _hashed, "__repr__": _shown}


def _made_by(
    make: Callable[..., Any], owner: type | None = None, *, repr: bool = True, **options: Any
) -> Any:
    """A decorator of classes, with options or without; without ``repr`` that of the base stays."""
    if owner is None:
        return partial(_made_by, make, repr=repr, **options)
    for name, method in _METHODS.items():
        if name not in vars(owner) and (repr or name != "__repr__"):
            setattr(owner, name, method)
    return make(owner, auto_attribs=True, eq=False, repr=False, **options)


if not TYPE_CHECKING:
    frozen = partial(_made_by, attrs.frozen)
    value = partial(_made_by, attrs.define, weakref_slot=False)


class Shared:
    """There is one of it, however often what holds it is copied."""

    __slots__ = ()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self


DOC: Final = "sansticket.doc"
"""The key of a field's documentation in its metadata."""


def says(doc: str) -> Mapping[str, str]:
    """The metadata of a field that is documented so."""
    return MappingProxyType({DOC: doc})


__all__ = ["DOC", "Shared", "changed", "frozen", "says", "value"]
