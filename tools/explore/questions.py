"""Scenarios in which questions stay open, in all their combinations, and may be answered with no."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any, Final

from attrs import evolve

from sansticket.commands import (
    FlushTickets,
    IssueTicket,
    RequestClientCertificate,
)
from sansticket.events import (
    AdmitEarlyData,
    AdmitSession,
    ClaimEarlyData,
    ClaimSession,
    DecideTicket,
    LookUpPsk,
    LookUpSession,
    OpenTicket,
    PrepareTicket,
    ProtectTicket,
    Question,
    SelectConfig,
    Sign,
    VerifyPeer,
)
from sansticket.psk import PskRole
from sansticket.tickets.keys.ring import TicketKeyRing
from tests.support.scenes import (
    EARLY_CLIENT,
    TIME,
    TLS_1_2,
    Scene,
    named,
    psks_of,
    with_psks,
)
from tools.explore.scenarios import DATA, EARLY, EARLY_SERVER, RETRY, STORED
from tools.explore.setting import Scenario
from tools.explore.world import Source, TalkativeCache, new_recorder

SEALED: Final = (SelectConfig, OpenTicket, DecideTicket, AdmitSession, Sign, PrepareTicket, ProtectTicket)
"""What a server may ask that has tickets, and their keys elsewhere."""

KEPT: Final = (SelectConfig, LookUpSession, AdmitSession, ClaimSession, Sign)
"""What it may ask that keeps its sessions elsewhere."""

AUTHENTICATING: Final = (Sign, VerifyPeer)
BEFORE_EARLY_DATA: Final = (AdmitEarlyData, ClaimEarlyData)


ANOTHER_CONTEXT: Final[dict[str, Any]] = {
    "server": {"session_id_context": b"another"},
    "earlier": {"session_id_context": b"one"},
}
"""Sessions that are opened and found, and cannot go on."""

ANOTHER_CONTEXT_12: Final[dict[str, Any]] = {
    **ANOTHER_CONTEXT,
    "server": {**TLS_1_2, **ANOTHER_CONTEXT["server"]},
}
PSK: Final = (LookUpPsk,)
OUR_PSKS: Final = {"psks": psks_of(PskRole.SERVER)}

LATER: Final = evolve(
    named("client certificate afterwards"),
    name="client certificate afterwards, keys elsewhere",
    elsewhere="keys",
)


Family = tuple[Scenario, tuple[type[Question], ...]]


def families() -> Iterator[Family]:
    """Scenarios, each with the questions of which some are to stay open; those it names itself always do."""
    own = (SelectConfig, DecideTicket, AdmitSession, PrepareTicket)
    talk = (IssueTicket(), DATA, IssueTicket(), FlushTickets())
    after = Scenario(LATER, server=(RequestClientCertificate(),))
    yield Scenario(named("full")), (SelectConfig, Sign)
    yield Scenario(named("resumed")), own
    yield Scenario(named("resumed after a retry")), own
    retry = named("resumed after a stateless retry").server
    for before, first in (("keys elsewhere, resumed", OpenTicket), ("external PSK elsewhere", LookUpPsk)):
        scene = evolve(named(before), name=f"{before}, after a stateless retry")
        yield Scenario(evolve(scene, server={**scene.server, **retry})), (first, SelectConfig, Sign)
    stored = evolve(
        named("sessions elsewhere, for single use"), name="sessions elsewhere, after a stateless retry"
    )
    yield Scenario(evolve(stored, server={**stored.server, **retry})), (LookUpSession, SelectConfig)
    yield Scenario(named("resumed after a stateless retry")), own
    yield Scenario(named("keys elsewhere"), server=talk), (Sign, PrepareTicket, ProtectTicket)
    yield Scenario(named("tickets with the first data"), server=talk), (PrepareTicket,)
    yield Scenario(named("keys elsewhere, resumed")), SEALED
    yield Scenario(evolve(named("keys elsewhere, resumed"), **ANOTHER_CONTEXT)), SEALED[:5]
    yield Scenario(named("sessions elsewhere, for single use")), KEPT
    yield Scenario(named("client certificate")), AUTHENTICATING
    yield after, (*AUTHENTICATING, PrepareTicket, ProtectTicket)


def families_of_early_data() -> Iterator[Family]:
    early = Scene("early data", EARLY_CLIENT, EARLY_SERVER, resumes=True)
    stored = evolve(early, name="early data, single use", server={**EARLY_SERVER, **STORED})
    keys = evolve(early, name="early data, keys elsewhere", elsewhere="keys")
    once = {**EARLY_SERVER, "single_use_tickets": True}
    store = evolve(early, name="early data, sessions elsewhere", server=once, elsewhere="store")
    retried = evolve(keys, name="early data, keys elsewhere, and a retry", server={**EARLY_SERVER, **RETRY})
    client = {**EARLY_CLIENT, **with_psks(0)}
    psk = evolve(early, name="early data, of an external PSK", client=client, elsewhere="psks")
    own = (SelectConfig, DecideTicket, AdmitSession)
    yield Scenario(early, (EARLY,), recorder=new_recorder), (*own, *BEFORE_EARLY_DATA, Sign)
    yield Scenario(stored, (EARLY,), cache=TalkativeCache), (*KEPT, *BEFORE_EARLY_DATA)
    yield Scenario(keys, (EARLY,), recorder=new_recorder), (*SEALED[:5], *BEFORE_EARLY_DATA)
    yield Scenario(store, (EARLY,)), (*KEPT, *BEFORE_EARLY_DATA)
    yield Scenario(retried, (EARLY,), recorder=new_recorder), SEALED[:4]
    yield Scenario(psk, (EARLY,), recorder=new_recorder, asked=PSK), BEFORE_EARLY_DATA


def families_of_psks() -> Iterator[Family]:
    """Those with external PSKs, which are elsewhere, beside tickets and sessions."""
    search = (DecideTicket, LookUpSession, AdmitSession, ClaimSession)
    for name in (
        "resumed",
        "sessions elsewhere",
        "sessions elsewhere, for single use",
        "keys elsewhere, resumed",
    ):
        scene = evolve(named(name), name=f"{name}, and external PSKs", client=with_psks(0, 1))
        asked = (OpenTicket, *search) if scene.elsewhere == "keys" else search
        yield Scenario(scene, asked=PSK), asked
        yield Scenario(evolve(scene, **ANOTHER_CONTEXT), asked=PSK), asked[:-2]
    resumed = Scenario(named("external PSK elsewhere, resumed"), asked=PSK)
    stored = evolve(named("sessions elsewhere"), name="sessions elsewhere, after a retry", server=RETRY)
    yield resumed, (SelectConfig, AdmitSession, DecideTicket)
    yield Scenario(named("external PSK after a retry"), asked=PSK), (SelectConfig, Sign)
    yield Scenario(stored), (LookUpSession, AdmitSession)


def families_of_known_psks() -> Iterator[Family]:
    """Those in which the config has the PSKs, now or at the time of the session."""
    beside = Scene("single use, and external PSKs", with_psks(0), STORED, resumes=True)
    sessions = evolve(beside, name="single use, sessions of a PSK", earlier=OUR_PSKS)
    known = evolve(beside, name="single use, and PSKs of the config", server={**STORED, **OUR_PSKS})
    claimed = evolve(beside, name="single use, after a retry", client={}, server={**STORED, **RETRY})
    keys = evolve(named("keys elsewhere, resumed"), client=with_psks(0))
    sealed = evolve(
        keys, name="keys elsewhere, and PSKs of the config", server=OUR_PSKS, earlier={"psks": ()}
    )
    before = evolve(keys, name="keys elsewhere, sessions of a PSK", earlier=OUR_PSKS)
    yield Scenario(beside, cache=TalkativeCache, asked=PSK), (ClaimSession, AdmitSession)
    yield Scenario(sessions, cache=TalkativeCache, asked=PSK), (ClaimSession,)
    yield Scenario(evolve(known, earlier={"psks": ()}), cache=TalkativeCache), (ClaimSession,)
    yield Scenario(claimed, cache=TalkativeCache), (ClaimSession,)
    retry = {**STORED, **named("resumed after a stateless retry").server}
    stateless = evolve(claimed, name="single use, after a stateless retry", server=retry)
    yield Scenario(stateless, cache=TalkativeCache), (ClaimSession,)
    yield Scenario(sealed), (OpenTicket,)
    yield Scenario(before, asked=PSK), (OpenTicket,)


def families_of_tls12() -> Iterator[Family]:
    by_id, by_ticket = named("TLS 1.2, resumed by id"), named("TLS 1.2, resumed by ticket")
    certificate, keys = named("TLS 1.2, client certificate"), named("TLS 1.2, keys elsewhere, resumed")
    own = (SelectConfig, DecideTicket, AdmitSession, PrepareTicket)
    name = "TLS 1.2, client certificate, no tickets"
    without = evolve(certificate, name=name, client={**certificate.client, "tickets_in_tls12": False})
    yield Scenario(named("TLS 1.2")), (SelectConfig, Sign)
    yield Scenario(by_ticket), own
    yield Scenario(keys), SEALED
    yield Scenario(evolve(keys, name=f"{keys.name}, of another context", **ANOTHER_CONTEXT_12)), SEALED[1:]
    yield Scenario(by_id), (SelectConfig, LookUpSession, AdmitSession, Sign)
    yield (
        Scenario(evolve(by_id, name=f"{by_id.name}, of another context", **ANOTHER_CONTEXT_12)),
        (LookUpSession, Sign),
    )
    yield Scenario(certificate), (*AUTHENTICATING, PrepareTicket)
    yield Scenario(without), AUTHENTICATING
    before = TicketKeyRing.generate(TIME, Source("keys of before"))
    now = TicketKeyRing.generate(TIME, Source("keys of today"))
    now.add(before.current)
    server = {**TLS_1_2, "ticket_keys": now}
    name = "TLS 1.2, resumed by id where there are tickets"
    yield (
        Scenario(evolve(by_id, name=name, server=server, earlier={"ticket_keys": None})),
        (*own, LookUpSession),
    )
    name = "TLS 1.2, resumed by a ticket of older keys"
    yield Scenario(evolve(by_ticket, name=name, server=server, earlier={"ticket_keys": before})), own


def asking() -> Iterator[Scenario]:
    """Questions that stay open, one, two and all at a time, and may be answered with no."""
    every = (families, families_of_early_data, families_of_psks, families_of_known_psks, families_of_tls12)
    for scenario, questions in (family for some in every for family in some()):
        for number in sorted({0, 1, 2, len(questions)}):
            for asked in combinations(questions, number):
                words = ", ".join(kind.__name__ for kind in asked)
                yield evolve(
                    scenario,
                    scene=evolve(scenario.scene, name=f"{scenario.scene.name}, asking {words}"),
                    asked=tuple(dict.fromkeys((*scenario.asked, *asked))),
                    refuses=True,
                    aborts=number == 1,
                    offers=2,
                    budget=0,
                )
