"""What client and server do alike in TLS 1.2."""
