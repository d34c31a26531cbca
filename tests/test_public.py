"""The public face: what tools see is what the interpreter sees, and all of it is documented."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import pydoc
import re
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import attrs
import pytest

import sansticket
from sansticket.commands import AbortHandshake
from sansticket.config.checks import InRange
from sansticket.debug.states import SIDES, reachable
from sansticket.errors import ConfigError
from sansticket.field_docs import FieldDocs, docs_below_fields
from sansticket.handshake.machine.state import Asking
from sansticket.handshake.machine.transitions import accepted_by
from tests.support import public
from tools import api

CLASSES = public.classes()


def source_of(module: str) -> ast.Module:
    file = importlib.import_module(module).__file__
    assert file is not None
    return ast.parse(Path(file).read_text(encoding="utf-8"))


def seen_by_tools(tree: ast.Module) -> set[str]:
    """What a type checker takes for exported: what ``__all__`` lists, or else what is imported as itself."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    for_tools = [node for node in tree.body if isinstance(node, ast.If)]  # if TYPE_CHECKING: the rest is else
    body = [*tree.body, *(node for branch in for_tools for node in branch.body)]
    imports = [node for node in body if isinstance(node, ast.ImportFrom)]
    return {alias.name for node in imports for alias in node.names if alias.asname == alias.name}


# --- what is public ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", public.PUBLIC)
def test_tools_see_what_the_interpreter_sees(name: str) -> None:
    module = importlib.import_module(name)
    seen = seen_by_tools(source_of(name))
    assert seen == set(public.names_of(module))
    assert all(hasattr(module, public_name) for public_name in seen)


def test_the_events_and_commands_are_all_there() -> None:
    for module in (sansticket.events, sansticket.commands):
        inside = [one.name for one in pkgutil.iter_modules(module.__path__)]
        sources = [source_of(f"{module.__name__}.{name}") for name in inside]
        defined = {node.name for tree in sources for node in tree.body if isinstance(node, ast.ClassDef)}
        assert set(module.__all__) == defined
        assert defined <= set(public.names_of(sansticket))


def test_the_page_is_current() -> None:
    assert api.PAGE.read_text(encoding="utf-8") == api.page(), "python -m tools.api --write"


# --- what help() says --------------------------------------------------------------------------------------------


def shown(thing: object) -> str:
    return pydoc.plain(pydoc.render_doc(thing))


def test_the_overview_fits_on_three_screens() -> None:
    lines = shown(sansticket).splitlines()
    assert len(lines) <= 100
    lines.remove(f"    {sansticket.__file__}")  # where it is installed is not ours to choose
    widest = max(map(len, lines))
    assert widest <= 100


def test_the_overview_names_everything() -> None:
    assert sansticket.__doc__ is not None
    words = set(re.findall(r"\w+", sansticket.__doc__))
    assert set(public.names_of(sansticket)) <= words


def test_the_overview_says_which_modules_are_public() -> None:
    text = " ".join((sansticket.__doc__ or "").split())
    said = re.search(r"Public are these, and what sansticket(.*) list in their __all__", text)
    assert said is not None
    named = {f"sansticket{name}" for name in re.findall(r"\.[\w.]*\w", said[1])}
    assert named == {*public.PUBLIC} - {"sansticket"}


def test_the_overview_has_the_answers_of_each_question() -> None:
    text = " ".join((sansticket.__doc__ or "").split())
    states = {state for side in SIDES for state in reachable(side) if issubclass(state, Asking)}
    answers: dict[str, set[str]] = {}
    for state in states:
        kinds = {kind.__name__ for kind in accepted_by(state) if kind is not AbortHandshake}
        answers.setdefault(state.QUESTION.__name__, set()).update(kinds)
    said = {
        question: set(names.split(", "))
        for question, names in re.findall(r"(\w+): ((?:\w+, )*\w+)(?:;| Commands)", text)
    }
    assert said == answers


