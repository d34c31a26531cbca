"""A capture, in packets or in text, is a ``CaptureError``, or connections explained and drawn in printable lines."""

from sansticket.captures.connections import connections_in
from sansticket.captures.errors import CaptureError
from sansticket.captures.listing import lines
from sansticket.captures.packets import is_packets
from sansticket.captures.secrets import TicketOpener, explain_with
from sansticket.captures.text import read_capture
from sansticket.captures.tickets import History, told
from sansticket.command.sight.ladder import steps_of
from sansticket.debug.explain import explain
from sansticket.debug.key_log import KeyLog
from sansticket.debug.ladders.picture import picture
from sansticket.tickets.keys.ring import TicketKey, TicketKeyRing

OPENER = TicketOpener((TicketKeyRing([TicketKey(bytes(16), bytes(32), 0)]),))


def one_input(data: bytes) -> None:
    try:
        if not is_packets(data):
            pieces = read_capture(data, "client")
            assert all(line.isprintable() for line in lines(explain(pieces, KeyLog())))
            return
        capture = connections_in(data)
    except CaptureError:
        return
    assert all(note.isprintable() for note in capture.notes)
    assert sum(len(moment.data) for one in capture.connections for moment in one.flow.moments) <= len(data)
    history, log = History(OPENER), KeyLog(capture.key_log)
    for connection in capture.connections:
        records = explain_with(connection.pieces, log, OPENER, connection.flow.start)
        verdict = history.judge(connection.flow, records)
        drawn = picture(steps_of(connection), log, str(connection), secrets=True).rows
        details = [text for row in drawn for detail in row.details for text in detail]
        rows = [row.title for row in drawn]
        for line in (str(connection), *connection.notes, *lines(records), *told(verdict), *rows, *details):
            assert line.isprintable()
