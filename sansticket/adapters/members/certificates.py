"""Members of a context: our certificates, and those that it trusts."""

from __future__ import annotations

import os
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, overload

from sansticket.adapters.certificates import as_dictionary
from sansticket.adapters.failures import library_failure
from sansticket.adapters.members.base import Members
from sansticket.adapters.members.files import (
    Password,
    StrPath,
    is_authority,
    read_anchors,
    read_credential,
    usable_anchors,
)
from sansticket.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class CertificateMembers(Members):
    """Files in, trust anchors out."""

    def load_cert_chain(
        self, certfile: StrPath, keyfile: StrPath | None = None, password: Password = None
    ) -> None:
        """A chain and its private key from PEM files.  One more for each kind of key, as in OpenSSL.

        An RSA key has the ``min_rsa_bits`` of the context: ``configure`` sets them before.
        """
        bits = self._settings["min_rsa_bits"]
        self._settings.add_credential(read_credential(certfile, keyfile, password, bits))

    def load_verify_locations(
        self,
        cafile: StrPath | None = None,
        capath: StrPath | None = None,
        cadata: str | ReadableBuffer | None = None,
    ) -> None:
        """More trust anchors.  Those in the folder ``capath``, or in several with ``os.pathsep`` between them, are
        read at once, and not when they are needed."""
        if cafile is None and capath is None and cadata is None:
            raise TypeError("cafile, capath and cadata cannot be all omitted")
        found = tuple(read_anchors(cafile, capath, cadata, server=self._settings.server))
        try:
            self._settings.add_anchors(found)
        except ConfigError as error:
            raise library_failure("X509", "ASN1 lib", str(error)) from error

    def load_default_certs(self, purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH) -> None:
        """The trust anchors of the system, where OpenSSL would look for them."""
        if not isinstance(purpose, ssl.Purpose):
            raise TypeError(purpose)
        self.set_default_verify_paths()

    def set_default_verify_paths(self) -> None:
        """The same.  What is missing or cannot be read, and certificates that are of no use, are passed over."""
        paths = ssl.get_default_verify_paths()
        folders = os.environ.get(paths.openssl_capath_env)  # ``paths.capath`` knows one alone
        capath = folders or (None if paths.cafile else paths.capath) or None
        for file, folder in ((paths.cafile or None, None), (None, capath)):
            with suppress(OSError):  # an SSLError is one too
                found = read_anchors(file, folder, None, server=self._settings.server)
                self._settings.add_anchors(tuple(found if folder else usable_anchors(found)))

    def _anchors(self) -> tuple[bytes, ...]:
        anchors = self._settings["trust_anchors"]
        return anchors.certificates if anchors is not None else ()

    def cert_store_stats(self) -> dict[str, int]:
        """How many trust anchors there are, and how many of them are authorities."""
        anchors = self._anchors()
        return {"x509": len(anchors), "crl": 0, "x509_ca": sum(map(is_authority, anchors))}

    @overload
    def get_ca_certs(self, binary_form: Literal[False] = False) -> list[dict[str, Any]]: ...
    @overload
    def get_ca_certs(self, binary_form: Literal[True]) -> list[bytes]: ...
    @overload
    def get_ca_certs(self, binary_form: bool = False) -> Any: ...

    def get_ca_certs(self, binary_form: bool = False) -> Any:
        """The trust anchors that are authorities, as ``getpeercert`` gives certificates."""
        authorities = filter(is_authority, self._anchors())
        return [der if binary_form else as_dictionary(der) for der in authorities]
