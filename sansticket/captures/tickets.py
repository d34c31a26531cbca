"""Which tickets a connection in a capture showed and got, and what became of them.

A ``History`` goes through the connections of a capture in their order and remembers of each ticket where it was
issued, if that could be read, and where it was shown.  ``told`` gives the lines for people.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import accumulate

from attrs import define, field

from sansticket.captures.reasons import Answer, Issued, Shown, likely_reasons
from sansticket.captures.secrets import TLS12, TLS13, Said, TicketOpener, binder_is_right
from sansticket.captures.streams import Flow
from sansticket.debug import words
from sansticket.debug.explain import ChangeCipherSpec, HandshakeMessage, Record
from sansticket.values import frozen
from sansticket.wire.extensions.negotiation import ServerNameList
from sansticket.wire.extensions.resumption import EarlyData, PreSharedKeyOffer, PreSharedKeySelection
from sansticket.wire.extensions.tls12 import SessionTicketExtension
from sansticket.wire.messages.alert import Alert
from sansticket.wire.messages.hello import ClientHello
from sansticket.wire.messages.tls12 import NewSessionTicket as NewSessionTicket12
from sansticket.wire.messages.tls12 import ServerHelloDone
from sansticket.wire.messages.tls13 import EncryptedExtensions, EndOfEarlyData, NewSessionTicket

MAX_REMEMBERED = 100_000
"""Tickets; those of later connections are not remembered."""


@frozen
class Verdict:
    """What became of the tickets of one connection.  ``accepted`` is an index, -1 for a session id."""

    shown: tuple[Shown, ...]
    issued: tuple[Issued, ...]
    resumed: bool | None
    """None where the server did not answer."""
    accepted: int | None
    reasons: tuple[str, ...]
    """Why none was taken, the likeliest first: what is certain says so by its words."""
    early_data: str
    """Empty where none was offered."""


@define
class History:
    """Tickets by their bytes, over the connections of a capture."""

    opener: TicketOpener = field(factory=TicketOpener)
    issued: dict[bytes, Issued] = field(factory=dict, repr=False)
    showings: dict[bytes, int] = field(factory=dict, repr=False)
    number: int = 0

    def judge(self, flow: Flow, records: list[Record]) -> Verdict:
        """The next connection of the capture; of one that renegotiates, its first handshake."""
        self.number += 1
        said = Said.in_records(records).handshakes()[0]
        shown = tuple(self._shown(said, flow))
        answer = _answer(said, records, flow)
        accepted = _accepted(said, records)
        resumed = None if answer.version is None else accepted is not None
        refused = shown and not resumed and (answer.version is not None or answer.alert)
        issued = tuple(self._issued(records, flow, answer))
        self._remember(shown, issued)
        return Verdict(
            shown=shown,
            issued=issued,
            resumed=resumed,
            accepted=accepted,
            reasons=tuple(likely_reasons(shown, answer)) if refused else (),
            early_data=_early_data(said, resumed),
        )

    def _shown(self, said: Said, flow: Flow) -> Iterator[Shown]:
        if not said.hellos:
            return
        last = said.hellos[-1]
        hello = last.message
        assert isinstance(hello, ClientHello)
        offer, ticket = hello.find(PreSharedKeyOffer), hello.find(SessionTicketExtension)
        tickets = [
            (TLS13, index, one.identity) for index, one in enumerate(offer.identities if offer else ())
        ]
        if ticket is not None and ticket.ticket:
            tickets.append((TLS12, 0, ticket.ticket))
        for version, index, content in tickets:
            session = self.opener.open(content, flow.start)
            if session is not None and session.version != version:
                session = None
            right = (
                binder_is_right(said, last, index, session)
                if session is not None and version == TLS13
                else None
            )
            yield Shown(
                version=version,
                index=index,
                ticket=content,
                session=session,
                binder=right,
                keys_given=bool(self.opener.keys),
                opened=session is not None or self.opener.opens(content, flow.start),
                issued=self.issued.get(content),
                before=self.showings.get(content),
            )

    def _issued(self, records: list[Record], flow: Flow, answer: Answer) -> Iterator[Issued]:
        time_of = _times(records, flow)
        for record, content in ((one, content) for one in records for content in one.contents):
            message = content.message if isinstance(content, HandshakeMessage) else None
            if isinstance(message, NewSessionTicket):
                ticket, lifetime = message.ticket, message.lifetime
            elif isinstance(message, NewSessionTicket12):
                ticket, lifetime = message.ticket, message.lifetime_hint
            else:
                continue
            yield Issued(
                connection=self.number,
                ticket=ticket,
                time=time_of(record),
                lifetime=lifetime,
                server=str(flow.server),
                suite=answer.suite,
                name=answer.name,
            )

    def _remember(self, shown: tuple[Shown, ...], issued: tuple[Issued, ...]) -> None:
        for one in shown:
            if len(self.showings) < MAX_REMEMBERED:
                self.showings.setdefault(one.ticket, self.number)
        for ticket in issued:
            if len(self.issued) < MAX_REMEMBERED:
                self.issued.setdefault(ticket.ticket, ticket)


def told(verdict: Verdict) -> Iterator[str]:
    """The lines for people."""
    for shown in verdict.shown:
        yield f"offered: {shown}"
    if verdict.accepted is not None:
        which = "the session of the session id" if verdict.accepted < 0 else f"ticket {verdict.accepted}"
        yield f"accepted: {which}, the session is resumed"
    elif verdict.shown and verdict.resumed is False:
        yield "refused: a full handshake"
    elif verdict.shown:
        yield "not answered: there is no ServerHello"
    yield from (f"likely reason: {reason}" for reason in verdict.reasons)
    if verdict.early_data:
        yield f"early data: {verdict.early_data}"
    for issued in verdict.issued:
        yield f"issued: {issued}"


def _times(records: list[Record], flow: Flow) -> Callable[[Record], float]:
    """When each record of the server's came.  What came before TLS, of another protocol, is in no record."""
    sent = [moment for moment in flow.moments if moment.sender == "server"]
    ends = list(accumulate(len(moment.data) for moment in sent))
    before = sum(len(moment.data) for moment in sent) - sum(
        record.size for record in records if record.sender == "server"
    )

    def time_of(record: Record) -> float:
        index = bisect_right(ends, before + record.offset)
        return sent[index].time if index < len(sent) else flow.start

    return time_of


