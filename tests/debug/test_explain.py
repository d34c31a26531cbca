"""An observer with the key log sees what the two ends saw, however the bytes were cut."""

from __future__ import annotations

import ssl
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansticket import (
    CipherSuite,
    ClientAuthentication,
    Close,
    NamedGroup,
    RequestClientCertificate,
    SendData,
    ServerConfig,
    Session,
    TicketReceived,
    UpdateKeys,
)
from sansticket.crypto.suites import SUITES
from sansticket.debug.explain import (
    ApplicationData,
    Explainer,
    HandshakeMessage,
    Side,
    Unread,
    explain,
    message_name,
)
from sansticket.debug.key_log import KeyLog
from sansticket.keys.tls13 import traffic_keys
from sansticket.record.tls13 import Sealer
from sansticket.wire.messages.hello import ClientHello
from sansticket.wire.messages.tls13 import NewSessionTicket
from tests.support.certificates import authority, client_identity, server_identity
from tests.support.configs import client_config, server_config
from tests.support.credentials import anchors, client_credential
from tests.support.observer import Wire, data_of, run_and_note, story, stream, unread
from tests.support.pair import ConnectionPair
from tests.support.pyopenssl_peer import PyOpenSSLPeer, context
from tests.support.stdlib_peer import StdlibPeer, client_context, server_context

HELLO = [("client", "", "ClientHello")]
CERTIFIED = [
    ("server", "", "ServerHello"),
    ("server", "", "ChangeCipherSpec"),
    ("server", "handshake", "EncryptedExtensions"),
    ("server", "handshake", "Certificate"),
    ("server", "handshake", "CertificateVerify"),
    ("server", "handshake", "Finished"),
]
RESUMED = [*CERTIFIED[:3], CERTIFIED[5]]
FINISHED = [("client", "", "ChangeCipherSpec"), ("client", "handshake", "Finished")]
TICKET = [("server", "application", "NewSessionTicket")]


def ours(log: KeyLog, server: ServerConfig | None = None, session: Session | None = None) -> ConnectionPair:
    """A pair whose secrets are logged by the client alone."""
    pair = ConnectionPair(client_config(key_log=log.add), server or server_config(), session=session)
    pair.pump()
    return pair


@pytest.fixture(scope="module")
def talk() -> tuple[Wire, KeyLog]:
    """A connection of ours with everything in it."""
    log = KeyLog()
    pair = ours(log)
    pair.send("client", SendData(b"q" * 40_000))
    pair.send("server", UpdateKeys(request_peer=True))
    pair.send("server", SendData(b"answer"))
    pair.send("client", SendData(b"after"))
    pair.send("client", UpdateKeys())
    pair.send("client", Close())
    pair.send("server", Close())
    return pair.wire, log


# --- our own connections ---------------------------------------------------------------------------------------


def test_a_full_handshake_and_a_resumption() -> None:
    log, server = KeyLog(), server_config()
    pair = ours(log, server)
    records = explain(pair.wire, log)
    assert story(records) == [*HELLO, *CERTIFIED, *FINISHED, *TICKET, *TICKET]
    again = ours(log, server, pair.events("client", TicketReceived)[0].session)
    assert story(explain(again.wire, log)) == [*HELLO, *RESUMED, *FINISHED, *TICKET]


def test_every_byte_belongs_to_one_record(talk: tuple[Wire, KeyLog]) -> None:
    records = explain(*talk)
    for side in ("client", "server"):
        at = 0
        for record in records:
            if record.sender == side:
                assert record.offset == at
                at += record.size
        assert at == len(stream(talk[0], side))
    assert unread(records) == []


def test_the_messages_are_there(talk: tuple[Wire, KeyLog]) -> None:
    contents = [content for record in explain(*talk) for content in record.contents]
    messages = [content for content in contents if isinstance(content, HandshakeMessage)]
    assert all(message.message is not None and message.records == 1 for message in messages)
    assert isinstance(messages[0].message, ClientHello)
    for message in messages:
        assert message.message is not None
        assert message.size == len(message.message.encode())
    (ticket, _) = (message for message in messages if isinstance(message.message, NewSessionTicket))
    assert ticket.name == "NewSessionTicket"


