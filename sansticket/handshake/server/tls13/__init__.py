"""The server's states in TLS 1.3, by stage."""
