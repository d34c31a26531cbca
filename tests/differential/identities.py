"""Who is who in the differential tests: a server of two names and two clients, under one authority."""

from functools import cache
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support.certificates import Identity, authority

SERVER: Final = "server.example"
OTHER: Final = "other.example"
CLIENTS: Final = ("client-one", "client-two")


@cache
def identity(name: str) -> Identity:
    """The server's, whose certificate has both ``SERVER`` and ``OTHER``; or a client's."""
    if name == SERVER:
        return authority().issue(SERVER, OTHER)
    return authority().issue(name, client=True)


@cache
def key_der(name: str) -> bytes:
    """The identity's private key, as SSL_use_PrivateKey_ASN1 takes it."""
    der: bytes = identity(name).key.private_bytes(
        Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    )
    return der


def name_of(certificate: bytes) -> str:
    """The identity that this certificate (DER) belongs to."""
    return next(name for name in (SERVER, *CLIENTS) if identity(name).chain_der[0] == certificate)
