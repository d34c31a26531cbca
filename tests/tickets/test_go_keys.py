"""Keys and tickets of Go: what Go itself sealed, byte for byte, what cannot be read, and Caddy's storage.

Against running servers in Go: tests/interop/matrix/test_go_tickets.py.
"""

from __future__ import annotations

import copy
import hmac
import os
import pickle
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha512
from time import process_time
from typing import Any

import pytest
from attrs import evolve, field, frozen
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from hypothesis import given
from hypothesis import strategies as st

from sansticket import (
    AcceptPeer,
    CaddyTicketKeys,
    ClientAuthentication,
    ConfigError,
    GoTicketKey,
    GoTicketKeys,
    Session,
    SessionFormatError,
    VerifyPeer,
)
from sansticket.codes import CipherSuite, NamedGroup, ProtocolVersion
from sansticket.tickets.decision import TicketStatus
from sansticket.tickets.keys.go.codec import LIFETIME, GoCodec
from tests.support.configs import server_config
from tests.support.credentials import anchors, client_credential
from tests.support.inputs import BROKEN_ENTROPY, WRONG_BYTES
from tests.support.records import DUPLICATES
from tests.support.resumption import World, received, resumed
from tests.support.sessions import NOW, ORDINARY, ORDINARY_12, repeatable_entropy, sessions

KEY = GoTicketKey(bytes(range(32)))

GO: dict[str, tuple[str, str, int]] = {
    "1.27.3, 1.3": (
        "c1ae5ca8de4ed6218b233472e66fc15ead11727b7d486ace2f19067c5261dbf2d28ab89064086eff016897e6b537b2d3"
        "c6bc44723329a176819015408c530d7ee03c80055ad1137b3c1a5dc38a6ee3a3f4309e0b80ce6f1d321136245913e909"
        "23b70b45a8de0da903",
        "540d5535ebcb730dd122382927734e8d28a3d16357ccdeecd17d9f0860d967a0",
        1795941133,
    ),
    "1.27.3, 1.2": (
        "05b63cb92229da256fbbf0433db01d29e2fb4d6b37bc3403ca4f67e1db7616cbb703aa72f523b61813b157ab065db40d"
        "046356d4edbf6d39e1cb50e3db0b8c9d5d5b8953492a88f328a2e31e878cadc1497715eee1cee1537d29b59453542d6d"
        "1a76407939931307802b81491b1b5539ade368ca05f7b74ce6d385",
        "8680910c7c95390f66bf43b9bd2ae2dcaaca685a07d5705f90afc765adaae81595cb9f4169f27f9ac36a205c3efa1d59",
        1795941133,
    ),
    "1.24.11, 1.3": (
        "6f7217da9a0b9d284f14d80cfd7df0f8ebe5f30a80b926395499214f10312f677ddcd5ffead248718ed45b53297396ba"
        "a5656214a6acad76e2d9fd5df5f42964812de5417261dc273888cdae79c225738375d9fbda336decb8b70f507881fabb"
        "624314e31f9a093de4",
        "73455a4c0f3c1307c5fafe4ef2731bc763634076dd8e7283513446a419b2ae1a",
        1795941133,
    ),
    "1.24.11, 1.2": (
        "3a6c4cd2d129e1107d9cbd13f80a2308aa9b3024465f768ae44f01e797883b9a41c3aea9aabb551c8dc1bf1e123bbfd7"
        "4996988b702b32c2bdc002971e5dde022675c96428d5f70da0fb162151e43a29835c8055ab2a117eca919a7956bddbc8"
        "98dea4ab9d600572bd795616bcd90227c04f93777766298123",
        "d5f00ea0e8fca4bbfe12c30fd5fdaadedb64b508264ea4ad100bd0fb79ce4b4b5103b61972fd480d2046dd23748b49b1",
        1795941133,
    ),
}
"""Tickets and the secrets of their sessions, as a client of ours got them from Go under ``KEY``, and when."""


def other(number: int) -> GoTicketKey:
    return GoTicketKey.generate(repeatable_entropy(number))


# --- keys ----------------------------------------------------------------------------------------------------------


def test_how_the_keys_are_derived_and_a_ticket_is_laid_out() -> None:
    digest = sha512(bytes(range(32))).digest()
    ticket, iv = KEY.seal(b"session", repeatable_entropy(5)), repeatable_entropy(5)(16)
    encryptor = Cipher(AES(digest[16:32]), CTR(iv)).encryptor()
    assert ticket[:-32] == iv + encryptor.update(b"session") + encryptor.finalize()
    assert ticket[-32:] == hmac.digest(digest[32:48], ticket[:-32], "sha256")
    assert KEY.name == digest[:16]
    assert KEY.open(ticket) == b"session"


