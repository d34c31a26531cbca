"""The pages of the site that are made of the code: the reference, and what lies outside of ``docs/``.

``docs/conf.py`` has them written before a build, into two folders that are not kept: ``docs/reference``, a page for
each subject of ``help(sansticket)``, for each other public module and for the command line, and ``docs/project``, the
pages of the repository's root.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import sansticket
from sansticket.__main__ import parser
from sansticket.field_docs import FieldDocs, docs_in_metadata
from tests.support.public import PUBLIC, names_of, things
from tools.api import CONSTANTS

ROOT: Final = Path(__file__).parent.parent
SUBJECT: Final = re.compile(r"^([A-Z][A-Za-z]*(?: [A-Za-z]+)?)  +(\S.*(?:\n {16}.*)*)", re.MULTILINE)
"""A subject in the overview of the package: its title, and beside it the names."""

WRAPPERS: Final = (
    *("blocking", "asyncio", "trio", "twisted"),
    *("session_file", "redis", "requests", "ftplib", "monitoring"),
)

OUTSIDE: Final = {
    "README.md": "readme",
    "CONTRIBUTING.md": "contributing",
    "SECURITY.md": "security",
    "CHANGELOG.md": "changelog",
    "benchmarks/README.md": "benchmarks",
    "wrappers/README.md": "wrappers",
}
"""Pages that are not in ``docs/``, and their names in ``docs/project``."""

LINK: Final = re.compile(r"(?<=\]\()([\w./-]+)(?=[#)])")

INDEX: Final = """# Reference

Every public name, by subject, with its fields, their units and ranges, what is raised, and where it comes from:
a section of an RFC or a page of OpenSSL's manual. [What is public](../api.md) is the same as one short list, and
says what that promises.

