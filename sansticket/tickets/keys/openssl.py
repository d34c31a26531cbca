"""Ticket keys shared with OpenSSL's servers: nginx, haproxy, lighttpd, Node.js and whatever else has its tickets.

How a ticket is sealed is in ``programs.key``, and how each program writes its keys in ``programs.layouts``: name the
program, and its files are read and written (``OpenSSLTicketKeys.from_files``, ``to_files``).

Tickets resume across servers that have the key, and agree on three things more:

- the *session id context*, which is part of the session.  Set ``ServerConfig.session_id_context`` to that of the
  others: ``nginx_session_id_context`` computes nginx's, ``HAPROXY_CONTEXT`` is haproxy's, ``LIGHTTPD_CONTEXT``
  lighttpd's, h2o's is empty, Node's is what its ``sessionIdContext`` says, and ``python -m sansticket ticket-keys
  open`` shows the context in any ticket.
- in TLS 1.3 the *hash of the suite*.  Our server takes a suite of the ticket's hash where it can.  OpenSSL's do
  not: they choose first, nginx the client's favourite and haproxy its own, and then look whether the ticket fits.
  Our client prefers the hash of its session; others go by their own order, which is AES_256_GCM_SHA384 first for
  OpenSSL's (and for haproxy) and AES_128_GCM_SHA256 first for browsers, as in our config.
- the *server name*.  OpenSSL keeps it only where a callback acknowledged it, as nginx's and haproxy's do.  A session
  without a name does not resume here for a client that names one.  For keys of lighttpd, Node and h2o, whose
  sessions have none, ``resume_unbound`` says that they do; sessions that have a name are bound to it all the same.
  ``ServerConfig.resume_with_other_name`` says that no session is.

What the format costs, compared with ``TicketKeyRing``:

- One key for all tickets, with random IVs: the birthday bound of CBC is 2^64 blocks, and rotation does not happen
  by itself.  Rotate once a day: ``replace``, or ``python -m sansticket ticket-keys rotate``.
- It has one time and one certificate.  The time is that of the last full handshake, so a renewed ticket expires
  when the first one would have (OpenSSL's own renewals begin anew, without end); and of a client's chain the
  leaf is left, so ``ResumedCertificates.VERIFY`` works only where no intermediate is needed.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha1
from math import floor, inf
from types import MappingProxyType
from typing import Any, Final, Self

from attrs import evolve

from sansticket.errors import ConfigError
from sansticket.inputs import Entropy, check_bytes, check_kind
from sansticket.tickets.decision import TicketStatus
from sansticket.tickets.keys.programs.key import KEY_SIZES as KEY_SIZES
from sansticket.tickets.keys.programs.key import MAX_TIME
from sansticket.tickets.keys.programs.key import OpenSSLTicketKey as OpenSSLTicketKey
from sansticket.tickets.keys.programs.layouts import read_files, write_files
from sansticket.tickets.keys.protection import KEY_NAME_LENGTH, Encounter, OpenedTicket, listed
from sansticket.tickets.session import Session, SessionFormatError
from sansticket.tickets.versions import RULES
from sansticket.values import frozen

HAPROXY_CONTEXT: Final = b"haproxy"
"""The session id context of all haproxy's sessions."""

LIGHTTPD_CONTEXT: Final = b"lighttpd"
"""That of all of lighttpd's (mod_openssl)."""

MAX_LIFETIME: Final = (1 << 32) - 1
"""Seconds: what a ``Session`` can have."""


