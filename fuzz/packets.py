"""Writes captures: TCP connections as packets, packets as pcap and pcapng files."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Final, Literal

from attrs import Factory, define

from sansticket.captures.packets import Packet
from sansticket.debug.explain import Side

Link = Literal["ethernet", "vlan", "loopback", "raw", "cooked", "cooked2"]

LINKS: Final[dict[Link, int]] = {
    "ethernet": 1,
    "vlan": 1,
    "loopback": 0,
    "raw": 101,
    "cooked": 113,
    "cooked2": 276,
}

LINK_NAMES: Final = tuple(LINKS)

SYN, ACK, FIN, PSH = 2, 16, 1, 8


@define
class Talk:
    """Makes the packets of one TCP connection, with a handshake before the bytes unless told otherwise."""

    client: tuple[str, int] = ("127.0.0.1", 50_000)
    server: tuple[str, int] = ("127.0.0.1", 443)
    link: Link = "ethernet"
    time: float = 1_700_000_000.25
    sequence: dict[Side, int] = Factory(lambda: {"client": 0xFFFFFF00, "server": 5_000})  # one wraps around
    packets: list[Packet] = Factory(list)

    def open(self) -> None:
        """SYN and SYN+ACK."""
        flags_of: dict[Side, int] = {"client": SYN, "server": SYN | ACK}
        for side, flags in flags_of.items():
            self.packet(side, b"", flags)
            self.sequence[side] = (self.sequence[side] + 1) % (1 << 32)

    def say(self, side: Side, data: bytes, size: int = 1400) -> list[Packet]:
        """Bytes of one side, in segments of at most ``size``."""
        made = []
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            made.append(self.packet(side, piece, ACK | PSH))
            self.sequence[side] = (self.sequence[side] + len(piece)) % (1 << 32)
        return made

    def packet(self, side: Side, data: bytes, flags: int) -> Packet:
        """One segment, a millisecond after the last one."""
        self.time += 0.001
        source, target = (self.client, self.server) if side == "client" else (self.server, self.client)
        tcp = struct.pack(
            ">HHIIBBHHH", source[1], target[1], self.sequence[side], 0, 5 << 4, flags, 4096, 0, 0
        )
        packet = Packet(
            self.time, LINKS[self.link], framed(self.link, internet(source[0], target[0], tcp + data))
        )
        self.packets.append(packet)
        return packet


def internet(source: str, target: str, data: bytes, kind: int = 6) -> bytes:
    """An IPv4 or an IPv6 packet."""
    one, other = ip_address(source).packed, ip_address(target).packed
    if len(one) == 4:
        header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(data), 1, 0x4000, 64, kind, 0)
        return header + one + other + data
    return struct.pack(">IHBB", 6 << 28, len(data), kind, 64) + one + other + data


def framed(link: Link, packet: bytes) -> bytes:
    """With the header of the link."""
    kind = b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd"
    return {
        "ethernet": bytes(12) + kind,
        "vlan": bytes(12) + b"\x81\x00\x00\x07" + kind,
        "loopback": b"\x02\0\0\0",
        "raw": b"",
        "cooked": bytes(14) + kind,
        "cooked2": kind + bytes(18),
    }[link] + packet


def pcap(packets: Iterable[Packet], *, nano: bool = False, order: str = "<") -> bytes:
    """A file as tcpdump writes it; all packets have the link type of the first."""
    listed = list(packets)
    unit = 10**9 if nano else 10**6
    magic = 0xA1B23C4D if nano else 0xA1B2C3D4
    made = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 262_144, listed[0].link if listed else 1)
    for packet in listed:
        seconds = int(packet.time)
        size = len(packet.data)
        made += (
            struct.pack(f"{order}IIII", seconds, round((packet.time - seconds) * unit), size, size)
            + packet.data
        )
    return made


def pcapng(packets: Iterable[Packet], *, order: str = "<", key_log: str = "") -> bytes:
    """A file as dumpcap writes it, with an interface for each link type, and with a key log as editcap puts it in."""
    listed = list(packets)
    made = block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1), order)
    if key_log:
        secrets = key_log.encode()
        body = struct.pack(f"{order}II", 0x544C534B, len(secrets)) + secrets + bytes(-len(secrets) % 4)
        made += block(10, body, order)
    links = list(dict.fromkeys(packet.link for packet in listed))
    for link in links:
        made += block(1, struct.pack(f"{order}HHI", link, 0, 0), order)
    for packet in listed:
        moment, size = round(packet.time * 10**6), len(packet.data)
        header = struct.pack(
            f"{order}IIIII", links.index(packet.link), moment >> 32, moment & 0xFFFFFFFF, size, size
        )
        made += block(6, header + packet.data + bytes(-size % 4), order)
    return made


def block(kind: int, body: bytes, order: str) -> bytes:
    """A block of pcapng."""
    size = len(body) + 12
    return struct.pack(f"{order}II", kind, size) + body + struct.pack(f"{order}I", size)


def captured(wire: Iterable[tuple[Side, bytes]], **how: object) -> Talk:
    """A connection whose bytes are known, as packets."""
    talk = Talk(**how)  # type: ignore[arg-type]  # whatever Talk takes
    talk.open()
    for side, data in wire:
        talk.say(side, data)
    return talk
