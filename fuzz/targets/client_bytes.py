"""A client that is fed any bytes in any pieces goes on or ends in good order, and the pieces do not matter.

Byte 0: in which state it is, byte 1: the pieces, byte 2: whether the stream ends; then the bytes.
"""

from fuzz.checks import feed, pieces
from fuzz.world import connection_at


def one_input(data: bytes) -> None:
    if len(data) < 4:
        return
    stream, ends = data[3:], bool(data[2] & 1)
    whole = feed(connection_at("client", data[0]), [stream], ends)
    cut = feed(connection_at("client", data[0]), pieces(stream, data[1]), ends)
    assert cut.outcome() == whole.outcome()
