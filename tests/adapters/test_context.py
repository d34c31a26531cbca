"""A context of ours: its settings, what becomes of them, and what an SSLObject says that no other does."""

import copy
import datetime
import os
import pickle
import ssl
import time
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from sansticket import (
    ClientAuthentication,
    ClientConnection,
    ClientSessionStore,
    ConfigError,
    ConnectionTerminated,
    HandshakeCompleted,
    LocalProtocolError,
    PrepareTicket,
    Reason,
    SealTicket,
    SelectConfig,
    SessionCache,
    TicketFlush,
    TicketKeyRing,
    UseConfig,
    VerifyPeer,
)
from sansticket.adapters import (
    CHANNEL_BINDING_TYPES,
    SSLContext,
    SSLObject,
    create_default_context,
)
from sansticket.adapters.ciphers import cipher_tuples
from sansticket.adapters.failures import terminated
from sansticket.codes import NamedGroup, ProtocolVersion
from sansticket.commands import AcceptPeer, Command
from sansticket.debug.key_log import KeyLog
from tests.support.certificates import authority, client_identity, server_identity
from tests.support.configs import client_config, server_config
from tests.support.credentials import anchors, credential_of, server_credential, subordinate, with_chain
from tests.support.ssl_objects import NAME, OURS, TLS12, TLS13, End, Link, shaken
from tests.support.staples import REVOKED, UNKNOWN, stapled_credential

CLIENT, SERVER = ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER
VERSIONS = {TLS12: ProtocolVersion.TLS_1_2, TLS13: ProtocolVersion.TLS_1_3}


def client(**changes: Any) -> SSLContext:
    return SSLContext(client_config(**changes))


def server(**changes: Any) -> SSLContext:
    return SSLContext(server_config(**changes))


# --- what it is -----------------------------------------------------------------------------------------------


def test_whoever_asks_is_told_what_they_want_to_hear() -> None:
    link = Link(client(), server())
    assert isinstance(link.client.tls.context, ssl.SSLContext)
    assert isinstance(link.client.tls, ssl.SSLObject)
    assert SSLContext(CLIENT).sslobject_class is SSLObject


@pytest.mark.parametrize(
    ("ours", "theirs"), [(SSLContext, ssl.SSLContext), (SSLObject, ssl.SSLObject)], ids=["context", "object"]
)
def test_nothing_of_the_base_shows_through(ours: type, theirs: type) -> None:
    """What is inherited would work on an OpenSSL context that nobody uses."""
    harmless = {"sslsocket_class"}
    names = {name for name in dir(theirs) if not name.startswith("_")} - harmless
    for name in names:
        owner = next(kind for kind in ours.__mro__ if name in vars(kind))
        assert owner.__module__.startswith("sansticket.adapters."), name


def test_sockets_are_refused() -> None:
    for call in ("wrap_socket", "_wrap_socket", "_wrap_bio"):
        with pytest.raises(NotImplementedError, match=r"wrap_bio, .*docs/wrappers\.md"):
            getattr(server(), call)(None, server_side=True)


@pytest.mark.parametrize("made_for", [ssl.PROTOCOL_TLS, 99, None, "client"])
def test_what_a_context_cannot_be_for(made_for: Any) -> None:
    with pytest.raises(ValueError, match="expected a ClientConfig"):
        SSLContext(made_for)


def test_contexts_are_neither_pickled_nor_copied() -> None:
    with pytest.raises(TypeError, match="cannot pickle"):
        pickle.dumps(server())
    with pytest.raises(TypeError, match="cannot pickle"):
        copy.copy(server())


def test_texts() -> None:
    assert repr(client()) == "<SSLContext PROTOCOL_TLS_CLIENT>"
    assert repr(SSLContext(SERVER)) == "<SSLContext PROTOCOL_TLS_SERVER>"
    link = Link(client(), server())
    assert repr(link.client.tls) == "<SSLObject of a client, new>"
    link.shake()
    assert repr(link.server.tls).startswith("<SSLObject of a server, tls13.ServerConnected")


# --- making connections ---------------------------------------------------------------------------------------


def wrap(context: SSLContext, **options: Any) -> SSLObject:
    return context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), **options)


