"""Ticket keys that a fleet agrees on without talking: derived from one root secret, one per window of time.

Time is cut into windows of ``period`` seconds, counted from the epoch.  Window *w* has the key

    name   = HMAC-SHA256(root, "sansticket ticket key name"   | w)[:16]
    secret = HMAC-SHA256(root, "sansticket ticket key secret" | w)

with *w* as eight bytes.  A server seals with the key of the window in which it believes to be, and opens

- that window's tickets, and those of the next window as soon as a clock that is ``clock_skew`` ahead could be
  in it: a key is known everywhere before anybody uses it;
- those of an earlier window until its last ticket, made on a clock ``clock_skew`` behind, is ``accept_for``
  old.

Two servers whose clocks differ by at most ``clock_skew`` therefore open each other's tickets, each for its
full lifetime, at every moment, the turn of a window included.

The names are outputs of a pseudorandom function: who does not have the root secret can neither compute them
nor tell whether two of them come from one fleet.  Who has the root secret can open every ticket of every
window: replace it from time to time, with the help of ``also_open``.

The tickets themselves are those of ``keyring``, and so is the bound on their number.
"""

import hmac
from collections.abc import Collection, Iterator, Mapping
from math import floor
from typing import Any, Final

from sansticket.errors import ConfigError
from sansticket.inputs import BytesLike, as_bytes, check_seconds
from sansticket.tickets.decision import TicketStatus
from sansticket.tickets.keys.protection import KEY_NAME_LENGTH, NATIVE, Entropy, OpenedTicket, SessionCodec
from sansticket.tickets.keys.ring import TicketKey
from sansticket.values import frozen

MIN_ROOT_LENGTH: Final = 32
"""The strength of what is derived: 256 bits."""

MIN_PERIOD: Final = 0.001
MAX_PERIOD: Final = 1e9
"""Seconds: what a clock tells apart, and thirty years.  Beyond that the number of a window has no room, or no sense."""

MAX_WINDOWS: Final = 1024
"""How many windows may be open at once.  Seven days of ten-minute windows are 1,008."""

_NAME: Final = b"sansticket ticket key name"
_SECRET: Final = b"sansticket ticket key secret"


@frozen
class _Openable:
    """The keys that open at one moment.  Replaced as a whole when a window opens or closes."""

    first: int
    last: int
    sealing: TicketKey
    """The key of the window that the moment is in."""

    current: int
    """That window."""

    keys: Mapping[bytes, tuple[bool, TicketKey]]
    """By name: whether tickets of the key need renewal, and the key."""


