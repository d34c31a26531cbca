"""What a server has to know of a ClientHello that it answered with a HelloRetryRequest, in the cookie that the client
brings back (RFC 9846 sections 4.2.4 and 4.3.2).

Sealed it is the cookie; opened, and held against the second hello, it does what the first hello would have done:

    format 1 | suite 2 | group 2 | time 8 | identities 2 | early data 1 | fixed part 32 | first hello 32 or 48

The hash of the first hello goes into the transcript.  The fixed part is all of it that a second hello may not change.
Of the identities of pre_shared_key there is the number alone: they may be as many as fit a hello, and one that is
new has to have its binder over both hellos like any other.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final, Self

from attrs import evolve, field

from sansticket.codes import ExtensionType, ProtocolVersion
from sansticket.config.server import ServerConfig
from sansticket.crypto.suites import SuiteParameters
from sansticket.errors import Fault, Reason
from sansticket.keys.transcript import Transcript
from sansticket.values import value
from sansticket.wire.cursor import Reader, u16
from sansticket.wire.extensions.base import Extension
from sansticket.wire.extensions.resumption import EarlyData, PreSharedKeyOffer
from sansticket.wire.messages.hello import ClientHello

FORMAT: Final = 1

MAX_COOKIE_AGE: Final = 300
"""Seconds for which a cookie is good, and by which it may come from the future: the second hello comes a round trip
after the first, and the clocks of two servers may differ by five minutes, as with ``WindowedTicketKeys``."""

CHANGEABLE_AFTER_RETRY: Final = frozenset(
    {
        ExtensionType.KEY_SHARE,
        ExtensionType.EARLY_DATA,
        ExtensionType.PRE_SHARED_KEY,
        ExtensionType.PADDING,
    }
)
"""The extensions that a second ClientHello may have otherwise than the first (RFC 9846 section 4.2.2).  So may a
cookie, if our retry brought one."""


def fixed_extensions(hello: ClientHello) -> tuple[Extension, ...]:
    return tuple(extension for extension in hello.extensions if extension.type not in CHANGEABLE_AFTER_RETRY)


def fixed_part(hello: ClientHello) -> bytes:
    """The hash of what may not change."""
    fixed = [one for one in fixed_extensions(hello) if one.type != ExtensionType.COOKIE]
    return sha256(evolve(hello, extensions=tuple(fixed)).encode()).digest()


def check_no_early_data(second: ClientHello) -> None:
    """There is none after a retry (RFC 9846 section 4.3.10)."""
    if second.find(EarlyData) is not None:
        raise Fault(Reason.CHANGED_AFTER_RETRY, "early_data in the second ClientHello")


@value
class Remembered:
    """``made_at``: milliseconds since the epoch; ``first_hello``: its hash, by the suite's hash function."""

    suite: int
    group: int
    made_at: int
    identities: int
    early_data: bool
    fixed_part: bytes = field(repr=False)
    first_hello: bytes = field(repr=False)

    @classmethod
    def of(cls, hello: ClientHello, raw_hello: bytes, suite: SuiteParameters, group: int, now: float) -> Self:
        return cls(
            suite=suite.suite,
            group=group,
            made_at=round(now * 1000),
            identities=_identities(hello),
            early_data=hello.find(EarlyData) is not None,
            fixed_part=fixed_part(hello),
            first_hello=Transcript(suite.hash_name, (raw_hello,)).digest(),
        )

    @classmethod
    def decode(cls, plaintext: bytes) -> Self:
        """Of what we have sealed.  Fault BAD_COOKIE where that was in another format."""
        if plaintext[:1] != bytes((FORMAT,)):
            raise Fault(Reason.BAD_COOKIE, "in another format than ours")
        reader = Reader(plaintext)
        reader.u8()
        return cls(
            suite=reader.u16(),
            group=reader.u16(),
            made_at=reader.u64(),
            identities=reader.u16(),
            early_data=bool(reader.u8()),
            fixed_part=reader.take(32),
            first_hello=reader.rest(),
        )

    def encode(self) -> bytes:
        return (
            bytes((FORMAT,))
            + u16(self.suite)
            + u16(self.group)
            + self.made_at.to_bytes(8)
            + u16(self.identities)
            + bytes((self.early_data,))
            + self.fixed_part
            + self.first_hello
        )

    def check_age(self, now: float) -> None:
        age = round(now * 1000) - self.made_at
        if abs(age) > MAX_COOKIE_AGE * 1000:
            raise Fault(Reason.BAD_COOKIE, f"made {age / 1000} s ago; at most {MAX_COOKIE_AGE}")

    def check_unchanged(self, second: ClientHello) -> None:
        """RFC 9846 section 4.2.2: what the retry did not ask to change must be as before."""
        check_no_early_data(second)
        if fixed_part(second) != self.fixed_part:
            raise Fault(Reason.CHANGED_AFTER_RETRY, "more than the retry asked for")
        if _identities(second) > self.identities:
            raise Fault(Reason.CHANGED_AFTER_RETRY, f"{self.identities} identities became more")

    def check_config(self, config: ServerConfig) -> None:
        """Whoever asked for the retry may have had another config."""
        if self.suite not in config.suites_of(ProtocolVersion.TLS_1_3):
            raise Fault(Reason.NO_COMMON_CIPHER_SUITE, f"the cookie has {self.suite:#06x}")
        if self.group not in config.groups:
            raise Fault(Reason.NO_COMMON_GROUP, f"the cookie has {self.group:#06x}")


def _identities(hello: ClientHello) -> int:
    offer = hello.find(PreSharedKeyOffer)
    return len(offer.identities) if offer is not None else 0
