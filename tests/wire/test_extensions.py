"""Each extension: there and back, every way of being cut, and each value its definition forbids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansticket.codes import ExtensionType
from sansticket.errors import Fault, Reason
from sansticket.wire import extensions as x
from sansticket.wire.extensions.base import EmptyExtension, Extension, UnknownExtension
from tests.support.faults import fault, malformed
from tests.support.messages import EXTENSIONS, unknown_extensions

OPEN_ENDED = {x.SessionTicketExtension, x.Padding}
"""Their bodies have no inner length: any prefix is one, and so is anything longer."""


def classes(base: type[Extension]) -> set[type[Extension]]:
    found = set(base.__subclasses__())
    return found.union(*(classes(kind) for kind in found))


def test_there_is_a_strategy_for_every_class() -> None:
    # attrs with slots replaces the class it decorates; the first one may still be known as a subclass.
    abstract = {kind.__name__ for kind in (UnknownExtension, EmptyExtension)}
    assert {kind.__name__ for kind in classes(Extension)} - abstract == {kind.__name__ for kind in EXTENSIONS}


def test_all_can_be_imported_from_one_place() -> None:
    assert {kind.__name__ for kind in EXTENSIONS} <= set(x.__all__)
    assert all(hasattr(x, name) for name in x.__all__)


@pytest.mark.parametrize("kind", EXTENSIONS)
@given(data=st.data())
def test_there_and_back(kind: type[Extension], data: st.DataObject) -> None:
    extension = data.draw(EXTENSIONS[kind])
    assert kind.decode(extension.encode()) == extension
    assert extension.type == kind.TYPE
    assert isinstance(kind.TYPE, ExtensionType)


@pytest.mark.parametrize("kind", [kind for kind in EXTENSIONS if kind not in OPEN_ENDED])
@given(data=st.data())
def test_every_prefix_fails(kind: type[Extension], data: st.DataObject) -> None:
    body = data.draw(EXTENSIONS[kind]).encode()
    if kind is x.StatusRequest and body[0] != 1:
        body = body[:1]  # the form of other types is not known
    for size in range(len(body)):
        with malformed():
            kind.decode(body[:size])


@pytest.mark.parametrize("kind", [kind for kind in EXTENSIONS if kind not in OPEN_ENDED])
@given(data=st.data(), tail=st.binary(min_size=1, max_size=4))
def test_trailing_bytes_fail(kind: type[Extension], data: st.DataObject, tail: bytes) -> None:
    body = data.draw(EXTENSIONS[kind]).encode()
    if kind is x.StatusRequest and body[0] != 1:
        return
    with malformed():
        kind.decode(body + tail)


@pytest.mark.parametrize("kind", EXTENSIONS)
@given(body=st.binary(max_size=60))
def test_any_bytes_are_an_extension_or_a_fault(kind: type[Extension], body: bytes) -> None:
    try:
        extension = kind.decode(body)
    except Fault:
        return
    assert kind.decode(extension.encode()) == extension


@given(extension=unknown_extensions())
def test_an_unknown_extension_keeps_number_and_body(extension: UnknownExtension) -> None:
    assert UnknownExtension(extension.type, extension.encode()) == extension


def test_an_unknown_extension_needs_its_number() -> None:
    with malformed():
        UnknownExtension.decode(b"")


def test_the_base_decides_nothing() -> None:
    with pytest.raises(AttributeError, match="BODY"):
        Extension.decode(b"")
    with pytest.raises(AttributeError, match="BODY"):
        Extension().encode()


BODIES: list[tuple[Extension, str]] = [
    (x.ServerNameList(b"a.bc"), "0007 00 0004 612e6263"),
    (x.ServerNameAck(), ""),
    (x.StatusRequest(), "01 0000 0000"),
    (x.StatusRequestAck(), ""),
    (x.CertificateStatusResponse(b"\x30\x00"), "01 000002 3000"),
    (x.SupportedGroups((0x001D, 0x0017)), "0004 001d 0017"),
    (x.EcPointFormats(b"\0"), "01 00"),
    (x.SignatureAlgorithms((0x0403,)), "0002 0403"),
    (x.SignatureAlgorithmsCert((0x0804, 0x0401)), "0004 0804 0401"),
    (x.ApplicationProtocols((b"h2", b"x")), "0005 02 6832 01 78"),
    (x.SignedCertificateTimestampRequest(), ""),
    (x.SignedCertificateTimestamps((b"ab",)), "0004 0002 6162"),
    (x.Padding(3), "000000"),
    (x.ExtendedMasterSecret(), ""),
    (x.CompressCertificate((2,)), "02 0002"),
    (x.MaxFragmentLength(4), "04"),
    (x.RecordSizeLimit(64), "0040"),
    (x.SessionTicketExtension(b"tick"), "7469636b"),
    (
        x.PreSharedKeyOffer((x.PskIdentity(b"id", 0x01020304),), (bytes(32),)),
        "0008 0002 6964 01020304 0021 20" + "00" * 32,
    ),
    (x.PreSharedKeySelection(1), "0001"),
    (x.EarlyData(), ""),
    (x.EarlyDataLimit(16384), "00004000"),
    (x.SupportedVersions((0x0304, 0x0303)), "04 0304 0303"),
    (x.SelectedVersion(0x0304), "0304"),
    (x.Cookie(b"c"), "0001 63"),
    (x.PskKeyExchangeModes((1, 0)), "02 01 00"),
    (x.CertificateAuthorities((b"\x30\x00",)), "0004 0002 3000"),
    (x.OidFilters(((b"\x06\x01", b"v"),)), "0006 02 0601 0001 76"),
    (x.PostHandshakeAuth(), ""),
    (x.KeyShareOffer((x.KeyShareEntry(0x001D, b"pub"),)), "0007 001d 0003 707562"),
    (x.KeyShareOffer(()), "0000"),
    (x.KeyShareAnswer(x.KeyShareEntry(0x001D, b"pub")), "001d 0003 707562"),
    (x.KeyShareRetry(0x0018), "0018"),
    (x.TicketRequest(3, 1), "03 01"),
    (x.TicketRequestHint(2), "02"),
    (x.RenegotiationInfo(b""), "00"),
]
"""Written by hand from the documents, so that a mistake in both directions at once would show."""


def test_every_class_has_a_body_written_by_hand() -> None:
    assert {type(extension) for extension, _ in BODIES} == set(EXTENSIONS)


@pytest.mark.parametrize(("extension", "body"), BODIES, ids=lambda one: type(one).__name__)
def test_the_bytes_are_those_of_the_documents(extension: Extension, body: str) -> None:
    assert extension.encode() == bytes.fromhex(body)
    assert type(extension).decode(bytes.fromhex(body)) == extension


@pytest.mark.parametrize(
    ("kind", "body", "reason"),
    [
        # server_name: the list, its names, their types
        (x.ServerNameList, "0000", Reason.MALFORMED_MESSAGE),
        (x.ServerNameList, "0003 00 0000", Reason.MALFORMED_MESSAGE),
        (x.ServerNameList, "0002 00 00", Reason.MALFORMED_MESSAGE),
        (x.ServerNameList, "0004 00 0002 61", Reason.MALFORMED_MESSAGE),
        (x.ServerNameList, "0008 00 0001 61 00 0001 62", Reason.ILLEGAL_VALUE),
        (x.ServerNameList, "000c 00 0001 61 07 0001 62 07 0001 62", Reason.ILLEGAL_VALUE),
        (x.ServerNameList, "0004 07 0001 61", Reason.ILLEGAL_VALUE),
        (x.ServerNameList, "0005 00 0002 6100", Reason.ILLEGAL_VALUE),
        (x.ServerNameList, "0005 00 0002 c3bc", Reason.ILLEGAL_VALUE),
        # lists that may not be empty, or not of that length
        (x.SupportedGroups, "0000", Reason.MALFORMED_MESSAGE),
        (x.SupportedGroups, "0003 001d00", Reason.MALFORMED_MESSAGE),
        (x.SignatureAlgorithms, "0000", Reason.MALFORMED_MESSAGE),
        (x.SignatureAlgorithmsCert, "0000", Reason.MALFORMED_MESSAGE),
        (x.SupportedVersions, "00", Reason.MALFORMED_MESSAGE),
        (x.SupportedVersions, "ff" + "00" * 255, Reason.MALFORMED_MESSAGE),
        (x.CompressCertificate, "00", Reason.MALFORMED_MESSAGE),
        (x.PskKeyExchangeModes, "00", Reason.MALFORMED_MESSAGE),
        (x.EcPointFormats, "00", Reason.MALFORMED_MESSAGE),
        (x.Cookie, "0000", Reason.MALFORMED_MESSAGE),
        (x.ApplicationProtocols, "0000", Reason.MALFORMED_MESSAGE),
        (x.ApplicationProtocols, "0001 00", Reason.MALFORMED_MESSAGE),
        (x.ApplicationProtocols, "0003 01 78 00", Reason.MALFORMED_MESSAGE),
        (x.CertificateAuthorities, "0000", Reason.MALFORMED_MESSAGE),
        (x.CertificateAuthorities, "0005 0001 61 0000", Reason.MALFORMED_MESSAGE),
        (x.SignedCertificateTimestamps, "0000", Reason.MALFORMED_MESSAGE),
        (x.OidFilters, "0003 00 0000", Reason.MALFORMED_MESSAGE),
        (x.OidFilters, "0008 01 06 0000 01 06 0000", Reason.ILLEGAL_VALUE),
        # key shares
        (x.KeyShareOffer, "0004 001d 0000", Reason.MALFORMED_MESSAGE),
        (x.KeyShareOffer, "000a 001d 0001 61 001d 0001 62", Reason.ILLEGAL_VALUE),
        (x.KeyShareAnswer, "001d 0000", Reason.MALFORMED_MESSAGE),
        (x.KeyShareAnswer, "", Reason.MALFORMED_MESSAGE),
        (x.KeyShareAnswer, "001d 0001", Reason.MALFORMED_MESSAGE),
        (x.KeyShareAnswer, "001d 0001 61 00", Reason.MALFORMED_MESSAGE),
        (x.KeyShareAnswer, "001d 0001 61 0017 0001 62", Reason.MALFORMED_MESSAGE),
        # pre-shared keys: an identity of no bytes, a binder too short, no identity, no binder
        (x.PreSharedKeyOffer, "0006 0000 00000000 0021 20" + "00" * 32, Reason.MALFORMED_MESSAGE),
        (x.PreSharedKeyOffer, "0007 0001 61 00000000 0020 1f" + "00" * 31, Reason.MALFORMED_MESSAGE),
        (
            x.PreSharedKeyOffer,
            "0007 0001 61 00000000 0041 1f" + "00" * 31 + "20" + "00" * 32,
            Reason.MALFORMED_MESSAGE,
        ),
        (x.PreSharedKeyOffer, "0000 0021 20" + "00" * 32, Reason.MALFORMED_MESSAGE),
        (x.PreSharedKeyOffer, "0007 0001 61 00000000 0000", Reason.MALFORMED_MESSAGE),
        (x.PreSharedKeyOffer, "0008 0001 61 00000000 00 0021 20" + "00" * 32, Reason.MALFORMED_MESSAGE),
        # the rest
        (x.MaxFragmentLength, "00", Reason.ILLEGAL_VALUE),
        (x.MaxFragmentLength, "05", Reason.ILLEGAL_VALUE),
        (x.MaxFragmentLength, "", Reason.MALFORMED_MESSAGE),
        (x.MaxFragmentLength, "0102", Reason.MALFORMED_MESSAGE),
        (x.RecordSizeLimit, "003f", Reason.ILLEGAL_VALUE),
        (x.Padding, "000001", Reason.ILLEGAL_VALUE),
        (x.CertificateStatusResponse, "02 000001 00", Reason.ILLEGAL_VALUE),
        (x.CertificateStatusResponse, "01 000000", Reason.MALFORMED_MESSAGE),
        (x.StatusRequest, "", Reason.MALFORMED_MESSAGE),
        (x.StatusRequest, "01 0003 0002 61 0000", Reason.MALFORMED_MESSAGE),
        (x.StatusRequest, "01 0002 0000 0000", Reason.MALFORMED_MESSAGE),
    ],
)
def test_what_a_definition_forbids(kind: type[Extension], body: str, reason: Reason) -> None:
    with fault(reason):
        kind.decode(bytes.fromhex(body))


@pytest.mark.parametrize("body", ["000b 00 0004 612e6263 07 0001 61", "000b 07 0001 61 00 0004 612e6263"])
def test_names_of_unknown_types_are_skipped(body: str) -> None:
    assert x.ServerNameList.decode(bytes.fromhex(body)) == x.ServerNameList(b"a.bc")


def test_a_host_name_as_long_as_it_can_be() -> None:
    name = b"a" * (0xFFFF - 3)
    assert x.ServerNameList.decode(x.ServerNameList(name).encode()) == x.ServerNameList(name)


@given(EXTENSIONS[x.PreSharedKeyOffer])
def test_the_binders_are_the_end_of_the_offer(offer: Extension) -> None:
    assert isinstance(offer, x.PreSharedKeyOffer)
    body = offer.encode()
    binders = body[-offer.binders_size :]
    assert int.from_bytes(binders[:2], "big") == len(binders) - 2
    assert binders[2:] == b"".join(bytes((len(binder),)) + binder for binder in offer.binders)
    # Other binders of the same sizes leave everything before them as it is.
    other = x.PreSharedKeyOffer(offer.identities, tuple(bytes(len(binder)) for binder in offer.binders))
    assert other.encode()[: -other.binders_size] == body[: -offer.binders_size]
