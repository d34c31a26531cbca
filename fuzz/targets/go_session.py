"""What a ticket of Go holds is a ``SessionFormatError``, or a session that survives writing in both variants."""

from sansticket.tickets.keys.go.codec import GoCodec
from sansticket.tickets.session import SessionFormatError

CODECS = (GoCodec(), GoCodec(before_curves=True))


def one_input(data: bytes) -> None:
    try:
        session = CODECS[0].decode(data, 0.0)
    except SessionFormatError:
        return
    for codec in CODECS:
        assert codec.decode(codec.encode(session), 0.0) == session
