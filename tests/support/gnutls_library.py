"""GnuTLS as a library in memory, in the version that PyAV brings: newer than that of Debian's programs.

The distribution ``av`` of PyPI has its shared libraries in a folder of their own, GnuTLS among them.  What is
declared here is as the manual of GnuTLS prints it (https://www.gnutls.org/manual/), and the numbers are those of its
header.  Only PSKs are spoken of: neither side has a certificate.
"""

from __future__ import annotations

import ctypes
import errno
import weakref
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from tests.support.memory import MemoryPeer

SERVER, CLIENT, NONBLOCK = 1, 2, 8
ONE_WAY: Final = 1
"""GNUTLS_SHUT_WR: without waiting for the other side's close_notify."""

PSK: Final = 4
"""Of gnutls_credentials_type_t."""

TLS_VERSION: Final = 5
"""TLS 1.3 in gnutls_protocol_t."""

HASHES: Final = {"sha256": 6, "sha384": 7}
"""In gnutls_digest_algorithm_t and gnutls_mac_algorithm_t alike."""

RAW, IMPORTED = 0, 2
"""Of gnutls_psk_key_flags: a plain key, and GNUTLS_PSK_KEY_EXT, one that is to be imported."""

ALERT_RECEIVED: Final = -12
TRY_LATER: Final = (-28, -52)
"""GNUTLS_E_AGAIN and GNUTLS_E_INTERRUPTED: more bytes are needed."""

PRIORITY: Final = "NORMAL:-VERS-ALL:+VERS-TLS1.3:-KX-ALL:+ECDHE-PSK:-GROUP-ALL:+GROUP-{}"


class Datum(ctypes.Structure):
    """gnutls_datum_t."""

    _fields_ = (("data", ctypes.c_void_p), ("size", ctypes.c_uint))

    def value(self) -> bytes:
        return ctypes.string_at(self.data, self.size)

    def free(self) -> None:
        """What GnuTLS allocated, or ``fill``."""
        _memory("gnutls_free", None)(self.data)

    def fill(self, content: bytes) -> None:
        """With memory that GnuTLS will free."""
        address = _memory("gnutls_malloc", ctypes.c_void_p)(len(content))
        ctypes.memmove(address, content, len(content))
        self.data, self.size = address, len(content)


TRANSPORT = ctypes.CFUNCTYPE(ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
KEY = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.POINTER(Datum),
    ctypes.POINTER(Datum),
    ctypes.POINTER(ctypes.c_int),
)
"""The client's and the server's function for a PSK: session, its name, its key, its flags."""


class GnutlsError(Exception):
    """A function of GnuTLS returned ``code``, below zero."""

    def __init__(self, code: int) -> None:
        super().__init__(library().gnutls_strerror_name(code).decode())
        self.code = code


def library_path() -> Path | None:
    """Where the library is, without importing PyAV; None if it is not there."""
    found = find_spec("av")
    if found is None or found.origin is None:
        return None
    return next((Path(found.origin).parents[1] / "av.libs").glob("libgnutls-*.so*"), None)


@cache
def library() -> ctypes.CDLL:
    path = library_path()
    assert path is not None
    loaded = ctypes.CDLL(str(path))
    loaded.gnutls_strerror_name.restype = loaded.gnutls_check_version.restype = ctypes.c_char_p
    loaded.gnutls_record_send.restype = loaded.gnutls_record_recv.restype = ctypes.c_ssize_t
    loaded.gnutls_record_send.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t)
    loaded.gnutls_record_recv.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t)
    return loaded


def version() -> str:
    """For example ``"3.8.13"``."""
    said: bytes = library().gnutls_check_version(None)
    return said.decode()


def _memory(name: str, result: Any) -> Any:
    """A function of GnuTLS's memory: its header has variables that point to them."""
    address = ctypes.c_void_p.in_dll(library(), name)
    return ctypes.CFUNCTYPE(result, ctypes.c_void_p)(address.value or 0)


def call(name: str, *arguments: Any) -> int:
    """GnutlsError for a result below zero."""
    result: int = getattr(library(), f"gnutls_{name}")(*arguments)
    if result < 0:
        raise GnutlsError(result)
    return result


