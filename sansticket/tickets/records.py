"""Why a session was resumed, or why it was not: the account that every handshake gives.

A server tells, for each identity that a client offered, what opening it gave, what was answered, and every
check with the numbers behind it.  A client tells the same about what it offered.  ``str`` of a record is
a short text for people; the fields are for programs.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from attrs import field

from sansticket.text import MAX_PIECE, MAX_TEXT, printable, quoted
from sansticket.tickets.early_data import NOT_OFFERED, NOT_WANTED, EarlyDataOutcome
from sansticket.values import value

if TYPE_CHECKING:
    from sansticket.tickets.decision import TicketReturn, TicketStatus
    from sansticket.tickets.stores.uses import TicketUse

MAX_RECORD: Final = 4 * MAX_TEXT
"""Characters of a whole record; a server looks at eight identities at most, for each of which a tenth of it will do."""

MAX_REPR: Final = 2 * MAX_TEXT
"""Characters of the ``repr`` of all its identities: the fields are for programs."""

_INDENT: Final = len("\n  ")
_AND_MORE: Final = len("and 65535 more identities")


@value
class Check:
    """One test that an identity had to pass."""

    name: str
    """What was tested: expiry, context, hash, name, age, replay, binder, ..."""

    passed: bool
    """Whether the identity could still be used after it."""

    detail: str = field(default="", converter=printable)
    """The numbers behind it, such as ``age 7200.000 s, lifetime 7200 s``: printable, at most 1,000 characters."""

    def __str__(self) -> str:
        name = self.name if self.passed else f"{self.name} FAILED"
        return printable(f"{name} ({self.detail})" if self.detail else name)


SAME_NAME: Final = Check("name", True, "the same")
"""Said of nearly every session, on both sides."""


@lru_cache(maxsize=256)
def known_check(name: str, passed: bool, detail: str) -> Check:
    """One of which there are few: the same that was made before."""
    return Check(name, passed, detail)


def all_passed(checks: tuple[Check, ...]) -> bool:
    """Whether none of them failed."""
    return not [check for check in checks if not check.passed]


@value
class IdentityRecord:
    """What became of one identity."""

    index: int
    """Its place among those that were offered, from 0."""

    key_name: bytes = b""
    """The name of the ticket's key, or the beginning of what could not be opened; empty on a client."""

    status: TicketStatus | None = None
    """What opening it gave; None when it was not opened (on a client, or after another one had won)."""

    ticket_return: TicketReturn | None = None
    """What was answered; None when nobody asked."""

    checks: tuple[Check, ...] = ()
    """In the order in which they were made; after one that failed there may be none."""

    psk_identity: bytes | None = field(default=None, repr=quoted)
    """The identity itself where it is that of an external PSK."""

    family: bytes = field(default=b"", repr=bytes.hex)
    """Of the session that it stands for, see ``Session.family``; empty where there is none, or it is not known."""

    generation: int = 0
    """Likewise."""

    earlier_use: TicketUse | None = None
    """The first time that it was used, where somebody remembers (``ticket_uses``, the cache, a store), and this is not
    it."""

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return all_passed(self.checks)

    def __str__(self) -> str:
        parts = [f"identity {self.index}"]
        if self.psk_identity is not None:
            parts.append(f"external PSK {quoted(self.psk_identity)}")
        if self.key_name:
            parts.append(printable(f"key {self.key_name.hex()}", MAX_PIECE))
        if self.family:
            parts.append(f"family {self.family.hex()} generation {self.generation}")
        if self.status is not None:
            parts.append(self.status.name)
        if self.ticket_return is not None:
            parts.append(f"-> {self.ticket_return.name}")
        if not self.checks:
            unseen = self.status is None and self.psk_identity is None
            return f"{' '.join(parts)}: {'not looked at' if unseen else 'no checks'}"
        lines = [" ".join(parts)]
        lines += [str(check) for check in self.checks if not check.passed]
        if passed := ", ".join(str(check) for check in self.checks if check.passed):
            lines.append(printable(f"passed: {passed}"))
        return "\n    ".join(lines)


@value
class ResumptionRecord:
    """The account of one handshake.  Its ``str`` has at most 4,000 characters, in lines of at most 1,000."""

    identities: tuple[IdentityRecord, ...] = field(
        default=(), repr=lambda identities: printable(repr(identities), MAX_REPR)
    )
    """In the order in which they were offered."""

    winner: int | None = None
    """The index of the identity that was resumed, or of the external PSK; None after a full handshake."""

    tickets_to_follow: int | None = 0
    """How many tickets the server was to send because of this handshake.  On a client: how many it announced
    (RFC 9149 section 4), None if it did not."""

    why: str = field(default="", converter=printable)
    """The rule that decided, in words."""

    psk_identity: bytes | None = field(default=None, repr=quoted)
    """The external PSK that authenticated this handshake; None where there was none, and after a resumption."""
    early_data: EarlyDataOutcome = NOT_OFFERED
    """What became of early data, and why."""

    @property
    def resumed(self) -> bool:
        """One of the sessions that were offered was resumed."""
        return self.winner is not None and self.psk_identity is None

    def __str__(self) -> str:
        outcome = "full handshake" if self.winner is None else f"resumed identity {self.winner}"
        if self.psk_identity is not None:
            outcome = f"external PSK {quoted(self.psk_identity)}, identity {self.winner}"
        number = self.tickets_to_follow
        tickets = "" if number is None else f", {number} ticket{'' if number == 1 else 's'} to follow"
        why = self.why.removeprefix(f"{outcome}, ")
        first = f"{outcome}{tickets}" + (f": {why}" if why else "")
        last = [] if self.early_data in (NOT_OFFERED, NOT_WANTED) else [printable(str(self.early_data))]
        lines = [printable(first)]
        room = MAX_RECORD - sum(len(line) + _INDENT for line in (*lines, *last)) - _AND_MORE - _INDENT
        for place, identity in enumerate(self.identities):
            text = str(identity)
            room -= len(text) + _INDENT
            if room < 0:
                lines.append(f"and {len(self.identities) - place} more identities")
                break
            lines.append(text)
        return "\n  ".join(lines + last)
