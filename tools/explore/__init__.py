"""The walker of the model: every way of a client, a server and an attacker, up to a bound."""
