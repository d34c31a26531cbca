"""``python -m sansticket ladder``: captured connections as pictures."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from itertools import groupby

from sansticket.captures.connections import Captured
from sansticket.captures.streams import Moment
from sansticket.captures.tickets import History, told
from sansticket.command.output import STANDARD, CommandError, write
from sansticket.command.sight.explain import File, Source, given_files, source_of
from sansticket.command.sight.replay import read_recording
from sansticket.debug.explain import Side
from sansticket.debug.ladder import draw
from sansticket.debug.ladders.page import page
from sansticket.debug.ladders.picture import Picture, picture
from sansticket.debug.ladders.vector import svg
from sansticket.debug.trace import Carried, Step
from sansticket.replays.player import Player
from sansticket.replays.recording import is_replay
from sansticket.replays.values import ReplayError


def run(options: argparse.Namespace) -> Iterable[str]:
    files = list(given_files(options))
    recorded = _recorded(files, options)
    lines = list(_drawn_of(recorded, options) if recorded else _drawn(source_of(files, options), options))
    if options.output in (None, STANDARD):
        return lines
    write(options.output, ("\n".join(lines) + "\n").encode())
    return []


def _recorded(files: list[File], options: argparse.Namespace) -> Player | None:
    """The recording that was given in the place of captured bytes, alone."""
    found = [(path, content) for path, content in files if is_replay(content)]
    if not found:
        return None
    ((path, content), *_) = found
    more = {
        "no other FILE": len(files) > 1,
        "no --sender": options.sender,
        "no --key-log": options.key_log,
        "no --ticket-keys": options.ticket_keys,
        "no --connection": options.connection not in (None, 1),
    }
    for expected, is_there in more.items():
        if is_there:
            raise CommandError(f"{path}: a recording needs nothing else; expected {expected}")
    return Player(read_recording(path, content))


def _drawn_of(player: Player, options: argparse.Namespace) -> Iterator[str]:
    """A recording, with the events of its side."""
    try:
        steps = player.ladder()
    except ReplayError as error:
        raise CommandError(f"{options.files[0]}: {error}") from None
    if options.format == "text":
        yield from draw(steps, player.key_log, options.width, hides=not options.secrets)
        yield from player.missing
        return
    title = f"The recorded connection of a {player.recording.side}"
    made = picture(steps, player.key_log, title, secrets=options.secrets, notes=player.missing)
    yield (page(made) if options.format == "html" else svg(made)).rstrip("\n")


def _drawn(source: Source, options: argparse.Namespace) -> Iterator[str]:
    pictures = list(_pictures(source, options))
    if options.format == "html":
        yield page(*(made for _, made in pictures)).rstrip("\n")
        return
    if options.format == "svg":
        if len(pictures) > 1:
            raise CommandError(
                f"{len(pictures)} connections, and an SVG has one; expected --connection, or html"
            )
        yield svg(pictures[0][1]).rstrip("\n")
        return
    for connection, made in pictures:
        if source.several:
            yield made.title
        yield from draw(steps_of(connection), source.key_log, options.width, hides=not options.secrets)
        yield from made.notes


def _pictures(source: Source, options: argparse.Namespace) -> Iterator[tuple[Captured, Picture]]:
    """Of the connections with TLS, or of the one that was named."""
    history, drawn = History(source.opener), 0
    for connection in source.connections:
        verdict = history.judge(connection.flow, source.records(connection))
        if not connection.pieces or options.connection not in (None, connection.number):
            continue
        drawn += 1
        title = str(connection) if source.several else "A TLS connection"
        notes = [*(connection.notes if source.several else ()), *told(verdict)]
        yield (
            connection,
            picture(steps_of(connection), source.key_log, title, secrets=options.secrets, notes=notes),
        )
    if not drawn:
        raise CommandError(f"{options.files[0]}: no connection with TLS in it")


def steps_of(connection: Captured) -> list[Step]:
    """What went over, for a ladder: what one side said without an answer is one flight."""
    flights = groupby(connection.moments, lambda one: one.sender)
    return [_flight(sender, list(moments)) for sender, moments in flights]


def _flight(sender: Side, moments: list[Moment]) -> Carried:
    return Carried(sender, b"".join(one.data for one in moments), moments[0].time or None)
