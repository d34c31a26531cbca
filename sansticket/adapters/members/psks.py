"""Members of a context: external PSKs by callbacks, as Python 3.13 has them, for TLS 1.3."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any, Final

from attrs import evolve

from sansticket.adapters.failures import without_reason
from sansticket.adapters.members.base import Members
from sansticket.codes import ProtocolVersion
from sansticket.commands import ProvidePsk
from sansticket.config.client import ClientConfig
from sansticket.events import LookUpPsk
from sansticket.psk import ExternalPsk, PskRole
from sansticket.values import frozen

MAX_HINT: Final = 256
"""Bytes of an identity hint: PSK_MAX_IDENTITY_LEN of OpenSSL."""


@frozen
class ServerPsks:
    """Answers ``LookUpPsk`` by a callback, which takes a name as text and gives its key, or none."""

    callback: Callable[[str], Any]

    def __call__(self, question: LookUpPsk) -> ProvidePsk:
        try:
            name = question.identity.decode()
        except UnicodeDecodeError:
            return ProvidePsk(None, "the identity is not UTF-8")
        key = self.callback(name)
        if not key:
            return ProvidePsk(None)
        return ProvidePsk(ExternalPsk(question.identity, key, role=PskRole.SERVER))


def with_psk(config: ClientConfig, callback: Callable[[str | None], Any]) -> ClientConfig:
    """With the PSK that the callback gives, if it gives one.  TLS 1.3 has no hint for it."""
    if ProtocolVersion.TLS_1_3 not in config.usable_versions:
        return config
    given = callback(None)
    if not isinstance(given, tuple) or len(given) != 2:
        raise TypeError(f"the PSK client callback gave {type(given).__name__}; expected identity and key")
    identity, key = given
    if not key:
        return config
    if not isinstance(identity, str):
        raise TypeError(f"the PSK client callback gave {type(identity).__name__} as identity; expected str")
    return evolve(config, psks=(*config.psks, ExternalPsk(identity.encode(), key, role=PskRole.CLIENT)))


class PskMembers(Members):
    """The callbacks of either side."""

    def set_psk_client_callback(self, callback: Callable[..., Any] | None) -> None:
        """Ask ``callback(None)`` for each connection; it gives identity and key, or an empty key for none.

        The key has at least 16 bytes, its hash is SHA-256, and what the callback raises comes out of the handshake.
        Where nothing verifies certificates, a server that does not take the PSK is refused (``docs/psk.md``).
        """
        self._check_callback(callback, "client", server=False)
        with self._settings.lock:
            self._settings.psk_client_callback = callback
            self._settings.forget_profile()

    def set_psk_server_callback(
        self, callback: Callable[..., Any] | None, identity_hint: str | None = None
    ) -> None:
        """Ask ``callback(identity)`` for the key of each name that a client shows; an empty one for none.

        It stands among ``answers`` as that for ``LookUpPsk``.  ``identity_hint`` is for TLS 1.2, where there are none.
        """
        self._check_callback(callback, "server", server=True)
        hint: Any = identity_hint
        if not isinstance(hint, str | None):
            name = type(hint).__name__
            raise TypeError(
                f"set_psk_server_callback() argument 'identity_hint' must be str or None, not {name}"
            )
        if hint is not None and "\0" in hint:
            raise ValueError("embedded null character")
        if hint is not None and len(hint.encode()) > MAX_HINT:
            raise ValueError("failed to set identity hint")
        with self._settings.lock:
            answers = dict(self._settings["answers"])
            answers.pop(LookUpPsk, None)
            if callback is not None:
                answers[LookUpPsk] = ServerPsks(callback)
            self._settings.change(answers=answers)

    def _check_callback(self, callback: object, side: str, *, server: bool) -> None:
        if self._settings.server is not server:
            words = f"Cannot add PSK {side} callback to a {self._protocol.name} context"
            raise without_reason(ssl.SSLError, 0, words)
        if callback is not None and not callable(callback):
            raise TypeError("callback must be callable")
