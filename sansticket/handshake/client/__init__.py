"""The client's states: the first hello and what it offers; then a folder for each version."""
