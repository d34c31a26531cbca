"""A world for each test."""

import pytest

from tests.support.resumption import World


@pytest.fixture
def world() -> World:
    return World()
