"""The command lines of ``explain``, ``ladder`` and ``replay``; what they do is imported when they are called."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from sansticket.command.output import Commands, add, integer
from sansticket.tickets.keys.programs.layouts import PROGRAMS

EXPLAIN = """\
The records in captured TLS connections, the messages inside them with their extensions, and what became of the
tickets: which were offered, taken, refused and issued, and where one was refused, the likely reason.

A FILE of tcpdump, Wireshark or dumpcap (pcap, pcapng) may have any number of connections; the extra
sansticket[captures] reads it.  Any other FILE has the bytes of one direction: raw, as hexadecimal digits, or as xxd
and hexdump -C print them.  Give both directions as two files, or as one text that says who sent what:

    # the client's lines begin with >, the server's with <; a line without either goes on with the one before
    > 16030100f5010000f10303...
    < 16 03 03 00 7a 02 00 00 76 ...

What is encrypted is read with a key log: the file that SSLKEYLOGFILE names for browsers and curl, or the lines that
"key_log" of our configs gets; a pcapng FILE may have one in it.  With the lines of one connection anybody reads all
of it.

Ticket keys open what is in tickets.  In TLS 1.2 that is the whole connection in which a ticket is shown or issued.
In TLS 1.3 it is the early data, and whether the binder is right; the rest needs the key exchange too, so a key log,
unless the peers do without one (psk_ke).
"""

EXAMPLES_OF_EXPLAIN = """\
examples:
  python -m sansticket explain hello.bin
  python -m sansticket explain client.bin server.bin --key-log keys.log
  xxd -p client.bin | python -m sansticket explain -
  python -m sansticket explain rest.bin --sender server        not from the beginning: say whose it is
  python -m sansticket explain trace.pcapng --key-log keys.log --connection 2
  python -m sansticket explain trace.pcap --ticket-keys current.key --ticket-keys previous.key
"""

LADDER = """\
Captured TLS connections as ladders: the client's messages on the left, the server's on the right, with the bytes of
each, coloured by the keys that protect it, and below what became of the tickets.  A FILE is what "explain" reads, and
what is encrypted is opened in the same way; or a recording that "replay" plays, which needs no key log.

text is for terminals; svg is one picture; html is a page in one file, which needs no network: its rows open to
details, and it can be searched.  svg and html have no application data in them, and of tickets only the names of their
keys, unless you ask for --secrets.
"""

EXAMPLES_OF_LADDER = """\
examples:
  python -m sansticket ladder trace.pcapng --key-log keys.log
  python -m sansticket ladder trace.pcapng --key-log keys.log --format html > ladder.html
  python -m sansticket ladder client.bin server.bin --format svg --output ladder.svg
  python -m sansticket ladder client.replay
"""

FORMATS = ("text", "svg", "html")

REPLAY = """\
A FILE holds everything that went into one connection: bytes, commands, answers, the clock, randomness and the config
(record_client and record_server of sansticket.replays write it).  It is played: the connection is made again from
nothing but the file, and whatever comes otherwise than it was noted is said, with exit code 1.

Each line is a step: what was done, what was asked of others meanwhile, what came, and the state it led to.

A file with its secrets opens the connection to whoever has it.  --strip writes one without them, to be shown to others:
the bytes that went over, when, in which order, the names of events and states, and no randomness, keys, sessions,
answers or application data.  Such a file is shown as it was noted, and cannot be made again.
"""

EXAMPLES_OF_REPLAY = """\
examples:
  python -m sansticket replay client.replay
  python -m sansticket replay client.replay --steps 3-7 --fields
  python -m sansticket replay client.replay --interactive         forward and back
  python -m sansticket replay client.replay --strip report.replay
  python -m sansticket ladder client.replay --format html > ladder.html
"""

STEPPING = "Enter: the next step, b: back, a number: to there, f: fields on and off, q: the end"

OTHERS = ("go", "caddy", "gnutls", "sansticket")
"""Whose ticket keys stand in no file of OpenSSL's kind."""


def explain(options: argparse.Namespace) -> Iterable[str]:
    from sansticket.command.sight.explain import run

    return run(options)


