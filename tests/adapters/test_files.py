"""Files with certificates and keys: read, refused and completed as the standard library does it."""

import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from sansticket import ClientAuthentication, ClientConfig, Credential, SignatureScheme, VerifyPeer
from sansticket.adapters import SSLContext
from sansticket.adapters.members.credentials import completed
from sansticket.commands import AcceptPeer
from tests.support.certificates import Identity, authority, new_authority, server_identity
from tests.support.chains import san
from tests.support.configs import server_config
from tests.support.credentials import anchors, issue
from tests.support.peers import require
from tests.support.ssl_objects import NAME, OURS, STDLIB, House, Link, shaken


@pytest.fixture(params=[OURS, STDLIB], ids=lambda house: house.name)
def house(request: pytest.FixtureRequest) -> House:
    chosen: House = request.param
    return chosen


# --- broken files, and labels of OpenSSL's -------------------------------------------------------------------------

BROKEN = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
CUT = authority().pem[:100]


def relabelled(pem: bytes, label: bytes) -> bytes:
    return pem.replace(b" CERTIFICATE", b" " + label)


def base64_of(pem: bytes) -> bytes:
    return pem.partition(b"-\n")[2].partition(b"-----END")[0]


PIECES = {
    "nothing": b"",
    "garbage": b"garbage",
    "broken": BROKEN,
    "broken at the end": authority().pem + BROKEN,
    "broken at first": BROKEN + authority().pem,
    "bad base64": authority().pem.replace(b"M", b"!"),
    "cut": CUT,
    "trusted": relabelled(authority().pem, b"TRUSTED CERTIFICATE"),
    "old": relabelled(authority().pem, b"X509 CERTIFICATE"),
    "broken trusted": relabelled(BROKEN, b"TRUSTED CERTIFICATE"),
    "a key": server_identity().key_pem,
    "a leaf": server_identity().chain_pem,
    "behind a comment": authority().pem + b"# " + server_identity().chain_pem,
    "all behind a comment": b"# " + server_identity().chain_pem,
    "every line behind a comment": authority().pem
    + b"".join(b"#" + line for line in server_identity().chain_pem.splitlines(keepends=True)),
    "indented": authority().pem + b"  " + server_identity().chain_pem,
    "an end that is indented": authority().pem.replace(b"-----END", b"  -----END"),
    "a byte order mark": b"\xef\xbb\xbf" + authority().pem,
    "text around it": b"Subject: us\n" + authority().pem + b"that was it\n",
    "two lines": authority().pem.replace(b"\n", b"\r\n"),
    "twice": authority().pem + authority().pem,
}


def said(call: Any) -> object:
    """What comes of it, with all that callers look at but the number, which is OpenSSL's own."""
    try:
        return call()
    except ssl.SSLError as error:
        words = (
            error.args[-1].partition("]")[0]
            if error.args[-1].startswith("[")
            else error.args[-1].partition(" (")[0]
        )
        return type(error), error.library, error.reason, words
    except (TypeError, ValueError, OSError) as error:
        return type(error)


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("way", ["cafile", "text", "chain"])
def test_files_that_are_broken_or_odd(piece: str, way: str, tmp_path: Path) -> None:
    file, both = tmp_path / "file.pem", tmp_path / "both.pem"
    file.write_bytes(PIECES[piece])
    leaf, ending = PIECES[piece].replace(b"\r\n", b"\n"), b"\r\n" if piece == "two lines" else b"\n"
    leaf = leaf.replace(base64_of(authority().pem), base64_of(server_identity().chain_pem))
    both.write_bytes(leaf.replace(b"\n", ending) + server_identity().key_pem)

    def load(house: House) -> object:
        context = house.context(ssl.PROTOCOL_TLS_SERVER)
        if way == "chain":
            context.load_cert_chain(both, both)
        elif way == "text":
            context.load_verify_locations(cadata=PIECES[piece].decode())
        else:
            context.load_verify_locations(file)
        return context.cert_store_stats(), context.get_ca_certs(True)

    assert said(lambda: load(OURS)) == said(lambda: load(STDLIB))


DER = authority().der


@pytest.mark.parametrize(
    "data", [b"", b"garbage", DER, DER + DER, DER + b"garbage", DER + DER[:-1], DER[:-5], authority().pem]
)
def test_der_that_is_broken(data: bytes) -> None:
    def load(house: House) -> object:
        context = house.context(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=data)
        return context.cert_store_stats()

    assert said(lambda: load(OURS)) == said(lambda: load(STDLIB))


