"""Several identities in one ClientHello: which one wins, what is asked, and how many tickets follow.

The rules are stated here a second time, without ``resolve`` (``expected``), and every combination of what two
identities can be with what can be said of them goes through real connections.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Final

import pytest
from attrs import evolve, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from sansticket.codes import AlertDescription, CipherSuite, NamedGroup
from sansticket.commands import ResolveTicket
from sansticket.config.server import ServerConfig
from sansticket.errors import Reason
from sansticket.events import ConnectionTerminated, DecideTicket, HandshakeCompleted, TicketIssued
from sansticket.handshake.server.tls13.rules import MAX_IDENTITIES
from sansticket.tickets.decision import TicketReturn, TicketStatus
from sansticket.tickets.session import Session
from sansticket.wire.messages.hello import HelloRetryRequest
from tests.support.edits import flipped
from tests.support.examples import examples
from tests.support.hostile_client import HostileClient
from tests.support.pair import ConnectionPair
from tests.support.resumption import World, ending, failed_checks, outcome, received, record, resumed

ABORT, IGNORE, IGNORE_RENEW = TicketReturn.ABORT, TicketReturn.IGNORE, TicketReturn.IGNORE_RENEW
USE, USE_RENEW = TicketReturn.USE, TicketReturn.USE_RENEW

RETURNS: Final = (None, ABORT, IGNORE, IGNORE_RENEW, USE, USE_RENEW)
"""None: nobody is asked."""

UNUSABLE: Final = {
    "expired": "expiry",
    "too old": "authentication age",
    "other context": "context",
    "other hash": "hash",
    "other name": "name",
}
"""What a ticket can be that opens and cannot be used, and the check that says so."""

KINDS: Final = ("usable", *UNUSABLE, "undecryptable")

NUMBER: Final = 3
"""num_tickets of the server."""


class Bench:
    """A server, and tickets of every kind that its ring has sealed."""

    def __init__(self) -> None:
        self.world = World()
        self.config = self.world.server(
            num_tickets=40, alpn_protocols=[b"h2"], cipher_suites=[CipherSuite.AES_128_GCM_SHA256]
        )
        pair = self.world.connect(self.config)
        issued = [event.session for event in pair.events("server", TicketIssued)]
        self.pool = list(zip(issued, received(pair), strict=True))
        self.config = evolve(self.config, num_tickets=NUMBER)

    def offer(self, *kinds: str) -> list[Session]:
        """What a client offers: sessions of these kinds, each with a secret of its own."""
        return [self._session(kind, *self.pool[index]) for index, kind in enumerate(kinds)]

    def _session(self, kind: str, sealed: Session, held: Session) -> Session:
        """The server's and the client's idea of a session; the ticket holds the server's."""
        now = self.world.clock()
        match kind:
            case "expired":
                sealed = evolve(sealed, issued_at=now - sealed.lifetime)
            case "too old":
                sealed = evolve(sealed, authenticated_at=now - self.config.max_session_age)
            case "other context":
                sealed = evolve(sealed, session_id_context=b"another")
            case "other name":
                sealed = evolve(sealed, server_name="other.example")
            case "other hash":
                sealed = evolve(sealed, cipher_suite=CipherSuite.AES_256_GCM_SHA384, secret=bytes(48))
        keys = self.config.ticket_keys
        assert keys is not None
        ticket = keys.seal(sealed.to_bytes(), now, self.config.entropy)
        if kind == "undecryptable":
            ticket = flipped(ticket)
        return evolve(held, ticket=ticket, secret=sealed.secret, cipher_suite=sealed.cipher_suite)

    def connect(
        self, kinds: Sequence[str], returns: Sequence[TicketReturn | None], *, retry: bool = False
    ) -> tuple[ConnectionPair, list[DecideTicket]]:
        asked: list[DecideTicket] = []
        config = evolve(self.config, answers={DecideTicket: deciding(returns, asked)})
        client = self.world.client()
        if retry:
            client = self.world.client(key_shares=(NamedGroup.X25519,))
            config = evolve(config, groups=(NamedGroup.SECP256R1,))
        return self.world.connect(config, self.offer(*kinds), client=client), asked


