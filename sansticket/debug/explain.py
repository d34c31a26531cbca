"""What two streams of bytes say: the records of a connection, and the messages inside them.

An ``Explainer`` is an observer.  It is given the bytes of both directions, in pieces of any size, and a key
log, and gives every record with its contents.  It has no state machine: it follows only what decides how the
next record is to be read, which is little:

    ClientHello     whose secrets to look for in the key log, and under which early keys data may follow
    ServerHello     the version and the suite; in TLS 1.3 both directions have handshake keys from here on
    Finished        TLS 1.3, in the handshake: its sender goes on with application keys
    KeyUpdate       TLS 1.3: its sender goes on with the next keys
    change_cipher_spec   TLS 1.2: its sender is protected from here on

Nothing is judged and nothing raises: what cannot be read is ``Unread``, with the reason, and the reading goes
on behind it.

A direction whose next record cannot be understood before the other has spoken waits for it.  So two streams
that were captured apart can be given one after the other; the order of the records is then a possible one, not
necessarily the real one, but for the ServerHello of a renegotiation: it has to be opened to be seen, and may come
before the hello that it answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Literal

from attrs import define, field

from sansticket.codes import ContentType, HandshakeType, ProtocolVersion
from sansticket.crypto.suites import SUITES, SuiteParameters, TrafficKeys
from sansticket.debug.key_log import KeyLog
from sansticket.errors import Fault, Reason
from sansticket.keys.tls12 import MasterSecret
from sansticket.keys.tls13 import next_traffic_secret, traffic_keys
from sansticket.record.protection import HEADER_LENGTH, TAG_LENGTH
from sansticket.record.reader import Opener
from sansticket.record.tls12 import Opener as Opener12
from sansticket.record.tls13 import Opener as Opener13
from sansticket.values import frozen
from sansticket.wire.extensions.negotiation import SelectedVersion
from sansticket.wire.extensions.resumption import EarlyData
from sansticket.wire.messages.alert import Alert
from sansticket.wire.messages.base import Message
from sansticket.wire.messages.hello import ClientHello, HelloRetryRequest, ServerHello
from sansticket.wire.messages.tables import MESSAGES_OF_TLS12, MESSAGES_OF_TLS13
from sansticket.wire.messages.tls13 import Finished, KeyUpdate

Side = Literal["client", "server"]

PLAINTEXT: Final = ""
"""The ``keys`` of a record without protection."""

_LABELS: Final[dict[Side, dict[str, str]]] = {
    "client": {
        "early": "CLIENT_EARLY_TRAFFIC_SECRET",
        "handshake": "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        "application": "CLIENT_TRAFFIC_SECRET_0",
    },
    "server": {
        "handshake": "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        "application": "SERVER_TRAFFIC_SECRET_0",
    },
}
"""Under which label the key log has the secret of each kind of keys of TLS 1.3."""


@frozen
class HandshakeMessage:
    """A handshake message, in the record where it ended.

    ``size`` is in bytes with its header of four; ``records`` how many it was spread over.  ``message`` is None
    where it does not decode, and ``problem`` says why.  ``raw`` is what was on the wire, with the header.
    """

    name: str
    size: int
    records: int
    message: Message | None
    problem: str = ""
    raw: bytes = field(default=b"", repr=False, eq=False)


@frozen
class ChangeCipherSpec:
    """The one byte of TLS 1.2, and of the compatibility mode of TLS 1.3."""


@frozen
class ApplicationData:
    data: bytes = field(repr=lambda data: f"<{len(data)} bytes>")


@frozen
class Unread:
    """``size`` bytes that could not be read."""

    size: int
    why: str


Content = HandshakeMessage | Alert | ChangeCipherSpec | ApplicationData | Unread


@frozen
class Record:
    """One record.

    ``offset`` is where it begins in its sender's stream, ``size`` what it takes there with its header.
    ``keys`` names what it was protected with: "" for nothing, "early", "handshake", "application" (with the
    number of KeyUpdates before it, if there were any), "connection" in TLS 1.2; None where it was not opened.
    ``padding`` is in bytes.  A handshake message that goes on in the next record is not among the ``contents``.
    """

    sender: Side
    offset: int
    size: int
    content_type: int
    keys: str | None
    contents: tuple[Content, ...]
    padding: int = 0


def explain(pieces: Iterable[tuple[Side, bytes]], key_log: KeyLog) -> list[Record]:
    """All records of one connection, from (sender, bytes) in the order in which they were sent."""
    explainer = Explainer(key_log)
    records = [record for sender, data in pieces for record in explainer.feed(sender, data)]
    return records + explainer.finish()


@frozen
class _Keys:
    """What opens the records of one direction."""

    name: str
    suite: SuiteParameters
    secret: bytes = field(repr=False)
    opener: Opener

    @classmethod
    def from_secret(cls, name: str, suite: SuiteParameters, secret: bytes) -> _Keys:
        return cls(name, suite, secret, Opener13(suite, traffic_keys(suite, secret)))

    def updated(self) -> _Keys:
        base, _, number = self.name.partition(" ")
        secret = next_traffic_secret(self.suite.hash_name, self.secret)
        return _Keys.from_secret(f"{base} {int(number or 0) + 1}", self.suite, secret)


@define
class _Direction:
    """One sender's stream.

    ``keys`` are those that its next record may be protected with, in the order in which they come into use:
    the first that opens a record is what the sender uses now, and those before it are done with.  ``missing``
    says why there are none.
    """

    sender: Side
    held: bytearray = field(factory=bytearray)
    """What has come and was not read; it grows and shrinks in place, so that a long stream is read in linear time."""
    offset: int = 0
    keys: list[_Keys] = field(factory=list)
    missing: str = ""
    protected: bool = False
    """TLS 1.2: change_cipher_spec was sent, and every record from here on is protected."""
    handshake: bytearray = field(factory=bytearray)
    """The beginning of a message that goes on in the next record."""
    spread: int = 0
    """How many records it has taken so far."""

    def next_record(self) -> bytes | None:
        """The next whole record; or all that is held, if it is no record."""
        held = self.held
        if len(held) < HEADER_LENGTH:
            return None
        stop = HEADER_LENGTH + int.from_bytes(held[3:5]) if _is_header(held) else len(held)
        if len(held) < stop:
            return None
        record = bytes(held[:stop])
        del held[:stop]
        return record


class Explainer:
    """Reads one connection.  ``feed`` it, ``finish`` it; both give the records that have become readable."""

    def __init__(self, key_log: KeyLog) -> None:
        self._key_log = key_log
        self._directions: dict[Side, _Direction] = {
            "client": _Direction("client"),
            "server": _Direction("server"),
        }
        self._hello: ClientHello | None = None
        self._tls12_keys: dict[Side, TrafficKeys] = {}
        self._suite: SuiteParameters | None = None
        self._in_tls12 = False
        self._hellos = 0
        self._answers = 0
        self._ahead: ServerHello | None = None
        """TLS 1.2: of a later handshake, before the ClientHello that it answers."""
        self._finished = False

    def feed(self, sender: Side, data: bytes) -> list[Record]:
        """Bytes of one direction."""
        self._directions[sender].held += data
        return list(self._read())

    def finish(self) -> list[Record]:
        """The end of both streams: what is left is read as far as it can be."""
        self._finished = True
        records = list(self._read())
        for direction in self._directions.values():
            if rest := bytes(direction.held):
                records.append(self._unread(direction, rest, "the stream ends amid a record"))
            if begun := direction.handshake:
                why = "the stream ends amid a handshake message"
                records.append(
                    Record(direction.sender, direction.offset, 0, 22, None, (Unread(len(begun), why),))
                )
        return records

    def _read(self) -> Iterator[Record]:
        moved = True
        while moved:
            moved = False
            for direction in self._directions.values():
                while self._may_read(direction) and (raw := direction.next_record()) is not None:
                    moved = True
                    yield self._record(direction, raw)

    def _may_read(self, direction: _Direction) -> bool:
        """Hellos and their answers take turns: until there is a ServerHello, nobody is read ahead.

        An alert can be read at any time, and so can the change_cipher_spec after a HelloRetryRequest; a client's
        waits, since it means something else in TLS 1.2.
        """
        if self._finished or not direction.held:
            return True
        if self._in_tls12:
            return self._may_read_tls12(direction)
        if self._suite is not None:
            return True
        answer_is_due = self._hellos > self._answers
        if direction.held[0] == ContentType.ALERT:
            return True
        if direction.sender == "server":
            return answer_is_due or direction.held[0] == ContentType.CHANGE_CIPHER_SPEC
        return not answer_is_due or bool(direction.keys)

    def _may_read_tls12(self, direction: _Direction) -> bool:
        """Hellos take turns under the keys of an earlier handshake too, and new keys are of both (renegotiation)."""
        if direction.sender == "server":
            return self._ahead is None
        return direction.held[0] != ContentType.CHANGE_CIPHER_SPEC or self._hellos <= self._answers

    # --- records ---------------------------------------------------------------------------------------------

    def _record(self, direction: _Direction, raw: bytes) -> Record:
        if not _is_header(raw):
            return self._unread(direction, raw, "not a TLS record")
        outer = raw[0]
        if direction.protected or (outer == ContentType.APPLICATION_DATA and not self._in_tls12):
            return self._protected_record(direction, raw)
        offset = self._advance(direction, raw)
        contents = self._contents(direction, outer, raw[HEADER_LENGTH:])
        return Record(direction.sender, offset, len(raw), outer, PLAINTEXT, contents)

    def _protected_record(self, direction: _Direction, raw: bytes) -> Record:
        header, body = raw[:HEADER_LENGTH], raw[HEADER_LENGTH:]
        why = direction.missing or "protected, and nothing is known of its keys"
        for index, keys in enumerate(direction.keys):
            try:
                content_type, content = keys.opener.open(header, body)
            except Fault as fault:
                why = f"does not open with the {keys.name} keys: {fault}"
                if fault.reason is Reason.BAD_RECORD_MAC:
                    continue
                keys.opener.sequence += 1  # authentic, and still nothing that can be read
                break
            del direction.keys[:index]
            offset = self._advance(direction, raw)
            padding = 0 if self._in_tls12 else len(body) - TAG_LENGTH - 1 - len(content)
            contents = self._contents(direction, content_type, content)
            return Record(direction.sender, offset, len(raw), content_type, keys.name, contents, padding)
        return self._unread(direction, raw, why)

    def _unread(self, direction: _Direction, raw: bytes, why: str) -> Record:
        offset = self._advance(direction, raw)
        return Record(direction.sender, offset, len(raw), raw[0], None, (Unread(len(raw), why),))

    @staticmethod
    def _advance(direction: _Direction, raw: bytes) -> int:
        offset = direction.offset
        direction.offset += len(raw)
        return offset

    # --- contents --------------------------------------------------------------------------------------------

    def _contents(self, direction: _Direction, content_type: int, content: bytes) -> tuple[Content, ...]:
        if content_type == ContentType.HANDSHAKE:
            return tuple(self._messages(direction, content))
        if content_type == ContentType.APPLICATION_DATA:
            return (ApplicationData(content),)
        if content_type == ContentType.CHANGE_CIPHER_SPEC:
            self._after_change_cipher_spec(direction)
            return (ChangeCipherSpec(),)
        try:
            return (Alert.decode(content),)
        except Fault as fault:
            return (Unread(len(content), str(fault)),)

    def _messages(self, direction: _Direction, content: bytes) -> Iterator[HandshakeMessage]:
        """The messages that end in this record."""
        direction.handshake += content
        direction.spread += 1
        while len(direction.handshake) >= 4:
            stop = 4 + int.from_bytes(direction.handshake[1:4])
            if len(direction.handshake) < stop:
                break
            raw = bytes(direction.handshake[:stop])
            del direction.handshake[:stop]
            yield self._message(direction, raw)
            direction.spread = 1
        if not direction.handshake:
            direction.spread = 0

    def _message(self, direction: _Direction, raw: bytes) -> HandshakeMessage:
        decode = (MESSAGES_OF_TLS12 if self._in_tls12 else MESSAGES_OF_TLS13).get(raw[0])
        message, problem = None, ""
        if decode is None:
            problem = "unknown in this version"
        else:
            try:
                message = decode(raw[4:])
            except Fault as fault:
                problem = str(fault)
        if message is not None:
            self._follow(direction, message)
        name = message_name(raw[0], message)
        return HandshakeMessage(name, len(raw), direction.spread, message, problem, raw)

    # --- what decides how the next record is read --------------------------------------------------------------

    def _follow(self, direction: _Direction, message: Message) -> None:
        match message:
            case ClientHello():
                self._hellos += 1
                self._hello = message
                if self._ahead is not None:
                    self._meet(self._ahead)
                if message.find(EarlyData) is not None:
                    direction.keys = self._early_keys(message)
            case HelloRetryRequest():
                self._answers += 1
                self._directions["client"].keys = []
            case ServerHello():
                self._answers += 1
                if self._in_tls12 and self._answers > self._hellos and not self._finished:
                    self._ahead = message
                else:
                    self._meet(message)
            case Finished() if direction.keys and direction.keys[0].name == "handshake" and self._suite:
                # Not the Finished that answers a request for a certificate after the handshake.
                self._expect(direction, self._suite, "application")
            case KeyUpdate():
                direction.keys = [keys.updated() for keys in direction.keys[:1]]

    def _early_keys(self, hello: ClientHello) -> list[_Keys]:
        """The suite is that of a session which only the two ends know: whichever opens the first record."""
        secret = self._key_log.secret(_LABELS["client"]["early"], hello.random)
        if secret is None:
            return []
        return [
            _Keys.from_secret("early", SUITES[suite], secret)
            for suite in dict.fromkeys(hello.cipher_suites)  # each once, however often it was said
            if suite in SUITES and suite >> 8 == 0x13 and SUITES[suite].hash_length == len(secret)
        ]

    def _meet(self, message: ServerHello) -> None:
        """The version and the suite are settled, and with them the next keys of both directions."""
        self._ahead = None
        selected = message.find(SelectedVersion)
        self._in_tls12 = selected is None or selected.version != ProtocolVersion.TLS_1_3
        suite = SUITES.get(message.cipher_suite)
        for direction in self._directions.values():
            direction.missing = f"nothing is known of cipher suite {message.cipher_suite:#06x}"
        self._tls12_keys = {}  # of another handshake before it, if there was one
        if suite is None:
            return
        self._suite = suite
        if self._in_tls12:
            self._meet_tls12(suite, message)
            return
        for direction in self._directions.values():
            # Without handshake secrets nobody sees the Finished: the next keys may be application keys.
            self._expect(direction, suite, "handshake", "application")

    def _expect(self, direction: _Direction, suite: SuiteParameters, *names: str) -> None:
        """``direction`` goes on with the keys of these names, or with the early ones it has."""
        labels = _LABELS[direction.sender]
        client_random = self._client_random
        keys = [keys for keys in direction.keys if keys.name == "early"]
        for name in names:
            secret = self._key_log.secret(labels[name], client_random)
            if secret is not None and len(secret) == suite.hash_length:
                keys.append(_Keys.from_secret(name, suite, secret))
        direction.keys = keys
        direction.missing = f"no {labels[names[0]]} of this connection in the key log"

    def _meet_tls12(self, suite: SuiteParameters, message: ServerHello) -> None:
        client_random = self._client_random
        secret = self._key_log.secret("CLIENT_RANDOM", client_random)
        if secret is None:
            for direction in self._directions.values():
                direction.missing = "no CLIENT_RANDOM of this connection in the key log"
            return
        keys = MasterSecret(suite.hash_name, secret).connection_keys(suite, client_random, message.random)
        self._tls12_keys = {"client": keys.client, "server": keys.server}

    def _after_change_cipher_spec(self, direction: _Direction) -> None:
        if not self._in_tls12:
            return
        direction.protected = True
        direction.keys = []
        keys = self._tls12_keys.get(direction.sender)
        if self._suite is not None and keys is not None:
            direction.keys = [_Keys("connection", self._suite, b"", Opener12(self._suite, keys))]

    @property
    def _client_random(self) -> bytes:
        return self._hello.random if self._hello is not None else b""


def _is_header(raw: bytes | bytearray) -> bool:
    """Whether a record can begin so.  24 is heartbeat (RFC 6520), which we do not read, but it is a record."""
    return ContentType.CHANGE_CIPHER_SPEC <= raw[0] <= 24 and raw[1:2] == b"\x03"


def message_name(number: int, message: Message | None = None) -> str:
    """The name of a handshake message as in the documents: ``EncryptedExtensions``."""
    if message is not None:
        return type(message).__name__.removesuffix("12")
    try:
        words = HandshakeType(number).name.split("_")
    except ValueError:
        return f"message of type {number}"
    return "".join(word.capitalize() for word in words)
