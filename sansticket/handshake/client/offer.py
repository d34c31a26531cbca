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
from sansticket.tickets.records import Check, IdentityRecord
from sansticket.tickets.session import Session
from sansticket.values import value
from sansticket.wire.extensions.base import Extension
from sansticket.wire.extensions.resumption import PreSharedKeyOffer, PskIdentity
from sansticket.wire.messages.hello import ClientHello

TLS12: Final = ProtocolVersion.TLS_1_2

MAX_EXTENSIONS: Final = 65_535
"""Bytes of all extensions of a ClientHello."""

OFFER_OVERHEAD: Final = 8
"""Bytes of a pre_shared_key extension besides its identities and binders: four lengths and the type."""

IDENTITY_OVERHEAD: Final = 6 + 1 + 48
"""Bytes that an identity takes besides its ticket: length, age, and a binder of the longest hash."""


def room_in(hello: ClientHello) -> int:
    """Bytes that its extensions may still grow by; less than 0 if they are too long already."""
    return MAX_EXTENSIONS - sum(len(extension.written()) for extension in hello.extensions)


def size_of(session: Session) -> int:
    """Bytes that it takes in a hello, at most."""
    return len(session.ticket) + IDENTITY_OVERHEAD


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
    places: tuple[int, ...]
    """The index of each of the ``offered`` among all those that were given."""
    retried: bool = False

    @property
    def extension_types(self) -> frozenset[int]:
        types = [extension.type for extension in self.hello.extensions]
        return frozenset((*types, PreSharedKeyOffer.TYPE) if self.sessions else types)

    def place_of(self, session: Session) -> int:
        """The index of an offered session among all those that were given."""
        return self.places[self.offered.index(session)]

    def with_extension(self, extension: Extension) -> ClientOffer:
        """The hello with ``extension`` in the place of its predecessor of the same type, or at the end."""
        others = self.hello.extensions
        if any(other.type == extension.type for other in others):
            extensions = tuple(extension if other.type == extension.type else other for other in others)
        else:
            extensions = (*others, extension)
        return evolve(self, hello=evolve(self.hello, extensions=extensions))

    def after_retry(self, transcript: Transcript, hash_name: str) -> ClientOffer:
        """For the second hello: only sessions of the hash that the retry has settled (RFC 9846 section 4.3.11), and
        that fit beside what it brings.  The record says which were left out, and why."""
        room = room_in(self.hello) - (OFFER_OVERHEAD if self.sessions else 0)
        left: list[Session] = []
        records = list(self.identities)
        for session in self.sessions:
            failed = left_out(session, hash_name, room)
            if failed is None:
                left.append(session)
                room -= size_of(session)
                continue
            place = self.place_of(session)
            records[place] = evolve(records[place], checks=(*records[place].checks, failed))
        return evolve(
            self, transcript=transcript, sessions=tuple(left), identities=tuple(records), retried=True
        )

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
            self.places,
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


def left_out(session: Session, hash_name: str, room: int) -> Check | None:
    """Why a session that was in the first hello cannot be in the second, if it cannot."""
    if SUITES[session.cipher_suite].hash_name != hash_name:
        return Check("hash", False, f"suite {session.cipher_suite:#06x}; the retry settled {hash_name}")
    if size_of(session) > room:
        return Check("size", False, f"{size_of(session)} bytes, room for {max(room, 0)} in the second hello")
    return None


def obfuscated_age(session: Session, now: float) -> int:
    """RFC 9846 section 4.3.11.1: milliseconds since the ticket came, plus ticket_age_add, modulo 2^32."""
    return (round(session.age(now) * 1000) + session.age_add) & 0xFFFFFFFF
