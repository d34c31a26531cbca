"""The importer of RFC 9258 with GnuTLS 3.8, which has one; and plain PSKs of both hashes beside it."""

from __future__ import annotations

from typing import Any, Final

import pytest
from attrs import evolve

from sansticket import (
    AlertDescription,
    CipherSuite,
    ClientConfig,
    ClientConnection,
    ConnectionTerminated,
    DataReceived,
    Event,
    ExternalPsk,
    HandshakeCompleted,
    LookUpPsk,
    NamedGroup,
    ProvidePsk,
    PskRole,
    Reason,
    SendData,
    ServerConfig,
    ServerConnection,
    Session,
    TicketReceived,
    import_psk,
)
from tests.support.gnutls_library import IMPORTED, GnutlsPskPeer, imported_identity
from tests.support.memory import run
from tests.support.peers import require

pytestmark = pytest.mark.matrix

KEY: Final = bytes(range(32))
OTHER_KEY: Final = bytes(32)
TICKET_KEY: Final = bytes(range(64))
IDENTITY: Final = b"sensor-7"
CONTEXT: Final = b"client=sensor-7;server=hub"
GROUPS: Final = (NamedGroup.X25519, NamedGroup.SECP256R1)
HASHES: Final = ("sha256", "sha384")
OF_SHA384: Final = CipherSuite.AES_256_GCM_SHA384

each_hash = pytest.mark.parametrize("hash_name", HASHES)
each_group = pytest.mark.parametrize("group", ["X25519", "SECP256R1"], ids=["at once", "after a retry"])


@pytest.fixture(autouse=True)
def _needed() -> None:
    require("GnuTLS library")


def imported(role: PskRole, hash_name: str, own_hash: str | None = None) -> ExternalPsk:
    """For suites of ``hash_name``; the key is of the same hash, as it is in GnuTLS, or of ``own_hash``."""
    (psk,) = import_psk(
        IDENTITY,
        KEY,
        role=role,
        context=CONTEXT,
        hash_name=own_hash or hash_name,
        target_hashes=[hash_name],
    )
    return psk


def theirs(hash_name: str, key: bytes = KEY, **more: Any) -> GnutlsPskPeer:
    """GnuTLS, which imports ``key`` itself."""
    identity = imported_identity(IDENTITY, CONTEXT, hash_name)
    return GnutlsPskPeer(identity, key, hash_name=hash_name, flags=IMPORTED, **more)


def client(*psks: ExternalPsk, session: Session | None = None) -> ClientConnection:
    return ClientConnection(ClientConfig(psks=psks, groups=GROUPS), session=session)


def server(*psks: ExternalPsk, **more: Any) -> ServerConnection:
    return ServerConnection(ServerConfig(psks=psks, groups=GROUPS, **more))


def meet(ours: ClientConnection | ServerConnection, peer: GnutlsPskPeer) -> HandshakeCompleted:
    """A handshake, and data both ways."""
    completed = next(event for event in run(ours, peer) if isinstance(event, HandshakeCompleted))
    assert (peer.handshaken, peer.error) == (True, None)
    ours.send(SendData(b"to GnuTLS"))
    peer.write(b"from GnuTLS")
    assert data(run(ours, peer)) == b"from GnuTLS"
    assert peer.received == b"to GnuTLS"
    return completed


def data(happened: list[Event]) -> bytes:
    return b"".join(event.data for event in happened if isinstance(event, DataReceived))


def end(happened: list[Event]) -> ConnectionTerminated:
    (last,) = happened
    assert isinstance(last, ConnectionTerminated)
    return last


@each_hash
@pytest.mark.parametrize("context", [b"", CONTEXT], ids=["without a context", "with one"])
def test_both_write_the_same_identity(hash_name: str, context: bytes) -> None:
    (psk,) = import_psk(IDENTITY, KEY, role=PskRole.CLIENT, context=context, target_hashes=[hash_name])
    assert imported_identity(IDENTITY, context, hash_name) == psk.identity


