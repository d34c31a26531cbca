"""The wrapper for asyncio on uvloop's loop, with its own transports: every test of ``test_asyncio`` once more."""

import asyncio

import pytest
import uvloop

from tests.wrappers import test_asyncio as with_asyncio

globals().update({name: value for name, value in vars(with_asyncio).items() if name.startswith("test_")})


@pytest.fixture(autouse=True)
def _loops_of_uvloop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(with_asyncio, "new_loop", uvloop.new_event_loop)


def test_it_is_uvloop() -> None:
    async def main() -> None:
        assert isinstance(asyncio.get_running_loop(), uvloop.Loop)

    with_asyncio.run(main())
