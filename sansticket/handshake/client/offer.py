"""What a client has offered, and how its ClientHello is put together (RFC 9846 section 4.2.2)."""

from __future__ import annotations

from typing import Final

from attrs import evolve, field

from sansticket.codes import ProtocolVersion
from sansticket.config.client import ClientConfig
from sansticket.crypto.groups import KeyExchange
from sansticket.crypto.suites import SUITES
from sansticket.handshake.machine.flight import Flight
from sansticket.keys.tls13 import EarlySecret, binder
from sansticket.keys.transcript import Transcript
from sansticket.tickets.records import IdentityRecord
from sansticket.tickets.session import Session
from sansticket.values import value
from sansticket.wire.extensions.base import Extension
from sansticket.wire.extensions.resumption import PreSharedKeyOffer, PskIdentity
from sansticket.wire.messages.hello import ClientHello

TLS12: Final = ProtocolVersion.TLS_1_2


@value
class ClientOffer:
    """Every later state of the client looks back at this: a server may only answer what was asked.

    ``hello`` has no pre_shared_key yet; ``sent`` adds it, for ``sessions``.  ``transcript`` ends before this hello
    until it was sent.
    """

    config: ClientConfig
    server_name: str | None
    key_exchanges: tuple[KeyExchange, ...] = field(repr=False)
    hello: ClientHello
    offered: tuple[Session, ...]
    """The sessions of the first hello."""
    sessions: tuple[Session, ...]
    """Those of TLS 1.3 in the latest hello: after a retry perhaps fewer."""
    session12: Session | None
    """The one of TLS 1.2, which the hello shows in its session_ticket extension or by its session id."""
    identities: tuple[IdentityRecord, ...]
    transcript: Transcript
    retried: bool = False

    @property
    def extension_types(self) -> frozenset[int]:
        types = [extension.type for extension in self.hello.extensions]
        return frozenset((*types, PreSharedKeyOffer.TYPE) if self.sessions else types)

    def place_of(self, session: Session) -> int:
        """The index of an offered session among all those that were given."""
        fit = [record.index for record in self.identities if record.passed]
        return fit[self.offered.index(session)]

    def with_extension(self, extension: Extension) -> ClientOffer:
        """The hello with ``extension`` in the place of its predecessor of the same type, or at the end."""
        others = self.hello.extensions
        if any(other.type == extension.type for other in others):
            extensions = tuple(extension if other.type == extension.type else other for other in others)
        else:
            extensions = (*others, extension)
        return evolve(self, hello=evolve(self.hello, extensions=extensions))

    def after_retry(self, transcript: Transcript, hash_name: str) -> ClientOffer:
        """For the second hello: only sessions of the hash that the retry has settled (RFC 9846 section 4.3.11)."""
        sessions = tuple(s for s in self.sessions if SUITES[s.cipher_suite].hash_name == hash_name)
        return evolve(self, transcript=transcript, sessions=sessions, retried=True)

    def sent(self, flight: Flight) -> ClientOffer:
        """Send the hello; the transcript has it then."""
        hello = self.hello
        if self.sessions:
            offer = self._unbound_offer(flight.now)
            hello = ClientHello(
                hello.random, hello.session_id, hello.cipher_suites, (*hello.extensions, offer)
            )
        raw = hello.encode()
        if self.sessions:
            raw = self._with_binders(raw)
        flight.send_raw(raw)
        return ClientOffer(
            self.config,
            self.server_name,
            self.key_exchanges,
            self.hello,
            self.offered,
            self.sessions,
            self.session12,
            self.identities,
            self.transcript.plus(raw),
            self.retried,
        )

    def _unbound_offer(self, now: float) -> PreSharedKeyOffer:
        """The offer with binders of zeros: their sizes count, since the hash covers all lengths before them."""
        return PreSharedKeyOffer(
            tuple(PskIdentity(session.ticket, obfuscated_age(session, now)) for session in self.sessions),
            tuple(bytes(SUITES[session.cipher_suite].hash_length) for session in self.sessions),
        )

    def _with_binders(self, raw: bytes) -> bytes:
        """RFC 9846 section 4.3.11.2: each binder covers the hello up to the list of binders."""
        lengths = [SUITES[session.cipher_suite].hash_length for session in self.sessions]
        truncated = raw[: -(2 + sum(1 + length for length in lengths))]
        binders = b""
        for session, length in zip(self.sessions, lengths, strict=True):
            hash_name = SUITES[session.cipher_suite].hash_name
            key = EarlySecret.from_psk(hash_name, session.secret).binder_key(external=False)
            value = binder(hash_name, key, self.transcript.with_hash(hash_name).digest_of(truncated))
            binders += bytes((length,)) + value
        return truncated + len(binders).to_bytes(2) + binders


def obfuscated_age(session: Session, now: float) -> int:
    """RFC 9846 section 4.3.11.1: milliseconds since the ticket came, plus ticket_age_add, modulo 2^32."""
    return (round(session.age(now) * 1000) + session.age_add) & 0xFFFFFFFF
