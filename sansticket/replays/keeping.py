"""A recording is written where something goes wrong, and nowhere else: of a test, a fuzzer's input, a user's report."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sansticket.replays.recorder import Recorded


@contextmanager
def kept_on_failure(folder: str | Path, *, secrets: bool = True, **recorded: Recorded) -> Iterator[None]:
    """Whatever is raised in the block brings the recordings into files, and goes on with a note where they are.

        with kept_on_failure("found", client=client, server=server):
            assert ...

    Each is ``folder/NAME.replay``, which is written over, and which only its owner can read.  ``secrets``: False leaves
    them out.
    """
    try:
        yield
    except BaseException as error:
        for name, one in recorded.items():
            path = Path(folder, f"{name}.replay")
            path.parent.mkdir(parents=True, exist_ok=True)
            recording = one.recording if secrets else one.recording.without_secrets()
            _write(path, recording.to_bytes())
            error.add_note(f"the {name}'s connection: python -m sansticket replay {path}")
        raise


def _write(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)  # what is there may be for others to read
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(content)
