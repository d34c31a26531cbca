"""The native bytes of a session are a ``SessionFormatError``, or exactly those that the session is written as."""

from attrs import evolve

from sansticket.tickets.session import Session, SessionFormatError


def one_input(data: bytes) -> None:
    try:
        session = Session.from_bytes(data)
    except SessionFormatError:
        return
    assert session.to_bytes() == data
    assert Session.from_bytes(session.to_bytes()) == session
    assert repr(evolve(session, secret=bytes(48))) == repr(session)
