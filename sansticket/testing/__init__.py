"""Experiments for what you build around the package: rules to be tried on a store or recorder of your own."""

from sansticket.testing.experiments import BrokenRule
from sansticket.testing.recorder_rules import (
    FRESH_RECORDER_RULES,
    RECORDER_RULES,
    BlockingRecorder,
    Recorder,
    RecorderRule,
)
from sansticket.testing.store_rules import RULES, BlockingSessionStore, Rule, SessionStore

__all__ = [
    "FRESH_RECORDER_RULES",
    "RECORDER_RULES",
    "RULES",
    "BlockingRecorder",
    "BlockingSessionStore",
    "BrokenRule",
    "Recorder",
    "RecorderRule",
    "Rule",
    "SessionStore",
]
