"""``python -m sansticket explain``: the records and messages in captured bytes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator

from attrs import define, field

from sansticket.captures.connections import Capture, Captured, connections_in
from sansticket.captures.errors import CaptureError
from sansticket.captures.listing import lines, reason, unread
from sansticket.captures.packets import is_packets
from sansticket.captures.secrets import TicketOpener, explain_with
from sansticket.captures.segments import Endpoint
from sansticket.captures.streams import Flow, Moment
from sansticket.captures.text import Piece, read_capture
from sansticket.captures.tickets import History, told
from sansticket.command.key_files import KeyFileError
from sansticket.command.output import CommandError, read, remark
from sansticket.command.sight.openers import read_opener
from sansticket.debug.explain import Record, Side
from sansticket.debug.key_log import KeyLog
from sansticket.replays.recording import is_replay

File = tuple[str, bytes]
"""Its path and its content."""


@define
class Source:
    """What was given: connections, and what opens them.  ``several``: it is a capture that says whose they are."""

    key_log: KeyLog
    opener: TicketOpener
    connections: list[Captured] = field(factory=list)
    several: bool = False

    def records(self, connection: Captured) -> list[Record]:
        return explain_with(connection.pieces, self.key_log, self.opener, connection.flow.start)


def run(options: argparse.Namespace) -> Iterable[str]:
    source = source_of(given_files(options), options)
    history = History(source.opener)
    closed = total = 0
    for connection in source.connections:
        records = source.records(connection)
        if not source.several and records and unread(records) == len(records):
            raise CommandError(f"{options.files[0]}: no record that can be read: {reason(records[0])}")
        verdict = history.judge(connection.flow, records)
        if options.connection in (None, connection.number):
            yield from _headline(connection, source.several)
            yield from lines(records)
            yield from told(verdict)
            closed, total = closed + unread(records), total + len(records)
    if closed:
        sys.stdout.flush()
        hint = "" if options.key_log else "; a key log opens what is encrypted (--key-log)"
        remark(f"{closed} of {total} records not read{hint}")


def _headline(connection: Captured, several: bool) -> Iterator[str]:
    if several:
        yield str(connection)
        yield from (f"note: {note}" for note in connection.notes)


def given_files(options: argparse.Namespace) -> Iterator[File]:
    """What was given, each read when it is its turn."""
    return ((path, read(path)) for path in options.files)


def source_of(files: Iterable[File], options: argparse.Namespace) -> Source:
    """What is in these files.  CommandError says what is wrong with it."""
    capture, pieces = _read(files, options)
    source = Source(_key_log(options.key_log), _opener(options), several=capture is not None)
    if capture is not None:
        source.key_log.include(_noted(f"{options.files[0]}: the key log in it", KeyLog(capture.key_log)))
        source.connections = list(capture.connections)
    else:
        if options.connection not in (None, 1):
            raise CommandError(
                f"--connection {options.connection}: {options.files[0]} has the bytes of one connection"
            )
        source.connections = [_alone(pieces)]
    return source


def _read(files: Iterable[File], options: argparse.Namespace) -> tuple[Capture | None, list[Piece]]:
    """What is in the one file of packets, or the bytes in the other files."""
    pieces: list[Piece] = []
    for path, content in files:
        if is_packets(content):
            return _of_packets(path, content, options), []
        pieces += _pieces(path, content, options.sender)
    return None, pieces


def _of_packets(path: str, content: bytes, options: argparse.Namespace) -> Capture:
    if len(options.files) > 1 or options.sender:
        more = "no --sender" if options.sender else "no other FILE"
        raise CommandError(f"{path}: a capture has both directions; expected {more}")
    try:
        capture = connections_in(content)
    except CaptureError as error:
        raise CommandError(f"{path}: {error}") from None
    for note in capture.notes:
        remark(f"{path}: {note}")
    if not capture.connections:
        raise CommandError(f"{path}: no TCP connection with data in it")
    if options.connection is not None and not 1 <= options.connection <= len(capture.connections):
        raise CommandError(
            f"--connection {options.connection}: {path} has {len(capture.connections)} of them"
        )
    return capture


def _alone(pieces: list[Piece]) -> Captured:
    moments = tuple(Moment(sender, data, 0.0) for sender, data in pieces)
    flow = Flow(Endpoint(bytes(4), 0), Endpoint(bytes(4), 0), 0.0, moments)
    return Captured(1, flow, moments, 0)


def _pieces(path: str, content: bytes, sender: Side | None) -> list[Piece]:
    if is_replay(content):
        raise CommandError(f"{path}: a recording, which the commands replay and ladder show")
    try:
        return read_capture(content, sender)
    except CaptureError as error:
        raise CommandError(f"{path}: {error}") from None


def _opener(options: argparse.Namespace) -> TicketOpener:
    if not options.ticket_keys:
        return TicketOpener()
    try:
        return read_opener([(path, read(path)) for path in options.ticket_keys], options.program)
    except KeyFileError as error:
        raise CommandError(str(error)) from None


def _key_log(path: str | None) -> KeyLog:
    if path is None:
        return KeyLog()
    return _noted(path, KeyLog(read(path).decode("ascii", errors="replace")))


def _noted(where: str, log: KeyLog) -> KeyLog:
    """What was skipped in a key log is said."""
    for note in log.notes:
        remark(f"{where}: {note}")
    return log
