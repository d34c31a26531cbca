"""A proxy between two peers that notes what goes over, as a sniffer would: for captures of real programs."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Self

from fuzz.packets import Talk, pcapng
from sansticket.debug.explain import Side
from tests.support.command import PATIENCE

OTHER: dict[Side, Side] = {"client": "server", "server": "client"}


class Tap:
    """Listens on ``port`` and carries every connection on to ``target``.  Leaving the ``with`` block ends it."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._talks: list[Talk] = []
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._acceptor = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join(PATIENCE)  # which has started all the others by then
        for thread in self._threads:
            thread.join(PATIENCE)

    def capture(self) -> bytes:
        """A pcapng file of all connections so far, each with its TCP handshake."""
        with self._lock:
            packets = [packet for talk in self._talks for packet in talk.packets]
        return pcapng(sorted(packets, key=lambda packet: packet.time))

    def _accept(self) -> None:
        while True:
            try:
                client, address = self._listener.accept()
            except OSError:
                return
            talk = Talk(address[:2], ("127.0.0.1", self._target), time=time.time())
            talk.open()
            with self._lock:
                self._talks.append(talk)
            thread = threading.Thread(target=self._carry, args=(client, talk), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _carry(self, client: socket.socket, talk: Talk) -> None:
        """Until either side has closed or was silent for too long."""
        sides: dict[Side, socket.socket] = {"client": client}
        with (
            client,
            suppress(OSError),
            socket.create_connection(("127.0.0.1", self._target), PATIENCE) as server,
        ):
            sides["server"] = server
            with selectors.DefaultSelector() as waiting:
                for side, transport in sides.items():
                    waiting.register(transport, selectors.EVENT_READ, side)
                while waiting.get_map() and (ready := waiting.select(PATIENCE)):
                    for key, _ in ready:
                        side = key.data
                        data = sides[side].recv(65_536)
                        if not data:
                            waiting.unregister(sides[side])
                            sides[OTHER[side]].shutdown(socket.SHUT_WR)
                            continue
                        with self._lock:
                            talk.time = max(time.time(), talk.time)
                            talk.say(side, data)
                        sides[OTHER[side]].sendall(data)