def imported_identity(identity: bytes, context: bytes, hash_name: str) -> bytes:
    """The identity of an imported PSK, as GnuTLS writes it."""
    name, about, made = Datum(), Datum(), Datum()
    name.fill(identity)
    about.fill(context)
    call(
        "psk_format_imported_identity",
        *(ctypes.byref(name), ctypes.byref(about), TLS_VERSION, HASHES[hash_name], ctypes.byref(made)),
    )
    value = made.value()
    for datum in (name, about, made):
        datum.free()
    return value


def _release(side: str, session: ctypes.c_void_p, credentials: ctypes.c_void_p) -> None:
    library().gnutls_deinit(session)
    getattr(library(), f"gnutls_psk_free_{side}_credentials")(credentials)


class GnutlsPeer(MemoryPeer):
    """One connection of one PSK.

    ``key`` is that of ``identity``, and ``hash_name`` its hash; ``flags`` say whether GnuTLS imports it first.
    ``asked`` are the identities that a server was asked for, ``alert`` the number of the alert that came.
    """

    def __init__(
        self,
        identity: bytes,
        key: bytes,
        *,
        server: bool,
        hash_name: str = "sha256",
        flags: int = RAW,
        group: str = "X25519",
    ) -> None:
        super().__init__()
        self.asked: list[bytes] = []
        self.alert: int | None = None
        self._psk = (identity, key, flags)
        self._incoming, self._outgoing, self._ended = bytearray(), bytearray(), False
        self._session, self._credentials = ctypes.c_void_p(), ctypes.c_void_p()
        call("init", ctypes.byref(self._session), (SERVER if server else CLIENT) | NONBLOCK)
        call("priority_set_direct", self._session, PRIORITY.format(group).encode(), None)
        self._push_function, self._pull_function = TRANSPORT(self._push), TRANSPORT(self._pull)
        library().gnutls_transport_set_push_function(self._session, self._push_function)
        library().gnutls_transport_set_pull_function(self._session, self._pull_function)
        self._set_psk("server" if server else "client", KEY(self._known if server else self._own), hash_name)
        self._step()

    def _set_psk(self, side: str, function: Any, hash_name: str) -> None:
        self._key_function = function  # GnuTLS has its address only
        call(f"psk_allocate_{side}_credentials2", ctypes.byref(self._credentials), HASHES[hash_name])
        weakref.finalize(self, _release, side, self._session, self._credentials)
        call(f"psk_set_{side}_credentials_function3", self._credentials, function)
        call("credentials_set", self._session, PSK, self._credentials)

    def receive(self, data: bytes) -> None:
        self._incoming += data
        self._ended |= not data
        self._step()

    def data_to_send(self) -> bytes:
        data = bytes(self._outgoing)
        self._outgoing.clear()
        return data

    def write(self, data: bytes) -> None:
        assert call("record_send", self._session, data, len(data)) == len(data)

    def close(self) -> None:
        call("bye", self._session, ONE_WAY)

    def _own(self, session: int, name: Any, key: Any, flags: Any) -> int:
        identity, secret, flags[0] = self._psk
        name[0].fill(identity)
        key[0].fill(secret)
        return 0

    def _known(self, session: int, name: Any, key: Any, flags: Any) -> int:
        identity, secret, chosen = self._psk
        self.asked.append(name[0].value())
        if self.asked[-1] != identity:
            return -1
        key[0].fill(secret)
        flags[0] = chosen
        return 0

    def _push(self, _: int, data: int, size: int) -> int:
        self._outgoing.extend(ctypes.string_at(data, size))
        return size

    def _pull(self, _: int, buffer: int, size: int) -> int:
        if not self._incoming and not self._ended:
            library().gnutls_transport_set_errno(self._session, errno.EAGAIN)
            return -1
        data = bytes(self._incoming[:size])
        del self._incoming[:size]
        ctypes.memmove(buffer, data, len(data))
        return len(data)

    def _step(self) -> None:
        if self.error is not None:
            return
        try:
            if not self.handshaken:
                call("handshake", self._session)
                self.handshaken = True
            while self.handshaken and not self.closed:
                buffer = ctypes.create_string_buffer(1 << 14)
                got = call("record_recv", self._session, buffer, len(buffer))
                self.received += buffer.raw[:got]
                self.closed = not got
        except GnutlsError as error:
            if error.code not in TRY_LATER:
                self._fail(error)

    def _fail(self, error: GnutlsError) -> None:
        self.error = error
        if error.code == ALERT_RECEIVED:
            self.alert = library().gnutls_alert_get(self._session)
        else:
            library().gnutls_alert_send_appropriate(self._session, error.code)
