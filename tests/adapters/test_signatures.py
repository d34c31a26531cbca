"""Every member has the signature that it has in the standard library, on each interpreter that is supported.

An interpreter is asked in a process of its own: it need not have anything but the standard library.
"""

import inspect
import json
import ssl
from typing import Any

import pytest

import sansticket.adapters
from tests.support.interpreters import VERSIONS, run_python

PROGRAM = """
import inspect, json, ssl

def shown(member):
    try:
        parameters = inspect.signature(member).parameters.values()
    except (TypeError, ValueError):
        return None
    return [[one.name, one.kind.name, one.default is not one.empty and repr(one.default)] for one in parameters]

members = {
    kind.__name__ + "." + name: (not inspect.isdatadescriptor(inspect.getattr_static(kind, name)))
    and callable(getattr(kind, name)) and not isinstance(getattr(kind, name), type)
    and shown(getattr(kind, name))
    for kind in (ssl.SSLContext, ssl.SSLObject)
    for name in dir(kind)
    if not name.startswith("_")
}
members["create_default_context"] = shown(ssl.create_default_context)
print(json.dumps(members))
"""


def members_of(version: str) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(run_python(version, PROGRAM))
    return members


def our(name: str) -> Any:
    member: Any = sansticket.adapters
    for part in name.split("."):
        member = getattr(member, part)
    return member


def shown(member: Any) -> list[list[Any]]:
    parameters = inspect.signature(member).parameters.values()
    return [
        [one.name, one.kind.name, one.default is not one.empty and repr(one.default)] for one in parameters
    ]


def comparable(parameters: list[list[Any]]) -> list[list[Any]]:
    """Methods written in C have a ``self`` that cannot be named; nobody names it anyway."""
    return [["self", "", False] if one[0] == "self" else one for one in parameters]


@pytest.mark.parametrize("version", VERSIONS)
def test_signatures(version: str) -> None:
    members = members_of(version)
    assert {"SSLContext.wrap_bio", "SSLContext.verify_mode", "SSLObject.read"} <= set(members)
    for name, theirs in members.items():
        if theirs:
            assert comparable(shown(our(name))) == comparable(theirs), name
        elif theirs is False:
            assert not inspect.isfunction(our(name)), name
    assert sum(bool(theirs) for theirs in members.values()) > 30


@pytest.mark.parametrize("kind", ["SSLContext", "SSLObject"])
def test_what_can_be_set(kind: str) -> None:
    """An attribute that is read-only in the standard library is so here, and none that can be set is not."""
    theirs, ours = getattr(ssl, kind), getattr(sansticket.adapters, kind)
    for name in (name for name in dir(theirs) if not name.startswith("_")):
        member = inspect.getattr_static(ours, name)
        if isinstance(member, property):
            assert (member.fset is None) is (name in READ_ONLY), name


READ_ONLY = {"protocol", "security_level", "server_hostname", "server_side", "session_reused"}


def test_what_is_read_only_there() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="server.example")
    for thing in (context, tls):
        for name in READ_ONLY & set(dir(thing)):
            with pytest.raises(AttributeError):
                setattr(thing, name, getattr(thing, name))
