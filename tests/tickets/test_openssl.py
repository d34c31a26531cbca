"""SSL_SESSION: OpenSSL's own bytes come back unchanged, ours say what the session says, and nothing else is read."""

import base64
import copy
from hashlib import sha256
from pathlib import Path
from typing import Final

import pytest
from attrs import evolve, frozen
from hypothesis import example, given
from hypothesis import strategies as st

from sansticket.codes import CipherSuite, NamedGroup, ProtocolVersion
from sansticket.library import SSL_SESSIONS
from sansticket.tickets.session import Session, SessionFormatError
from tests.support.certificates import client_identity, server_identity
from tests.support.newer import needs
from tests.support.sessions import NOW, ORDINARY, ORDINARY_12, sessions

if SSL_SESSIONS.installed:
    from sansticket.tickets import openssl
    from sansticket.tickets.openssl import SslSession

pytestmark = needs(SSL_SESSIONS)


@frozen
class Sample:
    """What one OpenSSL wrote."""

    release: str
    protocol: str
    side: str
    what: str
    der: bytes

    @property
    def client(self) -> bool:
        return self.side == "client"

    def __str__(self) -> str:
        return f"{self.release}-{self.protocol}-{self.side}-{self.what}"


def _samples() -> list[Sample]:
    lines = Path(__file__).with_name("openssl_sessions.txt").read_text().splitlines()
    words = [line.split() for line in lines if not line.startswith("#")]
    return [Sample(*names, base64.b64decode(encoded)) for *names, encoded in words]


SAMPLES: Final = _samples()
every_sample = pytest.mark.parametrize("sample", SAMPLES, ids=str)


def sample(name: str) -> Sample:
    return next(sample for sample in SAMPLES if str(sample) == name)


# --- OpenSSL's own -------------------------------------------------------------------------------------------


@every_sample
def test_every_field_of_openssl_comes_back(sample: Sample) -> None:
    assert openssl.encode(openssl.decode(sample.der)) == sample.der


@every_sample
def test_a_session_is_written_as_openssl_wrote_it(sample: Sample) -> None:
    """But for the one thing that a ``Session`` does not keep: that a client did not verify the server."""
    session = Session.from_openssl_der(sample.der, client=sample.client)
    fields = openssl.decode(sample.der)
    fields.verify_result = None
    assert session.to_openssl_der(client=sample.client) == openssl.encode(fields)


@every_sample
def test_what_a_sample_says(sample: Sample) -> None:
    session = Session.from_openssl_der(sample.der, client=sample.client)
    full, tls13 = sample.what == "full", sample.protocol == "tls13"
    assert session.version == (ProtocolVersion.TLS_1_3 if tls13 else ProtocolVersion.TLS_1_2)
    assert session.cipher_suite == (
        CipherSuite.AES_256_GCM_SHA384 if tls13 else CipherSuite.ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
    )
    assert len(session.secret) == 48
    assert session.lifetime == 7200
    assert session.authenticated_at == session.issued_at > NOW
    assert (session.server_name, session.alpn) == (("server.example", b"h2") if full else (None, None))
    assert bool(session.ticket) == (sample.client and (tls13 or sample.what != "id"))
    assert session.session_id_context == (b"" if sample.client else b"tests")
    assert len(session.peer_certificates) == (sample.client or full)
    assert session.extended_master_secret == (not tls13 and sample.what != "no-ems")
    assert bool(session.age_add) == tls13
    assert session.max_early_data == (16384 if sample.what == "early" else 0)
    assert session.app_data == (
        b"app data" if full and not sample.client and sample.release[0] == "3" else b""
    )
    hybrid = tls13 and sample.release != "3.0.19"
    assert session.group == (NamedGroup.X25519_MLKEM768 if hybrid else NamedGroup.X25519)
    assert session.secret.hex() not in repr(session)


@every_sample
def test_pem(sample: Sample) -> None:
    session = Session.from_openssl_der(sample.der, client=sample.client)
    pem = session.to_openssl_pem(client=sample.client)
    lines = pem.decode().splitlines()
    assert lines[0] == "-----BEGIN SSL SESSION PARAMETERS-----"
    assert lines[-1] == "-----END SSL SESSION PARAMETERS-----"
    assert {len(line) for line in lines[1:-2]} == {64}
    assert Session.from_openssl_pem(pem, client=sample.client) == session
    around = b"SSL-Session:\n    Protocol  : TLSv1.3\n" + pem.replace(b"\n", b"\r\n") + b"more\n"
    assert Session.from_openssl_pem(around, client=sample.client) == session


