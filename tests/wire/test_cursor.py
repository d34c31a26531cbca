"""Reading and writing the presentation language: what fits is read, what does not is decode_error."""

from collections.abc import Callable
from struct import Struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansticket.wire import cursor
from sansticket.wire.cursor import Reader
from tests.support.faults import malformed

NUMBERS: list[tuple[Callable[[Reader], int], int]] = [
    (Reader.u8, 1),
    (Reader.u16, 2),
    (Reader.u24, 3),
    (Reader.u32, 4),
    (Reader.u64, 8),
]

VECTORS = [(Reader.vector8, 1), (Reader.vector16, 2), (Reader.vector24, 3)]


@pytest.mark.parametrize(("read", "size"), NUMBERS)
@given(data=st.data())
def test_a_number_is_big_endian_and_moves_on(
    read: Callable[[Reader], int], size: int, data: st.DataObject
) -> None:
    number = data.draw(st.integers(0, 256**size - 1))
    reader = Reader(b"!" + number.to_bytes(size, "big") + b"?")
    assert reader.take(1) == b"!"
    assert read(reader) == number
    assert reader.left == 1
    assert reader.rest() == b"?"
    reader.finish()


@pytest.mark.parametrize(("read", "size"), NUMBERS)
def test_a_number_that_is_cut_short(read: Callable[[Reader], int], size: int) -> None:
    for have in range(size):
        with malformed():
            read(Reader(bytes(have)))
        reader = Reader(bytes(5 + have))
        reader.take(5)
        with malformed():
            read(reader)


def test_fields_of_fixed_sizes_are_read_at_once() -> None:
    form = Struct(">H3sB")
    reader = Reader(b"!\x03\x04abc\xff?")
    assert reader.take(1) == b"!"
    assert reader.fixed(form) == (0x0304, b"abc", 255)
    assert reader.rest() == b"?"
    for have in range(form.size):
        reader = Reader(bytes(2 + have))
        reader.take(2)
        with malformed(f"6 more bytes expected, {have} left"):
            reader.fixed(form)
        assert reader.left == have


def test_take_takes_no_more_than_there_is() -> None:
    reader = Reader(b"abc")
    with malformed("4 more bytes expected, 3 left"):
        reader.take(4)
    assert reader.take(0) == b""
    assert reader.take(3) == b"abc"
    assert reader.left == 0
    with malformed():
        reader.take(1)


def test_rest_may_be_nothing() -> None:
    reader = Reader(b"a")
    assert reader.rest() == b"a"
    assert reader.rest() == b""


def test_finish_wants_nothing_left() -> None:
    reader = Reader(b"abc")
    reader.u8()
    with malformed("2 bytes too many"):
        reader.finish()


@pytest.mark.parametrize(("read", "width"), VECTORS)
@given(content=st.binary(max_size=255))
def test_a_vector(read: Callable[..., bytes], width: int, content: bytes) -> None:
    reader = Reader(b"!" + len(content).to_bytes(width, "big") + content + b"?")
    reader.u8()
    assert read(reader) == content
    assert reader.rest() == b"?"


@pytest.mark.parametrize(("read", "width"), VECTORS)
def test_every_prefix_of_a_vector_fails(read: Callable[..., bytes], width: int) -> None:
    whole = (5).to_bytes(width, "big") + b"abcde"
    for size in range(len(whole)):
        with malformed():
            read(Reader(whole[:size]))


@pytest.mark.parametrize(("read", "width"), VECTORS)
def test_the_range_of_a_vector(read: Callable[..., bytes], width: int) -> None:
    for size in range(6):
        data = size.to_bytes(width, "big") + bytes(size)
        if 2 <= size <= 4:
            assert read(Reader(data), 2, 4) == bytes(size)
        else:
            with malformed(f"a vector of {size} bytes, where 2 to 4 are allowed"):
                read(Reader(data), 2, 4)


