"""Every state with every input: a transition that is declared, or a refusal in good order, and never anything else.

The transitions are read from the handlers' annotations (``accepted_by``, ``successors_of``); the states come from
real conversations, as forks.  Inputs are every handshake message, every other kind of record, the end of the stream
and every command.
"""

from __future__ import annotations

import zlib
from typing import Final

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from sansticket import commands
from sansticket.codes import AlertDescription, AlertLevel
from sansticket.commands import Abort, CheckRevocations, Close, Command
from sansticket.connection.client import ClientConnection
from sansticket.connection.connection import Connection
from sansticket.connection.server import ServerConnection
from sansticket.errors import LocalProtocolError, Reason
from sansticket.events import ConnectionTerminated, DataReceived, EarlyDataReceived, Event, PeerClosed
from sansticket.handshake.machine.state import Asking, ChangeCipherSpec, EarlyDataRecord, Ended, State
from sansticket.handshake.machine.transitions import (
    accepted_by,
    expected_in,
    messages_accepted_by,
    name_of,
    successors_of,
)
from sansticket.handshake.machine.version import TLS_1_2
from sansticket.handshake.server.start import WaitClientHello
from sansticket.tickets.decision import TicketReturn
from sansticket.tickets.stores.revocations import Revocations
from sansticket.wire.extensions.key_exchange import KeyShareAnswer, KeyShareEntry, KeyShareRetry
from sansticket.wire.extensions.negotiation import (
    SelectedVersion,
    SignatureAlgorithms,
    SupportedVersions,
)
from sansticket.wire.messages.alert import Alert
from sansticket.wire.messages.base import Message
from sansticket.wire.messages.hello import (
    ClientHello,
    HelloRequest,
    HelloRetryRequest,
    ServerHello,
)
from sansticket.wire.messages.tables import MESSAGES_OF_TLS12, MESSAGES_OF_TLS13
from sansticket.wire.messages.tls12 import (
    Certificate as Certificate12,
)
from sansticket.wire.messages.tls12 import (
    CertificateRequest as CertificateRequest12,
)
from sansticket.wire.messages.tls12 import (
    CertificateStatus,
    ClientKeyExchange,
    ServerHelloDone,
    ServerKeyExchange,
)
from sansticket.wire.messages.tls12 import (
    NewSessionTicket as NewSessionTicket12,
)
from sansticket.wire.messages.tls13 import (
    Certificate,
    CertificateEntry,
    CertificateRequest,
    CertificateVerify,
    CompressedCertificate,
    EncryptedExtensions,
    EndOfEarlyData,
    Finished,
    KeyUpdate,
    NewSessionTicket,
)
from tests.support.configs import client_config, server_config
from tests.support.credentials import client_credential, server_credential
from tests.support.examples import examples
from tests.support.handing_over import handed_over, is_live, picture
from tests.support.hostile import ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, held_bytes, plain_record
from tests.support.messages import messages
from tests.support.pair import ConnectionPair
from tests.support.refusals import ends
from tests.support.state_samples import (
    Sample,
    all_states,
    as_the_peer,
    collection,
    message_as_the_peer,
    samples_of,
)

STATES: Final = [state for state in all_states() if state is not Ended]
NEVER_REASONS: Final = (Reason.INTERNAL_ERROR, Reason.ANSWER_FAILED)

SHARE = KeyShareAnswer(KeyShareEntry(0x001D, bytes(range(1, 33))))
TLS13 = SelectedVersion(0x0304)

