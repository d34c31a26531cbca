"""The same calls in any order, to the standard library's objects and to ours: the same comes of them.

A script goes on until an end has a fatal error: what follows that is among the differences that docs/adapters.md
lists.  Where nothing is documented the two may differ in when something is known during the handshake, so only
what comes of a call is compared, and how much is there to be read only by reading all of it.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.ssl_objects import OURS, STDLIB, TLS12, TLS13, End, House, Link

Outcome = tuple[object, ...]
Step = tuple[str, str]


def read_all(end: End) -> Outcome:
    """What can be read, in pieces of any size, and how it ended."""
    received = b""
    while True:
        ended = outcome(lambda: end.tls.read(7))
        if not (ended[0] == "returned" and ended[1]):
            return received, *ended
        received += ended[1]  # type: ignore[operator]


def read_all_into_a_buffer(end: End) -> Outcome:
    received, buffer = b"", bytearray(3)
    while True:
        ended = outcome(lambda: end.tls.read(3, buffer))
        if not (ended[0] == "returned" and ended[1]):
            return received, *ended
        received += buffer[: ended[1]]  # type: ignore[misc]


CALLS: Final[dict[str, Callable[[End], Outcome]]] = {
    "do_handshake": lambda end: outcome(end.tls.do_handshake),
    "read": read_all,
    "read into": read_all_into_a_buffer,
    "read nothing": lambda end: outcome(lambda: end.tls.read(0)),
    "read less": lambda end: outcome(lambda: end.tls.read(-1)),
    "write": lambda end: outcome(lambda: end.tls.write(b"0123456789")),
    "write nothing": lambda end: outcome(lambda: end.tls.write(b"")),
    "write text": lambda end: outcome(lambda: end.tls.write("text")),
    "unwrap": lambda end: outcome(end.tls.unwrap),
    "end of the stream": lambda end: outcome(end.incoming.write_eof),
    "no session": lambda end: outcome(lambda: setattr(end.tls, "session", None)),
    "reused": lambda end: outcome(lambda: end.tls.session_reused),
    "binding": lambda end: outcome(lambda: end.tls.get_channel_binding("nonsense")),
}

HANDSHAKE: Final[list[Step]] = [
    step
    for side in ("client", "server", "client", "server")
    for step in ((side, "do_handshake"), ("both", "carry"))
]

steps = st.tuples(st.just("both"), st.just("carry")) | st.tuples(
    st.sampled_from(["client", "server"]), st.sampled_from(list(CALLS))
)
scripts = st.builds(
    lambda shaken, script: (HANDSHAKE if shaken else []) + script,
    st.booleans(),
    st.lists(steps, min_size=1, max_size=30),
)


def outcome(call: Callable[[], object]) -> Outcome:
    """What comes of a call: with all that callers look at when it raises."""
    try:
        return "returned", call()
    except ssl.SSLError as error:
        return type(error).__name__, error.errno, error.library, error.reason
    except (TypeError, ValueError) as error:
        return (type(error).__name__,)


def is_fatal(result: Outcome) -> bool:
    survived = ("PROTOCOL_IS_SHUTDOWN", "SHUTDOWN_WHILE_IN_INIT")
    failed = any(isinstance(part, str) and part.startswith("SSL") for part in result)
    return failed and not {"SSLWantReadError", "SSLZeroReturnError", *survived} & set(result)


def carry(link: Link, at_their_end: set[End]) -> None:
    """As ``Link.carry``, but to no end whose stream has come to its own."""
    for sender, receiver in ((link.client, link.server), (link.server, link.client)):
        data = sender.outgoing.read()
        if data and receiver not in at_their_end:
            receiver.incoming.write(data)


def play(client: Any, server: Any, script: list[Step]) -> list[Outcome]:
    link = Link(client, server)
    results: list[Outcome] = []
    at_their_end: set[End] = set()
    for who, call in script:
        if call == "carry":
            carry(link, at_their_end)
            continue
        end: End = getattr(link, who)
        results.append((who, call, *CALLS[call](end)))
        if call == "end of the stream":
            at_their_end.add(end)
        if is_fatal(results[-1]):
            break
    return results


CONTEXTS: Final = {
    (house.name, version): (house.client(version=version), house.server(version=version))
    for house in (OURS, STDLIB)
    for version in (TLS12, TLS13)
}


@pytest.mark.parametrize("version", [TLS12, TLS13], ids=["1.2", "1.3"])
@pytest.mark.parametrize(("client", "server"), [(OURS, OURS), (OURS, STDLIB), (STDLIB, OURS)])
@given(script=scripts)
@settings(deadline=None)
def test_the_same_comes_of_the_same_calls(
    client: House, server: House, version: ssl.TLSVersion, script: list[Step]
) -> None:
    ours = play(CONTEXTS[client.name, version][0], CONTEXTS[server.name, version][1], script)
    theirs = play(*CONTEXTS[STDLIB.name, version], script)
    assert ours == theirs
