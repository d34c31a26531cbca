"""KeyboardInterrupt and its like in any callback, at any moment: no connection goes on from half a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from sansticket import (
    Close,
    Command,
    ConnectionTerminated,
    FlushTickets,
    IssueTicket,
    LocalProtocolError,
    ProtocolVersion,
    Reason,
    RequestClientCertificate,
    SendData,
    SessionCache,
    TicketFlush,
    UpdateKeys,
)
from sansticket.config.choices import ClientAuthentication
from sansticket.connection.client import ClientConnection
from sansticket.connection.server import ServerConnection
from sansticket.events import Question
from sansticket.tickets.stores.client import ClientSessionStore
from tests.support.configs import client_config, server_config
from tests.support.credentials import anchors, client_credential
from tests.support.scenes import TIME

V: Final = ProtocolVersion
VERSIONS = pytest.mark.parametrize("version", [V.TLS_1_3, V.TLS_1_2], ids=lambda version: version.name)


class Interrupted(BaseException):
    """Stands for KeyboardInterrupt."""


class Tripwire:
    """Counts the calls of all callbacks; at the one called ``at`` it interrupts."""

    def __init__(self, at: int = -1) -> None:
        self.at = at
        self.names: list[str] = []

    def __call__(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def callback(*arguments: Any) -> Any:
            self.names.append(name)
            if len(self.names) - 1 == self.at:
                raise Interrupted
            return function(*arguments)

        return callback


class Cache(SessionCache):
    """One whose methods are callbacks, as those of an application's own would be."""

    def __init__(self, wire: Tripwire) -> None:
        super().__init__(
            on_new=wire("on_new", lambda session: None), on_remove=wire("on_remove", lambda session: None)
        )


