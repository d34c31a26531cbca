"""The server's states in TLS 1.2, by stage."""
