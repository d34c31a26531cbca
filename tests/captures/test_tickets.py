"""What a capture says of tickets, without ticket keys and with them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import pytest
from attrs import evolve

from fuzz.packets import captured, pcapng
from sansticket import (
    CipherSuite,
    ClientConnection,
    IssueTicket,
    NamedGroup,
    OpenSSLTicketKeys,
    ProtocolVersion,
    SendData,
    TicketKeyRing,
)
from sansticket.captures.connections import Captured, connections_in
from sansticket.captures.reasons import UNKNOWN, Shown
from sansticket.captures.secrets import Said, TicketOpener, explain_with, secrets_in
from sansticket.captures.streams import streams_of
from sansticket.captures.tickets import History, Verdict, told
from sansticket.crypto.suites import SUITES
from sansticket.debug.explain import HandshakeMessage, Record, explain
from sansticket.debug.key_log import KeyLog
from sansticket.keys.tls13 import EarlySecret, traffic_keys
from sansticket.keys.transcript import Transcript
from sansticket.library import SSL_SESSIONS
from sansticket.record.tls13 import Sealer
from sansticket.tickets.keys.go.keys import GoTicketKey, GoTicketKeys
from sansticket.tickets.keys.openssl import OpenSSLTicketKey
from sansticket.wire.extensions.negotiation import SelectedVersion
from sansticket.wire.extensions.resumption import PreSharedKeySelection
from sansticket.wire.messages.hello import ClientHello, ServerHello
from sansticket.wire.messages.tls13 import EncryptedExtensions, Finished
from tests.captures.talks import NOW, talk
from tests.support.configs import client_config, server_config
from tests.support.newer import needs
from tests.support.observer import Wire, data_of, unread
from tests.support.pair import ConnectionPair

VERSIONS = {"1.3": ProtocolVersion.TLS_1_3, "1.2": ProtocolVersion.TLS_1_2}
every_version = pytest.mark.parametrize("version", VERSIONS.values(), ids=list(VERSIONS))


def ring() -> TicketKeyRing:
    return TicketKeyRing.generate(NOW, os.urandom)


def judged(
    wires: Iterable[Wire], log: KeyLog | None = None, keys: Sequence[Any] = (), *, apart: float = 1
) -> list[tuple[Verdict, list[Record]]]:
    """A capture of these connections, judged one after the other."""
    packets = []
    for number, wire in enumerate(wires):
        how = {"client": ("127.0.0.1", 50_000 + number), "time": NOW + 1 + apart * number}
        packets += captured(wire, **how).packets
    opener = TicketOpener(tuple(keys))
    history, log = History(opener), log or KeyLog()
    found = []
    for connection in connections_in(pcapng(packets)).connections:
        records = explained(connection, log, opener)
        found.append((history.judge(connection.flow, records), records))
    return found


def explained(connection: Captured, log: KeyLog, opener: TicketOpener) -> list[Record]:
    return explain_with(connection.pieces, log, opener, connection.flow.start)


@cache
def openssl_keys() -> OpenSSLTicketKeys:
    return OpenSSLTicketKeys([OpenSSLTicketKey.generate(os.urandom)])


KEYS = {
    "native": ring,
    "OpenSSL's": openssl_keys,
    "Go's": lambda: GoTicketKeys([GoTicketKey(bytes(range(32)))], resume_unbound=True),
}


@needs(SSL_SESSIONS)
@pytest.mark.parametrize("make", KEYS.values(), ids=list(KEYS))
def test_ticket_keys_open_all_of_tls12(make: Any) -> None:
    """The full handshake too: its ticket goes over in the clear, with the master secret in it."""
    keys = make()
    first, sessions = talk(keys, version=ProtocolVersion.TLS_1_2)
    second, _ = talk(keys, sessions[-1], version=ProtocolVersion.TLS_1_2)
    (one, records), (other, resumed) = judged([first, second], keys=[keys])
    for found in (records, resumed):
        assert unread(found) == []
        assert (data_of(found, "client"), data_of(found, "server")) == (b"a question", b"an answer")
    assert (one.resumed, other.resumed, other.accepted) == (False, True, 0)
    assert "accepted: ticket 0, the session is resumed" in list(told(other))
    closed = judged([first, second])
    assert all(unread(found) for _, found in closed)


@needs(SSL_SESSIONS)
@pytest.mark.parametrize("make", KEYS.values(), ids=list(KEYS))
def test_ticket_keys_open_the_early_data_of_tls13(make: Any) -> None:
    keys = make()
    _, sessions = talk(keys)
    early = b"early" if sessions[-1].max_early_data else b""
    second, _ = talk(keys, sessions[-1], early=early)
    ((verdict, records),) = judged([second], keys=[keys])
    (shown,) = verdict.shown
    assert shown.binder is True
    assert shown.session is not None
    assert data_of(records, "client") == early
    assert unread(records), "what follows needs the key exchange"
    if early:
        assert verdict.early_data == "accepted: the client ended it with EndOfEarlyData"


def test_psk_ke_is_opened_wholly() -> None:
    """Nobody of ours resumes without a key exchange, so the answer to the hello is made here."""
    keys = ring()
    _, sessions = talk(keys)
    session, suite = sessions[-1], SUITES[CipherSuite.AES_128_GCM_SHA256]
    hello = ClientConnection(client_config(), "server.example", session).data_to_send()
    extensions = (SelectedVersion(ProtocolVersion.TLS_1_3), PreSharedKeySelection(0))
    answer = ServerHello(bytes(32), hello[44 : 44 + hello[43]], suite.suite, extensions).encode()
    handshake = EarlySecret.from_psk("sha256", session.secret).handshake(bytes(32))
    transcript = Transcript("sha256").plus(hello[5:]).plus(answer)
    sealer = Sealer(suite, traffic_keys(suite, handshake.traffic(transcript.digest()).server))
    flight = EncryptedExtensions().encode() + Finished(bytes(32)).encode()
    for message in (EncryptedExtensions().encode(), Finished(bytes(32)).encode()):
        transcript = transcript.plus(message)
    after = Sealer(suite, traffic_keys(suite, handshake.master().traffic(transcript.digest()).server))
    said = b"\x16\x03\x03" + len(answer).to_bytes(2) + answer + sealer.seal(22, flight)
    said += after.seal(23, b"opened by the ticket alone")
    records = explain_with([("client", hello), ("server", said)], KeyLog(), TicketOpener((keys,)), NOW + 1)
    assert unread(records) == []
    assert data_of(records, "server") == b"opened by the ticket alone"


def test_a_wrong_binder_is_seen() -> None:
    keys = ring()
    _, sessions = talk(keys)
    second, _ = talk(keys, sessions[-1])
    side, hello = second[0]
    broken = hello[:-1] + bytes((hello[-1] ^ 1,))
    ((verdict, _),) = judged([[(side, broken), ("server", b"\x15\x03\x03\0\x02\x02\x33")]], keys=[keys])
    assert verdict.shown[0].binder is False
    assert verdict.reasons[0] == "the server ended the connection: decrypt_error"
    assert verdict.reasons[1].startswith("the binder of ticket 0 is wrong")
    assert "ITS BINDER IS WRONG" in str(verdict.shown[0])


def test_a_hello_again_after_a_retry() -> None:
    keys = ring()
    _, sessions = talk(keys)
    groups = {"groups": (NamedGroup.SECP521R1,)}
    second, _ = talk(keys, sessions[-1], early=b"early", server=groups)
    ((verdict, records),) = judged([second], keys=[keys])
    assert len(Said.in_records(records).hellos) == 2
    assert verdict.shown[0].binder is True
    assert verdict.accepted == 0
    assert verdict.early_data.startswith("refused, since the server wanted another hello")


def refusal(verdict: Verdict) -> str:
    assert verdict.resumed is False
    assert verdict.shown
    assert "refused: a full handshake" in list(told(verdict))
    return verdict.reasons[0]


@every_version
def test_a_ticket_of_another_key(version: int) -> None:
    log, keys = KeyLog(), ring()
    first, sessions = talk(keys, version=version, log=log)
    second, _ = talk(ring(), sessions[-1], version=version, log=log)
    (one, _), (other, _) = judged([first, second], log)
    assert one.reasons == ()
    assert one.issued[0].connection == 1
    assert other.shown[0].issued == next(i for i in one.issued if i.ticket == sessions[-1].ticket)
    assert "nothing in the capture says why" in refusal(other)
    (_, _), (other, _) = judged([first, second], log, [ring()])
    assert refusal(other).startswith("no key given opens ticket 0 (key ")


@every_version
def test_a_ticket_that_is_too_old(version: int) -> None:
    log, keys = KeyLog(), ring()
    first, sessions = talk(keys, version=version, log=log)
    later = {"clock": lambda: NOW + 8000}
    second, _ = talk(keys, sessions[-1], version=version, log=log, server=later)
    (_, _), (other, _) = judged([first, second], log, apart=8000)
    assert refusal(other) == "ticket 0 is 8000 s old and was good for 7200 s"
    ((_, _), (other, _)) = judged([first, second], None, [keys], apart=8000)
    assert " s old and was good for 7200 s" in " ".join(other.reasons)


def test_a_ticket_is_as_old_as_its_record() -> None:
    """Not as the connection in which it came: that may have gone on for hours."""
    keys, log = ring(), KeyLog()
    first, sessions = talk(keys, log=log)
    second, _ = talk(ring(), sessions[-1], log=log)
    made = captured([("server", b"220 hello\r\n"), *first], time=NOW)
    made.time += 100_000
    made.say("client", b"\x17\x03\x03\0\x14" + bytes(20))
    made.say("server", b"\x17\x03\x03\0\x14" + bytes(20))
    packets = [*made.packets, *captured(second, client=("127.0.0.1", 50_001), time=made.time).packets]
    history = History()
    one, other = [
        history.judge(connection.flow, explained(connection, log, history.opener))
        for connection in connections_in(pcapng(packets)).connections
    ]
    assert {round(issued.time - NOW) for issued in one.issued} == {0}
    assert any(" s old and was good for " in reason for reason in other.reasons)


def test_a_name_in_a_ticket_is_printable() -> None:
    """Servers put into it what the client said."""
    session = evolve(talk(ring())[1][-1], server_name="a\x1b[31m<b>")
    shown = Shown(ProtocolVersion.TLS_1_3, 0, b"x" * 32, session, True, True, True, None, None)
    assert "for a\\x1b[31m<b>, its binder is right" in str(shown)


@needs(SSL_SESSIONS)
@pytest.mark.parametrize("issued", ["server.example", "Server.Example."])
def test_a_dot_makes_no_other_name(issued: str) -> None:
    """Neither one that the client sends, nor one that a server with OpenSSL has kept."""
    first, sessions = talk(ring())
    plaintext = evolve(sessions[-1], server_name=issued, ticket=b"").to_openssl_der(client=False)
    ticket = openssl_keys().keys[0].seal(plaintext, os.urandom)
    name = "server.examplex"
    session = evolve(sessions[-1], server_name=name, ticket=ticket)
    pair = ConnectionPair(client_config(), server_config(), session=session, server_name=name)
    pair.pump()
    second = [(who, said.replace(name.encode(), b"server.example.")) for who, said in pair.wire]
    for keys in [], [openssl_keys()]:
        _, (verdict, _) = judged([first, second], keys=keys)
        assert refusal(verdict)
        assert not [reason for reason in verdict.reasons if "the client asks for" in reason]


@needs(SSL_SESSIONS)
def test_a_ticket_with_a_session_that_nobody_here_knows() -> None:
    """A key opens it, and so it was not made under another one."""
    keys = openssl_keys()
    _, sessions = talk(ring())
    foreign = evolve(sessions[-1], ticket=keys.keys[0].seal(b"of another library", os.urandom))
    second, _ = talk(ring(), foreign)
    ((verdict, _),) = judged([second], keys=[keys])
    (shown,) = verdict.shown
    assert str(shown).endswith(", a key given opens it, and no session that is known here is in it")
    assert refusal(verdict) == UNKNOWN


def test_another_version() -> None:
    keys = ring()
    _, sessions = talk(keys)
    both = {"versions": (ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2)}
    pair = ConnectionPair(
        client_config(**both),
        server_config(versions=(ProtocolVersion.TLS_1_2,), ticket_keys=keys),
        session=sessions[-1],
    )
    pair.pump()
    ((verdict, _),) = judged([pair.wire])
    assert refusal(verdict) == "the server chose TLS 1.2, and ticket 0 is of TLS 1.3"


def test_another_hash() -> None:
    log, keys = KeyLog(), ring()
    first, sessions = talk(keys, log=log)
    other_hash = {"cipher_suites": (CipherSuite.AES_256_GCM_SHA384,)}
    second, _ = talk(keys, sessions[-1], log=log, server=other_hash)
    (_, _), (verdict, _) = judged([first, second], log)
    assert refusal(verdict) == "the session's hash is sha256, and the server chose AES_256_GCM_SHA384"


def test_shown_before_and_issued_elsewhere() -> None:
    log, keys = KeyLog(), ring()
    first, sessions = talk(keys, log=log)
    second, _ = talk(keys, sessions[-1], log=log)
    third, _ = talk(ring(), sessions[-1], log=log)
    packets = []
    for number, wire in enumerate((first, second, third)):
        server = ("127.0.0.2" if number == 2 else "127.0.0.1", 443)
        packets += captured(wire, client=("127.0.0.1", 50_000 + number), server=server, time=NOW).packets
    history = History()
    verdicts = [
        history.judge(connection.flow, explained(connection, log, TicketOpener()))
        for connection in connections_in(pcapng(packets)).connections
    ]
    assert verdicts[1].accepted == 0
    assert verdicts[2].reasons == (
        "it was issued by 127.0.0.1:443 and is shown to 127.0.0.2:443: do they share keys, and the session id context?",
        "ticket 0 was shown in connection 2 already; some servers take each but once",
    )
    assert "issued in connection 1" in str(verdicts[2].shown[0])
    assert "shown in connection 2 already" in str(verdicts[2].shown[0])


def test_a_ticket_without_a_session_id() -> None:
    """TLS 1.2: there is nothing that the server could echo, so its change_cipher_spec tells."""
    keys = ring()
    _, sessions = talk(keys, version=ProtocolVersion.TLS_1_2)
    taken, _ = talk(keys, sessions[-1], version=ProtocolVersion.TLS_1_2)
    refused, _ = talk(ring(), sessions[-1], version=ProtocolVersion.TLS_1_2)
    flow = streams_of(captured(taken).packets).flows[0]
    for wire, accepted in ((taken, 0), (refused, None), (taken[:1], None)):
        verdict = History().judge(flow, [without_session_id(record) for record in explain(wire, KeyLog())])
        assert verdict.accepted == accepted
        assert len(verdict.shown) == 1


def without_session_id(record: Record) -> Record:
    """As another client and its server would have said it."""
    contents = [
        evolve(content, message=evolve(content.message, session_id=b""))
        if isinstance(content, HandshakeMessage) and isinstance(content.message, ClientHello | ServerHello)
        else content
        for content in record.contents
    ]
    return evolve(record, contents=tuple(contents))


def test_another_handshake_in_the_same_connection() -> None:
    """Renegotiation: the ticket was taken in the first, and what a server makes of it in a second is another matter.

    Ticket keys open each that shows or issues one.
    """
    log, keys = KeyLog(), ring()
    issues, sessions = talk(keys, log=log, version=ProtocolVersion.TLS_1_2)
    resumes, _ = talk(keys, sessions[-1], log=log, version=ProtocolVersion.TLS_1_2)
    refuses, _ = talk(ring(), sessions[-1], log=log, version=ProtocolVersion.TLS_1_2)
    flow = streams_of(captured(resumes).packets).flows[0]
    one, two, three = (explain(wire, log) for wire in (resumes, refuses, issues))
    verdict = History().judge(flow, one + two)
    assert (verdict.resumed, verdict.accepted, verdict.reasons) == (True, 0, ())
    lines = list(secrets_in(Said.in_records(one + three), TicketOpener((keys,)), NOW))
    assert len(lines) == len(set(lines)) == 2
    for line in lines:
        label, client_random, secret = line.split()
        assert log.secret(label, bytes.fromhex(client_random)) == bytes.fromhex(secret)


def test_nobody_answers() -> None:
    keys = ring()
    _, sessions = talk(keys)
    second, _ = talk(keys, sessions[-1])
    ((verdict, _),) = judged([second[:1]])
    assert verdict.resumed is None
    assert list(told(verdict))[1] == "not answered: there is no ServerHello"


def test_early_data_without_keys() -> None:
    log, keys = KeyLog(), ring()
    _, sessions = talk(keys)
    taken, _ = talk(keys, sessions[-1], early=b"early", log=log)
    assert judged([taken])[0][0].early_data.startswith("offered; whether it was taken")
    assert judged([taken], log)[0][0].early_data == "accepted: the client ended it with EndOfEarlyData"
    refused, _ = talk(ring(), sessions[-1], early=b"early")
    assert judged([refused])[0][0].early_data == "refused, with the ticket"


def test_issued_tickets_are_told() -> None:
    log, keys = KeyLog(), ring()
    pair = ConnectionPair(client_config(key_log=log.add), server_config(ticket_keys=keys))
    pair.pump()
    pair.send("server", IssueTicket(3))
    pair.send("server", SendData(b"the tickets go with it"))
    ((verdict, _),) = judged([pair.wire], log)
    assert len(verdict.issued) == 5
    name = keys.current.name.hex()
    assert all(line.startswith("issued: a ticket of ") and name in line for line in told(verdict))
