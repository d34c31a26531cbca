"""Ticket keys in the layouts of nginx, OpenSSL and haproxy, and the tickets that they seal."""

import base64
import copy
import hmac
import os
import pickle
import re
from hashlib import sha1
from typing import Any

import pytest
from attrs import evolve
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from hypothesis import given
from hypothesis import strategies as st

from sansticket.commands import FlushTickets, IssueTicket
from sansticket.errors import ConfigError
from sansticket.handshake.server.tls13.early_data import age_and_drift
from sansticket.library import SSL_SESSIONS
from sansticket.tickets.decision import TicketStatus
from sansticket.tickets.early_data import EarlyDataStatus
from sansticket.tickets.keys.openssl import (
    OpenSSLTicketKey,
    OpenSSLTicketKeys,
    nginx_session_id_context,
)
from sansticket.tickets.keys.protection import OpenedTicket
from sansticket.tickets.session import Session, SessionFormatError
from sansticket.tickets.stores.replay import ReplayRecorder
from tests.support.certificates import client_identity
from tests.support.inputs import BROKEN_ENTROPY, WRONG_BYTES
from tests.support.newer import needs
from tests.support.records import DUPLICATES
from tests.support.resumption import World, received
from tests.support.sessions import NOW, ORDINARY, ORDINARY_12, repeatable_entropy

NAME = bytes(range(16))
FILE_48 = NAME + b"A" * 16 + b"H" * 16
FILE_80 = NAME + b"H" * 32 + b"A" * 32

every_size = pytest.mark.parametrize("content", [FILE_48, FILE_80], ids=["48", "80"])


def other(number: int, size: int = 80) -> bytes:
    return repeatable_entropy(number)(size)


# --- keys ----------------------------------------------------------------------------------------------------


@every_size
def test_the_layout_of_a_key_file(content: bytes) -> None:
    key = OpenSSLTicketKey.from_bytes(content)
    assert key.name == NAME
    assert set(key.aes_key) == set(b"A")
    assert set(key.hmac_key) == set(b"H")
    assert len(key.aes_key) == len(key.hmac_key)
    assert key.size == len(content)
    assert key.to_bytes() == content
    assert "AAAA" not in repr(key)
    assert "HHHH" not in repr(key)


@pytest.mark.parametrize("size", [0, 16, 47, 49, 79, 81, 96, 160])
def test_other_sizes_are_no_key(size: int) -> None:
    with pytest.raises(ConfigError, match=f"{size} bytes; expected 48 or 80"):
        OpenSSLTicketKey.from_bytes(bytes(size))


@pytest.mark.parametrize("content", [*WRONG_BYTES, 48, 80])
def test_what_has_no_bytes_is_no_key(content: Any) -> None:
    with pytest.raises(ConfigError, match=r"key: a value of type .*; expected bytes"):
        OpenSSLTicketKey.from_bytes(content)
    with pytest.raises(ConfigError, match="expected bytes"):
        OpenSSLTicketKeys.from_files("nginx", content)
    with pytest.raises(ConfigError, match="expected bytes"):
        OpenSSLTicketKeys.from_haproxy(content)


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_what_holds_bytes_is_copied(kind: Any) -> None:
    assert OpenSSLTicketKey.from_bytes(kind(bytes(range(80)))).to_bytes() == bytes(range(80))


@pytest.mark.parametrize("wrong", [*WRONG_BYTES, bytearray(16), memoryview(bytes(16))])
@pytest.mark.parametrize("place", range(3))
def test_a_key_is_made_of_bytes(wrong: Any, place: int) -> None:
    parts: list[Any] = [bytes(16), bytes(16), bytes(16)]
    parts[place] = wrong
    with pytest.raises(ConfigError) as caught:
        OpenSSLTicketKey(*parts)
    assert caught.value.field == ("name", "aes_key", "hmac_key")[place]


@pytest.mark.parametrize("wrong", [*WRONG_BYTES, b"", bytes(80), {"a key"}, [bytes(80)], [None]])
def test_keys_are_keys_in_an_order(wrong: Any) -> None:
    with pytest.raises(ConfigError, match="keys"):
        OpenSSLTicketKeys(wrong)


