"""Every group against itself, against the library, and against shares that are none."""

import copy
import hashlib
import os
import pickle

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, x448, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from sansticket.codes import NamedGroup
from sansticket.crypto import groups
from sansticket.crypto.groups import GROUPS, P256_ORDER, P384_ORDER, P521_ORDER, generate, respond
from sansticket.errors import Fault, Reason
from sansticket.library import ML_KEM, MLKEM768PrivateKey, MLKEM1024PrivateKey
from tests.support.edits import flipped
from tests.support.newer import each, needs
from tests.support.rfc8448 import RESUMED, RETRY, SIMPLE, Trace

HYBRIDS = [NamedGroup.X25519_MLKEM768, NamedGroup.SECP256R1_MLKEM768, NamedGroup.SECP384R1_MLKEM1024]
EACH = each(NamedGroup, groups.NEWER)
EACH_HYBRID = each(HYBRIDS, groups.NEWER)
CURVES = {
    NamedGroup.SECP256R1: (ec.SECP256R1(), P256_ORDER),
    NamedGroup.SECP384R1: (ec.SECP384R1(), P384_ORDER),
    NamedGroup.SECP521R1: (ec.SECP521R1(), P521_ORDER),
}
# (first share, second share, secret) in bytes
LENGTHS = {
    NamedGroup.X25519: (32, 32, 32),
    NamedGroup.X448: (56, 56, 56),
    NamedGroup.SECP256R1: (65, 65, 32),
    NamedGroup.SECP384R1: (97, 97, 48),
    NamedGroup.SECP521R1: (133, 133, 66),
    NamedGroup.X25519_MLKEM768: (1184 + 32, 1088 + 32, 64),
    NamedGroup.SECP256R1_MLKEM768: (65 + 1184, 65 + 1088, 64),
    NamedGroup.SECP384R1_MLKEM1024: (97 + 1568, 97 + 1568, 80),
}


class Entropy:
    """A reproducible stream that remembers how much of it was taken."""

    def __init__(self, seed: bytes = b"") -> None:
        self.seed = seed
        self.taken: list[int] = []

    def __call__(self, count: int) -> bytes:
        self.taken.append(count)
        return hashlib.shake_256(self.seed + bytes([len(self.taken)])).digest(count)


def refused(group: int, share: bytes) -> None:
    """Neither side takes the share."""
    with pytest.raises(Fault) as caught:
        respond(group, share, os.urandom)
    assert caught.value.reason is Reason.BAD_KEY_SHARE
    with pytest.raises(Fault) as caught:
        generate(group, os.urandom).finish(share)
    assert caught.value.reason is Reason.BAD_KEY_SHARE


def test_every_group_with_a_name_is_there_and_works() -> None:
    assert set(GROUPS) == set(NamedGroup)
    assert groups.supported() == {
        group for group in GROUPS if group not in groups.NEWER or groups.NEWER[group].installed
    }
    assert set(groups.NEWER) == set(HYBRIDS)


@pytest.mark.parametrize("group", EACH)
def test_both_sides_agree(group: NamedGroup) -> None:
    exchange = generate(group, os.urandom)
    share, secret = respond(group, exchange.public, os.urandom)
    assert exchange.group == group
    assert exchange.finish(share) == secret
    assert (len(exchange.public), len(share), len(secret)) == LENGTHS[group]


@pytest.mark.parametrize("group", EACH)
def test_exchanges_differ(group: NamedGroup) -> None:
    first, second = generate(group, os.urandom), generate(group, os.urandom)
    assert first.public != second.public
    assert respond(group, first.public, os.urandom) != respond(group, first.public, os.urandom)


@pytest.mark.parametrize("group", EACH)
def test_all_randomness_of_the_first_side_comes_from_entropy(group: NamedGroup) -> None:
    first, second, other = (generate(group, Entropy(seed)) for seed in (b"a", b"a", b"b"))
    assert first == second
    assert first.public != other.public