class WindowedTicketKeys:
    """Ticket keys derived from ``root_secret`` (at least 32 random bytes) for windows of ``period`` seconds.

    ``period``: 0.001 to 1,000,000,000.

    ``accept_for``: how long a ticket must open, in seconds; at least the ``ticket_lifetime`` of the config, which
    nobody holds against it.  A window's key opens nothing that long, and ``clock_skew``, after its end.

    ``clock_skew``: by how many seconds the clocks of two servers may differ.  Five minutes is what Kerberos
    allows (RFC 4120 section 8.2).

    ``also_open``: further root secrets whose tickets are opened but not made.  To replace a root secret: give
    the new one to all servers here, then make it their ``root_secret`` with the old one here, then drop the
    old one.

    ``open`` says SUCCESS for the window that is current and the one after it, SUCCESS_RENEW for an earlier
    one and for ``also_open``.  Safe to be used by many threads.  A copy, also a pickled one, is another server of
    the fleet: it seals under the same keys, each ticket with a salt of its own.

    ConfigError names the argument: a root secret that is no bytes or too short, ``also_open`` that is no collection
    of them, a time that is no number.
    """

    codec: SessionCodec = NATIVE

    def __init__(
        self,
        root_secret: bytes,
        period: float = 3600.0,
        *,
        accept_for: float = 7200.0,
        clock_skew: float = 300.0,
        also_open: Collection[bytes] = (),
    ) -> None:
        roots = (_root("root_secret", root_secret), *_roots(also_open))
        check_seconds("period", period, 0)
        if not MIN_PERIOD <= period <= MAX_PERIOD:
            raise ConfigError("period", f"{period}; expected {MIN_PERIOD} to {MAX_PERIOD:.0f} seconds")
        for field, seconds in (("accept_for", accept_for), ("clock_skew", clock_skew)):
            check_seconds(field, seconds)
            if seconds < 0:
                raise ConfigError(field, "must be a number of seconds, 0 or more")
        if accept_for + 2 * clock_skew > (MAX_WINDOWS - 2) * period:
            raise ConfigError(
                "period", f"so short that more than {MAX_WINDOWS} windows would be open at once"
            )
        self._roots = roots
        self._period = period
        self._accept_for = accept_for
        self._clock_skew = clock_skew
        self._openable: _Openable | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(period={self._period}, accept_for={self._accept_for})"

    def current(self, now: float) -> TicketKey:
        """The key that seals ``now``."""
        return self._at(now).sealing

    def opens_until(self, now: float) -> dict[bytes, float]:
        """For each key that opens ``now``, by its name, the time from which it opens nothing here.

        In seconds since the epoch: the end of its window, ``accept_for`` and ``clock_skew``.  A root secret has no such
        time: whoever has it makes the key of every window, past and future.
        """
        stays = self._period + self._accept_for + self._clock_skew
        return {name: key.created_at + stays for name, (_, key) in self._at(now).keys.items()}

    def seal(self, plaintext: bytes, now: float, entropy: Entropy) -> bytes:
        """A ticket under the key of this window; see ``TicketKeys.seal``."""
        return self._at(now).sealing.seal(plaintext, entropy)

    def open(self, ticket: bytes, now: float) -> OpenedTicket:
        """See ``TicketKeys.open``."""
        found = self._at(now).keys.get(ticket[:KEY_NAME_LENGTH])
        if found is None:
            return OpenedTicket.failed(ticket)
        old, key = found
        plaintext = key.open(ticket)
        if plaintext is None:
            return OpenedTicket.failed(ticket)
        return OpenedTicket(TicketStatus.SUCCESS_RENEW if old else TicketStatus.SUCCESS, key.name, plaintext)

    def seal_cookie(self, plaintext: bytes, now: float, entropy: Entropy) -> bytes:
        """The cookie of a HelloRetryRequest; see ``TicketKeyRing.seal_cookie``."""
        return self._at(now).sealing.for_cookies().seal(plaintext, entropy)

    def open_cookie(self, cookie: bytes, now: float) -> bytes | None:
        """See ``TicketKeyRing.open_cookie``."""
        found = self._at(now).keys.get(cookie[:KEY_NAME_LENGTH])
        return None if found is None else found[1].for_cookies().open(cookie)

    def _at(self, now: float) -> _Openable:
        """The keys of this moment, computed again only when a window opens or closes."""
        first = floor((now - self._accept_for - self._clock_skew) / self._period)
        last = floor((now + self._clock_skew) / self._period)
        current = floor(now / self._period)
        known = self._openable
        if known is None or (known.first, known.last, known.current) != (first, last, current):
            keys = {
                key.name: (root is not self._roots[0] or window < current, key)
                for root in reversed(self._roots)
                for window in range(first, last + 1)
                for key in (self._derive(root, window),)
            }
            sealing = self._derive(self._roots[0], current)
            known = self._openable = _Openable(first, last, sealing, current, keys)
        return known

    def _derive(self, root: bytes, window: int) -> TicketKey:
        """The key of one window."""
        number = window.to_bytes(8, signed=True)
        name = hmac.digest(root, _NAME + number, "sha256")[:KEY_NAME_LENGTH]
        return TicketKey(name, hmac.digest(root, _SECRET + number, "sha256"), window * self._period)


def _root(field: str, secret: Any) -> bytes:
    root = as_bytes(field, secret)
    if len(root) < MIN_ROOT_LENGTH:
        raise ConfigError(field, f"{len(root)} bytes; expected a root secret of at least {MIN_ROOT_LENGTH}")
    return root


def _roots(secrets: Any) -> Iterator[bytes]:
    """One secret by itself is a sequence too, of numbers."""
    if not isinstance(secrets, Collection) or isinstance(secrets, str | BytesLike):
        kind = type(secrets).__name__
        raise ConfigError("also_open", f"a value of type {kind}; expected a collection of root secrets")
    return (_root("also_open", secret) for secret in secrets)
