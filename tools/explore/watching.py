"""Engines and writers that say what they do: steps, messages that were accepted, new keys, records, events.

They are the package's own with notes: nothing is decided here.
"""

from __future__ import annotations

from typing import ClassVar, Final

from attrs import define, field, frozen

from sansticket.connection.connection import Connection
from sansticket.connection.engine import Engine
from sansticket.errors import Fault
from sansticket.events import DataReceived, Event, HandshakeCompleted
from sansticket.handshake.machine.flight import (
    Flight,
    ReadEarlyData,
    StopProtectingWrites,
)
from sansticket.handshake.machine.state import EarlyDataRecord, Ended, State
from sansticket.handshake.machine.transitions import Input, accepted_by, successors_of
from sansticket.record.protection import Direction
from sansticket.record.reader import Opener
from sansticket.record.writer import RecordWriter
from sansticket.tickets.early_data import EarlyDataStatus
from tests.support.state_samples import records

Keys = bytes
"""Key and iv of one direction of one epoch; b"" without protection."""

Transition = tuple[type[State], type[Input], type[State]]

HANDSHAKE: Final = 22
APPLICATION_DATA: Final = 23

AFTER: Final = {"plaintext": "handshake", "early data": "handshake", "handshake": "application data"}
"""The epochs of TLS 1.3, each with the one that follows; those after a KeyUpdate have a number."""


@frozen
class Content:
    """What was under protection: the keys, the number of the record, the content type, and all that it says."""

    keys: Keys
    sequence: int
    content_type: int
    data: bytes

    @property
    def said(self) -> tuple[Keys, int, bytes]:
        return self.keys, self.content_type, self.data


@frozen
class Agreed:
    """What one side thinks has been agreed on."""

    version: int
    suite: int
    group: int
    alpn_protocol: bytes | None
    server_name: str | None
    resumed: bytes | None
    """The secret of the session."""
    psk_identity: bytes | None
    early_data: bool
    """It was accepted."""
    exporter: bytes
    """What RFC 9846 section 7.5 gives for a label."""
    peer_certificates: tuple[bytes, ...] = field(eq=False)


@define
class Notes:
    """What happened since they were emptied."""

    transitions: list[Transition] = field(factory=list)
    accepted: list[tuple[Keys, int, bytes]] = field(factory=list)
    """Handshake messages and data: under which keys, the content type, the bytes."""
    written: list[Content] = field(factory=list)
    events: list[Event] = field(factory=list)
    agreed: Agreed | None = None
    places: list[tuple[type[State], str, str]] = field(factory=list)
    """States that were reached, with the epoch in which they read and the one in which they write."""
    quarrels: list[str] = field(factory=list)
    """Keys of which one side says that they are of another epoch than the other side does."""

    def plus(self, later: Notes) -> Notes:
        """These, and then those."""
        return Notes(
            self.transitions + later.transitions,
            self.accepted + later.accepted,
            self.written + later.written,
            self.events + later.events,
            later.agreed or self.agreed,
            self.places + later.places,
            self.quarrels + later.quarrels,
        )


class Watch:
    """Where the notes go, and which keys are of which epoch."""

    notes: Notes = Notes()
    epochs: ClassVar[dict[Keys, str]] = {b"": "plaintext"}


def keys_of(direction: object) -> Keys:
    """Those of a ``Sealer`` or ``Opener``, or of a ``TrafficKeys``."""
    keys = getattr(direction, "keys", direction)
    return b"" if keys is None else bytes(keys.key + keys.iv)  # type: ignore[attr-defined]  # TrafficKeys


def reads(connection: Connection) -> Keys:
    return keys_of(connection._engine.reader._opener)


def writes(connection: Connection) -> Keys:
    return keys_of(connection._engine.outbound.writer.sealer)


