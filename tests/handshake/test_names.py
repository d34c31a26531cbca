"""One idea of a name: what a client can be given, what stands in server_name, and what is verified."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansticket.config.choices import ASK
from sansticket.connection.client import ClientConnection
from sansticket.errors import ConfigError, Fault, Reason
from sansticket.events import ConnectionTerminated, HandshakeCompleted, SelectConfig, VerifyPeer
from sansticket.handshake.common.names import is_dns_name, server_name_of
from sansticket.verifiers.pyopenssl import ServerVerifier
from sansticket.wire.extensions.negotiation import ServerNameList
from sansticket.wire.messages.hello import ClientHello
from tests.support.certificates import authority
from tests.support.configs import client_config, server_config
from tests.support.credentials import credential_of
from tests.support.pair import ConnectionPair

LABEL = "x" * 63

GOOD = [
    "server.example",
    "localhost",
    "my_service",
    "_dmarc.server.example",
    "-starts.with-a.hyphen",
    "ends-.with",
    "xn--bcher-kva.example",
    "1and1.example",
    "4.example",
    f"{LABEL}.{LABEL}.{LABEL}.{'x' * 61}",
]

WRONG = {
    "a line feed": "server.example\n",
    "an escape sequence": "\x1b[31mserver.example",
    "a blank": "server example",
    "a tab": "server\t.example",
    "nothing": ".",
    "an empty label": "server..example",
    "an empty label first": ".server.example",
    "two dots at the end": "server.example..",
    "a zone": "%eth0",
    "a name with a zone": "server.example%eth0",
    "two dots behind an address": "192.0.2.1..",
    "an IPv6 address in brackets": "[2001:db8::1]",
    "a port": "server.example:443",
    "a wildcard": "*.server.example",
    "a label of 64": "x" * 64 + ".example",
    "254 characters": f"{LABEL}.{LABEL}.{LABEL}.{'x' * 62}",
    "delete": "server\x7f.example",
}


def hello(name: str) -> ClientHello:
    return ClientHello(bytes(32), b"", (0x1301,), (ServerNameList(name.encode()),))


@pytest.mark.parametrize("name", GOOD)
def test_a_name_goes_all_the_way(name: str) -> None:
    credential = credential_of(authority().issue("a test", name))
    pair = ConnectionPair(client_config(), server_config(credentials=[credential]), server_name=name.upper())
    pair.pump()
    for events in (pair.client_events, pair.server_events):
        assert next(e for e in events if isinstance(e, HandshakeCompleted)).server_name == name


@pytest.mark.parametrize("zone", ["eth0", "1", "wlan-0.7_x", "25eth0"])
@pytest.mark.parametrize("version", [0x0303, 0x0304])
@pytest.mark.parametrize("answers", [{}, {VerifyPeer: ServerVerifier()}])
def test_the_zone_of_an_address_is_for_us_alone(version: int, zone: str, answers: dict[type, object]) -> None:
    """Whoever verifies is asked for the address; it is no name for SNI, and events show none of it."""
    credential = credential_of(authority().issue("a test", "fe80::1"))
    client = client_config(versions=[version], answers=answers)
    for right, address in ((True, f"FE80::1%{zone}"), (False, f"fe80::2%{zone}")):
        pair = ConnectionPair(client, server_config(credentials=[credential]), server_name=address)
        pair.pump()
        assert pair.server.server_name is None
        if right:
            assert pair.client.server_name == "fe80::1"
        else:
            assert pair.event("client", ConnectionTerminated).reason is Reason.CERTIFICATE_NAME_MISMATCH


@pytest.mark.parametrize(
    "name",
    [
        "fe80::1%",
        "fe80::1%a\nb",
        "fe80::1% a",
        "fe80::1%\0",
        "fe80::1%\x1b[31m",
        "fe80::1%b\xfc",
        "192.0.2.1%eth0",
        "server.example%eth0",
        "%eth0",
        ":%eth0",
        "fe80::1%a.\n",
    ],
)
def test_what_is_no_zone(name: str) -> None:
    with pytest.raises(ConfigError, match="server_name: ") as caught:
        ClientConnection(client_config(), name)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("what", WRONG)
def test_a_server_name_that_is_no_dns_name_is_refused(what: str) -> None:
    with pytest.raises(Fault) as caught:
        server_name_of(hello(WRONG[what]))
    assert caught.value.reason is Reason.ILLEGAL_VALUE
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("Server.Example.", "server.example"),
        ("localhost.", "localhost"),
        ("192.0.2.1", None),
        ("2001:DB8::1", None),
        ("::ffff:192.0.2.1", None),
        ("192.0.2.1.", None),
        ("FE80::1%eth0", None),
    ],
)
def test_what_clients_say_and_should_not(said: str, meant: str | None) -> None:
    """RFC 6066 section 3 has neither a dot at the end nor an address; browsers send the one, users of OpenSSL both,
    and Python's ssl also addresses with a dot, and with a zone (of a network that only has IPv6, perhaps)."""
    assert server_name_of(hello(said)) == meant


@pytest.mark.parametrize("version", [0x0303, 0x0304])
@pytest.mark.parametrize("answers", [{}, {SelectConfig: ASK}])
def test_the_refusal_is_illegal_parameter(version: int, answers: dict[type, object]) -> None:
    client = ClientConnection(client_config(versions=[version]), "server-example")
    raw = client.data_to_send()
    assert raw.count(b"server-example") == 1
    pair = ConnectionPair(client_config(), server_config(answers=answers))
    *_, end = pair.server.receive_data(raw.replace(b"server-example", b"server\nexample"))
    assert getattr(end, "reason", None) is Reason.ILLEGAL_VALUE
    assert getattr(end, "alert", None) == 47
    assert str(end) == "illegal value: server_name 'server\\nexample', 14 bytes, which is no DNS name"


@pytest.mark.parametrize(
    "name", ["", ".", "a b", "a\nb", "a..b", ".a", "*.a", "a:1", "[::1]", "bücher.example", "x" * 254, "a.."]
)
def test_what_cannot_be_verified_is_a_config_error_before_a_byte_leaves(name: str) -> None:
    with pytest.raises(
        ConfigError, match=r"server_name: .*expected (1 to 253 ASCII characters|a host name)"
    ) as caught:
        ClientConnection(client_config(), name)
    assert str(caught.value).isprintable()


@given(name=st.text(st.characters(max_codepoint=127), max_size=12))
def test_what_a_client_sends_a_server_takes(name: str) -> None:
    """Whatever the constructor accepts is in the hello in a form that a server reads, or is an address."""
    try:
        connection = ClientConnection(client_config(), name)
    except ConfigError:
        assert not is_dns_name(name.lower().removesuffix("."))
        return
    raw = connection.data_to_send()
    sent = ClientHello.decode(raw[9:]).find(ServerNameList)
    if sent is not None:
        assert is_dns_name(sent.host_name.decode())
        assert server_name_of(hello(sent.host_name.decode())) == name.lower().removesuffix(".")


def test_a_dot_at_the_end_is_for_the_resolver_and_not_for_the_peer() -> None:
    pair = ConnectionPair(client_config(), server_config(), server_name="Server.Example.")
    pair.pump()
    completed = next(e for e in pair.server_events if isinstance(e, HandshakeCompleted))
    assert completed.server_name == "server.example"
