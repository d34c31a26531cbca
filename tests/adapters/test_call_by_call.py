"""What each call of an SSLObject does: the same for ours and for the standard library's, on either side.

``client`` and ``server`` make contexts; all four combinations run, the standard library against itself too, so
that what a test claims is first of all true of what is imitated.
"""

import os
import ssl
from array import array
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from sansticket.adapters import SSLObject
from tests.support.certificates import authority, client_identity, new_authority, server_identity
from tests.support.ssl_objects import NAME, OURS, STDLIB, TLS12, TLS13, End, House, Link, shaken

PAIRS = [(OURS, OURS), (OURS, STDLIB), (STDLIB, OURS), (STDLIB, STDLIB)]


@pytest.fixture(params=[TLS13, TLS12], ids=["1.3", "1.2"])
def version(request: pytest.FixtureRequest) -> ssl.TLSVersion:
    chosen: ssl.TLSVersion = request.param
    return chosen


@pytest.fixture(params=PAIRS, ids=lambda pair: f"{pair[0].name}-to-{pair[1].name}")
def pair(request: pytest.FixtureRequest) -> tuple[House, House]:
    chosen: tuple[House, House] = request.param
    return chosen


@pytest.fixture
def link(pair: tuple[House, House], version: ssl.TLSVersion) -> Link:
    """After the handshake."""
    client, server = pair
    return shaken(client.client(version=version), server.server(version=version))


@pytest.fixture(params=["client", "server"])
def sides(link: Link, request: pytest.FixtureRequest) -> tuple[End, End]:
    """Either end, and the other one."""
    return (link.client, link.server) if request.param == "client" else (link.server, link.client)


# --- before, during and after the handshake -------------------------------------------------------------------


def test_nothing_is_known_before_the_handshake(pair: tuple[House, House], version: ssl.TLSVersion) -> None:
    link = Link(pair[0].client(version=version), pair[1].server(version=version))
    for end in (link.client, link.server):
        for call in ("version", "cipher", "selected_alpn_protocol", "compression", "shared_ciphers"):
            assert getattr(end.tls, call)() is None
        assert end.tls.pending() == 0
        assert end.tls.session is None
        assert end.tls.session_reused is False
        with pytest.raises(ValueError, match="handshake not done yet"):
            end.tls.getpeercert()
        with pytest.raises(ssl.SSLError) as caught:
            end.tls.unwrap()
        assert caught.value.reason == "SHUTDOWN_WHILE_IN_INIT"
    assert link.client.tls.server_hostname == NAME
    assert link.server.tls.server_hostname is None
    assert (link.client.tls.server_side, link.server.tls.server_side) == (False, True)
    assert link.client.outgoing.pending == 0


@pytest.mark.parametrize("call", ["do_handshake", "read", "write"])
def test_each_call_begins_the_handshake(pair: tuple[House, House], call: str) -> None:
    client = Link(pair[0].client(), pair[1].server()).client
    arguments = (b"data",) if call == "write" else ()
    for _ in range(2):
        with pytest.raises(ssl.SSLWantReadError) as caught:
            getattr(client.tls, call)(*arguments)
        assert caught.value.errno == ssl.SSL_ERROR_WANT_READ
    hello = client.outgoing.read()
    assert hello[:2] == b"\x16\x03"
    assert len(hello) == 5 + int.from_bytes(hello[3:5])


def test_what_is_known_afterwards(link: Link, version: ssl.TLSVersion) -> None:
    protocol = "TLSv1.3" if version is TLS13 else "TLSv1.2"
    for end in (link.client, link.server):
        assert end.tls.do_handshake() is None
        assert end.tls.version() == protocol
        name, named_protocol, bits = end.tls.cipher()
        assert named_protocol == protocol
        assert bits in (128, 256)
        assert name.startswith("TLS_AES" if version is TLS13 else "ECDHE-ECDSA")
        assert end.tls.selected_alpn_protocol() is None
        assert end.tls.compression() is None
        assert end.tls.session_reused is False
    assert link.client.tls.cipher() == link.server.tls.cipher()
    assert link.client.tls.shared_ciphers() is None
    assert link.client.tls.cipher() in link.server.tls.shared_ciphers()


def test_certificates(link: Link, tmp_path: Path) -> None:
    identity = server_identity()
    file = tmp_path / "certificate.pem"
    file.write_bytes(identity.chain_pem)
    assert link.client.tls.getpeercert(True) == identity.chain_der[0]
    assert link.client.tls.getpeercert() == ssl._ssl._test_decode_cert(file)  # type: ignore[attr-defined]
    assert link.server.tls.getpeercert() is None
    assert link.server.tls.getpeercert(binary_form=True) is None


# --- data -----------------------------------------------------------------------------------------------------


