"""Framing and protection.  Knows epochs, not messages."""
