"""A world of TLS 1.2 for each test."""

import pytest

from tests.support.resumption12 import World12


@pytest.fixture
def world() -> World12:
    return World12()
