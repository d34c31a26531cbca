"""What a peer may repeat while it sends no data, and how often."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Self

from attrs import define

from sansticket.codes import HandshakeType
from sansticket.errors import Fault, Reason

MAX_WARNINGS: Final = 4
"""Warning alerts in a row; OpenSSL's limit is 5."""

MAX_CHANGE_CIPHER_SPECS: Final = 32
"""change_cipher_spec records of compatibility mode; honest peers send one, and nothing says that two are wrong."""

MAX_MESSAGES_WITHOUT_DATA: Final[dict[int, int]] = {
    HandshakeType.KEY_UPDATE: 32,
    HandshakeType.NEW_SESSION_TICKET: 1024,
    HandshakeType.CERTIFICATE_REQUEST: 32,
    HandshakeType.HELLO_REQUEST: 32,
    HandshakeType.CLIENT_HELLO: 32,
}
"""Post-handshake messages of one kind that may come before any application data: 32 KeyUpdates as in OpenSSL
and BoringSSL; libssl really sends a thousand tickets if it is told to.  What answers a question of ours is not
counted: there is one question for each."""

TOO_MANY: Final[dict[int, Reason]] = {
    HandshakeType.KEY_UPDATE: Reason.TOO_MANY_KEY_UPDATES,
    HandshakeType.NEW_SESSION_TICKET: Reason.TOO_MANY_TICKETS,
    HandshakeType.CERTIFICATE_REQUEST: Reason.TOO_MANY_CERTIFICATE_REQUESTS,
    HandshakeType.HELLO_REQUEST: Reason.RENEGOTIATION,
    HandshakeType.CLIENT_HELLO: Reason.RENEGOTIATION,
}
"""What more than that is called.  TLS 1.2 asks for a renegotiation with the last two."""


NOTHING_REPEATED: Final[Mapping[int, int]] = {}


@define(weakref_slot=False)
class Limits:
    """What one peer has repeated so far.  Raises Fault for what is once too often.

    ``repeated``: there is something that application data makes good.
    """

    repeated: bool = False
    change_cipher_specs: int = 0
    _warnings: int = 0
    _messages: Mapping[int, int] = NOTHING_REPEATED

    def count_message(self, kind: int) -> None:
        """A handshake message after the handshake."""
        limit = MAX_MESSAGES_WITHOUT_DATA.get(kind)
        if limit is None:
            return
        count = self._messages.get(kind, 0) + 1
        self._messages = {**self._messages, kind: count}  # a copy of this object keeps its own
        self.repeated = True
        if count > limit:
            raise Fault(TOO_MANY[kind], f"{count} without any data between them")

    def count_warning(self) -> None:
        """An alert that ends nothing."""
        self._warnings += 1
        self.repeated = True
        if self._warnings > MAX_WARNINGS:
            raise Fault(Reason.TOO_MANY_WARNINGS)

    def count_change_cipher_spec(self) -> None:
        """One that is overlooked; data makes none of them good, since there are none in a handshake."""
        self.change_cipher_specs += 1
        if self.change_cipher_specs > MAX_CHANGE_CIPHER_SPECS:
            raise Fault(Reason.UNEXPECTED_CHANGE_CIPHER_SPEC, f"more than {MAX_CHANGE_CIPHER_SPECS}")

    def handed_over(self) -> dict[str, Any]:
        """Fields of a ``Handover``."""
        return {
            "repeated": self.repeated,
            "change_cipher_specs": self.change_cipher_specs,
            "warnings": self._warnings,
            "repetitions": tuple(sorted((int(kind), count) for kind, count in self._messages.items())),
        }

    @classmethod
    def restored(
        cls, repeated: bool, change_cipher_specs: int, warnings: int, repetitions: tuple[tuple[int, int], ...]
    ) -> Self:
        """From the same."""
        return cls(repeated, change_cipher_specs, warnings, dict(repetitions))

    def forgive(self) -> None:
        """Application data has come."""
        self.repeated = False
        self._warnings = 0
        self._messages = NOTHING_REPEATED
