"""External PSKs in a handshake (RFC 9846 section 4.3.11): who is authenticated by what, who refuses it, what is asked.

What a session that goes back to a PSK is worth is in ``tests/resumption/test_psk_sessions.py``.
"""

from __future__ import annotations

import os
from typing import Any, Final

import pytest
from attrs import evolve

from sansticket.codes import AlertDescription, CipherSuite, NamedGroup, PskKeyExchangeMode
from sansticket.commands import ProvidePsk, RequestClientCertificate, ResolveTicket, SendData, TicketNotOpened
from sansticket.config.choices import ASK, ClientAuthentication
from sansticket.config.server import ServerConfig
from sansticket.connection.client import ClientConnection
from sansticket.errors import LocalProtocolError, Reason
from sansticket.events import (
    ConnectionTerminated,
    DataReceived,
    DecideTicket,
    EarlyDataReceived,
    HandshakeCompleted,
    LookUpPsk,
    OpenTicket,
    ProtectTicket,
    TicketReceived,
)
from sansticket.handshake.client.offer import room_in
from sansticket.keys.tls13 import EarlySecret
from sansticket.psk import ExternalPsk, PskRole, import_psk
from sansticket.tickets.decision import TicketReturn
from sansticket.tickets.early_data import EarlyDataReason
from sansticket.tickets.keys.ring import TicketKeyRing
from sansticket.tickets.records import ResumptionRecord
from sansticket.tickets.session import Session
from sansticket.tickets.stores.cache import SessionCache
from sansticket.wire.extensions.certificate import PostHandshakeAuth
from sansticket.wire.extensions.key_exchange import KeyShareAnswer, KeyShareOffer, SupportedGroups
from sansticket.wire.extensions.negotiation import Cookie, SignatureAlgorithms
from sansticket.wire.extensions.resumption import (
    EarlyData,
    PreSharedKeyOffer,
    PreSharedKeySelection,
    PskKeyExchangeModes,
)
from sansticket.wire.messages.hello import ClientHello, ServerHello
from sansticket.wire.messages.tls13 import Certificate, CertificateRequest
from tests.support.credentials import NOW, anchors
from tests.support.hostile_client import HostileClient, quick_server
from tests.support.hostile_server import (
    HostileServer,
    certificate_request,
    quick_client,
    with_extensions,
    without,
)
from tests.support.pair import ConnectionPair
from tests.support.refusals import ends, refused

KEY: Final = bytes(range(32))
DHE, KE = PskKeyExchangeMode.PSK_DHE_KE, PskKeyExchangeMode.PSK_KE
BOTH: Final = (DHE, KE)
SHA384_FIRST: Final = (CipherSuite.AES_256_GCM_SHA384, CipherSuite.AES_128_GCM_SHA256)
NO_CERTIFICATES: Final[dict[str, Any]] = {"trust_anchors": None}
NO_CREDENTIALS: Final[dict[str, Any]] = {"credentials": ()}


def ours(identity: bytes = b"sensor-7", key: bytes = KEY, **more: Any) -> ExternalPsk:
    return ExternalPsk(identity, key, role=PskRole.CLIENT, **more)


def theirs(identity: bytes = b"sensor-7", key: bytes = KEY, **more: Any) -> ExternalPsk:
    return ExternalPsk(identity, key, role=PskRole.SERVER, **more)


def meet(client: dict[str, Any], server: dict[str, Any], session: Session | None = None) -> ConnectionPair:
    pair = ConnectionPair(quick_client(**client), quick_server(**server), session=session)
    pair.pump()
    return pair


def done(pair: ConnectionPair) -> HandshakeCompleted:
    """What the server says of it; the client must say the same."""
    client, server = pair.event("client", HandshakeCompleted), pair.event("server", HandshakeCompleted)
    assert client.psk_identity == server.psk_identity == pair.client.psk_identity == pair.server.psk_identity
    assert client.record.psk_identity == server.record.psk_identity
    assert client.resumed == server.resumed
    assert (client.cipher_suite, client.group) == (server.cipher_suite, server.group)
    assert client.connection.psk_identity == server.connection.psk_identity == server.psk_identity
    pair.send("client", SendData(b"there"))
    pair.send("server", SendData(b"and back"))
    assert (pair.data("server"), pair.data("client")) == (b"there", b"and back")
    return server


def ended(pair: ConnectionPair, side: Any = "server") -> ConnectionTerminated:
    return pair.event(side, ConnectionTerminated)


def hello_of(**changes: Any) -> ClientHello:
    """The first hello of such a client."""
    return HostileServer(quick_client(**changes)).hello


def record(pair: ConnectionPair, side: Any = "server") -> ResumptionRecord:
    return pair.event(side, HandshakeCompleted).record


