"""OpenSSL's form of a session, DER or PEM, is a ``SessionFormatError``, or a session that survives writing."""

from fuzz.world import TIME
from sansticket.tickets.session import Session, SessionFormatError


def one_input(data: bytes) -> None:
    for read in (Session.from_openssl_der, Session.from_openssl_pem):
        try:
            session = read(data, now=TIME)
            again = session.to_openssl_der()
        except SessionFormatError:
            continue
        assert Session.from_openssl_der(again).to_openssl_der() == again
        assert Session.from_bytes(session.to_bytes()) == session
