"""What does a server do with tickets?  A handful of connections to find out:

    python -m examples.ticket_probe www.example.com 443
    python -m examples.ticket_probe localhost 4433 --json
    python -m examples.ticket_probe localhost 4433 --again 90000    (is it still so after keys have been rotated?)

For TLS 1.3 and 1.2: how many tickets there are, for how long, how large, under which key name; whether one is taken, a
second time too, under another server name, and by each of the host's addresses.  The server's certificate is not
verified, since nothing is sent to it but what ``--send`` says.
"""

import argparse
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from attrs import asdict, evolve, field, frozen

from sansticket import (
    ClientConfig,
    ClientConnection,
    Close,
    ConnectionTerminated,
    HandshakeCompleted,
    LocalProtocolError,
    PeerClosed,
    ProtocolVersion,
    SendData,
    Session,
    TicketReceived,
)

VERSIONS: Final = {"TLS 1.3": ProtocolVersion.TLS_1_3, "TLS 1.2": ProtocolVersion.TLS_1_2}
OTHER_NAME: Final = "other.example"
NAME_LENGTHS: Final = (16, 4)
"""Bytes by which tickets of one key begin alike: OpenSSL's and most others, mbed TLS's."""


class ProbeError(Exception):
    """There was no handshake; the text says why."""


@frozen
class Target:
    """Where to connect, and how long to wait for anything, in seconds."""

    host: str
    port: int
    name: str
    timeout: float = 5.0
    patience: float = 0.5
    """For tickets, once the handshake is over."""
    request: bytes = b""


@frozen
class Visit:
    """One connection: the sessions of the tickets that came, or the one by id."""

    resumed: bool
    sessions: tuple[Session, ...] = field(repr=False)


@frozen
class Report:
    """Of one version.  None: there was nothing to try it with."""

    error: str | None = None
    kind: str | None = None
    """``ticket`` or ``id``."""
    tickets: int | None = None
    """After a full handshake."""
    lifetime: int | None = None
    """Seconds."""
    sizes: tuple[int, ...] = ()
    """Bytes of each ticket."""
    key_name: str | None = None
    """By which tickets of two full handshakes begin alike, hexadecimal; None if they do not."""
    resumed: bool | None = None
    tickets_after_resumption: int | None = None
    twice: bool | None = None
    """The ticket that was used is taken once more."""
    other_name: bool | None = None
    addresses: dict[str, bool] = field(factory=dict)
    """By each address of the host; only if there are several."""
    later: bool | None = None
    """A ticket of the beginning, after the wait."""
    later_key_name: str | None = None
    """Of tickets that are made then."""


def config_for(version: int) -> ClientConfig:
    return ClientConfig(versions=[version], verify_peer=False)


def visit(
    target: Target,
    config: ClientConfig,
    session: Session | None = None,
    *,
    address: str | None = None,
    name: str | None = None,
) -> Visit:
    """Connect, wait for tickets, close.  ProbeError if there is no handshake."""
    connection = ClientConnection(config, name or target.name, session)
    try:
        with socket.create_connection((address or target.host, target.port), target.timeout) as sock:
            return _talk(connection, sock, target)
    except OSError as error:
        raise ProbeError(f"{address or target.host}: {error}") from error


def _talk(connection: ClientConnection, sock: socket.socket, target: Target) -> Visit:
    completed, sessions, over = False, list[Session](), False
    deadline = time.monotonic() + target.timeout
    while not over and (left := deadline - time.monotonic()) > 0:
        sock.sendall(connection.data_to_send())
        sock.settimeout(left)
        try:
            data = sock.recv(65536)
        except TimeoutError:
            break
        for event in connection.receive_data(data):
            match event:
                case HandshakeCompleted():
                    completed, deadline = True, time.monotonic() + target.patience
                    if target.request:
                        connection.send(SendData(target.request))
                case TicketReceived(session):
                    sessions.append(session)
                case ConnectionTerminated() if not completed:
                    sock.sendall(connection.data_to_send())
                    raise ProbeError(f"no handshake: {event.reason.value}")
                case PeerClosed() | ConnectionTerminated():
                    over = True
    if not completed:
        raise ProbeError("no handshake in time")
    _leave(connection, sock)
    return Visit(connection.resumed, tuple(sessions))


def _leave(connection: ClientConnection, sock: socket.socket) -> None:
    """Politely, as some servers forget the sessions of those who just go."""
    try:
        connection.send(Close())
        sock.sendall(connection.data_to_send())
    except (LocalProtocolError, OSError):
        pass  # it is over already


# --- what is tried -------------------------------------------------------------------------------------------------


Sleep = Callable[[float], object]


