"""The packets in a file of tcpdump's, Wireshark's or dumpcap's: pcap and pcapng.

The two formats are read by ``scapy``, which the extra ``captures`` brings.  Of it only the reader of files is used,
which hands out packets as bytes: what is inside them is read by ``segments``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from struct import error as StructError
from struct import unpack
from typing import Any, Final

from attrs import field

from sansticket.captures.errors import CaptureError
from sansticket.text import MAX_PIECE, printable
from sansticket.values import frozen

PCAP_MAGIC: Final = frozenset(bytes.fromhex(one) for one in ("a1b2c3d4", "d4c3b2a1", "a1b23c4d", "4d3cb2a1"))
PCAPNG_MAGIC: Final = bytes.fromhex("0a0d0d0a")

MAX_PACKET: Final = 1 << 18
"""Bytes of a packet; what is longer is cut.  On loopback one has 64 KiB and its headers."""

MAX_FILE: Final = 1 << 30
"""Bytes of a file: all of it is held in memory."""

NANOSECONDS: Final = 1_000_000_000
MICROSECONDS: Final = 1_000_000

LINK_TYPE: Final = 0xFFFF
"""Of the field in the header of a pcap file; the bits above say whether frames end with a checksum."""

INTERFACE: Final = 1
SECRETS: Final = 10
"""Types of blocks of pcapng."""

TLS_KEY_LOG: Final = 0x544C534B
"""The kind of secrets that a key log is."""


@frozen
class Packet:
    """One packet: seconds since the epoch (0 where the file does not say), the number of its link type, its bytes.

    The link types are those of https://www.tcpdump.org/linktypes.html.
    """

    time: float
    link: int
    data: bytes = field(repr=lambda data: f"<{len(data)} bytes>")


def is_packets(data: bytes) -> bool:
    """Whether a file is one of these, by its first four bytes."""
    return data[:4] in PCAP_MAGIC or data[:4] == PCAPNG_MAGIC


class PacketFile:
    """The packets of a file, to be gone through once.  ``note`` says afterwards where it is damaged, if it is.

    CaptureError for what is none, and where ``scapy`` is missing.
    """

    def __init__(self, data: bytes) -> None:
        if not is_packets(data):
            raise CaptureError("neither pcap nor pcapng; expected one of their magic numbers")
        if len(data) > MAX_FILE:
            raise CaptureError(f"{len(data)} bytes; expected at most {MAX_FILE}: cut it with editcap -c")
        self.note = ""
        self._secrets: list[str] = []
        self._stream = _Noting(data)
        self._size = len(data)
        reader = _reader_class()
        try:
            with _quiet():
                self._reader: Any = reader(self._stream)
        except Exception as error:  # whatever the reader makes of a header that is none
            raise CaptureError(f"its header is damaged: {_said(error)}") from None
        if not hasattr(self._reader, "linktype"):
            self._complete_pcapng()

    def _complete_pcapng(self) -> None:
        """What scapy 2.8.0 leaves out: a section begins without interfaces, and secrets are handed out."""
        reader = self._reader
        read_section, read_interface = reader._read_block_shb, reader.blocktypes[INTERFACE]

        def section() -> None:
            reader.interfaces.clear()
            read_section()

        def interface(block: bytes, size: int) -> None:
            read_interface(block, size)
            link, most, options = reader.interfaces[-1]
            reader.interfaces[-1] = link, most or MAX_PACKET, options  # 0 is no limit

        reader._read_block_shb = section
        reader.blocktypes.update({INTERFACE: interface, SECRETS: self._take_secrets})

    def _take_secrets(self, block: bytes, size: int) -> None:
        try:
            kind, length = unpack(f"{self._reader.endian}II", block[:8])
        except StructError:
            raise EOFError from None  # as the reader does where a block is too short
        if kind == TLS_KEY_LOG:
            self._secrets.append(block[8 : 8 + length].decode("ascii", "replace"))

    @property
    def key_log(self) -> str:
        """The lines of the key logs so far (pcapng, as editcap puts them there)."""
        return "\n".join(self._secrets)

    def __iter__(self) -> Iterator[Packet]:
        with _quiet():
            while True:
                try:
                    data, about = self._reader._read_packet(MAX_PACKET)  # the public methods cut at 64 KiB
                    packet = self._packet(data, about)
                except EOFError:
                    break
                except Exception as error:  # as above, of what stands behind it
                    self.note = f"damaged before byte {self._stream.tell()}: {_said(error)}"
                    return
                if self._stream.torn or len(data) < min(getattr(about, "caplen", 0), MAX_PACKET):
                    self._stream.torn = True
                    break
                yield packet
        if self._stream.torn or not self._ends_whole():
            self.note = "it ends amid a packet"
        elif self._stream.tell() < self._size:
            self.note = f"damaged before byte {self._stream.tell()} of {self._size}: no more is read"

    def _ends_whole(self) -> bool:
        """A block of pcapng has its length at both ends: the last four bytes say where the last one begins."""
        whole = self._stream.getbuffer()
        end = bytes(whole[-4:])
        if hasattr(self._reader, "linktype") or self._stream.tell() < self._size:
            return True  # pcap, or damaged before its end
        lengths = (int.from_bytes(end, "little"), int.from_bytes(end, "big"))
        return any(whole[-size:][4:8] == end for size in lengths if 12 <= size <= self._size)

    def _packet(self, data: bytes, about: Any) -> Packet:
        if hasattr(about, "sec"):  # pcap
            unit = NANOSECONDS if self._reader.nano else MICROSECONDS
            return Packet(about.sec + about.usec / unit, self._reader.linktype & LINK_TYPE, data)
        if about.tshigh is None or about.tslow is None or not about.tsresol:
            return Packet(0.0, about.linktype, data)
        return Packet(((about.tshigh << 32) + about.tslow) / about.tsresol, about.linktype, data)


class _Noting(BytesIO):
    """Notes whether somebody got less than what was asked for, and not nothing."""

    torn = False

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.torn |= size is not None and 0 < len(data) < size
        return data


def _reader_class() -> Any:
    try:
        from scapy.utils import RawPcapReader
    except ImportError:
        raise CaptureError(
            "a file of packets, for which scapy is needed; expected sansticket[captures] to be installed"
        ) from None
    return RawPcapReader


@contextmanager
def _quiet() -> Iterator[None]:
    """The reader tells of damages in a log; here they are said once."""
    log = logging.getLogger("scapy.runtime")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


def _said(error: Exception) -> str:
    return printable(f"{type(error).__name__}: {error}", MAX_PIECE)
