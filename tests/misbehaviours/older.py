"""Values of the messages of TLS 1.2 but its ClientHello: RFC 5246 section 7.4, RFC 8422, RFC 5077, RFC 7627."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from sansticket.codes import AlertDescription as Alert
from sansticket.errors import Reason
from tests.misbehaviours import forms as f
from tests.misbehaviours.ends import GOES_ON, ILLEGAL, VERSION, failure, illegal, refused
from tests.misbehaviours.fields import (
    BAD_SHARE,
    BAD_SIGNATURE,
    NO_CERTIFICATE,
    NO_RENEGOTIATION,
    SUITES_NOBODY_HAS,
    UNOFFERED_GROUP,
    UNOFFERED_PROTOCOL,
    UNOFFERED_SCHEME,
    UNOFFERED_SUITE,
    Change,
    Place,
    certificates,
)
from tests.misbehaviours.grammar import Bytes, at

DOWNGRADE: Final = illegal(Reason.DOWNGRADE)
SECRET_CHANGED: Final = failure(Reason.EXTENDED_MASTER_SECRET_CHANGED)
BAD_STATUS: Final = refused(Alert.BAD_CERTIFICATE_STATUS_RESPONSE, Reason.BAD_CERTIFICATE_STATUS)


def server_hello(place: Place) -> Iterator[Change]:
    """RFC 5246 section 7.4.1.3, RFC 5746 section 3.4, RFC 7301, RFC 9846 section 4.2.3 about the random."""
    scene = place.site.scene
    yield from place.numbers(("legacy_version",), (0, 0x0300, 0x0301, 0x0302, 0x0304, 0x0400), VERSION)
    suites = (*SUITES_NOBODY_HAS, 0x1301, 0x1303, 0x009C)
    yield from place.numbers(("cipher_suite",), suites, UNOFFERED_SUITE)
    if scene.resumes:
        other = {0xC02B, 0xC02C, 0xCCA9, 0xC02F} - {int.from_bytes(at(place.tree, ("cipher_suite",)).write())}
        yield from place.numbers(("cipher_suite",), tuple(sorted(other)), ILLEGAL)
        yield from place.without(f.EMS, SECRET_CHANGED)
    yield from place.numbers(("compression_method",), (1, 64, 255), ILLEGAL, 1)
    if scene.offers_tls12 and "versions" not in scene.client:
        random = at(place.tree, ("random",))
        assert isinstance(random, Bytes)
        for end in (b"DOWNGRD\0", b"DOWNGRD\1"):
            yield from place.to(("random",), random.data[:24] + end, DOWNGRADE)
    yield from place.without(f.RENEGOTIATION, NO_RENEGOTIATION)
    again = {"of a renegotiation": b"\x18" + bytes(24), "of one byte": b"\1\0"}
    yield from place.body(f.RENEGOTIATION, again, NO_RENEGOTIATION)
    yield from place.body(f.ALPN, {"of two": b"\0\6\2h2\2h2"}, ILLEGAL)
    yield from place.body(f.ALPN, {"of another": b"\0\3\2h3", "in capitals": b"\0\3\2H2"}, UNOFFERED_PROTOCOL)
    yield from place.body(f.POINTS, {"without uncompressed": b"\1\1", "of two others": b"\2\1\2"}, ILLEGAL)
    yield from place.ordered(GOES_ON)


def certificate(place: Place) -> Iterator[Change]:
    """RFC 5246 sections 7.4.2 and 7.4.6."""
    if place.site.sender == "server":
        yield from place.to(("list",), b"", NO_CERTIFICATE)
    else:
        yield from place.to(("list",), b"", failure(Reason.CERTIFICATE_REQUIRED))
    yield from certificates(place, ("list", "0"))


def status(place: Place) -> Iterator[Change]:
    """RFC 6066 section 8."""
    yield from place.numbers(("status_type",), (0, 2, 255), ILLEGAL, 1)
    for data in (b"x", b"\x30\0", bytes(100)):
        yield from place.to(("response",), data, BAD_STATUS)
    yield from place.flips(("response",), BAD_STATUS)


def key_exchange(place: Place) -> Iterator[Change]:
    """RFC 8422 section 5.4: a named curve that was offered; all of it is signed."""
    yield from place.numbers(("curve_type",), (0, 1, 2, 4, 255), ILLEGAL, 1)
    yield from place.numbers(("group",), (0, 1, 22, 25, 30, 0x100, 0x11EC, 0x2A2A, 0xFFFF), UNOFFERED_GROUP)
    yield from place.flips(("public",), BAD_SIGNATURE)
    yield from place.numbers(("scheme",), (0, 0x0101, 0x2A2A, 0xFFFF), UNOFFERED_SCHEME)
    yield from place.flips(("signature",), BAD_SIGNATURE)
    for data in (b"", b"\0", bytes(64)):
        yield from place.to(("signature",), data, BAD_SIGNATURE)


def request(place: Place) -> Iterator[Change]:
    """RFC 5246 section 7.4.4: what is unknown in it is overlooked; who has nothing that fits, shows nothing."""
    for types in (b"\xff", b"\x01", b"\xff\x40\x01"):
        yield from place.to(("certificate_types",), types, GOES_ON)
    for schemes in (b"\x2a\x2a", b"\2\1", b"\x2a\x2a\4\3"):
        yield from place.to(("schemes",), schemes, GOES_ON)
    yield from place.to(("authorities",), b"\0\2\x30\0", GOES_ON)


def share(place: Place) -> Iterator[Change]:
    """RFC 8422 section 5.7."""
    for data in (b"\0", bytes(31), bytes(32), bytes(33), b"\4" + bytes(64), bytes(255)):
        yield from place.to(("public",), data, BAD_SHARE)


def ticket(place: Place) -> Iterator[Change]:
    """RFC 5077 section 3.3: the lifetime is a hint, the ticket opaque; an empty one is a promise taken back."""
    yield from place.numbers(("lifetime_hint",), (0, 1, 604_800, 2**31, 2**32 - 1), GOES_ON, 4)
    for data in (b"", b"x", bytes(1000), bytes(16_000)):
        yield from place.to(("ticket",), data, GOES_ON)


RULES_OF_OLDER: Final[dict[str, Callable[[Place], Iterator[Change]]]] = {
    "tls12.ServerHello": server_hello,
    "tls12.Certificate": certificate,
    "tls12.CertificateStatus": status,
    "tls12.ServerKeyExchange": key_exchange,
    "tls12.CertificateRequest": request,
    "tls12.ClientKeyExchange": share,
    "tls12.NewSessionTicket": ticket,
}
"""By the name of the message."""