def entropy(wire: Tripwire) -> Callable[[int], bytes]:
    made = iter(range(1, 10**6))
    return wire("entropy", lambda size: (next(made).to_bytes(4) * (size // 4 + 1))[:size])


def shared(wire: Tripwire) -> dict[str, Any]:
    return {
        "clock": wire("clock", lambda: TIME),
        "entropy": entropy(wire),
        "key_log": wire("key_log", lambda line: None),
        "padding": wire("padding", lambda size: 3),
    }


def defaults_of(connections: list[Any], wire: Tripwire, names: tuple[str, ...]) -> dict[type[Question], Any]:
    """Functions that answer by the defaults of the state that asks."""
    from sansticket import events

    def answered(kind: type[Question]) -> Callable[..., Any]:
        def answer(question: Question) -> Command:
            for connection in connections:
                state = connection._engine.state
                if getattr(state, "QUESTION", None) is kind and state.question() == question:
                    default: Command = state.default_answer(TIME)
                    return default
            raise AssertionError(question)

        return wire(kind.__name__, answer)

    return {getattr(events, name): answered(getattr(events, name)) for name in names}


class Play:
    """A client and a server with callbacks everywhere, from the first hello to the last close_notify."""

    def __init__(
        self, wire: Tripwire, version: ProtocolVersion, store: ClientSessionStore, cache: SessionCache
    ) -> None:
        self.acting: ClientConnection | ServerConnection | None = None
        connections: list[Any] = []
        server_answers = (
            "SelectConfig",
            "DecideTicket",
            *(
                ("LookUpSession",) if version == V.TLS_1_2 else ()
            ),  # 1.3 looks for ids only where tickets are stateful
            "PrepareTicket",
            "Sign",
            "VerifyPeer",
        )
        self.server = ServerConnection(
            server_config(
                **shared(wire),
                versions=[version],
                session_cache=cache,
                trust_anchors=anchors(),
                client_authentication=ClientAuthentication.OPTIONAL,
                ticket_flush=TicketFlush.WRITE,
                answers=defaults_of(connections, wire, server_answers),
            )
        )
        connections.append(self.server)
        self.client = ClientConnection(
            client_config(
                **shared(wire),
                versions=[version],
                credentials=[client_credential()],
                session_store=store,
                **({"post_handshake_auth": True} if version == V.TLS_1_3 else {}),
                answers=defaults_of(connections, wire, ("Sign", "VerifyPeer")),
            ),
            "server.example",
        )
        connections.append(self.client)
        self.version = version

    def run(self) -> None:
        self._pump()
        for side, command in self._commands():
            self.acting = side
            side.send(command)
            self._pump()
        self._receive(self.server, b"")

    def _commands(self) -> Iterator[tuple[ClientConnection | ServerConnection, Command]]:
        yield self.client, SendData(b"x" * 20_000)
        yield self.server, SendData(b"y")
        if self.version == V.TLS_1_3:
            yield self.server, RequestClientCertificate()
            yield self.server, IssueTicket()
            yield self.server, FlushTickets()
            yield self.client, UpdateKeys(request_peer=True)
        yield self.server, Close()

    def _receive(self, side: ClientConnection | ServerConnection, data: bytes) -> None:
        self.acting = side
        side.receive_data(data)

    def _pump(self) -> None:
        while (up := self.client.data_to_send()) + (down := self.server.data_to_send()):
            if up:
                self._receive(self.server, up)
            if down:
                self._receive(self.client, down)


def resumable(version: ProtocolVersion) -> tuple[ClientSessionStore, Callable[[Tripwire], SessionCache]]:
    """A store with a session of a server, and that server's cache."""
    store, kept = ClientSessionStore(), SessionCache()
    Play(Tripwire(), version, store, kept).run()

    def cache(wire: Tripwire) -> SessionCache:
        made = Cache(wire)
        made.__dict__["_kept"] = kept.__dict__["_kept"].copy()
        return made

    return store, cache


def calls_of(version: ProtocolVersion) -> list[str]:
    wire = Tripwire()
    Play(wire, version, ClientSessionStore(), Cache(wire)).run()
    return wire.names


def interrupted_play(
    wire: Tripwire, version: ProtocolVersion, store: ClientSessionStore, cache: SessionCache
) -> Play | None:
    """One that was interrupted; None if it was before there were connections."""
    play = None
    try:
        play = Play(wire, version, store, cache)
        play.run()
    except Interrupted:
        return play
    raise AssertionError(f"call {wire.at} of {len(wire.names)} did not come")


def is_over(connection: ClientConnection | ServerConnection) -> None:
    assert connection.state == "Ended"
    assert connection.pending is None
    connection.data_to_send()
    events = connection.receive_data(b"")
    assert [type(event) for event in events].count(ConnectionTerminated) == 1
    end = events[-1]
    assert isinstance(end, ConnectionTerminated)
    assert connection.receive_data(b"more") == []
    with pytest.raises(LocalProtocolError, match="after the end of the connection"):
        connection.send(SendData(b"x"))
    assert connection.send(Close()) == []
    assert connection.data_to_send() == b""
    assert connection._engine.outbound.writer.sealer is None


@VERSIONS
def test_every_callback_at_every_moment(version: ProtocolVersion) -> None:
    names = calls_of(version)
    expected = {
        "clock",
        "entropy",
        "key_log",
        "SelectConfig",
        "PrepareTicket",
        "Sign",
        "VerifyPeer",
    }
    if version == V.TLS_1_3:  # TLS 1.2 cannot pad
        expected.add("padding")
    assert expected <= set(names)
    interrupted = 0
    for at in range(len(names)):
        wire = Tripwire(at)
        store, cache = ClientSessionStore(), Cache(wire)
        play = interrupted_play(wire, version, store, cache)
        if play is None:
            continue  # while a client is made: then there is none
        assert play.acting is not None
        is_over(play.acting)
        interrupted += 1
    assert interrupted > len(names) // 2


@VERSIONS
def test_every_callback_of_a_resumption(version: ProtocolVersion) -> None:
    wire = Tripwire()
    store, cache = resumable(version)
    Play(wire, version, store, cache(wire)).run()
    assert {"DecideTicket"} & set(wire.names)
    for at in range(len(wire.names)):
        wire = Tripwire(at)
        store, cache = resumable(version)
        play = interrupted_play(wire, version, store, cache(wire))
        if play is not None:
            assert play.acting is not None
            is_over(play.acting)


def test_a_session_that_was_taken_goes_back_when_no_client_is_made() -> None:
    store, _ = resumable(V.TLS_1_3)
    wire = Tripwire()
    config = client_config(
        session_store=store,
        clock=lambda: TIME,
        versions=[V.TLS_1_3],
        credentials=[client_credential()],
        post_handshake_auth=True,
        entropy=wire("entropy", lambda size: bytes(size)),
    )
    wire.at = 0
    before = store.to_bytes()
    with pytest.raises(Interrupted):
        ClientConnection(config, "server.example")
    after = store.to_bytes()
    assert before == after


@pytest.mark.parametrize("error", [Interrupted, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_the_end_says_what_interrupted(error: type[BaseException]) -> None:
    def key_log(line: str) -> None:
        raise error

    server = ServerConnection(server_config(key_log=key_log))
    client = ClientConnection(client_config(), "server.example")
    with pytest.raises(error):
        server.receive_data(client.data_to_send())
    (end,) = server.receive_data(b"")[-1:]
    assert isinstance(end, ConnectionTerminated)
    assert end.reason is Reason.INTERNAL_ERROR
    assert isinstance(end.cause, error)
