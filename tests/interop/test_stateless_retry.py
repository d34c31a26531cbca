"""Cookies with programs: those of NSS for us, and ours with early data on its way.

``tests/interop/matrix`` has a stateless retry of ours with every other client.
"""

from __future__ import annotations

import math
import os
import time
from pathlib import Path

from sansticket.codes import NamedGroup, ProtocolVersion
from sansticket.events import EarlyDataReceived
from sansticket.tickets.early_data import EarlyDataReason
from sansticket.tickets.keys.ring import TicketKeyRing
from sansticket.tickets.stores.replay import ReplayRecorder
from sansticket.wire.extensions.negotiation import Cookie
from sansticket.wire.messages.hello import HELLO_RETRY_RANDOM, HelloRetryRequest
from tests.interop.matrix.test_nss import PEER as NSS
from tests.interop.test_openssl_command import Files, files
from tests.support import matrix
from tests.support.command import s_client
from tests.support.configs import client_config, server_config
from tests.support.loopback import ForgetfulServer, dial
from tests.support.matrix import RETRY_GROUP, Cell, Task
from tests.support.peers import require

__all__ = ["files"]


def test_the_cookie_of_nss(tmp_path: Path) -> None:
    """Its retries have one always."""
    NSS.require()
    folder = matrix.Files(tmp_path).write()
    task = Task(Cell.RETRY, folder, group=RETRY_GROUP)
    with NSS.serve(task) as served, dial(served.port, client_config()) as line:
        wire = bytes(line._wire)
    start = wire.index(HELLO_RETRY_RANDOM) - 2
    length = int.from_bytes(wire[start - 3 : start])
    assert HelloRetryRequest.decode(wire[start : start + length]).find(Cookie) is not None


def test_early_data_that_another_connection_drops(files: Files) -> None:
    """OpenSSL sends it before it knows of the retry: the connection that takes the second hello sees it first."""
    require("openssl command")
    keys = TicketKeyRing.generate(time.time(), os.urandom)
    ours = server_config(
        versions=(ProtocolVersion.TLS_1_3,),
        groups=(NamedGroup.SECP384R1,),
        stateless_retry=keys,
        max_early_data=16_384,
        replay=ReplayRecorder(since=-math.inf),
    )
    session, early = files.session, files.session.with_name("early")
    early.write_bytes(b"an early line\n" * 500)
    with ForgetfulServer(ours) as server:
        for arguments in (("-sess_out", session), ("-sess_in", session, "-early_data", early)):
            with s_client(server.port, files.ca, "-groups", "P-256:P-384", *arguments) as client:
                client.type("in time\n")
                client.wait_for("in time")
                client.type("Q\n")
                assert client.wait_for_end() == 0, client.end
        first, second = server.visits()
    assert "Early data was rejected" in client.output
    assert [first.resumed, second.resumed] == [False, True]
    assert second.hello.record.early_data.reason is EarlyDataReason.HELLO_RETRY
    assert not any(isinstance(event, EarlyDataReceived) for event in second.events)
