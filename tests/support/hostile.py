"""A TLS 1.3 peer made by hand: it says what it is told to say, right or wrong.

It is no state machine and checks nothing.  It builds messages and records from the rooms ``wire``, ``record``
and ``keys``, keeps the transcript and the keys as an honest peer would, and lets a test change any message on
its way out: everything that depends on the message (hashes, signatures, Finished) is computed from what was
really sent, so that one thing is wrong and nothing else.

``victim`` is a connection of the package.  ``HostileServer`` and ``HostileClient`` have modules of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final, Self

from sansticket.codes import AlertDescription, AlertLevel, ContentType
from sansticket.connection.client import ClientConnection
from sansticket.connection.server import ServerConnection
from sansticket.crypto.suites import SuiteParameters
from sansticket.errors import ALERTS, Fault, LocalProtocolError, Reason
from sansticket.events import ConnectionTerminated, Event, Question
from sansticket.keys.tls13 import next_traffic_secret, traffic_keys
from sansticket.keys.transcript import Transcript
from sansticket.record.reader import Opener
from sansticket.record.tls13 import Opener as Opener13
from sansticket.record.tls13 import Sealer as Sealer13
from sansticket.record.writer import Sealer
from sansticket.wire.messages.alert import Alert
from sansticket.wire.messages.base import Message
from sansticket.wire.messages.tables import MESSAGES_OF_TLS13
from tests.support.edits import changed

CHANGE_CIPHER_SPEC: Final = int(ContentType.CHANGE_CIPHER_SPEC)
ALERT: Final = int(ContentType.ALERT)
HANDSHAKE: Final = int(ContentType.HANDSHAKE)
APPLICATION_DATA: Final = int(ContentType.APPLICATION_DATA)

Said = Message | bytes
"""A message, or the raw bytes of one with its header, however wrong."""

Edit = Callable[[Any], "Said | Sequence[Said] | None"]
"""From the message that an honest peer would send to what is sent instead: one, several, or None for nothing."""

Edits = Mapping[type[Message], Edit]


def plain_record(content_type: int, content: bytes, version: int = 0x0303) -> bytes:
    """An unprotected record, however wrong."""
    return bytes((content_type,)) + version.to_bytes(2) + len(content).to_bytes(2) + content


def raw_message(kind: int, body: bytes) -> bytes:
    """A handshake message of any type with any body."""
    return bytes((kind,)) + len(body).to_bytes(3) + body


def held_bytes(connection: ClientConnection | ServerConnection) -> int:
    """Bytes of the peer's that a connection keeps at the moment."""
    return connection._engine.reader.buffered + len(connection._engine.held)


