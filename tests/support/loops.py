"""The event loops on which the wrapper for asyncio runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import pytest
import uvloop

Loop = Callable[[], asyncio.AbstractEventLoop]

LOOPS: Final = pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
