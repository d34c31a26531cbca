"""Messages cut and put together, other records amid and before them: RFC 9846 section 5, RFC 5246 section 6."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from tests.misbehaviours.ends import (
    BAD_MAC,
    BY_PEER,
    DECODE,
    EMPTY,
    GOES_ON,
    NO_TYPE,
    OVERFLOW,
    UNEXPECTED,
    UNEXPECTED_CCS,
    UNKNOWN_TYPE,
    End,
    Misbehaviour,
)
from tests.misbehaviours.order import bare
from tests.misbehaviours.playing import DAMAGES, HANDSHAKE, Piece, Plain, Said, Sealed, Site

CCS, ALERT, DATA = 20, 21, 23
FATAL_ALERTS: Final = (0, 10, 40, 80, 200)
"""close_notify before the handshake is done is an end, too."""

UNKNOWN_TYPES: Final = (1, 19, 24, 64, 255)
"""Of records."""

HELLOS: Final = ("ClientHello", "SecondClientHello", "ServerHello", "HelloRetryRequest")


def protected(site: Site) -> bool:
    """The victim reads this message under keys."""
    name = bare(site.name)
    return name == "Finished" if site.tls12 else name not in HELLOS


def misbehaviours(site: Site) -> Iterator[Misbehaviour]:
    raw = site.raw

    def deed(kind: str, what: str, end: End | None, *pieces: Piece) -> Iterator[Misbehaviour]:
        if end is not None:
            yield Misbehaviour(site, kind, what, Said(pieces, raw), end)

    for what, cuts in cut_places(raw):
        bounds = (0, *cuts, len(raw))
        parts = [Sealed(HANDSHAKE, raw[a:b]) for a, b in pairwise(bounds)]
        yield from deed("split", what, GOES_ON, *parts)
    half = max(1, len(raw) // 2)
    one, two = Sealed(HANDSHAKE, raw[:half]), Sealed(HANDSHAKE, raw[half:])
    for what, end, record in between(site):
        yield from deed("interleaved", f"{what} amid it", end, one, record, two)
    for what, end, record in before(site):
        yield from deed("record before", f"{what} before it", end, record, raw)
    for number in FATAL_ALERTS:
        for level in (1, 2):
            if ends_it(site, number, level):
                alert = Sealed(ALERT, bytes((level, number)))
                yield from deed("alert", f"alert {number} of level {level}", BY_PEER, alert, raw)
    if protected(site):
        for what in DAMAGES:
            yield from deed("damaged record", what, BAD_MAC, Sealed(HANDSHAKE, raw, damage=what))
        if not site.tls12:
            yield from deed("padding", "is padded", GOES_ON, Sealed(HANDSHAKE, raw, padding=100))


def cut_places(raw: bytes) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Where a message may be cut: anywhere (RFC 9846 section 5.1)."""
    places = {1: "its first byte", 3: "three bytes", 4: "its header", len(raw) - 1: "all but a byte"}
    for place, what in places.items():
        if 0 < place < len(raw):
            yield f"cut behind {what}", (place,)
    for count in (3, 7):
        size = len(raw) // count
        if size:
            yield f"in {count} records", tuple(size * number for number in range(1, count))
    yield "in records of 16 bytes", tuple(range(16, len(raw), 16))


def between(site: Site) -> Iterator[tuple[str, End, Piece]]:
    """Nothing may come amid a handshake message (RFC 9846 section 5.1)."""
    yield "application data", UNEXPECTED, Sealed(DATA, b"data")
    yield "empty application data", UNEXPECTED, Sealed(DATA, b"")
    yield "an alert", UNEXPECTED, Sealed(ALERT, b"\x01\x00")
    yield "a fatal alert", UNEXPECTED, Sealed(ALERT, b"\x02\x28")
    yield "change_cipher_spec", UNEXPECTED | UNEXPECTED_CCS, plain_or_sealed(site, b"\x01")
    yield "an empty handshake record", EMPTY, Sealed(HANDSHAKE, b"")
    yield "an empty alert", UNEXPECTED | EMPTY, Sealed(ALERT, b"")
    yield "an alert cut short", UNEXPECTED | DECODE, Sealed(ALERT, b"\x02")
    yield "two alerts in a record", UNEXPECTED | DECODE, Sealed(ALERT, b"\x02\x28\x02\x28")
    for number in UNKNOWN_TYPES:
        yield f"a record of type {number}", UNEXPECTED | UNKNOWN_TYPE, Sealed(number, b"x")


