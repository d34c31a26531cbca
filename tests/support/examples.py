"""How many examples hypothesis tries of what deserves more than its usual hundred, or fewer."""

from __future__ import annotations

import os


def examples(number: int) -> int:
    """For ``max_examples``: a quarter where ``SANSTICKET_QUICK`` says so, as of all others (see ``conftest``)."""
    return number // 4 if os.environ.get("SANSTICKET_QUICK") else number
