"""Which decoder reads which handshake type, in either version."""

from collections.abc import Callable
from typing import Final

from sansticket.codes import HandshakeType
from sansticket.wire.messages import hello, tls12, tls13
from sansticket.wire.messages.base import Message

MESSAGES_OF_TLS13: Final[dict[int, Callable[[bytes], Message]]] = {
    HandshakeType.HELLO_REQUEST: hello.HelloRequest.decode,
    HandshakeType.CLIENT_HELLO: hello.ClientHello.decode,
    HandshakeType.SERVER_HELLO: hello.decode_server_hello,
    HandshakeType.NEW_SESSION_TICKET: tls13.NewSessionTicket.decode,
    HandshakeType.END_OF_EARLY_DATA: tls13.EndOfEarlyData.decode,
    HandshakeType.ENCRYPTED_EXTENSIONS: tls13.EncryptedExtensions.decode,
    HandshakeType.CERTIFICATE: tls13.Certificate.decode,
    HandshakeType.COMPRESSED_CERTIFICATE: tls13.CompressedCertificate.decode,
    HandshakeType.CERTIFICATE_REQUEST: tls13.CertificateRequest.decode,
    HandshakeType.CERTIFICATE_VERIFY: tls13.CertificateVerify.decode,
    HandshakeType.FINISHED: tls13.Finished.decode,
    HandshakeType.KEY_UPDATE: tls13.KeyUpdate.decode,
}
"""Those of TLS 1.3, and before the version is settled."""

MESSAGES_OF_TLS12: Final[dict[int, Callable[[bytes], Message]]] = {
    HandshakeType.HELLO_REQUEST: hello.HelloRequest.decode,
    HandshakeType.CLIENT_HELLO: hello.ClientHello.decode,
    HandshakeType.SERVER_HELLO: hello.ServerHello.decode,
    HandshakeType.NEW_SESSION_TICKET: tls12.NewSessionTicket.decode,
    HandshakeType.CERTIFICATE: tls12.Certificate.decode,
    HandshakeType.SERVER_KEY_EXCHANGE: tls12.ServerKeyExchange.decode,
    HandshakeType.CERTIFICATE_REQUEST: tls12.CertificateRequest.decode,
    HandshakeType.SERVER_HELLO_DONE: tls12.ServerHelloDone.decode,
    HandshakeType.CERTIFICATE_VERIFY: tls13.CertificateVerify.decode,
    HandshakeType.CLIENT_KEY_EXCHANGE: tls12.ClientKeyExchange.decode,
    HandshakeType.FINISHED: tls13.Finished.decode,
    HandshakeType.CERTIFICATE_STATUS: tls12.CertificateStatus.decode,
}
"""Those of TLS 1.2."""

LONGEST: Final[dict[int, int]] = {
    HandshakeType.HELLO_REQUEST: 0,
    HandshakeType.CLIENT_HELLO: 2 + 32 + (1 + 32) + (2 + 65_534) + (1 + 255) + (2 + 65_535),
    HandshakeType.SERVER_HELLO: 2 + 32 + (1 + 32) + 2 + 1 + (2 + 65_535),
    HandshakeType.NEW_SESSION_TICKET: 4 + 4 + (1 + 255) + (2 + 65_535) + (2 + 65_535),
    HandshakeType.END_OF_EARLY_DATA: 0,
    HandshakeType.ENCRYPTED_EXTENSIONS: 2 + 65_535,
    HandshakeType.SERVER_KEY_EXCHANGE: 1 + 2 + (1 + 255) + 2 + (2 + 65_535),
    HandshakeType.CERTIFICATE_REQUEST: (1 + 255) + (2 + 65_534) + (2 + 65_535),
    HandshakeType.SERVER_HELLO_DONE: 0,
    HandshakeType.CERTIFICATE_VERIFY: 2 + (2 + 65_535),
    HandshakeType.CLIENT_KEY_EXCHANGE: 1 + 255,
    HandshakeType.FINISHED: 48,
    HandshakeType.KEY_UPDATE: 1,
}
"""Bytes of body, where every field is as long as it can be, in the version that has more of them; the others hold
certificates, and may be as long as their header can say.  What is longer is no message, whatever follows."""
