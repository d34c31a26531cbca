"""GnuTLS as a library in memory, in the version that PyAV brings: newer than that of Debian's programs.

The distribution ``av`` of PyPI has its shared libraries in a folder of their own, GnuTLS among them.  What is
declared here is as the manual of GnuTLS prints it (https://www.gnutls.org/manual/), and the numbers are those of its
header.
"""

from __future__ import annotations

import ctypes
import errno
import weakref
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from sansticket.codes import CertificateCompression
from tests.support.certificates import Authority, Identity
from tests.support.memory import MemoryPeer
from tests.support.peers import gnutls_library

SERVER, CLIENT, NONBLOCK = 1, 2, 8
ONE_WAY: Final = 1
"""GNUTLS_SHUT_WR: without waiting for the other side's close_notify."""

CERTIFICATE, PSK = 1, 4
"""Of gnutls_credentials_type_t."""

PEM: Final = 1
"""Of gnutls_x509_crt_fmt_t."""

DNS_NAME: Final = 1
"""GNUTLS_NAME_DNS."""

REQUIRED: Final = 2
"""GNUTLS_CERT_REQUIRE: a client without a certificate is refused."""

COMPRESSIONS: Final = {CertificateCompression.ZLIB: 2}
"""In gnutls_compression_method_t: what this build has."""

TLS_VERSION: Final = 5
"""TLS 1.3 in gnutls_protocol_t."""

HASHES: Final = {"sha256": 6, "sha384": 7, "either": 0}
"""In gnutls_digest_algorithm_t and gnutls_mac_algorithm_t alike; ``"either"`` is for servers only."""

RAW, IMPORTED = 0, 2
"""Of gnutls_psk_key_flags: a plain key, and GNUTLS_PSK_KEY_EXT, one that is to be imported."""

ALERT_RECEIVED: Final = -12
TRY_LATER: Final = (-28, -52)
"""GNUTLS_E_AGAIN and GNUTLS_E_INTERRUPTED: more bytes are needed."""

PRIORITY: Final = "NORMAL:-VERS-ALL:+VERS-TLS1.3"
PSK_PRIORITY: Final = f"{PRIORITY}:-KX-ALL:+ECDHE-PSK:-GROUP-ALL:+GROUP-{{}}"


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


@cache
def library() -> ctypes.CDLL:
    path = gnutls_library()
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


def _release(kind: str, session: ctypes.c_void_p, credentials: ctypes.c_void_p) -> None:
    library().gnutls_deinit(session)
    getattr(library(), f"gnutls_{kind}_credentials")(credentials)


class GnutlsPeer(MemoryPeer):
    """One connection.  ``alert`` is the number of the alert that ended it, if one came."""

    def __init__(self, *, server: bool, priority: str) -> None:
        super().__init__()
        self.alert: int | None = None
        self._incoming, self._outgoing, self._ended = bytearray(), bytearray(), False
        self._session, self._credentials = ctypes.c_void_p(), ctypes.c_void_p()
        call("init", ctypes.byref(self._session), (SERVER if server else CLIENT) | NONBLOCK)
        call("priority_set_direct", self._session, priority.encode(), None)
        self._push_function, self._pull_function = TRANSPORT(self._push), TRANSPORT(self._pull)
        library().gnutls_transport_set_push_function(self._session, self._push_function)
        library().gnutls_transport_set_pull_function(self._session, self._pull_function)

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


class GnutlsPskPeer(GnutlsPeer):
    """A connection of one PSK.

    ``key`` is that of ``identity``, and ``hash_name`` its hash; ``flags`` say whether GnuTLS imports it first.
    A server with ``ticket_key`` gives tickets; a client goes on with ``session``, which is what another one has to
    ``keep``.  ``asked`` are the identities that a server was asked for.
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
        ticket_key: bytes | None = None,
        session: bytes | None = None,
    ) -> None:
        super().__init__(server=server, priority=PSK_PRIORITY.format(group))
        self.asked: list[bytes] = []
        self._psk = (identity, key, flags)
        side = "server" if server else "client"
        self._key_function = KEY(self._known if server else self._own)
        call(f"psk_allocate_{side}_credentials2", ctypes.byref(self._credentials), HASHES[hash_name])
        weakref.finalize(self, _release, f"psk_free_{side}", self._session, self._credentials)
        call(f"psk_set_{side}_credentials_function3", self._credentials, self._key_function)
        call("credentials_set", self._session, PSK, self._credentials)
        if ticket_key is not None:
            self._ticket_key = Datum()
            self._ticket_key.fill(ticket_key)
            call("session_ticket_enable_server", self._session, ctypes.byref(self._ticket_key))
        if session is not None:
            call("session_set_data", self._session, session, ctypes.c_size_t(len(session)))
        self._step()

    @property
    def resumed(self) -> bool:
        return bool(call("session_is_resumed", self._session))

    def keep(self) -> bytes:
        """The session with the last ticket that came."""
        made = Datum()
        call("session_get_data2", self._session, ctypes.byref(made))
        value = made.value()
        made.free()
        return value

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


class GnutlsCertificatePeer(GnutlsPeer):
    """A connection in which both sides show certificates, and both are verified.

    The peer is ``identity`` and trusts ``authority``; it takes and makes certificates that are compressed by one
    of ``compression``.
    """

    def __init__(
        self,
        identity: Identity,
        authority: Authority,
        *,
        server: bool,
        compression: Sequence[CertificateCompression] = (),
        server_name: str = "server.example",
    ) -> None:
        super().__init__(server=server, priority=PRIORITY)
        call("certificate_allocate_credentials", ctypes.byref(self._credentials))
        weakref.finalize(self, _release, "certificate_free", self._session, self._credentials)
        self._give("certificate_set_x509_key_mem", identity.chain_pem, identity.key_pem)
        self._give("certificate_set_x509_trust_mem", authority.pem)
        call("credentials_set", self._session, CERTIFICATE, self._credentials)
        self._name = None if server else ctypes.create_string_buffer(server_name.encode())
        library().gnutls_session_set_verify_cert(self._session, self._name, 0)
        if self._name is None:
            library().gnutls_certificate_server_set_request(self._session, REQUIRED)
        else:
            call("server_name_set", self._session, DNS_NAME, self._name, ctypes.c_size_t(len(server_name)))
        if compression:
            methods = (ctypes.c_int * len(compression))(*[COMPRESSIONS[one] for one in compression])
            call("compress_certificate_set_methods", self._session, methods, ctypes.c_size_t(len(methods)))
        self._step()

    @property
    def compressed_by(self) -> int:
        """What it compressed its own certificate with; 0 if it did not."""
        chosen = call("compress_certificate_get_selected_method", self._session)
        return next((code for code, theirs in COMPRESSIONS.items() if theirs == chosen), 0)

    def _give(self, name: str, *contents: bytes) -> None:
        data = [Datum() for _ in contents]
        for datum, content in zip(data, contents, strict=True):
            datum.fill(content)
        call(name, self._credentials, *map(ctypes.byref, data), PEM)
        for datum in data:
            datum.free()
