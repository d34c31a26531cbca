"""Copies of connections, of which no two can write under the same keys, but for forks, which are for tests.

Three things can be had, and ``docs/secrets.md`` says why: a fork, which is the same once more; a copy, which only
reads; and what a pickle takes to another process, of which the original keeps nothing.
"""

from __future__ import annotations

from copy import copy
from io import BytesIO
from pickle import Pickler, Unpickler, dumps
from typing import Any, Final, TypeVar, get_args

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from sansticket.connection.ending import bury
from sansticket.connection.engine import Engine, SessionKeeper
from sansticket.connection.outbound import Outbound
from sansticket.crypto.signatures import PublicKey, RsaPssPublicKey
from sansticket.errors import LocalProtocolError
from sansticket.handshake.machine.state import Ended

COPIED: Final = "a copy, which only reads: the original seals with the same keys (fork() is for tests)"
EXPORTED: Final = "a connection that was pickled: what is loaded from the pickle goes on in its place"

LEFT_BEHIND: Final = "application"

T = TypeVar("T")

LIBRARY_PUBLIC_KEYS: Final = tuple(kind for kind in get_args(PublicKey) if kind is not RsaPssPublicKey)


def forked(engine: Engine) -> Engine:
    """The same once more; what changes in place is copied, all else is shared."""
    fork = _shallow(engine)
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
    """All of an engine, which is spent afterwards, unless it had nothing to write with."""
    if engine.spent == EXPORTED:
        raise LocalProtocolError(f"pickle of {EXPORTED}")
    output = BytesIO()
    pickler = ConnectionPickler(output, engine.application)
    pickler.dump({name: getattr(engine, name) for name in _slots_of(engine)})
    if not engine.spent and type(engine.state) is not Ended:
        _spend(engine)
    return output.getvalue()


def _spend(engine: Engine) -> None:
    bury(engine)
    engine.spent = EXPORTED
    engine.read_closed = False  # what comes is refused, not overlooked
    engine.events = []
    engine.sessions = SessionKeeper()
    engine.outbound = Outbound(None)
    engine.outbound.closed = True


def imported(parts: bytes) -> Engine:
    """What ``exported`` gave."""
    engine = object.__new__(Engine)
    for name, value in ConnectionUnpickler(BytesIO(parts)).load().items():
        setattr(engine, name, value)
    return engine


class ConnectionPickler(Pickler):
    """Knows what to do with the library's public keys, which cannot be pickled, and with what is the application's.

    An application that cannot be pickled, such as a socket or a task, stays behind wherever it is meant: in the
    engine, its facts and its open question.
    """

    def __init__(self, output: BytesIO, application: Any) -> None:
        super().__init__(output)
        self._left_behind = None if can_be_pickled(application) else application

    def persistent_id(self, value: Any) -> str | None:
        return LEFT_BEHIND if self._left_behind is not None and value is self._left_behind else None

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, LIBRARY_PUBLIC_KEYS):
            return _public_key, (value.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),)
        return NotImplemented


class ConnectionUnpickler(Unpickler):
    """Puts None in the place of what was left behind."""

    def persistent_load(self, name: str) -> None:
        assert name == LEFT_BEHIND


def can_be_pickled(value: object) -> bool:
    try:
        dumps(value)
    except Exception:  # whatever the object's own methods raise
        return False
    return True


def _public_key(der: bytes) -> Any:
    return load_der_public_key(der)
