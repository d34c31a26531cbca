"""Sessions: their ranges, their ages, and the native encoding."""

import copy
import pickle
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from sansticket.codes import ProtocolVersion
from sansticket.errors import SansticketError
from sansticket.library import SSL_SESSIONS
from sansticket.tickets.encoding import Source, varint, vector
from sansticket.tickets.keys.ring import OVERHEAD
from sansticket.tickets.session import FORMAT, Session, SessionFormatError
from tests.support.newer import needs
from tests.support.sessions import NOW, ORDINARY, ORDINARY_12, sessions

FAMILY = bytes(range(100, 116))


@given(sessions())
def test_encoding_round_trip(session: Session) -> None:
    assert Session.from_bytes(session.to_bytes()) == session


@given(sessions(), st.data())
def test_every_strict_prefix_fails(session: Session, data: st.DataObject) -> None:
    encoded = session.to_bytes()
    cut = data.draw(st.integers(0, len(encoded) - 1))
    with pytest.raises(SessionFormatError):
        Session.from_bytes(encoded[:cut])


@pytest.mark.parametrize(
    "session",
    [
        ORDINARY,
        ORDINARY_12,
        evolve(ORDINARY, peer_certificates=(b"a", b"bc"), verified_chain=(b"a", b"d")),
    ],
)
def test_every_prefix_of_an_ordinary_session_fails(session: Session) -> None:
    encoded = session.to_bytes()
    for cut in range(len(encoded)):
        with pytest.raises(SessionFormatError):
            Session.from_bytes(encoded[:cut])


@given(sessions(), st.binary(min_size=1))
def test_bytes_after_the_end_fail(session: Session, more: bytes) -> None:
    with pytest.raises(SessionFormatError):
        Session.from_bytes(session.to_bytes() + more)


@given(sessions(), st.integers(0, 255).filter(lambda number: number != FORMAT))
def test_an_unknown_format_is_refused(session: Session, number: int) -> None:
    with pytest.raises(SessionFormatError, match="known format"):
        Session.from_bytes(bytes([number]) + session.to_bytes()[1:])


@given(st.binary())
def test_bytes_that_decode_are_what_would_be_encoded(data: bytes) -> None:
    _decodes_to_itself_or_fails(bytes([FORMAT]) + data)


@given(sessions(), st.data())
def test_a_changed_byte_fails_or_is_another_session(session: Session, data: st.DataObject) -> None:
    encoded = bytearray(session.to_bytes())
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= data.draw(st.integers(1, 255))
    _decodes_to_itself_or_fails(bytes(encoded))


def _decodes_to_itself_or_fails(data: bytes) -> None:
    """There is one encoding of a session, and no exception but the one that is documented."""
    try:
        session = Session.from_bytes(data)
    except SessionFormatError:
        return
    assert session.to_bytes() == data


def test_the_encoding_is_the_documented_one() -> None:
    """Written out by hand, once with nothing optional and once with everything."""
    least = evolve(
        ORDINARY_12,
        alpn=None,
        server_name=None,
        session_id_context=b"",
        group=0,
        extended_master_secret=False,
    )
    head = bytes.fromhex("01 0000 c02b 00001c20 018bcfe56800")
    assert least.to_bytes() == head + b"\x30" + bytes(range(48)) + bytes.fromhex("018bcfe56800")

    most = Session(
        version=0x0304,
        cipher_suite=0x1302,
        secret=b"S",
        lifetime=1,
        issued_at=1.5,
        authenticated_at=1.25,
        ticket=b"T",
        session_id=b"I",
        age_add=2,
        alpn=b"A",
        server_name="ö",
        session_id_context=b"C",
        peer_certificates=(b"X", b"Y"),
        max_early_data=3,
        app_data=b"D" * 200,
        extended_master_secret=True,
        group=4,
        verified_chain=(b"V",),
        psk_identity=b"P",
        family=bytes(range(16)),
        generation=5,
    )
    assert most.to_bytes() == (
        bytes.fromhex("01 fffe 1302 00000001 0000000005dc")
        + b"\x01S"
        + bytes.fromhex("0000000004e2 00000002 0004 00000003")
        + b"\x01T\x01I\x01A\x02\xc3\xb6\x01C"
        + (b"\xc8\x01" + b"D" * 200)
        + b"\x02\x01X\x01Y"
        + b"\x01\x01V"
        + b"\x01P"
        + bytes(range(16))
        + b"\0\0\0\x05"
    )


