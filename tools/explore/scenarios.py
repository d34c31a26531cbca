"""What is walked: scenes of the tests, with something to say for both sides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from attrs import evolve

from sansticket.codes import CertificateCompression
from sansticket.commands import (
    CheckRevocations,
    Close,
    FlushTickets,
    IssueTicket,
    RequestClientCertificate,
    SendData,
    SendEarlyData,
    UpdateKeys,
)
from sansticket.events import (
    AdmitEarlyData,
    AdmitSession,
    ClaimSession,
    DecideTicket,
    LookUpSession,
    OpenTicket,
    PrepareTicket,
    ProtectTicket,
    Sign,
    VerifyPeer,
)
from sansticket.tickets.stores.revocations import Revocations, certificate_subject
from sansticket.wire.messages.hello import ClientHello, HelloRequest
from tests.support.credentials import client_credential
from tests.support.scenes import (
    CLASSICAL,
    EARLY_CLIENT,
    TIME,
    TLS_1_2,
    Scene,
    named,
)
from tools.explore.setting import Foreign, Scenario, Script
from tools.explore.world import TalkativeCache, new_recorder, new_table

DATA: Final = SendData(b"")
EARLY: Final = SendEarlyData(b"")
"""The walk writes a mark into them that says whose they are."""

ONCE: Final[Script] = (DATA,)
TALK: Final[Script] = (DATA, Close())
EARLY_TALK: Final[Script] = (EARLY, DATA)
ASK_AGAIN: Final = Foreign(HelloRequest().encode(), early=True)
BEGIN_AGAIN: Final = Foreign(ClientHello(bytes(32), b"", (0xC02B,), ()).encode())
"""A renegotiation, which ours never wants and always declines."""

STORED: Final = {"ticket_keys": None, "single_use_tickets": True}
EARLY_SERVER: Final[dict[str, Any]] = {"max_early_data": 1000, "alpn_protocols": (b"h2",)}


RETRY: Final = {"groups": (CLASSICAL[1],)}
COMPRESSED: Final = {"certificate_compression": (CertificateCompression.ZLIB,)}


def talking(scene: Scene, client: Script = ONCE, server: Script = ONCE, **more: Any) -> Scenario:
    return Scenario(scene, client, server, **more)


def full(name: str, **changes: Any) -> Scene:
    """A full handshake of TLS 1.3 under that name."""
    return evolve(named("full"), name=name, **changes)


def revoking_the_client() -> Revocations:
    """By the key of its certificate; what was authenticated just now too."""
    revocations = Revocations()
    revocations.revoke_subject(certificate_subject(client_credential().chain[0]), TIME + 1)
    return revocations


def walks() -> list[Scenario]:
    """The protocol in both versions, with the attacker."""
    return [*_of_tls13(), *_of_certificates(), *_of_early_data(), *_of_tls12(), *_of_questions()]


def _of_tls13() -> Iterator[Scenario]:
    again = Scene("resumed, single use", server=STORED, resumes=True)
    noted = Scene("resumed, and uses are remembered", resumes=True)
    left = evolve(again, name="resumed, single use, and uses are remembered")
    certificate = named("client certificate")
    revoked = evolve(
        certificate,
        name="revoked at any time",
        server={**certificate.server, "revocations": revoking_the_client()},
    )
    yield talking(named("full"), TALK, TALK)
    yield talking(named("resumed"), TALK, TALK)
    yield talking(again, cache=TalkativeCache, single_use=True)
    yield talking(noted, uses=new_table, single_use=True)
    yield talking(left, cache=TalkativeCache, uses=new_table, single_use=True)
    yield talking(revoked, (), (CheckRevocations(),))
    yield talking(named("retry"))
    yield talking(named("resumed after a retry"))
    yield talking(named("resumed after a stateless retry"), ONCE, ONCE)
    yield talking(named("external PSK"))
    yield talking(named("external PSK without certificates"))
    yield talking(named("external PSK, resumed"))
    yield talking(full("key update"), (UpdateKeys(request_peer=True), DATA), (UpdateKeys(), DATA))
    yield talking(full("tickets on demand"), ONCE, (IssueTicket(2), DATA, IssueTicket(), FlushTickets()))
    yield talking(full("closed at any time"), (Close(),), (Close(),))
    yield talking(full("data before the client's Finished", server={"half_rtt": True}), ONCE, ONCE)


def _of_certificates() -> Iterator[Scenario]:
    afterwards = named("client certificate afterwards")
    compressed = evolve(
        afterwards,
        name="compressed certificate afterwards",
        client={**afterwards.client, **COMPRESSED},
        server={**afterwards.server, **COMPRESSED},
    )
    later = (RequestClientCertificate(), DATA)
    yield talking(named("client certificate"))
    yield talking(named("client certificate, resumed"))
    yield talking(named("no client certificate"))
    yield talking(named("compressed certificates"))
    yield talking(named("stapled"), ONCE, ONCE)
    yield talking(full("compressed certificate", client=COMPRESSED, server=COMPRESSED))
    yield talking(afterwards, ONCE, later)
    yield talking(named("no client certificate afterwards"), ONCE, later)
    yield talking(compressed, ONCE, later)


def _of_early_data() -> Iterator[Scenario]:
    early = Scene("early data", client=EARLY_CLIENT, server={**EARLY_SERVER, "half_rtt": True}, resumes=True)
    stored = evolve(early, name="early data, single use", server={**EARLY_SERVER, **STORED})
    refused = evolve(early, name="early data, refused", server=EARLY_SERVER, earlier={"max_early_data": 2000})
    retried = evolve(early, name="early data, and a retry", server={**EARLY_SERVER, **RETRY})
    asked = evolve(early, name="early data, and a question")
    yield talking(early, EARLY_TALK, ONCE, recorder=new_recorder)
    yield talking(stored, EARLY_TALK, ONCE, cache=TalkativeCache, single_use=True)
    yield talking(refused, EARLY_TALK, ONCE, recorder=new_recorder)
    yield talking(retried, EARLY_TALK, ONCE, recorder=new_recorder)
    yield talking(asked, (EARLY,), (), recorder=new_recorder, asked=(AdmitEarlyData,))


def _of_tls12() -> Iterator[Scenario]:
    by_id = Scene("TLS 1.2, resumed by id", TLS_1_2, {**TLS_1_2, "ticket_keys": None}, resumes=True)
    again = evolve(named("TLS 1.2"), name="TLS 1.2, renegotiation")
    closed = evolve(named("TLS 1.2"), name="TLS 1.2, closed at any time")
    without = named("TLS 1.2, no client certificate, no tickets")
    yield talking(named("TLS 1.2"), TALK, TALK)
    yield talking(named("TLS 1.2, resumed by ticket"), TALK, TALK)
    yield talking(by_id, cache=TalkativeCache)
    yield talking(named("TLS 1.2, client certificate"))
    yield talking(named("TLS 1.2, stapled"), ONCE, ONCE)
    yield talking(evolve(without, name="TLS 1.2, no client certificate", client=TLS_1_2))
    yield talking(without, ONCE, (ASK_AGAIN,))
    yield talking(named("TLS 1.2 where both versions are offered"))
    yield talking(again, (BEGIN_AGAIN,), (ASK_AGAIN, DATA))
    yield talking(closed, (Close(),), (Close(),))


def _of_questions() -> Iterator[Scenario]:
    """Open for a while on each side, with an attacker; the combinations without one are in ``questions``."""
    certificates = evolve(named("client certificate"), name="certificates, with questions")
    keys = evolve(named("keys elsewhere, resumed"), name="keys elsewhere, with questions")
    store = evolve(named("sessions elsewhere, for single use"), name="sessions elsewhere, with questions")
    old = evolve(named("TLS 1.2, keys elsewhere, resumed"), name="TLS 1.2, keys elsewhere, with questions")
    yield talking(certificates, ONCE, (), asked=(Sign, VerifyPeer))
    yield talking(keys, ONCE, (), asked=(OpenTicket, AdmitSession, PrepareTicket, ProtectTicket))
    yield talking(store, ONCE, (), asked=(LookUpSession, AdmitSession, ClaimSession), single_use=True)
    yield talking(old, ONCE, (), asked=(OpenTicket, DecideTicket, ProtectTicket))


def brief() -> Iterator[Scenario]:
    """The core of it, with one thing to say for each side, so that the attacker can do more."""
    known = {scenario.name: scenario for scenario in walks()}
    for name in BRIEF:
        early = name.startswith("early")
        yield evolve(known[name], client=(EARLY, DATA) if early else ONCE, server=() if early else ONCE)


BRIEF: Final = (
    "full",
    "resumed, single use",
    "early data",
    "TLS 1.2",
    "TLS 1.2, resumed by ticket",
    "TLS 1.2, resumed by id",
)
