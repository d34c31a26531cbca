"""The alert is two bytes, no more and no less."""

import pytest
from hypothesis import given

from sansticket.codes import AlertDescription, AlertLevel
from sansticket.wire.messages.alert import Alert
from tests.support.faults import malformed
from tests.support.messages import alerts


@given(alert=alerts())
def test_there_and_back(alert: Alert) -> None:
    assert len(alert.encode()) == 2
    assert Alert.decode(alert.encode()) == alert


def test_its_bytes() -> None:
    assert Alert(AlertLevel.FATAL, AlertDescription.DECODE_ERROR).encode() == b"\2\x32"


@pytest.mark.parametrize("size", [0, 1, 3, 4])
def test_another_length(size: int) -> None:
    with malformed():
        Alert.decode(bytes(size))