@each_hash
@each_group
def test_our_client(hash_name: str, group: str) -> None:
    psk = imported(PskRole.CLIENT, hash_name)
    peer = theirs(hash_name, server=True, group=group)
    completed = meet(client(psk), peer)
    assert completed.psk_identity == psk.identity
    assert (completed.cipher_suite == OF_SHA384) == (hash_name == "sha384")
    assert set(peer.asked) == {psk.identity}


@each_hash
@each_group
def test_our_server(hash_name: str, group: str) -> None:
    psk = imported(PskRole.SERVER, hash_name)
    completed = meet(server(psk), theirs(hash_name, server=False, group=group))
    assert completed.psk_identity == psk.identity
    assert (completed.cipher_suite == OF_SHA384) == (hash_name == "sha384")


@each_hash
def test_our_server_looks_up_what_the_identity_says(hash_name: str) -> None:
    def look_up(question: LookUpPsk) -> ProvidePsk:
        said = question.imported
        assert said is not None
        assert (said.external_identity, said.context) == (IDENTITY, CONTEXT)
        return ProvidePsk(said.derive(KEY, role=PskRole.SERVER, hash_name=hash_name))

    completed = meet(server(answers={LookUpPsk: look_up}), theirs(hash_name, server=False))
    assert completed.psk_identity == imported_identity(IDENTITY, CONTEXT, hash_name)


def test_of_both_hashes_gnutls_takes_the_one_that_it_knows() -> None:
    """As ``import_psk`` makes them if nothing else is said: the SHA-256 key for the suites of both."""
    both = import_psk(IDENTITY, KEY, role=PskRole.CLIENT, context=CONTEXT)
    assert meet(client(*both), theirs("sha256", server=True)).psk_identity == both[0].identity


@each_hash
def test_our_client_resumes_at_gnutls(hash_name: str) -> None:
    """The second hello has the ticket and the imported PSK, each with the label of its kind."""
    psk, kept = imported(PskRole.CLIENT, hash_name), None
    for resumed in (False, True):
        ours, peer = client(psk, session=kept), theirs(hash_name, server=True, ticket_key=TICKET_KEY)
        happened = run(ours, peer)
        assert (peer.handshaken, peer.resumed) == (True, resumed)
        kept = next(event.session for event in happened if isinstance(event, TicketReceived))
        assert kept.psk_identity == psk.identity


@each_hash
@pytest.mark.parametrize("withdrawn", [False, True], ids=["still there", "withdrawn"])
def test_gnutls_resumes_at_our_server(hash_name: str, withdrawn: bool) -> None:
    """As long as we have the PSK; after that its tickets are worth nothing."""
    config = ServerConfig(psks=[imported(PskRole.SERVER, hash_name)], groups=GROUPS)
    first = theirs(hash_name, server=False)
    meet(ServerConnection(config), first)
    later = theirs(hash_name, server=False, session=first.keep())
    if withdrawn:
        other = ExternalPsk(b"another", OTHER_KEY, role=PskRole.SERVER)
        ended = end(run(ServerConnection(evolve(config, psks=[other])), later))
        assert ended.alert == AlertDescription.UNKNOWN_PSK_IDENTITY
        assert later.alert == ended.alert
    else:
        assert (
            meet(ServerConnection(config), later).psk_identity == imported(PskRole.SERVER, hash_name).identity
        )
        assert later.resumed


@each_hash
def test_another_key_at_gnutls(hash_name: str) -> None:
    """Its alert is illegal_parameter where the RFC has decrypt_error."""
    ended = end(run(client(imported(PskRole.CLIENT, hash_name)), theirs(hash_name, OTHER_KEY, server=True)))
    assert (ended.reason, ended.alert) == (Reason.PEER_ALERT, AlertDescription.ILLEGAL_PARAMETER)