# --- a handshake -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hash_name", ["sha256", "sha384"])
def test_both_sides_are_authenticated_by_the_key(hash_name: str) -> None:
    """And not by a certificate, though both could."""
    pair = meet({"psks": [ours(hash_name=hash_name)]}, {"psks": [theirs(hash_name=hash_name)]})
    completed = done(pair)
    assert completed.psk_identity == b"sensor-7"
    assert not completed.resumed
    assert completed.session is None
    assert completed.peer_certificates == pair.client.peer_certificates == ()
    assert completed.group == NamedGroup.X25519
    assert len(pair.events("client", TicketReceived)) == 2
    assert str(completed.record).startswith(
        "external PSK b'sensor-7', identity 0, 2 tickets to follow: identity 0 is an external PSK"
    )
    assert "passed: psk (b'sensor-7'), hash" in str(completed.record)
    said = str(record(pair, "client"))
    assert said.startswith("external PSK b'sensor-7', identity 0: the server took this PSK")


def test_without_any_certificate() -> None:
    pair = meet({**NO_CERTIFICATES, "psks": [ours()]}, {**NO_CREDENTIALS, "psks": [theirs()]})
    assert done(pair).psk_identity == b"sensor-7"


def test_a_server_without_a_name_to_be_verified() -> None:
    client = quick_client(**NO_CERTIFICATES, psks=[ours()])
    pair = ConnectionPair(client, quick_server(psks=[theirs()]), server_name=None)
    pair.pump()
    assert done(pair).server_name is None


def test_what_a_hello_says() -> None:
    """Age 0: there are servers that take any other for that of a ticket."""
    hello = hello_of(psks=[ours(), ours(b"lamp-1", bytes(32), hash_name="sha384")])
    offer = hello.find(PreSharedKeyOffer)
    assert offer is not None
    assert hello.extensions[-1] == offer
    assert [(one.identity, one.obfuscated_ticket_age) for one in offer.identities] == [
        (b"sensor-7", 0),
        (b"lamp-1", 0),
    ]
    assert [len(binder) for binder in offer.binders] == [32, 48]
    assert hello.find(PskKeyExchangeModes) == PskKeyExchangeModes((DHE,))
    assert hello.find(SignatureAlgorithms) is not None
    assert hello_of(psks=[ours()], **NO_CERTIFICATES).find(SignatureAlgorithms) is None


def test_psk_ke_is_never_first_and_only_if_it_was_chosen() -> None:
    hello = hello_of(psks=[ours(), ours(b"lamp-1", bytes(32), modes=BOTH)])
    assert hello.find(PskKeyExchangeModes) == PskKeyExchangeModes((DHE, KE))


@pytest.mark.parametrize("hash_name", ["sha256", "sha384"])
def test_suites_of_the_hash_of_the_first_psk_come_first(hash_name: str) -> None:
    hello = hello_of(psks=[ours(hash_name=hash_name)])
    first = CipherSuite.AES_256_GCM_SHA384 if hash_name == "sha384" else CipherSuite.AES_128_GCM_SHA256
    assert hello.cipher_suites[0] == first
    assert set(hello.cipher_suites) == set(quick_client().suites_offered)


# --- the PSK takes part in choosing the suite ----------------------------------------------------------------------


@pytest.mark.parametrize("credentials", [{}, NO_CREDENTIALS], ids=["certificate", "PSKs only"])
def test_a_server_takes_a_suite_that_fits(credentials: dict[str, Any]) -> None:
    pair = meet({"psks": [ours()]}, {"psks": [theirs()], "cipher_suites": SHA384_FIRST, **credentials})
    assert done(pair).cipher_suite == CipherSuite.AES_128_GCM_SHA256


def test_a_psk_of_which_there_is_no_suite_is_passed_over_and_the_record_says_so() -> None:
    pair = meet(
        {"psks": [ours(), ours(b"lamp-1", bytes(32), hash_name="sha384")]},
        {
            "psks": [theirs(), theirs(b"lamp-1", bytes(32), hash_name="sha384")],
            "cipher_suites": SHA384_FIRST[:1],
        },
    )
    assert done(pair).psk_identity == b"lamp-1"
    assert "identity 0 external PSK b'sensor-7'" in str(record(pair))
    assert "hash FAILED (sha256, now sha384)" in str(record(pair))


@pytest.mark.parametrize("first", [SHA384_FIRST, SHA384_FIRST[::-1]], ids=["SHA-384", "SHA-256"])
@pytest.mark.parametrize("hash_name", ["sha256", "sha384"])
def test_after_a_retry_too(first: tuple[int, ...], hash_name: str) -> None:
    """The retry settles the hash before the identity is looked at: the binder says which it should be."""
    pair = meet(
        {"psks": [ours(hash_name=hash_name)], "groups": (NamedGroup.X25519, NamedGroup.SECP256R1)},
        {"psks": [theirs(hash_name=hash_name)], "cipher_suites": first, "groups": (NamedGroup.SECP256R1,)},
    )
    assert done(pair).psk_identity == b"sensor-7"
    assert done_group(pair) == NamedGroup.SECP256R1


