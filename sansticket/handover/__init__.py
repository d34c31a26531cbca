"""A live connection as bytes for another process: what is in them, and how it is written and sealed."""
