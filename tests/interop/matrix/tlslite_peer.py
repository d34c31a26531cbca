"""tlslite-ng as a peer.  The arguments are those of tests/support/programs.py.

And ``compress``: the algorithm for certificates, in both directions; then it prints which one the server's and the
client's certificate came with.
"""

from __future__ import annotations

import socket
import sys
import threading
from pathlib import Path
from typing import Any

from tlslite.api import (
    HandshakeSettings,
    SessionCache,
    TLSConnection,
    X509CertChain,
    parsePEMKey,
)

PATIENCE = 20.0
GIVEN = dict(argument.partition("=")[::2] for argument in sys.argv[1:])
GROUPS = {"P-384": "secp384r1", "X25519MLKEM768": "x25519mlkem768"}


def settings() -> HandshakeSettings:
    made = HandshakeSettings()
    made.minVersion = made.maxVersion = {"1.2": (3, 3), "1.3": (3, 4)}[GIVEN["version"]]
    if GIVEN["mode"] == "serve" and GIVEN.get("tickets") != "no":
        made.ticketKeys = [bytes(range(32))]
    # Its client would compress because of what it said itself, unasked.
    made.certificate_compression_send = [GIVEN["compress"]] if "compress" in GIVEN else []
    if "compress" in GIVEN:
        made.certificate_compression_receive = [GIVEN["compress"]]
    if "psk" in GIVEN:
        identity, _, key = GIVEN["psk"].partition(":")
        made.pskConfigs = [(identity.encode(), bytes.fromhex(key), "sha256")]
    if "group" in GIVEN:
        only = [GROUPS[GIVEN["group"]]]
        made.eccCurves, made.dhGroups, made.keyShares = only, [], only
    return made


def credential() -> tuple[Any, Any]:
    if "cert" not in GIVEN:
        return None, None
    chain = X509CertChain()
    chain.parsePemList(Path(GIVEN["cert"]).read_text())
    return chain, parsePEMKey(Path(GIVEN["key"]).read_text(), private=True)


def say_compression(connection: Any) -> None:
    if "compress" in GIVEN:
        used = (connection.server_cert_compression_algo, connection.client_cert_compression_algo)
        print("compressed:", *used, flush=True)


def alpn() -> list[bytearray] | None:
    return [bytearray(GIVEN["alpn"].encode())] if "alpn" in GIVEN else None


def serve() -> None:
    chain, key = credential()
    cache = SessionCache()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(f"listening on port {listener.getsockname()[1]}", flush=True)
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=answer, args=(sock, chain, key, cache), daemon=True).start()


def answer(sock: socket.socket, chain: Any, key: Any, cache: Any) -> None:
    sock.settimeout(PATIENCE)
    connection = TLSConnection(sock)
    try:
        connection.handshakeServer(
            certChain=chain,
            privateKey=key,
            sessionCache=cache,
            settings=settings(),
            alpn=alpn(),
            reqCert=GIVEN.get("request") == "yes",
        )
        if GIVEN.get("request") == "yes" and not connection.session.clientCertChain:
            raise ConnectionError(
                "no certificate"
            )  # tlslite-ng leaves it to the application to insist on one
        say_compression(connection)
        while data := connection.recv(65536):
            connection.sendall(data)
        connection.close()
    except Exception as error:
        print("connection failed:", repr(error), flush=True)
        sock.close()


def visit() -> None:
    payload = Path(GIVEN["payload"]).read_bytes()
    chain, key = credential()
    session = None
    for turn in range(int(GIVEN["times"])):
        with socket.create_connection(("127.0.0.1", int(GIVEN["port"])), PATIENCE) as sock:
            connection = TLSConnection(sock)
            connection.handshakeClientCert(
                chain, key, session=session, settings=settings(), serverName="server.example", alpn=alpn()
            )
            assert connection.resumed == (turn > 0), f"resumed is {connection.resumed}"
            back = there_and_back(connection, payload)
            assert back == payload, f"{len(back)} bytes came back"
            say_compression(connection)
            connection.close()
            session = connection.session
            print("visited", flush=True)


def there_and_back(connection: Any, payload: bytes) -> bytes:
    """A piece, and its echo: a connection of tlslite-ng is for one thread at a time."""
    back = bytearray()
    for start in range(0, len(payload), 16384):
        connection.sendall(payload[start : start + 16384])
        while len(back) < min(start + 16384, len(payload)) and (data := connection.recv(65536)):
            back += data
    return bytes(back)


if __name__ == "__main__":
    serve() if GIVEN["mode"] == "serve" else visit()
