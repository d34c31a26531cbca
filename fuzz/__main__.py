"""``python -m fuzz [--seconds 20] [target ...]``: every target, or those named, for a bounded time each.

Each runs in a process of its own, a copy of one that has everything instrumented, from seeds made on the spot
(``fuzz.seed``) and from ``fuzz/corpus``; with ``--keep`` inputs that lead somewhere new are added to the corpus.  An
input that breaks the invariant is saved in ``fuzz/found``; ``python -m fuzz target --replay file`` runs it alone, with
its traceback, and leaves the connections that it tried beside it, each in a file for ``python -m sansticket replay``.
With ``--write`` what ran is added to the counts in ``docs/fuzzing.md``.  The exit code is 1 if anything was found.
"""

from __future__ import annotations

import argparse
import importlib
import re
import resource
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from fuzz import page
from fuzz.page import Ran

FOLDER: Final = Path(__file__).parent
CORPUS: Final = FOLDER / "corpus"
FOUND: Final = FOLDER / "found"
TARGETS: Final = tuple(sorted(path.stem for path in (FOLDER / "targets").glob("[a-z]*.py")))

MAX_LENGTH: Final = 12_000
"""Bytes of an input: more than any seed has, and less than what may wait for an answer."""

INPUTS: Final = r"number_of_executed_units: (\d+)"
EDGES: Final = r" cov: (\d+) "
"""Where libFuzzer says them."""

SECONDS_FOR_ONE: Final = 10
"""An input that takes longer is a finding too."""

MEGABYTES: Final = 2048
"""So is one that takes more memory."""


def run_all(targets: Sequence[str], seconds: int, keep: bool) -> dict[str, Ran]:
    """Each target for so many seconds; those that held."""
    importlib.import_module("fuzz.run")  # first: it instruments what the seeds are made with, too
    from fuzz.seed import Seeds

    with tempfile.TemporaryDirectory() as scratch:
        seeds = Path(scratch, "seeds")
        Seeds().write(seeds)
        tried = {target: run(target, seconds, keep, seeds) for target in targets}
    return {target: ran for target, ran in tried.items() if ran is not None}


def run(target: str, seconds: int, keep: bool, seeds: Path) -> Ran | None:
    """One target, from ``seeds/target``; None if something was found."""
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
    before = _cpu_of_children()
    code = run_target(target, arguments, said)
    output = said.read_text(errors="replace")
    ran = Ran(round(_cpu_of_children() - before), last_number(INPUTS, output), last_number(EDGES, output))
    print(f"{target:18} {'BROKEN' if code else 'held'}, {ran.inputs} inputs in {seconds} s", flush=True)
    if code:
        print(output[-6000:], flush=True)
    return None if code else ran


def last_number(pattern: str, output: str) -> int:
    """What libFuzzer counted, at its end; 0 if it never said so."""
    return int([0, *re.findall(pattern, output)][-1])


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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
    parser.add_argument("--write", action="store_true", help="add what ran to docs/fuzzing.md")
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
    targets = options.targets or TARGETS
    held = run_all(targets, options.seconds, options.keep)
    if options.write:
        page.add(held)
    return 0 if len(held) == len(targets) else 1


if __name__ == "__main__":
    sys.exit(main())
