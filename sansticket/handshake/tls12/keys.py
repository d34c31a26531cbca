"""What client and server of TLS 1.2 have in common: the keys, and what proves that both have them (RFC 5246).

A handshake has three stages.  ``Hellos`` is what the two hellos settle; ``Keys`` exists when the key exchange
is done, or when a session is resumed; after both Finished messages there is ``Connected``.  Each direction
becomes protected with its change_cipher_spec, which is an input of its own (``machine.ChangeCipherSpec``).
"""

from __future__ import annotations

import hmac
from typing import Final, Self

from attrs import field

from sansticket.codes import ProtocolVersion
from sansticket.crypto.suites import SuiteParameters
from sansticket.errors import Fault, Reason
from sansticket.handshake.machine.flight import Flight
from sansticket.handshake.machine.version import TLS_1_2
from sansticket.keys.tls12 import ConnectionKeys, Exporter, MasterSecret
from sansticket.keys.transcript import Transcript
from sansticket.tickets.session import Session
from sansticket.values import value
from sansticket.wire.cursor import malformed
from sansticket.wire.messages.tls13 import Finished

TLS12: Final = ProtocolVersion.TLS_1_2

NOT_RESUMABLE: Final = "without extended master secret no session can be resumed"
"""RFC 7627 section 5.3: so there is no ticket, no session id and nothing to keep."""


@value
class Hellos:
    """What ClientHello and ServerHello settle."""

    suite: SuiteParameters
    client_random: bytes
    server_random: bytes
    extended_master_secret: bool
    alpn_protocol: bytes | None
    server_name: str | None


@value
class Keys:
    """The master secret, and what the two randoms make of it."""

    hellos: Hellos
    master: MasterSecret
    keys: ConnectionKeys = field(repr=False)

    @classmethod
    def exchanged(cls, hellos: Hellos, shared_secret: bytes, transcript: Transcript) -> Self:
        """After a key exchange.  ``transcript`` ends with ClientKeyExchange (RFC 7627 section 4)."""
        hash_name = hellos.suite.hash_name
        if hellos.extended_master_secret:
            master = MasterSecret.extended(hash_name, shared_secret, transcript.digest())
        else:
            master = MasterSecret.plain(hash_name, shared_secret, hellos.client_random, hellos.server_random)
        return cls._of(hellos, master)

    @classmethod
    def resumed(cls, hellos: Hellos, session: Session) -> Self:
        return cls._of(hellos, MasterSecret(hellos.suite.hash_name, session.secret))

    @classmethod
    def _of(cls, hellos: Hellos, master: MasterSecret) -> Self:
        keys = master.connection_keys(hellos.suite, hellos.client_random, hellos.server_random)
        return cls(hellos, master, keys)

    @property
    def exporter(self) -> Exporter:
        return Exporter(self.master, self.hellos.client_random, self.hellos.server_random)

    def log(self, flight: Flight) -> None:
        """Where ``flight.logs_secrets``."""
        flight.log_secrets(self.hellos.client_random, {"CLIENT_RANDOM": self.master.secret})

    def change_cipher_spec(self, flight: Flight, *, server: bool) -> None:
        """Ours; what we write after it is protected."""
        flight.send_change_cipher_spec()
        keys = self.keys.server if server else self.keys.client
        flight.protect_writes(TLS_1_2, self.hellos.suite, keys)

    def changed_cipher_spec(self, flight: Flight, *, server: bool) -> None:
        """The peer's; what comes after it is protected.  ``server``: the peer is the server."""
        keys = self.keys.server if server else self.keys.client
        flight.protect_reads(TLS_1_2, self.hellos.suite, keys)

    def finished(self, transcript: Transcript, *, server: bool) -> Finished:
        """The Finished of one side, over all messages before it (RFC 5246 section 7.4.9)."""
        return Finished(self.master.verify_data(transcript.digest(), server=server))

    def check_finished(self, message: Finished, transcript: Transcript, *, server: bool) -> None:
        expected = self.master.verify_data(transcript.digest(), server=server)
        if len(message.verify_data) != len(expected):
            raise malformed(f"a Finished of {len(message.verify_data)} bytes; expected {len(expected)}")
        if not hmac.compare_digest(expected, message.verify_data):
            raise Fault(Reason.BAD_FINISHED)
