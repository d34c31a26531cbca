"""The matrix: what is tried with every other implementation, and how the table of it is written.

A module of ``tests/interop/matrix/`` makes a ``Peer``: how its server is started and how its client is sent to a
port.  ``try_our_client`` and ``try_our_server`` do the rest, the same for all.  What a peer cannot do is said by
its ``cannot``, in a sentence that goes into the table.
"""

from __future__ import annotations

import math
import os
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar, Final

import pytest
from attrs import evolve, field, frozen

from sansticket.codes import NamedGroup, ProtocolVersion
from sansticket.config.choices import ClientAuthentication
from sansticket.config.server import ServerConfig
from sansticket.events import EarlyDataReceived
from sansticket.psk import ExternalPsk, PskRole
from sansticket.tickets.early_data import EarlyDataStatus
from sansticket.tickets.keys.ring import TicketKeyRing
from sansticket.tickets.session import Session
from sansticket.tickets.stores.cache import SessionCache
from sansticket.tickets.stores.replay import ReplayRecorder
from tests.support.certificates import authority, client_identity, server_identity
from tests.support.configs import client_config, server_config
from tests.support.credentials import anchors, client_credential
from tests.support.loopback import (
    EarlyServer,
    ForgetfulServer,
    Line,
    OurServer,
    Refused,
    Visit,
    dial,
    dial_early,
    echo,
)
from tests.support.peers import require

TLS12: Final = ProtocolVersion.TLS_1_2
TLS13: Final = ProtocolVersion.TLS_1_3
BOTH: Final = (TLS13, TLS12)

SMALL: Final = b"a line of text, there and back\n"
LARGE: Final = b"".join(b"line %08d of many, there and back\n" % number for number in range(65_536))
"""About 2.4 MB, in lines for programs that read lines."""

PROTOCOL: Final = "http/1.1"
HYBRID: Final = NamedGroup.X25519_MLKEM768
RETRY_GROUP: Final = NamedGroup.SECP384R1
PSK_IDENTITY: Final = "sensor-7"
PSK_KEY: Final = bytes(range(32))
"""For SHA-256, which is all that most programs know."""


class Role(Enum):
    """What the peer is."""

    SERVER = "server"
    CLIENT = "client"


class Cell(Enum):
    """A column of the table."""

    FULL_13 = "1.3 full"
    RESUMED_13 = "1.3 resumed"
    FULL_12 = "1.2 full"
    TICKET_12 = "1.2 ticket"
    ID_12 = "1.2 session id"
    RETRY = "retry"
    CERTIFICATE = "client certificate"
    ALPN = "ALPN"
    LARGE = "large"
    CLOSE = "close"
    HYBRID = "hybrid"
    EARLY = "0-RTT"
    PSK = "PSK"


MEANING: Final = {
    Cell.FULL_13: "a full handshake of TLS 1.3, and data both ways",
    Cell.RESUMED_13: "a second connection that resumes with a ticket of the first, TLS 1.3",
    Cell.FULL_12: "a full handshake of TLS 1.2, and data both ways",
    Cell.TICKET_12: "a second connection that resumes with a ticket of the first, TLS 1.2",
    Cell.ID_12: "a second connection that resumes by the session id of the first, TLS 1.2 without tickets",
    Cell.RETRY: "the server wants P-384, the client has sent a share of another group: HelloRetryRequest; "
    "with their clients once more where another connection of ours takes the second ClientHello",
    Cell.CERTIFICATE: "the server demands a client certificate and gets it, in TLS 1.3 and 1.2; the certificate is "
    "ours with our client, and without it our client is refused",
    Cell.ALPN: f"both agree on {PROTOCOL} by ALPN, in TLS 1.3 and 1.2",
    Cell.LARGE: f"{len(LARGE) / 1e6:.1f} MB there and back, in TLS 1.3 and 1.2; "
    "a tenth of that with tlslite-ng, whose ciphers are in Python",
    Cell.CLOSE: "the peer's close_notify arrives and nothing is cut off, in TLS 1.3 and 1.2",
    Cell.HYBRID: f"the key exchange is {HYBRID.name.replace('_', '')}",
    Cell.EARLY: "a second connection resumes with a ticket of the first, and what the client sends first goes with its "
    "ClientHello and is accepted, TLS 1.3",
    Cell.PSK: "both have an external PSK, and our server has nothing else and gives no tickets, TLS 1.3",
}

TLS12_CELLS: Final = (Cell.FULL_12, Cell.TICKET_12, Cell.ID_12)
BOTH_CELLS: Final = (Cell.CERTIFICATE, Cell.ALPN, Cell.LARGE, Cell.CLOSE)


