"""External PSKs as values, and their importer (RFC 9257, RFC 9258)."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansticket import (
    ClientConfig,
    ConfigError,
    ExternalPsk,
    ImportedIdentity,
    PskKeyExchangeMode,
    PskRole,
    ServerConfig,
    import_psk,
)
from tests.support.configs import client_config, server_config

KEY = bytes(range(1, 33))
CLIENT, SERVER = PskRole.CLIENT, PskRole.SERVER
DHE, KE = PskKeyExchangeMode.PSK_DHE_KE, PskKeyExchangeMode.PSK_KE


def psk(identity: bytes = b"sensor-7", key: bytes = KEY, role: PskRole = CLIENT, **more: Any) -> ExternalPsk:
    return ExternalPsk(identity, key, role=role, **more)


# --- one ---------------------------------------------------------------------------------------------------------


def test_the_key_is_not_shown_and_the_identity_is_bounded() -> None:
    one = psk(b"\x1b[31m" + bytes(60_000), b"a secret of many bytes")
    assert "secret" not in repr(one)
    assert len(repr(one)) < 500
    assert repr(one).isprintable()
    said = ImportedIdentity(bytes(60_000), b"\x1b" * 5000)
    assert len(repr(said)) < 700


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("identity", "sensor-7", "a value of type str; expected bytes"),
        ("identity", b"", "0 bytes; expected 1 to 65535"),
        ("identity", bytes(65_536), "65536 bytes"),
        ("key", "secret", "a value of type str; expected bytes"),
        ("key", bytes(15), "15 bytes; expected at least 16"),
        ("key", b"", "0 bytes; expected at least 16"),
        ("hash_name", "sha512", "'sha512'; expected one of sha256, sha384"),
        ("hash_name", 5, "5; expected one of"),
        ("role", "client", "a value of type str; expected a PskRole"),
        ("modes", (KE, DHE), "expected PSK_DHE_KE, and perhaps PSK_KE after it"),
        ("modes", (KE,), "expected PSK_DHE_KE"),
        ("modes", (), "expected PSK_DHE_KE"),
        ("modes", 1, "expected PSK_DHE_KE"),
        ("modes", "dhe", "expected PSK_DHE_KE"),
        ("imported", 1, "a value of type int; expected True or False"),
    ],
)
def test_a_wrong_value(field: str, value: object, complaint: str) -> None:
    with pytest.raises(ConfigError, match=f"^{field}: .*{complaint}") as caught:
        ExternalPsk(**{"identity": b"a", "key": KEY, "role": CLIENT, field: value})  # type: ignore[arg-type]
    assert caught.value.field == field
    assert "secret" not in str(caught.value)


def test_what_is_not_said() -> None:
    one = psk()
    assert (one.hash_name, one.modes, one.imported) == ("sha256", (DHE,), False)
    assert not one.does_without_key_exchange
    assert psk(modes=[DHE, KE]).does_without_key_exchange
    assert psk(key=bytes(16)).key == bytes(16)


def test_a_fingerprint_is_of_all_that_counts() -> None:
    """And not of the role and the modes, in which the two sides differ or may change."""
    others = [
        psk(b"sensor-8"),
        psk(key=bytes(32)),
        psk(hash_name="sha384"),
        psk(imported=True),
    ]
    assert len({one.fingerprint for one in (psk(), *others)}) == 5
    assert psk().fingerprint == psk(role=SERVER, modes=(DHE, KE)).fingerprint
    assert KEY not in psk().fingerprint
    contexts = {one.session_context(b"") for one in (psk(), *others)} | {psk().session_context(b"x")}
    assert len(contexts) == 6
    assert {len(context) for context in contexts} == {32}


# --- the importer ------------------------------------------------------------------------------------------------


def extract(hash_name: str, key: bytes) -> bytes:
    return hmac.new(bytes(hashlib.new(hash_name).digest_size), key, hash_name).digest()


def expand(hash_name: str, secret: bytes, label: bytes, context: bytes, length: int) -> bytes:
    """HKDF-Expand-Label by its definition, apart from the package."""
    label = b"tls13 " + label
    info = length.to_bytes(2) + bytes([len(label)]) + label + bytes([len(context)]) + context
    output, block, counter = b"", b"", 0
    while len(output) < length:
        counter += 1
        block = hmac.new(secret, block + info + bytes([counter]), hash_name).digest()
        output += block
    return output[:length]


def test_the_computed_vector() -> None:
    first, second = import_psk(b"sensor-7", KEY, role=CLIENT, context=b"client=a;server=b")
    wire = b"\x00\x08sensor-7\x00\x11client=a;server=b\x03\x04\x00"
    assert (first.identity, second.identity) == (wire + b"\x01", wire + b"\x02")
    assert (first.hash_name, second.hash_name) == ("sha256", "sha384")
    assert first.key.hex() == "f91d93c2dc6f9a92b8067fc5b83f217c8a9ac1c00795fab6581464bd3736f74b"
    assert second.key.hex() == (
        "3f902ec00c7ae86dd25ca786741f39d4f1ea67a4830594a42010a858effad7e0a7d114b29538f7a39ba56c8cc139a63f"
    )
    assert first.imported
    assert first.binder_label == b"imp binder"
    assert psk().binder_label == b"ext binder"


@given(
    external=st.binary(min_size=1, max_size=300),
    key=st.binary(min_size=16, max_size=100),
    context=st.binary(max_size=300),
    hash_name=st.sampled_from(("sha256", "sha384")),
)
def test_every_step_by_its_definition(external: bytes, key: bytes, context: bytes, hash_name: str) -> None:
    """RFC 9258 section 5.1: three of the four hashes are the key's own, the length is that of the target."""
    made = import_psk(external, key, role=SERVER, context=context, hash_name=hash_name)
    for one, target, kdf in zip(made, ("sha256", "sha384"), (1, 2), strict=True):
        wire = len(external).to_bytes(2) + external + len(context).to_bytes(2) + context
        wire += b"\x03\x04" + kdf.to_bytes(2)
        length = hashlib.new(target).digest_size
        about = hashlib.new(hash_name, wire).digest()
        assert one.identity == wire
        assert one.key == expand(hash_name, extract(hash_name, key), b"derived psk", about, length)
        assert (one.hash_name, one.role) == (target, SERVER)