def deciding(
    returns: Sequence[TicketReturn | None], asked: list[DecideTicket]
) -> Callable[[DecideTicket], ResolveTicket]:
    """Answers as ``returns`` say; None as the manual says for the status."""

    def decide(question: DecideTicket) -> ResolveTicket:
        asked.append(question)
        default = USE_RENEW if question.status.decrypted else IGNORE_RENEW
        return ResolveTicket(returns[question.index] or default)

    return decide


@frozen
class Expected:
    """``winner`` None is a full handshake; ``asked`` is how many identities were looked at."""

    winner: int | None
    tickets: int
    asked: int
    fails: bool = False


def expected(kinds: Sequence[str], returns: Sequence[TicketReturn | None]) -> Expected:
    """The rules of SSL_CTX_set_session_ticket_cb(3), with several identities tried in their order."""
    renew, all_ignored = False, bool(kinds)
    for index, (kind, said) in enumerate(zip(kinds, returns, strict=True)):
        opens = kind != "undecryptable"
        answer = said or (USE_RENEW if opens else IGNORE_RENEW)
        uses = answer in (USE, USE_RENEW)
        if answer is ABORT or (uses and not opens):
            return Expected(None, 0, index + 1, fails=True)
        renew = renew or answer in (IGNORE_RENEW, USE_RENEW)
        all_ignored = all_ignored and answer is IGNORE
        if uses and kind == "usable":
            return Expected(index, 1 if renew else 0, index + 1)
    return Expected(None, 0 if all_ignored else NUMBER, len(kinds))


def check(kinds: Sequence[str], returns: Sequence[TicketReturn | None], retry: bool = False) -> None:
    """``returns`` are for the identities that the server sees.

    After a retry the client does not show again what has another hash (RFC 9846 section 4.2.2).
    """
    shown = [index for index, kind in enumerate(kinds) if not (retry and kind == "other hash")]
    returns = [returns[index] for index in shown]
    pair, asked = BENCH.connect(kinds, returns, retry=retry)
    kinds = [kinds[index] for index in shown]
    wanted = expected(kinds, returns)
    assert [question.index for question in asked] == list(range(wanted.asked)), "once for each"
    assert [question.status for question in asked] == [
        TicketStatus.NO_DECRYPT if kind == "undecryptable" else TicketStatus.SUCCESS_RENEW
        for kind in kinds[: wanted.asked]
    ]
    if wanted.fails:
        assert pair.events("server", HandshakeCompleted) == []
        assert ending(pair, "client").alert == ending(pair).alert == AlertDescription.INTERNAL_ERROR
        return
    assert outcome(pair) == (wanted.winner is not None, wanted.tickets)
    said = record(pair)
    assert (said.winner, said.tickets_to_follow) == (wanted.winner, wanted.tickets)
    assert record(pair, "client").winner == (None if wanted.winner is None else shown[wanted.winner])
    assert len(said.identities) == len(kinds)
    for index in range(wanted.asked):
        used = returns[index] in (None, USE, USE_RENEW)
        reason = UNUSABLE.get(kinds[index])
        assert failed_checks(pair, index) == ([reason] if reason and used else [])
    assert all(identity.status is None for identity in said.identities[wanted.asked :])


BENCH: Final = Bench()


@pytest.mark.parametrize("retry", [False, True])
@pytest.mark.parametrize("returned", RETURNS)
@pytest.mark.parametrize("kind", KINDS)
def test_one(kind: str, returned: TicketReturn | None, retry: bool) -> None:
    check([kind], [returned], retry)


