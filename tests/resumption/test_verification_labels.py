"""What an application accepted by itself means nothing where another one decides, or the same one by other rules.

A session that was made while ``VerifyPeer`` was answered resumes under the same ``verification_label``, or where there
is none under the very same answers: by hand, through a store, with shared ticket keys, in both versions.
"""

from __future__ import annotations

import pickle
import sys
from copy import copy, deepcopy
from typing import Any, Final

import pytest
from attrs import evolve

from sansticket import (
    ASK,
    AcceptPeer,
    ClientAuthentication,
    ClientConfig,
    ClientSessionStore,
    ConfigError,
    HandshakeCompleted,
    NamedGroup,
    RejectPeer,
    ServerConfig,
    Session,
    TicketKeyRing,
    TicketReceived,
    VerifyPeer,
    adopt_session,
)
from sansticket.adapters import SSLContext
from tests.support.configs import client_config, server_config
from tests.support.credentials import NOW, anchors, client_credential
from tests.support.forked import CAN_FORK, MAY_HAVE_THREADS, forked
from tests.support.pair import ConnectionPair
from tests.support.sessions import repeatable_entropy
from tests.support.ssl_objects import NAME, shaken

TLS12, TLS13 = 0x0303, 0x0304
GROUPS: Final = (NamedGroup.X25519, NamedGroup.SECP256R1)
VERSIONS: Final = pytest.mark.parametrize("version", [TLS13, TLS12])


def lax(question: VerifyPeer) -> AcceptPeer:
    return AcceptPeer()


def strict(question: VerifyPeer) -> RejectPeer:
    return RejectPeer()


def client(version: int, function: Any = lax, **changes: Any) -> ClientConfig:
    return client_config(
        **{"versions": [version], "groups": GROUPS, "answers": {VerifyPeer: function}, **changes}
    )


def server(version: int, **changes: Any) -> ServerConfig:
    return server_config(versions=[version], groups=GROUPS, **changes)


def accept(pair: ConnectionPair) -> None:
    """Answer for those who ask."""
    for side in (pair.client, pair.server):
        if isinstance(side.pending, VerifyPeer):
            events = pair.client_events if side is pair.client else pair.server_events
            events += side.send(AcceptPeer())


def connect(client: ClientConfig, server: ServerConfig, session: Session | None = None) -> ConnectionPair:
    pair = ConnectionPair(client, server, session=session)
    for _ in range(3):
        pair.pump()
        accept(pair)
    pair.pump()
    return pair


def resumed(pair: ConnectionPair) -> bool:
    """Whether the handshake went on from a session; a client that refuses the server ends it before that."""
    done = [event for event in pair.client_events if isinstance(event, HandshakeCompleted)]
    return bool(done) and done[0].resumed


def session_of(pair: ConnectionPair) -> Session:
    return next(event.session for event in pair.client_events if isinstance(event, TicketReceived))


# --- which answers are the same ------------------------------------------------------------------------------


def policies_of(config: ClientConfig | ServerConfig) -> bytes:
    return (
        config.verification_policy
        if isinstance(config, ClientConfig)
        else config.effective_session_id_context
    )


@pytest.mark.parametrize("make", [client_config, server_config])
@pytest.mark.parametrize("answer", [lax, ASK])
def test_without_a_label_a_policy_is_that_of_these_answers(make: Any, answer: Any) -> None:
    config = make(answers={VerifyPeer: answer})
    known = policies_of(config)
    assert policies_of(evolve(config, max_buffered=20_000)) == known
    assert policies_of(copy(config)) == policies_of(deepcopy(config)) == known
    assert policies_of(deepcopy(evolve(config, max_buffered=20_000))) == known
    assert policies_of(make(answers={VerifyPeer: answer})) != known
    assert policies_of(evolve(config, answers={**config.answers})) != known
    assert policies_of(evolve(config, answers={VerifyPeer: strict})) != known
    assert policies_of(evolve(config, answers={})) != known


