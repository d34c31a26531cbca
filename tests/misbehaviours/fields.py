"""Values that a message must not have, or may have: field by field, from the RFCs' own sentences.

Each rule gives places in a message, what is put there, and the end.  The form of the message stays whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from attrs import frozen

from sansticket.codes import AlertDescription as Alert
from sansticket.errors import Reason
from tests.misbehaviours import forms as f
from tests.misbehaviours.ends import (
    DECODE,
    FULL,
    GOES_ON,
    ILLEGAL,
    MISSING,
    UNEXPECTED,
    VERSION,
    End,
    Misbehaviour,
    bad_proof,
    failure,
    illegal,
    refused,
)
from tests.misbehaviours.extensions import blocks, members, with_fields
from tests.misbehaviours.forms import FORMS, NAMES
from tests.misbehaviours.grammar import Bytes, Node, NotAMessage, Path, Vector, at, parse, put
from tests.misbehaviours.playing import Said, Site
from tests.misbehaviours.syntax import message

UNOFFERED_SUITE: Final = illegal(Reason.UNOFFERED_CIPHER_SUITE)
UNOFFERED_GROUP: Final = illegal(Reason.UNOFFERED_GROUP)
UNOFFERED_SCHEME: Final = illegal(Reason.UNOFFERED_SIGNATURE_SCHEME)
UNOFFERED_PROTOCOL: Final = illegal(Reason.UNOFFERED_APPLICATION_PROTOCOL)
NOT_ECHOED: Final = illegal(Reason.SESSION_ID_NOT_ECHOED)
BAD_SHARE: Final = illegal(Reason.BAD_KEY_SHARE)
BAD_SELECTION: Final = illegal(Reason.BAD_PSK_SELECTION)
CHANGED: Final = illegal(Reason.CHANGED_AFTER_RETRY)
USELESS: Final = illegal(Reason.USELESS_RETRY)
NO_CERTIFICATE: Final = refused(Alert.DECODE_ERROR, Reason.NO_SERVER_CERTIFICATE)
"""RFC 9846 section 4.5.1.4."""
BAD_SIGNATURE: Final = bad_proof(Reason.BAD_SIGNATURE)
BAD_FINISHED: Final = bad_proof(Reason.BAD_FINISHED)
BAD_BINDER: Final = bad_proof(Reason.BAD_BINDER)
NO_SUITE, NO_GROUP = failure(Reason.NO_COMMON_CIPHER_SUITE), failure(Reason.NO_COMMON_GROUP)
NO_SCHEME: Final = failure(Reason.NO_COMMON_SIGNATURE_SCHEME)
NO_RENEGOTIATION: Final = failure(Reason.RENEGOTIATION_INFO_MISMATCH)
NO_PROTOCOL: Final = refused(Alert.NO_APPLICATION_PROTOCOL, Reason.NO_COMMON_APPLICATION_PROTOCOL)

SUITES_NOBODY_HAS: Final = (0x0000, 0x2A2A, 0x1306, 0x0005, 0xC02F + 0x1000, 0x00FF, 0x5600)
VERSIONS_NOBODY_HAS: Final = (0x0000, 0x0002, 0x0300, 0x0301, 0x0302, 0x0305, 0x7F1C, 0x2A2A, 0xFFFF)

Change = tuple[str, Node, End]
"""What, the changed tree, the end."""


@frozen
class Place:
    """A message as a tree, and the ways to change it."""

    site: Site
    tree: Node

    def to(self, path: Path, data: bytes, end: End) -> Iterator[Change]:
        """These bytes in the place of a node's, whatever it is."""
        node = at(self.tree, path)
        new = Bytes(data) if isinstance(node, Bytes) else Vector(node.width, 0, Bytes(data))  # type: ignore[union-attr]
        yield f"{'.'.join(path)} is {shown(data)}", put(self.tree, path, new), end

    def numbers(self, path: Path, values: tuple[int, ...], end: End, size: int = 2) -> Iterator[Change]:
        """Each of the numbers, unless it is there already."""
        for value in values:
            if at(self.tree, path).write() != value.to_bytes(size):
                yield from self.to(path, value.to_bytes(size), end)

    def flips(self, path: Path, end: End) -> Iterator[Change]:
        """A bit turned, at each of some places of an opaque node."""
        node = at(self.tree, path)
        inner = node.content.write() if isinstance(node, Vector) else node.write()
        for place in sorted({0, 1, len(inner) // 2, len(inner) - 1}):
            if 0 <= place < len(inner):
                turned = inner[:place] + bytes((inner[place] ^ 1,)) + inner[place + 1 :]
                new = Vector(node.width, 0, Bytes(turned)) if isinstance(node, Vector) else Bytes(turned)
                yield f"{'.'.join(path)} with byte {place} changed", put(self.tree, path, new), end

    def extension(self, number: int) -> Path | None:
        """The path to its body, if the message has it."""
        for path, block in blocks(self.tree):
            for name, _ in members(block):
                if name == str(number):
                    return (*path, name, "body")
        return None

    def body(self, number: int, bodies: dict[str, bytes], end: End) -> Iterator[Change]:
        """An extension that is there, with other contents."""
        path = self.extension(number)
        for what, data in bodies.items() if path is not None else ():
            assert path is not None
            if at(self.tree, path).write()[2:] != data:
                new = put(self.tree, path, Vector(2, 0, Bytes(data)))
                yield f"{NAMES[number]} {what}", new, end

    def without(self, number: int, end: End) -> Iterator[Change]:
        """An extension that is there, left out."""
        path = self.extension(number)
        if path is not None:
            yield f"without {NAMES[number]}", put(self.tree, path[:-1], None), end

    def ordered(self, end: End) -> Iterator[Change]:
        """The extensions in other orders; pre_shared_key stays the last (RFC 9846 section 4.3)."""
        for path, block in blocks(self.tree):
            fields = members(block)
            last = tuple(one for one in fields if one[0] == str(f.PSK))
            others = tuple(one for one in fields if one[0] != str(f.PSK))
            for shift in range(1, len(others)):
                turned = with_fields(block, (*others[shift:], *others[:shift], *last))
                yield f"extensions turned by {shift}", put(self.tree, path, turned), end
            if len(others) > 1:
                turned = with_fields(block, (*reversed(others), *last))
                yield "extensions in reverse", put(self.tree, path, turned), end


def shown(data: bytes) -> str:
    return data.hex() if len(data) <= 8 else f"{data[:4].hex()}... of {len(data)} bytes"


def misbehaviours(site: Site) -> Iterator[Misbehaviour]:
    try:
        place = Place(site, parse(FORMS[site.name], site.raw[4:]))
    except NotAMessage:  # pragma: no cover - the honest message has its form
        raise AssertionError(site.name) from None
    from tests.misbehaviours.hellos import RULES_OF_HELLOS
    from tests.misbehaviours.older import RULES_OF_OLDER

    rules = {**RULES, **RULES_OF_HELLOS, **RULES_OF_OLDER}.get(site.name)
    seen = {site.raw}
    for what, tree, end in rules(place) if rules is not None else ():
        raw = message(site.raw, tree.write())
        if raw not in seen:
            seen.add(raw)
            kind = "value that is tolerated" if end in (GOES_ON, FULL) else "forbidden value"
            if " is " not in what and what.startswith("without"):
                kind = "extension left out"
            elif what.startswith("extensions "):
                kind = "extensions in another order"
            yield Misbehaviour(site, kind, what, Said((raw,), raw), end)


# --- the server's messages ---------------------------------------------------------------------------------------


def server_hello(place: Place) -> Iterator[Change]:
    """RFC 9846 section 4.2.3."""
    site = place.site
    retried = "HelloRetryRequest" in site.before
    suite = CHANGED if retried else UNOFFERED_SUITE
    yield from place.numbers(("legacy_version",), (0x0300, 0x0301, 0x0302, 0x0304, 0x0400), VERSION)
    yield from place.flips(("random",), GOES_ON)
    yield from echoes(place)
    yield from place.numbers(("cipher_suite",), (*SUITES_NOBODY_HAS, 0xC02B, 0xC02F), suite)
    yield from place.numbers(("compression_method",), (1, 2, 64, 255), ILLEGAL, 1)
    versions = {f"{value:#06x}": value.to_bytes(2) for value in (*VERSIONS_NOBODY_HAS, 0x0303)}
    yield from place.body(f.VERSIONS, versions, ILLEGAL)
    if "psks" not in site.scene.client:  # one of those may go without
        yield from place.without(f.KEY_SHARE, ILLEGAL if place.extension(f.PSK) else MISSING)
    wrong_group = UNOFFERED_GROUP | CHANGED if retried else UNOFFERED_GROUP
    groups = {
        f"of {group:#06x}": group.to_bytes(2) + b"\0\x20" + bytes(32) for group in (0, 24, 25, 0x100, 0x2A2A)
    }
    yield from place.body(f.KEY_SHARE, groups, wrong_group)
    own = at(place.tree, (*(place.extension(f.KEY_SHARE) or ()), "group")).write()
    size = 65 if own == b"\0\x17" else 32
    shares = {
        "of zeros": bytes(size),
        "too short": bytes(range(size - 1)),
        "too long": bytes(range(size + 1)),
        "of one byte": b"\x04",
    }
    bodies = {what: own + len(data).to_bytes(2) + data for what, data in shares.items()}
    yield from place.body(f.KEY_SHARE, bodies, BAD_SHARE)
    if place.extension(f.PSK):
        numbers = {f"{number}": number.to_bytes(2) for number in (9, 255, 0xFFFF)}
        yield from place.body(f.PSK, numbers, BAD_SELECTION)
    yield from place.ordered(GOES_ON)


def echoes(place: Place) -> Iterator[Change]:
    """legacy_session_id must be echoed."""
    for what in (b"", bytes(32), b"x", bytes(31)):
        if at(place.tree, ("session_id",)).write()[1:] != what:
            yield from place.to(("session_id",), what, NOT_ECHOED)
    yield from place.flips(("session_id",), NOT_ECHOED)


def retry_request(place: Place) -> Iterator[Change]:
    """RFC 9846 section 4.2.4."""
    cookie = place.extension(f.COOKIE) is not None
    yield from place.numbers(("legacy_version",), (0x0300, 0x0301, 0x0302, 0x0304), VERSION)
    yield from echoes(place)
    yield from place.numbers(("cipher_suite",), (*SUITES_NOBODY_HAS, 0xC02B), UNOFFERED_SUITE)
    yield from place.numbers(("compression_method",), (1, 255), ILLEGAL, 1)
    versions = {f"{value:#06x}": value.to_bytes(2) for value in (*VERSIONS_NOBODY_HAS, 0x0303)}
    yield from place.body(f.VERSIONS, versions, ILLEGAL)
    yield from place.without(f.VERSIONS, MISSING)
    groups = {f"{group:#06x}": group.to_bytes(2) for group in (0, 25, 0x100, 0x2A2A, 0xFFFF)}
    yield from place.body(f.KEY_SHARE, groups, UNOFFERED_GROUP)
    yield from place.body(f.KEY_SHARE, {"that is there": b"\0\x1d"}, USELESS)
    if not cookie:
        yield from place.without(f.KEY_SHARE, USELESS)
        yield from place.ordered(GOES_ON)


def encrypted_extensions(place: Place) -> Iterator[Change]:
    """RFC 9846 section 4.4.1, RFC 7301 section 3.1."""
    protocols = {"of two": b"\0\6\2h2\2h2", "of two others": b"\0\6\2h3\2h2"}
    yield from place.body(f.ALPN, protocols, ILLEGAL)
    others = {"of another": b"\0\3\2h3", "in capitals": b"\0\3\2H2", "that goes on": b"\0\4\3h2x"}
    yield from place.body(f.ALPN, others, UNOFFERED_PROTOCOL)
    yield from place.ordered(GOES_ON)


def certificate_request(place: Place) -> Iterator[Change]:
    """RFC 9846 section 4.4.2: the context is empty in the handshake; signature_algorithms must be there."""
    site = place.site
    if not site.connected:
        for context in (b"\0", b"x", bytes(255)):
            yield from place.to(("context",), context, ILLEGAL)
    yield from place.without(f.SCHEMES, MISSING)
    yield from place.body(f.SCHEMES, {"nobody has": b"\0\2\x2a\x2a", "of TLS 1.2": b"\0\2\2\1"}, GOES_ON)
    yield from place.ordered(GOES_ON)


def certificate(place: Place) -> Iterator[Change]:
    """RFC 9846 section 4.5.1."""
    site = place.site
    # After the handshake it says which request is answered: none.
    wrong_context = UNEXPECTED if site.connected else ILLEGAL
    for context in (b"\0", b"another context", bytes(255)):
        yield from place.to(("context",), context, wrong_context)
    if site.sender == "server":
        yield from place.to(("list",), b"", NO_CERTIFICATE)
    elif not site.connected:
        required = refused(Alert.CERTIFICATE_REQUIRED, Reason.CERTIFICATE_REQUIRED)
        yield from place.to(("list",), b"", required)
    yield from certificates(place, ("list", "0", "certificate"))
    staple = place.extension(f.STATUS)
    if staple is not None:
        wrong = refused(Alert.BAD_CERTIFICATE_STATUS_RESPONSE, Reason.BAD_CERTIFICATE_STATUS)
        yield from place.numbers((*staple, "status_type"), (0, 2, 255), ILLEGAL, 1)
        yield from place.to((*staple, "response"), b"x", wrong)
        yield from place.without(f.STATUS, GOES_ON)


def certificates(place: Place, path: Path) -> Iterator[Change]:
    """What is no certificate (RFC 9846 section 6.2: bad_certificate)."""
    corrupt = refused(Alert.BAD_CERTIFICATE, Reason.CERTIFICATE_MALFORMED)
    for data in (b"\0", b"\x30\0", b"\x30\x80", bytes(300)):
        yield from place.to(path, data, corrupt)
    node = at(place.tree, path)
    assert isinstance(node, Vector)
    yield from place.to(path, node.content.write()[:-1], corrupt)


def compressed(place: Place) -> Iterator[Change]:
    """RFC 8879 section 4."""
    bad = refused(Alert.BAD_CERTIFICATE, Reason.CERTIFICATE_COMPRESSION)
    yield from place.numbers(("algorithm",), (0, 2, 3, 4, 0x2A2A, 0xFFFF), ILLEGAL)
    length = int.from_bytes(at(place.tree, ("length",)).write())
    yield from place.numbers(("length",), (0, 1, length - 1, length + 1), bad, 3)
    yield from place.to(("compressed",), b"\0", bad)
    yield from place.flips(("compressed",), bad)


def verify(place: Place) -> Iterator[Change]:
    """RFC 9846 section 4.5.2; RFC 5246 section 7.4.8."""
    nobody = (0x0000, 0x0101, 0x2A2A, 0xFFFF)
    old = (0x0201, 0x0203, 0x0401, 0x0501)
    yield from place.numbers(("scheme",), nobody if place.site.tls12 else (*nobody, *old), UNOFFERED_SCHEME)
    yield from place.flips(("signature",), BAD_SIGNATURE)
    for data in (b"", b"\0", bytes(64), bytes(300)):
        yield from place.to(("signature",), data, BAD_SIGNATURE)


def finished(place: Place) -> Iterator[Change]:
    """RFC 9846 section 4.5.3: as long as the hash."""
    yield from place.flips(("verify_data",), BAD_FINISHED)
    size = len(at(place.tree, ("verify_data",)).write())
    yield from place.to(("verify_data",), bytes(size), BAD_FINISHED)
    for other in {0, 1, 11, 12, 13, 16, 20, 31, 32, 33, 47, 48, 49, 64} - {size}:
        yield from place.to(("verify_data",), bytes(other), DECODE)


def ticket(place: Place) -> Iterator[Change]:
    """RFC 9846 section 4.7.1: a lifetime of more than seven days MUST NOT be used; ILLEGAL is one way."""
    yield from place.numbers(("lifetime",), (0, 1, 604_800), GOES_ON, 4)
    yield from place.numbers(("age_add",), (0, 1, 2**32 - 1), GOES_ON, 4)
    for nonce in (b"", b"x", bytes(255)):
        yield from place.to(("nonce",), nonce, GOES_ON)
    for data in (b"x", bytes(1000), bytes(16_000)):
        yield from place.to(("ticket",), data, GOES_ON)


def key_update(place: Place) -> Iterator[Change]:
    """RFC 9846 section 4.7.3."""
    yield from place.numbers(("request_update",), (2, 3, 127, 255), ILLEGAL, 1)
    yield from place.numbers(("request_update",), (0, 1), GOES_ON, 1)


RULES: Final[dict[str, Callable[[Place], Iterator[Change]]]] = {
    "ServerHello": server_hello,
    "HelloRetryRequest": retry_request,
    "EncryptedExtensions": encrypted_extensions,
    "CertificateRequest": certificate_request,
    "Certificate": certificate,
    "CompressedCertificate": compressed,
    "CertificateVerify": verify,
    "Finished": finished,
    "NewSessionTicket": ticket,
    "KeyUpdate": key_update,
    "tls12.CertificateVerify": verify,
    "tls12.Finished": finished,
}
"""By the name of the message."""
