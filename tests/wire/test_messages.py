"""Every handshake message of both versions: there and back, every way of being cut, and what may be in it."""

import copy
import hashlib
import pickle

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from sansticket.codes import ExtensionType, HandshakeType
from sansticket.errors import Fault, Reason
from sansticket.wire import extensions as x
from sansticket.wire.cursor import vector8, vector16, vector24
from sansticket.wire.extensions.base import Extension, UnknownExtension
from sansticket.wire.extensions.block import encode_extensions
from sansticket.wire.messages import hello as m0
from sansticket.wire.messages import tls12 as m12
from sansticket.wire.messages import tls13 as m
from sansticket.wire.messages.base import EmptyMessage, ExtensionsMessage, Message, frame
from sansticket.wire.messages.tables import LONGEST, MESSAGES_OF_TLS12, MESSAGES_OF_TLS13
from tests.support.faults import fault, malformed
from tests.support.messages import (
    EXTENSIONS,
    MESSAGES,
    ROW_OF,
    decoder,
    extensions_of,
    messages,
    unknown_extensions,
)

HELLOS = (m0.ClientHello, m0.ServerHello)
"""They may end without a block of extensions."""

RANDOM = bytes(range(32))


def body_of(message: Message) -> bytes:
    """What follows the header, whose fields are checked."""
    raw = message.encode()
    assert raw[0] == message.TYPE
    assert int.from_bytes(raw[1:4], "big") == len(raw) - 4
    return raw[4:]


def with_extensions(kind: type[Message], block: bytes) -> bytes:
    """The body of a message of this class that ends with these extensions, given without their length."""
    hello = b"\x03\x03" + RANDOM + b"\0"
    heads = {
        m0.ClientHello: hello + b"\0\2\x13\1" + b"\1\0",
        m0.ServerHello: hello + b"\x13\1\0",
        m0.HelloRetryRequest: b"\x03\x03" + m0.HELLO_RETRY_RANDOM + b"\0\x13\1\0",
        m.EncryptedExtensions: b"",
        m.CertificateRequest: b"\0",
        m.NewSessionTicket: bytes(4) + bytes(4) + b"\0" + b"\0\1t",
    }
    if kind is m.Certificate:
        return b"\0" + vector24(b"\0\0\1c" + vector16(block))
    return heads[kind] + vector16(block)


def extensions_in(message: Message) -> tuple[Extension, ...]:
    if isinstance(message, m.Certificate):
        return message.entries[0].extensions
    assert isinstance(message, ExtensionsMessage)
    return message.extensions


# --- how long they can be ---------------------------------------------------------------------------

FULL = (UnknownExtension(0x1234, bytes(0xFFFF - 4)),)
"""As much as a block of extensions has room for."""

LARGEST: tuple[Message, ...] = (
    m0.HelloRequest(),
    m0.ClientHello(bytes(32), bytes(32), (0,) * 32_767, FULL, bytes(255)),
    m0.ServerHello(bytes(32), bytes(32), 0, FULL),
    m.NewSessionTicket(0, 0, bytes(255), bytes(0xFFFF), FULL),
    m.EndOfEarlyData(),
    m.EncryptedExtensions(FULL),
    m12.ServerKeyExchange(0, bytes(255), 0, bytes(0xFFFF)),
    m12.CertificateRequest(bytes(255), (0,) * 32_767, (bytes(0xFFFF - 2),)),
    m12.ServerHelloDone(),
    m.CertificateVerify(0, bytes(0xFFFF)),
    m12.ClientKeyExchange(bytes(255)),
    m.Finished(bytes(48)),
    m.KeyUpdate(0),
)


def test_the_longest_of_each() -> None:
    assert {message.TYPE: len(body_of(message)) for message in LARGEST} == LONGEST
    unbounded = {kind.TYPE for kind in MESSAGES} - set(LONGEST)
    assert unbounded == {m.Certificate.TYPE, m.CompressedCertificate.TYPE, m12.CertificateStatus.TYPE}


# --- every message ---------------------------------------------------------------------------------


def test_there_is_a_strategy_for_every_message() -> None:
    def names(base: type[Message]) -> set[str]:
        return {base.__name__}.union(*(names(kind) for kind in base.__subclasses__()))

    abstract = {kind.__name__ for kind in (Message, ExtensionsMessage, EmptyMessage)}
    assert names(Message) - abstract == {kind.__name__ for kind in MESSAGES}