def test_reading_and_writing(sides: tuple[End, End], link: Link) -> None:
    here, there = sides
    with pytest.raises(ssl.SSLWantReadError):
        there.tls.read()
    assert here.tls.write(b"hello world") == 11
    assert here.tls.write(bytearray(b"!")) == 1
    assert here.tls.write(memoryview(b"?")) == 1
    link.carry()
    assert there.tls.pending() == 0
    assert there.tls.read(5) == b"hello"
    assert there.tls.pending() >= 6
    assert there.tls.read(6) == b" world"
    assert there.read() == b"!?"
    with pytest.raises(ssl.SSLWantReadError):
        there.tls.read(1)
    assert there.tls.pending() == 0


def test_reading_into_a_buffer(sides: tuple[End, End], link: Link) -> None:
    here, there = sides
    here.tls.write(b"0123456789")
    link.carry()
    buffer = bytearray(4)
    assert there.tls.read(100, buffer) == 4
    assert buffer == b"0123"
    assert there.tls.read(2, memoryview(buffer)[1:]) == 2
    assert buffer == b"0453"
    assert there.tls.read(-1, buffer) == 4
    assert buffer == b"6789"
    assert there.tls.read(5, bytearray()) == 0
    with pytest.raises(ssl.SSLWantReadError):
        there.tls.read(1, buffer)
    assert buffer == b"6789"


def test_odd_sizes(sides: tuple[End, End], link: Link) -> None:
    here, there = sides
    assert there.tls.read(0) == b""
    with pytest.raises(ValueError, match="negative"):
        there.tls.read(-1)
    assert here.tls.write(b"") == 0
    with pytest.raises(TypeError):
        here.tls.write("text")
    assert not link.carry()


def test_a_buffer_that_cannot_be_written_to(sides: tuple[End, End], link: Link) -> None:
    here, there = sides
    for carries in (False, True):
        if carries:
            here.tls.write(b"data")
            link.carry()
        with pytest.raises(TypeError):
            there.tls.read(4, b"four")
    assert there.tls.read() == b"data"


def test_wide_buffers_count_in_bytes(sides: tuple[End, End], link: Link) -> None:
    here, there = sides
    assert here.tls.write(array("I", [1, 2, 3])) == 12
    link.carry()
    received = array("I", [0, 0, 0])
    assert there.tls.read(12, received) == 12
    assert received.tolist() == [1, 2, 3]


def test_much_data(sides: tuple[End, End], link: Link) -> None:
    here, there = sides
    data = bytes(range(256)) * 8192
    assert here.tls.write(data) == len(data)
    link.carry()
    assert there.read() == data


def test_the_incoming_buffer_is_left_alone_while_there_is_something_to_read(
    sides: tuple[End, End], link: Link
) -> None:
    """Who counts its bytes to slow the peer down counts right."""
    here, there = sides
    here.tls.write(b"first")
    link.carry()
    there.tls.read(1)
    here.tls.write(b"second")
    link.carry()
    waiting = there.incoming.pending
    assert waiting > 0
    there.tls.read(1)
    assert there.incoming.pending == waiting
    assert there.read() == b"rstsecond"


# --- the end --------------------------------------------------------------------------------------------------


def test_a_clean_end(sides: tuple[End, End], link: Link) -> None:
    here, there = sides
    for _ in range(2):
        with pytest.raises(ssl.SSLWantReadError):
            here.tls.unwrap()
    link.carry()
    for _ in range(2):
        assert there.tls.read() == b""
        assert there.tls.read(1, bytearray(1)) == 0
    assert there.tls.unwrap() is None
    assert there.tls.unwrap() is None
    link.carry()
    assert here.tls.unwrap() is None
    assert not link.carry()
    for end in sides:
        with pytest.raises(ssl.SSLZeroReturnError):
            end.tls.read()
        with pytest.raises(ssl.SSLError) as caught:
            end.tls.write(b"more")
        assert caught.value.reason == "PROTOCOL_IS_SHUTDOWN"


def test_half_of_a_connection(sides: tuple[End, End], link: Link) -> None:
    """Who has said that nothing more comes can still read."""
    here, there = sides
    with pytest.raises(ssl.SSLWantReadError):
        here.tls.unwrap()
    link.carry()
    assert there.tls.read() == b""
    assert there.tls.write(b"all the rest") == 12
    link.carry()
    assert here.tls.read() == b"all the rest"
    with pytest.raises(ssl.SSLWantReadError):
        here.tls.read()
    there.tls.unwrap()
    link.carry()
    assert here.tls.unwrap() is None


def test_data_that_nobody_read_is_in_the_way_of_a_clean_end(sides: tuple[End, End], link: Link) -> None:
    here, there = sides
    there.tls.write(b"not read")
    link.carry()
    with pytest.raises(ssl.SSLError) as caught:
        here.tls.unwrap()
    assert caught.value.reason == "APPLICATION_DATA_AFTER_CLOSE_NOTIFY"


