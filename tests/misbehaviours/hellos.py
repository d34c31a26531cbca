"""Values of a ClientHello, in both versions: RFC 9846 sections 4.2.2 and 4.3, RFC 5246 section 7.4.1.2."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from sansticket.codes import AlertDescription as Alert
from sansticket.errors import Reason
from tests.misbehaviours import forms as f
from tests.misbehaviours.ends import FULL, GOES_ON, ILLEGAL, MISSING, VERSION, End, failure, refused
from tests.misbehaviours.extensions import blocks, members, with_fields
from tests.misbehaviours.fields import (
    BAD_BINDER,
    BAD_SHARE,
    CHANGED,
    NO_GROUP,
    NO_PROTOCOL,
    NO_RENEGOTIATION,
    NO_SCHEME,
    NO_SUITE,
    Change,
    Place,
)
from tests.misbehaviours.grammar import Struct, at, put

NUMBERS_OF_NOBODY: Final = b"\0\2\x2a\x2a"
NO_MODE: Final = failure(Reason.NO_COMMON_PSK_MODE)
FALLBACK: Final = refused(Alert.INAPPROPRIATE_FALLBACK, Reason.INAPPROPRIATE_FALLBACK)
COUNT: Final = refused(Alert.ILLEGAL_PARAMETER, Reason.BINDER_COUNT)

BAD_NAMES: Final = {
    "not ASCII": b"\xc3\xa4.example",
    "with NUL": b"server.example\0",
    "of 256 letters": b"a" * 256,
}
"""RFC 6066 section 3: a DNS name in ASCII."""


def names(place: Place, end: End) -> Iterator[Change]:
    bodies = {
        what: (3 + len(name)).to_bytes(2) + b"\0" + len(name).to_bytes(2) + name
        for what, name in BAD_NAMES.items()
    }
    one = b"\0\0\x0eserver.example"
    bodies["twice of one type"] = (2 * len(one)).to_bytes(2) + one + one
    yield from place.body(f.SNI, bodies, end)


def client_hello(place: Place) -> Iterator[Change]:
    """The first, of TLS 1.3."""
    scene = place.site.scene
    yield from place.numbers(("legacy_version",), (0, 2, 0x0300, 0x0301, 0x0302, 0x0304, 0xFFFF), VERSION)
    yield from place.flips(("random",), GOES_ON)
    for session_id in (b"", b"x", bytes(31), bytes(32)):
        yield from place.to(("session_id",), session_id, GOES_ON)
    for suites in (b"\x2a\x2a", b"\0\0", b"\xc0\x2b", b"\x2a\x2a\xc0\x2b"):
        yield from place.to(("cipher_suites",), suites, NO_SUITE)
    own = at(place.tree, ("cipher_suites",)).write()[2:]
    yield from place.to(("cipher_suites",), b"\x2a\x2a" + own, GOES_ON)
    yield from place.to(("cipher_suites",), own + own, GOES_ON)
    yield from place.to(("cipher_suites",), own + b"\x56\0", GOES_ON)  # no fallback from the highest version
    for methods in (b"\1", b"\0\1", b"\1\0", b"\0\0", b"\xff"):
        yield from place.to(("compression_methods",), methods, ILLEGAL)
    psk = place.extension(f.PSK) is not None
    for number, end in left_out_of(place).items():
        if not (psk and number == f.MODES):
            yield from place.without(number, end)
    yield from contents(place)
    yield from place.ordered(GOES_ON)
    if psk and "groups" not in scene.server:
        yield from psks(place, BAD_BINDER, FULL)
    elif psk:  # nothing of it is looked at before the second hello, which brings what the first did not
        yield from psks(place, GOES_ON, CHANGED)
    if scene.offers_tls12:
        old = {"of older versions": b"\2\3\2", "of nobody": b"\2\x2a\x2a", "of a draft": b"\2\x7f\x1c"}
        yield from place.body(f.VERSIONS, old, VERSION)


def left_out_of(place: Place) -> dict[int, End]:
    """RFC 9846 section 9.2."""
    psk = place.extension(f.PSK) is not None
    mandatory = {f.GROUPS: MISSING, f.KEY_SHARE: MISSING, f.MODES: GOES_ON}
    proof = {} if psk else {f.SCHEMES: MISSING}
    free = (f.SNI, f.ALPN, f.EMS, f.POINTS, f.TICKET, f.RENEGOTIATION, f.POST_AUTH, f.STATUS, f.COMPRESS)
    others = dict.fromkeys((one for one in free if not (psk and one in (f.SNI, f.ALPN))), GOES_ON)
    return {**mandatory, **proof, **others, f.PSK: CHANGED if "groups" in place.site.scene.server else FULL}


def contents(place: Place) -> Iterator[Change]:
    retries = place.site.scene.server.get("groups") is not None
    yield from names(place, ILLEGAL)
    if place.extension(f.PSK) is None:
        yield from place.body(f.SCHEMES, {"of nobody": NUMBERS_OF_NOBODY}, NO_SCHEME)
    no_group = {"of nobody": NUMBERS_OF_NOBODY, "without that of the share": b"\0\2\0\x18"}
    yield from place.body(f.GROUPS, no_group, ILLEGAL)  # the share is of a group that is not among them
    yield from place.body(f.ALPN, {"of others": b"\0\3\2h3", "in capitals": b"\0\3\2H2"}, NO_PROTOCOL)
    shares = {
        "of zeros": b"\0\x24\0\x1d\0\x20" + bytes(32),
        "too short": b"\0\x23\0\x1d\0\x1f" + bytes(31),
        "too long": b"\0\x25\0\x1d\0\x21" + bytes(33),
    }
    if not retries:
        yield from place.body(f.KEY_SHARE, shares, BAD_SHARE)
    share = b"\0\x1d\0\x20" + bytes(range(32))
    yield from place.body(f.KEY_SHARE, {"twice of one group": b"\0\x48" + share + share}, ILLEGAL)
    yield from place.body(f.KEY_SHARE, {"of a group not offered": b"\0\5\0\x19\0\1x"}, ILLEGAL)
    yield from place.body(f.RENEGOTIATION, {"of a renegotiation": b"\x0c" + bytes(12)}, GOES_ON)
    yield from place.body(f.POINTS, {"without uncompressed": b"\1\1"}, GOES_ON)  # TLS 1.3 has none


def psks(place: Place, bad_binder: End, other_ticket: End) -> Iterator[Change]:
    """RFC 9846 section 4.3.11."""
    site = place.site
    path = place.extension(f.PSK)
    assert path is not None
    identities = at(place.tree, (*path, "identities"))
    count = len(list(_starts_of(identities.write())))
    binders = (*path, "binders")
    for number in range(count if site.scene.resumes else 0):
        yield from place.flips((*binders, str(number)), bad_binder if number == 0 else GOES_ON)
    if site.scene.resumes and "psks" not in site.scene.client:
        ticket = (*path, "identities", "0", "identity")
        yield from place.flips(ticket, other_ticket)
        for data in (b"x", bytes(32), bytes(200)):
            yield from place.to(ticket, data, other_ticket)
        yield from place.numbers((*path, "identities", "0", "age"), (0, 1, 2**31, 2**32 - 1), GOES_ON, 4)
    yield from place.to(binders, bytes((32,)) + bytes(32) + b"\x20" * 33 * count, COUNT)
    for what, first in (("first", True), ("before the last", False)):
        yield f"pre_shared_key {what}", moved(place, first), ILLEGAL
    yield from place.without(f.MODES, MISSING)


def _starts_of(identities: bytes) -> Iterator[int]:
    start = 2
    while start < len(identities):
        yield start
        start += 6 + int.from_bytes(identities[start : start + 2])


def moved(place: Place, first: bool) -> Struct:
    """pre_shared_key must be the last."""
    path, block = next(blocks(place.tree))
    *others, last = members(block)
    fields = (last, *others) if first else (*others[:-1], last, others[-1])
    tree = put(place.tree, path, with_fields(block, tuple(fields)))
    assert isinstance(tree, Struct)
    return tree


def second_hello(place: Place) -> Iterator[Change]:
    """The same as the first, but for what the retry asked for (RFC 9846 section 4.2.2)."""
    yield from place.numbers(("legacy_version",), (0x0300, 0x0302, 0x0304), VERSION)
    yield from place.flips(("random",), CHANGED)
    for session_id in (b"", bytes(32)):
        yield from place.to(("session_id",), session_id, CHANGED)
    own = at(place.tree, ("cipher_suites",)).write()[2:]
    yield from place.to(("cipher_suites",), own[2:], CHANGED)
    yield from place.to(("cipher_suites",), own + b"\x2a\x2a", CHANGED)
    yield from place.to(("compression_methods",), b"\0\1", ILLEGAL)
    for number in (f.SNI, f.ALPN, f.EMS, f.POINTS, f.TICKET, f.RENEGOTIATION, f.POST_AUTH):
        yield from place.without(number, CHANGED)
    yield from place.without(f.KEY_SHARE, MISSING)
    yield from place.without(f.GROUPS, MISSING)
    yield from place.body(f.ALPN, {"of others": b"\0\3\2h3"}, CHANGED)
    yield from place.body(
        f.KEY_SHARE, {"of the old group": b"\0\x24\0\x1d\0\x20" + bytes(range(32))}, CHANGED
    )
    yield from place.body(f.KEY_SHARE, {"of none": b"\0\0"}, CHANGED)
    yield from place.body(f.KEY_SHARE, {"of no point": b"\0\x45\0\x17\0\x41\4" + bytes(64)}, BAD_SHARE)
    yield from place.body(f.KEY_SHARE, {"compressed": b"\0\x25\0\x17\0\x21\2" + bytes(32)}, BAD_SHARE)
    cookie = refused(Alert.ILLEGAL_PARAMETER, Reason.BAD_COOKIE)
    yield from place.body(f.COOKIE, {"of others": b"\0\1x", "of zeros": b"\0\x40" + bytes(64)}, cookie)
    if (path := place.extension(f.COOKIE)) is not None:
        body = at(place.tree, path).write()[2:]
        bodies = {f"with byte {at} changed": turned(body, at) for at in (2, 20, len(body) - 1)}
        yield from place.body(f.COOKIE, bodies, cookie)
    if "stateless_retry" in place.site.scene.server:
        yield from place.without(f.COOKIE, MISSING)


def turned(data: bytes, place: int) -> bytes:
    return data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :]


def hello_of_older(place: Place) -> Iterator[Change]:
    """Of TLS 1.2, in which it is the highest common version."""
    scene = place.site.scene
    yield from place.numbers(("legacy_version",), (0, 2, 0x0300), VERSION)
    if place.extension(f.VERSIONS) is None:
        yield from place.numbers(("legacy_version",), (0x0301, 0x0302), VERSION)
        yield from place.numbers(("legacy_version",), (0x0304, 0x0505), GOES_ON)
    old = {"of older versions": b"\4\3\2\3\1", "of nobody": b"\2\x2a\x2a"}
    yield from place.body(f.VERSIONS, old, VERSION)
    yield from place.flips(("random",), GOES_ON)
    if not scene.resumes:
        for suites in (b"\x2a\x2a", b"\0\0", b"\x13\x01", b"\0\x9c"):
            yield from place.to(("cipher_suites",), suites, NO_SUITE)
        for session_id in (b"", b"x", bytes(31), bytes(range(32))):
            yield from place.to(("session_id",), session_id, GOES_ON)
        yield from place.body(f.GROUPS, {"of nobody": NUMBERS_OF_NOBODY}, NO_GROUP)
        yield from place.body(f.SCHEMES, {"of nobody": NUMBERS_OF_NOBODY}, NO_SCHEME)
    own = at(place.tree, ("cipher_suites",)).write()[2:]
    yield from place.to(("cipher_suites",), own + own, GOES_ON)
    if scene.server.get("versions") is None:
        yield from place.to(("cipher_suites",), own + b"\x56\0", FALLBACK)
    for methods in (b"\1", b"\1\x40"):
        yield from place.to(("compression_methods",), methods, ILLEGAL)
    for methods in (b"\0\1", b"\1\0", b"\0\0"):
        yield from place.to(("compression_methods",), methods, GOES_ON)
    yield from names(place, ILLEGAL)
    yield from place.body(f.ALPN, {"of others": b"\0\3\2h3"}, NO_PROTOCOL)
    yield from place.body(f.POINTS, {"without uncompressed": b"\1\1"}, ILLEGAL)
    yield from place.body(f.RENEGOTIATION, {"of a renegotiation": b"\x0c" + bytes(12)}, NO_RENEGOTIATION)
    yield from place.ordered(GOES_ON)
    yield from tickets(place)


def tickets(place: Place) -> Iterator[Change]:
    """RFC 5077 section 3.2, RFC 7627 section 5.3."""
    scene, path = place.site.scene, place.extension(f.TICKET)
    changed_secret = failure(Reason.EXTENDED_MASTER_SECRET_CHANGED)
    if scene.resumes:
        yield from place.without(f.EMS, changed_secret)
        only = refused(Alert.ILLEGAL_PARAMETER, Reason.UNOFFERED_CIPHER_SUITE)
        yield from place.to(("cipher_suites",), b"\x2a\x2a", only)
    if scene.resumes and path is not None:
        yield from place.flips(path, FULL)
        bodies = {"of one byte": b"x", "of zeros": bytes(100), "empty": b""}
        yield from place.body(f.TICKET, bodies, FULL)
        yield from place.without(f.TICKET, FULL)
    elif path is not None:
        yield from place.body(f.TICKET, {"of one byte": b"x", "of zeros": bytes(100)}, GOES_ON)
        yield from place.without(f.TICKET, GOES_ON)
    elif scene.resumes:
        yield from place.flips(("session_id",), FULL)
        yield from place.to(("session_id",), b"", FULL)


RULES_OF_HELLOS: Final[dict[str, Callable[[Place], Iterator[Change]]]] = {
    "ClientHello": client_hello,
    "SecondClientHello": second_hello,
    "tls12.ClientHello": hello_of_older,
}
"""By the name of the message."""
