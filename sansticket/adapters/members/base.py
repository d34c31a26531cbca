"""What all members of a context work on."""

from __future__ import annotations

import ssl
from typing import Any

from sansticket.adapters.members.settings import Settings


class Members(ssl.SSLContext):
    """A part of ``SSLContext``, which gives it its settings."""

    _protocol: Any
    _settings: Settings

    # What a context of the standard library starts with: all that its own state is asked for.

    def _initial_options(self) -> int:
        return int(super().options)

    def _initial_verify_flags(self) -> ssl.VerifyFlags:
        return super().verify_flags