@pytest.mark.parametrize("behind", [b"STARTTLS was yesterday\r\n", b"\x17\x03\x03" * 20_000])
@pytest.mark.parametrize("at_its_end", [False, True], ids=["going on", "at its end"])
@pytest.mark.parametrize("call", ["unwrap", "read"])
def test_what_comes_behind_the_end_stays_in_the_buffer(
    sides: tuple[End, End], link: Link, call: str, at_its_end: bool, behind: bytes
) -> None:
    here, there = sides
    here.tls.write(b"data")
    link.carry()
    assert there.read() == b"data"
    with pytest.raises(ssl.SSLWantReadError):
        here.tls.unwrap()
    there.incoming.write(here.outgoing.read() + behind)
    if at_its_end:
        there.incoming.write_eof()
    if call == "read":
        assert there.tls.read(1_000_000) == b""
    assert there.tls.unwrap() is None
    assert there.incoming.read() == behind


def test_back_to_plain_text_and_to_tls_again(pair: tuple[House, House], version: ssl.TLSVersion) -> None:
    """Over the same buffers: what is taken too early is missing later."""
    contexts = pair[0].client(version=version), pair[1].server(version=version)
    link = shaken(*contexts)
    with pytest.raises(ssl.SSLWantReadError):
        link.client.tls.unwrap()
    again = Link(*contexts)
    again.client.step()
    link.server.incoming.write(link.client.outgoing.read() + b"STARTTLS\r\n" + again.client.outgoing.read())
    assert link.server.tls.unwrap() is None
    assert link.server.incoming.read(10) == b"STARTTLS\r\n"
    again.server.incoming.write(link.server.incoming.read())
    again.shake()
    assert again.say(again.client, b"hello again") == b"hello again"


# --- no more is taken than a call needs -------------------------------------------------------------------------


def in_one_piece(here: End, there: End, writes: list[bytes], *, end: str) -> None:
    """All that ``here`` writes and how it ends, put into the other's buffer at once."""
    for data in writes:
        here.tls.write(data)
    if end == "close":
        with pytest.raises(ssl.SSLWantReadError):
            here.tls.unwrap()
    wire = here.outgoing.read()
    there.incoming.write(wire + b"\x17\x03\x03\x00\x20" + bytes(32) if end == "damage" else wire)


@pytest.mark.parametrize("size", [1, 2000, 262_144])
@pytest.mark.parametrize("end", ["close", "damage"])
@pytest.mark.parametrize(
    "writes",
    [[b"last words"], [b"several", b"small", b"pieces"] * 5, [b"z" * 300_000, b"!"]],
    ids=["one record", "small records", "many records"],
)
def test_who_reads_while_something_is_pending_meets_the_end(
    sides: tuple[End, End], size: int, end: str, writes: list[bytes]
) -> None:
    """As uvloop does: it wants no SSLWantReadError, and reads only while a buffer has something left."""
    here, there = sides
    expected = b"".join(writes)
    if size == 1 and len(expected) > 20_000:
        expected, writes = expected[:17_000], [expected[:17_000]]
    in_one_piece(here, there, writes, end=end)
    received, ended = [], None
    while ended is None and (there.incoming.pending or there.tls.pending()):
        try:
            chunk = there.tls.read(size)
        except ssl.SSLError as error:
            ended = error.reason
        else:
            received.append(chunk)
            ended = ended if chunk else "close"
    assert b"".join(received) == expected
    assert ended == ("close" if end == "close" else "DECRYPTION_FAILED_OR_BAD_RECORD_MAC")


@pytest.mark.parametrize("end", ["close", "damage"])
def test_what_comes_with_the_end_of_the_handshake(
    pair: tuple[House, House], version: ssl.TLSVersion, end: str
) -> None:
    """A server's first data and its end, together with the last that its client waits for, and the other way round."""
    link = Link(pair[0].client(version=version), pair[1].server(version=version))
    first, last = (link.client, link.server) if version is TLS12 else (link.server, link.client)
    for _ in range(3):
        if last.step():
            break
        link.carry()
        first.step()
        link.carry()
    assert last.step()
    in_one_piece(last, first, [b"already"], end=end)
    assert first.step()
    received = []
    with pytest.raises(ssl.SSLError) if end == "damage" else nullcontext():
        while first.incoming.pending or first.tls.pending():
            received.append(first.tls.read(1000))
            if not received[-1]:
                break
    assert received == ([b"already"] if end == "damage" else [b"already", b""])


def test_a_read_takes_the_records_that_it_needs(sides: tuple[End, End]) -> None:
    here, there = sides
    pieces = []
    for data in (b"first", b"second", b"third"):
        here.tls.write(data)
        pieces.append(here.outgoing.read())
    there.incoming.write(b"".join(pieces))
    left = len(pieces[1]) + len(pieces[2])
    assert there.tls.read(3) == b"fir"
    assert (there.tls.pending(), there.incoming.pending) == (2, left)
    assert there.tls.read(100) == b"st"
    assert there.tls.read(6) == b"second"
    assert (there.tls.pending(), there.incoming.pending) == (0, len(pieces[2]))
    assert there.tls.read(6) == b"third"
    assert there.incoming.pending == 0


