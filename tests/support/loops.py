"""The event loops on which the wrapper for asyncio runs, in bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

import pytest
import uvloop

from tests.support.command import PATIENCE

Loop = Callable[[], asyncio.AbstractEventLoop]
Result = TypeVar("Result")

LOOPS: Final = pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])


def run(main: Coroutine[Any, Any, Result], new_loop: Loop | None = None) -> Result:
    """What it gives within ``PATIENCE``: asyncio itself waits for ever."""

    async def bounded() -> Result:
        async with asyncio.timeout(PATIENCE):
            return await main

    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(bounded())