def before(site: Site) -> Iterator[tuple[str, End | None, Piece]]:
    early = skips_early_data(site) or bare(site.name) == "EndOfEarlyData"
    connected = site.connected and not amid_an_answer(site)
    data = GOES_ON if connected or early else UNEXPECTED
    yield "an empty handshake record", EMPTY, Sealed(HANDSHAKE, b"")
    yield "application data", None if connected else data, Sealed(DATA, b"data")
    yield "empty application data", data, Sealed(DATA, b"")
    yield "an empty alert", EMPTY, Sealed(ALERT, b"")
    yield "an alert cut short", DECODE, Sealed(ALERT, b"\x02")
    yield "two alerts in a record", DECODE, Sealed(ALERT, b"\x02\x28\x02\x28")
    for number in UNKNOWN_TYPES:
        yield f"a record of type {number}", UNKNOWN_TYPE, Sealed(number, b"x")
    if protected(site) and not site.tls12:
        yield "a record of nothing but padding", NO_TYPE, Sealed(0, bytes(8))
    for content in (b"\x01", b"", b"\x00", b"\x02", b"\x01\x01"):
        what = f"change_cipher_spec with {content.hex() or 'nothing'}"
        yield what, change_cipher_spec(site, content), plain_or_sealed(site, content)
    if not site.tls12:
        end = UNEXPECTED_CCS | UNEXPECTED | UNKNOWN_TYPE if protected(site) else None
        yield "protected change_cipher_spec", end, Sealed(CCS, b"\x01")
        yield "unprotected application data", unprotected_data(site), Plain(DATA, b"data" * 8)
        for version in (0x0300, 0x0301, 0x0302, 0x0304, 0x03FF):
            end = change_cipher_spec(site, b"\x01")
            if end is GOES_ON:
                yield f"a record of version {version:#06x}", end, Plain(CCS, b"\x01", version)
    yield (
        "a record that is too long",
        OVERFLOW,
        Plain(HANDSHAKE if not protected(site) else DATA, bytes(2**14 + 257)),
    )


def amid_an_answer(site: Site) -> bool:
    """The messages of a client's answer after the handshake come one right after the other (RFC 9846 section 4.7.2)."""
    return site.connected and bare(site.name) in ("CertificateVerify", "Finished")


def skips_early_data(site: Site) -> bool:
    """Behind a retry there may be early data (RFC 9846 section 4.3.10); who keeps no state is always behind one."""
    hello = bare(site.name)
    if hello == "ClientHello":
        return "stateless_retry" in site.scene.server
    return hello == "SecondClientHello" and bool(site.scene.client.get("early_data"))


def unprotected_data(site: Site) -> End:
    """It cannot be told from what does not decrypt."""
    if skips_early_data(site):
        return GOES_ON
    return BAD_MAC if protected(site) else UNEXPECTED


def plain_or_sealed(site: Site, content: bytes) -> Piece:
    """TLS 1.2 protects change_cipher_spec like all else."""
    return Sealed(CCS, content) if site.tls12 else Plain(CCS, content)


def change_cipher_spec(site: Site, content: bytes) -> End | None:
    """Dropped from the first ClientHello to Finished (RFC 9846 section 5); in TLS 1.2 only where it is due."""
    if not content:
        return EMPTY | UNEXPECTED_CCS
    if content != b"\x01" or site.connected:
        return UNEXPECTED_CCS
    first_hello = bare(site.name) == "ClientHello"
    if site.tls12:
        return UNEXPECTED_CCS
    if first_hello:
        return None if "stateless_retry" in site.scene.server else UNEXPECTED_CCS
    return GOES_ON


def ends_it(site: Site, number: int, level: int) -> bool:
    """In TLS 1.3 all but close_notify and user_canceled are errors, whatever their level (RFC 9846 section 6)."""
    if number == 0:
        return not site.connected
    if level == 2:
        return True
    return not site.tls12 and bare(site.name) not in HELLOS
