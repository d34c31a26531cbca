"""Wherever sockets are: sansticket for blocking sockets, asyncio, Trio and Twisted; sessions in Redis and in files.

``sansticket`` itself has none.  Each wrapper is a module of its own, and needs what it is for:
``pip install "sansticket-wrappers[trio]"``, ``[twisted]``, ``[redis]``, ``[requests]``.
docs/wrappers.md is the manual.
"""

from typing import Final

__version__: Final = "0.2.0"
"""The same as sansticket's: the two are released together."""
