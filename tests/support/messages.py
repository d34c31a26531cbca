"""Strategies for every message and every extension: whatever they make can be encoded and decoded again.

``EXTENSIONS`` and ``MESSAGES`` are keyed by class.  ``extensions_of`` makes the list of one message: each
extension that the package allows there at most once, unknown ones between them, pre_shared_key at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from sansticket.wire import extensions as x
from sansticket.wire.extensions import tables
from sansticket.wire.extensions.block import ExtensionTable
from sansticket.wire.messages import hello as m0
from sansticket.wire.messages import tls12 as m12
from sansticket.wire.messages import tls13 as m
from sansticket.wire.messages.alert import Alert
from sansticket.wire.messages.base import Message
from sansticket.wire.messages.tables import MESSAGES_OF_TLS12, MESSAGES_OF_TLS13

T = TypeVar("T")

u8: Final = st.integers(0, 0xFF)
u16: Final = st.integers(0, 0xFFFF)
u32: Final = st.integers(0, 0xFFFFFFFF)


def blob(low: int = 0, high: int = 40) -> SearchStrategy[bytes]:
    """Bytes; short, since what is long is long in the same way."""
    return st.binary(min_size=low, max_size=high)


def tuples_of(items: SearchStrategy[T], low: int = 0, high: int = 5) -> SearchStrategy[tuple[T, ...]]:
    return st.lists(items, min_size=low, max_size=high).map(tuple)


def numbers(high: int = 20) -> SearchStrategy[tuple[int, ...]]:
    return tuples_of(u16, 1, high)


def _share() -> SearchStrategy[x.KeyShareEntry]:
    return st.builds(x.KeyShareEntry, u16, blob(1))


def _shares() -> SearchStrategy[tuple[x.KeyShareEntry, ...]]:
    return st.lists(_share(), max_size=4, unique_by=lambda share: share.group).map(tuple)


def _filters() -> SearchStrategy[tuple[tuple[bytes, bytes], ...]]:
    pair = st.tuples(blob(1, 8), blob())
    return st.lists(pair, max_size=4, unique_by=lambda one: one[0]).map(tuple)


def _host_names() -> SearchStrategy[bytes]:
    return st.text(st.characters(min_codepoint=1, max_codepoint=127), min_size=1).map(str.encode)


def _offer() -> SearchStrategy[x.PreSharedKeyOffer]:
    identity = st.builds(x.PskIdentity, blob(1), u32)
    return st.builds(x.PreSharedKeyOffer, tuples_of(identity, 1, 3), tuples_of(blob(32, 48), 1, 3))


def _status_requests() -> SearchStrategy[x.StatusRequest]:
    other = st.builds(lambda kind, rest: bytes((kind,)) + rest, st.integers(2, 0xFF), blob())
    responder = b"\x01\0\x06\0\x04name\0\x03ext"
    return st.builds(x.StatusRequest, st.just(b"\x01\0\0\0\0") | st.just(responder) | other)


EXTENSIONS: Final[dict[type[x.Extension], SearchStrategy[x.Extension]]] = {
    x.ServerNameList: st.builds(x.ServerNameList, _host_names()),
    x.ServerNameAck: st.builds(x.ServerNameAck),
    x.ApplicationProtocols: st.builds(x.ApplicationProtocols, tuples_of(blob(1), 1)),
    x.MaxFragmentLength: st.builds(x.MaxFragmentLength, st.integers(1, 4)),
    x.RecordSizeLimit: st.builds(x.RecordSizeLimit, st.integers(64, 0xFFFF)),
    x.Padding: st.builds(x.Padding, st.integers(0, 600)),
    x.SupportedVersions: st.builds(x.SupportedVersions, numbers()),
    x.SelectedVersion: st.builds(x.SelectedVersion, u16),
    x.SupportedGroups: st.builds(x.SupportedGroups, numbers(100)),
    x.SignatureAlgorithms: st.builds(x.SignatureAlgorithms, numbers(100)),
    x.SignatureAlgorithmsCert: st.builds(x.SignatureAlgorithmsCert, numbers(100)),
    x.KeyShareOffer: st.builds(x.KeyShareOffer, _shares()),
    x.KeyShareAnswer: st.builds(x.KeyShareAnswer, _share()),
    x.KeyShareRetry: st.builds(x.KeyShareRetry, u16),
    x.Cookie: st.builds(x.Cookie, blob(1)),
    x.PreSharedKeyOffer: _offer(),
    x.PreSharedKeySelection: st.builds(x.PreSharedKeySelection, u16),
    x.PskKeyExchangeModes: st.builds(x.PskKeyExchangeModes, tuples_of(u8, 1)),
    x.EarlyData: st.builds(x.EarlyData),
    x.EarlyDataLimit: st.builds(x.EarlyDataLimit, u32),
    x.TicketRequest: st.builds(x.TicketRequest, u8, u8),
    x.TicketRequestHint: st.builds(x.TicketRequestHint, u8),
    x.CertificateAuthorities: st.builds(x.CertificateAuthorities, tuples_of(blob(1), 1)),
    x.OidFilters: st.builds(x.OidFilters, _filters()),
    x.PostHandshakeAuth: st.builds(x.PostHandshakeAuth),
    x.StatusRequest: _status_requests(),
    x.StatusRequestAck: st.builds(x.StatusRequestAck),
    x.CertificateStatusResponse: st.builds(x.CertificateStatusResponse, blob(1)),
    x.SignedCertificateTimestampRequest: st.builds(x.SignedCertificateTimestampRequest),
    x.SignedCertificateTimestamps: st.builds(x.SignedCertificateTimestamps, tuples_of(blob(1), 1)),
    x.CompressCertificate: st.builds(x.CompressCertificate, numbers()),
    x.ExtendedMasterSecret: st.builds(x.ExtendedMasterSecret),
    x.RenegotiationInfo: st.builds(x.RenegotiationInfo, blob()),
    x.SessionTicketExtension: st.builds(x.SessionTicketExtension, blob()),
    x.EcPointFormats: st.builds(x.EcPointFormats, blob(1, 3)),
}
"""Every known extension.  ``unknown_extensions`` makes the others."""

KNOWN_NUMBERS: Final = frozenset(int(kind.TYPE) for kind in EXTENSIONS)


def unknown_extensions() -> SearchStrategy[x.UnknownExtension]:
    """Among them those of GREASE (RFC 8701)."""
    grease = st.sampled_from([0x0A0A + 0x1010 * n for n in range(16)])
    number = (u16 | grease).filter(lambda one: one not in KNOWN_NUMBERS)
    return st.builds(x.UnknownExtension, number, blob())


ROW_OF: Final[dict[type[Message], ExtensionTable]] = {
    m0.ClientHello: tables.IN_CLIENT_HELLO,
    m0.ServerHello: tables.IN_SERVER_HELLO,
    m0.HelloRetryRequest: tables.IN_HELLO_RETRY_REQUEST,
    m.EncryptedExtensions: tables.IN_ENCRYPTED_EXTENSIONS,
    m.CertificateRequest: tables.IN_CERTIFICATE_REQUEST,
    m.Certificate: tables.IN_CERTIFICATE,
    m.NewSessionTicket: tables.IN_NEW_SESSION_TICKET,
}
"""The extensions that the package allows in each message."""


def _one_of_kind(message: type[Message], kind: type[x.Extension]) -> SearchStrategy[x.Extension]:
    if message is m0.ServerHello and kind is x.SessionTicketExtension:
        return st.just(x.SessionTicketExtension(b""))
    return EXTENSIONS[kind]


def extensions_of(message: type[Message]) -> SearchStrategy[tuple[x.Extension, ...]]:
    """What a message of this class may carry (a ``CertificateEntry`` what ``Certificate`` may)."""
    known = [_one_of_kind(message, kind) for kind in ROW_OF[message].values()]
    unique = st.lists(st.one_of(*known) | unknown_extensions(), max_size=8, unique_by=lambda one: one.type)

    def with_offer_last(found: list[x.Extension]) -> tuple[x.Extension, ...]:
        return tuple(sorted(found, key=lambda one: isinstance(one, x.PreSharedKeyOffer)))

    return unique.map(with_offer_last)


def _entries() -> SearchStrategy[tuple[m.CertificateEntry, ...]]:
    return tuples_of(st.builds(m.CertificateEntry, blob(1), extensions_of(m.Certificate)), 0, 3)


def random() -> SearchStrategy[bytes]:
    return blob(32, 32)


def session_id() -> SearchStrategy[bytes]:
    return blob(0, 32)


MESSAGES: Final[dict[type[Message], SearchStrategy[Message]]] = {
    m0.HelloRequest: st.builds(m0.HelloRequest),
    m0.ClientHello: st.builds(
        m0.ClientHello,
        random(),
        session_id(),
        numbers(80),
        extensions_of(m0.ClientHello),
        blob(1, 3),
        u16,
    ),
    m0.ServerHello: st.builds(
        m0.ServerHello,
        random(),
        session_id(),
        u16,
        extensions_of(m0.ServerHello),
        u16,
        u8,
    ),
    m0.HelloRetryRequest: st.builds(
        m0.HelloRetryRequest, session_id(), u16, extensions_of(m0.HelloRetryRequest), u16
    ),
    m.EncryptedExtensions: st.builds(m.EncryptedExtensions, extensions_of(m.EncryptedExtensions)),
    m.CertificateRequest: st.builds(m.CertificateRequest, blob(), extensions_of(m.CertificateRequest)),
    m.Certificate: st.builds(m.Certificate, blob(), _entries()),
    m.CompressedCertificate: st.builds(m.CompressedCertificate, u16, st.integers(0, 0xFFFFFF), blob(1)),
    m.CertificateVerify: st.builds(m.CertificateVerify, u16, blob()),
    m.Finished: st.builds(m.Finished, st.sampled_from([12, 32, 48]).flatmap(lambda n: blob(n, n))),
    m.EndOfEarlyData: st.builds(m.EndOfEarlyData),
    m.NewSessionTicket: st.builds(
        m.NewSessionTicket, u32, u32, blob(), blob(1), extensions_of(m.NewSessionTicket)
    ),
    m.KeyUpdate: st.builds(m.KeyUpdate, st.integers(0, 1)),
    m12.Certificate: st.builds(m12.Certificate, tuples_of(blob(1))),
    m12.CertificateStatus: st.builds(m12.CertificateStatus, blob(1)),
    m12.ServerKeyExchange: st.builds(m12.ServerKeyExchange, u16, blob(1), u16, blob()),
    m12.CertificateRequest: st.builds(m12.CertificateRequest, blob(1, 4), numbers(), tuples_of(blob(1))),
    m12.ServerHelloDone: st.builds(m12.ServerHelloDone),
    m12.ClientKeyExchange: st.builds(m12.ClientKeyExchange, blob(1)),
    m12.NewSessionTicket: st.builds(m12.NewSessionTicket, u32, blob()),
}
"""Every message of both versions."""

ONLY_12: Final = frozenset(kind for kind in MESSAGES if kind.__module__ == m12.__name__)
"""The messages that mean what they do in TLS 1.2 only."""


def messages() -> SearchStrategy[Message]:
    """Any message of either version."""
    return st.one_of(*MESSAGES.values())


def alerts() -> SearchStrategy[Alert]:
    return st.builds(Alert, u8, u8)


def decoder(kind: type[Message]) -> Callable[[bytes], Message]:
    """What the tables of the package say reads this message."""
    table = MESSAGES_OF_TLS12 if kind in ONLY_12 else MESSAGES_OF_TLS13
    return table[kind.TYPE]
