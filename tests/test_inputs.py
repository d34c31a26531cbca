"""What is handed in is of its type: nothing makes zeros of a number, nor a secret of nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import pytest
from attrs import evolve, fields

import sansticket
from sansticket import (
    Abort,
    AbortHandshake,
    ClientConfig,
    ClientConnection,
    Credential,
    ImportedIdentity,
    IssueTicket,
    LocalProtocolError,
    OpenedTicket,
    OpenSSLTicketKey,
    ProvideSession,
    ProvideSignature,
    RejectPeer,
    ReplayRecorder,
    ResolveTicket,
    Revocations,
    SealTicket,
    SendData,
    ServerConfig,
    ServerConnection,
    Session,
    SessionCache,
    SessionFormatError,
    TicketKey,
    TicketKeyRing,
    TicketNotOpened,
    TicketOpened,
    TicketProtected,
    TicketStatus,
    TicketUses,
    TrustAnchors,
    UpdateKeys,
    UseConfig,
)
from sansticket.commands import Command
from sansticket.errors import ConfigError
from sansticket.inputs import as_bytes, random_bytes
from sansticket.library import SSL_SESSIONS
from sansticket.testing import PrivateAuthority
from tests.support.configs import client_config, server_config
from tests.support.credentials import anchors, server_credential
from tests.support.inputs import BROKEN_ENTROPY, WRONG_BYTES
from tests.support.pair import ConnectionPair
from tests.support.sessions import NOW, ORDINARY

AUTHORITY: Final = anchors().certificates[0]
HUGE: Final = (pytest.param(10**5000, id="huge"), pytest.param(-(10**5000), id="negative"))
OLD_KEY: Final = partial(OpenSSLTicketKey, bytes(16), bytes(16), bytes(16))

# --- sessions ------------------------------------------------------------------------------------------------

BYTES: Final = ("secret", "ticket", "session_id", "session_id_context", "app_data", "family")
NUMBERS: Final = (
    "version",
    "cipher_suite",
    "lifetime",
    "age_add",
    "max_early_data",
    "group",
    "generation",
)


@pytest.mark.parametrize("field", BYTES)
@pytest.mark.parametrize("wrong", [*WRONG_BYTES, bytearray(32), memoryview(bytes(32))])
def test_bytes_of_a_session(field: str, wrong: Any) -> None:
    with pytest.raises(SessionFormatError, match=f"{field} is of another type"):
        evolve(ORDINARY, **{field: wrong})


@pytest.mark.parametrize("field", ["alpn", "psk_identity"])
@pytest.mark.parametrize("wrong", [one for one in WRONG_BYTES if one is not None])
def test_bytes_of_a_session_or_none(field: str, wrong: Any) -> None:
    with pytest.raises(SessionFormatError, match=f"{field} is of another type"):
        evolve(ORDINARY, **{field: wrong})


def test_every_field_of_a_session_is_tried() -> None:
    others = {
        "alpn",
        "psk_identity",
        "server_name",
        "issued_at",
        "authenticated_at",
        "extended_master_secret",
    }
    chains = {"peer_certificates", "verified_chain"}
    assert {one.name for one in fields(Session)} == {*BYTES, *NUMBERS, *others, *chains}


@pytest.mark.parametrize("wrong", [32, ["name"], True, 32.0, b"example.com", bytearray(b"name")])
def test_name_of_a_session(wrong: Any) -> None:
    with pytest.raises(SessionFormatError, match="server_name is of another type"):
        evolve(ORDINARY, server_name=wrong)


@pytest.mark.parametrize(
    "wrong", [5, "chain", b"chain", [b"chain"], None, True, 1.5, (5,), ("chain",), (None,)]
)
@pytest.mark.parametrize("field", ["peer_certificates", "verified_chain"])
def test_certificates_of_a_session(field: str, wrong: Any) -> None:
    with pytest.raises(SessionFormatError, match=f"{field} is of another type"):
        evolve(ORDINARY, **{field: wrong})


@pytest.mark.parametrize("field", NUMBERS)
@pytest.mark.parametrize("wrong", ["7200", [7200], None, 7200.0, b"7200", True, False])
def test_numbers_of_a_session(field: str, wrong: Any) -> None:
    with pytest.raises(SessionFormatError, match=f"{field} is of another type"):
        evolve(ORDINARY, **{field: wrong})


@pytest.mark.parametrize("field", ["issued_at", "authenticated_at"])
@pytest.mark.parametrize("wrong", ["7200", [7200], None, b"7200", True, False])
def test_times_of_a_session(field: str, wrong: Any) -> None:
    with pytest.raises(SessionFormatError, match="finite number of seconds"):
        evolve(ORDINARY, **{field: wrong})


@pytest.mark.parametrize("wrong", [1, "yes", None, b"1"])
def test_the_mark_of_a_session(wrong: Any) -> None:
    with pytest.raises(SessionFormatError, match="extended_master_secret is of another type"):
        evolve(ORDINARY, extended_master_secret=wrong)


@pytest.mark.parametrize("wrong", WRONG_BYTES)
def test_encodings_of_sessions(wrong: Any) -> None:
    openssl = (Session.from_openssl_der, Session.from_openssl_pem) if SSL_SESSIONS.installed else ()
    for read in (Session.from_bytes, *openssl):
        with pytest.raises(SessionFormatError, match="expected bytes"):
            read(wrong)


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_encodings_in_a_buffer(kind: Callable[[bytes], Any]) -> None:
    assert Session.from_bytes(kind(ORDINARY.to_bytes())) == ORDINARY


# --- sources of tickets, and what they give ------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [*WRONG_BYTES, bytearray(32)])
def test_names_of_keys_to_retire(wrong: Any) -> None:
    """Whoever wants to be rid of a key is told that it is still there."""
    ring = TicketKeyRing(
        [TicketKey(b"n" * 16, bytes(range(32)), 0.0), TicketKey(b"o" * 16, bytes(range(32, 64)), 0.0)]
    )
    with pytest.raises(ConfigError, match=r"name: a value of type .*; expected bytes"):
        ring.retire(wrong)
    assert ring.retire(b"o" * 16)


@pytest.mark.parametrize("wrong", [*WRONG_BYTES, bytearray(32)])
def test_opened_tickets(wrong: Any) -> None:
    with pytest.raises(ConfigError, match=r"^key_name: .*; expected bytes"):
        OpenedTicket(TicketStatus.SUCCESS, wrong, b"")
    with pytest.raises(ConfigError, match=r"^status: .*; expected a TicketStatus"):
        OpenedTicket(wrong, b"", b"")
    if wrong is not None:
        with pytest.raises(ConfigError, match=r"^plaintext: .*; expected bytes"):
            OpenedTicket(TicketStatus.SUCCESS, b"", wrong)


@pytest.mark.parametrize("hook", ["on_new", "on_remove", "on_get"])
@pytest.mark.parametrize("wrong", [0, 1, "print", [print], True, False, 1.5])
def test_hooks_of_a_cache(hook: str, wrong: Any) -> None:
    with pytest.raises(ConfigError, match=f"^{hook}: a value of type .*; expected a function or None"):
        SessionCache(**{hook: wrong})


@pytest.mark.parametrize("wrong", [*WRONG_BYTES, bytearray(32), bytes(65_536)])
def test_contexts_of_imported_identities(wrong: Any) -> None:
    with pytest.raises(ConfigError, match=r"^context: .*; expected "):
        ImportedIdentity(b"name", wrong)
    if not isinstance(wrong, bytes):
        with pytest.raises(ConfigError, match=r"^identity: .*; expected bytes"):
            ImportedIdentity.parse(wrong)


@pytest.mark.parametrize("field", ["target_protocol", "target_kdf"])
@pytest.mark.parametrize("wrong", ["772", [772], None, True, 772.0, -1, 1 << 16, 10**30])
def test_numbers_of_imported_identities(field: str, wrong: Any) -> None:
    with pytest.raises(ConfigError, match=f"^{field}: .*; expected "):
        ImportedIdentity(b"name", **{field: wrong})


# --- commands ------------------------------------------------------------------------------------------------

COMMANDS: Final[list[tuple[type[Command], str, bool]]] = [
    (TicketOpened, "plaintext", False),
    (TicketNotOpened, "key_name", False),
    (SealTicket, "app_data", True),
    (TicketProtected, "ticket", True),
    (ProvideSignature, "signature", False),
]
"""Each with its field of bytes, and whether it may be None."""


@pytest.mark.parametrize(
    ("kind", "field", "optional"), COMMANDS, ids=lambda value: getattr(value, "__name__", "")
)
@pytest.mark.parametrize("wrong", [*WRONG_BYTES, bytearray(32), memoryview(bytes(32))])
def test_bytes_of_commands(kind: Callable[..., Command], field: str, optional: bool, wrong: Any) -> None:
    if wrong is None and optional:
        return
    with pytest.raises(TypeError, match=field):
        kind(**{field: wrong})


@pytest.mark.parametrize(
    ("kind", "wrongs"),
    [
        (SendData, WRONG_BYTES),
        (lambda wrong: TicketOpened(b"", wrong), WRONG_BYTES),
        (lambda wrong: TicketOpened(b"", b"", wrong), (1, "yes", [True], b"", 1.5)),
        (UpdateKeys, (1, "yes", [True], None, b"", 1.5)),
        (IssueTicket, ("1", [1], None, b"1", 1.5)),
        (ResolveTicket, (1, "USE", [1], None, True, b"", 1.5)),
        (ProvideSession, (1, "session", [1], True, b"", 1.5)),
        (UseConfig, (1, "config", [1], None, True, b"", 1.5)),
    ],
)
def test_other_values_of_commands(kind: Callable[[Any], Command], wrongs: tuple[Any, ...]) -> None:
    for wrong in wrongs:
        with pytest.raises(TypeError):
            kind(wrong)


@pytest.mark.parametrize("kind", [Abort, AbortHandshake, RejectPeer])
def test_alerts_of_commands(kind: Callable[[Any], Command]) -> None:
    for wrong in ("40", [40], None, b"40", 1000, 0, 90, 100):
        with pytest.raises((TypeError, ValueError), match=r"^alert: |is not a valid|ends nothing"):
            kind(wrong)


# --- certificates --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong", [*WRONG_BYTES, [None], [bytearray(AUTHORITY)], AUTHORITY, bytearray(AUTHORITY)]
)
def test_certificates_are_bytes(wrong: Any) -> None:
    for make in (TrustAnchors, TrustAnchors.from_der, lambda chain: Credential(chain, None)):
        with pytest.raises(ConfigError):
            make(wrong)


# --- connections ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", WRONG_BYTES)
def test_what_comes_is_bytes(wrong: Any) -> None:
    with pytest.raises(TypeError, match="receive_data"):
        ClientConnection(ClientConfig(verify_peer=False), "example.com").receive_data(wrong)


# --- randomness ----------------------------------------------------------------------------------------------


def test_the_helpers() -> None:
    assert random_bytes(bytes, 5) == bytes(5)
    for given in (b"key", bytearray(b"key"), memoryview(b"key")):
        assert type(as_bytes("key", given)) is bytes
    for wrong in WRONG_BYTES:
        with pytest.raises(ConfigError, match=r"^key: a value of type \w+; expected bytes$"):
            as_bytes("key", wrong)


@pytest.mark.parametrize("entropy", BROKEN_ENTROPY)
def test_a_client_with_too_little_entropy_says_nothing(entropy: Any) -> None:
    with pytest.raises(ConfigError, match="entropy: gave"):
        ClientConnection(ClientConfig(verify_peer=False, entropy=entropy), "example.com")


@pytest.mark.parametrize("entropy", BROKEN_ENTROPY)
def test_a_server_with_too_little_entropy_ends(entropy: Any) -> None:
    client = ClientConnection(ClientConfig(verify_peer=False), "example.com")
    config = ServerConfig(credentials=[server_credential()], ticket_keys=None, entropy=entropy)
    events = sansticket.ServerConnection(config).receive_data(client.data_to_send())
    assert isinstance(events[-1], sansticket.ConnectionTerminated)
    assert "entropy: gave" in str(events[-1].cause)


# --- time ----------------------------------------------------------------------------------------------------

BROKEN_CLOCKS: Final = [
    math.nan,
    math.inf,
    -math.inf,
    -1.0,
    1e300,
    10**400,
    True,
    None,
    "noon",
    datetime.now(UTC),
]
"""What they give."""


@pytest.mark.parametrize("now", BROKEN_CLOCKS, ids=lambda now: str(now)[:8])
def test_a_clock_that_gives_no_time_is_named(now: Any) -> None:
    """Whoever read the time named something else: the time of a session, or the verification of certificates."""
    client = ClientConfig(verify_peer=False)
    with pytest.raises(ConfigError, match=r"^clock: gave .*; expected seconds since the epoch$"):
        ClientConnection(evolve(client, clock=lambda: now), "example.com")
    with pytest.raises(ConfigError, match=r"^clock: gave"):
        ServerConfig(credentials=[server_credential()], clock=lambda: now)
    config = ServerConfig(credentials=[server_credential()], ticket_keys=None, clock=lambda: now)
    hello = ClientConnection(client, "example.com").data_to_send()
    events = sansticket.ServerConnection(config).receive_data(hello)
    assert isinstance(events[-1], sansticket.ConnectionTerminated)
    assert events[-1].reason is sansticket.Reason.INTERNAL_ERROR
    assert "clock: gave" in str(events[-1].cause)


def test_a_clock_that_breaks_in_the_middle_is_named() -> None:
    said = iter([NOW, *[math.nan] * 100])
    pair = ConnectionPair(client_config(clock=lambda: next(said)), server_config())
    pair.pump()
    event = pair.client_events[-1]
    assert isinstance(event, sansticket.ConnectionTerminated)
    assert "clock: gave nan" in str(event.cause)


# --- integers of more digits than Python writes ----------------------------------------------------------------


@pytest.mark.parametrize("number", HUGE)
@pytest.mark.parametrize(
    ("kind", "field"),
    [
        *[
            (partial(ServerConfig, credentials=[server_credential()]), one.alias)
            for one in fields(ServerConfig)
        ],
        *[(partial(ClientConfig, trust_anchors=anchors()), one.alias) for one in fields(ClientConfig)],
        *[(OLD_KEY, field) for field in ("not_before", "not_after")],
        (Revocations, "max_entries"),
        (ReplayRecorder, "window"),
        (SessionCache, "mode"),
        (PrivateAuthority.make, "days"),
        *[(partial(evolve, server_credential()), field) for field in ("must_match_issuer", "ocsp_response")],
    ],
)
def test_huge_numbers_of_what_is_set(kind: Callable[..., Any], field: str, number: int) -> None:
    """Nobody can write them in a complaint, which is clear all the same."""
    with pytest.raises(ConfigError, match=rf"^{field}: (?!Exceeds)"):
        kind(**{field: number})


def test_huge_numbers_below_what_may_be() -> None:
    for kind, field in ((TicketUses, "capacity"), (partial(evolve, server_credential()), "min_rsa_bits")):
        with pytest.raises(ConfigError, match=f"^{field}: <an integer of thousands of digits>"):
            kind(**{field: -(10**5000)})


@pytest.mark.parametrize("number", HUGE)
def test_huge_numbers_of_commands(number: int) -> None:
    for kind, field in ((IssueTicket, "IssueTicket.count"), (AbortHandshake, "alert"), (Abort, "alert")):
        with pytest.raises(ValueError, match=f"^{field}: <an integer of thousands of digits>"):
            kind(number)
    with pytest.raises(
        LocalProtocolError, match=r"^num_tickets <an integer of thousands of digits>; expected"
    ):
        ServerConnection(ServerConfig(credentials=[server_credential()])).num_tickets = number
