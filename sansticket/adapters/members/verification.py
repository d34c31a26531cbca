"""Members of a context: whether and how the peer is verified."""

from __future__ import annotations

import ssl
from typing import Final

from sansticket.adapters.members.arguments import signed
from sansticket.adapters.members.base import Members
from sansticket.events import VerifyPeer

POSSIBLE_VERIFY_FLAGS: Final = (
    ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VERIFY_X509_STRICT | ssl.VerifyFlags(0x80000)  # partial chain
)

CRL_FLAGS: Final = ssl.VERIFY_CRL_CHECK_LEAF | ssl.VERIFY_CRL_CHECK_CHAIN


class VerificationMembers(Members):
    """``verify_mode`` and what hangs together with it."""

    _verify_flags: ssl.VerifyFlags

    @property
    def verify_mode(self) -> ssl.VerifyMode:
        """Whether the peer needs a certificate."""
        return self._settings.verify_mode

    @verify_mode.setter
    def verify_mode(self, value: int) -> None:
        number = signed(value, 4)
        if number not in tuple(ssl.VerifyMode):
            raise ValueError(f"invalid value for verify_mode: {number} is no VerifyMode")
        mode = ssl.VerifyMode(number)
        if mode is ssl.CERT_NONE and self.check_hostname:
            raise ValueError("Cannot set verify_mode to CERT_NONE when check_hostname is enabled.")
        if mode is not self.verify_mode:
            self._settings.verify_mode = mode

    @property
    def check_hostname(self) -> bool:
        """Whether a client verifies the server's name.  False too where an answer for ``VerifyPeer`` does it."""
        return self._settings.check_hostname

    @check_hostname.setter
    def check_hostname(self, value: bool) -> None:
        if value and VerifyPeer in self._settings["answers"]:
            raise ValueError("check_hostname cannot be enabled: the answer for VerifyPeer verifies servers")
        if value and self.verify_mode is ssl.CERT_NONE:
            self.verify_mode = ssl.CERT_REQUIRED
        self._settings.check_hostname = bool(value)
        self._settings.forget_profile()

    @property
    def hostname_checks_common_name(self) -> bool:
        """False: names are matched against subjectAltName only (RFC 9525 section 2)."""
        return False

    @hostname_checks_common_name.setter
    def hostname_checks_common_name(self, value: bool) -> None:
        if value:
            raise NotImplementedError("the common name is not looked at")

    @property
    def verify_flags(self) -> ssl.VerifyFlags:
        """The flags can be set that describe what is always done.

        CRLs are for an answer to ``VerifyPeer`` (``sansticket.verifiers.pyopenssl``): docs/certificates.md.
        """
        return self._verify_flags

    @verify_flags.setter
    def verify_flags(self, value: int) -> None:
        if not isinstance(value, int):
            raise TypeError(f"argument must be int, not {type(value).__name__}")
        if unknown := value & ~int(POSSIBLE_VERIFY_FLAGS):
            instead = (
                "; expected an answer to VerifyPeer: docs/certificates.md" if unknown & CRL_FLAGS else ""
            )
            raise NotImplementedError(f"{ssl.VerifyFlags(unknown)!r}{instead}")
        self._verify_flags = ssl.VerifyFlags(value)

    @property
    def post_handshake_auth(self) -> bool:
        """A client's: whether it can be asked for a certificate after the handshake.

        A server's: that clients of TLS 1.3 are asked with ``verify_client_post_handshake`` only.
        """
        return bool(self._settings.post_handshake_auth)

    @post_handshake_auth.setter
    def post_handshake_auth(self, value: bool) -> None:
        self._settings.use_post_handshake_auth(bool(value))
