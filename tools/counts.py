"""What a handshake, a record, an idle connection and an import are made of, counted: no clock has a say in it.

    python -m tools.counts            the numbers, beside those of ``benchmarks/counts.json``
    python -m tools.counts --write    and write them there

A commit that costs calls, objects or classes changes that file, on purpose: ``tests/tools/test_counts.py`` holds that.
Calls are those of the package's own functions, with the ``__init__`` that attrs makes: what the interpreter and
the libraries call is theirs.  Where the interpreters differ (a comprehension is a call in 3.11), it is not counted.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import chain
from pathlib import Path
from types import FrameType
from typing import Any, Final

import sansticket
from sansticket import (
    ClientConfig,
    ClientConnection,
    Connection,
    NamedGroup,
    ProtocolVersion,
    SendData,
    ServerConfig,
    ServerConnection,
    Session,
    TicketReceived,
)
from tests.support.credentials import NOW, anchors, server_credential

FILE: Final = Path(__file__).parents[1] / "benchmarks" / "counts.json"
"""A number for each thing that is counted."""

ROOM: Final = 1.02
"""By which a number may be exceeded, and one more: interpreters and libraries differ a little."""

GAIN: Final = 0.95
"""A number below that is to be written down: what was gained is kept."""

PACKAGE: Final = str(Path(sansticket.__file__).parent)
GENERATED: Final = "<attrs generated"
COMPREHENSIONS: Final = frozenset({"<listcomp>", "<dictcomp>", "<setcomp>"})

VERSIONS: Final = {"TLS 1.3": ProtocolVersion.TLS_1_3, "TLS 1.2": ProtocolVersion.TLS_1_2}
SMALL: Final = bytes(64)
LARGE: Final = bytes(16_384)
CONNECTIONS: Final = 50


def is_ours(frame: FrameType) -> bool:
    code = frame.f_code
    ours = code.co_filename.startswith(PACKAGE) or (
        code.co_filename.startswith(GENERATED) and "sansticket" in code.co_filename
    )
    return ours and code.co_name not in COMPREHENSIONS


class Calls:
    """Counts them for whoever is ``at`` work."""

    def __init__(self) -> None:
        self.of: Counter[str] = Counter()

    def at(self, name: str, work: Callable[[], Any]) -> Any:
        def note(frame: FrameType, event: str, argument: object) -> None:
            if event == "call" and is_ours(frame):
                self.of[name] += 1

        before = sys.getprofile()
        sys.setprofile(note)
        try:
            return work()
        finally:
            sys.setprofile(before)


class Pair:
    """A client and a server of one version, with the configs that they always have."""

    def __init__(self, version: int) -> None:
        groups = [NamedGroup.X25519, NamedGroup.SECP256R1]
        self.client_config = ClientConfig(
            trust_anchors=anchors(), groups=groups, versions=[version], clock=NOW.timestamp
        )
        self.server_config = ServerConfig(
            credentials=[server_credential()], groups=groups, versions=[version], clock=NOW.timestamp
        )

    def connect(self, session: Session | None, calls: Calls) -> tuple[Connection, Connection, list[Session]]:
        """Until both are at rest, and the sessions that the client has then."""
        client: ClientConnection = calls.at(
            "client", lambda: ClientConnection(self.client_config, "server.example", session)
        )
        server: ServerConnection = calls.at("server", lambda: ServerConnection(self.server_config))
        sessions = []
        while data := calls.at("client", client.data_to_send):
            calls.at("server", partial(server.receive_data, data))
            answer = calls.at("server", server.data_to_send)
            if not answer:
                break  # the client has spoken last; an empty read would be the end of the stream
            events = calls.at("client", partial(client.receive_data, answer))
            sessions += [event.session for event in events if isinstance(event, TicketReceived)]
        return client, server, sessions

    def session(self) -> Session:
        """That of a warm pair: what is remembered of the first handshakes is remembered."""
        for _ in range(3):
            *_, sessions = self.connect(None, Calls())
        for _ in range(3):
            self.connect(sessions[0], Calls())
        return sessions[0]


def calls_of_handshakes() -> dict[str, int]:
    """Each side alone, full and resumed."""
    counts = {}
    for name, version in VERSIONS.items():
        pair = Pair(version)
        for kind, session in {"full": None, "resumed": pair.session()}.items():
            calls = Calls()
            pair.connect(session, calls)
            for side, number in sorted(calls.of.items()):
                counts[f"calls, {name} {kind}, {side}"] = number
    return counts


def costs_of_records() -> dict[str, int]:
    """Calls, and bytes that are needed at the same time, of one record that is sent and one that comes."""
    counts = {}
    for name, version in VERSIONS.items():
        client, server, _ = Pair(version).connect(None, Calls())
        for size, data in {"64 bytes": SMALL, "16 KiB": LARGE}.items():
            for _ in range(3):
                _send(client, server, data, Calls())
            calls = Calls()
            peaks = f"peak of KiB, {name} record of {size}"
            counts[f"{peaks}, sender"] = _peak(partial(client.send, SendData(data)))
            counts[f"{peaks}, receiver"] = _peak(partial(server.receive_data, client.data_to_send()))
            _send(client, server, data, calls)
            for side, number in sorted(calls.of.items()):
                counts[f"calls, {name} record of {size}, {side}"] = number
    return counts


def _send(sender: Connection, receiver: Connection, data: bytes, calls: Calls) -> None:
    calls.at("sender", lambda: sender.send(SendData(data)))
    sealed = calls.at("sender", sender.data_to_send)
    calls.at("receiver", lambda: receiver.receive_data(sealed))


def _peak(work: Callable[[], Any]) -> int:
    """KiB that the work needs at most."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        work()
        return -(-(tracemalloc.get_traced_memory()[1] - before) // 1024)
    finally:
        tracemalloc.stop()


def costs_of_idle_connections() -> dict[str, int]:
    """Objects that the garbage collector walks over, and bytes, of a connection at rest."""
    counts = {}
    for name, version in VERSIONS.items():
        pair = Pair(version)
        pair.session()
        for place, side in enumerate(("client", "server")):
            kept: list[Any] = [None] * CONNECTIONS
            gc.collect()
            tracemalloc.start()
            objects, (size, _) = len(gc.get_objects()), tracemalloc.get_traced_memory()
            for index in range(CONNECTIONS):
                kept[index] = pair.connect(None, Calls())[place]
            gc.collect()
            counts[f"objects, idle {name} {side}"] = (len(gc.get_objects()) - objects) // CONNECTIONS
            grown = tracemalloc.get_traced_memory()[0] - size
            counts[f"bytes, idle {name} {side}"] = grown // CONNECTIONS
            tracemalloc.stop()
    return counts


IMPORTS: Final = {
    "import": "import sansticket",
    "import of a client": "from sansticket import ClientConfig, ClientConnection",
    "import of a server": "from sansticket import ServerConfig, ServerConnection",
    "import of everything": "from sansticket import *",
}


def costs_of_imports() -> dict[str, int]:
    """Of what programs begin with."""
    return {name: number for kind in IMPORTS for name, number in costs_of_import(kind).items()}


def costs_of_import(kind: str) -> dict[str, int]:
    """Modules that are loaded, and classes that are made."""
    program = (
        f"import sys\n{IMPORTS[kind]}\n"
        "ours = [module for name, module in sys.modules.items() if name.split('.')[0] == 'sansticket']\n"
        "things = {thing for module in ours for thing in vars(module).values() if isinstance(thing, type)}\n"
        "classes = [one for one in things if one.__module__.split('.')[0] == 'sansticket']\n"
        "print(len(ours), len(classes), sum('__attrs_attrs__' in vars(one) for one in classes))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    modules, classes, made = map(int, done.stdout.split())
    return {f"modules, {kind}": modules, f"classes, {kind}": classes, f"classes of attrs, {kind}": made}


def counted() -> dict[str, int]:
    """All of it."""
    return {
        **calls_of_handshakes(),
        **costs_of_records(),
        **costs_of_idle_connections(),
        **costs_of_imports(),
    }


def known() -> dict[str, int]:
    """What the file says."""
    numbers: dict[str, int] = json.loads(FILE.read_text(encoding="utf-8"))
    return numbers


def complaints(now: dict[str, int], before: dict[str, int]) -> list[str]:
    """What is more than it was, or so much less that it is worth to be kept."""
    found = []
    for name in dict.fromkeys(chain(before, now)):
        if name not in now or name not in before:
            found.append(f"{name}: is counted on one side only")
        elif now[name] > before[name] * ROOM + 1:
            found.append(f"{name}: {now[name]}; {before[name]} before")
        elif now[name] < before[name] * GAIN - 1:
            found.append(f"{name}: {now[name]}, less than {before[name]}; write it down")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="write the numbers down")
    arguments = parser.parse_args()
    now, before = counted(), known() if FILE.exists() else {}
    for name, number in now.items():
        print(f"{number:8,}  {before.get(name, 0):8,}  {name}")
    if arguments.write:
        FILE.write_text(json.dumps(now, indent=2) + "\n", encoding="utf-8")
        return 0
    found = complaints(now, before)
    print(*found, sep="\n")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
