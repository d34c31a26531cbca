"""The format of a handover: one form for each, and whatever is wrong is named."""

from __future__ import annotations

import pickle
from functools import cache
from hashlib import sha256
from typing import Any, Final

import pytest
from attrs import evolve, fields
from hypothesis import given
from hypothesis import strategies as st

from sansticket import (
    ConfigError,
    Handover,
    HandoverError,
    ProtocolVersion,
    RequestClientCertificate,
    SendData,
)
from sansticket.handover.kinds import FLAG, MAX_ITEMS, several
from sansticket.handover.value import FORMAT, KIND, MAGIC
from sansticket.tickets.encoding import SessionFormatError, Source, varint
from tests.support.configs import client_config, server_config
from tests.support.credentials import anchors
from tests.support.documents import Document
from tests.support.pair import ConnectionPair

KEY: Final = bytes(range(64))
SECRETS: Final = (
    "exporter_secret",
    "reading_secret",
    "writing_secret",
    "resumption_secret",
    "early_exporter_secret",
)


@cache
def handovers() -> tuple[Handover, ...]:
    """Of both sides and versions, with as much in them as there can be."""
    found = []
    for version in (ProtocolVersion.TLS_1_2, ProtocolVersion.TLS_1_3):
        pair = ConnectionPair(
            client_config(versions=[version], post_handshake_auth=True, alpn_protocols=[b"h2"]),
            server_config(versions=[version], trust_anchors=anchors(), alpn_protocols=[b"h2"]),
        )
        pair.pump()
        pair.client.send(SendData(b"x" * 100))
        pair.server.receive_data(pair.client.data_to_send()[:50])
        if version == ProtocolVersion.TLS_1_3:
            pair.server.send(RequestClientCertificate())
        pair.client.send(SendData(b"y" * 100))
        found += [pair.client.export(), pair.server.export()]
    return tuple(found)


EACH = pytest.mark.parametrize("number", range(4), ids=["client12", "server12", "client13", "server13"])


@EACH
def test_there_and_back(number: int) -> None:
    handover = handovers()[number]
    data = handover.to_bytes()
    assert data[:10] == MAGIC + bytes((FORMAT, 0))
    assert Handover.from_bytes(data) == Handover.from_bytes(memoryview(bytearray(data))) == handover
    assert pickle.loads(pickle.dumps(handover)) == handover


@EACH
@pytest.mark.parametrize("length", [32, 48, 64])
def test_sealed(number: int, length: int) -> None:
    handover, key = handovers()[number], KEY[:length]
    data = handover.to_bytes(key)
    assert Handover.from_bytes(data, key) == handover
    assert not any(secret in data for name in SECRETS if (secret := getattr(handover, name)))
    for wrong in (data[:-1], data[:10] + bytes(16) + data[26:], data + b"\0", data[:10]):
        with pytest.raises(HandoverError, match="it does not open: damaged, or sealed under another key"):
            Handover.from_bytes(wrong, key)
    with pytest.raises(HandoverError, match="it does not open"):
        Handover.from_bytes(data, KEY[:length][::-1])


def test_keys() -> None:
    plain, sealed = handovers()[0].to_bytes(), handovers()[0].to_bytes(KEY)
    with pytest.raises(HandoverError, match="not sealed, but a key was given"):
        Handover.from_bytes(plain, KEY)
    with pytest.raises(HandoverError, match="sealed, but no key was given"):
        Handover.from_bytes(sealed)
    for key, said in (
        (b"", "0 bytes; expected 32, 48 or 64"),
        (bytes(16), "16 bytes; expected 32, 48 or 64"),
        ("k" * 32, "a value of type str; expected bytes"),
        (bytearray(32), "a value of type bytearray; expected bytes"),
    ):
        with pytest.raises(ConfigError, match=f"^key: {said}"):
            handovers()[0].to_bytes(key)  # type: ignore[arg-type]


