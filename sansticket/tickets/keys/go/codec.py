"""The session in a ticket of Go's crypto/tls (``SessionState``, Go 1.21 and later).

Integers are big-endian; ``<n>`` is a vector whose length takes n bytes:

    version 2 | type 1 (1: a server's) | cipher_suite 2 | created_at 8 (seconds) | secret <1>
    extra <3> of <3> | extended_master_secret 1 | early_data 1 | certificates <3> of (DER <3>, extensions <2>)
    verified chains <3> of <3> of DER <3>, each without its leaf | alpn <1> if early_data
    curve_id 2                              TLS 1.2 from Go 1.25 on

``secret`` is the PSK of the ticket, or the master secret of TLS 1.2.  Go ignores what applications put into ``extra``,
and does not put it into the tickets with which it renews: one entry there is ours, and holds what else has no place.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from math import floor
from typing import Final

from attrs import evolve

from sansticket.codes import ProtocolVersion
from sansticket.tickets.encoding import Source
from sansticket.tickets.keys.protection import Encounter, asks_for_certificate
from sansticket.tickets.session import Session, SessionFormatError
from sansticket.values import frozen

SERVER: Final = 1
"""The type of a session in a server's ticket."""

LIFETIME: Final = 604_800
"""Seconds from ``created_at`` for which Go resumes a session: seven days, always."""

PREFIX: Final = b"sansticket 1\0"
"""By which our entry of ``extra`` is known."""

DIGEST: Final = 16
"""Bytes of the hash of the secret in it: an application that copies entries into another ticket copies ours too."""

Chain = tuple[bytes, ...]


@frozen
class GoCodec:
    """See the module.

    ``before_curves``: sessions of TLS 1.2 are written as Go up to 1.24 wants them, and later ones do not take; those of
    both are read.  ``resume_unbound``: a session without our entry is taken for one of the name that its client asks
    for now, and of the server's context.

    A client's certificates count only if the ticket has the path by which somebody verified them.  Without it the
    session is nobody's, and goes on where clients are not asked for certificates; where they are, they are asked again,
    in a full handshake, as by Go.  Go's times end seven days after ``created_at``: ours is set back, so that a session
    ends there when it does here.
    """

    resume_unbound: bool = False
    before_curves: bool = False

    keeps_issue_time = False
    keeps_verified_chain = True

    def encode(self, session: Session) -> bytes:
        tls12 = session.version == ProtocolVersion.TLS_1_2
        created_at = max(0, floor(session.issued_at) + min(session.lifetime, LIFETIME) - LIFETIME)
        chain, path = session.peer_certificates, session.verified_chain
        parts = [
            session.version.to_bytes(2) + bytes((SERVER,)) + session.cipher_suite.to_bytes(2),
            created_at.to_bytes(8),
            _vector(1, session.secret),
            _vector(3, _vector(3, _rest_of(session))),
            bytes((tls12 and session.extended_master_secret, False)),
            _vector(3, b"".join([_vector(3, certificate) + _vector(2, b"") for certificate in chain])),
            _vector(3, _vector(3, b"".join([_vector(3, one) for one in path[1:]])) if path else b""),
        ]
        if tls12 and not self.before_curves:
            parts.append(session.group.to_bytes(2))
        return b"".join(parts)

    def decode(self, plaintext: bytes, now: float, encounter: Encounter | None = None) -> Session:
        source = Source(plaintext)
        version, kind, suite = source.number(2), source.number(1), source.number(2)
        created_at, secret = source.number(8), source.take(source.number(1))
        extra = _vectors(_inner(source, 3), 3)
        extended_master_secret, early_data = _flag(source), _flag(source)
        chain, paths = _certificates(_inner(source, 3)), _paths(_inner(source, 3))
        if early_data:
            source.take(source.number(1))
        if kind != SERVER:
            raise SessionFormatError("a client's session in a ticket")
        path = (chain[0], *paths[0]) if chain and paths else ()
        if chain and not path and encounter is not None and asks_for_certificate(encounter):
            raise SessionFormatError("a client's certificate that nobody verified")
        session = Session(
            version=version,
            cipher_suite=suite,
            secret=secret,
            lifetime=LIFETIME,
            issued_at=created_at,
            peer_certificates=chain if path else (),
            verified_chain=path,
            extended_master_secret=extended_master_secret and version == ProtocolVersion.TLS_1_2,
            # What follows, in a later version of Go, is nothing that changes the rest.
            group=source.number(2) if version == ProtocolVersion.TLS_1_2 and source.left else 0,
        )
        return self._completed(session, extra, encounter)

    def _completed(self, session: Session, extra: Chain, encounter: Encounter | None) -> Session:
        """With what our own entry says, or what the encounter does where that is allowed."""
        begin = PREFIX + _digest_of(session.secret)
        for entry in extra:
            if hmac.compare_digest(entry[: len(begin)], begin):
                return _with_rest(session, Session.from_bytes(entry[len(begin) :]))
        if encounter is None or not self.resume_unbound:
            return session
        name, context = encounter.server_name, encounter.session_id_context
        return evolve(session, server_name=name, session_id_context=context)


def _rest_of(session: Session) -> bytes:
    """Our entry: the session in its native encoding, without what stands beside it, bound to its secret."""
    blank = bytes(len(session.secret) if session.version == ProtocolVersion.TLS_1_2 else 1)
    rest = evolve(session, secret=blank, peer_certificates=(), verified_chain=())
    return PREFIX + _digest_of(session.secret) + rest.to_bytes()


def _digest_of(secret: bytes) -> bytes:
    return sha256(secret).digest()[:DIGEST]


def _with_rest(session: Session, rest: Session) -> Session:
    return evolve(
        rest,
        version=session.version,
        cipher_suite=session.cipher_suite,
        secret=session.secret,
        extended_master_secret=session.extended_master_secret,
        peer_certificates=session.peer_certificates,
        verified_chain=session.verified_chain,
    )


# --- vectors -------------------------------------------------------------------------------------------------------


def _vector(width: int, content: bytes) -> bytes:
    return len(content).to_bytes(width) + content


def _inner(source: Source, width: int) -> Source:
    """The content of a vector."""
    return Source(source.take(source.number(width)))


def _vectors(source: Source, width: int) -> Chain:
    """The vectors of which a content consists."""
    found: list[bytes] = []
    while source.left:
        found.append(source.take(source.number(width)))
    return tuple(found)


def _certificates(source: Source) -> Chain:
    """Each with extensions, which say nothing of a client's."""
    found: list[bytes] = []
    while source.left:
        found.append(source.take(source.number(3)))
        source.take(source.number(2))
    return tuple(found)


def _paths(source: Source) -> tuple[Chain, ...]:
    found: list[Chain] = []
    while source.left:
        found.append(_vectors(_inner(source, 3), 3))
    return tuple(found)


def _flag(source: Source) -> bool:
    number = source.number(1)
    if number > 1:
        raise SessionFormatError("a flag that is neither 0 nor 1")
    return bool(number)
