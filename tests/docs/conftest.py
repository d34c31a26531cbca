"""Pages whose code says nothing of time-outs."""

from __future__ import annotations

import pytest

from sansticket_wrappers.redis import RedisRecorder, RedisRevocations, RedisStore
from tests.support.command import PATIENCE


@pytest.fixture
def _patience_with_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual time-out is for machines that have time."""
    for kind in (RedisStore, RedisRecorder, RedisRevocations):
        monkeypatch.setitem(kind.__init__.__kwdefaults__, "timeout", PATIENCE)
