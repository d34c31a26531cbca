"""``python -m sansticket explain``: the records and messages in captured bytes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

from sansticket.command.capture import CaptureError, Piece, read_capture
from sansticket.command.listing import lines, reason, unread
from sansticket.command.output import CommandError, Commands, add, read
from sansticket.debug.explain import Side, explain
from sansticket.debug.key_log import KeyLog

DESCRIPTION = """\
The records in captured bytes of a TLS connection, and the messages inside them.  A FILE has the bytes of one
direction, raw or hexadecimal; give both directions as two files, or as one text that says who sent what:

    # the client's lines begin with >, the server's with <; a line without either goes on with the one before
    > 16030100f5010000f10303...
    < 16 03 03 00 7a 02 00 00 76 ...

What is encrypted is read with a key log: the file that SSLKEYLOGFILE names for browsers and curl, or the lines that
"key_log" of our configs gets.  With the lines of one connection anybody reads all of it.
"""

EXAMPLES = """\
examples:
  python -m sansticket explain hello.bin
  python -m sansticket explain client.bin server.bin --key-log keys.log
  xxd -p client.bin | python -m sansticket explain -
  python -m sansticket explain rest.bin --sender server        not from the beginning: say whose it is
"""


def add_explain(commands: Commands) -> None:
    command = add(
        *(commands, "explain", run),
        help="the records and messages in captured bytes",
        description=DESCRIPTION,
        examples=EXAMPLES,
    )
    command.add_argument(
        "files", metavar="FILE", nargs="+", help="one or both directions; - is standard input"
    )
    command.add_argument("--key-log", metavar="FILE", help="the secrets of the connection")
    command.add_argument(
        "--sender", choices=("client", "server"), help="who sent what does not say so (default: as it begins)"
    )
    command.set_defaults(check=check)


def check(options: argparse.Namespace) -> str:
    return "--sender is for one FILE" if options.sender and len(options.files) > 1 else ""


def run(options: argparse.Namespace) -> Iterable[str]:
    pieces = [piece for path in options.files for piece in _pieces(path, options.sender)]
    records = explain(pieces, _key_log(options.key_log))
    if records and unread(records) == len(records):
        raise CommandError(f"{options.files[0]}: no record that can be read: {reason(records[0])}")
    yield from lines(records)
    closed = unread(records)
    if closed:
        sys.stdout.flush()
        hint = "" if options.key_log else "; a key log opens what is encrypted (--key-log)"
        print(f"sansticket: {closed} of {len(records)} records not read{hint}", file=sys.stderr)


def _pieces(path: str, sender: Side | None) -> list[Piece]:
    try:
        return read_capture(read(path), sender)
    except CaptureError as error:
        raise CommandError(f"{path}: {error}") from None


def _key_log(path: str | None) -> KeyLog:
    if path is None:
        return KeyLog()
    log = KeyLog(read(path).decode("ascii", errors="replace"))
    for note in log.notes:
        print(f"sansticket: {path}: {note}", file=sys.stderr)
    return log
