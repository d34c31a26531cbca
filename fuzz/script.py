"""Scripts: what a fuzzer makes happen to a connection besides feeding it bytes.

A script is a sequence of steps, each an operation (1 byte), a length (2 bytes) and so many bytes of content, or
as many as there are.  ``OPERATIONS`` says what each operation does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from fuzz.checks import Watched, as_the_peer
from fuzz.world import Connection, server_config
from sansticket import commands
from sansticket.codes import ContentType
from sansticket.tickets.decision import TicketReturn

Operation = Callable[[Watched, bytes], None]


def _record(content_type: int) -> Operation:
    """The peer sends a record with that content, under its keys."""

    def operation(watched: Watched, content: bytes) -> None:
        watched.take_unanswered(as_the_peer(watched.connection, content_type, content[: 2**14]))

    return operation


def _bytes(watched: Watched, content: bytes) -> None:
    """The peer sends bytes as they are."""
    if content:
        watched.take_unanswered(content)


def _end(watched: Watched, content: bytes) -> None:
    watched.end()


def _answer(watched: Watched, content: bytes) -> None:
    watched.answer()


def _told(make: Callable[[bytes], commands.Command]) -> Operation:
    """The application gives a command, fitting or not."""
    return lambda watched, content: watched.command(make(content))


OPERATIONS: Final[tuple[Operation, ...]] = (
    _record(ContentType.HANDSHAKE),
    _answer,
    _record(ContentType.APPLICATION_DATA),
    _record(ContentType.ALERT),
    _record(ContentType.CHANGE_CIPHER_SPEC),
    _bytes,
    _end,
    _told(commands.SendData),
    _told(lambda content: commands.UpdateKeys(bool(content))),
    _told(lambda content: commands.IssueTicket(1 + len(content) % 3)),
    _told(lambda content: commands.FlushTickets()),
    _told(lambda content: commands.RequestClientCertificate()),
    _told(lambda content: commands.SealTicket(content)),
    _told(lambda content: commands.ProvideSignature(content)),
    _told(lambda content: commands.ResolveTicket(list(TicketReturn)[len(content) % len(TicketReturn)])),
    _told(lambda content: commands.UseConfig(server_config())),
    _told(lambda content: commands.AcceptPeer()),
    _told(lambda content: commands.RejectPeer()),
    _told(lambda content: commands.AbortHandshake()),
    _told(lambda content: commands.Close()),
    _told(lambda content: commands.SessionAdmitted()),
    _told(lambda content: commands.SessionRefused(content[:20].hex())),
    _told(lambda content: commands.Abort()),
    _told(commands.SendEarlyData),
    _told(lambda content: commands.AcceptEarlyData()),
    _told(lambda content: commands.RefuseEarlyData(content[:20].hex())),
    _told(lambda content: commands.EarlyDataClaimed()),
    _told(lambda content: commands.EarlyDataNotClaimed()),
    _told(lambda content: commands.CheckRevocations()),
)
"""The number of an operation is its place here."""


def step(operation: Operation | int, content: bytes = b"") -> bytes:
    """One step of a script."""
    number = operation if isinstance(operation, int) else OPERATIONS.index(operation)
    return bytes((number,)) + len(content).to_bytes(2) + content


def steps(script: bytes) -> Iterator[tuple[Operation, bytes]]:
    while script:
        length = int.from_bytes(script[1:3])
        yield OPERATIONS[script[0] % len(OPERATIONS)], script[3 : 3 + length]
        script = script[3 + length :]


def perform(connection: Connection, script: bytes) -> Watched:
    """Do all of it; whatever happens must be in order."""
    watched = Watched(connection)
    for operation, content in steps(script):
        operation(watched, content)
    watched.answer()
    watched.command(commands.Close())
    return watched