def test_the_tables_read_every_message() -> None:
    read = {kind.TYPE for kind in MESSAGES}
    assert set(MESSAGES_OF_TLS13) | set(MESSAGES_OF_TLS12) == read
    assert all(isinstance(number, HandshakeType) for number in read)


@pytest.mark.parametrize("kind", MESSAGES)
@given(data=st.data())
def test_there_and_back(kind: type[Message], data: st.DataObject) -> None:
    message = data.draw(MESSAGES[kind])
    assert type(message) is kind
    assert decoder(kind)(body_of(message)) == message


@pytest.mark.parametrize("kind", MESSAGES)
@given(data=st.data())
def test_every_prefix_fails(kind: type[Message], data: st.DataObject) -> None:
    message = data.draw(MESSAGES[kind])
    body = body_of(message)
    bare = 0
    if isinstance(message, HELLOS) and message.extensions:
        # The one prefix of a hello that is a hello: before TLS 1.3 it may end without extensions.
        bare = len(body) - len(encode_extensions(message.extensions))
        assert not decoder(kind)(body[:bare]).extensions
    for size in range(len(body)):
        if size == bare and bare:
            continue
        if kind is m.Finished and size in m.VERIFY_DATA_SIZES:
            continue
        with malformed():
            decoder(kind)(body[:size])


@pytest.mark.parametrize("kind", MESSAGES)
@given(data=st.data(), tail=st.binary(min_size=1, max_size=4))
def test_trailing_bytes_fail(kind: type[Message], data: st.DataObject, tail: bytes) -> None:
    message = data.draw(MESSAGES[kind])
    body = body_of(message)
    if isinstance(message, HELLOS) and not message.extensions:
        body += b"\0\0"  # else what trails could be a block of extensions
    with malformed():
        decoder(kind)(body + tail)


@pytest.mark.parametrize("kind", MESSAGES)
@given(body=st.binary(max_size=120))
def test_any_bytes_are_a_message_or_a_fault(kind: type[Message], body: bytes) -> None:
    try:
        message = decoder(kind)(body)
    except Fault:
        return
    assert decoder(kind)(body_of(message)) == message


@given(message=messages(), data=st.data())
def test_a_message_with_one_byte_changed_is_a_message_or_a_fault(
    message: Message, data: st.DataObject
) -> None:
    body = bytearray(body_of(message))
    if body:
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    read = decoder(type(message))
    try:
        other = read(bytes(body))
    except Fault:
        return
    assert read(body_of(other)) == other


@given(message=messages())
def test_messages_can_be_copied_and_pickled(message: Message) -> None:
    assert pickle.loads(pickle.dumps(message)) == message
    assert copy.deepcopy(message) == message
    assert hash(copy.copy(message)) == hash(message)


def test_messages_are_frozen() -> None:
    with pytest.raises(AttributeError):
        m.KeyUpdate(0).request_update = 1


def test_the_base_decides_nothing() -> None:
    with pytest.raises(NotImplementedError):
        Message.decode(b"")
    with pytest.raises(NotImplementedError):
        Message().encode()


# --- extensions in messages ------------------------------------------------------------------------


def row(kind: type[Message]) -> set[str]:
    return {ExtensionType(number).name for number in ROW_OF[kind]}


