"""Certificates as the standard library would show and read them; its own decoder is the judge."""

import datetime
import ipaddress
import os
import ssl
from base64 import encodebytes
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID, ObjectIdentifier

from sansticket.adapters.certificates import as_dictionary
from sansticket.adapters.members.files import usable_anchors
from tests.support.certificates import (
    Identity,
    authority,
    client_identity,
    new_authority,
    server_identity,
)
from tests.support.chain_kinds import TABLE
from tests.support.chains import Kind
from tests.support.credentials import issue, root
from tests.support.ssl_objects import OURS, STDLIB, House, shaken

KEY = ec.generate_private_key(ec.SECP256R1())


def name(**attributes: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(getattr(NameOID, kind.upper()), value) for kind, value in attributes.items()]
    )


def certificate(
    *extensions: x509.ExtensionType,
    subject: x509.Name | None = None,
    serial: int = 4711,
    start: datetime.datetime = datetime.datetime(2024, 1, 5, 9, 4, 3),
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject or name(common_name="subject"))
        .issuer_name(name(common_name="issuer", country_name="AT"))
        .public_key(KEY.public_key())
        .serial_number(serial)
        .not_valid_before(start)
        .not_valid_after(datetime.datetime(2051, 12, 31, 23, 59, 59))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(KEY, SHA256())


def of_stdlib(one: x509.Certificate, folder: Path) -> dict[str, Any]:
    file = folder / "certificate.pem"
    file.write_bytes(one.public_bytes(Encoding.PEM))
    decoded: dict[str, Any] = ssl._ssl._test_decode_cert(file)  # type: ignore[attr-defined]
    return decoded


NAMES = x509.SubjectAlternativeName(
    [
        x509.DNSName("*.example"),
        x509.DNSName("xn--bcher-kva.example"),
        x509.IPAddress(ipaddress.ip_address("192.0.2.1")),
        x509.IPAddress(ipaddress.ip_address("2001:db8::1:a0")),
        x509.RFC822Name("somebody@example"),
        x509.UniformResourceIdentifier("https://example/path"),
        x509.RegisteredID(ObjectIdentifier("1.2.3.4")),
        x509.DirectoryName(name(common_name="a directory", organization_name="of something")),
        x509.OtherName(ObjectIdentifier("1.2.3.5"), b"\x0c\x05other"),
    ]
)

POINTS = x509.CRLDistributionPoints(
    [
        x509.DistributionPoint([x509.UniformResourceIdentifier(f"http://example/{i}.crl")], None, None, None)
        for i in range(2)
    ]
)

ACCESS = x509.AuthorityInformationAccess(
    [
        x509.AccessDescription(method, x509.UniformResourceIdentifier(url))
        for method, url in (
            (AuthorityInformationAccessOID.OCSP, "http://ocsp.example"),
            (AuthorityInformationAccessOID.OCSP, "http://ocsp2.example"),
            (AuthorityInformationAccessOID.CA_ISSUERS, "http://example/issuer.der"),
        )
    ]
)

SUBJECT = name(
    country_name="DE",
    state_or_province_name="Bavaria",
    locality_name="München",
    organization_name="An Organization",
    organizational_unit_name="A Unit",
    common_name="server.example",
    email_address="somebody@example",
    serial_number="123",
    given_name="Given",
    surname="Sur",
    title="Dr",
    initials="GS",
    pseudonym="who",
    domain_component="example",
    user_id="me",
    street_address="Street 1",
    postal_code="12345",
    business_category="Private",
    jurisdiction_country_name="DE",
    jurisdiction_locality_name="Munich",
    jurisdiction_state_or_province_name="Bavaria",
    dn_qualifier="q",
    generation_qualifier="jr",
    organization_identifier="id",
    unstructured_name="un",
    postal_address="address",
)


@pytest.mark.parametrize(
    "one",
    [
        certificate(),
        certificate(NAMES, POINTS, ACCESS),
        certificate(subject=SUBJECT),
        certificate(subject=x509.Name([])),
        certificate(subject=x509.Name([x509.NameAttribute(ObjectIdentifier("1.2.3.4.5"), "unknown kind")])),
        certificate(
            subject=x509.Name(
                [
                    x509.RelativeDistinguishedName(
                        [
                            x509.NameAttribute(NameOID.COMMON_NAME, "two"),
                            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "at once"),
                        ]
                    )
                ]
            )
        ),
        certificate(serial=0xABC),
        certificate(serial=0x80_0000_0000_0000_0001),
        certificate(start=datetime.datetime(2024, 11, 30)),
        authority().certificate,
        server_identity().certificate,
    ],
    ids=lambda one: "",
)
def test_dictionaries(one: x509.Certificate, tmp_path: Path) -> None:
    assert as_dictionary(one.public_bytes(Encoding.DER)) == of_stdlib(one, tmp_path)


