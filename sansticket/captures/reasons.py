"""Why a server may have refused a ticket: what can be seen from outside, the likeliest first.

Our own server says why in its ``ResumptionRecord``.  Of others there is only what went over the wire, what ticket keys
show of the ticket, and where the same ticket was met before in the capture.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import field

from sansticket.codes import PskKeyExchangeMode
from sansticket.crypto.suites import SUITES
from sansticket.debug import words
from sansticket.text import plain, quoted
from sansticket.tickets.keys.protection import KEY_NAME_LENGTH
from sansticket.tickets.session import Session
from sansticket.values import frozen
from sansticket.wire.extensions.resumption import PskKeyExchangeModes
from sansticket.wire.messages.hello import ClientHello

TLS12 = 0x0303

UNKNOWN = (
    "nothing in the capture says why; servers refuse tickets of keys that they do not have (another server, a restart, "
    "a rotation), of another configuration, and those that were used before"
)


@frozen
class Issued:
    """Where a ticket came from.  ``time`` and ``lifetime`` in seconds, ``connection`` counts from 1."""

    connection: int
    ticket: bytes = field(repr=False)
    time: float
    lifetime: int
    server: str
    suite: int | None
    name: str | None

    def __str__(self) -> str:
        return f"a ticket of {words.count(len(self.ticket), 'byte')} for {self.lifetime} s, {key_of(self.ticket)}"


@frozen
class Shown:
    """A ticket that a client offers, and what is known of it.

    ``session`` is what ticket keys found in it, and ``opened`` whether one opens it at all: a program that shares its
    keys may write sessions of its own.  ``binder`` says whether the client proved that it has the secret, None
    where nobody could know; ``before`` in which connection it was shown already.
    """

    version: int
    index: int
    ticket: bytes = field(repr=False)
    session: Session | None
    binder: bool | None
    keys_given: bool
    opened: bool
    issued: Issued | None
    before: int | None

    def __str__(self) -> str:
        parts = [f"ticket {self.index}", words.count(len(self.ticket), "byte"), key_of(self.ticket)]
        if self.issued is not None:
            parts.append(f"issued in connection {self.issued.connection}")
        if self.before is not None:
            parts.append(f"shown in connection {self.before} already")
        if self.session is not None:
            parts.append(
                f"opened: {words.version(self.session.version)}, {words.suite(self.session.cipher_suite)}"
            )
            name = self.session.server_name
            parts.append(f"for {plain(name)}" if name else "without a name")
        elif self.opened:
            parts.append("a key given opens it, and no session that is known here is in it")
        elif self.keys_given:
            parts.append("no key given opens it")
        if self.binder is not None:
            parts.append("its binder is right" if self.binder else "ITS BINDER IS WRONG")
        return ", ".join(parts)


@frozen
class Answer:
    """What the server was asked, and what it chose; ``version`` and ``suite`` are None if there is no ServerHello."""

    hello: ClientHello | None
    version: int | None
    suite: int | None
    name: str | None
    server: str
    time: float
    alert: str


def key_of(ticket: bytes) -> str:
    """How a ticket begins: with most servers that is the name of its key."""
    return f"key {ticket[:KEY_NAME_LENGTH].hex()}"


def likely_reasons(shown: tuple[Shown, ...], answer: Answer) -> Iterator[str]:
    """One line for each, and one that there is none."""
    found = [reason for one in shown for reason in _of_one(one, answer)]
    if answer.alert:
        found.insert(0, f"the server ended the connection: {answer.alert}")
    yield from dict.fromkeys(found) if found else (UNKNOWN,)


def _of_one(shown: Shown, answer: Answer) -> Iterator[str]:
    yield from _of_versions(shown, answer)
    yield from _of_times(shown, answer)
    yield from _of_names(shown, answer)
    if shown.binder is False:
        yield f"the binder of ticket {shown.index} is wrong: the client has another secret than the ticket"
    if shown.before is not None:
        yield f"ticket {shown.index} was shown in connection {shown.before} already; some servers take each but once"
    if shown.keys_given and not shown.opened:
        yield (
            f"no key given opens ticket {shown.index} ({key_of(shown.ticket)}): it was made elsewhere, or its key is "
            "retired"
        )


def _of_versions(shown: Shown, answer: Answer) -> Iterator[str]:
    if answer.version is not None and answer.version != shown.version:
        chosen, own = words.version(answer.version), words.version(shown.version)
        yield f"the server chose {chosen}, and ticket {shown.index} is of {own}"
        return
    suite = shown.session.cipher_suite if shown.session else shown.issued.suite if shown.issued else None
    if suite is not None and answer.suite is not None and suite != answer.suite:
        if shown.version == TLS12:
            yield f"the session has {words.suite(suite)}, and the server chose {words.suite(answer.suite)}"
        elif _hash(suite) != _hash(answer.suite):
            yield f"the session's hash is {_hash(suite)}, and the server chose {words.suite(answer.suite)}"
    modes = answer.hello.find(PskKeyExchangeModes) if answer.hello is not None else None
    if shown.version != TLS12 and (modes is None or PskKeyExchangeMode.PSK_DHE_KE not in modes.modes):
        yield "the client does not offer psk_dhe_ke, and most servers take no other mode"


def _hash(suite: int) -> str:
    return SUITES[suite].hash_name if suite in SUITES else "unknown"


def _of_times(shown: Shown, answer: Answer) -> Iterator[str]:
    if shown.issued is not None and answer.time - shown.issued.time > shown.issued.lifetime:
        age = answer.time - shown.issued.time
        yield f"ticket {shown.index} is {age:.0f} s old and was good for {shown.issued.lifetime} s"
    elif shown.session is not None and answer.time and shown.session.expired(answer.time):
        age = shown.session.age(answer.time)
        yield f"the session in ticket {shown.index} is {age:.0f} s old and was good for {shown.session.lifetime} s"


def _of_names(shown: Shown, answer: Answer) -> Iterator[str]:
    known = shown.session is not None and shown.session.server_name is not None
    name = shown.session.server_name if shown.session is not None and known else None
    if name is None and shown.issued is not None:
        name = shown.issued.name
    if name is not None and name.lower().removesuffix(".") != answer.name:  # OpenSSL keeps names as they came
        asked = quoted(answer.name) if answer.name else "no name"
        yield f"the session is for {quoted(name)}, and the client asks for {asked}"
    if shown.issued is not None and shown.issued.server != answer.server:
        yield (
            f"it was issued by {shown.issued.server} and is shown to {answer.server}: do they share keys, and the "
            "session id context?"
        )
