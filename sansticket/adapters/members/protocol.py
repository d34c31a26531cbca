"""Members of a context: what it negotiates."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterable
from typing import Any, Final

from sansticket.adapters.ciphers import CIPHERS, CURVES, select_ciphers
from sansticket.adapters.members.arguments import known_version, unsigned
from sansticket.adapters.members.base import Members
from sansticket.codes import ProtocolVersion
from sansticket.errors import ConfigError
from sansticket.events import SelectConfig
from sansticket.text import quoted

SECURITY_LEVEL: Final = 2
"""What SSL_CTX_set_security_level(3) calls 112 bits: nothing below that is there to be chosen."""


class ProtocolMembers(Members):
    """Versions, options, cipher suites, groups, application protocols and server names."""

    @property
    def protocol(self) -> Any:  # type: ignore[override]  # as in the stubs of the standard library
        """``PROTOCOL_TLS_CLIENT`` or ``PROTOCOL_TLS_SERVER``."""
        return self._protocol

    @property
    def minimum_version(self) -> ssl.TLSVersion:
        """The lowest version of the protocol that is spoken; ``ssl.TLSVersion`` or its number."""
        return ssl.TLSVersion(self._settings.minimum)

    @minimum_version.setter
    def minimum_version(self, value: int) -> None:
        self._settings.use_bounds(minimum=known_version(value))

    @property
    def maximum_version(self) -> ssl.TLSVersion:
        """The highest version of the protocol that is spoken; ``ssl.TLSVersion`` or its number."""
        return ssl.TLSVersion(self._settings.maximum)

    @maximum_version.setter
    def maximum_version(self, value: int) -> None:
        self._settings.use_bounds(maximum=known_version(value))

    @property
    def options(self) -> ssl.Options:
        """OP_NO_TLSv1_2, OP_NO_TLSv1_3, OP_NO_TICKET, OP_IGNORE_UNEXPECTED_EOF and OP_ENABLE_MIDDLEBOX_COMPAT have
        an effect; the others are about what is always or never done."""
        return ssl.Options(self._settings.options)

    @options.setter
    def options(self, value: int) -> None:
        self._settings.use_options(unsigned(value))

    @property
    def security_level(self) -> int:  # type: ignore[override]  # the stubs say that it can be set
        """2, whatever a cipher list says: what is weaker is not there to be chosen."""
        return SECURITY_LEVEL

    def set_ciphers(self, cipherlist: str, /) -> None:
        """The cipher suites of TLS 1.2, in OpenSSL's language; those of TLS 1.3 stay as they are."""
        if not isinstance(cipherlist, str):
            raise TypeError(f"set_ciphers() argument must be str, not {type(cipherlist).__name__}")
        if "\0" in cipherlist:
            raise ValueError("embedded null character")
        tls13 = tuple(suite for suite in self._settings["cipher_suites"] if CIPHERS[suite].tls13)
        self._settings.change(cipher_suites=(*tls13, *select_ciphers(cipherlist)))

    def get_ciphers(self) -> list[Any]:
        """The cipher suites that are enabled, the preferred ones first."""
        tls12 = self._settings.offers(ProtocolVersion.TLS_1_2)
        tls13 = self._settings.offers(ProtocolVersion.TLS_1_3)
        return [
            CIPHERS[suite].as_dict(suite)
            for suite in self._settings["cipher_suites"]
            if (tls13 if CIPHERS[suite].tls13 else tls12)
        ]

    def set_ecdh_curve(self, name: str | bytes, /) -> None:
        """Use this group and no other, by OpenSSL's short name."""
        curve = CURVES.get(os.fsdecode(name))
        if curve is None:
            raise ValueError(f"unknown elliptic curve name {quoted(name)}")
        self._settings.change(groups=(curve,))

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """The application protocols, in the order of preference.  A server that has none of the client's goes on
        without; one whose config names protocols refuses such a client instead (RFC 7301 section 3.2)."""
        protocols = tuple(bytes(protocol, "ascii") for protocol in alpn_protocols)
        if not all(0 < len(protocol) < 256 for protocol in protocols):
            raise ssl.SSLError("ALPN protocols must be 1 to 255 in length")
        if protocols != self._settings["alpn_protocols"] or not self._settings.lenient_alpn:
            self._settings.use_protocols(protocols)

    @property
    def sni_callback(self) -> Any:
        """A server's: called with the SSLObject, the name that the client asks for, and the context.

        It may set ``context`` of the SSLObject.  It returns None, or an alert to refuse the client with.
        """
        return self._settings.sni_callback

    @sni_callback.setter
    def sni_callback(self, callback: Callable[..., Any] | None) -> None:
        if not self._settings.server:
            raise ValueError("sni_callback cannot be set on TLS_CLIENT context")
        if callback is not None and not callable(callback):
            raise TypeError("not a callable object")
        if callback is not None and SelectConfig in self._settings["answers"]:
            raise ConfigError("answers", "SelectConfig is answered; expected that or an sni_callback")
        self._settings.sni_callback = callback
        self._settings.forget_profile()

    def set_servername_callback(self, server_name_callback: Callable[..., Any] | None) -> None:
        """The older name of ``sni_callback``."""
        self.sni_callback = server_name_callback
