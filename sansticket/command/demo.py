"""The demo: a full handshake, tickets, and a resumption, between our client and our server in memory.

It is also a first program: ``Demo.connect`` is all that it takes to drive two connections.
"""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from sansticket.codes import NamedGroup, ProtocolVersion
from sansticket.commands import Close, SendData
from sansticket.config.choices import ClientAuthentication
from sansticket.config.client import ClientConfig
from sansticket.config.server import ServerConfig
from sansticket.connection.client import ClientConnection
from sansticket.connection.server import ServerConnection
from sansticket.debug import ladder
from sansticket.debug.explain import HandshakeMessage, explain
from sansticket.debug.key_log import KeyLog
from sansticket.debug.trace import Carried, TracedPair
from sansticket.errors import SansticketError
from sansticket.events import ConnectionTerminated, HandshakeCompleted, TicketReceived
from sansticket.testing.certificates import PrivateAuthority
from sansticket.tickets.session import Session
from sansticket.values import frozen

NAME = "server.example"

INTRODUCTION = (
    f"A client and a server in memory, drawn from the bytes between them and the key log. {ladder.LEGEND}"
)


class DemoError(SansticketError):
    """The demo did not show what it was to show."""


@frozen(kw_only=True)
class Options:
    """What can be asked for: see ``python -m sansticket demo --help``."""

    version: int = ProtocolVersion.TLS_1_3
    tickets: int = 2
    retry: bool = False
    client_certificate: bool = False
    width: int = 80


class Demo:
    """Certificates, two configs and a key log, made once; ``connect`` makes connections with them."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.key_log = KeyLog()
        authority = PrivateAuthority.make(days=1)
        anchors = authority.anchors
        asks, versions = options.client_certificate, [options.version]
        self.client_config = ClientConfig(
            versions=versions,
            trust_anchors=anchors,
            credentials=[authority.issue("client.example", client=True)] if asks else [],
            alpn_protocols=[b"demo/1"],
            key_log=self.key_log.add,
        )
        self.server_config = ServerConfig(
            versions=versions,
            credentials=[authority.issue(NAME)],
            alpn_protocols=[b"demo/1"],
            groups=[NamedGroup.SECP384R1] if options.retry else self.client_config.groups,
            client_authentication=ClientAuthentication.REQUIRED if asks else ClientAuthentication.NONE,
            trust_anchors=anchors if asks else None,
            num_tickets=options.tickets,
        )

    def connect(self, session: Session | None = None) -> TracedPair:
        """A handshake, a question, an answer, and the end."""
        pair = TracedPair(
            ClientConnection(self.client_config, NAME, session), ServerConnection(self.server_config)
        )
        pair.run()
        for end in (*pair.events("client"), *pair.events("server")):
            if isinstance(end, ConnectionTerminated):
                raise DemoError(f"the handshake failed: {end}")
        pair.send("client", SendData(b"GET /"))
        pair.send("server", SendData(b"Here you are."))
        pair.send("client", Close())
        pair.send("server", Close())
        return pair


# --- the text --------------------------------------------------------------------------------------------------


def tell(options: Options) -> Iterator[str]:
    """The lines of the demo, without line ends."""
    demo = Demo(options)
    first = demo.connect()
    yield from _text(INTRODUCTION, options.width)
    yield ""
    sessions = [event.session for event in first.events("client") if isinstance(event, TicketReceived)]
    yield from _title("1. A full handshake", options.width)
    yield from _picture(demo, first)
    if not sessions:
        yield from _text("No ticket, no resumption: the next connection would look the same.", options.width)
        return
    second = demo.connect(sessions[-1])
    yield from _title("2. The session of the last ticket is resumed", options.width)
    yield from _picture(demo, second)
    yield from _title("What it saved", options.width)
    yield from _comparison(demo, first, second)


def _title(text: str, width: int) -> Iterator[str]:
    yield text
    yield "=" * min(len(text), width)
    yield ""


def _text(text: str, width: int, indent: str = "") -> list[str]:
    return wrap(text, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def _picture(demo: Demo, pair: TracedPair) -> Iterator[str]:
    width = demo.options.width
    yield from ladder.draw(pair.steps, demo.key_log, width)
    yield ""
    yield "The server's account of the search for a session:"
    for line in str(_completed(pair).record).splitlines():
        yield from _text(line.strip(), width, "    " if line.startswith(" ") else "  ")
    yield ""


def _completed(pair: TracedPair) -> HandshakeCompleted:
    for event in pair.events("server"):
        if isinstance(event, HandshakeCompleted):
            return event
    raise DemoError("the server's handshake was not completed")


def _comparison(demo: Demo, full: TracedPair, resumed: TracedPair) -> Iterator[str]:
    """Both connections side by side."""
    if not _completed(resumed).resumed:
        raise DemoError(f"the session was not resumed: {_completed(resumed).record}")
    yield f"{'':<24}{'full':>8}{'resumed':>10}"
    rows = zip(_figures(demo, full), _figures(demo, resumed), strict=True)
    for (title, before), (_, after) in rows:
        yield f"{title:<24}{before:>8}{after:>10}"


def _figures(demo: Demo, pair: TracedPair) -> Iterator[tuple[str, int]]:
    """What a connection took."""
    pieces = [(step.sender, step.data) for step in pair.steps if isinstance(step, Carried)]
    contents = [content for record in explain(pieces, demo.key_log) for content in record.contents]
    names = [content.name for content in contents if isinstance(content, HandshakeMessage)]
    yield "bytes from the client", pair.carried("client")
    yield "bytes from the server", pair.carried("server")
    yield "handshake messages", len(names)
    yield "certificate chains", names.count("Certificate")
    yield "signatures", names.count("CertificateVerify") + names.count("ServerKeyExchange")
    yield "tickets", names.count("NewSessionTicket")
