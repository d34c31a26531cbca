"""Firefox without a window: Debian's ``firefox-esr``, with ``certutil`` of ``libnss3-tools``.

It has an empty profile that trusts our authority, finds server.example on loopback, and is driven by the protocol
that Firefox has for that (Marionette: a length, a colon, and JSON): it loads the page of our server, whose script
sends the payload and takes it back, and is asked what became of the page.
"""

from __future__ import annotations

import json
import os
import re
import socket
from pathlib import Path
from typing import Any, Final

from tests.support.command import PATIENCE, Command
from tests.support.loopback import free_port, wait_for_port
from tests.support.matrix import Cannot, Cell, ClientOnly, Task
from tests.support.peers import tool
from tests.support.wide import CLIENT, printed, temporary

SPARE: Final = 2
"""Firefox opens a connection or two before it needs them: only when those are closed it resumes."""

VERSIONS: Final = {"1.2": 3, "1.3": 4}


class Marionette:
    def __init__(self, sock: socket.socket) -> None:
        self._reader, self._sock = sock.makefile("rb"), sock
        self._read()

    def ask(self, command: str, **parameters: Any) -> Any:
        message = json.dumps([0, 1, command, parameters])
        self._sock.sendall(f"{len(message)}:{message}".encode())
        _, _, error, result = self._read()
        assert error is None, error
        return result

    def _read(self) -> Any:
        length = b""
        while (digit := self._reader.read(1)).isdigit():
            length += digit
        return json.loads(self._reader.read(int(length)))


class Firefox(ClientOnly):
    name = "Firefox ESR"
    needs = ("Firefox", "NSS")
    by_hand = True
    cannot = {(CLIENT, Cell.ID_12): Cannot("Firefox resumes TLS 1.2 with tickets only.")}  # noqa: RUF012

    def version(self) -> str:
        found = re.search(r"[\d.]+", printed(tool("firefox-esr"), "--version"))
        assert found is not None
        return found[0]

    def visit(self, task: Task, port: int) -> None:
        times = task.times if task.times == 1 else task.times + SPARE
        page = f"https://server.example:{port}/?size={len(task.payload)}&times={times}&method=POST"
        with temporary() as profile:
            marionette = free_port()
            (profile / "user.js").write_text(preferences(task, marionette))
            trust(profile, task.files.ca)
            command = (tool("firefox-esr"), "--headless", "--marionette", "--no-remote", "--profile", profile)
            with Command(*command, env={**os.environ, "HOME": str(profile)}) as browser:
                wait_for_port(marionette, browser)
                assert shown(marionette, page).count("there and back") == times, browser.end


def preferences(task: Task, marionette: int) -> str:
    """Nothing reaches out, and every name is this machine."""
    values = {
        "marionette.port": marionette,
        "network.dns.forceResolve": "127.0.0.1",
        "network.proxy.type": 0,
        "network.captive-portal-service.enabled": False,
        "network.connectivity-service.enabled": False,
        "security.OCSP.enabled": 0,
        "security.remote_settings.crlite_filters.enabled": False,
        "security.tls.version.min": VERSIONS[task.dotted],
        "security.tls.version.max": VERSIONS[task.dotted],
        "services.settings.server": "data:,",
    }
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in values.items()]
    return "".join(lines)


def trust(profile: Path, authority: Path) -> None:
    where = f"sql:{profile}"
    printed("certutil", "-d", where, "-N", "--empty-password")
    printed("certutil", "-d", where, "-A", "-n", "root", "-t", "C,,", "-a", "-i", authority)


def shown(port: int, page: str) -> str:
    """The text of the page, when its script has ended."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
        browser = Marionette(sock)
        browser.ask("WebDriver:NewSession")
        browser.ask("WebDriver:Navigate", url=page)
        text: str = browser.ask("WebDriver:ExecuteScript", script="return document.body.innerText", args=[])[
            "value"
        ]
        browser.ask("Marionette:Quit", flags=["eForceQuit"])
    return text


PEERS: Final = (Firefox(),)
