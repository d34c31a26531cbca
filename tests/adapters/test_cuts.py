"""However the bytes of a connection are cut, and in whatever pieces they are read: what arrives is what was written."""

import ssl
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from tests.support.ssl_objects import OURS, STDLIB, TLS12, TLS13, End, Link

CONTEXTS = {
    (house, version): (house.client(version=version), house.server(version=version))
    for house in (OURS, STDLIB)
    for version in (TLS12, TLS13)
}

SIZES = st.lists(st.integers(1, 400), min_size=1, max_size=20)


def carry(sender: End, receiver: End, sizes: Sequence[int]) -> None:
    """Bring over what there is in pieces of these sizes, over and over; the receiver tries each time to go on."""
    data, turn = sender.outgoing.read(), 0
    while data:
        size = sizes[turn % len(sizes)]
        turn += 1
        receiver.incoming.write(data[:size])
        data = data[size:]
        receiver.step()


@settings(max_examples=examples(50))
@given(
    houses=st.tuples(st.sampled_from([OURS, STDLIB]), st.sampled_from([OURS, STDLIB])),
    version=st.sampled_from([TLS12, TLS13]),
    cuts=st.tuples(SIZES, SIZES),
    writes=st.lists(st.tuples(st.booleans(), st.integers(0, 20_000)), max_size=8),
    reads=st.lists(st.integers(1, 9000), min_size=1, max_size=8),
    into_buffer=st.booleans(),
)
def test_any_cut(houses, version, cuts, writes, reads, into_buffer) -> None:  # type: ignore[no-untyped-def]
    link = Link(CONTEXTS[houses[0], version][0], CONTEXTS[houses[1], version][1])
    client, server = link.client, link.server
    client.step()
    for _ in range(4):
        carry(client, server, cuts[0])
        carry(server, client, cuts[1])
    assert client.step()
    assert server.step()
    for by_client, size in writes:
        sender, receiver = (client, server) if by_client else (server, client)
        data = bytes(i % 251 for i in range(size))
        sender.tls.write(data)
        carry(sender, receiver, cuts[by_client])
        assert read(receiver, reads, into_buffer) == data


def read(end: End, sizes: Sequence[int], into_buffer: bool) -> bytes:
    received, turn = b"", 0
    while True:
        size = sizes[turn % len(sizes)]
        turn += 1
        try:
            if into_buffer:
                buffer = bytearray(size)
                received += buffer[: end.tls.read(size, buffer)]
            else:
                received += end.tls.read(size)
        except ssl.SSLWantReadError:
            return received
