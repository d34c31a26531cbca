"""Ticket keys and tickets of Go's crypto/tls, which Caddy and other programs in Go have."""
