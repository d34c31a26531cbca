"""FTP servers of Debian, ``vsftpd`` and ``proftpd-mod-crypto``: both refuse a data connection that does not resume.

Debian has only one of them at a time; ``docs/interop-wide.md`` says how proftpd is there without being installed.
"""

from __future__ import annotations

import re
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from sansticket.commands import SendData
from tests.support.loopback import Line
from tests.support.matrix import Files, Served
from tests.support.peers import tool
from tests.support.proftpd import proftpd
from tests.support.vsftpd import vsftpd
from tests.support.wide import Standing, printed, tickets_only


def begin(sock: socket.socket) -> None:
    assert reply(sock).startswith(b"220")
    sock.sendall(b"AUTH TLS\r\n")
    assert reply(sock).startswith(b"234")


def reply(sock: socket.socket) -> bytes:
    """A line in the clear, and no byte behind it."""
    line = b""
    while not line.endswith(b"\r\n"):
        more = sock.recv(1)
        assert more, f"the end came behind {line!r}"
        line += more
    return line


def log_in(line: Line, payload: bytes) -> bytes:
    """FTP gives nothing back on this connection but replies."""
    if ask(line, b"USER anonymous", b"331", b"230") == b"331":
        ask(line, b"PASS somebody", b"230")
    ask(line, b"PWD", b"257")
    return payload


def ask(line: Line, command: bytes, *codes: bytes) -> bytes:
    """The code of the answer, which is one of these."""
    line.send(SendData(command + b"\r\n"))
    while (answer := line.take_until(b"\r\n"))[3:4] != b" " or not answer[:3].isdigit():
        pass
    assert answer[:3] in codes, answer
    return answer[:3]


class Vsftpd(Standing):
    name = "vsftpd"
    needs = ("vsftpd",)
    may_retry = True
    cannot = tickets_only("vsftpd")

    def version(self) -> str:
        found = re.search(r"version ([\d.]+)", printed("sh", "-c", f"{tool('vsftpd')} -v 0>&1"))
        assert found is not None
        return found[1]

    def start(self, files: Files, folder: Path, running: ExitStack) -> Served:
        return Served(running.enter_context(vsftpd()), log_in, begin)


class Proftpd(Standing):
    name = "proftpd"
    needs = ("proftpd",)
    by_hand = True
    cannot = tickets_only("proftpd")

    def version(self) -> str:
        return printed(tool("proftpd"), "-v").split()[-1]

    def start(self, files: Files, folder: Path, running: ExitStack) -> Served:
        return Served(running.enter_context(proftpd()), log_in, begin)


PEERS: Final = (Vsftpd(), Proftpd())
