"""From a packet to the TCP segment in it: link layers, IPv4 and IPv6.

What is no TCP is None.  Fragments of TCP are ``FRAGMENT`` and are not put together: TCP avoids them.  A packet that was
cut short by the capture counts as far as it goes, and says so.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Final, Literal, NamedTuple

from sansticket.captures.packets import Packet

SYN: Final = 0x02
ACK: Final = 0x10

TCP: Final = 6
IPV4: Final = 0x0800
IPV6: Final = 0x86DD
TAGS: Final = (0x8100, 0x88A8, 0x9100)
"""VLAN tags: four bytes more before the next EtherType (IEEE 802.1Q)."""

EXTENSIONS: Final = (0, 43, 60)
"""Headers of IPv6 that may stand before that of TCP (RFC 8200 section 4): hop by hop, routing, destination."""

FRAGMENT_HEADER: Final = 44
FRAGMENT: Final[Literal["fragment"]] = "fragment"
MAX_HEADERS: Final = 8


class Endpoint(NamedTuple):
    """An address and a port."""

    address: bytes
    port: int

    def __str__(self) -> str:
        host = str(ip_address(self.address))
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


class Segment(NamedTuple):
    """One TCP segment.  ``sequence`` is that of its first byte; ``flags`` are those above.

    ``cut``: there was more in the packet than in the capture.
    """

    source: Endpoint
    target: Endpoint
    sequence: int
    flags: int
    data: bytes
    cut: bool = False


Found = Segment | Literal["fragment"] | None


def segment_of(packet: Packet) -> Found:
    """The segment in a packet, if there is one; ``FRAGMENT`` where there is a part of one."""
    link = LINKS.get(packet.link)
    inner = link(packet.data) if link is not None else None
    if inner is None or not inner:
        return None
    version = inner[0] >> 4
    if version == 4:
        return _ipv4(inner)
    return _ipv6(inner) if version == 6 else None


def _ethernet(data: bytes) -> bytes | None:
    return _behind_tags(data, 14, int.from_bytes(data[12:14]))


def _cooked(data: bytes) -> bytes | None:
    return _behind_tags(data, 16, int.from_bytes(data[14:16]))


def _cooked_2(data: bytes) -> bytes | None:
    return _behind_tags(data, 20, int.from_bytes(data[:2]))


def _behind_tags(data: bytes, start: int, kind: int) -> bytes | None:
    """What is of the internet, from ``start`` on or behind the VLAN tags that stand there."""
    while kind in TAGS and start < len(data):
        kind = int.from_bytes(data[start + 2 : start + 4])
        start += 4
    return data[start:] if kind in (IPV4, IPV6) else None


LINKS: Final[dict[int, Callable[[bytes], bytes | None]]] = {
    0: lambda data: data[4:],  # BSD loopback: the family, in the byte order of whoever wrote it
    1: _ethernet,
    12: lambda data: data,
    14: lambda data: data,
    101: lambda data: data,  # raw IP
    108: lambda data: data[4:],  # OpenBSD loopback
    113: _cooked,  # Linux cooked, of the device "any"
    228: lambda data: data,
    229: lambda data: data,
    276: _cooked_2,
}
"""By link type: what stands behind the link's header."""


def _ipv4(data: bytes) -> Found:
    start, length = 4 * (data[0] & 15), int.from_bytes(data[2:4])
    if len(data) < 20 or start < 20 or data[9] != TCP:
        return None
    if int.from_bytes(data[6:8]) & 0x3FFF:  # more fragments, or an offset
        return FRAGMENT
    # A length of 0 is that of a packet which the network card cuts up.
    return _tcp(data[12:16], data[16:20], data[start : length or len(data)], cut=length > len(data))


def _ipv6(data: bytes) -> Found:
    if len(data) < 40:
        return None
    length, kind = int.from_bytes(data[4:6]), data[6]
    rest = data[40 : 40 + length] if length else data[40:]
    cut = length > len(rest)
    for _ in range(MAX_HEADERS):
        if kind == TCP:
            return _tcp(data[8:24], data[24:40], rest, cut=cut)
        if len(rest) < 8:
            return None
        if kind in EXTENSIONS:
            kind, rest = rest[0], rest[8 * (rest[1] + 1) :]
        elif kind == FRAGMENT_HEADER and not int.from_bytes(rest[2:4]) & 0xFFF9:  # the only one
            kind, rest = rest[0], rest[8:]
        elif kind == FRAGMENT_HEADER and rest[0] == TCP:
            return FRAGMENT
        else:
            return None
    return None


def _tcp(source: bytes, target: bytes, data: bytes, *, cut: bool) -> Segment | None:
    if len(data) < 20:
        return None
    start = 4 * (data[12] >> 4)
    if not 20 <= start <= len(data):
        return None
    return Segment(
        Endpoint(source, int.from_bytes(data[:2])),
        Endpoint(target, int.from_bytes(data[2:4])),
        int.from_bytes(data[4:8]),
        data[13],
        data[start:],
        cut,
    )