def test_both_sides_come_to_the_same() -> None:
    client = import_psk(b"a", KEY, role=CLIENT, context=b"c", modes=(DHE, KE))
    server = import_psk(b"a", KEY, role=SERVER, context=b"c")
    assert [(one.identity, one.key) for one in client] == [(one.identity, one.key) for one in server]
    assert [one.does_without_key_exchange for one in (*client, *server)] == [True, True, False, False]


def test_a_role_in_the_context_makes_another_key() -> None:
    """So that two nodes can share one key in both roles, and neither can be made to talk to itself (appendix A)."""
    as_client = import_psk(b"pair", KEY, role=CLIENT, context=b"client=a;server=b")
    as_server = import_psk(b"pair", KEY, role=SERVER, context=b"client=b;server=a")
    assert {one.key for one in as_client}.isdisjoint({one.key for one in as_server})
    assert {one.identity for one in as_client}.isdisjoint({one.identity for one in as_server})


def test_one_target_only() -> None:
    (only,) = import_psk(b"a", KEY, role=CLIENT, target_hashes=["sha384"])
    assert only.hash_name == "sha384"


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("external_identity", {"external_identity": b""}),
        ("key", {"key": bytes(15)}),
        ("key", {"key": "secret"}),
        ("context", {"context": "text"}),
        ("context", {"context": bytes(65_536)}),
        ("context", {"context": bytes(65_530)}),
        ("hash_name", {"hash_name": "md5"}),
        ("target_hashes", {"target_hashes": ["md5"]}),
        ("role", {"role": 1}),
        ("modes", {"modes": (KE,)}),
    ],
)
def test_what_cannot_be_imported(field: str, changes: dict[str, Any]) -> None:
    given = {"external_identity": b"sensor-7", "key": KEY, "role": CLIENT, **changes}
    with pytest.raises(ConfigError, match=f"{field}: "):
        import_psk(**given)


@given(st.binary(max_size=40))
def test_what_looks_like_an_imported_identity(data: bytes) -> None:
    """There and back, or it does not look like one."""
    said = ImportedIdentity.parse(data)
    assert said is None or said.encode() == data


@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"\x00\x01", b"sensor-7", b"\x00\x00\x00\x00\x03\x04\x00\x01"]
)
def test_what_does_not(data: bytes) -> None:
    assert ImportedIdentity.parse(data) is None


