"""The ways to end: by our close_notify, because of a fault, and what is left then."""

from __future__ import annotations

from attrs import evolve

from sansticket.codes import AlertDescription, AlertLevel
from sansticket.commands import FlushTickets
from sansticket.connection.engine import Engine
from sansticket.errors import Fault, Reason
from sansticket.events import ConnectionTerminated
from sansticket.handshake.machine.state import Ended
from sansticket.record.reader import RecordReader
from sansticket.values import changed


def close(engine: Engine, *, at_once: bool = False) -> None:
    """We send no more.  In the middle of a handshake that is the end.

    What is queued leaves first, unless it is to be ``at_once``; an open question about it is waited for.  So is the
    peer's flight where early data is on its way: peers make of a close_notify under its keys what they like.
    """
    outbound = engine.outbound
    if outbound.closed or type(engine.state) is Ended:
        return
    if engine.state.DELAYS_CLOSE and not at_once:
        if not outbound.silent:
            engine.closing = True
            return
        outbound.writer.take()  # nobody has seen any of it
        outbound.writer.protect(None)
    engine.closing = False
    if not at_once and engine.established is not None and engine.state.bytes_queued:
        if engine.pending is None:
            engine.make_room(engine.state.bytes_queued)
            if engine.step(FlushTickets()):
                engine.settle()
        engine.closing = engine.pending is not None
        if engine.closing:
            return
    completed = engine.established is not None and engine.pending is None
    if not completed:
        outbound.alert(AlertLevel.WARNING, AlertDescription.USER_CANCELED)
    outbound.alert(AlertLevel.WARNING, AlertDescription.CLOSE_NOTIFY)
    outbound.closed = True
    if completed:
        forget(engine)
    else:
        terminate(engine, ConnectionTerminated(Reason.CANCELED, AlertDescription.USER_CANCELED))


def forget(engine: Engine) -> None:
    """A direction has ended in good order: what served it is forgotten, and when both have, all of it."""
    if engine.outbound.closed and engine.read_closed:
        bury(engine)
    elif engine.outbound.closed:
        engine.outbound.writer.protect(None)
        engine.state = engine.state.without_writing_secrets()
    else:
        engine.state = engine.state.without_reading_secrets()


def fail(engine: Engine, fault: Fault, cause: BaseException | None = None) -> None:
    """End the connection because of ``fault``, and tell the peer."""
    alert = engine.state.VERSION.alert_for(fault)
    if fault.reason is Reason.ANSWER_FAILED:
        cause = fault.__cause__
    sent = None if engine.outbound.closed else alert  # close_notify was our last word
    try:
        engine.outbound.alert(AlertLevel.FATAL, alert)
    except Exception as error:  # the config's padding fails, or the key is used up: it may be why we are here
        sent, cause = None, cause or error
    except BaseException:
        terminate(engine, ConnectionTerminated(fault.reason, None, fault.detail, cause=cause))
        raise
    terminate(engine, ConnectionTerminated(fault.reason, sent, fault.detail, cause=cause))


def terminate(engine: Engine, event: ConnectionTerminated) -> None:
    """The last event.  What is in ``data_to_send`` can still be taken."""
    try:
        engine.sessions.ended(engine, event)
    except Exception as error:  # a hook of the application: it must not hide why the connection ended
        event = event if event.cause is not None else evolve(event, cause=error)
    finally:
        engine.tell(event)
        bury(engine)


def end_by(engine: Engine, error: BaseException) -> bool:
    """A step raised: the connection ends.  Returns whether that is all, and ``error`` need not be raised again."""
    match error:
        case Fault():
            fail(engine, error)
        case Exception():
            fail(engine, Fault(Reason.INTERNAL_ERROR, type(error).__name__), error)
        case _:
            interrupt(engine, error)
            return False
    return True


def interrupt(engine: Engine, error: BaseException) -> None:
    """What no code expects (KeyboardInterrupt, say) came amid a step: half a step is none to go on from."""
    try:
        fail(engine, Fault(Reason.INTERNAL_ERROR, type(error).__name__), error)
    finally:
        bury(engine)


def bury(engine: Engine) -> None:
    """The connection is over, and its secrets are forgotten, but for those of its tickets (RFC 9846 section 6)."""
    engine.state = Ended()
    engine.sends_at_once = engine.takes_data = False
    engine.pending = None
    if not engine.read_closed:
        engine.reader = RecordReader()
    engine.read_closed = engine.outbound.closed = True
    engine.held = bytearray()
    engine.outbound.messages = bytearray()
    engine.outbound.writer.protect(None)
    engine.early_exporter = None
    if engine.established is not None:
        engine.established = changed(engine.established, exporter=None)
