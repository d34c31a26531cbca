"""The transcript: the handshake messages so far, and their hash (RFC 9846 section 4.1).

A transcript never changes; ``plus`` gives a longer one.  States can therefore keep, compare, copy and
pickle theirs, and one transcript can be continued in several ways.  The bytes hashed are those that were
on the wire, never a re-encoding.
"""

import hashlib
from typing import TYPE_CHECKING, Any, Final

from attrs import Factory, field

from sansticket.codes import HandshakeType
from sansticket.values import value

if TYPE_CHECKING:
    from hashlib import _Hash


HASHES: Final = {"sha256": hashlib.sha256, "sha384": hashlib.sha384}


def _hash_messages(transcript: "Transcript") -> "_Hash | None":
    if transcript.hash_name is None:
        return None
    return HASHES[transcript.hash_name](b"".join(transcript.messages))


def _no_hash() -> ValueError:
    return ValueError("the transcript has no hash before the cipher suite is known")


@value
class Transcript:
    """Handshake messages in order, each with its 4-byte header.

    ``hash_name`` is None until the cipher suite is known: a client has sent its hello before that.
    ``digest``, ``digest_of`` and ``after_retry`` before then are mistakes of the caller (ValueError).
    """

    hash_name: str | None = None
    messages: tuple[bytes, ...] = field(default=(), repr=False)
    # Not part of the value: a hashlib object over ``messages``, so that a message is hashed once.
    _hasher: "_Hash | None" = field(
        default=Factory(_hash_messages, takes_self=True), eq=False, repr=False, alias="hasher"
    )

    def plus(self, *raw: bytes) -> "Transcript":
        """This transcript followed by more messages, mostly one."""
        hasher = self._hasher
        if hasher is not None:
            hasher = hasher.copy()
            for message in raw:
                hasher.update(message)
        return Transcript(self.hash_name, (*self.messages, *raw), hasher)

    def with_hash(self, hash_name: str, *raw: bytes) -> "Transcript":
        """The same messages under the hash of the suite that was negotiated, followed by more."""
        if hash_name != self.hash_name:
            return Transcript(hash_name, (*self.messages, *raw))
        return self.plus(*raw) if raw else self

    def digest(self) -> bytes:
        """Transcript-Hash of the messages."""
        if self._hasher is None:
            raise _no_hash()
        return self._hasher.digest()

    def digest_of(self, extra: bytes) -> bytes:
        """Transcript-Hash of the messages followed by ``extra``, which is not kept.

        ``extra`` is a ClientHello cut off before its binders (RFC 9846 section 4.3.11.2).
        """
        if self._hasher is None:
            raise _no_hash()
        hasher = self._hasher.copy()
        hasher.update(extra)
        return hasher.digest()

    def after_retry(self) -> "Transcript":
        """The start of the transcript once a HelloRetryRequest is there.

        The first ClientHello is replaced by a message_hash message that holds its hash, so that a server
        can keep it in a cookie instead of a state.  What is replaced cannot be rehashed: the suite of the
        HelloRetryRequest must be the one that the ServerHello names.
        """
        return Transcript.after_retry_of(self.hash_name, self.digest())

    @staticmethod
    def after_retry_of(hash_name: str | None, digest: bytes) -> "Transcript":
        """The same, where ``digest``, the hash of the first ClientHello, is all that was kept of it."""
        header = bytes((HandshakeType.MESSAGE_HASH, 0, 0, len(digest)))
        return Transcript(hash_name, (header + digest,))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle and copy the messages only: hashlib objects cannot be pickled."""
        return Transcript, (self.hash_name, self.messages)


NOTHING_SAID: Final = Transcript()
"""Before the first message."""
