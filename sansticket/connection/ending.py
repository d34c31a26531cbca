"""The ways to end: by our close_notify, because of a fault, and what is left then."""

from __future__ import annotations

from attrs import evolve

from sansticket.codes import AlertDescription, AlertLevel
from sansticket.connection.engine import Engine
from sansticket.errors import Fault, Reason
from sansticket.events import ConnectionTerminated
from sansticket.handshake.machine.state import Ended
from sansticket.record.reader import RecordReader


def close(engine: Engine) -> None:
    """We send no more.  In the middle of a handshake that is the end."""
    outbound = engine.outbound
    if outbound.closed or type(engine.state) is Ended:
        return
    completed = engine.established is not None and engine.pending is None
    if not completed:
        outbound.alert(AlertLevel.WARNING, AlertDescription.USER_CANCELED)
    outbound.alert(AlertLevel.WARNING, AlertDescription.CLOSE_NOTIFY)
    outbound.closed = True
    if not completed:
        terminate(engine, ConnectionTerminated(Reason.CANCELED, AlertDescription.USER_CANCELED))


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
    terminate(engine, ConnectionTerminated(fault.reason, sent, fault.detail, cause=cause))


def terminate(engine: Engine, event: ConnectionTerminated) -> None:
    """The last event.  What is in ``data_to_send`` can still be taken.

    The secrets of a connection that has failed are forgotten, but for those of its tickets (RFC 9846 section 6).
    """
    try:
        engine.sessions.ended(engine, event)
    except Exception as error:  # a hook of the application: it must not hide why the connection ended
        event = event if event.cause is not None else evolve(event, cause=error)
    engine.tell(event)
    engine.state = Ended()
    engine.pending = None
    engine.read_closed = engine.outbound.closed = True
    engine.held = bytearray()
    engine.reader = RecordReader()
    engine.outbound.writer.protect(None)
    if engine.established is not None:
        engine.established = evolve(engine.established, exporter=None)
