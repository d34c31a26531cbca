"""A HelloRetryRequest that is forgotten: all that a server needs of the first ClientHello is in the cookie
(RFC 9846 sections 4.2.4 and 4.3.2), and any connection with the same keys can take the second one."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from typing import Any, Final

import pytest
from attrs import evolve, fields
from hypothesis import given
from hypothesis import strategies as st

from sansticket.codes import CipherSuite, NamedGroup, ProtocolVersion
from sansticket.commands import UseConfig
from sansticket.config.client import ClientConfig
from sansticket.config.defaults import KNOWN_VERSIONS
from sansticket.config.server import ServerConfig
from sansticket.connection.client import ClientConnection
from sansticket.connection.server import ServerConnection
from sansticket.errors import ConfigError, Reason
from sansticket.events import EarlyDataReceived, HandshakeCompleted, SelectConfig
from sansticket.handshake.server.tls13.cookies import MAX_COOKIE_AGE
from sansticket.handshake.server.tls13.hello import WaitClientHelloWithCookie
from sansticket.keys.transcript import Transcript
from sansticket.psk import ExternalPsk, PskRole
from sansticket.tickets.decision import TicketStatus
from sansticket.tickets.early_data import EarlyDataReason
from sansticket.tickets.keys.openssl import OpenSSLTicketKey, OpenSSLTicketKeys
from sansticket.tickets.keys.ring import TicketKeyRing
from sansticket.tickets.keys.windowed import WindowedTicketKeys
from sansticket.wire.extensions.base import UnknownExtension
from sansticket.wire.extensions.negotiation import (
    Cookie,
    Padding,
    ServerNameList,
    SupportedVersions,
)
from sansticket.wire.extensions.resumption import EarlyData
from sansticket.wire.extensions.tls12 import ExtendedMasterSecret
from sansticket.wire.messages.hello import ClientHello, HelloRetryRequest
from tests.handshake.test_hostile_client import CHANGES, P256, X25519, HelloEdit, changed, lacking, with_
from tests.support.credentials import NOW
from tests.support.edits import flipped
from tests.support.hostile import APPLICATION_DATA, CHANGE_CIPHER_SPEC, plain_record
from tests.support.hostile12 import HostileClient12
from tests.support.hostile_client import HostileClient, quick_server
from tests.support.hostile_server import without
from tests.support.refusals import refused

TIME: Final = NOW.timestamp()
KEYS: Final = TicketKeyRing.generate(TIME, os.urandom)
WITHOUT_COOKIE: Final = {name: edit for name, edit in CHANGES.items() if "cookie" not in name}

Place = Callable[[HostileClient, ServerConfig], ServerConnection]


def stateless(**changes: Any) -> ServerConfig:
    return quick_server(**{"groups": (P256,), "stateless_retry": KEYS, **changes})


def the_same(client: HostileClient, config: ServerConfig) -> ServerConnection:
    return client.victim


def another(client: HostileClient, config: ServerConfig) -> ServerConnection:
    return ServerConnection(config)


def another_process(client: HostileClient, config: ServerConfig) -> ServerConnection:
    keys = pickle.loads(pickle.dumps(config.stateless_retry))
    return ServerConnection(evolve(config, stateless_retry=keys))


EVERYWHERE: Final = pytest.mark.parametrize("place", [the_same, another, another_process])
EITHER: Final = pytest.mark.parametrize("place", [the_same, another])


def cookie_for(client: HostileClient) -> bytes:
    request = client.heard[-1]
    assert isinstance(request, HelloRetryRequest)
    cookie = request.find(Cookie)
    assert cookie is not None
    return cookie.cookie


def retried(
    config: ServerConfig, place: Place = another, first: HelloEdit = lambda hello: hello, **options: Any
) -> HostileClient:
    """A client that has its cookie, and is to go on at that place; its edits are those of the second hello."""
    client = HostileClient(config, {ClientHello: first}, **options).say_hello().hear_retry()
    cookie = Cookie(cookie_for(client))
    client.extensions = (*client.extensions, cookie)
    client.victim = place(client, config)
    client.edits = {ClientHello: first}
    return client


def with_cookie(cookie: bytes, config: ServerConfig | None = None, place: Place = another) -> HostileClient:
    client = retried(config or stateless(), place)
    client.extensions = (Cookie(cookie),)
    return client.say_hello()


def at(seconds: float) -> dict[str, Any]:
    return {"clock": lambda: TIME + seconds}


# --- it works ----------------------------------------------------------------------------------------------------


def completed(client: HostileClient) -> HandshakeCompleted:
    client.complete().assert_alive()
    (event,) = [event for event in client.events if isinstance(event, HandshakeCompleted)]
    return event


@EVERYWHERE
def test_a_handshake(place: Place) -> None:
    done = completed(retried(stateless(), place))
    assert done.group == P256
    assert not done.resumed


@pytest.mark.parametrize("suite", [CipherSuite.AES_128_GCM_SHA256, CipherSuite.AES_256_GCM_SHA384])
def test_each_hash(suite: CipherSuite) -> None:
    assert completed(retried(stateless(cipher_suites=(suite,)), suite=suite)).cipher_suite == suite


@EITHER
def test_a_resumption(place: Place) -> None:
    """The binder covers both hellos."""
    config = stateless()
    session = HostileClient(config, shares=(P256,)).complete().session()
    client = retried(config, place, sessions=(session,), binders=lambda values: [flipped(*values, 0)])
    client.binders = tuple
    assert completed(client).resumed


@EITHER
@refused(Reason.BAD_BINDER)
def test_a_binder_of_the_second_hello_alone(place: Place) -> HostileClient:
    config = stateless()
    session = HostileClient(config, shares=(P256,)).complete().session()
    client = retried(config, place, sessions=(session,))
    client.transcript = Transcript(client.suite.hash_name)
    return client.say_hello()


def test_keys_of_a_fleet() -> None:
    root = bytes(range(32))
    first, second = (WindowedTicketKeys(root) for _ in range(2))
    client = retried(stateless(stateless_retry=first, **at(0)))
    client.victim = ServerConnection(stateless(stateless_retry=second, **at(200)))
    completed(client)


def test_the_keys_of_tickets() -> None:
    config = stateless(ticket_keys=KEYS)
    session = HostileClient(config, shares=(P256,)).complete().session()
    client = retried(config, sessions=(session,))
    assert completed(client).resumed


def test_the_keys_rotate() -> None:
    keys = TicketKeyRing.generate(TIME, os.urandom, rotate_after=100, retire_after=200)
    client = retried(stateless(stateless_retry=keys, **at(99)))
    keys.seal_cookie(b"", TIME + 150, os.urandom)
    assert len(keys.keys) == 2
    client.victim = ServerConnection(stateless(stateless_retry=keys, **at(150)))
    completed(client)


@refused(Reason.BAD_COOKIE)
def test_a_key_that_has_retired() -> HostileClient:
    keys = TicketKeyRing.generate(TIME, os.urandom, rotate_after=100, retire_after=200)
    client = retried(stateless(stateless_retry=keys, **at(99)))
    client.victim = ServerConnection(stateless(stateless_retry=keys, **at(200)))
    return client.say_hello()


UNCHANGED: Final[dict[str, HelloEdit]] = {
    "nothing": lambda hello: hello,
    "padding": with_(Padding(300)),
    "no session id, so no compatibility mode": changed(session_id=b""),
    "unknown extensions": with_(UnknownExtension(0x2A2A, b"grease")),
}


@pytest.mark.parametrize("edit", UNCHANGED.values(), ids=UNCHANGED.keys())
@EITHER
def test_what_is_the_same_in_both_hellos(place: Place, edit: HelloEdit) -> None:
    completed(retried(stateless(), place, edit))


@EITHER
def test_padding_may_change(place: Place) -> None:
    client = retried(stateless(), place, with_(Padding(300)))
    client.edits = {ClientHello: with_(Padding(20))}
    completed(client)


def test_the_config_that_was_selected() -> None:
    """Each connection asks, and each has the keys of the config that it is answered with."""
    chosen = stateless()
    client = retried(stateless(answers={SelectConfig: lambda _: UseConfig(chosen)}, stateless_retry=None))
    client.victim = ServerConnection(
        stateless(answers={SelectConfig: lambda _: UseConfig(chosen)}, stateless_retry=None)
    )
    completed(client)


@EITHER
def test_another_config_is_selected_between_the_hellos(place: Place) -> None:
    """The connection that stays asks no more; another has the keys of its own answer, and no more than those."""
    strange = stateless(stateless_retry=TicketKeyRing.generate(TIME, os.urandom))
    answers = iter([stateless(), strange])
    config = stateless(answers={SelectConfig: lambda _: UseConfig(next(answers))})
    client = retried(config, place)
    if place is the_same:
        completed(client)
        assert next(answers) is strange
    else:
        client.say_hello().assert_refused(Reason.BAD_COOKIE, detail="no key of ours")


@pytest.mark.parametrize("hash_name", ["sha256", "sha384"])
def test_an_external_psk(hash_name: str) -> None:
    """The retry settles the hash before any identity is looked at, in another connection too."""
    ours, theirs = (
        ExternalPsk(b"sensor-7", bytes(range(32)), hash_name=hash_name, role=role)
        for role in (PskRole.SERVER, PskRole.CLIENT)
    )
    config = ServerConfig(psks=[ours], groups=(P256,), stateless_retry=KEYS, **at(0))
    client = ClientConnection(ClientConfig(psks=[theirs], key_shares=(X25519,), **at(0)))
    first, second = ServerConnection(config), ServerConnection(config)
    first.receive_data(client.data_to_send())
    client.receive_data(first.data_to_send())
    second.receive_data(client.data_to_send())
    client.receive_data(second.data_to_send())
    second.receive_data(client.data_to_send())
    assert first.state == "tls13.WaitClientHelloWithCookie"
    assert first.psk_identity is None
    assert second.psk_identity == client.psk_identity == b"sensor-7"


def test_nothing_of_the_hello_is_kept() -> None:
    """However long it is."""
    client = retried(stateless(), the_same, with_(UnknownExtension(0x2A2A, bytes(30_000))))
    assert [one.name for one in fields(WaitClientHelloWithCookie)] == ["config"]
    assert type(client.victim._engine.state) is WaitClientHelloWithCookie
    assert len(pickle.dumps(client.victim)) < len(pickle.dumps(ServerConnection(stateless()))) + 1000
    assert len(cookie_for(client)) <= 160


# --- not ours, or not any more -----------------------------------------------------------------------------------


@given(place=st.sampled_from([the_same, another]), data=st.data())
def test_any_bit_flipped(place: Place, data: st.DataObject) -> None:
    client = retried(stateless(), place)
    cookie = cookie_for(client)
    bit = data.draw(st.integers(0, 8 * len(cookie) - 1))
    changed = (int.from_bytes(cookie) ^ 1 << bit).to_bytes(len(cookie))
    client.extensions = (Cookie(changed),)
    client.say_hello().assert_refused(Reason.BAD_COOKIE)


@given(place=st.sampled_from([the_same, another]), cookie=st.binary(min_size=1, max_size=300))
def test_any_bytes(place: Place, cookie: bytes) -> None:
    with_cookie(cookie, place=place).assert_refused(Reason.BAD_COOKIE)


@given(cut=st.integers(1, 100))
def test_cut_short(cut: int) -> None:
    client = retried(stateless())
    client.extensions = (Cookie(cookie_for(client)[:-cut]),)
    client.say_hello().assert_refused(Reason.BAD_COOKIE)


@EITHER
@refused(Reason.BAD_COOKIE, detail="no key of ours")
def test_a_cookie_of_other_keys(place: Place) -> HostileClient:
    strange = stateless(stateless_retry=TicketKeyRing.generate(TIME, os.urandom))
    return with_cookie(cookie_for(retried(strange, the_same)), place=place)


@pytest.mark.parametrize("keys", [KEYS, WindowedTicketKeys(bytes(32))], ids=["ring", "windows"])
def test_a_ticket_is_no_cookie_and_a_cookie_no_ticket(keys: TicketKeyRing | WindowedTicketKeys) -> None:
    plaintext = b"the same"
    ticket, cookie = keys.seal(plaintext, TIME, os.urandom), keys.seal_cookie(plaintext, TIME, os.urandom)
    assert ticket[:16] == cookie[:16], "not even a rotation between them"
    assert keys.open_cookie(cookie, TIME) == plaintext == keys.open(ticket, TIME).plaintext
    assert keys.open_cookie(ticket, TIME) is None
    assert keys.open(cookie, TIME).status is TicketStatus.NO_DECRYPT
    config = stateless(stateless_retry=keys, ticket_keys=keys, **at(0))
    with_cookie(ticket, config).assert_refused(Reason.BAD_COOKIE)


@pytest.mark.parametrize("age", [MAX_COOKIE_AGE, -MAX_COOKIE_AGE, 0.5])
def test_in_time(age: float) -> None:
    client = retried(stateless(**at(0)))
    client.victim = ServerConnection(stateless(**at(age)))
    completed(client)


@pytest.mark.parametrize("age", [MAX_COOKIE_AGE + 0.01, -MAX_COOKIE_AGE - 0.01, 1e6])
@refused(Reason.BAD_COOKIE, detail="at most 300")
def test_out_of_time(age: float) -> HostileClient:
    client = retried(stateless(**at(0)))
    client.victim = ServerConnection(stateless(**at(age)))
    return client.say_hello()


@refused(Reason.BAD_COOKIE, detail="format")
def test_another_format() -> HostileClient:
    return with_cookie(KEYS.seal_cookie(b"\x02" + bytes(90), TIME, os.urandom))


@refused(Reason.BAD_COOKIE, detail="format")
def test_an_empty_cookie_of_ours() -> HostileClient:
    return with_cookie(KEYS.seal_cookie(b"", TIME, os.urandom))


# --- another hello -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("edit", WITHOUT_COOKIE.values(), ids=WITHOUT_COOKIE.keys())
@EITHER
@refused(Reason.CHANGED_AFTER_RETRY)
def test_changed(place: Place, edit: HelloEdit) -> HostileClient:
    client = retried(stateless(), place)
    client.edits = {ClientHello: edit}
    return client.say_hello()


OTHERS: Final[dict[str, HelloEdit]] = {
    "random": changed(random=bytes(range(32))),
    "session id": changed(session_id=bytes(32)),
    "name": with_(ServerNameList(b"other.example")),
    "versions": with_(SupportedVersions((ProtocolVersion.TLS_1_3, 0x0A0A))),
    "an extension": with_(UnknownExtension(0x2A2A, b"")),
}


@pytest.mark.parametrize("edit", OTHERS.values(), ids=OTHERS.keys())
@EITHER
def test_two_clients_swap_their_cookies(place: Place, edit: HelloEdit) -> None:
    """The first hello of each was sound, and so are the cookies."""
    one, other = retried(stateless(), place), retried(stateless(), place, edit)
    cookies = [client.extensions for client in (one, other)]
    for client, cookie in zip((one, other), reversed(cookies), strict=True):
        client.extensions = cookie
        client.say_hello().assert_refused(Reason.CHANGED_AFTER_RETRY)


@given(random=st.binary(min_size=32, max_size=32), session_id=st.binary(max_size=32))
def test_a_cookie_of_any_other_hello(random: bytes, session_id: bytes) -> None:
    client = retried(stateless())
    client.edits = {ClientHello: changed(random=random, session_id=session_id)}
    client.say_hello().assert_refused(Reason.CHANGED_AFTER_RETRY)


@EITHER
@refused(Reason.CHANGED_AFTER_RETRY, detail="early_data")
def test_early_data_in_the_second_hello(place: Place) -> HostileClient:
    config = stateless()
    session = HostileClient(config, shares=(P256,)).complete().session()
    return retried(config, place, sessions=(session,), extensions=(EarlyData(),)).say_hello()


@EITHER
@refused(Reason.CHANGED_AFTER_RETRY, detail="1 identities became more")
def test_more_identities(place: Place) -> HostileClient:
    config = stateless()
    session = HostileClient(config, shares=(P256,)).complete().session()
    client = retried(config, place, sessions=(session,))
    client.sessions = (session, session)
    return client.say_hello()


@EITHER
def test_fewer_identities(place: Place) -> None:
    config = stateless()
    session = HostileClient(config, shares=(P256,)).complete().session()
    client = retried(config, place, sessions=(evolve(session, ticket=b"no ticket"), session))
    client.sessions = (session,)
    assert completed(client).resumed


@refused(Reason.NO_COMMON_CIPHER_SUITE)
def test_a_server_without_the_suite() -> HostileClient:
    client = retried(stateless())
    client.victim = ServerConnection(
        stateless(cipher_suites=(CipherSuite.AES_256_GCM_SHA384,), versions=(ProtocolVersion.TLS_1_3,))
    )
    return client.say_hello()


@refused(Reason.NO_COMMON_GROUP)
def test_a_server_without_the_group() -> HostileClient:
    client = retried(stateless())
    client.victim = ServerConnection(stateless(groups=(NamedGroup.SECP384R1,)))
    return client.say_hello()


# --- without the cookie, or without a server that wants it ---------------------------------------------------------


@refused(Reason.MISSING_EXTENSION, detail="cookie")
def test_no_cookie_after_a_retry() -> HostileClient:
    client = retried(stateless(), the_same)
    client.edits = {ClientHello: lacking(Cookie)}
    return client.say_hello()


def test_no_cookie_elsewhere_is_a_first_hello() -> None:
    config = stateless()
    completed(HostileClient(config, shares=(P256,)))
    client = HostileClient(config).say_hello().hear_retry()
    client.victim, client.shares = ServerConnection(config), (X25519,)
    client.say_hello().listen()
    assert isinstance(client.heard[-1], HelloRetryRequest)
    assert client.victim.state == "tls13.WaitClientHelloWithCookie"


def test_no_retry_where_none_is_needed() -> None:
    client = HostileClient(stateless(groups=(P256, X25519)))
    completed(client)
    assert not any(isinstance(message, HelloRetryRequest) for message in client.heard)


def test_a_server_without_keys_looks_at_no_cookie() -> None:
    config = stateless(stateless_retry=None)
    completed(HostileClient(config, {ClientHello: with_(Cookie(b"crumbs"))}, shares=(P256,)))


@pytest.mark.parametrize(
    "keys",
    [OpenSSLTicketKeys([OpenSSLTicketKey.generate(os.urandom)]), True, TicketKeyRing],
    ids=["OpenSSL's", "a flag", "a class"],
)
def test_other_keys(keys: object) -> None:
    with pytest.raises(ConfigError, match=r"stateless_retry: .*a TicketKeyRing, WindowedTicketKeys or None"):
        stateless(stateless_retry=keys)


# --- what may stand before the second hello ------------------------------------------------------------------------


EARLY: Final = plain_record(APPLICATION_DATA, bytes(100))
CHANGED: Final = plain_record(CHANGE_CIPHER_SPEC, b"\x01")


@EITHER
def test_change_cipher_spec_and_early_data_are_overlooked(place: Place) -> None:
    """Nobody can tell that it is the second flight before its hello has come."""
    config = stateless()
    session = HostileClient(config, shares=(P256,)).complete().session()
    client = retried(config, place, sessions=(session,), extensions=(EarlyData(),))
    client.extensions = client.extensions[1:]
    assert client.deliver(CHANGED + EARLY + EARLY) == []
    done = completed(client)
    assert done.resumed
    assert done.record.early_data.reason is EarlyDataReason.HELLO_RETRY
    assert not any(isinstance(event, EarlyDataReceived) for event in client.events)


@refused(Reason.TOO_MUCH_EARLY_DATA)
def test_there_is_a_limit_to_what_is_overlooked() -> HostileClient:
    client = retried(stateless())
    for _ in range(5):
        client.deliver(plain_record(APPLICATION_DATA, bytes(16_384)))
    return client


@EITHER
@refused(Reason.BAD_RECORD_MAC)
def test_there_is_no_slack_after_the_second_hello(place: Place) -> HostileClient:
    client = retried(stateless(), place).say_hello()
    client.deliver(EARLY)
    return client


@refused(Reason.UNEXPECTED_CHANGE_CIPHER_SPEC)
def test_change_cipher_spec_before_a_hello_of_an_older_version() -> HostileClient:
    client = HostileClient(stateless(versions=KNOWN_VERSIONS), extensions=(ExtendedMasterSecret(),))
    older = evolve(without(client.hello(), SupportedVersions), cipher_suites=(0xC02B, 0x00FF))
    client.deliver(CHANGED)
    return client.say_hello(older)


@refused(Reason.UNEXPECTED_MESSAGE, detail="application data without protection")
def test_data_before_a_hello_of_an_older_version_is_dropped_and_after_it_is_not() -> HostileClient12:
    client = HostileClient12(stateless(versions=KNOWN_VERSIONS))
    assert client.deliver(EARLY) == []
    client.say_hello()
    assert client.victim.state == "tls12.WaitClientKeyExchange"
    client.deliver(EARLY)
    return client


@pytest.mark.parametrize("record", [EARLY, CHANGED], ids=["early data", "change_cipher_spec"])
def test_only_where_the_config_says_so(record: bytes) -> None:
    client = HostileClient(stateless(stateless_retry=None))
    client.deliver(record)
    expected = Reason.UNEXPECTED_MESSAGE if record is EARLY else Reason.UNEXPECTED_CHANGE_CIPHER_SPEC
    client.assert_refused(expected)
