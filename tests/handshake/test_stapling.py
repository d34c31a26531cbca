"""OCSP stapling in both versions: asked for, stapled, shown to the application, verified, required."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any, Final

import pytest
from attrs import evolve
from cryptography.x509 import ocsp

from sansticket import (
    ASK,
    AcceptPeer,
    AlertDescription,
    CertificateCompression,
    ClientConnection,
    Command,
    ConfigError,
    ConnectionTerminated,
    HandshakeCompleted,
    NamedGroup,
    ProtocolVersion,
    Reason,
    RejectPeer,
    SelectConfig,
    ServerConfig,
    Session,
    SessionNotAdopted,
    TicketReceived,
    UseConfig,
    VerifyPeer,
    adopt_session,
)
from sansticket.codes import ExtensionType, HandshakeType
from sansticket.psk import ExternalPsk, PskRole
from sansticket.wire.extensions.base import UnknownExtension
from sansticket.wire.extensions.certificate import (
    CertificateStatusResponse,
    SignedCertificateTimestamps,
    StatusRequest,
    StatusRequestAck,
)
from sansticket.wire.messages.hello import ClientHello
from sansticket.wire.messages.tls12 import Certificate as Certificate12
from sansticket.wire.messages.tls12 import CertificateStatus, ServerKeyExchange
from sansticket.wire.messages.tls13 import Certificate, CertificateEntry
from tests.support.certificates import authority, server_identity
from tests.support.configs import client_config, server_config
from tests.support.credentials import DAY, NOW, server_credential
from tests.support.hostile import HostilePeer, raw_message
from tests.support.hostile12 import HostileClient12, HostileServer12, client12, server12
from tests.support.hostile_client import HostileClient
from tests.support.hostile_server import HostileServer, certificate_of, quick_client, with_extensions
from tests.support.pair import ConnectionPair
from tests.support.refusals import case, ends, refused
from tests.support.staples import (
    GOOD,
    NEXT_UPDATE,
    REVOKED,
    must_staple_credential,
    of_another_certificate,
    respond,
    staple,
    stapled_credential,
)

TLS12: Final = ProtocolVersion.TLS_1_2
TLS13: Final = ProtocolVersion.TLS_1_3
BAD_STATUS: Final = AlertDescription.BAD_CERTIFICATE_STATUS_RESPONSE

each_version = pytest.mark.parametrize("version", [TLS13, TLS12])
each_wish = pytest.mark.parametrize("wish", ["request_stapling", "require_stapling"])


def connect(
    version: int, client: dict[str, Any], server: dict[str, Any] | None = None, session: Session | None = None
) -> ConnectionPair:
    """A client with these wishes, and a server that has something to staple."""
    pair = ConnectionPair(
        client_config(versions=[version], **client),
        server_config(**{"versions": [version], "credentials": [stapled_credential()], **(server or {})}),
        session=session,
    )
    pair.pump()
    return pair


def end_of(pair: ConnectionPair) -> ConnectionTerminated:
    """How the client ended it, and what the server heard of that."""
    end = pair.event("client", ConnectionTerminated)
    heard = pair.event("server", ConnectionTerminated)
    assert heard.by_peer
    assert heard.alert == end.alert
    return end


# --- asked for, and stapled --------------------------------------------------------------------------------------


@each_version
@each_wish
def test_what_a_server_staples_is_shown(version: int, wish: str) -> None:
    pair = connect(version, {wish: True})
    assert pair.client.ocsp_response == staple()
    assert pair.event("client", HandshakeCompleted).ocsp_response == staple()
    assert pair.event("server", HandshakeCompleted).ocsp_response is None
    assert f"ocsp_response=<{len(staple())} bytes>" in repr(pair.event("client", HandshakeCompleted))
    assert "ocsp_response=None" in repr(pair.event("server", HandshakeCompleted))


@each_version
def test_nothing_is_stapled_that_nobody_asked_for(version: int) -> None:
    pair = connect(version, {})
    assert pair.client.ocsp_response is None
    assert staple() not in b"".join(data for _, data in pair.wire)
    assert ClientConnection(client_config(), "server.example").ocsp_response is None


@each_version
def test_who_asks_may_get_nothing(version: int) -> None:
    plain = {"credentials": [server_credential()]}
    pair = connect(version, {"request_stapling": True}, plain)
    assert pair.event("client", HandshakeCompleted).ocsp_response is None


@each_version
def test_after_a_retry(version: int) -> None:
    pair = connect(version, {"require_stapling": True}, {"groups": [NamedGroup.SECP521R1]})
    assert pair.client.ocsp_response == staple()


def test_in_a_compressed_certificate() -> None:
    both = {"certificate_compression": [CertificateCompression.ZLIB]}
    pair = connect(TLS13, {"require_stapling": True, **both}, both)
    assert pair.client.ocsp_response == staple()


@each_version
def test_a_server_staples_nothing_that_has_ended(version: int) -> None:
    """A client that verifies would not take it, and one that does not would be told nothing."""
    after = NEXT_UPDATE.timestamp() + 1
    server = {"clock": lambda: after}
    assert connect(version, {"request_stapling": True}, server).client.ocsp_response is None
    before = {"clock": lambda: after - 1}
    assert connect(version, {"request_stapling": True}, before).client.ocsp_response == staple()


@each_version
def test_a_response_is_replaced_under_a_running_server(version: int) -> None:
    """As docs/extensions.md has it: by a config with the same keys, so that sessions go on."""
    keep: dict[str, ServerConfig] = {}
    first = server_config(
        versions=[version],
        credentials=[server_credential()],
        answers={SelectConfig: lambda _: UseConfig(keep["now"])},
    )
    keep["now"] = first
    client = client_config(versions=[version], request_stapling=True)
    pair = ConnectionPair(client, first)
    pair.pump()
    assert pair.client.ocsp_response is None
    session = pair.events("client", TicketReceived)[0].session

    (credential,) = first.credentials
    keep["now"] = evolve(first, credentials=[evolve(credential, ocsp_response=staple())])
    again = ConnectionPair(client, first)
    again.pump()
    assert again.client.ocsp_response == staple()
    resumed = ConnectionPair(client, first, session=session)
    resumed.pump()
    assert resumed.client.resumed


def test_a_credential_in_a_pickle_keeps_its_response() -> None:
    assert pickle.loads(pickle.dumps(stapled_credential())).ocsp_response == staple()


# --- what the client does with it --------------------------------------------------------------------------------


@each_version
@each_wish
def test_revoked(version: int, wish: str) -> None:
    revoked = {"credentials": [stapled_credential("p256", REVOKED)]}
    end = end_of(connect(version, {wish: True}, revoked))
    assert (end.reason, end.alert) == (Reason.CERTIFICATE_REVOKED, AlertDescription.CERTIFICATE_REVOKED)
    unseen = connect(version, {}, revoked)
    assert unseen.event("client", HandshakeCompleted)


@each_version
def test_a_response_ends_by_the_clock_of_the_client(version: int) -> None:
    late = (NEXT_UPDATE + DAY).timestamp()
    end = end_of(connect(version, {"request_stapling": True, "clock": lambda: late}))
    assert (end.reason, end.alert) == (Reason.BAD_CERTIFICATE_STATUS, BAD_STATUS)
    assert "it has ended" in end.detail


@each_version
def test_required_and_missing(version: int) -> None:
    end = end_of(
        connect(version, {"require_stapling": True}, {"credentials": [server_credential()]}),
    )
    assert (end.reason, end.alert) == (Reason.MISSING_CERTIFICATE_STATUS, BAD_STATUS)


@each_version
def test_a_certificate_that_must_be_stapled(version: int) -> None:
    """It says so to those who ask; whoever verifies, if anybody does."""
    bare = {"credentials": [must_staple_credential()]}
    end = end_of(connect(version, {"request_stapling": True}, bare))
    assert (end.reason, end.alert) == (Reason.MISSING_CERTIFICATE_STATUS, BAD_STATUS)
    accepting = {"request_stapling": True, "answers": {VerifyPeer: lambda _: AcceptPeer()}}
    assert end_of(connect(version, accepting, bare)).reason is Reason.MISSING_CERTIFICATE_STATUS
    for unconcerned in ({}, {"request_stapling": True, "verify_peer": False}):
        assert connect(version, unconcerned, bare).event("client", HandshakeCompleted)
    response = respond(must_staple_certificate(), authority())
    stapled = {"credentials": [evolve(must_staple_credential(), ocsp_response=response)]}
    assert connect(version, {"request_stapling": True}, stapled).client.ocsp_response == response


def must_staple_certificate() -> Any:
    from sansticket.crypto.inspection import load

    return load(must_staple_credential().chain[0])


@each_version
def test_the_application_is_asked_with_the_response(version: int) -> None:
    """What it says of the response is the last word."""
    seen: list[VerifyPeer] = []

    def refuses(question: VerifyPeer) -> Command:
        seen.append(question)
        return RejectPeer(AlertDescription.CERTIFICATE_REVOKED)

    revoked = {"credentials": [stapled_credential("p256", REVOKED)]}
    end = end_of(connect(version, {"require_stapling": True, "answers": {VerifyPeer: refuses}}, revoked))
    assert (end.reason, end.alert) == (Reason.CERTIFICATE_REFUSED, AlertDescription.CERTIFICATE_REVOKED)
    assert [question.ocsp_response for question in seen] == [staple("p256", REVOKED)]
    assert f"ocsp_response=<{len(staple('p256', REVOKED))} bytes>" in repr(seen[0])

    asking = {"require_stapling": True, "answers": {VerifyPeer: ASK}}
    pair = connect(version, asking, revoked)
    question = pair.client.pending
    assert isinstance(question, VerifyPeer)
    assert question.ocsp_response == staple("p256", REVOKED)
    pair.send("client", AcceptPeer())
    assert pair.client.ocsp_response == staple("p256", REVOKED)


@each_version
def test_where_nobody_verifies_it_is_shown_as_it_came(version: int) -> None:
    revoked = {"credentials": [stapled_credential("p256", REVOKED)]}
    pair = connect(version, {"request_stapling": True, "verify_peer": False}, revoked)
    assert pair.client.ocsp_response == staple("p256", REVOKED)


# --- resumption --------------------------------------------------------------------------------------------------

WISHES: Final[list[dict[str, bool]]] = [{}, {"request_stapling": True}, {"require_stapling": True}]


@each_version
def test_a_session_stays_under_the_wish_of_its_making(version: int) -> None:
    """It shows neither certificate nor response: what was verified then is what counts."""
    server = server_config(versions=[version], credentials=[stapled_credential()])
    for made_under in WISHES:
        config = client_config(versions=[version], **made_under)  # type: ignore[arg-type]
        pair = ConnectionPair(config, server)
        pair.pump()
        session = pair.events("client", TicketReceived)[0].session
        for wish in WISHES:
            config = client_config(versions=[version], **wish)  # type: ignore[arg-type]
            again = ConnectionPair(config, server, session=session)
            again.pump()
            done = again.event("client", HandshakeCompleted)
            assert done.resumed == (wish == made_under)
            assert (done.ocsp_response is not None) == (bool(wish) and not done.resumed)
            if not done.resumed:
                assert "the server was verified otherwise" in str(done.record)


def test_the_policy_of_those_who_do_not_ask_is_as_it_was() -> None:
    """Sessions that were kept before there was stapling go on."""
    plain = client_config()
    before = b"\0".join(
        (b"sansticket verification policy", b"chain", b"2048", plain.trust_anchors.digest)  # type: ignore[union-attr]
    )
    import hashlib

    assert plain.verification_policy == hashlib.sha256(before).digest()[:16]


def test_a_session_without_a_staple_is_not_adopted_where_one_is_required() -> None:
    pair = connect(TLS13, {})
    session = pair.events("client", TicketReceived)[0].session
    assert adopt_session(client_config(request_stapling=True), session, "server.example")
    with pytest.raises(SessionNotAdopted, match="no certificate status"):
        adopt_session(client_config(require_stapling=True), session, "server.example")
    bare = connect(TLS13, {}, {"credentials": [must_staple_credential()]})
    session = bare.events("client", TicketReceived)[0].session
    with pytest.raises(SessionNotAdopted, match="the certificate must be stapled"):
        adopt_session(client_config(request_stapling=True), session, "server.example")


# --- configs -----------------------------------------------------------------------------------------------------

PSK: Final = ExternalPsk(b"one", bytes(range(32)), role=PskRole.CLIENT)


def test_what_could_not_be_required() -> None:
    with pytest.raises(ConfigError, match=r"^require_stapling: True, but verify_peer is False"):
        client_config(require_stapling=True, verify_peer=False)
    with pytest.raises(ConfigError, match=r"^require_stapling: True, but there are only PSKs"):
        client_config(require_stapling=True, psks=[PSK], trust_anchors=None)
    assert client_config(require_stapling=True, psks=[PSK]).asks_for_staples
    assert client_config(
        require_stapling=True, verify_peer=False, answers={VerifyPeer: lambda _: AcceptPeer()}
    )


def test_who_takes_no_certificate_asks_for_nothing() -> None:
    config = client_config(request_stapling=True, psks=[PSK], trust_anchors=None)
    assert not config.asks_for_staples
    assert StatusRequest.TYPE not in {extension.type for extension in config.fixed_extensions}


# --- hostile servers ---------------------------------------------------------------------------------------------


def stapling13(*extensions: Any, behind: tuple[CertificateEntry, ...] = (), **config: Any) -> HostileServer:
    """A server of TLS 1.3 that has this beside its certificate."""
    first = CertificateEntry(server_credential().chain[0], extensions)
    client = quick_client(**{"request_stapling": True, **config})
    return HostileServer(client, {Certificate: lambda _: Certificate(b"", (first, *behind))})


def stapling12(*said: Any, promised: bool = True, **config: Any) -> HostileServer12:
    """A server of TLS 1.2 that says this behind its certificate."""
    return HostileServer12(
        client12(**{"request_stapling": True, **config}),
        {Certificate12: lambda message: (message, *said)},
        extensions=(StatusRequestAck(),) if promised else (),
    )


def status_message(body: bytes) -> bytes:
    return raw_message(HandshakeType.CERTIFICATE_STATUS, body)


BAD: Final = Reason.BAD_CERTIFICATE_STATUS
RESPONSES: Final = [
    case("not DER", BAD, lambda: b"x"),
    case("cut", BAD, lambda: staple()[:-1]),
    case("with something behind it", BAD, lambda: staple() + b"\0"),
    case("about another", BAD, of_another_certificate),
    case("by the server itself", BAD, lambda: respond(server_identity().certificate, server_identity())),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("response", "reason"), RESPONSES)
@each_version
def test_response_is_refused(response: Callable[[], bytes], reason: Reason, version: int) -> None:
    peer: HostilePeer
    if version == TLS13:
        peer = stapling13(CertificateStatusResponse(response())).serve()
    else:
        peer = stapling12(CertificateStatus(response())).serve()
    peer.assert_refused(reason, BAD_STATUS, "")


RAW: Final = [
    case("of another type", Reason.ILLEGAL_VALUE, b"\x02\0\0\1x"),
    case("empty", Reason.MALFORMED_MESSAGE, b"\x01\0\0\0"),
    case("shorter than it says", Reason.MALFORMED_MESSAGE, b"\x01\0\0\2x"),
    case("longer than it says", Reason.MALFORMED_MESSAGE, b"\x01\0\0\1xx"),
    case("nothing at all", Reason.MALFORMED_MESSAGE, b""),
]


@pytest.mark.parametrize(("body", "reason"), RAW)
@each_version
def test_status_is_refused(body: bytes, reason: Reason, version: int) -> None:
    peer: HostilePeer
    if version == TLS13:
        peer = stapling13(UnknownExtension(ExtensionType.STATUS_REQUEST, body)).serve()
    else:
        peer = stapling12(status_message(body)).serve()
    peer.assert_refused(reason)


def test_responses_for_other_certificates_of_the_chain_are_read_over() -> None:
    """RFC 9846 section 4.5.1.1 allows one for each; what is verified is that for the server's own."""
    behind = CertificateEntry(authority().der, (CertificateStatusResponse(b"anything"),))
    server = stapling13(CertificateStatusResponse(staple()), behind=(behind,)).complete()
    server.assert_alive()
    assert server.victim.ocsp_response == staple()
    stapling13(behind=(behind,)).complete().assert_alive()
    required = stapling13(behind=(behind,), require_stapling=True).serve()
    required.assert_refused(Reason.MISSING_CERTIFICATE_STATUS, BAD_STATUS, "")


