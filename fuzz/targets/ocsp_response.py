"""Any bytes in the place of an OCSP response are a ``Fault`` about a status, or say that the certificate is good."""

from fuzz.world import NOW, credential
from sansticket.crypto.inspection import load
from sansticket.crypto.stapling import verify_staple
from sansticket.errors import Fault, Reason


def one_input(data: bytes) -> None:
    leaf, issuer = map(load, credential("server").chain)
    try:
        verify_staple(data, (leaf, issuer), NOW, 2048)
    except Fault as fault:
        found = fault.reason
    else:
        return
    assert found in (Reason.BAD_CERTIFICATE_STATUS, Reason.CERTIFICATE_REVOKED)
