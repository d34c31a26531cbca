"""What messages and events are called in texts for people: one short line each."""

from __future__ import annotations

from enum import IntEnum

from sansticket.codes import (
    AlertDescription,
    CipherSuite,
    ExtensionType,
    NamedGroup,
    ProtocolVersion,
    SignatureScheme,
)
from sansticket.events import (
    CertificateWithheld,
    ConnectionTerminated,
    DataReceived,
    Event,
    HandshakeCompleted,
    KeysUpdated,
    PeerAuthenticated,
    TicketIssued,
    TicketReceived,
    TicketReused,
    TicketWithheld,
)
from sansticket.text import MAX_PIECE, printable, quoted
from sansticket.tickets.session import Session
from sansticket.wire.extensions.certificate import CertificateStatusResponse
from sansticket.wire.extensions.key_exchange import KeyShareAnswer, KeyShareOffer, KeyShareRetry
from sansticket.wire.extensions.negotiation import ApplicationProtocols, ServerNameList
from sansticket.wire.extensions.resumption import PreSharedKeyOffer, PreSharedKeySelection
from sansticket.wire.extensions.tls12 import SessionTicketExtension
from sansticket.wire.messages.alert import Alert
from sansticket.wire.messages.base import ExtensionsMessage, Message
from sansticket.wire.messages.hello import ClientHello, HelloRetryRequest, ServerHello
from sansticket.wire.messages.tls12 import (
    Certificate as Certificate12,
)
from sansticket.wire.messages.tls12 import (
    CertificateStatus,
    ServerKeyExchange,
)
from sansticket.wire.messages.tls12 import (
    NewSessionTicket as NewSessionTicket12,
)
from sansticket.wire.messages.tls13 import (
    Certificate,
    CertificateVerify,
    EncryptedExtensions,
    KeyUpdate,
    NewSessionTicket,
)

SHOWN_DATA = 24
"""Bytes of application data that are shown; of longer data only the beginning."""


def name(kind: type[IntEnum], number: int) -> str:
    """The registered name of a number, or the number."""
    try:
        return kind(number).name
    except ValueError:
        return f"{number:#06x}"


def suite(number: int) -> str:
    return name(CipherSuite, number)


def group(number: int) -> str:
    return name(NamedGroup, number)


def count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def data(content: bytes) -> str:
    """The length of application data, and how it begins."""
    shown = ascii(content[:SHOWN_DATA])[1:]
    return f"{count(len(content), 'byte')}, {shown}{'...' if len(content) > SHOWN_DATA else ''}"


def alert(content: Alert) -> str:
    try:
        return AlertDescription(content.description).name.lower()
    except ValueError:
        return f"number {content.description}"


def message(content: Message) -> str:
    """What is worth knowing of a message besides its name; nothing for most."""
    return ", ".join(_parts(content))


def extensions(content: Message | None) -> str:
    """The names of a message's extensions, in its order; those of a chain's certificates are not among them."""
    if not isinstance(content, ExtensionsMessage):
        return ""
    return ", ".join(name(ExtensionType, one.type).lower() for one in content.extensions)


def _parts(content: Message) -> list[str]:
    match content:
        case ClientHello():
            return _client_hello(content)
        case ServerHello():
            return _server_hello(content)
        case HelloRetryRequest():
            retry = content.find(KeyShareRetry)
            return [f"a share of {group(retry.group)} please"] if retry is not None else []
        case EncryptedExtensions():
            alpn = content.find(ApplicationProtocols)
            return _protocols(alpn) if alpn is not None else []
        case Certificate(entries=entries):
            stapled = entries[0].find(CertificateStatusResponse) if entries else None
            return [
                count(len(entries), "certificate"),
                *(_response(stapled.response) if stapled is not None else ()),
            ]
        case Certificate12(certificates=certificates):
            return [count(len(certificates), "certificate")]
        case CertificateStatus(response=response):
            return _response(response)
        case CertificateVerify(scheme=scheme):
            return [name(SignatureScheme, scheme)]
        case ServerKeyExchange():
            return [group(content.group), name(SignatureScheme, content.scheme)]
        case NewSessionTicket(lifetime=lifetime, ticket=ticket):
            return [f"{count(len(ticket), 'byte')} for {lifetime} s"]
        case NewSessionTicket12(lifetime_hint=lifetime, ticket=ticket):
            return [f"{count(len(ticket), 'byte')} for {lifetime} s"]
        case KeyUpdate(request_update=requested):
            return ["you too please"] if requested else []
    return []


def _response(response: bytes) -> list[str]:
    return [f"an OCSP response of {count(len(response), 'byte')}"]


def _client_hello(hello: ClientHello) -> list[str]:
    parts = []
    names, shares, psk = hello.find(ServerNameList), hello.find(KeyShareOffer), hello.find(PreSharedKeyOffer)
    ticket = hello.find(SessionTicketExtension)
    if names is not None:
        parts.append(printable(f"to {ascii(names.host_name)[2:-1]}", MAX_PIECE))
    if shares is not None:
        parts.append(
            printable("shares of " + " and ".join(group(share.group) for share in shares.shares), MAX_PIECE)
        )
    if (alpn := hello.find(ApplicationProtocols)) is not None:
        parts += _protocols(alpn)
    if psk is not None:
        parts.append(count(len(psk.identities), "ticket"))
    elif ticket is not None and ticket.ticket:
        parts.append("1 ticket")
    return parts


def _server_hello(hello: ServerHello) -> list[str]:
    parts = [suite(hello.cipher_suite)]
    share, selection = hello.find(KeyShareAnswer), hello.find(PreSharedKeySelection)
    if share is not None:
        parts.append(group(share.share.group))
    if selection is not None:
        parts.append(f"ticket {selection.index} accepted")
    return parts


def _protocols(alpn: ApplicationProtocols) -> list[str]:
    return [printable("ALPN " + " ".join(ascii(protocol)[2:-1] for protocol in alpn.protocols), MAX_PIECE)]


def event(happened: Event) -> str:
    """What is worth knowing of an event besides its name."""
    match happened:
        case HandshakeCompleted():
            return ", ".join(
                part
                for part in (
                    _how(happened),
                    version(happened.version),
                    suite(happened.cipher_suite),
                    group(happened.group),
                )
            )
        case DataReceived(data=content):
            return data(content)
        case TicketIssued(session=session, ordinal=ordinal):
            return f"ticket {ordinal} of this connection, {session.lifetime} s"
        case TicketReused(first=first, again=again, policy=policy):
            return f"used {abs(again.at - first.at):.3f} s before: {policy.value}"
        case TicketReceived(session=session):
            return _ticket(session)
        case CertificateWithheld(why=why) | TicketWithheld(why=why):
            return why
        case KeysUpdated(by_peer=by_peer):
            return "the peer's" if by_peer else "ours"
        case PeerAuthenticated(certificates=chain):
            return count(len(chain), "certificate")
        case ConnectionTerminated():
            return str(happened)
    return ""


def _how(happened: HandshakeCompleted) -> str:
    if happened.record.psk_identity is not None:
        return f"external PSK {quoted(happened.record.psk_identity)}"
    return "resumed" if happened.resumed else "full"


def _ticket(session: Session) -> str:
    return f"{count(len(session.ticket), 'byte')}, good for {session.lifetime} s"


def version(number: int) -> str:
    return name(ProtocolVersion, number).replace("_", " ", 1).replace("_", ".")