@refused(Reason.UNSOLICITED_EXTENSION, AlertDescription.UNSUPPORTED_EXTENSION)
def test_something_else_beside_a_certificate() -> HostileServer:
    return stapling13(SignedCertificateTimestamps((b"x",))).serve()


@refused(Reason.UNSOLICITED_EXTENSION, AlertDescription.UNSUPPORTED_EXTENSION)
def test_something_else_beside_a_response() -> HostileServer:
    return stapling13(CertificateStatusResponse(staple()), SignedCertificateTimestamps((b"x",))).serve()


@refused(Reason.DUPLICATE_EXTENSION)
def test_two_responses() -> HostileServer:
    return stapling13(CertificateStatusResponse(staple()), CertificateStatusResponse(staple())).serve()


def test_a_promise_may_be_broken() -> None:
    """RFC 6066 section 8: a server that said so may send no CertificateStatus all the same."""
    server = stapling12().complete()
    server.assert_alive()
    assert server.victim.ocsp_response is None
    required = stapling12(require_stapling=True).serve()
    required.assert_refused(Reason.MISSING_CERTIFICATE_STATUS, BAD_STATUS, "")


def test_a_status_as_promised() -> None:
    server = stapling12(CertificateStatus(staple())).complete()
    server.assert_alive()
    assert server.victim.ocsp_response == staple()