def test_data_and_key_updates_both_ways(talk: tuple[Wire, KeyLog]) -> None:
    records = explain(*talk)
    assert data_of(records, "client") == b"q" * 40_000 + b"after"
    assert data_of(records, "server") == b"answer"
    updates = [(side, keys, name) for side, keys, name in story(records) if keys and "application" in keys]
    assert [entry for entry in updates if entry[2] not in ("NewSessionTicket", "ApplicationData")] == [
        ("server", "application", "KeyUpdate"),
        ("client", "application", "KeyUpdate"),
        ("client", "application 1", "KeyUpdate"),
        ("client", "application 2", "Alert 0"),
        ("server", "application 1", "Alert 0"),
    ]


def test_a_retry() -> None:
    log = KeyLog()
    pair = ConnectionPair(client_config(key_log=log.add), server_config(groups=(NamedGroup.SECP521R1,)))
    pair.pump()
    records = explain(pair.wire, log)
    assert story(records)[:5] == [
        *HELLO,
        ("server", "", "HelloRetryRequest"),
        ("server", "", "ChangeCipherSpec"),
        ("client", "", "ChangeCipherSpec"),
        ("client", "", "ClientHello"),
    ]
    assert unread(records) == []
    assert story(records)[-2:] == [*TICKET, *TICKET]


def test_a_client_certificate_and_padding() -> None:
    log = KeyLog()
    pair = ConnectionPair(
        client_config(credentials=[client_credential()], padding=lambda length: 7),
        server_config(
            client_authentication=ClientAuthentication.REQUIRED, trust_anchors=anchors(), key_log=log.add
        ),
    )
    pair.pump()
    records = explain(pair.wire, log)
    assert ("server", "handshake", "CertificateRequest") in story(records)
    assert ("client", "handshake", "CertificateVerify") in story(records)
    assert {(record.sender, record.padding) for record in records if record.keys} == {
        ("client", 7),
        ("server", 0),
    }


def test_a_certificate_after_the_handshake() -> None:
    log = KeyLog()
    pair = ConnectionPair(
        client_config(key_log=log.add, credentials=[client_credential()], post_handshake_auth=True),
        server_config(trust_anchors=anchors()),
    )
    pair.pump()
    pair.send("client", SendData(b"before"))
    pair.send("server", RequestClientCertificate())
    pair.send("client", SendData(b", after"))
    records = explain(pair.wire, log)
    assert unread(records) == []
    assert data_of(records, "client") == b"before, after"
    shown = [name for side, keys, name in story(records) if (side, keys) == ("client", "application")]
    assert shown == ["ApplicationData", "Certificate", "CertificateVerify", "Finished", "ApplicationData"]


@pytest.mark.parametrize("suite", [0x1301, 0x1302, 0x1303])
def test_every_suite(suite: int) -> None:
    log = KeyLog()
    pair = ConnectionPair(client_config(key_log=log.add, cipher_suites=(suite,)), server_config())
    pair.pump()
    pair.send("client", SendData(b"x"))
    records = explain(pair.wire, log)
    assert unread(records) == []
    assert data_of(records, "client") == b"x"


# --- the order of the pieces -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
def test_the_cuts_do_not_matter(talk: tuple[Wire, KeyLog], size: int) -> None:
    wire, log = talk
    if size < 5:
        wire = [(side, data) for side, data in wire if len(data) < 5000]
    cut = [(side, data[at : at + size]) for side, data in wire for at in range(0, len(data), size)]
    assert explain(cut, log) == explain(wire, log)


@pytest.mark.parametrize("first", ["client", "server"])
def test_two_streams_one_after_the_other(talk: tuple[Wire, KeyLog], first: Side) -> None:
    wire, log = talk
    second: Side = "server" if first == "client" else "client"
    apart = explain([(first, stream(wire, first)), (second, stream(wire, second))], log)
    together = explain(wire, log)
    for side in ("client", "server"):
        assert [r for r in apart if r.sender == side] == [r for r in together if r.sender == side]


@pytest.mark.parametrize("first", ["client", "server"])
def test_two_streams_with_a_retry(first: Side) -> None:
    log = KeyLog()
    pair = ConnectionPair(client_config(key_log=log.add), server_config(groups=(NamedGroup.SECP384R1,)))
    pair.pump()
    second: Side = "server" if first == "client" else "client"
    apart = explain([(first, stream(pair.wire, first)), (second, stream(pair.wire, second))], log)
    assert unread(apart) == []
    hellos = [name for _, keys, name in story(apart) if keys == "" and name != "ChangeCipherSpec"]
    assert hellos == ["ClientHello", "HelloRetryRequest", "ClientHello", "ServerHello"]


