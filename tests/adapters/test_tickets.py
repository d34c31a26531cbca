"""The ticket features, reached from a context: keys, stores, hooks, answers by function, records, commands."""

import ssl
from typing import Any

import pytest

from sansticket import (
    ASK,
    AbortHandshake,
    AlertDescription,
    ClientSessionStore,
    ConfigError,
    DecideTicket,
    FlushTickets,
    HandshakeCompleted,
    IssueTicket,
    KeysUpdated,
    LocalProtocolError,
    LookUpSession,
    OpenTicket,
    PrepareTicket,
    ProtectTicket,
    ProvideSession,
    ResolveTicket,
    SealTicket,
    SelectConfig,
    SendData,
    Session,
    SessionCache,
    Sign,
    TicketIssued,
    TicketKeyRing,
    TicketReceived,
    TicketReturn,
    TrustAnchors,
    UpdateKeys,
    UseConfig,
    VerifyPeer,
)
from sansticket.adapters import SSLContext, SSLObject, SSLSession
from sansticket.commands import AcceptPeer, ProvideSignature, RejectPeer, TicketOpened, TicketProtected
from sansticket.crypto.signatures import sign
from tests.support.certificates import authority, client_identity, new_authority, server_identity
from tests.support.configs import client_config, server_config
from tests.support.credentials import credential_of
from tests.support.ssl_objects import NAME, OURS, TLS12, TLS13, Link, shaken

SERVER = ssl.PROTOCOL_TLS_SERVER


def client(**changes: Any) -> SSLContext:
    return SSLContext(client_config(**changes))


def server(**changes: Any) -> SSLContext:
    return SSLContext(server_config(**changes))


# --- tickets --------------------------------------------------------------------------------------------------


def test_a_store_resumes_by_itself() -> None:
    store = ClientSessionStore()
    context, other = client(), server()
    context.session_store = store
    assert not shaken(context, other).client.tls.session_reused
    assert len(store) == 2
    link = shaken(context, other)
    assert link.client.tls.session_reused
    assert link.server.tls.session_reused


def test_sessions_move_from_context_to_context() -> None:
    other = server()
    session = shaken(client(), other).client.tls.session
    assert isinstance(session, SSLSession)
    moved = Session.from_bytes(session.session.to_bytes())
    link = shaken(client(), other, session=moved)
    assert link.client.tls.session_reused
    assert repr(session) == "SSLSession()"


def test_a_session_with_an_id() -> None:
    other = server(ticket_keys=None, session_cache=SessionCache(), versions=[TLS12])
    session = shaken(client(), other).client.tls.session
    assert not session.has_ticket
    assert session.ticket_lifetime_hint == 0
    assert session.id == session.session.session_id
    assert shaken(client(), other, session=session).client.tls.session_reused


def test_the_session_that_a_client_has() -> None:
    """The one to be offered, then none or the resumed one, then the freshest from the server."""
    context, other = client(), server()
    first = shaken(context, other).client.tls.session
    link = Link(context, other, session=first)
    assert link.client.tls.session == first
    link.shake()
    assert link.client.tls.session == first
    link.client.read()
    assert link.client.tls.session not in (None, first)
    refused = Link(context, server(), session=first)
    refused.shake()
    assert refused.client.tls.session is None


def test_the_session_that_a_server_has() -> None:
    context, other = client(), server(num_tickets=0)
    assert shaken(context, other).server.tls.session is None
    other.num_tickets = 1
    link = shaken(context, other)
    issued = link.server.tls.session
    assert issued is not None
    other.num_tickets = 0
    again = shaken(context, other, session=link.client.tls.session)
    assert again.server.tls.session.session.secret == issued.session.secret


def test_questions_and_events_have_the_application() -> None:
    """It is given before the handshake; without it there is none."""
    known: list[Any] = []

    def prepare(question: PrepareTicket) -> SealTicket:
        known.append(question.connection.application)
        return SealTicket()

    context, other = client(), server(answers={PrepareTicket: prepare})
    other.on_event = lambda tls, event: known.append(event.connection.application)
    link = Link(context, other)
    assert (link.client.tls.application, link.server.tls.application) == (None, None)
    link.client.tls.application, link.server.tls.application = "of alice", ("192.0.2.1", 4433)
    link.shake()
    assert set(known) == {("192.0.2.1", 4433)}
    assert link.client.tls.connection.application == "of alice"


