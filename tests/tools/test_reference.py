"""The pages of the site that are made of the code: every public name is on one of them."""

from __future__ import annotations

import importlib
import re

import pytest

import sansticket
from sansticket.field_docs import FieldDocs
from tests.support import public
from tests.support.command import ROOT
from tools import reference

PAGES = reference.pages()


def entries() -> list[str]:
    return [
        name
        for text in PAGES.values()
        for name in re.findall(r"^\.\. (?:autoclass|autofunction|py:data):: (\S+)$", text, re.MULTILINE)
    ]


def test_every_public_name_has_one_entry() -> None:
    ours = [name for name in entries() if not name.startswith("sansticket_wrappers.")]
    assert len(set(ours)) == len(ours)
    known = {id(reach(name)): name for name in ours}
    missing = [name for name, thing in public.things().items() if id(thing) not in known]
    assert missing == []
    assert {f"sansticket.{name}" for name in public.names_of(sansticket)} <= set(ours)


def reach(name: str) -> object:
    module, _, last = name.rpartition(".")
    return getattr(__import__(module, fromlist=[last]), last)


def test_every_wrapper_has_a_page_with_entries() -> None:
    found = {name.rpartition(".")[0] for name in entries() if name.startswith("sansticket_wrappers.")}
    assert found == {f"sansticket_wrappers.{wrapper}" for wrapper in reference.WRAPPERS}
    folder = ROOT / "wrappers/sansticket_wrappers"
    inside = {
        "__init__",
        "__pycache__",
        "py",
        "answers",
        "farewells",
        "making",
        "times",
        "undecoded",
        "unread",
    }
    there = {path.stem for path in folder.iterdir()} - inside
    assert set(reference.WRAPPERS) == there


@pytest.mark.parametrize("wrapper", reference.WRAPPERS)
def test_every_wrapper_says_what_is_public(wrapper: str) -> None:
    """In ``__all__``; and its classes and functions have docstrings of their own."""
    module = importlib.import_module(f"sansticket_wrappers.{wrapper}")
    assert sorted(module.__all__) == reference.defined(module.__name__)
    things = {name: getattr(module, name) for name in module.__all__}
    docs = {
        name: vars(thing).get("__doc__") if isinstance(thing, type) else thing.__doc__
        for name, thing in things.items()
    }
    assert [name for name, said in docs.items() if not said] == []


def test_every_command_is_on_the_page_of_commands() -> None:
    page = PAGES["command-line"]
    for command in ("demo", "certificates", "ticket-keys make", "ticket-keys rotate", "states"):
        assert f"\n## python -m sansticket {command}\n" in page


def test_fields_of_configs_have_types_and_bounds() -> None:
    lines = list(reference.listed_fields(sansticket.ServerConfig))
    listed = [line.rpartition(" ")[2] for line in lines if line.startswith(".. py:attribute:: ")]
    assert set(listed) == set(public.fields(sansticket.ServerConfig))
    place = lines.index(".. py:attribute:: ticket_lifetime")
    assert lines[place + 1] == "   :type: int"
    assert "From 1 to 604,800." in lines[place + 3]


def test_docs_of_slots_are_read() -> None:
    reference.read_field_docs()
    slots = sansticket.ResolveTicket.__dict__["__slots__"]
    assert isinstance(slots, FieldDocs)
    assert all(dict.values(slots))


@pytest.mark.parametrize("page", [*reference.OUTSIDE, "docs"])
def test_links_lead_to_files_that_are_there(page: str) -> None:
    """As in the repository, so from where the site has its pages."""
    if page == "docs":
        texts = {
            path: reference.inside(path.read_text(encoding="utf-8")) for path in (ROOT / "docs").glob("*.md")
        }
    else:
        texts = {
            ROOT / "docs/project" / f"{reference.OUTSIDE[page]}.md": reference.outside()[
                reference.OUTSIDE[page]
            ]
        }
    made = {f"docs/project/{name}.md" for name in reference.OUTSIDE.values()}
    made |= {f"docs/reference/{name}.md" for name in PAGES}
    for path, text in texts.items():
        for target in reference.LINK.findall(text):
            found = (path.parent / target).resolve()
            assert found.exists() or found.relative_to(ROOT).as_posix() in made, (path, target)


def test_a_link_from_the_root_is_moved() -> None:
    pages = reference.outside()
    assert "](../wrappers.md)" in pages["readme"]
    assert "](contributing.md)" in pages["readme"]
    assert (
        reference.inside("[x](../SECURITY.md#y) [z](fleet.md)") == "[x](project/security.md#y) [z](fleet.md)"
    )
