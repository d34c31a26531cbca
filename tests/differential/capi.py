"""The part of libssl's C interface that the differential tests call.

The declarations below are C, as the manual pages print them; ``_declare`` turns each into a ctypes
prototype.  Every pointer is a plain ``void *``: ctypes then takes ``bytes``, ``None``, an address, a
``byref`` or a callback for it, and returns an address or ``None``.

``SANSTICKET_LIBSSL`` may name a directory with another build of ``libssl.so.3`` and ``libcrypto.so.3``.
"""

import ctypes
import os
import re
from pathlib import Path
from typing import Any, Final

import pytest

_DECLARATIONS: Final = """
# contexts
const SSL_METHOD *TLS_server_method(void);
const SSL_METHOD *TLS_client_method(void);
SSL_CTX *SSL_CTX_new(const SSL_METHOD *method);
void SSL_CTX_free(SSL_CTX *ctx);
long SSL_CTX_ctrl(SSL_CTX *ctx, int command, long value, void *pointer);
long SSL_CTX_callback_ctrl(SSL_CTX *ctx, int command, void *callback);
int SSL_CTX_use_certificate_ASN1(SSL_CTX *ctx, int length, const unsigned char *der);
int SSL_CTX_use_PrivateKey_ASN1(int type, SSL_CTX *ctx, const unsigned char *der, long length);
X509_STORE *SSL_CTX_get_cert_store(const SSL_CTX *ctx);
int SSL_CTX_set_num_tickets(SSL_CTX *ctx, size_t num_tickets);
size_t SSL_CTX_get_num_tickets(const SSL_CTX *ctx);
int SSL_CTX_set_session_id_context(SSL_CTX *ctx, const unsigned char *sid_ctx, unsigned int length);
long SSL_CTX_set_timeout(SSL_CTX *ctx, long seconds);
int SSL_CTX_set_max_early_data(SSL_CTX *ctx, uint32_t bytes);
void SSL_CTX_flush_sessions(SSL_CTX *ctx, long now);
int SSL_CTX_remove_session(SSL_CTX *ctx, SSL_SESSION *session);

# the callbacks of a context
int SSL_CTX_set_session_ticket_cb(SSL_CTX *ctx, void *gen_cb, void *dec_cb, void *argument);
int SSL_CTX_set_tlsext_ticket_key_evp_cb(SSL_CTX *ctx, void *callback);
void SSL_CTX_sess_set_new_cb(SSL_CTX *ctx, void *callback);
void SSL_CTX_sess_set_remove_cb(SSL_CTX *ctx, void *callback);
void SSL_CTX_sess_set_get_cb(SSL_CTX *ctx, void *callback);
void SSL_CTX_set_msg_callback(SSL_CTX *ctx, void *callback);
void SSL_CTX_set_client_hello_cb(SSL_CTX *ctx, void *callback, void *argument);
void SSL_CTX_set_cert_cb(SSL_CTX *ctx, void *callback, void *argument);
void SSL_CTX_set_alpn_select_cb(SSL_CTX *ctx, void *callback, void *argument);
void SSL_CTX_set_psk_use_session_callback(SSL_CTX *ctx, void *callback);
void SSL_CTX_set_psk_find_session_callback(SSL_CTX *ctx, void *callback);

# connections
SSL *SSL_new(SSL_CTX *ctx);
void SSL_free(SSL *ssl);
long SSL_ctrl(SSL *ssl, int command, long value, void *pointer);
uint64_t SSL_set_options(SSL *ssl, uint64_t options);
void SSL_set_bio(SSL *ssl, BIO *reading, BIO *writing);
void SSL_set_accept_state(SSL *ssl);
void SSL_set_connect_state(SSL *ssl);
int SSL_do_handshake(SSL *ssl);
int SSL_read(SSL *ssl, void *buffer, int size);
int SSL_write(SSL *ssl, const void *data, int size);
int SSL_shutdown(SSL *ssl);
int SSL_get_error(const SSL *ssl, int returned);
int SSL_is_init_finished(const SSL *ssl);
int SSL_version(const SSL *ssl);
SSL_CTX *SSL_set_SSL_CTX(SSL *ssl, SSL_CTX *ctx);
int SSL_set_cipher_list(SSL *ssl, const char *names);
int SSL_set_ciphersuites(SSL *ssl, const char *names);
int SSL_set_alpn_protos(SSL *ssl, const unsigned char *protocols, unsigned int length);
int SSL_use_certificate_ASN1(SSL *ssl, const unsigned char *der, int length);
int SSL_use_PrivateKey_ASN1(int type, SSL *ssl, const unsigned char *der, long length);
void SSL_set_verify(SSL *ssl, int mode, void *callback);
X509 *SSL_get0_peer_certificate(const SSL *ssl);

# tickets and sessions
int SSL_set_num_tickets(SSL *ssl, size_t num_tickets);
size_t SSL_get_num_tickets(const SSL *ssl);
int SSL_new_session_ticket(SSL *ssl);
int SSL_verify_client_post_handshake(SSL *ssl);
void SSL_set_post_handshake_auth(SSL *ssl, int value);
int SSL_set_session_id_context(SSL *ssl, const unsigned char *sid_ctx, unsigned int length);
int SSL_session_reused(const SSL *ssl);
int SSL_set_session(SSL *ssl, SSL_SESSION *session);
SSL_SESSION *SSL_get_session(const SSL *ssl);
SSL_SESSION *SSL_SESSION_new(void);
int SSL_SESSION_up_ref(SSL_SESSION *session);
void SSL_SESSION_free(SSL_SESSION *session);
int SSL_SESSION_set1_ticket_appdata(SSL_SESSION *session, const void *data, size_t length);
int SSL_SESSION_get0_ticket_appdata(SSL_SESSION *session, void **data, size_t *length);
const unsigned char *SSL_SESSION_get_id(const SSL_SESSION *session, unsigned int *length);
long SSL_SESSION_get_time(const SSL_SESSION *session);
long SSL_SESSION_set_time(SSL_SESSION *session, long time);
int SSL_SESSION_set1_master_key(SSL_SESSION *session, const unsigned char *key, size_t length);
int SSL_SESSION_set_cipher(SSL_SESSION *session, const SSL_CIPHER *cipher);
int SSL_SESSION_set_protocol_version(SSL_SESSION *session, int version);
const SSL_CIPHER *SSL_CIPHER_find(SSL *ssl, const unsigned char *number);
int i2d_SSL_SESSION(SSL_SESSION *session, unsigned char **out);
SSL_SESSION *d2i_SSL_SESSION(SSL_SESSION **session, const unsigned char **in, long length);

# libcrypto
const char *OpenSSL_version(int type);
unsigned long ERR_get_error(void);
void ERR_clear_error(void);
const char *ERR_reason_error_string(unsigned long code);
const BIO_METHOD *BIO_s_mem(void);
BIO *BIO_new(const BIO_METHOD *method);
int BIO_up_ref(BIO *bio);
int BIO_read(BIO *bio, void *buffer, int size);
int BIO_write(BIO *bio, const void *data, int size);
X509 *d2i_X509(X509 **certificate, const unsigned char **in, long length);
int i2d_X509(X509 *certificate, unsigned char **out);
void X509_free(X509 *certificate);
int X509_STORE_add_cert(X509_STORE *store, X509 *certificate);
const EVP_CIPHER *EVP_aes_256_cbc(void);
int EVP_EncryptInit_ex(EVP_CIPHER_CTX *c, const EVP_CIPHER *type, ENGINE *e, const void *key, const void *iv);
int EVP_DecryptInit_ex(EVP_CIPHER_CTX *c, const EVP_CIPHER *type, ENGINE *e, const void *key, const void *iv);
int EVP_MAC_CTX_set_params(EVP_MAC_CTX *c, const OSSL_PARAM *parameters);
"""