def test_no_secret_is_shown() -> None:
    shown = repr((KEY, GoTicketKeys([KEY])))
    digest = sha512(bytes(range(32))).digest()
    for secret in (KEY.secret, digest[16:32], digest[32:48]):
        assert secret.hex() not in shown
        assert repr(secret)[2:-1] not in shown
    assert KEY.name.hex() in shown


@pytest.mark.parametrize("wrong", [*WRONG_BYTES, 32, b"", bytes(31), bytes(33), bytes(48)])
def test_what_is_no_key(wrong: Any) -> None:
    with pytest.raises(ConfigError, match="secret"):
        GoTicketKey(wrong)


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_what_holds_bytes_is_copied(kind: Callable[[bytes], Any]) -> None:
    assert GoTicketKey(kind(bytes(range(32)))) == KEY


@pytest.mark.parametrize("entropy", BROKEN_ENTROPY)
def test_without_enough_entropy_nothing_is_made(entropy: Any) -> None:
    for make in (lambda: GoTicketKey.generate(entropy), lambda: KEY.seal(b"session", entropy)):
        with pytest.raises(ConfigError, match="entropy: gave"):
            make()


@pytest.mark.parametrize(
    "wrong", [*WRONG_BYTES, b"", bytes(32), {"a key"}, [bytes(32)], [None], [], [KEY, KEY]]
)
def test_keys_are_keys_in_an_order(wrong: Any) -> None:
    with pytest.raises(ConfigError, match="keys"):
        GoTicketKeys(wrong)


@pytest.mark.parametrize("flag", ["resume_unbound", "before_curves"])
def test_a_flag_is_a_flag(flag: str) -> None:
    wrong: Any = {flag: 1}
    with pytest.raises(ConfigError, match=rf"{flag}: .*expected True or False"):
        GoTicketKeys([KEY], **wrong)


def test_every_key_is_tried_and_the_first_seals() -> None:
    keys = GoTicketKeys([KEY, other(1), other(2)])
    ticket = keys.seal(b"session", NOW, os.urandom)
    assert KEY.open(ticket) == b"session"
    assert keys.open(ticket, NOW).status is TicketStatus.SUCCESS
    for older in (other(1), other(2)):
        opened = keys.open(older.seal(b"session", os.urandom), NOW)
        assert (opened.status, opened.key_name) == (TicketStatus.SUCCESS_RENEW, older.name)
        assert opened.plaintext == b"session"
    assert keys.open(other(3).seal(b"session", os.urandom), NOW).status is TicketStatus.NO_DECRYPT
    assert keys.open(b"", NOW).status is TicketStatus.EMPTY
    keys.replace([other(3)])
    assert keys.open(ticket, NOW).status is TicketStatus.NO_DECRYPT
    assert keys.keys == (other(3),)


@given(st.integers(0, 10_000))
def test_an_altered_ticket_does_not_open(place: int) -> None:
    ticket = bytearray(KEY.seal(b"session", repeatable_entropy(1)))
    ticket[place % len(ticket)] ^= 1 << place % 8
    assert KEY.open(bytes(ticket)) is None


@pytest.mark.parametrize("size", range(16))
def test_a_mac_over_less_than_an_iv(size: int) -> None:
    body = bytes(size)
    digest = sha512(bytes(range(32))).digest()
    assert KEY.open(body + hmac.digest(digest[32:48], body, "sha256")) is None


@pytest.mark.parametrize("duplicate", DUPLICATES, ids=["copy", "deepcopy", "pickle"])
def test_a_copy_seals_with_ivs_of_its_own(duplicate: Any) -> None:
    keys = GoTicketKeys([KEY], resume_unbound=True, before_curves=True)
    twin = duplicate(keys)
    assert twin.keys == keys.keys
    assert twin.codec == GoCodec(resume_unbound=True, before_curves=True)
    tickets = [one.seal(b"session", NOW, os.urandom) for one in (keys, twin) * 50]
    assert len({ticket[:16] for ticket in tickets}) == 100


def test_a_copy_of_a_key() -> None:
    for twin in (copy.copy(KEY), pickle.loads(pickle.dumps(KEY))):
        assert twin.open(KEY.seal(b"session", os.urandom)) == b"session"


# --- what Go sealed ------------------------------------------------------------------------------------------------


