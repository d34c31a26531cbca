"""libssl's tickets from the outside: the DER of an SSL_SESSION, and the sealing of it with known keys.

A ticket is ``key name 16 | IV 16 | AES-256-CBC of the SSL_SESSION | HMAC-SHA256 of all before 32``; the 80
bytes that SSL_CTX_set_tlsext_ticket_keys takes are ``key name 16 | HMAC key 32 | AES key 32``.
"""

import hmac
import os
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from tests.support.edits import flipped

KEY_NAME: Final = b"differential one"
HMAC_KEY: Final = b"h" * 32
AES_KEY: Final = b"a" * 32
KEYS: Final = KEY_NAME + HMAC_KEY + AES_KEY

TIME: Final = 0xA1
TICKET: Final = 0xAA


def seal(plaintext: bytes) -> bytes:
    iv = os.urandom(16)
    padder = PKCS7(128).padder()
    encryptor = Cipher(AES256(AES_KEY), CBC(iv)).encryptor()
    padded = padder.update(plaintext) + padder.finalize()
    body = KEY_NAME + iv + encryptor.update(padded) + encryptor.finalize()
    return body + hmac.digest(HMAC_KEY, body, "sha256")


def unseal(ticket: bytes) -> bytes:
    assert hmac.compare_digest(hmac.digest(HMAC_KEY, ticket[:-32], "sha256"), ticket[-32:])
    decryptor = Cipher(AES256(AES_KEY), CBC(ticket[16:32])).decryptor()
    unpadder = PKCS7(128).unpadder()
    padded = decryptor.update(ticket[32:-32]) + decryptor.finalize()
    return unpadder.update(padded) + unpadder.finalize()


def _element(der: bytes, start: int) -> tuple[int, int, int]:
    """(tag, start of the content, end) of the element at ``start``."""
    length, content = der[start + 1], start + 2
    if length >= 0x80:
        content += length - 0x80
        length = int.from_bytes(der[start + 2 : content])
    return der[start], content, content + length


def _encode(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 + len(length)]) + length + content


def _integer(value: int) -> bytes:
    return _encode(2, value.to_bytes(value.bit_length() // 8 + 1))


def _replaced(session: bytes, tag: int, inner: bytes) -> bytes:
    """The SSL_SESSION with the content of its explicitly tagged field ``tag`` replaced."""
    _, at, end = _element(session, 0)
    fields = []
    while at < end:
        found, _, after = _element(session, at)
        fields.append(_encode(tag, inner) if found == tag else session[at:after])
        at = after
    return _encode(0x30, b"".join(fields))


def _content(session: bytes, tag: int) -> bytes | None:
    """The value inside the explicitly tagged field ``tag``."""
    _, at, end = _element(session, 0)
    while at < end:
        found, content, after = _element(session, at)
        if found == tag:
            _, start, stop = _element(session, content)
            return session[start:stop]
        at = after
    return None


def ticket_of(session: bytes) -> bytes | None:
    """The ticket in a client's SSL_SESSION; None when it has only a session id."""
    return _content(session, TICKET)


def with_ticket(session: bytes, ticket: bytes) -> bytes:
    return _replaced(session, TICKET, _encode(4, ticket))


def older(session: bytes, seconds: int) -> bytes:
    """The SSL_SESSION with its time of issue moved back."""
    issued = int.from_bytes(_content(session, TIME) or b"", signed=True)
    return _replaced(session, TIME, _integer(issued - seconds))


def id_of(session: bytes) -> bytes:
    """The session id: the fourth element, after two versions and the cipher."""
    start, end = _place(session, 3)
    return session[start:end]


def with_wrong_secret(session: bytes) -> bytes:
    """The SSL_SESSION with another master_key, the fifth element."""
    start, _ = _place(session, 4)
    return flipped(session, start)


def _place(session: bytes, number: int) -> tuple[int, int]:
    """Where the content of an element begins and ends."""
    _, at, _ = _element(session, 0)
    for _ in range(number):
        *_, at = _element(session, at)
    return _element(session, at)[1:]