# --- ours ----------------------------------------------------------------------------------------------------

CERTIFICATES: Final = (client_identity().chain_der[0], server_identity().chain_der[0])


@example(session=ORDINARY, client=True, certificates=[])  # without a ticket: nothing to be hinted at
@given(session=sessions(), client=st.booleans(), certificates=st.lists(st.sampled_from(CERTIFICATES)))
def test_what_is_kept_of_any_session(session: Session, client: bool, certificates: list[bytes]) -> None:
    session = evolve(session, peer_certificates=tuple(certificates))
    if session.issued_at < 1 or not session.lifetime:
        with pytest.raises(SessionFormatError, match="1970"):
            session.to_openssl_der(client=client)
        return
    whole_seconds = int(session.issued_at)
    kept = evolve(
        session,
        issued_at=whole_seconds,
        authenticated_at=whole_seconds,
        peer_certificates=session.peer_certificates[:1],
        verified_chain=(),
        session_id_context=b"" if client else session.session_id_context,
        family=b"",
        generation=0,
    )
    der = session.to_openssl_der(client=client)
    assert Session.from_openssl_der(der, client=client) == kept


def test_a_clients_session_is_known_by_its_ticket() -> None:
    theirs = evolve(ORDINARY, ticket=b"ticket")
    fields = openssl.decode(theirs.to_openssl_der())
    assert fields.session_id_context == b""
    assert fields.session_id == sha256(b"ticket").digest()
    assert (fields.ticket, fields.lifetime_hint, fields.timeout) == (b"ticket", 7200, 7200)
    assert Session.from_openssl_der(theirs.to_openssl_der()) == evolve(theirs, session_id_context=b"")
    assert Session.from_openssl_der(ORDINARY.to_openssl_der()) == ORDINARY
    assert openssl.decode(ORDINARY.to_openssl_der()).session_id == b""


def test_a_session_id_of_the_servers_stays() -> None:
    session = evolve(ORDINARY_12, ticket=b"ticket", session_id=b"i" * 32, session_id_context=b"")
    assert Session.from_openssl_der(session.to_openssl_der()) == session