MESSAGE_SAMPLES: Final[dict[type[Message], Message]] = {
    type(message): message
    for message in (
        ClientHello(bytes(32), b"", (0x1301,), (SupportedVersions((0x0304,)),)),
        ServerHello(bytes(32), b"", 0x1301, (TLS13, SHARE)),
        HelloRetryRequest(b"", 0x1301, (TLS13, KeyShareRetry(0x0017))),
        EncryptedExtensions(()),
        CertificateRequest(b"", (SignatureAlgorithms((0x0403,)),)),
        Certificate(b"", (CertificateEntry(server_credential().chain[0]),)),
        CompressedCertificate(1, 20, zlib.compress(bytes(20))),
        CertificateVerify(0x0403, b"signature"),
        Finished(bytes(32)),
        EndOfEarlyData(),
        NewSessionTicket(100, 1, b"nonce", b"ticket"),
        KeyUpdate(1),
        HelloRequest(),
        Certificate12((client_credential().chain[0],)),
        ServerKeyExchange(0x001D, bytes(range(1, 33)), 0x0403, b"signature"),
        CertificateRequest12(b"\x40", (0x0403,), ()),
        ServerHelloDone(),
        ClientKeyExchange(bytes(range(1, 33))),
        CertificateStatus(b"response"),
        NewSessionTicket12(100, b"ticket"),
    )
}

COMMAND_SAMPLES: Final[dict[type[Command], Command]] = {
    type(command): command
    for command in (
        commands.SendData(b"data"),
        commands.UpdateKeys(request_peer=True),
        commands.IssueTicket(2),
        commands.FlushTickets(),
        commands.RequestClientCertificate(),
        commands.AbortHandshake(AlertDescription.ACCESS_DENIED),
        commands.UseConfig(server_config()),
        commands.TicketOpened(b"not a session"),
        commands.TicketNotOpened(),
        commands.ResolveTicket(TicketReturn.IGNORE_RENEW),
        commands.ProvideSession(None),
        commands.ProvidePsk(None),
        commands.SessionAdmitted(),
        commands.SessionRefused("not today"),
        commands.SessionClaimed(),
        commands.SessionNotClaimed(),
        commands.SendEarlyData(b"early"),
        commands.AcceptEarlyData(),
        commands.RefuseEarlyData("not today"),
        commands.EarlyDataClaimed(),
        commands.EarlyDataNotClaimed("seen before"),
        commands.SealTicket(b"app data"),
        commands.TicketProtected(b"a ticket"),
        commands.ProvideSignature(b"a signature"),
        commands.AcceptPeer(),
        commands.RejectPeer(),
    )
}

QUESTIONS: Final = [state for state in STATES if issubclass(state, Asking)]
EVERY_STATE = pytest.mark.parametrize(
    "state", STATES, ids=lambda state: f"{state.__module__[21:]}.{state.__name__}"
)


EVERYWHERE: Final = (Command, Close, Abort, CheckRevocations)


def other_commands() -> list[type[Command]]:
    """All but those that are for every state."""
    defined = [
        kind for kind in vars(commands).values() if isinstance(kind, type) and issubclass(kind, Command)
    ]
    return [kind for kind in defined if kind not in EVERYWHERE]


# --- what a refusal looks like -----------------------------------------------------------------------------------


def ended(connection: Connection, events: list[Event], reason: Reason | None = None) -> ConnectionTerminated:
    """The connection ended in good order, with one event and its alert; ``reason`` if it can be only one."""
    end = events[-1]
    assert isinstance(end, ConnectionTerminated)
    assert end.reason not in NEVER_REASONS, (end, end.cause)
    assert reason in (None, end.reason), end
    assert end.cause is None
    assert connection.state == "Ended"
    assert connection.pending is None
    assert held_bytes(connection) == 0
    return end


def unchanged(connection: Connection, sample: Sample) -> None:
    """Nothing has happened to the fork."""
    original = sample.connection
    assert connection._engine.state is original._engine.state
    assert connection.pending is original.pending
    assert connection.data_to_send() == b""


def moved(connection: Connection, events: list[Event], sample: Sample, kind: type) -> None:
    """What an accepted input may lead to: a declared successor, or the end for a reason that is the peer's fault."""
    state = type(sample.connection._engine.state)
    if connection.state == "Ended":
        ended(connection, events)
    else:
        assert type(connection._engine.state) in successors_of(state, kind), connection.state
        assert not any(isinstance(event, ConnectionTerminated) for event in events)


# --- the samples -------------------------------------------------------------------------------------------------


