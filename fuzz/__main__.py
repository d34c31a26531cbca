"""``python -m fuzz [--seconds 20] [target ...]``: every target, or those named, for a bounded time each.

Each runs in a process of its own, a copy of one that has everything instrumented, from seeds made on the spot
(``fuzz.seed``) and from ``fuzz/corpus``; with ``--keep`` inputs that lead somewhere new are added to the corpus.  An
input that breaks the invariant is saved in ``fuzz/found``; ``python -m fuzz target --replay file`` runs it alone, with
its traceback, and leaves the connections that it tried beside it, each in a file for ``python -m sansticket replay``.
The exit code is 1 if anything was found.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
CORPUS: Final = FOLDER / "corpus"
FOUND: Final = FOLDER / "found"
TARGETS: Final = tuple(sorted(path.stem for path in (FOLDER / "targets").glob("[a-z]*.py")))

MAX_LENGTH: Final = 12_000
"""Bytes of an input: more than any seed has, and less than what may wait for an answer."""

SECONDS_FOR_ONE: Final = 10
"""An input that takes longer is a finding too."""

MEGABYTES: Final = 2048
"""So is one that takes more memory."""


def run_all(targets: Iterable[str], seconds: int, keep: bool) -> bool:
    """Each target for so many seconds; whether all held."""
    importlib.import_module("fuzz.run")  # first: it instruments what the seeds are made with, too
    from fuzz.seed import Seeds

    with tempfile.TemporaryDirectory() as scratch:
        seeds = Path(scratch, "seeds")
        Seeds().write(seeds)
        held = [run(target, seconds, keep, seeds) for target in targets]
    return all(held)


def run(target: str, seconds: int, keep: bool, seeds: Path) -> bool:
    """One target, from ``seeds/target``; whether it held."""
    from fuzz.run import run as run_target

    for folder in (FOUND, CORPUS / target):
        folder.mkdir(parents=True, exist_ok=True)
    new = seeds.parent / target
    new.mkdir()
    arguments = [
        f"-max_total_time={seconds}",
        f"-max_len={MAX_LENGTH}",
        f"-timeout={SECONDS_FOR_ONE}",
        f"-rss_limit_mb={MEGABYTES}",
        f"-artifact_prefix={FOUND}/{target}-",
        "-print_final_stats=1",
        *map(str, (CORPUS / target, seeds / target) if keep else (new, CORPUS / target, seeds / target)),
    ]
    said = seeds.parent / f"{target}.txt"
    code = run_target(target, arguments, said)
    output = said.read_text(errors="replace")
    runs = next((line.split()[-1] for line in output.splitlines() if "number_of_executed_units" in line), "?")
    print(f"{target:18} {'held' if code == 0 else 'BROKEN'}, {runs} inputs in {seconds} s", flush=True)
    if code:
        print(output[-6000:], flush=True)
    return code == 0


def replay(target: str, file: Path) -> None:
    """One input, without Atheris."""
    from fuzz.recorded import recorded

    one_input = importlib.import_module(f"fuzz.targets.{target}").one_input
    with recorded(file):
        one_input(file.read_bytes())
    print(f"{file}: {target} holds")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(TARGETS)}; all without any")
    parser.add_argument("--seconds", type=int, default=20, help="for each target (default: 20)")
    parser.add_argument("--keep", action="store_true", help="add new inputs to the corpus")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run the one target with this input")
    options = parser.parse_args()
    unknown = set(options.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no target {', '.join(sorted(unknown))}")
    if options.replay is not None:
        if len(options.targets) != 1:
            parser.error("--replay needs one target")
        replay(options.targets[0], options.replay)
        return 0
    return 0 if run_all(options.targets or TARGETS, options.seconds, options.keep) else 1


if __name__ == "__main__":
    sys.exit(main())