@frozen
class Files:
    """PEM files for programs that read nothing else, in a folder of their own."""

    folder: Path

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def chain(self) -> Path:
        return self.folder / "server.pem"

    @property
    def key(self) -> Path:
        return self.folder / "server.key"

    @property
    def client_chain(self) -> Path:
        return self.folder / "client.pem"

    @property
    def client_key(self) -> Path:
        return self.folder / "client.key"

    def write(self) -> Files:
        self.ca.write_bytes(authority().pem)
        self.chain.write_bytes(server_identity().chain_pem)
        self.key.write_bytes(server_identity().key_pem)
        self.client_chain.write_bytes(client_identity().chain_pem)
        self.client_key.write_bytes(client_identity().key_pem)
        return self


@frozen
class Task:
    """What the peer is to do: as a server for any number of connections, as a client ``times`` one after the other.

    ``version`` is the only one it has.  A client sends ``payload`` on each connection, takes it back, and closes;
    after the first it resumes, with ``tickets`` or without.  ``group`` is the only one of a server.
    ``certificate``: a server demands one, a client shows one.  ``retried``: there is to be a
    HelloRetryRequest; None where that is the peer's affair.
    """

    cell: Cell
    files: Files
    version: int = TLS13
    times: int = 1
    tickets: bool = True
    group: NamedGroup | None = None
    certificate: bool = False
    retried: bool | None = False
    alpn: str | None = None
    payload: bytes = field(default=SMALL, repr=lambda payload: f"<{len(payload)} bytes>")

    @property
    def tls13(self) -> bool:
        return self.version == TLS13

    @property
    def dotted(self) -> str:
        """The version as 1.3 or 1.2."""
        return "1.3" if self.tls13 else "1.2"


@frozen
class Served:
    """A server of the peer's.  ``talk`` sends a payload over a connection to it and gives what came back."""

    port: int
    talk: Callable[[Line, bytes], bytes] = echo
    begin: Callable[[socket.socket], None] | None = None
    """What is said before TLS."""


@frozen
class Cannot:
    """Why a cell is not tried.  Where ``able`` says so of this machine's peer, it is tried all the same."""

    sentence: str
    able: Callable[[], bool] = lambda: False


NO_EARLY_DATA: Final = Cannot("It has no early data over TCP.")
NO_PSK: Final = Cannot("It has no external PSKs.")


class Peer(ABC):
    """Another implementation."""

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]]
    """Keys of ``peers.PEERS``."""
    roles: ClassVar[tuple[Role, ...]] = (Role.SERVER, Role.CLIENT)
    cannot: ClassVar[Mapping[tuple[Role, Cell], Cannot]] = {}
    large: ClassVar[bytes] = LARGE
    """The large transfer."""
    may_retry: ClassVar[bool] = False
    """Whether, in some version, it wants a group of which our ClientHello has no share."""
    by_hand: ClassVar[bool] = False
    """Whether it is tried only where the table is written: CI need not have it."""

    @abstractmethod
    def version(self) -> str:
        """The version that is on this machine."""

    @abstractmethod
    def serve(self, task: Task) -> AbstractContextManager[Served]:
        """Its server, until the end of the ``with`` block."""

    @abstractmethod
    def visit(self, task: Task, port: int) -> None:
        """Its client: does the task at our server; AssertionError when its own side of it went wrong."""

    def ours(self, task: Task, role: Role) -> dict[str, Any]:
        """What our own config needs, for a peer in that role that is told less than the task, or wants more."""
        return {}

    def require(self) -> None:
        for need in self.needs:
            require(need)


class ClientOnly(Peer):
    """An implementation that has no server."""

    roles = (Role.CLIENT,)

    def serve(self, task: Task) -> AbstractContextManager[Served]:
        raise NotImplementedError


class ServerOnly(Peer):
    """An implementation that has no client."""

    roles = (Role.SERVER,)

    def visit(self, task: Task, port: int) -> None:
        raise NotImplementedError


def cells() -> pytest.MarkDecorator:
    """One test for each column; the argument is ``cell``."""
    return pytest.mark.parametrize("cell", Cell, ids=lambda cell: cell.name.lower())