@frozen
class Encounter:
    server_name: str | None = "server.example"
    session_id_context: bytes = b"context"
    hello: Any = None
    config: Any = field(factory=server_config)


@pytest.mark.parametrize("name", GO)
def test_a_ticket_of_go(name: str) -> None:
    ticket, secret, created_at = GO[name]
    tls13 = name.endswith("1.3")
    plaintext = GoTicketKeys([KEY]).open(bytes.fromhex(ticket), NOW).plaintext
    assert plaintext is not None
    session = Session(
        version=ProtocolVersion.TLS_1_3 if tls13 else ProtocolVersion.TLS_1_2,
        cipher_suite=CipherSuite.AES_128_GCM_SHA256
        if tls13
        else CipherSuite.ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        secret=bytes.fromhex(secret),
        lifetime=LIFETIME,
        issued_at=created_at,
        extended_master_secret=not tls13,
        group=NamedGroup.X25519 if name == "1.27.3, 1.2" else 0,
    )
    assert GoCodec().decode(plaintext, NOW) == GoCodec().decode(plaintext, NOW, Encounter()) == session
    unbound = GoCodec(resume_unbound=True)
    assert unbound.decode(plaintext, NOW) == session
    bound = evolve(session, server_name="server.example", session_id_context=b"context")
    assert unbound.decode(plaintext, NOW, Encounter()) == bound


@pytest.mark.parametrize("name", GO)
def test_ours_is_what_go_would_write_but_for_our_entry(name: str) -> None:
    ticket, _, _ = GO[name]
    plaintext = KEY.open(bytes.fromhex(ticket))
    assert plaintext is not None
    codec = GoCodec(before_curves=name == "1.24.11, 1.2")
    made = codec.encode(codec.decode(plaintext, NOW))
    start = made.index(b"sansticket 1\0")
    entry = int.from_bytes(made[start - 3 : start])
    assert made[: start - 6] + bytes(3) + made[start + entry :] == plaintext


# --- sessions of ours ----------------------------------------------------------------------------------------------


@given(sessions(), st.booleans())
def test_nothing_of_ours_is_lost(session: Session, before_curves: bool) -> None:
    """But what a certificate is without the path by which somebody verified it."""
    if session.version == ProtocolVersion.TLS_1_3:
        session = evolve(session, extended_master_secret=False)
    if session.verified_chain and session.peer_certificates:
        leaf = session.peer_certificates[0]
        session = evolve(session, verified_chain=(leaf, *session.verified_chain[1:]))
    codec = GoCodec(before_curves=before_curves)
    decoded = codec.decode(codec.encode(session), NOW, Encounter("another"))
    if not (session.verified_chain and session.peer_certificates):
        session = evolve(session, peer_certificates=(), verified_chain=())
    assert decoded == session


def parts_of(plaintext: bytes) -> tuple[int, int]:
    """Where our entry begins, with the lengths before it, and where it ends."""
    start = plaintext.index(b"sansticket 1\0")
    return start - 6, start + int.from_bytes(plaintext[start - 3 : start])


@pytest.mark.parametrize("session", [ORDINARY, ORDINARY_12], ids=["1.3", "1.2"])
def test_what_is_left_when_go_has_renewed_it(session: Session) -> None:
    """Without our entry, it ends when Go's own time is over, and that is when ours would have ended."""
    session = evolve(session, app_data=b"a user")
    start, end = parts_of(plaintext := GoCodec().encode(session))
    left = GoCodec().decode(plaintext[:start] + bytes(3) + plaintext[end:], NOW)
    assert left.issued_at + left.lifetime == session.issued_at + session.lifetime
    assert (left.server_name, left.session_id_context, left.app_data, left.alpn) == (None, b"", b"", None)
    assert (left.secret, left.cipher_suite) == (session.secret, session.cipher_suite)
    assert left.extended_master_secret == session.extended_master_secret


def test_a_session_that_lives_longer_than_any_of_go() -> None:
    """There it ends seven days after it was issued, and its time is one that can be read."""
    for issued_at in (NOW, 279_581_520_710.655):
        session = evolve(ORDINARY, lifetime=(1 << 32) - 1, issued_at=issued_at)
        plaintext = GoCodec().encode(session)
        assert int.from_bytes(plaintext[5:13]) == int(issued_at)
        assert GoCodec().decode(plaintext, NOW) == session


