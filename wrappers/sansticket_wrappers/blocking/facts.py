"""What a driver tells of its connection, in the words of OpenSSL's object."""

from __future__ import annotations

import ssl
from typing import Any
from weakref import ref

from attrs import field, frozen

from sansticket import AbortHandshake, SelectConfig
from sansticket.adapters import SSLObject
from sansticket.adapters.ciphers import CipherTuple
from sansticket.adapters.selection import refusal


class SocketObject(SSLObject):
    """The SSLObject of a socket, which an ``sni_callback`` is shown in its place."""

    shown: ref[ssl.SSLSocket]

    def _call_back(self, question: SelectConfig) -> AbortHandshake | None:
        callback = self._profile.sni_callback
        if callback is None:
            return None
        return refusal(callback(self.shown(), question.server_name, self._context))


@frozen
class Certificate:
    """What the standard library has for a certificate inside: it can be written down."""

    _der: bytes = field(repr=False)

    def public_bytes(self, format: int = 1) -> str | bytes:
        """In PEM (1), or in DER (2)."""
        if format not in (1, 2):
            raise ValueError("Unsupported format")
        return ssl.DER_cert_to_PEM_cert(self._der) if format == 1 else self._der


class Facts:
    """``tls`` is the SSLObject.  The socket is not kept alive, since it keeps this."""

    def __init__(self, tls: SocketObject, owner: ssl.SSLSocket) -> None:
        self.tls = tls
        self._owner = ref(owner)
        tls.shown = self._owner

    def socket(self) -> ssl.SSLSocket:
        owner = self._owner()
        if owner is None:
            raise ssl.SSLError("Underlying socket connection gone")
        return owner

    @property
    def owner(self) -> ssl.SSLSocket | None:
        return self._owner()

    @property
    def server_side(self) -> bool:
        return self.tls.server_side

    @property
    def server_hostname(self) -> str | None:
        return self.tls.server_hostname

    @property
    def context(self) -> Any:
        return self.tls.context

    @context.setter
    def context(self, context: ssl.SSLContext) -> None:
        self.tls.context = context

    @property
    def session(self) -> Any:
        return self.tls.session

    @session.setter
    def session(self, session: Any) -> None:
        self.tls.session = session

    @property
    def session_reused(self) -> bool:
        return self.tls.session_reused

    def version(self) -> str | None:
        return self.tls.version()

    def cipher(self) -> CipherTuple | None:
        return self.tls.cipher()

    def shared_ciphers(self) -> list[CipherTuple] | None:
        return self.tls.shared_ciphers()

    def compression(self) -> None:
        return self.tls.compression()

    def selected_alpn_protocol(self) -> str | None:
        return self.tls.selected_alpn_protocol()

    def get_channel_binding(self, cb_type: str = "tls-unique") -> bytes | None:
        return self.tls.get_channel_binding(cb_type)

    def getpeercert(self, binary_form: bool = False) -> dict[str, Any] | bytes | None:
        return self.tls.getpeercert(binary_form)

    def get_unverified_chain(self) -> list[Certificate]:
        return [Certificate(der) for der in self.tls.get_unverified_chain()]

    def get_verified_chain(self) -> list[Certificate]:
        return [Certificate(der) for der in self.tls.get_verified_chain()]