@pytest.mark.parametrize("name", ["", ".example", b"", "a" * 70 + ".example", "a\0b", "ü" * 300])
def test_what_is_no_host_name(name: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # that of the IDNA codec, where the standard library has it
        wrap(client(), server_hostname=name)


def test_other_scripts() -> None:
    assert wrap(client(), server_hostname="bücher.example").server_hostname == "xn--bcher-kva.example"


def test_names_and_sessions_are_for_clients() -> None:
    with pytest.raises(ValueError, match="server_hostname can only"):
        wrap(server(), server_side=True, server_hostname=NAME)
    with pytest.raises(ValueError, match="session can only"):
        wrap(server(), server_side=True, session=object())
    with pytest.raises(ValueError, match="check_hostname requires server_hostname"):
        wrap(client())
    with pytest.raises(TypeError, match="not a SSLSession"):
        wrap(client(), server_hostname=NAME, session="session")


def test_the_other_side() -> None:
    with pytest.raises(
        ssl.SSLError, match="Cannot create a server socket with a PROTOCOL_TLS_CLIENT"
    ) as caught:
        wrap(client(), server_side=True)
    assert (caught.value.errno, caught.value.library, caught.value.reason) == (0, None, None)
    with pytest.raises(ssl.SSLError, match="Cannot create a client socket with a PROTOCOL_TLS_SERVER"):
        wrap(server(), server_hostname=NAME)


def test_only_memory_buffers() -> None:
    with pytest.raises(TypeError, match="MemoryBIO"):
        server().wrap_bio(ssl.MemoryBIO(), b"", server_side=True)  # type: ignore[arg-type]


def test_a_class_of_ones_own() -> None:
    class Mine(SSLObject):
        pass

    context = server()
    context.sslobject_class = Mine
    assert type(wrap(context, server_side=True)) is Mine
    context.sslobject_class = ssl.SSLObject
    with pytest.raises(TypeError, match="subclass"):
        wrap(context, server_side=True)


def test_a_connection_goes_by_what_its_context_said_when_it_was_made() -> None:
    context = server()
    link = Link(client(versions=[TLS12]), context)
    context.minimum_version = TLS13
    link.shake()
    with pytest.raises(ssl.SSLError):
        shaken(client(versions=[TLS12]), context)


# --- configs --------------------------------------------------------------------------------------------------


def test_a_context_is_what_its_config_says() -> None:
    given = server_config(
        versions=[ProtocolVersion.TLS_1_2],
        tickets_in_tls12=False,
        client_authentication=ClientAuthentication.OPTIONAL,
        trust_anchors=anchors(),
        num_tickets=7,
        alpn_protocols=[b"h2"],
    )
    context = SSLContext(given)
    assert context.config == given
    assert context.protocol is SERVER
    assert context.verify_mode is ssl.CERT_OPTIONAL
    assert (context.minimum_version, context.maximum_version) == (TLS12, TLS12)
    assert context.options & ssl.OP_NO_TICKET
    assert context.num_tickets == 7
    assert context.ticket_keys is given.ticket_keys
    assert not context.check_hostname
    assert {one["protocol"] for one in context.get_ciphers()} == {"TLSv1.2"}


def test_a_client_is_what_its_config_says() -> None:
    store = ClientSessionStore()
    context = client(session_store=store, middlebox_compatibility=False, post_handshake_auth=True)
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.session_store is store
    assert context.session_cache is None
    assert context.ticket_keys is None
    assert context.post_handshake_auth
    assert not context.options & ssl.OP_ENABLE_MIDDLEBOX_COMPAT
    assert context.maximum_version == ssl.TLSVersion.MAXIMUM_SUPPORTED
    assert context.num_tickets == 2
    assert not client(verify_peer=False).check_hostname
    assert client(verify_peer=False).verify_mode is ssl.CERT_NONE
    own = client(answers={VerifyPeer: lambda question: AcceptPeer()})
    assert not own.check_hostname
    assert own.verify_mode is ssl.CERT_REQUIRED


def test_settings_of_both_kinds_come_together() -> None:
    context = server(versions=[ProtocolVersion.TLS_1_3], num_tickets=5)
    keys = context.ticket_keys
    context.set_alpn_protocols(["h2"])
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.options |= ssl.OP_NO_TICKET
    assert context.config.alpn_protocols == (b"h2",)
    assert context.config.versions == (ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2)
    assert not context.config.tickets_in_tls12
    assert context.num_tickets == 5
    assert context.ticket_keys is keys
    context.configure(num_tickets=1, ticket_lifetime=60)
    assert context.num_tickets == 1
    assert context.minimum_version == ssl.TLSVersion.TLSv1


def test_changes_are_all_or_nothing() -> None:
    context = server()
    before = context.config
    for changes in ({"num_tickets": -1}, {"num_tickets": 3, "ticket_lifetime": 0}):
        with pytest.raises(ConfigError):
            context.configure(**changes)
    with pytest.raises(TypeError, match="ServerConfig has no field 'session_store'"):
        context.configure(num_tickets=4, session_store=ClientSessionStore())
    assert context.config == before
    assert context.num_tickets == before.num_tickets  # type: ignore[union-attr]


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ConfigError, match="credentials"):
        wrap(SSLContext(SERVER), server_side=True)
    with pytest.raises(ConfigError, match="trust_anchors"):
        wrap(SSLContext(CLIENT), server_hostname=NAME)
    asking = OURS.server()
    asking.verify_mode = ssl.CERT_REQUIRED
    with pytest.raises(ConfigError, match="trust_anchors"):
        wrap(asking, server_side=True)
    nothing = OURS.server()
    nothing.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ConfigError, match="versions"):
        wrap(nothing, server_side=True)


