"""docs/interop.md has what the matrix has: every implementation in its roles, every column, every sentence."""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from tests.support.command import ROOT
from tests.support.matrix import MEANING, TITLES, YES, Cell, Peer, Role, table

WITHOUT_A_ROW = {"test_go_tickets"}
"""Shared keys, and no implementation that the others lack."""
MODULES = sorted({path.stem for path in (Path(__file__).parent / "matrix").glob("test_*.py")} - WITHOUT_A_ROW)


@cache
def peers() -> tuple[Peer, ...]:
    return tuple(import_module(f"tests.interop.matrix.{name}").PEER for name in MODULES)


@cache
def document() -> str:
    return (ROOT / "docs" / "interop.md").read_text()


def rows(role: Role) -> dict[str, list[str]]:
    """The entries of each row of a role's table, by what stands in front."""
    section = document().partition(f"## {TITLES[role]}\n")[2].partition("\n## ")[0]
    lines = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return {first.strip(): rest for first, *rest in lines[2:]}


def sentences() -> dict[str, str]:
    return dict(re.findall(r"^(\d+)\. (.*)$", document(), re.MULTILINE))


def test_every_implementation_of_the_table_is_one() -> None:
    assert len(peers()) == 11
    assert len({peer.name for peer in peers()}) == 11


@pytest.mark.parametrize("role", Role)
def test_a_row_for_every_implementation_that_has_the_role(role: Role) -> None:
    written = rows(role)
    expected = [peer.name for peer in peers() if role in peer.roles]
    assert len(written) == len(expected)
    for name, row in zip(sorted(expected), sorted(written), strict=True):
        assert row.startswith(f"{name} "), "the name, and the version that was tried"
        assert re.search(r"\d", row.removeprefix(name))


@pytest.mark.parametrize("role", Role)
def test_every_entry_is_a_yes_or_one_of_the_sentences_of_the_module(role: Role) -> None:
    for peer in peers():
        if role not in peer.roles:
            continue
        (entries,) = [row for name, row in rows(role).items() if name.startswith(f"{peer.name} ")]
        for cell, entry in zip(Cell, entries, strict=True):
            cannot = peer.cannot.get((role, cell))
            if cannot is None:
                assert entry == YES, (peer.name, cell)
            else:  # whether it is one or the other may depend on the version
                assert entry == YES or sentences()[entry.strip("()")] == cannot.sentence


def test_every_column_is_explained_and_no_sentence_is_left_over() -> None:
    assert list(MEANING) == list(Cell)
    for cell in Cell:
        assert f"- **{cell.value}**: {MEANING[cell]}." in document()
    used = set(re.findall(r"\((\d+)\)", document().partition("\n1. ")[0]))
    assert used == set(sentences())


def test_a_table_of_what_came_out() -> None:
    outcome = {("Peer", Role.CLIENT, cell): YES for cell in Cell}
    outcome["Peer", Role.CLIENT, Cell.ALPN] = "It has none."
    text = table({"Peer": "1.0"}, outcome)
    (row,) = [line for line in text.splitlines() if line.startswith("| Peer 1.0 |")]
    assert row.count("yes") == len(Cell) - 1
    assert row.count("(1)") == 1
    assert "\n1. It has none.\n" in text
