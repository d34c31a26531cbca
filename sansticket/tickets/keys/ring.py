"""Ticket keys that are rotated: one seals, the older ones only open, the oldest are forgotten.

A ticket is

    key_name 16 | salt 24 | ciphertext | tag 16

and is sealed with AES-256-GCM under a key of its own, HMAC-SHA256(secret, salt), with a fixed nonce and
``key_name | salt`` as additional data.

Why a key per ticket: GCM with one key and random nonces of 96 bits is safe for 2^32 tickets only (NIST SP
800-38D section 8.3), which a busy fleet makes in a day, and a nonce that repeats gives the key away.  Here
the only accident is two equal salts.  They have 192 bits, so among 2^64 tickets of one ring key some two are
equal with a probability of less than 2^-64; each derived key meets a single message of less than 2^16 bytes.
2^64 tickets per key is the bound, and rotation is about forgetting, not about wear.

What the wire shows is the name of the ring key, which all clients of one period share, a random salt and
ciphertext of the same length as the session: two tickets of one client have nothing else in common.
"""

from collections.abc import Iterable, Mapping
from math import inf
from threading import Lock
from types import MappingProxyType
from typing import Any, Final, Self

from attrs import evolve, field
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sansticket.crypto.hkdf import hmac_digest
from sansticket.errors import ConfigError
from sansticket.inputs import Entropy, check_bytes, check_kind, check_seconds, random_bytes
from sansticket.locks import over_forks
from sansticket.tickets.decision import TicketStatus
from sansticket.tickets.keys.protection import KEY_NAME_LENGTH, NATIVE, OpenedTicket, SessionCodec, listed
from sansticket.values import frozen

SALT_LENGTH: Final = 24
SECRET_LENGTH: Final = 32
TAG_LENGTH: Final = 16
OVERHEAD: Final = KEY_NAME_LENGTH + SALT_LENGTH + TAG_LENGTH
"""How much longer than its plaintext a ticket is, in bytes."""

COOKIES: Final = b"sansticket key of HelloRetryRequest cookies"
"""What makes the key of cookies of the key of tickets.  It is no salt: those have another length."""

_HEADER: Final = KEY_NAME_LENGTH + SALT_LENGTH
_NONCE: Final = bytes(12)


@frozen
class TicketKey:
    """One ring key.  ``name`` has 16 bytes and is public, ``secret`` has 32 and is not.

    ConfigError names the field that is no bytes, or no number, or has another length.
    """

    name: bytes
    secret: bytes = field(repr=False)
    created_at: float
    """Seconds since the epoch; rotation and retirement count from here."""

    def __attrs_post_init__(self) -> None:
        check_bytes("name", self.name)
        check_bytes("secret", self.secret)
        check_seconds("created_at", self.created_at)
        if len(self.name) != KEY_NAME_LENGTH:
            raise ConfigError("name", f"a ticket key's name has {KEY_NAME_LENGTH} bytes")
        if len(self.secret) != SECRET_LENGTH:
            raise ConfigError("secret", f"a ticket key's secret has {SECRET_LENGTH} bytes")

    @classmethod
    def generate(cls, now: float, entropy: Entropy) -> Self:
        """A new random key, made ``now``."""
        return cls(random_bytes(entropy, KEY_NAME_LENGTH), random_bytes(entropy, SECRET_LENGTH), now)

    def for_cookies(self) -> Self:
        """The key of the same name and age for cookies: what one of the two seals, the other does not open."""
        return evolve(self, secret=hmac_digest("sha256", self.secret, COOKIES))

    def seal(self, plaintext: bytes, entropy: Entropy) -> bytes:
        """A ticket under this key, with a new salt: ``OVERHEAD`` bytes more than ``plaintext``.

        ConfigError ``entropy`` if ``entropy`` gives another number of bytes than it is asked for.
        """
        salt = random_bytes(entropy, SALT_LENGTH)
        header = self.name + salt
        return header + AESGCM(hmac_digest("sha256", self.secret, salt)).encrypt(_NONCE, plaintext, header)

    def open(self, ticket: bytes) -> bytes | None:
        """The plaintext, or None when the ticket was altered.  Its name must be this key's."""
        if len(ticket) < OVERHEAD:
            return None
        header = ticket[:_HEADER]
        aead = AESGCM(hmac_digest("sha256", self.secret, header[KEY_NAME_LENGTH:]))
        try:
            return aead.decrypt(_NONCE, ticket[_HEADER:], header)
        except InvalidTag:
            return None


@frozen
class _Keys:
    """What a ring holds at one moment.  Replaced as a whole, so that nobody reads half a rotation."""

    current: TicketKey
    known: Mapping[bytes, TicketKey]
    """By name, the current one included."""

    rotates_at: float
    """When the current one is replaced by itself, ``inf`` for never."""

    all_open_until: float
    """When the first of them retires."""

    tidy_until: float
    """When the first of those that only open retires: the moment from which there is something to drop."""


