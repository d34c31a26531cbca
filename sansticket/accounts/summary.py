"""What a log of accounts amounts to: how many handshakes resumed, and why the others did not."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

from attrs import Factory, define

from sansticket.accounts.events import FORMAT
from sansticket.accounts.reasons import OUTCOMES, REASONS
from sansticket.errors import Reason, SansticketError
from sansticket.text import printable

MAX_LINE: Final = 65_536
"""Characters of a line that is looked at; no account is as long."""

LATEST: Final = 1 << 53
"""Seconds since the epoch, beyond which no clock counts them; as many before it."""

_BEGINNING: Final = re.compile(r'\{\s*"sansticket"')
"""Of an account, as we write it."""

_BRACE: Final = re.compile(r"\{")

_TERMINATIONS: Final = frozenset(reason.name.lower() for reason in Reason)


class LogError(SansticketError, ValueError):
    """A log in which there is no account."""


@define
class Summary:
    """What was counted, by side and version where that is told."""

    outcomes: Counter[str] = Factory(Counter)
    """How many handshakes: ``resumed``, ``external_psk`` or ``full``."""
    reasons: Counter[str] = Factory(Counter)
    """Why the full ones were that: ``REASONS``."""
    by_version: Counter[tuple[str, str]] = Factory(Counter)
    """Version and outcome."""
    checks: Counter[str] = Factory(Counter)
    """How many identities failed each check, whatever became of the handshake."""
    keys: Counter[str] = Factory(Counter)
    """How many tickets each key opened, by its name in hexadecimal digits."""
    terminations: Counter[str] = Factory(Counter)
    """Why connections ended by a failure, in small letters of ``Reason``; those that were truncated among them."""
    tickets: Counter[str] = Factory(Counter)
    """What became of tickets: ``issued``, ``received``, ``withheld``, ``reused``."""
    early_data: Counter[str] = Factory(Counter)
    """How early data went, with the reason where there was none: ``accepted``, ``rejected: not_claimed``, ..."""
    handshakes: list[tuple[float, bool]] = Factory(list)
    """When each was, in seconds since the epoch, and whether it resumed."""
    left_out: int = 0
    """Lines that are no accounts."""

    @classmethod
    def of(cls, lines: Iterable[str], *, side: str | None = None) -> Summary:
        """All accounts among ``lines``, of one ``side`` or of both.  LogError if there is none.

        A line is JSON; what stands before it (a time, a name) is passed over.
        """
        summary, found = cls(), False
        for line in lines:
            account = _account(line)
            if account is None:
                summary.left_out += bool(line.strip())
                continue
            found = True
            if side is None or account.get("side") == side:
                summary.count(account)
        if not found:
            raise LogError("no account of sansticket in it; expected lines of JSON, see docs/monitoring.md")
        return summary

    def count(self, account: dict[str, Any]) -> None:
        """One more.  What it does not say, or says in words that are none, counts as ``other``."""
        match account.get("event"):
            case "handshake":
                self._count_handshake(account)
            case "terminated":
                self.terminations[_word(account.get("reason"), _TERMINATIONS)] += 1
            case "ticket_issued" | "ticket_received" | "ticket_withheld" | "ticket_reused" as event:
                self.tickets[event.removeprefix("ticket_")] += 1

    def _count_handshake(self, account: dict[str, Any]) -> None:
        outcome = _word(account.get("outcome"), OUTCOMES)
        self.outcomes[outcome] += 1
        self.by_version[_text(account.get("version")), outcome] += 1
        if outcome == "full":
            self.reasons[_word(account.get("reason"), REASONS)] += 1
        time = account.get("time")
        if isinstance(time, int | float) and abs(time) <= LATEST:  # which infinity and NaN are not
            self.handshakes.append((float(time), outcome == "resumed"))
        status, why = account.get("early_data"), account.get("early_data_reason")
        if status not in (None, "not_offered"):
            self.early_data[_text(status) if why is None else f"{_text(status)}: {_text(why)}"] += 1
        for identity in _several(account.get("identities")):
            if isinstance(identity, dict):
                self.checks.update(map(_text, _several(identity.get("failed"))))
                if identity.get("key"):
                    self.keys[_text(identity["key"])] += 1

    @property
    def number(self) -> int:
        """Of handshakes."""
        return sum(self.outcomes.values())

    def lines(self) -> Iterator[str]:
        """For people."""
        total = self.number
        yield f"{total:,} handshakes" + (f", {self.left_out:,} lines that are none" if self.left_out else "")
        yield from _table("outcome", self.outcomes, total)
        yield from _table("why the full ones were not resumed", self.reasons, self.outcomes["full"])
        versions = Counter({f"{version} {outcome}": n for (version, outcome), n in self.by_version.items()})
        for title, counts in (
            ("versions", versions),
            ("checks that identities failed", self.checks),
            ("tickets that each key opened", self.keys),
            ("tickets", self.tickets),
            ("early data", self.early_data),
            ("connections that failed", self.terminations),
        ):
            yield from _table(title, counts, sum(counts.values()))


def _account(line: str) -> dict[str, Any] | None:
    if len(line) > MAX_LINE:
        return None
    begins = _BEGINNING.search(line) or _BRACE.search(line)  # others may write the names in another order
    try:
        account = json.loads(line[begins.start() :] if begins else "")
    except (ValueError, RecursionError):
        return None
    if not isinstance(account, dict) or account.get("sansticket") != FORMAT:
        return None
    return account


def _several(value: object) -> Iterable[object]:
    return value if isinstance(value, list | dict) else ()


def _word(value: object, known: Iterable[str]) -> str:
    return value if isinstance(value, str) and value in known else "other"


def _text(value: object) -> str:
    """Of a log that anybody may have written."""
    return printable(str(value), 60)


def _table(title: str, counts: Counter[str], total: int) -> Iterator[str]:
    if not counts:
        return
    yield ""
    yield f"{title}:"
    width = max(map(len, counts))
    for name, number in counts.most_common():
        yield f"  {name:{width}} {number:9,} {number / max(total, 1):7.1%}"