def done_group(pair: ConnectionPair) -> int:
    return pair.event("server", HandshakeCompleted).group


def test_a_retry_drops_psks_of_another_hash() -> None:
    pair = meet(
        {"psks": [ours(), ours(b"lamp-1", bytes(32), hash_name="sha384")], "groups": (29, 23)},
        {
            "psks": [theirs(b"lamp-1", bytes(32), hash_name="sha384")],
            "groups": (23,),
            "cipher_suites": [0x1302],
        },
    )
    assert done(pair).psk_identity == b"lamp-1"
    said = str(record(pair, "client"))
    assert "hash FAILED (sha256; the retry settled sha384)" in said
    assert record(pair, "client").winner == 1
    assert record(pair).winner == 0


@ends(Reason.PSK_REQUIRED)
def test_a_retry_that_leaves_no_psk() -> ConnectionTerminated:
    """Where nothing else authenticates that is the end."""
    client = {**NO_CERTIFICATES, "psks": [ours()], "groups": (29, 23)}
    pair = meet(client, {"groups": (23,), "cipher_suites": [0x1302]})
    end = ended(pair, "client")
    assert end.alert == AlertDescription.HANDSHAKE_FAILURE
    assert "a retry that settled sha384" in end.detail
    return end


@pytest.mark.parametrize("alone", [False, True])
def test_a_retry_with_a_cookie_that_leaves_no_room(alone: bool) -> None:
    """The PSK is left out; where nothing else authenticates that is the end."""
    name = bytes(15_000)
    server = psk_server(psks=[ours(name)], groups=(29, 23), **(NO_CERTIFICATES if alone else {}))
    server.retry(23, (Cookie(bytes(52_000)),))
    if alone:
        server.assert_refused(Reason.PSK_REQUIRED)
        return
    assert server.hello.find(PreSharedKeyOffer) is None
    server.session = None
    completed = next(one for one in server.complete().events if isinstance(one, HandshakeCompleted))
    assert "size FAILED (15055 bytes, room for" in str(completed.record)


@pytest.mark.parametrize(("more", "left"), [(0, 2), (1, 1)])
def test_a_retry_with_a_cookie_that_leaves_room_to_the_byte(more: int, left: int) -> None:
    psks = [ours(bytes(7000), hash_name="sha384"), ours(bytes(7001), hash_name="sha384")]
    client = ClientConnection(quick_client(psks=psks, cipher_suites=SHA384_FIRST), "server.example")
    server = HostileServer(client, suite=CipherSuite.AES_256_GCM_SHA384)
    server.retry(None, (Cookie(bytes(room_in(server.hello.extensions) - 6 + more)),))
    offer = server.hello.find(PreSharedKeyOffer)
    assert offer is not None
    assert [len(one.identity) for one in offer.identities] == [7000, 7001][:left]
    assert (room_in(server.hello.extensions) == 0) == (left == 2)
    server.complete().assert_alive()


# --- identities --------------------------------------------------------------------------------------------------


def test_an_unknown_identity_goes_on_to_the_next() -> None:
    pair = meet({"psks": [ours(b"other", bytes(32)), ours()]}, {"psks": [theirs()]})
    assert done(pair).psk_identity == b"sensor-7"
    assert record(pair).winner == 1
    assert "psk FAILED (no PSK of this identity)" in str(record(pair))


def test_a_binder_of_another_length_means_another_hash() -> None:
    """Client and server disagree about the PSK's hash: nothing of it can be verified, and nobody is to blame."""
    pair = meet({"psks": [ours()]}, {"psks": [theirs(hash_name="sha384")]})
    assert done(pair).psk_identity is None
    assert "hash FAILED (sha384, now sha256)" in str(record(pair))


def test_none_is_known_and_there_is_a_certificate() -> None:
    pair = meet({"psks": [ours()]}, {"psks": [theirs(b"other")]})
    completed = done(pair)
    assert completed.psk_identity is None
    assert pair.client.peer_certificates
    assert record(pair).winner is None
    assert str(record(pair, "client")).startswith("full handshake")


@ends(Reason.UNKNOWN_PSK_IDENTITY)
def test_none_is_known_and_there_is_no_certificate() -> ConnectionTerminated:
    pair = meet({"psks": [ours()]}, {**NO_CREDENTIALS, "psks": [theirs(b"other")]})
    assert ended(pair, "client").alert == AlertDescription.UNKNOWN_PSK_IDENTITY
    return ended(pair)


