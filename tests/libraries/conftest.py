"""Collected where the extra ``libraries`` is installed: ``tox -e libraries``."""

from collections.abc import Iterator

import pytest

from tests.support.libraries import not_installed
from tests.support.sockets import bounded

collect_ignore_glob = ["test_*.py"] if not_installed() else []


@pytest.fixture(autouse=True)
def _no_socket_waits_for_ever() -> Iterator[None]:
    """Not every library has an argument for that."""
    with bounded():
        yield
