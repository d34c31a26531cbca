"""External PSKs by callbacks: the same for ours and for the standard library's, where that has them (Python 3.13).

What is different is in docs/adapters.md.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any, Final

import pytest

from sansticket import ConfigError, ExternalPsk, PskRole
from tests.support.certificates import authority, new_authority
from tests.support.ssl_objects import NAME, OURS, STDLIB, TLS12, TLS13, House, Link, shaken

KEY: Final = bytes(range(32))
PAIRS: Final = [(OURS, OURS), (OURS, STDLIB), (STDLIB, OURS), (STDLIB, STDLIB)]
HAS_PSK: Final = bool(getattr(ssl, "HAS_PSK", False))

needs_psk = pytest.mark.skipif(not HAS_PSK, reason="ssl has these callbacks from Python 3.13 on")


@pytest.fixture(
    params=[
        pytest.param(pair, id=f"{pair[0].name}-to-{pair[1].name}", marks=needs_psk if STDLIB in pair else ())
        for pair in PAIRS
    ]
)
def pair(request: pytest.FixtureRequest) -> tuple[House, House]:
    chosen: tuple[House, House] = request.param
    return chosen


@pytest.fixture(params=[OURS, pytest.param(STDLIB, marks=needs_psk)], ids=lambda house: house.name)
def house(request: pytest.FixtureRequest) -> House:
    chosen: House = request.param
    return chosen


class Noting:
    """A callback that notes what it was called with."""

    def __init__(self, answer: Callable[[str | None], Any]) -> None:
        self.answer = answer
        self.called: list[str | None] = []

    def __call__(self, argument: str | None) -> Any:
        self.called.append(argument)
        return self.answer(argument)


def plain_client(house: House) -> Any:
    """Without anything that verifies a certificate."""
    context = house.context(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = TLS13
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def plain_server(house: House) -> Any:
    """Without a certificate."""
    context = house.context(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = TLS13
    return context


@pytest.mark.parametrize("name", ["sensor-7", "größer"])
def test_without_certificates(pair: tuple[House, House], name: str) -> None:
    ours, theirs = Noting(lambda hint: (name, KEY)), Noting(lambda identity: KEY)
    client, server = plain_client(pair[0]), plain_server(pair[1])
    client.set_psk_client_callback(ours)
    server.set_psk_server_callback(theirs, "a hint")
    for expected in (1, 2):
        link = shaken(client, server)
        assert ours.called == [None] * expected
        assert theirs.called == [name] * expected
        for end in (link.client, link.server):
            assert end.tls.version() == "TLSv1.3"
            assert end.tls.session_reused is True
            assert end.tls.getpeercert(True) is None
            assert end.tls.getpeercert() is None
        assert link.say(link.client, b"there") == b"there"
        assert link.say(link.server, b"and back") == b"and back"
    assert client.session_stats()["hits"] == server.session_stats()["hits"] == 2


@pytest.mark.parametrize("sent", ["ticket", "no ticket"])
def test_a_session_of_a_psk(pair: tuple[House, House], sent: str) -> None:
    """The client's callback is called all the same, and the session goes on: the server's is asked as it resumes."""
    client, server = plain_client(pair[0]), plain_server(pair[1])
    client.set_psk_client_callback(lambda hint: ("sensor-7", KEY))
    server.set_psk_server_callback(lambda identity: KEY)
    if sent == "no ticket":
        server.num_tickets = 0
    link = shaken(client, server)
    link.say(link.server, b"tickets come with it")
    again = (
        Link(client, server, session=link.client.tls.session) if sent == "ticket" else Link(client, server)
    )
    again.shake()
    assert again.client.tls.session_reused


@pytest.mark.parametrize(
    "callback", [lambda identity: b"", lambda identity: None, lambda identity: 1 / 0, None]
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_server_that_does_not_know_the_psk_shows_its_certificate(
    pair: tuple[House, House], callback: Any
) -> None:
    client, server = pair[0].client(version=TLS13), pair[1].server(version=TLS13)
    client.set_psk_client_callback(lambda hint: ("sensor-7", KEY))
    server.set_psk_server_callback(callback)
    link = shaken(client, server)
    assert link.client.tls.session_reused is False
    assert link.client.tls.getpeercert()["subject"]


@pytest.mark.parametrize("callback", [lambda hint: ("sensor-7", b""), None])
def test_a_client_without_a_psk(pair: tuple[House, House], callback: Any) -> None:
    client, server = pair[0].client(version=TLS13), pair[1].server(version=TLS13)
    asked = Noting(lambda identity: KEY)
    client.set_psk_client_callback(callback)
    server.set_psk_server_callback(asked)
    assert shaken(client, server).client.tls.getpeercert()
    assert asked.called == []


def test_another_key(pair: tuple[House, House]) -> None:
    client, server = plain_client(pair[0]), plain_server(pair[1])
    client.set_psk_client_callback(lambda hint: ("sensor-7", KEY))
    server.set_psk_server_callback(lambda identity: bytes(32))
    with pytest.raises(ssl.SSLError):
        shaken(client, server)


def test_nobody_knows_anything(pair: tuple[House, House]) -> None:
    client, server = plain_client(pair[0]), plain_server(pair[1])
    client.set_psk_client_callback(lambda hint: ("sensor-7", KEY))
    server.set_psk_server_callback(lambda identity: b"")
    with pytest.raises(ssl.SSLError):
        shaken(client, server)


# --- setting them --------------------------------------------------------------------------------------------------


def test_what_is_refused_at_once(house: House) -> None:
    client, server = plain_client(house), plain_server(house)
    for context, call, side, protocol in (
        (server, "set_psk_client_callback", "client", "PROTOCOL_TLS_SERVER"),
        (client, "set_psk_server_callback", "server", "PROTOCOL_TLS_CLIENT"),
    ):
        with pytest.raises(ssl.SSLError, match=f"Cannot add PSK {side} callback to a {protocol} context"):
            getattr(context, call)(print)
    for context, call in ((client, "set_psk_client_callback"), (server, "set_psk_server_callback")):
        with pytest.raises(TypeError, match="callback must be callable"):
            getattr(context, call)(5)
        with pytest.raises(TypeError):
            getattr(context, call)()
        assert getattr(context, call)(None) is None
    with pytest.raises(TypeError, match="argument 'identity_hint' must be str or None, not int"):
        server.set_psk_server_callback(print, 5)
    with pytest.raises(ValueError, match="failed to set identity hint"):
        server.set_psk_server_callback(print, "h" * 300)
    with pytest.raises(ValueError, match="null character"):
        server.set_psk_server_callback(print, "a\0b")


def test_a_callback_that_is_taken_away_again(house: House) -> None:
    client, server = house.client(version=TLS13), house.server(version=TLS13)
    asked = Noting(lambda identity: KEY)
    client.set_psk_client_callback(lambda hint: ("sensor-7", KEY))
    client.set_psk_client_callback(None)
    server.set_psk_server_callback(asked)
    server.set_psk_server_callback(None)
    assert shaken(client, server).client.tls.getpeercert()
    assert asked.called == []


# --- ours alone ----------------------------------------------------------------------------------------------------


def ours_with(**server: Any) -> tuple[Any, Any]:
    client = plain_client(OURS)
    client.set_psk_client_callback(lambda hint: ("sensor-7", KEY))
    return client, OURS.server(version=TLS13, **server)


def test_a_client_that_verifies_nothing_takes_no_certificate_instead() -> None:
    """Anybody could show one."""
    client, server = ours_with()
    with pytest.raises(ssl.SSLError):
        shaken(client, server)


def test_a_client_that_requires_what_it_cannot_verify() -> None:
    """CERT_REQUIRED is the default, and there are no trust anchors: the PSK does, and nothing else."""
    client, server = OURS.context(ssl.PROTOCOL_TLS_CLIENT), OURS.server()
    client.set_psk_client_callback(lambda hint: ("sensor-7", KEY))
    with pytest.raises(ssl.SSLCertVerificationError):
        shaken(client, server)
    server.set_psk_server_callback(lambda identity: KEY)
    assert shaken(client, server).client.tls.session_reused


def test_a_certificate_of_somebody_else_beside_a_psk() -> None:
    client, server = OURS.client(trusted=new_authority("another root")), OURS.server()
    client.set_psk_client_callback(lambda hint: ("sensor-7", KEY))
    server.set_psk_server_callback(lambda identity: KEY)
    assert shaken(client, server).server.tls.connection.psk_identity == b"sensor-7"
    server.set_psk_server_callback(None)
    with pytest.raises(ssl.SSLCertVerificationError):
        shaken(client, server)


def test_the_psk_chooses_the_suite() -> None:
    client, server = ours_with()
    server.configure(cipher_suites=(0x1302, 0x1301))
    server.set_psk_server_callback(lambda identity: KEY)
    link = shaken(client, server)
    assert link.server.tls.cipher()[0] == "TLS_AES_128_GCM_SHA256"
    assert link.server.tls.resumption_record.psk_identity == b"sensor-7"
    assert not link.server.tls.resumption_record.resumed


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (lambda hint: 1 / 0, ZeroDivisionError, "division"),
        (lambda hint: None, TypeError, "gave NoneType; expected identity and key"),
        (lambda hint: ("a", KEY, 1), TypeError, "gave tuple; expected identity and key"),
        (lambda hint: (None, KEY), TypeError, "gave NoneType as identity; expected str"),
        (lambda hint: ("a", bytes(15)), ConfigError, "key: 15 bytes; expected at least 16"),
        (lambda hint: ("", KEY), ConfigError, "identity: 0 bytes"),
    ],
)
def test_a_client_callback_that_gives_no_psk(answer: Any, error: type[Exception], words: str) -> None:
    """Before anything is sent."""
    client = plain_client(OURS)
    client.set_psk_client_callback(answer)
    link = Link(client, OURS.server())
    with pytest.raises(error, match=words):
        link.client.step()
    assert link.client.outgoing.pending == 0


@pytest.mark.parametrize("key", ["a text", bytes(15)])
def test_a_server_callback_that_gives_no_key(key: Any) -> None:
    """The PSK is not known, and the record says that it should have been."""
    client, server = OURS.client(), OURS.server()
    client.set_psk_client_callback(lambda hint: ("sensor-7", KEY))
    server.set_psk_server_callback(lambda identity: key)
    said = str(shaken(client, server).server.tls.resumption_record)
    assert "psk FAILED (the look-up failed: ConfigError)" in said


def test_an_identity_that_is_no_text_is_not_asked_for() -> None:
    client, server = OURS.client(), OURS.server()
    client.configure(psks=[ExternalPsk(b"\xff", KEY, role=PskRole.CLIENT)])
    asked = Noting(lambda identity: KEY)
    server.set_psk_server_callback(asked)
    assert "the identity is not UTF-8" in str(shaken(client, server).server.tls.resumption_record)
    assert asked.called == []


def test_the_psks_of_the_config_come_first() -> None:
    client, server = OURS.client(), OURS.server()
    client.configure(psks=[ExternalPsk(b"a", bytes(16), role=PskRole.CLIENT)])
    client.set_psk_client_callback(lambda hint: ("b", KEY))
    asked = Noting(lambda identity: KEY if identity == "b" else b"")
    server.set_psk_server_callback(asked)
    assert shaken(client, server).client.tls.connection.psk_identity == b"b"
    assert asked.called == ["a", "b"]


def test_required_certificates_and_a_callback() -> None:
    server = OURS.server(client_authority=authority())
    with pytest.raises(ConfigError, match="LookUpPsk can never be asked"):
        server.set_psk_server_callback(lambda identity: KEY)
    assert server.answers == {}


def test_tls12_alone_asks_nobody() -> None:
    client, server = OURS.client(version=TLS12), OURS.server()
    asked = Noting(lambda hint: ("sensor-7", KEY))
    client.set_psk_client_callback(asked)
    server.set_psk_server_callback(lambda identity: KEY)
    assert shaken(client, server).client.tls.version() == "TLSv1.2"
    assert asked.called == []


def test_a_server_of_psks_only_does_no_tls12() -> None:
    server = OURS.context(ssl.PROTOCOL_TLS_SERVER)
    server.set_psk_server_callback(lambda identity: KEY)
    with pytest.raises(ssl.SSLError):
        shaken(OURS.client(version=TLS12), server)


def test_a_name_is_checked_where_a_certificate_may_come() -> None:
    client = OURS.client(version=TLS13)
    client.set_psk_client_callback(lambda hint: ("sensor-7", KEY))
    with pytest.raises(ValueError, match="check_hostname requires server_hostname"):
        client.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO())
    assert client.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=NAME)
