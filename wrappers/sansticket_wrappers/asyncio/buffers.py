"""What the loop reads into, and what an application does."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import Final

MOST: Final = 8
"""Buffers of a size that wait for whoever reads next.  asyncio needs one in each thread."""


class Buffers:
    """Buffers of ``size`` bytes.  Connections use them in turns: what was read is copied at once.

    Whoever takes one has it alone until it is given back, which asyncio's loops do within the same call; one that
    reads into it later, as a loop may, has as many as there are connections that read.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._free: list[memoryview] = []

    def take(self) -> memoryview:
        try:
            return self._free.pop()
        except IndexError:
            return memoryview(bytearray(self._size))

    def give_back(self, buffer: memoryview) -> None:
        if len(self._free) < MOST:
            self._free.append(buffer)


@lru_cache(maxsize=MOST)
def buffers_of(size: int) -> Buffers:
    """The same for all connections whose reads have this size."""
    return Buffers(size)


App = asyncio.Protocol | asyncio.BufferedProtocol
"""An application: of either kind, as asyncio's own transports have them."""


def deliver(data: bytes, app: App) -> None:
    if not isinstance(app, asyncio.BufferedProtocol):
        app.data_received(data)
        return
    left = memoryview(data)
    while left:
        buffer = memoryview(app.get_buffer(len(left))).cast("B")
        if not buffer:
            raise RuntimeError("get_buffer() has returned no room")
        size = min(len(buffer), len(left))
        buffer[:size] = left[:size]
        left = left[size:]
        app.buffer_updated(size)
