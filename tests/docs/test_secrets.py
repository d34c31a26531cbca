"""docs/secrets.md: its code runs and does what the text says."""

from __future__ import annotations

import os
import time
from typing import Any, Final

from sansticket import TicketKeyRing
from tests.support.documents import Document

PAGE: Final = Document("secrets.md")


def test_what_a_ticket_key_gives_to_whoever_takes_it() -> None:
    names: dict[str, Any] = {}
    PAGE.run("What a ticket key gives to whoever takes it", names)
    ring, overdue = names["ring"], names["overdue"]
    assert overdue(ring, 10_801) == []
    assert overdue(ring, 10_700) == [ring.current.name.hex()]
    by_hand = TicketKeyRing.generate(time.time(), os.urandom)
    assert overdue(by_hand, 1e9) == [by_hand.current.name.hex()]