def test_every_strict_prefix_and_one_byte_more() -> None:
    whole = import_psk(b"sensor-7", KEY, role=CLIENT, context=b"c")[0].identity
    assert ImportedIdentity.parse(whole) == ImportedIdentity(b"sensor-7", b"c", 0x0304, 1)
    for end in range(len(whole)):
        assert ImportedIdentity.parse(whole[:end]) is None
    assert ImportedIdentity.parse(whole + b"\0") is None


@pytest.mark.parametrize(("protocol", "kdf"), [(0x0303, 1), (0xFEFC, 1), (0x0304, 0), (0x0304, 3)])
def test_a_target_that_is_not_ours(protocol: int, kdf: int) -> None:
    """DTLS, or a KDF of which there is no suite: such an identity names no PSK."""
    said = ImportedIdentity(b"sensor-7", b"", protocol, kdf)
    assert said.derive(KEY, role=SERVER) is None


# --- in a config -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("make", "role"), [(client_config, CLIENT), (server_config, SERVER)])
@pytest.mark.parametrize(
    ("psks", "complaint"),
    [
        ("wrong role", "is for a .*; expected PskRole"),
        ("twice", "is there twice; expected one key of one hash"),
        ("two hashes", "is there with another hash too"),
    ],
)
def test_what_a_config_refuses(make: Any, role: PskRole, psks: str, complaint: str) -> None:
    other = SERVER if role is CLIENT else CLIENT
    given = {
        "wrong role": [psk(role=other)],
        "twice": [psk(role=role), psk(key=bytes(32), role=role, hash_name="sha384")],
        "two hashes": [psk(role=role), psk(b"another", role=role, hash_name="sha384")],
    }
    with pytest.raises(ConfigError, match=f"^psks: .*{complaint}"):
        make(psks=given[psks])


@pytest.mark.parametrize(("make", "role"), [(client_config, CLIENT), (server_config, SERVER)])
def test_a_psk_needs_a_suite_of_its_hash(make: Any, role: PskRole) -> None:
    with pytest.raises(ConfigError, match=r"^psks: none has the hash"):
        make(psks=[psk(role=role, hash_name="sha384")], cipher_suites=[0x1301])
    with pytest.raises(ConfigError, match=r"^psks: none has the hash"):
        make(psks=[psk(role=role)], versions=[0x0303])
    imported = import_psk(b"a", KEY, role=role)
    assert make(psks=imported, cipher_suites=[0x1301]).psks == imported


def test_many_identities_leave_room() -> None:
    with pytest.raises(ConfigError, match=r"^psks: too many; expected identities of at most 16384 bytes"):
        client_config(psks=[psk(bytes(16_384))])
    assert client_config(psks=[psk(bytes(16_000))])
    assert server_config(psks=[psk(bytes(65_535), role=SERVER)])


def test_psks_alone() -> None:
    """Neither trust anchors nor a certificate are needed; TLS 1.2 is not offered then."""
    client, server = ClientConfig(psks=[psk()]), ServerConfig(psks=[psk(role=SERVER)])
    assert client.psk_only
    assert server.psk_only
    assert client.usable_versions == server.usable_versions == (0x0304,)
    assert ClientConfig(psks=[psk()], verify_peer=False).psk_only
    assert not client_config(psks=[psk()]).psk_only
    assert not client_config().psk_only
    assert not server_config(psks=[psk(role=SERVER)]).psk_only
    for make in (ClientConfig, ServerConfig):
        role = CLIENT if make is ClientConfig else SERVER
        with pytest.raises(ConfigError, match=r"^versions: without TLS 1\.3"):
            make(psks=[psk(role=role)], versions=[0x0303])


def test_required_certificates_and_psks() -> None:
    from sansticket import ClientAuthentication
    from tests.support.credentials import anchors

    policy = {"client_authentication": ClientAuthentication.REQUIRED, "trust_anchors": anchors()}
    with pytest.raises(ConfigError, match=r"^psks: given, but client certificates are required"):
        server_config(psks=[psk(role=SERVER)], **policy)


def test_the_store_tells_psks_apart() -> None:
    keys = [
        client_config(psks=psks).store_key("server.example")
        for psks in ([], [psk()], [psk(b"other")], [psk(), psk(b"other", bytes(32))])
    ]
    assert len(set(keys)) == 4
