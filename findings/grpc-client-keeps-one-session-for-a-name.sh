#!/usr/bin/env bash
# grpcio 1.85.3 of PyPI (gRPC core with BoringSSL), as a client of any servers.
#
# A channel that is given a session cache (the argument grpc.ssl_session_cache; in Python SSLSessionCacheLRU of
# grpc._cython.cygrpc, which gRPC's own tests use) resumes.  The cache keeps one session for a server's name, whatever the
# address and the port.  So two servers of one name, each with ticket keys of its own, take the place from each other: a
# client that goes to one and to the other in turn resumes at neither, though each gave it tickets that are good for hours,
# and it shows to each the tickets of the other.  With a name for each of the same two servers it resumes at both.  Several
# servers of one name, on ports or at addresses of their own, want the same ticket keys, or gRPC's clients resume only where
# two connections in a row meet the same one.
#
# Seen, with the standard library's ssl as both servers, TLS 1.3, one channel after the other:
#   one name, A A A: full, resumed, resumed
#   one name, A B A B A B: full, full, full, full, full, full
#   two names, A B A B A B: full, full, resumed, resumed, resumed, resumed
#
# Fails if one of them changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "grpcio==1.85.3" "trustme==1.2.1"
cd "$work"
GRPC_VERBOSITY=NONE "$work/venv/bin/python" - <<'END'
import queue
import socket
import ssl
import sys
import threading

import grpc
import trustme
from grpc._cython import cygrpc

ONE_NAME = {"A": "one.example", "B": "one.example"}
TWO_NAMES = {"A": "one.example", "B": "two.example"}
EXPECTED = {
    "one name, A A A": "full, resumed, resumed",
    "one name, A B A B A B": "full, full, full, full, full, full",
    "two names, A B A B A B": "full, full, resumed, resumed, resumed, resumed",
}
EMPTY_SETTINGS = b"\0\0\0\4\0\0\0\0\0"

authority = trustme.CA()
identity = authority.issue_cert("one.example", "two.example")
credentials = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
seen = queue.Queue()


def start():
    """A server with ticket keys of its own; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["h2"])
    identity.configure_cert(context)
    listening = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            accepted, _ = listening.accept()
            accepted.settimeout(20)
            with context.wrap_socket(accepted, server_side=True) as connection:
                seen.put("resumed" if connection.session_reused else "full")
                connection.sendall(EMPTY_SETTINGS)
                while connection.recv(65536):
                    pass

    threading.Thread(target=serve, daemon=True).start()
    return listening.getsockname()[1]


ports = {"A": start(), "B": start()}


def visits(order, names):
    cache = cygrpc.SSLSessionCacheLRU(10)
    for server in order:
        options = [
            ("grpc.ssl_session_cache", cache),
            ("grpc.ssl_target_name_override", names[server]),
            ("grpc.use_local_subchannel_pool", 1),
        ]
        with grpc.secure_channel(f"127.0.0.1:{ports[server]}", credentials, options) as channel:
            grpc.channel_ready_future(channel).result(20)
        yield seen.get(timeout=20)


found = {
    "one name, A A A": ", ".join(visits("AAA", ONE_NAME)),
    "one name, A B A B A B": ", ".join(visits("ABABAB", ONE_NAME)),
    "two names, A B A B A B": ", ".join(visits("ABABAB", TWO_NAMES)),
}
print(f"grpcio {grpc.__version__}, servers: {ssl.OPENSSL_VERSION}")
for what, how in found.items():
    print(f"{what}: {how}")
sys.exit(found != EXPECTED)
END
