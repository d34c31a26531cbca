"""Files of packets, and the TCP segments in packets."""

from __future__ import annotations

import struct
import sys
from ipaddress import ip_address

import pytest

from fuzz.packets import Link, Talk, block, framed, internet, pcap, pcapng
from sansticket.captures.connections import connections_in
from sansticket.captures.errors import CaptureError
from sansticket.captures.packets import Packet, PacketFile, is_packets
from sansticket.captures.segments import FRAGMENT, Endpoint, Segment, segment_of

LINKS: tuple[Link, ...] = ("ethernet", "vlan", "loopback", "raw", "cooked", "cooked2")


def talk(link: Link = "ethernet") -> list[Packet]:
    made = Talk(link=link)
    made.open()
    made.say("client", bytes(range(200)), 90)
    return made.packets


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("form", ["pcap", "pcap with nanoseconds", "pcapng"])
def test_every_format(form: str, order: str) -> None:
    packets = talk()
    data = (
        pcapng(packets, order=order) if form == "pcapng" else pcap(packets, nano="nano" in form, order=order)
    )
    assert is_packets(data)
    file = PacketFile(data)
    read = list(file)
    assert [(one.link, one.data) for one in read] == [(one.link, one.data) for one in packets]
    assert [one.time for one in read] == pytest.approx([one.time for one in packets], abs=2e-6)
    assert file.note == ""


def test_interfaces_of_several_links() -> None:
    packets = [one for link in LINKS for one in talk(link)]
    assert [one.link for one in PacketFile(pcapng(packets))] == [one.link for one in packets]


def test_each_section_has_its_own_interfaces() -> None:
    """Files that were put together, as cat does: the first interface of each is another."""
    first, second = talk("ethernet"), talk("raw")
    file = PacketFile(pcapng(first) + pcapng(second, order=">"))
    assert [one.link for one in file] == [1] * len(first) + [101] * len(second)
    assert file.note == ""


def test_a_simple_packet_has_no_bound_where_there_is_none() -> None:
    """Of the interface; 0 is no limit."""
    data = talk("raw")[-1].data
    simple = struct.pack("<I", len(data)) + data + bytes(-len(data) % 4)
    for most, kept in ((0, len(data)), (50, 50)):
        start = pcapng([]) + block(1, struct.pack("<HHI", 101, 0, most), "<")
        (packet,) = PacketFile(start + block(3, simple if not most else simple[: 4 + 52], "<"))
        assert (packet.link, packet.time, packet.data) == (101, 0.0, data[:kept])


def test_frames_with_a_checksum_behind_them() -> None:
    """The upper bits beside the link type say so."""
    data = bytearray(pcap(talk()))
    data[20:24] = struct.pack("<I", 0x24000001)
    assert {one.link for one in PacketFile(bytes(data))} == {1}


def test_a_key_log_in_the_file() -> None:
    secrets = block(10, struct.pack("<II", 0x5353484B, 4) + b"ssh\n", "<")
    file = PacketFile(pcapng(talk(), key_log="one\n\xe4") + secrets + pcapng([], order=">", key_log="two"))
    assert len(list(file)) == len(talk())
    assert file.key_log.splitlines() == ["one", "\ufffd\ufffd", "two"]
    assert file.note == ""
    damaged = PacketFile(pcapng([]) + block(10, b"TLSK", "<"))
    assert list(damaged) == []
    assert damaged.key_log == ""


@pytest.mark.parametrize("data", [b"", b"\x0a\x0d", b"a text", b"\x16\x03\x01\0\0"])
def test_what_is_no_such_file(data: bytes) -> None:
    assert not is_packets(data)
    with pytest.raises(CaptureError, match="neither pcap nor pcapng"):
        PacketFile(data)


@pytest.mark.parametrize("data", [pcap([])[:20], pcapng([])[:12], b"\x0a\x0d\x0d\x0a" + bytes(60)])
def test_a_header_that_is_damaged(data: bytes) -> None:
    with pytest.raises(CaptureError, match="its header is damaged"):
        PacketFile(data)


@pytest.mark.parametrize("write", [pcap, pcapng], ids=["pcap", "pcapng"])
def test_a_torn_file_is_read_as_far_as_it_goes(write: object) -> None:
    data = write(talk())  # type: ignore[operator]  # one of the two functions
    ends: dict[int, list[str]] = {}
    for cut in range(len(write(talk()[:1])), len(data) + 1):  # type: ignore[operator]  # as above
        file = PacketFile(data[:cut])
        ends.setdefault(len(list(file)), []).append(file.note)
    assert sorted(ends) == [1, 2, 3, 4, 5]
    for notes in ends.values():
        assert all(note == "it ends amid a packet" for note in notes[1:])
        assert notes[0] == ""