def test_an_entry_that_was_copied_to_another_session_counts_for_nothing() -> None:
    codec, mine, theirs = GoCodec(), ORDINARY, evolve(ORDINARY, secret=bytes(32), server_name="b.example")
    (start, end), (other_start, other_end) = parts_of(codec.encode(mine)), parts_of(codec.encode(theirs))
    entry = codec.encode(mine)[start + 3 : end]
    plaintext = codec.encode(theirs)
    assert codec.decode(plaintext[:start] + bytes(3) + plaintext[other_end:], NOW).server_name is None
    swapped = plaintext[:other_start] + len(entry).to_bytes(3) + entry + plaintext[other_end:]
    assert codec.decode(swapped, NOW).server_name is None
    foreign = len(b"somebody's").to_bytes(3) + b"somebody's"
    both = foreign + entry + codec.encode(theirs)[other_start + 3 : other_end]
    kept = plaintext[:other_start] + len(both).to_bytes(3) + both + plaintext[other_end:]
    assert codec.decode(kept, NOW) == theirs


def test_certificates_of_somebody_whom_nobody_verified() -> None:
    shown = evolve(ORDINARY, peer_certificates=(b"leaf", b"issuer"))
    assert GoCodec().decode(GoCodec().encode(shown), NOW).peer_certificates == ()
    verified = evolve(shown, verified_chain=(b"leaf", b"issuer", b"root"))
    assert GoCodec().decode(GoCodec().encode(verified), NOW) == verified


@pytest.mark.parametrize("version", [ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2])
@pytest.mark.parametrize("asks", list(ClientAuthentication))
@pytest.mark.parametrize("verifier", ["the application", "trust anchors"])
def test_a_certificate_that_nobody_verified_is_asked_for_again(
    version: int, asks: ClientAuthentication, verifier: str
) -> None:
    """Also where it is welcome only: a client does not go on as nobody."""
    world = World()
    anybody = {VerifyPeer: lambda _: AcceptPeer()} if verifier == "the application" else {}
    can_ask = asks is not ClientAuthentication.NONE or version == ProtocolVersion.TLS_1_3
    config = world.server(
        versions=[version],
        ticket_keys=GoTicketKeys((KEY,)),
        client_authentication=asks,
        trust_anchors=anchors(),
        answers=anybody if can_ask else {},
    )
    client = world.client(versions=[version], credentials=[client_credential()])
    first = world.connect(config, client=client)
    pair = world.connect(config, received(first)[0], client=client)
    assert pair.server.peer_certificates == first.server.peer_certificates
    assert bool(pair.server.peer_certificates) is (asks is not ClientAuthentication.NONE)
    assert resumed(pair) is (asks is ClientAuthentication.NONE or not anybody)


def test_a_ticket_of_quic() -> None:
    """early_data is followed by the protocol."""
    plaintext = KEY.open(bytes.fromhex(GO["1.27.3, 1.3"][0]))
    assert plaintext is not None
    assert plaintext.endswith(bytes(3 + 2 + 3 + 3))
    quic = plaintext[:-7] + b"\1" + bytes(6) + b"\2h3"
    assert GoCodec().decode(quic, NOW) == GoCodec().decode(plaintext, NOW)


def test_what_a_later_go_may_add_changes_nothing() -> None:
    for name, (ticket, _, _) in GO.items():
        if name != "1.24.11, 1.2":
            plaintext = KEY.open(bytes.fromhex(ticket))
            assert plaintext is not None
            assert GoCodec().decode(plaintext + b"new", NOW) == GoCodec().decode(plaintext, NOW)


@pytest.mark.parametrize("session", [ORDINARY, ORDINARY_12], ids=["1.3", "1.2"])
def test_a_plaintext_that_was_cut_is_no_session(session: Session) -> None:
    chain = evolve(session, peer_certificates=(b"leaf",), verified_chain=(b"leaf", b"root"))
    plaintext = GoCodec(before_curves=True).encode(chain)
    for end in range(len(plaintext)):
        with pytest.raises(SessionFormatError):
            GoCodec().decode(plaintext[:end], NOW)


@pytest.mark.parametrize(
    ("place", "value", "why"),
    [
        (2, 2, "a client's session"),
        (2, 0, "a client's"),
        (0, 9, "version"),
        (-8, 2, "a flag"),
        (-7, 3, "a flag"),
    ],
)
def test_what_is_no_session_of_a_server(place: int, value: int, why: str) -> None:
    plaintext = KEY.open(bytes.fromhex(GO["1.27.3, 1.3"][0]))
    assert plaintext is not None
    altered = bytearray(plaintext)
    altered[place] = value
    with pytest.raises(SessionFormatError, match=why):
        GoCodec().decode(bytes(altered), NOW)


