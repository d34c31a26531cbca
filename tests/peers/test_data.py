"""Application data between us and other implementations: much of it, in odd pieces, across new keys, up to the end."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sansticket.codes import AlertDescription
from sansticket.commands import Close, SendData, UpdateKeys
from sansticket.config.choices import ASK
from sansticket.connection.client import ClientConnection
from sansticket.connection.server import ServerConnection
from sansticket.errors import ALERTS, LocalProtocolError, Reason
from sansticket.events import (
    ConnectionTerminated,
    DataReceived,
    HandshakeCompleted,
    KeysUpdated,
    PeerClosed,
    Question,
    SelectConfig,
    Sign,
    VerifyPeer,
)
from sansticket.wire.messages.tls13 import KeyUpdate
from tests.support.certificates import authority, client_identity, server_identity
from tests.support.configs import client_config, server_config
from tests.support.credentials import client_credential
from tests.support.foreign import FOREIGN, Foreign, Meeting, our_client, our_server
from tests.support.memory import run
from tests.support.pair import Cut, every, whole

MEGABYTES: Final = random.Random(1).randbytes(3_000_000)

each_foreign = pytest.mark.parametrize("foreign", FOREIGN, ids=str)


def as_client(foreign: Foreign, cut: Cut = whole) -> Meeting:
    return our_client(foreign, foreign.server(server_identity()), cut=cut)


def as_server(foreign: Foreign, cut: Cut = whole) -> Meeting:
    return our_server(foreign, foreign.client(authority()), cut=cut)


ROLES: Final = {"client": as_client, "server": as_server}
Role = Callable[..., Meeting]
each_role = pytest.mark.parametrize("role", ROLES.values(), ids=ROLES.keys())


def odd(data: bytes) -> Iterator[bytes]:
    """A ``Cut`` into pieces that never fit the records."""
    sizes = random.Random(len(data))
    at = 0
    while at < len(data):
        size = sizes.choice((1, 4, 5, 6, 21, 1000, 16_383, 16_405, 16_407, 40_000, 333_333))
        yield data[at : at + size]
        at += size


# --- much ------------------------------------------------------------------------------------------------------


@each_foreign
@each_role
@pytest.mark.parametrize("cut", [whole, odd], ids=["whole", "odd pieces"])
def test_megabytes_both_ways(foreign: Foreign, role: Role, cut: Cut) -> None:
    meeting = role(foreign, cut)
    meeting.exchange(MEGABYTES, MEGABYTES[::-1])


@each_foreign
@each_role
def test_what_is_fed_at_once_comes_as_one_event(foreign: Foreign, role: Role) -> None:
    meeting = role(foreign)
    meeting.theirs.write(MEGABYTES)
    assert meeting.run() == [DataReceived(MEGABYTES)]


@each_foreign
@each_role
def test_a_handshake_byte_by_byte(foreign: Foreign, role: Role) -> None:
    meeting = role(foreign, every(1))
    assert len(meeting.all(HandshakeCompleted)) == 1
    meeting.exchange()


@each_foreign
def test_a_handshake_with_certificates_byte_by_byte(foreign: Foreign) -> None:
    context = foreign.server(server_identity("rsa"), client_authority=authority())
    meeting = our_client(foreign, context, credentials=[client_credential("p384")], cut=every(1))
    meeting.exchange()
    assert foreign.certificate(meeting.theirs) == client_identity("p384").chain_der[0]


@each_foreign
@each_role
@given(sizes=st.lists(st.integers(1, 50_000), min_size=1, max_size=8), cut=st.integers(1, 20_000))
@settings(max_examples=10)
def test_any_sizes_in_any_cuts(foreign: Foreign, role: Role, sizes: list[int], cut: int) -> None:
    meeting = role(foreign)
    meeting.cut = every(cut)
    for size in sizes:
        meeting.exchange(MEGABYTES[:size], MEGABYTES[-size:])


@each_foreign
@each_role
def test_both_talk_at_the_same_time(foreign: Foreign, role: Role) -> None:
    meeting = role(foreign, odd)
    for part in range(20):
        piece = MEGABYTES[part * 10_000 : (part + 1) * 10_000]
        meeting.theirs.write(piece)
        meeting.ours.send(SendData(piece))
    meeting.run()
    assert meeting.data == bytes(meeting.theirs.received) == MEGABYTES[:200_000]


@each_foreign
@each_role
def test_data_of_every_buffer_type(foreign: Foreign, role: Role) -> None:
    meeting = role(foreign)
    for data in (
        b"bytes",
        bytearray(b"bytearray"),
        memoryview(b"memoryview"),
        memoryview(b"-every-")[::2],
        b"",
    ):
        meeting.send(SendData(data))
    assert bytes(meeting.theirs.received) == b"bytesbytearraymemoryview-vr-"


@each_foreign
@each_role
@pytest.mark.parametrize("padding", [lambda length: 1, lambda length: -length % 512, lambda length: 1 << 20])
def test_they_take_our_padding(foreign: Foreign, role: Role, padding: Callable[[int], int]) -> None:
    if role is as_client:
        meeting = our_client(foreign, foreign.server(server_identity()), padding=padding)
    else:
        meeting = our_server(foreign, foreign.client(authority()), padding=padding)
    meeting.exchange(MEGABYTES[:40_000], MEGABYTES[:40_000])
    padded = [record for record in meeting.records if record.sender == meeting.we and record.padding]
    assert padded
    assert all(record.size <= 5 + 16_384 + 17 for record in padded)


# --- new keys --------------------------------------------------------------------------------------------------


@each_foreign
@each_role
def test_our_new_keys(foreign: Foreign, role: Role) -> None:
    meeting = role(foreign)
    for number in range(5):
        assert meeting.send(UpdateKeys()) == [KeysUpdated(by_peer=False)]
        meeting.exchange(b"%d" % number * 20_000, b"answer")
    assert len(meeting.messages(KeyUpdate, meeting.we)) == 5
    assert meeting.messages(KeyUpdate, meeting.they) == []
    assert {record.keys for record in meeting.records if record.sender == meeting.we} >= {"application 5"}


@each_foreign
@each_role
def test_their_new_keys_on_our_request(foreign: Foreign, role: Role) -> None:
    meeting = role(foreign)
    for number in range(1, 6):
        meeting.send(UpdateKeys(request_peer=True))
        meeting.exchange(theirs=b"%d" % number * 20_000)
        assert meeting.all(KeysUpdated).count(KeysUpdated(by_peer=True)) == number
    answers = meeting.messages(KeyUpdate, meeting.they)
    assert [update.request_update for update in answers] == [0] * 5


@each_foreign
@each_role
def test_they_are_asked_once_until_they_answer(foreign: Foreign, role: Role) -> None:
    """RFC 9846 section 4.7.3."""
    meeting = role(foreign)
    for _ in range(2):
        for _ in range(4):
            meeting.ours.send(UpdateKeys(request_peer=True))
        meeting.exchange()
        meeting.exchange()
    assert [update.request_update for update in meeting.messages(KeyUpdate, meeting.we)] == [1, 0, 0, 0] * 2
    assert [update.request_update for update in meeting.messages(KeyUpdate, meeting.they)] == [0, 0]


@each_foreign
@each_role
def test_new_keys_amid_much_data(foreign: Foreign, role: Role) -> None:
    meeting = role(foreign, odd)
    for part in range(0, 600_000, 60_000):
        meeting.ours.send(SendData(MEGABYTES[part : part + 60_000]))
        meeting.ours.send(UpdateKeys(request_peer=part % 120_000 == 0))
        meeting.theirs.write(MEGABYTES[part : part + 60_000])
    meeting.run()
    assert meeting.data == bytes(meeting.theirs.received) == MEGABYTES[:600_000]


# --- the end ---------------------------------------------------------------------------------------------------


@each_foreign
@each_role
def test_we_close_first_and_still_listen(foreign: Foreign, role: Role) -> None:
    meeting = role(foreign)
    meeting.exchange()
    assert meeting.send(Close()) == []
    assert meeting.theirs.closed
    with pytest.raises(LocalProtocolError, match="SendData after Close"):
        meeting.send(SendData(b"too late"))
    meeting.theirs.write(MEGABYTES)
    assert meeting.run() == [DataReceived(MEGABYTES)]
    meeting.theirs.close()
    assert meeting.run() == [PeerClosed()]
    assert meeting.ours.receive_data(b"") == []
    assert meeting.theirs.error is None


@each_foreign
@each_role
def test_they_close_first_and_still_listen(foreign: Foreign, role: Role) -> None:
    meeting = role(foreign)
    meeting.exchange()
    meeting.theirs.close()
    assert meeting.run() == [PeerClosed()]
    meeting.send(SendData(MEGABYTES))
    assert bytes(meeting.theirs.received).endswith(MEGABYTES)
    assert not meeting.theirs.closed
    meeting.send(Close())
    assert meeting.theirs.closed
    assert meeting.theirs.error is None
    assert meeting.ours.receive_data(b"") == []


@each_foreign
@each_role
def test_an_end_without_close_notify(foreign: Foreign, role: Role) -> None:
    meeting = role(foreign)
    meeting.exchange()
    assert meeting.ours.receive_data(b"") == [ConnectionTerminated(Reason.TRUNCATED, None)]
    meeting.theirs.receive(b"")
    assert "eof" in meeting.their_complaint


@each_foreign
@each_role
@pytest.mark.parametrize("flip", [0, 1, 3, 5, 20, -1])
def test_a_damaged_record(foreign: Foreign, role: Role, flip: int) -> None:
    """Ours to them and theirs to us: both say what they find."""
    meeting = role(foreign)
    meeting.exchange()
    meeting.theirs.write(b"x" * 100)
    damaged = bytearray(meeting.theirs.data_to_send())
    damaged[flip] ^= 0x80 if flip in (0, 3) else 0x01
    meeting.events += meeting.ours.receive_data(damaged)
    if flip == 3:  # a length that is too long is found at once
        assert meeting.end.reason is Reason.RECORD_OVERFLOW
    else:
        expected = {0: Reason.UNKNOWN_CONTENT_TYPE, 1: Reason.NOT_TLS}
        assert meeting.end.reason is expected.get(flip, Reason.BAD_RECORD_MAC)
    meeting.run()
    assert f"alert {ALERTS[meeting.end.reason].name.lower().replace('_', ' ')}" in meeting.their_complaint


@each_foreign
@each_role
def test_a_record_that_we_damage(foreign: Foreign, role: Role) -> None:
    meeting = role(foreign)
    meeting.exchange()
    meeting.ours.send(SendData(b"x" * 100))
    damaged = bytearray(meeting.ours.data_to_send())
    damaged[-1] ^= 1
    meeting.theirs.receive(bytes(damaged))
    meeting.run()
    assert meeting.end.by_peer
    assert meeting.end.detail == "bad_record_mac"


@each_foreign
@pytest.mark.parametrize("question", [None, VerifyPeer])
def test_our_client_gives_up_amid_the_handshake(foreign: Foreign, question: type[Question] | None) -> None:
    ours = ClientConnection(client_config(answers={question: ASK} if question else {}), "server.example")
    theirs = foreign.connect(foreign.server(server_identity()), server=True)
    if question is not None:
        run(ours, theirs)
        assert isinstance(ours.pending, question)
    check_canceled(ours, theirs)


@each_foreign
@pytest.mark.parametrize("question", [SelectConfig, Sign])
def test_our_server_gives_up_amid_the_handshake(foreign: Foreign, question: type[Question]) -> None:
    ours = ServerConnection(server_config(answers={question: ASK}))
    theirs = foreign.connect(foreign.client(authority()), server=False, server_name="server.example")
    run(ours, theirs)
    assert isinstance(ours.pending, question)
    check_canceled(ours, theirs)


def check_canceled(ours: ClientConnection | ServerConnection, theirs: Any) -> None:
    assert ours.send(Close()) == [
        ConnectionTerminated(Reason.CANCELED, AlertDescription.USER_CANCELED),
    ]
    run(ours, theirs)
    assert not theirs.handshaken
    # A clean end, which pyOpenSSL calls an unexpected one while it is in its handshake.
    assert theirs.closed or theirs.error.args == (-1, "Unexpected EOF")
