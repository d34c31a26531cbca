"""A server in GnuTLS whose ticket key is given: ``gnutls-serv`` makes one of its own.

python gnutls_server.py CHAIN KEY TICKET_KEY PRIORITY EXPIRATION: files in PEM, the 64 bytes in hexadecimal, GnuTLS's
words for versions and suites, the seconds that its sessions live.  Each connection is told whether it was resumed.
"""

import ctypes
import socket
import sys

SERVER = 1
CERTIFICATES = 1
PEM = 1
BOTH_WAYS = 0


class Datum(ctypes.Structure):
    _fields_ = (("data", ctypes.POINTER(ctypes.c_ubyte)), ("size", ctypes.c_uint))


def main(chain: str, key: str, ticket_key: str, priority: str, expiration: str) -> None:
    library = ctypes.CDLL("libgnutls.so.30")

    def call(name: str, *arguments: object) -> int:
        result = int(getattr(library, f"gnutls_{name}")(*arguments))
        if result < 0:
            raise SystemExit(f"gnutls_{name}: {result}")
        return result

    credentials = ctypes.c_void_p()
    call("certificate_allocate_credentials", ctypes.byref(credentials))
    call("certificate_set_x509_key_file", credentials, chain.encode(), key.encode(), PEM)
    secret = bytes.fromhex(ticket_key)
    datum = Datum((ctypes.c_ubyte * len(secret))(*secret), len(secret))
    listener = socket.create_server(("127.0.0.1", 0))
    print("listening on port", listener.getsockname()[1], flush=True)
    while True:
        sock, _ = listener.accept()
        session = ctypes.c_void_p()
        call("init", ctypes.byref(session), SERVER)
        call("priority_set_direct", session, priority.encode(), None)
        call("credentials_set", session, CERTIFICATES, credentials)
        library.gnutls_db_set_cache_expiration(session, int(expiration))
        call("session_ticket_enable_server", session, ctypes.byref(datum))
        library.gnutls_transport_set_int2(session, sock.fileno(), sock.fileno())
        while (result := library.gnutls_handshake(session)) < 0 and not library.gnutls_error_is_fatal(result):
            pass
        if not result:
            library.gnutls_record_recv(session, ctypes.create_string_buffer(100), 100)
            said = b"resumed" if library.gnutls_session_is_resumed(session) else b"full"
            library.gnutls_record_send(session, said, len(said))
            library.gnutls_bye(session, BOTH_WAYS)
        library.gnutls_deinit(session)
        sock.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