@pytest.mark.parametrize("call", ["read", "unwrap"])
def test_the_end_of_the_stream_without_a_word(sides: tuple[End, End], link: Link, call: str) -> None:
    here, there = sides
    here.tls.write(b"the last words")
    link.carry()
    there.incoming.write_eof()
    assert there.tls.read() == b"the last words"
    with pytest.raises(ssl.SSLEOFError) as caught:
        getattr(there.tls, call)()
    assert caught.value.errno == ssl.SSL_ERROR_EOF
    assert "UNEXPECTED_EOF_WHILE_READING" in caught.value.strerror
    with pytest.raises(ssl.SSLEOFError):
        there.tls.read()


def test_who_has_not_read_that_the_stream_has_ended_can_write(sides: tuple[End, End], link: Link) -> None:
    """Half of a TCP connection is closed: what was asked for before that is still answered."""
    here, there = sides
    here.tls.write(b"the last question")
    link.carry()
    there.incoming.write_eof()
    assert there.tls.read() == b"the last question"
    assert there.tls.write(b"an answer") == 9
    link.carry()
    assert here.read() == b"an answer"
    with pytest.raises(ssl.SSLEOFError):
        there.tls.read()


def test_the_end_of_the_stream_can_be_an_end_like_any_other(
    pair: tuple[House, House], version: ssl.TLSVersion
) -> None:
    contexts = pair[0].client(version=version), pair[1].server(version=version)
    for context in contexts:
        context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF
    link = shaken(*contexts)
    for end in (link.client, link.server):
        end.incoming.write_eof()
        assert end.tls.read() == b""
        assert end.tls.unwrap() is None


@pytest.mark.parametrize("after", ["nothing", "a hello"])
def test_the_end_of_the_stream_in_the_handshake(pair: tuple[House, House], after: str) -> None:
    link = Link(pair[0].client(), pair[1].server())
    if after == "a hello":
        link.client.step()
        link.carry()
        link.server.step()
    link.client.step()
    for end in (link.client, link.server):
        end.incoming.write_eof()
        with pytest.raises(ssl.SSLEOFError) as caught:
            end.tls.do_handshake()
        assert "UNEXPECTED_EOF_WHILE_READING" in caught.value.strerror


def test_damaged_records(sides: tuple[End, End], link: Link) -> None:
    here, there = sides
    there.incoming.write(b"\x17\x03\x03\x00\x20" + bytes(32))
    with pytest.raises(ssl.SSLError) as caught:
        there.tls.read()
    assert caught.value.reason == "DECRYPTION_FAILED_OR_BAD_RECORD_MAC"
    assert caught.value.library == "SSL"
    link.carry()
    with pytest.raises(ssl.SSLError) as caught:
        here.tls.read()
    assert caught.value.reason == "SSLV3_ALERT_BAD_RECORD_MAC"


@pytest.mark.parametrize(
    ("speech", "reason"),
    [(b"GET / HTTP/1.1\r\n\r\n", "HTTP_REQUEST"), (b"what is this?", "WRONG_VERSION_NUMBER")],
)
@pytest.mark.parametrize("house", [OURS, STDLIB], ids=lambda house: house.name)
def test_what_is_no_tls(house: House, speech: bytes, reason: str) -> None:
    server = End(house.server(), server_side=True)
    server.incoming.write(speech)
    with pytest.raises(ssl.SSLError) as caught:
        server.tls.do_handshake()
    assert caught.value.reason == reason


# --- who is who -----------------------------------------------------------------------------------------------


def refused(link: Link, end: End) -> ssl.SSLError:
    """What ``end`` has to say about a handshake that fails at it; its alert is carried."""
    other = link.server if end is link.client else link.client
    for _ in range(10):
        try:
            end.step()
        except ssl.SSLError as error:
            link.carry()
            return error
        link.carry()
        other.step()
        link.carry()
    raise AssertionError("no error")


def alert_at(end: End) -> str:
    with pytest.raises(ssl.SSLError) as caught:
        end.tls.read()
    return str(caught.value.reason)


