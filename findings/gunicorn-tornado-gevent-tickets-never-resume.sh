#!/usr/bin/env bash
# gunicorn 27.0.1, Tornado 6.6.1 and gevent 26.9.0 of PyPI, as servers, with any client that resumes.
#
# Each of the three, told the files of its certificate in the plainest way, makes an ssl.SSLContext for every
# connection: gunicorn with `--certfile` in its default worker (sync) and in gthread, Tornado's HTTPServer with a
# dictionary as `ssl_options`, gevent's WSGIServer with `certfile`.  A context has ticket keys and a session cache of
# its own, so each full handshake ends with tickets, said to be good for 7,200 s, which nobody can open: neither
# another worker nor the very process that sent them.  Every client that comes back does a full handshake, and nothing
# says why.  Where the context is made once, all resume: gunicorn's worker for gevent, Tornado with an SSLContext,
# gevent with `ssl_context`; and so does gunicorn's sync worker with a hook `ssl_context` that returns the same context
# each time.
#
# Seen, a client of the standard library's ssl that gives its latest session at each of four visits, TLS 1.3 and TLS
# 1.2 (R: resumed, -: not):
#   gunicorn, sync: ---- ----
#   gunicorn, gthread: ---- ----
#   gunicorn, gevent: -RRR -RRR
#   gunicorn, sync, ssl_context that keeps one: -RRR -RRR
#   Tornado, dictionary: ---- ----
#   Tornado, SSLContext: -RRR -RRR
#   gevent, certfile: ---- ----
#   gevent, ssl_context: -RRR -RRR
#
# Fails if one of them changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "gunicorn==27.0.1" "tornado==6.6.1" "gevent==26.9.0" "packaging==26.4" "trustme==1.2.1"
cd "$work"
export HOME=$work

cat >application.py <<'END'
def application(environ, start_response):
    start_response("200 OK", [("Content-Length", "0"), ("Connection", "close")])
    return [b""]
END

cat >keep_one.py <<'END'
kept = []


def ssl_context(config, new_context):
    if not kept:
        kept.append(new_context())
    return kept[0]
END

cat >tornado_server.py <<'END'
import asyncio
import ssl
import sys

import tornado.httpserver
import tornado.web

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("server.pem")
options = {"dictionary": {"certfile": "server.pem"}, "context": context}


async def main(port, how):
    server = tornado.httpserver.HTTPServer(tornado.web.Application(), ssl_options=options[how])
    server.listen(int(port), "127.0.0.1")
    await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))
END

cat >gevent_server.py <<'END'
import ssl
import sys

from application import application
from gevent.pywsgi import WSGIServer

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("server.pem")
options = {"certfile": {"certfile": "server.pem"}, "context": {"ssl_context": context}}
port, how = sys.argv[1:]
WSGIServer(("127.0.0.1", int(port)), application, log=None, **options[how]).serve_forever()
END

timeout 300 "$work/venv/bin/python" - <<'END'
import contextlib
import socket
import ssl
import subprocess
import sys
import time

import trustme

GUNICORN = ["-m", "gunicorn", "--bind", "127.0.0.1:{}", "--certfile", "server.pem", "application:application"]
NEVER, ALWAYS = "---- ----", "-RRR -RRR"
SERVERS = {
    "gunicorn, sync": (GUNICORN, NEVER),
    "gunicorn, gthread": ([*GUNICORN, "--worker-class", "gthread"], NEVER),
    "gunicorn, gevent": ([*GUNICORN, "--worker-class", "gevent"], ALWAYS),
    "gunicorn, sync, ssl_context that keeps one": ([*GUNICORN, "--config", "keep_one.py"], ALWAYS),
    "Tornado, dictionary": (["tornado_server.py", "{}", "dictionary"], NEVER),
    "Tornado, SSLContext": (["tornado_server.py", "{}", "context"], ALWAYS),
    "gevent, certfile": (["gevent_server.py", "{}", "certfile"], NEVER),
    "gevent, ssl_context": (["gevent_server.py", "{}", "context"], ALWAYS),
}
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

authority = trustme.CA()
authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path("server.pem")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


@contextlib.contextmanager
def running(arguments, port):
    command = [sys.executable, *(argument.format(port) for argument in arguments)]
    with open("server.txt", "w") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        else:
            raise SystemExit(open("server.txt").read())
        yield
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


def visits(port, version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    context.minimum_version = context.maximum_version = version
    session = None
    for _ in range(4):
        raw = socket.create_connection(("127.0.0.1", port), timeout=30)
        with context.wrap_socket(raw, server_hostname="localhost", session=session) as connection:
            connection.sendall(REQUEST)
            with contextlib.suppress(ssl.SSLEOFError):
                while connection.recv(65536):
                    pass
            session = connection.session
            if not session.has_ticket or session.ticket_lifetime_hint != 7200:
                raise SystemExit("this server sent no ticket for 7,200 s")
            yield "R" if connection.session_reused else "-"


print(ssl.OPENSSL_VERSION)
changed = False
for name, (arguments, expected) in SERVERS.items():
    port = free_port()
    with running(arguments, port):
        found = " ".join("".join(visits(port, version)) for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2))
    print(f"{name}: {found}", flush=True)
    changed |= found != expected
sys.exit(changed)
END