@pytest.mark.parametrize("group", [group for group in NamedGroup if group not in HYBRIDS])
def test_all_randomness_of_the_second_side_comes_from_entropy(group: NamedGroup) -> None:
    share = generate(group, os.urandom).public
    assert respond(group, share, Entropy()) == respond(group, share, Entropy())


@pytest.mark.parametrize("group", EACH_HYBRID)
def test_in_a_hybrid_answer_only_the_half_of_the_curve_does(group: NamedGroup) -> None:
    share = generate(group, os.urandom).public
    first, second = (respond(group, share, Entropy())[0] for _ in range(2))
    assert first != second
    if group == NamedGroup.X25519_MLKEM768:
        assert first[1088:] == second[1088:]
    else:
        point = LENGTHS[group][1] - (1088 if group == NamedGroup.SECP256R1_MLKEM768 else 1568)
        assert first[:point] == second[:point]


@pytest.mark.parametrize("group", EACH)
def test_an_exchange_can_be_copied_and_pickled_and_shows_no_secret(group: NamedGroup) -> None:
    exchange = generate(group, os.urandom)
    share, secret = respond(group, exchange.public, os.urandom)
    for twin in (copy.copy(exchange), copy.deepcopy(exchange), pickle.loads(pickle.dumps(exchange))):
        assert twin == exchange
        assert twin.finish(share) == secret
    assert "private" not in repr(exchange)
    assert "key" not in repr(exchange)


@pytest.mark.parametrize("trace", [SIMPLE, RESUMED, RETRY], ids=["simple", "resumed", "retry"])
def test_the_exchanges_of_rfc_8448(trace: Trace) -> None:
    def entropy_for(private: bytes) -> groups.Entropy:
        if trace.group == NamedGroup.X25519:
            return lambda count: private
        # What the reduction to a scalar turns into the trace's.
        return lambda count: (int.from_bytes(private, "big") - 1).to_bytes(count, "big")

    exchange = generate(trace.group, entropy_for(trace.client_private))
    assert exchange.public == trace.client_share
    answer = respond(trace.group, trace.client_share, entropy_for(trace.server_private))
    assert answer == (trace.server_share, trace.secrets["shared"])
    assert exchange.finish(trace.server_share) == trace.secrets["shared"]


# --- against the library ----------------------------------------------------------------------------------


def test_x25519_and_x448_are_the_library_s() -> None:
    key = x25519.X25519PrivateKey.generate()
    share, secret = respond(NamedGroup.X25519, key.public_key().public_bytes_raw(), os.urandom)
    assert key.exchange(x25519.X25519PublicKey.from_public_bytes(share)) == secret
    other = x448.X448PrivateKey.generate()
    share, secret = respond(NamedGroup.X448, other.public_key().public_bytes_raw(), os.urandom)
    assert other.exchange(x448.X448PublicKey.from_public_bytes(share)) == secret


def test_the_highest_bit_of_an_x25519_share_is_no_part_of_it() -> None:
    """RFC 7748 section 5: whoever sets it means the same point."""
    exchange = generate(NamedGroup.X25519, os.urandom)
    share, secret = respond(NamedGroup.X25519, exchange.public, os.urandom)
    assert share[31] < 0x80
    assert exchange.finish(share[:31] + bytes((share[31] | 0x80,))) == secret


@pytest.mark.parametrize("group", CURVES)
def test_the_curves_are_the_library_s(group: NamedGroup) -> None:
    curve, _ = CURVES[group]
    key = ec.generate_private_key(curve)
    public = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    share, secret = respond(group, public, os.urandom)
    assert key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(curve, share)) == secret


@needs(ML_KEM)
def test_in_x25519mlkem768_the_lattice_comes_first() -> None:
    key = MLKEM768PrivateKey.generate()
    curve_key = x25519.X25519PrivateKey.generate()
    offer = key.public_key().public_bytes_raw() + curve_key.public_key().public_bytes_raw()
    share, secret = respond(NamedGroup.X25519_MLKEM768, offer, os.urandom)
    assert key.decapsulate(share[:1088]) == secret[:32]
    assert curve_key.exchange(x25519.X25519PublicKey.from_public_bytes(share[1088:])) == secret[32:]