def test_an_unknown_authority(pair: tuple[House, House], version: ssl.TLSVersion) -> None:
    client = pair[0].client(trusted=new_authority("another root"), version=version)
    link = Link(client, pair[1].server(version=version))
    error = refused(link, link.client)
    assert type(error) is ssl.SSLCertVerificationError
    assert isinstance(error, ValueError)
    assert error.reason == "CERTIFICATE_VERIFY_FAILED"
    assert error.verify_code == 20
    assert error.verify_message == "unable to get local issuer certificate"
    assert "certificate verify failed: unable to get local issuer certificate" in str(error)
    assert alert_at(link.server) == "TLSV1_ALERT_UNKNOWN_CA"


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("other.example", 62, "Hostname mismatch, certificate is not valid for 'other.example'."),
        ("127.0.0.2", 64, "IP address mismatch, certificate is not valid for '127.0.0.2'."),
    ],
)
def test_another_name(
    pair: tuple[House, House], version: ssl.TLSVersion, name: str, code: int, message: str
) -> None:
    link = Link(pair[0].client(version=version), pair[1].server(version=version), server_hostname=name)
    error = refused(link, link.client)
    assert isinstance(error, ssl.CertificateError)
    assert (error.verify_code, error.verify_message) == (code, message)
    assert alert_at(link.server) == "SSLV3_ALERT_BAD_CERTIFICATE"


@pytest.mark.parametrize(
    "name", ["127.0.0.1", "SERVER.example", b"server.example", bytearray(b"server.example")]
)
def test_other_forms_of_a_name(pair: tuple[House, House], name: Any) -> None:
    link = shaken(pair[0].client(), pair[1].server(), server_hostname=name)
    assert link.client.tls.server_hostname == (name if isinstance(name, str) else name.decode())


def test_the_chain_without_the_name(pair: tuple[House, House], version: ssl.TLSVersion) -> None:
    context = pair[0].client(version=version)
    context.check_hostname = False
    for name in ("other.example", None):
        link = shaken(context, pair[1].server(version=version), server_hostname=name)
        assert link.client.tls.getpeercert()["subject"] == ((("commonName", NAME),),)
    stranger = new_authority("another root").issue(NAME)
    link = Link(context, pair[1].server(identity=stranger, version=version))
    assert isinstance(refused(link, link.client), ssl.SSLCertVerificationError)


