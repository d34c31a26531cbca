"""What is wrong with a capture."""

from __future__ import annotations

from sansticket.errors import SansticketError


class CaptureError(SansticketError, ValueError):
    """Bytes that are no capture of a TLS connection."""