@pytest.mark.parametrize("name", CLASSES)
def test_help_shows_every_field_with_its_docs(name: str) -> None:
    """In a paragraph of its own, or in the docstring of the class."""
    owner = CLASSES[name]
    text = shown(owner)
    for field in public.fields(owner):
        docs = public.docs_of(owner, field)
        if docs:
            described = re.search(rf"^ \|  +{field}\n((?: \|      .*\n)+)", text, re.MULTILINE)
            assert described is not None, field
            said = re.sub(r"^ \|", "", described[1], flags=re.MULTILINE)
            words = said.split()
            assert words[: len(docs.split())] == docs.split()
            assert " ".join(words[len(docs.split()) :]) == bounds_in_words(owner, field)
        else:
            declaring = next(base for base in owner.__mro__ if field in inspect.get_annotations(base))
            assert f"``{field}" in (declaring.__doc__ or ""), f"{name}.{field} is not documented"


def bounds_in_words(owner: type[Any], name: str) -> str:
    """What ``help`` adds to the docs of a number: the bounds that its validator has, found by trying."""
    validator = attrs.fields_dict(owner)[name].validator if attrs.has(owner) else None
    if not isinstance(validator, InRange):
        return ""
    for value, fits in (
        (validator.low, True),
        (validator.low - 1, False),
        (validator.high, True),
        (validator.high + 1, False),
    ):
        with nullcontext() if fits else pytest.raises(ConfigError, match=name):
            validator(None, attrs.fields_dict(owner)[name], value)
    return f"From {validator.low:,} to {validator.high:,}."


def test_events_and_commands_document_each_field() -> None:
    for module in (sansticket.events, sansticket.commands):
        for name in module.__all__:
            owner = getattr(module, name)
            assert all(public.docs_of(owner, field) for field in public.fields(owner)), name


def test_configs_document_each_field() -> None:
    for owner in (sansticket.ClientConfig, sansticket.ServerConfig):
        assert all(public.docs_of(owner, field) for field in public.fields(owner)), owner


def test_every_public_thing_has_docs() -> None:
    """100 %: classes, functions, methods, properties.  What cannot have any has its words on the page."""
    bare = [
        name
        for name, thing in public.things().items()
        if callable(thing) and name.rpartition(".")[2] not in api.CONSTANTS and not _documented(thing)
    ]
    bare += [
        name
        for owner in CLASSES.values()
        for name, member in public.members(owner)
        if not inspect.getdoc(member)
    ]
    assert sorted(set(bare)) == []


def _documented(thing: Any) -> bool:
    """In its own words: attrs and dataclasses write a signature where there are none."""
    docs = getattr(thing, "__doc__", None)  # a class does not inherit it
    return bool(docs) and not docs.startswith(f"{getattr(thing, '__name__', '')}(")


# --- how the docs of fields come about ---------------------------------------------------------------------------


def test_an_import_does_not_read_the_sources() -> None:
    program = (
        "import sansticket; from sansticket.field_docs import FieldDocs\n"
        "slots = sansticket.DataReceived.__dict__['__slots__']\n"
        "assert type(slots) is FieldDocs, slots\n"
        "assert set(dict.values(slots)) == {None}\n"
        "assert slots['data'] == 'What came, in order.', slots['data']\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60, cwd=api.PAGE.parent.parent)


def test_without_the_source_there_are_no_docs_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(thing: object) -> str:
        raise OSError("could not get source code")

    monkeypatch.setattr(inspect, "getsource", gone)
    assert docs_below_fields(sansticket.DataReceived) == {}
    docs = FieldDocs(sansticket.DataReceived, ("data",))
    assert docs["data"] is None


def test_what_stands_below_a_field() -> None:
    docs = docs_below_fields(sansticket.Check)
    assert docs["name"].startswith("What was tested")
    assert set(docs) == {"name", "passed", "detail"}
