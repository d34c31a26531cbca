"""Each file with states has their table at its head, and it is what the annotations say."""

from __future__ import annotations

import pytest

from sansticket.handshake.server.start import AskSelectConfig, WaitClientHello
from tools.transitions import HEAD, main, modules, path_of, table, with_table

MODULES = modules()


@pytest.mark.parametrize("module", MODULES)
def test_the_table_is_current(module: str) -> None:
    source = path_of(module).read_text(encoding="utf-8")
    assert source == with_table(source, MODULES[module]), "python -m tools.transitions --write"


def test_the_command_says_what_is_stale(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert capsys.readouterr().out == ""


def test_a_table_names_every_state_and_input() -> None:
    first, *_ = table([WaitClientHello, AskSelectConfig])
    assert first.split()[:3] == ["WaitClientHello", "ClientHello", "AskSelectConfig,"]
    text = "\n".join(table([AskSelectConfig]))
    assert "UseConfig" in text
    assert "tls12.AskSignExchange" in text
    assert "tls13.WaitSecondClientHello" in text


def test_a_table_takes_the_place_of_the_one_before() -> None:
    source = '"""What it is."""\n\nx = 1\n'
    once = with_table(source, [AskSelectConfig])
    assert once.startswith(f'"""What it is.\n\n{HEAD}\n\n    AskSelectConfig')
    assert once.endswith('\n"""\n\nx = 1\n')
    assert with_table(once, [AskSelectConfig]) == once
    assert with_table(once.replace("UseConfig", "Nothing"), [AskSelectConfig]) == once
