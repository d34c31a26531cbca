"""Extensions that do not belong there: twice, unknown, unsolicited, of other messages (RFC 9846 section 4.3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attrs import evolve

from sansticket.errors import Reason
from tests.misbehaviours import forms as f
from tests.misbehaviours.ends import DUPLICATE, FORBIDDEN, GOES_ON, UNSOLICITED, End, Misbehaviour, illegal
from tests.misbehaviours.forms import FORMS, NAMES
from tests.misbehaviours.grammar import GREASE, Bytes, Node, Path, Struct, Vector, nodes, parse, put, type_of
from tests.misbehaviours.order import bare
from tests.misbehaviours.playing import Said, Site
from tests.misbehaviours.syntax import message

TABLE: Final[dict[str, frozenset[int]]] = {
    "ClientHello": frozenset(f.IN_CLIENT_HELLO) | {f.PADDING, f.TICKET},
    "ServerHello": frozenset({f.VERSIONS, f.KEY_SHARE, f.PSK}),
    "tls12.ServerHello": frozenset(
        {
            f.SNI,
            f.STATUS,
            f.POINTS,
            f.ALPN,
            f.EMS,
            f.MAX_FRAGMENT,
            f.RECORD_SIZE,
            f.TICKET,
            f.RENEGOTIATION,
            f.SCT,
        }
    ),
    "HelloRetryRequest": frozenset({f.VERSIONS, f.COOKIE, f.KEY_SHARE}),
    "EncryptedExtensions": frozenset(
        {f.SNI, f.GROUPS, f.ALPN, f.MAX_FRAGMENT, f.RECORD_SIZE, f.EARLY, f.TICKET_REQUEST}
    ),
    "CertificateRequest": frozenset(
        {f.STATUS, f.SCHEMES, f.SCT, f.COMPRESS, f.AUTHORITIES, f.OID_FILTERS, f.SCHEMES_CERT}
    ),
    "Certificate": frozenset({f.STATUS, f.SCT}),
    "NewSessionTicket": frozenset({f.EARLY}),
}
"""Which extension may stand in which message."""

REQUESTS: Final = frozenset({"ClientHello", "CertificateRequest", "NewSessionTicket"})
"""What is unknown in these is overlooked; the others are answers, in which nothing may stand that was not asked for."""

BODIES: Final[dict[int, bytes]] = {
    f.SNI: b"",
    f.STATUS: b"",
    f.GROUPS: b"\0\2\0\x1d",
    f.POINTS: b"\1\0",
    f.SCHEMES: b"\0\2\4\3",
    f.ALPN: b"\0\3\2h2",
    f.PADDING: b"",
    f.EMS: b"",
    f.MAX_FRAGMENT: b"\1",
    f.SCT: b"",
    f.COMPRESS: b"\2\0\1",
    f.RECORD_SIZE: b"\x40\0",
    f.TICKET: b"",
    f.PSK: b"\0\0",
    f.EARLY: b"",
    f.VERSIONS: b"\3\4",
    f.COOKIE: b"\0\1x",
    f.MODES: b"\1\1",
    f.AUTHORITIES: b"\0\4\0\2\x30\0",
    f.OID_FILTERS: b"\0\0",
    f.POST_AUTH: b"",
    f.SCHEMES_CERT: b"\0\2\4\3",
    f.KEY_SHARE: b"\0\x1d\0\1x",
    f.TICKET_REQUEST: b"\1",
    f.RENEGOTIATION: b"\0",
}
"""One that is well formed, as far as it may stand anywhere but in a ClientHello."""

SCTS, STAPLE = b"\0\3\0\1x", b"\1\0\0\1x"
"""Where they are no questions."""

TOLERATED: Final = frozenset({("tls12.ServerHello", f.GROUPS), ("CertificateRequest", f.SNI)})
"""There are servers of TLS 1.2 that answer so, and nothing follows from it; RFC 9261 gave server_name this place."""

OF_THE_OTHER_VERSION: Final = illegal(
    Reason.FORBIDDEN_EXTENSION, Reason.SESSION_ID_NOT_ECHOED, Reason.UNOFFERED_CIPHER_SUITE
)
"""It makes a hello of TLS 1.3, of which the rest is none."""


def table_of(site: Site) -> str:
    return "ClientHello" if bare(site.name).endswith("ClientHello") else site.name


def blocks(tree: Node) -> Iterator[tuple[Path, Vector]]:
    for path, node in nodes(tree):
        if path and path[-1] == "extensions" and isinstance(node, Vector):
            yield path, node


def members(block: Vector) -> tuple[tuple[str, Node], ...]:
    assert isinstance(block.content, Struct)
    return block.content.fields


def extension(number: int, body: bytes) -> Struct:
    return Struct((("type", Bytes(number.to_bytes(2))), ("body", Vector(2, 0, Bytes(body)))))


def with_fields(block: Vector, fields: tuple[tuple[str, Node], ...]) -> Vector:
    return evolve(block, content=Struct(fields))


def offered(site: Site) -> frozenset[int]:
    """What the client's last hello has."""
    hello = (
        next(one for one in reversed(site.scene.hellos) if one[0] < site.number)[1] if site.number else b""
    )
    if not hello:
        return frozenset()
    tree = parse(FORMS["ClientHello"], hello[4:])
    return frozenset(type_of(one) for _, block in blocks(tree) for _, one in members(block))