@frozen
class OpenSSLCodec:
    """The SSL_SESSION that OpenSSL's servers expect in a ticket.

    Its one time is that of the last full handshake, so that no chain of renewals outlives ``max_session_age``;
    its time-out ends with the ticket, and what a client says of the ticket's age is made to count from there as well.
    A session id in it means nothing, and is ignored.

    ``resume_unbound``: a session without a server name is taken for one of the name that its client asks for now.
    """

    resume_unbound: bool = False

    keeps_issue_time = False
    keeps_verified_chain = False

    def encode(self, session: Session) -> bytes:
        authenticated_at = floor(min(session.authenticated_at, session.issued_at))
        lifetime = floor(session.issued_at) + session.lifetime - authenticated_at
        age_add = session.age_add
        if RULES[session.version].says_age:
            # So the drift of early data is what it would be by the ticket's own time, for OpenSSL's servers too.
            age_add = (age_add + authenticated_at * 1000 - round(session.issued_at * 1000)) & 0xFFFFFFFF
        session = evolve(
            session, issued_at=authenticated_at, lifetime=min(lifetime, MAX_LIFETIME), age_add=age_add
        )
        return session.to_openssl_der(client=False)

    def decode(self, plaintext: bytes, now: float, encounter: Encounter | None = None) -> Session:
        session = Session.from_openssl_der(plaintext, client=False, now=now)
        if session.ticket:
            raise SessionFormatError("a client's session in a ticket")
        name = session.server_name
        if name is None and self.resume_unbound and encounter is not None:
            name = encounter.server_name
        # OpenSSL keeps a name as it came, and here it is compared with what it means.
        return evolve(session, session_id=b"", server_name=name and name.lower().removesuffix("."))


@frozen
class _Keys:
    """What the keys are at one moment.  Replaced as a whole."""

    first: OpenSSLTicketKey
    known: Mapping[bytes, OpenSSLTicketKey]
    dated: bool

    def sealing(self, now: float) -> OpenSSLTicketKey | None:
        """The first whose time it is."""
        if not self.dated:
            return self.first
        return next((key for key in self.known.values() if key.seals_at(now)), None)


class OpenSSLTicketKeys:
    """The ``ticket_keys`` of a server whose tickets OpenSSL's servers share (see the module).

    The first key whose time it is seals; all of them open, but those whose time is over.  ``open`` says SUCCESS for
    the one that seals and SUCCESS_RENEW for the others.  Where no key's time has come there are no tickets.
    To rotate in a fleet without a moment at which somebody gets a ticket under a key that it does not know: give
    the new key to all servers in the second place, then move it to the first everywhere.

    Safe to be used by many threads.  A copy, also a pickled one, seals under the same keys, each ticket with an IV of
    its own; what is replaced in one is not replaced in the other.
    """

    codec: OpenSSLCodec = OpenSSLCodec()
    """Of all keys here."""

    def __init__(self, keys: Iterable[OpenSSLTicketKey], *, resume_unbound: bool = False) -> None:
        """``keys``: at least one, in order, no two with the same name.  ConfigError ``keys`` otherwise.

        ``resume_unbound``: sessions in these tickets that are bound to no server name resume under the one that their
        client asks for, whatever it is.  Servers that share such keys must all be good for any of their names.
        """
        check_kind("resume_unbound", resume_unbound, bool, "True or False")
        self.codec = OpenSSLCodec(resume_unbound)
        self.replace(keys)

    @classmethod
    def from_files(cls, program: str, *contents: bytes, resume_unbound: bool = False) -> Self:
        """From what is in a program's key files, in the order of its configuration.

        ``program``: whose they are, as nothing in them tells: ``nginx`` (ssl_session_ticket_key), ``haproxy``
        (tls-ticket-keys), ``lighttpd`` (ssl.stek-file, mod_openssl's), ``node`` (ticketKeys), ``h2o`` (ticket-file),
        ``envoy`` (session_ticket_keys) or ``traffic_server``.  ConfigError ``program`` for another name; ``keys`` says
        what is wrong with a file, and whose it could be.  envoy's keys open its tickets, but what is in them are
        BoringSSL's sessions, which are not read.
        """
        return cls(read_files(program, contents), resume_unbound=resume_unbound)

    @classmethod
    def from_haproxy(cls, content: bytes) -> Self:
        """``from_files("haproxy", content)``.

        A key of 48 or 80 bytes to a line, in base64, the oldest first, at least three of them.  haproxy uses the last
        three: the last but one seals, the last is known before it is used, and the one before them is on its way out.
        """
        return cls.from_files("haproxy", content)

    def to_files(self, program: str) -> tuple[bytes, ...]:
        """What that program would have in its files: undoes ``from_files``.  ConfigError for keys it cannot have."""
        return write_files(program, self.keys)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(key.name.hex() for key in self.keys)})"

    def __getstate__(self) -> dict[str, Any]:
        return {"keys": self.keys, "resume_unbound": self.codec.resume_unbound}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.codec = OpenSSLCodec(state["resume_unbound"])
        self.replace(state["keys"])

    @property
    def keys(self) -> tuple[OpenSSLTicketKey, ...]:
        """All keys in their order."""
        return tuple(self._keys.known.values())

    def replace(self, keys: Iterable[OpenSSLTicketKey]) -> None:
        """Use these instead: the key files have changed.  Tickets of a key that is not among them do not open."""
        given = listed(keys, OpenSSLTicketKey)
        known = MappingProxyType({key.name: key for key in given})
        self._keys = _Keys(given[0], known, any(key.dated for key in given))

    def opens_until(self, now: float) -> dict[bytes, float]:
        """For each key that opens ``now``, by its name, the time from which it opens nothing: the second after its
        ``not_after``.

        In seconds since the epoch, ``inf`` for those without an end.  ``replace`` alone forgets keys.
        """
        ends = {key.name: key.not_after + 1 if key.not_after < MAX_TIME else inf for key in self.keys}
        return {name: end for name, end in ends.items() if now < end}

    def seal(self, plaintext: bytes, now: float, entropy: Entropy) -> bytes:
        """A ticket under the first key whose time it is; an empty one, which is none, if there is no such key."""
        key = self._keys.sealing(now)
        return key.seal(plaintext, entropy) if key is not None else b""

    def open(self, ticket: bytes, now: float) -> OpenedTicket:
        """See ``TicketKeys.open``."""
        keys = self._keys
        key = keys.known.get(ticket[:KEY_NAME_LENGTH])
        if key is None or now >= key.not_after + 1:
            return OpenedTicket.failed(ticket)
        plaintext = key.open(ticket)
        if plaintext is None:
            return OpenedTicket.failed(ticket)
        status = TicketStatus.SUCCESS if key is keys.sealing(now) else TicketStatus.SUCCESS_RENEW
        return OpenedTicket(status, key.name, plaintext)