@EVERY_STATE
def test_there_are_samples(state: type[State]) -> None:
    """A state without one needs a scene in tests/support/scenes.py that leads there."""
    assert samples_of(state)
    for sample in samples_of(state):
        assert type(sample.connection._engine.state) is state
        assert sample.connection.state == name_of(state)
        asks = issubclass(state, Asking)
        assert (sample.connection.pending is not None) == asks


def test_every_transition_of_the_scenes_is_declared() -> None:
    for before, kind, after in collection().transitions:
        assert after in successors_of(before, kind), (before, kind, after)


def test_every_message_and_command_has_a_sample() -> None:
    """A new one that is missing here would not be tried."""
    owners = [
        getattr(decode, "__self__", None)
        for decode in (*MESSAGES_OF_TLS13.values(), *MESSAGES_OF_TLS12.values())
    ]
    assert {owner for owner in owners if owner is not None} <= set(MESSAGE_SAMPLES)
    assert {ServerHello, HelloRetryRequest} <= set(MESSAGE_SAMPLES)
    assert set(other_commands()) == set(COMMAND_SAMPLES)


# --- messages ----------------------------------------------------------------------------------------------------


def take_message(sample: Sample, message: Message) -> None:
    """Give the message to a fork, as the peer would send it; see that what happens may happen."""
    connection, state = sample.fork(), type(sample.connection._engine.state)
    record = message_as_the_peer(connection, message.encode())
    events = connection.receive_data(record)
    if issubclass(state, Asking):
        unchanged(connection, sample)
        assert events == []
        assert held_bytes(connection) == len(record)
    elif sample.connection._engine.read_closed:
        unchanged(connection, sample)
        assert events == []
    elif type(message) in accepted_by(state):
        moved(connection, events, sample, type(message))
    elif message.TYPE in messages_accepted_by(state):
        ended(
            connection, events
        )  # the other version's message of that type, or the other kind of ServerHello
    else:
        end = ended(connection, events, Reason.UNEXPECTED_MESSAGE)
        said_goodbye = sample.connection._engine.outbound.closed
        assert end.alert == (None if said_goodbye else AlertDescription.UNEXPECTED_MESSAGE)
        assert end.detail.endswith(f"in {name_of(state)}; expected {expected_in(state)}")


@EVERY_STATE
@pytest.mark.parametrize("message", MESSAGE_SAMPLES.values(), ids=lambda message: type(message).__name__)
def test_message(state: type[State], message: Message) -> None:
    for sample in samples_of(state):
        take_message(sample, message)


@settings(max_examples=examples(300))
@given(state=st.sampled_from(STATES), message=messages())
def test_any_message(state: type[State], message: Message) -> None:
    for sample in samples_of(state)[:2]:
        take_message(sample, message)


@settings(max_examples=examples(500))
@given(state=st.sampled_from(STATES), kind=st.integers(0, 255), body=st.binary(max_size=200))
def test_any_bytes_as_a_message(state: type[State], kind: int, body: bytes) -> None:
    """Also those that nobody knows, or that do not decode."""
    for sample in samples_of(state)[:2]:
        connection = sample.fork()
        raw = bytes((kind,)) + len(body).to_bytes(3) + body
        events = connection.receive_data(message_as_the_peer(connection, raw))
        if connection.state == "Ended":
            ended(connection, events)
            continue
        assert not any(isinstance(event, ConnectionTerminated) for event in events)
        if not issubclass(state, Asking):
            kinds = messages_accepted_by(state)[kind]
            assert any(type(connection._engine.state) in successors_of(state, accepted) for accepted in kinds)


# --- other records, and the end ----------------------------------------------------------------------------------


