"""What the pages for developers name is there."""

from __future__ import annotations

import configparser
import re

import pytest

from tests.support.command import ROOT
from tests.support.left_out import REST

PAGES = ("CONTRIBUTING.md", "SECURITY.md", "README.md", "docs/architecture.md")
FOLDERS = "sansticket|wrappers|tests|tools|docs|examples|benchmarks|fuzz|changes"
PATH = re.compile(rf"`((?:{FOLDERS})/[\w/.]*|\.[\w-]+[\w/.-]*(?:yaml|run)|[A-Z]+\.md)`")


@pytest.mark.parametrize("page", PAGES)
def test_every_path_is_there(page: str) -> None:
    paths = PATH.findall((ROOT / page).read_text(encoding="utf-8"))
    assert paths or page == "SECURITY.md"
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_environment_of_tox_is_there() -> None:
    tox = configparser.RawConfigParser()
    tox.read(ROOT / "tox.ini")
    labels = dict(line.split(" = ") for line in tox["tox"]["labels"].split("\n") if line)
    environments = {section.removeprefix("testenv:") for section in tox.sections() if ":" in section}
    environments |= {"py311", "py312", "py313"}
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        for names in re.findall(r"tox -e ([\w,]+)", text):
            assert set(names.split(",")) <= environments, page
        assert set(re.findall(r"tox -m (\w+)", text)) <= set(labels), page
    chosen = set(labels["ci"].split(", ")) | set(tox["tox"]["env_list"].split(", "))
    elsewhere = {"py313", "py312", "py311"}  # the README's command, cov, and lowest with frameworks
    together = ("interop", "interop-wide", "libraries")
    elsewhere = elsewhere.union(together)
    assert chosen == environments - {".pkg", "thorough"} - elsewhere, "CI runs all but what takes too long"
    assert tox["testenv:peers"]["commands"].split() == [f"{{[testenv:{name}]commands}}" for name in together]
    for name, first in (
        ("cov", "3.12"),
        ("crypto47", "3.12"),
        ("lowest", "3.11"),
        ("frameworks", "3.11"),
        ("tests", "3.13"),
        ("rest", "3.13"),
    ):
        assert tox[f"testenv:{name}"]["base_python"].startswith(f"python{first},")
    by_type_checkers = "tests/typing"
    assert by_type_checkers in tox["testenv:types"]["commands"]
    assert set(ignored(tox, "tests")) == {by_type_checkers, *REST}
    assert set(given(tox, "rest")) == set(REST)
    # No interpreter makes a difference to what they try of the package; the last go through all its states once more.
    again = {path for path in REST if path.endswith(".py")}
    once = {"tests/differential", "tests/docs", "tests/examples", "tests/tools"} | again
    once |= {"tests/accounts", "tests/fuzz", "tests/interop", "tests/mutants", "tests/test_architecture.py"}
    assert again <= set(ignored(tox, "cov"))
    reached = {"tests/resumption", "tests/wire"}  # by others, too
    assert reached <= set(ignored(tox, "cov")) & set(given(tox, "crypto47"))
    assert set(ignored(tox, "lowest")) == {by_type_checkers, *once, *given(tox, "frameworks")}


def ignored(tox: configparser.RawConfigParser, name: str) -> list[str]:
    return re.findall(r"--ignore (\S+)", tox[f"testenv:{name}"]["commands"])


def given(tox: configparser.RawConfigParser, name: str) -> list[str]:
    """The folders that an environment runs."""
    return re.findall(r" (tests/\S+)", tox[f"testenv:{name}"]["commands"])