def epochs(engine: Engine) -> tuple[str, str]:
    """That in which it reads, and that in which it writes; "" for a direction that has ended."""
    out = engine.outbound
    return (
        "" if engine.read_closed else Watch.epochs[keys_of(engine.reader._opener)],
        "" if out.closed else Watch.epochs[keys_of(out.writer.sealer)],
    )


class WatchedWriter(RecordWriter):
    __slots__ = ()

    def write(self, content_type: int, data: bytes | bytearray | memoryview) -> None:
        sequence = 0 if self.sealer is None else self.sealer.sequence
        super().write(content_type, data)
        Watch.notes.written.append(Content(keys_of(self.sealer), sequence, content_type, bytes(data)))


class WatchedEngine(Engine):
    __slots__ = ()

    def step(self, item: Input, raw: bytes = b"") -> bool:
        before, keys = type(self.state), keys_of(self.reader._opener)
        try:
            unsettled = super().step(item, raw)
        except Fault:
            if type(item) in accepted_by(before) and not successors_of(before, type(item)):
                Watch.notes.transitions.append((before, type(item), Ended))
            raise
        Watch.notes.transitions.append((before, type(item), type(self.state)))
        Watch.notes.places.append((type(self.state), *epochs(self)))
        if raw:
            Watch.notes.accepted.append((keys, HANDSHAKE, raw))
        elif type(item) is EarlyDataRecord:
            Watch.notes.accepted.append((keys, APPLICATION_DATA, item.data))
        return unsettled

    def carry_out(self, flight: Flight) -> None:
        now = {
            "reads": keys_of(self.reader._opener),
            "writes": keys_of(self.outbound.writer.sealer),
        }
        for effect in flight.effects:
            if isinstance(effect, ReadEarlyData):
                _name(keys_of(effect.opener), "early data")
                now["reads"] = keys_of(effect.opener)
            elif isinstance(effect, StopProtectingWrites):
                now["writes"] = b""
            elif isinstance(effect, Direction):
                way = "reads" if isinstance(effect, Opener) else "writes"
                new = keys_of(effect)
                _name(new, self._epoch_after(Watch.epochs[now[way]]))
                now[way] = new
        super().carry_out(flight)

    def _epoch_after(self, epoch: str) -> str:
        if not self.state.VERSION.updates_keys:
            return "protected"
        if epoch.startswith("application data"):
            return f"application data {int('0' + epoch[17:]) + 1}"
        return AFTER[epoch]

    def tell(self, event: Event) -> None:
        super().tell(event)
        notes = Watch.notes
        notes.events.append(event)
        if type(event) is DataReceived:
            notes.accepted.append((keys_of(self.reader._opener), APPLICATION_DATA, event.data))
        elif type(event) is HandshakeCompleted:
            notes.agreed = _agreed(self)


def _name(keys: Keys, epoch: str) -> None:
    """Both sides have the keys: they must be of the same epoch to both."""
    if Watch.epochs.setdefault(keys, epoch) != epoch:
        Watch.notes.quarrels.append(f"keys of {epoch} are those of {Watch.epochs[keys]} to the other side")


def _agreed(engine: Engine) -> Agreed:
    known = engine.established
    assert known is not None
    assert known.exporter is not None
    session = known.resumed_session
    return Agreed(
        known.version,
        int(known.suite.suite),
        known.group,
        known.alpn_protocol,
        known.server_name,
        None if session is None else session.secret,
        known.psk_identity,
        engine.early_data.status is EarlyDataStatus.ACCEPTED,
        known.exporter.export(b"EXPORTER-explore", b"", 32),
        known.peer_certificates,
    )


def watched(connection: Connection) -> list[Content]:
    """From here on what the connection does is noted.  What it has to say already, which is not protected yet."""
    engine = connection._engine
    engine.__class__ = WatchedEngine
    engine.outbound.writer.__class__ = WatchedWriter
    if engine.outbound.writer.sealer is not None:
        _name(writes(connection), "early data")
    return [
        Content(b"", 0, record[0], record[5:]) for record in records(b"".join(engine.outbound.writer.records))
    ]