def tasks(peer: Peer, cell: Cell, files: Files) -> Iterator[Task]:
    """What a cell stands for: one task, or one for each version."""
    base = Task(
        cell,
        files,
        times=2 if cell in (Cell.RESUMED_13, Cell.TICKET_12, Cell.ID_12, Cell.EARLY) else 1,
        tickets=cell is not Cell.ID_12,
        group={Cell.RETRY: RETRY_GROUP, Cell.HYBRID: HYBRID}.get(cell),
        certificate=cell is Cell.CERTIFICATE,
        alpn=PROTOCOL if cell is Cell.ALPN else None,
        payload=peer.large if cell is Cell.LARGE else SMALL,
    )
    for version in BOTH if cell in BOTH_CELLS else (TLS12,) if cell in TLS12_CELLS else (TLS13,):
        retried = None if version == TLS13 and peer.may_retry else cell is Cell.RETRY
        yield evolve(base, version=version, retried=retried)


# --- our client ---------------------------------------------------------------------------------------------


def try_our_client(peer: Peer, cell: Cell, files: Files) -> None:
    """Our client does what the cell stands for at a server of the peer's."""
    for task in tasks(peer, cell, files):
        with peer.serve(task) as served:
            _visit_them(task, served, peer.ours(task, Role.SERVER))


def _visit_them(task: Task, served: Served, changes: dict[str, Any]) -> None:
    if task.certificate:
        with pytest.raises(Refused):
            _visit_once(task, served, changes)
        changes["credentials"] = [client_credential()]
    if task.alpn:
        changes["alpn_protocols"] = [b"unknown", task.alpn.encode()]
    if task.cell is Cell.ID_12:
        changes["tickets_in_tls12"] = False
    if task.cell is Cell.EARLY:
        changes["early_data"] = True
    session: Session | None = None
    for turn in range(task.times):
        line = _visit_once(task, served, changes, session)
        assert line.resumed == (turn > 0), line.hello.record
        if task.times > 1 and line.sessions:
            session = line.sessions[-1]
        if task.times > 1 and turn == 0:
            assert session is not None, line.events
            assert bool(session.ticket) == task.tickets
    _check(task, line)
    if task.cell is Cell.CLOSE:
        assert line.closed, line.events
    if task.cell is Cell.EARLY:
        assert line.connection.early_data is EarlyDataStatus.ACCEPTED, line.connection.early_data_reason


def _visit_once(
    task: Task, served: Served, changes: Mapping[str, Any], session: Session | None = None
) -> Line:
    with _line(task, served, changes, session) as line:
        assert served.talk(line, task.payload) == task.payload
        if task.times > 1 and session is None and not line.sessions:
            line.pump(lambda: bool(line.sessions))
        line.close()
    return line


def _line(task: Task, served: Served, changes: Mapping[str, Any], session: Session | None) -> Line:
    if task.cell is Cell.PSK:
        psk = ExternalPsk(PSK_IDENTITY.encode(), PSK_KEY, role=PskRole.CLIENT)
        return dial(served.port, client_config(psks=[psk], **changes))
    config = client_config(**changes)
    if task.cell is Cell.EARLY and session is not None:
        return dial_early(served.port, config, session)
    return dial(served.port, config, session, begin=served.begin)


def _check(task: Task, line: Line) -> None:
    if task.cell is Cell.PSK:
        assert line.hello.psk_identity == PSK_IDENTITY.encode()
    assert line.hello.version == task.version
    assert task.retried in (line.retried, None)
    if task.group is not None:
        assert line.hello.group == task.group
    if task.alpn is not None:
        assert line.hello.alpn_protocol == task.alpn.encode()


# --- our server ---------------------------------------------------------------------------------------------


def try_our_server(peer: Peer, cell: Cell, files: Files) -> None:
    """The peer's client does what the cell stands for at our server."""
    for task in tasks(peer, cell, files):
        _receive_them(peer, task, **peer.ours(task, Role.CLIENT))
        if cell is Cell.RETRY:
            keys = TicketKeyRing.generate(time.time(), os.urandom)
            _receive_them(peer, task, ForgetfulServer, stateless_retry=keys)


def _receive_them(peer: Peer, task: Task, kind: type[OurServer] = OurServer, **changes: Any) -> None:
    if task.certificate:
        changes |= {"client_authentication": ClientAuthentication.REQUIRED, "trust_anchors": anchors()}
    if task.alpn:
        changes["alpn_protocols"] = [b"unknown", task.alpn.encode()]
    if task.cell is Cell.RETRY:
        changes["groups"] = [RETRY_GROUP]
    if task.cell is Cell.ID_12:
        changes |= {"ticket_keys": None, "session_cache": SessionCache()}
    if task.cell is Cell.EARLY:
        kind = EarlyServer
        changes |= {"max_early_data": 16_384, "replay": ReplayRecorder(since=-math.inf)}
    config = server_config(**changes)
    if task.cell is Cell.PSK:
        psk = ExternalPsk(PSK_IDENTITY.encode(), PSK_KEY, role=PskRole.SERVER)
        config = ServerConfig(psks=[psk], num_tickets=0, **changes)
    with kind(config) as server:
        try:
            peer.visit(task, server.port)
        except AssertionError as error:
            error.add_note(f"what our server had to complain of: {server.complaints()}")
            raise
        visits = server.visits()
    _check_visits(task, visits, server)


