"""What became of handshakes, sessions and connections, in words of which there are few: for logs and counters."""

from sansticket.accounts.events import Account, account_of
from sansticket.accounts.reasons import REASONS, outcome_of, reason_of, refusals_of
from sansticket.accounts.summary import LogError, Summary
from sansticket.field_docs import show_field_docs

__all__ = [
    "REASONS",
    "Account",
    "LogError",
    "Summary",
    "account_of",
    "outcome_of",
    "reason_of",
    "refusals_of",
]

show_field_docs([Summary])
