"""``python -m sansticket replay``: a recorded connection, made again step by step."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator

from sansticket.command.output import CommandError, Commands, add, read, write_secret
from sansticket.debug import words
from sansticket.replays.player import Played, Player
from sansticket.replays.recording import Recording, Step
from sansticket.replays.values import ReplayError
from sansticket.text import MAX_PIECE, printable

DESCRIPTION = """\
A FILE holds everything that went into one connection: bytes, commands, answers, the clock, randomness and the config
(record_client and record_server of sansticket.replays write it).  It is played: the connection is made again from
nothing but the file, and whatever comes otherwise than it was noted is said, with exit code 1.

Each line is a step: what was done, what was asked of others meanwhile, what came, and the state it led to.

A file with its secrets opens the connection to whoever has it.  --strip writes one without them, to be shown to others:
the bytes that went over, when, in which order, the names of events and states, and no randomness, keys, sessions,
answers or application data.  Such a file is shown as it was noted, and cannot be made again.
"""

EXAMPLES = """\
examples:
  python -m sansticket replay client.replay
  python -m sansticket replay client.replay --steps 3-7 --fields
  python -m sansticket replay client.replay --interactive         forward and back
  python -m sansticket replay client.replay --strip report.replay
  python -m sansticket ladder client.replay --format html > ladder.html
"""

HELP = "Enter: the next step, b: back, a number: to there, f: fields on and off, q: the end"


def add_replay(commands: Commands) -> None:
    command = add(
        *(commands, "replay", run),
        help="a recorded connection, made again step by step",
        description=DESCRIPTION,
        examples=EXAMPLES,
    )
    command.add_argument("file", metavar="FILE", help="- is standard input")
    command.add_argument(
        "--steps", metavar="FROM-TO", type=_span, help="show these only; all are played up to there"
    )
    command.add_argument("--fields", action="store_true", help="events with all of their fields")
    command.add_argument("--interactive", action="store_true", help=f"step by step: {HELP}")
    command.add_argument(
        "--strip", metavar="FILE", help="write the recording without its secrets, and play nothing"
    )
    command.set_defaults(check=check)


def check(options: argparse.Namespace) -> str:
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


def read_recording(path: str, content: bytes) -> Recording:
    """What is in a file.  CommandError says what is wrong with it."""
    try:
        return Recording.from_bytes(content)
    except ReplayError as error:
        raise CommandError(f"{path}: {error}") from None


def run(options: argparse.Namespace) -> Iterable[str]:
    recording = read_recording(options.file, read(options.file))
    if options.strip is not None:
        write_secret(options.strip, recording.without_secrets().to_bytes())
        return
    player = Player(recording)
    yield f"a {recording.side}, {words.count(len(player), 'step')}"
    yield from (f"note: {sentence}" for sentence in player.missing)
    try:
        yield from _stepped(player, options) if options.interactive else _played(player, options)
    except ReplayError as error:
        raise CommandError(f"{options.file}: {error}") from None


def _played(player: Player, options: argparse.Namespace) -> Iterator[str]:
    first, last = options.steps or (1, len(player))
    otherwise = ""
    for played in player.rest():
        if played.number > last:
            break
        if played.number >= first:
            yield from lines(played, fields=options.fields)
        if played.difference and not otherwise:
            otherwise = f"step {played.number}: {played.difference}"
    if otherwise:
        sys.stdout.flush()
        raise CommandError(f"{options.file}: it came otherwise than it was noted, from {otherwise}")
    if not player.missing:
        yield f"played {words.count(player.position, 'step')}: the same bytes and events as were noted"


def _stepped(player: Player, options: argparse.Namespace) -> Iterator[str]:
    """Forward and back, as standard input says."""
    yield HELP
    fields = options.fields
    for line in sys.stdin:
        word = line.strip()
        if word == "q":
            break
        if word == "f":
            fields = not fields
            continue
        try:
            yield from _moved(player, word, fields=fields)
        except ReplayError as error:
            yield f"({error})"


def _moved(player: Player, word: str, *, fields: bool) -> Iterator[str]:
    if word in ("", "n"):
        yield from lines(player.forward(), fields=fields)
    elif word == "b":
        player.back()
        yield f"after step {player.position}, {player.state or 'not made'}"
    elif word.isdecimal() and len(word) < 10:
        player.go_to(int(word))
        yield f"after step {player.position}, {player.state or 'not made'}"
    else:
        yield HELP


def lines(played: Played, *, fields: bool) -> Iterator[str]:
    """A step in words."""
    gave = played.gave
    yield f"{played.number:4} {_what(played.step):40} {_asked(played.step):34} -> {gave.state}".rstrip()
    for name, worth, every in gave.events:
        text = every if fields and every else f"{name}: {worth}" if worth else name
        yield f"       {printable(text)}"
    if gave.data:
        yield f"       {words.count(len(gave.data), 'byte')} to the peer"
    if gave.raised:
        yield f"       raised {printable(gave.raised)}"
    if played.difference:
        yield f"       OTHERWISE: {printable(played.difference)}"


def _what(step: Step) -> str:
    given = step.given
    if step.do == "send":
        name = given.get("!") if isinstance(given, dict) else given
        return f"send {printable(str(name), MAX_PIECE)}{_size(given.get('data')) if isinstance(given, dict) else ''}"
    if step.do == "receive":
        return f"receive{_size(given)}"
    return f"set num_tickets {given}" if step.do == "set" else step.do


def _size(written: object) -> str:
    match written:
        case {"b": str() as text}:
            return f", {words.count(len(text) * 3 // 4 - text.count('='), 'byte')}"
        case {"out": int() as size}:
            return f", {words.count(size, 'byte')}"
    return ""


def _asked(step: Step) -> str:
    """What was asked of others, and how often."""
    counts = Counter(what for what, _ in step.calls)
    return printable(
        ", ".join(f"{what} {count}" if count > 1 else what for what, count in counts.items()), MAX_PIECE
    )
