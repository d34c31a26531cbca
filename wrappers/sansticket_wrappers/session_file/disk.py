"""A file that is the user's own: locked, read, and replaced as a whole."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

PATIENCE: Final = 0.25
"""Seconds for which the lock is waited for: others hold it for a hundredth of that, unless they were stopped."""

PAUSE: Final = 0.002
"""Seconds between two looks at it."""

MODE: Final = 0o600


@contextmanager
def locked(path: str) -> Iterator[None]:
    """No other process meanwhile.  The lock ends with the process, however that ends; its file stays.

    TimeoutError when another has it for longer than ``PATIENCE``.
    """
    descriptor, process = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, MODE), os.getpid()
    try:
        deadline = time.monotonic() + PATIENCE
        while not _taken(descriptor):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{path} is held by another process")
            time.sleep(PAUSE)
        yield
    finally:
        if os.getpid() == process:  # or a process that was forked meanwhile, which has the same lock
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def read(path: str) -> bytes | None:
    """All of it, or None if there is no such file.  PermissionError if it is not the user's alone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(f"{path} is no regular file")
        if found.st_uid != os.geteuid():
            raise PermissionError(f"{path} belongs to another user")
        if found.st_mode & 0o077:
            raise PermissionError(f"{path} is open to others; expected mode 0600")
        with open(descriptor, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(descriptor)  # that of a folder is no file, which would close it


def replace(path: str, content: bytes) -> None:
    """At once: whoever looks sees the old content or the new, also after the machine has lost its power.

    To be called with the lock: there is one new file at a time.
    """
    new = path + ".new"
    with suppress(FileNotFoundError):
        os.unlink(new)  # of a process that died
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, MODE)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    os.replace(new, path)
