"""docs/libraries.md: written from the tests that passed, and held against the tests that are there.

A test that shows something says so: ``@pytest.mark.library("requests", "client", "resumes")``.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from attrs import frozen

from tests.support.command import ROOT

PAGE: Final = ROOT / "docs/libraries.md"
COLUMNS: Final = ("client", "server", "resumes")
YES: Final = "yes"

LIBRARIES: Final = {
    "asyncio": "",
    "uvloop": "uvloop",
    "Trio": "trio",
    "AnyIO": "anyio",
    "Twisted": "twisted",
    "gevent": "gevent",
    "socketserver": "",
    "http.client": "",
    "http.server": "",
    "urllib.request": "",
    "wsgiref": "",
    "xmlrpc": "",
    "logging.handlers.HTTPHandler": "",
    "requests": "requests",
    "urllib3": "urllib3",
    "httpx, blocking": "httpx",
    "httpx, asynchronous": "httpx",
    "httpcore, blocking": "httpcore",
    "httpcore, asynchronous": "httpcore",
    "aiohttp": "aiohttp",
    "uvicorn": "uvicorn",
    "hypercorn": "hypercorn",
    "gunicorn": "gunicorn",
    "websockets, blocking": "websockets",
    "websockets, asyncio": "websockets",
    "websockets, Trio": "websockets",
    "smtplib": "",
    "imaplib": "",
    "poplib": "",
    "aiosmtplib": "aiosmtplib",
    "aiosmtpd": "aiosmtpd",
    "ftplib": "",
    "ldap3": "ldap3",
    "asyncpg": "asyncpg",
    "psycopg": "psycopg",
    "PyMySQL": "pymysql",
    "PyMongo": "pymongo",
    "redis, blocking": "redis",
    "redis, asyncio": "redis",
    "scylla-driver, asyncio": "scylla-driver",
    "cassandra-driver, asyncio": "cassandra-driver",
    "paho-mqtt": "paho-mqtt",
    "aiomqtt": "aiomqtt",
    "kafka-python": "kafka-python",
    "pika": "pika",
    "grpcio": "grpcio",
}
"""Every row, and the distribution that has the library: none if it comes with Python."""

WHY_NOT: Final = {
    (
        "psycopg",
        "client",
    ): "libpq makes the connection, and its TLS is OpenSSL's: it would have to take a socket that is"
    " connected and secured, which its interface has not.",
    (
        "PyMongo",
        "client",
    ): "it makes its context itself, from names of files, and has no argument for another: one would be"
    " enough, since it wraps sockets by `wrap_socket` and `wrap_bio`.",
    (
        "cassandra-driver, asyncio",
        "client",
    ): "its reactor for asyncio gives an SSLSocket to the loop's `sock_recv`, which takes none of anybody's, so it has"
    " no TLS there: it would need `create_connection(ssl=...)`, as scylla-driver has it. (3.30.1)",
    (
        "grpcio",
        "client",
    ): "its transport is in C++, and so is its TLS (BoringSSL): it would need a channel over a connection that"
    " Python has made.",
    ("grpcio", "server"): "as its client: a server's credentials are PEM files, given to C++.",
}
"""What a library that has this side cannot, and what it would need."""

HOW: Final = {
    "gunicorn": "`ssl_context` in its config file; without `certfile` and `keyfile` beside it, it serves in clear.",
    "hypercorn": "a `Config` with a `create_ssl_context` of its own.",
    "redis, blocking": "no argument for a context: a `connection_class` whose `_wrap_socket_with_ssl` uses ours.",
    "redis, asyncio": "likewise: a `connection_class` that sets `ssl_context.context`.",
    "ldap3": "no argument for a context: a `Tls` with a `wrap_socket` of its own.",
    "requests": "`sansticket_wrappers.requests.ContextAdapter`, mounted.",
    "ftplib": "`sansticket_wrappers.ftplib.FTP_TLS`, where the server requires that data connections resume.",
    "Twisted": "`sansticket_wrappers.twisted`: Twisted's own TLS takes a context of pyOpenSSL.",
    "gevent": "`gevent.ssl.SSLSocket(..., _context=context)`, which waits as gevent does.",
}
"""How a context gets in, where it is not by the argument that is there for it."""

HEAD: Final = """# Libraries, with our context

