"""What all states of TLS 1.2 are."""

from __future__ import annotations

from typing import ClassVar

from sansticket.handshake.machine import state
from sansticket.handshake.machine.version import TLS_1_2, Version


class State(state.State):
    """A state in which handshake messages are those of TLS 1.2."""

    __slots__ = ()

    VERSION: ClassVar[Version] = TLS_1_2
    OVERLOOKS_CHANGE_CIPHER_SPEC: ClassVar[bool] = False


class Asking(state.Asking):
    """A question asked in TLS 1.2."""

    __slots__ = ()

    VERSION: ClassVar[Version] = TLS_1_2
    OVERLOOKS_CHANGE_CIPHER_SPEC: ClassVar[bool] = False
