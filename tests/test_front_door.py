"""The package itself: every name is there, and loads what it needs when it is asked for."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import sansticket
from tests.support import public


def loaded_by(statement: str) -> set[str]:
    """The modules of the package that are there after a statement, without ``sansticket.``"""
    program = (
        f"{statement}\nimport sys\nprint(*(name for name in sys.modules if name.startswith('sansticket.')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return {name.partition(".")[2] for name in done.stdout.split()}


def rooms_of(statement: str) -> set[str]:
    return {name for name in loaded_by(statement) if not name.rpartition(".")[0]}


def test_the_package_alone_loads_next_to_nothing() -> None:
    assert loaded_by("import sansticket") == {"field_docs", "front_doors", "values"}


@pytest.mark.parametrize(
    ("names", "not_needed"),
    [
        (
            "ClientConfig, ClientConnection",
            (
                "commands.of_servers",
                "config.server",
                "config.tickets",
                "connection.forks",
                "connection.server",
                "events.of_servers",
                "handover",
                "handshake.server",
                "tickets.decision",
                "tickets.keys",
                "tickets.stores.cache",
                "tickets.stores.uses",
            ),
        ),
        ("ServerConfig, ServerConnection", ("handshake.client", "connection.client", "handover")),
        ("AlertDescription", ("commands", "config", "connection", "events", "handshake")),
    ],
)
def test_a_name_loads_what_it_needs(names: str, not_needed: tuple[str, ...]) -> None:
    loaded = loaded_by(f"from sansticket import {names}")
    assert [name for name in loaded if f"{name}.".startswith(tuple(f"{room}." for room in not_needed))] == []


def test_a_client_needs_no_certificates_before_it_has_some() -> None:
    program = (
        "from sansticket import ClientConfig, ClientConnection; import sys\n"
        "print(*{'cryptography.x509', 'cryptography.hazmat.primitives.serialization', 'pickle', 'ipaddress'}"
        ".intersection(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    "package", ["sansticket", "sansticket.commands", "sansticket.config", "sansticket.events"]
)
def test_each_name_comes_from_where_tools_look_for_it(package: str) -> None:
    face = importlib.import_module(package)
    source = ast.parse(Path(str(face.__file__)).read_text(encoding="utf-8"))
    (branch,) = [node for node in source.body if isinstance(node, ast.If)]
    said = {
        alias.name: node.module
        for node in branch.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    homes: dict[str, str] = vars(face)["_HOMES"]
    assert {name: home for home, names in homes.items() for name in names.split()} == said


@pytest.mark.parametrize("room", ["commands", "config", "events"])
def test_a_room_loads_what_it_is_asked_for(room: str) -> None:
    assert loaded_by(f"import sansticket.{room}") == {"field_docs", "front_doors", "values", room}


@pytest.mark.parametrize("room", ["commands", "config", "events"])
def test_a_star_brings_all_of_a_room(room: str) -> None:
    names: dict[str, object] = {}
    exec(f"from sansticket.{room} import *", names)
    face = importlib.import_module(f"sansticket.{room}")
    assert {*face.__all__} <= {*names} & {*dir(face)}


def test_a_star_brings_everything() -> None:
    names: dict[str, object] = {}
    exec("from sansticket import *", names)
    assert {name: names[name] for name in public.names_of(sansticket)} == {
        name: getattr(sansticket, name) for name in public.names_of(sansticket)
    }
    assert not hasattr(sansticket, "__all__")


def test_dir_names_what_is_not_loaded() -> None:
    program = "import sansticket; print(*dir(sansticket))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert {*public.names_of(sansticket), "commands", "config", "events"} <= {*done.stdout.split()}


@pytest.mark.parametrize("room", ["commands", "config", "events"])
def test_public_rooms_are_there_with_the_package(room: str) -> None:
    assert room in rooms_of(f"import sansticket; sansticket.{room}.__all__")


def test_what_is_not_there_is_said() -> None:
    with pytest.raises(AttributeError, match=r"^module 'sansticket' has no attribute 'ClientContext'$"):
        _ = sansticket.ClientContext  # type: ignore[attr-defined]  # there is none
    with pytest.raises(ImportError, match="ClientContext"):
        exec("from sansticket import ClientContext")


def test_what_was_loaded_from_its_room_has_the_docs_of_its_fields() -> None:
    program = (
        "from sansticket.events import DataReceived; import inspect; print(inspect.getdoc(DataReceived.data))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == inspect.getdoc(sansticket.DataReceived.data)