@pytest.mark.parametrize("make", [client_config, server_config])
@pytest.mark.parametrize("answer", [lax, ASK])
def test_out_of_a_pickle_come_other_answers(make: Any, answer: Any) -> None:
    """A function is found by its name: it may accept something else there, and who answers ``ASK`` is unknown."""
    config = make(answers={VerifyPeer: answer})
    known = policies_of(config)
    other, twin = pickle.loads(pickle.dumps([config, evolve(config, max_buffered=20_000)]))
    assert other.answers == config.answers
    assert policies_of(other) != known
    assert len(policies_of(other)) == len(known)
    assert policies_of(other) == policies_of(twin) == policies_of(evolve(other, max_buffered=30_000))
    assert policies_of(pickle.loads(pickle.dumps(other))) not in {known, policies_of(other)}
    labelled = evolve(config, verification_label=b"any")
    assert policies_of(pickle.loads(pickle.dumps(labelled))) == policies_of(labelled)


@CAN_FORK
@MAY_HAVE_THREADS
def test_a_forked_process_has_the_same_answers() -> None:
    """They are in the same memory: workers resume each other's sessions."""
    config = server_config(answers={VerifyPeer: lax})
    assert forked(lambda: policies_of(config)) == policies_of(config)


@pytest.mark.parametrize("make", [client_config, server_config])
def test_with_a_label_it_is_that_of_the_label(make: Any) -> None:
    config = make(answers={VerifyPeer: lax}, verification_label=b"any")
    assert policies_of(make(answers={VerifyPeer: ASK}, verification_label=b"any")) == policies_of(config)
    others = [
        make(answers={VerifyPeer: lax}, verification_label=b"pinned"),
        make(
            answers={VerifyPeer: lax}, verification_label=b"any", trust_anchors=anchors(), min_rsa_bits=3072
        ),
        make(answers={VerifyPeer: lax}),
        make(),
    ]
    assert policies_of(config) not in {policies_of(other) for other in others}


def test_the_random_bytes_come_from_the_entropy_of_the_config() -> None:
    """So a test can repeat them; and one that gives too few is refused."""
    one, same = (client_config(answers={VerifyPeer: lax}, entropy=repeatable_entropy(7)) for _ in range(2))
    assert one.verification_policy == same.verification_policy
    short: Any
    for short in (lambda number: b"", lambda number: bytes(number + 1), lambda number: "x" * number):
        with pytest.raises(ConfigError, match=r"^entropy: gave .*; expected 32 bytes"):
            client_config(answers={VerifyPeer: lax}, entropy=short)


@pytest.mark.parametrize("make", [client_config, server_config])
def test_nothing_is_drawn_where_nobody_needs_it(make: Any) -> None:
    config = make(answers={VerifyPeer: lax}, verification_label=b"any")
    assert config.answers.verifier is None
    with pytest.raises(
        ConfigError, match=r"^verification_label: given, but answers has nothing for VerifyPeer"
    ):
        make(verification_label=b"any")
    for label in (b"", bytes(256)):
        with pytest.raises(ConfigError, match=r"^verification_label: \d+ bytes; expected 1 to 255"):
            make(answers={VerifyPeer: lax}, verification_label=label)


# --- the ways from one to another ----------------------------------------------------------------------------

LABELS: Final = pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ({}, {}, False),
        ({"verification_label": b"A"}, {"verification_label": b"A"}, True),
        ({"verification_label": b"A"}, {"verification_label": b"B"}, False),
        ({"verification_label": b"A"}, {}, False),
        ({}, {"verification_label": b"A"}, False),
    ],
)


@VERSIONS
@LABELS
def test_a_client_by_hand(version: int, first: Any, second: Any, same: bool) -> None:
    ours = server(version)
    session = session_of(connect(client(version, **first), ours))
    pair = connect(client(version, **second), ours, session)
    assert resumed(pair) is same
    assert pair.server.resumed is same


@VERSIONS
@LABELS
def test_a_client_with_a_shared_store(version: int, first: Any, second: Any, same: bool) -> None:
    ours, store = server(version), ClientSessionStore()
    assert not resumed(connect(client(version, session_store=store, **first), ours))
    assert resumed(connect(client(version, session_store=store, **second), ours)) is same


@VERSIONS
@LABELS
def test_servers_with_shared_keys(version: int, first: Any, second: Any, same: bool) -> None:
    keys = TicketKeyRing.generate(NOW.timestamp(), repeatable_entropy(1))
    policy: dict[str, Any] = {"client_authentication": ClientAuthentication.REQUIRED, "ticket_keys": keys}
    shows = client_config(credentials=[client_credential()], groups=GROUPS)
    one = server(version, answers={VerifyPeer: lax}, **policy, **first)
    other = server(version, answers={VerifyPeer: lax}, **policy, **second)
    session = session_of(connect(shows, one))
    assert resumed(connect(shows, one, session))
    assert resumed(connect(shows, other, session)) is same


