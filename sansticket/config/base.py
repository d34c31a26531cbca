"""What the application decides beforehand.

A config is frozen and can serve any number of connections.  It is checked when it is made: a ``ConfigError``
names the field, what was wrong and what was expected.  The defaults of ``clock`` and ``entropy`` are the only
places in the package that touch the system's time and randomness.

A field has a converter where its constructor takes more than the field holds, a validator that knows the field's
name, and its documentation with it, for ``help``.  What concerns two fields is checked after that, in ``_check``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any

from attrs import Attribute, field, fields

from sansticket.config.answers import Answers, are_answers, as_answers
from sansticket.config.checks import (
    InRange,
    are,
    as_numbers,
    as_strings_of_bytes,
    as_tuple,
    check_items,
    has_length,
    is_a,
    is_any_of,
    is_flag,
    is_function,
    is_some_of,
    or_none,
)
from sansticket.config.choices import ResumedCertificates
from sansticket.config.defaults import (
    DEFAULT_CIPHER_SUITES,
    KNOWN_VERSIONS,
    LARGEST_CLIENT_HELLO,
    MAX_PROTOCOLS,
    _default_groups,
    _default_signature_schemes,
)
from sansticket.config.derived import (
    TLS13,
    Numbers,
    application,
    groups_by_version,
    schemes_by_versions,
    suites_by_version,
)
from sansticket.crypto import groups, signatures
from sansticket.crypto.certificates import Credential
from sansticket.crypto.inspection import require_strength
from sansticket.crypto.suites import SUITES
from sansticket.crypto.verification import TrustAnchors
from sansticket.errors import ConfigError, Fault
from sansticket.events import Sign, VerifyPeer
from sansticket.psk import ExternalPsk, PskRole
from sansticket.text import quoted
from sansticket.tickets.versions import MAX_LIFETIME
from sansticket.values import frozen, says
from sansticket.wire.compression import available


def _as_credentials(values: Iterable[Credential]) -> tuple[Credential, ...]:
    credentials: tuple[Credential, ...] = as_tuple(values)
    return credentials


def _as_psks(values: Iterable[ExternalPsk]) -> tuple[ExternalPsk, ...]:
    psks: tuple[ExternalPsk, ...] = as_tuple(values)
    return psks


def _are_protocols(config: object, attribute: Attribute[Any], protocols: Any) -> None:
    check_items(attribute.name, protocols, bytes, "bytes")
    for protocol in protocols:
        if not 1 <= len(protocol) <= 255:
            raise ConfigError(attribute.name, f"{quoted(protocol)}; expected 1 to 255 bytes")
    if sum(1 + len(protocol) for protocol in protocols) > MAX_PROTOCOLS:
        raise ConfigError(
            attribute.name, f"too many; expected at most {MAX_PROTOCOLS} bytes, with a length for each"
        )


def validate(config: Config, *names: str) -> None:
    """Validate these fields before the others: for those from which the default of another is made."""
    for attribute in fields(type(config)):
        if attribute.name in names and attribute.validator is not None:
            attribute.validator(config, attribute, getattr(config, attribute.name))


# What follows from the fields is kept by ``cached_property``, for which an instance needs a ``__dict__``.
@frozen(kw_only=True, slots=False)
class Config:
    """What clients and servers have in common.  Make a ``ClientConfig`` or a ``ServerConfig``.

    Sequences are in the order of preference.
    """

    versions: tuple[int, ...] = field(
        default=KNOWN_VERSIONS,
        converter=as_numbers,
        validator=is_some_of(lambda: KNOWN_VERSIONS),
        metadata=says(
            "The protocol versions; the highest that both sides have is used.  TLS 1.3 must have a cipher suite and a "
            "signature scheme among those below, and a server a credential for it: nothing lowers the version by the "
            "way.  TLS 1.2 without one of these, or without a group, is not offered."
        ),
    )
    cipher_suites: tuple[int, ...] = field(
        default=DEFAULT_CIPHER_SUITES,
        converter=as_numbers,
        validator=is_some_of(lambda: SUITES),
        metadata=says("Those of TLS 1.3 and of TLS 1.2 together."),
    )
    groups: tuple[int, ...] = field(
        factory=_default_groups,
        converter=as_numbers,
        validator=is_some_of(lambda: groups.supported(), groups.NEWER),
        metadata=says("``DEFAULT_GROUPS``, less those that the installed ``cryptography`` cannot do."),
    )
    signature_schemes: tuple[int, ...] = field(
        factory=_default_signature_schemes,
        converter=as_numbers,
        validator=is_some_of(lambda: signatures.supported(), signatures.NEWER),
        metadata=says(
            "``DEFAULT_SIGNATURE_SCHEMES``, less those that the installed ``cryptography`` cannot do."
        ),
    )
    alpn_protocols: tuple[bytes, ...] = field(
        default=(),
        converter=as_strings_of_bytes,
        validator=_are_protocols,
        metadata=says("Names of application protocols, such as b'h2', of 1 to 255 bytes each (RFC 7301)."),
    )
    credentials: tuple[Credential, ...] = field(
        default=(),
        converter=_as_credentials,
        validator=are(Credential, "a Credential"),
        metadata=says(
            "Certificate chains with their keys.  A server chooses by server name, then by the peer's signature "
            "schemes."
        ),
    )
    trust_anchors: TrustAnchors | None = field(
        default=None,
        validator=or_none(is_a(TrustAnchors, "TrustAnchors or None")),
        metadata=says("Where the chains of peers may end.  None: the application verifies, or nobody does."),
    )
    psks: tuple[ExternalPsk, ...] = field(
        default=(),
        converter=_as_psks,
        validator=are(ExternalPsk, "an ExternalPsk"),
        metadata=says(
            "TLS 1.3: external PSKs, with which the peers authenticate each other without certificates.  A client "
            "offers all of them, behind its sessions; a server knows these, and asks ``LookUpPsk`` for others only.  A "
            "config with PSKs that could verify (client) or show (server) no certificate takes nothing else."
        ),
    )
    answers: Answers = field(
        factory=dict,
        converter=as_answers,
        validator=are_answers,
        metadata=says(
            "How each question is answered: by a function, or with ``ASK`` by a later command.  Those that are not "
            "named get their documented default."
        ),
    )
    verification_label: bytes | None = field(
        default=None,
        validator=or_none(has_length(1, 255)),
        metadata=says(
            "Names what the answer for ``VerifyPeer`` accepts, in 1 to 255 bytes: a session resumes where the label is "
            "the same as where it was made, in any process.  Change it whenever the verification gets stricter.  None: "
            "sessions resume under this very mapping of ``answers`` only."
        ),
    )
    clock: Callable[[], float] = field(
        default=time.time,
        repr=False,
        validator=is_function("without arguments to seconds since the epoch"),
        metadata=says(
            "Seconds since the epoch, 0 or more.  Anything else that it gives is a ConfigError, the ``cause`` with "
            "which a connection ends."
        ),
    )
    entropy: Callable[[int], bytes] = field(
        default=os.urandom,
        repr=False,
        validator=is_function("from a number to as many random bytes"),
        metadata=says(
            "Gives n random bytes.  All randomness of a connection comes from here, where the library permits it."
        ),
    )
    key_log: Callable[[str], None] | None = field(
        default=None,
        repr=False,
        validator=or_none(is_function("that takes a line, or None")),
        metadata=says(
            "Gets the lines of an NSS key log (SSLKEYLOGFILE), without line ends.  Whoever has them can read "
            "everything."
        ),
    )
    padding: Callable[[int], int] | None = field(
        default=None,
        repr=False,
        validator=or_none(is_function("from a length to a length, or None")),
        metadata=says(
            "TLS 1.3: from the length of a record's content to the number of zero bytes of padding after it."
        ),
    )
    certificate_compression: tuple[int, ...] = field(
        default=(),
        converter=as_numbers,
        validator=is_any_of(available),
        metadata=says(
            "TLS 1.3: algorithms of ``CertificateCompression`` by which certificates may be compressed (RFC 8879), the "
            "peer's and ours, if the peer knows one.  Those whose package is installed: zlib always, brotli and zstd "
            "with the extra ``compression``."
        ),
    )
    record_size_limit: int | None = field(
        default=None,
        validator=or_none(InRange(64, 16_385)),
        metadata=says(
            "Bytes of plaintext in a protected record of the peer's, 64 to 16,385 (RFC 8449): for who has no room for "
            "more.  TLS 1.3 counts the content type and the padding.  A client with None does not ask, and a server "
            "with None takes what the version allows.  What the peer asks for is kept to in any case."
        ),
    )
    resumed_certificates: ResumedCertificates = field(
        default=ResumedCertificates.REUSE,
        validator=is_a(ResumedCertificates, "a ResumedCertificates"),
        metadata=says(
            "What is checked of the peer's certificates when a session is resumed that holds them."
        ),
    )
    max_session_age: int = field(
        default=MAX_LIFETIME,
        validator=InRange(1, MAX_LIFETIME),
        metadata=says(
            "Seconds since the last full handshake after which a session is not resumed any more, however often it was "
            "renewed.  A client offers no older one.  The default, seven days, is the most that RFC 9846 section 4.7.1 "
            "allows."
        ),
    )
    require_extended_master_secret: bool = field(
        default=False,
        validator=is_flag,
        metadata=says(
            "TLS 1.2: refuse a peer without it (RFC 7627).  Without this a full handshake still does; a resumption "
            "never."
        ),
    )
    tickets_in_tls12: bool = field(
        default=True,
        validator=is_flag,
        metadata=says(
            "TLS 1.2: a client takes tickets, a server whose tickets are stateless gives one.  False leaves session "
            "ids, which a server knows if it has a ``session_cache`` or an answer for ``LookUpSession`` "
            "(SSL_OP_NO_TICKET)."
        ),
    )
    max_handshake_message: int = field(
        default=LARGEST_CLIENT_HELLO,
        validator=InRange(16_384, 0xFFFFFF),
        metadata=says(
            "Bytes of a handshake message with its header.  The default is the largest "
            "ClientHello that can be written; one with the largest ticket that fits has 64 KiB and a little more, "
            "OpenSSL allows 128 KiB, Java's JSSE 32 KiB; a chain of ten ordinary certificates has 15 KiB."
        ),
    )
    max_buffered: int = field(
        default=262_144,
        validator=InRange(16_640, 1 << 40),
        metadata=says("Bytes that may arrive while a question is open."),
    )
    max_certificates: int = field(
        default=10,
        validator=InRange(1, 100),
        metadata=says("Certificates in the peer's chain; OpenSSL's default depth is 100, GnuTLS's 16."),
    )
    min_rsa_bits: int = field(
        default=signatures.MIN_RSA_BITS,
        validator=InRange(512, 16_384),
        metadata=says(
            "Bits of an RSA key in our own certificates and in the peer's, whoever verifies: see "
            "``docs/certificates.md``.  Authorities have 2048 or more in any case, unless ``VerifyPeer`` is answered."
        ),
    )

    def __attrs_post_init__(self) -> None:
        self._check()
        if VerifyPeer in self.answers and self.verification_label is None:
            self.answers.know_verifier(self.entropy)

    def __getstate__(self) -> dict[str, Any]:
        """The fields.  What follows from them may be another thing where they are read."""
        return {one.name: getattr(self, one.name) for one in fields(type(self))}

    def _check(self) -> None:
        """The rules over several fields.  Each field by itself is right already."""
        self._check_versions()
        if self.verification_label is not None and VerifyPeer not in self.answers:
            raise ConfigError("verification_label", "given, but answers has nothing for VerifyPeer")
        if self.resumed_certificates is ResumedCertificates.VERIFY and self.trust_anchors is None:
            raise ConfigError("resumed_certificates", "VERIFY, but there are no trust_anchors")
        for credential in self.credentials:
            if credential.private_key is None and Sign not in self.answers:
                raise ConfigError("credentials", "one has no private key, and answers has nothing for Sign")
            try:
                require_strength(credential.public_key, self.min_rsa_bits)
            except Fault as fault:
                raise ConfigError("credentials", f"{fault.detail}: see min_rsa_bits") from None

    def _check_versions(self) -> None:
        """That the lists leave a version what it needs."""
        if self.psk_only and TLS13 not in self.versions:
            raise ConfigError("versions", "without TLS 1.3, for which alone there are external PSKs")
        if TLS13 in self.versions:
            for name, left in (
                ("cipher_suites", self._suites[TLS13]),
                ("signature_schemes", self._schemes[TLS13,]),
            ):
                if not left:
                    expected = "expected one for its handshakes, or versions without it"
                    raise ConfigError(name, f"nothing for TLS 1.3, which is among the versions; {expected}")
        if not any(self._has_lists_for(version) for version in self.versions):
            raise ConfigError(
                "versions", "cipher_suites, groups or signature_schemes have nothing for any of them"
            )

    def _check_psks(self, role: PskRole) -> None:
        """One identity, one hash, and so for a key; and on this side only (RFC 9257 sections 4.1 and 6)."""
        hashes = set(self.hashes)
        if self.psks and not any(psk.hash_name in hashes for psk in self.psks):
            raise ConfigError(
                "psks", "none has the hash of a cipher suite of TLS 1.3 among versions and cipher_suites"
            )
        identities: set[bytes] = set()
        hash_of_key: dict[bytes, str] = {}
        for psk in self.psks:
            if psk.role is not role:
                raise ConfigError(
                    "psks", f"{quoted(psk.identity)} is for a {psk.role.value}; expected {role}"
                )
            if psk.identity in identities:
                raise ConfigError(
                    "psks", f"{quoted(psk.identity)} is there twice; expected one key of one hash"
                )
            if hash_of_key.setdefault(psk.key, psk.hash_name) != psk.hash_name:
                raise ConfigError("psks", f"the key of {quoted(psk.identity)} is there with another hash too")
            identities.add(psk.identity)

    def _who_verifies(self, otherwise: bytes) -> bytes:
        """Stands for the application where it verifies, and for ``otherwise`` where it does not."""
        if VerifyPeer not in self.answers:
            return otherwise
        if self.verification_label is None:
            self.answers.know_verifier(self.entropy)  # there is one, but out of a pickle
        return application(self.verification_label, self.answers.verifier)

    @property
    def verifies_by_default(self) -> bool:
        """Whether chains are verified by ``cryptography``.  An answer for ``VerifyPeer`` can say that of itself."""
        answer = self.answers.get(VerifyPeer)
        return answer is None or getattr(answer, "VERIFIES_BY_DEFAULT", False) is True

    # --- what follows from the fields ----------------------------------------------------------------------------

    @cached_property
    def _suites(self) -> Mapping[int, Numbers]:
        return suites_by_version(self.cipher_suites)

    @cached_property
    def _groups(self) -> Mapping[int, Numbers]:
        return groups_by_version(self.groups)

    @cached_property
    def _schemes(self) -> Mapping[Numbers, Numbers]:
        return schemes_by_versions(self.signature_schemes)

    @property
    def psk_only(self) -> bool:
        """Nobody is authenticated by a certificate: there are external PSKs, and nothing else."""
        raise NotImplementedError

    @cached_property
    def psk_of(self) -> Mapping[bytes, ExternalPsk]:
        """The ``psks`` by their identities."""
        return {psk.identity: psk for psk in self.psks}

    @cached_property
    def hashes(self) -> tuple[str, ...]:
        """The hashes of the cipher suites of TLS 1.3, where it is usable."""
        return tuple(SUITES[one].hash_name for one in self.suites_offered if one >> 8 == 0x13)

    def _has_lists_for(self, version: int) -> bool:
        return bool(self._suites[version] and self._groups[version] and self._schemes[version,])

    def _can_do(self, version: int) -> bool:
        return self._has_lists_for(version) and (version == TLS13 or not self.psk_only)

    @cached_property
    def usable_versions(self) -> tuple[int, ...]:
        """Those of ``versions`` that have what they need (a cipher suite, a group, a signature scheme; for a server, a
        credential or external PSKs, which are for TLS 1.3), the highest first."""
        return tuple(version for version in sorted(self.versions, reverse=True) if self._can_do(version))

    @cached_property
    def suites_offered(self) -> tuple[int, ...]:
        """The cipher suites of all usable versions, those of the higher version first."""
        return tuple(suite for version in self.usable_versions for suite in self._suites[version])

    def suites_of(self, version: int) -> tuple[int, ...]:
        """The cipher suites of that protocol version."""
        return self._suites[version]

    def groups_of(self, version: int) -> tuple[int, ...]:
        """The groups for a key exchange of that protocol version."""
        return self._groups[version]

    def schemes_of(self, *versions: int) -> tuple[int, ...]:
        """The signature schemes for handshakes of any of these protocol versions, the higher of which comes first."""
        return self._schemes[versions]
