"""Servers of ours against clients that do everything wrong, one thing at a time: the ClientHello."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from attrs import evolve

from sansticket.codes import AlertDescription, NamedGroup, ProtocolVersion, SignatureScheme
from sansticket.config.server import ServerConfig
from sansticket.errors import Reason
from sansticket.events import HandshakeCompleted
from sansticket.wire.extensions.base import Extension, UnknownExtension
from sansticket.wire.extensions.certificate import OidFilters
from sansticket.wire.extensions.key_exchange import KeyShareEntry, KeyShareOffer, SupportedGroups
from sansticket.wire.extensions.negotiation import (
    ApplicationProtocols,
    Cookie,
    MaxFragmentLength,
    Padding,
    RecordSizeLimit,
    SelectedVersion,
    ServerNameList,
    SignatureAlgorithms,
    SupportedVersions,
)
from sansticket.wire.extensions.resumption import (
    PreSharedKeyOffer,
    PskIdentity,
    PskKeyExchangeModes,
)
from sansticket.wire.messages.hello import ClientHello
from tests.support.edits import flipped
from tests.support.hostile import HANDSHAKE
from tests.support.hostile_client import HostileClient, quick_server, session_from
from tests.support.hostile_server import with_extensions, without
from tests.support.refusals import case, refused

HelloEdit = Callable[[ClientHello], "ClientHello | bytes"]

P256 = NamedGroup.SECP256R1
X25519 = NamedGroup.X25519
GREASE = UnknownExtension(0x2A2A, b"grease")


def with_(*extensions: Extension) -> HelloEdit:
    return lambda hello: with_extensions(hello, *extensions)


def lacking(*kinds: type[Extension]) -> HelloEdit:
    def edit(hello: ClientHello) -> ClientHello:
        for kind in kinds:
            hello = without(hello, kind)
        return hello

    return edit


def changed(**changes: object) -> HelloEdit:
    return lambda hello: evolve(hello, **changes)


def twice(number: int) -> HelloEdit:
    def edit(hello: ClientHello) -> ClientHello:
        again = next(extension for extension in hello.extensions if extension.type == number)
        return evolve(hello, extensions=(*hello.extensions, again))

    return edit


def share(group: int, key_exchange: bytes) -> KeyShareOffer:
    return KeyShareOffer((KeyShareEntry(group, key_exchange),))


def shorter(hello: ClientHello) -> bytes:
    """Its header says what there is, but the extensions do not end."""
    body = hello.encode()[4:-1]
    return b"\x01" + len(body).to_bytes(3) + body


def longer(hello: ClientHello) -> bytes:
    body = hello.encode()[4:] + b"\0"
    return b"\x01" + len(body).to_bytes(3) + body


OFFER = PreSharedKeyOffer((PskIdentity(b"one", 0),), (bytes(32),))
TWO_FOR_ONE = PreSharedKeyOffer((PskIdentity(b"one", 0),), (bytes(32), bytes(32)))
ONE_FOR_TWO = PreSharedKeyOffer((PskIdentity(b"one", 0), PskIdentity(b"two", 0)), (bytes(32),))
KEY_EXCHANGE = (SupportedGroups, KeyShareOffer, SignatureAlgorithms)
NOT_ON_THE_CURVE = b"\x04" + bytes(63) + b"\x05"

HELLOS = [
    case("only TLS 1.2", Reason.UNSUPPORTED_VERSION, lacking(SupportedVersions)),
    case("versions without 1.3", Reason.UNSUPPORTED_VERSION, with_(SupportedVersions((0x0301, 0x7F17)))),
    case("no common suite", Reason.NO_COMMON_CIPHER_SUITE, changed(cipher_suites=(0x1304, 0xC02B, 0x00FF))),
    case("record_size_limit below 64", Reason.ILLEGAL_VALUE, with_(RecordSizeLimit(63))),
    case("record_size_limit of one byte", Reason.MALFORMED_MESSAGE, with_(UnknownExtension(28, b"\x40"))),
    case("max_fragment_length 5", Reason.ILLEGAL_VALUE, with_(MaxFragmentLength(5))),
    case("compression", Reason.ILLEGAL_VALUE, changed(compression_methods=b"\1\0")),
    case("no null compression", Reason.ILLEGAL_VALUE, changed(compression_methods=b"\1")),
    case("no groups", Reason.MISSING_EXTENSION, lacking(SupportedGroups)),
    case("no key_share", Reason.MISSING_EXTENSION, lacking(KeyShareOffer)),
    case("no key exchange", Reason.MISSING_EXTENSION, lacking(SupportedGroups, KeyShareOffer)),
    case("no signature_algorithms", Reason.MISSING_EXTENSION, lacking(SignatureAlgorithms)),
    case(
        "no signature_algorithms, and no share either: not even a retry",
        Reason.MISSING_EXTENSION,
        lambda hello: with_extensions(without(hello, SignatureAlgorithms), KeyShareOffer(())),
    ),
    case(
        "psk without its modes",
        Reason.MISSING_EXTENSION,
        lambda hello: with_extensions(without(hello, PskKeyExchangeModes), OFFER),
    ),
    case(
        "unusable psk, no signature_algorithms",
        Reason.MISSING_EXTENSION,
        lambda hello: with_extensions(without(hello, SignatureAlgorithms), OFFER),
    ),
    case(
        "psk without key exchange",
        Reason.NO_COMMON_PSK_MODE,
        lambda hello: with_extensions(lacking(*KEY_EXCHANGE)(hello), PskKeyExchangeModes((0,)), OFFER),
    ),
    case(
        "psk without the key exchange that it does not insist on",
        Reason.NO_COMMON_PSK_MODE,
        lambda hello: with_extensions(lacking(*KEY_EXCHANGE)(hello), PskKeyExchangeModes((1, 0)), OFFER),
    ),
    case(
        "psk without the key exchange that it insists on",
        Reason.MISSING_EXTENSION,
        lambda hello: with_extensions(lacking(*KEY_EXCHANGE)(hello), OFFER),
    ),
    case(
        "psk with half a key exchange",
        Reason.MISSING_EXTENSION,
        lambda hello: with_extensions(lacking(KeyShareOffer)(hello), PskKeyExchangeModes((0,)), OFFER),
    ),
    case("two binders for one identity", Reason.BINDER_COUNT, with_(TWO_FOR_ONE)),
    case("one binder for two identities", Reason.BINDER_COUNT, with_(ONE_FOR_TWO)),
    case("psk not last", Reason.ILLEGAL_VALUE, with_(OFFER, GREASE)),
    case(
        "no common group", Reason.NO_COMMON_GROUP, with_(SupportedGroups((0x0100, 0x2A2A)), KeyShareOffer(()))
    ),
    case("share of no supported group", Reason.ILLEGAL_VALUE, with_(SupportedGroups((P256,)))),
    case(
        "two shares of one group",
        Reason.ILLEGAL_VALUE,
        with_(KeyShareOffer((KeyShareEntry(X25519, bytes(32)), KeyShareEntry(X25519, bytes(32))))),
    ),
    case("share too short", Reason.BAD_KEY_SHARE, with_(share(X25519, bytes(31)))),
    case("share too long", Reason.BAD_KEY_SHARE, with_(share(X25519, bytes(33)))),
    case("share of small order", Reason.BAD_KEY_SHARE, with_(share(X25519, bytes(32)))),
    case("point off the curve", Reason.BAD_KEY_SHARE, with_(share(P256, NOT_ON_THE_CURVE))),
    case("compressed point", Reason.BAD_KEY_SHARE, with_(share(P256, b"\x02" + bytes(31) + b"\x01"))),
    case("point at infinity", Reason.BAD_KEY_SHARE, with_(share(P256, b"\0"))),
    case(
        "no common signature scheme",
        Reason.NO_COMMON_SIGNATURE_SCHEME,
        with_(SignatureAlgorithms((SignatureScheme.RSA_PSS_RSAE_SHA256, 0x2A2A))),
    ),
    case(
        "PKCS#1 alone",
        Reason.NO_COMMON_SIGNATURE_SCHEME,
        with_(SignatureAlgorithms((SignatureScheme.RSA_PKCS1_SHA256,))),
    ),
    case("no common protocol", Reason.NO_COMMON_APPLICATION_PROTOCOL, with_(ApplicationProtocols((b"h3",)))),
    case("duplicate known extension", Reason.DUPLICATE_EXTENSION, twice(43)),
    case(
        "duplicate unknown extension",
        Reason.DUPLICATE_EXTENSION,
        lambda hello: evolve(hello, extensions=(*hello.extensions, GREASE, GREASE)),
    ),
    case("an extension of CertificateRequest", Reason.FORBIDDEN_EXTENSION, with_(OidFilters(()))),
    case("the server's form of an extension", Reason.MALFORMED_MESSAGE, with_(SelectedVersion(0x0304))),
    case("server name not ASCII", Reason.ILLEGAL_VALUE, with_(ServerNameList(b"\xc3\xa4.example"))),
    case("server name with NUL", Reason.ILLEGAL_VALUE, with_(ServerNameList(b"server.example\0"))),
    case("server name too long", Reason.ILLEGAL_VALUE, with_(ServerNameList(b"a" * 256))),
    case("cut short", Reason.MALFORMED_MESSAGE, shorter),
    case("one byte more", Reason.MALFORMED_MESSAGE, longer),
    case("SSL 3.0", Reason.UNSUPPORTED_VERSION, changed(legacy_version=0x0300)),
    case("legacy version of TLS 1.1", Reason.UNSUPPORTED_VERSION, changed(legacy_version=0x0302)),
    case("legacy version of TLS 1.3", Reason.UNSUPPORTED_VERSION, changed(legacy_version=0x0304)),
]


@pytest.mark.parametrize(("edit", "reason"), HELLOS)
def test_hello_is_refused(edit: HelloEdit, reason: Reason) -> None:
    client = HostileClient(quick_server(alpn_protocols=[b"h2"]), {ClientHello: edit})
    client.say_hello().assert_refused(reason)


TOLERATED = {
    "grease everywhere": lambda hello: with_extensions(
        evolve(hello, cipher_suites=(0x2A2A, *hello.cipher_suites, 0x5A5A)),
        GREASE,
        UnknownExtension(0xFAFA, b""),
        SupportedGroups((0x2A2A, X25519)),
        SupportedVersions((0x2A2A, ProtocolVersion.TLS_1_3, 0x7F17)),
        SignatureAlgorithms((0x2A2A, SignatureScheme.ECDSA_SECP256R1_SHA256)),
        PskKeyExchangeModes((0x0B, 1)),
        ApplicationProtocols((b"\x2a\x2a", b"h2")),
        KeyShareOffer((KeyShareEntry(0x2A2A, b"\0"), *hello.find(KeyShareOffer).shares)),
    ),
    "no session id": changed(session_id=b""),
    "short session id": changed(session_id=b"short"),
    "no server name": lacking(ServerNameList),
    "unknown server name": with_(ServerNameList(b"nobody.example")),
    "no modes, so no tickets": lacking(PskKeyExchangeModes),
    "no alpn": lambda hello: hello,
    "an identity of nobody's": with_(OFFER),
    "padding": with_(Padding(300)),
}


@pytest.mark.parametrize("edit", TOLERATED.values(), ids=TOLERATED.keys())
def test_hello_is_taken(edit: HelloEdit) -> None:
    client = HostileClient(quick_server(alpn_protocols=[b"h2"]), {ClientHello: edit}).complete()
    client.assert_alive()
    assert client.victim.state == "tls13.ServerConnected"


# --- after a HelloRetryRequest -----------------------------------------------------------------------------------


def retrying() -> ServerConfig:
    return quick_server(groups=(P256,))


def after_retry(edit: HelloEdit, first: HelloEdit = lambda hello: hello) -> HostileClient:
    """A server that wants P-256; the second hello is the first with the new share, and the edit."""
    client = HostileClient(retrying(), {ClientHello: first}).say_hello().hear_retry()
    client.edits = {ClientHello: lambda hello: edit(first(hello))}
    return client.say_hello()


def _reversed(hello: ClientHello) -> ClientHello:
    return evolve(hello, extensions=hello.extensions[::-1])


CHANGES = {
    "random": changed(random=bytes(32)),
    "session id": changed(session_id=b""),
    "suites": changed(cipher_suites=(0x1301, 0x1302)),
    "another server name": with_(ServerNameList(b"other.example")),
    "no server name": lacking(ServerNameList),
    "groups": with_(SupportedGroups((P256,))),
    "more versions": with_(SupportedVersions((ProtocolVersion.TLS_1_3, 0x0303))),
    "a new extension": with_(GREASE),
    "a new alpn": with_(ApplicationProtocols((b"h2",))),
    "the order of extensions": _reversed,
    "a cookie of nobody's": with_(Cookie(b"crumbs")),
    "an identity": with_(OFFER),
    "no share": with_(KeyShareOffer(())),
    "the share of the first hello": lambda hello: with_extensions(hello, share(X25519, bytes(32))),
    "two shares": lambda hello: with_extensions(
        hello, KeyShareOffer((*hello.find(KeyShareOffer).shares, KeyShareEntry(X25519, bytes(32))))
    ),
}


@pytest.mark.parametrize("edit", CHANGES.values(), ids=CHANGES.keys())
@refused(Reason.CHANGED_AFTER_RETRY)
def test_changed_after_retry(edit: HelloEdit) -> HostileClient:
    return after_retry(edit)


@refused(Reason.UNSUPPORTED_VERSION)
def test_another_legacy_version_after_retry() -> HostileClient:
    return after_retry(changed(legacy_version=0x0302))


UNCHANGED = {
    "nothing else": lambda hello: hello,
    "padding": with_(Padding(40)),
}


@pytest.mark.parametrize("edit", UNCHANGED.values(), ids=UNCHANGED.keys())
def test_unchanged_after_retry(edit: HelloEdit) -> None:
    client = after_retry(edit)
    client.listen().say_finished()
    client.assert_alive()
    assert client.victim.state == "tls13.ServerConnected"


def test_identities_may_be_left_out_after_a_retry() -> None:
    """Those that do not fit the suite (RFC 9846 section 4.2.2); and none may come in."""
    two = PreSharedKeyOffer((PskIdentity(b"one", 0), PskIdentity(b"two", 0)), (bytes(32), bytes(32)))
    client = after_retry(with_(OFFER), with_(two))
    client.listen().say_finished()
    client.assert_alive()
    after_retry(with_(two), with_(OFFER)).assert_refused(Reason.CHANGED_AFTER_RETRY)
    client = HostileClient(retrying(), {ClientHello: with_(OFFER)}).say_hello().hear_retry()
    client.edits = {}
    client.say_hello().assert_alive()


def test_unknown_extensions_survive_a_retry() -> None:
    client = after_retry(lambda hello: hello, with_(GREASE))
    client.listen().say_finished()
    assert client.victim.state == "tls13.ServerConnected"


@refused(Reason.CHANGED_AFTER_RETRY)
def test_changed_unknown_extension_after_retry() -> HostileClient:
    return after_retry(with_(UnknownExtension(0x2A2A, b"other")), with_(GREASE))


@refused(Reason.BAD_KEY_SHARE)
def test_bad_share_after_retry() -> HostileClient:
    return after_retry(with_(share(P256, NOT_ON_THE_CURVE)))


@refused(Reason.MISSING_EXTENSION)
def test_missing_extension_after_retry() -> HostileClient:
    return after_retry(lacking(KeyShareOffer))


@refused(Reason.UNEXPECTED_MESSAGE)
def test_third_hello() -> HostileClient:
    client = after_retry(lambda hello: hello).listen()
    return client.say_hello()


@refused(Reason.MESSAGE_ACROSS_KEY_CHANGE)
def test_second_hello_in_the_record_of_the_first() -> HostileClient:
    """It was sent before the retry that it answers; and a hello ends its record (RFC 9846 section 5.1)."""
    client = HostileClient(retrying())
    first = client.hello()
    client.shares = (P256,)
    client.send(HANDSHAKE, first.encode() + client.hello().encode())
    return client


@refused(Reason.MESSAGE_ACROSS_KEY_CHANGE)
def test_something_behind_a_hello_that_leads_to_a_retry() -> HostileClient:
    return HostileClient(retrying(), {ClientHello: lambda hello: hello.encode() + b"\x01"}).say_hello()


def test_second_hello_ahead_of_time() -> None:
    """In a record of its own nothing tells it from one that came in time: how long bytes are on the way is not to
    be seen.  The client must know the retry for its Finished."""
    client = HostileClient(retrying())
    first = client.hello()
    client.shares = (P256,)
    second = client.hello()
    client.deliver(client.record(HANDSHAKE, first.encode()) + client.record(HANDSHAKE, second.encode()))
    assert not client.over
    assert client.victim.state == "tls13.WaitClientFinished"


# --- identities and binders --------------------------------------------------------------------------------------


def all_flipped(values: tuple[bytes, ...]) -> list[bytes]:
    return [flipped(value, 0) for value in values]


@refused(Reason.BAD_BINDER)
def test_wrong_binder() -> HostileClient:
    config = quick_server()
    return HostileClient(config, sessions=(session_from(config),), binders=all_flipped).say_hello()


@refused(Reason.BAD_BINDER)
def test_binder_of_another_length() -> HostileClient:
    config = quick_server()

    def longer_binder(hello: ClientHello) -> ClientHello:
        *others, offer = hello.extensions
        assert isinstance(offer, PreSharedKeyOffer)
        return evolve(hello, extensions=(*others, evolve(offer, binders=(bytes(48),))))

    return HostileClient(
        config,
        {ClientHello: longer_binder},
        sessions=(session_from(config),),
        binders=lambda values: [values[0] + bytes(16)],
    ).say_hello()


@refused(Reason.BAD_BINDER)
def test_binder_of_another_hello() -> HostileClient:
    """A ticket that was seen on the wire is of no use: its binder covers the hello."""
    config = quick_server()
    session = session_from(config)
    honest = HostileClient(config, sessions=(session,))
    seen: list[bytes] = []
    honest.binders = lambda values: seen.extend(values) or values
    honest.say_hello()
    return HostileClient(
        config, {ClientHello: changed(random=bytes(32))}, sessions=(session,), binders=lambda _: seen
    ).say_hello()


@refused(Reason.BAD_BINDER)
def test_wrong_binder_after_retry() -> HostileClient:
    """And the retry burned nothing: the binder of the first hello is not looked at."""
    config = retrying()
    session = HostileClient(config, shares=(P256,)).complete().session()
    client = HostileClient(config, sessions=(session,)).say_hello().hear_retry()
    client.binders = all_flipped
    return client.say_hello()


def test_right_binder_after_retry() -> None:
    config = retrying()
    session = HostileClient(config, shares=(P256,)).complete().session()
    client = HostileClient(config, sessions=(session,), binders=all_flipped).say_hello().hear_retry()
    client.binders = tuple
    client.complete().assert_alive()
    assert next(event for event in client.events if isinstance(event, HandshakeCompleted)).resumed


def test_binders_of_identities_that_are_not_used_do_not_matter() -> None:
    config = quick_server()
    session = session_from(config)
    client = HostileClient(
        config,
        sessions=(session, evolve(session, ticket=b"of nobody's")),
        binders=lambda values: [values[0], bytes(32)],
    ).complete()
    client.assert_alive()
    assert next(event for event in client.events if isinstance(event, HandshakeCompleted)).resumed


@pytest.mark.parametrize("alert", [AlertDescription.UNRECOGNIZED_NAME, AlertDescription.ACCESS_DENIED])
def test_the_application_names_the_alert(alert: AlertDescription) -> None:
    from sansticket.commands import AbortHandshake
    from sansticket.events import SelectConfig

    client = HostileClient(quick_server(answers={SelectConfig: lambda _: AbortHandshake(alert)})).say_hello()
    client.assert_refused(Reason.ABORTED_BY_APPLICATION, alert)