@ends(Reason.PSK_REQUIRED)
def test_none_is_offered_and_there_is_no_certificate() -> ConnectionTerminated:
    pair = meet({}, {**NO_CREDENTIALS, "psks": [theirs()]})
    assert ended(pair, "client").alert == AlertDescription.HANDSHAKE_FAILURE
    assert "the client offers none" in ended(pair).detail
    return ended(pair)


@ends(Reason.PSK_REQUIRED)
def test_one_is_known_but_of_no_use_and_there_is_no_certificate() -> ConnectionTerminated:
    """Nor does an unknown one beside it make it unknown."""
    server = {**NO_CREDENTIALS, "psks": [theirs(), theirs(b"b", bytes(32), hash_name="sha384")]}
    pair = meet({"psks": [ours(b"unknown", bytes(32)), ours()]}, {**server, "cipher_suites": [0x1302]})
    assert "none of those that are known can be used" in ended(pair).detail
    return ended(pair)


@pytest.mark.parametrize("credentials", [{}, NO_CREDENTIALS], ids=["certificate", "PSKs only"])
@pytest.mark.parametrize(
    "other",
    [
        {"key": bytes(32)},
        {"imported": True},
        {"hash_name": "sha384"},
    ],
    ids=["another key", "another label", "another hash"],
)
def test_a_binder_that_does_not_verify(credentials: dict[str, Any], other: dict[str, Any]) -> None:
    """decrypt_error, and never a certificate instead."""
    pair = meet({"psks": [ours(**other)]}, {"psks": [theirs()], **credentials})
    end = ended(pair)
    assert (end.reason, end.alert) == (Reason.BAD_BINDER, AlertDescription.DECRYPT_ERROR)
    assert ended(pair, "client").alert == AlertDescription.DECRYPT_ERROR


def test_texts_about_a_long_and_unprintable_identity_are_bounded() -> None:
    name = b"\x1b[31m" * 3000
    pair = meet({"psks": [ours(name)]}, {"psks": [theirs(name)]})
    completed = done(pair)
    for said in (str(completed.record), str(record(pair, "client"))):
        assert len(said) < 2000
        assert all(line.isprintable() for line in said.split("\n"))
    assert len(repr(completed)) < 4000
    assert repr(completed).isprintable()


# --- certificates and PSKs ---------------------------------------------------------------------------------------


@refused(Reason.PSK_REQUIRED, AlertDescription.HANDSHAKE_FAILURE, "the server takes none of ours")
def test_a_client_of_psks_only_takes_no_certificate() -> HostileServer:
    return HostileServer(quick_client(**NO_CERTIFICATES, psks=[ours()])).say_hello()


@refused(Reason.PSK_REQUIRED)
def test_verify_peer_false_does_not_mean_anybody() -> HostileServer:
    """It says that no certificate is verified; then none counts where there are PSKs."""
    return HostileServer(quick_client(**NO_CERTIFICATES, psks=[ours()], verify_peer=False)).say_hello()


def test_a_client_of_psks_only_at_a_server_that_knows_none() -> None:
    """It names no signatures, so an honest server has nothing to show (RFC 9846 section 9.2)."""
    pair = meet({**NO_CERTIFICATES, "psks": [ours()]}, {})
    assert (ended(pair).reason, ended(pair).alert) == (
        Reason.MISSING_EXTENSION,
        AlertDescription.MISSING_EXTENSION,
    )


def test_no_certificate_is_asked_for_with_a_psk() -> None:
    """Not during the handshake, and not afterwards."""
    optional = {"client_authentication": ClientAuthentication.OPTIONAL, "trust_anchors": anchors()}
    pair = meet({"psks": [ours()], "post_handshake_auth": True}, {"psks": [theirs()], **optional})
    assert done(pair).peer_certificates == ()
    with pytest.raises(LocalProtocolError, match="external PSK"):
        pair.server.send(RequestClientCertificate())


@refused(Reason.UNEXPECTED_MESSAGE, AlertDescription.UNEXPECTED_MESSAGE, "external PSK")
def test_a_server_that_asks_all_the_same_afterwards() -> HostileServer:
    server = psk_server(post_handshake_auth=True).complete()
    assert server.hello.find(PostHandshakeAuth) is not None
    server.send_message(certificate_request(context=b"context"))
    return server


@refused(Reason.UNEXPECTED_MESSAGE)
def test_a_server_that_asks_all_the_same_at_once() -> HostileServer:
    server = psk_server()
    server.request = certificate_request()
    return server.serve()


@refused(Reason.UNEXPECTED_MESSAGE)
def test_a_server_that_shows_a_certificate_beside_the_psk() -> HostileServer:
    server = psk_server().say_hello().say_extensions()
    server.session = None
    return server.say_certificate()


