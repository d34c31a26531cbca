"""Every way of a client, a server and an attacker, up to a bound; and that each rule notices when it is broken."""

from __future__ import annotations

import re
from typing import Any

import pytest
from attrs import evolve, frozen

from sansticket.codes import AlertDescription, AlertLevel
from sansticket.commands import UpdateKeys
from sansticket.config.server import ServerConfig
from sansticket.connection import inbound
from sansticket.connection.engine import CARRIED_OUT_BY, Engine
from sansticket.connection.outbound import Outbound
from sansticket.events import DataReceived
from sansticket.handshake.machine.established import Established
from sansticket.record import tls13
from sansticket.tickets.session import Session
from sansticket.tickets.stores.uses import ReusePolicy, TicketUse
from tests.support.scenes import Scene
from tools.explore import moves
from tools.explore.__main__ import BEGIN, END, PAGE, full, quick, run
from tools.explore.report import declared, lines, title
from tools.explore.scenarios import EARLY, brief, walks
from tools.explore.setting import Scenario
from tools.explore.shapes import key_of, shape_of
from tools.explore.unreached import REASONS
from tools.explore.walk import Walk, differences, explore
from tools.explore.world import TalkativeCache, TalkativeRecorder, TalkativeUses

SCENARIOS = {scenario.name: scenario for scenario in walks()}
BRIEF = {scenario.name: scenario for scenario in brief()}


def test_every_way_up_to_a_bound() -> None:
    """The full bound is ``python -m tools.explore``, which CI runs once."""
    report = run(quick())
    print(*lines(report), sep="\n")
    assert report.problems == []
    assert all(walk.complete for walk in report.walks)
    assert len(report.made()) > 90
    assert len(report.pairs()) > 35


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("full", ("TLS 1.3", "full")),
        ("resumed, single use", ("TLS 1.3", "resumed")),
        ("resumed, and uses are remembered", ("TLS 1.3", "resumed")),
        ("resumed, single use, and uses are remembered", ("TLS 1.3", "resumed")),
        ("resumed after a retry", ("TLS 1.3", "resumed")),
        ("early data", ("TLS 1.3", "resumed", "early data")),
        ("early data, single use", ("TLS 1.3", "resumed", "early data")),
        ("early data, refused", ("TLS 1.3", "resumed")),
        ("early data, and a retry", ("TLS 1.3", "resumed")),
        ("external PSK", ("TLS 1.3", "full", "external PSK")),
        ("TLS 1.2", ("TLS 1.2", "full")),
        ("TLS 1.2, resumed by ticket", ("TLS 1.2", "resumed")),
        ("TLS 1.2, resumed by id", ("TLS 1.2", "resumed")),
    ],
)
def test_what_a_walk_is_about_happens_in_it(name: str, kind: tuple[str, ...]) -> None:
    first = {("TLS 1.3", "full"), ("TLS 1.2", "full")}  # the earlier connection
    found = explore(SCENARIOS[name], 0).agreements
    assert kind in found
    assert found <= {kind, *first}


@pytest.mark.parametrize(
    ("name", "budget"), [("resumed, single use", 1), ("early data", 0), ("TLS 1.2, resumed by id", 1)]
)
def test_nodes_that_are_alike_lead_to_nodes_that_are_alike(name: str, budget: int) -> None:
    assert list(differences(BRIEF[name], budget)) == []


def test_nodes_that_are_not_alike_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what the parties are about to do, all nodes with the same flights would be one."""
    monkeypatch.setattr("tools.explore.walk.key_of", lambda shapes: key_of([]))
    assert list(differences(BRIEF["full"], 1))


# --- every rule can be broken ------------------------------------------------------------------------------------


def problems(scenario: Scenario, budget: int = 1) -> str:
    walk: Walk = explore(scenario, budget)
    assert all(steps for steps in walk.problems.values())
    return "\n".join(walk.problems)


class Generous(TalkativeCache):
    """Gives a session to everybody who asks."""

    def claim(self, session: Session, now: float, *, taken: bool = False) -> bool:
        return True


class Forgetful(TalkativeRecorder):
    def claim(self, key: bytes, now: float) -> bool:
        return True


def test_a_session_is_used_twice() -> None:
    found = problems(evolve(SCENARIOS["early data, single use"], client=(EARLY,), server=(), cache=Generous))
    assert "second server: a session for single use is used again" in found
    assert "second server: early data b'client 0;' is delivered a second time" in found


def test_early_data_is_delivered_twice() -> None:
    found = problems(evolve(BRIEF["early data"], recorder=Forgetful))
    assert "second server: early data b'client 0;' is delivered a second time" in found


class Suspicious(TalkativeUses):
    """Knows no random again, and takes a copy of a ClientHello for another."""

    def note(self, ticket: bytes, use: TicketUse, until: float) -> TicketUse | None:
        return super().note(ticket, evolve(use, client_random=bytes(32)), until)


class Oblivious(TalkativeUses):
    def note(self, ticket: bytes, use: TicketUse, until: float) -> TicketUse | None:
        return None


def test_a_copy_of_a_client_hello_ends_a_family() -> None:
    remembered = SCENARIOS["resumed, and uses are remembered"]
    end = ReusePolicy.END_FAMILY
    found = problems(evolve(remembered, client=(), server=(), uses=lambda: Suspicious(window=0, policy=end)))
    assert "second server: takes a copy of a ClientHello for somebody who has the session" in found
    found = problems(evolve(remembered, client=(), server=(), uses=lambda: Oblivious(window=0, policy=end)))
    assert "second server: a session for single use is used again" in found


def test_early_data_passes_for_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbound, "_take_early_data", lambda engine, data: engine.tell(DataReceived(data)))
    found = problems(BRIEF["early data"], 0)
    assert "b'client 0;' of the epoch early data is called something else" in found
    assert "server: heard [b'client 0;'], where" in found


def test_something_is_accepted_that_nobody_said(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = tls13.Opener.open

    def other(opener: tls13.Opener, header: bytes, sealed: Any) -> tuple[int, bytes]:
        kind, content = opened(opener, header, sealed)
        return kind, content.replace(b"client", b"nobody")

    monkeypatch.setattr(tls13.Opener, "open", other)
    found = problems(BRIEF["full"], 0)
    assert "server: accepted b'nobody 0;' in the epoch application data, where nobody has said it" in found


def test_a_repeated_record_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader without sequence numbers."""
    opened = tls13.Opener.open

    def forgiving(opener: tls13.Opener, header: bytes, sealed: Any) -> tuple[int, bytes]:
        sequence = opener.sequence
        for number in range(sequence + 1):
            opener.sequence = number
            try:
                content = opened(opener, header, sealed)
            except Exception:
                continue
            opener.sequence = max(sequence, number + 1)
            return content
        opener.sequence = sequence
        return opened(opener, header, sealed)

    monkeypatch.setattr(tls13.Opener, "open", forgiving)
    assert "server: heard [b'client 0;', b'client 0;']" in problems(BRIEF["full"])


