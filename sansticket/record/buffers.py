"""Large buffers: made once, filled in place, handed out without a copy."""

from functools import cache
from io import BytesIO
from typing import Final

SETTLE_AT: Final = 128 * 1024
"""Bytes from which an allocation is a system call at first: M_MMAP_THRESHOLD of glibc."""

SETTLED: Final = 4 * 1024 * 1024
"""Bytes of the block that ``_settle_heap`` frees."""


def sized_buffer(size: int) -> BytesIO:
    """A BytesIO of ``size`` zero bytes, to be filled through ``getbuffer()``.

    It is the one way to fill a ``bytes`` object in place: ``getvalue()``, also after ``truncate()``, hands
    out the object inside and copies nothing.
    """
    if size >= SETTLE_AT:
        _settle_heap()
    return BytesIO(bytes(size))


@cache
def _settle_heap() -> None:
    """Keep glibc from giving the heap back to the system after every burst.

    A burst needs some large blocks for a moment.  glibc returns free memory at the top of the heap once it
    is more than twice the largest mapped block that was ever freed, and gets it back page by page: 1 MiB sent
    and received then costs 600 page faults and takes four times as long.  One block that is mapped, never
    touched and freed raises that bound for good, to 8 MiB.  With other allocators it does nothing.
    """
    bytes(SETTLED)
