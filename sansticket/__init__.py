"""TLS 1.3 and TLS 1.2 as pure state machines, with session tickets and resumption in the open."""