def as_session(psk: ExternalPsk) -> Session:
    """For the hand-made peers, which know nothing of PSKs: they need a secret and a name."""
    suite = CipherSuite.AES_128_GCM_SHA256 if psk.hash_name == "sha256" else CipherSuite.AES_256_GCM_SHA384
    return Session(
        version=0x0304, cipher_suite=suite, secret=psk.key, lifetime=1, issued_at=0, ticket=psk.identity
    )


def psk_server(edits: Any = None, selected: int = 0, **changes: Any) -> HostileServer:
    """A hand-made server that takes the client's PSK."""
    config = quick_client(**{"psks": [ours()], **changes})
    client = ClientConnection(config, "server.example")
    return HostileServer(client, edits, session=as_session(config.psks[0]), selected=selected)


def test_the_hand_made_server_is_right() -> None:
    assert psk_server().complete().victim.psk_identity == b"sensor-7"


@pytest.mark.parametrize("selected", [1, 2, 65_535])
@refused(Reason.BAD_PSK_SELECTION, AlertDescription.ILLEGAL_PARAMETER)
def test_an_identity_that_was_not_offered(selected: int) -> HostileServer:
    return psk_server(selected=selected).say_hello()


@refused(Reason.BAD_PSK_SELECTION, AlertDescription.ILLEGAL_PARAMETER, "does not fit the suite's hash")
def test_a_psk_of_another_hash() -> HostileServer:
    server = psk_server(psks=[ours(hash_name="sha384")])
    return server.say_hello()


@refused(Reason.ILLEGAL_VALUE, AlertDescription.ILLEGAL_PARAMETER, "without key_share")
def test_no_key_share_though_we_want_one() -> HostileServer:
    return psk_server({ServerHello: lambda message: [without(message, KeyShareAnswer)]}).say_hello()


@refused(Reason.ILLEGAL_VALUE, AlertDescription.ILLEGAL_PARAMETER, "without key_share")
def test_no_key_share_for_the_psk_that_did_not_choose_so() -> HostileServer:
    """The hello says psk_ke, but for another one."""
    psks = [ours(), ours(b"lamp-1", bytes(32), modes=BOTH)]
    edits = {ServerHello: lambda message: [without(message, KeyShareAnswer)]}
    return psk_server(edits, psks=psks).say_hello()


# --- psk_ke --------------------------------------------------------------------------------------------------------


def only_psk_ke(client: ClientConnection | None = None, **changes: Any) -> Any:
    """A config whose hellos say psk_ke and nothing else, as those of other programs do."""
    config = quick_client(**{"psks": [ours(modes=BOTH)], **changes})
    fixed = tuple(
        PskKeyExchangeModes((KE,)) if isinstance(one, PskKeyExchangeModes) else one
        for one in config.fixed_extensions
    )
    config.__dict__["fixed_extensions"] = fixed
    return config


def test_psk_ke_where_both_sides_chose_it() -> None:
    pair = ConnectionPair(only_psk_ke(), quick_server(psks=[theirs(modes=BOTH)]))
    pair.pump()
    completed = done(pair)
    assert (completed.psk_identity, completed.group) == (b"sensor-7", 0)
    assert "mode (psk_ke)" in str(completed.record)
    assert pair.events("client", TicketReceived) == []  # sessions go on with psk_dhe_ke only


def test_psk_dhe_ke_where_both_are_offered() -> None:
    pair = meet({"psks": [ours(modes=BOTH)]}, {"psks": [theirs(modes=BOTH)]})
    assert done(pair).group == NamedGroup.X25519


def test_psk_ke_where_the_server_did_not_choose_it() -> None:
    pair = ConnectionPair(only_psk_ke(), quick_server(psks=[theirs()]))
    pair.pump()
    assert done(pair).psk_identity is None
    assert "mode FAILED (psk_ke was not chosen for it)" in str(record(pair))


class WithoutShare(HostileClient):
    """Offers a PSK in psk_ke, and brings no key share."""

    def __init__(self, server: ServerConfig, psk: ExternalPsk) -> None:
        super().__init__(server, sessions=(as_session(psk),), label=psk.binder_label)

    def hello(self) -> ClientHello:
        kept = without(without(super().hello(), KeyShareOffer), SupportedGroups)
        changed = with_extensions(kept, PskKeyExchangeModes((KE,)))
        assert isinstance(changed, ClientHello)
        return changed

    def took_server_hello(self, message: ServerHello) -> None:
        assert message.find(KeyShareAnswer) is None
        early = EarlySecret.from_psk(self.suite.hash_name, self.sessions[0].secret)
        self.handshake_secret = early.handshake(bytes(self.suite.hash_length))
        self.traffic = self.handshake_secret.traffic(self.transcript.digest())
        self.protect(self.traffic.client)
        self.expect(self.traffic.server)


