"""Just enough of DER (X.690) to take a certificate apart where ``cryptography`` reads all of it or nothing.

What is read here was parsed by the library before: it is well-formed on the outside.  ValueError for what is not.
"""

from collections.abc import Iterator
from typing import Final

SEQUENCE: Final = 0x30
EXTENSIONS: Final = 0xA3
"""The tag of the extensions in a TBSCertificate (RFC 5280 section 4.1)."""


def element(tag: int, content: bytes) -> bytes:
    """One element with a definite length."""
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    encoded = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(encoded))) + encoded + content


def elements(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Tag, content and whole of each of the elements in a row."""
    while data:
        start, length = 2, data[1] if len(data) > 1 else 0x80
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(data[2:start], "big")
        end = start + length
        if (start == 2 and data[1:2] == b"\x80") or end > len(data):
            raise ValueError("no DER: an element without its end")
        yield data[0], data[start:end], data[:end]
        data = data[end:]


def content_of(data: bytes, tag: int) -> bytes:
    """What is inside of the one element that ``data`` is."""
    found = [content for its_tag, content, _ in elements(data) if its_tag == tag]
    if len(found) != 1:
        raise ValueError(f"no DER: expected one element with tag {tag:#04x}")
    return found[0]


def public_key_info_of(certificate: bytes) -> bytes:
    """The SubjectPublicKeyInfo of a certificate, with its tag."""
    return _sequences_of(certificate)[4]


def names_of(certificate: bytes) -> tuple[bytes, bytes]:
    """Subject and issuer of a certificate, each a Name with its tag."""
    _, issuer, _, subject, _ = _sequences_of(certificate)
    return subject, issuer


def _sequences_of(certificate: bytes) -> list[bytes]:
    """Of the TBSCertificate: signature, issuer, validity, subject and subjectPublicKeyInfo (RFC 5280 section 4.1)."""
    tbs = next(elements(content_of(certificate, SEQUENCE)), (0, b"", b""))
    sequences = [whole for tag, _, whole in elements(tbs[1]) if tag == SEQUENCE]
    if tbs[0] != SEQUENCE or len(sequences) < 5:
        raise ValueError("no DER of a certificate: expected a public key")
    return sequences[:5]
