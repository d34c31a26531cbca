"""Content in, records out."""

from collections.abc import Callable
from copy import copy
from itertools import repeat
from operator import index
from typing import Final

from attrs import define, field

from sansticket.record import tls12, tls13
from sansticket.record.buffers import sized_buffer
from sansticket.record.protection import MAX_PLAINTEXT

Padding = Callable[[int], int]
"""Bytes of content in a record -> zero bytes to add to it."""

Sealer = tls12.Sealer | tls13.Sealer

VERSION_BYTES: Final = {version: version.to_bytes(2) for version in (0x0301, 0x0303)}


@define(eq=False, weakref_slot=False)
class RecordWriter:
    """Cuts content into records, protects them and collects the bytes to send.

    ``max_fragment`` bounds the content of a record, in bytes (1 to 2^14).
    ``padding`` is asked once per TLS 1.3 record; what is below zero or does not fit counts as the nearest
    that does, and content and padding together stay within ``max_fragment``.
    ``legacy_record_version`` stands in unprotected records only: 0x0301 for a client's first ClientHello,
    0x0303 for all others (RFC 9846 section 5.1).
    """

    max_fragment: int = MAX_PLAINTEXT
    padding: Padding | None = None
    legacy_record_version: int = 0x0303
    sealer: Sealer | None = field(default=None, init=False)
    records: list[bytes] = field(factory=list, init=False, repr=False)
    """What was written and not taken."""

    def protect(self, sealer: Sealer | None) -> None:
        """Use these keys for all that is written from now on."""
        self.sealer = sealer

    @property
    def records_left(self) -> int | None:
        """How many records the present key may still protect; None without protection."""
        return None if self.sealer is None else self.sealer.records_left

    def has_room(self, length: int) -> bool:
        """Whether the present key may protect that many bytes of content, and a few records besides."""
        sealer = self.sealer
        return sealer is not None and sealer.sequence < sealer.replace_at - length // self.max_fragment

    def write(self, content_type: int, data: bytes | bytearray | memoryview) -> None:
        """Add ``data`` as one or more records; nothing when it is empty.

        All of it or nothing: ``padding`` is asked for every record before the first is sealed, and what it raises
        leaves the writer as it was.
        """
        content = data if type(data) is bytes else bytes(data)
        length = len(content)
        if length > self.max_fragment:
            self._write_many(content_type, content)
        elif self.sealer is not None and self.padding is None and length:
            self.records.append(self.sealer.seal(content_type, content))
        elif length:
            padding = 0 if self.sealer is None else self._padding_of(content)
            self.records.append(self._record(content_type, content, padding))

    def waiting(self) -> bytes:
        """What ``take`` would give; it stays there."""
        return b"".join(self.records)

    def put_back(self, records: bytes) -> None:
        """Bytes that leave before all that is written from now on."""
        self.records = [records] if records else []

    def take(self) -> bytes:
        """All that was written since the last call, in order."""
        records = self.records
        if not records:
            return b""
        self.records = []
        return records[0] if len(records) == 1 else b"".join(records)

    def _write_many(self, content_type: int, content: bytes) -> None:
        """More than fits into one record."""
        size = self.max_fragment
        if self.sealer is None or self.padding is not None:
            fragments = [content[start : start + size] for start in range(0, len(content), size)]
            paddings = [self._padding_of(fragment) for fragment in fragments]
            self.records += [*map(self._record, repeat(content_type), fragments, paddings)]
            return
        sealer = self.sealer
        total = len(content) + sealer.overhead * -(-len(content) // size)
        output = sized_buffer(total)
        with output.getbuffer() as room, memoryview(content) as view:
            sealer.seal_run(room, content_type, view, size)
        self.records.append(output.getvalue())

    def _padding_of(self, fragment: bytes) -> int:
        """Bytes of padding for a record with this content."""
        if self.padding is None or self.sealer is None or not self.sealer.pads:
            return 0
        return min(max(index(self.padding(len(fragment))), 0), self.max_fragment - len(fragment))

    def _record(self, content_type: int, fragment: bytes, padding: int) -> bytes:
        """One record, unprotected or padded."""
        sealer = self.sealer
        if sealer is None:
            start = bytes((content_type,)) + VERSION_BYTES[self.legacy_record_version]
            return start + len(fragment).to_bytes(2) + fragment
        return sealer.seal(content_type, fragment, padding)

    def __getstate__(self) -> dict[str, object]:
        return {
            "max_fragment": self.max_fragment,
            "padding": self.padding,
            "legacy_record_version": self.legacy_record_version,
            "sealer": copy(self.sealer),
            "records": list(self.records),
        }

    def __setstate__(self, state: dict[str, object]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