_TYPES: Final = {
    "void": None,
    "int": ctypes.c_int,
    "unsigned int": ctypes.c_uint,
    "long": ctypes.c_long,
    "unsigned long": ctypes.c_ulong,
    "size_t": ctypes.c_size_t,
    "uint32_t": ctypes.c_uint32,
    "uint64_t": ctypes.c_uint64,
}


def _ctype(declared: str) -> Any:
    """``const char *`` as a result becomes bytes; any other pointer is an address."""
    if declared.endswith("*"):
        return ctypes.c_char_p if declared == "const char *" else ctypes.c_void_p
    return _TYPES[declared]


def _split_name(declaration: str) -> tuple[str, str]:
    """``const SSL_CTX *ctx`` -> (``const SSL_CTX *``, ``ctx``)."""
    match = re.fullmatch(r"(.*?[ *])(\w+)", declaration.strip())
    assert match, declaration
    return match[1].strip(), match[2]


def _open(name: str) -> ctypes.CDLL:
    """The library; where there is none the tests that import this are skipped, but in CI they fail."""
    directory = os.environ.get("SANSTICKET_LIBSSL")
    try:
        return ctypes.CDLL(str(Path(directory, name)) if directory else name)
    except OSError:
        if directory or os.environ.get("CI"):
            raise
        pytest.skip(f"there is no {name} on this machine", allow_module_level=True)


