"""What the contenders have in common, and the identity that all of them use.

A handshake is: leaf P-256 signed by a root P-256, X25519, chain and name verified.  In TLS 1.3 two tickets follow a
full handshake and one a resumption; in TLS 1.2 it is one, and none.
"""

from __future__ import annotations

from typing import Final, Protocol

from tests.support.certificates import authority, server_identity

SERVER_NAME: Final = "server.example"
AUTHORITY: Final = authority()
IDENTITY: Final = server_identity("p256", SERVER_NAME)


class Pair(Protocol):
    """A client and a server that are connected in memory."""

    def transfer(self, data: bytes) -> int:
        """Send from client to server; the number of bytes that arrived."""

    def echo(self, data: bytes) -> int:
        """Send from client to server and back; the number of bytes that came back."""


class Contender(Protocol):
    """One implementation of one version, both sides in one thread, over memory."""

    name: str

    def full(self) -> object:
        """A full handshake, with its tickets."""

    def resumed(self) -> object:
        """A handshake that resumes a session of an earlier one, with its ticket."""

    def pair(self) -> Pair:
        """A connected pair."""

    def idle_server(self) -> object:
        """The server's half of a connection whose handshake is done, and nothing else."""


def check(pair: Pair) -> None:
    """Raise AssertionError unless data arrive."""
    assert pair.transfer(b"x" * 100_000) == 100_000
    assert pair.echo(b"x" * 64) == 64
