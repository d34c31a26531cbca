"""Every reason for which a connection can end is reached by a test, with its alert."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Final

from sansticket.errors import ALERTS, Reason
from tests.support.refusals import REACHED

ONLY_TLS_1_2: Final = frozenset(
    {
        Reason.RENEGOTIATION,
        Reason.DOWNGRADE,
        Reason.INAPPROPRIATE_FALLBACK,
        Reason.EXTENDED_MASTER_SECRET_CHANGED,
        Reason.MISSING_EXTENDED_MASTER_SECRET,
        Reason.RENEGOTIATION_INFO_MISMATCH,
        Reason.UNOFFERED_SESSION,
        Reason.NO_CREDENTIAL,
    }
)
"""They need TLS 1.2 on one side at least, and are tested with it."""

NEVER: Final = {
    Reason.INTERNAL_ERROR: "It is a mistake of ours; every hostile test asserts that it is something else.",
}


def test_every_reason_is_reached() -> None:
    for path in Path(__file__).parent.glob("test_*.py"):
        importlib.import_module(f"tests.handshake.{path.stem}")
    assert set(Reason) - set(REACHED) - ONLY_TLS_1_2 - set(NEVER) == set()


def test_nothing_is_excused_in_vain() -> None:
    for path in Path(__file__).parent.glob("test_*.py"):
        importlib.import_module(f"tests.handshake.{path.stem}")
    assert set(NEVER) & set(REACHED) == set()


def test_every_reason_has_an_alert() -> None:
    assert set(ALERTS) == set(Reason)