def test_what_is_not_complete_yet_can_be_changed() -> None:
    context = SSLContext(SERVER)
    cache = SessionCache()
    context.session_cache = cache
    context.configure(ticket_keys=None)
    context.answers = {PrepareTicket: lambda question: SealTicket(b"data")}
    with server_identity().files() as (chain, key):
        context.load_cert_chain(chain, key)
    assert context.session_cache is cache
    assert context.ticket_keys is None
    assert set(context.answers) == {PrepareTicket}


def test_steps_in_any_order() -> None:
    context = OURS.server()
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["h2"])
    context.num_tickets = 1
    context.load_verify_locations(cadata=authority().der)
    link = shaken(client(credentials=[credential_of(client_identity())], alpn_protocols=[b"h2"]), context)
    assert link.server.tls.selected_alpn_protocol() == "h2"


def test_credentials_of_a_config_stay_behind_those_that_are_loaded() -> None:
    rsa = server_identity("rsa")
    context = server(credentials=[credential_of(rsa)])
    for _ in range(2):
        with server_identity().files() as (chain, key):
            context.load_cert_chain(chain, key)
    assert [one.chain for one in context.config.credentials] == [server_identity().chain_der, rsa.chain_der]


def test_the_random_ticket_keys_of_a_context_are_made_once() -> None:
    context = OURS.server()
    keys = context.ticket_keys
    assert isinstance(keys, TicketKeyRing)
    context.num_tickets = 1
    context.set_ciphers("ALL")
    assert context.ticket_keys is keys


# --- settings of the standard library -------------------------------------------------------------------------


def test_check_hostname_and_verify_mode_hang_together() -> None:
    context = SSLContext(CLIENT)
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)
    with pytest.raises(ValueError, match="Cannot set verify_mode to CERT_NONE"):
        context.verify_mode = ssl.CERT_NONE
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.check_hostname = True
    assert context.verify_mode is ssl.CERT_REQUIRED
    context.verify_mode = ssl.CERT_OPTIONAL
    assert context.verify_mode is ssl.CERT_OPTIONAL
    with pytest.raises(ValueError, match="invalid value for verify_mode: 17 is no VerifyMode"):
        context.verify_mode = 17


def test_a_client_whose_application_verifies() -> None:
    seen: list[VerifyPeer] = []

    def verify(question: VerifyPeer) -> AcceptPeer:
        seen.append(question)
        return AcceptPeer()

    context = SSLContext(CLIENT)
    context.answers = {VerifyPeer: verify}
    with pytest.raises(ValueError, match="check_hostname cannot be enabled"):
        context.check_hostname = True
    link = shaken(context, server(), server_hostname="whatever.example")
    assert seen[0].server_name == "whatever.example"
    assert link.client.tls.get_verified_chain() == list(server_identity().chain_der)


@pytest.mark.parametrize("check_hostname", [True, False])
def test_a_config_that_requires_a_staple(check_hostname: bool) -> None:
    """There is nothing of it in the standard library; a context made of a config verifies what the config says."""
    context = SSLContext(client_config(require_stapling=True))
    context.check_hostname = check_hostname
    serving = SSLContext(server_config(credentials=[stapled_credential()]))
    shaken(context, serving, server_hostname=NAME)
    for credential, code, problem in (
        (stapled_credential("p256", REVOKED), 23, "certificate revoked"),
        (stapled_credential("p256", UNKNOWN), 74, "OCSP verification failed"),
        (server_credential(), 73, "OCSP verification needed"),
    ):
        refusing = SSLContext(server_config(credentials=[credential]))
        with pytest.raises(ssl.SSLCertVerificationError, match=problem) as caught:
            shaken(context, refusing, server_hostname=NAME)
        assert (caught.value.verify_code, caught.value.verify_message) == (code, problem)