@EVERY_STATE
def test_change_cipher_spec(state: type[State]) -> None:
    for sample in samples_of(state):
        connection = sample.fork()
        protected12 = state.VERSION is TLS_1_2 and sample.connection._engine.reader._opener is not None
        record = plain_record(CHANGE_CIPHER_SPEC, b"\x01")
        if protected12:
            record = as_the_peer(connection, CHANGE_CIPHER_SPEC, b"\x01")
        events = connection.receive_data(record)
        if issubclass(state, Asking):
            unchanged(connection, sample)
        elif ChangeCipherSpec in accepted_by(state):
            moved(connection, events, sample, ChangeCipherSpec)
        elif not sample.connection._engine.state.overlooks_change_cipher_spec:
            assert state is WaitClientHello or state.ESTABLISHED or state.VERSION is TLS_1_2
            ended(connection, events, Reason.UNEXPECTED_CHANGE_CIPHER_SPEC)
        else:
            unchanged(connection, sample)
            assert events == []


@EVERY_STATE
def test_application_data(state: type[State]) -> None:
    for sample in samples_of(state):
        connection = sample.fork()
        events = connection.receive_data(as_the_peer(connection, APPLICATION_DATA, b"data"))
        if issubclass(state, Asking):
            unchanged(connection, sample)
        elif state.ESTABLISHED and not sample.connection._engine.read_closed:
            assert events == [DataReceived(b"data")]
            unchanged(connection, sample)
        elif sample.connection._engine.read_closed:
            assert events == []
        elif sample.connection._engine.reader.skip_plaintext_application_data:
            assert events == []  # early data that was sent before the client knew of the retry
            unchanged(connection, sample)
        elif EarlyDataRecord in accepted_by(state) and sample.connection.early_data_left >= len(b"data"):
            assert events == [EarlyDataReceived(b"data")]
            moved(connection, events, sample, EarlyDataRecord)
            assert connection.early_data_left == sample.connection.early_data_left - len(b"data")
        elif EarlyDataRecord in accepted_by(state):
            ended(connection, events, Reason.TOO_MUCH_EARLY_DATA)
        else:
            ended(connection, events, Reason.UNEXPECTED_MESSAGE)


@EVERY_STATE
@pytest.mark.parametrize("description", [AlertDescription.HANDSHAKE_FAILURE, 200])
def test_fatal_alert(state: type[State], description: int) -> None:
    for sample in samples_of(state):
        connection = sample.fork()
        record = as_the_peer(connection, ALERT, Alert(AlertLevel.FATAL, description).encode())
        events = connection.receive_data(record)
        if issubclass(state, Asking):
            unchanged(connection, sample)
        elif sample.connection._engine.read_closed:
            assert events == []
        else:
            end = ended(connection, events, Reason.PEER_ALERT)
            assert end.by_peer
            assert end.alert == description
            assert connection.data_to_send() == b""


@EVERY_STATE
def test_close_notify(state: type[State]) -> None:
    for sample in samples_of(state):
        connection = sample.fork()
        alert = Alert(AlertLevel.WARNING, AlertDescription.CLOSE_NOTIFY).encode()
        events = connection.receive_data(as_the_peer(connection, ALERT, alert))
        if issubclass(state, Asking):
            unchanged(connection, sample)
        elif sample.connection._engine.read_closed:
            assert events == []
        elif state.ESTABLISHED:
            assert events == [PeerClosed()]
            assert connection.data_to_send() == b""
            if sample.connection._engine.outbound.closed:
                assert connection.state == "Ended"
            else:
                assert connection._engine.state == sample.connection._engine.state.without_reading_secrets()
        else:
            assert ended(connection, events, Reason.PEER_ALERT).alert == AlertDescription.CLOSE_NOTIFY


@EVERY_STATE
def test_end_of_stream(state: type[State]) -> None:
    for sample in samples_of(state):
        connection = sample.fork()
        events = connection.receive_data(b"")
        if issubclass(state, Asking):
            unchanged(connection, sample)
            assert events == []
            with pytest.raises(LocalProtocolError, match="after the end of the stream"):
                connection.receive_data(b"more")
            assert connection.receive_data(b"") == []
        elif sample.connection._engine.read_closed:
            assert events == []
        else:
            assert ended(connection, events, Reason.TRUNCATED).alert is None
            assert connection.data_to_send() == b""


