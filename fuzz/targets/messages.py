"""A handshake message of TLS 1.3 is a ``Fault``, or reads the same when it was written again."""

from fuzz.checks import round_trip
from sansticket.wire.messages import MESSAGES


def one_input(data: bytes) -> None:
    round_trip(MESSAGES, data)
