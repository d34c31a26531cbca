"""What values are made with.

``value`` is the decorator of the states and of what they are made of, whose instances never change.

To mypy it is ``attrs.frozen``: wherever a field of a value is assigned, that is an error.  To the interpreter it
is ``attrs.define``, because enforcing the same once more costs 0.05 us for each field of each value that is
made, a tenth of a handshake.  What applications hold in their hands (configs, commands, events, sessions, messages)
and the steps of the key schedules are frozen at run time as well.

``Shared`` is for what copies do not double.
``says`` gives a field of a config or of a command its documentation, for ``help``.
"""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from attrs import frozen as value
else:
    from attrs import define

    value = partial(define, unsafe_hash=True)


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


__all__ = ["DOC", "Shared", "says", "value"]