def test_a_set_has_no_first_key() -> None:
    keys = [OpenSSLTicketKey.from_bytes(bytes((number,)) * 80) for number in range(2)]
    with pytest.raises(ConfigError, match="the first seals"):
        OpenSSLTicketKeys(set(keys))
    with pytest.raises(ConfigError, match="the first seals"):
        OpenSSLTicketKeys(keys).replace(frozenset(keys))


@pytest.mark.parametrize("entropy", BROKEN_ENTROPY)
def test_without_enough_entropy_nothing_is_made(entropy: Any) -> None:
    key = OpenSSLTicketKey.from_bytes(bytes(range(80)))
    for make in (
        lambda: OpenSSLTicketKey.generate(entropy),
        lambda: key.seal(b"session", entropy),
        lambda: OpenSSLTicketKeys([key]).seal(b"session", NOW, entropy),
    ):
        with pytest.raises(ConfigError, match="entropy: gave"):
            make()


@pytest.mark.parametrize("duplicate", DUPLICATES, ids=["copy", "deepcopy", "pickle"])
def test_a_copy_seals_with_ivs_of_its_own(duplicate: Any) -> None:
    keys = OpenSSLTicketKeys([OpenSSLTicketKey.from_bytes(bytes(range(80)))])
    tickets = [one.seal(b"session", NOW, os.urandom) for one in (keys, duplicate(keys)) * 50]
    assert len({ticket[16:32] for ticket in tickets}) == 100


def test_a_file_of_the_other_program_is_named() -> None:
    """Read by the wrong function it would be no key, or keys in another order."""
    with pytest.raises(ConfigError, match=r"nginx's have 48 or 80$"):
        OpenSSLTicketKeys.from_files("nginx", lines(other(1), other(2), other(3)))
    with pytest.raises(ConfigError, match="haproxy's file is text: it could be a key of nginx or envoy"):
        OpenSSLTicketKeys.from_haproxy(other(1))


def test_keys_from_their_parts() -> None:
    with pytest.raises(ConfigError, match="name has 16 bytes"):
        OpenSSLTicketKey(b"name", bytes(16), bytes(16))
    for aes, mac in ((16, 32), (32, 16), (24, 24), (64, 64), (32, 48)):
        with pytest.raises(ConfigError, match="16 or of 32"):
            OpenSSLTicketKey(NAME, bytes(aes), bytes(mac))


def test_new_keys() -> None:
    key = OpenSSLTicketKey.generate(repeatable_entropy(1))
    assert key.to_bytes() == repeatable_entropy(1)(80)
    assert OpenSSLTicketKey.generate(os.urandom, 48).size == 48
    with pytest.raises(ConfigError, match="47 bytes"):
        OpenSSLTicketKey.generate(os.urandom, 47)


# --- tickets -------------------------------------------------------------------------------------------------


@every_size
@given(plaintext=st.binary(max_size=200))
def test_the_layout_of_a_ticket(content: bytes, plaintext: bytes) -> None:
    key = OpenSSLTicketKey.from_bytes(content)
    ticket = key.seal(plaintext, repeatable_entropy(5))
    iv = repeatable_entropy(5)(16)
    assert ticket[:32] == NAME + iv
    assert ticket[-32:] == hmac.digest(key.hmac_key, ticket[:-32], "sha256")
    decryptor = Cipher(AES(key.aes_key), CBC(iv)).decryptor()
    padding = 16 - len(plaintext) % 16
    assert decryptor.update(ticket[32:-32]) + decryptor.finalize() == plaintext + bytes((padding,)) * padding
    assert key.open(ticket) == plaintext


def forged(key: OpenSSLTicketKey, ciphertext: bytes) -> bytes:
    """Whatever ciphertext, with the right MAC."""
    body = key.name + bytes(16) + ciphertext
    return body + hmac.digest(key.hmac_key, body, "sha256")


def encrypted(key: OpenSSLTicketKey, padded: bytes) -> bytes:
    encryptor = Cipher(AES(key.aes_key), CBC(bytes(16))).encryptor()
    return forged(key, encryptor.update(padded) + encryptor.finalize())


