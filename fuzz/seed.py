"""Makes the corpus anew, from the conversations of ``fuzz.world``: ``python -m fuzz.seed``.

Every seed is something real: a message, a stream of records, a session, a certificate.  The files are named by
what they are, so that the corpus can be read, and what a fuzzer added later (named by its hash) is kept.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fuzz.script import OPERATIONS, step
from fuzz.world import (
    CONVERSATIONS,
    SIDES,
    Conversation,
    Side,
    converse,
    credential,
    place_number,
    places,
    root,
)
from sansticket.commands import Command
from sansticket.connection import ClientConnection, Connection, ServerConnection
from sansticket.events import TicketIssued, TicketReceived
from sansticket.handshake.machine import Input, State
from sansticket.tickets.session import Session
from sansticket.wire.messages import MESSAGES
from sansticket.wire.messages12 import MESSAGES_12

CORPUS: Final = Path(__file__).parent / "corpus"

ANSWER: Final = 1
"""The number of the operation that answers."""


def write(target: str, name: str, data: bytes) -> None:
    if (target, data) not in _written:
        _written.add((target, data))
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.seed").write_bytes(data)


_written: set[tuple[str, bytes]] = set()


class _Watched(Connection):
    """Notes the messages it is given, and the state in which it was."""

    __slots__ = ()

    def _step(self, item: Input, raw: bytes = b"") -> None:
        if raw:
            _taken.append((type(self), type(self._state), raw))
        super()._step(item, raw)


class _Client(_Watched, ClientConnection):
    __slots__ = ()


class _Server(_Watched, ServerConnection):
    __slots__ = ()


_taken: list[tuple[type[Connection], type[State], bytes]] = []


def seed_messages(conversation: Conversation) -> None:
    """Every message of a conversation: to its decoder, and to whom it was meant for, in that state."""
    client, server = conversation.open()
    client.__class__, server.__class__ = _Client, _Server
    _taken.clear()
    sessions: list[Session] = []
    for _, _, events in converse(client, server, conversation.talk):
        sessions += [event.session for event in events if isinstance(event, TicketIssued | TicketReceived)]
    tls12 = conversation.name.endswith("12")
    table = sorted(MESSAGES_12 if tls12 else MESSAGES)
    for number, (kind, state, raw) in enumerate(_taken):
        side: Side = "client" if kind is _Client else "server"
        name = f"{conversation.name}-{number:02}-{state.__name__}"
        if raw[0] in table:
            write("messages12" if tls12 else "messages", name, bytes((table.index(raw[0]),)) + raw[4:])
        place = place_number(side, (conversation.name, state.__name__))
        write(f"{side}_messages", name, bytes((place,)) + step(0, raw) + step(ANSWER))
    for number, session in enumerate(sessions[:3]):
        write("session", f"{conversation.name}-{number}", session.to_bytes())
        write("openssl_session", f"{conversation.name}-{number}-der", session.to_openssl_der())
        write("openssl_session", f"{conversation.name}-{number}-pem", session.to_openssl_pem())


def seed_bytes(conversation: Conversation) -> None:
    """What each side gets, from the beginning to the end."""
    client, server = conversation.open()
    streams: dict[Side, bytes] = {"client": b"", "server": b""}
    for side, item, _ in converse(client, server, conversation.talk):
        if not isinstance(item, Command):
            streams[side] += item
    for side in SIDES:
        first = next(iter(state for name, state in places(side) if name == conversation.name))
        place = place_number(side, (conversation.name, first))
        write(f"{side}_bytes", conversation.name, bytes((place, 7, 1)) + streams[side])


def seed_scripts() -> None:
    """Every operation in every state in which the application has something to say."""
    everything = b"".join(step(number, b"\1\0") for number in range(1, len(OPERATIONS) - 2))
    for side in SIDES:
        for (name, state), connection in places(side).items():
            if connection.cipher_suite is not None or connection.pending is not None:
                number = place_number(side, (name, state))
                write(f"{side}_messages", f"script-{name}-{state}", bytes((number,)) + everything)


def main() -> None:
    for old in CORPUS.glob("*/*.seed"):
        old.unlink()
    for conversation in CONVERSATIONS:
        seed_messages(conversation)
        seed_bytes(conversation)
    seed_scripts()
    for how, der in enumerate((credential("server").chain[0], root(), credential("client").chain[0], root())):
        for variant in (how, how ^ 1):
            write("certificate", f"{how}-{variant}", bytes((variant,)) + der)
    count = len(list(CORPUS.glob("*/*")))
    size = sum(path.stat().st_size for path in CORPUS.glob("*/*"))
    print(f"{count} seeds, {size} bytes")


if __name__ == "__main__":
    main()
