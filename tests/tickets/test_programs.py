"""The key files of each program: its layout byte by byte, what it cannot have, and whose file it could be instead."""

from __future__ import annotations

import base64
import copy
import hmac
import os
import pickle
import struct
from typing import Any

import pytest
from attrs import evolve

from sansticket.errors import ConfigError
from sansticket.library import SSL_SESSIONS
from sansticket.tickets.decision import TicketStatus
from sansticket.tickets.keys.openssl import OpenSSLTicketKey, OpenSSLTicketKeys
from sansticket.tickets.keys.programs.layouts import PROGRAMS
from tests.support.inputs import WRONG_BYTES
from tests.support.newer import needs
from tests.support.sessions import NOW, ORDINARY

NAME = bytes(range(16))
SMALL = OpenSSLTicketKey(NAME, b"A" * 16, b"H" * 16)
LARGE = OpenSSLTicketKey(NAME, b"A" * 32, b"H" * 32)
H2O = OpenSSLTicketKey(NAME, b"A" * 32, b"H" * 64, 1_700_000_000, 1_700_003_600)
DATED = evolve(LARGE, not_before=1_700_000_000, not_after=1_700_003_600)
YAML = f"""\
- name: {NAME.hex()}
  cipher: AES-256-CBC
  hash: SHA256
  key: {(b"A" * 32 + b"H" * 64).hex()}
  not_before: 1700000000
  not_after: 1700003600
"""
STEK = struct.pack("=III", 0, 1_700_000_000, 1_700_003_600)


def named(number: int, key: OpenSSLTicketKey = LARGE) -> OpenSSLTicketKey:
    return evolve(key, name=bytes((number,)) * 16)


def lines(*keys: OpenSSLTicketKey) -> bytes:
    return b"".join(base64.b64encode(key.name + key.aes_key + key.hmac_key) + b"\n" for key in keys)


LAYOUTS: list[tuple[str, tuple[OpenSSLTicketKey, ...], tuple[bytes, ...]]] = [
    ("nginx", (SMALL,), (NAME + b"A" * 16 + b"H" * 16,)),
    ("nginx", (LARGE, named(1)), (NAME + b"H" * 32 + b"A" * 32, bytes((1,)) * 16 + b"H" * 32 + b"A" * 32)),
    ("envoy", (LARGE,), (NAME + b"H" * 32 + b"A" * 32,)),
    ("node", (SMALL,), (NAME + b"H" * 16 + b"A" * 16,)),
    (
        "traffic_server",
        (SMALL, named(1, SMALL)),
        (NAME + b"H" * 16 + b"A" * 16 + bytes((1,)) * 16 + b"H" * 16 + b"A" * 16,),
    ),
    ("lighttpd", (DATED,), (STEK + NAME + b"H" * 32 + b"A" * 32,)),
    ("haproxy", (LARGE, named(1), named(2)), (lines(named(2), LARGE, named(1)),)),
    ("haproxy", (SMALL, named(1, SMALL), named(2, SMALL)), (lines(named(2, SMALL), SMALL, named(1, SMALL)),)),
    ("h2o", (H2O,), (YAML.encode(),)),
]


@pytest.mark.parametrize(("program", "keys", "contents"), LAYOUTS)
def test_the_layout(program: str, keys: tuple[OpenSSLTicketKey, ...], contents: tuple[bytes, ...]) -> None:
    read = OpenSSLTicketKeys.from_files(program, *contents)
    assert read.keys == keys
    assert read.to_files(program) == contents
    assert OpenSSLTicketKeys(keys).to_files(program) == contents


def test_every_program_is_here() -> None:
    assert {program for program, _, _ in LAYOUTS} == set(PROGRAMS)


@pytest.mark.parametrize("wrong", ["", "Nginx", "apache", None, 5, b"nginx", [], SMALL.to_bytes()])
def test_the_program_is_named(wrong: Any) -> None:
    """What was given before without a name is one that is none."""
    for use in (
        lambda: OpenSSLTicketKeys.from_files(wrong, SMALL.to_bytes()),
        lambda: OpenSSLTicketKeys([SMALL]).to_files(wrong),
    ):
        with pytest.raises(
            ConfigError, match=r"^program: .*; expected whose keys they are.*nginx, haproxy"
        ) as caught:
            use()
        assert caught.value.field == "program"
        assert "AAAA" not in str(caught.value)