def _check_visits(task: Task, visits: list[Visit], server: OurServer) -> None:
    assert visits, server.complaints()
    for visit in visits:
        _check(task, visit)
        if task.certificate:
            assert visit.hello.peer_certificates[:1] == client_identity().chain_der[:1]
    if task.times > 1:
        first, *later = visits
        assert not first.resumed
        assert any(visit.resumed for visit in later), [visit.hello.record for visit in visits]
        session = next(visit.hello.session for visit in later if visit.resumed)
        assert session is not None
        if task.cell is Cell.ID_12:
            assert session.session_id
    if task.cell is Cell.EARLY:
        accepted = [visit.connection.early_data is EarlyDataStatus.ACCEPTED for visit in visits]
        assert any(accepted), [visit.hello.record.early_data for visit in visits]
        assert any(isinstance(event, EarlyDataReceived) for visit in visits for event in visit.events)
    if task.cell is Cell.CLOSE:
        assert all(visit.closed for visit in visits), [visit.events for visit in visits]


# --- the table ----------------------------------------------------------------------------------------------

YES: Final = "yes"
TITLES: Final = {Role.SERVER: "Our client with the server of", Role.CLIENT: "Our server with the client of"}

HEAD: Final = """\
# Interoperability

Written by `pytest tests/interop/matrix --write-interop`: "yes" is a test that passed in the run that wrote this,
and a number is the sentence below that says why there is none.  Which peer is installed and started how, its test
module says.

"""

TAIL: Final = """
`tests/interop/test_early_data.py` has more of early data with OpenSSL, GnuTLS and NSS, and `tests/interop/test_psk.py`
of PSKs with OpenSSL, GnuTLS and the `ssl` module; `tests/interop/test_psk_importer.py` has imported PSKs (RFC 9258)
with GnuTLS 3.8.13, a library in the wheel of PyAV.

Clients that are not in the table, tried by hand: bun 1.4.5 (BoringSSL) and Deno 2.9.8 (rustls) resume in TLS 1.3, and
offer no early data, no PSK, no compressed certificates and no record_size_limit. curl-cffi 0.17.0 (curl 8.23 with
BoringSSL) resumes, sends no early data though curl's option is set, and has no PSKs; as Chrome, Firefox and Safari it
takes compressed certificates (`tests/interop/test_small_extensions.py`). NSS's tstclnt 3.87.1 cannot take a ticket
after a PSK, therefore there are none in that column.
"""


@frozen
class Page:
    """What stands around a table, and the columns that it has."""

    head: str
    tail: str
    cells: Sequence[Cell] = tuple(Cell)


INTEROP: Final = Page(HEAD, TAIL)


def table(
    versions: Mapping[str, str], outcome: Mapping[tuple[str, Role, Cell], str], page: Page = INTEROP
) -> str:
    """The document.  ``outcome`` has for each cell ``YES`` or the sentence that says why not."""
    sentences: list[str] = []

    def entry(text: str) -> str:
        if text == YES:
            return YES
        if text not in sentences:
            sentences.append(text)
        return f"({sentences.index(text) + 1})"

    lines = [page.head.rstrip("\n"), ""]
    for role, title in TITLES.items():
        lines += [
            f"## {title}",
            "",
            _row("", *(cell.value for cell in page.cells)),
            _row(*["---"] * (len(page.cells) + 1)),
        ]
        for name, version in sorted(versions.items()):
            if (name, role, Cell.FULL_13) in outcome:
                entries = (entry(outcome[name, role, cell]) for cell in page.cells)
                lines.append(_row(f"{name} {version}", *entries))
        lines.append("")
    lines += [f"{number}. {sentence}" for number, sentence in enumerate(sentences, 1)]
    lines += ["", "## What the columns mean", ""]
    lines += [f"- **{cell.value}**: {MEANING[cell]}." for cell in page.cells]
    return "\n".join(lines) + "\n" + page.tail


def _row(*entries: str) -> str:
    return "| " + " | ".join(entries) + " |"
