#!/usr/bin/env bash
# libcurl 8.23.0 (in the wheel pycurl 7.49.0 of PyPI, with OpenSSL 3.6.5), as a client of any servers.
#
# libcurl keeps sessions in places, one for each server: 3 in an easy handle that is used alone, 25 in a multi handle.
# Its own description (docs/internals/TLS-SESSIONS.md) has the oldest entry make room when all are taken.  But a place
# counts as used only when a session is taken out of it, not when one is put in.  So the server that was met last is
# the first to go: those that come after all places are taken push each other out of one of them, and the others stay
# with servers that may never be visited again.  A client that goes through many servers keeps the sessions of a few
# of the earliest and of the very last, and does a full handshake wherever else it comes back.
#
# Seen, TLS 1.3, each of n servers visited once and then one of them again, with a new handle for each of the n (R:
# that one resumed, -: it did not; from the server that was visited first to the last):
#   easy handle, 3 servers: RRR
#   easy handle, 4 servers: -RRR
#   easy handle, 7 servers: -RR---R
#   multi handle, 30 servers: -RRRRRRRRRRRRRRRRRRRRRRRR----R
#
# Fails if one of them changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --only-binary=pycurl "pycurl==7.49.0" "trustme==1.2.1"
cd "$work"
timeout 300 "$work/venv/bin/python" - <<'END'
import queue
import selectors
import socket
import ssl
import sys
import threading

import pycurl
import trustme

EXPECTED = {
    ("easy", 3): "RRR",
    ("easy", 4): "-RRR",
    ("easy", 7): "-RR---R",
    ("multi", 30): "-" + "R" * 24 + "----R",
}
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

authority = trustme.CA()
authority.cert_pem.write_to_path("authority.pem")
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.minimum_version = ssl.TLSVersion.TLSv1_3
authority.issue_cert("127.0.0.1").configure_cert(context)
seen = queue.Queue()


def serve(listeners):
    selector = selectors.DefaultSelector()
    for listening in listeners:
        selector.register(listening, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            accepted, _ = key.fileobj.accept()
            accepted.settimeout(20)
            with context.wrap_socket(accepted, server_side=True) as connection:
                connection.recv(65536)
                seen.put("R" if connection.session_reused else "-")
                connection.sendall(ANSWER)
                connection.unwrap()


def new_transfer(port=0):
    transfer = pycurl.Curl()
    transfer.setopt(pycurl.URL, f"https://127.0.0.1:{port}/")
    transfer.setopt(pycurl.CAINFO, "authority.pem")
    transfer.setopt(pycurl.TIMEOUT, 20)
    return transfer


def visit_with_easy(ports):
    transfer = new_transfer()
    for port in ports:
        transfer.setopt(pycurl.URL, f"https://127.0.0.1:{port}/")
        transfer.perform()
        yield seen.get(timeout=20)


def visit_with_multi(ports):
    handle = pycurl.CurlMulti()
    for port in ports:
        transfer = new_transfer(port)
        handle.add_handle(transfer)
        while handle.perform()[1]:
            handle.select(1)
        handle.remove_handle(transfer)
        yield seen.get(timeout=20)


VISIT = {"easy": visit_with_easy, "multi": visit_with_multi}


def who_resumes(kind, ports):
    for again in ports:
        *first, last = VISIT[kind]([*ports, again])
        if "R" in first:
            raise SystemExit("a server resumed at its first visit")
        yield last


if "libcurl/8.23.0" not in pycurl.version:
    raise SystemExit(f"this is {pycurl.version}; it was libcurl/8.23.0 when this was written")
listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(30)]
ports = [listening.getsockname()[1] for listening in listeners]
threading.Thread(target=serve, args=(listeners,), daemon=True).start()
print(f"{pycurl.version}; servers: {ssl.OPENSSL_VERSION}")
changed = False
for (kind, servers), expected in EXPECTED.items():
    found = "".join(who_resumes(kind, ports[:servers]))
    print(f"{kind} handle, {servers} servers: {found}", flush=True)
    changed |= found != expected
sys.exit(changed)
END
