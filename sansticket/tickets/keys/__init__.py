"""Keys of tickets: the protocol that sealing and opening follow, and three ways to have keys."""
