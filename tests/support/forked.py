"""A process that was forked, and what a function gives in it."""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Callable
from typing import Final, TypeVar

import pytest

from tests.support.command import PATIENCE

Result = TypeVar("Result")

CAN_FORK: Final = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
MAY_HAVE_THREADS: Final = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
"""Those of other tests."""


def forked(function: Callable[[], Result]) -> Result:
    """What the function gives in a process of its own, with a copy of all that is in memory, and in bounded time."""
    reads, writes = os.pipe()
    child = os.fork()
    if not child:
        try:
            signal.alarm(int(PATIENCE))
            os.write(writes, pickle.dumps(function()))
        finally:
            os._exit(0)
    os.close(writes)
    with open(reads, "rb") as answer:
        data = answer.read()
    os.waitpid(child, 0)
    result: Result = pickle.loads(data)
    return result
