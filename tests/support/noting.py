"""What a connection says, whichever way it is cut into records.

Handshake messages share a record until the connection rests, and it rests at a question: the same messages come in
more records where an answer is late.
"""

from __future__ import annotations

from attrs import define, field

from sansticket.connection.connection import Connection
from sansticket.record.writer import RecordWriter, Sealer

Said = list[tuple[int, bytes]]
"""Content types with their content; type 0 stands for new keys."""


@define(eq=False)
class _NotingWriter(RecordWriter):
    said: Said = field(factory=list, init=False)

    def write(self, content_type: int, data: bytes | bytearray | memoryview) -> None:
        before = b""
        if self.said and self.said[-1][0] == content_type:
            before = self.said.pop()[1]
        self.said.append((content_type, before + bytes(data)))
        super().write(content_type, data)

    def protect(self, sealer: Sealer | None) -> None:
        self.said.append((0, repr(sealer).encode()))
        super().protect(sealer)


def what_it_says(connection: Connection) -> Said:
    """A list that grows with all that ``connection`` writes from now on."""
    noting = _NotingWriter()
    noting.__setstate__(connection._engine.outbound.writer.__getstate__())
    connection._engine.outbound.writer = noting
    return noting.said
