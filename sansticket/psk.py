"""Keys that both sides have beforehand: external PSKs, and their importer (RFC 9846, RFC 9257, RFC 9258).

An external PSK is a name (the identity, which everybody on the way can read) and a key.  It belongs to one hash and is
used in one role: whoever could be client and server with the same key could be made to talk to itself (RFC 9257
section 4.1).  ``import_psk`` makes of one key others, one for each hash, which are bound to a context.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any, Final, Self

from attrs import Attribute, field

from sansticket.codes import KdfIdentifier, ProtocolVersion, PskKeyExchangeMode
from sansticket.crypto.hkdf import HASH_LENGTHS, expand_label, hash_digest, hkdf_extract
from sansticket.errors import ConfigError
from sansticket.inputs import check_bytes, check_kind
from sansticket.text import quoted
from sansticket.values import frozen

MIN_KEY: Final = 16
"""Bytes: an external PSK MUST have at least 128 bits (RFC 9257 section 6)."""

MAX_IDENTITY: Final = 65_535
"""Bytes: what the length of an identity has room for (RFC 9846 section 4.3.11)."""

TARGET_KDFS: Final = {"sha256": KdfIdentifier.HKDF_SHA256, "sha384": KdfIdentifier.HKDF_SHA384}
"""The KDF that stands for each hash of a cipher suite (RFC 9258 section 4.1)."""

HASH_OF_KDF: Final[dict[int, str]] = {kdf: hash_name for hash_name, kdf in TARGET_KDFS.items()}

FINGERPRINT_LENGTH: Final = 32


class PskRole(Enum):
    """The side on which an external PSK is used here."""

    CLIENT = "client"
    SERVER = "server"


def _is_identity(psk: object, attribute: Attribute[Any], value: Any) -> None:
    check_bytes(attribute.name, value)
    if not 1 <= len(value) <= MAX_IDENTITY:
        raise ConfigError(attribute.name, f"{len(value)} bytes; expected 1 to {MAX_IDENTITY}")


def _is_context(psk: object, attribute: Attribute[Any], value: Any) -> None:
    check_bytes(attribute.name, value)
    if len(value) > MAX_IDENTITY:
        raise ConfigError(attribute.name, f"{len(value)} bytes; expected at most {MAX_IDENTITY}")


def _is_code(psk: object, attribute: Attribute[Any], value: Any) -> None:
    check_kind(attribute.name, value, int, "a number of the registry")
    if not 0 <= value < 1 << 16:
        raise ConfigError(attribute.name, f"{quoted(value)}; expected 0 to 65535")


def _is_key(psk: object, attribute: Attribute[Any], value: Any) -> None:
    check_bytes(attribute.name, value)
    if len(value) < MIN_KEY:
        raise ConfigError(attribute.name, f"{len(value)} bytes; expected at least {MIN_KEY}")


def _is_hash(psk: object, attribute: Attribute[Any], value: Any) -> None:
    check_hash(attribute.name, value)


def check_hash(name: str, value: Any) -> None:
    """One of the hashes of the cipher suites."""
    if not isinstance(value, str) or value not in HASH_LENGTHS:
        raise ConfigError(name, f"{quoted(value)}; expected one of {', '.join(HASH_LENGTHS)}")


def _is_role(psk: object, attribute: Attribute[Any], value: Any) -> None:
    check_kind(attribute.name, value, PskRole, "a PskRole")


def _as_modes(values: Iterable[int]) -> tuple[int, ...]:
    given: Any = values
    modes: tuple[int, ...] = (
        tuple(given) if isinstance(given, Iterable) and not isinstance(given, str | bytes) else given
    )
    return modes


def _are_modes(psk: object, attribute: Attribute[Any], value: Any) -> None:
    dhe, ke = PskKeyExchangeMode.PSK_DHE_KE, PskKeyExchangeMode.PSK_KE
    if value not in ((dhe,), (dhe, ke)):
        raise ConfigError(
            attribute.name, f"{quoted(value)}; expected PSK_DHE_KE, and perhaps PSK_KE after it"
        )


@frozen
class ExternalPsk:
    """A key that client and server have beforehand, and its name.

    ConfigError names the field that cannot work.  The key is not in the ``repr``.
    """

    identity: bytes = field(repr=quoted, validator=_is_identity)
    """The name, 1 to 65,535 bytes.  It travels unprotected, and is no place for anything personal."""

    key: bytes = field(repr=False, validator=_is_key)
    """At least 16 bytes, and random: whoever records a handshake can try out all others (RFC 9257 section 4.2)."""

    role: PskRole = field(kw_only=True, validator=_is_role)
    """The side on which it is used here.  The peer's object of the same key has the other one."""

    hash_name: str = field(default="sha256", kw_only=True, validator=_is_hash)
    """``"sha256"`` or ``"sha384"``: the only one with which the key is used (RFC 9846 section 4.3.11)."""

    modes: tuple[int, ...] = field(
        default=(PskKeyExchangeMode.PSK_DHE_KE,), kw_only=True, converter=_as_modes, validator=_are_modes
    )
    """``PskKeyExchangeMode.PSK_DHE_KE``, and after it, where it may do without a key exchange, ``PSK_KE``: then whoever
    learns the key can read all that was recorded."""

    imported: bool = field(default=False, kw_only=True)
    """``import_psk`` made it: its binder says so (RFC 9258 section 5.2)."""

    def __attrs_post_init__(self) -> None:
        check_kind("imported", self.imported, bool, "True or False")

    @property
    def binder_label(self) -> bytes:
        """Of its binder key (RFC 9846 section 7.1, RFC 9258 section 5.2)."""
        return b"imp binder" if self.imported else b"ext binder"

    @property
    def does_without_key_exchange(self) -> bool:
        """psk_ke was chosen for it."""
        return PskKeyExchangeMode.PSK_KE in self.modes

    @property
    def fingerprint(self) -> bytes:
        """32 bytes that stand for this name with this key: what a session remembers of the PSK that it goes back to."""
        secret = hkdf_extract("sha256", b"sansticket external psk", self.key)
        about = hash_digest("sha256", self.binder_label + self.hash_name.encode() + self.identity)
        return expand_label("sha256", secret, b"fingerprint", about, FINGERPRINT_LENGTH)

    def session_context(self, context: bytes) -> bytes:
        """The ``session_id_context`` of a session that goes back to this PSK, 32 bytes; others have ``context``."""
        return hash_digest("sha256", b"sansticket psk session" + self.fingerprint + context)