def test_the_rows_of_tls_13_are_those_of_the_document() -> None:
    """RFC 9846 section 4.3, table 1, where this package knows the extension; written by hand."""
    table = {
        "SERVER_NAME": "CH EE CR",
        "STATUS_REQUEST": "CH CR CT",
        "SUPPORTED_GROUPS": "CH EE",
        "SIGNATURE_ALGORITHMS": "CH CR",
        "APPLICATION_LAYER_PROTOCOL_NEGOTIATION": "CH EE",
        "SIGNED_CERTIFICATE_TIMESTAMP": "CH CR CT",
        "PADDING": "CH",
        "COMPRESS_CERTIFICATE": "CH CR",
        "MAX_FRAGMENT_LENGTH": "CH EE",
        "RECORD_SIZE_LIMIT": "CH EE",
        "PRE_SHARED_KEY": "CH SH",
        "EARLY_DATA": "CH EE NST",
        "SUPPORTED_VERSIONS": "CH SH HRR",
        "COOKIE": "CH HRR",
        "PSK_KEY_EXCHANGE_MODES": "CH",
        "CERTIFICATE_AUTHORITIES": "CH CR",
        "OID_FILTERS": "CR",
        "POST_HANDSHAKE_AUTH": "CH",
        "SIGNATURE_ALGORITHMS_CERT": "CH CR",
        "KEY_SHARE": "CH SH HRR",
        "TICKET_REQUEST": "CH EE",
        # Of TLS 1.2 only, and in its ServerHello too.
        "EC_POINT_FORMATS": "CH",
        "EXTENDED_MASTER_SECRET": "CH",
        "SESSION_TICKET": "CH",
        "RENEGOTIATION_INFO": "CH",
    }
    assert set(table) == {one.name for one in ExtensionType}
    answers_of_12 = {
        "SERVER_NAME",
        "STATUS_REQUEST",
        "SUPPORTED_GROUPS",
        "EC_POINT_FORMATS",
        "APPLICATION_LAYER_PROTOCOL_NEGOTIATION",
        "SIGNED_CERTIFICATE_TIMESTAMP",
        "EXTENDED_MASTER_SECRET",
        "MAX_FRAGMENT_LENGTH",
        "RECORD_SIZE_LIMIT",
        "SESSION_TICKET",
        "RENEGOTIATION_INFO",
    }
    kinds = {
        "CH": m0.ClientHello,
        "SH": m0.ServerHello,
        "HRR": m0.HelloRetryRequest,
        "EE": m.EncryptedExtensions,
        "CR": m.CertificateRequest,
        "CT": m.Certificate,
        "NST": m.NewSessionTicket,
    }
    assert set(kinds.values()) == set(ROW_OF)
    for short, kind in kinds.items():
        expected = {name for name, places in table.items() if short in places.split()}
        assert row(kind) == expected | (answers_of_12 if short == "SH" else set())


@pytest.mark.parametrize("kind", ROW_OF)
@given(data=st.data())
def test_extensions_keep_their_order(kind: type[Message], data: st.DataObject) -> None:
    extensions = data.draw(extensions_of(kind))
    message = decoder(kind)(with_extensions(kind, encode_extensions(extensions)[2:]))
    assert extensions_in(message) == extensions


@pytest.mark.parametrize("kind", ROW_OF)
@given(extension=unknown_extensions())
def test_an_unknown_extension_survives_in_every_message(kind: type[Message], extension: Extension) -> None:
    message = decoder(kind)(with_extensions(kind, encode_extensions([extension])[2:]))
    assert extensions_in(message) == (extension,)


@pytest.mark.parametrize("kind", ROW_OF)
def test_a_known_extension_in_the_wrong_message(kind: type[Message]) -> None:
    forbidden = [one for one in ExtensionType if one not in ROW_OF[kind]]
    assert forbidden
    for number in forbidden:
        with fault(Reason.FORBIDDEN_EXTENSION, str(int(number))):
            decoder(kind)(with_extensions(kind, vector_of(number, b"")))


def vector_of(number: int, body: bytes) -> bytes:
    return number.to_bytes(2, "big") + vector16(body)


@pytest.mark.parametrize("kind", ROW_OF)
@given(data=st.data())
def test_an_extension_that_comes_twice(kind: type[Message], data: st.DataObject) -> None:
    known = st.sampled_from(list(ROW_OF[kind].values())).flatmap(EXTENSIONS.__getitem__)
    twice = data.draw(known | unknown_extensions())
    other = data.draw(unknown_extensions().filter(lambda one: one.type != twice.type))
    block = encode_extensions([twice, other, twice])[2:]
    with fault(Reason.DUPLICATE_EXTENSION, str(int(twice.type))):
        decoder(kind)(with_extensions(kind, block))


@pytest.mark.parametrize("kind", ROW_OF)
def test_a_block_that_is_cut_short(kind: type[Message]) -> None:
    block = vector_of(0xABCD, b"abc")
    decoder(kind)(with_extensions(kind, block))
    for size in range(1, len(block)):
        with malformed():
            decoder(kind)(with_extensions(kind, block[:size]))