def test_a_state_reads_in_an_epoch_that_is_not_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.explore.rules.epochs_of", lambda side, state: (("plaintext", "plaintext"),))
    assert "client: tls13.WaitCertificateOrRequest reads handshake and writes handshake" in problems(
        BRIEF["full"], 0
    )


def test_too_many_tickets() -> None:
    found = problems(Scenario(Scene("three", server={"num_tickets": 3})), 0)
    assert "server: issued 3 tickets; expected at most 2" in found


def test_they_do_not_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    def other(engine: Engine, agreed: Established) -> None:
        if isinstance(engine.config, ServerConfig):
            agreed = evolve(agreed, alpn_protocol=b"another")
        establish(engine, agreed)

    establish = CARRIED_OUT_BY[Established]
    monkeypatch.setitem(CARRIED_OUT_BY, Established, other)
    assert "and the other side on Agreed" in problems(BRIEF["early data"], 0)


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moves, "answers_of", lambda *arguments: iter(()))
    found = problems(SCENARIOS["early data, and a question"], 0)
    assert "deadlock: client waits in WaitServerHelloWithEarlyData" in found
    assert "deadlock: server waits in tls13.AskAdmitEarlyData" in found


def test_something_can_never_be_said() -> None:
    scenario = evolve(BRIEF["TLS 1.2"], client=(UpdateKeys(),))
    assert "client can never say UpdateKeys" in problems(scenario, 0)


def test_an_end_that_is_not_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(out: Outbound, level: AlertLevel, description: AlertDescription) -> None:
        out.flush()

    monkeypatch.setattr(Outbound, "alert", silent)
    assert re.search(r"ends by .*, and does not say so", problems(BRIEF["full"]))


def test_a_mistake_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(inbound, "_take_data", broken)
    assert re.search(r"server: ends by .*ZeroDivisionError", problems(BRIEF["full"], 0))


def test_an_exception_instead_of_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr(inbound, "end_by", broken)
    assert "raises ZeroDivisionError" in problems(BRIEF["full"])


# --- shapes --------------------------------------------------------------------------------------------------------


@frozen
class Pair:
    one: bytes
    other: bytes
    number: int = 0


def test_names_do_not_matter_and_which_are_the_same_does() -> None:
    def key(*values: Any) -> bytes:
        return key_of([shape_of(value) for value in values])

    assert key(Pair(b"a", b"b")) == key(Pair(b"x", b"yz"))
    assert key(Pair(b"a", b"a")) != key(Pair(b"a", b"b"))
    assert key(Pair(b"a", b"b"), b"a") != key(Pair(b"a", b"b"), b"b")
    assert key(Pair(b"a", b"b", 1)) != key(Pair(b"a", b"b", 2))
    assert key(Pair(b"a", b"b", 2**30)) == key(Pair(b"a", b"b", 2**31))
    assert key(b"") != key(b"a")
    with pytest.raises(TypeError, match="object: it is not known what it consists of"):
        shape_of(object())


# --- what is written -------------------------------------------------------------------------------------------------


def test_each_reason_is_for_something() -> None:
    arrows = [title(arrow) for arrow in declared()]
    for pattern, _ in REASONS:
        assert any(re.match(pattern, arrow) for arrow in arrows), pattern


def test_the_page_has_the_walks_of_today() -> None:
    """The figures are written by the command, which CI runs; the names are not allowed to be of yesterday."""
    table = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    rows = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("|")]
    for name in {scenario.name.partition(", asking ")[0] for scenario, _ in full()}:
        assert any(row == name or row.startswith(f"{name}, ") for row in rows), name
