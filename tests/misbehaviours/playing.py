"""Two of our own machines talk; one of them says something else, once, before it is protected.

What was said instead is in its transcript, so that hashes, Finished and binders fit it: one thing is wrong, and nothing
else.  A scene is played honestly once, with a copy of both machines before every step; a change starts from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from unittest.mock import patch

from attrs import Factory, define, evolve, frozen

from sansticket.codes import ContentType
from sansticket.commands import Command
from sansticket.connection import client as client_module
from sansticket.connection import engine as engine_module
from sansticket.connection.client import ClientConnection
from sansticket.connection.engine import CARRIED_OUT_BY, Engine
from sansticket.connection.server import ServerConnection
from sansticket.crypto.hkdf import HASH_LENGTHS
from sansticket.errors import Fault, LocalProtocolError
from sansticket.events import ConnectionTerminated, DataReceived, Event, HandshakeCompleted
from sansticket.handshake.client.offer import ClientOffer
from sansticket.handshake.machine.flight import Flight
from sansticket.wire.extensions.resumption import PreSharedKeyOffer
from sansticket.wire.messages.base import Message
from sansticket.wire.messages.hello import ClientHello
from tests.misbehaviours.forms import name_of

Side = str
Connection = ClientConnection | ServerConnection
OTHER: Final = {"client": "server", "server": "client"}
HANDSHAKE: Final = int(ContentType.HANDSHAKE)


@frozen
class Plain:
    """A record without protection."""

    content_type: int
    content: bytes
    version: int = 0x0303


@frozen
class Sealed:
    """A record, protected if the sender has keys by now; ``damage``: a name of ``DAMAGES``, done to it on its way."""

    content_type: int
    content: bytes
    damage: str = ""
    padding: int = 0


def _resized(record: bytes, body: bytes) -> bytes:
    return record[:3] + len(body).to_bytes(2) + body


def _turned(record: bytes, place: int) -> bytes:
    return record[:place] + bytes((record[place] ^ 1,)) + record[place + 1 :]


DAMAGES: Final[dict[str, Callable[[bytes], bytes]]] = {
    "a bit of it is turned": lambda record: _turned(record, len(record) - 1),
    "its first bit is turned": lambda record: _turned(record, 5),
    "a byte of it is missing": lambda record: _resized(record, record[5:-1]),
    "a byte follows it": lambda record: _resized(record, record[5:] + b"\0"),
    "its tag is missing": lambda record: _resized(record, record[5:-16]),
}
"""What can happen to a protected record: it cannot be opened then (RFC 9846 section 5.2, RFC 5246 section 6.2.3.3)."""

Piece = bytes | Plain | Sealed
"""Bytes are handshake messages, which share their records with those beside them."""


@frozen
class Said:
    """What is said in the place of a message: ``pieces``, and what of it is in the transcript of who says it.

    ``early``: before the keys of the epoch that it belongs to.
    """

    pieces: tuple[Piece, ...]
    transcript: bytes
    early: bool = False


@frozen
class _SendPiece:
    piece: Plain | Sealed


def _send_piece(engine: Engine, effect: _SendPiece) -> None:
    piece, writer = effect.piece, engine.outbound.writer
    if isinstance(piece, Plain):
        head = bytes((piece.content_type,)) + piece.version.to_bytes(2) + len(piece.content).to_bytes(2)
        record = head + piece.content
    elif writer.sealer is None:
        record = bytes((piece.content_type, 3, 3)) + len(piece.content).to_bytes(2) + piece.content
    else:
        record = writer.sealer.seal(piece.content_type, piece.content, piece.padding)
    if isinstance(piece, Sealed) and piece.damage:
        record = DAMAGES[piece.damage](record)
    writer.records.append(record)


@define
class Tamper:
    """Notes what is said, and puts ``instead`` in the place of message number ``ordinal``."""

    ordinal: int = -1
    instead: Said | None = None
    spoken: list[bytes] = Factory(list)

    def next(self, raw: bytes) -> Said | None:
        self.spoken.append(raw)
        return self.instead if len(self.spoken) - 1 == self.ordinal else None


_current = Tamper()


class _Flight(Flight):
    __slots__ = ()

    def send(self, message: Message) -> bytes:
        return self.send_raw(message.encode())

    def send_raw(self, raw: bytes) -> bytes:
        said = _current.next(raw)
        if said is None:
            self.effects.append(raw)
            return raw
        behind: list[Any] = []
        if said.early:
            while self.effects and type(self.effects[-1]) is not bytes:
                behind.insert(0, self.effects.pop())
        for piece in said.pieces:
            if isinstance(piece, bytes):
                self.effects.append(piece)
            else:
                self.effects.append(_SendPiece(piece))
        self.effects += behind
        return said.transcript


def _sent(offer: ClientOffer, flight: Flight) -> ClientOffer:
    """As ``ClientOffer.sent``, with binders over what is really sent."""
    assert isinstance(flight, _Flight)
    honest = evolve(offer)
    probe = Flight(flight.now, flight.entropy)
    sent = _honest_sent(honest, probe)
    raw = sent.transcript.messages[-1]
    if len(_current.spoken) == _current.ordinal and _current.instead is not None:
        said = _current.instead
        again = _bound(offer, said.transcript, raw)
        pieces = tuple(again if piece == said.transcript else piece for piece in said.pieces)
        _current.instead = Said(pieces, again, said.early)
    raw = flight.send_raw(raw)
    return evolve(sent, hello=_remembered(offer.hello, raw), transcript=offer.transcript.plus(raw))


def _bound(offer: ClientOffer, raw: bytes, honest: bytes) -> bytes:
    """With new binders, if the end of the hello is the list of them that it should be."""
    hashes = [early.hash_name for early, _ in offer._keys()]
    size = 2 + sum(1 + HASH_LENGTHS[hash_name] for hash_name in hashes)
    if not hashes or raw == honest or raw[-size:] != honest[-size:]:
        return raw
    return offer._with_binders(raw, offer._keys())


def _remembered(hello: ClientHello, raw: bytes) -> ClientHello:
    """What the client believes to have said, so that it can go on."""
    try:
        said = ClientHello.decode(raw[4:])
    except Fault:
        return hello
    return evolve(
        said, extensions=tuple(one for one in said.extensions if one.type != PreSharedKeyOffer.TYPE)
    )


_honest_sent = ClientOffer.sent


@contextmanager
def tampering(tamper: Tamper) -> Iterator[None]:
    """While the one who misbehaves makes a step."""
    global _current
    before, _current = _current, tamper
    with (
        patch.object(engine_module, "Flight", _Flight),
        patch.object(client_module, "Flight", _Flight),
        patch.object(ClientOffer, "sent", _sent),
        patch.dict(CARRIED_OUT_BY, {_SendPiece: _send_piece}),
    ):
        try:
            yield
        finally:
            _current = before


# --- playing -----------------------------------------------------------------------------------------------------


@frozen
class Step:
    """One side takes bytes or a command, from ``client`` and ``server`` as they were; None before they were made."""

    side: Side
    item: bytes | Command | None
    client: ClientConnection | None
    server: ServerConnection | None
    position: int
    """How many of the commands of the talk were given."""


@frozen
class Site:
    """A message of a scene: ``sender`` says ``raw`` in the step, as its message number ``ordinal``."""

    scene: Any
    number: int
    step: Step
    ordinal: int
    sender: Side
    name: str
    raw: bytes
    before: tuple[str, ...]
    """What the same side said before it, in its order."""
    behind: tuple[str, ...]
    """What it says behind it in the same step."""
    connected: bool
    """The handshake was done, for who hears it, before this step."""

    @property
    def victim(self) -> Side:
        return OTHER[self.sender]

    @property
    def tls12(self) -> bool:
        return bool(self.scene.tls12)


@define
class Play:
    """Both machines, and what each has heard."""

    client: ClientConnection
    server: ServerConnection
    talk: Sequence[tuple[Side, Command]]
    position: int = 0
    events: dict[Side, list[Event]] = Factory(lambda: {"client": [], "server": []})
    steps: list[tuple[Step, Tamper]] | None = None

    def side(self, side: Side) -> Connection:
        return self.client if side == "client" else self.server

    def take(self, side: Side, item: bytes | Command) -> None:
        tamper = Tamper()
        if self.steps is not None:
            step = Step(side, item, self.client.fork(), self.server.fork(), self.position)
            self.steps.append((step, tamper))
            with tampering(tamper):
                self._take(side, item)
        else:
            self._take(side, item)

    def _take(self, side: Side, item: bytes | Command) -> None:
        connection = self.side(side)
        try:
            if isinstance(item, bytes):
                self.events[side] += connection.receive_data(item)
            else:
                self.events[side] += connection.send(item)
        except LocalProtocolError:
            pass  # it is over, or never came so far

    def take_changed(self, side: Side, item: bytes | Command, tamper: Tamper) -> None:
        with tampering(tamper):
            self._take(side, item)

    def go_on(self) -> None:
        """Until nobody has anything to say."""
        while True:
            moved = False
            for sender, receiver in OTHER.items():
                data = self.side(sender).data_to_send()
                if data:
                    moved = True
                    self.take(receiver, data)
            if not moved:
                if self.position == len(self.talk):
                    return
                side, command = self.talk[self.position]
                self.position += 1
                self.take(side, command)

    def end_of(self, side: Side) -> ConnectionTerminated | None:
        events = self.events[side]
        last = events[-1] if events else None
        return last if isinstance(last, ConnectionTerminated) else None

    def completed(self, side: Side) -> bool:
        return any(isinstance(event, HandshakeCompleted) for event in self.events[side])

    def heard(self, side: Side, data: bytes) -> bool:
        """Its application data ends so."""
        return b"".join([one.data for one in self.events[side] if isinstance(one, DataReceived)]).endswith(
            data
        )


def sites_of(scene: Any) -> list[Site]:
    """Play it honestly; every message that was said."""
    tamper = Tamper()
    assert scene.sessions or not scene.resumes
    with tampering(tamper):
        client = scene.new_client()
    first = Step("client", None, None, None, 0)
    play = Play(client, scene.new_server(), scene.talk, steps=[(first, tamper)])
    play.go_on()
    assert play.steps is not None
    for side in OTHER:
        assert play.end_of(side) is None, (scene.name, play.end_of(side))
        assert play.heard(side, scene.last_word(OTHER[side])), scene.name
    found: list[Site] = []
    said: dict[Side, list[str]] = {"client": [], "server": []}
    for step, noted in play.steps:
        names = []
        for raw in noted.spoken:
            second = "ClientHello" in said[step.side]
            names.append(name_of(raw, scene.tls12, second))
            said[step.side].append(names[-1])
        all_before = said[step.side][: len(said[step.side]) - len(names)]
        other = step.client if step.side == "server" else step.server
        connected = other is not None and bool(other._engine.state.ESTABLISHED)
        for ordinal, raw in enumerate(noted.spoken):
            before = (*all_before, *names[:ordinal])
            behind = tuple(names[ordinal + 1 :])
            found.append(
                Site(
                    scene,
                    len(found),
                    step,
                    ordinal,
                    step.side,
                    names[ordinal],
                    raw,
                    before,
                    behind,
                    connected,
                )
            )
    return found


def replay(site: Site, said: Said) -> Play:
    """From the step of the site, with something else said."""
    tamper, step, scene = Tamper(site.ordinal, said), site.step, site.scene
    if step.item is None:
        with tampering(tamper):
            client = scene.new_client()
        play = Play(client, scene.new_server(), scene.talk)
    else:
        assert step.client is not None
        assert step.server is not None
        play = Play(step.client.fork(), step.server.fork(), scene.talk, step.position)
        play.take_changed(step.side, step.item, tamper)
    play.go_on()
    return play
