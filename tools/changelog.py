"""The changelog from its fragments.

    python -m tools.changelog            what the files in changes/ amount to
    python -m tools.changelog --write    put them at the end of the unreleased section of CHANGELOG.md, and remove them

A fragment is what one change says, in list items of Markdown (one as a rule) in a file of its own,
``changes/<a few words>.md``, so that two changes never meet in one line of one file.  What has been released stays as
it is: where the newest section is no ``(unreleased)`` one, another begins above it.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
EXPLANATION: Final = "README.md"
SECTION: Final = re.compile(r"^## .*$", re.MULTILINE)
UNRELEASED: Final = " (unreleased)"
"""At the end of the heading of a section that is not released yet."""


class BadFragment(Exception):
    """A file in ``changes/`` has something else than list items."""


def fragments(root: Path) -> list[Path]:
    """The files that are to be put together, by name."""
    return sorted(path for path in (root / "changes").glob("*.md") if path.name != EXPLANATION)


def item(path: Path) -> str:
    """What a fragment says, checked: list items, with their other lines indented."""
    text = path.read_text(encoding="utf-8").rstrip()
    first, *others = text.split("\n")
    if not first.startswith("- ") or not all(line.startswith(("- ", "  ")) for line in others):
        raise BadFragment(
            f"{path.name}: list items are expected, '- ' and then lines with two spaces before them"
        )
    return text + "\n"


def begun(changelog: str) -> str:
    """The changelog with an unreleased section: its newest one, or a new one before it."""
    newest = SECTION.search(changelog)
    if newest is None:
        raise ValueError("the changelog has no section")
    if newest[0].endswith(UNRELEASED):
        return changelog
    return f"{changelog[: newest.start()]}## Next{UNRELEASED}\n\n{changelog[newest.start() :]}"


def assembled(changelog: str, items: Sequence[str]) -> str:
    """The changelog with ``items`` at the end of its unreleased section."""
    changelog = begun(changelog)
    _, *older = SECTION.finditer(changelog)
    end = older[0].start() if older else len(changelog)
    newest, rest = changelog[:end].rstrip("\n") + "\n", changelog[end:]
    if newest.endswith(f"{UNRELEASED}\n"):
        newest += "\n"
    return newest + "".join(items) + ("\n" + rest if rest else "")


def write(root: Path) -> list[str]:
    """Put the fragments into ``CHANGELOG.md`` and remove them; what they said.  BadFragment, and nothing is changed."""
    paths = fragments(root)
    items = [item(path) for path in paths]
    if items:
        changelog = root / "CHANGELOG.md"
        changelog.write_text(assembled(changelog.read_text(encoding="utf-8"), items), encoding="utf-8")
        for path in paths:
            path.unlink()
    return items


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.changelog", description="The changelog from its fragments."
    )
    parser.add_argument("--write", action="store_true", help="change CHANGELOG.md and remove the fragments")
    options = parser.parse_args(arguments)
    try:
        items = write(root) if options.write else [item(path) for path in fragments(root)]
    except BadFragment as error:
        print(error)
        return 1
    print("".join(items), end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