def test_no_verification_at_all(pair: tuple[House, House], version: ssl.TLSVersion) -> None:
    context = pair[0].context(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = context.minimum_version = version
    link = shaken(context, pair[1].server(version=version))
    assert link.client.tls.getpeercert() == {}
    assert link.client.tls.getpeercert(True) == server_identity().chain_der[0]


def test_client_certificates(pair: tuple[House, House], version: ssl.TLSVersion) -> None:
    client = pair[0].client(identity=client_identity(), version=version)
    link = shaken(client, pair[1].server(client_authority=authority(), version=version))
    assert link.server.tls.getpeercert()["subject"] == ((("commonName", "client.example"),),)
    assert link.server.tls.getpeercert(True) == client_identity().chain_der[0]


def test_a_client_without_a_certificate(pair: tuple[House, House], version: ssl.TLSVersion) -> None:
    server = pair[1].server(client_authority=authority(), version=version)
    link = Link(pair[0].client(version=version), server)
    error = refused(link, link.server)
    assert error.reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE"
    expected = "TLSV13_ALERT_CERTIFICATE_REQUIRED" if version is TLS13 else "SSLV3_ALERT_HANDSHAKE_FAILURE"
    assert alert_at(link.client) == expected


def test_a_client_that_may_have_a_certificate(pair: tuple[House, House], version: ssl.TLSVersion) -> None:
    server = pair[1].server(client_authority=authority(), version=version)
    server.verify_mode = ssl.CERT_OPTIONAL
    assert shaken(pair[0].client(version=version), server).server.tls.getpeercert() is None
    shown = shaken(pair[0].client(identity=client_identity(), version=version), server)
    assert shown.server.tls.getpeercert(True) == client_identity().chain_der[0]


def test_a_client_that_is_asked_later(pair: tuple[House, House]) -> None:
    client = pair[0].client(identity=client_identity(), version=TLS13)
    server = pair[1].server(client_authority=authority(), version=TLS13)
    client.post_handshake_auth = server.post_handshake_auth = True
    link = shaken(client, server)
    assert link.server.tls.getpeercert() is None
    link.server.tls.verify_client_post_handshake()
    assert link.say(link.server, b"who are you?") == b"who are you?"
    assert link.say(link.client, b"me") == b"me"
    assert link.server.tls.getpeercert()["subject"] == ((("commonName", "client.example"),),)


def test_a_client_that_cannot_be_asked_later(pair: tuple[House, House]) -> None:
    server = pair[1].server(client_authority=authority())
    server.post_handshake_auth = True
    link = shaken(pair[0].client(), server)
    for end, reason in ((link.server, "EXTENSION_NOT_RECEIVED"), (link.client, "NOT_SERVER")):
        with pytest.raises(ssl.SSLError) as caught:
            end.tls.verify_client_post_handshake()
        assert caught.value.reason == reason


@pytest.mark.parametrize("mode", [ssl.CERT_OPTIONAL, ssl.CERT_REQUIRED])
def test_a_client_that_is_asked_later_and_declines(pair: tuple[House, House], mode: ssl.VerifyMode) -> None:
    client, server = pair[0].client(), pair[1].server(client_authority=authority())
    client.post_handshake_auth = server.post_handshake_auth = True
    server.verify_mode = mode
    link = shaken(client, server)
    link.server.tls.verify_client_post_handshake()
    assert link.say(link.server, b"who are you?") == b"who are you?"
    link.client.tls.write(b"nobody")
    link.carry()
    if mode == ssl.CERT_OPTIONAL:
        assert link.server.read() == b"nobody"
        return
    with pytest.raises(ssl.SSLError) as caught:
        link.server.tls.read()
    assert caught.value.reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE"
    link.carry()
    assert alert_at(link.client) == "TLSV13_ALERT_CERTIFICATE_REQUIRED"


@pytest.mark.parametrize("trusts", [False, True], ids=["nobody", "somebody"])
def test_nobody_is_asked_later_whom_nobody_would_verify(pair: tuple[House, House], trusts: bool) -> None:
    client, server = pair[0].client(identity=client_identity()), pair[1].server()
    client.post_handshake_auth = server.post_handshake_auth = True
    if trusts:
        server.load_verify_locations(cadata=authority().der)
    link = shaken(client, server)
    with pytest.raises(ssl.SSLError) as caught:
        link.server.tls.verify_client_post_handshake()
    assert caught.value.reason == "INVALID_CONFIG"
    assert link.say(link.server, b"and so on") == b"and so on"


def test_nobody_is_asked_later_in_tls12(pair: tuple[House, House]) -> None:
    server = pair[1].server(client_authority=authority(), version=TLS12)
    server.post_handshake_auth = True
    link = shaken(pair[0].client(identity=client_identity()), server)
    assert link.server.tls.getpeercert() is not None
    for end in (link.server, link.client):
        with pytest.raises(ssl.SSLError) as caught:
            end.tls.verify_client_post_handshake()
        assert caught.value.reason == "WRONG_SSL_VERSION"


@pytest.mark.parametrize("shown", [False, True], ids=["no certificate", "a certificate"])
def test_certificates_that_are_optional_and_nobody_is_trusted(
    pair: tuple[House, House], version: ssl.TLSVersion, shown: bool
) -> None:
    """A client without one is welcome; one that has one cannot be verified."""
    server = pair[1].server(version=version)
    server.verify_mode = ssl.CERT_OPTIONAL
    client = pair[0].client(version=version, identity=client_identity() if shown else None)
    link = Link(client, server)
    if not shown:
        link.shake()
        assert link.server.tls.getpeercert() is None
        return
    error = refused(link, link.server)
    assert isinstance(error, ssl.SSLCertVerificationError)
    assert error.verify_code in (19, 20)  # OpenSSL tells whether the root was among what it was shown


def test_a_client_that_trusts_nobody(pair: tuple[House, House]) -> None:
    context = pair[0].context(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_OPTIONAL
    link = Link(context, pair[1].server())
    assert isinstance(refused(link, link.client), ssl.SSLCertVerificationError)


# --- negotiation ----------------------------------------------------------------------------------------------


def test_alpn(pair: tuple[House, House], version: ssl.TLSVersion) -> None:
    client = pair[0].client(alpn=["h2", "http/1.1"], version=version)
    link = shaken(client, pair[1].server(alpn=["http/1.1"], version=version))
    assert link.client.tls.selected_alpn_protocol() == "http/1.1"
    assert link.server.tls.selected_alpn_protocol() == "http/1.1"


def test_alpn_without_agreement(pair: tuple[House, House], version: ssl.TLSVersion) -> None:
    client, server = (
        pair[0].client(alpn=["h2"], version=version),
        pair[1].server(alpn=["ftp"], version=version),
    )
    link = shaken(client, server)
    assert link.client.tls.selected_alpn_protocol() is None
    assert link.server.tls.selected_alpn_protocol() is None


def test_versions_without_agreement(pair: tuple[House, House]) -> None:
    link = Link(pair[0].client(version=TLS12), pair[1].server(version=TLS13))
    assert refused(link, link.server).reason == "UNSUPPORTED_PROTOCOL"
    with pytest.raises(ssl.SSLError) as caught:
        link.client.tls.do_handshake()
    assert caught.value.reason == "TLSV1_ALERT_PROTOCOL_VERSION"


@pytest.mark.filterwarnings("ignore:ssl.OP_NO_SSL:DeprecationWarning")
def test_the_highest_version_of_both(pair: tuple[House, House]) -> None:
    assert shaken(pair[0].client(), pair[1].server()).client.tls.version() == "TLSv1.3"
    for option in (ssl.OP_NO_TLSv1_3, ssl.OP_NO_TLSv1_2):
        client = pair[0].client()
        client.options |= option
        assert shaken(client, pair[1].server()).client.tls.version() == (
            "TLSv1.2" if option == ssl.OP_NO_TLSv1_3 else "TLSv1.3"
        )


def test_cipher_suites_of_tls12(pair: tuple[House, House]) -> None:
    for name in ("ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"):
        client = pair[0].client(version=TLS12)
        client.set_ciphers(name)
        link = shaken(client, pair[1].server(version=TLS12))
        assert link.server.tls.cipher() == (name, "TLSv1.2", 256)
        assert link.server.tls.shared_ciphers() == [link.server.tls.cipher()]
    server = pair[1].server(version=TLS12)
    server.set_ciphers("aRSA")
    link = Link(pair[0].client(version=TLS12), server)
    assert refused(link, link.server).reason == "NO_SHARED_CIPHER"


def test_a_certificate_for_each_kind_of_key(pair: tuple[House, House]) -> None:
    rsa = server_identity("rsa")
    server = pair[1].server()
    with rsa.files() as (chain, key):
        server.load_cert_chain(chain, key)
    for words, identity in (("aRSA", rsa), ("aECDSA", server_identity())):
        client = pair[0].client(version=TLS12)
        client.set_ciphers(words)
        assert shaken(client, server).client.tls.getpeercert(True) == identity.chain_der[0]


# --- server names ---------------------------------------------------------------------------------------------


def test_the_sni_callback_is_told_everything(pair: tuple[House, House], version: ssl.TLSVersion) -> None:
    told: list[tuple[object, ...]] = []

    def callback(tls: object, name: str | None, context: object) -> None:
        told.append((tls, name, context))

    client, server = pair[0].client(version=version), pair[1].server(version=version)
    server.sni_callback = callback
    assert server.sni_callback is callback
    link = shaken(client, server)
    assert told == [(link.server.tls, NAME, server)]
    shaken(client, server, server_hostname="127.0.0.1")
    assert told[1][1] is None


def test_the_sni_callback_changes_the_context(pair: tuple[House, House], version: ssl.TLSVersion) -> None:
    other_identity = authority().issue("other.example")
    other = pair[1].server(identity=other_identity, version=version)
    server = pair[1].server(version=version)

    def callback(tls: Any, name: str | None, context: object) -> None:
        if name == "other.example":
            tls.context = other

    server.sni_callback = callback
    client = pair[0].client(version=version)
    link = shaken(client, server, server_hostname="other.example")
    assert link.client.tls.getpeercert(True) == other_identity.chain_der[0]
    assert link.server.tls.context is other
    assert shaken(client, server).server.tls.context is server


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME, "TLSV1_UNRECOGNIZED_NAME"),
        (int(ssl.ALERT_DESCRIPTION_ACCESS_DENIED), "TLSV1_ALERT_ACCESS_DENIED"),
        ("nonsense", "TLSV1_ALERT_INTERNAL_ERROR"),
        (ZeroDivisionError("in the callback"), "SSLV3_ALERT_HANDSHAKE_FAILURE"),
    ],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_sni_callback_refuses(pair: tuple[House, House], answer: Any, reason: str) -> None:
    def callback(tls: object, name: str | None, context: object) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    server = pair[1].server()
    server.sni_callback = callback
    link = Link(pair[0].client(), server)
    error = refused(link, link.server)
    assert error.reason == "CALLBACK_FAILED"
    if isinstance(link.server.tls, SSLObject):
        assert error.__cause__ is (answer if isinstance(answer, Exception) else error.__cause__)
    assert alert_at(link.client) == reason


