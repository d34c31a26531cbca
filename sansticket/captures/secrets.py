"""What ticket keys open: the session in a ticket, and the secrets of a connection that follow from it.

TLS 1.2     the master secret is in the ticket: a resumption is opened wholly, and so is the full handshake in
            which the ticket was issued, since the ticket goes over in the clear (RFC 5077 section 3.3)
TLS 1.3     the ticket goes over encrypted.  Where it is shown again, its PSK gives the key of the early data,
            and whether the binder is right; what follows needs the key exchange too (psk_dhe_ke), which no
            ticket key knows.  Only where the peers do without (psk_ke) everything is opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hmac import compare_digest

from attrs import Factory, define, field

from sansticket.crypto.suites import SUITES
from sansticket.debug.explain import HandshakeMessage, Record, Side, explain
from sansticket.debug.key_log import KeyLog
from sansticket.keys.tls13 import EarlySecret, HandshakeSecret, binder
from sansticket.keys.transcript import Transcript
from sansticket.tickets.keys.protection import TicketKeys
from sansticket.tickets.session import Session, SessionFormatError
from sansticket.values import frozen
from sansticket.wire.extensions.key_exchange import KeyShareAnswer
from sansticket.wire.extensions.negotiation import SelectedVersion
from sansticket.wire.extensions.resumption import EarlyData, PreSharedKeyOffer, PreSharedKeySelection
from sansticket.wire.extensions.tls12 import SessionTicketExtension
from sansticket.wire.messages.hello import ClientHello, HelloRetryRequest, ServerHello
from sansticket.wire.messages.tls12 import NewSessionTicket as NewSessionTicket12
from sansticket.wire.messages.tls12 import ServerHelloDone
from sansticket.wire.messages.tls13 import Finished

TLS12 = 0x0303
TLS13 = 0x0304

MAX_PASSES = 4
"""The secrets of psk_ke come in three steps: early data, handshake, application; those of TLS 1.2 in one for each
handshake of the connection."""


@frozen
class TicketOpener:
    """Ticket keys of one server or several, each with the format of its sessions."""

    keys: tuple[TicketKeys, ...] = ()

    def open(self, ticket: bytes, now: float) -> Session | None:
        """The session in a ticket, whatever its age; None where no key opens it, or what is in it is none."""
        for keys in self.keys:
            opened = keys.open(ticket, now)
            if opened.plaintext is None:
                continue
            try:
                return keys.codec.decode(opened.plaintext, now)
            except SessionFormatError:
                continue
        return None

    def opens(self, ticket: bytes, now: float) -> bool:
        """Whether a key opens a ticket, whatever is in it."""
        return any(keys.open(ticket, now).plaintext is not None for keys in self.keys)


@define
class Said:
    """The handshake messages of a connection, as far as they could be read."""

    messages: list[tuple[Side, HandshakeMessage]] = Factory(list)

    @classmethod
    def in_records(cls, records: Iterable[Record]) -> Said:
        return cls(
            [
                (record.sender, content)
                for record in records
                for content in record.contents
                if isinstance(content, HandshakeMessage) and content.message is not None
            ]
        )

    def handshakes(self) -> list[Said]:
        """Each by itself: in TLS 1.2 there may be another under the keys of the one before it (renegotiation)."""
        found, answered = [Said()], False
        for sender, said in self.messages:
            if answered and isinstance(said.message, ClientHello):
                found.append(Said())
                answered = False
            answered |= isinstance(said.message, ServerHello)
            found[-1].messages.append((sender, said))
        return found

    def first(self, kind: type) -> HandshakeMessage | None:
        return next((said for _, said in self.messages if isinstance(said.message, kind)), None)

    @property
    def hellos(self) -> list[HandshakeMessage]:
        """One, or two where the server wanted another group."""
        return [said for _, said in self.messages if isinstance(said.message, ClientHello)]

    @property
    def server_hello(self) -> ServerHello | None:
        found = self.first(ServerHello)
        return found.message if found is not None and isinstance(found.message, ServerHello) else None

    @property
    def version(self) -> int | None:
        """What the server chose; None if it chose nothing."""
        hello = self.server_hello
        if hello is None:
            return None
        selected = hello.find(SelectedVersion)
        return TLS12 if selected is None else selected.version

    def up_to(self, last: HandshakeMessage, hash_name: str) -> Transcript:
        """The transcript to ``last``, which is in it."""
        return self.before(last, hash_name).plus(last.raw)

    def before(self, last: HandshakeMessage, hash_name: str) -> Transcript:
        """The transcript of all that was said before ``last``."""
        transcript, since = Transcript(hash_name), list[bytes]()  # put together at once: there may be many
        for _, said in self.messages:
            if said is last:
                break
            if isinstance(said.message, HelloRetryRequest):
                transcript, since = transcript.plus(*since).after_retry(), []
            since.append(said.raw)
        return transcript.plus(*since)


def explain_with(
    pieces: list[tuple[Side, bytes]], key_log: KeyLog, opener: TicketOpener, now: float
) -> list[Record]:
    """``explain``, with the secrets that are in tickets: they are added to ``key_log``."""
    records = explain(pieces, key_log)
    for _ in range(MAX_PASSES if opener.keys else 0):
        known = len(key_log)
        for line in secrets_in(Said.in_records(records), opener, now):
            key_log.add(line)
        if len(key_log) == known:
            break
        records = explain(pieces, key_log)
    return records


def secrets_in(said: Said, opener: TicketOpener, now: float) -> Iterator[str]:
    """Lines of a key log for the secrets that follow from the tickets in a connection."""
    for one in said.handshakes():
        if not one.hellos:
            continue
        if one.version == TLS12:
            yield from _master_secret(one, opener, now)
        for index, session in opened_offers(one, opener, now):
            yield from _Offered(one, session, index).lines()


def _master_secret(said: Said, opener: TicketOpener, now: float) -> Iterator[str]:
    """TLS 1.2: of the ticket that was issued, or of the one that was taken."""
    hello = said.hellos[0].message
    assert isinstance(hello, ClientHello)
    issued = said.first(NewSessionTicket12)
    shown = hello.find(SessionTicketExtension)
    for ticket in (
        issued.message.ticket if issued and isinstance(issued.message, NewSessionTicket12) else b"",
        shown.ticket if shown is not None and said.first(ServerHelloDone) is None else b"",
    ):
        session = opener.open(ticket, now) if ticket else None
        if session is not None and session.version == TLS12:
            yield f"CLIENT_RANDOM {hello.random.hex()} {session.secret.hex()}"
            return


def opened_offers(said: Said, opener: TicketOpener, now: float) -> Iterator[tuple[int, Session]]:
    """The sessions of TLS 1.3 among the tickets that the client shows last, by their index."""
    hello = said.hellos[-1].message
    offer = hello.find(PreSharedKeyOffer) if isinstance(hello, ClientHello) else None
    for index, identity in enumerate(offer.identities if offer is not None else ()):
        session = opener.open(identity.identity, now)
        if session is not None and session.version == TLS13 and session.cipher_suite in SUITES:
            yield index, session


@frozen
class _Offered:
    """A session of TLS 1.3 that is known, and was shown at this index."""

    said: Said
    session: Session = field(repr=False)
    index: int

    @property
    def hash_name(self) -> str:
        return SUITES[self.session.cipher_suite].hash_name

    @property
    def early(self) -> EarlySecret:
        return EarlySecret.from_psk(self.hash_name, self.session.secret)

    def lines(self) -> Iterator[str]:
        first = self.said.hellos[0]
        hello = first.message
        assert isinstance(hello, ClientHello)
        if (
            self.index == 0
            and hello.find(EarlyData) is not None
            and binder_is_right(self.said, first, 0, self.session)
        ):
            digest = Transcript(self.hash_name).plus(first.raw).digest()
            secret = self.early.client_early_traffic(digest)
            yield f"CLIENT_EARLY_TRAFFIC_SECRET {hello.random.hex()} {secret.hex()}"
        answer = self.said.first(ServerHello)
        if answer is not None and isinstance(answer.message, ServerHello):
            chosen = answer.message.find(PreSharedKeySelection)
            if (
                chosen is not None
                and chosen.index == self.index
                and answer.message.find(KeyShareAnswer) is None
            ):
                yield from self._without_exchange(answer, hello.random.hex())

    def _without_exchange(self, answer: HandshakeMessage, client_random: str) -> Iterator[str]:
        """psk_ke: everything follows from the PSK and what was said."""
        handshake: HandshakeSecret = self.early.handshake(
            bytes(SUITES[self.session.cipher_suite].hash_length)
        )
        traffic = handshake.traffic(self.said.up_to(answer, self.hash_name).digest())
        yield f"CLIENT_HANDSHAKE_TRAFFIC_SECRET {client_random} {traffic.client.hex()}"
        yield f"SERVER_HANDSHAKE_TRAFFIC_SECRET {client_random} {traffic.server.hex()}"
        finished = self.said.first(Finished)
        if finished is not None:
            application = handshake.master().traffic(self.said.up_to(finished, self.hash_name).digest())
            yield f"CLIENT_TRAFFIC_SECRET_0 {client_random} {application.client.hex()}"
            yield f"SERVER_TRAFFIC_SECRET_0 {client_random} {application.server.hex()}"


def binder_is_right(said: Said, shown_in: HandshakeMessage, index: int, session: Session) -> bool:
    """Whether the client has the secret of the session that it shows (RFC 9846 section 4.3.11.2)."""
    hello = shown_in.message
    offer = hello.find(PreSharedKeyOffer) if isinstance(hello, ClientHello) else None
    if offer is None or index >= len(offer.binders):
        return False
    hash_name = SUITES[session.cipher_suite].hash_name
    digest = said.before(shown_in, hash_name).digest_of(shown_in.raw[: -offer.binders_size])
    expected = binder(hash_name, EarlySecret.from_psk(hash_name, session.secret).binder_key(), digest)
    return compare_digest(expected, offer.binders[index])