@pytest.mark.parametrize("label", [b"TRUSTED CERTIFICATE", b"X509 CERTIFICATE"])
def test_a_chain_with_a_label_of_openssl(house: House, tmp_path: Path, label: bytes) -> None:
    file = tmp_path / "both.pem"
    file.write_bytes(relabelled(server_identity().chain_pem, label) + server_identity().key_pem)
    context = house.context(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    link = shaken(OURS.client(), context)
    assert link.client.tls.getpeercert(True) == server_identity().chain_der[0]


def trusted_for(*arguments: str, folder: Path) -> Path:
    """The authority with trust settings, as ``openssl x509`` writes them."""
    require("openssl command")
    plain, file = folder / "plain.pem", folder / "trusted.pem"
    plain.write_bytes(authority().pem)
    subprocess.run(
        ["openssl", "x509", "-in", plain, "-trustout", "-out", file, *arguments], check=True, timeout=60
    )
    assert b"TRUSTED CERTIFICATE" in file.read_bytes()
    return file


@pytest.mark.parametrize(
    ("arguments", "trusted"),
    [
        (["-setalias", "our authority"], True),
        (["-addtrust", "serverAuth"], True),
        (["-addtrust", "anyExtendedKeyUsage"], True),
        (["-addtrust", "clientAuth"], False),
        (["-addtrust", "emailProtection", "-addtrust", "serverAuth"], True),
        (["-addreject", "serverAuth"], False),
        (["-addreject", "clientAuth", "-addtrust", "serverAuth"], True),
        (["-addreject", "serverAuth", "-addtrust", "serverAuth"], False),
    ],
)
def test_what_an_anchor_is_trusted_for(
    house: House, arguments: list[str], trusted: bool, tmp_path: Path
) -> None:
    context = house.context(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(trusted_for(*arguments, folder=tmp_path))
    context.load_verify_locations(cadata=new_authority("another").der)
    link = Link(context, STDLIB.server())
    if trusted:
        link.shake()
        return
    with pytest.raises(ssl.SSLCertVerificationError):
        link.shake()


# --- chains that are completed -------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["server", "client"])
@pytest.mark.parametrize("known", ["all", "the intermediate", "the root", "nothing"])
@pytest.mark.parametrize("shown", ["a leaf", "a chain"])
def test_a_chain_is_completed_from_what_is_trusted(
    house: House, side: str, known: str, shown: str, tmp_path: Path
) -> None:
    """As OpenSSL does it: the certificates of load_verify_locations are good for that too."""
    root = new_authority("the root")
    middle = new_authority("in between", root)
    issued = middle.issue(NAME)
    identity = Identity((*issued.chain, middle.certificate), issued.key)
    file = tmp_path / "both.pem"
    leaf = x509.load_der_x509_certificate(identity.chain_der[0]).public_bytes(Encoding.PEM)
    file.write_bytes((leaf if shown == "a leaf" else identity.chain_pem) + identity.key_pem)
    context = house.context(ssl.PROTOCOL_TLS_SERVER if side == "server" else ssl.PROTOCOL_TLS_CLIENT)
    context.load_cert_chain(file)
    for authority_ in {
        "all": (root, middle),
        "the intermediate": (middle,),
        "the root": (root,),
        "nothing": (),
    }[known]:
        context.load_verify_locations(cadata=authority_.der)
    seen = chain_shown(context, side)
    whole = [*identity.chain_der, root.der]
    if shown == "a chain":
        assert seen == list(identity.chain_der)
    else:
        assert seen == whole[: {"all": 3, "the intermediate": 2, "the root": 1, "nothing": 1}[known]]


def chain_shown(context: Any, side: str) -> list[bytes]:
    """What the other side gets to see; it verifies nothing."""
    if side == "server":
        other = SSLContext(ClientConfig(verify_peer=False))
        return list(shaken(other, context).client.tls.get_unverified_chain())
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    other = SSLContext(
        server_config(
            client_authentication=ClientAuthentication.OPTIONAL,
            answers={VerifyPeer: lambda question: AcceptPeer()},
        )
    )
    return list(shaken(context, other).server.tls.get_unverified_chain())


@pytest.mark.parametrize("side", ["server", "client"])
def test_a_short_key_where_the_context_says_so(side: str, tmp_path: Path) -> None:
    """It is loaded, shown, and its chain completed, under the bound of the context; under another it is refused."""
    key = rsa.generate_private_key(65537, 1024)
    issued = Identity((issue(authority(), NAME, key.public_key(), [san(NAME)]),), key)
    file = tmp_path / "short.pem"
    file.write_bytes(issued.chain_pem + issued.key_pem)
    context = SSLContext(ssl.PROTOCOL_TLS_SERVER if side == "server" else ssl.PROTOCOL_TLS_CLIENT)
    with pytest.raises(ssl.SSLError) as caught:
        context.load_cert_chain(file)
    assert caught.value.reason == "EE_KEY_TOO_SMALL"
    context.configure(min_rsa_bits=1024)
    context.load_cert_chain(file)
    context.load_verify_locations(cadata=authority().der)
    (credential,) = context.config.credentials
    assert credential.chain == (*issued.chain_der, authority().der)
    assert credential.min_rsa_bits == 1024


def test_a_chain_that_is_completed_changes_nothing_else() -> None:
    identity = authority().issue(NAME)
    schemes = (SignatureScheme.ECDSA_SECP256R1_SHA256,)
    given = Credential(identity.chain_der, identity.key, schemes, must_match_issuer=True, min_rsa_bits=3072)
    whole = completed(given, anchors())
    assert whole.chain == (*identity.chain_der, authority().der)
    assert (whole.schemes, whole.must_match_issuer, whole.min_rsa_bits) == (schemes, True, 3072)