```{{toctree}}
:maxdepth: 1

{pages}
```
"""


def subjects() -> dict[str, list[str]]:
    """The public names of the package by subject, in the order of its overview."""
    left = set(names_of(sansticket))
    found: dict[str, list[str]] = {}
    for title, text in SUBJECT.findall(sansticket.__doc__ or ""):
        names = dict.fromkeys(name for name in re.findall(r"\w+", text) if name in left)
        left -= names.keys()
        found[title] = list(names)
    return found


def pages() -> dict[str, str]:
    """The reference: the name of each page and its text."""
    made = {_slug(title): "".join(_subject(title, names)) for title, names in subjects().items()}
    first = {name for names in subjects().values() for name in names}
    for module in PUBLIC[1:]:
        names = [
            name for name in names_of(importlib.import_module(module)) if not _is_known(module, name, first)
        ]
        if names:
            made[_slug(module)] = "".join(_module(module, names))
    for wrapper in WRAPPERS:
        module = f"sansticket_wrappers.{wrapper}"
        made[_slug(module)] = "".join(_module(module, defined(module)))
    made["command-line"] = "".join(command_line())
    made["index"] = INDEX.format(pages="\n".join(made))
    return made


def _is_known(module: str, name: str, first: set[str]) -> bool:
    """The same thing under the same name is on a page of the package itself."""
    same = getattr(sansticket, name, None) is getattr(importlib.import_module(module), name)
    return name in first and same


def defined(module: str) -> list[str]:
    """The public names of a module of the wrappers: listed, or else defined there."""
    loaded = importlib.import_module(module)
    listed: list[str] | None = getattr(loaded, "__all__", None)
    if listed is not None:
        return sorted(listed)
    return sorted(
        name
        for name, thing in vars(loaded).items()
        if not name.startswith("_") and getattr(thing, "__module__", None) == module and callable(thing)
    )


def _slug(title: str) -> str:
    return title.lower().replace(" ", "-").replace("_", "-")


def _subject(title: str, names: list[str]) -> Iterator[str]:
    yield f"# {title}\n"
    yield "\n```{eval-rst}\n.. currentmodule:: sansticket\n```\n"
    for name in names:
        yield _entry("sansticket", name)


def _module(module: str, names: list[str]) -> Iterator[str]:
    yield f"# {module}\n"
    yield f"\n```{{eval-rst}}\n.. automodule:: {module}\n   :no-members:\n```\n"
    for name in names:
        yield _entry(module, name)


def _entry(module: str, name: str) -> str:
    """A heading of its own, so that it can be linked and found, and what autodoc has to say."""
    thing: Any = getattr(importlib.import_module(module), name)
    if inspect.isclass(thing):
        what = f".. autoclass:: {module}.{name}\n   :members:\n   :inherited-members: {_ends(thing)}"
    elif inspect.isroutine(thing):
        what = f".. autofunction:: {module}.{name}"
    else:
        words = CONSTANTS.get(name, "").replace("`", "``") or " ".join((inspect.getdoc(thing) or "").split())
        what = f".. py:data:: {module}.{name}\n\n   {words}"
    return f"\n## {name}\n\n```{{eval-rst}}\n{what}\n```\n"


def _ends(thing: type[Any]) -> str:
    """Where inheritance leaves our code: members of those bases are documented elsewhere."""
    foreign = [base.__name__ for base in thing.__mro__ if not base.__module__.startswith("sansticket")]
    return ",".join(dict.fromkeys(foreign))


def listed_fields(owner: type[Any]) -> Iterator[str]:
    """The fields that a class without slots has in its docstring, for Sphinx: each with its type."""
    types = {
        name: text for base in reversed(owner.__mro__) for name, text in inspect.get_annotations(base).items()
    }
    for name, text in docs_in_metadata(owner).items():
        yield from ("", f".. py:attribute:: {name}", f"   :type: {types[name]}", "", f"   {text}")


def read_field_docs() -> None:
    """Those of slots are read when they are first asked for, and Sphinx does not ask."""
    for owner in {base for thing in things().values() if inspect.isclass(thing) for base in thing.__mro__}:
        slots = owner.__dict__.get("__slots__")
        if isinstance(slots, FieldDocs):
            _ = [slots[name] for name in tuple(slots)]


def command_line() -> Iterator[str]:
    """The help of every command, as a terminal shows it."""
    yield "# The command line\n"
    for heading, command in _commands(parser()):
        yield f"\n## {heading}\n\n```text\n{command.format_help()}```\n"


def _commands(top: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    yield top.prog, top
    for action in top._actions:  # argparse has no other way to its commands
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _commands(command)


def outside() -> dict[str, str]:
    """The pages of ``docs/project``: the text of each, its links as they are from there."""
    return {name: _moved(path) for path, name in OUTSIDE.items()}


def _moved(page: str) -> str:
    folder = (ROOT / page).parent

    def moved(found: re.Match[str]) -> str:
        target = (folder / found[1]).resolve()
        path = target.relative_to(ROOT).as_posix()
        if path in OUTSIDE:
            return f"{OUTSIDE[path]}.md"
        return f"../{path.removeprefix('docs/')}" if path.startswith("docs/") else f"../../{path}"

    return LINK.sub(moved, (ROOT / page).read_text(encoding="utf-8"))


def inside(text: str) -> str:
    """A page of ``docs/``, with links to the pages of ``docs/project`` where it has them to the repository."""
    for path, name in OUTSIDE.items():
        text = re.sub(rf"(?<=\]\()\.\./{re.escape(path)}(?=[#)])", f"project/{name}.md", text)
    return text


def write(folder: Path) -> None:
    """Both folders, below that of the documentation; files that say the same already are left alone."""
    for name, made in (("reference", pages()), ("project", outside())):
        (folder / name).mkdir(exist_ok=True)
        for page, text in made.items():
            path = folder / name / f"{page}.md"
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                path.write_text(text, encoding="utf-8")
        for path in set((folder / name).glob("*.md")) - {folder / name / f"{page}.md" for page in made}:
            path.unlink()