class TicketKeyRing:
    """Keys held in memory: the current one seals and opens, the others only open.

    ``rotate_after``: the age in seconds at which the current key is replaced by a random one, when the next
    ticket is sealed.  None: only ``rotate`` replaces it.  A ring that rotates by itself is not shared with
    other servers; ``WindowedTicketKeys`` is made for that.

    ``retire_after``: the age in seconds, counted from ``created_at``, at which a key opens nothing any more.
    It should be ``rotate_after`` and the lifetime of the tickets together.  None: only ``retire`` drops keys.
    As long as nothing rotates by itself, the current key does not retire, however old it is.

    A ring has no clock of its own.  A key that has retired is dropped by whatever uses the ring next: ``open``,
    ``rotate`` and ``seal``; the current key by ``seal``, which needs another in its place.  A ring that nobody uses
    holds its keys until ``flush`` is called, by a timer perhaps.  Dropped means that the ring forgets the key;
    Python does not overwrite memory.

    ``open`` says SUCCESS for the current key and SUCCESS_RENEW for an older one; for what TLS 1.3 makes of
    it see ``decision.reported_status``.

    Safe to be used by many threads.  A copy, also a pickled one, is a ring of its own with the same keys: tickets of
    one open in the other until they rotate, each to a key of its own.  Both may seal, since no ticket depends on the
    one before it: the salt of each is drawn anew, and the bound above holds for both together.
    """

    codec: SessionCodec = NATIVE

    def __init__(
        self,
        keys: Iterable[TicketKey],
        *,
        rotate_after: float | None = None,
        retire_after: float | None = None,
    ) -> None:
        """``keys``: the current one first, then those that only open; no two with the same name.

        ConfigError names the argument that cannot work.
        """
        given = listed(keys, TicketKey)
        if rotate_after is not None:
            check_seconds("rotate_after", rotate_after, 0)
        if retire_after is not None:
            check_seconds("retire_after", retire_after, rotate_after or 0)
        self._rotate_after = rotate_after
        self._retire_after = retire_after
        self._lock = over_forks(Lock())
        self._use(given[0], {key.name: key for key in given})

    @classmethod
    def generate(
        cls,
        now: float,
        entropy: Entropy,
        *,
        rotate_after: float | None = None,
        retire_after: float | None = None,
    ) -> Self:
        """A ring with one new random key."""
        key = TicketKey.generate(now, entropy)
        return cls((key,), rotate_after=rotate_after, retire_after=retire_after)

    def __repr__(self) -> str:
        names = ", ".join(key.name.hex() for key in self.keys)
        return f"{type(self).__name__}({names})"

    def __getstate__(self) -> dict[str, Any]:
        return {
            "keys": self.keys,
            "rotate_after": self._rotate_after,
            "retire_after": self._retire_after,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        TicketKeyRing.__init__(self, **state)

    @property
    def current(self) -> TicketKey:
        """The key that seals."""
        return self._keys.current

    @property
    def keys(self) -> tuple[TicketKey, ...]:
        """All keys: the current one first, then those that were announced, then the others, the newest first."""
        keys = self._keys
        return (keys.current, *(key for key in keys.known.values() if key.name != keys.current.name))

    def opens_until(self, now: float) -> dict[bytes, float]:
        """For each key that opens ``now``, by its name, the time from which it opens nothing.

        In seconds since the epoch, ``inf`` where only ``rotate`` or ``retire`` ends it.  A key whose time is over is no
        longer listed, and still held up to the next use of the ring, or ``flush``.
        """
        current, rotates = self._keys.current, self._rotate_after is not None
        retire_after = inf if self._retire_after is None else self._retire_after
        return {
            key.name: key.created_at + retire_after if rotates or key.name != current.name else inf
            for key in self.keys
            if not self._retired(key, current, now)
        }

    def seal(self, plaintext: bytes, now: float, entropy: Entropy) -> bytes:
        """A ticket under the current key, which is replaced first when its time has come."""
        return self._sealing(now, entropy).seal(plaintext, entropy)

    def seal_cookie(self, plaintext: bytes, now: float, entropy: Entropy) -> bytes:
        """The cookie of a HelloRetryRequest, under a key that goes with the one that ``seal`` takes.

        ConfigError ``entropy`` if ``entropy`` gives another number of bytes than it is asked for.
        """
        return self._sealing(now, entropy).for_cookies().seal(plaintext, entropy)

    def _sealing(self, now: float, entropy: Entropy) -> TicketKey:
        keys = self._keys
        if now >= keys.rotates_at:
            with self._lock:
                if now >= self._keys.rotates_at:
                    self._make_current(TicketKey.generate(now, entropy), now)
                keys = self._keys
        elif now >= keys.tidy_until:
            self._tidy(now)
        return keys.current

    def open(self, ticket: bytes, now: float) -> OpenedTicket:
        """See ``TicketKeys.open``."""
        key = self._opening(ticket, now)
        plaintext = None if key is None else key.open(ticket)
        if key is None or plaintext is None:
            return OpenedTicket.failed(ticket)
        keys = self._keys
        fresh = key.name == keys.current.name and now < keys.rotates_at
        return OpenedTicket(
            TicketStatus.SUCCESS if fresh else TicketStatus.SUCCESS_RENEW, key.name, plaintext
        )

    def open_cookie(self, cookie: bytes, now: float) -> bytes | None:
        """Undo ``seal_cookie``.  None if that is not what ``cookie`` came from, or its key is gone."""
        key = self._opening(cookie, now)
        return None if key is None else key.for_cookies().open(cookie)

    def _opening(self, sealed: bytes, now: float) -> TicketKey | None:
        keys = self._keys
        key = keys.known.get(sealed[:KEY_NAME_LENGTH])
        if now < keys.all_open_until:
            return key
        if now >= keys.tidy_until:
            self._tidy(now)
        return None if key is None or self._retired(key, keys.current, now) else key

    def rotate(self, key: TicketKey, now: float) -> None:
        """Seal with ``key`` from now on; the key that was current only opens.  Drops those that retired.

        ``key`` is a new one, or one that ``add`` has announced.  To rotate a fleet: ``add`` the new key
        everywhere, then ``rotate`` to it everywhere, so that no server gets a ticket it does not know.
        """
        with self._lock:
            self._check_name(key)
            self._make_current(key, now)

    def add(self, key: TicketKey) -> None:
        """Open tickets of ``key`` too, without sealing with it."""
        with self._lock:
            self._check_name(key)
            keys = self._keys
            known = {keys.current.name: keys.current, key.name: key, **keys.known}
            self._use(keys.current, known)

    def flush(self, now: float, entropy: Entropy) -> int:
        """Drop every key that has retired; how many.  For a timer: a ring that is in use does it by itself.

        Where the ring rotates by itself and the current key has retired, a new one takes its place.
        """
        with self._lock:
            before, current = self._keys.known, self._keys.current
            retired = self._retired(current, current, now)
            self._make_current(TicketKey.generate(now, entropy) if retired else current, now)
            return len(before.keys() - self._keys.known.keys())

    def retire(self, name: bytes) -> bool:
        """Forget the key called ``name``: none of its tickets opens again.  False if there is no such key.

        The current key cannot be retired (``ConfigError``): rotate first.  What is no bytes is no name of a key, and a
        ConfigError too.
        """
        check_bytes("name", name)
        with self._lock:
            keys = self._keys
            if name == keys.current.name:
                raise ConfigError("name", "the current key cannot be retired; rotate first")
            left = {other: key for other, key in keys.known.items() if other != name}
            self._use(keys.current, left)
            return len(left) < len(keys.known)

    def _check_name(self, key: TicketKey) -> None:
        check_kind("key", key, TicketKey, "a TicketKey")
        known = self._keys.known.get(key.name)
        if known is not None and known != key:
            raise ConfigError("key", "another key has the same name")

    def _make_current(self, key: TicketKey, now: float) -> None:
        """Called with the lock held."""
        known = {key.name: key, **self._keys.known}
        left = {name: one for name, one in known.items() if name == key.name or not self._over(one, now)}
        self._use(left[key.name], left)

    def _use(self, current: TicketKey, known: Mapping[bytes, TicketKey]) -> None:
        """Called with the lock held."""
        rotates_after = inf if self._rotate_after is None else self._rotate_after
        retires_after = inf if self._retire_after is None else self._retire_after
        others = (key.created_at for key in known.values() if key.name != current.name)
        tidy_until = min(others, default=inf) + retires_after
        all_open_until = tidy_until
        if self._rotate_after is not None:
            all_open_until = min(tidy_until, current.created_at + retires_after)
        self._keys = _Keys(
            current, MappingProxyType(known), current.created_at + rotates_after, all_open_until, tidy_until
        )

    def _tidy(self, now: float) -> None:
        """Drop what has retired, but not the current key: in its place another is needed."""
        with self._lock:
            self._make_current(self._keys.current, now)

    def _retired(self, key: TicketKey, current: TicketKey, now: float) -> bool:
        return self._over(key, now) and (key.name != current.name or self._rotate_after is not None)

    def _over(self, key: TicketKey, now: float) -> bool:
        """The key has the age at which it retires."""
        return self._retire_after is not None and now - key.created_at >= self._retire_after
