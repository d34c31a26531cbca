"""Tables for a terminal, which are Markdown as well."""

from __future__ import annotations

import importlib.util
import os
import platform
import ssl
import sysconfig
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Final

from cryptography.hazmat.backends.openssl import backend

import sansticket

HAVE_PYOPENSSL: Final = importlib.util.find_spec("OpenSSL") is not None


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The first column to the left, the others to the right."""
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    marks = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(
        "| " + " | ".join(_aligned(cell, widths[i], left=i == 0) for i, cell in enumerate(line)) + " |"
        for line in [lines[0], marks, *lines[1:]]
    )


def section(title: str, *parts: str) -> str:
    """Parts under a heading."""
    return "\n\n".join([f"### {title}", *parts])


def machine() -> str:
    """What the figures are of, and beside what they were taken.

    An interpreter with profile-guided optimization is up to a third faster than one without.  How it was configured is
    all that one says of it: Debian's has it, and was not configured so.
    """
    options = sysconfig.get_config_var("CONFIG_ARGS") or ""
    optimized = "with" if "--enable-optimizations" in options else "without"
    libraries = ["attrs", "cryptography", *(["pyopenssl"] if HAVE_PYOPENSSL else [])]
    versions = ", ".join(f"{name} {version(name)}" for name in libraries)
    return (
        f"sansticket {sansticket.__version__}, "
        f"Python {platform.python_version()} configured {optimized} --enable-optimizations, "
        f"{versions}; {ssl.OPENSSL_VERSION} for ssl, {backend.openssl_version_text()} for the others; "
        f"{platform.system()} on {platform.machine()}, {os.cpu_count()} cores, {' '.join(platform.libc_ver())}, "
        f"a load of {os.getloadavg()[0]:.0f} when it began"
    )


def _aligned(cell: str, width: int, *, left: bool) -> str:
    return cell.ljust(width) if left else cell.rjust(width)
