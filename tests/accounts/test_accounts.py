"""Accounts of events: one word out of a list for each refusal, plain values, and no secret."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

import sansticket
from fuzz import world
from sansticket import (
    Abort,
    Check,
    ClientSessionStore,
    ConnectionTerminated,
    Event,
    HandshakeCompleted,
    IdentityRecord,
    IssueTicket,
    PrepareTicket,
    ProtocolVersion,
    RejectPeer,
    ReplayRecorder,
    ResumptionRecord,
    SealTicket,
    SendData,
    TicketKeyRing,
    TicketReturn,
    TicketStatus,
    VerifyPeer,
)
from sansticket.accounts import REASONS, Account, account_of, outcome_of, reason_of, refusals_of
from sansticket.accounts.reasons import CHECKS
from tests.support.configs import client_config, server_config
from tests.support.pair import ConnectionPair, Side

VERSIONS: Final = pytest.mark.parametrize(
    "version", [ProtocolVersion.TLS_1_2, ProtocolVersion.TLS_1_3], ids=lambda version: version.name
)
NOW: Final = 2_000_000_000.5


def accounts(pair: ConnectionPair, side: Side) -> list[Account]:
    events = pair.client_events if side == "client" else pair.server_events
    return [account for event in events if (account := account_of(event, NOW, side)) is not None]


def of_kind(pair: ConnectionPair, side: Side, name: str) -> Account:
    (found,) = [account for account in accounts(pair, side) if account["event"] == name]
    return found


def checks_in_the_sources() -> Iterator[str]:
    """The names that are written down; each is a literal."""
    for path in Path(sansticket.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Check", "known_check"):
                if path.name == "records.py" and isinstance(node.args[0], ast.Name):
                    continue  # known_check itself
                assert isinstance(node.args[0], ast.Constant), (path, node.lineno)
                yield str(node.args[0].value)


def test_every_check_has_its_word() -> None:
    assert set(CHECKS) == set(checks_in_the_sources())
    assert len(REASONS) == len(set(REASONS)) == len(CHECKS) + 7
    assert all(reason.isascii() and reason.replace("_", "").isalpha() for reason in REASONS)


@VERSIONS
def test_a_full_handshake_and_a_resumption(version: ProtocolVersion) -> None:
    client = client_config(versions=[version], session_store=ClientSessionStore())
    server = server_config(versions=[version], ticket_keys=TicketKeyRing.generate(0, world.entropy))
    for resumed in (False, True):
        pair = ConnectionPair(client, server)
        pair.pump()
        pair.send("server", SendData(b"x"))
        for side in ("server", "client"):
            account = of_kind(pair, side, "handshake")
            assert account["sansticket"] == 1
            assert (account["time"], account["side"]) == (NOW, side)
            assert account["version"] == version.name
            assert account["outcome"] == ("resumed" if resumed else "full")
            assert (account["session_age"] is not None) == resumed
        server_account = of_kind(pair, "server", "handshake")
        without = "none_offered" if version == ProtocolVersion.TLS_1_3 else "empty"
        assert server_account["reason"] == (None if resumed else without)
        keys = [one["key"] for one in server_account["identities"] if one["key"]]
        assert keys == ([server.ticket_keys.current.name.hex()] if resumed else [])  # type: ignore[union-attr]
        assert any(account["event"] == "ticket_issued" for account in accounts(pair, "server")) or resumed


def test_a_ticket_that_no_key_opens() -> None:
    """Its first bytes are the client's words: they are not taken for a key's name."""
    store = ClientSessionStore()
    client = client_config(session_store=store)
    for _ in range(2):
        pair = ConnectionPair(client, server_config())
        pair.pump()
    account = of_kind(pair, "server", "handshake")
    assert (account["outcome"], account["reason"]) == ("full", "not_opened")
    assert account["refusals"] == ["not_opened"]
    assert account["identities"] == [
        {"status": "NO_DECRYPT", "answer": "IGNORE_RENEW", "key": None, "failed": {}}
    ]
    assert of_kind(pair, "client", "handshake")["reason"] == "declined"


RECORDS: Final[dict[str, tuple[ResumptionRecord, str, str, list[str]]]] = {
    "nothing": (ResumptionRecord(), "full", "none_offered", []),
    "resumed": (ResumptionRecord((IdentityRecord(0),), winner=0), "resumed", "", []),
    "psk": (ResumptionRecord((IdentityRecord(0),), winner=0, psk_identity=b"x"), "external_psk", "", []),
    "expired": (
        ResumptionRecord(
            (
                IdentityRecord(
                    0,
                    b"k",
                    TicketStatus.SUCCESS,
                    TicketReturn.USE,
                    (Check("expiry", False), Check("name", False)),
                ),
                IdentityRecord(1),
            )
        ),
        *("full", "expiry", ["expiry", "not_looked_at"]),
    ),
    "ignored": (
        ResumptionRecord(
            (IdentityRecord(0, b"k", TicketStatus.SUCCESS, TicketReturn.IGNORE, (Check("expiry", True),)),)
        ),
        *("full", "ignored", ["ignored"]),
    ),
    "words of others": (
        ResumptionRecord((IdentityRecord(0, checks=(Check("x\n", False),)),)),
        *("full", "other", ["other"]),
    ),
    "behind the winner": (
        ResumptionRecord(
            (
                IdentityRecord(0, b"k", TicketStatus.NO_DECRYPT, TicketReturn.IGNORE_RENEW),
                IdentityRecord(1, b"k", TicketStatus.SUCCESS, TicketReturn.USE),
                IdentityRecord(2),
            ),
            winner=1,
        ),
        *("resumed", "", ["not_opened", "not_looked_at"]),
    ),
}


@pytest.mark.parametrize("name", RECORDS)
def test_words_for_a_record(name: str) -> None:
    record, outcome, reason, refusals = RECORDS[name]
    assert (outcome_of(record), reason_of(record), list(refusals_of(record))) == (outcome, reason, refusals)
    assert {reason or REASONS[0], *refusals} <= set(REASONS)


def test_the_end() -> None:
    pair = ConnectionPair(client_config(), server_config())
    pair.pump()
    pair.send("client", Abort())
    ours, theirs = of_kind(pair, "client", "terminated"), of_kind(pair, "server", "terminated")
    assert (ours["reason"], ours["by_peer"], ours["established"]) == ("aborted_by_application", False, True)
    assert (theirs["reason"], theirs["alert"], theirs["by_peer"]) == ("peer_alert", "internal_error", True)


@VERSIONS
def test_the_end_of_a_handshake(version: ProtocolVersion) -> None:
    """Its version is settled long before it is done."""
    refuses = {VerifyPeer: lambda _: RejectPeer()}
    pair = ConnectionPair(
        client_config(versions=(version,), answers=refuses), server_config(versions=(version,))
    )
    pair.pump()
    ours, theirs = of_kind(pair, "client", "terminated"), of_kind(pair, "server", "terminated")
    assert (ours["reason"], ours["established"]) == ("certificate_refused", False)
    assert (theirs["reason"], theirs["established"]) == ("peer_alert", False)


def test_a_number_that_is_no_alert_stays_one() -> None:
    event = ConnectionTerminated(sansticket.Reason.PEER_ALERT, 200, by_peer=True)
    account = account_of(event, NOW, "server")
    assert account is not None
    assert account["alert"] == 200


def test_tickets_that_cannot_be_made() -> None:
    answers: Any = {PrepareTicket: lambda _: SealTicket(bytes(100_000))}
    pair = ConnectionPair(client_config(), server_config(answers=answers))
    pair.pump()
    withheld = [one for one in accounts(pair, "server") if one["event"] == "ticket_withheld"]
    assert len(withheld) == 2
    assert withheld[0]["why"]


def test_early_data() -> None:
    store = ClientSessionStore()
    client = client_config(session_store=store, early_data=True)
    server = server_config(
        max_early_data=1000,
        replay=ReplayRecorder(since=float("-inf")),
        ticket_keys=TicketKeyRing.generate(0, world.entropy),
    )
    ConnectionPair(client, server).pump()
    pair = ConnectionPair(client, server)
    pair.client.send(sansticket.SendEarlyData(b"early"))
    pair.pump()
    account = of_kind(pair, "server", "handshake")
    assert (account["early_data"], account["early_data_reason"]) == ("accepted", None)


def test_what_no_log_is_about() -> None:
    assert account_of(sansticket.DataReceived(b"x"), NOW, "client") is None


@pytest.mark.parametrize("conversation", world.CONVERSATIONS, ids=lambda one: one.name)
def test_accounts_are_json_without_secrets(conversation: world.Conversation) -> None:
    """Whatever happens in any conversation; and nothing of what a key log would say, of sessions or of certificates."""
    client, server = conversation.open()
    secrets: set[str] = set()
    for side, _, events in world.converse(client, server, conversation.talk):
        for event in events:
            note_secrets(event, secrets)
            account = account_of(event, NOW, side)
            if account is not None:
                line = json.dumps(account)
                assert json.loads(line) == account
                assert not any(secret in line for secret in secrets)
                assert all(reason in REASONS for reason in account.get("refusals", ()))


def note_secrets(event: Event, secrets: set[str]) -> None:
    session = getattr(event, "session", None)
    if session is not None:
        secrets |= {session.secret.hex(), session.ticket.hex() or session.secret.hex()}
    if isinstance(event, HandshakeCompleted):
        secrets |= {one.hex() for one in event.peer_certificates}


def test_issuing_on_request() -> None:
    pair = ConnectionPair(client_config(), server_config(num_tickets=0))
    pair.pump()
    pair.server.send(IssueTicket())
    pair.send("server", SendData(b"x"))
    assert of_kind(pair, "client", "ticket_received")["lifetime"] == 7200
