"""What a replay file holds, and how it is written.

A file is text in UTF-8, a JSON object on each line:

    the head     {"format": "sansticket replay", "version": 1, "secrets": true,
                  "config": {...}, "with": {...}, "objects": [...]}
    each step    {"do": "receive", "with": {"b": "FgMB..."}, "calls": [["clock", 1.5], ...], "gave": {...}}
    the end      {"end": 12, "sha256": "..."}

``do`` is ``make`` (the first step), ``receive``, ``send`` (a command), ``take`` (``data_to_send``) or ``set``
(``num_tickets``); ``with`` is what was given.  ``calls`` are what the connection asked of others meanwhile, in order,
with what came of it.  ``gave`` is what the step gave: ``events`` by name, words and fields, ``data`` that was taken,
``raised`` what was raised, ``state`` the one it led to.  ``values`` says how values are written.  The hash is of all
lines before the last.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from hashlib import sha256
from typing import Any, Final

from attrs import Factory, define, field

from sansticket.errors import LocalProtocolError
from sansticket.replays.outside import Call
from sansticket.replays.values import ReplayError, bytes_of, without_secrets, written
from sansticket.text import MAX_PIECE, printable
from sansticket.values import frozen

FORMAT: Final = "sansticket replay"
VERSION: Final = 1

MAX_SIZE: Final = 1 << 28
"""Bytes of a file."""

DOES: Final = ("make", "receive", "send", "take", "set")

CONFIG: Final[tuple[str, ...]] = ("side", "answers", "credentials", "trust anchors", "pads", "outside")
"""Of a config, what is no secret, beside its fields."""

DIGITS: Final = re.compile(r"(?:[0-9a-f]{2}){8,}")
"""Bytes in a text, as the id of a session that was given in the wrong place."""

PUBLIC_CALLS: Final = ("clock", "padding")
"""What is asked of others and is no secret."""


@frozen
class Gave:
    """What came of a step.  ``events``: of each its name, what is worth knowing in words, and its fields.

    The fields are "" where secrets were left out; ``data`` is None where nothing was taken.
    """

    state: str
    events: tuple[tuple[str, str, str], ...] = ()
    data: bytes | None = field(default=None, repr=lambda data: f"<{len(data or b'')} bytes>")
    raised: str = ""


@frozen
class Step:
    """One thing that was done with the connection.  ``given`` and the results of ``calls`` are in written form."""

    do: str
    given: Any = field(repr=False)
    calls: tuple[Call, ...] = field(repr=lambda calls: f"<{len(calls)} calls>")
    gave: Gave


@define
class Recording:
    """Everything that went into one connection, and what came out of it."""

    config: dict[str, Any] = field(repr=False)
    given: dict[str, Any] = field(repr=False)
    """What the connection was made with, beside the config."""
    objects: list[dict[str, Any]] = field(factory=list, repr=False)
    steps: list[Step] = Factory(list)
    secrets: bool = True

    @property
    def side(self) -> str:
        """``client`` or ``server``; what else the file may say, in a form that can be shown."""
        return printable(str(self.config.get("side")), MAX_PIECE)

    def without_secrets(self) -> Recording:
        """The same to be shown to others: without randomness, keys, sessions, answers and application data.

        What went over the wire stays, when, in which order, and the names of events and states.  ReplayError where
        the config is none.
        """
        config = {name: self.config[name] for name in CONFIG if name in self.config}
        if not isinstance(fields := self.config.get("fields"), dict):
            raise ReplayError("line 1: its config has no fields")
        config["fields"] = {name: _public(name, value) for name, value in fields.items()}
        config["verifier"] = None
        given = dict(self.given)
        if given.get("sessions") is not None:
            given["sessions"] = {"out": None}
        objects = [{"kind": one["kind"], "attributes": {}} for one in self.objects]
        return Recording(config, given, objects, [_shown(step) for step in self.steps], False)

    def to_bytes(self) -> bytes:
        """The file."""
        head = {
            "format": FORMAT,
            "version": VERSION,
            "secrets": self.secrets,
            "config": self.config,
            "with": self.given,
            "objects": self.objects,
        }
        body = b"".join(_line(one) for one in (head, *map(_step, self.steps)))
        return body + _line({"end": len(self.steps), "sha256": sha256(body).hexdigest()})

    @classmethod
    def from_bytes(cls, data: bytes) -> Recording:
        """Read a file.  ReplayError says what is wrong with it, and in which line."""
        if len(data) > MAX_SIZE:
            raise ReplayError(f"{len(data)} bytes; expected at most {MAX_SIZE}")
        if not is_replay(data):
            raise ReplayError("no replay: it does not begin as one")
        lines = data.split(b"\n")
        head = _object(lines[0], 1)
        if head.get("version") != VERSION:
            raise ReplayError(f"version {head.get('version')!r:.20} of the format; expected {VERSION}")
        body = data[: data.rfind(b"\n", 0, -1) + 1]
        end = _object(lines[-2] if len(lines) > 2 else b"", len(lines) - 1)
        if lines[-1] or "end" not in end:
            raise ReplayError("it has no end: it was cut, or is still being written")
        if end.get("sha256") != sha256(body).hexdigest() or end["end"] != len(lines) - 3:
            raise ReplayError("the hash in its last line is of another content: it was changed or damaged")
        steps = [_read_step(_object(line, number), number) for number, line in enumerate(lines[1:-2], 2)]
        try:
            config, given, objects = head["config"], head["with"], head["objects"]
            secrets = head["secrets"] is True
        except KeyError as error:
            raise ReplayError(f"line 1 has no {error}") from None
        if not (isinstance(config, dict) and isinstance(given, dict) and _are_tables(objects)):
            raise ReplayError("line 1: config, with and objects are not what they should be")
        if not steps or steps[0].do != "make" or any(step.do == "make" for step in steps[1:]):
            raise ReplayError("the first step, and no other, makes the connection")
        return cls(config, given, objects, steps, secrets)


def is_replay(data: bytes) -> bool:
    """Whether a file is one, by its first bytes."""
    return data.startswith(b'{"format": "sansticket replay"')


def _are_tables(objects: Any) -> bool:
    return isinstance(objects, list) and all(
        isinstance(one, dict) and isinstance(one.get("kind"), str) and isinstance(one.get("attributes"), dict)
        for one in objects
    )


def _line(content: Any) -> bytes:
    return json.dumps(content).encode() + b"\n"


def _object(line: bytes, number: int) -> dict[str, Any]:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        raise ReplayError(f"line {number} is no JSON") from None
    if not isinstance(content, dict):
        raise ReplayError(f"line {number} is no object of JSON")
    return content


def _step(step: Step) -> dict[str, Any]:
    gave: dict[str, Any] = {"state": step.gave.state}
    if step.gave.events:
        gave["events"] = [list(one) for one in step.gave.events]
    if step.gave.data is not None:
        gave["data"] = written(step.gave.data, lambda value: None)
    if step.gave.raised:
        gave["raised"] = step.gave.raised
    return {"do": step.do, "with": step.given, "calls": [list(call) for call in step.calls], "gave": gave}


def _read_step(content: dict[str, Any], number: int) -> Step:
    try:
        calls, gave = content["calls"], content["gave"]
        data = gave.get("data")
        step = Step(
            content["do"],
            content["with"],
            tuple((_name(what), result) for what, result in calls),
            Gave(
                str(gave["state"]),
                tuple((str(name), str(words), str(fields)) for name, words, fields in gave.get("events", ())),
                None if data is None else bytes_of(data["b"]),
                str(gave.get("raised", "")),
            ),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ReplayError(f"line {number} is no step: {type(error).__name__}: {error}") from None
    if step.do not in DOES:
        raise ReplayError(f"line {number}: {step.do!r:.40}; expected one of {', '.join(DOES)}")
    return step


def _name(what: Any) -> str:
    if not isinstance(what, str):
        raise TypeError("a call without a name")
    return what


# --- without secrets ---------------------------------------------------------------------------------------------


def _public(name: str, value: Any) -> Any:
    return {"t": []} if name == "psks" else value


def _shown(step: Step) -> Step:
    given = step.given if step.do in ("receive", "take", "set", "make") else without_secrets(step.given)
    return Step(step.do, given, tuple(_calls(step.calls)), _gave(step.gave))


def _calls(calls: Iterable[Call]) -> Iterable[Call]:
    for what, result in calls:
        yield what, result if what in PUBLIC_CALLS else {"out": None}


def _gave(gave: Gave) -> Gave:
    events = tuple((name, words, "") for name, words, _ in gave.events)
    return Gave(gave.state, events, gave.data, _raised(gave.raised))


def _raised(raised: str) -> str:
    """What the application's own functions say is their own; what is ours has no bytes in it."""
    kind, _, _ = raised.partition(":")
    return DIGITS.sub("...", raised) if kind == LocalProtocolError.__name__ else kind