def test_a_certificate_that_cannot_be_read() -> None:
    with pytest.raises(ssl.SSLError) as caught:
        as_dictionary(b"0\x03\x02\x01\x00")
    assert caught.value.library == "X509"


# --- files ----------------------------------------------------------------------------------------------------


@pytest.fixture(params=[OURS, STDLIB], ids=lambda house: house.name)
def house(request: pytest.FixtureRequest) -> House:
    chosen: House = request.param
    return chosen


def encrypted(identity: Identity, password: bytes) -> bytes:
    pem: bytes = identity.key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password)
    )
    return pem


@pytest.mark.parametrize("together", [True, False])
def test_chains_and_keys(house: House, tmp_path: Path, together: bool) -> None:
    identity = server_identity()
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(identity.chain_pem + (identity.key_pem if together else b""))
    key.write_bytes(identity.key_pem)
    context = house.context(ssl.PROTOCOL_TLS_SERVER)
    if together:
        context.load_cert_chain(str(chain))
    else:
        context.load_cert_chain(chain, key)


@pytest.mark.parametrize("password", ["secret", b"secret", bytearray(b"secret"), lambda: "secret"])
def test_passwords(house: House, tmp_path: Path, password: Any) -> None:
    file = tmp_path / "both.pem"
    file.write_bytes(server_identity().chain_pem + encrypted(server_identity(), b"secret"))
    house.context(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(file, password=password)


def test_a_password_that_nobody_asked_for(house: House, tmp_path: Path) -> None:
    file = tmp_path / "both.pem"
    file.write_bytes(server_identity().chain_pem + server_identity().key_pem)
    house.context(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(file, password="not needed")


@pytest.mark.parametrize(
    ("password", "error"), [("wrong", ssl.SSLError), (5, TypeError), ("x" * 1025, ValueError)]
)
def test_wrong_passwords(house: House, tmp_path: Path, password: Any, error: type[Exception]) -> None:
    file = tmp_path / "both.pem"
    file.write_bytes(server_identity().chain_pem + encrypted(server_identity(), b"secret"))
    with pytest.raises(error):
        house.context(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(file, password=password)


def test_a_password_that_is_missing(tmp_path: Path) -> None:
    """OpenSSL would ask at the terminal."""
    file = tmp_path / "both.pem"
    file.write_bytes(server_identity().chain_pem + encrypted(server_identity(), b"secret"))
    for password in (None, lambda: None):
        with pytest.raises(ssl.SSLError, match="Password was not given"):
            OURS.context(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(file, password=password)


def test_files_that_do_not_fit(house: House, tmp_path: Path) -> None:
    chain, other = tmp_path / "chain.pem", tmp_path / "other.pem"
    chain.write_bytes(server_identity().chain_pem)
    other.write_bytes(client_identity().key_pem)
    context = house.context(ssl.PROTOCOL_TLS_SERVER)
    with pytest.raises(ssl.SSLError) as caught:
        context.load_cert_chain(chain, other)
    assert caught.value.reason == "KEY_VALUES_MISMATCH"
    turned, key = tmp_path / "turned.pem", tmp_path / "key.pem"
    turned.write_bytes(client_identity().chain_pem + server_identity().chain_pem)
    key.write_bytes(server_identity().key_pem)
    with pytest.raises(ssl.SSLError) as caught:
        context.load_cert_chain(turned, key)
    assert caught.value.reason == "KEY_VALUES_MISMATCH"
    for files in ((chain,), (other,), (other, other)):
        with pytest.raises(ssl.SSLError):
            context.load_cert_chain(*files)
    with pytest.raises(FileNotFoundError):
        context.load_cert_chain(tmp_path / "nothing.pem")
    with pytest.raises(FileNotFoundError):
        context.load_cert_chain(chain, tmp_path / "nothing.pem")


def test_trust_anchors_from_everywhere(house: House, tmp_path: Path) -> None:
    roots = [new_authority(f"root {i}") for i in range(5)]
    context = house.context(ssl.PROTOCOL_TLS_CLIENT)
    file = tmp_path / "bundle.pem"
    file.write_bytes(roots[0].pem + b"a comment\n" + roots[1].pem)
    context.load_verify_locations(file)
    context.load_verify_locations(cadata=roots[2].pem.decode())
    context.load_verify_locations(cadata=roots[3].der + roots[4].der)
    context.load_verify_locations(cadata=memoryview(roots[3].der))
    assert set(context.get_ca_certs(binary_form=True)) == {root.der for root in roots}
    assert context.cert_store_stats() == {"x509": 5, "crl": 0, "x509_ca": 5}
    subjects = {one["subject"] for one in context.get_ca_certs()}
    assert subjects == {((("commonName", f"root {i}"),),) for i in range(5)}


def test_trust_anchors_in_a_folder(tmp_path: Path) -> None:
    """Ours are read at once."""
    (tmp_path / "0a1b2c3d.0").write_bytes(authority().pem)
    (tmp_path / "README").write_text("no certificate")
    context = OURS.context(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(capath=tmp_path)
    assert context.get_ca_certs(binary_form=True) == [authority().der]
    context.load_verify_locations(capath=tmp_path / "nothing")
    assert context.cert_store_stats()["x509"] == 1


def test_what_openssl_would_not_find_in_a_folder(tmp_path: Path) -> None:
    """What is no hash and a number, what is broken, and what is gone."""
    for name in ("authority.pem.1", "0A1B2C3D.0", "0a1b2c3d.r0", "0a1b2c3.0"):
        (tmp_path / name).write_bytes(authority().pem)
    (tmp_path / "00000000.0").write_text("no certificate")
    (tmp_path / "00000001.0").write_text(ssl.DER_cert_to_PEM_cert(b"\x30\0"))
    (tmp_path / "00000002.0").symlink_to(tmp_path / "gone.pem")
    (tmp_path / "00000003.0").mkdir()
    context = OURS.context(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(capath=tmp_path)
    assert context.cert_store_stats()["x509"] == 0


def test_several_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in SSL_CERT_DIR, which is read beside the file of the system."""
    other = ssl.DER_cert_to_PEM_cert(root("other").der)
    for number, pem in enumerate((authority().pem.decode(), other)):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / f"0a1b2c3d.{number}").write_text(pem)
    both = os.pathsep.join(str(tmp_path / str(number)) for number in range(2))
    context = OURS.context(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(capath=both)
    assert context.cert_store_stats()["x509"] == 2
    file = tmp_path / "bundle.pem"
    file.write_text(ssl.DER_cert_to_PEM_cert(root("third").der))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setenv("SSL_CERT_DIR", both)
    context = OURS.context(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    assert context.cert_store_stats()["x509"] == 3


@pytest.mark.parametrize("content", [b"", b"garbage", authority().pem[:100]], ids=["empty", "garbage", "cut"])
def test_a_file_of_the_system_that_cannot_be_read(
    house: House, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "bundle.pem"
    file.write_bytes(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    context = house.context(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    assert context.cert_store_stats()["x509"] == 0


@pytest.mark.parametrize(
    "load",
    [
        lambda context: context.load_verify_locations(""),
        lambda context: context.load_cert_chain(""),
        lambda context: context.load_cert_chain("both.pem", ""),
    ],
)
def test_a_file_without_a_name(
    house: House, load: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "both.pem").write_bytes(server_identity().chain_pem + server_identity().key_pem)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError):
        load(house.context(ssl.PROTOCOL_TLS_SERVER))


def test_a_folder_without_a_name_is_not_where_we_are(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "0a1b2c3d.0").write_bytes(authority().pem)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ssl.SSLError) as caught:
        house.context(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(capath="")
    assert (caught.value.library, caught.value.reason) == ("X509", "INVALID_DIRECTORY")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({}, TypeError),
        ({"cadata": "no PEM"}, ssl.SSLError),
        ({"cadata": "ü"}, TypeError),
        ({"cadata": b"no DER"}, ssl.SSLError),
        ({"cadata": b"\x30"}, ssl.SSLError),
        ({"cadata": b""}, ValueError),
        ({"cadata": ""}, ValueError),
        ({"cafile": "/nothing/there.pem"}, FileNotFoundError),
        ({"cafile": __file__}, ssl.SSLError),
    ],
)
def test_what_is_no_trust_anchor(house: House, arguments: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        house.context(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(**arguments)


def test_half_a_certificate_more(house: House) -> None:
    context = house.context(ssl.PROTOCOL_TLS_CLIENT)
    with pytest.raises(ssl.SSLError):
        context.load_verify_locations(cadata=authority().der + authority().der[:-1])


def test_what_the_system_trusts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(authority().pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "nothing"))
    context = OURS.context(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    assert context.get_ca_certs(binary_form=True) == [authority().der]
    with pytest.raises(TypeError):
        context.load_default_certs("server")  # type: ignore[arg-type]


def test_a_system_that_trusts_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nothing.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "nothing"))
    context = OURS.context(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    assert context.get_ca_certs() == []


def test_odd_certificates_of_the_system_are_passed_over() -> None:
    assert list(usable_anchors([b"nonsense", authority().der])) == [authority().der]


# --- certificates of private authorities -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", [kind for kind in TABLE["Names"] if "beside the name" in kind.title], ids=lambda kind: kind.title
)
def test_names_of_every_kind(kind: Kind, tmp_path: Path) -> None:
    """Also of kinds that the library does not know: the others can be read all the same."""
    one = x509.load_der_x509_certificate(kind.make().sent[0])
    shown, expected = as_dictionary(kind.make().sent[0]), of_stdlib(one, tmp_path)
    assert shown["subjectAltName"] == expected["subjectAltName"]


def test_an_extension_that_cannot_be_read_does_not_spoil_the_others(tmp_path: Path) -> None:
    scts = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2"), b"\xff\xff")
    one = certificate(NAMES, scts, POINTS)
    assert as_dictionary(one.public_bytes(Encoding.DER)) == of_stdlib(one, tmp_path)


UNREADABLE = {
    "2.5.29.17": {"no DER": b"\xff\xff", "an unknown kind": bytes.fromhex("3003890178")},
    "1.3.6.1.5.5.7.1.1": {"too short": b"\x30\x05"},
    "2.5.29.31": {"no SEQUENCE": b"\x04\x00"},
}


@pytest.mark.parametrize(
    ("extension", "content"),
    [
        pytest.param(oid, der, id=f"{oid} {kind}")
        for oid in UNREADABLE
        for kind, der in UNREADABLE[oid].items()
    ],
)
def test_an_extension_that_cannot_be_read_is_left_out(extension: str, content: bytes, tmp_path: Path) -> None:
    one = certificate(x509.UnrecognizedExtension(ObjectIdentifier(extension), content))
    assert as_dictionary(one.public_bytes(Encoding.DER)) == of_stdlib(one, tmp_path)


@pytest.mark.parametrize(
    "names",
    [
        b"\x87\x05\x01\x02\x03\x04\x05",
        b"\x87\x00",
        b"\x87\x10" + bytes(16),
        b"\x88\x03\x55\x04\x03",
        b"\xa4\x0e\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x14\x01\xe9",
        b"\xa4\x0e\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x13\x01*",
    ],
    ids=[
        "too long an address", "no address", "the empty address", "a known object", "Teletex", "no PrintableString"
    ],
)  # fmt: skip
def test_odd_alternative_names(names: bytes, tmp_path: Path) -> None:
    names = b"\x82\x01a" + names
    content = bytes((0x30, len(names))) + names
    one = certificate(x509.UnrecognizedExtension(ObjectIdentifier("2.5.29.17"), content))
    assert as_dictionary(one.public_bytes(Encoding.DER)) == of_stdlib(one, tmp_path)


STRINGS = {
    "NumericString": b"\x12\x04 123",
    "PrintableString": b"\x13\x04A-B?",
    "TeletexString in Latin-1": b"\x14\x04M\xfcll",
    "IA5String that is none": b"\x16\x04M\xfcll",
    "BMPString": b"\x1e\x04\x01\x00\x20\xac",
    "UniversalString": b"\x1c\x04\x00\x01\xf6\x00",
    "BIT STRING": b"\x03\x04\x00abc",
    "with a null character": b"\x0c\x04a\0bc",
}


def with_a_name(string: bytes) -> x509.Certificate:
    """A certificate whose subject has this in the place of a string of four bytes; nobody looks at its signature."""
    der = certificate(subject=name(common_name="four")).public_bytes(Encoding.DER)
    return x509.load_der_x509_certificate(der.replace(b"\x0c\x04four", string))


@pytest.mark.parametrize("string", STRINGS.values(), ids=STRINGS)
def test_strings_of_every_kind(string: bytes, tmp_path: Path) -> None:
    """Also those that the library does not read, and does not look at when it verifies."""
    one = with_a_name(string)
    assert as_dictionary(one.public_bytes(Encoding.DER)) == of_stdlib(one, tmp_path)


@pytest.mark.parametrize("string", [b"\x0c\x04a\xff\xffb", b"\x02\x04abcd"], ids=["no UTF-8", "no string"])
def test_names_that_cannot_be_read(string: bytes, tmp_path: Path) -> None:
    one = with_a_name(string)
    for read in (lambda: as_dictionary(one.public_bytes(Encoding.DER)), lambda: of_stdlib(one, tmp_path)):
        with pytest.raises(ssl.SSLError):
            read()


@pytest.mark.parametrize("oid", ["2.5.4.13", "2.5.4.41", "1.2.643.3.131.1.1", "2.5.4.9999", "2.5.29.17"])
def test_what_stands_in_names_has_the_names_of_openssl(oid: str, tmp_path: Path) -> None:
    one = certificate(subject=x509.Name([x509.NameAttribute(ObjectIdentifier(oid), "value")]))
    assert as_dictionary(one.public_bytes(Encoding.DER)) == of_stdlib(one, tmp_path)


def trusted_pem(one: x509.Certificate, auxiliary: bytes) -> bytes:
    """With OpenSSL's label; ``auxiliary`` is the X509_AUX behind the certificate."""
    text = encodebytes(one.public_bytes(Encoding.DER) + auxiliary)
    return b"-----BEGIN TRUSTED CERTIFICATE-----\n" + text + b"-----END TRUSTED CERTIFICATE-----\n"


SERVER_AUTH_TRUSTED = bytes.fromhex("300c300a06082b06010505070301")


@pytest.mark.parametrize("auxiliary", [b"", SERVER_AUTH_TRUSTED], ids=["nothing", "serverAuth"])
@pytest.mark.parametrize("house", [STDLIB, OURS], ids=str)
def test_the_label_of_trusted_certificates(house: House, auxiliary: bytes, tmp_path: Path) -> None:
    pem = trusted_pem(authority().certificate, auxiliary)
    file = tmp_path / "trusted.pem"
    file.write_bytes(new_authority().pem + pem)
    context = house.context(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=file)
    assert authority().der in context.get_ca_certs(binary_form=True)
    assert len(context.get_ca_certs()) == 2
    identity = server_identity()
    chain = tmp_path / "chain.pem"
    chain.write_bytes(trusted_pem(identity.certificate, auxiliary) + identity.key_pem)
    house.context(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain)


@pytest.mark.parametrize(
    "pem",
    [
        b"-----BEGIN TRUSTED CERTIFICATE-----\nAAAA\n-----END TRUSTED CERTIFICATE-----\n",
        b"-----BEGIN TRUSTED CERTIFICATE-----\n=\n-----END TRUSTED CERTIFICATE-----\n",
        b"-----BEGIN TRUSTED CERTIFICATE-----\n-----END TRUSTED CERTIFICATE-----\n",
        b"-----BEGIN TRUSTED CERTIFICATE-----\nMAA=\n",
    ],
)
@pytest.mark.parametrize("house", [STDLIB, OURS], ids=str)
def test_the_label_and_no_certificate(house: House, pem: bytes, tmp_path: Path) -> None:
    file = tmp_path / "trusted.pem"
    file.write_bytes(pem)
    with pytest.raises(ssl.SSLError):
        house.context(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=file)


@pytest.mark.parametrize("house", [STDLIB, OURS], ids=str)
def test_a_short_rsa_key(house: House, tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 1024)
    own = issue(authority(), "leaf", key.public_key())
    file = tmp_path / "short.pem"
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(own.public_bytes(Encoding.PEM) + pem)
    with pytest.raises(ssl.SSLError) as caught:
        house.context(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(file)
    assert caught.value.reason == "EE_KEY_TOO_SMALL"


@pytest.mark.parametrize("checks", [True, False], ids=["name", "no name"])
def test_trustme_as_it_comes(checks: bool, tmp_path: Path) -> None:
    """The certificates of the tests of many projects, on both sides."""
    top = trustme.CA()
    own, theirs = top.issue_cert("server.example"), top.issue_cert("client@example")
    roots, server_file, client_file = (tmp_path / each for each in ("roots.pem", "server.pem", "client.pem"))
    top.cert_pem.write_to_path(roots)
    own.private_key_and_cert_chain_pem.write_to_path(server_file)
    theirs.private_key_and_cert_chain_pem.write_to_path(client_file)
    client, server = (OURS.context(kind) for kind in (ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER))
    client.check_hostname = checks
    server.verify_mode = ssl.CERT_REQUIRED
    for context, file in ((client, client_file), (server, server_file)):
        context.load_verify_locations(roots)
        context.load_cert_chain(file)
    link = shaken(client, server)
    assert ("DNS", "server.example") in link.client.tls.getpeercert()["subjectAltName"]
    assert ("email", "client@example") in link.server.tls.getpeercert()["subjectAltName"]
