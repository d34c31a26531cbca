"""docs/interop.md and docs/interop-wide.md have every implementation in its roles, every column, every sentence."""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from tests.interop.wide.test_wide import PEERS
from tests.support.command import ROOT
from tests.support.matrix import INTEROP, MEANING, TITLES, YES, Cell, Peer, Role, table
from tests.support.wide import PAGE as WIDE

WITHOUT_A_ROW = {"test_go_tickets"}
"""Shared keys, and no implementation that the others lack."""
MODULES = sorted({path.stem for path in (Path(__file__).parent / "matrix").glob("test_*.py")} - WITHOUT_A_ROW)


PAGES = {"interop": INTEROP, "interop-wide": WIDE}

every_page = pytest.mark.parametrize("name", PAGES)


@cache
def peers(name: str) -> tuple[Peer, ...]:
    if name == "interop-wide":
        return PEERS
    return tuple(import_module(f"tests.interop.matrix.{module}").PEER for module in MODULES)


@cache
def document(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text()


def rows(name: str, role: Role) -> dict[str, list[str]]:
    """The entries of each row of a role's table, by what stands in front."""
    section = document(name).partition(f"## {TITLES[role]}\n")[2].partition("\n## ")[0]
    lines = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return {first.strip(): rest for first, *rest in lines[2:]}


def sentences(name: str) -> dict[str, str]:
    return dict(re.findall(r"^(\d+)\. (.*)$", document(name), re.MULTILINE))


@pytest.mark.parametrize(("name", "count"), [("interop", 11), ("interop-wide", 29)])
def test_every_implementation_of_the_table_is_one(name: str, count: int) -> None:
    assert len(peers(name)) == count
    assert len({peer.name for peer in peers(name)}) == count


@every_page
@pytest.mark.parametrize("role", Role)
def test_a_row_for_every_implementation_that_has_the_role(name: str, role: Role) -> None:
    written = rows(name, role)
    expected = [peer.name for peer in peers(name) if role in peer.roles]
    assert len(written) == len(expected)
    for peer, row in zip(sorted(expected), sorted(written), strict=True):
        assert row.startswith(f"{peer} "), "the name, and the version that was tried"
        assert re.search(r"\d", row.removeprefix(peer))


@every_page
@pytest.mark.parametrize("role", Role)
def test_every_entry_is_a_yes_or_one_of_the_sentences_of_the_module(name: str, role: Role) -> None:
    for peer in peers(name):
        if role not in peer.roles:
            continue
        (entries,) = [row for first, row in rows(name, role).items() if first.startswith(f"{peer.name} ")]
        for cell, entry in zip(PAGES[name].cells, entries, strict=True):
            cannot = peer.cannot.get((role, cell))
            if cannot is None:
                assert entry == YES, (peer.name, cell)
            else:  # whether it is one or the other may depend on the version
                assert entry == YES or sentences(name)[entry.strip("()")] == cannot.sentence


@every_page
def test_every_column_is_explained_and_no_sentence_is_left_over(name: str) -> None:
    assert list(MEANING) == list(Cell)
    for cell in PAGES[name].cells:
        assert f"- **{cell.value}**: {MEANING[cell]}." in document(name)
    used = set(re.findall(r"\((\d+)\)", document(name).partition("\n1. ")[0]))
    assert used == set(sentences(name))


def test_a_table_of_what_came_out() -> None:
    outcome = {("Peer", Role.CLIENT, cell): YES for cell in Cell}
    outcome["Peer", Role.CLIENT, Cell.ALPN] = "It has none."
    text = table({"Peer": "1.0"}, outcome)
    (row,) = [line for line in text.splitlines() if line.startswith("| Peer 1.0 |")]
    assert row.count("yes") == len(Cell) - 1
    assert row.count("(1)") == 1
    assert "\n1. It has none.\n" in text