@pytest.mark.parametrize("age_add", [0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_integers_have_a_sign(age_add: int) -> None:
    der = evolve(ORDINARY, age_add=age_add).to_openssl_der()
    width = len(age_add.to_bytes(4).lstrip(b"\0")) + (age_add > 0x7FFFFFFF)
    content = age_add.to_bytes(width)
    encoded = bytes((0xAE, width + 2, 0x02, width)) + content
    assert (encoded in der) == (age_add != 0)
    assert Session.from_openssl_der(der).age_add == age_add


def test_a_peers_certificate_must_be_one() -> None:
    with pytest.raises(SessionFormatError, match="certificate cannot be read"):
        evolve(ORDINARY, peer_certificates=(b"no certificate",)).to_openssl_der()


# --- lifetimes and times -------------------------------------------------------------------------------------


def fields(of: Session = ORDINARY, **changes: object) -> "SslSession":
    """The fields of a session with others put in."""
    made = openssl.decode(of.to_openssl_der())
    for name, value in changes.items():
        assert hasattr(made, name)
        setattr(made, name, value)
    return made


CLIENT: Final = evolve(ORDINARY, ticket=b"ticket")
CLIENT_12: Final = evolve(ORDINARY_12, ticket=b"ticket")


@pytest.mark.parametrize(
    ("of", "timeout", "hint", "lifetime"),
    [
        (CLIENT, 7200, 300, 300),
        (CLIENT, 300, 7200, 300),
        (CLIENT, 7200, None, 0),  # RFC 9846 section 4.7.1: to be thrown away at once
        (CLIENT_12, 7200, 300, 300),
        (CLIENT_12, 7200, None, 7200),  # RFC 5077 section 3.3: the server does not say
        (ORDINARY, 1000, None, 1000),
        (ORDINARY, None, None, 3),
        (ORDINARY, 1 << 33, None, (1 << 32) - 1),
        (CLIENT, 1 << 33, 1 << 33, (1 << 32) - 1),
    ],
)
def test_the_lifetime(of: Session, timeout: int | None, hint: int | None, lifetime: int) -> None:
    assert Session(**openssl.values_of(fields(of, timeout=timeout, lifetime_hint=hint))).lifetime == lifetime


def test_a_missing_time_is_now_or_an_error() -> None:
    assert Session(**openssl.values_of(fields(time=None), now=NOW + 5)).issued_at == NOW + 5
    with pytest.raises(SessionFormatError, match="without a time"):
        Session(**openssl.values_of(fields(time=None)))


@pytest.mark.parametrize("changes", [{"lifetime": 0}, {"issued_at": 0.9}])
def test_what_a_zero_would_mean_to_openssl_is_not_written(changes: dict[str, float]) -> None:
    with pytest.raises(SessionFormatError, match="1970"):
        evolve(ORDINARY, **changes).to_openssl_der()


# --- what is refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"key_arg": b"k"}, "key_arg"),
        ({"psk_identity_hint": b"hint"}, "psk_identity_hint"),
        ({"psk_identity": b"me", "ssl_version": 0x0303, "master_key": bytes(48)}, "psk_identity"),
        ({"compression": b"\1"}, "compression"),
        ({"srp_username": b"me"}, "srp_username"),
        ({"max_fragment_length": 1}, "max_fragment_length"),
        ({"peer_raw_public_key": b"key"}, "peer_raw_public_key"),
        ({"cipher": b"\x13\x01\x00"}, "cipher of 3 bytes"),
        ({"hostname": b"\xff"}, "host name"),
        ({"hostname": b""}, "server_name"),
        ({"alpn": b""}, "alpn"),
        ({"ssl_version": 0x0302}, "version"),
        ({"ssl_version": 0xFEFD}, "version"),
        ({"master_key": b""}, "secret"),
        ({"session_id": bytes(33)}, "session_id"),
        ({"session_id_context": bytes(33)}, "session_id_context"),
        ({"time": -1}, "issued_at"),
        ({"timeout": -1}, "lifetime"),
        ({"age_add": 1 << 32}, "age_add"),
        ({"age_add": -1}, "age_add"),
        ({"max_early_data": 1 << 32}, "max_early_data"),
        ({"kex_group": 1 << 16}, "group"),
    ],
)
def test_a_session_that_is_none_of_ours(changes: dict[str, object], why: str) -> None:
    made = fields(**changes)
    der = openssl.encode(made)
    assert openssl.encode(openssl.decode(der)) == der  # an SSL_SESSION all the same
    with pytest.raises(SessionFormatError, match=why):
        Session.from_openssl_der(der)


def test_no_number_is_longer_than_any_of_openssl() -> None:
    """One of more than 4,300 digits is no text for Python, and so in no message."""
    for name in openssl.NUMBERS:
        for number in (1 << 64, -(1 << 63) - 1, 1 << 20_000, -(1 << 20_000)):
            der = openssl.encode(fields(**{name: number}))
            with pytest.raises(SessionFormatError, match=f"with a {name} of more than 64 bits"):
                Session.from_openssl_der(der)
    longest = fields(flags=-(1 << 63), verify_result=(1 << 64) - 1)
    assert openssl.encode(openssl.decode(openssl.encode(longest))) == openssl.encode(longest)


def test_whether_the_peer_was_verified_matters_on_a_server() -> None:
    with_certificate = evolve(ORDINARY, peer_certificates=CERTIFICATES[:1])
    with pytest.raises(SessionFormatError, match="did not verify"):
        Session(**openssl.values_of(fields(with_certificate, verify_result=18)))
    assert Session(**openssl.values_of(fields(with_certificate, verify_result=0))) == with_certificate
    assert Session(**openssl.values_of(fields(verify_result=1))) == ORDINARY  # nobody to be verified
    of_client = fields(evolve(with_certificate, ticket=b"ticket"), verify_result=18)
    assert Session(**openssl.values_of(of_client)).ticket == b"ticket"
    with pytest.raises(SessionFormatError, match="did not verify"):
        Session(**openssl.values_of(of_client, client=False))


