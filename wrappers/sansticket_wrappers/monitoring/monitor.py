"""From the events of connections to accounts, and from there to whoever takes them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, Protocol

from sansticket import ConfigError, Event
from sansticket.accounts import Account, account_of

log = logging.getLogger(__name__)


class Sink(Protocol):
    """Takes accounts: a log, or counters."""

    def take(self, account: Account) -> None:
        """One account.  What it raises is logged, and harms no connection."""
        ...


class Monitor:
    """Gives what happens on connections of one ``side`` to its ``sinks``.

    Each kind of wrapper has its way in: ``watch`` for asyncio (``start_server(watch=...)``), ``observe`` for Trio and
    Twisted (``Hooks(observe=...)``), ``on_event`` for contexts (``context.on_event = ...``, and with it everything that
    takes one).  Can be used by many threads if the sinks can, as those of this package.  ConfigError for another side.
    """

    def __init__(
        self, side: Literal["client", "server"], *sinks: Sink, clock: Callable[[], float] = time.time
    ) -> None:
        if side not in ("client", "server"):
            raise ConfigError("side", f"{side!r}; expected 'client' or 'server'")
        self._side: Literal["client", "server"] = side
        self._sinks = sinks
        self._clock = clock

    def watch(self, happened: Iterable[Event]) -> None:
        """The events of one call."""
        for event in happened:
            self._take(event)

    async def observe(self, happened: Sequence[Event]) -> None:
        """The same, for those who wait for it."""
        self.watch(happened)

    def on_event(self, ssl_object: object, event: Event) -> None:
        """The same, one by one."""
        self._take(event)

    def _take(self, event: Event) -> None:
        account = account_of(event, self._clock(), self._side)
        if account is None:
            return
        for sink in self._sinks:
            try:
                sink.take(account)
            except Exception:
                log.exception("%s failed", type(sink).__name__)
