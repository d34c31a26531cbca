"""Pages of the documentation: their sections, and the Python in them."""

from __future__ import annotations

import re
from typing import Any

from attrs import Factory, field, frozen

from tests.support.command import ROOT


@frozen
class Document:
    """``name`` is that of a file in ``docs/``."""

    name: str
    text: str = field(
        init=False,
        repr=False,
        default=Factory(
            lambda self: (ROOT / "docs" / self.name).read_text(encoding="utf-8"), takes_self=True
        ),
    )

    def section(self, title: str) -> str:
        """The text under a heading, up to the next one of any level."""
        found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)", self.text, re.MULTILINE | re.DOTALL)
        assert found is not None, title
        return found[1]

    def run(self, title: str, names: dict[str, Any]) -> None:
        """The code of a section; its names are added to ``names``."""
        exec(compile(code(self.section(title)), f"docs/{self.name}, {title}", "exec"), names)


def code(text: str) -> str:
    """Its blocks of Python, as one program."""
    return "\n".join(re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