def test_a_block_that_is_damaged() -> None:
    data = bytearray(pcapng(talk()))
    data[-4:] = b"\xff\xff\xff\xff"  # the length once more
    file = PacketFile(bytes(data))
    assert len(list(file)) == 4
    assert file.note == "it ends amid a packet"
    data = bytearray(pcapng(talk()))
    second = len(pcapng(talk()[:1]))
    data[second + 4 : second + 8] = b"\0\0\0\0"
    file = PacketFile(bytes(data))
    assert len(list(file)) == 1
    assert file.note == f"damaged before byte {second + 8} of {len(data)}: no more is read"


def test_without_scapy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scapy.utils", None)
    with pytest.raises(CaptureError, match=r"expected sansticket\[captures\] to be installed"):
        connections_in(pcap(talk()))


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize(
    "addresses", [("127.0.0.1", "10.1.2.3"), ("::1", "2001:db8::7")], ids=["IPv4", "IPv6"]
)
def test_every_link_and_both_internets(link: Link, addresses: tuple[str, str]) -> None:
    made = Talk((addresses[0], 40_000), (addresses[1], 8443), link)
    (packet,) = made.say("client", b"hello")
    segment = segment_of(packet)
    assert isinstance(segment, Segment)
    assert segment.source == Endpoint(ip_address(addresses[0]).packed, 40_000)
    assert segment.target == Endpoint(ip_address(addresses[1]).packed, 8443)
    assert (segment.sequence, segment.data) == (0xFFFFFF00, b"hello")
    assert str(segment.target) == ("10.1.2.3:8443" if "." in addresses[0] else "[2001:db8::7]:8443")


@pytest.mark.parametrize(
    ("link", "size", "kind"), [("ethernet", 14, 12), ("cooked", 16, 14), ("cooked2", 20, 0)]
)
def test_tags_behind_every_link(link: Link, size: int, kind: int) -> None:
    """Two of them: of a provider, and of its customer."""
    (packet,) = Talk(link=link).say("client", b"hello")
    own = packet.data[kind : kind + 2]
    tagged = bytearray(packet.data[:size])
    tagged[kind : kind + 2] = b"\x88\xa8"
    whole = bytes(tagged) + b"\0\1\x81\0" + b"\0\2" + own + packet.data[size:]
    assert segment_of(Packet(0, packet.link, whole)) == segment_of(packet)
    assert segment_of(Packet(0, packet.link, whole[: size + 3])) is None


def ipv6(kind: int, headers: bytes, tcp: bytes) -> bytes:
    return internet("::1", "::2", headers + tcp, kind)


def test_what_stands_between_ipv6_and_tcp() -> None:
    tcp = segment_bytes(b"hello")
    hop_by_hop = bytes((60, 0)) + bytes(6)
    destination = bytes((44, 1)) + bytes(14)
    whole = bytes((6, 0, 0, 0)) + bytes(4)
    segment = segment_of(Packet(0, 101, ipv6(0, hop_by_hop + destination + whole, tcp)))
    assert isinstance(segment, Segment)
    assert segment.data == b"hello"
    fragment = bytes((6, 0, 0, 9)) + bytes(4)
    assert segment_of(Packet(0, 101, ipv6(44, fragment, tcp))) == FRAGMENT
    assert segment_of(Packet(0, 101, ipv6(44, b"\x11" + fragment[1:], tcp))) is None
    assert segment_of(Packet(0, 101, ipv6(17, b"", tcp))) is None
    assert segment_of(Packet(0, 101, ipv6(0, bytes(8) * 20, tcp))) is None


def segment_bytes(data: bytes) -> bytes:
    return Talk(link="raw").packet("client", data, 16).data[20:]


def test_padding_of_ethernet_is_no_data() -> None:
    packet = Talk().packet("client", b"x", 16)
    segment = segment_of(Packet(0, 1, packet.data + bytes(20)))
    assert isinstance(segment, Segment)
    assert segment.data == b"x"


def test_fragments_and_others_are_none() -> None:
    packet = bytearray(internet("127.0.0.1", "127.0.0.2", segment_bytes(b"x")))
    packet[6:8] = b"\x20\0"
    assert segment_of(Packet(0, 101, bytes(packet))) == FRAGMENT
    packet[9] = 17
    assert segment_of(Packet(0, 101, bytes(packet))) is None
    udp = internet("127.0.0.1", "127.0.0.2", segment_bytes(b"x"), 17)
    assert segment_of(Packet(0, 101, udp)) is None
    assert segment_of(Packet(0, 147, udp)) is None
    assert segment_of(Packet(0, 1, bytes(12) + b"\x08\x06" + bytes(28))) is None


@pytest.mark.parametrize("link", LINKS)
def test_a_packet_that_is_cut_anywhere(link: Link) -> None:
    whole = Talk(link=link).packet("client", b"hello", 16)
    for size in range(len(whole.data)):
        segment = segment_of(Packet(0, whole.link, whole.data[:size]))
        if segment is not None:
            assert isinstance(segment, Segment)
            assert segment.cut
            assert b"hello".startswith(segment.data)
    segment = segment_of(whole)
    assert isinstance(segment, Segment)
    assert not segment.cut


def test_the_helper_frames_what_it_says() -> None:
    assert framed("cooked", internet("::1", "::1", b""))[14:16] == b"\x86\xdd"
