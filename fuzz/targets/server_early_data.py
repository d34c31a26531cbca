"""A server hands out early data only under the first identity, once that is proved, in its order and within its bound.

Byte 0: what else is in the hello, bytes 1 to 3: the first identity; then two bytes for each step: what, and how much.
"""

from fuzz.checks import Watched, as_the_peer
from fuzz.offers import MODES, Offer, offer, plain, server, server_hello_in
from fuzz.world import EARLY_DATA
from sansticket.codes import ContentType
from sansticket.events import EarlyDataReceived
from sansticket.record.tls13 import Sealer
from sansticket.wire.extensions.resumption import PreSharedKeySelection
from sansticket.wire.messages.tls13 import EndOfEarlyData

HANDSHAKE, DATA = int(ContentType.HANDSHAKE), int(ContentType.APPLICATION_DATA)


def one_input(data: bytes) -> None:
    if len(data) < 4:
        return
    made = offer(data[0] | 1, 0, [(data[1], data[2], data[3])])
    assert MODES[0] is not None
    watched, sealer, sent = Watched(server()), made.early_sealer(), b""
    watched.take(plain(made.raw))
    for at in range(4, len(data) - 1, 2):
        kind, size = data[at] % 8, 4 * data[at + 1]
        if kind in (0, 1):
            content = bytes((at % 256,)) * size
            sent += content
            watched.take(sealer.seal(DATA, content, 3 * kind))
        else:
            watched.take(other(kind, size, sealer, watched))
    check(watched, made, sent)


def other(kind: int, size: int, sealer: Sealer, watched: Watched) -> bytes:
    """What is no early data."""
    if kind == 2:
        return sealer.seal(HANDSHAKE, EndOfEarlyData().encode())
    if kind == 3:
        return b"\x17\x03\x03" + (size + 17).to_bytes(2) + bytes(size + 17)
    if kind == 4:
        return sealer.seal(HANDSHAKE, b"\x14\0\0\x20" + bytes(32))
    if kind == 5:
        return b"\x14\x03\x03\0\1\1"
    if kind == 6:
        return as_the_peer(watched.connection, HANDSHAKE, EndOfEarlyData().encode())
    return sealer.seal(size % 32, bytes(size))


def check(watched: Watched, made: Offer, sent: bytes) -> None:
    """What was handed out is the beginning of what was sent."""
    handed = b"".join(event.data for event in watched.events if isinstance(event, EarlyDataReceived))
    assert sent.startswith(handed)
    assert len(handed) <= EARLY_DATA["max_early_data"]
    if handed:
        hello = server_hello_in(watched.output)
        selection = hello.find(PreSharedKeySelection) if hello is not None else None
        assert selection == PreSharedKeySelection(0)
        assert made.right[0]
        assert made.keys[0].session is not None
