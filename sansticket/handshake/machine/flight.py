"""What one step is given, and what it wants done."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Final, TypedDict, Unpack

from attrs import define, field

from sansticket.codes import AlertDescription
from sansticket.crypto.suites import SuiteParameters, TrafficKeys
from sansticket.events import Event
from sansticket.handshake.machine.established import Established
from sansticket.handshake.machine.version import Version
from sansticket.inputs import Entropy, random_bytes
from sansticket.keys.tls13 import Exporter
from sansticket.record.reader import Opener
from sansticket.record.writer import Sealer
from sansticket.tickets.early_data import EarlyDataOutcome
from sansticket.tickets.session import Session
from sansticket.wire.messages.base import Message

if TYPE_CHECKING:
    from sansticket.config.server import ServerConfig


@define
class SendChangeCipherSpec:
    pass


CHANGE_CIPHER_SPEC: Final = SendChangeCipherSpec()


@define
class SendApplicationData:
    data: bytes


@define
class SendWarning:
    """An alert that ends nothing (TLS 1.2)."""

    description: AlertDescription


@define
class StopProtectingWrites:
    """Our early data was in vain: the second ClientHello goes unprotected (RFC 9846 section 4.2.4)."""


@define
class ReadEarlyData:
    """From here on the peer's records are early data, opened with these keys."""

    opener: Opener


@define
class SkipEarlyData:
    """The peer sent early data that we do not accept: drop what does not decrypt (RFC 9846 section 4.3.10), or, after
    our HelloRetryRequest, all application data; up to ``budget`` bytes."""

    before_second_hello: bool
    budget: int


@define
class NoteEarlyData:
    """What became of early data so far; ``exporter`` as long as its keys are good for anything."""

    outcome: EarlyDataOutcome
    exporter: Exporter | None = field(repr=False)


@define
class LimitRecords:
    """From here on our records have at most ``writes`` bytes of content, and the peer's at most ``reads``.

    The latter where records are protected; padding counts as content.
    """

    writes: int
    reads: int


@define
class UseConnectionConfig:
    config: ServerConfig


@define
class LogSecret:
    """A line of the key log: label, client random and secret."""

    label: str
    client_random: bytes
    secret: bytes = field(repr=False)


@define
class StoreSession:
    """Put a session into the config's session cache, whose hooks are the application's."""

    session: Session
    now: float


# What is done with these needs no word beside them, and there are several in each handshake: a handshake message to be
# sent, ours and the peer's new keys, and what is known once the handshake is complete, or the peer has a new identity.
Effect = (
    bytes
    | Sealer
    | Opener
    | Established
    | SendChangeCipherSpec
    | SendApplicationData
    | SendWarning
    | StopProtectingWrites
    | ReadEarlyData
    | SkipEarlyData
    | NoteEarlyData
    | LimitRecords
    | UseConnectionConfig
    | LogSecret
    | StoreSession
)


class Learned(TypedDict, total=False):
    """Fields of ``ConnectionFacts`` that a step settles."""

    server_name: str | None
    alpn_protocol: bytes | None
    version: int
    peer_certificates: tuple[bytes, ...]
    session: Session | None
    psk_identity: bytes | None


