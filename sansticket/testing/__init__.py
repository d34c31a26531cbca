"""Experiments for what you build around the package: rules to be tried on a session store of your own."""

from sansticket.testing.store_rules import (
    RULES,
    BlockingSessionStore,
    BrokenRule,
    Rule,
    SessionStore,
)

__all__ = ["RULES", "BlockingSessionStore", "BrokenRule", "Rule", "SessionStore"]
