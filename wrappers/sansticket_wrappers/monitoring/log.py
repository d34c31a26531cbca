"""Accounts as records of the standard library's logging, and such records as lines of JSON."""

from __future__ import annotations

import json
import logging
from typing import Any

from sansticket.accounts import Account

ATTRIBUTE = "sansticket"
"""Where a record of the log has its account."""

LOGGER = "sansticket.accounts"


class LogSink:
    """Logs each account: with level WARNING what failed (``terminated``, ``ticket_withheld``, ``ticket_reused``), the
    rest with INFO.

    The message is a few words for people; the account is the attribute ``sansticket`` of the record, for formatters
    that know of it: ``JsonLines``, or another.
    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        """``logger``: ``sansticket.accounts`` unless another is given."""
        self._logger = logging.getLogger(LOGGER) if logger is None else logger

    def take(self, account: Account) -> None:
        level = logging.WARNING if account["event"] in _FAILURES else logging.INFO
        if self._logger.isEnabledFor(level):
            self._logger.log(level, "%s", _in_words(account), extra={ATTRIBUTE: account})


class JsonLines(logging.Formatter):
    """One object in one line for each record: the account, with ``level`` and ``logger``.

    A record that has no account gets ``message`` and ``time``, and ``exception`` if there is one.
    """

    def format(self, record: logging.LogRecord) -> str:
        account = getattr(record, ATTRIBUTE, None)
        said: dict[str, Any] = {"level": record.levelname, "logger": record.name}
        if isinstance(account, dict):
            said = {**account, **said}
        else:
            said |= {"time": round(record.created, 3), "message": record.getMessage()}
            if record.exc_info:
                said["exception"] = self.formatException(record.exc_info)
        return json.dumps(said, ensure_ascii=True, separators=(",", ":"), default=str)


_FAILURES = frozenset({"terminated", "ticket_withheld", "ticket_reused"})


def _in_words(account: Account) -> str:
    event = str(account["event"]).replace("_", " ")
    detail = account.get("why") or account.get("detail") or account.get("reason") or account.get("policy")
    return f"{account['side']}: {event}" + (f": {detail}" if detail else "")