@every_size
def test_an_authentic_ticket_that_is_malformed(content: bytes) -> None:
    key = OpenSSLTicketKey.from_bytes(content)
    assert key.open(encrypted(key, b"fifteen bytes..\1")) == b"fifteen bytes.."
    assert key.open(forged(key, b"")) is None
    assert key.open(forged(key, bytes(17))) is None
    for padded in (bytes(16), b"x" * 15 + b"\x11", b"x" * 14 + b"\1\2"):
        assert key.open(encrypted(key, padded)) is None
    # A MAC over nothing but a name: too short to have an IV.
    assert key.open(NAME + hmac.digest(key.hmac_key, NAME, "sha256")) is None


def test_the_first_key_seals_and_all_open() -> None:
    keys = OpenSSLTicketKeys.from_files("nginx", FILE_80, other(1), other(2, 48))
    first, second, third = keys.keys
    ticket = keys.seal(b"plaintext", NOW, os.urandom)
    assert ticket[:16] == NAME
    assert keys.open(ticket, NOW) == OpenedTicket(TicketStatus.SUCCESS, NAME, b"plaintext")
    assert first.open(ticket) == b"plaintext"
    for older in (second, third):
        opened = keys.open(older.seal(b"plaintext", os.urandom), NOW)
        assert opened == OpenedTicket(TicketStatus.SUCCESS_RENEW, older.name, b"plaintext")
    unknown = OpenSSLTicketKey.from_bytes(other(3))
    ticket = unknown.seal(b"plaintext", os.urandom)
    assert keys.open(ticket, NOW) == OpenedTicket(TicketStatus.NO_DECRYPT, unknown.name)


def test_the_secret_and_not_the_name_opens() -> None:
    ours = OpenSSLTicketKey.from_bytes(FILE_80)
    ticket = evolve(ours, hmac_key=bytes(32)).seal(b"plaintext", os.urandom)
    assert OpenSSLTicketKeys([ours]).open(ticket, NOW).status is TicketStatus.NO_DECRYPT


def test_which_keys_go_together() -> None:
    with pytest.raises(ConfigError, match="at least one"):
        OpenSSLTicketKeys([])
    with pytest.raises(ConfigError, match="same name"):
        OpenSSLTicketKeys.from_files("nginx", FILE_48, FILE_80)
    with pytest.raises(ConfigError, match="3 bytes"):
        OpenSSLTicketKeys.from_files("nginx", FILE_48, b"abc")


def test_keys_are_replaced_while_they_are_in_use() -> None:
    keys = OpenSSLTicketKeys.from_files("nginx", FILE_80)
    ticket = keys.seal(b"plaintext", NOW, os.urandom)
    coming = OpenSSLTicketKey.from_bytes(other(1))
    keys.replace((coming, *keys.keys))
    assert keys.seal(b"", NOW, os.urandom)[:16] == coming.name
    assert keys.open(ticket, NOW).status is TicketStatus.SUCCESS_RENEW
    with pytest.raises(ConfigError):
        keys.replace(())
    assert keys.keys[0] == coming
    keys.replace((coming,))
    assert keys.open(ticket, NOW).status is TicketStatus.NO_DECRYPT


def test_repr_and_copies() -> None:
    keys = OpenSSLTicketKeys.from_files("nginx", FILE_80, other(1))
    assert repr(keys) == f"OpenSSLTicketKeys({NAME.hex()}, {other(1)[:16].hex()})"
    for twin in (copy.deepcopy(keys), pickle.loads(pickle.dumps(keys))):
        assert twin.keys == keys.keys
        assert twin.open(keys.seal(b"x", NOW, os.urandom), NOW).plaintext == b"x"


# --- what is in a ticket -------------------------------------------------------------------------------------

CODEC = OpenSSLTicketKeys.codec


@needs(SSL_SESSIONS)
def test_the_plaintext_is_an_ssl_session() -> None:
    plaintext = CODEC.encode(ORDINARY)
    assert plaintext == ORDINARY.to_openssl_der()
    assert CODEC.decode(plaintext, NOW) == ORDINARY
    assert CODEC.decode(CODEC.encode(ORDINARY_12), NOW) == ORDINARY_12


@needs(SSL_SESSIONS)
def test_the_one_time_is_that_of_the_last_full_handshake() -> None:
    """A renewed ticket ends when it should, and its time for ``max_session_age`` is not lost."""
    renewed = evolve(ORDINARY, issued_at=NOW + 5000.7, authenticated_at=NOW, lifetime=2200)
    decoded = CODEC.decode(CODEC.encode(renewed), NOW + 6000)
    assert decoded.issued_at == decoded.authenticated_at == NOW
    assert decoded.lifetime == 7200
    assert decoded.expired(NOW + 7200)
    assert not decoded.expired(NOW + 7199)


