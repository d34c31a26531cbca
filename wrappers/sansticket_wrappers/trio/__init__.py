"""Trio over sansticket: ``TLSStream`` is a ``trio.abc.HalfCloseableStream`` over any other stream.

    async with await open_tls_over_tcp_stream("example.org", 443, config) as stream:
        await stream.send_all(b"hello")
        await stream.send_eof()
        async for data in stream: ...

    await serve_tls_over_tcp(handler, 4433, config)

One task may send while another one receives.  Three things are shared between them, each with its lock:

- the handshake, which whoever comes first does;
- the connection's turn: what happens is worked off, and questions are answered, before the next step is taken.
  Nothing is written during a turn, so a peer that does not read cannot keep us from reading;
- the outgoing bytes.  Whoever writes them goes on until there are none left, so what a receiver has to send
  (a KeyUpdate, an alert) it need not wait for.

The tickets of a TLS 1.3 server wait for its first write (or its end): its handshake ends with a message of the
client's, who may be writing already and read only afterwards.  A server that wrote its tickets then would not read,
and over a transport without a buffer neither side could go on.  What else a server has to send before its first
write (the answer to a KeyUpdate) waits with them; an alert does not.

Time-outs are Trio's: put a cancel scope around what may take too long.  A ``receive_some`` or ``do_handshake``
that was cancelled can be called again, and goes on where it was; a question that was open is asked again.  Where
it was a write that was cancelled nothing more can be written, because nobody knows which half of a record was sent;
what comes can still be read.  Amid the handshake that is the end of the stream.
"""

from sansticket_wrappers.trio.stream import StreamOptions, TLSError, TLSStream
from sansticket_wrappers.trio.tcp import open_tls_over_tcp_stream, serve_tls_over_tcp

__all__ = ["StreamOptions", "TLSError", "TLSStream", "open_tls_over_tcp_stream", "serve_tls_over_tcp"]
