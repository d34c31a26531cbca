"""The bytes of a handover are a ``HandoverError``, or a connection that goes on in good order under a config that fits.

The first byte chooses the side, the rest is what stands between the head and the checksum.
"""

from hashlib import sha256

from fuzz.checks import Watched
from fuzz.world import Connection, client_config, server_config
from sansticket.commands import (
    Close,
    FlushTickets,
    IssueTicket,
    RequestClientCertificate,
    SendData,
    UpdateKeys,
)
from sansticket.connection.client import ClientConnection
from sansticket.connection.server import ServerConnection
from sansticket.errors import ConfigError
from sansticket.handover.kinds import HandoverError
from sansticket.handover.value import FORMAT, MAGIC, Handover

HEAD = MAGIC + bytes((FORMAT, 0))
MANY = 50
COMMANDS = (
    SendData(b"data"),
    UpdateKeys(request_peer=True),
    IssueTicket(),
    FlushTickets(),
    RequestClientCertificate(),
    SendData(b"more"),
    Close(),
)


def one_input(data: bytes) -> None:
    content = HEAD + data[1:]
    whole = content + sha256(content).digest()
    try:
        handover = Handover.from_bytes(whole)
    except HandoverError:
        return
    assert handover.to_bytes() == whole
    if handover.queued_tickets > MANY:
        return  # as many tickets may wait as a number of 16 bits can say, and to make them takes its time
    try:
        connection: Connection
        if data[0] % 2:
            connection = ServerConnection.restore(handover, server_config())
        else:
            connection = ClientConnection.restore(handover, client_config())
    except (HandoverError, ConfigError):
        return
    watched = Watched(connection)
    for command in COMMANDS:
        watched.command(command)
        watched.answer()
    watched.take(b"\x17\x03\x03\0\x20" + bytes(32))
    watched.end()