@pytest.mark.parametrize(
    ("program", "content", "why"),
    [
        ("nginx", bytes(92), "92 bytes; nginx's have 48 or 80: it could be a key of lighttpd"),
        ("node", bytes(80), "80 bytes; node's have 48: it could be a key of nginx or envoy"),
        (
            "lighttpd",
            bytes(48),
            "48 bytes; lighttpd's have 92: it could be a key of nginx or node or traffic_server",
        ),
        ("envoy", bytes(48), "48 bytes; envoy's have 80"),
        ("traffic_server", bytes(100), "100 bytes; traffic_server's have 48$"),
        ("traffic_server", b"", "0 bytes"),
        ("h2o", bytes(80), "80 bytes; h2o's file is text: it could be a key of nginx or envoy"),
        ("haproxy", bytes(92), "haproxy's file is text: it could be a key of lighttpd"),
        ("lighttpd", struct.pack("=I", 1) + bytes(88), "version 1; expected 0, in this machine's byte order"),
        ("lighttpd", struct.pack("=III", 0, 5, 4) + bytes(80), "not_after: 4; expected .* 5 to 4294967295"),
        (
            "lighttpd",
            struct.pack("=III", 0, 5, 1 << 31) + bytes(80),
            "2147483648; expected 2147483647 at most",
        ),
        (
            "lighttpd",
            struct.pack("=III", 0, 1 << 31, 5) + bytes(80),
            "2147483648; expected 2147483647 at most",
        ),
        ("h2o", b"", "none given"),
        ("h2o", b"\xff\xfe\xfd", "3 bytes that are no text"),
        ("h2o", b"name: 00", "line 1: expected one of name, cipher"),
        ("h2o", b"- colour: red", "line 1"),
        ("h2o", b"- name: 00\n  name: 01\n", "line 2"),
        ("h2o", b"- name\n", "line 1"),
        ("h2o", b"- name: 00\n", "key 1 has no cipher"),
        (
            "h2o",
            (YAML + YAML.replace("AES-256", "AES-192")).encode(),
            "key 2 is not of AES-256-CBC or AES-128-CBC",
        ),
        ("h2o", YAML.replace("SHA256", "SHA384").encode(), "with SHA256"),
        ("h2o", YAML.replace("key: 41", "key: 4x").encode(), "key 1 has a field that is no number"),
        ("h2o", YAML.replace("_after: 1", "_after: x").encode(), "no number"),
        ("h2o", YAML.replace("key: 41", "key: ").encode(), "key 1 has 95 bytes; expected 96"),
        ("h2o", YAML.replace("name: 00", "name: ").encode(), "key 1: name: a ticket key's name has 16 bytes"),
        ("h2o", YAML.replace("_after: 1700003600", "_after: 5").encode(), "key 1: not_after: 5; expected"),
    ],
)
def test_what_is_no_file_of_the_program(program: str, content: bytes, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as caught:
        OpenSSLTicketKeys.from_files(program, content)
    assert caught.value.field in ("keys", "not_after")


@pytest.mark.parametrize(
    ("program", "keys", "why"),
    [
        ("nginx", [H2O], "one of 112 bytes, with times; expected 48 or 80 bytes, without times"),
        ("nginx", [DATED], "one of 80 bytes, with times"),
        ("node", [LARGE], "one of 80 bytes; expected 48 bytes, without times"),
        ("envoy", [SMALL], "one of 48 bytes; expected 80"),
        ("traffic_server", [LARGE], "one of 80 bytes; expected 48"),
        ("lighttpd", [SMALL], "one of 48 bytes; lighttpd's have 80"),
        (
            "lighttpd",
            [evolve(LARGE, not_before=1 << 31)],
            "lighttpd reads its times with a sign: 2147483648; expected 2147483647",
        ),
        ("haproxy", [LARGE, named(1)], "2; haproxy uses 3 of one size"),
        ("haproxy", [LARGE, named(1), named(2, SMALL)], "3; haproxy uses 3 of one size"),
        ("haproxy", [H2O, named(1), named(2)], "one of 112 bytes"),
    ],
)
def test_keys_that_a_program_cannot_have(program: str, keys: list[OpenSSLTicketKey], why: str) -> None:
    with pytest.raises(ConfigError, match=f"keys: {why}"):
        OpenSSLTicketKeys(keys).to_files(program)


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("wrong", [*WRONG_BYTES, 48])
def test_content_is_bytes(program: str, wrong: Any) -> None:
    with pytest.raises(ConfigError, match=r"keys: a value of type .*; expected bytes"):
        OpenSSLTicketKeys.from_files(program, wrong)


def test_no_file_is_no_key() -> None:
    with pytest.raises(ConfigError, match="none given; expected at least one key"):
        OpenSSLTicketKeys.from_files("nginx")


def test_a_key_of_h2o_in_other_words() -> None:
    """The lines in another order, quotes, comments, empty lines, and the other cipher; the newest key comes first."""
    small = evolve(H2O, name=bytes(16), aes_key=b"a" * 16, not_before=1_700_001_000)
    text = f"""---
# keys of the fleet

- key: "{(small.aes_key + small.hmac_key).hex()}"   # secret
  not_after: 1700003600
  not_before: '1700001000'
  name: {small.name.hex()}
  hash: sha-256
  cipher: aes-128-cbc
"""
    read = OpenSSLTicketKeys.from_files(
        "h2o",
        (YAML + text.removeprefix("---\n")).encode(),
        text.replace(small.name.hex(), bytes((9,) * 16).hex()).encode(),
    )
    assert read.keys == (small, H2O, evolve(small, name=bytes((9,) * 16)))
    (written,) = read.to_files("h2o")
    assert OpenSSLTicketKeys.from_files("h2o", written).keys == (small, read.keys[2], H2O)


def test_numbers_of_h2o_have_64_bits() -> None:
    content = YAML.replace("_after: 1700003600", f"_after: {2**64 - 1}").encode()
    (key,) = OpenSSLTicketKeys.from_files("h2o", content).keys
    assert key.not_after == 2**32 - 1


def test_a_shorter_key_for_h2o_is_the_same_key() -> None:
    """HMAC pads its key with zeros to the block."""
    (written,) = OpenSSLTicketKeys([LARGE]).to_files("h2o")
    (read,) = OpenSSLTicketKeys.from_files("h2o", written).keys
    assert len(read.hmac_key) == 64
    assert read.open(LARGE.seal(b"session", os.urandom)) == b"session"


# --- keys with times -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("times", "field"),
    [
        ((-1, 5), "not_before"),
        ((5, 4), "not_after"),
        ((0, 2**32), "not_after"),
        ((0.5, 4), "not_before"),
        ((True, 4), "not_before"),
        ((0, None), "not_after"),
    ],
)
def test_times_are_whole_seconds(times: tuple[Any, Any], field: str) -> None:
    with pytest.raises(ConfigError, match="expected whole seconds since the epoch") as caught:
        OpenSSLTicketKey(NAME, bytes(16), bytes(16), *times)
    assert caught.value.field == field


