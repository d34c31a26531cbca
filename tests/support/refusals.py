"""Which reasons the hostile tests reach: said where a test is defined, held by the test itself.

A meta-test compares ``REACHED`` with the enumeration, so that no reason is without a test.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, Protocol

import pytest

from sansticket.codes import AlertDescription
from sansticket.errors import Reason
from sansticket.events import ConnectionTerminated

REACHED: Final[dict[Reason, list[str]]] = {}
"""The names of the tests and cases in which a connection ends for each reason."""


class Peer(Protocol):
    """What a test of refusals gives back."""

    def assert_refused(
        self, reason: Reason, alert: AlertDescription | None = None, detail: str = ""
    ) -> None: ...


def refused(
    reason: Reason, alert: AlertDescription | None = None, detail: str = ""
) -> Callable[[Callable[..., Peer]], Callable[..., None]]:
    """The test gives back a hostile peer whose victim must have ended for this reason, with its alert on the wire."""

    def decorate(test: Callable[..., Peer]) -> Callable[..., None]:
        REACHED.setdefault(reason, []).append(test.__name__)

        @wraps(test)
        def checked(*args: Any, **named: Any) -> None:
            test(*args, **named).assert_refused(reason, alert, detail)

        return checked

    return decorate


def ends(
    reason: Reason,
) -> Callable[[Callable[..., ConnectionTerminated]], Callable[..., None]]:
    """The test gives back the event of a connection that ended for this reason, which needs no alert of ours."""

    def decorate(test: Callable[..., ConnectionTerminated]) -> Callable[..., None]:
        REACHED.setdefault(reason, []).append(test.__name__)

        @wraps(test)
        def checked(*args: Any, **named: Any) -> None:
            end = test(*args, **named)
            assert isinstance(end, ConnectionTerminated)
            assert end.reason is reason

        return checked

    return decorate


def case(name: str, reason: Reason, *values: object) -> Any:
    """A row of a table of refusals, for ``pytest.mark.parametrize("..., reason", [...])``: the reason comes last."""
    REACHED.setdefault(reason, []).append(name)
    return pytest.param(*values, reason, id=name)
