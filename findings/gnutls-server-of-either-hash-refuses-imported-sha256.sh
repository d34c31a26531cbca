#!/usr/bin/env bash
# GnuTLS 3.8.13 (the library in the wheel av 19.0.2 of PyPI, for Linux on x86-64), both ends of each connection.
#
# A server's PSK credentials have one hash, or with GNUTLS_MAC_UNKNOWN either: SHA-384 and SHA-256 are both tried on a
# binder, says gnutls_psk_allocate_server_credentials2(3).  So it is for plain external PSKs.  One that both ends import
# (RFC 9258; GNUTLS_PSK_KEY_EXT, with an identity of gnutls_psk_format_imported_identity(3)) is taken with SHA-384 only.
# With SHA-256, which is what GnuTLS's client has unless it says otherwise, the server ends the handshake for want of
# credentials.  The same PSK is good for a server whose credentials name SHA-256.
#
# Seen:
#   plain SHA256, server for SHA256: taken, TLS_AES_128_GCM_SHA256
#   plain SHA256, server for either: taken, TLS_AES_128_GCM_SHA256
#   plain SHA384, server for either: taken, TLS_AES_256_GCM_SHA384
#   imported SHA256, server for SHA256: taken, TLS_AES_128_GCM_SHA256
#   imported SHA384, server for SHA384: taken, TLS_AES_256_GCM_SHA384
#   imported SHA384, server for either: taken, TLS_AES_256_GCM_SHA384
#   imported SHA256, server for either: the server ends with GNUTLS_E_INSUFFICIENT_CREDENTIALS
#
# Fails if one of them changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
# The wheel is only unpacked: av itself is not used, so that any Python 3 will do.
"$work/venv/bin/pip" download -q --no-deps --only-binary=:all: --python-version 3.12 \
    --platform manylinux_2_28_x86_64 --dest "$work" "av==19.0.2"
"$work/venv/bin/python" -m zipfile -e "$work"/av-*.whl "$work/wheel"
"$work/venv/bin/python" - "$work"/wheel/av.libs/libgnutls-*.so.* <<'END'
import ctypes
import errno
import sys

SERVER, CLIENT, NONBLOCK = 1, 2, 8
CREDENTIALS_PSK = 4
TLS_1_3 = 5
HASHES = {"either": 0, "SHA256": 6, "SHA384": 7}  # GNUTLS_MAC_UNKNOWN is 0
FLAGS = {"plain": 0, "imported": 2}  # GNUTLS_PSK_KEY_RAW and GNUTLS_PSK_KEY_EXT
AGAIN = -28
PRIORITY = b"NORMAL:-VERS-ALL:+VERS-TLS1.3:-KX-ALL:+ECDHE-PSK:-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM"
KEY = bytes(range(32))

gnutls = ctypes.CDLL(sys.argv[1])
for name in ("check_version", "strerror_name", "ciphersuite_get"):
    getattr(gnutls, "gnutls_" + name).restype = ctypes.c_char_p


class Datum(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("size", ctypes.c_uint)]

    def fill(self, content):
        """With memory of gnutls_malloc, since the library frees what a callback gives it."""
        malloc = ctypes.c_void_p.in_dll(gnutls, "gnutls_malloc").value
        self.data = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_size_t)(malloc)(len(content))
        self.size = len(content)
        ctypes.memmove(self.data, content, len(content))
        return self


TRANSPORT = ctypes.CFUNCTYPE(ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
LOOK_UP = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(Datum), ctypes.POINTER(Datum), ctypes.POINTER(ctypes.c_int)
)


def call(function, *arguments):
    result = getattr(gnutls, "gnutls_" + function)(*arguments)
    if result < 0:
        raise SystemExit(f"gnutls_{function}: {gnutls.gnutls_strerror_name(result).decode()}")


def imported_identity(hash_name):
    name, context, made = Datum().fill(b"sensor"), Datum().fill(b"context"), Datum()
    datums = (ctypes.byref(name), ctypes.byref(context))
    call("psk_format_imported_identity", *datums, TLS_1_3, HASHES[hash_name], ctypes.byref(made))
    return ctypes.string_at(made.data, made.size)


