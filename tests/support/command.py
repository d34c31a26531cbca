"""A program of the machine as a peer: started, talked to, and ended in bounded time."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

ROOT: Final = Path(__file__).parent.parent.parent
PATIENCE: Final = 60.0
"""Seconds that anything may take; a healthy run needs a fraction of one."""


class Command:
    """A running program; everything it prints is kept in ``output``.

    Leaving the ``with`` block ends it, with all processes that it has started.
    """

    def __init__(self, *arguments: str | Path, env: Mapping[str, str] | None = None) -> None:
        self.arguments = [str(argument) for argument in arguments]
        self.output = ""
        self._waited_for = 0
        self._ended = False
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            self.arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=env,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()

    def type(self, text: str) -> None:
        """Write to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(text.encode())
        self._process.stdin.flush()

    def give_and_take(self, text: str, back: str | None = None) -> None:
        """Write to its standard input, while it writes, until it has printed ``back``: without it, the same again."""
        back = text if back is None else back
        writer = threading.Thread(target=self._type_if_it_reads, args=(text,), daemon=True)
        writer.start()
        with self._changed:
            self._changed.wait_for(lambda: back in self.output or self._ended, PATIENCE)
            assert back in self.output, (
                f"{len(back)} bytes did not come back from {self.arguments}:\n{self.end}"
            )
        writer.join(PATIENCE)

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        """At once, and it is gone when this returns."""
        self._process.kill()
        self._process.wait(PATIENCE)

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def end(self) -> str:
        """The last of its output."""
        return self.output[-4000:]

    def end_input(self) -> None:
        """The end of its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def wait_for(self, *texts: str) -> str:
        """Until it has printed a line with one of ``texts``, after what was waited for before.

        Gives what stands after it in that line.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._find(texts) is not None or self._ended, PATIENCE)
            found = self._find(texts)
            assert found is not None, f"no {' or '.join(texts)!r} from {self.arguments}:\n{self.output}"
            self._waited_for = found.end()
        return found["rest"].strip()

    def wait_for_end(self) -> int:
        """Until it has ended by itself; its exit status."""
        status = self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return status

    def _type_if_it_reads(self, text: str) -> None:
        with suppress(OSError):
            self.type(text)

    def _find(self, texts: Sequence[str]) -> re.Match[str] | None:
        alternatives = "|".join(re.escape(text) for text in texts)
        return re.compile(f"(?:{alternatives})(?P<rest>.*)\n").search(self.output, self._waited_for)

    def _read(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        while chunk := os.read(stdout.fileno(), 65536):
            with self._changed:
                self.output += chunk.decode(errors="replace")
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


def said(*command: str | Path) -> str:
    """What a program prints that ends by itself, and well."""
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=PATIENCE, check=True
    ).stdout


def example(name: str, *arguments: str | Path) -> Command:
    """A program of ``examples/`` on this interpreter, with this checkout's package and wrappers."""
    path = os.pathsep.join(filter(None, (str(ROOT / "wrappers"), os.environ.get("PYTHONPATH"))))
    return Command(
        sys.executable, "-u", "-m", f"examples.{name}", *arguments, env={**os.environ, "PYTHONPATH": path}
    )


def s_client(port: int, authority: Path, *arguments: str | Path, version: str = "-tls1_3") -> Command:
    """``openssl s_client`` that verifies the chain and the name of the server on that port."""
    return Command(
        *("openssl", "s_client", "-connect", f"127.0.0.1:{port}", version, "-CAfile", authority),
        *("-servername", "server.example", "-verify_hostname", "server.example", "-verify_return_error"),
        *arguments,
    )


def s_server(chain: Path, key: Path, *arguments: str | Path, version: str = "-tls1_3") -> Command:
    """``openssl s_server`` on a free port, which answers every line with its reverse."""
    return Command(
        *("openssl", "s_server", "-accept", "127.0.0.1:0", version, "-cert", chain, "-key", key, "-rev"),
        *arguments,
    )
