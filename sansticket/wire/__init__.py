"""Bytes to values and back.  Knows no state and no keys."""