def test_records_of_resumption() -> None:
    context, other = client(), server()
    link = Link(context, other)
    assert link.client.tls.resumption_record is None
    link.shake()
    assert str(link.client.tls.resumption_record) == "full handshake: no session was offered"
    assert link.server.tls.resumption_record.tickets_to_follow == 2
    link.client.read()
    again = shaken(context, other, session=link.client.tls.session)
    for end in (again.client, again.server):
        assert end.tls.resumption_record.winner == 0


def test_keys_are_shared_by_contexts() -> None:
    keys = TicketKeyRing.generate(0.0, lambda n: b"k" * n)
    first, second = server(ticket_keys=keys), server()
    session = shaken(client(), first).client.tls.session
    assert not shaken(client(), second, session=session).client.tls.session_reused
    second.ticket_keys = keys
    assert shaken(client(), second, session=session).client.tls.session_reused


def test_functions_answer_the_questions_about_tickets() -> None:
    decided: list[DecideTicket] = []

    def decide(question: DecideTicket) -> ResolveTicket:
        decided.append(question)
        return ResolveTicket(TicketReturn.IGNORE)

    other = server(answers={PrepareTicket: lambda question: SealTicket(b"user 42"), DecideTicket: decide})
    session = shaken(client(), other).client.tls.session
    assert not shaken(client(), other, session=session).client.tls.session_reused
    assert decided[0].session is not None
    assert decided[0].session.app_data == b"user 42"


def test_keys_that_are_elsewhere() -> None:
    other = server()
    with pytest.raises(ConfigError, match="ticket_keys"):
        other.answers = {
            OpenTicket: lambda question: TicketOpened(question.ticket[1:]),
            ProtectTicket: lambda question: TicketProtected(b"!" + question.plaintext),
        }
    other.configure(
        ticket_keys=None,
        answers={
            OpenTicket: lambda question: TicketOpened(question.ticket[1:]),
            ProtectTicket: lambda question: TicketProtected(b"!" + question.plaintext),
        },
    )
    session = shaken(client(), other).client.tls.session
    assert session.session.ticket[:1] == b"!"
    assert shaken(client(), other, session=session).client.tls.session_reused


def test_keys_that_are_elsewhere_from_the_beginning() -> None:
    context = OURS.server()
    context.answers = {
        OpenTicket: lambda question: TicketOpened(question.ticket[1:]),
        ProtectTicket: lambda question: TicketProtected(b"!" + question.plaintext),
    }
    assert context.ticket_keys is None
    assert shaken(client(), context).client.tls.session.session.ticket[:1] == b"!"


def test_a_store_that_is_elsewhere() -> None:
    kept: dict[bytes, Session] = {}
    other = server(
        ticket_keys=None,
        answers={LookUpSession: lambda question: ProvideSession(kept.get(question.session_id))},
    )

    def keep(tls: SSLObject, event: Any) -> None:
        if isinstance(event, TicketIssued):
            kept[event.session.session_id] = event.session

    other.on_event = keep
    session = shaken(client(), other).client.tls.session
    assert shaken(client(), other, session=session).client.tls.session_reused


def test_hooks_see_every_event() -> None:
    seen: list[tuple[SSLObject, Any]] = []
    contexts = client(), server()
    for context in contexts:
        context.on_event = lambda tls, event: seen.append((tls, event))
    link = shaken(*contexts)
    kinds = {
        end: [type(event) for tls, event in seen if tls is end.tls] for end in (link.client, link.server)
    }
    assert kinds[link.client] == [HandshakeCompleted, TicketReceived, TicketReceived]
    assert kinds[link.server] == [HandshakeCompleted, TicketIssued, TicketIssued]


