"""A client's context that resumes by itself, and says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sansticket import ClientSessionStore
from sansticket_wrappers.blocking import SSLContext
from tests.support.configs import client_config


@contextmanager
def resuming(*times: int) -> Iterator[SSLContext]:
    """For a client that connects twice, or one of those ``times``, to 127.0.0.1, and resumes but for the first time."""
    context = SSLContext(client_config(session_store=ClientSessionStore()))
    yield context
    found = context.session_stats()
    assert found["connect_good"] in (times or (2,))
    assert found["hits"] == found["connect_good"] - 1
