"""The package keeps its architecture, and the reader that says so would notice if it did not."""

from pathlib import Path

import pytest

from tests.support.architecture import (
    AROUND,
    VERSIONS_ARE_KNOWN,
    complaints,
    complaints_around,
    parse,
    read_package,
)

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "sansticket"


def test_the_package_keeps_its_architecture() -> None:
    assert complaints(read_package(PACKAGE)) == []


@pytest.mark.parametrize("folder", AROUND)
def test_what_is_around_the_package_is_read_as_easily(folder: str) -> None:
    modules = read_package(ROOT / folder)
    assert len(modules) == len(list((ROOT / folder).rglob("*.py"))) > 1
    assert complaints_around(modules, whole_folders=folder.startswith("wrappers")) == []


def test_what_is_around_the_package_is_judged() -> None:
    modules = [parse(f"twisted.{letter}", "import socket") for letter in "abcdefghijklm"]
    assert complaints_around(modules) == []
    assert complaints_around(modules, whole_folders=True) == [
        "twisted:1 has 13 files; at most 12 are found at a glance"
    ]
    long = "class Floor12:\n    def long() -> None:\n" + "        pass\n" * 40
    assert complaints_around([parse("floor", long)]) == [
        "floor:1 has a digit in the name Floor12",
        "floor:2 long has 41 lines; at most 40 fit on a screen",
    ]


def test_every_module_is_read() -> None:
    names = {module.name for module in read_package(PACKAGE)}
    assert {"__init__", "errors", "wire", "codes"} <= names
    assert len(names) == len(list(PACKAGE.rglob("*.py")))


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("wire.messages", "from sansticket.record.reader import RecordReader"),
        ("wire.messages", "import sansticket.connection"),
        ("wire.messages", "from sansticket import keys"),
        ("wire.messages", "from .. import keys"),
        ("wire.messages", "from ..keys.tls13 import EarlySecret"),
        ("crypto.hkdf", "from sansticket.record import reader"),
        ("keys.transcript", "def f() -> None:\n    from sansticket.tickets.session import Session"),
        ("tickets.session", "if TYPE_CHECKING:\n    from sansticket.events import Event"),
        ("handshake.server.start", "from sansticket.connection import ServerConnection"),
        ("handshake.server.search", "from sansticket.handshake.server.tls13.flight import AskSign"),
        ("handshake.server.search", "from sansticket.handshake.server.tls12 import rules"),
        ("config.base", "from sansticket.handshake import machine"),
        ("connection.engine", "from sansticket.debug import trace"),
        ("record.reader", "from sansticket import ServerConnection"),
        ("codes", "from sansticket.wire import messages"),
        ("errors", "from sansticket.wire.messages import Finished"),
        ("wire", "from ..connection import ServerConnection"),
    ],
)
def test_an_import_that_points_up_is_found(name: str, source: str) -> None:
    (complaint,) = complaints([parse(name, source, is_package="." not in name and name == "wire")])
    assert "imports point down" in complaint


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("connection", "from sansticket.handshake import machine\nfrom sansticket.codes import Alert"),
        ("handshake.server.start", "from sansticket.events import Event\nfrom .. import machine"),
        ("config.base", "from sansticket.commands import Command\nfrom sansticket.events import Event"),
        ("record.reader", "from sansticket.crypto.suites import TrafficKeys\nfrom ..errors import Fault"),
        ("errors", "from sansticket.codes import AlertDescription"),
        ("wire.messages", "from .extensions import Extension\nfrom ..errors import Fault"),
        ("__main__", "from sansticket import ServerConnection\nfrom sansticket.debug import ladder"),
        ("__init__", "from .connection import ServerConnection\nfrom .front_doors import front_door"),
        ("front_doors", "from importlib import import_module\nfrom .field_docs import show_field_docs"),
        ("adapters.context", "import ssl\nfrom sansticket.connection import ClientConnection"),
        (
            "tickets.stores.cache",
            "import threading\nimport struct\nfrom datetime import datetime, timedelta, UTC",
        ),
        ("tickets.session", "when = datetime.fromtimestamp(0, UTC)"),
    ],
)
def test_what_is_allowed_is_let_through(name: str, source: str) -> None:
    assert complaints([parse(name, source)]) == []


@pytest.mark.parametrize("module", ["socket", "ssl", "asyncio", "selectors", "select"])
@pytest.mark.parametrize(
    "source", ["import {}", "import {}.inner as x", "from {} import thing", "def f():\n    import {}"]
)
def test_sockets_tls_and_loops_are_found(module: str, source: str) -> None:
    for name in ("connection.engine", "handshake.machine.state", "__main__", "config.base"):
        (complaint,) = complaints([parse(name, source.format(module))])
        assert "no sockets, TLS or event loops" in complaint


def test_adapters_may_import_ssl_but_not_sockets() -> None:
    (complaint,) = complaints([parse("adapters.context", "import ssl\nimport socket")])
    assert complaint == "adapters.context:2 imports socket: no sockets, TLS or event loops here"