@pytest.mark.parametrize(
    "tail",
    [
        "0002 00000000",  # age_add 0
        "0004 0000",  # group 0
        "0008 00000000",  # max_early_data 0
        "0010 00",  # empty ticket
        "0020 00",  # empty session id
        "0040 00",  # empty protocol
        "0080 00",  # empty name
        "0100 00",  # empty context
        "0200 00",  # empty application data
        "0400 00",  # no certificates
        "0400 0100",  # an empty certificate
        "0020 8100",  # a length of two bytes for 1
        "0020 8080808001",  # a length of five bytes
        "0080 01ff",  # a name that is not UTF-8
        "0020 21" + "00" * 33,  # a session id of 33 bytes
        "0001",  # an unknown flag
        "2000 00",  # no verified chain
        "4800 00",  # empty PSK identity
        "4000 0170",  # a PSK identity in TLS 1.2
        "8000",
        "8000" + "00" * 19,  # a family without its generation
        "8000" + "00" * 21,
    ],
)
def test_other_ways_to_say_the_same_are_refused(tail: str) -> None:
    flags, rest = bytes.fromhex(tail[:4]), bytes.fromhex(tail[4:])
    data = bytes([FORMAT]) + flags + bytes.fromhex("c02b 00001c20 000000000000") + b"\x30" + bytes(54) + rest
    with pytest.raises(SessionFormatError):
        Session.from_bytes(data)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 0x0302},
        {"version": 0x0305},
        {"version": ProtocolVersion.TLS_1_2},  # whose secret has 48 bytes
        {"cipher_suite": 1 << 16},
        {"group": -1},
        {"lifetime": 1 << 32},
        {"lifetime": -1},
        {"age_add": 1 << 32},
        {"max_early_data": 1 << 32},
        {"psk_identity": b""},
        {"psk_identity": bytes(1 << 16)},
        {"psk_identity": b"P", "version": ProtocolVersion.TLS_1_2, "secret": bytes(48)},
        {"issued_at": -0.001},
        {"issued_at": (1 << 48) / 1000},
        {"issued_at": float("nan")},
        {"issued_at": float("inf")},
        {"authenticated_at": -1},
        {"secret": b""},
        {"secret": bytes(256)},
        {"ticket": bytes(1 << 16)},
        {"session_id": bytes(33)},
        {"session_id_context": bytes(33)},
        {"alpn": b""},
        {"alpn": bytes(256)},
        {"server_name": ""},
        {"server_name": "a" * 256},
        {"server_name": "ö" * 128},
        {"server_name": "\ud800"},
        {"app_data": bytes(1 << 28)},
        {"peer_certificates": (b"a", b"")},
        {"verified_chain": (b"a", b"")},
        {"family": bytes(15)},
        {"family": bytes(17)},
        {"generation": 1},  # without a family
        {"generation": -1},
        {"generation": -1, "family": bytes(16)},
        {"generation": 1 << 32, "family": bytes(16)},
    ],
    ids=lambda change: f"{next(iter(change))}",
)
def test_values_out_of_range_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(SessionFormatError) as caught:
        evolve(ORDINARY, **change)
    assert isinstance(caught.value, SansticketError)
    assert isinstance(caught.value, ValueError)
    named = "secret" if change == {"version": ProtocolVersion.TLS_1_2} else next(iter(change))
    assert named in str(caught.value) or str(caught.value).startswith("a time")


def test_times_are_kept_to_the_millisecond() -> None:
    session = evolve(ORDINARY, issued_at=NOW + 0.12345, authenticated_at=NOW + 0.0006)
    assert session.issued_at == NOW + 0.123
    assert session.authenticated_at == NOW + 0.001
    assert Session.from_bytes(session.to_bytes()) == session


def test_authentication_is_the_issue_unless_said_otherwise() -> None:
    assert ORDINARY.authenticated_at == ORDINARY.issued_at
    renewed = evolve(ORDINARY, issued_at=NOW + 100, authenticated_at=NOW)
    assert renewed.authentication_age(NOW + 150) == 150
    assert renewed.age(NOW + 150) == 50


def test_an_age_that_equals_the_lifetime_is_expired() -> None:
    session = evolve(ORDINARY, issued_at=NOW + 0.1)
    assert not session.expired(NOW + 0.1)
    assert not session.expired(NOW + 7200.099)
    assert session.expired(NOW + 7200.1)
    assert evolve(session, lifetime=0).expired(NOW + 0.1)


@given(st.integers(0, 1 << 41), st.integers(0, 1 << 32), st.integers(0, 1 << 41))
def test_expiry_is_exact_in_milliseconds(issued: int, lifetime: int, now: int) -> None:
    lifetime = min(lifetime, (1 << 32) - 1)
    session = evolve(ORDINARY, issued_at=issued / 1000, lifetime=lifetime)
    assert session.expired(now / 1000) == (max(0, now - issued) >= lifetime * 1000)


