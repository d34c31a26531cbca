"""``python -m benchmarks``: run the parts one after the other, each in a process of its own."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from attrs import asdict, evolve

from benchmarks.bulk import AES, CHACHA20
from benchmarks.harness import Plan
from benchmarks.page import PAGE, PICTURES, write
from benchmarks.parts import PARTS
from benchmarks.report import machine
from benchmarks.stdlib import openssl_configuration
from sansticket.fleet.plots import require_matplotlib

ROOT: Final = Path(__file__).parents[1]

PATIENCE: Final = 600
"""Seconds that a part may take: on a machine of its own it is one minute."""

ALSO: Final = ("handshakes", "handshakes-12")
"""What is measured with another interpreter."""

QUICK: Final = Plan(rounds=3, seconds=0.01, largest=10_000)
"""Whether everything works; its numbers say little."""


def main() -> int:
    options = _options()
    if options.here:
        plan = Plan(options.rounds, options.seconds, options.largest, options.pictures)
        print(PARTS[options.parts[0]](plan))
        return 0
    plan = QUICK if options.quick else Plan(options.rounds, options.seconds)
    if options.write:
        require_matplotlib()
    facts = machine()
    print(f"{facts}\n", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        pictures = Path(folder, PICTURES.name)
        pictures.mkdir()
        if options.write:
            plan = evolve(plan, pictures=pictures)
        texts = {part: _in_a_process_of_its_own(part, plan, folder) for part in options.parts or PARTS}
        if options.also:
            texts[options.also] = _with(options.also, plan, folder)
        if failed := [part for part, text in texts.items() if not text]:
            print(f"failed: {', '.join(failed)}", file=sys.stderr)
            return 1
        if options.write:
            write(facts, texts.values(), pictures)
    return 0


def _with(interpreter: str, plan: Plan, folder: str) -> str:
    """The handshakes, with another one; nothing if it failed."""
    whose = subprocess.run(
        [interpreter, "-c", "from benchmarks.report import machine; print(machine())"],
        stdout=subprocess.PIPE,
        text=True,
        env=_environment(),
    )
    print(f"{whose.stdout}", flush=True)
    texts = [_in_a_process_of_its_own(part, plan, folder, interpreter) for part in ALSO]
    if whose.returncode or not all(texts):
        return ""
    return "\n\n".join([f"## With another interpreter\n\n{whose.stdout.strip()}.", *map(str.strip, texts)])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--rounds", type=int, default=Plan().rounds, help="rounds (default: %(default)s)")
    parser.add_argument(
        "--seconds",
        type=float,
        default=Plan().seconds,
        help="CPU time of each contender in each round (default: %(default)s)",
    )
    parser.add_argument("--quick", action="store_true", help="few rounds, small sizes: to see that it works")
    parser.add_argument(
        "--also", metavar="PYTHON", help=f"measure {' and '.join(ALSO)} with that interpreter as well"
    )
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}, with its pictures")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--largest", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--pictures", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    if options.write and options.parts:
        parser.error("--write takes all parts: the page is of one run")
    return options


def _environment() -> dict[str, str]:
    paths = [str(ROOT), str(ROOT / "wrappers"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _in_a_process_of_its_own(part: str, plan: Plan, folder: str, interpreter: str = sys.executable) -> str:
    """What it has to say; nothing if it failed.  ``folder`` is for its files."""
    configuration = Path(folder, "openssl.cnf")
    configuration.write_text(openssl_configuration(CHACHA20 if part == "bulk-chacha20" else AES))
    try:
        done = subprocess.run(
            [interpreter, "-m", "benchmarks", "--here", part]
            + [f"--{name}={value}" for name, value in asdict(plan).items() if value is not None],
            stdout=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
            env={**_environment(), "OPENSSL_CONF": str(configuration)},
        )
    except subprocess.TimeoutExpired:
        print(f"{part}: more than {PATIENCE} s", file=sys.stderr)
        return ""
    print(done.stdout, flush=True)
    return "" if done.returncode else done.stdout


if __name__ == "__main__":
    sys.exit(main())
