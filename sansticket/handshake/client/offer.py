"""What a client has offered, and how its ClientHello is put together (RFC 9846 section 4.2.2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import floor
from typing import Final

from attrs import evolve, field

from sansticket.codes import ProtocolVersion
from sansticket.config.client import ClientConfig
from sansticket.crypto.groups import KeyExchange
from sansticket.crypto.hkdf import hash_digest
from sansticket.crypto.suites import SUITES
from sansticket.errors import Fault, Reason
from sansticket.handshake.machine.flight import Flight
from sansticket.keys.tls13 import EarlySecret, binder
from sansticket.keys.transcript import Transcript
from sansticket.psk import ExternalPsk
from sansticket.tickets.early_data import NOT_WANTED, EarlyDataOutcome, EarlyDataStatus
from sansticket.tickets.records import Check, IdentityRecord
from sansticket.tickets.session import Session
from sansticket.values import value
from sansticket.wire.extensions.base import Extension
from sansticket.wire.extensions.resumption import EarlyData, PreSharedKeyOffer, PskIdentity
from sansticket.wire.messages.hello import ClientHello

TLS12: Final = ProtocolVersion.TLS_1_2

OfferedKey = tuple[EarlySecret, bytes]
"""What follows from a pre-shared key, and the label of its binder key."""

MAX_EXTENSIONS: Final = 65_535
"""Bytes of all extensions of a ClientHello."""

OFFER_OVERHEAD: Final = 8
"""Bytes of a pre_shared_key extension besides its identities and binders: four lengths and the type."""

IDENTITY_OVERHEAD: Final = 6 + 1 + 48
"""Bytes that an identity takes besides its ticket: length, age, and a binder of the longest hash."""


def room_in(extensions: Iterable[Extension]) -> int:
    """Bytes that those of a hello may still grow by; less than 0 if they are too long already."""
    return MAX_EXTENSIONS - sum(len(extension.written()) for extension in extensions)


def size_of(session: Session) -> int:
    """Bytes that it takes in a hello, at most."""
    return len(session.ticket) + IDENTITY_OVERHEAD


def size_of_psks(psks: Iterable[ExternalPsk]) -> int:
    """Bytes that they take in a hello, at most."""
    return sum(len(psk.identity) + IDENTITY_OVERHEAD for psk in psks)


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
    psks: tuple[ExternalPsk, ...]
    """The external PSKs in the latest hello, behind the sessions."""
    retried: bool = False
    early_data: EarlyDataOutcome = NOT_WANTED
    early_secrets: tuple[EarlySecret, ...] = field(default=(), repr=False)
    """Of all sessions and PSKs in the latest hello, in their order."""

    @property
    def extension_types(self) -> Sequence[int]:
        """What an answer may be to."""
        types = [extension.type for extension in self.hello.extensions]
        return (*types, PreSharedKeyOffer.type) if self.sessions or self.psks else types

    def place_of(self, session: Session) -> int:
        """The index of an offered session among all those that were given."""
        return self.places[self.offered.index(session)]

    def place_of_psk(self, psk: ExternalPsk) -> int:
        """Its index in the record: behind all sessions that were given."""
        known = self.config.psks
        return len(self.identities) - len(known) + known.index(psk)

    def with_extension(self, extension: Extension) -> ClientOffer:
        """The hello with ``extension`` in the place of its predecessor of the same type, or at the end."""
        others = self.hello.extensions
        if any(other.type == extension.type for other in others):
            extensions = tuple(extension if other.type == extension.type else other for other in others)
        else:
            extensions = (*others, extension)
        return evolve(self, hello=evolve(self.hello, extensions=extensions))

    def with_early_data(self, outcome: EarlyDataOutcome) -> ClientOffer:
        """What became of the early data.  After a refusal the hello is taken for one that did not offer any."""
        extensions = self.hello.extensions
        if outcome.status is EarlyDataStatus.REJECTED:
            extensions = tuple(one for one in extensions if not isinstance(one, EarlyData))
        return evolve(self, hello=evolve(self.hello, extensions=extensions), early_data=outcome)

    def after_retry(self, transcript: Transcript, hash_name: str) -> ClientOffer:
        """For the second hello: only what has the hash that the retry has settled (RFC 9846 section 4.3.11), and fits
        beside what it brings; PSKs before sessions, since there is nothing in their place."""
        room = room_in(self.hello.extensions) - (OFFER_OVERHEAD if self.sessions or self.psks else 0)
        psks: list[ExternalPsk] = []
        sessions: list[Session] = []
        records = list(self.identities)
        for psk in self.psks:
            size = size_of_psks((psk,))
            failed = left_out(psk.hash_name, size, psk.hash_name, hash_name, room)
            if failed is None:
                psks.append(psk)
                room -= size
            else:
                note(records, self.place_of_psk(psk), failed)
        for session in self.sessions:
            suite, size = session.cipher_suite, size_of(session)
            failed = left_out(SUITES[suite].hash_name, size, f"suite {suite:#06x}", hash_name, room)
            if failed is None:
                sessions.append(session)
                room -= size
            else:
                note(records, self.place_of(session), failed)
        if not sessions and not psks and self.config.psk_only:
            raise Fault(
                Reason.PSK_REQUIRED, f"after a retry that settled {hash_name} none of ours can be offered"
            )
        offer = evolve(self, transcript=transcript, sessions=tuple(sessions), psks=tuple(psks))
        return evolve(offer, identities=tuple(records), retried=True)

    def sent(self, flight: Flight) -> ClientOffer:
        """Send the hello; the transcript has it then."""
        hello = self.hello
        keys = self._keys() if self.sessions or self.psks else []
        if keys:
            offer = self._unbound_offer(keys, flight.now)
            hello = ClientHello(
                hello.random, hello.session_id, hello.cipher_suites, (*hello.extensions, offer)
            )
        raw = hello.encode()
        if keys:
            raw = self._with_binders(raw, keys)
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
            self.psks,
            self.retried,
            self.early_data,
            tuple([early for early, _ in keys]),
        )

    def _unbound_offer(self, keys: list[OfferedKey], now: float) -> PreSharedKeyOffer:
        """The offer with binders of zeros: their sizes count, since the hash covers all lengths before them."""
        identities = [PskIdentity(one.ticket, obfuscated_age(one, now)) for one in self.sessions]
        identities += [PskIdentity(psk.identity, 0) for psk in self.psks]
        binders = tuple([bytes(len(early.secret)) for early, _ in keys])
        return PreSharedKeyOffer(tuple(identities), binders)

    def _keys(self) -> list[OfferedKey]:
        """Those of the identities, in their order."""
        early = EarlySecret.from_psk
        keys = [
            (early(SUITES[one.cipher_suite].hash_name, one.secret), b"res binder") for one in self.sessions
        ]
        return keys + [(early(psk.hash_name, psk.key), psk.binder_label) for psk in self.psks]

    def _with_binders(self, raw: bytes, keys: list[OfferedKey]) -> bytes:
        """RFC 9846 section 4.3.11.2: each binder covers the hello up to the list of binders."""
        truncated = raw[: -(2 + sum([1 + len(early.secret) for early, _ in keys]))]
        binders, before = b"", self.transcript.messages
        for early, label in keys:
            hashed = hash_digest(early.hash_name, b"".join((*before, truncated)))
            value = binder(early.hash_name, early.binder_key(label), hashed)
            binders += bytes((len(value),)) + value
        return truncated + len(binders).to_bytes(2) + binders


def left_out(its_hash: str, size: int, named: str, hash_name: str, room: int) -> Check | None:
    """Why what was in the first hello cannot be in the second, if it cannot."""
    if its_hash != hash_name:
        return Check("hash", False, f"{named}; the retry settled {hash_name}")
    if size > room:
        return Check("size", False, f"{size} bytes, room for {max(room, 0)} in the second hello")
    return None


def note(records: list[IdentityRecord], place: int, failed: Check) -> None:
    """The record says what was left out, and why."""
    records[place] = evolve(records[place], checks=(*records[place].checks, failed))


def obfuscated_age(session: Session, now: float) -> int:
    """RFC 9846 section 4.3.11.1: milliseconds since the ticket came, plus ticket_age_add, modulo 2^32.

    Never rounded up: a client that is older than the server's clock allows gets no early data (section 8.3).
    """
    age = max(0, floor(now * 1000) - round(session.issued_at * 1000))
    return (age + session.age_add) & 0xFFFFFFFF
