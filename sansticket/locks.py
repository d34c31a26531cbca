"""Locks that are open in a process that was forked, and what they guard is whole.

A fork copies a lock as it is: one that another thread holds just then stays locked in the copy, where nobody is left to
open it, and what it guards may be half changed.  So whoever forks takes them all first, as the standard library's
``logging`` does with its own, and both processes let them go.
"""

import os
from threading import RLock
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

PATIENCE: Final = 1.0
"""Seconds after which a fork goes on without one: nobody holds one for so long, but a thread that forks itself
meanwhile, in the handler of a signal."""

L = TypeVar("L")

_known: Final[WeakKeyDictionary[Any, bool]] = WeakKeyDictionary()
_forking: Final = RLock()
_taken: Final[list[Any]] = []


def over_forks(lock: L, *, outer: bool = False) -> L:
    """That lock, which nobody holds for more than a moment.  ``outer``: whoever has it may take another one too."""
    _known[lock] = outer
    return lock


def _take_all() -> None:
    _forking.acquire()
    locks = [lock for reference in _known.keyrefs() if (lock := reference()) is not None]
    patience = PATIENCE
    for lock in sorted(locks, key=lambda lock: not _known[lock]):
        if lock.acquire(timeout=patience):
            _taken.append(lock)
        else:
            patience = 0


def _let_go() -> None:
    while _taken:
        _taken.pop().release()
    _forking.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_take_all, after_in_parent=_let_go, after_in_child=_let_go)
