"""Copies of connections, of which no two can write under the same keys, but for forks, which are for tests.

Three things can be had, and ``docs/secrets.md`` says why: a fork, which is the same once more; a copy, which only
reads; and what a pickle takes to another process, of which the original keeps nothing.
"""

from __future__ import annotations

from copy import copy
from io import BytesIO
from pickle import DEFAULT_PROTOCOL, Pickler, loads
from typing import Any, Final, TypeVar, get_args

from attrs import evolve
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from sansticket.connection.ending import bury
from sansticket.connection.engine import Engine, SessionKeeper
from sansticket.connection.outbound import Outbound
from sansticket.crypto.signatures import PublicKey, RsaPssPublicKey
from sansticket.errors import LocalProtocolError
from sansticket.events.base import belongs_to
from sansticket.handshake.machine.state import Ended

COPIED: Final = "a copy, which only reads: the original seals with the same keys (fork() is for tests)"
EXPORTED: Final = "a connection that was pickled: what is loaded from the pickle goes on in its place"

HANDED_OVER: Final = "a connection that was exported: what is restored from it goes on in its place"

PROTOCOL: Final = DEFAULT_PROTOCOL

T = TypeVar("T")

LIBRARY_PUBLIC_KEYS: Final = tuple(kind for kind in get_args(PublicKey) if kind is not RsaPssPublicKey)


def forked(engine: Engine) -> Engine:
    """The same once more; what changes in place is copied, all else is shared."""
    fork = _shallow(engine)
    fork.asks = False
    fork.events = [*engine.events]
    fork.held = engine.held[:]
    fork.limits = copy(engine.limits)
    fork.reader = copy(engine.reader)
    fork.sessions = copy(engine.sessions)
    fork.outbound = _shallow(engine.outbound)
    fork.outbound.messages = engine.outbound.messages[:]
    fork.outbound.writer = copy(engine.outbound.writer)
    return fork


def _shallow(original: T) -> T:
    twin = object.__new__(type(original))
    for name in _slots_of(original):
        setattr(twin, name, getattr(original, name))
    return twin


def _slots_of(one: object) -> list[str]:
    return [name for kind in type(one).__mro__ for name in getattr(kind, "__slots__", ())]


def reading_copy(engine: Engine) -> Engine:
    """One that reads on, and has nothing to write with: no keys, no queue, no sessions to keep."""
    twin = forked(engine)
    if type(engine.state) is not Ended:
        twin.spent = engine.spent or COPIED
        twin.state = engine.state.without_writing_secrets()
        twin.sessions = SessionKeeper()
        twin.outbound = Outbound(None)
        twin.outbound.closed = True
    return twin


def exported(engine: Engine) -> bytes:
    """All of an engine but its application.  It is spent afterwards, unless it had nothing to write with."""
    if engine.spent in (EXPORTED, HANDED_OVER):
        raise LocalProtocolError(f"pickle of {engine.spent}")
    engine.require_no_answer_before("pickle")
    output = BytesIO()
    parts = {name: getattr(engine, name) for name in _slots_of(engine)}
    ConnectionPickler(output, PROTOCOL).dump({**parts, "application": None, "facts": None})
    if not engine.spent and type(engine.state) is not Ended:
        spend(engine, EXPORTED)
    return output.getvalue()


def spend(engine: Engine, why: str) -> None:
    """Nothing more comes out of it, and nothing goes in: another one goes on in its place."""
    bury(engine)
    engine.spent = why
    engine.read_closed = False  # what comes is refused, not overlooked
    engine.events = []
    engine.sessions = SessionKeeper()
    engine.outbound = Outbound(None)
    engine.outbound.closed = True


def imported(parts: bytes) -> Engine:
    """What ``exported`` gave."""
    engine = object.__new__(Engine)
    for name, value in loads(parts).items():
        setattr(engine, name, value)
    return engine


def give_application(engine: Engine, application: Any) -> None:
    """To an engine that was imported, and to what it has to say."""
    engine.application, engine.facts = application, None
    for event in (*engine.events, *([engine.pending] if engine.pending is not None else [])):
        belongs_to(event, evolve(event.connection, application=application))


class ConnectionPickler(Pickler):
    """Knows what to do with the library's public keys, which cannot be pickled."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, LIBRARY_PUBLIC_KEYS):
            return _public_key, (value.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),)
        return NotImplemented


class _Trial(Pickler):
    """Passes over connections: to pickle one is the end of it."""

    def persistent_id(self, value: Any) -> str | None:
        return "connection" if isinstance(getattr(value, "_engine", None), Engine) else None


def can_be_pickled(value: object, protocol: int) -> bool:
    """Whether all of it can, connections apart.  A socket or a task cannot, nor what has ``__slots__`` before 2."""
    try:
        _Trial(BytesIO(), protocol).dump(value)
    except Exception:  # whatever the object's own methods raise
        return False
    return True


def _public_key(der: bytes) -> Any:
    return load_der_public_key(der)