def test_what_a_hook_raises_comes_out() -> None:
    context = server()

    def fail(tls: SSLObject, event: Any) -> None:
        raise ZeroDivisionError("in the hook")

    context.on_event = fail
    with pytest.raises(ZeroDivisionError):
        shaken(client(), context)


def test_a_hook_that_raises_hears_of_the_rest() -> None:
    context, seen = server(), list[type]()

    def fail(tls: SSLObject, event: Any) -> None:
        seen.append(type(event))
        if isinstance(event, HandshakeCompleted):
            raise ZeroDivisionError("in the hook")

    context.on_event = fail
    with pytest.raises(ZeroDivisionError):
        shaken(client(), context)
    assert seen == [HandshakeCompleted, TicketIssued, TicketIssued]


def test_tickets_on_request() -> None:
    context, other = client(session_store=ClientSessionStore(per_server=100)), server(num_tickets=0)
    link = shaken(context, other)
    link.server.tls.send(IssueTicket(3))
    link.server.tls.send(FlushTickets())
    link.carry()
    link.client.read()
    assert len(context.session_store or ()) == 3


def test_commands() -> None:
    updates: list[KeysUpdated] = []
    contexts = client(), server()
    contexts[0].on_event = lambda tls, event: (
        updates.append(event) if isinstance(event, KeysUpdated) else None
    )
    link = Link(*contexts)
    with pytest.raises(LocalProtocolError, match="SendData before the handshake"):
        link.server.tls.send(SendData(b""))
    assert link.server.tls.connection is None
    link.shake()
    link.server.tls.send(UpdateKeys())
    assert link.say(link.server, b"under new keys") == b"under new keys"
    assert updates == [KeysUpdated(by_peer=True)]
    with pytest.raises(LocalProtocolError, match="IssueTicket"):
        link.client.tls.send(IssueTicket())


# --- questions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("question", [DecideTicket, VerifyPeer, SelectConfig, Sign])
def test_nobody_can_be_asked(question: Any) -> None:
    complaint = f"ASK for {question.__name__}.*expected a function"
    with pytest.raises(ConfigError, match=complaint):
        server(answers={question: ASK})
    for context in (server(), OURS.server(), SSLContext(SERVER)):
        with pytest.raises(ConfigError, match=complaint):
            context.answers = {question: ASK}
        assert context.answers == {}


def late_failure(other: SSLContext) -> tuple[ssl.SSLError, ssl.SSLError]:
    """What a server and its client say about a handshake that fails by the server's answers."""
    link = Link(client(), other)
    link.client.step()
    link.carry()
    with pytest.raises(ssl.SSLError) as ours:
        link.server.step()
    link.carry()
    with pytest.raises(ssl.SSLError) as theirs:
        link.client.step()
    return ours.value, theirs.value


def test_nobody_can_be_asked_by_a_config_that_comes_late_either() -> None:
    late = server_config(answers={DecideTicket: ASK})
    ours, theirs = late_failure(server(answers={SelectConfig: lambda question: UseConfig(late)}))
    assert ours.reason == "CALLBACK_FAILED"
    assert isinstance(ours.__cause__, ConfigError)
    assert theirs.reason == "TLSV1_ALERT_INTERNAL_ERROR"


def test_the_config_is_selected_by_a_function() -> None:
    selected = server_config(credentials=[credential_of(server_identity("rsa"))])
    chosen: list[SelectConfig] = []

    def select(question: SelectConfig) -> UseConfig:
        chosen.append(question)
        return UseConfig(selected)

    link = shaken(client(), server(answers={SelectConfig: select}))
    assert link.client.tls.getpeercert(True) == server_identity("rsa").chain_der[0]
    assert chosen[0].server_name == NAME


def test_a_client_is_refused_by_a_function() -> None:
    answer = AbortHandshake(AlertDescription.ACCESS_DENIED)
    ours, theirs = late_failure(server(answers={SelectConfig: lambda question: answer}))
    assert ours.reason == "CALLBACK_FAILED"
    assert theirs.reason == "TLSV1_ALERT_ACCESS_DENIED"


