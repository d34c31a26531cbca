"""For what you build around the package: certificates made on the spot, and rules to be tried on a store or recorder
of your own."""

from sansticket.field_docs import show_field_docs
from sansticket.testing.certificates import PrivateAuthority
from sansticket.testing.claim_rules import CLAIM_RULES, BlockingClaimingStore, ClaimingStore, ClaimRule
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
    "CLAIM_RULES",
    "FRESH_RECORDER_RULES",
    "RECORDER_RULES",
    "RULES",
    "BlockingClaimingStore",
    "BlockingRecorder",
    "BlockingSessionStore",
    "BrokenRule",
    "ClaimRule",
    "ClaimingStore",
    "PrivateAuthority",
    "Recorder",
    "RecorderRule",
    "Rule",
    "SessionStore",
]

show_field_docs([globals()[name] for name in __all__])
