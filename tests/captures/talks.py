"""Connections of ours as somebody between them sees them."""

from __future__ import annotations

import time
from typing import Any, Final

from sansticket import (
    ClaimEarlyData,
    Close,
    EarlyDataClaimed,
    ProtocolVersion,
    SendData,
    SendEarlyData,
    Session,
    TicketReceived,
)
from sansticket.debug.key_log import KeyLog
from tests.support.configs import client_config, server_config
from tests.support.observer import Wire
from tests.support.pair import ConnectionPair

NOW: Final = time.time()


def talk(
    keys: Any,
    session: Session | None = None,
    *,
    log: KeyLog | None = None,
    version: int = ProtocolVersion.TLS_1_3,
    early: bytes = b"",
    client: dict[str, Any] | None = None,
    server: dict[str, Any] | None = None,
) -> tuple[Wire, list[Session]]:
    """What went over the wire, and the sessions that came."""
    answers = {ClaimEarlyData: lambda question: EarlyDataClaimed()}
    wants = {"max_early_data": 1000, "answers": answers} if version == ProtocolVersion.TLS_1_3 else {}
    pair = ConnectionPair(
        client_config(
            versions=(version,),
            early_data=bool(early),
            key_log=log.add if log is not None else None,
            clock=lambda: NOW,
            **(client or {}),
        ),
        server_config(
            **{"versions": (version,), "ticket_keys": keys, "clock": lambda: NOW, **wants, **(server or {})}
        ),
        session=session,
    )
    if early:
        pair.send("client", SendEarlyData(early))
    pair.pump()
    pair.send("client", SendData(b"a question"))
    pair.send("server", SendData(b"an answer"))
    pair.send("client", Close())
    return pair.wire, [event.session for event in pair.client_events if isinstance(event, TicketReceived)]