def test_a_fault_in_an_extension_names_it() -> None:
    block = vector_of(ExtensionType.RECORD_SIZE_LIMIT, b"\0\1")
    with fault(Reason.ILLEGAL_VALUE, "RecordSizeLimit: "):
        m.EncryptedExtensions.decode(vector16(block))
    block = vector_of(ExtensionType.RECORD_SIZE_LIMIT, b"\0\1\2")
    with malformed("RecordSizeLimit: "):
        m.EncryptedExtensions.decode(vector16(block))


OFFER = x.PreSharedKeyOffer((x.PskIdentity(b"ticket", 1),), (bytes(32),))


def test_the_offer_of_keys_is_the_last_extension() -> None:
    early = x.EarlyData()
    for extensions in [(OFFER,), (early, OFFER)]:
        hello = m0.ClientHello(RANDOM, b"", (0x1301,), extensions)
        assert m0.ClientHello.decode(body_of(hello)) == hello
        assert hello.encode()[: -OFFER.binders_size].endswith(b"ticket\0\0\0\1")
    hello = m0.ClientHello(RANDOM, b"", (0x1301,), (OFFER, early))
    with fault(Reason.ILLEGAL_VALUE, "not the last"):
        m0.ClientHello.decode(body_of(hello))


def test_the_selected_key_may_be_anywhere_in_a_server_hello() -> None:
    extensions = (x.PreSharedKeySelection(0), x.SelectedVersion(0x0304))
    hello = m0.ServerHello(RANDOM, b"", 0x1301, extensions)
    assert m0.decode_server_hello(body_of(hello)) == hello


def test_find_gives_the_extension_of_a_class() -> None:
    unknown = UnknownExtension(0x0A0A, b"")
    hello = m0.ClientHello(RANDOM, b"", (0x1301,), (unknown, x.EarlyData(), x.SupportedVersions((0x0304,))))
    assert hello.find(x.SupportedVersions) == x.SupportedVersions((0x0304,))
    assert hello.find(x.EarlyData) is hello.extensions[1]
    assert hello.find(UnknownExtension) is unknown
    assert hello.find(x.SelectedVersion) is None
    entry = m.CertificateEntry(b"der", (x.CertificateStatusResponse(b"ocsp"),))
    assert entry.find(x.CertificateStatusResponse) == x.CertificateStatusResponse(b"ocsp")
    assert entry.find(x.SignedCertificateTimestamps) is None


def test_how_a_hello_that_came_is_searched_is_no_part_of_it() -> None:
    """Of two extensions of a class the first is found, and also in a copy; with others, those are."""
    first, second = (UnknownExtension(number, b"") for number in (0x0A0A, 0x1A1A))
    ours = m0.ClientHello(RANDOM, b"", (0x1301,), (first, x.EarlyData(), second))
    hello = m0.ClientHello.decode(body_of(ours))
    assert (hello, hash(hello), repr(hello)) == (ours, hash(ours), repr(ours))
    for one in (ours, hello, copy.copy(hello), copy.deepcopy(hello), pickle.loads(pickle.dumps(hello))):
        assert one == hello
        assert one.find(UnknownExtension) == first
        assert one.find(x.EarlyData) == x.EarlyData()
        assert one.find(x.Cookie) is None
    assert evolve(hello, extensions=(second,)).find(UnknownExtension) is second


# --- hellos ----------------------------------------------------------------------------------------


def hello_body(session_id: bytes = b"", suites: bytes = b"\x13\1", compression: bytes = b"\0") -> bytes:
    return b"\x03\x03" + RANDOM + vector8(session_id) + vector16(suites) + vector8(compression)


def test_a_client_hello_without_extensions() -> None:
    hello = m0.ClientHello(RANDOM, b"", (0xC02F,))
    assert body_of(hello) == hello_body(suites=b"\xc0\x2f")
    assert m0.ClientHello.decode(body_of(hello)) == hello
    assert m0.ClientHello.decode(body_of(hello) + b"\0\0") == hello


def test_a_server_hello_without_extensions() -> None:
    hello = m0.ServerHello(RANDOM, b"id", 0xC02F)
    assert m0.ServerHello.decode(body_of(hello)) == hello
    assert m0.ServerHello.decode(body_of(hello) + b"\0\0") == hello


@pytest.mark.parametrize(
    "body",
    [
        hello_body(session_id=bytes(33)),
        hello_body(suites=b""),
        hello_body(suites=b"\x13\1\x13"),
        hello_body(suites=bytes(0xFFFF)),
        hello_body(compression=b""),
        hello_body() + b"\0",
    ],
)
def test_a_client_hello_out_of_range(body: bytes) -> None:
    with malformed():
        m0.ClientHello.decode(body)