def nginx_session_id_context(
    certificates: Sequence[bytes], client_authorities: Sequence[bytes] = (), module: bytes = b"HTTP"
) -> bytes:
    """The session id context of an nginx server (20 bytes), for ``ServerConfig.session_id_context``.

    nginx has no setting for it: it is the SHA-1 of the module's name, the SHA-1 of each certificate, and the SHA-1
    of the name of each authority whose client certificates it asks for.

    ``certificates``: the leaf of each ``ssl_certificate`` in DER (``Credential.chain[0]``), the last directive first.
    ``client_authorities``: the DER of the subjects in ``ssl_client_certificate``, in the order of that file
    (``TrustAnchors.subjects``).
    ``module``: ``HTTP``, ``STREAM`` or ``MAIL``.
    ConfigError names the argument that is something else.
    """
    check_bytes("module", module)
    named = _all_in_der("certificates", certificates) + _all_in_der("client_authorities", client_authorities)
    return _sha1(b"".join((module, *map(_sha1, named))))


def _all_in_der(field: str, values: Any) -> tuple[bytes, ...]:
    """PEM would make another context, with which nothing resumes."""
    if not isinstance(values, Iterable) or isinstance(values, str | bytes | bytearray | memoryview):
        raise ConfigError(
            field, f"a value of type {type(values).__name__}; expected a sequence, each bytes in DER"
        )
    found = tuple(values)
    for value in found:
        check_bytes(field, value)
        if value.lstrip().startswith(b"-----BEGIN"):
            raise ConfigError(field, "PEM; expected DER")
    return found


def _sha1(data: bytes) -> bytes:
    """A fingerprint, which nobody has a reason to forge: allowed where SHA-1 is not allowed for security."""
    return sha1(data, usedforsecurity=False).digest()
