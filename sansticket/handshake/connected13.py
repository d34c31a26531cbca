"""What both sides of an established TLS 1.3 connection do alike: KeyUpdate, in both directions."""

from __future__ import annotations

from typing import ClassVar, Self

from attrs import evolve, field

from sansticket.commands import UpdateKeys
from sansticket.events import KeysUpdated
from sansticket.handshake.established import Established
from sansticket.handshake.machine import Flight, State
from sansticket.keys.schedule13 import next_traffic_secret, traffic_keys
from sansticket.values import value
from sansticket.wire.codes import KeyUpdateRequest, ProtocolVersion
from sansticket.wire.messages import KeyUpdate


@value(kw_only=True)
class Connected13(State):
    """RFC 9846 appendix A, CONNECTED.

    ``reading_secret`` and ``writing_secret`` are the application traffic secrets of the two directions.
    """

    ESTABLISHED: ClassVar[bool] = True

    established: Established
    reading_secret: bytes = field(repr=False)
    writing_secret: bytes = field(repr=False)

    @property
    def sends_at_once(self) -> bool:
        return True

    def on_key_update(self, message: KeyUpdate, flight: Flight) -> Self:
        """The peer has new keys; perhaps it wants us to have new ones too (RFC 9846 section 4.7.3)."""
        suite = self.established.suite
        secret = next_traffic_secret(suite.hash_name, self.reading_secret)
        flight.protect_reads(ProtocolVersion.TLS_1_3, suite, traffic_keys(suite, secret))
        flight.emit(KeysUpdated(by_peer=True))
        connected = evolve(self, reading_secret=secret)
        if message.request_update == KeyUpdateRequest.UPDATE_REQUESTED and flight.can_send:
            return connected.with_new_writing_keys(KeyUpdateRequest.UPDATE_NOT_REQUESTED, flight)
        return connected

    def on_update_keys(self, command: UpdateKeys, flight: Flight) -> Self:
        requested = (
            KeyUpdateRequest.UPDATE_REQUESTED
            if command.request_peer
            else KeyUpdateRequest.UPDATE_NOT_REQUESTED
        )
        return self.with_new_writing_keys(requested, flight)

    def with_new_writing_keys(self, requested: KeyUpdateRequest, flight: Flight) -> Self:
        suite = self.established.suite
        flight.send(KeyUpdate(requested))
        secret = next_traffic_secret(suite.hash_name, self.writing_secret)
        flight.protect_writes(ProtocolVersion.TLS_1_3, suite, traffic_keys(suite, secret))
        flight.emit(KeysUpdated(by_peer=False))
        return evolve(self, writing_secret=secret)