def test_a_live_key_log() -> None:
    """The secrets may come after the reading has begun."""
    log = KeyLog()
    pair = ConnectionPair(client_config(key_log=log.add), server_config())
    explainer, records = Explainer(log), []
    while pair.carry("client") | pair.carry("server"):
        for side, data in pair.wire:
            records += explainer.feed(side, data)
        pair.wire.clear()
    assert story(records) == [*HELLO, *CERTIFIED, *FINISHED, *TICKET, *TICKET]


# --- other implementations -------------------------------------------------------------------------------------


def test_two_peers_of_the_standard_library_in_tls_1_2(tmp_path: Path) -> None:
    version = ssl.TLSVersion.TLSv1_2
    client_side = client_context(authority(), client_identity(), version=version)
    server_side = server_context(server_identity(), authority(), version=version)
    client_side.keylog_filename = str(tmp_path / "keys")
    client, server = StdlibPeer(client_side), StdlibPeer(server_side, server=True)
    wire = run_and_note(client, server)
    client.write(b"question")
    wire += run_and_note(client, server)
    log = KeyLog((tmp_path / "keys").read_text())
    records = explain(wire, log)
    assert [(side, keys, name) for side, keys, name in story(records) if name != "NewSessionTicket"] == [
        *HELLO,
        ("server", "", "ServerHello"),
        ("server", "", "Certificate"),
        ("server", "", "ServerKeyExchange"),
        ("server", "", "CertificateRequest"),
        ("server", "", "ServerHelloDone"),
        ("client", "", "Certificate"),
        ("client", "", "ClientKeyExchange"),
        ("client", "", "CertificateVerify"),
        ("client", "", "ChangeCipherSpec"),
        ("client", "connection", "Finished"),
        ("server", "", "ChangeCipherSpec"),
        ("server", "connection", "Finished"),
        ("client", "connection", "ApplicationData"),
    ]
    assert data_of(records, "client") == b"question"

    again = run_and_note(
        StdlibPeer(client_side, session=client.tls.session), StdlibPeer(server_side, server=True)
    )
    log = KeyLog((tmp_path / "keys").read_text())
    abbreviated = story(explain(again, log))
    assert ("client", "connection", "Finished") in abbreviated
    apart = story(explain([("client", stream(again, "client")), ("server", stream(again, "server"))], log))
    for side in ("client", "server"):
        assert [entry for entry in apart if entry[0] == side] == [
            entry for entry in abbreviated if entry[0] == side
        ]

    records = explain(wire, KeyLog())
    assert set(unread(records)) == {"no CLIENT_RANDOM of this connection in the key log"}


def test_two_newer_peers_with_chacha20_in_tls_1_2() -> None:
    from OpenSSL import SSL

    log = KeyLog()
    client_side = context(
        authority=authority(), version=SSL.TLS1_2_VERSION, key_log=lambda line: log.add(line.decode())
    )
    client_side.set_cipher_list(b"ECDHE-ECDSA-CHACHA20-POLY1305")
    server_side = context(identity=server_identity(), version=SSL.TLS1_2_VERSION)
    client, server = PyOpenSSLPeer(client_side), PyOpenSSLPeer(server_side, server=True)
    wire = run_and_note(client, server)
    server.write(b"answer")
    wire += run_and_note(client, server)
    records = explain(wire, log)
    assert unread(records) == []
    assert data_of(records, "server") == b"answer"