def _answer(said: Said, records: list[Record], flow: Flow) -> Answer:
    hello = said.server_hello
    client = said.hellos[-1].message if said.hellos else None
    alerts = [
        content
        for record in records
        if record.sender == "server"
        for content in record.contents
        if isinstance(content, Alert) and content.description
    ]
    return Answer(
        hello=client if isinstance(client, ClientHello) else None,
        version=said.version,
        suite=hello.cipher_suite if hello is not None else None,
        name=_name_in(client) if isinstance(client, ClientHello) else None,
        server=str(flow.server),
        time=flow.start,
        alert=words.alert(alerts[0]) if alerts and hello is None else "",
    )


def _name_in(hello: ClientHello) -> str | None:
    """Without the dot at the end that some clients send: it is no part of the name."""
    names = hello.find(ServerNameList)
    return None if names is None else names.host_name.decode("ascii", "replace").lower().removesuffix(".")


def _accepted(said: Said, records: list[Record]) -> int | None:
    """The index of the ticket that was taken; -1 for a session id of TLS 1.2; None for neither.

    A client of TLS 1.2 that shows a ticket need have no session id, which the server would echo: then the server's
    change_cipher_spec tells, where a full handshake has ServerHelloDone before it (RFC 5077 section 3.4).
    """
    hello = said.server_hello
    if hello is None:
        return None
    if said.version != TLS12:
        selection = hello.find(PreSharedKeySelection)
        return selection.index if selection is not None else None
    client = said.hellos[-1].message if said.hellos else None
    if not isinstance(client, ClientHello) or said.first(ServerHelloDone) is not None:
        return None
    ticket = client.find(SessionTicketExtension)
    shown = ticket is not None and bool(ticket.ticket)
    if client.session_id:
        return (0 if shown else -1) if client.session_id == hello.session_id else None
    changed = any(
        record.sender == "server" and isinstance(content, ChangeCipherSpec)
        for record in records
        for content in record.contents
    )
    return 0 if shown and changed else None


def _early_data(said: Said, resumed: bool | None) -> str:
    hello = said.hellos[0].message if said.hellos else None
    if not isinstance(hello, ClientHello) or hello.find(EarlyData) is None:
        return ""
    if len(said.hellos) > 1:
        return "refused, since the server wanted another hello (RFC 9846 section 4.3.10)"
    if resumed is False:
        return "refused, with the ticket"
    if said.first(EndOfEarlyData) is not None:
        return "accepted: the client ended it with EndOfEarlyData"
    answer = said.first(EncryptedExtensions)
    if answer is None or not isinstance(answer.message, EncryptedExtensions):
        return "offered; whether it was taken stands in EncryptedExtensions, which no key opened"
    return (
        "accepted"
        if answer.message.find(EarlyData) is not None
        else "refused, though the session was resumed"
    )
