"""External PSKs by callbacks over blocking sockets: with ours on both sides, and with the standard library's."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

from sansticket_wrappers.blocking import SSLContext
from tests.support.sockets import SIDES, secured

KEY = bytes(range(32))

PAIRS = [(one, other) for one in SIDES for other in SIDES if "ours" in (one, other)]


def context(kind: str, protocol: int) -> Any:
    if kind == "theirs" and not getattr(ssl, "HAS_PSK", False):
        pytest.skip("ssl has these callbacks from Python 3.13 on")
    made = SSLContext(protocol) if kind == "ours" else ssl.SSLContext(protocol)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    return made


@pytest.mark.parametrize(("one", "other"), PAIRS, ids=[" and ".join(pair) for pair in PAIRS])
def test_there_and_back(one: str, other: str) -> None:
    client, server = context(one, ssl.PROTOCOL_TLS_CLIENT), context(other, ssl.PROTOCOL_TLS_SERVER)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    asked: list[str | None] = []

    def known(identity: str | None) -> bytes:
        asked.append(identity)
        return KEY

    client.set_psk_client_callback(lambda hint: ("sensor-7", KEY))
    server.set_psk_server_callback(known)
    with secured(client, server) as (ours, theirs):
        for sender, receiver in ((ours, theirs), (theirs, ours)):
            sender.sendall(b"there and back")
            assert receiver.recv(100) == b"there and back"
        assert ours.session_reused
        assert ours.getpeercert(True) is None
    assert asked == ["sensor-7"]