def test_the_older_callback(pair: tuple[House, House]) -> None:
    names: list[str | None] = []
    server = pair[1].server()
    server.set_servername_callback(lambda tls, name, context: names.append(name))
    shaken(pair[0].client(), server)
    server.set_servername_callback(None)
    shaken(pair[0].client(), server)
    assert names == [NAME]


# --- sessions -------------------------------------------------------------------------------------------------


def test_resumption(pair: tuple[House, House], version: ssl.TLSVersion) -> None:
    client, server = pair[0].client(version=version), pair[1].server(version=version)
    first = shaken(client, server)
    session = first.client.tls.session
    assert session.has_ticket
    assert session.timeout > 0
    assert session.ticket_lifetime_hint > 0
    assert len(session.id) == 32
    assert session.time > 1_700_000_000
    for give in ("argument", "attribute"):
        link = Link(client, server, session=session if give == "argument" else None)
        if give == "attribute":
            link.client.tls.session = session
        link.shake()
        assert link.client.tls.session_reused is True
        assert link.server.tls.session_reused is True
        assert link.client.tls.getpeercert() == first.client.tls.getpeercert()
        link.client.read()
        session = link.client.tls.session


def test_sessions_come_too_late_or_to_the_wrong_side(link: Link) -> None:
    with pytest.raises(ValueError, match="Cannot set session after handshake"):
        link.client.tls.session = link.client.tls.session
    with pytest.raises(ValueError, match="Cannot set session for server-side"):
        link.server.tls.session = link.server.tls.session