@pytest.mark.parametrize("state", QUESTIONS, ids=lambda state: state.__name__)
def test_end_of_stream_while_a_question_is_open(state: type[State]) -> None:
    """It is heard when the last question is answered, and what can still be said is said."""
    for sample in samples_of(state):
        connection, events = sample.fork(), []
        connection.receive_data(b"")
        while connection.pending is not None:
            events += connection.send(Sample(sample.scene, connection, sample.keys).answer())
        ended(connection, events, Reason.TRUNCATED)


# --- commands ----------------------------------------------------------------------------------------------------


@EVERY_STATE
@pytest.mark.parametrize("command", COMMAND_SAMPLES.values(), ids=lambda command: type(command).__name__)
def test_command(state: type[State], command: Command) -> None:
    for sample in samples_of(state):
        connection = sample.fork()
        if type(command) not in accepted_by(state):
            with pytest.raises(LocalProtocolError, match="expected"):
                connection.send(command)
            unchanged(connection, sample)
            continue
        try:
            events = connection.send(command)
        except LocalProtocolError:
            unchanged(connection, sample)
        else:
            moved_by_command(connection, events, sample, command)


def moved_by_command(connection: Connection, events: list[Event], sample: Sample, command: Command) -> None:
    """As for messages; but what the application says to end it ends it with the application's alert."""
    if isinstance(command, commands.AbortHandshake | commands.RejectPeer):
        end = ended(connection, events)
        assert end.reason in (Reason.ABORTED_BY_APPLICATION, Reason.CERTIFICATE_REFUSED)
        assert end.alert == command.alert
    else:
        moved(connection, events, sample, type(command))


@EVERY_STATE
def test_close(state: type[State]) -> None:
    for sample in samples_of(state):
        connection = sample.fork()
        events = connection.send(Close())
        if sample.connection._engine.outbound.closed:
            assert events == []
            assert connection.data_to_send() == b""
        elif sample.connection._engine.state.bytes_queued:
            assert connection.pending is not None, "it waits for the answer to a question about a ticket"
            assert events == ([] if issubclass(state, Asking) else [connection.pending])
            assert connection.data_to_send() == b""
        elif sample.connection._engine.read_closed:
            assert events == []
            assert connection.state == "Ended"
            assert connection.data_to_send()
        elif state.ESTABLISHED:
            assert events == []
            assert connection._engine.state == sample.connection._engine.state.without_writing_secrets()
            assert connection.data_to_send()
        elif state.DELAYS_CLOSE:
            unchanged(connection, sample)
            assert events == []
            with pytest.raises(LocalProtocolError, match="SendEarlyData after Close; expected nothing more"):
                connection.send(commands.SendEarlyData(b""))
        else:
            ended(connection, events, Reason.CANCELED)
            assert connection.data_to_send()
        assert connection.send(Close()) == []
        assert connection.data_to_send() == b""


@EVERY_STATE
def test_abort(state: type[State]) -> None:
    """An end with the application's alert, whatever is queued and whoever is asked; but not behind our close_notify."""
    for sample in samples_of(state):
        connection = sample.fork()
        closed = sample.connection._engine.outbound.closed
        if closed and connection.pending is None:
            with pytest.raises(LocalProtocolError, match=r"^Abort after Close; expected nothing more"):
                connection.send(Abort())
            unchanged(connection, sample)
            continue
        events = connection.send(Abort(AlertDescription.INSUFFICIENT_SECURITY))
        assert len(events) == 1
        end = ended(connection, events, Reason.ABORTED_BY_APPLICATION)
        assert end.alert == (None if closed else AlertDescription.INSUFFICIENT_SECURITY)
        assert end.detail == f"Abort in {name_of(state)}"
        assert bool(connection.data_to_send()) != closed
        with pytest.raises(LocalProtocolError, match="after the end of the connection"):
            connection.send(Abort())


def everything_revoked() -> Revocations:
    """Whoever was authenticated before the year 2096."""
    revocations = Revocations(max_entries=1)
    for family in (bytes(16), bytes([1]) * 16):
        revocations.revoke_family(family, 4e9)
    return revocations


