"""The command line: ``python -m sansticket``."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from io import TextIOWrapper

from sansticket import __version__
from sansticket.command.certificates import add_certificates
from sansticket.command.fleet import add_fleet
from sansticket.command.output import Command, CommandError, Commands, integer, remark
from sansticket.command.report import add_report
from sansticket.command.session import add_session
from sansticket.command.sight.arguments import add_explain, add_ladder, add_replay
from sansticket.command.ticket_keys import add_ticket_keys
from sansticket.errors import SansticketError

WIDEST = 100
"""Columns; wider than this the ladder only gets harder to follow."""

INTERRUPTED = 130
"""The exit code of what was ended by SIGINT, as shells have it."""

VERSIONS = {"1.2": 0x0303, "1.3": 0x0304}

DESCRIPTION = (
    "TLS as state machines: see it work, see how it is made, and look into sessions, keys and captured bytes."
)

DEMO = """\
A client and a server in memory, with certificates made on the spot.  Two connections: a full handshake, after
which the server issues tickets, and a second one that resumes the session of the last ticket.  Each is drawn as
a ladder: the client's messages on the left, the server's on the right, with the bytes of each message on the
arrow between them; below each flight, what it took on the wire; and with a *, the events that came out of the
connection on that side.
"""

STATES = """\
The state machine of the client or the server.  A state accepts certain inputs: handshake messages, commands, and
where it is a question to the application, the answers.  Where each leads is read from the code's annotations.
"""

EXAMPLES_OF_DEMO = """\
examples:
  python -m sansticket demo                       what a ticket saves
  python -m sansticket demo --retry               the server wants another group: HelloRetryRequest
  python -m sansticket demo --client-certificate  both sides prove who they are; at the resumption, neither
  python -m sansticket demo --tls 1.2             one round trip more, and names in the clear
  python -m sansticket demo --tickets 0           a server without tickets
"""

EXAMPLES_OF_STATES = """\
examples:
  python -m sansticket states server                               for a Mermaid block
  python -m sansticket states client --format dot | dot -Tsvg      with Graphviz
  python -m sansticket states --format markdown > docs/states.md   the page in docs/
  python -m sansticket states --format json                        the model, which docs/model.md explains
"""


def demo(options: argparse.Namespace) -> Iterable[str]:
    from sansticket.command.demo import Options, tell

    return tell(
        Options(
            version=VERSIONS[options.tls],
            tickets=options.tickets,
            retry=options.retry,
            client_certificate=options.client_certificate,
            width=options.width,
        )
    )


def states(options: argparse.Namespace) -> Iterable[str]:
    from sansticket.debug import states as pictures

    sides = [options.side] if options.side else pictures.SIDES
    if options.format == "json":
        from sansticket.debug.model import document

        yield json.dumps(document(sides), indent=2)
        return
    if options.format == "markdown":
        yield from pictures.page()
        return
    draw = pictures.dot if options.format == "dot" else pictures.mermaid
    for side in sides:
        yield from draw(side)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m sansticket",
        description=DESCRIPTION,
        epilog="COMMAND --help tells more.  Exit codes: 0 all went well, 1 it did not, 2 the command line was wrong.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"sansticket {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_demo(commands)
    add_certificates(commands)
    add_explain(commands)
    add_ladder(commands)
    add_replay(commands)
    add_session(commands)
    add_ticket_keys(commands)
    add_fleet(commands)
    add_report(commands)
    _add_states(commands)
    return top


def _add_demo(commands: Commands) -> None:
    demo_ = commands.add_parser(
        "demo",
        help="a handshake, its tickets and a resumption, as a picture of the messages",
        description=DEMO,
        epilog=EXAMPLES_OF_DEMO,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    demo_.set_defaults(run=demo)
    demo_.add_argument(
        "--tls", choices=VERSIONS, default="1.3", help="the protocol version (default: %(default)s)"
    )
    demo_.add_argument(
        "--tickets",
        type=integer(0, 100),
        default=2,
        metavar="N",
        help="tickets after the full handshake, 0 to 100 (default: %(default)s, as in OpenSSL); after a resumption "
        "there is one, unless this is 0; TLS 1.2 always has one, and none after a resumption",
    )
    demo_.add_argument(
        "--retry",
        action="store_true",
        help="the server takes no group that the client sent a key share for (TLS 1.3)",
    )
    demo_.add_argument(
        "--client-certificate",
        action="store_true",
        help="the server requires a certificate of the client too",
    )
    demo_.add_argument(
        "--width",
        type=integer(60, 500),
        default=_terminal_width(),
        metavar="COLUMNS",
        help="columns of the picture (default: the terminal's, at least 80 and at most 100)",
    )


def _add_states(commands: Commands) -> None:
    states_ = commands.add_parser(
        "states",
        help="the state machines of client and server, as Mermaid, Graphviz, a page or JSON",
        description=STATES,
        epilog=EXAMPLES_OF_STATES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    states_.set_defaults(run=states)
    states_.add_argument(
        "side", nargs="?", choices=("client", "server"), help="only this one; both otherwise"
    )
    states_.add_argument(
        "--format",
        choices=("mermaid", "dot", "markdown", "json"),
        default="mermaid",
        help="mermaid: a diagram that many forges draw (default); dot: for Graphviz; markdown: a page with "
        "pictures and a table of the states; json: the model of both sides, for programs",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.  The exit code: 0, or 1 when it did not work, 130 for SIGINT; argparse exits with 2 itself."""
    options = _options(arguments)
    run: Command = options.run
    try:
        if sys.stdout is None:
            raise CommandError("standard output is closed")
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # of what its encoding has no characters for
        for line in run(options):
            print(line)
        sys.stdout.flush()
    except SansticketError as error:
        remark(str(error))
        return 1
    except OSError as error:  # of standard output: what happens to other files the commands know themselves
        if not isinstance(error, BrokenPipeError):  # whoever read us may have had enough
            remark(f"standard output: {error.strerror}")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing more is flushed at exit
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """What argparse says, and whether the options go together."""
    top = parser()
    options = top.parse_args(arguments)
    check = getattr(options, "check", None)
    if check is not None and (problem := check(options)):
        top.error(problem)
    return options


def _terminal_width() -> int:
    return min(max(shutil.get_terminal_size().columns, 80), WIDEST)


if __name__ == "__main__":
    sys.exit(main())