def ladder(options: argparse.Namespace) -> Iterable[str]:
    from sansticket.command.sight.ladder import run

    return run(options)


def replay(options: argparse.Namespace) -> Iterable[str]:
    from sansticket.command.sight.replay import run

    return run(options)


def add_explain(commands: Commands) -> None:
    command = add(
        *(commands, "explain", explain),
        help="the records, messages and tickets in captured bytes",
        description=EXPLAIN,
        examples=EXAMPLES_OF_EXPLAIN,
    )
    add_sources(command)
    command.set_defaults(check=check_sources)


def add_sources(command: argparse.ArgumentParser) -> None:
    """The captured bytes, and the secrets that open them."""
    command.add_argument(
        "files", metavar="FILE", nargs="+", help="a capture, or one or both directions; - is standard input"
    )
    command.add_argument("--key-log", metavar="FILE", help="the secrets of the connection")
    command.add_argument(
        *("--ticket-keys",),
        metavar="FILE",
        action="append",
        default=[],
        help="keys that open the tickets; once for each file",
    )
    command.add_argument(
        "--program",
        choices=(*PROGRAMS, *OTHERS),
        metavar="PROGRAM",
        help=f"whose ticket keys they are, of {', '.join((*PROGRAMS, *OTHERS))} (default: nginx's or haproxy's, by "
        "their content); sansticket: the name and the secret of a TicketKey, 48 bytes; go: 32 bytes; "
        "caddy: stek/stek.bin in its storage; gnutls: 64 bytes",
    )
    command.add_argument(
        "--sender", choices=("client", "server"), help="who sent what does not say so (default: as it begins)"
    )
    command.add_argument(
        *("--connection",), type=int, metavar="N", help="of a capture with several: this one, counted from 1"
    )


def check_sources(options: argparse.Namespace) -> str:
    if options.program and not options.ticket_keys:
        return "--program is for --ticket-keys"
    return "--sender is for one FILE" if options.sender and len(options.files) > 1 else ""


def add_ladder(commands: Commands) -> None:
    command = add(
        *(commands, "ladder", ladder),
        help="captured connections as pictures: text, SVG, a page",
        description=LADDER,
        examples=EXAMPLES_OF_LADDER,
    )
    add_sources(command)
    command.add_argument("--format", choices=FORMATS, default="text", help="default: %(default)s")
    command.add_argument("--output", metavar="FILE", help="where it goes (default: standard output)")
    command.add_argument(
        "--width",
        type=integer(60, 500),
        default=100,
        metavar="COLUMNS",
        help="of text (default: %(default)s)",
    )
    command.add_argument(
        "--secrets",
        action="store_true",
        help="with application data and whole tickets, as far as they were opened",
    )
    command.set_defaults(check=check_sources)


def add_replay(commands: Commands) -> None:
    command = add(
        *(commands, "replay", replay),
        help="a recorded connection, made again step by step",
        description=REPLAY,
        examples=EXAMPLES_OF_REPLAY,
    )
    command.add_argument("file", metavar="FILE", help="- is standard input")
    command.add_argument(
        "--steps", metavar="FROM-TO", type=_span, help="show these only; all are played up to there"
    )
    command.add_argument("--fields", action="store_true", help="events with all of their fields")
    command.add_argument("--interactive", action="store_true", help=f"step by step: {STEPPING}")
    command.add_argument(
        "--strip", metavar="FILE", help="write the recording without its secrets, and play nothing"
    )
    command.set_defaults(check=check_replay, stepping=STEPPING)


def check_replay(options: argparse.Namespace) -> str:
    chosen = [name for name in ("steps", "interactive", "strip") if getattr(options, name)]
    if options.interactive and options.file == "-":
        return "--interactive reads standard input, and so does FILE"
    return f"--{chosen[0]} and --{chosen[1]} do not go together" if len(chosen) > 1 else ""


def _span(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    try:
        span = int(first), int(last or first)
    except ValueError:
        span = (0, 0)
    if not 1 <= span[0] <= span[1]:
        raise argparse.ArgumentTypeError(f"{text!r}; expected a step, or two as 3-7")
    return span
