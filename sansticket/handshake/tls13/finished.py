"""The Finished messages of TLS 1.3 (RFC 9846 section 4.5.3)."""

from __future__ import annotations

import hmac

from sansticket.errors import Fault, Reason
from sansticket.keys.tls13 import finished_mac
from sansticket.keys.transcript import Transcript
from sansticket.wire.cursor import malformed
from sansticket.wire.messages.tls13 import (
    Finished,
)


def finished_message(hash_name: str, traffic_secret: bytes, transcript: Transcript) -> Finished:
    return Finished(finished_mac(hash_name, traffic_secret, transcript.digest()))


def check_finished(message: Finished, hash_name: str, traffic_secret: bytes, transcript: Transcript) -> None:
    expected = finished_mac(hash_name, traffic_secret, transcript.digest())
    if len(message.verify_data) != len(expected):
        raise malformed(f"a Finished of {len(message.verify_data)} bytes; expected {len(expected)}")
    if not hmac.compare_digest(expected, message.verify_data):
        raise Fault(Reason.BAD_FINISHED)