@refused(Reason.UNEXPECTED_MESSAGE)
def test_a_status_without_a_promise() -> HostileServer12:
    return stapling12(CertificateStatus(staple()), promised=False).serve()


@refused(Reason.UNEXPECTED_MESSAGE)
def test_a_status_twice() -> HostileServer12:
    return stapling12(CertificateStatus(staple()), CertificateStatus(staple())).serve()


@refused(Reason.UNEXPECTED_MESSAGE)
def test_a_status_behind_the_key_exchange() -> HostileServer12:
    edits = {ServerKeyExchange: lambda message: (message, CertificateStatus(staple()))}
    return HostileServer12(client12(request_stapling=True), edits, extensions=(StatusRequestAck(),)).serve()


@refused(Reason.UNSOLICITED_EXTENSION, AlertDescription.UNSUPPORTED_EXTENSION)
def test_a_promise_that_nobody_asked_for() -> HostileServer12:
    return stapling12(request_stapling=False).serve()


@refused(Reason.MESSAGE_TOO_LARGE)
def test_a_status_of_any_size() -> HostileServer12:
    return stapling12(CertificateStatus(bytes(16_400)), max_handshake_message=16_384).serve()


@ends(Reason.MISSING_CERTIFICATE_STATUS)
def test_what_is_required_and_missing_ends_it() -> ConnectionTerminated:
    plain = {"credentials": [server_credential()]}
    return connect(TLS13, {"require_stapling": True}, plain).event("client", ConnectionTerminated)