def test_a_handshake_under_the_keys_of_another() -> None:
    """Renegotiation; where the log has no secret of the second one, that is what is said."""
    from OpenSSL import SSL

    lines: list[str] = []
    client_side = context(
        authority=authority(), version=SSL.TLS1_2_VERSION, key_log=lambda line: lines.append(line.decode())
    )
    server_side = context(identity=server_identity(), version=SSL.TLS1_2_VERSION)
    client, server = PyOpenSSLPeer(client_side), PyOpenSSLPeer(server_side, server=True)
    wire = run_and_note(client, server)
    assert server.tls.renegotiate()
    server.tls.do_handshake()  # HelloRequest
    wire += run_and_note(client, server)
    client.write(b"question")
    wire += run_and_note(client, server)
    records = explain(wire, KeyLog("\n".join(lines)))
    assert unread(records) == []
    assert [name for side, _, name in story(records) if side == "client"].count("ClientHello") == 2
    assert data_of(records, "client") == b"question"
    both = [("client", stream(wire, "client")), ("server", stream(wire, "server"))]
    for apart in (both, both[::-1]):
        assert Counter(explain(apart, KeyLog("\n".join(lines)))) == Counter(records)
    (first, *_) = [line for line in lines if line.startswith("CLIENT_RANDOM")]
    records = explain(wire, KeyLog(first))
    assert set(unread(records)) == {"no CLIENT_RANDOM of this connection in the key log"}
    assert records[-1].keys is None


def test_a_suite_that_is_not_known() -> None:
    version = ssl.TLSVersion.TLSv1_2
    client_side = client_context(authority(), version=version)
    server_side = server_context(server_identity(), version=version)
    server_side.set_ciphers("ECDHE-ECDSA-AES128-SHA")
    client_side.set_ciphers("ECDHE-ECDSA-AES128-SHA")
    wire = run_and_note(StdlibPeer(client_side), StdlibPeer(server_side, server=True))
    assert "nothing is known of cipher suite 0xc009" in unread(explain(wire, KeyLog()))


# --- what cannot be read ---------------------------------------------------------------------------------------


def test_without_secrets_each_record_says_which_is_missing(talk: tuple[Wire, KeyLog]) -> None:
    records = explain(talk[0], KeyLog())
    assert [entry for entry in story(records) if entry[1] == ""] == [*HELLO, *CERTIFIED[:2], FINISHED[0]]
    assert set(unread(records)) == {
        f"no {side}_HANDSHAKE_TRAFFIC_SECRET of this connection in the key log"
        for side in ("CLIENT", "SERVER")
    }


def test_with_wrong_secrets(talk: tuple[Wire, KeyLog]) -> None:
    wire, log = talk
    wrong = KeyLog()
    for (label, client_random), secret in log._secrets.items():
        wrong.add(f"{label} {client_random.hex()} {bytes(len(secret)).hex()}")
    whys = unread(explain(wire, wrong))
    assert whys
    assert all(
        why.startswith("does not open with the application keys: record does not decrypt") for why in whys
    )


def test_application_secrets_alone_show_the_data(talk: tuple[Wire, KeyLog]) -> None:
    wire, log = talk
    some = KeyLog()
    for (label, client_random), secret in log._secrets.items():
        if label.endswith("TRAFFIC_SECRET_0"):
            some.add(f"{label} {client_random.hex()} {secret.hex()}")
    records = explain(wire, some)
    assert data_of(records, "client") == b"q" * 40_000 + b"after"
    assert data_of(records, "server") == b"answer"
    assert len(unread(records)) == sum(record.keys == "handshake" for record in explain(wire, log))


def test_damage_is_passed_over(talk: tuple[Wire, KeyLog]) -> None:
    wire, log = talk
    whole = explain(wire, log)
    place = next(index for index, (side, data) in enumerate(wire) if len(data) > 40_000)
    side, data = wire[place]
    broken = explain(
        [*wire[:place], (side, data[:100] + bytes((data[100] ^ 1,)) + data[101:]), *wire[place + 1 :]], log
    )
    (why,) = {why.partition(":")[0] for why in unread(broken)}
    assert why == "does not open with the application keys"
    # The sequence number of the damaged record is not used up: what is behind it in the direction is lost,
    # the other direction is not.
    assert [record for record in broken if record.sender == "server"] == [
        record for record in whole if record.sender == "server"
    ]


