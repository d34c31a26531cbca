"""docs/peers.md: the settings that it speaks of are what it says."""

from __future__ import annotations

import re
from typing import Final

import pytest
from attrs import fields_dict

from examples.ticket_probe import main
from sansticket import ServerConfig, TicketFlush
from sansticket.handshake.server.tls13.rules import MAX_IDENTITIES
from sansticket.tickets.versions import MAX_LIFETIME
from tests.support.documents import Document

PAGE: Final = Document("peers.md")


@pytest.mark.parametrize(
    ("setting", "default"),
    [
        ("num_tickets", 2),
        ("ticket_lifetime", 7200),
        ("tickets_without_psk_modes", False),
        ("resume_with_other_name", False),
        ("single_use_tickets", False),
    ],
)
def test_the_defaults(setting: str, default: int) -> None:
    found = re.search(
        rf"^\| `{setting}` \| (\w+) \|", PAGE.section("What follows for a server"), re.MULTILINE
    )
    assert found is not None
    assert found[1] == ("off" if default is False else str(default))
    assert fields_dict(ServerConfig)[setting].default == default


def test_other_numbers() -> None:
    assert f"this package {MAX_IDENTITIES}, the others" in PAGE.text
    assert f"{MAX_LIFETIME:,}" in PAGE.section("What follows for a server")
    assert fields_dict(ServerConfig)["ticket_flush"].default is TicketFlush.HANDSHAKE


def test_the_probe_has_what_is_said_of_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["ticket_probe", "--help"])
    with pytest.raises(SystemExit):
        main()
    said = capsys.readouterr().out
    for option in re.findall(r"`(--\w+)", PAGE.section("Look for yourself")):
        assert option in said
