"""Which tickets were taken back, for servers that keep no sessions.

A ticket is good until it expires, whoever has it.  What can be said instead is *from when on* whose tickets count:
those of a family (one full handshake, and all that was resumed from it), of a subject (whoever the application or a
certificate says that it is), or those that were sealed with a key.  A session is refused if its client was
authenticated before that time, so one that logs in again is welcome; and renewals do not help, since they keep the
time of the full handshake.

All of it is one value of a few numbers, which only grows: a *floor*, the time before which nobody's sessions are
resumed, and for each name that was revoked a time above it.  Of two such values the greater of each number is taken
(a join): whatever comes in whichever order, twice or late, the result is the same.  Servers can therefore exchange
it over anything.

Nothing is ever unsaid.  What is forgotten raises the floor to the latest of the times that go:

- ``forget``, since no session lives for longer than ``max_session_age`` after its full handshake.  A clock that jumps
  ahead and back cannot bring a ticket back; it costs full handshakes.
- The bound.  Of more than ``max_entries`` names those with the earliest times go.  Which ones does not depend on the
  order in which they came.

Names have 16 bytes: a family's id, which a server drew at random, or a hash of what the subject or the key is called.
The hash is not keyed: every server must find the same, and has nothing in common with the others but this list.  A
stranger's name cannot be hit by choice (2^128); but whoever reads the list can try whether a name that he knows is on
it.

Layout of format 1 (integers big-endian, times in milliseconds since the epoch):

    format    1 byte      1
    floor     6 bytes     0 for none
    count     4 bytes
    entries   16 bytes of a name, and 6 of its time, which is above the floor; in the order of the names
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import sha256
from math import ceil
from threading import Lock
from typing import Any, Final, Self

from sansticket.crypto.der import public_key_info_of
from sansticket.errors import ConfigError, SansticketError
from sansticket.inputs import BytesLike, check_bytes, check_kind, check_seconds
from sansticket.locks import over_forks
from sansticket.text import quoted
from sansticket.tickets.stores.times import ENTRY, NAME, TIME, Times, entries_in, time_in
from sansticket.tickets.versions import MAX_LIFETIME
from sansticket.values import Shared

FORMAT: Final = 1

HEAD: Final = 1 + TIME + 4
"""Bytes before the first entry."""

ALWAYS: Final = (1 << 8 * TIME) - 1
"""A time that never comes, in milliseconds: whatever a ticket says of its own, it is before that."""

MAX_SESSION_AGE: Final = MAX_LIFETIME
"""Seconds: the most that ``max_session_age`` can be."""

MAX_ENTRIES: Final = (1 << 32) - 1
"""What the written form can count."""

SLACK: Final = 8
"""A list that is full takes an eighth more before it is cut to its size: that takes a look at all of it."""

SUBJECT: Final = b"subject\0"
KEY: Final = b"key\0"
"""What is hashed before a name: what a subject and a key are called has nothing to do with each other."""

Subjects = Callable[[bytes, tuple[bytes, ...]], Iterable[bytes]]
"""Who it is, by the application data of a session and the chain of its client, DER, leaf first."""


class RevocationFormatError(SansticketError, ValueError):
    """Bytes that are not the written form of ``Revocations``: cut short, of another version, or too many of them."""


def certificate_subject(certificate: bytes) -> bytes:
    """The subject that the holder of a certificate is: its public key (SubjectPublicKeyInfo, DER), which a certificate
    that was renewed for the same key has too.  ValueError for what is no certificate in DER."""
    return public_key_info_of(certificate)


def subjects_of(app_data: bytes, peer_certificates: tuple[bytes, ...]) -> Iterable[bytes]:
    """The application data as a whole, unless it is empty, and ``certificate_subject`` of the leaf."""
    if app_data:
        yield app_data
    if peer_certificates:
        yield certificate_subject(peer_certificates[0])


class Revocations(Shared):
    """Families, subjects and keys whose tickets are refused, if their clients were authenticated before a time.

    ``max_entries``: how many names it holds, at 22 bytes each; 1 to 4,294,967,295.  When there are more, those with the
    earliest times go, and with them the sessions of everybody that are as old: full handshakes, never a revoked one.

    ``subjects``: a function of a session's application data and its client's chain, which gives the subjects that it
    belongs to.  By default ``subjects_of``.  One that raises refuses the session.

    One serves all connections and configs of a process, and changes while they use it.  ``copy.copy`` and ``deepcopy``
    give it itself, so that a copied config has it too; ``copy()``, a pickle and ``to_bytes`` give what it says now.
    Safe to be used by threads.
    """

    def __init__(self, *, max_entries: int = 1_000_000, subjects: Subjects = subjects_of) -> None:
        """ConfigError for a ``max_entries`` out of range, or ``subjects`` that are no function."""
        check_kind("max_entries", max_entries, int, "a number")
        if not 1 <= max_entries <= MAX_ENTRIES:
            raise ConfigError("max_entries", f"{quoted(max_entries)}; expected 1 to {MAX_ENTRIES}")
        if not callable(subjects):
            raise ConfigError("subjects", f"a value of type {type(subjects).__name__}; expected a function")
        self._max_entries = max_entries
        self._subjects = subjects
        self._floor = 0
        self._times = Times()
        self._lock = over_forks(Lock())

    @property
    def max_entries(self) -> int:
        """How many names it holds."""
        return self._max_entries

    def __len__(self) -> int:
        """How many names are revoked."""
        with self._lock:
            self._trim()
            return self._times.count

    def __bool__(self) -> bool:
        """It is there, also where it is empty."""
        return True

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._times.count} of {self._max_entries})"

    # --- taking back

    def revoke_family(self, family: bytes, before: float) -> Revocations:
        """Refuse what comes from one full handshake: ``Session.family``, 16 bytes.

        ``before``: refused is whoever was authenticated before that time, in seconds since the epoch: now, or where the
        clocks of servers differ a little later.  Gives what is new by itself, to be sent to other servers.
        ConfigError for another type, another length, or a time that is no time; nothing has changed then.
        """
        _check_family(family)
        return self._revoke(family, _milliseconds(before))

    def revoke_subject(self, subject: bytes, before: float) -> Revocations:
        """Refuse the sessions of a subject, as the function ``subjects`` names it, 1 byte or more; otherwise as
        ``revoke_family``."""
        _check_name("subject", subject)
        return self._revoke(_hashed(SUBJECT, subject), _milliseconds(before))

    def revoke_key(self, key_name: bytes, before: float | None = None) -> Revocations:
        """Refuse tickets that were sealed with the key of this name, 1 byte or more; otherwise as ``revoke_family``.

        None for ``before`` refuses them all, and is never forgotten: whoever has stolen the key seals tickets that say
        what he likes, times too.
        """
        _check_name("key_name", key_name)
        return self._revoke(_hashed(KEY, key_name), ALWAYS if before is None else _milliseconds(before))

    def _revoke(self, name: bytes, before: int) -> Revocations:
        entry, new = name + before.to_bytes(TIME), Revocations(max_entries=1)
        new._times.raise_to(entry)
        with self._lock:
            self._take(entry)
        return new

    # --- asking

    def why_refused(
        self,
        authenticated_at: float,
        *,
        family: bytes = b"",
        app_data: bytes = b"",
        peer_certificates: tuple[bytes, ...] = (),
        key_name: bytes = b"",
    ) -> str:
        """In words why such a session, or connection, is refused; empty where it is not.

        ``authenticated_at``: when the full handshake was.  What is empty is not looked up.  ConfigError for a time that
        is none, and for a family or the name of a key that cannot be one; what ``subjects`` cannot use refuses.
        """
        if family.__class__ is not bytes or len(family) not in (0, NAME):
            _check_family(family)
        if key_name.__class__ is not bytes:
            check_bytes("key_name", key_name)
        at = _rounded("authenticated_at", authenticated_at, round)
        times = self._times
        if not times.count and not self._floor:
            return ""
        if family and (before := times.of(family)) > at:
            return _refused("family", at, before)
        if key_name and (before := times.of(_hashed(KEY, key_name))) > at:
            return _refused("key", at, before)
        if app_data or peer_certificates or self._subjects is not subjects_of:
            try:
                for subject in self._subjects(app_data, peer_certificates):
                    if (before := times.of(_hashed(SUBJECT, subject))) > at:
                        return _refused("subject", at, before)
            except Exception as error:  # whose it is cannot be told
                return f"no subjects: {type(error).__name__}"
        # The floor comes last: it is raised before what it stands for goes.
        return _refused("everything", at, self._floor) if self._floor > at else ""

    # --- the value

    def merge(self, other: Revocations) -> None:
        """Take over what another says: of each number the greater one.  TypeError for what is none."""
        if not isinstance(other, Revocations):
            raise TypeError(f"merge with {type(other).__name__}; expected Revocations")
        shelves = other._times.filled
        floor = other._floor  # after them, since it stands for what went meanwhile
        with self._lock:
            self._raise_floor(floor)
            for number, shelf in shelves:
                self._times.join(number, shelf, self._floor)
                self._trim_if_full()

    def forget(self, now: float, max_session_age: float = MAX_SESSION_AGE) -> None:
        """Let go what is over: sessions that are ``max_session_age`` seconds old are refused for that alone.

        ``max_session_age``: the largest that a config of the fleet has.  ConfigError for what is no time, or no age.
        """
        check_seconds("now", now)
        check_seconds("max_session_age", max_session_age, 0)
        over = min((now - max_session_age) * 1000, ALWAYS - 1)
        with self._lock:
            self._raise_floor(
                max((time for entry in self._times if (time := time_in(entry)) <= over), default=0)
            )

    def copy(self) -> Self:
        """Another with the same, which goes its own way."""
        other = type(self)(max_entries=self._max_entries, subjects=self._subjects)
        with self._lock:
            self._trim()
            other._times, other._floor = self._times.copy(), self._floor
        return other

    def _take(self, entry: bytes) -> None:
        if time_in(entry) > self._floor:
            self._times.raise_to(entry)
            self._trim_if_full()

    def _trim_if_full(self) -> None:
        if self._times.count > self._max_entries + self._max_entries // SLACK:
            self._trim()

    def _raise_floor(self, floor: int) -> None:
        if floor > self._floor:
            self._floor = floor  # first, so that nobody who reads finds neither
            self._times.drop(floor)

    def _trim(self) -> None:
        """Down to the bound.  Where several have the time at which it is cut, they go together."""
        if self._times.count > self._max_entries:
            times = sorted(map(time_in, self._times), reverse=True)
            self._raise_floor(times[self._max_entries])

    # --- the written form

    def to_bytes(self) -> bytes:
        """Format 1 (see the module): 11 bytes, and 22 for each name.  Equal values are the same bytes."""
        with self._lock:
            self._trim()
            entries = b"".join(self._times)
            floor = self._floor
        return bytes((FORMAT,)) + floor.to_bytes(TIME) + (len(entries) // ENTRY).to_bytes(4) + entries

    @classmethod
    def from_bytes(
        cls, data: BytesLike, *, max_entries: int = 1_000_000, subjects: Subjects = subjects_of
    ) -> Self:
        """What ``to_bytes`` wrote, with the settings of the constructor.

        RevocationFormatError says what is wrong with anything else: a file that was cut, another version, more than
        ``max_entries``.  To go on with what there was, merge the result into it: an error has changed nothing.
        """
        revocations = cls(max_entries=max_entries, subjects=subjects)
        data = _checked(data, max_entries)
        floor, entries = int.from_bytes(data[1 : 1 + TIME]), data[HEAD:]
        last = b""
        for entry in entries_in(entries):
            if entry[:NAME] <= last:
                raise RevocationFormatError("names that are not in order, or twice the same")
            if time_in(entry) <= floor:
                raise RevocationFormatError("a name whose time is not above the floor")
            last = entry[:NAME]
        revocations._times.put_sorted(entries)
        revocations._floor = floor
        return revocations

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (type(self), self.to_bytes(), self._max_entries, self._subjects)


def _unpickled(kind: type[Revocations], data: bytes, max_entries: int, subjects: Subjects) -> Revocations:
    return kind.from_bytes(data, max_entries=max_entries, subjects=subjects)


def _checked(data: BytesLike, max_entries: int) -> bytes:
    """Of the length that its head says, and no longer than may be."""
    if not isinstance(data, BytesLike):
        raise RevocationFormatError(f"a value of type {type(data).__name__}; expected bytes")
    view = memoryview(data)
    if view.nbytes > HEAD + ENTRY * max_entries:
        raise RevocationFormatError(f"{view.nbytes} bytes; expected at most {max_entries} names")
    data = view.tobytes()
    if data[:1] and data[0] != FORMAT:
        raise RevocationFormatError(f"format {data[0]}; expected {FORMAT}")
    if len(data) < HEAD:
        raise RevocationFormatError(f"cut short: {len(data)} bytes; expected {HEAD} or more")
    count = int.from_bytes(data[1 + TIME : HEAD])
    expected = HEAD + ENTRY * count
    if len(data) != expected:
        what = "cut short" if len(data) < expected else "too long"
        raise RevocationFormatError(f"{what}: {len(data)} bytes; expected {expected} for {count} names")
    return data


def _hashed(kind: bytes, name: bytes) -> bytes:
    return sha256(kind + name).digest()[:NAME]


def _check_name(field: str, name: bytes) -> None:
    check_bytes(field, name)
    if not name:
        raise ConfigError(field, "empty; expected the name of one")


def _check_family(family: bytes) -> None:
    check_bytes("family", family)
    if len(family) != NAME:
        raise ConfigError("family", f"{len(family)} bytes; expected {NAME}")


def _milliseconds(before: float) -> int:
    """Rounded up: whoever came within that millisecond was there before."""
    check_seconds("before", before)
    time = _rounded("before", before, ceil)
    if not 0 < time < ALWAYS:
        raise ConfigError("before", f"{before!r}; expected seconds since the epoch")
    return time


def _rounded(field: str, seconds: float, rounding: Callable[[float], int]) -> int:
    """In milliseconds.  ConfigError for what has no place in the written form, with either sign."""
    try:
        time = rounding(seconds * 1000)
    except (TypeError, ValueError, OverflowError):
        time = None
    if time is not None and -ALWAYS <= time <= ALWAYS:
        return time
    check_seconds(field, seconds)
    raise ConfigError(field, f"{seconds!r}; expected seconds since the epoch")


def _refused(what: str, at: int, before: int) -> str:
    if before == ALWAYS:
        return f"{what} refused, whenever it was"
    return f"{what} refused from before {before / 1000:.3f}, authenticated at {at / 1000:.3f}"