def test_a_session_id_of_more_than_32_bytes_from_a_server() -> None:
    for random in (RANDOM, m0.HELLO_RETRY_RANDOM):
        with malformed("0 to 32 are allowed"):
            m0.decode_server_hello(b"\x03\x03" + random + vector8(bytes(33)) + b"\x13\1\0\0\0")


def test_the_random_makes_a_retry_request() -> None:
    retry = m0.HelloRetryRequest(b"id", 0x1301, (x.SelectedVersion(0x0304), x.KeyShareRetry(0x17)))
    assert MESSAGES_OF_TLS13[HandshakeType.SERVER_HELLO](body_of(retry)) == retry
    with fault(Reason.ILLEGAL_VALUE, "another random"):
        m0.HelloRetryRequest.decode(body_of(m0.ServerHello(RANDOM, b"id", 0x1301)))


def test_the_random_of_a_retry_request_is_the_hash_of_its_name() -> None:
    assert hashlib.sha256(b"HelloRetryRequest").digest() == m0.HELLO_RETRY_RANDOM


def test_a_retry_request_has_no_compression() -> None:
    body = bytearray(body_of(m0.HelloRetryRequest(b"", 0x1301)))
    body[37] = 1
    with fault(Reason.ILLEGAL_VALUE, "compression"):
        m0.decode_server_hello(bytes(body))


@pytest.mark.parametrize("wrong", ["a byte more", "a byte less"])
def test_what_has_not_the_form_of_a_retry_request_has_no_compression(wrong: str) -> None:
    """decode_error comes before what a field would say (RFC 9846 section 6.2), as in all other messages."""
    body = bytearray(body_of(m0.HelloRetryRequest(b"", 0x1301)))
    body[37] = 1
    with fault(Reason.MALFORMED_MESSAGE):
        m0.decode_server_hello(bytes(body) + b"\0" if wrong == "a byte more" else bytes(body[:-1]))


def test_a_retry_request_has_extensions() -> None:
    body = body_of(m0.HelloRetryRequest(b"", 0x1301))
    with malformed():
        m0.decode_server_hello(body[:-2])


def test_the_key_share_has_a_form_for_each_hello() -> None:
    share = x.KeyShareEntry(0x1D, bytes(32))
    client = m0.ClientHello(RANDOM, b"", (0x1301,), (x.KeyShareOffer((share,)),))
    server = m0.ServerHello(RANDOM, b"", 0x1301, (x.KeyShareAnswer(share),))
    retry = m0.HelloRetryRequest(b"", 0x1301, (x.KeyShareRetry(0x1D),))
    for message in (client, server, retry):
        assert decoder(type(message))(body_of(message)) == message


def test_a_server_promises_a_ticket_with_an_empty_extension() -> None:
    promise = m0.ServerHello(RANDOM, b"", 0xC02F, (x.SessionTicketExtension(b""),))
    assert m0.ServerHello.decode(body_of(promise)) == promise
    wrong = m0.ServerHello(RANDOM, b"", 0xC02F, (x.SessionTicketExtension(b"ticket"),))
    with malformed("SessionTicketExtension"):
        m0.ServerHello.decode(body_of(wrong))


# --- the others ------------------------------------------------------------------------------------


def test_a_certificate_of_no_bytes() -> None:
    with malformed("where 1 to"):
        m.Certificate.decode(b"\0" + vector24(b"\0\0\0" + b"\0\0"))
    with malformed("where 1 are the least"):
        m12.Certificate.decode(vector24(b"\0\0\0"))


def test_a_chain_of_no_certificates() -> None:
    assert m.Certificate.decode(b"\0\0\0\0") == m.Certificate(b"", ())
    assert m12.Certificate.decode(b"\0\0\0") == m12.Certificate(())


def test_each_entry_has_its_own_extensions() -> None:
    stapled = m.CertificateEntry(b"leaf", (x.CertificateStatusResponse(b"ocsp"),))
    certificate = m.Certificate(b"ctx", (stapled, m.CertificateEntry(b"issuer")))
    assert m.Certificate.decode(body_of(certificate)) == certificate


