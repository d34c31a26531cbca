"""What a scenario is, and what is made of it before the walk begins: configs, keys, stores, an earlier connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import evolve, frozen

from sansticket.commands import Command, SendEarlyData
from sansticket.config.choices import ASK
from sansticket.config.client import ClientConfig
from sansticket.config.server import ServerConfig
from sansticket.connection.client import ClientConnection
from sansticket.connection.server import ServerConnection
from sansticket.events import Question
from sansticket.tickets.session import Session
from tests.support.scenes import Answers, Keys, Scene
from tools.explore.world import (
    Party,
    Source,
    Store,
    TalkativeCache,
    TalkativeRecorder,
    TalkativeUses,
    Told,
)

Script = tuple["Command | Foreign", ...]


@frozen
class Foreign:
    """A handshake message that ours never sends, but another implementation may."""

    message: bytes
    early: bool = False
    """At any time, and not only when the handshake is done."""


@frozen(eq=False)
class Scenario:
    """What is walked: a scene for the configs, and what both applications want to say, each in its order.

    ``asked``: questions that are open for a while instead of being answered at once; ``refuses``: the answer may be no;
    ``aborts``: it may also be the end.  ``cache``, ``recorder`` and ``uses`` make what the server's config has of that
    kind; ``offers`` is how many sessions of the earlier connection the client offers.  ``budget`` bounds what the
    attacker may do, beside the bound of the walk.
    """

    scene: Scene
    client: Script = ()
    server: Script = ()
    asked: tuple[type[Question], ...] = ()
    refuses: bool = False
    aborts: bool = False
    cache: Callable[[], TalkativeCache] | None = None
    recorder: Callable[[], TalkativeRecorder] | None = None
    uses: Callable[[], TalkativeUses] | None = None
    earlier: Script = ()
    """What the earlier server says."""
    offers: int = 1
    budget: int = 9
    fails: bool = False
    """It comes to no connection."""
    single_use: bool = False
    """A session is promised to be used once, in TLS 1.3."""

    @property
    def name(self) -> str:
        return self.scene.name


def place_in(script: Script, party: Party) -> int:
    """How much of it has been said; early data that it is too late for need not be."""
    place = party.steps_taken
    late = party.connected or party.over or not party.connection.early_data_left
    while late and place < len(script) and type(script[place]) is SendEarlyData:
        place += 1
    return place


class Setting:
    """A scenario that is ready to be walked."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.source = Source()
        self.keys = Keys()
        self.stores: list[Store] = []
        changes: dict[str, Any] = {}
        if scenario.cache is not None:
            self.stores.append(Store(scenario.cache(), scenario.cache))
            changes["session_cache"] = self.stores[-1].one
        if scenario.recorder is not None:
            self.stores.append(Store(scenario.recorder(), scenario.recorder))
            changes["replay"] = self.stores[-1].one
        if scenario.uses is not None:
            self.stores.append(Store(scenario.uses(), scenario.uses))
            changes["ticket_uses"] = self.stores[-1].one
        for store in self.stores:
            store.one.told = []
        self.recorder = scenario.recorder is not None
        entropy = {"entropy": self.source}
        scene = scenario.scene
        self._scene = evolve(
            scene, client={**scene.client, **entropy}, server={**scene.server, **changes, **entropy}
        )
        self._earlier = evolve(self._scene, server={**self._scene.server, **scene.earlier})
        self.client_config: ClientConfig
        self.server_config: ServerConfig

    def go_to(self, told: tuple[Told, ...], party: Party) -> None:
        """Everything that connections share is as it was."""
        if not party.is_client:
            for store, one in zip(self.stores, told, strict=True):
                store.go_to(one)
        self.source.seed, self.source.drawn = party.name, party.drawn

    def script(self, name: str) -> Script:
        scripts = {
            "client": self.scenario.client,
            "server": self.scenario.server,
            "earlier server": self.scenario.earlier,
        }
        return scripts.get(name, ())

    def parties(self, sessions: tuple[Session, ...], *, earlier: bool = False) -> tuple[Party, Party]:
        """A client and a server at their beginning."""
        asked: Answers = {} if earlier else dict.fromkeys(self.scenario.asked, ASK)
        self.source.seed, self.source.drawn = f"{'earlier ' if earlier else ''}client", 0
        scene = self._earlier if earlier else self._scene
        stage = scene.stage(self.keys, 0, sessions, asked, asked)
        client, server = stage.client, stage.server
        assert isinstance(client, ClientConnection)
        assert isinstance(server, ServerConnection)
        if not earlier:
            config = server._engine.config
            assert isinstance(config, ServerConfig)
            self.server_config = config
        before = "earlier " if earlier else ""
        return (
            Party(f"{before}client", client, self.source.drawn),
            Party(f"{before}server", server),
        )

    def keep(self, sessions: tuple[Session, ...]) -> None:
        """An external store has them from now on."""
        self.keys.store.update({session.session_id: session for session in sessions})
