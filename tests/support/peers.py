"""Peers that may be missing on a machine: skipped on a user's, never in CI.

A peer is looked for once; a test that needs one says ``require("openssl command")`` first.
"""

import os
import shutil
from collections.abc import Callable
from typing import Final

import pytest

PEERS: Final[dict[str, Callable[[], bool]]] = {
    "GnuTLS": lambda: all(map(shutil.which, ("gnutls-cli", "gnutls-serv"))),
    "curl": lambda: shutil.which("curl") is not None,
    "openssl command": lambda: shutil.which("openssl") is not None,
    "nginx": lambda: shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin") is not None,
    "redis-server": lambda: shutil.which("redis-server") is not None,
}
"""The name of each peer and how it is found."""


def require(peer: str) -> None:
    """Skip the test when ``peer``, a key of ``PEERS``, is missing; or fail it when the environment has CI."""
    if PEERS[peer]():
        return
    sentence = f"this test needs the peer {peer!r}, which is not on this machine"
    if os.environ.get("CI"):
        pytest.fail(f"{sentence}; in CI a missing peer is a failure")
    pytest.skip(sentence)