@EACH
def test_secrets_are_in_no_text(number: int) -> None:
    handover = handovers()[number]
    for name in SECRETS:
        secret = getattr(handover, name)
        assert not secret or secret.hex() not in repr(handover)
        assert not secret or repr(secret)[2:-1] not in repr(handover)
    side = "server" if handover.of_server else "client"
    assert repr(handover).startswith(f"Handover({side}, TLS_1_{2 + number // 2}, ")


def test_every_damaged_byte_is_noticed() -> None:
    data = handovers()[3].to_bytes()
    for place in range(len(data)):
        wrong = bytearray(data)
        wrong[place] ^= 1
        with pytest.raises(HandoverError):
            Handover.from_bytes(wrong)
    for length in range(len(data)):
        with pytest.raises(HandoverError):
            Handover.from_bytes(data[:length])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no handover: it begins with nothing"),
        (b"\x80\x04pickle", "no handover: it begins with 80047069636b6c65"),
        (MAGIC, "the data is cut short"),
        (MAGIC + b"\2\0" + bytes(40), "format 2; expected format 1"),
        (MAGIC + b"\1\2" + bytes(40), "sealed: 2; expected 0 or 1"),
        (MAGIC + b"\1\0" + bytes(20), "the data is cut short"),
        (MAGIC + b"\1\0" + bytes(40), "damaged: the checksum is another"),
        ("handover", "a value of type str; expected bytes"),
    ],
)
def test_what_is_none(data: Any, says: str) -> None:
    with pytest.raises(HandoverError, match=says):
        Handover.from_bytes(data)


def with_checksum(body: bytes) -> bytes:
    content = MAGIC + bytes((FORMAT, 0)) + body
    return content + sha256(content).digest()


@EACH
def test_what_is_cut_short_or_too_long_names_its_field(number: int) -> None:
    body = handovers()[number].to_bytes()[10:-32]
    with pytest.raises(HandoverError, match="ticket_key_name: the data is cut short"):
        Handover.from_bytes(with_checksum(body[:-1]))
    with pytest.raises(HandoverError, match="1 bytes after the end"):
        Handover.from_bytes(with_checksum(body + b"\0"))
    with pytest.raises(HandoverError, match="of_server: 2; expected 0 or 1"):
        Handover.from_bytes(with_checksum(b"\2" + body[1:]))


