"""The adapters' ``SSLContext``, with sockets."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Any, cast

from sansticket import adapters
from sansticket.adapters.context import default_context
from sansticket_wrappers.blocking.driver import Driver
from sansticket_wrappers.blocking.socket import SSLSocket

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from sansticket.adapters.members.files import StrPath


class SSLContext(adapters.SSLContext):
    """``sansticket.adapters.SSLContext``, whose ``wrap_socket`` works: it gives an ``SSLSocket`` of ours."""

    sslsocket_class: type[ssl.SSLSocket] = SSLSocket

    def wrap_socket(  # type: ignore[override]  # the one of the base has no sockets, and raises
        self,
        sock: socket.socket,
        server_side: bool = False,
        do_handshake_on_connect: bool = True,
        suppress_ragged_eofs: bool = True,
        server_hostname: str | bytes | None = None,
        session: Any = None,
    ) -> SSLSocket:
        """TLS over ``sock``, a connected stream socket or one that listens or is to be connected; it is detached.

        ``session`` is an ``SSLSession`` of the adapters, or a ``Session``.
        """
        made: Any = cast(Any, self.sslsocket_class)._create(
            sock=sock,
            server_side=server_side,
            do_handshake_on_connect=do_handshake_on_connect,
            suppress_ragged_eofs=suppress_ragged_eofs,
            server_hostname=server_hostname,
            context=self,
            session=session,
        )
        return cast(SSLSocket, made)

    def _wrap_socket(  # type: ignore[override]  # likewise
        self,
        sock: ssl.SSLSocket,
        server_side: bool,
        server_hostname: str | None = None,
        *,
        owner: ssl.SSLSocket,
        session: Any = None,
    ) -> Driver:
        """The hook of the standard library's SSLSocket: the object that it drives."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self._new_object(Driver.OBJECT, incoming, outgoing, server_side, server_hostname, session)
        return Driver(tls, owner, incoming, outgoing)


def create_default_context(
    purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH,
    *,
    cafile: StrPath | None = None,
    capath: StrPath | None = None,
    cadata: str | ReadableBuffer | None = None,
) -> SSLContext:
    """What ``ssl.create_default_context`` does: SERVER_AUTH is for clients, CLIENT_AUTH for servers."""
    return default_context(SSLContext, purpose, cafile, capath, cadata)