def test_a_finished_of_an_impossible_length() -> None:
    for size in set(range(66)) - {12, 32, 48}:
        with malformed(f"a Finished of {size} bytes"):
            m.Finished.decode(bytes(size))


def test_a_key_update_of_another_value() -> None:
    for value in range(2, 256):
        with fault(Reason.ILLEGAL_VALUE, str(value)):
            m.KeyUpdate.decode(bytes((value,)))


def test_a_ticket_of_no_bytes() -> None:
    empty = bytes(8) + b"\0" + b"\0\0"
    with malformed("where 1 to"):
        m.NewSessionTicket.decode(empty + b"\0\0")
    # TLS 1.2 lets a server take back its promise of a ticket that way.
    assert m12.NewSessionTicket.decode(bytes(4) + b"\0\0") == m12.NewSessionTicket(0, b"")


def test_the_longest_ticket() -> None:
    ticket = m.NewSessionTicket(7200, 1, bytes(8), bytes(0xFFFF), (x.EarlyDataLimit(16384),))
    assert m.NewSessionTicket.decode(body_of(ticket)) == ticket


@pytest.mark.parametrize("kind", [m.EndOfEarlyData, m0.HelloRequest, m12.ServerHelloDone])
def test_messages_without_a_body(kind: type[Message]) -> None:
    assert kind().encode() == frame(kind.TYPE, b"")
    with malformed(kind.__name__):
        kind.decode(b"\0")


# --- TLS 1.2 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("curve_type", [0, 1, 2, 4, 255])
def test_a_key_exchange_over_another_kind_of_curve(curve_type: int) -> None:
    exchange = m12.ServerKeyExchange(0x1D, bytes(32), 0x0403, b"signature")
    body = bytes((curve_type,)) + body_of(exchange)[1:]
    with fault(Reason.ILLEGAL_VALUE, f"curve type {curve_type}"):
        m12.ServerKeyExchange.decode(body)


def test_the_signed_parameters_are_the_start_of_the_key_exchange() -> None:
    exchange = m12.ServerKeyExchange(0x17, b"point", 0x0403, b"signature")
    assert exchange.params == b"\x03\0\x17\x05point"
    assert body_of(exchange) == exchange.params + b"\x04\x03" + vector16(b"signature")


def test_shares_of_no_bytes() -> None:
    with malformed():
        m12.ClientKeyExchange.decode(b"\0")
    with malformed():
        m12.ServerKeyExchange.decode(b"\x03\0\x17\0\x04\x03\0\0")


@pytest.mark.parametrize(
    "body",
    [
        vector8(b"") + vector16(b"\4\3") + vector16(b""),
        vector8(b"\x40") + vector16(b"") + vector16(b""),
        vector8(b"\x40") + vector16(b"\4\3\4") + vector16(b""),
        vector8(b"\x40") + vector16(b"\4\3") + vector16(b"\0\0"),
    ],
)
def test_a_certificate_request_out_of_range(body: bytes) -> None:
    with malformed():
        m12.CertificateRequest.decode(body)


def test_the_bytes_of_a_certificate_request() -> None:
    request = m12.CertificateRequest(b"\x01\x40", (0x0403, 0x0804), (b"\x30\x00", b"\x31"))
    expected = bytes.fromhex("02 0140  0004 0403 0804  0007 0002 3000 0001 31")
    assert body_of(request) == expected
    assert m12.CertificateRequest.decode(expected) == request


def test_a_certificate_status_of_another_type() -> None:
    with fault(Reason.ILLEGAL_VALUE, "status type 2"):
        m12.CertificateStatus.decode(b"\2" + vector24(b"ocsp"))


def test_the_versions_share_types_and_not_forms() -> None:
    shared = set(MESSAGES_OF_TLS13) & set(MESSAGES_OF_TLS12)
    assert shared == {
        HandshakeType.HELLO_REQUEST,
        HandshakeType.CLIENT_HELLO,
        HandshakeType.SERVER_HELLO,
        HandshakeType.NEW_SESSION_TICKET,
        HandshakeType.CERTIFICATE,
        HandshakeType.CERTIFICATE_REQUEST,
        HandshakeType.CERTIFICATE_VERIFY,
        HandshakeType.FINISHED,
    }
    ticket = m12.NewSessionTicket(300, b"ticket")
    with malformed():
        MESSAGES_OF_TLS13[HandshakeType.NEW_SESSION_TICKET](body_of(ticket))