@needs(SSL_SESSIONS)
@given(
    age_add=st.integers(0, 0xFFFFFFFF), before=st.integers(0, 604_800_000), age=st.integers(0, 604_800_000)
)
def test_how_old_the_client_says_that_its_ticket_is(age_add: int, before: int, age: int) -> None:
    """By the one time that there is, it says the same of the ticket: what was between full handshake and ticket goes
    into what the server takes off (RFC 9846 section 4.3.11.1)."""
    issued_at = NOW + before / 1000
    session = evolve(ORDINARY, issued_at=issued_at, authenticated_at=NOW, age_add=age_add, lifetime=700_000)
    decoded = CODEC.decode(CODEC.encode(session), NOW)
    said, now = (age + age_add) & 0xFFFFFFFF, issued_at + age / 1000 + 1.5
    assert age_and_drift(session, said, now) == (age / 1000, 1.5)
    assert age_and_drift(decoded, said, now) == ((before + age) / 1000, 1.5)


@needs(SSL_SESSIONS)
@pytest.mark.parametrize("name", ["server.example", "Server.Example", "server.example."])
def test_a_name_as_the_client_said_it(name: str) -> None:
    """So OpenSSL's servers keep it; it is the same name, however it is written."""
    theirs = evolve(ORDINARY, server_name=name).to_openssl_der(client=False)
    assert CODEC.decode(theirs, NOW).server_name == "server.example"


@needs(SSL_SESSIONS)
def test_a_name_that_is_nothing_but_a_dot() -> None:
    with pytest.raises(SessionFormatError):
        CODEC.decode(evolve(ORDINARY, server_name=".").to_openssl_der(client=False), NOW)


@needs(SSL_SESSIONS)
def test_tls12_has_no_such_age() -> None:
    assert CODEC.decode(CODEC.encode(evolve(ORDINARY_12, issued_at=NOW + 7.5)), NOW).age_add == 0


@needs(SSL_SESSIONS)
def test_early_data_with_tickets_of_every_age() -> None:
    """Of a full handshake, of resumptions, and of one that was asked for late."""
    world = World()
    keys, replay = OpenSSLTicketKeys.from_files("nginx", FILE_80), ReplayRecorder(since=float("-inf"))
    window = (0, 0.1)
    config = world.server(ticket_keys=keys, max_early_data=100, replay=replay, early_data_window=window)
    client = world.client(early_data=True)
    pair = world.connect(config, client=client)
    for pause in (0.9, 60.7, 3000):
        world.clock.forward(pause)
        pair.server.send(IssueTicket())
        pair.send("server", FlushTickets())
        session = received(pair)[-1]
        world.clock.forward(pause)
        pair = world.connect(config, session, client=client)
        assert pair.server.early_data_reason is None
        assert pair.client.early_data is EarlyDataStatus.ACCEPTED


@needs(SSL_SESSIONS)
def test_a_clock_that_was_set_back() -> None:
    odd = evolve(ORDINARY, issued_at=NOW, authenticated_at=NOW + 100_000)
    decoded = CODEC.decode(CODEC.encode(odd), NOW)
    assert decoded == ORDINARY


@needs(SSL_SESSIONS)
def test_a_lifetime_that_no_session_has() -> None:
    odd = evolve(ORDINARY, lifetime=0xFFFFFFFF, authenticated_at=NOW - 1000)
    assert CODEC.decode(CODEC.encode(odd), NOW).lifetime == 0xFFFFFFFF


@needs(SSL_SESSIONS)
def test_a_session_id_in_a_ticket_means_nothing() -> None:
    """libssl's TLS 1.3 tickets have one; it is in no cache of ours."""
    assert CODEC.decode(CODEC.encode(evolve(ORDINARY, session_id=bytes(32))), NOW) == ORDINARY


@needs(SSL_SESSIONS)
def test_a_missing_time_is_now() -> None:
    from sansticket.tickets import openssl

    made = openssl.decode(ORDINARY.to_openssl_der())
    made.time = None
    assert CODEC.decode(openssl.encode(made), NOW + 9).issued_at == NOW + 9


