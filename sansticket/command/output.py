"""What the commands of ``python -m sansticket`` share: how they are added, and how files are read and written.

A command is a function from the options to lines of text.  What goes wrong is a ``SansticketError``.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from errno import EACCES, EISDIR, ENOENT, ENOTDIR
from io import TextIOWrapper
from pathlib import Path
from typing import TypeAlias

from sansticket.errors import SansticketError

Command = Callable[[argparse.Namespace], Iterable[str]]
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

STANDARD: str = "-"
"""Standard input or output in the place of a file."""


class CommandError(SansticketError):
    """A command cannot do what was asked; the text says what and why."""


def integer(low: int, high: int) -> Callable[[str], int]:
    """A type for argparse: an integer of a range."""

    def number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r}; expected an integer from {low} to {high}")
        return value

    return number


def add(
    commands: Commands, name: str, run: Command, *, help: str, description: str, examples: str
) -> argparse.ArgumentParser:
    """A command whose ``--help`` has a description before its options and examples behind them."""
    made = commands.add_parser(
        name,
        help=help,
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.set_defaults(run=run)
    return made


def read(path: str) -> bytes:
    """The content of a file, or of standard input, which can be read once."""
    try:
        return _standard_input() if path == STANDARD else Path(path).read_bytes()
    except OSError as error:
        raise _said(path, error) from None


def _standard_input() -> bytes:
    _check_standard_input()
    with sys.stdin:
        return sys.stdin.buffer.read()


def typed() -> Iterator[str]:
    """The lines of standard input, one after the other; what is no text in them is escaped."""
    _check_standard_input()
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(errors="backslashreplace")
    yield from sys.stdin


def _check_standard_input() -> None:
    if sys.stdin is None or sys.stdin.closed:
        raise CommandError("standard input is closed, or was read already")


def write(path: str, content: bytes) -> None:
    """Put content into a file, in the place of what is there."""
    _check_is_file(path)
    try:
        Path(path).write_bytes(content)
    except OSError as error:
        raise _said(path, error) from None


def check_writable(path: str) -> None:
    """That nothing is known to be in the way of ``write``, before much work is done for it."""
    _check_is_file(path)
    file = Path(path)
    wrong = 0
    if file.is_dir():
        wrong = EISDIR
    elif not file.parent.exists():
        wrong = ENOENT
    elif not file.parent.is_dir():
        wrong = ENOTDIR
    elif not os.access(file if file.exists() else file.parent, os.W_OK):
        wrong = EACCES
    if wrong:
        raise _said(path, OSError(wrong, os.strerror(wrong)))


def write_secret(path: str, content: bytes, *, new: bool = False) -> None:
    """Put content into a file that only its owner can read; all of it or nothing.

    Where ``path`` is a symbolic link, what it leads to is replaced.  ``new``: refuse if there is such a file already.
    """
    _check_is_file(path)
    if new and Path(path).exists():
        raise CommandError(f"{path} exists already")
    file_itself = os.path.realpath(path) if os.path.islink(path) else path
    temporary = f"{file_itself}.new"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise CommandError(f"{temporary} exists: somebody writes {path} now, or was interrupted") from None
    except OSError as error:
        raise _said(path, error) from None
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
        os.replace(temporary, file_itself)
    except OSError as error:
        os.unlink(temporary)
        raise _said(path, error) from None


def _check_is_file(path: str) -> None:
    if path == STANDARD:
        raise CommandError("-: standard output is no place for it; expected a file (one of that name is ./-)")


def write_out(content: bytes, *, binary: bool) -> None:
    """Put content on standard output; binary not on a terminal."""
    if binary and sys.stdout.isatty():
        raise CommandError(
            "this is binary, and standard output is a terminal; expected --output FILE, or > FILE"
        )
    sys.stdout.flush()
    sys.stdout.buffer.write(content)


def remark(text: str) -> None:
    """A line on standard error; nowhere if that is closed, since ``print`` would put it into the output."""
    if sys.stderr is not None:
        print(f"sansticket: {text}", file=sys.stderr)


def table(rows: Iterable[tuple[str, str]]) -> Iterable[str]:
    """Names and values in two columns."""
    listed = list(rows)
    width = max((len(name) for name, _ in listed), default=0)
    return (f"  {name.ljust(width)}  {value}" for name, value in listed)


def _said(path: str, error: OSError) -> CommandError:
    return CommandError(f"{path or 'a file without a name'}: {error.strerror or error}")