@frozen
class ImportedIdentity:
    """What the identity of an imported PSK says (RFC 9258 section 5.1).  ConfigError names what cannot be."""

    external_identity: bytes = field(repr=quoted, validator=_is_identity)
    """The name of the key that was imported, 1 to 65,535 bytes."""

    context: bytes = field(default=b"", repr=quoted, validator=_is_context)
    """To what it is bound: best the names of both sides in their roles (RFC 9258 appendix A), 0 to 65,535 bytes."""

    target_protocol: int = field(default=ProtocolVersion.TLS_1_3, validator=_is_code)
    """A number of ``ProtocolVersion``, 16 bits."""

    target_kdf: int = field(default=KdfIdentifier.HKDF_SHA256, validator=_is_code)
    """A number of ``KdfIdentifier``, 16 bits."""

    def encode(self) -> bytes:
        """As it is on the wire."""
        parts = [len(part).to_bytes(2) + part for part in (self.external_identity, self.context)]
        return b"".join(parts) + self.target_protocol.to_bytes(2) + self.target_kdf.to_bytes(2)

    @classmethod
    def parse(cls, identity: bytes) -> Self | None:
        """What ``identity`` says if it can be that of an imported PSK; None if it cannot.

        Nothing in it says that it is one: other bytes may look like that too.
        """
        check_bytes("identity", identity)
        external, rest = _vector(identity)
        context, rest = _vector(rest or b"")
        if not external or context is None or rest is None or len(rest) != 4:
            return None
        return cls(external, context, int.from_bytes(rest[:2]), int.from_bytes(rest[2:]))

    def derive(
        self,
        key: bytes,
        *,
        role: PskRole,
        hash_name: str = "sha256",
        modes: Iterable[int] = (PskKeyExchangeMode.PSK_DHE_KE,),
    ) -> ExternalPsk | None:
        """The PSK of this name, where ``key`` is that of ``external_identity`` and ``hash_name`` its hash; None for a
        protocol other than TLS 1.3, and for a KDF of which there is no cipher suite here."""
        target = HASH_OF_KDF.get(self.target_kdf)
        if target is None or self.target_protocol != ProtocolVersion.TLS_1_3:
            return None
        check_hash("hash_name", hash_name)
        ExternalPsk(self.external_identity, key, role=role)  # it complains of what cannot be one
        identity = self.encode()
        if len(identity) > MAX_IDENTITY:
            raise ConfigError(
                "context", f"makes an identity of {len(identity)} bytes; expected at most {MAX_IDENTITY}"
            )
        secret = hkdf_extract(hash_name, b"", key)
        about = hash_digest(hash_name, identity)
        ipsk = expand_label(hash_name, secret, b"derived psk", about, HASH_LENGTHS[target])
        return ExternalPsk(identity, ipsk, role=role, hash_name=target, modes=modes, imported=True)


def _vector(data: bytes) -> tuple[bytes | None, bytes | None]:
    """A byte string with its length before it in two bytes, and what follows; None if it is cut short."""
    end = 2 + int.from_bytes(data[:2])
    return (data[2:end], data[end:]) if len(data) >= max(2, end) else (None, None)


def import_psk(
    external_identity: bytes,
    key: bytes,
    *,
    role: PskRole,
    context: bytes = b"",
    hash_name: str = "sha256",
    target_hashes: Sequence[str] = ("sha256", "sha384"),
    modes: Iterable[int] = (PskKeyExchangeMode.PSK_DHE_KE,),
) -> tuple[ExternalPsk, ...]:
    """The PSKs of TLS 1.3 that come of one key, one for each hash in ``target_hashes`` (RFC 9258).

    ``hash_name`` is the hash of the key itself, SHA-256 if nothing was said when it was given out.  ``context`` binds
    what comes of it: say in it who is client and who is server, by names that both sides know, so that one key can
    serve in both roles (RFC 9258 appendix A).  The peer has to import it alike.  Never use the key itself besides.

    ConfigError for what cannot be the field of an ``ExternalPsk``.
    """
    check_bytes("context", context)
    if len(context) > MAX_IDENTITY:
        raise ConfigError("context", f"{len(context)} bytes; expected at most {MAX_IDENTITY}")
    chosen = tuple(modes)
    made = []
    for target in target_hashes:
        check_hash("target_hashes", target)
        name = ImportedIdentity(external_identity, context, target_kdf=TARGET_KDFS[target])
        psk = name.derive(key, role=role, hash_name=hash_name, modes=chosen)
        assert psk is not None
        made.append(psk)
    return tuple(made)
