"""Every check of the table taken away, one at a time, in a copy: do the tests notice?

    python -m tests.mutants                  all of them; exits with 1 if one survives that is not explained
    python -m tests.mutants 17 18            these numbers
    python -m tests.mutants --only wire/     modules that begin so
    python -m tests.mutants --write          and docs/mutants.md with the result, and killers.txt

The test that killed a mutant the last time (``killers.txt``) is tried first, then those nearest to it, then all that
could.  ``survivors.txt`` explains those that cannot be killed.  This is outside CI: it takes ten minutes on two
cores, and half an hour without ``killers.txt``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from tests.mutants.subsets import WIDER, nearest
from tests.mutants.table import HERE, PACKAGE, Mutant, read_table

ROOT = PACKAGE.parent
NEEDED = ("sansticket", "tests", "fuzz", "setup.cfg", "pyproject.toml", "tox.ini")
TIME = 600
"""Seconds for one run of pytest; who needs more hangs, and a test that hangs has noticed."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__.splitlines()[0])
    parser.add_argument("numbers", nargs="*", type=int)
    parser.add_argument("--only", default="", help="modules that begin so")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--write", action="store_true", help="write docs/mutants.md and killers.txt")
    options = parser.parse_args()
    table = [
        mutant
        for mutant in read_table()
        if mutant.module.startswith(options.only)
        and (not options.numbers or mutant.number in options.numbers)
    ]
    killers = read_killers()
    survivors = try_all(table, options.jobs, killers)
    explained = explanations()
    left = [mutant for mutant in survivors if key(mutant) not in explained]
    print(f"{len(table)} mutants, {len(table) - len(survivors)} killed, {len(left)} survive unexplained")
    if options.write:
        (ROOT / "docs" / "mutants.md").write_text(page(len(table), survivors, explained))
        (HERE / "killers.txt").write_text(
            "".join(f"{name} | {test}\n" for name, test in sorted(killers.items()))
        )
    return 1 if left else 0


def try_all(table: Sequence[Mutant], jobs: int, killers: dict[str, str]) -> list[Mutant]:
    """Those that no test notices, in the order of the table.  ``killers`` is brought up to date."""
    copies: SimpleQueue[Path] = SimpleQueue()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        for number in range(jobs):
            copies.put(copy_to(Path(folder) / str(number)))
        check_whole(copies, {nearest(mutant.module) for mutant in table}, set(killers.values()))

        def survives(mutant: Mutant) -> bool:
            copy = copies.get()
            try:
                killed_by = kill(mutant, copy, killers.get(key(mutant)))
            finally:
                copies.put(copy)
            if killed_by is not None and killed_by.startswith("FAILED "):
                killers[key(mutant)] = killed_by.removeprefix("FAILED ")
            print(f"{mutant}: {killed_by or 'SURVIVES'}", flush=True)
            return killed_by is None

        with ThreadPoolExecutor(jobs) as pool:
            return [mutant for mutant, alive in zip(table, pool.map(survives, table), strict=True) if alive]


def check_whole(copies: SimpleQueue[Path], subsets: set[tuple[str, ...]], killers: set[str]) -> None:
    """Nothing fails while every check is there: otherwise that failure would kill every mutant."""
    copy = copies.get()
    every = sorted({name for tests in subsets for name in tests})
    elsewhere = sorted(test for test in still_there(copy, killers) if not test.startswith(tuple(every)))
    for tests in ((*WIDER, "--collect-only"), every, elsewhere):
        if not tests:
            continue
        if (failed := first_failure(copy, tests)) is not None:
            sys.exit(f"it fails with every check in its place: {failed}")
    copies.put(copy)


def still_there(copy: Path, killers: set[str]) -> set[str]:
    """Those that have not been renamed or removed since they were written down."""
    files = {test.partition("::")[0] for test in killers}
    _, said = pytest(copy, ["--collect-only", *sorted(file for file in files if (copy / file).exists())])
    return killers & set(said.splitlines())


def copy_to(folder: Path) -> Path:
    folder.mkdir()
    skip = shutil.ignore_patterns("__pycache__", ".hypothesis")
    for name in NEEDED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=skip)
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


def kill(mutant: Mutant, copy: Path, killer: str | None) -> str | None:
    """The test that fails without the check, or None."""
    path = copy / "sansticket" / mutant.module
    source = path.read_text()
    write(path, mutant.applied(source))
    try:
        if killer is not None:
            failed = first_failure(copy, (killer,))
            if failed is not None and failed.startswith(
                "FAILED "
            ):  # and not because there is no such test any more
                return failed
        for tests in (nearest(mutant.module), WIDER):
            if (failed := first_failure(copy, tests)) is not None:
                return failed
        return None
    finally:
        write(path, source)


def write(path: Path, source: str) -> None:
    """With what was compiled of it gone: two versions of one second and one size look the same."""
    path.write_text(source)
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
        compiled.unlink()


def first_failure(copy: Path, tests: Sequence[str]) -> str | None:
    try:
        status, said = pytest(copy, tests)
    except subprocess.TimeoutExpired:
        return f"nothing comes to an end in {TIME} s"
    if status == 0:
        return None
    failed = (line for line in said.splitlines() if line.startswith(("FAILED ", "ERROR ")))
    return next(failed, said[-200:]).split(" - ")[0]


def pytest(copy: Path, arguments: Sequence[str]) -> tuple[int, str]:
    """Its status, and what it says."""
    options = ("-x", "-q", "--tb=no", "-p", "no:cacheprovider", "-m", "not matrix")
    environment = os.environ | {"PYTHONPATH": str(copy), "SANSTICKET_QUICK": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # compiling all tests again would take most of the time
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *arguments],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIME,
        check=False,
    )
    return done.returncode, done.stdout


def key(mutant: Mutant) -> str:
    """What ``survivors.txt`` calls it by: numbers change when a row is added."""
    return f"{mutant.module} {mutant.function}: {mutant.snippet} => {mutant.replacement}"


def read_killers() -> dict[str, str]:
    """Which test killed it the last time."""
    rows = (line.rpartition(" | ") for line in (HERE / "killers.txt").read_text().splitlines())
    return {name: test for name, _, test in rows}


def explanations() -> dict[str, str]:
    rows = (line.split(" | ") for line in (HERE / "survivors.txt").read_text().splitlines() if " | " in line)
    return {name.strip(): why.strip() for name, why in rows}


def page(number: int, survivors: Sequence[Mutant], explained: dict[str, str]) -> str:
    head = f"""# Checks, and the tests that hold them

Written by `python -m tests.mutants --write`. {number} checks of the package, most of them a MUST of an RFC, were taken
away, one at a time. {number - len(survivors)} times a test failed; {len(survivors)} made no difference, and why is
said here.

"""
    rows = (
        f"- `{one.module}`, `{one.function}`: `{one.snippet}`: {explained.get(key(one), 'unexplained')}\n"
        for one in survivors
    )
    return head + "".join(rows)


if __name__ == "__main__":
    sys.exit(main())
