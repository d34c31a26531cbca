"""Streams out of segments: whatever order they come in, and however often."""

from __future__ import annotations

import random
from collections.abc import Iterable
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.packets import SYN, Talk, pcap, pcapng
from sansticket.captures import streams as module
from sansticket.captures.connections import captured, connections_in
from sansticket.captures.packets import Packet
from sansticket.captures.segments import Endpoint
from sansticket.captures.streams import Flow, Moment, streams_of
from sansticket.debug.explain import Side


def text(flow: Flow, side: Side) -> bytes:
    return b"".join(moment.data for moment in flow.moments if moment.sender == side)


def only(packets: Iterable[Packet]) -> Flow:
    (flow,) = streams_of(packets).flows
    return flow


@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(0, 3), st.sampled_from(["127.0.0.1", "::1"]))
def test_any_order_and_any_repetition(seed: int, size: int, repeats: int, address: str) -> None:
    source = random.Random(seed)
    one, other = source.randbytes(300), source.randbytes(300)
    talk = Talk((address, 50_000), (address, 443))
    talk.open()
    talk.say("client", one, size)
    talk.say("server", other, size + 1)
    syn, answer, *rest = talk.packets
    rest += source.choices(rest, k=repeats * len(rest))
    source.shuffle(rest)
    flow = only([syn, answer, *rest])
    assert (text(flow, "client"), text(flow, "server")) == (one, other)
    assert flow.notes == ()
    assert str(flow) == ("127.0.0.1:50000 -> 127.0.0.1:443" if "." in address else "[::1]:50000 -> [::1]:443")


def test_a_retransmission_that_is_cut_otherwise() -> None:
    talk = Talk()
    talk.open()
    begin = dict(talk.sequence)
    talk.say("client", b"abcdef", 3)
    talk.sequence = dict(begin)
    talk.say("client", b"abcdefghij", 4)
    assert text(only(talk.packets), "client") == b"abcdefghij"


def test_pieces_are_in_the_order_of_the_capture() -> None:
    talk = Talk()
    talk.open()
    for side in ("client", "server", "client", "server"):
        talk.say(side, b"x" * 10)  # type: ignore[arg-type]  # a Side
    assert [moment.sender for moment in only(talk.packets).moments] == [
        "client",
        "server",
        "client",
        "server",
    ]


def test_what_the_capture_missed_is_said() -> None:
    talk = Talk()
    talk.open()
    talk.say("server", bytes(100), 10)
    del talk.packets[5]
    flow = only(talk.packets)
    assert len(text(flow, "server")) == 30
    assert flow.notes == (
        "of the server bytes 30 to 39 are not in the capture; what follows them is not read",
    )


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_AHEAD", 25)
    talk = Talk()
    talk.open()
    talk.say("client", bytes(100), 10)
    del talk.packets[2]
    assert only(talk.packets).notes == (
        "of the client bytes 0 to 9 are missing; what follows them is not read",
        "of the client 70 bytes more were too far ahead to be kept",
    )


def test_what_closes_a_gap_is_taken_however_much_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_AHEAD", 25)
    talk = Talk()
    talk.open()
    talk.say("client", bytes(range(100)), 10)
    talk.packets.append(talk.packets.pop(2))
    flow = only(talk.packets)
    assert text(flow, "client") == bytes(range(30))
    assert flow.notes == ("of the client 70 bytes more were too far ahead to be kept",)


def test_fragments_and_packets_that_were_cut_are_said() -> None:
    talk = Talk(link="raw")
    talk.open()
    (packet,) = talk.say("client", bytes(100))
    fragment = Packet(packet.time, packet.link, packet.data[:6] + b"\x20\0" + packet.data[8:])
    found = streams_of([*talk.packets[:2], fragment])
    assert found.notes == ("1 fragments of IP packets with TCP in them are not read",)
    assert found.flows == []
    found = streams_of([*talk.packets[:2], Packet(packet.time, packet.link, packet.data[:60])])
    assert found.notes == ("1 packets were cut when they were captured: take them whole (-s 0)",)
    assert len(text(found.flows[0], "client")) == 20


def test_connections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CONNECTIONS", 3)
    packets = []
    for port in range(5):
        talk = Talk(("127.0.0.1", 50_000 + port))
        talk.say("client", b"x")
        packets += talk.packets
    found = streams_of(packets)
    assert len(found.flows) == 3
    assert found.notes == ("2 segments of more than 3 connections not read",)


def test_ports_that_are_used_again() -> None:
    first, second = Talk(), Talk(sequence={"client": 77, "server": 99})
    for number, talk in enumerate((first, second)):
        talk.open()
        talk.say("client", b"%d" % number)
    assert [text(flow, "client") for flow in streams_of(first.packets + second.packets).flows] == [b"0", b"1"]
    again = [first.packets[0], *first.packets]
    assert text(only(again), "client") == b"0"


def test_a_capture_from_the_middle() -> None:
    """Who is the client is told by the hellos, and without those by the ports."""
    talk = Talk(("127.0.0.1", 80), ("127.0.0.1", 5000))
    talk.say("client", b"\x16\x03\x01\0\x05\x01\0\0\x01x")
    assert only(talk.packets).client.port == 80
    assert only(talk.packets).notes == ("it began before the capture",)
    answer = Talk(("127.0.0.1", 80), ("127.0.0.1", 5000))
    answer.say("server", b"\x16\x03\x03\0\x05\x02\0\0\x01x")
    assert only(answer.packets).server.port == 5000
    other = Talk(("127.0.0.1", 50_000), ("127.0.0.1", 443))
    other.say("server", b"\x17\x03\x03\0\x01x")
    assert only(other.packets).client.port == 50_000


