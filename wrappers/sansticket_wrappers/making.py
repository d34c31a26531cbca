"""Who makes the connections of a wrapper."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Make = Callable[..., Any]
"""Called as ``ClientConnection`` or ``ServerConnection`` is, with the config that the wrapper uses; what it returns has
the methods of one.  So whoever wants to look on puts somebody in between: ``watch`` of ``sansticket.debug.watch`` for a
ladder, ``record_server`` or ``record_client`` of ``sansticket.replays.recorder`` for a replay."""