WRONG: Final[dict[str, tuple[int, dict[str, Any]]]] = {
    "version": (0, {"version": 0x0302}),
    "cipher_suite": (3, {"cipher_suite": 0x1399}),
    "cipher_suite: ": (3, {"cipher_suite": 0xC02B}),
    "closed": (3, {"closed": True, "peer_closed": True, "received": b"", "message": b""}),
    "stream_ended": (1, {"stream_ended": True}),
    "received": (1, {"peer_closed": True}),
    "trailing_data": (1, {"trailing_data": b"x"}),
    "reading_limit": (1, {"reading_limit": 20_000}),
    "writing_limit": (1, {"writing_limit": 0}),
    "empty_records": (1, {"empty_records": 33}),
    "repetitions": (1, {"repetitions": ((24, 1), (24, 2))}),
    "early_data_detail": (1, {"early_data_detail": "\n"}),
    "exporter_secret": (0, {"exporter_secret": b""}),
    "exporter_secret: ": (3, {"exporter_secret": b""}),
    "client_random": (0, {"client_random": b""}),
    "server_random": (0, {"server_random": bytes(33)}),
    "client_random: ": (2, {"client_random": bytes(32)}),
    "reading_secret": (2, {"reading_secret": b""}),
    "writing_secret": (3, {"writing_secret": bytes(47)}),
    "resumption_secret": (3, {"resumption_secret": b""}),
    "key_updates": (0, {"key_updates": 1}),
    "transcript": (0, {"transcript": ()}),
    "early_exporter_secret": (2, {"early_exporter_secret": b"x"}),
    "extended_master_secret": (2, {"extended_master_secret": False}),
    "port": (3, {"port": 443}),
    "num_tickets": (2, {"num_tickets": 1}),
    "app_data": (2, {"app_data": b"x"}),
    "queued_tickets": (1, {"queued_tickets": 1}),
    "wanted_tickets": (3, {"wanted_tickets": ((1, 1), (1, 1))}),
    "response": (3, {"response": ((False, (b"x",), ()),)}),
    "response: ": (3, {"response": ((True, (b"x",), ()),) * 2}),
    "alpn": (3, {"alpn_protocol": b""}),
    "server_name": (2, {"server_name": ""}),
    "family": (3, {"family": b"x"}),
    "authenticated_at": (3, {"authenticated_at": -1.0}),
    "peer_certificates": (3, {"peer_certificates": (b"",)}),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_no_connection_can_have_is_named(name: str) -> None:
    number, changes = WRONG[name]
    with pytest.raises(HandoverError) as error:
        evolve(handovers()[number], **changes)
    assert str(error.value).startswith(name)


TYPES: Final = (b"", "", 1, 1.5, True, None, (), [b""], ("",), ((1,),), object())
"""Of which each field takes two or three."""


@EACH
@pytest.mark.parametrize("name", [one.name for one in fields(Handover)])
def test_what_is_of_another_type_is_named(name: str, number: int) -> None:
    """A number is no secret, and what is said to be there is never half of it."""
    handover, refused = handovers()[number], 0
    for value in TYPES:
        try:
            made = evolve(handover, **{name: value})
        except HandoverError as error:
            refused += str(error) == f"{name} is of another type: {type(value).__name__}"
        else:
            assert Handover.from_bytes(made.to_bytes()) == made
    assert refused >= len(TYPES) - 3


def test_lists_of_nothing_are_bounded() -> None:
    """An item without bytes takes memory too."""
    many = MAX_ITEMS + 1
    flags = several(FLAG)
    with pytest.raises(SessionFormatError, match=f"{many} items; expected at most {MAX_ITEMS}"):
        flags.read(Source(varint(many) + bytes(many)))
    with pytest.raises(SessionFormatError, match=f"{many} items; expected at most {MAX_ITEMS}"):
        flags.write((False,) * many)
    assert flags.read(Source(flags.write((False,) * MAX_ITEMS))) == (False,) * MAX_ITEMS
    with pytest.raises(HandoverError, match="transcript: 65537 items"):
        evolve(handovers()[3], transcript=(b"",) * many).to_bytes()


@pytest.mark.parametrize("name", [one.name for one in fields(Handover) if one.type in ("int", "int | None")])
@pytest.mark.parametrize("value", [10**5000, -(10**5000)], ids=["huge", "negative"])
def test_integers_of_more_digits_than_python_writes(name: str, value: int) -> None:
    with pytest.raises(HandoverError, match=rf"^{name}\b"):
        evolve(handovers()[3], **{name: value}).to_bytes()


@pytest.mark.parametrize("name", ["reading_sequence", "tickets_made", "group"])
def test_what_has_no_form_is_named(name: str) -> None:
    with pytest.raises(HandoverError, match=f"{name}: .*; expected a number of . bytes"):
        evolve(handovers()[3], **{name: 1 << 64}).to_bytes()


@given(data=st.binary(max_size=200), number=st.integers(0, 3), place=st.integers(0, 10_000))
def test_whatever_is_read_is_written_the_same(data: bytes, number: int, place: int) -> None:
    body = handovers()[number].to_bytes()[10:-32]
    start = place % len(body)
    changed = with_checksum(body[:start] + data + body[start + len(data) :])
    try:
        handover = Handover.from_bytes(changed)
    except HandoverError:
        return
    assert handover.to_bytes() == changed


def test_the_page_has_every_field() -> None:
    """In the order of the format, with its form."""
    rows = [
        (name, form)
        for name, form, _ in (
            line.strip("| \n").split(" | ", 2)
            for line in Document("handover.md").section("The format").splitlines()
            if line.startswith("| `")
        )
    ]
    assert rows == [(f"`{one.name}`", one.metadata[KIND].words) for one in fields(Handover)]
