"""Where sessions are kept: the server's cache, the client's store."""