def misbehaviours(site: Site) -> Iterator[Misbehaviour]:
    table = table_of(site)
    if table not in TABLE:
        return
    tree = parse(FORMS[site.name], site.raw[4:])

    def deed(kind: str, what: str, path: Path, block: Vector, end: End) -> Iterator[Misbehaviour]:
        raw = message(site.raw, put(tree, path, block).write())
        yield Misbehaviour(site, kind, what, Said((raw,), raw), end)

    for path, block in blocks(tree):
        fields = members(block)
        present = {type_of(one) for _, one in fields}
        for place, (_, one) in enumerate(fields):
            again = (*fields[: place + 1], ("again", one), *fields[place + 1 :])
            what = f"{NAMES.get(type_of(one), type_of(one))} twice"
            yield from deed("extension twice", what, path, with_fields(block, again), DUPLICATE)
        for number in (GREASE, 0x4A4A, 0xFFAB, 17, 0xFE0D):
            more = with_fields(block, (("new", extension(number, b"\x01")), *fields))
            end = unknown(site, table)
            yield from deed("unknown extension", f"unknown extension {number:#06x}", path, more, end)
        for number, body in BODIES.items():
            if number in present:
                continue
            body = SCTS if number == f.SCT and "Request" not in table else body
            body = STAPLE if number == f.STATUS and table == "Certificate" else body
            more = with_fields(block, (("new", extension(number, body)), *fields))
            end_of_it = misplaced(site, table, number)
            if end_of_it is not None:
                kind = (
                    "extension of another message"
                    if end_of_it is not UNSOLICITED
                    else "unsolicited extension"
                )
                yield from deed(kind, f"{NAMES[number]} in it", path, more, end_of_it)


def unknown(site: Site, table: str) -> End:
    """A second hello is the first but for what the retry asked for (RFC 9846 section 4.2.2)."""
    if site.name == "SecondClientHello":
        return illegal(Reason.CHANGED_AFTER_RETRY)
    return GOES_ON if table in REQUESTS else UNSOLICITED


def misplaced(site: Site, table: str, number: int) -> End | None:
    """One that is known: not for this message, or not asked for; both where both hold."""
    if (table, number) in TOLERATED:
        return None
    if (table, number) == ("tls12.ServerHello", f.VERSIONS):
        return OF_THE_OTHER_VERSION | UNSOLICITED
    belongs = number in TABLE[table]
    if table in REQUESTS:
        return None if belongs else FORBIDDEN
    asked = number in (
        requested(site) if table == "Certificate" and site.sender == "client" else offered(site)
    )
    if table == "HelloRetryRequest" and number == f.COOKIE:
        return None  # the one answer that nobody asks for
    if belongs:
        return None if asked else UNSOLICITED
    return FORBIDDEN if asked else FORBIDDEN | UNSOLICITED


def requested(site: Site) -> frozenset[int]:
    """What the server's CertificateRequest has."""
    if site.scene.request is None:
        return frozenset()
    tree = parse(FORMS["CertificateRequest"], site.scene.request[4:])
    return frozenset(type_of(one) for _, block in blocks(tree) for _, one in members(block))
