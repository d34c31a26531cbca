"""The key files of the programs that share OpenSSL's tickets: what a key is, and how each program writes it."""
