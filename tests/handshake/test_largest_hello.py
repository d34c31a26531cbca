"""The largest ClientHello that can be written is read."""

from __future__ import annotations

import pytest
from attrs import evolve

from sansticket.codes import ProtocolVersion
from sansticket.config.defaults import LARGEST_CLIENT_HELLO
from sansticket.connection.server import ServerConnection
from sansticket.errors import Reason
from sansticket.events import ConnectionTerminated
from sansticket.wire.extensions import SupportedVersions, UnknownExtension
from sansticket.wire.messages.hello import ClientHello
from tests.support.configs import server_config
from tests.support.hostile import plain_record
from tests.support.hostile_client import HostileClient, quick_server


def largest(hello: ClientHello) -> ClientHello:
    """Every field as long as its vector allows: 65,534 bytes of suites, 65,535 of extensions."""
    suites = hello.cipher_suites + tuple(range(0x2000, 0x2000 + 32_767 - len(hello.cipher_suites)))
    used = sum(len(extension.written()) for extension in hello.extensions)
    padding = UnknownExtension(0x1234, bytes(0xFFFF - used - 4))
    return evolve(
        hello,
        session_id=bytes(32),
        cipher_suites=suites,
        compression_methods=bytes(range(255)),
        extensions=(*hello.extensions, padding),
    )


def test_the_default_is_the_size_of_the_largest() -> None:
    raw = largest(HostileClient(quick_server()).hello()).encode()
    assert len(raw) == LARGEST_CLIENT_HELLO == 131_400
    assert server_config().max_handshake_message == LARGEST_CLIENT_HELLO


def test_it_is_read_in_tls_1_3() -> None:
    """With one compression method, as TLS 1.3 wants it, and so 254 bytes less."""
    client = HostileClient(
        edits={ClientHello: lambda honest: evolve(largest(honest), compression_methods=b"\0")}
    )
    client.complete().assert_alive()
    assert client.connected


@pytest.mark.parametrize("piece", [16_384, 1_000])
def test_it_is_read_in_tls_1_2(piece: int) -> None:
    honest = HostileClient(quick_server()).hello()
    hello = largest(evolve(honest, extensions=(*honest.extensions[:3], SupportedVersions((0x0303,)))))
    raw = evolve(hello, cipher_suites=(0xC02B, *hello.cipher_suites[1:])).encode()
    assert len(raw) == LARGEST_CLIENT_HELLO
    server = ServerConnection(server_config(versions=(ProtocolVersion.TLS_1_2,)))
    events = []
    for start in range(0, len(raw), piece):
        events += server.receive_data(plain_record(22, raw[start : start + piece]))
    assert events == []
    assert server.data_to_send()


def test_one_byte_more_is_no_hello() -> None:
    server = ServerConnection(server_config())
    (end,) = server.receive_data(plain_record(22, b"\x01" + (LARGEST_CLIENT_HELLO - 3).to_bytes(3)))
    assert isinstance(end, ConnectionTerminated)
    assert end.reason is Reason.MALFORMED_MESSAGE