@each_hash
def test_another_key_at_our_server(hash_name: str) -> None:
    peer = theirs(hash_name, OTHER_KEY, server=False)
    assert end(run(server(imported(PskRole.SERVER, hash_name)), peer)).reason is Reason.BAD_BINDER
    assert peer.alert == AlertDescription.DECRYPT_ERROR


@each_hash
def test_the_binder_says_that_it_was_imported(hash_name: str) -> None:
    """GnuTLS with what we derived, as if that were a plain key: all is the same but the label of the binder."""
    psk = imported(PskRole.SERVER, hash_name)
    plain = GnutlsPskPeer(psk.identity, psk.key, server=False, hash_name=hash_name)
    assert end(run(server(psk), plain)).reason is Reason.BAD_BINDER
    again = GnutlsPskPeer(psk.identity, psk.key, server=False, hash_name=hash_name)
    meet(server(ExternalPsk(psk.identity, psk.key, role=PskRole.SERVER, hash_name=hash_name)), again)


@pytest.mark.parametrize(("own_hash", "target"), [("sha256", "sha384"), ("sha384", "sha256")])
def test_in_gnutls_a_key_is_imported_for_its_own_hash_only(own_hash: str, target: str) -> None:
    """Its credentials have one hash, and it derives with that; the RFC derives with the key's own (section 5.1)."""
    ended = end(
        run(client(imported(PskRole.CLIENT, target, own_hash)), theirs(target, server=True)),
    )
    assert (ended.reason, ended.alert) == (Reason.PEER_ALERT, AlertDescription.ILLEGAL_PARAMETER)
    peer = theirs(target, server=False)
    assert end(run(server(imported(PskRole.SERVER, target, own_hash)), peer)).reason is Reason.BAD_BINDER


@pytest.mark.parametrize(("own_hash", "target"), [("sha256", "sha384"), ("sha384", "sha256")])
def test_a_gnutls_client_with_an_identity_of_another_hash(own_hash: str, target: str) -> None:
    """It leaves the PSK out and sends its extension all the same, with nothing in it: that is no hello."""
    identity = imported_identity(IDENTITY, CONTEXT, target)
    peer = GnutlsPskPeer(identity, KEY, server=False, hash_name=own_hash, flags=IMPORTED)
    assert end(run(server(imported(PskRole.SERVER, target)), peer)).reason is Reason.MALFORMED_MESSAGE
    assert peer.alert == AlertDescription.DECODE_ERROR


@each_hash
def test_a_gnutls_server_of_either_hash_imports_for_one(hash_name: str) -> None:
    """Plain keys it takes with both."""
    plain = ExternalPsk(IDENTITY, KEY, role=PskRole.CLIENT, hash_name=hash_name)
    meet(client(plain), GnutlsPskPeer(IDENTITY, KEY, server=True, hash_name="either"))
    psk = imported(PskRole.CLIENT, hash_name)
    peer = GnutlsPskPeer(psk.identity, KEY, server=True, hash_name="either", flags=IMPORTED)
    run(client(psk), peer)
    assert peer.handshaken == (hash_name == "sha384")


@each_hash
@each_group
def test_plain_keys(hash_name: str, group: str) -> None:
    """Those that are not imported."""
    at_gnutls = GnutlsPskPeer(IDENTITY, KEY, server=True, hash_name=hash_name, group=group)
    psk = ExternalPsk(IDENTITY, KEY, role=PskRole.CLIENT, hash_name=hash_name)
    assert meet(client(psk), at_gnutls).psk_identity == IDENTITY
    at_us = GnutlsPskPeer(IDENTITY, KEY, server=False, hash_name=hash_name, group=group)
    psk = ExternalPsk(IDENTITY, KEY, role=PskRole.SERVER, hash_name=hash_name)
    assert meet(server(psk), at_us).psk_identity == IDENTITY