@needs(SSL_SESSIONS)
def test_a_clients_session_is_not_what_a_ticket_holds() -> None:
    with pytest.raises(SessionFormatError, match="client"):
        CODEC.decode(evolve(ORDINARY, ticket=b"ticket").to_openssl_der(), NOW)


@needs(SSL_SESSIONS)
def test_of_a_chain_the_leaf_is_left() -> None:
    chain = client_identity().chain_der
    session = evolve(ORDINARY, peer_certificates=(*chain, *chain))
    assert CODEC.decode(CODEC.encode(session), NOW).peer_certificates == chain[:1]


@needs(SSL_SESSIONS)
@given(plaintext=st.binary(max_size=100))
def test_anything_else_is_no_session(plaintext: bytes) -> None:
    with pytest.raises(SessionFormatError):
        CODEC.decode(plaintext, NOW)
    with pytest.raises(SessionFormatError):
        CODEC.decode(Session.to_bytes(ORDINARY) + plaintext, NOW)


def haproxy_keys(content: bytes) -> tuple[OpenSSLTicketKey, ...]:
    return OpenSSLTicketKeys.from_haproxy(content).keys


# --- the key file of haproxy ---------------------------------------------------------------------------------


def lines(*contents: bytes) -> bytes:
    return b"\n".join(map(base64.b64encode, contents)) + b"\n"


def test_haproxy_seals_with_the_last_but_one() -> None:
    files = [other(number, 48) for number in range(5)]
    current, coming, older = haproxy_keys(lines(*files))
    assert [key.to_bytes() for key in (current, coming, older)] == [files[3], files[4], files[2]]
    assert OpenSSLTicketKeys.from_haproxy(lines(*files)).keys == (current, coming, older)
    windows = lines(*files).replace(b"\n", b"\r\n") + b"\r\n"
    assert haproxy_keys(windows) == (current, coming, older)


def test_haproxys_keys_of_80_bytes_have_their_halves_swapped() -> None:
    contents = [bytes((number,)) * 16 + b"A" * 32 + b"H" * 32 for number in range(3)]
    for key in haproxy_keys(lines(*contents)):
        assert (key.aes_key, key.hmac_key) == (b"A" * 32, b"H" * 32)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "0 in the file; haproxy expects at least 3"),
        (lines(other(1), other(2)), "2 in the file"),
        (lines(other(1), other(2, 48), other(3)), "of 48 and of 80 bytes"),
        (lines(other(1), other(2)) + b"no base64!\n", "line 3 is not base64"),
        (lines(other(1), b"short", other(3)), "line 2 has 5 bytes; expected a key of 48 or 80"),
        (other(1), "80 bytes; haproxy's file is text"),
    ],
)
def test_what_is_no_file_of_haproxy(content: bytes, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        OpenSSLTicketKeys.from_haproxy(content)


# --- nginx ---------------------------------------------------------------------------------------------------


def test_the_context_of_nginx() -> None:
    """Against nginx itself: tests/interop/test_nginx.py."""
    one, two, name = b"certificate", b"another", b"a name"
    digests = [sha1(part).digest() for part in (one, two, name)]
    assert nginx_session_id_context([one]) == sha1(b"HTTP" + digests[0]).digest()
    assert nginx_session_id_context([one, two], [name]) == sha1(b"HTTP" + b"".join(digests)).digest()
    assert nginx_session_id_context([one], module=b"STREAM") == sha1(b"STREAM" + digests[0]).digest()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((b"der",), "certificates: a value of type bytes; expected a sequence"),
        ((ORDINARY,), "certificates: a value of type Session; expected a sequence"),
        ((["a"],), "certificates: a value of type str; expected bytes"),
        (([b"-----BEGIN CERTIFICATE-----"],), "certificates: PEM; expected DER"),
        (([], b"der"), "client_authorities: a value of type bytes; expected a sequence"),
        (([], [None]), "client_authorities: a value of type NoneType; expected bytes"),
        (([], [b"\n-----BEGIN CERTIFICATE-----"]), "client_authorities: PEM; expected DER"),
        (([], [], "HTTP"), "module: a value of type str; expected bytes"),
    ],
)
def test_what_makes_no_context_of_nginx(arguments: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}"):
        nginx_session_id_context(*arguments)