@pytest.mark.parametrize("left_out", [(), (1,), (0, 1)], ids=["nothing", "SYN+ACK", "SYN and SYN+ACK"])
def test_what_overtook_at_the_beginning(left_out: tuple[int, ...]) -> None:
    """Where the SYN of its sender was not captured, nobody knows that something goes before the first piece."""
    talk = Talk()
    talk.open()
    talk.say("client", b"a question")
    first, second = talk.say("server", b"an answer", 5)
    talk.packets[-2:] = [second, first, first]
    flow = only(packet for number, packet in enumerate(talk.packets) if number not in left_out)
    assert text(flow, "server") == (b"an answer" if not left_out else b"swer")
    late = "of the server 10 bytes came later than what follows them, and are not read"
    assert (late in flow.notes) == bool(left_out)


def test_only_the_answer_to_the_opening_was_seen() -> None:
    talk = Talk(("127.0.0.1", 80), ("127.0.0.1", 5000))
    talk.packet("server", b"", SYN | 16)
    talk.sequence["server"] += 1
    talk.say("server", b"x")
    assert only(talk.packets).server.port == 5000


@pytest.mark.parametrize("write", [pcap, pcapng], ids=["pcap", "pcapng"])
def test_tls_behind_something_else(write: object) -> None:
    hello = b"\x16\x03\x01\0\x05\x01\0\0\x01x"
    talk = Talk()
    talk.open()
    talk.say("server", b"220 hello\r\n")
    talk.say("client", b"STARTTLS\r\n")
    talk.say("server", b"220 go\r\n")
    talk.say("client", hello)
    plain = Talk(("127.0.0.1", 50_001))
    plain.open()
    plain.say("client", b"GET / HTTP/1.0\r\n\r\n")
    capture = connections_in(write(talk.packets + plain.packets))  # type: ignore[operator]  # one of the two
    assert capture.notes == ()
    one, other = capture.connections
    assert one.pieces == [("client", hello)]
    assert list(one.notes) == ["29 bytes of another protocol before TLS begins"]
    assert other.pieces == []
    assert list(other.notes) == ["no TLS in its 18 bytes"]
    assert str(one) == "connection 1: 127.0.0.1:50000 -> 127.0.0.1:443, 2023-11-14 22:13:20.251000 UTC"


def test_a_hello_behind_the_header_of_a_proxy() -> None:
    """In one piece with it."""
    hello = b"\x16\x03\x01\0\x05\x01\0\0\x01x"
    talk = Talk()
    talk.open()
    talk.say("client", b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n" + hello)
    talk.say("server", b"\x15\x03\x03\0\x02\x02\x28")
    (one,) = connections_in(pcap(talk.packets)).connections
    assert one.pieces == [("client", hello), ("server", b"\x15\x03\x03\0\x02\x02\x28")]
    assert list(one.notes) == ["42 bytes of another protocol before TLS begins"]


@pytest.mark.parametrize("client_says", [[], [b"\x16\x03\x01\0\x05\x01\0\0\x01x"]], ids=["nothing", "later"])
def test_a_server_that_comes_first(client_says: list[bytes]) -> None:
    """Of two captures that were put together, or where the way of the client's packets was another one."""
    answer = b"\x16\x03\x03\0\x05\x02\0\0\x01x"
    talk = Talk()
    talk.open()
    talk.say("server", answer)
    for data in client_says:
        talk.say("client", data)
    (one,) = connections_in(pcap(talk.packets)).connections
    assert one.pieces == [("server", answer), *(("client", data) for data in client_says)]
    assert list(one.notes) == []


def test_a_hello_in_the_smallest_pieces() -> None:
    hello = b"\x16\x03\x01\0\x05\x01\0\0\x01x"
    talk = Talk()
    talk.open()
    talk.say("client", b"STARTTLS")
    for start in range(len(hello)):
        talk.say("client", hello[start : start + 1])
        talk.say("server", b"?")
    (one,) = connections_in(pcap(talk.packets)).connections
    assert b"".join(data for sender, data in one.pieces if sender == "client") == hello
    assert list(one.notes) == ["8 bytes of another protocol before TLS begins"]


def test_what_comes_before_is_looked_at_once() -> None:
    """However small its pieces are: what takes time with the square of their number would take a minute here."""
    ends, chatter = (Endpoint(bytes(4), 1), Endpoint(bytes(4), 2)), 60_000
    moments = [Moment("client", b"x", 0.0)] * chatter + [Moment("client", b"\x16\x03", 0.0)]
    start = process_time()
    one = captured(1, Flow(*ends, 0.0, tuple(moments)))
    assert process_time() - start < 4
    assert (one.pieces, one.before) == ([("client", b"\x16\x03")], chatter)


def test_a_capture_that_begins_amid_a_record() -> None:
    record = b"\x17\x03\x03\0\x05hello"
    talk = Talk()
    talk.say("server", b"the end of a record")
    talk.say("client", record)
    talk.say("server", record)
    (one,) = connections_in(pcap(talk.packets)).connections
    assert one.pieces == [("client", record), ("server", record)]
    assert list(one.notes) == [
        "19 bytes before the first record that is whole",
        "it began before the capture",
    ]


def test_other_links_are_named() -> None:
    capture = connections_in(pcap([Packet(0, 147, b"x")]))
    assert capture.notes == ("packets of link type 147 are not read",)
