"""Apache Traffic Server of Debian's ``trafficserver``, with the ticket keys of a file, as the proxy of a web server.

It does not serve as root, and all that it reads and writes is in a folder of the test.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from tests.interop.wide.web import fetch
from tests.support.http_server import running
from tests.support.loopback import free_port
from tests.support.matrix import SMALL, Files, Served
from tests.support.peers import tool
from tests.support.wide import Standing, printed, run, tickets_only

RECORDS: Final = """\
CONFIG proxy.config.http.server_ports STRING {port}:ssl:ip-in=127.0.0.1
CONFIG proxy.config.admin.user_id STRING {user}
CONFIG proxy.config.ssl.server.cert.path STRING {folder}
CONFIG proxy.config.ssl.server.private_key.path STRING {folder}
CONFIG proxy.config.ssl.server.ticket_key.filename STRING {folder}/keys
CONFIG proxy.config.http.cache.http INT 0
CONFIG proxy.config.exec_thread.autoconfig INT 0
CONFIG proxy.config.exec_thread.limit INT 1
"""

LAYOUT: Final = """\
prefix: {folder}
exec_prefix: {folder}
bindir: /usr/bin
sbindir: /usr/sbin
sysconfdir: {folder}/etc
datadir: {folder}/run
includedir: {folder}
libdir: /usr/lib/trafficserver
libexecdir: /usr/lib/trafficserver/modules
localstatedir: {folder}/run
runtimedir: {folder}/run
logdir: {folder}/run
cachedir: {folder}/run
"""

ALLOWED: Final = """\
ip_allow:
  - apply: in
    ip_addrs: 127.0.0.1
    action: allow
    methods: ALL
"""

EMPTY: Final = ("storage", "cache", "hosting", "parent", "volume", "plugin", "socks")


class TrafficServer(Standing):
    name = "Apache Traffic Server"
    needs = ("Traffic Server",)
    by_hand = True
    cannot = tickets_only("Traffic Server")

    def version(self) -> str:
        return printed(tool("traffic_server"), "-V").partition("Traffic Server ")[2].split()[0]

    def start(self, files: Files, folder: Path, running: ExitStack) -> Served:
        return Served(start_with(os.urandom(48), folder, running), fetch)


def start_with(keys: bytes, folder: Path, running: ExitStack) -> int:
    """With that ``ticket.key`` file; its port."""
    files = Files(folder).write()
    (folder / "keys").write_bytes(keys)
    (folder / "page").write_bytes(SMALL)
    (folder / "run").mkdir()
    (folder / "run").chmod(0o777)
    etc = folder / "etc"
    etc.mkdir()
    port, user = free_port(), "nobody" if os.geteuid() == 0 else f"#{os.geteuid()}"
    contents = {f"{name}.config": "" for name in EMPTY} | {
        "records.config": RECORDS.format(port=port, folder=folder, user=user),
        "remap.config": f"map / http://127.0.0.1:{running.enter_context(pages(folder))}/\n",
        "ssl_multicert.config": f"dest_ip=* ssl_cert_name={files.chain.name} ssl_key_name={files.key.name}\n",
        "ip_allow.yaml": ALLOWED,
        "sni.yaml": "",
    }
    for name, content in contents.items():
        (etc / name).write_text(content)
    layout = folder / "layout.yaml"
    layout.write_text(LAYOUT.format(folder=folder))
    run(running, port, tool("traffic_server"), env=os.environ | {"TS_RUNROOT": str(layout)})
    return port


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@contextmanager
def pages(folder: Path) -> Iterator[int]:
    """A web server without TLS; its port."""
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server,
        running(server),
    ):
        yield server.server_port


PEERS: Final = (TrafficServer(),)
