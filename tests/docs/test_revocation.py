"""docs/revocation.md: its code runs and does what the text says."""

from __future__ import annotations

import time
from typing import Any, Final

import pytest

from sansticket import Credential, Revocations, ServerConnection, Session
from sansticket.codes import AlertDescription
from sansticket.errors import Reason
from sansticket.events import ConnectionTerminated
from sansticket.tickets.stores.revocations import ENTRY, RevocationFormatError
from tests.support.certificates import server_identity
from tests.support.configs import client_config
from tests.support.documents import Document
from tests.support.pair import ConnectionPair
from tests.support.resumption import received, record, resumed

PAGE: Final = Document("revocation.md")


@pytest.fixture
def names() -> dict[str, Any]:
    """Of one server."""
    identity = server_identity()
    names: dict[str, Any] = {"credential": Credential.from_pem(identity.chain_pem, identity.key_pem)}
    PAGE.run("Taking tickets back", names)
    return names


def connect(names: dict[str, Any], user: bytes, session: Session | None = None) -> ConnectionPair:
    pair = ConnectionPair(client_config(), names["config"], session=session)
    pair.server = ServerConnection(names["config"], application=user)
    names["open_connections"].add(pair.server)
    pair.pump()
    return pair


def test_who_is_logged_out_stays_out_until_the_next_login(names: dict[str, Any]) -> None:
    alice, bob = (connect(names, user) for user in (b"alice", b"bob"))
    time.sleep(0.002)
    data = names["log_out"](b"alice")
    assert names["open_connections"] == {bob.server}
    alice.pump()
    end = alice.event("client", ConnectionTerminated)
    assert end.alert == AlertDescription.ACCESS_DENIED
    again = connect(names, b"alice", received(alice)[0])
    assert not resumed(again)
    assert "revocation FAILED (subject refused from before " in str(record(again))
    assert resumed(connect(names, b"alice", received(again)[0]))
    assert resumed(connect(names, b"bob", received(bob)[0]))
    assert len(Revocations.from_bytes(data)) == 1


def test_another_server_hears_of_it(names: dict[str, Any]) -> None:
    there = dict(names)
    PAGE.run("Taking tickets back", there)
    alice = connect(there, b"alice")
    time.sleep(0.002)
    there["heard"](names["log_out"](b"alice"))
    assert there["open_connections"] == set()
    assert alice.server.state == "Ended"
    assert there["revocations"].to_bytes() == names["revocations"].to_bytes()
    with pytest.raises(RevocationFormatError, match="cut short"):
        there["heard"](names["revocations"].to_bytes()[:-1])
    assert there["revocations"].to_bytes() == names["revocations"].to_bytes()


def test_subjects_of_the_application(names: dict[str, Any]) -> None:
    PAGE.run("What is revoked", names)
    names["by_team"].revoke_subject(b"red", 10)
    assert names["by_team"].why_refused(5, app_data=b"alice@red")
    assert not names["by_team"].why_refused(5, app_data=b"red team@blue")


def test_forgetting(names: dict[str, Any]) -> None:
    names["revocations"].revoke_subject(b"alice", time.time() - 8 * 86_400)
    PAGE.run("Servers among themselves", names)
    names["forget"](names["revocations"], names["config"])
    assert len(names["revocations"]) == 0


def test_its_figures() -> None:
    assert f"{ENTRY} bytes for each" in PAGE.text
    assert Reason.SESSION_REVOKED.name in PAGE.text
    assert "max_entries` names (a million)" in PAGE.text
    assert Revocations().max_entries == 1_000_000