@needs(ML_KEM)
def test_in_secp256r1mlkem768_the_curve_comes_first() -> None:
    key = MLKEM768PrivateKey.generate()
    curve_key = ec.generate_private_key(ec.SECP256R1())
    point = curve_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    share, secret = respond(
        NamedGroup.SECP256R1_MLKEM768, point + key.public_key().public_bytes_raw(), os.urandom
    )
    other = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), share[:65])
    assert curve_key.exchange(ec.ECDH(), other) == secret[:32]
    assert key.decapsulate(share[65:]) == secret[32:]


@pytest.mark.parametrize("group", CURVES)
@pytest.mark.parametrize("byte", [b"\x00", b"\xff"])
def test_extreme_entropy_gives_a_valid_scalar(group: NamedGroup, byte: bytes) -> None:
    exchange = generate(group, lambda count: byte * count)
    share, secret = respond(group, exchange.public, os.urandom)
    assert exchange.finish(share) == secret


@pytest.mark.parametrize("group", CURVES)
def test_scalars_wrap_at_the_order(group: NamedGroup) -> None:
    _, order = CURVES[group]

    def share_for(number: int) -> bytes:
        return generate(group, lambda count: number.to_bytes(count, "big")).public

    assert share_for(0) == share_for(order - 1)  # the scalar 1
    half = len(share_for(0)) // 2 + 1
    assert share_for(order - 2)[:half] == share_for(0)[:half]  # the scalar -1: the same x
    assert share_for(order - 2) != share_for(0)


# --- shares that are none ---------------------------------------------------------------------------------


@pytest.mark.parametrize("group", EACH)
@pytest.mark.parametrize("change", [-1, 1])
def test_a_share_of_the_wrong_length(group: NamedGroup, change: int) -> None:
    first, second, _ = LENGTHS[group]
    exchange = generate(group, os.urandom)
    share, _ = respond(group, exchange.public, os.urandom)
    with pytest.raises(Fault, match="share"):
        respond(group, (exchange.public + b"\0")[: first + change], os.urandom)
    with pytest.raises(Fault, match="share"):
        exchange.finish((share + b"\0")[: second + change])
    refused(group, b"")


@pytest.mark.parametrize("group", CURVES)
def test_points_that_are_not_on_the_curve(group: NamedGroup) -> None:
    public = generate(group, os.urandom).public
    refused(group, flipped(public))
    refused(group, b"\x04" + bytes(len(public) - 1))
    refused(group, b"\x04" + b"\xff" * (len(public) - 1))
    refused(group, b"\x00")


@pytest.mark.parametrize("group", CURVES)
def test_points_in_other_forms(group: NamedGroup) -> None:
    public = generate(group, os.urandom).public
    curve, _ = CURVES[group]
    point = ec.EllipticCurvePublicKey.from_encoded_point(curve, public)
    refused(group, point.public_bytes(Encoding.X962, PublicFormat.CompressedPoint))
    refused(group, bytes([6 + (public[-1] & 1)]) + public[1:])


# All u-coordinates of small order: the secret would be zero whatever the private key (RFC 7748 section 6).
SMALL_ORDER = {
    NamedGroup.X25519: [
        0,
        1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
        2**255 - 20,
        2**255 - 19,
        2**255 - 18,
    ],
    NamedGroup.X448: [0, 1, 2**448 - 2**224 - 2, 2**448 - 2**224 - 1, 2**448 - 2**224],
}


@pytest.mark.parametrize("group", SMALL_ORDER)
def test_points_of_small_order(group: NamedGroup) -> None:
    for u in SMALL_ORDER[group]:
        refused(group, u.to_bytes(LENGTHS[group][0], "little"))


