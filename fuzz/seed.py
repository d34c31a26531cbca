"""Makes seeds from the conversations of ``fuzz.world``: ``python -m fuzz.seed folder`` writes them to look at.

Every seed is something real: a message, a stream of records, a session, a certificate.  The runner makes them anew
each time, so that they are what the present code says and understands; ``fuzz/corpus`` keeps what was found since.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from attrs import evolve

from fuzz.packets import LINK_NAMES, Talk, pcap, pcapng
from fuzz.script import OPERATIONS, step
from fuzz.world import (
    CONVERSATIONS,
    NAME,
    SIDES,
    Conversation,
    Side,
    client_config,
    converse,
    credential,
    place_number,
    places,
    root,
    server_config,
    staple,
)
from sansticket.commands import Command
from sansticket.connection.engine import Engine
from sansticket.events import TicketIssued, TicketReceived
from sansticket.handshake.machine.state import State
from sansticket.handshake.machine.transitions import Input, name_of
from sansticket.replays.recorder import record_client, record_server
from sansticket.tickets.keys.go.codec import GoCodec
from sansticket.tickets.keys.openssl import OpenSSLTicketKey
from sansticket.tickets.keys.programs.layouts import PROGRAMS, write_files
from sansticket.tickets.session import Session
from sansticket.tickets.stores.revocations import Revocations
from sansticket.tickets.stores.spent import SpentSession
from sansticket.tickets.stores.uses import TicketUse
from sansticket.wire.messages.tables import MESSAGES_OF_TLS12, MESSAGES_OF_TLS13

HANDSHAKE: Final = 0
ANSWER: Final = 1
"""The numbers of the operations that send a handshake record, and that answer."""


class _Client(Engine):
    """Notes the messages it is given, and the state in which it was."""

    __slots__ = ()

    def step(self, item: Input, raw: bytes = b"") -> bool:
        if raw:
            _taken.append((type(self), type(self.state), raw))
        return super().step(item, raw)


class _Server(_Client):
    __slots__ = ()


_taken: list[tuple[type[Engine], type[State], bytes]] = []


class Seeds:
    """``contents`` by target and name; each content once."""

    def __init__(self) -> None:
        self.contents: dict[str, dict[str, bytes]] = {}
        for conversation in CONVERSATIONS:
            self._add_messages(conversation)
            self._add_streams(conversation)
        self._add_scripts()
        self._add_handovers()
        self._add_key_files()
        self._add_certificates()
        self.add("ocsp_response", "good", staple())
        self._add_revocations()
        self._add_captures()
        self._add_replays()
        self._add_spent_sessions()
        self._add_offers()

    def add(self, target: str, name: str, data: bytes) -> None:
        known = self.contents.setdefault(target, {})
        if data not in known.values():
            known[name] = data

    def write(self, folder: Path) -> None:
        """One folder for each target, one file for each seed."""
        for target, contents in self.contents.items():
            (folder / target).mkdir(parents=True, exist_ok=True)
            for name, data in contents.items():
                (folder / target / name).write_bytes(data)

    def _add_messages(self, conversation: Conversation) -> None:
        """Every message: to its decoder, and to whom it was meant for, in that state.  And the sessions made."""
        client, server = conversation.open()
        client._engine.__class__, server._engine.__class__ = _Client, _Server
        _taken.clear()
        sessions: list[Session] = []
        for _, _, events in converse(client, server, conversation.talk):
            sessions += [
                event.session for event in events if isinstance(event, TicketIssued | TicketReceived)
            ]
        tls12 = conversation.name.endswith("12")
        table = sorted(MESSAGES_OF_TLS12 if tls12 else MESSAGES_OF_TLS13)
        for number, (kind, state, raw) in enumerate(_taken):
            side: Side = "client" if kind is _Client else "server"
            name = f"{conversation.name}-{number:02}-{name_of(state)}"
            if raw[0] in table:
                self.add(
                    "messages_tls12" if tls12 else "messages", name, bytes((table.index(raw[0]),)) + raw[4:]
                )
            place = place_number(side, (conversation.name, name_of(state)))
            self.add(f"{side}_messages", name, bytes((place,)) + step(HANDSHAKE, raw) + step(ANSWER))
        for number, session in enumerate(sessions[:3]):
            self.add("session", f"{conversation.name}-{number}", session.to_bytes())
            self.add("openssl_session", f"{conversation.name}-{number}-der", session.to_openssl_der())
            self.add("openssl_session", f"{conversation.name}-{number}-pem", session.to_openssl_pem())
            self.add("go_session", f"{conversation.name}-{number}", GoCodec().encode(session))

    def _add_streams(self, conversation: Conversation) -> None:
        """What each side gets, from the beginning to the end."""
        streams: dict[Side, bytes] = {"client": b"", "server": b""}
        for side, item, _ in converse(*conversation.open(), conversation.talk):
            if not isinstance(item, Command):
                streams[side] += item
        for side in SIDES:
            first = next(iter(state for name, state in places(side) if name == conversation.name))
            place = place_number(side, (conversation.name, first))
            self.add(f"{side}_bytes", conversation.name, bytes((place, 7, 1)) + streams[side])

    def _add_scripts(self) -> None:
        """Every operation in every state in which the application has something to say."""
        everything = b"".join(step(number, b"\1\0") for number in range(1, len(OPERATIONS) - 2))
        for side in SIDES:
            for (name, state), connection in places(side).items():
                if connection.cipher_suite is not None or connection.pending is not None:
                    place = place_number(side, (name, state))
                    self.add(f"{side}_messages", f"script-{name}-{state}", bytes((place,)) + everything)

    def _add_handovers(self) -> None:
        """A connection that is up, of each conversation: its fields, behind a byte for the side."""
        for side in SIDES:
            for (name, state), connection in places(side).items():
                if connection._engine.state.ESTABLISHED and connection.pending is None:
                    fields = connection.fork().export().to_bytes()[10:-32]
                    self.add("handover", f"{name}-{state}", bytes((side == "server",)) + fields)

    def _add_key_files(self) -> None:
        """Each program's, with as many keys as it needs, of the size that it has."""
        for program in PROGRAMS:
            size = 16 if program in ("node", "traffic_server") else 32
            numbers = range(1, 4) if program == "haproxy" else (1,)
            keys = [OpenSSLTicketKey(bytes((number,)) * 16, bytes(size), bytes(size)) for number in numbers]
            self.add("key_files", program, write_files(program, tuple(keys))[0])

    def _add_spent_sessions(self) -> None:
        use = TicketUse(
            at=1_700_000_000.5,
            version=0x0304,
            family=bytes(range(16)),
            generation=2,
            server_name="server.example",
            alpn_protocol=b"h2",
            client_random=bytes(range(32)),
            hello=bytes(range(16, 32)),
        )
        spent = SpentSession(bytes(range(32)), use, 0x1301, bytes(range(32, 64)), 1_700_000_000)
        self.add("spent_session", "all", spent.to_bytes())
        bare = evolve(use, family=b"", generation=0, server_name=None, alpn_protocol=None)
        self.add("spent_session", "bare", evolve(spent, session_id=b"i", use=bare).to_bytes())

    def _add_revocations(self) -> None:
        """None, some, and what is left when they were forgotten."""
        revocations = Revocations()
        self.add("revocations", "none", revocations.to_bytes())
        revocations.revoke_family(bytes(16), 1_700_000_000)
        revocations.revoke_subject(b"alice", 1_700_000_060)
        revocations.revoke_key(bytes(16))
        self.add("revocations", "some", revocations.to_bytes())
        revocations.forget(1_800_000_000)
        self.add("revocations", "floor", revocations.to_bytes())

    def _add_captures(self) -> None:
        """Each conversation in packets, and the first bytes of one as people write them down."""
        forms = (pcap, pcapng)
        for number, conversation in enumerate(CONVERSATIONS):
            talk = Talk(link=LINK_NAMES[number % len(LINK_NAMES)])
            talk.open()
            for side, item, _ in converse(*conversation.open(), conversation.talk[:2]):
                if not isinstance(item, Command):
                    talk.say("server" if side == "client" else "client", item)
            self.add("captures", conversation.name, forms[number % 2](talk.packets))
        hello = CONVERSATIONS[0].open()[0].data_to_send()[:64]
        self.add("captures", "hex", b"> " + hello.hex(" ").encode() + b" # a hello\n")
        rows = [f"{at:08x}: {hello[at : at + 16].hex(' ', 2)}  ..\n" for at in range(0, 64, 16)]
        self.add("captures", "xxd", "".join(rows).encode())

    def _add_replays(self) -> None:
        """The first flights of some conversations, from either side."""
        for conversation in CONVERSATIONS[:6]:
            client = record_client(client_config(**conversation.client), NAME)
            server = record_server(server_config(**conversation.server))
            for sender, receiver in ((client, server), (server, client), (client, server)):
                if data := sender.data_to_send():
                    receiver.receive_data(data)
            for recorded in (client, server):
                recording = recorded.recording
                self.add("replays", f"{conversation.name}-{recording.side}", recording.to_bytes())
                name = f"{conversation.name}-{recording.side}-stripped"
                self.add("replays", name, recording.without_secrets().to_bytes())

    def _add_offers(self) -> None:
        """Sessions and PSKs, shown and answered: each alone, several, with a wrong binder, and with early data."""
        script = step(2, b"data") + step(7, b"data")
        for key in range(6):
            for how in range(4):
                self.add("server_psks", f"key-{key}-{how}", bytes((0, 1, 1, key, how, 0)) + script)
                early = bytes((1, key, how, 0, 0, 5, 1, 5, 2, 0, 3, 9))
                self.add("server_early_data", f"key-{key}-{how}", early)
        for how, modes in ((0, 0), (2, 2), (2, 1), (4, 1), (0, 4), (1, 1)):
            self.add("server_psks", f"modes-{how}-{modes}", bytes((how, modes, 3, 5, 0, 0, 2, 0, 0, 0, 0, 9)))
        for selected in range(4):
            for extensions in (0, 1, 0x80, 0x81, 0x83):
                name, end = f"{selected}-{extensions}", bytes((selected, 0, 0, extensions)) + script
                self.add("client_psks", name, bytes((3,)) + end)
                self.add("client_early_data", name, bytes((100,)) + end)

    def _add_certificates(self) -> None:
        for how in range(4):
            for name, der in (
                ("leaf", credential("client" if how & 2 else "server").chain[0]),
                ("root", root()),
            ):
                self.add("certificate", f"{name}-{how}", bytes((how,)) + der)


def main(folder: str) -> None:
    seeds = Seeds()
    seeds.write(Path(folder))
    for target, contents in sorted(seeds.contents.items()):
        print(f"{target:18} {len(contents):3} seeds, {sum(map(len, contents.values()))} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
