"""docs/captures.md: its code runs, its bounds are those of the code, and it names every link."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from fuzz.packets import captured, pcap
from sansticket import ProtocolVersion, TicketKeyRing
from sansticket.captures import connections, packets, streams
from sansticket.captures.segments import LINKS
from sansticket.command.sight.arguments import OTHERS
from sansticket.tickets.keys.programs.layouts import PROGRAMS
from sansticket.tickets.keys.ring import TicketKey
from tests.captures.talks import NOW, talk
from tests.support.documents import Document

PAGE: Final = Document("captures.md")


def test_the_code_runs(tmp_path: Path) -> None:
    names: dict[str, Any] = {}
    PAGE.run("From Python", names)
    keys = TicketKeyRing([TicketKey(bytes(16), bytes(32), 0)])
    first, sessions = talk(keys, version=ProtocolVersion.TLS_1_2)
    second, _ = talk(keys, sessions[-1], version=ProtocolVersion.TLS_1_2)
    third, _ = talk(
        TicketKeyRing([TicketKey(bytes(16), b"x" * 32, 0)]), sessions[-1], version=ProtocolVersion.TLS_1_2
    )
    made = []
    for number, wire in enumerate((first, second, third)):
        made += captured(wire, client=("127.0.0.1", 50_000 + number), time=NOW + number).packets
    (tmp_path / "trace.pcap").write_bytes(pcap(made))
    one, other, last = names["resumptions"](tmp_path / "trace.pcap", keys)
    assert (one, other) == ((False, ()), (True, ()))
    assert last[0] is False
    assert "was shown in connection 2 already" in last[1][0]


def test_the_bounds() -> None:
    text = " ".join(PAGE.section("What is read").split())
    assert f"{streams.MAX_AHEAD >> 20} MiB wait" in text
    assert f"at most {streams.MAX_CONNECTIONS:,} connections" in text
    assert f"at most {packets.MAX_FILE >> 30} GiB" in text
    assert f"up to {connections.MAX_BEFORE >> 10} KiB of another protocol" in text


def test_programs_and_links_are_named() -> None:
    text = PAGE.section("What opens what")
    for program in (*PROGRAMS, *OTHERS):
        assert program in text
    assert {0, 1, 101, 108, 113, 276} <= set(LINKS)