def test_a_session_from_the_future_is_accepted() -> None:
    session = evolve(ORDINARY, issued_at=NOW + 1000, authenticated_at=NOW + 1000)
    assert not session.expired(NOW)
    assert session.age(NOW) == 0
    assert session.authentication_age(NOW) == 0


def test_repr_shows_no_secrets() -> None:
    session = evolve(
        ORDINARY, secret=b"hush" * 8, app_data=b"private", peer_certificates=(b"c" * 500,), ticket=b"t" * 100
    )
    text = repr(session)
    assert "hush" not in text
    assert "private" not in text
    assert str(session.age_add) not in text
    assert "<7 bytes>" in text
    assert "<100 bytes>" in text
    assert "<1 certificates>" in text
    assert "example.com" in text


def test_copies() -> None:
    for session in (ORDINARY, evolve(ORDINARY, family=FAMILY, generation=3)):
        assert copy.deepcopy(session) == session
        assert pickle.loads(pickle.dumps(session)) == session


def test_repr_shows_the_lineage() -> None:
    assert f"family={FAMILY.hex()}, generation=3" in repr(evolve(ORDINARY, family=FAMILY, generation=3))


@pytest.mark.parametrize(
    "session",
    [
        ORDINARY,
        ORDINARY_12,
        evolve(ORDINARY, authenticated_at=NOW - 5000),
        evolve(ORDINARY_12, authenticated_at=NOW - 5000),
        evolve(ORDINARY, authenticated_at=NOW - 5000, max_early_data=16384),
    ],
    ids=["1.3", "1.2", "1.3 renewed", "1.2 renewed", "1.3 early data"],
)
def test_a_ticket_has_at_most_180_bytes(session: Session) -> None:
    assert len(session.to_bytes()) + OVERHEAD <= 160
    assert len(evolve(session, family=FAMILY, generation=7).to_bytes()) + OVERHEAD <= 180


@pytest.mark.parametrize("generation", [0, 1, 255, 256, (1 << 32) - 1])
def test_a_lineage_takes_20_bytes_whatever_the_generation(generation: int) -> None:
    """A ticket's length does not say how often its session was resumed."""
    session = evolve(ORDINARY, family=FAMILY, generation=generation)
    assert len(session.to_bytes()) == len(ORDINARY.to_bytes()) + 20
    assert Session.from_bytes(session.to_bytes()) == session


def test_what_was_encoded_before_there_were_families_is_read() -> None:
    """Written out by hand, as the version before wrote it."""
    old = bytes.fromhex("01 0840 1301 00001c20 018bcfe56800 01 53 018bcfe56800 02 6832")
    session = Session.from_bytes(old)
    assert (session.alpn, session.family, session.generation) == (b"h2", b"", 0)
    assert session.to_bytes() == old


@needs(SSL_SESSIONS)
@given(sessions(), st.binary(min_size=16, max_size=16), st.integers(0, (1 << 32) - 1))
def test_openssl_has_no_place_for_a_lineage(session: Session, family: bytes, generation: int) -> None:
    session = evolve(session, lifetime=7200, issued_at=NOW, peer_certificates=(), psk_identity=None)
    session = evolve(session, family=family, generation=generation)
    back = Session.from_openssl_der(session.to_openssl_der())
    assert (back.family, back.generation) == (b"", 0)
    assert session.to_openssl_der() == evolve(session, family=b"", generation=0).to_openssl_der()


@given(st.integers(0, (1 << 28) - 1))
def test_varints(number: int) -> None:
    encoded = varint(number)
    source = Source(encoded)
    assert source.varint(0) == number
    assert source.left == 0
    assert len(encoded) == max(1, -(-number.bit_length() // 7))


def test_vectors_may_be_empty_only_where_that_is_said() -> None:
    assert Source(vector(b"")).vector(0) == b""
    with pytest.raises(SessionFormatError):
        Source(vector(b"")).vector()
    with pytest.raises(SessionFormatError):
        Source(b"\x80\x00").vector(0)


def test_a_program_that_makes_up_types_is_not_remembered_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    known: set[tuple[type, ...]] = set()
    monkeypatch.setattr("sansticket.tickets.session._RIGHT_TYPES", known)
    monkeypatch.setattr("sansticket.tickets.session._MANY_TYPES", 2)
    names = [type("Name", (str,), {})("server.example") for _ in range(4)]
    assert [evolve(ORDINARY, server_name=name).server_name for name in names] == names
    assert len(known) == 2
    with pytest.raises(SessionFormatError, match="server_name"):
        evolve(ORDINARY, server_name=b"server.example")
