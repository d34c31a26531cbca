"""Messages where they do not belong: left out, twice, in another order, in another epoch, those of other places.

What may come when is said once, in ``allowed``, from the figures of RFC 9846 (section 2, appendix A) and RFC 5246
(section 7.3), with what RFC 5077, 6066 and 8879 add.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from tests.misbehaviours.ends import (
    BAD_MAC,
    GOES_ON,
    UNEXPECTED,
    UNEXPECTED_CCS,
    WAITS,
    End,
    Misbehaviour,
)
from tests.misbehaviours.forms import TYPES
from tests.misbehaviours.playing import HANDSHAKE, Plain, Said, Site

Samples = Mapping[str, bytes]
"""A message of each name, by ``tls12.`` and its name in TLS 1.2."""

UNKNOWN_TYPES: Final = (3, 99, 254)

CERTIFICATE, COMPRESSED, REQUEST = (
    TYPES[name] for name in ("Certificate", "CompressedCertificate", "CertificateRequest")
)
KEY_UPDATE, TICKET, HELLO_REQUEST = TYPES["KeyUpdate"], TYPES["NewSessionTicket"], TYPES["HelloRequest"]

CHANGE_OUR_KEYS: Final = frozenset(
    {
        "ServerHello",
        "HelloRetryRequest",
        "ClientHello",
        "SecondClientHello",
        "EndOfEarlyData",
        "KeyUpdate",
        "Finished",
    }
)
"""After these nothing may stand in the same record (RFC 9846 section 5.1)."""


def bare(name: str) -> str:
    return name.removeprefix("tls12.")


def allowed(site: Site) -> frozenset[int]:
    """The types that the victim may hear in the place of this message."""
    name, own = bare(site.name), TYPES[bare(site.name)]
    more: tuple[int, ...] = ()
    asked = any(bare(one) == "CertificateRequest" for one in site.before)
    if site.tls12:
        if name in ("CertificateStatus", "ServerHelloDone", "CertificateRequest", "ServerKeyExchange"):
            more = {
                "CertificateStatus": (TYPES["ServerKeyExchange"],),
                "CertificateRequest": (TYPES["ServerHelloDone"],),
                "ServerHelloDone": () if asked else (REQUEST,),
            }.get(name, ())
    elif name in ("Certificate", "CompressedCertificate", "CertificateRequest"):
        more = (CERTIFICATE, COMPRESSED)
        if site.sender == "server" and not asked:
            more = (*more, REQUEST)
    if site.connected and not site.tls12:
        if site.sender == "server":
            more = (TICKET, KEY_UPDATE, REQUEST)
        elif name in ("Certificate", "KeyUpdate"):
            more = (*more, KEY_UPDATE)
    return frozenset((own, *more))


def tolerates_hello_request(site: Site) -> bool:
    """A client that may be, or is, in a handshake of TLS 1.2 ignores it (RFC 5246 section 7.4.1.1)."""
    first = not site.before and not site.scene.client.get("early_data")
    return site.sender == "server" and (site.tls12 or (first and site.scene.offers_tls12))


def heard_instead(site: Site, kind: int) -> End | None:
    """A message of that type where another is due; None if it is one of those that may come."""
    if kind == HELLO_REQUEST:
        return GOES_ON if tolerates_hello_request(site) else UNEXPECTED
    return None if kind in allowed(site) else UNEXPECTED


def misbehaviours(site: Site, samples: Samples) -> Iterator[Misbehaviour]:
    raw = site.raw

    def deed(kind: str, what: str, said: Said, end: End | None) -> Iterator[Misbehaviour]:
        if end is not None:
            yield Misbehaviour(site, kind, what, said, end)

    yield from deed("left out", "is left out", Said((), b""), left_out(site))
    yield from deed("twice", "comes twice", Said((raw, raw), raw + raw), twice(site))
    others = {name: other for name, other in samples.items() if name.startswith("tls12.") == site.tls12}
    for name, other in {"HelloRequest": bytes(4), **others}.items():
        known = other if other[0] == HELLO_REQUEST else None
        before = Said((other, raw), raw if known else other + raw)
        yield from deed("out of order", f"{name} before it", before, heard_instead(site, other[0]))
        end = heard_instead(site, other[0])
        if end is UNEXPECTED:
            yield from deed("out of order", f"{name} in its place", Said((other,), other), end)
    for number in UNKNOWN_TYPES:
        other = bytes((number, 0, 0, 1, 0))
        yield from deed(
            "unknown message", f"type {number} before it", Said((other, raw), other + raw), UNEXPECTED
        )
        changed = bytes((number,)) + raw[1:]
        yield from deed("unknown message", f"its type is {number}", Said((changed,), changed), UNEXPECTED)
    yield from deed("wrong epoch", "before the keys change", Said((raw,), raw, early=True), early(site))
    yield from deed(
        "wrong epoch", "without protection", Said((Plain(HANDSHAKE, raw),), raw), unprotected(site)
    )


def left_out(site: Site) -> End | None:
    """What follows comes instead of it."""
    name = bare(site.name)
    if name in ("CertificateStatus", "NewSessionTicket", "CertificateRequest"):
        # RFC 6066 section 8: a server may do without.  RFC 5077 section 3.3: what was promised must come.
        return UNEXPECTED_CCS if site.name == "tls12.NewSessionTicket" else GOES_ON
    if name == "KeyUpdate":
        return BAD_MAC
    if name == "EndOfEarlyData":
        return BAD_MAC  # Finished is under other keys
    if site.connected and not site.tls12:
        return UNEXPECTED if name in ("Certificate", "CertificateVerify") else None
    if name == "Finished" and site.tls12:
        last = "client" if site.scene.resumes else "server"  # whoever it is, goes on with data
        return UNEXPECTED if site.sender == last else WAITS
    if name == "Finished":
        return WAITS if site.sender == "server" else BAD_MAC
    if site.tls12 and not site.behind:
        return WAITS
    if name in ("ClientHello", "SecondClientHello", "HelloRetryRequest"):
        return None if site.scene.client.get("early_data") else WAITS
    if site.name == "tls12.ServerHello" and site.scene.resumes:
        return None  # ciphertext follows, where there are no keys yet: anything
    if site.tls12:
        return UNEXPECTED_CCS if bare(site.behind[0]) == "Finished" else UNEXPECTED
    return UNEXPECTED


def twice(site: Site) -> End | None:
    name = bare(site.name)
    if site.connected and name in ("NewSessionTicket", "CertificateRequest"):
        return GOES_ON if name == "NewSessionTicket" else None
    return UNEXPECTED


def follows_new_keys(site: Site) -> bool:
    """It is the first message under its keys, and others of this step went before them."""
    name = bare(site.name)
    if site.tls12:
        return name == "Finished"
    return name == "EncryptedExtensions"


def early(site: Site) -> End | None:
    """In the epoch before: beside what goes before the change, or where change_cipher_spec is due."""
    if not follows_new_keys(site):
        return None
    return UNEXPECTED


def unprotected(site: Site) -> End | None:
    """In TLS 1.3 the type of a record says so (RFC 9846 section 5); in TLS 1.2 it does not decrypt."""
    name = bare(site.name)
    if name in ("ClientHello", "SecondClientHello", "ServerHello", "HelloRetryRequest"):
        return None
    if not site.tls12:
        return UNEXPECTED
    return BAD_MAC if name == "Finished" else None
