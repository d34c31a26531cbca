"""Pages of the documentation: their sections, and the Python in them."""

from __future__ import annotations

import builtins
import dis
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from types import CodeType
from typing import Any
from unittest.mock import patch

from attrs import Factory, field, frozen

from sansticket.testing import PrivateAuthority
from tests.support.certificates import authority
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
        """The code of a section; its names are added to ``names``.  Certificates are of the authority of the tests."""
        with known_authority():
            exec(
                compile(code(self.section(title)), f"docs/{self.name}, {title}", "exec", dont_inherit=True),
                names,
            )


def code(text: str) -> str:
    """Its blocks of Python, as one program."""
    return "\n".join(re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))


def known_authority() -> AbstractContextManager[object]:
    """Meanwhile a private authority that is made is that of the tests, which their peers trust."""
    known = PrivateAuthority(authority().certificate, authority().key)
    return patch.object(PrivateAuthority, "make", staticmethod(lambda **_: known))


def blocks(text: str) -> Iterator[tuple[str, int, str]]:
    """(heading, line, code) of each block of Python."""
    heading = ""
    for found in re.finditer(r"^#+ ([^\n]*)$|^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if found[2] is None:
            heading = found[1]
        else:
            yield heading, text.count("\n", 0, found.start(2)) + 1, found[2]


def undefined(program: str) -> set[str]:
    """The global names that a program uses, in its functions too, and never sets: it does not stand alone."""
    top = compile(program, "program", "exec", dont_inherit=True)
    set_there: set[str] = set()
    used: set[str] = set()
    waiting = [top]
    while waiting:
        code = waiting.pop()
        waiting += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
        for instruction in dis.get_instructions(code):
            if instruction.opname == "STORE_NAME" and code is top:
                set_there.add(instruction.argval)
            elif instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"):
                used.add(instruction.argval)
    return {name for name in used - set_there if not hasattr(builtins, name) and not name.startswith("__")}