Written by `tox -e libraries -- --write-libraries`: "yes" is a test with a real connection on loopback, whose name is in
the last column, that passed in the run that wrote this, with the versions that are named. A number is the sentence
below that says why not, and nothing says that the library has no such side. Sockets that block are those of
`sansticket_wrappers.blocking.SSLContext`; asynchronous libraries go through `wrap_bio`, which the same context has.
What is not in the table was not tried.

| library | client | server | second connection resumes | test |
|---|---|---|---|---|
"""

Shown = Mapping[tuple[str, str], str]
"""The test that shows it, by library and column."""


@frozen
class Mark:
    """What one test says that it shows."""

    library: str
    columns: tuple[str, ...]
    test: str


def table(shown: Shown) -> str:
    """The page.  The last column has the test of the client, or else of the server."""
    rows, sentences = [], list(dict.fromkeys(WHY_NOT.values()))
    for library, distribution in LIBRARIES.items():
        cells = [_cell(library, column, shown, sentences) for column in COLUMNS]
        test = next((shown[library, column] for column in COLUMNS if (library, column) in shown), None)
        name, comma, face = library.partition(", ")
        name = " ".join(filter(None, (name, _version(distribution)))) + comma + face
        rows.append(f"| {name} | {' | '.join(cells)} | {f'`{test}`' if test else ''} |\n")
    numbered = [f"{number}. {sentence}\n" for number, sentence in enumerate(sentences, 1)]
    how = [f"- **{library}**: {sentence}\n" for library, sentence in HOW.items()]
    return "".join((HEAD, *rows, "\n", *numbered, "\n## How a context gets in\n\n", INTRODUCTION, *how))


INTRODUCTION: Final = """\
By the argument that takes an `ssl.SSLContext` (`ssl=`, `context=`, `ssl_context=`, `verify=`, `tls_context=`), but:

"""


def _cell(library: str, column: str, shown: Shown, sentences: list[str]) -> str:
    if (library, column) in shown:
        return YES
    why_not = WHY_NOT.get((library, column))
    return "" if why_not is None else f"({sentences.index(why_not) + 1})"


def _version(distribution: str) -> str:
    try:
        return version(distribution) if distribution else ""
    except PackageNotFoundError:
        return ""


def write(passed: Collection[tuple[str, str]]) -> None:
    """The page, from what was shown."""
    PAGE.write_text(table(showing(passed)), encoding="utf-8")


def showing(wanted: Collection[tuple[str, str]] | None) -> dict[tuple[str, str], str]:
    """The first test that says it shows something, for each library and column, or for those that are wanted."""
    found: dict[tuple[str, str], str] = {}
    for mark in marks():
        for column in mark.columns:
            if wanted is None or (mark.library, column) in wanted:
                found.setdefault((mark.library, column), mark.test)
    return found


def not_installed() -> list[str]:
    """What to say at the end of a run without ``tests/libraries``."""
    missing = [name for name in EXTRA if find_spec(name) is None]
    return (
        [f"libraries that take a context, {len(missing)} of which are not installed: tox -e libraries"]
        if missing
        else []
    )


EXTRA: Final = (
    *("aiomqtt", "aiosmtpd", "aiosmtplib", "asyncpg", "gevent", "gunicorn", "hypercorn"),
    *("cassandra", "kafka", "ldap3", "paho", "pika", "pymysql", "websockets"),
)
"""What the extra ``libraries`` installs beside the frameworks, as it is imported."""


def marks() -> Iterator[Mark]:
    """All there are in the sources: not every environment can import every library."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "mark.library(" in text:
            yield from _marks_in(path, text)


def _marks_in(path: Path, text: str) -> Iterator[Mark]:
    for function in ast.walk(ast.parse(text)):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for decorator in function.decorator_list:
            for call in ast.walk(decorator):
                if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.library":
                    library, *columns = map(ast.literal_eval, call.args)
                    test = f"{path.relative_to(ROOT).as_posix()}::{function.name}"
                    yield Mark(library, tuple(columns), test)