@pytest.mark.parametrize(
    "source", ["import OpenSSL", "from OpenSSL import crypto", "import redis", "import pytest"]
)
def test_other_libraries_are_found(source: str) -> None:
    (complaint,) = complaints([parse("crypto.verification", source)])
    assert "the package needs no such library" in complaint
    assert len(complaints([parse("verifiers.pyopenssl", source)])) == ("OpenSSL" not in source)


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "from time import monotonic",
        "import random",
        "from secrets import token_bytes",
        "import os\nkey = os.urandom(32)",
        "import os as system\nkey = system.getrandom(32)",
        "from os import urandom as entropy",
        "import datetime\nnow = datetime.datetime.now()",
        "import datetime as dt\nnow = dt.datetime.now(dt.UTC)",
        "from datetime import datetime as d\nclock = d.utcnow",
        "from datetime import date\ntoday = date.today()",
        "import uuid",
    ],
)
def test_the_clock_and_randomness_are_found(source: str) -> None:
    found = complaints([parse("tickets.keys.ring", source)])
    assert found
    assert all("the clock and randomness are handed in" in complaint for complaint in found)


def test_config_may_name_the_clock_and_randomness_but_not_call_them() -> None:
    defaults = "import os\nimport time\nentropy = field(default=os.urandom)\nclock = field(default=time.time)"
    assert complaints([parse("config.base", defaults)]) == []
    (complaint,) = complaints([parse("config.base", defaults + "\nmade_at = time.time()")])
    assert complaint == "config.base:5 calls time.time: config may only name it as a default"


@pytest.mark.parametrize(
    "source",
    [
        "__import__('socket')",
        "import importlib\nimportlib.import_module('socket')",
        "from importlib import util",
    ],
)
def test_hidden_imports_are_found(source: str) -> None:
    assert "cannot be seen" in complaints([parse("keys.transcript", source)])[0]


def test_a_module_without_a_place_in_the_architecture_is_found() -> None:
    (complaint,) = complaints([parse("basement", "from sansticket.errors import Fault")])
    assert complaint == "basement:1 has no place in the architecture"


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("handshake.server.tls13.hello", "from sansticket.handshake.server.tls12 import flight"),
        ("handshake.tls12.keys", "from sansticket.handshake.tls13.finished import finished_message"),
        ("handshake.server.start", "from sansticket.handshake.client.offer import Offer"),
        ("handshake.client.tls12.flight", "def f() -> None:\n    import sansticket.handshake.server.policy"),
    ],
)
def test_an_import_across_sides_or_versions_is_found(name: str, source: str) -> None:
    (complaint,) = complaints([parse(name, source)])
    assert "are kept apart" in complaint


def test_what_is_common_may_know_both_versions() -> None:
    source = "from sansticket.handshake.client.tls12 import hello\nfrom sansticket.handshake.client.tls13 import hello"
    assert complaints([parse("handshake.client.wait", source)]) == []


def test_modules_that_need_each_other_are_found() -> None:
    modules = [
        parse("record.reader", "from sansticket.record.writer import RecordWriter"),
        parse("record.writer", "from sansticket.record import buffers"),
        parse("record.buffers", "def late() -> None:\n    from sansticket.record.reader import RecordReader"),
        parse("record.protection", "from sansticket.record.reader import RecordReader"),
    ]
    found = complaints(modules)
    assert len(found) == 3
    assert "record.reader:1 is in a circle with record.writer" in found


@pytest.mark.parametrize(
    ("name", "source", "found"),
    [
        ("record.sealer13", "", "record.sealer13"),
        ("record.reader", "class Sealer13:\n    pass", "Sealer13"),
        ("handshake.client.tls12.flight2", "", "handshake.client.tls12.flight2"),
    ],
)
def test_a_digit_in_a_name_is_found(name: str, source: str, found: str) -> None:
    (complaint,) = complaints([parse(name, source)])
    assert complaint.endswith(f"has a digit in the name {found}")


@pytest.mark.parametrize(
    ("name", "source"), [("keys.tls13", ""), ("crypto.groups", "class X25519:\n    pass")]
)
def test_digits_of_a_registry_are_names(name: str, source: str) -> None:
    assert complaints([parse(name, source)]) == []


def test_what_is_too_long_is_found() -> None:
    function = "def long() -> None:\n" + "    pass\n" * 40
    (complaint,) = complaints([parse("record.reader", function)])
    assert complaint == "record.reader:1 long has 41 lines; at most 40 fit on a screen"
    (complaint,) = complaints([parse("record.reader", "pass\n" * 451)])
    assert complaint == "record.reader:1 has 451 lines; at most 450 are read in one go"


def test_a_folder_with_too_many_files_is_found() -> None:
    modules = [parse(f"wire.{letter}", "") for letter in "abcdefghijklm"]
    assert complaints([*modules, parse("wire", "", is_package=True)]) == [
        "wire:1 has 13 files; at most 12 are found at a glance"
    ]


@pytest.mark.parametrize(
    "source",
    [
        "if session.version == TLS12: pass",
        "x = 1 if version >= ProtocolVersion.TLS_1_3 else 2",
        "def f() -> bool:\n    return TLS13 in versions",
        "found = state.VERSION is not TLS_1_2",
    ],
)
def test_a_question_about_the_version_is_found(source: str) -> None:
    for name in (
        "connection.engine",
        "handshake.client.sessions",
        "tickets.decision",
        "handshake.server.search",
    ):
        (complaint,) = complaints([parse(name, source)])
        assert "asks which version it is" in complaint
    for name in (
        "config.base",
        "handshake.server.tls12.rules",
        "handshake.common.versions",
        "tickets.session",
    ):
        assert complaints([parse(name, source)]) == []


def test_every_exception_for_versions_is_of_use() -> None:
    modules = [module.name for module in read_package(PACKAGE)]
    for known in VERSIONS_ARE_KNOWN:
        assert any(f"{name}.".startswith(f"{known}.") for name in modules), known
