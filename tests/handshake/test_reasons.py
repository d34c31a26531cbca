"""Every reason for which a connection can end is reached by a test, with its alert on the wire."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Final

import pytest

from sansticket.errors import ALERTS, Reason
from tests.support.refusals import REACHED

ROOMS: Final = ("handshake", "handshake12", "early_data")
"""The folders whose tests say which reasons they reach."""

NEVER: Final = {
    Reason.ILLEGAL_TICKET_USE: "What resolve() says of it; a connection refuses such an answer before that "
    "(test_questions.test_use_of_a_ticket_that_did_not_decrypt).",
}


@pytest.fixture(scope="module", autouse=True)
def _tests_are_imported() -> None:
    for room in ROOMS:
        for path in (Path(__file__).parent.parent / room).glob("test_*.py"):
            importlib.import_module(f"tests.{room}.{path.stem}")


def test_every_reason_is_reached() -> None:
    assert set(Reason) - set(REACHED) == set(NEVER)


def test_every_reason_has_an_alert() -> None:
    assert set(ALERTS) == set(Reason)
