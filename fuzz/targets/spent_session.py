"""What is left of a session is a ``SessionFormatError``, or exactly those bytes as which it is written."""

from attrs import evolve

from sansticket.tickets.session import SessionFormatError
from sansticket.tickets.stores.spent import SpentSession


def one_input(data: bytes) -> None:
    try:
        spent = SpentSession.from_bytes(data)
    except SessionFormatError:
        return
    assert spent.to_bytes() == data
    assert SpentSession.from_bytes(spent.to_bytes()) == spent
    assert repr(evolve(spent, binder_key=b"another")) == repr(spent)
