"""A Redis of our own behind a socket in a folder of its own: it takes no port and touches no other Redis."""

from __future__ import annotations

import signal
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from redis import Redis

from tests.support.command import Command
from tests.support.peers import require


class RedisServer:
    """Keeps nothing when it ends.  Leaving the ``with`` block ends it."""

    def __init__(self) -> None:
        require("redis-server")
        # Not pytest's folder: the path of a socket has room for a hundred characters only.
        self._folder = tempfile.TemporaryDirectory(prefix="redis")
        self.socket = Path(self._folder.name, "socket")
        self._command = self._started()

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        self._folder.cleanup()

    def client(self) -> Redis:
        """Looks into it."""
        return Redis.from_url(self.url)

    def end(self) -> None:
        """At once, with all that it has."""
        self._command.__exit__(None, None, None)

    def restart(self) -> None:
        self.end()
        self._command = self._started()

    def freeze(self) -> None:
        """It still takes connections and commands (the system does that), and answers nothing."""
        self._command.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._command.signal(signal.SIGCONT)

    def _started(self) -> Command:
        self.socket.unlink(missing_ok=True)
        command = Command(
            *("redis-server", "--port", "0", "--unixsocket", self.socket, "--save", "", "--appendonly", "no"),
            *("--dir", self._folder.name),
        )
        command.wait_for("eady to accept connections")
        return command