class End:
    """One end of a connection in memory: `inbox` is what came for it."""

    def __init__(self, side, hash_name, identity, flags):
        self.inbox, self.peer, self.result = bytearray(), None, AGAIN
        self.identity, self.flags = identity, flags
        self.session, self.credentials = ctypes.c_void_p(), ctypes.c_void_p()
        self.callbacks = TRANSPORT(self.push), TRANSPORT(self.pull), LOOK_UP(self.look_up)
        call("init", ctypes.byref(self.session), (SERVER if side == "server" else CLIENT) | NONBLOCK)
        call("priority_set_direct", self.session, PRIORITY, None)
        call(f"psk_allocate_{side}_credentials2", ctypes.byref(self.credentials), HASHES[hash_name])
        getattr(gnutls, f"gnutls_psk_set_{side}_credentials_function3")(self.credentials, self.callbacks[2])
        call("credentials_set", self.session, CREDENTIALS_PSK, self.credentials)
        gnutls.gnutls_transport_set_push_function(self.session, self.callbacks[0])
        gnutls.gnutls_transport_set_pull_function(self.session, self.callbacks[1])
        self.side = side

    def push(self, _, data, size):
        self.peer.inbox += ctypes.string_at(data, size)
        return size

    def pull(self, _, buffer, size):
        if not self.inbox:
            gnutls.gnutls_transport_set_errno(self.session, errno.EAGAIN)
            return -1
        data = bytes(self.inbox[:size])
        del self.inbox[:size]
        ctypes.memmove(buffer, data, len(data))
        return len(data)

    def look_up(self, _, identity, key, flags):
        """A client says its identity, a server is asked for the key of one; both know just this."""
        if self.side == "client":
            identity[0].fill(self.identity)
        elif ctypes.string_at(identity[0].data, identity[0].size) != self.identity:
            return -1
        key[0].fill(KEY)
        flags[0] = self.flags
        return 0

    def step(self):
        if self.result == AGAIN:
            self.result = gnutls.gnutls_handshake(self.session)


def connect(kind, hash_name, server_hash):
    identity = imported_identity(hash_name) if kind == "imported" else b"sensor"
    client = End("client", hash_name, identity, FLAGS[kind])
    server = End("server", server_hash, identity, FLAGS[kind])
    client.peer, server.peer = server, client
    for _ in range(4):
        for end in (client, server):
            end.step()
            if end.result not in (0, AGAIN):
                return f"the {end.side} ends with {gnutls.gnutls_strerror_name(end.result).decode()}"
    if client.result or server.result:
        return "the handshake does not come to its end"
    taken = Datum()
    call("psk_server_get_username2", server.session, ctypes.byref(taken))
    if ctypes.string_at(taken.data, taken.size) != identity:
        return "another PSK was taken"
    return "taken, " + gnutls.gnutls_ciphersuite_get(server.session).decode()


TAKEN = {"SHA256": "taken, TLS_AES_128_GCM_SHA256", "SHA384": "taken, TLS_AES_256_GCM_SHA384"}
REFUSED = "the server ends with GNUTLS_E_INSUFFICIENT_CREDENTIALS"

version = gnutls.gnutls_check_version(None).decode()
if version != "3.8.13":
    raise SystemExit(f"this is GnuTLS {version}; it was 3.8.13 when this was written")
for kind, hash_name, server_hash, expected in (
    ("plain", "SHA256", "SHA256", TAKEN["SHA256"]),
    ("plain", "SHA256", "either", TAKEN["SHA256"]),
    ("plain", "SHA384", "either", TAKEN["SHA384"]),
    ("imported", "SHA256", "SHA256", TAKEN["SHA256"]),
    ("imported", "SHA384", "SHA384", TAKEN["SHA384"]),
    ("imported", "SHA384", "either", TAKEN["SHA384"]),
    ("imported", "SHA256", "either", REFUSED),
):
    seen = connect(kind, hash_name, server_hash)
    print(f"{kind} {hash_name}, server for {server_hash}: {seen}")
    if seen != expected:
        raise SystemExit(f"when this was written: {expected}")
END
