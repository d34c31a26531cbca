"""``python -m benchmarks``: run the parts one after the other, each in a process of its own."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.bulk import AES, CHACHA20
from benchmarks.harness import Plan
from benchmarks.parts import PARTS
from benchmarks.report import machine
from benchmarks.stdlib import openssl_configuration

ROOT: Final = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--rounds", type=int, default=Plan().rounds, help="rounds (default: %(default)s)")
    parser.add_argument(
        "--seconds",
        type=float,
        default=Plan().seconds,
        help="CPU time of each contender in each round (default: %(default)s)",
    )
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    plan = Plan(options.rounds, options.seconds)
    if not options.here:
        print(f"{machine()}\n", flush=True)
    for part in options.parts or PARTS:
        if options.here:
            if text := PARTS[part](plan):
                print(text)
        else:
            _in_a_process_of_its_own(part, plan)


def _in_a_process_of_its_own(part: str, plan: Plan) -> None:
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder, "openssl.cnf")
        configuration.write_text(openssl_configuration(CHACHA20 if part == "bulk-chacha20" else AES))
        paths = [str(ROOT), str(ROOT / "wrappers"), os.environ.get("PYTHONPATH", "")]
        numbers = ["--rounds", str(plan.rounds), "--seconds", str(plan.seconds)]
        subprocess.run(
            [sys.executable, "-m", "benchmarks", "--here", *numbers, part],
            check=True,
            env={**os.environ, "OPENSSL_CONF": str(configuration), "PYTHONPATH": os.pathsep.join(paths)},
        )
    print(flush=True)


if __name__ == "__main__":
    main()