@pytest.mark.parametrize("give", ["argument", "attribute"])
@pytest.mark.parametrize("other", ["certificate", "no name", "anchors", "nothing verified"])
@pytest.mark.parametrize("house", [OURS, STDLIB], ids=lambda house: house.name)
def test_a_session_does_not_cross_identities(
    house: House, version: ssl.TLSVersion, other: str, give: str
) -> None:
    """Made by a context with another certificate of ours, or that verifies in another way."""
    session = shaken(house.client(version=version), house.server(version=version)).client.tls.session
    context = house.client(version=version, identity=client_identity() if other == "certificate" else None)
    if other == "anchors":
        context.load_verify_locations(cadata=new_authority("one more").der)
    if other in ("no name", "nothing verified"):
        context.check_hostname = False
    if other == "nothing verified":
        context.verify_mode = ssl.CERT_NONE
    buffers = ssl.MemoryBIO(), ssl.MemoryBIO()
    if give == "argument":
        with pytest.raises(ValueError, match="different SSLContext"):
            context.wrap_bio(*buffers, server_hostname=NAME, session=session)
        return
    tls = context.wrap_bio(*buffers, server_hostname=NAME)
    with pytest.raises(ValueError, match="different SSLContext"):
        tls.session = session


def test_tickets_can_be_turned_off(pair: tuple[House, House]) -> None:
    server = pair[1].server(version=TLS13)
    server.num_tickets = 0
    link = shaken(pair[0].client(version=TLS13), server)
    session = link.client.tls.session
    assert session is None or not session.has_ticket
    assert server.num_tickets == 0


# --- what is no value for a setting ------------------------------------------------------------------------------

WRONG_TYPES: dict[str, Any] = {
    "verify_mode": lambda context, path: setattr(context, "verify_mode", "none"),
    "minimum_version": lambda context, path: setattr(context, "minimum_version", "TLSv1.3"),
    "maximum_version": lambda context, path: setattr(context, "maximum_version", None),
    "options": lambda context, path: setattr(context, "options", "all"),
    "num_tickets": lambda context, path: setattr(context, "num_tickets", "2"),
    "ciphers": lambda context, path: context.set_ciphers(None),
    "curve": lambda context, path: context.set_ecdh_curve(23),
    "protocols": lambda context, path: context.set_alpn_protocols([b"h2"]),
    "anchors": lambda context, path: context.load_verify_locations(cadata=5),
    "password": lambda context, path: context.load_cert_chain(path, password=5),
    "no session": lambda context, path: wrapped(context).__setattr__("session", 5),
    "no context": lambda context, path: wrapped(context).__setattr__("context", 5),
}


def wrapped(context: Any) -> Any:
    return context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True)


@pytest.mark.parametrize("setting", WRONG_TYPES)
@pytest.mark.parametrize("house", [OURS, STDLIB], ids=lambda house: house.name)
def test_values_of_another_type(house: House, setting: str, tmp_path: Path) -> None:
    identity = server_identity()
    path = tmp_path / "both.pem"
    with identity.files() as (_, key):
        path.write_bytes(Path(key).read_bytes() + identity.chain_pem)
    with pytest.raises(TypeError):
        WRONG_TYPES[setting](house.server(), path)


@pytest.mark.parametrize("house", [OURS, STDLIB], ids=lambda house: house.name)
def test_a_null_character_in_a_cipher_list(house: House) -> None:
    with pytest.raises(ValueError, match="null character"):
        house.server().set_ciphers("ALL\0")


@pytest.mark.parametrize("name", [str, os.fsencode, Path])
@pytest.mark.parametrize("house", [OURS, STDLIB], ids=lambda house: house.name)
def test_the_name_of_a_key_log_is_the_one_given(house: House, name: Any, tmp_path: Path) -> None:
    context, given = house.server(), name(tmp_path / "keys")
    context.keylog_filename = given
    assert context.keylog_filename is given


@pytest.mark.parametrize(
    ("house", "options"),
    [(OURS, -1), (OURS, 1 << 64), (STDLIB, 1 << 64)],  # the standard library takes -1 before Python 3.12
    ids=["ours, negative", "ours, too many", "ssl, too many"],
)
def test_options_out_of_range(house: House, options: int) -> None:
    context = house.server()
    with pytest.raises(OverflowError):
        context.options = options


def test_sides_that_are_no_booleans(pair: tuple[House, House]) -> None:
    """Some callers pass what they have."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    assert pair[1].server().wrap_bio(incoming, outgoing, server_side=1).server_side
    client = pair[0].client().wrap_bio(incoming, outgoing, server_side=0, server_hostname=NAME)
    assert not client.server_side