def test_a_key_seals_in_its_time_and_opens_until_its_end() -> None:
    old, new = named(1, evolve(DATED, not_before=100, not_after=300)), named(2, evolve(DATED, not_before=200))
    keys = OpenSSLTicketKeys([new, old])
    ticket = {key: key.seal(b"session", os.urandom) for key in (old, new)}
    assert keys.seal(b"session", 99.9, os.urandom) == b""
    for now, sealing in ((100, old), (199.9, old), (200, new), (300.9, new), (1e9, new)):
        assert keys.seal(b"session", now, os.urandom).startswith(sealing.name)
        assert keys.open(ticket[sealing], now).status is TicketStatus.SUCCESS
    # Known before it is used, so that a server whose clock is ahead can use it.
    assert keys.open(ticket[new], 50).status is TicketStatus.SUCCESS_RENEW
    assert keys.open(ticket[old], 300.9).status is TicketStatus.SUCCESS_RENEW
    assert keys.open(ticket[old], 301).status is TicketStatus.NO_DECRYPT
    assert keys.open(ticket[new], new.not_after + 1).status is TicketStatus.NO_DECRYPT
    assert keys.seal(b"session", new.not_after + 1, os.urandom) == b""


def test_a_key_with_times_is_none_of_nginx() -> None:
    with pytest.raises(ConfigError, match="of 80 bytes, with times; nginx's have 48 or 80, and none"):
        DATED.to_bytes()
    with pytest.raises(ConfigError, match="of 112 bytes; nginx's"):
        evolve(H2O, not_before=0, not_after=2**32 - 1).to_bytes()


def test_an_hmac_key_of_64_bytes() -> None:
    ticket = H2O.seal(b"session", os.urandom)
    assert ticket[-32:] == hmac.digest(b"H" * 64, ticket[:-32], "sha256")
    assert H2O.open(ticket) == b"session"
    assert H2O.size == 112


# --- sessions without a name ---------------------------------------------------------------------------------------


class Encounter:
    """Of which a codec asks for the name alone."""

    hello: Any = None
    session_id_context = b""
    config = None

    def __init__(self, server_name: str | None) -> None:
        self.server_name = server_name


@needs(SSL_SESSIONS)
def test_a_session_without_a_name_has_the_clients_where_that_is_said() -> None:
    unbound = OpenSSLTicketKeys([LARGE], resume_unbound=True)
    plain = OpenSSLTicketKeys.from_files("nginx", LARGE.to_bytes())
    nameless, named = (plain.codec.encode(evolve(ORDINARY, server_name=name)) for name in (None, "a.example"))
    for keys, plaintext, encounter, expected in (
        (unbound, nameless, Encounter("b.example"), "b.example"),
        (unbound, nameless, Encounter(None), None),
        (unbound, nameless, None, None),
        (plain, nameless, Encounter("b.example"), None),
        (unbound, named, Encounter("b.example"), "a.example"),
    ):
        assert keys.codec.decode(plaintext, NOW, encounter).server_name == expected


@pytest.mark.parametrize("wrong", [None, 1, "yes"])
def test_a_flag_is_a_flag(wrong: Any) -> None:
    with pytest.raises(ConfigError, match=r"resume_unbound: .*expected True or False"):
        OpenSSLTicketKeys([LARGE], resume_unbound=wrong)


def test_a_copy_keeps_what_was_said() -> None:
    for unbound in (True, False):
        keys = OpenSSLTicketKeys.from_files(
            "node", *OpenSSLTicketKeys([SMALL]).to_files("node"), resume_unbound=unbound
        )
        for twin in (copy.copy(keys), copy.deepcopy(keys), pickle.loads(pickle.dumps(keys))):
            assert twin.codec.resume_unbound is unbound
            assert twin.keys == (SMALL,)
