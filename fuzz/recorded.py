"""The connections of an input in replay files: each is made from its beginning and recorded, where a target copies one.

Fuzzing takes copies of connections that are in a state already, which is a hundred times as fast; a recording begins
with the config.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fuzz.offers import sessions as sessions_to_offer
from fuzz.world import (
    CONVERSATIONS,
    NAME,
    SIDES,
    SOURCES,
    Connection,
    Side,
    Source,
    converse,
    places,
)
from sansticket.config.client import ClientConfig
from sansticket.config.server import ServerConfig
from sansticket.connection.client import ClientConnection
from sansticket.connection.server import ServerConnection
from sansticket.replays.keeping import kept_on_failure
from sansticket.replays.recorder import Recorded, record_client, record_server
from sansticket.tickets.session import Session


@contextmanager
def recorded(file: Path) -> Iterator[list[Recorded]]:
    """All that a target tries in the block; if that raises they are left beside ``file``, as FILE-1.replay and on."""
    sessions_to_offer()  # made once, by connections that are not tried
    source = RecordingSource()
    SOURCES.append(source)
    try:
        yield source.tried
    except BaseException:
        with kept_on_failure(file.parent, secrets=True, **source.by_name(file.name)):
            raise
    finally:
        SOURCES.remove(source)


class RecordingSource(Source):
    """Makes them so that all they are given is noted."""

    def __init__(self) -> None:
        self.tried: list[Recorded] = []

    def client(self, config: ClientConfig, sessions: Sequence[Session]) -> ClientConnection:
        made: Any = self._noted(record_client(config, NAME, sessions))
        return made  # type: ignore[no-any-return]  # it stands in the place of one

    def server(self, config: ServerConfig) -> ServerConnection:
        made: Any = self._noted(record_server(config))
        return made  # type: ignore[no-any-return]  # as above

    def at(self, side: Side, number: int) -> Connection:
        name, state = list(places(side))[number]
        conversation = next(one for one in CONVERSATIONS if one.name == name)
        pair = conversation.open(self)
        mine, peer = pair if side == SIDES[0] else pair[::-1]
        self.tried.remove(peer)  # type: ignore[arg-type]  # it is recorded too
        peer._engine.outbound.writer.max_fragment = 1  # as in ``places``
        talk = converse(*pair, conversation.talk[:-2])
        while mine.state != state or mine._engine.held:
            next(talk)
        mine.data_to_send()
        return mine

    def by_name(self, begin: str) -> dict[str, Recorded]:
        return {f"{begin}-{number}": one for number, one in enumerate(self.tried, 1)}

    def _noted(self, one: Recorded) -> Recorded:
        self.tried.append(one)
        return one