def test_an_authentic_record_that_makes_no_sense() -> None:
    log = KeyLog()
    pair = ours(log)
    hello = first_message(pair)
    assert isinstance(hello, ClientHello)
    secret = log.secret("CLIENT_TRAFFIC_SECRET_0", hello.random)
    assert secret is not None
    suite = SUITES[CipherSuite.AES_128_GCM_SHA256]
    sealer = Sealer(suite, traffic_keys(suite, secret))
    extra = [
        sealer.seal(99, b"?"),
        sealer.seal(22, b"\x63\0\0\x01?" + b"\x14\0\0\x02no" + b"\x18\0\0\x01\x09"),
        sealer.seal(21, b"not an alert"),
        sealer.seal(24, b""),
        sealer.seal(23, b"still here"),
    ]
    records = explain([*pair.wire, ("client", b"".join(extra))], log)[-5:]
    assert [content for record in records for content in record.contents] == [
        Unread(
            len(extra[0]), "does not open with the application keys: unknown content type: content type 99"
        ),
        HandshakeMessage("message of type 99", 5, 1, None, "unknown in this version"),
        records[1].contents[1],
        HandshakeMessage("KeyUpdate", 5, 1, None, "illegal value: request_update 9"),
        records[2].contents[0],
        Unread(
            len(extra[3]), "does not open with the application keys: unknown content type: content type 24"
        ),
        ApplicationData(b"still here"),
    ]


def first_message(pair: ConnectionPair) -> object:
    content = explain(pair.wire, KeyLog())[0].contents[0]
    return content.message if isinstance(content, HandshakeMessage) else content


def test_what_is_no_tls() -> None:
    (record,) = explain([("client", b"GET / HTTP/1.1\r\n")], KeyLog())
    assert record.contents == (Unread(16, "not a TLS record"),)
    assert explain([], KeyLog()) == []


def test_streams_that_end_too_early(talk: tuple[Wire, KeyLog]) -> None:
    wire, log = talk
    hello = wire[0][1]
    (record,) = explain([("client", hello[:-1])], log)
    assert record.contents == (Unread(len(hello) - 1, "the stream ends amid a record"),)
    half = b"\x16\x03\x01\x00\x64" + hello[5:105]
    first, rest = explain([("client", half)], log)
    assert first.contents == ()
    assert rest.contents == (Unread(100, "the stream ends amid a handshake message"),)


def test_a_message_over_several_records(talk: tuple[Wire, KeyLog]) -> None:
    wire, log = talk
    message = wire[0][1][5:]
    pieces = [message[at : at + 300] for at in range(0, len(message), 300)]
    split = b"".join(b"\x16\x03\x01" + len(piece).to_bytes(2) + piece for piece in pieces)
    records = explain([("client", split), *wire[1:]], log)
    (content,) = records[len(pieces) - 1].contents
    assert isinstance(content, HandshakeMessage)
    assert (content.name, content.size, content.records) == ("ClientHello", len(message), len(pieces))
    assert unread(records) == []


def test_an_alert_instead_of_an_answer(talk: tuple[Wire, KeyLog]) -> None:
    records = explain([talk[0][0], ("server", b"\x15\x03\x03\0\x02\x02\x28")], KeyLog())
    assert story(records) == [*HELLO, ("server", "", "Alert 40")]
    records = Explainer(KeyLog()).feed("client", talk[0][0][1] + b"\x15\x03\x03\0\x02\x01\x5a")
    assert story(records) == [*HELLO, ("client", "", "Alert 90")]


@given(st.lists(st.tuples(st.sampled_from(["client", "server"]), st.binary(max_size=60)), max_size=8))
def test_nothing_is_ever_raised(pieces: Wire) -> None:
    records = explain(pieces, KeyLog())
    assert sum(record.size for record in records) == sum(len(data) for _, data in pieces)


@given(st.data())
def test_nothing_is_raised_by_a_damaged_connection(talk: tuple[Wire, KeyLog], data: st.DataObject) -> None:
    wire, log = talk
    damaged = [
        (side, bytes(data.draw(edits(piece[:2000])))) if data.draw(st.booleans()) else (side, piece)
        for side, piece in wire[:4]
    ]
    records = explain(damaged, log)
    assert sum(record.size for record in records) == sum(len(piece) for _, piece in damaged)


@st.composite
def edits(draw: st.DrawFn, piece: bytes) -> bytearray:
    edited = bytearray(piece)
    for _ in range(draw(st.integers(0, 3))):
        edited[draw(st.integers(0, len(edited) - 1))] = draw(st.integers(0, 255))
    return edited


def test_names_of_messages() -> None:
    assert message_name(8) == "EncryptedExtensions"
    assert message_name(77) == "message of type 77"