@pytest.mark.parametrize(
    ("read", "write"),
    [
        (cursor.whole_vector8, cursor.vector8),
        (cursor.whole_vector16, cursor.vector16),
        (lambda body: Reader(body).vector24(), cursor.vector24),
    ],
)
@given(content=st.binary(max_size=255))
def test_what_is_written_is_read(
    read: Callable[[bytes], bytes], write: Callable[[bytes], bytes], content: bytes
) -> None:
    assert read(write(content)) == content


@pytest.mark.parametrize(
    ("read", "write"), [(cursor.whole_vector8, cursor.vector8), (cursor.whole_vector16, cursor.vector16)]
)
def test_a_whole_vector_is_whole(read: Callable[..., bytes], write: Callable[[bytes], bytes]) -> None:
    whole = write(b"abc")
    for size in range(len(whole)):
        with malformed("not one vector"):
            read(whole[:size])
    with malformed("not one vector"):
        read(whole + b"?")
    assert read(whole, 3, 3) == b"abc"
    with malformed("where 4 to 9"):
        read(whole, 4, 9)
    with malformed("where 0 to 2"):
        read(whole, 0, 2)


@given(values=st.lists(st.integers(0, 0xFFFF), max_size=200).map(tuple))
def test_lists_of_numbers_of_any_length(values: tuple[int, ...]) -> None:
    packed = cursor.pack_numbers(values)
    assert packed == b"".join(value.to_bytes(2, "big") for value in values)
    assert cursor.numbers(packed) == values
    with malformed():
        cursor.numbers(packed + b"\0")


def test_the_longest_list_of_numbers() -> None:
    assert cursor.numbers(bytes(0xFFFE)) == (0,) * 0x7FFF


@pytest.mark.parametrize("width", [1, 2, 3])
@given(values=st.lists(st.binary(min_size=1, max_size=20), max_size=5).map(tuple))
def test_lists_of_vectors(width: int, values: tuple[bytes, ...]) -> None:
    packed = cursor.pack_items(values, width)
    assert cursor.items(packed, width, 1) == values
    # A prefix is either a shorter list or no list at all.
    ends = {len(cursor.pack_items(values[:count], width)): values[:count] for count in range(len(values) + 1)}
    for size in range(len(packed)):
        if size in ends:
            assert cursor.items(packed[:size], width) == ends[size]
        else:
            with malformed():
                cursor.items(packed[:size], width)


@pytest.mark.parametrize("width", [1, 2, 3])
def test_an_item_below_its_range(width: int) -> None:
    packed = cursor.pack_items([b"abc", b"ab"], width)
    assert cursor.items(packed, width, 2) == (b"abc", b"ab")
    with malformed("an item of 2 bytes, where 3 are the least"):
        cursor.items(packed, width, 3)


def test_an_item_that_is_cut_short_ends_in_nothing_else() -> None:
    for wrong in (b"\2a", b"\1a\1", b"\xff"):
        with malformed():
            cursor.items(wrong, 1)
    for wrong in (b"\0", b"\0\2a", b"\0\1a\0"):
        with malformed():
            cursor.items(wrong, 2)


@given(pairs=st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=20)), max_size=5))
def test_tagged_vectors(pairs: list[tuple[int, bytes]]) -> None:
    parts = [cursor.u16(tag) + cursor.vector16(content) for tag, content in pairs]
    assert cursor.tagged(b"".join(parts)) == pairs
    whole = b"".join(parts)
    ends = {sum(map(len, parts[:count])) for count in range(len(parts) + 1)}
    for size in range(len(whole)):
        if size not in ends:
            with malformed():
                cursor.tagged(whole[:size])


@pytest.mark.parametrize(
    "write",
    [
        lambda: cursor.u16(0x10000),
        lambda: cursor.u16(-1),
        lambda: cursor.vector8(bytes(256)),
        lambda: cursor.vector16(bytes(65536)),
        lambda: cursor.pack_items([bytes(256)], 1),
    ],
)
def test_a_value_of_ours_that_does_not_fit_is_not_the_peers_fault(write: Callable[[], bytes]) -> None:
    with pytest.raises(OverflowError):
        write()