@VERSIONS
@pytest.mark.parametrize("label", [None, b"A"])
def test_the_same_config_resumes_its_own_sessions(version: int, label: bytes | None) -> None:
    ours, theirs = server(version), client(version, verification_label=label)
    session = session_of(connect(theirs, ours))
    assert resumed(connect(theirs, ours, session))
    assert resumed(connect(evolve(theirs, max_buffered=20_000), ours, session))


@VERSIONS
def test_who_accepts_everything_opens_no_door_to_who_refuses(version: int) -> None:
    """The strict one sees the certificate, and ends the connection: there is no other way in."""
    ours = server(version)
    session = session_of(connect(client(version), ours))
    pair = connect(client(version, strict), ours, session)
    assert not any(isinstance(event, HandshakeCompleted) for event in pair.client_events)


@VERSIONS
def test_who_became_strict_between_pickle_and_load(version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, one = server(version), client(version)
    session = session_of(connect(one, ours))
    pickled = pickle.dumps(one)
    monkeypatch.setattr(sys.modules[__name__], "lax", strict)
    pair = connect(pickle.loads(pickled), ours, session)
    assert not any(isinstance(event, HandshakeCompleted) for event in pair.client_events)


@VERSIONS
def test_a_server_that_became_strict_between_pickle_and_load(
    version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = TicketKeyRing.generate(NOW.timestamp(), repeatable_entropy(1))
    one = server(
        version,
        answers={VerifyPeer: lax},
        client_authentication=ClientAuthentication.REQUIRED,
        ticket_keys=keys,
    )
    shows = client_config(credentials=[client_credential()], groups=GROUPS)
    session = session_of(connect(shows, one))
    assert resumed(connect(shows, one, session))
    pickled = pickle.dumps(one)
    monkeypatch.setattr(sys.modules[__name__], "lax", strict)
    there = pickle.loads(pickled)
    pair = connect(shows, there, session)
    assert not pair.server.resumed
    assert pair.server.state == "Ended"


@VERSIONS
def test_asked_by_command(version: int) -> None:
    """Whoever answers by commands is as little known as a function."""
    ours = server(version)
    one = client(version, ASK)
    session = session_of(connect(one, ours))
    assert resumed(connect(one, ours, session))
    assert not resumed(connect(client(version, ASK), ours, session))


@VERSIONS
def test_an_adopted_session_is_that_of_the_config(version: int) -> None:
    ours, theirs = server(version), client(version)
    session = adopt_session(theirs, evolve(session_of(connect(theirs, ours)), session_id_context=b""), NAME)
    assert resumed(connect(theirs, ours, session))
    assert not resumed(connect(client(version), ours, session))


# --- contexts in the manner of the standard library ----------------------------------------------------------


def context(version: int, function: Any = None) -> SSLContext:
    """Without a function, ``check_hostname`` is False: the chain is verified, and no name."""
    answers = {} if function is None else {VerifyPeer: function}
    made = SSLContext(client_config(versions=[version], answers=answers))
    made.check_hostname = False
    return made


def handed_over(one: SSLContext, other: SSLContext, version: int) -> bool:
    """Whether a session that was made in one context resumes in the other."""
    ours = SSLContext(server(version))
    first = shaken(one, ours)
    first.server.tls.write(b"x")
    first.carry()
    assert first.client.read() == b"x"
    session = first.client.tls.session
    assert session is not None
    try:
        second = shaken(other, ours, session=session)
    except ValueError:
        return False
    reused: bool = second.client.tls.session_reused
    return reused


@VERSIONS
def test_look_alikes(version: int) -> None:
    lenient = context(version, lax)
    assert handed_over(lenient, lenient, version)
    assert not handed_over(lenient, context(version, lax), version)
    assert not handed_over(context(version), SSLContext(client_config(versions=[version])), version)
    assert not handed_over(lenient, SSLContext(client_config(versions=[version])), version)


@VERSIONS
def test_a_look_alike_stays_itself_when_something_else_is_changed(version: int) -> None:
    made = context(version, lax)
    before = made.config
    made.configure(max_buffered=20_000)
    assert policies_of(made.config) == policies_of(before)
    made.answers = {VerifyPeer: lax}
    assert policies_of(made.config) != policies_of(before)
