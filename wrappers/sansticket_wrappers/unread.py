"""How much is kept for a peer that asks for answers and does not read them."""

from __future__ import annotations

from typing import Final

MAX_ANSWERS: Final = 65_536
"""Bytes: thousands of answers to KeyUpdates, of which a peer can send any number with data in between.  Who has not
read so many is not read either, until they are gone."""
