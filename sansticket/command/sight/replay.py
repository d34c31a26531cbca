"""``python -m sansticket replay``: a recorded connection, made again step by step."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator

from sansticket.command.output import STANDARD, CommandError, read, typed, write_out, write_secret
from sansticket.debug import words
from sansticket.replays.player import Played, Player
from sansticket.replays.recording import Recording, Step
from sansticket.replays.values import ReplayError
from sansticket.text import MAX_PIECE, printable


def read_recording(path: str, content: bytes) -> Recording:
    """What is in a file.  CommandError says what is wrong with it."""
    try:
        return Recording.from_bytes(content)
    except ReplayError as error:
        raise CommandError(f"{path}: {error}") from None


def run(options: argparse.Namespace) -> Iterable[str]:
    recording = read_recording(options.file, read(options.file))
    if options.strip is not None:
        _write_stripped(options.strip, recording.without_secrets().to_bytes())
        return
    player = Player(recording)
    yield f"a {recording.side}, {words.count(len(player), 'step')}"
    yield from (f"note: {sentence}" for sentence in player.missing)
    try:
        yield from _stepped(player, options) if options.interactive else _played(player, options)
    except ReplayError as error:
        raise CommandError(f"{options.file}: {error}") from None


def _write_stripped(path: str, content: bytes) -> None:
    if path == STANDARD:
        write_out(content, binary=False)
    else:
        write_secret(path, content)


def _played(player: Player, options: argparse.Namespace) -> Iterator[str]:
    first, last = options.steps or (1, len(player))
    otherwise = ""
    while player.position < min(last, len(player)):
        played = player.forward()
        if played.number >= first:
            yield from lines(played, fields=options.fields)
        if played.difference and not otherwise:
            otherwise = f"step {played.number}: {printable(played.difference)}"
    if otherwise:
        sys.stdout.flush()
        raise CommandError(f"{options.file}: it came otherwise than it was noted, from {otherwise}")
    if not player.missing:
        yield f"played {words.count(player.position, 'step')}: the same bytes and events as were noted"


def _stepped(player: Player, options: argparse.Namespace) -> Iterator[str]:
    """Forward and back, as standard input says."""
    yield options.stepping
    fields = options.fields
    for line in typed():
        word = line.strip()
        if word == "q":
            break
        if word == "f":
            fields = not fields
            continue
        try:
            yield from _moved(player, word, options.stepping, fields=fields)
        except ReplayError as error:
            yield f"({error})"


def _moved(player: Player, word: str, stepping: str, *, fields: bool) -> Iterator[str]:
    if word in ("", "n"):
        yield from lines(player.forward(), fields=fields)
    elif word == "b":
        player.back()
        yield _place(player)
    elif word.isdecimal() and len(word) < 10:
        player.go_to(int(word))
        yield _place(player)
    else:
        yield stepping


def _place(player: Player) -> str:
    return f"after step {player.position}, {printable(player.state, MAX_PIECE) or 'not made'}"


def lines(played: Played, *, fields: bool) -> Iterator[str]:
    """A step in words."""
    gave = played.gave
    state = printable(gave.state, MAX_PIECE)
    yield f"{played.number:4} {_what(played.step):40} {_asked(played.step):34} -> {state}".rstrip()
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
    return f"set num_tickets {printable(str(given), MAX_PIECE)}" if step.do == "set" else step.do


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