class _LibSSL:
    """Each declared function under its own name."""

    def __init__(self) -> None:
        self._libraries = _open("libcrypto.so.3"), _open("libssl.so.3")
        for line in _DECLARATIONS.splitlines():
            if line.endswith(";"):
                self._declare(*re.fullmatch(r"(.*)\((.*)\);", line).groups())  # type: ignore[union-attr]

    def _declare(self, head: str, parameters: str) -> None:
        result, name = _split_name(head)
        crypto, ssl = self._libraries
        function = getattr(ssl if name.startswith(("SSL_", "TLS_", "i2d_SSL", "d2i_SSL")) else crypto, name)
        function.restype = _ctype(result)
        function.argtypes = [
            _TYPES.get(_split_name(p)[0], ctypes.c_void_p) for p in parameters.split(",") if p != "void"
        ]
        setattr(self, name, function)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{name} is not declared in this module")


lib: Final = _LibSSL()

VERSION: Final[str] = lib.OpenSSL_version(6).decode()
"""OPENSSL_VERSION_STRING, such as ``3.0.19``."""

VERSION_NUMBERS: Final = tuple(int(n) for n in re.findall(r"\d+", VERSION)[:3])


# The types of the callbacks.

_int, _size, _void, _ptr = ctypes.c_int, ctypes.c_size_t, None, ctypes.c_void_p
GenerateTicket: Final = ctypes.CFUNCTYPE(_int, _ptr, _ptr)
DecryptTicket: Final = ctypes.CFUNCTYPE(_int, _ptr, _ptr, _ptr, _size, _int, _ptr)
TicketKey: Final = ctypes.CFUNCTYPE(_int, _ptr, _ptr, _ptr, _ptr, _ptr, _int)
NewSession: Final = ctypes.CFUNCTYPE(_int, _ptr, _ptr)
RemoveSession: Final = ctypes.CFUNCTYPE(_void, _ptr, _ptr)
GetSession: Final = ctypes.CFUNCTYPE(_ptr, _ptr, _ptr, _int, ctypes.POINTER(_int))
Message: Final = ctypes.CFUNCTYPE(_void, _int, _int, _int, _ptr, _size, _ptr, _ptr)
ClientHello: Final = ctypes.CFUNCTYPE(_int, _ptr, ctypes.POINTER(_int), _ptr)
Certificate: Final = ctypes.CFUNCTYPE(_int, _ptr, _ptr)
ServerName: Final = ctypes.CFUNCTYPE(_int, _ptr, ctypes.POINTER(_int), _ptr)
SelectProtocol: Final = ctypes.CFUNCTYPE(
    _int, _ptr, ctypes.POINTER(_ptr), ctypes.POINTER(ctypes.c_ubyte), _ptr, ctypes.c_uint, _ptr
)
UsePsk: Final = ctypes.CFUNCTYPE(
    _int, _ptr, _ptr, ctypes.POINTER(_ptr), ctypes.POINTER(_size), ctypes.POINTER(_ptr)
)
FindPsk: Final = ctypes.CFUNCTYPE(_int, _ptr, _ptr, _size, ctypes.POINTER(_ptr))