@pytest.mark.parametrize("group", EACH_HYBRID)
def test_hybrid_shares_with_one_bad_half(group: NamedGroup) -> None:
    exchange = generate(group, os.urandom)
    share, _ = respond(group, exchange.public, os.urandom)
    zero_first = group != NamedGroup.X25519_MLKEM768
    lattice = b"\xff" * (1568 if group == NamedGroup.SECP384R1_MLKEM1024 else 1184)
    curve = LENGTHS[group][0] - len(lattice)
    bad_curve = bytes(curve)

    def with_bad_curve(joined: bytes) -> bytes:
        return bad_curve + joined[curve:] if zero_first else joined[:-curve] + bad_curve

    with pytest.raises(Fault, match="share"):
        respond(group, with_bad_curve(exchange.public), os.urandom)
    with pytest.raises(Fault, match="share"):
        exchange.finish(with_bad_curve(share))
    # Coefficients of an encapsulation key are below 3329, so all ones is no key (FIPS 203 section 7.2).
    out_of_range = exchange.public[:curve] + lattice if zero_first else lattice + exchange.public[-32:]
    with pytest.raises(Fault, match="ML-KEM"):
        respond(group, out_of_range, os.urandom)


@pytest.mark.parametrize("group", EACH_HYBRID)
def test_a_hybrid_share_is_measured_before_it_is_taken_apart(group: NamedGroup) -> None:
    exchange = generate(group, os.urandom)
    share, _ = respond(group, exchange.public, os.urandom)
    for change in (lambda whole: whole[:-1], lambda whole: whole + b"x", lambda whole: whole[1:]):
        with pytest.raises(Fault, match="not a valid hybrid share"):
            respond(group, change(exchange.public), os.urandom)
        with pytest.raises(Fault, match="not a valid hybrid share"):
            exchange.finish(change(share))


@pytest.mark.parametrize("group", EACH_HYBRID)
def test_a_ciphertext_for_another_key_gives_another_secret(group: NamedGroup) -> None:
    """ML-KEM rejects implicitly; the Finished then does not verify."""
    exchange = generate(group, os.urandom)
    share, secret = respond(group, exchange.public, os.urandom)
    position = 100 if group == NamedGroup.X25519_MLKEM768 else 165
    tampered = flipped(share, position)
    other = exchange.finish(tampered)
    assert len(other) == len(secret)
    assert other != secret


@needs(ML_KEM)
def test_a_ml_kem_ciphertext_of_the_wrong_length() -> None:
    for half in (groups._ML_KEM_768, groups._ML_KEM_1024):
        with pytest.raises(Fault, match=half.name):
            half.exchange(half.load(bytes(64)), bytes(half.ciphertext_length - 1))


@needs(ML_KEM)
def test_a_client_of_the_library_understands_our_answer_with_ml_kem_1024() -> None:
    """The curve comes first, in shares and secret alike (draft-ietf-tls-ecdhe-mlkem section 4)."""
    key, curve = MLKEM1024PrivateKey.generate(), ec.generate_private_key(ec.SECP384R1())
    point = curve.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    offer = point + key.public_key().public_bytes_raw()
    share, secret = respond(NamedGroup.SECP384R1_MLKEM1024, offer, os.urandom)
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP384R1(), share[:97])
    assert secret == curve.exchange(ec.ECDH(), theirs) + key.decapsulate(share[97:])


@given(
    st.sampled_from([group for group in NamedGroup if group in groups.supported()]), st.binary(max_size=140)
)
def test_whatever_is_no_share_is_a_fault(group: NamedGroup, share: bytes) -> None:
    try:
        _, secret = respond(group, share, os.urandom)
    except Fault as caught:
        fault = caught
    else:
        assert any(secret)
        return
    assert fault.reason is Reason.BAD_KEY_SHARE


def test_a_library_without_ml_kem_supports_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(data: bytes) -> None:
        raise UnsupportedAlgorithm("no ML-KEM here")

    for kind in (groups._ML_KEM_768, groups._ML_KEM_1024):
        monkeypatch.setattr(kind, "load", missing)
    groups.supported.cache_clear()
    try:
        assert groups.supported() == set(NamedGroup) - set(HYBRIDS)
    finally:
        monkeypatch.undo()
        groups.supported.cache_clear()
