"""What both sides of an established TLS 1.3 connection do alike: KeyUpdate, in both directions."""

from __future__ import annotations

from typing import ClassVar, Final, Self

from attrs import evolve, field

from sansticket.codes import KeyUpdateRequest
from sansticket.commands import UpdateKeys
from sansticket.errors import LocalProtocolError
from sansticket.events import KeysUpdated
from sansticket.handshake.machine.established import Established
from sansticket.handshake.machine.flight import Flight
from sansticket.handshake.machine.state import State
from sansticket.handshake.machine.version import TLS_1_3
from sansticket.keys.tls13 import next_traffic_secret, traffic_keys
from sansticket.values import changed, value
from sansticket.wire.messages.base import Message
from sansticket.wire.messages.tls13 import KeyUpdate

MAX_KEY_UPDATES: Final = 2**48 - 4
"""How often our keys may be replaced.  The epoch, 3 for the first application keys, must not go beyond 2^48 - 1
(RFC 9846 section 4.7.3)."""


@value(kw_only=True)
class Connected(State):
    """RFC 9846 appendix A, CONNECTED.

    ``reading_secret`` and ``writing_secret`` are the application traffic secrets of the two directions;
    ``key_updates`` counts ours.  ``asked_for_update``: a KeyUpdate of the peer's, which we asked for, is to come.
    """

    ESTABLISHED: ClassVar[bool] = True
    OVERLOOKS_CHANGE_CIPHER_SPEC: ClassVar[bool] = False

    established: Established
    reading_secret: bytes = field(repr=False)
    writing_secret: bytes = field(repr=False)
    key_updates: int = 0
    asked_for_update: bool = False

    @property
    def sends_at_once(self) -> bool:
        return True

    def awaits(self, message: Message) -> bool:
        return self.asked_for_update and type(message) is KeyUpdate

    def without_writing_secrets(self) -> Self:
        return changed(self, writing_secret=b"")

    def without_reading_secrets(self) -> Self:
        return changed(self, reading_secret=b"")

    def on_key_update(self, message: KeyUpdate, flight: Flight) -> Self:
        """The peer has new keys; perhaps it wants us to have new ones too (RFC 9846 section 4.7.3)."""
        suite = self.established.suite
        secret = next_traffic_secret(suite.hash_name, self.reading_secret)
        flight.protect_reads(TLS_1_3, suite, traffic_keys(suite, secret))
        flight.emit(KeysUpdated(by_peer=True))
        connected = evolve(self, reading_secret=secret, asked_for_update=False)
        wanted = message.request_update == KeyUpdateRequest.UPDATE_REQUESTED
        # However many ask for it, one answer is enough as long as it waits to be written, and no data behind it.
        if wanted and flight.can_send and not flight.answer_waits and self.key_updates < MAX_KEY_UPDATES:
            flight.answers_update = True
            return connected.with_new_writing_keys(KeyUpdateRequest.UPDATE_NOT_REQUESTED, flight)
        return connected

    def on_update_keys(self, command: UpdateKeys, flight: Flight) -> Self:
        """One request at a time: as long as the peer has not answered the last one, there is no other."""
        if self.key_updates >= MAX_KEY_UPDATES:
            raise LocalProtocolError(f"UpdateKeys after {self.key_updates} updates; expected Close")
        if not command.request_peer or self.asked_for_update:
            return self.with_new_writing_keys(KeyUpdateRequest.UPDATE_NOT_REQUESTED, flight)
        asking = evolve(self, asked_for_update=True)
        return asking.with_new_writing_keys(KeyUpdateRequest.UPDATE_REQUESTED, flight)

    def with_new_writing_keys(self, requested: KeyUpdateRequest, flight: Flight) -> Self:
        suite = self.established.suite
        flight.send(KeyUpdate(requested))
        secret = next_traffic_secret(suite.hash_name, self.writing_secret)
        flight.protect_writes(TLS_1_3, suite, traffic_keys(suite, secret))
        flight.emit(KeysUpdated(by_peer=False))
        return evolve(self, writing_secret=secret, key_updates=self.key_updates + 1)
