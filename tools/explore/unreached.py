"""Declared transitions that no walk makes, and why: a declaration is a permission, and handlers serve many configs."""

from __future__ import annotations

import re
from typing import Final

SEARCH: Final = (
    "(AskOpenTicket|AskDecideTicket|AskLookUpSession|AskLookUpPsk|AskAdmitSession|AskClaimSession)"
)
NO_EARLY: Final = "(AskAdmitEarlyData|AskClaimEarlyData|WaitEndOfEarlyData)"

REASONS: Final[tuple[tuple[str, str], ...]] = (
    (
        r"client tls12\.\w+: HelloRequest",
        "It would have to come in the middle of a flight, and flights are whole here.  Tests of every state with every "
        "input bring it there.",
    ),
    (
        r"client tls13\.Wait\w+WithEarlyData: SendEarlyData",
        "The client would have to speak in the middle of the server's flight, which is whole here.",
    ),
    (
        r"server tls13\.WaitClientCertificate: CompressedCertificate > tls13\.WaitClientFinished",
        "An empty chain that is compressed: ours sends it as it is.",
    ),
    (
        r"client tls12\.WaitCertificateStatus: ServerKeyExchange > tls12\.AskVerifyPeer",
        "A server that announces a CertificateStatus may leave it out; ours sends it.",
    ),
    (
        rf"server tls12\.{SEARCH}: \w+ > tls12\.{SEARCH}",
        "TLS 1.2 shows one ticket, or none and an id: behind them nothing is left to be asked about.",
    ),
    (
        r"server tls12\.(AskAdmitSession: SessionRefused|AskOpenTicket: TicketNotOpened)"
        r" > tls12\.(AskPrepareTicket|AskProtectTicket|WaitClientChangeCipherSpec)",
        "A session that may not go on leaves a full handshake, in which the ticket comes later.",
    ),
    (
        r"server tls12\.AskAdmitSession: SessionAdmitted > tls12\.AskSignExchange",
        "A session that was admitted is resumed: there is nothing to be signed.",
    ),
    (
        r"server tls12\.AskLookUpSession: ProvideSession > tls12\.(AskPrepareTicket|AskProtectTicket)",
        "Who resumes by an id gets no ticket in the same handshake.",
    ),
    (
        r"server (WaitClientHello: ClientHello|AskSelectConfig: UseConfig) > tls12\.AskProtectTicket",
        "Keys that are elsewhere are asked to open a ticket before they are asked to make another.",
    ),
    (
        r"server tls13\.(AskAdmitSession: SessionRefused|AskClaimSession: SessionNotClaimed"
        r"|AskOpenTicket: TicketNotOpened)"
        rf" > tls13\.{NO_EARLY}",
        "Early data belongs to the first identity; when that one is passed over, it is refused unasked.",
    ),
    (
        r"server tls13\.AskAdmitSession: SessionRefused > tls13\.AskClaimSession",
        "Whoever admits sessions is asked about the next one too before it is claimed.",
    ),
    (
        rf"server tls13\.(WaitSecondClientHello|WaitClientHelloWithCookie): ClientHello > tls13\.{NO_EARLY}",
        "A HelloRetryRequest refuses early data.",
    ),
    (
        r"server tls13\.(AskAdmitEarlyData|AskClaimEarlyData): \w+ > tls13\.AskSign",
        "Early data comes with a session, and then there is nothing to be signed.",
    ),
    (
        r"server tls13\.(AskAdmitSession: SessionAdmitted|AskClaimSession: SessionClaimed)"
        rf" > tls13\.({SEARCH}|AskSign)",
        "A session that was admitted, or claimed, is resumed, and the search is over: a cache that says no to what the "
        "application has claimed would lead on, and takes two servers at the same instant.",
    ),
    (
        r"server tls13\.(AskOpenTicket|AskDecideTicket): \w+ > tls13\.(AskLookUpSession|AskClaimSession)",
        "A server of TLS 1.3 takes all that is shown for tickets, or for ids; and sealed tickets are not claimed.",
    ),
    (
        r"server tls13\.(AskLookUpSession|AskClaimSession): \w+ > tls13\.(AskOpenTicket|AskDecideTicket)",
        "The same, the other way round.",
    ),
    (
        rf"server tls13\.AskLookUpSession: ProvideSession > tls13\.{NO_EARLY}",
        "Where early data is allowed and sessions are in a store, each is claimed first.",
    ),
    (
        r"server tls13\.AskOpenTicket: TicketNotOpened > tls13\.AskAdmitSession",
        "Whatever comes next is a ticket that is to be opened, or an external PSK, which is not admitted as a session.",
    ),
)
"""Patterns of ``side start: trigger > end``; the first that fits."""


def reason(transition: str) -> str | None:
    """Why it is not made; None if it should be."""
    return next((why for pattern, why in REASONS if re.match(pattern, transition)), None)
