"""``docs/misbehaviour.md``: what was tried, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.misbehaviours.catalogue import catalogue, sites
from tests.misbehaviours.scenes import SCENES

PAGE: Final = Path(__file__).parent.parent.parent / "docs" / "misbehaviour.md"
START: Final = "<!-- The counts of python -m tests.misbehaviours --write -->\n"
END: Final = "<!-- The end of python -m tests.misbehaviours --write -->\n"

KINDS: Final = {
    "left out": "the message does not come",
    "twice": "it comes once more",
    "out of order": "another message before it, or in its place",
    "unknown message": "a type that nobody knows",
    "wrong epoch": "before its keys, or without any",
    "split": "cut into records, which is allowed anywhere",
    "interleaved": "another record in its middle",
    "record before": "another record before it: data, alerts, change_cipher_spec, empty, unknown, too long",
    "alert": "an alert before it, which is the end",
    "damaged record": "its record is changed on its way: a bit turned, cut, longer, without its tag",
    "padding": "its record is padded, which is allowed",
    "length": "a length says something else than what is there",
    "too short": "a field, a vector or the message has a byte less",
    "too long": "a byte more",
    "empty vector": "a vector without the content that it must have",
    "cut short": "the message ends before one of its fields",
    "extension twice": "the same extension once more",
    "unknown extension": "one that nobody knows: overlooked in a question, refused in an answer",
    "extension of another message": "one that may not stand in this message",
    "unsolicited extension": "an answer that nobody asked for",
    "extension left out": "one that must be there, or need not",
    "extensions in another order": "which is allowed, but for pre_shared_key",
    "forbidden value": "a field with a value that it must not have",
    "value that is tolerated": "a field with an unusual value that it may have",
}
"""Every kind, in words."""


def rows(head: tuple[str, ...], lines: Iterable[tuple[object, ...]]) -> str:
    table = [head, tuple("---" for _ in head), *lines]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in table)


def text() -> str:
    """What stands between the two comments."""
    everything = catalogue()
    kinds = Counter(one.kind for one in everything)
    ends = Counter(str(one.end) for one in everything)
    scenes = Counter(one.site.scene.name for one in everything)
    messages = Counter((one.site.sender, one.site.name) for one in everything)
    said = len({(one.site.name, one.site.sender, one.kind, one.what) for one in everything})
    total = (
        f"{len(everything):,} misbehaviours at {len(sites())} messages of {len(SCENES)} kinds of handshakes; "
        f"{said:,} without counting the same one again in another handshake.\n"
    )
    return "\n".join(
        (
            total,
            rows(("kind", "what is wrong", "number"), ((kind, KINDS[kind], kinds[kind]) for kind in KINDS)),
            rows(("how it must end", "number"), sorted(ends.items(), key=lambda pair: -pair[1])),
            rows(("handshake", "number"), scenes.items()),
            rows(
                ("who misbehaves", "message", "number"),
                ((who, name, count) for (who, name), count in sorted(messages.items())),
            ),
        )
    )


def write() -> None:
    before, _, rest = PAGE.read_text().partition(START)
    PAGE.write_text(before + START + "\n" + text() + "\n" + END + rest.partition(END)[2])


def is_current() -> bool:
    return f"{START}\n{text()}\n{END}" in PAGE.read_text()
