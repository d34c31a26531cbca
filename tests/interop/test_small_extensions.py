"""Small extensions with programs that have them: GnuTLS, OpenSSL, BoringSSL and tlslite-ng, over loopback."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from sansticket import ClientAuthentication, ProtocolVersion
from sansticket.codes import CertificateCompression, ContentType
from sansticket.wire.compression import available, compressed_once
from sansticket.wire.extensions.negotiation import RecordSizeLimit
from sansticket.wire.messages.hello import ClientHello
from tests.interop.matrix.test_tlslite import PEER as TLSLITE
from tests.interop.test_openssl_command import Files, files
from tests.support.certificates import client_identity
from tests.support.command import PATIENCE, Command, s_client
from tests.support.configs import client_config, server_config
from tests.support.credentials import anchors, client_credential
from tests.support.loopback import Line, OurServer, dial, echo, free_port
from tests.support.peers import require

__all__ = ["files"]

TLS12: Final = ProtocolVersion.TLS_1_2
TLS13: Final = ProtocolVersion.TLS_1_3
LINE: Final = "0123456789abcdef" * 20 + "\n"
"""GnuTLS's programs lose what does not fit into a record of theirs."""
PAYLOAD: Final = b"0123456789abcdef" * 2000

each_version = pytest.mark.parametrize("version", [TLS13, TLS12])


def gnutls(program: str, version: int, *arguments: object) -> Command:
    priority = f"NORMAL:-VERS-ALL:+VERS-TLS1.{version - 0x0301}"
    return Command(program, "--priority", priority, *map(str, arguments))


def gnutls_server(version: int, files: Files, port: int, *arguments: object) -> Command:
    return gnutls(
        *("gnutls-serv", version, "--echo", "--port", port, "-a"),
        *("--x509certfile", files.chain, "--x509keyfile", files.key, *arguments),
    )


def gnutls_client(version: int, files: Files, port: int, *arguments: object) -> Command:
    return gnutls(
        *("gnutls-cli", version, "127.0.0.1", "--port", port, "--x509cafile", files.ca),
        *("--sni-hostname", "server.example", "--verify-hostname", "server.example", *arguments),
    )


def largest_data(line: Line) -> int:
    """Bytes of the largest body of a record of application data that went over the wire first."""
    wire, largest = bytes(line._wire), 0
    while len(wire) > 5:
        length = int.from_bytes(wire[3:5])
        largest = max(largest, length if wire[0] == ContentType.APPLICATION_DATA else 0)
        wire = wire[5 + length :]
    return largest


@each_version
def test_gnutls_server_keeps_to_our_record_size_limit(files: Files, version: int) -> None:
    """Its Certificate does not fit into one record, nor does its CertificateVerify beside that."""
    require("GnuTLS")
    port = free_port()
    with gnutls_server(version, files, port) as server:
        server.wait_for("IPv4 0.0.0.0 port")
        config: Any = client_config(record_size_limit=700, versions=(version,))
        with dial(port, config) as line:
            assert echo(line, LINE.encode()) == LINE.encode()
            assert line.connection._engine.reader.limit == 700 - (version == TLS13)
            line.close()


@each_version
def test_gnutls_client_asks_for_smaller_records(files: Files, version: int) -> None:
    """It asks with both extensions, of which record_size_limit counts; our flight is longer than that."""
    require("GnuTLS")
    with OurServer(server_config(versions=(version,))) as server:
        with gnutls_client(version, files, server.port, "--recordsize", 512) as client:
            client.give_and_take(LINE)
            client.end_input()
            assert client.wait_for_end() == 0, client.end
        (visit,) = server.visits()
    assert visit.connection._engine.outbound.writer.max_fragment == 512
    assert version == TLS12 or 512 < largest_data(visit) <= 512 + 1 + 16


@each_version
def test_openssl_client_asks_for_max_fragment_length(files: Files, version: int) -> None:
    name = "-tls1_3" if version == TLS13 else "-tls1_2"
    with OurServer(server_config(versions=(version,))) as server:
        with s_client(server.port, files.ca, "-maxfraglen", "512", "-quiet", version=name) as client:
            client.give_and_take(PAYLOAD.decode())
            client.end_input()
        (visit,) = server.visits()
    assert visit.connection._engine.outbound.writer.max_fragment == 512
    assert visit.connection._engine.outbound.writer.max_fragment < largest_data(visit) <= 512 + 1 + 24