@EVERY_STATE
def test_check_revocations(state: type[State]) -> None:
    """An end once there is a connection, whatever is queued and whoever is asked, behind our close_notify too; and
    nothing as long as there is none."""
    for sample in samples_of(state):
        connection, closed = sample.fork(), sample.connection._engine.outbound.closed
        for_whom = (
            "on a client" if isinstance(connection, ClientConnection) else "but the config has no revocations"
        )
        with pytest.raises(LocalProtocolError, match=f"^CheckRevocations,? {for_whom}"):
            connection.send(CheckRevocations())
        unchanged(connection, sample)
        if isinstance(connection, ClientConnection):
            continue
        config = connection._engine.config
        for revocations, revoked in ((Revocations(), False), (everything_revoked(), True)):
            connection = sample.fork()
            connection._engine.config = evolve(config, revocations=revocations)
            events = connection.send(CheckRevocations())
            if not revoked or sample.connection._engine.established is None:
                assert events == []
                unchanged(connection, sample)
                continue
            end = ended(connection, events, Reason.SESSION_REVOKED)
            assert end.alert == (None if closed else AlertDescription.ACCESS_DENIED)
            assert end.detail.startswith("everything refused from before 4000000000.000, authenticated at ")
            assert bool(connection.data_to_send()) != closed
            with pytest.raises(LocalProtocolError, match="after the end of the connection"):
                connection.send(CheckRevocations())


@ends(Reason.SESSION_REVOKED)
def test_what_an_open_connection_is_revoked_by() -> ConnectionTerminated:
    revocations = Revocations()
    pair = ConnectionPair(client_config(), server_config(revocations=revocations))
    pair.pump()
    revocations.revoke_family(pair.server.family, 4e9)
    (end,) = pair.send("server", CheckRevocations())
    assert isinstance(end, ConnectionTerminated)
    assert end.alert == pair.event("client", ConnectionTerminated).alert == AlertDescription.ACCESS_DENIED
    return end


def test_after_the_end_nothing_is_taken() -> None:
    sample = samples_of(WaitClientHello)[0]
    connection = sample.fork()
    connection.send(Close())
    connection.data_to_send()
    assert accepted_by(Ended) == {}
    for command in (*COMMAND_SAMPLES.values(), Abort(), CheckRevocations()):
        with pytest.raises(LocalProtocolError):
            connection.send(command)
    for data in (b"", b"x", bytes(20_000)):
        assert connection.receive_data(data) == []
        assert held_bytes(connection) == 0
    assert connection.data_to_send() == b""


# --- forks -------------------------------------------------------------------------------------------------------


@EVERY_STATE
def test_forks_are_independent(state: type[State]) -> None:
    """Whatever happens to one fork, another and the original are as before."""
    for sample in samples_of(state):
        original = sample.connection
        first, second = sample.fork(), sample.fork().fork()
        first.receive_data(b"garbage" if not issubclass(state, Asking) else b"")
        first.send(Close(at_once=True))
        assert first.data_to_send() or original._engine.outbound.closed or original._engine.read_closed
        assert type(second) is type(original)
        for other in (original, second):
            assert type(other._engine.state) is state
            assert other._engine.reader.buffered == 0
            assert other._engine.outbound.writer.records_left == original._engine.outbound.writer.records_left
            assert other.data_to_send() == b""
        assert isinstance(second, ClientConnection | ServerConnection)
        assert second.send(Close()) is not None


@pytest.mark.parametrize("state", all_states(), ids=lambda state: f"{state.__module__}.{state.__name__}")
def test_a_connection_is_handed_over_or_says_why_not(state: type[State]) -> None:
    """All that it is, where it is up and nothing is asked; otherwise it stays what it is (docs/handover.md)."""
    for sample in samples_of(state):
        connection, reference = sample.fork(), sample.fork()
        before = picture(reference._engine)
        if is_live(connection):
            assert picture(handed_over(connection)._engine) == before
            continue
        with pytest.raises(LocalProtocolError, match="export "):
            connection.export()
        assert picture(connection._engine) == before
