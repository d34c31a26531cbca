"""Early data, of which the observer knows the keys, but neither the suite nor whether it will be accepted."""

from __future__ import annotations

from typing import Any

import pytest
from OpenSSL import SSL

from sansticket.debug.explain import ApplicationData, explain
from sansticket.debug.key_log import KeyLog
from tests.support.certificates import authority, server_identity
from tests.support.observer import Wire, run_and_note, story, unread
from tests.support.pyopenssl_peer import PyOpenSSLPeer, context

library: Any = SSL._lib  # type: ignore[attr-defined]
ffi: Any = SSL._ffi  # type: ignore[attr-defined]

# The results of SSL_read_early_data(3), which the binding does not name.
READ_EARLY_DATA_ERROR, READ_EARLY_DATA_FINISH = 0, 2


class EarlyClient(PyOpenSSLPeer):
    """Sends "early" before its handshake."""

    def _step(self) -> None:
        if not hasattr(self, "sent_early"):
            self.sent_early = ffi.new("size_t *")
            assert library.SSL_write_early_data(self._ssl, b"early", 5, self.sent_early) == 1
        super()._step()


class EarlyServer(PyOpenSSLPeer):
    """Takes early data."""

    early = b""
    waits = True

    def _step(self) -> None:
        while self.waits:
            room, read = ffi.new("char[]", 100), ffi.new("size_t *")
            result = library.SSL_read_early_data(self._ssl, room, 100, read)
            self.early += bytes(ffi.buffer(room, read[0]))
            if result == READ_EARLY_DATA_ERROR:
                library.ERR_clear_error()
                return
            self.waits = result != READ_EARLY_DATA_FINISH
        super()._step()


def connect(server: type[PyOpenSSLPeer], suite: str) -> tuple[Wire, KeyLog]:
    """The wire and the secrets of a connection with early data, after one that gave the ticket for it."""
    log = KeyLog()
    client_side = context(
        authority=authority(), key_log=lambda line: log.add(line.decode()), cipher_suites=[suite]
    )
    server_side = context(identity=server_identity())
    server_side.set_session_cache_mode(SSL.SESS_CACHE_SERVER)  # early data is for sessions used once
    library.SSL_CTX_set_max_early_data(server_side._context, 1000)
    first, second = PyOpenSSLPeer(client_side), EarlyServer(server_side, server=True)
    run_and_note(first, second)
    second.close()  # OpenSSL forgets the session of a connection that was not closed
    session = first.tls.get_session()
    return run_and_note(EarlyClient(client_side, session=session), server(server_side, server=True)), log


@pytest.mark.parametrize(
    "suite", ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
)
def test_early_data_that_is_accepted(suite: str) -> None:
    wire, log = connect(EarlyServer, suite)
    records = explain(wire, log)
    assert unread(records) == []
    assert [entry for entry in story(records) if entry[0] == "client"] == [
        ("client", "", "ClientHello"),
        ("client", "", "ChangeCipherSpec"),
        ("client", "early", "ApplicationData"),
        ("client", "early", "EndOfEarlyData"),
        ("client", "handshake", "Finished"),
    ]
    assert ApplicationData(b"early") in [content for record in records for content in record.contents]


def test_early_data_that_is_refused() -> None:
    wire, log = connect(PyOpenSSLPeer, "TLS_AES_128_GCM_SHA256")
    records = explain(wire, log)
    assert unread(records) == []
    assert [entry for entry in story(records) if entry[0] == "client"] == [
        ("client", "", "ClientHello"),
        ("client", "", "ChangeCipherSpec"),
        ("client", "early", "ApplicationData"),
        ("client", "handshake", "Finished"),
    ]


def test_early_data_without_its_secret() -> None:
    wire, log = connect(EarlyServer, "TLS_AES_128_GCM_SHA256")
    some = KeyLog()
    for (label, client_random), secret in log._secrets.items():
        if "EARLY" not in label:
            some.add(f"{label} {client_random.hex()} {secret.hex()}")
    records = explain(wire, some)
    assert [why.partition(":")[0] for why in unread(records)] == [
        "does not open with the application keys"
    ] * 2
    assert ("client", "handshake", "Finished") in story(records)