@pytest.mark.parametrize("question", [SelectConfig, Sign])
def test_a_function_that_fails(question: Any) -> None:
    problem = ZeroDivisionError("in the function")

    def fail(question: Any) -> Any:
        raise problem

    ours, theirs = late_failure(server(answers={question: fail}))
    assert ours.__cause__ is problem
    assert ours.reason == "CALLBACK_FAILED"
    assert theirs.reason == "TLSV1_ALERT_INTERNAL_ERROR"


def test_a_function_that_answers_something_else() -> None:
    ours, _ = late_failure(server(answers={SelectConfig: lambda question: None}))
    assert isinstance(ours.__cause__, TypeError)


def test_signatures_from_elsewhere() -> None:
    identity = server_identity()
    other = server(
        credentials=[credential_of(identity)],
        answers={
            Sign: lambda question: ProvideSignature(sign(identity.key, question.scheme, question.message))
        },
    )
    assert shaken(client(), other).client.tls.getpeercert(True) == identity.chain_der[0]


@pytest.mark.parametrize("version", [TLS12, TLS13], ids=["1.2", "1.3"])
@pytest.mark.parametrize("change", ["check_hostname", "function", "credentials"])
def test_sessions_of_other_settings_are_refused(version: ssl.TLSVersion, change: str) -> None:
    """Of one context, too: what counts are its settings when the session was made."""
    context = SSLContext(client_config(versions=[version]))
    first = shaken(context, server(versions=[version])).client.tls.session
    if change == "check_hostname":
        context.check_hostname = False
    elif change == "function":
        context.answers = {VerifyPeer: lambda question: AcceptPeer()}
        lax = shaken(context, server(versions=[version])).client.tls.session
        context.answers = {VerifyPeer: lambda question: RejectPeer()}
        with pytest.raises(ValueError, match="different SSLContext"):
            Link(context, server(), session=lax)
    else:
        context.configure(credentials=[credential_of(client_identity())])
    with pytest.raises(ValueError, match="different SSLContext"):
        Link(context, server(), session=first)
    again = SSLContext(client_config(versions=[version]))
    link = shaken(again, server(versions=[version]), session=first)
    assert link.client.tls.session is not None


@pytest.mark.parametrize("version", [TLS12, TLS13], ids=["1.2", "1.3"])
@pytest.mark.parametrize("way", ["a store", "by hand"])
@pytest.mark.parametrize("first_checks", [True, False], ids=["checked first", "not checked first"])
def test_sessions_with_and_without_a_verified_name_stay_apart(
    version: ssl.TLSVersion, way: str, first_checks: bool
) -> None:
    """Also as a ``Session``, which does not know the context that it comes from, and in a store of both contexts."""
    store = ClientSessionStore() if way == "a store" else None
    strict, lax = (SSLContext(client_config(versions=[version], session_store=store)) for _ in range(2))
    lax.check_hostname = False
    first, second = (strict, lax) if first_checks else (lax, strict)
    issuing = server(versions=[version])
    session = shaken(first, issuing).client.tls.session.session if store is None else None
    for context, resumed in ((first, store is None), (second, False), (first, True)):
        link = shaken(context, issuing, session=session)
        assert link.client.tls.session_reused is resumed
        if store is None and context is first:
            session = link.client.tls.session.session


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_sessions_without_a_verified_name_go_on_where_the_same_is_verified(version: ssl.TLSVersion) -> None:
    """Whoever verifies the chain alone accepts the same in every context that trusts the same."""

    def lax(**changes: Any) -> SSLContext:
        context = client(versions=[version], session_store=store, **changes)
        context.check_hostname = False
        return context

    store, issuing = ClientSessionStore(), server(versions=[version])
    first = lax()
    assert not shaken(first, issuing).client.tls.session_reused
    first.post_handshake_auth = True  # another setting, about something else
    assert shaken(first, issuing).client.tls.session_reused
    assert shaken(lax(), issuing).client.tls.session_reused
    more = TrustAnchors.from_der([authority().der, new_authority().der])
    assert not shaken(lax(trust_anchors=more), issuing).client.tls.session_reused
