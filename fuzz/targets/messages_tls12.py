"""A handshake message of TLS 1.2 is a ``Fault``, or reads the same when it was written again."""

from fuzz.checks import round_trip
from sansticket.wire.messages.tables import MESSAGES_OF_TLS12


def one_input(data: bytes) -> None:
    round_trip(MESSAGES_OF_TLS12, data)