# --- what clients ask --------------------------------------------------------------------------------------------


def asking13(*extensions: Any) -> HostileClient:
    server = server_config(credentials=[stapled_credential()])
    edits = {ClientHello: lambda hello: with_extensions(hello, *extensions)}
    return HostileClient(server, edits).begin()


def asking12(*extensions: Any) -> HostileClient12:
    server = server12(credentials=[stapled_credential()])
    edits = {ClientHello: lambda hello: with_extensions(hello, *extensions)}
    return HostileClient12(server, edits).begin()


RESPONDER: Final = bytes.fromhex("01 0003 0001 78 0002 0500")


@pytest.mark.parametrize("body", [StatusRequest().body, RESPONDER])
def test_whoever_asks_is_answered(body: bytes) -> None:
    """Also who names responders: which of them it trusts is for the client to know."""
    for client in (asking13(StatusRequest(body)), asking12(StatusRequest(body))):
        assert staple() in b"".join(client.heard_raw)


def test_who_asks_for_another_kind_of_status_gets_none() -> None:
    for client in (asking13(StatusRequest(b"\x02whatever")), asking12(StatusRequest(b"\x02whatever"))):
        client.assert_alive()
        assert staple() not in b"".join(client.heard_raw)


def test_certificates_of_clients_have_no_status() -> None:
    """Servers ask for none, and clients do not staple."""
    assert certificate_of(stapled_credential()).entries[0].extensions == ()


def test_statuses_are_about_this_moment() -> None:
    assert NOW < NEXT_UPDATE
    assert ocsp.load_der_ocsp_response(staple()).certificate_status is GOOD