def probe(target: Target, version: int, again: float = 0, sleep: Sleep = time.sleep) -> Report:
    """All that can be said of one version; ``again``: seconds after which to try once more.

    Where a connection fails, what was found before is said, and why.
    """
    config, report = config_for(version), Report()
    try:
        first = visit(target, config)
        if not first.sessions:
            return report
        report = _of_the_full_handshake(first, visit(target, config))
        report = _of_resumptions(target, config, first.sessions[-1], report)
        return _of_later(target, config, report, lambda: sleep(again)) if again else report
    except ProbeError as error:
        return evolve(report, error=str(error))


def _of_the_full_handshake(first: Visit, second: Visit) -> Report:
    tickets = [session.ticket for session in first.sessions if session.ticket]
    others = [session.ticket for session in second.sessions if session.ticket]
    return Report(
        kind="ticket" if tickets else "id",
        tickets=len(tickets),
        lifetime=first.sessions[-1].lifetime,
        sizes=tuple(map(len, tickets)),
        key_name=_key_name([*tickets, *others]) if others else None,
    )


def _key_name(tickets: list[bytes]) -> str | None:
    for length in NAME_LENGTHS:
        names = {ticket[:length] for ticket in tickets if len(ticket) > length}
        if len(names) == 1 and len(tickets) > 1:
            return names.pop().hex()
    return None


def _of_resumptions(target: Target, config: ClientConfig, session: Session, report: Report) -> Report:
    again = visit(target, config, session)
    report = evolve(report, resumed=again.resumed, tickets_after_resumption=len(again.sessions))
    if not again.resumed:
        return report
    report = evolve(report, twice=visit(target, config, session).resumed)
    # Each of the following is tried with a ticket of its own.
    renamed = [evolve(one, server_name=OTHER_NAME) for one in visit(target, config).sessions[-1:]]
    try:
        other = visit(target, config, *renamed, name=OTHER_NAME).resumed
    except ProbeError:
        other = False
    return evolve(report, other_name=other, addresses=dict(_by_address(target, config)))


def _by_address(target: Target, config: ClientConfig) -> Iterator[tuple[str, bool]]:
    """Behind each address may be another server: do they share?"""
    found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
    for address in addresses if len(addresses) > 1 else ():
        try:
            session = visit(target, config, address=addresses[0]).sessions[-1:]
            yield address, visit(target, config, *session, address=address).resumed
        except ProbeError:
            yield address, False


def _of_later(target: Target, config: ClientConfig, report: Report, wait: Callable[[], object]) -> Report:
    """A ticket of now, after the wait; and whether new ones are of another key then."""
    session = visit(target, config).sessions[-1:]
    wait()
    later = visit(target, config, *session)
    fresh = [one.ticket for _ in range(2) for one in visit(target, config).sessions if one.ticket]
    return evolve(report, later=later.resumed, later_key_name=_key_name(fresh))


# --- what is printed -----------------------------------------------------------------------------------------------

WORDS: Final = {
    "error": "error",
    "kind": "resumes by",
    "tickets": "tickets after a full handshake",
    "lifetime": "lifetime, seconds",
    "sizes": "bytes of each",
    "key_name": "key name",
    "resumed": "resumed",
    "tickets_after_resumption": "tickets after a resumption",
    "twice": "the same ticket a second time",
    "other_name": "under another server name",
    "addresses": "by address",
    "later": "after the wait",
    "later_key_name": "key name after the wait",
}


def lines(version: str, report: Report) -> Iterator[str]:
    yield version
    if report == Report():
        yield "  no tickets, no session ids"
        return
    for name, value in asdict(report).items():
        if value is not None and value not in ((), {}):
            yield f"  {WORDS[name]:32}{_words(value)}"


def _words(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case dict():
            return ", ".join(f"{key} {_words(inner)}" for key, inner in value.items())
        case tuple():
            return ", ".join(map(str, value))
    return str(value)


def main() -> int:
    parser = argparse.ArgumentParser(description="What a server does with tickets.")
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--name", help="the server's name, if it is not HOST")
    parser.add_argument(
        "--send", default="", help="text to send once connected, for servers that wait for some"
    )
    parser.add_argument("--patience", type=float, default=0.5, help="seconds to wait for tickets (0.5)")
    parser.add_argument("--again", type=float, default=0, help="seconds after which to try once more")
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args()
    target = Target(
        options.host,
        options.port,
        options.name or options.host,
        patience=options.patience,
        request=options.send.encode().decode("unicode_escape").encode("latin-1"),
    )
    reports = {name: probe(target, version, options.again) for name, version in VERSIONS.items()}
    if options.json:
        print(json.dumps({name: asdict(report) for name, report in reports.items()}, indent=2))
    else:
        for name, report in reports.items():
            print(*lines(name, report), sep=os.linesep)
    return 1 if all(report.error for report in reports.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
