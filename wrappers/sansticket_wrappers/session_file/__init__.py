"""A client's sessions in a file: they survive a restart, and programs that run at once share them.

    config = ClientConfig(trust_anchors=anchors, session_store=SessionFile("sessions", key))

``SessionFile`` is a ``ClientSessionStore``, and goes wherever one goes.  The file is the store: every operation takes
the lock, looks whether the file has changed, does its work, and replaces the file if there is something new.  So one
process writes at a time, and nobody has to save anything at the end.

Each TLS 1.3 ticket is used once, whatever happens: it is gone from the file before its connection has it.  A program
that dies meanwhile has lost a ticket, and the next connection makes a full handshake; the other way round the ticket
would be shown twice, and link the two connections.

With ``key`` (32 random bytes, from a keyring perhaps) the file is sealed with AES-256-GCM, each time with a new salt:
who does not have it can neither resume a session nor put one of his own there.  Without it, the file is as secret as a
private key.  In either case it belongs to one user, and nobody else may read or write it (mode 0600): a session stands
for the verification of a server, and whoever could write here could pretend to be any.

The lock is that of ``flock``, on a file of its own beside it, ``<path>.lock``.  So this is for systems that have it,
which Windows has not, and for local file systems.
"""

from sansticket_wrappers.session_file.store import SessionFile

__all__ = ["SessionFile"]
