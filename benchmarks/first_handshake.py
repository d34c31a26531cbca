"""What the first handshake of a process costs beside those that follow, both sides, full.

``python -m benchmarks.first_handshake KIND AUTHORITY CHAIN KEY`` is such a process: it says how many seconds each took.
It imports what it measures and little else.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time

LATER = 20
"""How many handshakes follow; the median of them is what a later one takes."""


def first_handshakes(kind: str, rounds: int) -> tuple[float, float]:
    """Milliseconds of CPU time of the first handshake, and how many times as long as a later one it takes: the medians
    of so many processes."""
    from benchmarks.contenders import AUTHORITY, IDENTITY

    seconds = []
    with TemporaryDirectory() as folder, IDENTITY.files() as files:
        authority = Path(folder, "authority.pem")
        authority.write_bytes(AUTHORITY.pem)
        for _ in range(rounds):
            said = subprocess.run(
                [sys.executable, "-m", __name__, kind, str(authority), *files],
                check=True,
                stdout=subprocess.PIPE,
            )
            seconds.append([float(word) for word in said.stdout.split()])
    return 1000 * median(each[0] for each in seconds), median(each[0] / median(each[1:]) for each in seconds)


def floor(authority: str, chain: str, key: str) -> Callable[[], object]:
    """The asymmetric cryptography of both sides, for which OpenSSL makes its random generators and looks its algorithms
    up when they are first asked for."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import (
        ECDSA,
        EllipticCurvePrivateKey,
        EllipticCurvePublicKey,
    )
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    private = load_pem_private_key(Path(key).read_bytes(), None)
    public = x509.load_pem_x509_certificates(Path(chain).read_bytes())[0].public_key()
    assert isinstance(private, EllipticCurvePrivateKey)
    assert isinstance(public, EllipticCurvePublicKey)

    def handshake() -> object:
        client, server = X25519PrivateKey.generate(), X25519PrivateKey.generate()
        secrets = client.exchange(server.public_key()), server.exchange(client.public_key())
        public.verify(private.sign(secrets[0], ECDSA(SHA256())), secrets[1], ECDSA(SHA256()))
        return secrets

    return handshake


def ours(authority: str, chain: str, key: str) -> Callable[[], object]:
    from sansticket import (
        ClientConfig,
        ClientConnection,
        Credential,
        ServerConfig,
        ServerConnection,
        TrustAnchors,
    )

    credential = Credential.from_pem(Path(chain).read_bytes(), Path(key).read_bytes())
    server_config = ServerConfig(credentials=[credential])
    client_config = ClientConfig(trust_anchors=TrustAnchors.from_pem(Path(authority).read_bytes()))

    def handshake() -> object:
        client = ClientConnection(client_config, "server.example")
        server = ServerConnection(server_config)
        while data := client.data_to_send():
            server.receive_data(data)
            if answer := server.data_to_send():
                client.receive_data(answer)
        assert client.version == server.version is not None
        return client, server

    return handshake


def stdlib(authority: str, chain: str, key: str) -> Callable[[], object]:
    import ssl
    from contextlib import suppress

    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(chain, key)
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.load_verify_locations(authority)

    def handshake() -> object:
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = client_context.wrap_bio(to_client, to_server, server_hostname="server.example")
        server = server_context.wrap_bio(to_server, to_client, server_side=True)
        for side in (client, server, client, server):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
        with suppress(ssl.SSLWantReadError):
            client.read(1)  # takes the tickets
        assert client.version() == server.version() is not None
        return client, server

    return handshake


KINDS = {"floor": floor, "sansticket": ours, "ssl": stdlib}


def _seconds(handshake: Callable[[], object]) -> float:
    start = process_time()
    handshake()
    return process_time() - start


if __name__ == "__main__":
    operation = KINDS[sys.argv[1]](*sys.argv[2:])
    print(*(_seconds(operation) for _ in range(1 + LATER)))
