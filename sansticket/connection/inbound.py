"""What comes in: records become handshake messages, alerts and data, and every one of them is judged on the way."""

from __future__ import annotations

from typing import Final

from sansticket.codes import AlertDescription, ContentType, HandshakeType
from sansticket.connection.ending import close, end_by, forget, terminate
from sansticket.connection.engine import APPLICATION_DATA, Engine
from sansticket.errors import Fault, Reason
from sansticket.events import ConnectionTerminated, DataReceived, PeerClosed
from sansticket.handshake.machine.state import ChangeCipherSpec, EarlyDataRecord
from sansticket.handshake.machine.transitions import accepted_by, expected_in, messages_accepted_by
from sansticket.record.reader import RecordReader
from sansticket.wire.cursor import malformed
from sansticket.wire.messages.alert import Alert
from sansticket.wire.messages.tables import LONGEST

HANDSHAKE: Final = int(ContentType.HANDSHAKE)
ALERT: Final = int(ContentType.ALERT)

CHANGED_CIPHER_SPEC: Final = ChangeCipherSpec()


def read(engine: Engine) -> None:
    """Work through the bytes that have come; whatever goes wrong ends the connection in good order."""
    try:
        while engine.pending is None and not engine.read_closed:
            if engine.held and _take_held_message(engine):
                continue
            if not engine.reader.buffer:
                break
            content = engine.reader.next()
            if content is None:
                break
            content_type, fragment = content
            if content_type == APPLICATION_DATA:
                _take_data(engine, fragment)
            else:
                _take_content(engine, content_type, fragment)
        if engine.closing and engine.pending is None and engine.established is not None:
            close(engine)
        if engine.pending is not None:
            _check_buffered(engine)
        elif engine.end_of_stream and not engine.read_closed:
            terminate(engine, ConnectionTerminated(Reason.TRUNCATED, None))
    except BaseException as error:
        if not end_by(engine, error):
            raise


def _check_buffered(engine: Engine) -> None:
    held, limit = engine.reader.buffered + len(engine.held), engine.config.max_buffered
    if held > limit:
        raise Fault(Reason.TOO_MUCH_BUFFERED, f"{held} bytes; at most {limit}")


def _take_content(engine: Engine, content_type: int, content: bytes) -> None:
    if content_type == HANDSHAKE:
        if not engine.held and 4 + int.from_bytes(content[1:4]) == len(content):
            _take_message(engine, content)  # the usual case: one message, which is all of the record
        else:
            engine.held += content
            engine.reader.amid_message = True
        return
    if engine.held:
        raise _amid_message(content_type)
    if content_type == ALERT:
        _take_alert(engine, Alert.decode(content))
    else:
        _take_change_cipher_spec(engine)


def _amid_message(content_type: int) -> Fault:
    return Fault(Reason.UNEXPECTED_MESSAGE, f"record of type {content_type} amid a handshake message")


def _take_data(engine: Engine, data: bytes) -> None:
    if engine.held:
        raise _amid_message(APPLICATION_DATA)
    if not engine.takes_data:
        _take_early_data(engine, data)
        return
    if engine.limits.repeated:
        engine.limits.forgive()
    engine.tell(DataReceived(data))


def _take_early_data(engine: Engine, data: bytes) -> None:
    """Application data before the handshake is done: early data, if it is the time for it."""
    if EarlyDataRecord not in accepted_by(type(engine.state)):
        raise _unexpected(engine, "application data")
    engine.step(EarlyDataRecord(data))


def _take_held_message(engine: Engine) -> bool:
    """Handle the first handshake message that is held, if it is complete; refuse it as early as can be."""
    held = engine.held
    kind, end = held[0], 4 + int.from_bytes(held[1:4])
    if kind not in messages_accepted_by(type(engine.state)):
        raise _unexpected(engine, _message_name(kind))
    if len(held) < 4:
        return False
    if end - 4 > LONGEST.get(kind, end):
        raise malformed(f"{_message_name(kind)} of {end} bytes; at most {4 + LONGEST[kind]}")
    if end > engine.config.max_handshake_message:
        raise Fault(Reason.MESSAGE_TOO_LARGE, f"{_message_name(kind)} of {end} bytes")
    if len(held) < end:
        return False
    raw = bytes(held[:end])
    del held[:end]
    engine.reader.amid_message = bool(held)
    _take_message(engine, raw)
    return True


def _take_message(engine: Engine, raw: bytes) -> None:
    """Handle one handshake message, with the four bytes of its type and length."""
    state, kind = engine.state, raw[0]
    classes = messages_accepted_by(type(state)).get(kind)
    if classes is None:
        raise _unexpected(engine, _message_name(kind))
    message = state.VERSION.messages[kind](raw[4:])
    if type(message) not in classes:
        raise _unexpected(engine, type(message).__name__)
    if (state.ESTABLISHED or kind == HandshakeType.HELLO_REQUEST) and not state.awaits(message):
        engine.limits.count_message(kind)
    if engine.step(message, raw):
        engine.settle()


def _take_alert(engine: Engine, alert: Alert) -> None:
    """RFC 9846 section 6: close_notify is an end in good order, and a few alerts are no end at all."""
    if engine.state.tolerates(alert):
        engine.limits.count_warning()
    elif alert.description == AlertDescription.CLOSE_NOTIFY and engine.established is not None:
        engine.read_closed = True
        engine.trailing_data = engine.reader.rest()
        engine.reader = RecordReader()
        engine.tell(PeerClosed())
        forget(engine)
    else:
        name = _alert_name(alert.description)
        terminate(engine, ConnectionTerminated(Reason.PEER_ALERT, alert.description, name, by_peer=True))


def _take_change_cipher_spec(engine: Engine) -> None:
    state = engine.state
    if ChangeCipherSpec in accepted_by(type(state)):
        if engine.step(CHANGED_CIPHER_SPEC):
            engine.settle()
    elif state.overlooks_change_cipher_spec:
        engine.limits.count_change_cipher_spec()
    else:
        expected = expected_in(type(state))
        raise Fault(Reason.UNEXPECTED_CHANGE_CIPHER_SPEC, f"in {engine.place}; expected {expected}")


def _unexpected(engine: Engine, what: str) -> Fault:
    expected = expected_in(type(engine.state))
    return Fault(Reason.UNEXPECTED_MESSAGE, f"{what} in {engine.place}; expected {expected}")


def _message_name(kind: int) -> str:
    try:
        return HandshakeType(kind).name
    except ValueError:
        return f"handshake message of type {kind}"


def _alert_name(description: int) -> str:
    try:
        return AlertDescription(description).name.lower()
    except ValueError:
        return f"alert {description}"