def test_psk_ke_without_a_key_share() -> None:
    client = WithoutShare(quick_server(psks=[theirs(modes=BOTH)]), ours()).complete()
    assert (client.victim.psk_identity, client.victim.group) == (b"sensor-7", 0)
    answer = client.heard[0]
    assert isinstance(answer, ServerHello)
    assert answer.find(PreSharedKeySelection) == PreSharedKeySelection(0)


OTHER_GROUPS: Final = {"groups": (NamedGroup.SECP256R1,)}


@pytest.mark.parametrize("only", [False, True], ids=["beside psk_dhe_ke", "alone"])
@pytest.mark.parametrize("credentials", [False, True])
def test_psk_ke_without_a_common_group(only: bool, credentials: bool) -> None:
    """That there is none is the end only of what needs one (RFC 9846 section 4.2.1)."""
    client = only_psk_ke() if only else quick_client(psks=[ours(modes=BOTH)])
    without_certificate = {} if credentials else NO_CREDENTIALS
    config = quick_server(**OTHER_GROUPS, **without_certificate, psks=[theirs(modes=BOTH)])
    pair = ConnectionPair(client, config)
    pair.pump()
    completed = done(pair)
    assert (completed.psk_identity, completed.group) == (b"sensor-7", 0)
    assert pair.events("client", TicketReceived) == []


@pytest.mark.parametrize("credentials", [False, True])
@pytest.mark.parametrize(
    ("client", "server"),
    [
        ({"psks": [ours(modes=BOTH)]}, {"psks": [theirs()]}),
        ({"psks": [ours()]}, {"psks": [theirs(modes=BOTH)]}),
        ({"psks": [ours(modes=BOTH)]}, {"psks": [theirs(b"other", modes=BOTH)]}),
        ({}, {"psks": [theirs(modes=BOTH)]}),
    ],
    ids=["the server did not choose it", "the client did not choose it", "not known", "none"],
)
def test_no_common_group_and_no_psk_that_does_without(
    client: dict[str, Any], server: dict[str, Any], credentials: bool
) -> None:
    without_certificate = {} if credentials else NO_CREDENTIALS
    pair = meet(client, {**OTHER_GROUPS, **without_certificate, **server})
    assert ended(pair).reason is Reason.NO_COMMON_GROUP
    assert ended(pair, "client").alert == AlertDescription.HANDSHAKE_FAILURE


def test_a_session_does_not_go_on_without_a_common_group() -> None:
    client = {"psks": [ours(modes=BOTH)]}
    keys = TicketKeyRing.generate(NOW.timestamp(), os.urandom)
    first = meet(client, {"ticket_keys": keys})
    session = first.events("client", TicketReceived)[0].session
    pair = meet(client, {**OTHER_GROUPS, "ticket_keys": keys, "psks": [theirs(modes=BOTH)]}, session)
    completed = done(pair)
    assert (completed.resumed, completed.psk_identity, completed.record.winner) == (False, b"sensor-7", 1)
    assert "psk_key_exchange_modes FAILED (psk_dhe_ke, without a share that we can use)" in str(record(pair))


def test_no_common_group_and_a_binder_of_another_key() -> None:
    pair = meet({"psks": [ours(modes=BOTH)]}, {**OTHER_GROUPS, "psks": [theirs(key=bytes(32), modes=BOTH)]})
    assert ended(pair).reason is Reason.BAD_BINDER


def test_a_retry_where_a_group_is_in_common() -> None:
    """psk_dhe_ke is better, and worth a round trip."""
    groups = (NamedGroup.X25519, NamedGroup.SECP256R1)
    pair = meet(
        {"psks": [ours(modes=BOTH)], "groups": groups}, {**OTHER_GROUPS, "psks": [theirs(modes=BOTH)]}
    )
    completed = done(pair)
    assert (completed.psk_identity, completed.group) == (b"sensor-7", NamedGroup.SECP256R1)


@pytest.mark.parametrize(
    "psks", [[theirs()], [theirs(b"other", modes=BOTH)], []], ids=["not chosen", "not known", "none"]
)
@refused(Reason.NO_COMMON_PSK_MODE, AlertDescription.HANDSHAKE_FAILURE)
def test_no_key_share_and_no_psk_that_does_without(psks: list[ExternalPsk]) -> HostileClient:
    return WithoutShare(quick_server(psks=psks), ours()).say_hello()


