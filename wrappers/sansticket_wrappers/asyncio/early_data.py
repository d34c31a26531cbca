"""What of a stream came, or went, before the handshake was done."""

from __future__ import annotations

import asyncio

from sansticket import Command, Connection, LocalProtocolError, SendData, SendEarlyData, events


class EarlyData:
    """Early data of one connection: the transport's ``get_extra_info("early_data")``.

    Early data is always the first of a stream.  On a server the first ``received`` bytes of what was read came as such:
    whoever recorded them can have sent them again.  On a client the first ``sent`` bytes went that way; 0 if
    the server did not take them, and then they are to be written again, or not.
    """

    def __init__(self, handshake: asyncio.Future[None]) -> None:
        self.received: int = 0
        self.sent: int = 0
        self._handshake = handshake

    @property
    def completed(self) -> bool:
        """Whether the handshake is done: all that came until now came from whoever is there."""
        handshake = self._handshake
        return handshake.done() and not handshake.cancelled() and handshake.exception() is None

    async def wait(self) -> None:
        """Until the handshake is done.  Raises what ended it: ``TLSError`` or another OSError."""
        await asyncio.shield(self._handshake)

    def send(self, connection: Connection, data: bytes) -> None:
        """All of it or nothing."""
        if data and len(data) <= connection.early_data_left:
            connection.send(SendEarlyData(data))
            self.sent = len(data)


class Waiting:
    """Before the handshake is done: early data for an application that does not take it, and what one wants sent."""

    def __init__(self) -> None:
        self.data: list[events.EarlyDataReceived] = []
        self.commands: list[Command] = []

    def put(self, connection: Connection, command: Command) -> list[events.Event]:
        """Data go out where the config has ``half_rtt``; all else waits, and what comes after it."""
        if type(command) is SendData and not self.commands:
            try:
                return connection.send(command)
            except LocalProtocolError:
                pass
        self.commands.append(command)
        return []