@given(st.binary(max_size=200))
def test_anything_else_is_no_session_or_one(plaintext: bytes) -> None:
    with suppress(SessionFormatError):
        assert GoCodec().decode(plaintext, NOW).version in (0x0303, 0x0304)


STEK = bytes.fromhex(
    "4a7f0301010f64697374726962757465645354454b01ff8000010301044b65797301ff8400010c4c617374526f746174"
    "696f6e01ff8600010c4e657874526f746174696f6e01ff860000001aff830201010b5b5d5b33325d75696e743801ff84"
    "0001ff8200000eff81010102ff820001060140000010ff850501010454696d6501ff860000005cff80010120ff9effb8"
    "ff9affb9fff7ffef17712b3253ffd6ffd6ffee5affbfffa4486cffe6fffffff8ffe8242bffb863ff95fffeffa4ffde1d"
    "010f010000000ee29dd9bc0fdcd7ae0000010f010000000ee29e827c0fdcd7ae000000"
)


# --- Caddy ---------------------------------------------------------------------------------------------------------


def test_the_storage_of_caddy() -> None:
    """Written by Caddy 2.11.7."""
    stek = CaddyTicketKeys.from_bytes(STEK)
    assert [key.secret[:4].hex() for key in stek.keys] == ["9eb89ab9"]
    assert stek.next_rotation - stek.last_rotation == 12 * 3600
    assert stek.last_rotation == pytest.approx(1795941052.266, abs=0.001)
    assert GoTicketKeys(stek.keys).keys == stek.keys


VALUE = STEK.index(bytes.fromhex("5cff80"))
"""Where the message with the value begins; the type of the struct is below 0 in its definition."""


def with_value(change: Callable[[bytes], bytes]) -> bytes:
    value = change(STEK[VALUE + 1 :])
    return STEK[:VALUE] + bytes((len(value),)) + value


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it ends before a value"),
        (STEK[:VALUE], "it ends before a value"),
        (STEK.replace(b"NextRot", b"NextXxx"), "its fields have other names"),
        (STEK.replace(b"Keys", b"Kyes"), "its fields have other names"),
        (STEK + b"\0", "bytes after the end"),
        (with_value(lambda value: value + b"\0"), "bytes after the end"),
        (with_value(lambda value: value[:-1] + b"\1"), "a fourth field"),
        (with_value(lambda value: value.replace(b"\1\1\x20", b"\2\1\x20", 1)), "a field is missing"),
        (with_value(lambda value: value.replace(b"\1\1\x20", b"\1\0\x20", 1)), "0 keys"),
        (with_value(lambda value: value.replace(b"\1\1\x20", b"\1\xfe\xff\xff\x20", 1)), "65535 keys"),
        (with_value(lambda value: value.replace(b"\1\1\x20", b"\1\1\x21", 1)), "a key that has not 32 bytes"),
        (with_value(lambda value: value.replace(b"\x20\xff", b"\x20\xfe\1", 1)), "a byte above 255"),
        (with_value(lambda value: value.replace(b"\1\x0f\1", b"\1\x0f\2", 1)), "a time in another format"),
        (with_value(lambda value: value.replace(b"\1\x0f\1", b"\1\x10\1", 1)), "a time in another format"),
        (b"\xf0" + bytes(20), "a number of more than eight bytes"),
    ],
)
def test_what_is_no_storage_of_caddy(content: bytes, why: str) -> None:
    assert content != STEK
    with pytest.raises(ConfigError, match=f"content: not Caddy's stek.bin: {why}"):
        CaddyTicketKeys.from_bytes(content)


def test_definitions_are_put_together_once() -> None:
    """What takes time with the square of their number would take many seconds here."""
    start = process_time()
    with pytest.raises(ConfigError, match="it ends before a value"):
        CaddyTicketKeys.from_bytes((b"\x7f\1" + bytes(126)) * 40_000)
    assert process_time() - start < 3


def test_a_storage_that_was_cut() -> None:
    for end in range(len(STEK)):
        with pytest.raises(ConfigError, match="content"):
            CaddyTicketKeys.from_bytes(STEK[:end])


@pytest.mark.parametrize("wrong", [*WRONG_BYTES, 5])
def test_a_storage_is_bytes(wrong: Any) -> None:
    with pytest.raises(ConfigError, match=r"content: .*expected bytes"):
        CaddyTicketKeys.from_bytes(wrong)