# --- early data ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("allowed", [False, True])
def test_early_data_under_an_external_psk_is_refused(allowed: bool) -> None:
    """There is no age, and so no window in which a replay could be found: it is skipped, and the handshake goes on."""
    once = {"ticket_keys": None, "session_cache": SessionCache(), "single_use_tickets": True}
    client = HostileClient(
        quick_server(psks=[theirs()], **({**once, "max_early_data": 16_384} if allowed else {})),
        sessions=(as_session(ours()),),
        label=b"ext binder",
        edits={ClientHello: lambda hello: [evolve(hello, extensions=(EarlyData(), *hello.extensions))]},
    )
    client.say_hello()
    client.deliver(client.early_records(3, 100))
    client.listen()
    client.say_finished().listen()
    assert client.victim.psk_identity == b"sensor-7"
    reason = EarlyDataReason.EXTERNAL_PSK if allowed else EarlyDataReason.DISABLED
    assert client.victim.early_data_reason is reason
    assert not [event for event in client.events if isinstance(event, DataReceived | EarlyDataReceived)]


def test_a_client_offers_no_early_data_with_an_external_psk() -> None:
    hello = hello_of(psks=[ours()], early_data=True)
    assert hello.find(PreSharedKeyOffer) is not None
    assert hello.find(EarlyData) is None


# --- the question --------------------------------------------------------------------------------------------------


class Asked:
    """Answers ``LookUpPsk``, and remembers what was asked."""

    def __init__(self, *known: ExternalPsk) -> None:
        self.known = {psk.identity: psk for psk in known}
        self.questions: list[LookUpPsk] = []

    def __call__(self, question: LookUpPsk) -> ProvidePsk:
        self.questions.append(question)
        return ProvidePsk(self.known.get(question.identity))

    @property
    def identities(self) -> list[bytes]:
        return [question.identity for question in self.questions]


def test_what_the_config_knows_is_not_asked_for() -> None:
    asked = Asked(theirs(b"lamp-1", bytes(32)))
    client = {"psks": [ours(b"stranger"), ours(b"lamp-1", bytes(32))]}
    pair = meet(client, {"psks": [theirs()], "answers": {LookUpPsk: asked}})
    assert done(pair).psk_identity == b"lamp-1"
    pair = meet({"psks": [ours()]}, {"psks": [theirs()], "answers": {LookUpPsk: asked}})
    assert done(pair).psk_identity == b"sensor-7"
    assert asked.identities == [b"stranger", b"lamp-1"]
    assert asked.questions[0].imported is None


def test_an_identity_is_asked_for_once_over_a_retry() -> None:
    """RFC 9257 section 6.1.2: and only the one that is used, or comes before it."""
    asked = Asked(theirs(b"lamp-1", bytes(32)))
    psks = [ours(), ours(b"lamp-1", bytes(32)), ours(b"later", bytes(range(1, 33)))]
    server = {"answers": {LookUpPsk: asked}, "groups": (NamedGroup.SECP256R1,)}
    pair = meet({"psks": psks, "groups": (NamedGroup.X25519, NamedGroup.SECP256R1)}, server)
    assert done(pair).psk_identity == b"lamp-1"
    assert asked.identities == [b"sensor-7", b"lamp-1"]


def test_an_identity_that_is_shown_twice_is_asked_for_once() -> None:
    asked = Asked()
    twice = (as_session(ours()), as_session(ours()))
    client = HostileClient(quick_server(answers={LookUpPsk: asked}), sessions=twice, label=b"ext binder")
    client.say_hello().listen()
    assert asked.identities == [b"sensor-7"]


def test_no_more_identities_are_looked_up_than_are_looked_at() -> None:
    asked = Asked()
    many = [ours(b"sensor-%d" % number, bytes([number] * 32)) for number in range(20)]
    pair = meet({"psks": many}, {"answers": {LookUpPsk: asked}})
    assert done(pair).psk_identity is None
    assert len(asked.identities) == 8


def test_imported_identities_come_parsed() -> None:
    external, key, context = b"gate-3", bytes(range(64, 96)), b"client=gate-3;server=hub"
    made = import_psk(external, key, role=PskRole.CLIENT, context=context)

    def answer(question: LookUpPsk) -> ProvidePsk:
        assert question.imported is not None
        assert (question.imported.external_identity, question.imported.context) == (external, context)
        return ProvidePsk(question.imported.derive(key, role=PskRole.SERVER))

    for suites in (SHA384_FIRST, SHA384_FIRST[:1], SHA384_FIRST[1:]):
        pair = meet({"psks": made}, {"answers": {LookUpPsk: answer}, "cipher_suites": suites})
        completed = done(pair)
        assert completed.psk_identity == made[completed.record.winner or 0].identity


