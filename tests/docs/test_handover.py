"""docs/handover.md: its code runs, and its links lead somewhere."""

from __future__ import annotations

import re
from typing import Any, Final

from tests.support.command import ROOT
from tests.support.credentials import anchors, server_credential
from tests.support.documents import Document, code

PAGE: Final = Document("handover.md")


def test_the_example() -> None:
    names: dict[str, Any] = {}
    exec(compile(code(PAGE.text.partition("\n## ")[0]), "docs/handover.md", "exec"), names)
    assert names["try_it"](server_credential(), anchors(), bytes(range(32))) == b"hello"


def test_links_lead_somewhere() -> None:
    for page, anchor in re.findall(r"\]\(([^)#]+)(#[^)]+)?\)", PAGE.text):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        titles = {
            re.sub(r"[^\w -]", "", title).lower().replace(" ", "-")
            for title in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        }
        assert not anchor or anchor[1:] in titles
