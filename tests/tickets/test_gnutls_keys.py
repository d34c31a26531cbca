"""Tickets of GnuTLS: what GnuTLS itself put into them, the keys of each period, and what is not opened.

Against a running server in GnuTLS: tests/interop/test_gnutls_tickets.py.
"""

from __future__ import annotations

import hmac
import os
from contextlib import nullcontext
from hashlib import sha3_512
from typing import Any

import pytest
from attrs import field, frozen
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from hypothesis import given
from hypothesis import strategies as st

from sansticket import (
    CipherSuite,
    ClientAuthentication,
    ConfigError,
    GnuTLSTicketKeys,
    GoTicketKey,
    GoTicketKeys,
    ProtocolVersion,
    Session,
    SessionFormatError,
    TicketKey,
    TicketKeyRing,
    TicketStatus,
)
from tests.support.configs import server_config
from tests.support.credentials import anchors
from tests.support.edits import flipped
from tests.support.inputs import WRONG_BYTES
from tests.support.records import DUPLICATES
from tests.support.sessions import NOW, ORDINARY, repeatable_entropy

SECRET = bytes(range(64))
PERIOD = 3 * 3600

PLAINTEXTS = {
    CipherSuite.AES_128_GCM_SHA256: (
        "00067718fb6c00000e102067ac6f29fbecd807e6b9bf8673db1a5a2c354014821774e4c86ba8b945093dab04d3b320ea"
        "0058fae1c1e66b0be97c00000e1001000000000000003f00000001000000060000000100000001200492c17d90d6e5f7"
        "b13a15c0288dfdd410d5d4afaebfa2a4221a2791d7801e2c000000050000000100000001130100000000000000006b0b"
        "e97c08876ff600000000000000000000",
        "22553c5f2b5b509b7dfab3808f763b45d76fc22d25eb64581fa206d20af2d72f",
        1998125932,
    ),
    CipherSuite.AES_256_GCM_SHA384: (
        "0007cddea86d00000e103038d41365eca39df9fc0fe18e160841a7fd46ff76716e17b6f795e7735d0520f584fbd59cb9"
        "5933441ff24ec176687cbb040db8bf4a0058fae1c1e66b0be97c00000e1001000000000000003f000000010000000700"
        "00000100000001203ad80e9aa29a59569a9ff2b76cf8597f9e4d0f59100aa82c40187f7cda6bb9430000000500000001"
        "00000001130200000000000000006b0be97c0f6e029000000000000000000000",
        "a81fb2f57a67c78bff60ce1597dba77db103c53a8171f35189293f12e829b7bde7cf5125e98f2722bd09c0a3fc607386",
        3453921389,
    ),
}
"""What was in tickets of GnuTLS 3.7.9, with the secret and the age_add that the client had."""


def ticket_of(plaintext: bytes, period: int, length: int | None = None) -> bytes:
    """As GnuTLS seals it."""
    key = sha3_512(period.to_bytes(8) + SECRET).digest()
    iv, padded = bytes(range(16)), plaintext + bytes(-len(plaintext) % 16)
    encryptor = Cipher(AES(key[16:48]), CBC(iv)).encryptor()
    size = (len(padded) if length is None else length).to_bytes(2)
    body = key[:16] + iv + size + encryptor.update(padded) + encryptor.finalize()
    return body + hmac.digest(key[48:], body, "sha1")


def ring() -> TicketKeyRing:
    return TicketKeyRing([TicketKey.generate(NOW, repeatable_entropy(1))])


@frozen
class Encounter:
    server_name: str | None = "server.example"
    session_id_context: bytes = b"context"
    hello: Any = None
    config: Any = field(factory=server_config)


