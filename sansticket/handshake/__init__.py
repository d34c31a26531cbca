"""The states.  Knows messages and keys; never sockets, never the clock."""