class Parameter(ctypes.Structure):
    """OSSL_PARAM."""

    _fields_ = (
        ("key", ctypes.c_char_p),
        ("data_type", ctypes.c_uint),
        ("data", ctypes.c_char_p),
        ("data_size", ctypes.c_size_t),
        ("return_size", ctypes.c_size_t),
    )


# The numbers of ssl.h that are macros in C.

SSL_CTRL_SESS_NUMBER: Final = 20
SSL_CTRL_SET_SESS_CACHE_SIZE: Final = 42
SSL_CTRL_SET_SESS_CACHE_MODE: Final = 44
SSL_CTRL_SET_TLSEXT_SERVERNAME_CB: Final = 53
SSL_CTRL_SET_TLSEXT_HOSTNAME: Final = 55
SSL_CTRL_SET_TLSEXT_TICKET_KEYS: Final = 59
SSL_CTRL_SET_GROUPS_LIST: Final = 92
SSL_CTRL_SET_MIN_PROTO_VERSION: Final = 123
SSL_CTRL_SET_MAX_PROTO_VERSION: Final = 124

SSL_OP_NO_EXTENDED_MASTER_SECRET: Final = 1 << 0
SSL_OP_NO_TICKET: Final = 1 << 14

SSL_VERIFY_NONE: Final = 0
SSL_VERIFY_PEER: Final = 1
SSL_VERIFY_FAIL_IF_NO_PEER_CERT: Final = 2

SSL_SESS_CACHE_OFF: Final = 0
SSL_SESS_CACHE_CLIENT: Final = 1
SSL_SESS_CACHE_SERVER: Final = 2
SSL_SESS_CACHE_NO_INTERNAL_LOOKUP: Final = 0x100
SSL_SESS_CACHE_NO_INTERNAL_STORE: Final = 0x200
SSL_SESS_CACHE_NO_INTERNAL: Final = 0x300

SSL_TLSEXT_ERR_OK: Final = 0
SSL_TLSEXT_ERR_NOACK: Final = 3
SSL_CLIENT_HELLO_SUCCESS: Final = 1
SSL_ERROR_SSL: Final = 1
SSL_ERROR_WANT_READ: Final = 2
SSL_ERROR_SYSCALL: Final = 5
SSL_ERROR_ZERO_RETURN: Final = 6
EVP_PKEY_EC: Final = 408
TLS1_2_VERSION: Final = 0x0303
TLS1_3_VERSION: Final = 0x0304


# Bytes of a C object.


def encoded(i2d: Any, pointer: int) -> bytes:
    """The DER encoding of an object, by its ``i2d`` function."""
    size = i2d(pointer, None)
    buffer = ctypes.create_string_buffer(size)
    i2d(pointer, ctypes.byref(ctypes.c_void_p(ctypes.addressof(buffer))))
    return buffer.raw


def decoded(d2i: Any, der: bytes) -> int:
    """A new object, which the caller owns, made of its DER encoding."""
    start = ctypes.cast(ctypes.c_char_p(der), ctypes.c_void_p)
    pointer: int | None = d2i(None, ctypes.byref(start), len(der))
    assert pointer, "libssl cannot decode this"
    return pointer


def session_id(session: int) -> bytes:
    length = ctypes.c_uint()
    address = lib.SSL_SESSION_get_id(session, ctypes.byref(length))
    return ctypes.string_at(address, length.value)


def app_data(session: int) -> bytes:
    """SSL_SESSION_get0_ticket_appdata; none is ``b""``, as libssl cannot tell the two apart."""
    data, length = ctypes.c_void_p(), ctypes.c_size_t()
    assert lib.SSL_SESSION_get0_ticket_appdata(session, ctypes.byref(data), ctypes.byref(length)) == 1
    return ctypes.string_at(data.value, length.value) if data.value else b""
