"""What the pages for developers name is there."""

from __future__ import annotations

import configparser
import re

import pytest

from tests.support.command import ROOT

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
    runs_elsewhere = {"py313", "py312"}  # by the README's command, and by cov
    assert chosen == environments - {".pkg"} - runs_elsewhere, "CI runs every environment"
    assert tox["testenv:cov"]["base_python"].startswith("python3.12,")
