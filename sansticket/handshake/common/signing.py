"""A signature of ours that the application may make: the same question in both versions, on both sides."""

from __future__ import annotations

from sansticket.commands import ProvideSignature
from sansticket.crypto.certificates import Credential
from sansticket.crypto.signatures import sign
from sansticket.errors import LocalProtocolError
from sansticket.events import Sign
from sansticket.handshake.machine.state import Asking
from sansticket.values import value


@value
class AskSignature(Asking):
    """What proves that the key of our certificate is ours is to be signed."""

    QUESTION = Sign

    credential: Credential
    scheme: int

    def question(self) -> Sign:
        return Sign(self.scheme, self.to_be_signed(), self.credential)

    def default_answer(self, now: float) -> ProvideSignature:
        key = self.credential.private_key
        if key is None:
            raise LocalProtocolError("the credential has no private key, and answers has nothing for Sign")
        signature = sign(key, self.scheme, self.to_be_signed(), tls13=self.VERSION.signs_as_tls13)
        return ProvideSignature(signature)

    def to_be_signed(self) -> bytes:
        raise AssertionError(f"{type(self).__name__} must say what is to be signed")
