"""Peers that are libraries: a small program of ours around each, and all of them take the same arguments.

An argument is ``name=value``.  ``mode=serve``: listen on a free port of 127.0.0.1, print "listening on port N", and
give back on each connection what comes, until close_notify.  ``mode=visit``: ``times`` times connect to ``port``,
verify server.example, send the file ``payload``, take it back, close, and print "visited"; resume from the second
time on, and fail where that is not so, if the library tells.  ``version`` is 1.3 or 1.2, ``group`` the only group if
it is there, ``alpn`` the protocol, ``ca``, ``cert`` and ``key`` are PEM files, ``request=yes`` demands a client
certificate, ``tickets=no`` is without them, and ``psk`` is an identity and the hex digits of its key.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from sansticket.codes import NamedGroup
from tests.support.command import Command
from tests.support.matrix import HYBRID, PSK_IDENTITY, PSK_KEY, RETRY_GROUP, Cell, Peer, Served, Task


class Program(Peer):
    """A peer behind such a program."""

    groups: ClassVar[Mapping[NamedGroup, str]] = {RETRY_GROUP: "P-384", HYBRID: "X25519MLKEM768"}

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """How the program is started, without its arguments."""

    @contextmanager
    def serve(self, task: Task) -> Iterator[Served]:
        files = task.files
        arguments = ["mode=serve", *self._common(task)]
        arguments += [] if task.cell is Cell.PSK else [f"cert={files.chain}", f"key={files.key}"]
        arguments += ["request=yes"] if task.certificate else []
        arguments += [f"group={self.groups[task.group]}"] if task.group is not None else []
        with Command(*self.command(), *arguments) as server:
            yield Served(int(server.wait_for("listening on port")))

    def visit(self, task: Task, port: int) -> None:
        payload = task.files.folder / "payload"
        payload.write_bytes(task.payload)
        arguments = ["mode=visit", f"port={port}", f"times={task.times}", f"payload={payload}"]
        arguments += self._common(task)
        if task.certificate:
            arguments += [f"cert={task.files.client_chain}", f"key={task.files.client_key}"]
        if task.cell is Cell.HYBRID:
            arguments.append(f"group={self.groups[HYBRID]}")
        with Command(*self.command(), *arguments) as client:
            assert client.wait_for_end() == 0, client.end
            assert client.output.count("visited\n") == task.times, client.end

    def _common(self, task: Task) -> list[str]:
        arguments = [f"version={task.dotted}", f"ca={task.files.ca}"]
        arguments += [f"alpn={task.alpn}"] if task.alpn else []
        arguments += [] if task.tickets else ["tickets=no"]
        arguments += [f"psk={PSK_IDENTITY}:{PSK_KEY.hex()}"] if task.cell is Cell.PSK else []
        return arguments