def browse(browser: str, files: Files, port: int) -> None:
    """BoringSSL with the ClientHello of that browser."""
    from curl_cffi import requests

    url = f"https://127.0.0.1:{port}/"
    answer = requests.get(url, verify=str(files.ca), impersonate=browser, timeout=PATIENCE)
    assert answer.status_code == 200


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("browser", "algorithm", "taken"),
    [
        ("chrome", CertificateCompression.BROTLI, True),
        ("chrome", CertificateCompression.ZLIB, False),
        ("firefox", CertificateCompression.ZLIB, True),
        ("firefox", CertificateCompression.BROTLI, True),
        ("firefox", CertificateCompression.ZSTD, True),
        ("safari", CertificateCompression.ZLIB, True),
        ("safari", CertificateCompression.BROTLI, False),
    ],
)
def test_boringssl_reads_our_compressed_certificate(
    files: Files, browser: str, algorithm: CertificateCompression, taken: bool
) -> None:
    """Where the browser takes the algorithm that we have; otherwise it gets the certificate as it is."""
    require("curl-cffi")
    compressed_once.cache_clear()
    with OurServer(server_config(certificate_compression=[algorithm])) as server:
        browse(browser, files, server.port)
    assert compressed_once.cache_info().misses == taken


each_algorithm = pytest.mark.parametrize("algorithm", available())


def named(algorithm: int) -> str:
    return CertificateCompression(algorithm).name.lower()


def tlslite(algorithm: int, *arguments: object) -> Command:
    require("tlslite-ng")
    return Command(*TLSLITE.command(), "version=1.3", f"compress={named(algorithm)}", *map(str, arguments))


@pytest.mark.matrix
@each_algorithm
def test_we_read_what_tlslite_compresses_and_it_reads_ours(files: Files, algorithm: int) -> None:
    """Its server shows its certificate, and asks for our client's."""
    serving = ("mode=serve", "request=yes", f"cert={files.chain}", f"key={files.key}")
    config: Any = client_config(
        versions=(TLS13,), certificate_compression=[algorithm], credentials=[client_credential()]
    )
    with tlslite(algorithm, *serving) as server:
        port = int(server.wait_for("listening on port"))
        with dial(port, config) as line:
            assert echo(line, PAYLOAD) == PAYLOAD
            assert line.connection.peer_certificates
            line.close()
        assert server.wait_for("compressed:").split() == 2 * [named(algorithm)]


@pytest.mark.matrix
@each_algorithm
def test_tlslite_reads_what_we_compress_and_we_read_its(tmp_path: Path, algorithm: int) -> None:
    payload, chain, key = (tmp_path / name for name in ("payload", "chain.pem", "key.pem"))
    payload.write_bytes(PAYLOAD)
    chain.write_bytes(client_identity().chain_pem)
    key.write_bytes(client_identity().key_pem)
    config = server_config(
        versions=(TLS13,),
        certificate_compression=[algorithm],
        trust_anchors=anchors(),
        client_authentication=ClientAuthentication.REQUIRED,
    )
    with OurServer(config) as server:
        visiting = ("mode=visit", f"port={server.port}", "times=1", f"payload={payload}")
        with tlslite(algorithm, *visiting, f"cert={chain}", f"key={key}") as client:
            assert client.wait_for("compressed:").split() == 2 * [named(algorithm)]
            assert client.wait_for_end() == 0, client.end
        (visit,) = server.visits()
    assert visit.connection.peer_certificates == client_credential().chain


@pytest.mark.matrix
def test_boringssl_asks_for_records_of_any_size(files: Files) -> None:
    """As Firefox does, with the most there is; it takes our answer."""
    require("curl-cffi")
    with OurServer(server_config()) as server:
        browse("firefox", files, server.port)
        (visit,) = server.visits()
    wire = bytes(visit._wire)
    hello = ClientHello.decode(wire[9 : 5 + int.from_bytes(wire[3:5])])
    assert hello.find(RecordSizeLimit) == RecordSizeLimit(2**14 + 1)
    assert visit.connection._engine.outbound.writer.max_fragment == 2**14
