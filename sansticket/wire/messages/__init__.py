"""Handshake messages between bytes and values."""
