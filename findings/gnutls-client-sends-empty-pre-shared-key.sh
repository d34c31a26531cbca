#!/usr/bin/env bash
# GnuTLS 3.8.13 (the library in the wheel av 19.0.2 of PyPI, for Linux on x86-64), as a client of any server.
#
# An imported PSK (RFC 9258) has an identity that names the KDF it is for, and gnutls_psk_format_imported_identity(3)
# makes one for SHA-256 or SHA-384.  A client's PSK credentials have a hash too.  The two may differ, as far as the manual
# says, and in the RFC a key of SHA-256 can be imported for HKDF_SHA384.  Then the client does not use the PSK.  But it
# neither says so to its application nor leaves the extension pre_shared_key out of the ClientHello: it sends the two bytes
# of an empty list of identities, and no binders.  That is no OfferedPsks (RFC 8446 section 4.2.11: at least 7 bytes of
# identities and 33 of binders).  A server that holds to these sizes ends the connection with decode_error (section 6.2),
# also if it would have gone on with a certificate had the extension not been there; OpenSSL 3.0.19 passes it over.
#
# Seen, with what gnutls_handshake returns after the ClientHello:
#   no PSK: GNUTLS_E_AGAIN, no pre_shared_key
#   imported for SHA256, credentials for SHA256: GNUTLS_E_AGAIN, pre_shared_key with 27 bytes of identities and 33 of binders
#   imported for SHA384, credentials for SHA384: GNUTLS_E_AGAIN, pre_shared_key with 27 bytes of identities and 49 of binders
#   imported for SHA384, credentials for SHA256: GNUTLS_E_AGAIN, pre_shared_key is 0000
#   imported for SHA256, credentials for SHA384: GNUTLS_E_AGAIN, pre_shared_key is 0000
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

CLIENT, NONBLOCK = 2, 8
CREDENTIALS_CERTIFICATE, CREDENTIALS_PSK = 1, 4
TLS_1_3 = 5
HASHES = {"SHA256": 6, "SHA384": 7}
IMPORTED = 2  # GNUTLS_PSK_KEY_EXT
PRIORITY = b"NORMAL:-VERS-ALL:+VERS-TLS1.3:+ECDHE-PSK"
PRE_SHARED_KEY = 41

gnutls = ctypes.CDLL(sys.argv[1])
gnutls.gnutls_check_version.restype = gnutls.gnutls_strerror_name.restype = ctypes.c_char_p


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
OWN = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(Datum), ctypes.POINTER(Datum), ctypes.POINTER(ctypes.c_int)
)


def call(function, *arguments):
    result = getattr(gnutls, "gnutls_" + function)(*arguments)
    if result < 0:
        raise SystemExit(f"gnutls_{function}: {gnutls.gnutls_strerror_name(result).decode()}")


def imported_identity(kdf):
    name, context, made = Datum().fill(b"sensor"), Datum().fill(b"context"), Datum()
    datums = (ctypes.byref(name), ctypes.byref(context))
    call("psk_format_imported_identity", *datums, TLS_1_3, HASHES[kdf], ctypes.byref(made))
    return ctypes.string_at(made.data, made.size)


def first_flight(identity, hash_name):
    """What gnutls_handshake returns to a client that has heard nothing yet, and what the client has sent."""
    sent = bytearray()
    session, credentials = ctypes.c_void_p(), ctypes.c_void_p()

    def push(_, data, size):
        sent.extend(ctypes.string_at(data, size))
        return size

    def pull(_, buffer, size):
        gnutls.gnutls_transport_set_errno(session, errno.EAGAIN)
        return -1

    def own(_, name, key, flags):
        name[0].fill(identity)
        key[0].fill(bytes(range(32)))
        flags[0] = IMPORTED
        return 0

    callbacks = TRANSPORT(push), TRANSPORT(pull), OWN(own)
    call("init", ctypes.byref(session), CLIENT | NONBLOCK)
    call("priority_set_direct", session, PRIORITY, None)
    gnutls.gnutls_transport_set_push_function(session, callbacks[0])
    gnutls.gnutls_transport_set_pull_function(session, callbacks[1])
    if identity is not None:
        call("psk_allocate_client_credentials2", ctypes.byref(credentials), HASHES[hash_name])
        gnutls.gnutls_psk_set_client_credentials_function3(credentials, callbacks[2])
        call("credentials_set", session, CREDENTIALS_PSK, credentials)
    else:
        call("certificate_allocate_credentials", ctypes.byref(credentials))
        call("credentials_set", session, CREDENTIALS_CERTIFICATE, credentials)
    result = gnutls.gnutls_handshake(session)
    return gnutls.gnutls_strerror_name(result).decode(), bytes(sent)


def extensions(flight):
    """Those of a ClientHello that is one record: number and content."""
    hello = flight[5 + 4 :]
    at = 2 + 32
    at += 1 + hello[at]  # legacy_session_id
    at += 2 + int.from_bytes(hello[at : at + 2], "big")  # cipher_suites
    at += 1 + hello[at]  # legacy_compression_methods
    found, at = {}, at + 2
    while at < len(hello):
        number, size = (int.from_bytes(hello[at + i : at + i + 2], "big") for i in (0, 2))
        found[number] = hello[at + 4 : at + 4 + size]
        at += 4 + size
    return found


def described(offer):
    """Both lists of an OfferedPsks, or its bytes if they do not fill it."""
    if offer is None:
        return "no pre_shared_key"
    identities = int.from_bytes(offer[:2], "big")
    binders = int.from_bytes(offer[2 + identities : 4 + identities], "big")
    if len(offer) != 4 + identities + binders:
        return f"pre_shared_key is {offer.hex()}"
    return f"pre_shared_key with {identities} bytes of identities and {binders} of binders"


version = gnutls.gnutls_check_version(None).decode()
if version != "3.8.13":
    raise SystemExit(f"this is GnuTLS {version}; it was 3.8.13 when this was written")
for kdf, hash_name, expected in (
    (None, None, "no pre_shared_key"),
    ("SHA256", "SHA256", "pre_shared_key with 27 bytes of identities and 33 of binders"),
    ("SHA384", "SHA384", "pre_shared_key with 27 bytes of identities and 49 of binders"),
    ("SHA384", "SHA256", "pre_shared_key is 0000"),
    ("SHA256", "SHA384", "pre_shared_key is 0000"),
):
    result, flight = first_flight(kdf and imported_identity(kdf), hash_name)
    seen = f"{result}, {described(extensions(flight).get(PRE_SHARED_KEY))}"
    print(f"imported for {kdf}, credentials for {hash_name}: {seen}" if kdf else f"no PSK: {seen}")
    if seen != f"GNUTLS_E_AGAIN, {expected}":
        raise SystemExit(f"when this was written: GNUTLS_E_AGAIN, {expected}")
END
