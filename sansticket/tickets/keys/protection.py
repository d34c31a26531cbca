"""What turns a session into a ticket and back: a codec, and keys.

Anything with the members of ``TicketKeys`` can protect tickets: ``TicketKeyRing`` and ``WindowedTicketKeys``
do.  Their two methods see opaque plaintext and hand out opaque tickets; what is in them is the business of
their ``codec``: the native encoding, unless the tickets are shared with another implementation.
"""

from collections.abc import Iterable, Set
from typing import Any, Final, Protocol, TypeVar

from attrs import field

from sansticket.errors import ConfigError
from sansticket.inputs import Entropy as Entropy
from sansticket.inputs import check_bytes, check_kind
from sansticket.tickets.decision import TicketStatus
from sansticket.tickets.session import Session, SessionFormatError
from sansticket.values import frozen
from sansticket.wire.messages.hello import ClientHello

KEY_NAME_LENGTH = 16
"""How many bytes at the start of a ticket name its key.  RFC 5077 section 4; OpenSSL has the same."""


@frozen
class OpenedTicket:
    """What came of opening a ticket.  ConfigError names a field that is of another type."""

    status: TicketStatus
    """What came of it."""

    key_name: bytes
    """The name of the key.  When nothing was decrypted: the first 16 bytes of the ticket, or all of a shorter
    one, whether or not such a key exists."""

    plaintext: bytes | None = field(default=None, repr=False)
    """What was sealed; None unless the status says that it was decrypted."""

    def __attrs_post_init__(self) -> None:
        if self.status.__class__ is not TicketStatus:
            check_kind("status", self.status, TicketStatus, "a TicketStatus")
        if self.key_name.__class__ is not bytes:
            check_bytes("key_name", self.key_name)
        if self.plaintext is not None and self.plaintext.__class__ is not bytes:
            check_bytes("plaintext", self.plaintext)

    @classmethod
    def failed(cls, ticket: bytes) -> "OpenedTicket":
        """The answer to a ticket that cannot be opened: NO_DECRYPT, or EMPTY when there is none."""
        status = TicketStatus.NO_DECRYPT if ticket else TicketStatus.EMPTY
        return cls(status, ticket[:KEY_NAME_LENGTH])


class Encounter(Protocol):
    """A client that shows a ticket, and the server to which it shows it: what a codec may go by."""

    @property
    def hello(self) -> ClientHello:
        """The hello in which the ticket is.  Of a session in TLS 1.3 the binder was not yet looked at."""
        ...

    @property
    def server_name(self) -> str | None:
        """The name that the client asks for now, which a session must have to go on."""
        ...

    @property
    def session_id_context(self) -> bytes:
        """That of the config, which a session must have to go on."""
        ...

    @property
    def config(self) -> Any:
        """The ``ServerConfig``."""
        ...


def asks_for_certificate(encounter: Encounter) -> bool:
    """Whether a full handshake would ask the client for its certificate: who had one must not go on as nobody."""
    return bool(encounter.config.client_authentication.value != "none")


class SessionCodec(Protocol):
    """How a session is written in the plaintext of a ticket."""

    @property
    def keeps_issue_time(self) -> bool:
        """Whether the plaintext tells when the ticket was made from when the peers were authenticated.

        Where it does not, a renewed ticket expires when the one before it would have: it has one time, which
        must be that of the last full handshake, or a chain of renewals would never end.
        """
        ...

    @property
    def keeps_verified_chain(self) -> bool:
        """Whether ``encode`` wants the path by which a client's chain was verified (``Session.verified_chain``)."""
        ...

    def encode(self, session: Session) -> bytes:
        """The plaintext of a ticket that stands for ``session``."""
        ...

    def decode(self, plaintext: bytes, now: float, encounter: Encounter | None = None) -> Session:
        """Undo ``encode``; ``SessionFormatError`` for everything else.

        ``now``: seconds since the epoch.  ``encounter``: who shows the ticket to whom; None where nobody does, and it
        is only looked at.  Where a format has no place for the server's name, or for the context, what comes back has
        none and does not go on, unless the codec takes those of the encounter for it.
        """
        ...


@frozen
class NativeCodec:
    """The encoding of ``Session.to_bytes``."""

    keeps_issue_time = True
    keeps_verified_chain = False

    def encode(self, session: Session) -> bytes:
        return session.to_bytes()

    def decode(self, plaintext: bytes, now: float, encounter: Encounter | None = None) -> Session:
        return Session.from_bytes(plaintext)


NATIVE: Final = NativeCodec()


def session_in(
    plaintext: bytes | None,
    codec: SessionCodec,
    now: float,
    version: int,
    encounter: Encounter | None = None,
) -> Session | None:
    """The session of that protocol version in what a ticket held, if there is one.

    A plaintext that is none (a key shared with something else, or a future format) counts as a ticket that
    did not decrypt, as it does for libssl.
    """
    if plaintext is None:
        return None
    try:
        session = codec.decode(plaintext, now, encounter)
    except SessionFormatError:
        return None
    return session if session.version == version else None


class TicketKeys(Protocol):
    """Seals and opens tickets.  ``now`` is in seconds since the epoch.  Many threads may call both.

    What is copied or pickled seals under the same keys.  So nothing in it may be a counter: what makes two tickets
    different is drawn anew for each, as the salts and IVs of the sources here are.
    """

    @property
    def codec(self) -> SessionCodec:
        """What the plaintext is: ``NATIVE``, or the format of those with whom the keys are shared."""
        ...

    def seal(self, plaintext: bytes, now: float, entropy: Entropy) -> bytes:
        """A ticket that holds ``plaintext``.  Two tickets never show that they hold the same.

        ConfigError ``entropy`` if ``entropy`` gives another number of bytes than it is asked for.
        """
        ...

    def open(self, ticket: bytes, now: float) -> OpenedTicket:
        """Undo ``seal``.  SUCCESS when the key is the current one, SUCCESS_RENEW when it is an older one.

        A ticket that is not ours, was altered, or whose key is gone is NO_DECRYPT, never an exception.
        """
        ...


class NamedKey(Protocol):
    """What all sources of keys have in common."""

    @property
    def name(self) -> bytes: ...


K = TypeVar("K", bound=NamedKey)


def listed(keys: Iterable[K], kind: type[K]) -> tuple[K, ...]:
    """At least one key of that kind, no two with the same name, in an order: the first seals.  ConfigError ``keys``."""
    given: Any = keys
    if not isinstance(given, Iterable) or isinstance(given, Set):
        raise ConfigError("keys", f"a value of type {type(given).__name__}; expected keys, the first seals")
    found = tuple(given)
    for key in found:
        check_kind("keys", key, kind, f"keys of the class {kind.__name__}")
    if not found:
        raise ConfigError("keys", "none given; expected at least one key")
    if len({key.name for key in found}) != len(found):
        raise ConfigError("keys", "two keys have the same name")
    return found