class HostilePeer:
    """What both sides have in common.

    ``events`` are the victim's so far; ``heard`` the handshake messages it sent (``heard_raw`` their bytes), ``data``
    its application data and ``alerts`` its alerts.  ``sealer`` protects what we send; ``openers`` are the keys of
    the victim that are yet to come, the present one first.
    """

    DECODERS: ClassVar[Mapping[int, Callable[[bytes], Message]]] = MESSAGES_OF_TLS13

    def __init__(
        self, victim: ClientConnection | ServerConnection, suite: SuiteParameters, edits: Edits | None = None
    ) -> None:
        self.victim = victim
        self.suite = suite
        self.edits: Edits = edits or {}
        self.events: list[Event] = []
        self.heard: list[Message] = []
        self.heard_raw: list[bytes] = []
        self.data = bytearray()
        self.alerts: list[Alert] = []
        self.content_types: list[int] = []
        self.transcript = Transcript(suite.hash_name)
        self.sealer: Sealer | None = None
        self.openers: list[Opener] = []
        self.our_secret = b""
        self.their_secret = b""
        self._incoming = b""
        self._handshake_bytes = b""

    # --- saying ------------------------------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """The victim has ended the connection."""
        return bool(self.events) and isinstance(self.events[-1], ConnectionTerminated)

    def deliver(self, data: bytes) -> list[Event]:
        """Hand bytes to the victim; ``b""`` is the end of the stream."""
        events = self.victim.receive_data(data)
        self.events += events
        return events

    def record(self, content_type: int, content: bytes, padding: int = 0) -> bytes:
        """One record, protected if we have keys."""
        if self.sealer is None:
            return plain_record(content_type, content)
        return self.sealer.seal(content_type, content, padding)

    def send(self, content_type: int, content: bytes) -> list[Event]:
        """One record to the victim."""
        return self.deliver(self.record(content_type, content))

    def say(self, message: Message) -> Self:
        """Send a message in records of its own, after the edit for its class, and note it in the transcript."""
        for said in self.edited(message):
            raw = said if isinstance(said, bytes) else said.encode()
            self.transcript = self.transcript.plus(raw)
            self.send_message(raw)
        return self

    def edited(self, message: Message) -> Sequence[Said]:
        edit = self.edits.get(type(message))
        said = message if edit is None else changed(message, edit(message))
        if said is None:
            return ()
        return (said,) if isinstance(said, Message | bytes) else said

    def send_message(self, message: Said) -> list[Event]:
        """Send a message in as many records as it needs, past edits and transcript."""
        raw = message if isinstance(message, bytes) else message.encode()
        pieces = [raw[start : start + 2**14] for start in range(0, len(raw), 2**14)]
        return [event for piece in pieces for event in self.send(HANDSHAKE, piece)]

    def send_alert(self, description: int, level: int = AlertLevel.FATAL) -> list[Event]:
        return self.send(ALERT, Alert(level, description).encode())

    def protect(self, secret: bytes) -> None:
        """Our records are sealed under this traffic secret from now on."""
        self.our_secret = secret
        self.sealer = Sealer13(self.suite, traffic_keys(self.suite, secret))

    def expect(self, secret: bytes) -> None:
        """The victim's records will be sealed under this traffic secret some time."""
        self.their_secret = secret
        self.openers.append(Opener13(self.suite, traffic_keys(self.suite, secret)))

    def update_keys(self) -> None:
        """Our next application traffic secret (RFC 9846 section 7.2)."""
        self.protect(next_traffic_secret(self.suite.hash_name, self.our_secret))

    def expect_update(self) -> None:
        """The victim's next application traffic secret."""
        self.expect(next_traffic_secret(self.suite.hash_name, self.their_secret))

    # --- hearing -----------------------------------------------------------------------------------------------

    def listen(self) -> Self:
        """Take what the victim has to send, and open it."""
        self._incoming += self.victim.data_to_send()
        while len(self._incoming) >= 5:
            stop = 5 + int.from_bytes(self._incoming[3:5])
            if len(self._incoming) < stop:
                break
            header, body = self._incoming[:5], self._incoming[5:stop]
            self._incoming = self._incoming[stop:]
            self._hear(*self._open(header, body))
        return self

    def _open(self, header: bytes, body: bytes) -> tuple[int, bytes]:
        if header[0] != APPLICATION_DATA:
            return header[0], body
        while True:
            try:
                return self.openers[0].open(header, body)
            except Fault:
                if len(self.openers) == 1:
                    raise
                del self.openers[0]

    def _hear(self, content_type: int, content: bytes) -> None:
        self.content_types.append(content_type)
        if content_type == ALERT:
            self.alerts.append(Alert.decode(content))
        elif content_type == APPLICATION_DATA:
            self.data += content
        elif content_type == HANDSHAKE:
            self._handshake_bytes += content
            self._hear_messages()

    def _hear_messages(self) -> None:
        held = self._handshake_bytes
        while len(held) >= 4 and len(held) >= (stop := 4 + int.from_bytes(held[1:4])):
            self.heard_raw.append(held[:stop])
            self.heard.append(self.DECODERS[held[0]](held[4:stop]))
            self.took(self.heard[-1], held[:stop])
            held = held[stop:]
        self._handshake_bytes = held

    def took(self, message: Message, raw: bytes) -> None:
        """A message of the victim's has come."""

    # --- what must have happened -------------------------------------------------------------------------------

    def assert_refused(self, reason: Reason, alert: AlertDescription | None = None, detail: str = "") -> None:
        """The victim ended the connection for this reason, told us so in one fatal alert, and is done for good."""
        self.listen()
        expected = ALERTS[reason] if alert is None else alert
        assert self.events, "nothing happened"
        end = self.events[-1]
        assert isinstance(end, ConnectionTerminated), end
        assert end.reason is reason, end
        assert end.alert == expected
        assert detail in end.detail
        assert not end.by_peer
        assert self.alerts == [Alert(AlertLevel.FATAL, expected)]
        assert_over(self.victim, self.events)

    def assert_alive(self) -> None:
        """Nothing of what was sent ended the connection."""
        assert not self.over, self.events[-1]
        self.listen()
        assert self.alerts == []


def assert_over(victim: ClientConnection | ServerConnection, events: Sequence[Event]) -> None:
    """The termination is the last event and the only one, and nothing can be done any more."""
    assert [type(event) for event in events].count(ConnectionTerminated) == 1
    assert isinstance(events[-1], ConnectionTerminated)
    assert victim.state == "Ended"
    assert victim.pending is None
    assert victim.data_to_send() == b""
    assert held_bytes(victim) == 0
    assert victim.fork().receive_data(b"\x16\x03\x03\0\1\0") == []
    assert victim.fork().receive_data(b"") == []
    assert held_bytes(victim) == 0
    assert_takes_no_command(victim)
    assert_knows_no_secrets(victim)


def assert_knows_no_secrets(victim: ClientConnection | ServerConnection) -> None:
    """RFC 9846 section 6: those of a failed connection MUST be forgotten."""
    assert victim._engine.outbound.writer.records_left is None
    try:
        victim.export_keying_material("EXPORTER-test", b"", 16)
    except LocalProtocolError:
        pass
    else:
        raise AssertionError("keying material after the end")


def assert_takes_no_command(victim: ClientConnection | ServerConnection) -> None:
    from sansticket.commands import Close, SendData

    fork = victim.fork()
    try:
        fork.send(SendData(b"late"))
    except LocalProtocolError:
        pass
    else:
        raise AssertionError("SendData after the end")
    assert fork.send(Close()) == []
    assert fork.data_to_send() == b""


def questions(events: Sequence[Event]) -> list[Question]:
    return [event for event in events if isinstance(event, Question)]
