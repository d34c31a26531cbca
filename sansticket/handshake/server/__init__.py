"""The server's states: the first hello, the search for a session, tickets; then a folder for each version."""
