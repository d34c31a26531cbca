"""The standard library's own tests of TLS, as they are in this interpreter, with our context in place of its own.

    python -m tools.stdlib_tests            what became of each
    python -m tools.stdlib_tests --write    writes docs/stdlib-tests.md, if every failure has its reason here

``--python`` names other interpreters, which have attrs and cryptography.  Outside CI: it takes some minutes for each,
and what an interpreter brings along is not ours to keep green.
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import ssl
import subprocess
import sys
import unittest
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from sansticket_wrappers.blocking import SSLContext
from tools.stdlib_reasons import REASONS

PAGE: Final = Path(__file__).parent.parent / "docs/stdlib-tests.md"
MODULES: Final = (
    *("test_ssl", "test_ftplib", "test_imaplib", "test_poplib", "test_httplib", "test_smtplib"),
    *("test_asyncio.test_ssl", "test_asyncio.test_sslproto", "test_asyncio.test_streams"),
    *("test_asyncio.test_events", "test_asyncio.test_base_events", "test_asyncio.test_selector_events"),
    *("test_asyncio.test_unix_events", "test_asyncio.test_sendfile"),
)
LIMIT: Final = 900
"""Seconds that one module may take."""

MARK: Final = "the result is "
"""Begins the lines that speak of results: the tests print, too."""

OUTCOMES: Final = ("passed", "skipped", "failed")


@frozen
class Result:
    version: str
    """Of the interpreter."""
    module: str
    test: str
    """Its class and its method."""
    outcome: str
    error: str = ""
    """The last line of what it said."""

    @property
    def reason(self) -> str | None:
        """Why it fails, as far as that is known."""
        found = (sentence for pattern, sentence in REASONS if re.fullmatch(pattern, self.test))
        return next(found, None)


# --- in a process of its own -----------------------------------------------------------------------------------


class Telling(unittest.TestResult):
    """Tells the parent of each test when it is done; a test with subtests fails once."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, tuple[str, str]] = {}

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        self._note(test, "skipped", reason)

    def addError(self, test: unittest.TestCase, err: Any) -> None:
        self._note(test, "failed", f"{err[0].__name__}: {err[1]}")

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        self.addError(test, err)

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
        if err is not None:
            self.addError(test, err)

    def stopTest(self, test: unittest.TestCase) -> None:
        self._tell(test.id(), *self._said.pop(test.id(), ("passed", "")))

    def _note(self, test: Any, outcome: str, error: str) -> None:
        if isinstance(test, unittest.TestCase):
            self._said[test.id()] = (outcome, error)
        else:  # what a class or a module begins with
            self._tell(test.id(), outcome, error)

    def _tell(self, name: str, outcome: str, error: str) -> None:
        line = json.dumps([name.partition("test.")[2], outcome, error.strip().splitlines()[:1]])
        print(f"\n{MARK}{line}", flush=True)


def run(module: str) -> None:
    """The tests of one module, with our context."""
    support: Any = importlib.import_module("test.support")
    support.use_resources = []  # nothing that reaches out
    ssl.SSLContext = SSLContext  # type: ignore[assignment, misc]  # this is what it is about
    suite = unittest.defaultTestLoader.loadTestsFromModule(importlib.import_module(f"test.{module}"))
    suite.run(Telling())


# --- in the parent ---------------------------------------------------------------------------------------------


def results(python: str, module: str) -> Iterator[Result]:
    """A module that does not come to its end has failed, too."""
    command = [python, "-m", "tools.stdlib_tests", "--run", module]
    version = version_of(python)
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=LIMIT, errors="replace", check=False
        )
        output, end = done.stdout, f"exit status {done.returncode}" if done.returncode else ""
    except subprocess.TimeoutExpired as expired:
        output, end = (expired.stdout or b"").decode(errors="replace"), f"no end after {LIMIT} s"
    for line in output.splitlines():
        if line.startswith(MARK):
            test, outcome, error = json.loads(line.removeprefix(MARK))
            yield Result(version, module, test.removeprefix(f"{module}."), outcome, *error)
    if end:
        yield Result(version, module, module, "failed", end)


@cache
def version_of(python: str) -> str:
    command = [python, "-c", "import platform; print(platform.python_version())"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def page(found: Iterable[Result]) -> str:
    found = list(found)
    versions = list(dict.fromkeys(result.version for result in found))
    rows = [f"| module | {' | '.join(versions)} |\n", f"|---|{'---|' * len(versions)}\n"]
    counts = Counter((result.module, result.version, result.outcome) for result in found)
    for module in MODULES:
        cells = [
            " / ".join(str(counts[module, version, outcome]) for outcome in OUTCOMES) for version in versions
        ]
        rows.append(f"| {module} | {' | '.join(cells)} |\n")
    failures: dict[str, dict[tuple[str, str], list[str]]] = {}
    for result in found:
        if result.outcome == "failed":
            tests = failures.setdefault(result.reason or "?", {})
            tests.setdefault((result.module, result.test), []).append(result.version)
    reasons = [f"- {reason}\n  {_named(tests, versions)}\n" for reason, tests in failures.items()]
    return "".join((HEAD, *rows, "\n## What fails, and why\n\n", *reasons))


def _named(tests: Mapping[tuple[str, str], list[str]], versions: list[str]) -> str:
    """The tests, and the versions of those that fail on some only."""
    return ", ".join(
        f"`{test}`" + ("" if failing == versions else f" ({', '.join(failing)})")
        for (_, test), failing in tests.items()
    )


HEAD: Final = """\
# The standard library's tests, with our context

Written by `python -m tools.stdlib_tests --write`: its own tests of what uses TLS, as they are installed with each
interpreter, after `ssl.SSLContext = sansticket_wrappers.blocking.SSLContext`. They are run in no CI: they take minutes,
and belong to whoever makes the interpreter. What is skipped they skip by themselves (no network, another OpenSSL). The
modules of asyncio are those that speak of TLS anywhere, whole.

Where a client closes with tickets unread the system sends RST ([wrappers.md](wrappers.md)), and a server of these tests
stops for that: so one of test_ssl's `SimpleBackgroundTests` fails in some runs, and passes in the next.

Each cell is passed / skipped / failed, on that version of Python.

"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", metavar="MODULE", help=argparse.SUPPRESS)
    parser.add_argument("--write", action="store_true", help="write docs/stdlib-tests.md")
    parser.add_argument(
        "--python",
        action="append",
        metavar="PATH",
        help="an interpreter; may be repeated, instead of this one",
    )
    options = parser.parse_args()
    if options.run:
        run(options.run)
        return 0
    every = [(python, module) for python in options.python or [sys.executable] for module in MODULES]
    with ThreadPoolExecutor(2) as pool:
        found = [result for some in pool.map(lambda one: [*results(*one)], every) for result in some]
    unexplained = [result for result in found if result.outcome == "failed" and result.reason is None]
    for result in unexplained:
        print(f"{result.version} {result.test}: {result.error}")
    if options.write and not unexplained:
        PAGE.write_text(page(found), encoding="utf-8")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
