"""vsftpd, a server for FTP that refuses a data connection that does not resume its control connection."""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tests.support.certificates import server_identity
from tests.support.command import PATIENCE, Command
from tests.support.loopback import free_port
from tests.support.peers import require, tool

CONTENT: Final = b"what is in the file\n" * 10_000

CONFIG: Final = """\
listen=YES
listen_address=127.0.0.1
listen_port={port}
background=NO
run_as_launching_user={launcher}
anonymous_enable=YES
anon_root={folder}/root
no_anon_password=YES
ssl_enable=YES
allow_anon_ssl=YES
force_anon_logins_ssl=YES
force_anon_data_ssl=YES
require_ssl_reuse=YES
ssl_tlsv1=YES
ssl_ciphers=HIGH
rsa_cert_file={folder}/server.pem
secure_chroot_dir={folder}/empty
seccomp_sandbox=NO
xferlog_enable=NO
"""


@contextmanager
def vsftpd() -> Iterator[int]:
    """Its port on 127.0.0.1.  Whoever comes may read ``file``."""
    require("vsftpd")
    port = free_port()
    # Not pytest's folder: its user for guests has to get there.
    with tempfile.TemporaryDirectory(prefix="vsftpd", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        for inside in ("root", "empty"):
            (folder / inside).mkdir()
        (folder / "root/file").write_bytes(CONTENT)
        (folder / "root/file").chmod(0o644)
        (folder / "server.pem").write_bytes(server_identity().chain_pem + server_identity().key_pem)
        for inside in ("root", "empty"):
            (folder / inside).chmod(0o555)
        launcher = "NO" if os.geteuid() == 0 else "YES"
        (folder / "config").write_text(CONFIG.format(port=port, folder=folder, launcher=launcher))
        with Command(tool("vsftpd"), folder / "config") as server:
            wait_for(port, server)
            yield port


def wait_for(port: int, server: Command) -> None:
    """It says nothing when it is ready."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and server.running:
        with (
            suppress(ConnectionRefusedError),
            socket.create_connection(("127.0.0.1", port), PATIENCE) as sock,
        ):
            sock.recv(100)
            return
        time.sleep(0.02)
    raise AssertionError(f"vsftpd does not answer: {server.output}")
