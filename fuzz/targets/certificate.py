"""Any bytes in the place of a certificate are a ``Fault`` that says what is wrong with it, or a certificate.

Byte 0: where in the chain they are, and who looks at it.
"""

from fuzz.world import NAME, NOW, anchors, credential
from sansticket.crypto.inspection import public_key_of
from sansticket.crypto.verification import verify_client_chain, verify_server_chain
from sansticket.errors import Fault


def one_input(data: bytes) -> None:
    if not data:
        return
    how, der = data[0], data[1:]
    chain = (der,) if how & 1 else (credential("client" if how & 2 else "server").chain[0], der)
    try:
        public_key_of(chain[0])
        if how & 2:
            verify_client_chain(chain, anchors(), NOW)
        else:
            verify_server_chain(chain, anchors(), NAME, NOW)
    except Fault as fault:
        found = fault.reason
    else:
        return
    assert found.name.startswith("CERTIFICATE_")
