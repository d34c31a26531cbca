"""Replays: a file that holds everything that went into a connection, and a player that makes it again."""