def test_names_are_verified_again_when_the_application_does_not() -> None:
    for config, changes in (
        (client_config(answers={VerifyPeer: lambda question: AcceptPeer()}), {"answers": {}}),
        (client_config(verify_peer=False), {"verify_peer": True}),
    ):
        context = SSLContext(config)
        assert not context.check_hostname
        context.configure(**changes)
        assert context.check_hostname
        context.check_hostname = False
        context.configure(middlebox_compatibility=False)
        assert not context.check_hostname


def test_flags_that_say_what_is_always_done() -> None:
    context = SSLContext(CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_TRUSTED_FIRST
    assert context.verify_flags & ssl.VERIFY_X509_STRICT
    for flag in (ssl.VERIFY_CRL_CHECK_LEAF, ssl.VERIFY_CRL_CHECK_CHAIN):
        with pytest.raises(
            NotImplementedError, match=r"CRL_CHECK_.*expected .*VerifyPeer.*docs/certificates.md"
        ):
            context.verify_flags |= flag
    with pytest.raises(NotImplementedError, match=r"VERIFY_ALLOW_PROXY_CERTS[^;]*$"):
        context.verify_flags |= ssl.VERIFY_ALLOW_PROXY_CERTS
    assert not context.hostname_checks_common_name
    context.hostname_checks_common_name = False
    with pytest.raises(NotImplementedError):
        context.hostname_checks_common_name = True
    assert context.security_level == 2


def test_bounds_of_the_version() -> None:
    context = SSLContext(SERVER)
    assert context.minimum_version == TLS12
    assert context.maximum_version == ssl.TLSVersion.MAXIMUM_SUPPORTED
    context.minimum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED
    assert {one["protocol"] for one in context.get_ciphers()} == {"TLSv1.3"}
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = TLS12
    assert {one["protocol"] for one in context.get_ciphers()} == {"TLSv1.2"}
    with pytest.raises(ValueError, match="Unsupported TLS/SSL version 0x5"):
        context.minimum_version = 5


def test_alpn_names() -> None:
    context = SSLContext(CLIENT)
    for protocols in ([""], ["a" * 256]):
        with pytest.raises(ssl.SSLError, match="1 to 255"):
            context.set_alpn_protocols(protocols)
    context.set_alpn_protocols([])


def test_a_config_that_names_protocols_insists_on_one() -> None:
    """RFC 7301 section 3.2.  ``set_alpn_protocols`` makes it as lenient as OpenSSL."""
    strict = server(alpn_protocols=[b"h2"])
    link = Link(client(alpn_protocols=[b"ftp"]), strict)
    link.client.step()
    link.carry()
    with pytest.raises(ssl.SSLError) as caught:
        link.server.step()
    assert caught.value.reason == "NO_APPLICATION_PROTOCOL"
    strict.set_alpn_protocols(["h2"])
    assert shaken(client(alpn_protocols=[b"ftp"]), strict).client.tls.selected_alpn_protocol() is None


@pytest.mark.parametrize(
    ("name", "group"), [("prime256v1", NamedGroup.SECP256R1), (b"X448", NamedGroup.X448)]
)
def test_one_curve(name: Any, group: int) -> None:
    context = server()
    context.set_ecdh_curve(name)
    link = shaken(client(), context)
    assert link.server.tls.connection.group == group


def test_no_such_curve() -> None:
    with pytest.raises(ValueError, match="unknown elliptic curve name 'brainpool'"):
        server().set_ecdh_curve("brainpool")


def test_num_tickets_is_for_servers() -> None:
    with pytest.raises(ValueError, match="not a server context"):
        client().num_tickets = 3
    with pytest.raises(ValueError, match="num_tickets"):
        server().num_tickets = -1


def test_server_names_are_for_servers() -> None:
    with pytest.raises(ValueError, match="cannot be set on TLS_CLIENT"):
        client().sni_callback = print
    with pytest.raises(TypeError, match="callable"):
        server().sni_callback = 4
    with pytest.raises(ConfigError, match="SelectConfig is answered"):
        server(answers={SelectConfig: print}).sni_callback = print


def in_records(hello: bytes, size: int) -> bytes:
    """The one record cut into records of that many bytes of content."""
    return b"".join(
        hello[:3] + len(part).to_bytes(2) + part
        for part in (hello[start : start + size] for start in range(5, len(hello), size))
    )


@pytest.mark.parametrize("size", [1, 7, 44, 45, 100, 16_384])
@pytest.mark.parametrize("changes", [{}, {"groups": (NamedGroup.SECP384R1,)}], ids=["at once", "hello retry"])
@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_what_a_client_offers_is_known_however_its_hello_comes(
    version: ssl.TLSVersion, changes: dict[str, Any], size: int
) -> None:
    """With a question that shows the hello, and without one."""
    config = client_config(versions=[VERSIONS[version]])
    expected = cipher_tuples(config.suites_of(VERSIONS[version]))
    for callback in (None, lambda *_: None):
        choosing = server(**changes)
        choosing.sni_callback = callback
        link = Link(SSLContext(config), choosing)
        link.client.step()
        for byte in in_records(link.client.outgoing.read(), size):
            link.server.incoming.write(bytes((byte,)))
            link.server.step()
        link.shake()
        assert link.server.tls.shared_ciphers() == expected


@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_alerts_before_a_hello_are_no_part_of_it(version: ssl.TLSVersion, count: int, level: int) -> None:
    """user_canceled says nothing yet, and is passed over; so it is where suites are looked for."""
    config = client_config(versions=[VERSIONS[version]])
    link = Link(SSLContext(config), server())
    link.server.incoming.write(bytes((21, 3, 3, 0, 2, level, 90)) * count)
    link.shake()
    assert link.server.tls.shared_ciphers() == cipher_tuples(config.suites_of(VERSIONS[version]))


def asks(context: SSLContext) -> bool:
    return SelectConfig in context._current_profile().live.answers


def test_a_server_asks_itself_only_where_something_depends_on_the_hello() -> None:
    """The question costs a step in each handshake."""
    assert not asks(server())
    assert not asks(server(alpn_protocols=[b"h2"]))  # and a client without it is refused
    assert asks(server(answers={SelectConfig: lambda question: UseConfig(server_config())}))
    keys = TicketKeyRing.generate(time.time(), os.urandom)
    assert asks(server(ticket_keys=keys, stateless_retry=keys))
    context = server()
    for name, value, other in (("sni_callback", print, None), ("post_handshake_auth", True, False)):
        setattr(context, name, value)
        assert asks(context)
        setattr(context, name, other)
        assert not asks(context)
    context.set_alpn_protocols(["h2"])
    assert asks(context)


def test_another_context_has_to_fit() -> None:
    tls = wrap(server(), server_side=True)
    with pytest.raises(TypeError, match="SSLContext of sansticket"):
        tls.context = ssl.SSLContext(SERVER)
    with pytest.raises(ValueError, match="other side"):
        tls.context = client()

    class Special(SSLContext):
        pass

    for other in (Special(server_config()), server()):
        tls.context = other
        assert tls.context is other


def test_a_context_that_is_set_too_late_changes_nothing() -> None:
    """As in the standard library it can be set; events and statistics go there."""
    told: list[object] = []
    strict = server(client_authentication=ClientAuthentication.REQUIRED, trust_anchors=anchors())
    strict.on_event = lambda tls, event: told.append(event)
    link = Link(client(), server())
    link.client.step()
    link.carry()
    link.server.step()
    link.server.tls.context = strict
    assert link.server.tls.context is strict
    link.carry()
    link.shake()
    assert link.say(link.client, b"all the same") == b"all the same"
    assert any(isinstance(event, HandshakeCompleted) for event in told)
    assert strict.session_stats()["accept_good"] == 1


def test_key_log(tmp_path: Path) -> None:
    file = tmp_path / "keys.log"
    contexts = client(), server()
    for context in contexts:
        assert context.keylog_filename is None
        context.keylog_filename = file
        assert context.keylog_filename == file
    shaken(*contexts)
    written = file.read_text()
    assert len(KeyLog(written)) == 5
    assert written.startswith("# TLS secrets log file, generated by sansticket\n"), "as others' do"
    assert written.count("#") == 1
    for context in contexts:
        context.keylog_filename = None
    shaken(*contexts)
    assert file.read_text() == written
    with pytest.raises(FileNotFoundError):
        contexts[0].keylog_filename = tmp_path / "nothing" / "keys.log"


def test_statistics() -> None:
    contexts = client(session_store=ClientSessionStore()), server()
    for _ in range(3):
        shaken(*contexts)
    with pytest.raises(ssl.SSLError):
        End(contexts[1], server_side=True).tls.unwrap()
    broken = End(contexts[1], server_side=True)
    broken.incoming.write(b"?????")
    with pytest.raises(ssl.SSLError):
        broken.step()
    ours, theirs = (context.session_stats() for context in contexts)
    assert (ours["connect"], ours["connect_good"], ours["hits"], ours["misses"]) == (3, 3, 2, 1)
    assert (theirs["accept"], theirs["accept_good"], theirs["hits"], theirs["misses"]) == (4, 3, 2, 1)
    assert set(ours) == set(ssl.SSLContext(CLIENT).session_stats())
    cached = server(session_cache=SessionCache(), ticket_keys=None)
    shaken(client(), cached)
    assert cached.session_stats()["number"] == 2


@pytest.mark.parametrize("call", ["load_dh_params", "set_npn_protocols"])
def test_what_there_is_not(call: str) -> None:
    with pytest.raises(NotImplementedError):
        getattr(server(), call)("anything")


def test_default_contexts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(authority().pem)
    log = tmp_path / "keys.log"
    monkeypatch.setenv("SSLKEYLOGFILE", str(log))
    default = create_default_context(cafile=bundle)
    assert default.check_hostname
    assert default.get_ca_certs(True) == [authority().der]
    assert default.keylog_filename == str(log)
    monkeypatch.delenv("SSLKEYLOGFILE")
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert create_default_context().get_ca_certs(True) == [authority().der]
    for_servers = create_default_context(ssl.Purpose.CLIENT_AUTH)
    assert for_servers.protocol is SERVER
    assert for_servers.get_ca_certs() == []
    assert for_servers.keylog_filename is None
    with pytest.raises(TypeError):
        create_default_context("client")  # type: ignore[arg-type]


# --- the rest of an SSLObject ---------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_channel_binding(version: ssl.TLSVersion) -> None:
    link = Link(client(versions=[version]), server())
    assert CHANNEL_BINDING_TYPES == ["tls-exporter"]
    assert link.client.tls.get_channel_binding("tls-exporter") is None
    link.shake()
    bindings = [end.tls.get_channel_binding("tls-exporter") for end in (link.client, link.server)]
    assert bindings[0] == bindings[1]
    assert len(bindings[0]) == 32
    with pytest.raises(ValueError, match="'tls-unique' channel binding type not implemented"):
        link.client.tls.get_channel_binding()
    link.client.incoming.write(b"garbage")
    with pytest.raises(ssl.SSLError):
        link.client.tls.read(1)
    assert link.client.tls.get_channel_binding("tls-exporter") is None


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_channel_binding_is_forgotten_with_the_connection(version: ssl.TLSVersion) -> None:
    """Its secrets are, when both sides have closed it in good order."""
    link = shaken(client(versions=[version]), server())
    with pytest.raises(ssl.SSLWantReadError):
        link.client.tls.unwrap()
    assert link.client.tls.get_channel_binding("tls-exporter") is not None
    link.carry()
    link.server.tls.unwrap()
    link.carry()
    link.client.tls.unwrap()
    for end in (link.client, link.server):
        assert end.tls.get_channel_binding("tls-exporter") is None


def test_no_channel_binding_without_extended_master_secret() -> None:
    """RFC 7627 section 5.4: another connection may have the same."""
    link = shaken(client(versions=[TLS12]), server())
    engine = link.client.tls.connection._engine
    engine.established = evolve(engine.established, extended_master_secret=False)
    assert link.client.tls.get_channel_binding("tls-exporter") is None


def test_chains() -> None:
    path = [*server_identity().chain_der, authority().der]
    link = Link(client(), server())
    assert link.client.tls.get_unverified_chain() == []
    assert link.client.tls.get_verified_chain() == []
    link.shake()
    assert link.client.tls.get_unverified_chain() == list(server_identity().chain_der)
    assert link.client.tls.get_verified_chain() == path
    assert link.server.tls.get_verified_chain() == []
    assert link.client.tls.selected_npn_protocol() is None
    nameless = client()
    nameless.check_hostname = False
    assert shaken(nameless, server(), server_hostname=None).client.tls.get_verified_chain() == path
    trusting = shaken(client(verify_peer=False), server())
    assert trusting.client.tls.get_verified_chain() == list(server_identity().chain_der)


def test_chains_of_clients() -> None:
    asking = server(client_authentication=ClientAuthentication.REQUIRED, trust_anchors=anchors())
    link = shaken(client(credentials=[credential_of(client_identity())]), asking)
    assert link.server.tls.get_verified_chain() == [*client_identity().chain_der, authority().der]


def test_a_chain_that_would_not_be_verified_any_more() -> None:
    """A resumption does not verify again: an intermediate may have expired meanwhile, though not the server's own."""
    now = [time.time()]
    intermediate = subordinate(authority(), end=datetime.timedelta(days=1))
    identity = with_chain(intermediate.issue(NAME, end=datetime.timedelta(days=3)), intermediate)
    context = client(clock=lambda: now[0])
    other = server(clock=lambda: now[0], ticket_lifetime=604_800, credentials=[credential_of(identity)])
    session = shaken(context, other).client.tls.session
    now[0] += 2 * 86_400
    link = shaken(context, other, session=session)
    assert link.client.tls.session_reused
    assert link.client.tls.get_unverified_chain() == list(identity.chain_der)
    assert link.client.tls.get_verified_chain() == []
    now[0] += 86_400
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate has expired"):
        shaken(context, other, session=session)  # beyond the end of the server's own there is no resumption


def test_an_error_is_repeated() -> None:
    """OpenSSL would say that the stream has come to its end."""
    link = shaken(client(), server())
    link.server.incoming.write(b"\x17\x03\x03\x00\x20" + bytes(32))
    calls = (link.server.tls.read, lambda: link.server.tls.write(b"x"), link.server.tls.unwrap)
    for call in (*calls, *calls):
        with pytest.raises(ssl.SSLError) as caught:
            call()
        assert caught.value.reason == "DECRYPTION_FAILED_OR_BAD_RECORD_MAC"
    assert isinstance(link.server.tls.termination, ConnectionTerminated)
    assert link.server.tls.termination.reason is Reason.BAD_RECORD_MAC
    assert link.client.tls.termination is None
    link.carry()
    for _ in range(2):
        with pytest.raises(ssl.SSLError) as caught:
            link.client.tls.read()
        assert caught.value.reason == "SSLV3_ALERT_BAD_RECORD_MAC"


def test_asking_for_a_certificate_at_the_wrong_time() -> None:
    link = Link(client(), server())
    with pytest.raises(ssl.SSLError) as caught:
        link.server.tls.verify_client_post_handshake()
    assert caught.value.reason == "STILL_IN_INIT"
    for leave, reason in (("unwrap", "PROTOCOL_IS_SHUTDOWN"), ("read", "UNEXPECTED_EOF_WHILE_READING")):
        link = shaken(client(), server())
        link.server.incoming.write_eof()
        with pytest.raises(ssl.SSLEOFError):
            getattr(link.server.tls, leave)()
        with pytest.raises(ssl.SSLError) as caught:
            link.server.tls.verify_client_post_handshake()
        assert caught.value.reason == reason


def test_asking_later_and_no_common_version() -> None:
    asking = server(
        versions=[TLS13], client_authentication=ClientAuthentication.OPTIONAL, trust_anchors=anchors()
    )
    asking.post_handshake_auth = True
    link = Link(client(versions=[TLS12]), asking)
    link.client.step()
    link.carry()
    with pytest.raises(ssl.SSLError) as caught:
        link.server.step()
    assert caught.value.reason == "UNSUPPORTED_PROTOCOL"


def test_data_that_was_read_in_part_is_in_the_way_too() -> None:
    link = shaken(client(), server())
    link.server.tls.write(b"some data")
    link.carry()
    assert link.client.tls.read(4) == b"some"
    for _ in range(2):
        with pytest.raises(ssl.SSLError) as caught:
            link.client.tls.unwrap()
        assert caught.value.reason == "APPLICATION_DATA_AFTER_CLOSE_NOTIFY"
    assert link.client.tls.read() == b" data"
    with pytest.raises(ssl.SSLWantReadError):
        link.client.tls.unwrap()


def test_a_key_that_is_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS 1.2 has no new ones."""
    link = shaken(client(versions=[TLS12]), server())

    def refuse(self: Any, command: Any) -> Any:
        raise LocalProtocolError("the key is good for no more records")

    monkeypatch.setattr(ClientConnection, "send", refuse)
    with pytest.raises(ssl.SSLError, match="the key is good for no more records") as caught:
        link.client.tls.write(b"data")
    assert caught.value.reason == "SEQUENCE_EXHAUSTED"


class Interrupted(BaseException):
    """Stands for KeyboardInterrupt."""


def test_what_interrupts_a_handshake_ends_it() -> None:
    """Whoever goes on all the same is told so by every call, and the peer by an alert."""

    def interrupt(line: str) -> None:
        raise Interrupted

    link = Link(client(), server(key_log=interrupt))
    with pytest.raises(ssl.SSLWantReadError):
        link.client.tls.do_handshake()
    link.carry()
    with pytest.raises(Interrupted):
        link.server.tls.do_handshake()
    for call in (link.server.tls.do_handshake, link.server.tls.read, lambda: link.server.tls.write(b"x")):
        with pytest.raises(ssl.SSLError) as caught:
            call()
        assert caught.value.reason == "INTERNAL_ERROR"
    link.carry()
    with pytest.raises(ssl.SSLError) as caught:
        link.client.tls.do_handshake()
    assert caught.value.reason == "TLSV1_ALERT_INTERNAL_ERROR"


def test_what_interrupts_a_write_ends_the_connection() -> None:
    def interrupt(length: int) -> int:
        if link.client.tls.version() is None:
            return 0
        raise Interrupted

    link = Link(client(padding=interrupt), server())
    link.shake()
    with pytest.raises(Interrupted):
        link.client.tls.write(b"data")
    with pytest.raises(ssl.SSLError) as caught:
        link.client.tls.write(b"data")
    assert caught.value.reason == "INTERNAL_ERROR"
    assert link.client.tls.termination is not None


def test_data_that_cannot_be_padded() -> None:
    """Nothing of it is sent, and it can be said again."""
    failing = False

    def padding(length: int) -> int:
        if failing:
            raise ZeroDivisionError
        return 1

    link = shaken(client(padding=padding), server())
    failing = True
    with pytest.raises(ssl.SSLError, match="padding raised ZeroDivisionError") as caught:
        link.client.tls.write(b"data")
    assert caught.value.reason == "CALLBACK_FAILED"
    failing = False
    assert link.say(link.client, b"data") == b"data"


def test_data_behind_tickets_that_cannot_be_made() -> None:
    """That is the end: nobody is told that they were written."""

    def prepare(question: PrepareTicket) -> Command:
        raise ZeroDivisionError

    link = shaken(client(), server(ticket_flush=TicketFlush.WRITE, answers={PrepareTicket: prepare}))
    for _ in range(2):
        with pytest.raises(ssl.SSLError) as caught:
            link.server.tls.write(b"data")
        assert caught.value.reason == "CALLBACK_FAILED"
        assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_alerts_without_a_name() -> None:
    error = terminated(ConnectionTerminated(Reason.PEER_ALERT, 200, by_peer=True))
    assert error.reason == "ALERT_200"
    assert str(error) == "[SSL: ALERT_200] alert 200"


def test_an_outgoing_buffer_that_nobody_reads_any_more() -> None:
    link = shaken(client(), server())
    link.client.outgoing.write_eof()
    assert link.client.tls.write(b"lost") == 4
    with pytest.raises(ssl.SSLWantReadError):
        link.client.tls.unwrap()


def test_a_certificate_may_come_after_the_ciphers_that_go_with_it() -> None:
    """As with OpenSSL, only the handshake says that none fits: a config by itself is stricter."""
    context = SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    for key in ("p256", "rsa"):
        with server_identity(key).files() as (chain, private_key):
            context.load_cert_chain(chain, private_key)
        context.set_ciphers("aRSA")
        assert context.config.usable_versions == (ProtocolVersion.TLS_1_2,)


def test_the_zone_of_an_address_is_no_part_of_what_is_verified() -> None:
    identity = authority().issue("fe80::1")
    client, server = OURS.client(), OURS.server(identity=identity)
    link = shaken(client, server, server_hostname="fe80::1%eth0")
    assert link.client.tls.server_hostname == "fe80::1%eth0"
    assert link.client.tls.get_verified_chain() == [*identity.chain_der, authority().der]
    with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
        shaken(client, server, server_hostname="fe80::2%eth0")
