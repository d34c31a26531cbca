"""How large records may be, where one side asks for less than the protocol allows (RFC 8449, RFC 6066 section 4).

TLS 1.3 counts the content type with the content in record_size_limit, and padding; in max_fragment_length it does not
count the type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sansticket.config.base import Config
from sansticket.handshake.machine.flight import Flight
from sansticket.handshake.machine.version import Version
from sansticket.record.protection import MAX_PLAINTEXT
from sansticket.values import value
from sansticket.wire.extensions.base import Extension
from sansticket.wire.extensions.negotiation import MaxFragmentLength, RecordSizeLimit
from sansticket.wire.messages.base import ExtensionsMessage
from sansticket.wire.messages.hello import ClientHello

if TYPE_CHECKING:
    from sansticket.config.client import ClientConfig


@value
class RecordSizes:
    """Bytes of content in a record: of ours, and of the peer's.  ``answer`` is what a server says of it."""

    writes: int
    reads: int
    answer: Extension

    def keep(self, flight: Flight) -> None:
        """From here on."""
        flight.limit_records(self.writes, self.reads)


def sizes_asked_for(config: Config, hello: ClientHello, version: Version) -> RecordSizes | None:
    """What a client wants, and a server grants.

    max_fragment_length counts where record_size_limit is not (RFC 8449 section 5).
    """
    limit = hello.find(RecordSizeLimit)
    if limit is not None:
        return _limited(config, limit, version)
    fragment = hello.find(MaxFragmentLength)
    return None if fragment is None else RecordSizes(fragment.length, fragment.length, fragment)


def sizes_agreed(config: ClientConfig, message: ExtensionsMessage, version: Version) -> RecordSizes | None:
    """What a server answered to a client that asked."""
    answer = message.find(RecordSizeLimit) if config.record_size_limit is not None else None
    return _limited(config, answer, version) if answer is not None else None


def _limited(config: Config, theirs: RecordSizeLimit, version: Version) -> RecordSizes:
    """A limit beyond what the version has is as good as none (RFC 8449 section 4)."""
    hidden = version.hidden_bytes
    ours = min(config.record_size_limit or MAX_PLAINTEXT + hidden, MAX_PLAINTEXT + hidden)
    writes = min(theirs.limit - hidden, MAX_PLAINTEXT)
    return RecordSizes(writes, ours - hidden, RecordSizeLimit(ours))
