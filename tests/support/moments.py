"""Moments of a connection at which a hostile peer can say something, for tables of tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any, Final

import pytest

from tests.support.hostile import HostilePeer
from tests.support.hostile_client import HostileClient
from tests.support.hostile_server import HostileServer

Moment = Callable[[], HostilePeer]

AT_THE_START: Final[dict[str, Moment]] = {
    "server at the start": HostileClient,
    "client at the start": HostileServer,
}
IN_THE_HANDSHAKE: Final[dict[str, Moment]] = {
    "server in the handshake": lambda: HostileClient().begin(),
    "client in the handshake": lambda: HostileServer().say_hello(),
}
CONNECTED: Final[dict[str, Moment]] = {
    "server connected": lambda: HostileClient().complete(),
    "client connected": lambda: HostileServer().complete(),
}
PROTECTED: Final = IN_THE_HANDSHAKE | CONNECTED
MOMENTS: Final = AT_THE_START | PROTECTED
"""Each makes a peer whose victim is at that moment."""


def at(moments: Mapping[str, Moment]) -> pytest.MarkDecorator:
    """The test is run at each of the moments."""
    return pytest.mark.parametrize("moment", moments.values(), ids=moments.keys())


def table(moments: Mapping[str, Moment], rows: Sequence[Any]) -> pytest.MarkDecorator:
    """Every row of a table of ``refusals.case`` with one value, at every moment."""
    params = [
        pytest.param(*row.values, moment, id=f"{row.id}, {name}")
        for row, (name, moment) in product(rows, moments.items())
    ]
    return pytest.mark.parametrize(("sent", "reason", "moment"), params)
