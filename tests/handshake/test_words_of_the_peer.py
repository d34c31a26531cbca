"""Whatever a peer sends: no control character and no long text in any event, error or record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from sansticket.config.choices import ASK
from sansticket.config.server import ServerConfig
from sansticket.connection.client import ClientConnection
from sansticket.connection.server import ServerConnection
from sansticket.errors import SansticketError
from sansticket.events import DataReceived, Event, LookUpSession, OpenTicket, ProtectTicket, SelectConfig
from sansticket.handshake.client.adoption import adopt_session
from sansticket.tickets.session import Session
from sansticket.wire.extensions import (
    ApplicationProtocols,
    Cookie,
    Extension,
    KeyShareEntry,
    KeyShareOffer,
    ServerNameList,
    SessionTicketExtension,
    SignatureAlgorithms,
    SupportedGroups,
    SupportedVersions,
    UnknownExtension,
)
from sansticket.wire.messages.base import Message
from sansticket.wire.messages.hello import ServerHello
from sansticket.wire.messages.tls13 import Certificate, CertificateEntry, EncryptedExtensions
from tests.support.certificates import KEYS, authority
from tests.support.configs import client_config, server_config
from tests.support.credentials import Credential, issue
from tests.support.hostile import ALERT, plain_record, raw_message
from tests.support.hostile_client import HostileClient, quick_server
from tests.support.hostile_server import HostileServer, with_extensions
from tests.support.pair import ConnectionPair
from tests.support.resumption import World
from tests.support.words import unfit

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")  # the pieces are to be long

NASTY = "\n\r\t\x00\x1b[2J\x1b]0;title\x07\x7f\u202e\u2028\x9b31m"
LONG = 60_000

nasty = st.text(st.sampled_from(NASTY + "ab.")) | st.text(max_size=40) | st.just("x" * 300 + NASTY)
blobs = (
    st.binary(max_size=300)
    | nasty.map(lambda text: text.encode(errors="surrogatepass"))
    | st.just(b"\n" * LONG)
)
names = st.binary(min_size=1, max_size=255) | st.text(st.sampled_from("\n\x1b.-_ax"), min_size=1).map(
    str.encode
)
numbers = st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=127).map(tuple)
many = tuple(range(20_000))

offers: st.SearchStrategy[Extension] = st.one_of(
    names.filter(bytes.isascii).map(ServerNameList),
    st.lists(st.binary(min_size=1, max_size=255), min_size=1, max_size=200)
    .map(tuple)
    .map(ApplicationProtocols),
    st.just(ApplicationProtocols((b"\x1b" * 255,) * 230)),
    numbers.map(SupportedVersions),
    numbers.map(SupportedGroups),
    st.just(SupportedGroups(many)),
    st.just(SignatureAlgorithms(many)),
    blobs.map(SessionTicketExtension),
    blobs.map(lambda body: UnknownExtension(0x1234, body)),
    st.binary(min_size=1, max_size=99).map(lambda share: KeyShareOffer((KeyShareEntry(0x1D, share),))),
)


def events_of(server: ServerConfig, hello: bytes) -> list[Event]:
    connection = ServerConnection(server)
    events = []
    for start in range(0, len(hello), 16_000):
        events += connection.receive_data(plain_record(22, hello[start : start + 16_000]))
    return events


SERVERS: dict[str, Callable[[], ServerConfig]] = {
    "by default": server_config,
    "with protocols": lambda: server_config(alpn_protocols=[b"h2"]),
    "that asks which config": lambda: server_config(answers={SelectConfig: ASK}),
    "that asks for tickets": lambda: server_config(answers={OpenTicket: ASK, ProtectTicket: ASK}),
    "that asks for sessions": lambda: server_config(ticket_keys=None, answers={LookUpSession: ASK}),
    "of TLS 1.2": lambda: server_config(versions=[0x0303]),
}


@pytest.mark.parametrize("which", SERVERS)
@given(
    offered=st.lists(offers, max_size=3), suites=numbers | st.just(many), session_id=st.binary(max_size=32)
)
def test_hellos_to_servers(
    which: str, offered: list[Extension], suites: tuple[int, ...], session_id: bytes
) -> None:
    honest = HostileClient(quick_server()).hello()
    hello = evolve(honest, session_id=session_id, cipher_suites=(*suites, *honest.cipher_suites))
    changed = with_extensions(hello, *offered)
    try:
        raw = changed.encode()
    except OverflowError:
        return  # more than a hello can hold
    assert unfit(events_of(SERVERS[which](), raw)) == []


def test_a_hello_of_many_protocols_makes_a_short_text() -> None:
    hello = with_extensions(
        HostileClient(quick_server()).hello(), ApplicationProtocols((b"\x1b" * 255,) * 230)
    )
    (end,) = events_of(server_config(alpn_protocols=[b"h2"]), hello.encode())
    assert 100 < len(str(end)) < 300


answers: st.SearchStrategy[Extension] = st.one_of(
    st.lists(st.binary(min_size=1, max_size=255), min_size=1, max_size=9)
    .map(tuple)
    .map(ApplicationProtocols),
    st.just(ApplicationProtocols((b"\n" * 255,) * 230)),
    blobs.map(lambda body: UnknownExtension(0x1234, body)),
    blobs.filter(bool).map(Cookie),
    names.filter(bytes.isascii).map(ServerNameList),
)


@pytest.mark.parametrize("message", [ServerHello, EncryptedExtensions])
@given(extension=answers)
def test_answers_to_clients(message: type[Message], extension: Extension) -> None:
    server = HostileServer(edits={message: lambda honest: with_extensions(honest, extension)})
    try:
        server.serve()
    except OverflowError:
        return
    assert server.over
    assert unfit(server.events) == []


@given(body=blobs)
def test_extensions_of_certificates(body: bytes) -> None:
    def edit(honest: Certificate) -> Certificate:
        entry = CertificateEntry(honest.entries[0].certificate, (UnknownExtension(0x1234, body),))
        return Certificate(b"", (entry, *honest.entries[1:]))

    server = HostileServer(edits={Certificate: edit}).serve()
    assert server.over
    assert unfit(server.events) == []


@given(level=st.integers(0, 255), description=st.integers(0, 255), tail=st.binary(max_size=9))
def test_alerts(level: int, description: int, tail: bytes) -> None:
    connection = ClientConnection(client_config(), "server.example")
    events = connection.receive_data(plain_record(ALERT, bytes((level, description)) + tail))
    assert unfit(events) == []


@given(kind=st.integers(0, 255), body=blobs)
def test_messages_of_any_kind(kind: int, body: bytes) -> None:
    assert unfit(events_of(server_config(), raw_message(kind, body))) == []


@given(data=st.binary(max_size=99) | nasty.map(lambda text: text.encode(errors="replace")))
def test_no_tls_at_all(data: bytes) -> None:
    assert unfit(ServerConnection(server_config()).receive_data(data)) == []


SUBJECTS = ["\n\x1b[31mroot", "a\r\nSet-Cookie: x", "\u202ergs", "x" * 64, "\x00"]


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize("issuer", ["known", "unknown"])
def test_subjects_of_certificates(subject: str, issuer: str) -> None:
    key = KEYS["p256"]()
    certificate = issue(
        authority(), subject, key.public_key(), subject=None if issuer == "known" else subject
    )
    credential = Credential((certificate.public_bytes(Encoding.DER),), key)
    pair = ConnectionPair(client_config(), server_config(credentials=[credential]))
    pair.pump()
    assert unfit(pair.client_events) == []
    assert unfit(pair.server_events) == []


@pytest.mark.parametrize("number", [1, 8, 60])
def test_many_tickets(number: int) -> None:
    """Whoever shows many, which somebody else has sealed or which are for other names, makes no long texts by it."""
    world = World()
    session = world.session(world.server())
    other = evolve(session, server_name="x" * 255)
    pair = world.connect(
        world.server(), session=[session, *[evolve(session, ticket=bytes([n]) * 133) for n in range(number)]]
    )
    assert unfit(pair.client_events + pair.server_events) == []
    pair = world.connect(world.server(), session=[other] * number)
    assert unfit(pair.client_events + pair.server_events) == []


SESSION_NAMES = ["other\n.example", "\x1b[2Jx", "\u202ex", "é" * 127, "x" * 255]


@pytest.mark.parametrize("name", SESSION_NAMES)
@pytest.mark.parametrize("versions", [(0x0303,), (0x0304,)])
def test_names_in_sessions(name: str, versions: tuple[int, ...]) -> None:
    """They come from files and stores: what is in them was a peer's once."""
    world = World()
    server = world.server(versions=versions)
    session = evolve(world.session(server, client=world.client(versions=versions)), server_name=name)
    pair = world.connect(server, session=session, client=world.client(versions=versions))
    assert unfit(pair.client_events + pair.server_events) == []
    with pytest.raises(SansticketError) as caught:
        adopt_session(world.client(), session, "server.example")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) <= 1_000


@pytest.mark.parametrize("name", SESSION_NAMES)
def test_names_in_tickets(name: str) -> None:
    """A server reads its own tickets, and those of programs that share its keys."""
    world = World()
    server = world.server()
    session = world.session(server)
    keys: Any = server.ticket_keys
    sealed = Session.from_bytes(keys.open(session.ticket, world.clock()).plaintext)
    forged = keys.seal(evolve(sealed, server_name=name).to_bytes(), world.clock(), server.entropy)
    pair = world.connect(server, session=evolve(session, ticket=forged))
    assert unfit(pair.client_events + pair.server_events) == []


def test_application_data_is_shown_by_its_length() -> None:
    assert repr(DataReceived(b"\n" * LONG)) == f"DataReceived(data=<{LONG} bytes>)"