class Flight:
    """What one step is given, and what it wants done.

    ``now`` is in seconds since the epoch; ``received`` holds the raw bytes of the handshake message being
    handled, for the transcript; ``num_tickets`` is the number set on the connection, None if there is none;
    ``logs_secrets`` says whether anybody wants the lines of a key log, ``can_send`` that our close_notify is not out,
    ``answer_waits`` that an answer of ours to a KeyUpdate waits to be written, with no data behind it;
    ``answers_update``: here is one.
    ``before_alert`` is done even if the step fails: the peer does not have the keys that we write with at present.
    """

    __slots__ = (
        "answer_waits",
        "answers_update",
        "before_alert",
        "can_send",
        "effects",
        "ends_record",
        "entropy",
        "learned",
        "logs_secrets",
        "now",
        "num_tickets",
        "received",
    )

    def __init__(
        self,
        now: float,
        entropy: Entropy,
        received: bytes = b"",
        num_tickets: int | None = None,
        logs_secrets: bool = True,
        can_send: bool = True,
        answer_waits: bool = False,
    ) -> None:
        self.now: float = now
        self.logs_secrets: bool = logs_secrets
        self.can_send: bool = can_send
        self.entropy: Entropy = partial(random_bytes, entropy)
        """Gives that many random bytes; ConfigError if the config's source gives another number, or no bytes."""
        self.answer_waits: bool = answer_waits
        self.answers_update: bool = False
        self.before_alert: Sealer | StopProtectingWrites | None = None
        self.received: bytes = received
        self.num_tickets: int | None = num_tickets
        self.ends_record: bool = False
        self.effects: list[Effect | Event] = []
        self.learned: Learned | None = None

    def send(self, message: Message) -> bytes:
        """Note a handshake message; gives its bytes, for the transcript."""
        raw = message.encode()
        self.effects.append(raw)
        return raw

    def send_raw(self, raw: bytes) -> bytes:
        """The same of one whose bytes are there."""
        self.effects.append(raw)
        return raw

    def send_change_cipher_spec(self) -> None:
        self.effects.append(CHANGE_CIPHER_SPEC)

    def send_application_data(self, data: bytes) -> None:
        self.effects.append(SendApplicationData(data))

    def send_warning(self, description: AlertDescription) -> None:
        self.effects.append(SendWarning(description))

    def protect_writes(self, version: Version, suite: SuiteParameters, keys: TrafficKeys) -> None:
        """From here on our records are sealed with these keys."""
        self.effects.append(version.sealer(suite, keys))

    def expect_end_of_record(self) -> None:
        """Nothing may stand behind the message being handled in its record (RFC 9846 section 5.1)."""
        self.ends_record = True

    def protect_reads(self, version: Version, suite: SuiteParameters, keys: TrafficKeys) -> None:
        """From here on the peer's records are opened with these keys; this message is the last in its record."""
        self.ends_record = True
        self.effects.append(version.opener(suite, keys))

    def stop_protecting_writes(self) -> None:
        self.effects.append(StopProtectingWrites())

    def read_early_data(self, version: Version, suite: SuiteParameters, keys: TrafficKeys) -> None:
        self.expect_end_of_record()
        self.effects.append(ReadEarlyData(version.opener(suite, keys)))

    def skip_early_data(self, *, before_second_hello: bool, budget: int) -> None:
        self.effects.append(SkipEarlyData(before_second_hello, budget))

    def note_early_data(self, outcome: EarlyDataOutcome, exporter: Exporter | None = None) -> None:
        self.effects.append(NoteEarlyData(outcome, exporter))

    def limit_records(self, writes: int, reads: int) -> None:
        self.effects.append(LimitRecords(writes, reads))

    def use_config(self, config: ServerConfig) -> None:
        self.logs_secrets = config.key_log is not None  # for all that follows in this step
        self.effects.append(UseConnectionConfig(config))

    def log_secrets(self, client_random: bytes, secrets: Mapping[str, bytes]) -> None:
        """Lines of the key log, each by its label; for where ``logs_secrets`` says that somebody wants them."""
        self.effects += [LogSecret(label, client_random, secret) for label, secret in secrets.items()]

    def store_session(self, session: Session) -> None:
        self.effects.append(StoreSession(session, self.now))

    def establish(self, established: Established) -> None:
        """What is known of the connection: the handshake is complete, or the peer has a new identity."""
        self.effects.append(established)

    def learn(self, **facts: Unpack[Learned]) -> None:
        """Something is settled that events and questions say of their connection."""
        self.learned = facts if self.learned is None else {**self.learned, **facts}

    def emit(self, event: Event) -> None:
        """Note an event; it happens in its order among all that the step wants done."""
        self.effects.append(event)
