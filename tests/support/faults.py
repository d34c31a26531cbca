"""How a test says which fault it expects."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sansticket.codes import AlertDescription
from sansticket.errors import ALERTS, Fault, Reason


@contextmanager
def fault(reason: Reason, detail: str = "") -> Iterator[None]:
    """The block raises a ``Fault`` of this reason, with its alert and with ``detail`` in its detail."""
    with pytest.raises(Fault) as caught:
        yield
    assert caught.value.reason is reason
    assert caught.value.alert is ALERTS[reason]
    assert detail in caught.value.detail


@contextmanager
def malformed(detail: str = "") -> Iterator[None]:
    """The block finds lengths that do not add up: decode_error."""
    with fault(Reason.MALFORMED_MESSAGE, detail):
        yield
    assert ALERTS[Reason.MALFORMED_MESSAGE] is AlertDescription.DECODE_ERROR
