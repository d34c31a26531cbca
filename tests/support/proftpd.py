"""proftpd, whose mod_tls refuses a data connection that does not resume its control connection."""

from __future__ import annotations

import grp
import os
import pwd
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support.certificates import server_identity
from tests.support.command import Command
from tests.support.loopback import free_port, wait_for_port
from tests.support.peers import proftpd_modules, require, tool

CONTENT: Final = b"what is in the file\n" * 10_000

CONFIG: Final = """\
ServerName test
ServerType standalone
DefaultAddress 127.0.0.1
Port {port}
UseIPv6 off
UseReverseDNS off
User {user}
Group {group}
PidFile {folder}/pid
ScoreboardFile {folder}/scoreboard
DelayTable none
WtmpLog off
TransferLog none
ModulePath {modules}
LoadModule mod_tls.c
RequireValidShell off
UseFtpUsers off
AuthOrder mod_auth_unix.c
<Anonymous {folder}/root>
  User {user}
  Group {group}
  UserAlias anonymous {user}
  RequireValidShell off
</Anonymous>
TLSEngine on
TLSRequired on
TLSProtocol TLSv1.2 TLSv1.3
TLSECCertificateFile {folder}/server.pem
TLSECCertificateKeyFile {folder}/server.key
TLSVerifyClient off
TLSLog {folder}/log
"""


@contextmanager
def proftpd() -> Iterator[int]:
    """Its port on 127.0.0.1.  Whoever comes may read ``file``."""
    require("proftpd")
    port = free_port()
    user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    group = grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name
    with tempfile.TemporaryDirectory(prefix="proftpd", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "root").mkdir()
        (folder / "root/file").write_bytes(CONTENT)
        (folder / "server.pem").write_bytes(server_identity().chain_pem)
        (folder / "server.key").write_bytes(server_identity().key_pem)
        (folder / "server.key").chmod(0o600)
        modules = proftpd_modules()
        text = CONFIG.format(port=port, folder=folder, user=user, group=group, modules=modules)
        (folder / "config").write_text(text)
        with Command(tool("proftpd"), "-n", "-c", folder / "config") as server:
            wait_for_port(port, server)
            yield port
