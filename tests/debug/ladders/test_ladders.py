"""Ladders as pictures: from live connections, captures and pairs; SVG and pages; and what is not in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import copy
from pathlib import Path
from xml.etree import ElementTree

import attrs
import pytest

from sansticket import (
    ASK,
    ClientConnection,
    Close,
    ConnectionTerminated,
    Event,
    NamedGroup,
    OpenTicket,
    PrepareTicket,
    ProtectTicket,
    SendData,
    ServerConnection,
    TicketReceived,
    UpdateKeys,
    events,
)
from sansticket.debug.key_log import KeyLog
from sansticket.debug.ladder import draw
from sansticket.debug.ladders.page import page
from sansticket.debug.ladders.picture import HIDDEN, Picture, Row, picture
from sansticket.debug.ladders.vector import svg
from sansticket.debug.trace import Carried, Happened
from sansticket.debug.watch import watch
from tests.support.browser import Browser, browser
from tests.support.configs import client_config, server_config
from tests.support.pair import ConnectionPair
from tests.support.peers import require

QUESTION = b"a question <script>alert(1)</script> &"


class Talk:
    """A connection watched from its client, and the same from its server."""

    def __init__(self) -> None:
        self.log = KeyLog()
        self.lines: list[str] = []

        def keep(line: str) -> None:
            self.lines.append(line)
            self.log.add(line)

        ticks = iter(range(10_000))
        client = ClientConnection(client_config(key_log=keep), "server.example")
        self.client = watch(client, lambda: 1000 + next(ticks) / 1000)
        self.server = watch(ServerConnection(server_config(groups=(NamedGroup.SECP384R1,))))
        self.pump()
        self.client.send(SendData(QUESTION))
        self.server.send(UpdateKeys())
        self.pump()
        self.client.send(Close())
        self.pump()
        self.sessions = [
            step.event.session
            for step in self.client.steps
            if not isinstance(step, Carried) and isinstance(step.event, TicketReceived)
        ]

    def pump(self) -> None:
        for _ in range(20):
            for one, other in ((self.client, self.server), (self.server, self.client)):
                if data := one.data_to_send():
                    other.receive_data(data)

    def picture(self, *, secrets: bool = False) -> Picture:
        return picture(
            self.client.steps, self.log, "A <connection> & more", secrets=secrets, notes=["a < note"]
        )


@pytest.fixture(scope="module")
def talk() -> Talk:
    return Talk()


def titles(rows: tuple[Row, ...], *kinds: str) -> list[str]:
    return [row.title.split(":")[0] for row in rows if row.kind in kinds]


def test_a_watched_connection_is_a_connection(talk: Talk) -> None:
    assert talk.client.version == 0x0304
    assert isinstance(talk.client, ClientConnection)
    assert isinstance(talk.server, ServerConnection)
    noted = len(talk.client.steps)
    for other in (talk.client.fork(), copy(talk.client)):
        assert type(other) is ClientConnection
        other.receive_data(b"")
    assert len(talk.client.steps) == noted
    assert talk.client.side == "client"
    assert talk.server.side == "server"
    with pytest.raises(TypeError, match="receive_data with str"):
        talk.server.receive_data("text")  # type: ignore[arg-type]  # on purpose


def test_both_sides_see_the_same_go_over(talk: Talk) -> None:
    def carried(steps: list[object], side: str) -> bytes:
        return b"".join(step.data for step in steps if isinstance(step, Carried) and step.sender == side)

    for side in ("client", "server"):
        assert carried([*talk.client.steps], side) == carried([*talk.server.steps], side) != b""
    assert all(step.time is not None for step in talk.client.steps)
    assert all(step.time is None for step in talk.server.steps)


def test_the_rows_of_a_live_connection(talk: Talk) -> None:
    rows = talk.picture().rows
    assert titles(rows, "message") == [
        *("ClientHello", "HelloRetryRequest", "ClientHello", "ServerHello", "{EncryptedExtensions}"),
        *("{Certificate}", "{CertificateVerify}", "{Finished}", "{Finished}"),
        *("[NewSessionTicket]", "[NewSessionTicket]", "[KeyUpdate]"),
    ]
    assert titles(rows, "event")[:2] == ["HandshakeCompleted", "TicketReceived"]
    assert titles(rows, "data") == ["[Data]"]
    assert titles(rows, "alert") == ["[Alert]"]
    hello = rows[0]
    details = dict(hello.details)
    assert details["record"].endswith(" at 0, in the clear")
    assert details["extension server_name"] == f"host name 14 bytes: {b'server.example'.hex()}"
    assert "AES_128_GCM_SHA256" in details["cipher suites"]
    assert hello.time == 1000.0
    assert {row.protection for row in rows} == {"none", "handshake", "application"}
    account = next(row for row in rows if row.name == "HandshakeCompleted")
    assert "account" in dict(account.details)


def forms(made: Picture) -> Iterator[str]:
    yield svg(made)
    yield page(made)
    yield repr(made.rows)


def test_no_secrets_unless_asked_for(talk: Talk) -> None:
    secrets = [line.split()[2] for line in talk.lines] + [session.secret.hex() for session in talk.sessions]
    hidden = [session.ticket.hex()[32:] for session in talk.sessions] + [QUESTION.hex(), "a question"]
    hidden += [str(session.age_add) for session in talk.sessions]
    for form in forms(talk.picture()):
        assert [one for one in secrets + hidden if one in form] == []
        assert talk.sessions[0].ticket.hex()[:32] in form or form.startswith("<svg")
    for form in forms(talk.picture(secrets=True)):
        assert [one for one in secrets if one in form] == []
        assert "a question" in form
    text = "\n".join(draw(talk.client.steps, talk.log, 100, hides=True))
    assert "a question" not in text
    assert "[Data] " in text


PUBLIC_BYTES = {
    *(
        "alpn_protocol",
        "alpn_protocols",
        "peer_certificates",
        "certificates",
        "ocsp_response",
        "psk_identity",
    ),
    *(
        "key",
        "key_name",
        "session_id",
    ),  # a hash; the name of a ticket key; what opens nothing without its session
    "message",  # what is signed: a hash of what went over
}


def test_every_field_of_an_event_is_public_or_hidden() -> None:
    """Whoever adds one decides."""
    kinds = [one for one in vars(events).values() if isinstance(one, type) and issubclass(one, events.Event)]
    fields = {each.name for kind in kinds for each in attrs.fields(kind) if "bytes" in str(each.type)}
    assert fields - HIDDEN == PUBLIC_BYTES


def test_the_content_of_a_ticket_and_what_an_application_raised_are_not_in_it() -> None:
    def fails(question: object) -> object:
        raise ValueError("swordfish")

    told: list[Event] = []
    answers = {OpenTicket: ASK, ProtectTicket: ASK}
    for server in (
        server_config(ticket_keys=None, answers=answers),
        server_config(answers={PrepareTicket: fails}),
    ):
        pair = ConnectionPair(client_config(), server)
        pair.pump()
        told += pair.server_events
    (protect,) = [event for event in told if isinstance(event, ProtectTicket)]
    assert any(isinstance(event, ConnectionTerminated) and event.cause is not None for event in told)
    steps = [Happened("server", event) for event in told]
    for form in forms(picture(steps, KeyLog(), "told")):
        assert "swordfish" not in form
        assert protect.plaintext.hex()[:32] not in form
        assert "cause" not in form or "ValueError" in form
    assert protect.plaintext.hex()[:32] in page(picture(steps, KeyLog(), "told", secrets=True))


def test_the_svg_is_well_formed_and_needs_nothing(talk: Talk) -> None:
    text = svg(talk.picture())
    root = ElementTree.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    tags = {element.tag.partition("}")[2] for element in root.iter()}
    assert tags == {"svg", "title", "style", "rect", "text", "path", "circle"}
    assert re.findall(r"https?://[^\"]+", text) == ["http://www.w3.org/2000/svg"]
    height = int(root.attrib["viewBox"].split()[3])
    assert all(float(element.attrib.get("y", 0)) <= height for element in root.iter())
    assert "prefers-color-scheme: dark" in text


def test_long_texts_are_cut_with_a_tooltip() -> None:
    row = Row("client", "message", "X", "y" * 500, 3)
    text = svg(Picture("t", (row,)))
    assert f"<title>{row.title}</title>" in text
    assert f">X: {'y' * 400}" not in text.replace(f"<title>{row.title}</title>", "")


def test_the_page_needs_nothing_and_escapes_what_others_said(talk: Talk) -> None:
    text = page(talk.picture(secrets=True))
    assert "default-src 'none'" in text
    assert "http" not in text.replace("http-equiv", "")
    assert "<script>alert" not in text
    assert "&lt;connection&gt;" in text
    assert "a &lt; note" in text
    assert text.count("<script>") == 1


# --- in a browser -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def opened(talk: Talk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Browser, Path]]:
    require("Chromium")
    folder = tmp_path_factory.mktemp("browser")
    file = folder / "ladder.html"
    file.write_text(page(talk.picture()), encoding="utf-8")
    with browser(folder) as shown:
        yield shown, file


COUNT = "[...document.querySelectorAll('.row')].filter(row => !row.hidden).length"


def test_searching(opened: tuple[Browser, Path], talk: Talk) -> None:
    shown, file = opened
    shown.open(file)
    every = len(talk.picture().rows)
    assert shown.ask(COUNT) == every
    shown.press("/", *"newsession")
    assert shown.ask("document.activeElement.id") == "search"
    assert shown.ask(COUNT) == 2
    assert shown.ask("document.getElementById('found').value") == f"2 of {every} rows"
    assert shown.ask("location.hash") == "#newsession"
    shown.press("Escape")
    assert shown.ask(COUNT) == every
    shown.open(file, "#key_share%20clienthello")
    assert shown.ask(COUNT) == 2
    assert shown.complaints == []


def test_keys_and_clicks_open_details(opened: tuple[Browser, Path]) -> None:
    shown, file = opened
    shown.open(file, "#")
    shown.press("j", "j")
    assert "HelloRetryRequest" in shown.ask("document.activeElement.textContent")
    shown.press("k", "Enter")
    assert shown.ask("document.activeElement.parentElement.open") is True
    assert shown.ask("[...document.querySelectorAll('details[open]')].length") == 1
    assert "key_share" in shown.ask("document.querySelector('details[open] dl').innerText")
    shown.click("details summary")
    assert shown.ask("[...document.querySelectorAll('details[open]')].length") == 0
    shown.press("o")
    assert shown.ask("[...document.querySelectorAll('details:not([open])')].length") == 0
    shown.press("o")
    assert shown.ask("[...document.querySelectorAll('details[open]')].length") == 0


def test_light_and_dark(opened: tuple[Browser, Path]) -> None:
    shown, file = opened
    shown.open(file)
    ground = "getComputedStyle(document.body).backgroundColor"
    shown.prefer("light")
    assert shown.ask(ground) == "rgb(255, 255, 255)"
    shown.prefer("dark")
    assert shown.ask(ground) == "rgb(17, 21, 28)"
    shown.press("d")
    assert shown.ask(ground) == "rgb(255, 255, 255)"
    shown.press("d")
    assert shown.ask(ground) == "rgb(17, 21, 28)"


CONTRAST = """
(() => {
  const light = text => { const parts = text.match(/[\\d.]+/g).map(Number).slice(0, 3).map(one => one / 255)
    .map(one => one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]; };
  const ground = light(getComputedStyle(document.body).backgroundColor);
  return Math.min(...[...document.querySelectorAll('.name, .size, time, h1, kbd, .keys, .notes')].map(one => {
    const own = light(getComputedStyle(one).color);
    return (Math.max(own, ground) + 0.05) / (Math.min(own, ground) + 0.05); }));
})()
"""
"""The least contrast of any text, as WCAG 2 computes it."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read(opened: tuple[Browser, Path], scheme: str) -> None:
    shown, file = opened
    shown.prefer(scheme)
    shown.open(file)
    assert shown.ask(CONTRAST) >= 4.5
    assert shown.ask("document.documentElement.scrollWidth <= innerWidth")


def test_nothing_is_loaded_and_nothing_complains(opened: tuple[Browser, Path]) -> None:
    shown, file = opened
    shown.open(file)
    png = shown.picture(1150, 900)
    assert png.startswith(b"\x89PNG")
    assert {address.partition("#")[0] for address in shown.requests} <= {file.as_uri(), "about:blank"}
    assert shown.complaints == []