@pytest.mark.parametrize(
    ("psk", "complaint"),
    [
        (theirs(b"other"), "identity b'other'; expected b'sensor-7'"),
        (ours(), "a PSK for a client; expected PskRole.SERVER"),
    ],
)
def test_an_answer_that_is_none(psk: ExternalPsk, complaint: str) -> None:
    pair = meet({"psks": [ours()]}, {"answers": {LookUpPsk: ASK}})
    assert pair.event("server", LookUpPsk) == pair.server.pending
    with pytest.raises(LocalProtocolError, match=complaint):
        pair.server.send(ProvidePsk(psk))
    pair.send("server", ProvidePsk(theirs()))
    assert done(pair).psk_identity == b"sensor-7"


def test_a_reason_of_the_application_is_in_the_record() -> None:
    pair = meet({"psks": [ours()]}, {"answers": {LookUpPsk: lambda _: ProvidePsk(None, "revoked\x1b")}})
    assert done(pair).psk_identity is None
    assert r"psk FAILED (revoked\x1b)" in str(record(pair))


@pytest.mark.parametrize("answers", [{}, {DecideTicket: lambda _: ResolveTicket(TicketReturn.IGNORE_RENEW)}])
def test_a_function_that_raises_is_a_psk_that_is_not_known(answers: dict[Any, Any]) -> None:
    def boom(question: LookUpPsk) -> ProvidePsk:
        raise RuntimeError("secret")

    pair = meet({"psks": [ours()]}, {"answers": {LookUpPsk: boom, **answers}})
    assert done(pair).psk_identity is None
    assert "psk FAILED (the look-up failed: RuntimeError)" in str(record(pair))
    assert "secret" not in str(record(pair))


# --- one order: tickets, ids, PSKs -----------------------------------------------------------------------------------


def kinds_of_tickets() -> dict[str, dict[str, Any]]:
    nowhere = {OpenTicket: lambda _: TicketNotOpened(), ProtectTicket: ASK}
    return {
        "sealed": {},
        "sealed elsewhere": {"ticket_keys": None, "answers": nowhere},
        "stored": {"ticket_keys": None, "session_cache": SessionCache()},
        "none": {"ticket_keys": None},
    }


@pytest.mark.parametrize("kind", kinds_of_tickets())
@pytest.mark.parametrize(
    "name", [b"sensor-7", bytes(200), bytes(32)], ids=["short", "long", "as long as an id"]
)
def test_whatever_tickets_there_are(kind: str, name: bytes) -> None:
    server = {**kinds_of_tickets()[kind], "psks": [theirs(name)], "num_tickets": 0}
    pair = meet({"psks": [ours(name)]}, server)
    assert done(pair).psk_identity == name


def test_nobody_decides_about_a_psk_as_if_it_were_a_ticket() -> None:
    """A function that ends the handshake for what does not decrypt would end it for every PSK."""
    decide = {DecideTicket: lambda _: ResolveTicket(TicketReturn.ABORT)}
    pair = meet({"psks": [ours()]}, {"psks": [theirs()], "answers": decide})
    assert done(pair).psk_identity == b"sensor-7"


def test_what_is_no_psk_either_is_decided_about() -> None:
    decide = {DecideTicket: lambda _: ResolveTicket(TicketReturn.ABORT)}
    pair = meet({"psks": [ours(b"other")]}, {"psks": [theirs()], "answers": decide})
    assert ended(pair).reason is Reason.TICKET_ABORTED


@pytest.mark.parametrize("kind", ["sealed", "stored"])
def test_a_ticket_is_never_asked_for(kind: str) -> None:
    asked = Asked(theirs())
    server = {**kinds_of_tickets()[kind], "answers": {LookUpPsk: asked}}
    config = quick_server(**server)
    first = ConnectionPair(quick_client(), config)
    first.pump()
    session = first.events("client", TicketReceived)[0].session
    client = quick_client(psks=[ours()])
    again = ConnectionPair(client, config, session=session)
    again.pump()
    completed = done(again)
    assert completed.resumed
    assert completed.psk_identity is None
    assert asked.identities == []
    assert [one.psk_identity for one in record(again, "client").identities] == [None, b"sensor-7"]


def test_a_server_that_knows_of_no_psks_looks_at_them_as_tickets() -> None:
    pair = meet({"psks": [ours()]}, {})
    assert done(pair).psk_identity is None
    assert "NO_DECRYPT -> IGNORE_RENEW" in str(record(pair))


def test_certificates_are_not_sent_with_a_psk() -> None:
    """On the wire: nothing but hello, extensions and Finished."""
    client = HostileClient(
        quick_server(
            psks=[theirs()], client_authentication=ClientAuthentication.OPTIONAL, trust_anchors=anchors()
        ),
        sessions=(as_session(ours()),),
        label=b"ext binder",
    ).complete()
    assert client.victim.psk_identity == b"sensor-7"
    assert not [one for one in client.heard if isinstance(one, (Certificate, CertificateRequest))]