@pytest.mark.parametrize("kinds", list(product(KINDS, repeat=2)), ids=", ".join)
def test_two(kinds: tuple[str, str]) -> None:
    for returns in product(RETURNS, repeat=2):
        check(kinds, returns)


@settings(max_examples=examples(150))
@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(RETURNS)), max_size=MAX_IDENTITIES),
    st.booleans(),
)
def test_any_number(identities: list[tuple[str, TicketReturn | None]], retry: bool) -> None:
    check([kind for kind, _ in identities], [returned for _, returned in identities], retry)


def test_the_retry_really_took_place() -> None:
    pair, _ = BENCH.connect(["usable"], [None], retry=True)
    first_answer = next(data for sender, data in pair.wire if sender == "server")
    assert HelloRetryRequest(b"", 0, ()).encode()[6:38] in first_answer, "its random"
    assert resumed(pair)


# --- more than we look at ------------------------------------------------------------------------------------


def test_no_more_than_the_limit() -> None:
    kinds = ["undecryptable"] * MAX_IDENTITIES + ["usable"]
    pair, asked = BENCH.connect(kinds, [None] * len(kinds))
    assert len(asked) == MAX_IDENTITIES
    assert outcome(pair) == (False, NUMBER)
    assert failed_checks(pair, MAX_IDENTITIES) == ["limit"]


def test_the_last_one_within_the_limit() -> None:
    kinds = ["undecryptable"] * (MAX_IDENTITIES - 1) + ["usable"]
    pair, _ = BENCH.connect(kinds, [None] * len(kinds))
    assert record(pair).winner == MAX_IDENTITIES - 1
    assert outcome(pair) == (True, 1)


# --- binders -------------------------------------------------------------------------------------------------


def hostile(config: ServerConfig, sessions: Sequence[Session], *wrong: int) -> HostileClient:
    """A client that offers ``sessions``, with wrong binders for some of them."""
    return HostileClient(
        config,
        sessions=tuple(sessions),
        binders=lambda honest: [flipped(b, 0) if index in wrong else b for index, b in enumerate(honest)],
    )


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_wrong_binder_of_the_winner(place: int) -> None:
    kinds = ["expired"] * place + ["usable"]
    client = hostile(BENCH.config, BENCH.offer(*kinds), place).begin()
    client.assert_refused(Reason.BAD_BINDER, AlertDescription.DECRYPT_ERROR, f"identity {place}")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("usable", "other hash")])
def test_a_wrong_binder_of_another(kind: str) -> None:
    """Only that of the session that goes on is verified (RFC 9846 section 4.3.11)."""
    client = hostile(BENCH.config, BENCH.offer(kind), 0).complete()
    (completed,) = (event for event in client.events if isinstance(event, HandshakeCompleted))
    assert not completed.resumed


def test_the_binder_is_that_of_the_identity() -> None:
    """Not of another one in the same hello, although its secret is known to the client too."""
    one, two = BENCH.offer("usable", "usable")
    client = hostile(BENCH.config, [evolve(one, secret=two.secret), two]).begin()
    client.assert_refused(Reason.BAD_BINDER, AlertDescription.DECRYPT_ERROR, "identity 0")


def test_the_binder_covers_the_hello() -> None:
    client = hostile(BENCH.config, BENCH.offer("usable"))
    honest = client.bound(client.hello())
    place = honest.index(b"server.example")
    client.send_message(honest[:place] + b"Server.example" + honest[place + 14 :])
    client.assert_refused(Reason.BAD_BINDER)


@pytest.mark.parametrize("asks", [False, True])
def test_nothing_is_decided_for_a_client_that_is_not_the_owner(asks: bool) -> None:
    asked: list[DecideTicket] = []
    answers = {DecideTicket: deciding([USE], asked)} if asks else {}
    client = hostile(evolve(BENCH.config, answers=answers), BENCH.offer("usable"), 0).begin()
    assert isinstance(client.events[-1], ConnectionTerminated)
    assert len(asked) == asks
