"""What the standard library's SSLSocket wants of the object that it drives, on each interpreter that is supported.

Its source is read: a hook that is called in another way, or wants something new, is found here and not by a user.
"""

from __future__ import annotations

import ast
import inspect
import ssl
import sys
from functools import cache
from typing import Any

import pytest

from sansticket_wrappers.blocking import Driver, SSLContext
from tests.support.interpreters import VERSIONS, run_python
from tests.support.sockets import for_client, for_server, secured

PROGRAM = "import inspect, ssl; print(inspect.getsource(ssl.SSLSocket))"
HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"


@cache
def source(version: str) -> ast.Module:
    return ast.parse(run_python(version, PROGRAM))


def is_driven(node: ast.AST) -> bool:
    """``self._sslobj``"""
    return isinstance(node, ast.Attribute) and node.attr == "_sslobj"


def calls(version: str, name: str) -> list[ast.Call]:
    """Every call of a method of this name."""
    return [
        node
        for node in ast.walk(source(version))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == name
    ]


def fits(call: ast.Call, function: Any) -> None:
    """TypeError if it does not take the arguments of this call."""
    keywords = {keyword.arg: None for keyword in call.keywords}
    assert None not in keywords
    inspect.signature(function).bind(None, *(None for _ in call.args), **keywords)  # type: ignore[arg-type]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_hook_is_called_as_ours_is_written(version: str) -> None:
    found = calls(version, "_wrap_socket")
    assert len(found) == 2, "for a socket that is connected, and for one that is not yet"
    for call in found:
        fits(call, SSLContext._wrap_socket)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_driver_has_all_that_is_asked_of_it(version: str) -> None:
    wanted = {
        node.attr
        for node in ast.walk(source(version))
        if isinstance(node, ast.Attribute) and is_driven(node.value)
    }
    assert {"read", "write", "do_handshake", "shutdown", "pending"} <= wanted
    for name in wanted:
        member = inspect.getattr_static(Driver, name, None)
        assert member is not None, name
        for call in calls(version, name):
            assert isinstance(call.func, ast.Attribute)
            if is_driven(call.func.value):
                fits(call, member)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_can_be_set_can_be_set_on_the_driver(version: str) -> None:
    targets = {
        target.attr
        for node in ast.walk(source(version))
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Attribute) and is_driven(target.value)
    }
    assert targets == {"context", "session"}
    for name in targets:
        member = inspect.getattr_static(Driver, name)
        assert isinstance(member, property)
        assert member.fset is not None


def test_the_driver_has_the_members_of_openssls_object() -> None:
    """Of this interpreter's: whoever reaches for ``_sslobj``, as some libraries do, finds them."""
    with secured(for_client("theirs"), for_server("theirs")) as (client, _):
        theirs = {name for name in dir(client._sslobj) if not name.startswith("_")}  # type: ignore[attr-defined]
    ours = {name for name in dir(Driver) if not name.startswith("_")}
    # The first is for tests, the second of a time without TLS 1.3; SSLSocket has neither.
    assert theirs - ours <= {"uid", "selected_npn_protocol"}
    assert issubclass(SSLContext, ssl.SSLContext)
    assert HERE in VERSIONS