def test_other_versions_of_the_format_and_unknown_fields() -> None:
    with pytest.raises(SessionFormatError, match="version 2; expected 1"):
        openssl.decode(openssl.encode(fields(version=2)))
    der = fields(kex_group=None)
    unknown = bytes.fromhex("b9050403616263")  # [25] EXPLICIT OCTET STRING
    content = openssl.encode(der)[3:]
    with pytest.raises(SessionFormatError, match="not an SSL_SESSION"):
        openssl.decode(bytes((0x30, 0x81, len(content) + len(unknown))) + content + unknown)


@every_sample
def test_every_prefix_and_more_is_refused(sample: Sample) -> None:
    for end in range(0, len(sample.der), 7 if len(sample.der) > 500 else 1):
        with pytest.raises(SessionFormatError):
            openssl.decode(sample.der[:end])
    with pytest.raises(SessionFormatError):
        openssl.decode(sample.der + b"\0")


def read(der: bytes) -> None:
    """Either it is a session, which can be written again, or ``SessionFormatError``."""
    try:
        session = Session.from_openssl_der(der, now=NOW)
    except SessionFormatError:
        return
    if session.lifetime and session.issued_at >= 1:
        again = session.to_openssl_der(client=bool(session.ticket))
        assert Session.from_openssl_der(again) == evolve(
            session, session_id_context=b"" if session.ticket else session.session_id_context
        )


@given(
    sample=st.sampled_from(SAMPLES),
    edits=st.lists(st.tuples(st.integers(0, 1300), st.binary(max_size=3), st.integers(0, 3)), max_size=4),
)
def test_mutated_der(sample: Sample, edits: list[tuple[int, bytes, int]]) -> None:
    der = sample.der
    for at, put, dropped in edits:
        der = der[:at] + put + der[at + dropped :]
    read(der)


@given(data=st.binary(max_size=200))
@example(b"")
@example(b"\x30")
@example(b"\x30\x80\0\0")
@example(b"\x30\x84\xff\xff\xff\xff")
def test_anything(data: bytes) -> None:
    read(data)
    with pytest.raises(SessionFormatError):
        Session.from_openssl_pem(data)


def test_every_changed_byte_of_a_short_session() -> None:
    der = sample("3.0.19-tls13-server-plain").der
    for at in range(len(der)):
        for value in (0x00, 0x01, 0x7F, 0x80, 0xFF, der[at] ^ 0x20):
            read(der[:at] + bytes((value,)) + der[at + 1 :])


@pytest.mark.parametrize(
    ("pem", "why"),
    [
        (b"", "no PEM block"),
        (b"-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n", "no PEM block"),
        (b"-----BEGIN SSL SESSION PARAMETERS-----\nMA==\n", "no PEM block"),
        (
            b"-----BEGIN SSL SESSION PARAMETERS-----\nM*==\n-----END SSL SESSION PARAMETERS-----\n",
            "not base64",
        ),
        (
            b"-----BEGIN SSL SESSION PARAMETERS-----\nMA=\n-----END SSL SESSION PARAMETERS-----\n",
            "not base64",
        ),
        (b"-----BEGIN SSL SESSION PARAMETERS-----\nMA==\n-----END SSL SESSION PARAMETERS-----\n", "in DER"),
    ],
)
def test_pem_that_is_none(pem: bytes, why: str) -> None:
    with pytest.raises(SessionFormatError, match=why):
        Session.from_openssl_pem(pem)


@pytest.mark.parametrize(
    "pem",
    [
        b"-----BEGIN SSL SESSION PARAMETERS-----\n" * 50_000,
        b"-----BEGIN SSL SESSION PARAMETERS-----" + b" \n" * 500_000,
        b"-----BEGIN SSL SESSION PARAMETERS-----\n" * 50_000 + b"-----END SSL SESSION PARAMETERS-----",
    ],
)
def test_many_beginnings_are_read_once(pem: bytes) -> None:
    """What takes time with the square of its length would not come to an end here."""
    with pytest.raises(SessionFormatError):
        Session.from_openssl_pem(pem)


def test_the_fields_show_no_secret() -> None:
    made = openssl.decode(ORDINARY.to_openssl_der())
    assert ORDINARY.secret.hex() not in repr(made)
    assert repr(ORDINARY.secret) not in repr(made)
    assert copy.copy(made).master_key == ORDINARY.secret
