"""What goes out: handshake messages are collected into records, and everything keeps its order."""

from __future__ import annotations

from typing import Final

from sansticket.codes import AlertDescription, AlertLevel, ContentType
from sansticket.record.writer import Padding, RecordWriter
from sansticket.wire.messages.alert import Alert

HANDSHAKE: Final = int(ContentType.HANDSHAKE)
ALERT: Final = int(ContentType.ALERT)


class Outbound:
    """The way out of one connection.

    ``messages`` holds handshake messages that are not in records yet: those under the same keys share their records,
    also those of several steps.  ``closed``: close_notify was our last word.  ``silent``: nothing was ever handed
    out.  Since bytes were last handed out, ``unsent_tickets`` were made, and ``answer_waits`` says that a KeyUpdate
    of the peer's was answered, with no data behind the answer.
    """

    __slots__ = ("answer_waits", "closed", "messages", "silent", "unsent_tickets", "writer")

    def __init__(self, padding: Padding | None) -> None:
        self.writer: RecordWriter = RecordWriter(padding=padding)
        self.messages: bytearray = bytearray()  # grows in place: there may be thousands of tickets
        self.closed: bool = False
        self.silent: bool = True
        self.unsent_tickets: int = 0
        self.answer_waits: bool = False

    def write(self, content_type: int, content: bytes | bytearray) -> None:
        """Add records, if anything may be sent still."""
        if not self.closed:
            self.writer.write(content_type, content)

    def flush(self) -> None:
        """Put the collected messages into records."""
        if self.messages:
            messages, self.messages = self.messages, bytearray()
            if not self.closed:
                self.writer.write(HANDSHAKE, messages)

    def alert(self, level: AlertLevel, description: AlertDescription) -> None:
        self.flush()
        self.write(ALERT, Alert(level, description).encode())
