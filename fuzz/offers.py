"""What offers of sessions and external PSKs are made of: hellos with binders right and wrong, and answers to hellos.

A few bytes say all of it, so that a fuzzer changes one thing at a time, and binders, keys and Finished still fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from attrs import evolve, frozen

from fuzz.checks import as_the_peer
from fuzz.world import (
    CONVERSATIONS,
    EARLY_DATA,
    NAME,
    Connection,
    client_config,
    converse,
    entropy,
    new_server,
    psks,
    server_config,
)
from sansticket.codes import ContentType, PskKeyExchangeMode
from sansticket.connection.client import ClientConnection
from sansticket.connection.server import ServerConnection
from sansticket.crypto.groups import respond
from sansticket.crypto.hkdf import HASH_LENGTHS
from sansticket.crypto.suites import SUITES
from sansticket.events import TicketReceived
from sansticket.keys.tls13 import EarlySecret, binder, finished_mac, traffic_keys
from sansticket.keys.transcript import Transcript
from sansticket.psk import PskRole
from sansticket.record.tls13 import Sealer
from sansticket.tickets.session import Session
from sansticket.wire.extensions.base import Extension
from sansticket.wire.extensions.key_exchange import KeyShareAnswer, KeyShareEntry, KeyShareOffer
from sansticket.wire.extensions.negotiation import ApplicationProtocols, SelectedVersion
from sansticket.wire.extensions.resumption import (
    EarlyData,
    PreSharedKeyOffer,
    PreSharedKeySelection,
    PskIdentity,
    PskKeyExchangeModes,
)
from sansticket.wire.messages.base import Message
from sansticket.wire.messages.hello import ClientHello, ServerHello
from sansticket.wire.messages.tls13 import EncryptedExtensions, Finished

HANDSHAKE: Final = int(ContentType.HANDSHAKE)
DHE, KE = PskKeyExchangeMode.PSK_DHE_KE, PskKeyExchangeMode.PSK_KE
MODES: Final[tuple[tuple[int, ...] | None, ...]] = ((DHE,), (DHE, KE), (KE,), (2, 255), None)
TAKES_BOTH: Final[dict[str, Any]] = {**psks(PskRole.SERVER), **EARLY_DATA}
MOST_IDENTITIES: Final = 12


@frozen
class Key:
    """Something to be offered.  ``session``: there may be early data under it."""

    identity: bytes
    secret: bytes
    hash_name: str
    label: bytes
    session: Session | None = None


@cache
def sessions() -> tuple[Session, ...]:
    """One with early data, made under the config that ``server`` has."""
    client = ClientConnection(client_config(), NAME)
    talk = CONVERSATIONS[0].talk[:1]
    found: list[Session] = []
    for _, _, events in converse(client, ServerConnection(server_config(**TAKES_BOTH)), talk):
        found += [event.session for event in events if isinstance(event, TicketReceived)]
    return tuple(found[:2])


def server() -> ServerConnection:
    return new_server(server_config(**TAKES_BOTH))


@cache
def keys() -> tuple[Key, ...]:
    """Sessions, PSKs, and two that nobody knows."""
    held = [
        Key(one.ticket, one.secret, SUITES[one.cipher_suite].hash_name, b"res binder", one)
        for one in sessions()
    ]
    given = psks(PskRole.CLIENT)["psks"]
    held += [Key(psk.identity, psk.key, psk.hash_name, psk.binder_label) for psk in given]
    damaged = held[0].identity[:-1] + bytes((held[0].identity[-1] ^ 1,))
    return (*held, evolve(held[0], identity=damaged), Key(b"nobody", bytes(32), "sha256", b"ext binder"))


@cache
def honest_hello() -> ClientHello:
    """Of a client that has nothing to offer yet."""
    record = ClientConnection(client_config(), NAME).data_to_send()
    return ClientHello.decode(record[9:])


@frozen
class Offer:
    """A hello, the key of each of its identities, and whether the binder of each is right."""

    raw: bytes
    hello: ClientHello
    keys: tuple[Key, ...]
    right: tuple[bool, ...]

    def early_sealer(self) -> Sealer:
        """For early data under the first identity, whatever it is."""
        first = self.keys[0]
        suite = next(
            one for one in SUITES.values() if one.hash_name == first.hash_name and one.suite >> 8 == 0x13
        )
        if first.session is not None:
            suite = SUITES[first.session.cipher_suite]
        digest = Transcript(first.hash_name, (self.raw,)).digest()
        secret = EarlySecret.from_psk(first.hash_name, first.secret).client_early_traffic(digest)
        return Sealer(suite, traffic_keys(suite, secret))


def offer(how: int, modes: int, chosen: Sequence[tuple[int, int, int]]) -> Offer:
    """``how``: 1 early data, 2 no key share, 4 no signature_algorithms; ``chosen``: key, binder and age of each.

    Of a binder: 0 right, 1 with a bit turned, 2 the one before it, 3 of 48 bytes; an age is in seconds, off by so much.
    """
    held = keys()
    shown = tuple(held[key % len(held)] for key, _, _ in chosen[:MOST_IDENTITIES]) or held[:1]
    hows = [how for _, how, _ in chosen[:MOST_IDENTITIES]] or [0]
    ages = [age for _, _, age in chosen[:MOST_IDENTITIES]] or [0]
    hello = evolve(honest_hello(), extensions=extensions_of(how, modes))
    identities = tuple(
        PskIdentity(key.identity, age_of(key, age)) for key, age in zip(shown, ages, strict=True)
    )
    sizes = [
        48 if one % 4 == 3 else HASH_LENGTHS[key.hash_name] for key, one in zip(shown, hows, strict=True)
    ]
    unbound = PreSharedKeyOffer(identities, tuple(bytes(size) for size in sizes))
    draft = evolve(hello, extensions=(*hello.extensions, unbound)).encode()
    truncated = draft[: -unbound.binders_size]
    binders: list[bytes] = []
    right = []
    for key, one, size in zip(shown, hows, sizes, strict=True):
        proof = EarlySecret.from_psk(key.hash_name, key.secret).binder_key(key.label)
        honest = binder(key.hash_name, proof, Transcript(key.hash_name).digest_of(truncated))
        made = changed_binder(honest, one % 4, size, binders)
        right.append(made == honest)
        binders.append(made)
    bound = PreSharedKeyOffer(identities, tuple(binders))
    whole = evolve(hello, extensions=(*hello.extensions, bound))
    return Offer(whole.encode(), whole, shown, tuple(right))


def extensions_of(how: int, modes: int) -> tuple[Extension, ...]:
    """All but the offer itself."""
    left_out: set[int] = {KeyShareOffer.TYPE} if how & 2 else set()
    if how & 4:
        left_out |= {13}
    kept = [
        one
        for one in honest_hello().extensions
        if one.type not in left_out and one.type != PskKeyExchangeModes.TYPE
    ]
    named = MODES[modes % len(MODES)]
    more: list[Extension] = [] if named is None else [PskKeyExchangeModes(named)]
    return (*kept, *more, *([EarlyData()] if how & 1 else []))


def age_of(key: Key, seconds: int) -> int:
    base = 0 if key.session is None else key.session.age_add
    return (base + 1000 * seconds) & 0xFFFFFFFF


def changed_binder(honest: bytes, how: int, size: int, before: list[bytes]) -> bytes:
    if how == 1:
        return honest[:-1] + bytes((honest[-1] ^ 1,))
    if how == 2 and before and len(before[-1]) == size:
        return before[-1]
    return honest if len(honest) == size else bytes(size)


def chosen_by(data: bytes) -> list[tuple[int, int, int]]:
    """Three bytes for each identity."""
    return [(data[at], data[at + 1], data[at + 2]) for at in range(0, len(data) - 2, 3)]


def plain(raw: bytes) -> bytes:
    """In unprotected records."""
    pieces = [raw[start : start + 2**14] for start in range(0, len(raw), 2**14)]
    return b"".join(b"\x16\x03\x03" + len(piece).to_bytes(2) + piece for piece in pieces)


def server_hello_in(output: bytes) -> ServerHello | None:
    """What a server answered first, if it is no retry."""
    if len(output) < 9 or output[0] != HANDSHAKE or output[5] != ServerHello.TYPE:
        return None
    length = int.from_bytes(output[6:9])
    body = output[9 : 9 + length]
    hello = ServerHello.decode(body) if not body[2:34].startswith(b"\xcf\x21\xad\x74") else None
    return hello if hello is not None and hello.find(SelectedVersion) is not None else None


# --- answers to a client -----------------------------------------------------------------------------------------

SELECTED: Final = (None, 0, 1, 2, 3, 9, 0xFFFF)
ANSWERED_SUITES: Final = (0x1301, 0x1302, 0x1303, 0x1304)


def answer(hello: ClientHello, selected: int, suite: int, share: int) -> bytes:
    """A ServerHello: ``selected`` and ``suite`` are places in their lists; ``share``: 0 right, 1 none, 2 of zeros."""
    extensions: list[Extension] = [SelectedVersion(0x0304)]
    offered = hello.find(KeyShareOffer)
    if share % 3 != 1 and offered is not None and offered.shares:
        entry = offered.shares[0]
        public, _ = respond(entry.group, entry.key_exchange, entropy)
        extensions.append(
            KeyShareAnswer(KeyShareEntry(entry.group, public if share % 3 == 0 else bytes(len(public))))
        )
    number = SELECTED[selected % len(SELECTED)]
    if number is not None:
        extensions.append(PreSharedKeySelection(number))
    chosen = ANSWERED_SUITES[suite % len(ANSWERED_SUITES)]
    return ServerHello(entropy(32), hello.session_id, chosen, tuple(extensions)).encode()


def encrypted_extensions(what: int) -> bytes:
    """1 early data taken, 2 with ALPN, 4 another protocol than was offered."""
    extensions: list[Extension] = [EarlyData()] if what & 1 else []
    if what & 2:
        extensions.append(ApplicationProtocols((b"h3" if what & 4 else b"h2",)))
    return EncryptedExtensions(tuple(extensions)).encode()


def finished_for(client: Connection) -> bytes:
    """The server's Finished that this client waits for; any other bytes where it waits for none."""
    state: Any = client._engine.state
    handshake = getattr(state, "handshake", None)
    traffic = getattr(handshake, "traffic", None)
    if handshake is None or traffic is None:
        return Finished(bytes(32)).encode()
    made: Message = Finished(
        finished_mac(handshake.suite.hash_name, traffic.server, state.transcript.digest())
    )
    return made.encode()


def under_its_keys(client: Connection, raw: bytes) -> bytes:
    return as_the_peer(client, HANDSHAKE, raw)
