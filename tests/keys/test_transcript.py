"""The transcript is a value: longer ones leave shorter ones alone, and its hash is that of its messages."""

import copy
import hashlib
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansticket.keys.transcript import Transcript

MESSAGES = st.lists(st.binary(max_size=40), max_size=8)
HASHES = st.sampled_from(["sha256", "sha384"])


def made_of(name: str | None, messages: list[bytes]) -> Transcript:
    transcript = Transcript(name)
    for message in messages:
        transcript = transcript.plus(message)
    return transcript


@given(HASHES, MESSAGES, st.binary())
def test_the_digest_is_the_hash_of_the_messages(name: str, messages: list[bytes], extra: bytes) -> None:
    transcript = made_of(name, messages)
    assert transcript.messages == tuple(messages)
    assert transcript.digest() == hashlib.new(name, b"".join(messages)).digest()
    assert transcript.digest_of(extra) == hashlib.new(name, b"".join(messages) + extra).digest()
    assert transcript.digest() == hashlib.new(name, b"".join(messages)).digest()


@given(HASHES, MESSAGES, st.integers(0, 8))
def test_it_does_not_matter_when_the_hash_becomes_known(name: str, messages: list[bytes], when: int) -> None:
    transcript = made_of(None, messages[:when]).with_hash(name)
    for message in messages[when:]:
        transcript = transcript.plus(message)
    assert transcript == made_of(name, messages)
    assert transcript.digest() == made_of(name, messages).digest()


def test_one_transcript_can_be_continued_in_two_ways() -> None:
    start = Transcript("sha256").plus(b"hello")
    assert start.plus(b"a").digest() == hashlib.sha256(b"helloa").digest()
    assert start.plus(b"b").digest() == hashlib.sha256(b"hellob").digest()
    assert start.digest() == hashlib.sha256(b"hello").digest()


@pytest.mark.parametrize(("name", "length"), [("sha256", 32), ("sha384", 48)])
def test_after_a_retry_the_first_hello_is_its_hash(name: str, length: int) -> None:
    transcript = Transcript(name).plus(b"first").after_retry()
    synthetic = b"\xfe\x00\x00" + bytes([length]) + hashlib.new(name, b"first").digest()
    assert transcript.messages == (synthetic,)
    assert transcript.plus(b"retry").digest() == hashlib.new(name, synthetic + b"retry").digest()


@pytest.mark.parametrize("name", [None, "sha256", "sha384"])
def test_copies_continue_where_the_original_was(name: str | None) -> None:
    transcript = Transcript(name).plus(b"first").plus(b"second")
    for twin in (copy.copy(transcript), copy.deepcopy(transcript), pickle.loads(pickle.dumps(transcript))):
        assert twin == transcript
        assert (
            twin.plus(b"third").with_hash("sha256").digest() == hashlib.sha256(b"firstsecondthird").digest()
        )


def test_changing_the_hash_hashes_again_and_keeping_it_does_not() -> None:
    transcript = Transcript("sha256").plus(b"message")
    assert transcript.with_hash("sha256") is transcript
    assert transcript.with_hash("sha384").digest() == hashlib.sha384(b"message").digest()
    for name in ("sha256", "sha384"):
        longer = transcript.with_hash(name, b"a", b"b")
        assert longer == Transcript(name, (b"message", b"a", b"b"))
        assert longer.digest() == hashlib.new(name, b"messageab").digest()
    assert transcript.messages == (b"message",)


def test_transcripts_differ_by_messages_and_by_hash() -> None:
    transcript = Transcript("sha256").plus(b"ab")
    assert transcript != Transcript("sha256").plus(b"a").plus(b"b")
    assert transcript != Transcript("sha384").plus(b"ab")
    assert hash(transcript) == hash(Transcript("sha256").plus(b"ab"))
    assert "ab" not in repr(transcript)


@pytest.mark.parametrize(
    "ask", [Transcript.digest, Transcript.after_retry, lambda transcript: transcript.digest_of(b"")]
)
def test_without_a_hash_there_is_no_digest(ask: object) -> None:
    with pytest.raises(ValueError, match="before the cipher suite is known"):
        ask(Transcript().plus(b"hello"))  # type: ignore[operator]