@pytest.mark.parametrize("suite", PLAINTEXTS)
def test_a_session_of_gnutls(suite: CipherSuite) -> None:
    plaintext, secret, age_add = PLAINTEXTS[suite]
    for unbound in (False, True):
        keys = GnuTLSTicketKeys(SECRET, ring(), resume_unbound=unbound)
        opened = keys.open(ticket_of(bytes.fromhex(plaintext), int(NOW) // PERIOD), NOW)
        assert opened.plaintext is not None
        expected = Session(
            version=ProtocolVersion.TLS_1_3,
            cipher_suite=suite,
            secret=bytes.fromhex(secret),
            lifetime=3600,
            issued_at=keys.codec.decode(opened.plaintext, NOW).issued_at,
            age_add=age_add,
        )
        assert int(expected.issued_at) == 0x6B0BE97C
        assert keys.codec.decode(opened.plaintext, NOW) == expected
        found = keys.codec.decode(opened.plaintext, NOW, Encounter())
        assert (found.server_name, found.session_id_context) == (
            ("server.example", b"context") if unbound else (None, b"")
        )


@pytest.mark.parametrize("asks", list(ClientAuthentication))
def test_a_certificate_is_not_seen_and_asked_for_again(asks: ClientAuthentication) -> None:
    """Also where it is welcome only: a client that had one does not go on as nobody."""
    keys = GnuTLSTicketKeys(SECRET, ring(), resume_unbound=True)
    plaintext = bytes.fromhex(PLAINTEXTS[CipherSuite.AES_128_GCM_SHA256][0])
    opened = keys.open(ticket_of(plaintext, int(NOW) // PERIOD), NOW).plaintext
    encounter = Encounter(config=server_config(client_authentication=asks, trust_anchors=anchors()))
    with nullcontext() if asks is ClientAuthentication.NONE else pytest.raises(SessionFormatError):
        assert keys.codec.decode(opened or b"", NOW, encounter).server_name == "server.example"
    sealed = keys.open(keys.seal(keys.codec.encode(ORDINARY), NOW, os.urandom), NOW).plaintext
    assert keys.codec.decode(sealed or b"", NOW, encounter) == ORDINARY


@pytest.mark.parametrize("expiration", [3600, 7200, 100])
def test_this_period_and_the_one_before(expiration: int) -> None:
    keys, period = GnuTLSTicketKeys(SECRET, ring(), expiration=expiration), 3 * expiration
    start = int(NOW) // period * period
    ticket = ticket_of(b"session", start // period)
    name = sha3_512((start // period).to_bytes(8) + SECRET).digest()[:16]
    for now, opens in (
        (start - 1, False),
        (start, True),
        (start + 2 * period - 0.1, True),
        (start + 2 * period, False),
    ):
        opened = keys.open(ticket, now)
        assert opened.status is (TicketStatus.SUCCESS_RENEW if opens else TicketStatus.NO_DECRYPT)
        assert opened.key_name == name


def test_the_beginning_of_time() -> None:
    assert (
        GnuTLSTicketKeys(SECRET, ring()).open(ticket_of(b"session", 0), 0.0).status
        is TicketStatus.SUCCESS_RENEW
    )


def test_other_keys_seal_and_open_their_own() -> None:
    sealing = GoTicketKeys([GoTicketKey(bytes(32))])
    keys = GnuTLSTicketKeys(SECRET, sealing)
    assert keys.codec.keeps_issue_time is sealing.codec.keeps_issue_time
    assert keys.codec.keeps_verified_chain is sealing.codec.keeps_verified_chain
    ticket = keys.seal(keys.codec.encode(ORDINARY), NOW, os.urandom)
    opened = keys.open(ticket, NOW)
    assert opened == sealing.open(ticket, NOW)
    assert opened.plaintext is not None
    assert keys.codec.decode(opened.plaintext, NOW) == ORDINARY
    assert keys.open(b"", NOW).status is TicketStatus.EMPTY


@given(st.integers(16, 10_000))
def test_an_altered_ticket_does_not_open(place: int) -> None:
    ticket = bytearray(ticket_of(b"session", int(NOW) // PERIOD))
    ticket[16 + place % (len(ticket) - 16)] ^= 1 << place % 8
    assert GnuTLSTicketKeys(SECRET, ring()).open(bytes(ticket), NOW).status is TicketStatus.NO_DECRYPT


def test_a_length_that_is_another() -> None:
    keys = GnuTLSTicketKeys(SECRET, ring())
    for length in (0, 15, 17, 32):
        assert keys.open(ticket_of(b"session", int(NOW) // PERIOD, length), NOW).plaintext is None
    key = sha3_512((int(NOW) // PERIOD).to_bytes(8) + SECRET).digest()
    for body in (key[:16], key[:16] + bytes(16) + (7).to_bytes(2) + bytes(7)):
        assert keys.open(body + hmac.digest(key[48:], body, "sha1"), NOW).plaintext is None
    assert keys.open(flipped(ticket_of(b"session", int(NOW) // PERIOD)), NOW).plaintext is None


@pytest.mark.parametrize("suite", PLAINTEXTS)
def test_what_is_no_session(suite: CipherSuite) -> None:
    codec = GnuTLSTicketKeys(SECRET, ring()).codec
    plaintext = bytes.fromhex(PLAINTEXTS[suite][0])
    end = plaintext.rindex(bytes.fromhex("6b0be97c")) + 8
    for cut in range(end):
        with pytest.raises(SessionFormatError):
            codec.decode(b"\0GnuTLS\0" + plaintext[:cut], NOW)
    assert codec.decode(b"\0GnuTLS\0" + plaintext[:end], NOW).lifetime == 3600
    older = bytes.fromhex("fae1c1e6") + bytes(100)
    with pytest.raises(SessionFormatError, match=r"of TLS 1\.2, or of another hash"):
        codec.decode(b"\0GnuTLS\0" + older, NOW)


@pytest.mark.parametrize("wrong", [*WRONG_BYTES, b"", bytes(63), bytes(65), 64])
def test_the_secret_has_64_bytes(wrong: Any) -> None:
    with pytest.raises(ConfigError, match=r"^secret: "):
        GnuTLSTicketKeys(wrong, ring())


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"expiration": 0}, "expiration: 0; expected a second at least"),
        ({"expiration": 1.5}, r"expiration: .*expected whole seconds"),
        ({"resume_unbound": 1}, r"resume_unbound: .*expected True or False"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        GnuTLSTicketKeys(SECRET, ring(), **change)


@pytest.mark.parametrize("wrong", [*WRONG_BYTES, SECRET])
def test_the_keys_that_seal_are_keys(wrong: Any) -> None:
    with pytest.raises(ConfigError, match=r"^sealing: a value of type \w+ has no seal; expected TicketKeys$"):
        GnuTLSTicketKeys(SECRET, wrong)


@pytest.mark.parametrize("duplicate", DUPLICATES, ids=["copy", "deepcopy", "pickle"])
def test_copies_and_what_is_shown(duplicate: Any) -> None:
    keys = GnuTLSTicketKeys(SECRET, ring(), resume_unbound=True)
    twin = duplicate(keys)
    assert twin.open(ticket_of(b"session", int(NOW) // PERIOD), NOW).plaintext is not None
    assert twin.codec.resume_unbound
    assert repr(twin).startswith("GnuTLSTicketKeys(sealing=TicketKeyRing(")
    assert SECRET.hex()[:16] not in repr(twin)
    assert repr(SECRET)[2:20] not in repr(vars(twin)["codec"])
