"""The first steps of a TLS 1.3 server: a sound ClientHello, and perhaps a second one (RFC 9846 appendix A.2).

Transitions (``python -m tools.transitions --write``):

    WaitClientHelloWithCookie  ClientHello  AskOpenTicket, AskDecideTicket, AskLookUpSession, AskAdmitSession,
                                            AskClaimSession, AskLookUpPsk, AskAdmitEarlyData, AskClaimEarlyData,
                                            AskSign, WaitClientFinished, WaitEndOfEarlyData
    WaitSecondClientHello      ClientHello  AskOpenTicket, AskDecideTicket, AskLookUpSession, AskAdmitSession,
                                            AskClaimSession, AskLookUpPsk, AskAdmitEarlyData, AskClaimEarlyData,
                                            AskSign, WaitClientFinished, WaitEndOfEarlyData
"""

from __future__ import annotations

from typing import ClassVar

from attrs import evolve

from sansticket.config.server import CookieKeys, ServerConfig
from sansticket.crypto.suites import SUITES, SuiteParameters
from sansticket.errors import Fault, Reason
from sansticket.handshake.common.names import select_protocol, server_name_of
from sansticket.handshake.common.sizes import sizes_asked_for
from sansticket.handshake.machine.flight import Flight
from sansticket.handshake.machine.state import State
from sansticket.handshake.machine.version import TLS_1_3
from sansticket.handshake.server import search
from sansticket.handshake.server.rules import Search
from sansticket.handshake.server.tls13.cookies import Remembered, check_no_early_data, fixed_extensions
from sansticket.handshake.server.tls13.early_data import skippable
from sansticket.handshake.server.tls13.negotiation import (
    TLS13,
    Negotiated,
    can_do_without,
    can_resume,
    check_hello,
    select_group,
    select_suite,
    suite_for_retry,
    ticket_numbers,
)
from sansticket.handshake.server.tls13.rules import AfterHello, Rules
from sansticket.keys.transcript import Transcript
from sansticket.values import value
from sansticket.wire.extensions.key_exchange import KeyShareEntry, KeyShareOffer, KeyShareRetry
from sansticket.wire.extensions.negotiation import Cookie, SelectedVersion
from sansticket.wire.extensions.resumption import EarlyData, PreSharedKeyOffer
from sansticket.wire.messages.hello import ClientHello, HelloRetryRequest


def begin(config: ServerConfig, hello: ClientHello, raw_hello: bytes, flight: Flight) -> AfterFirstHello:
    """From the first ClientHello to our answer, or to a HelloRetryRequest; or from the second, if the cookie in it
    has all that there is to know of the first."""
    check_hello(config, hello)
    keys = config.stateless_retry
    if keys is not None and (cookie := hello.find(Cookie)) is not None:
        return go_on(config, keys, hello, raw_hello, cookie, flight)
    suite = select_suite(config, hello)
    share: KeyShareEntry | None = None
    if hello.find(KeyShareOffer) is not None:
        share, group = select_group(config, hello)
        if share is None and group:
            suite = suite_for_retry(config, hello, suite)
            return retry(config, hello, raw_hello, suite, group, flight)
    early_data = hello.find(EarlyData) is not None
    return negotiate(config, hello, raw_hello, suite, share, Transcript(suite.hash_name), flight, early_data)


def negotiate(
    config: ServerConfig,
    hello: ClientHello,
    raw_hello: bytes,
    suite: SuiteParameters,
    share: KeyShareEntry | None,
    transcript: Transcript,
    flight: Flight,
    early_data: bool,
) -> AfterHello:
    """Everything but the session is chosen; on to the search for one."""
    resumes = share is not None and can_resume(hello)
    negotiated = Negotiated(
        config=config,
        hello=hello,
        raw_hello=raw_hello,
        suite=suite,
        share=share,
        server_name=server_name_of(hello),
        alpn_protocol=select_protocol(config, hello),
        session_id_context=config.effective_session_id_context,
        transcript=transcript,
        resumes=resumes,
        offers_psk_ke=config.takes_psks and can_do_without(hello),
        ticket_numbers=ticket_numbers(config, hello, resumes=resumes),
        early_data=early_data,
        record_sizes=sizes_asked_for(config, hello, TLS_1_3),
    )
    flight.learn(version=TLS13, server_name=negotiated.server_name, alpn_protocol=negotiated.alpn_protocol)
    rules = Rules.of(negotiated)
    return search.go_on(Search(rules, rules.shown()), flight)


def retry(
    config: ServerConfig,
    hello: ClientHello,
    raw_hello: bytes,
    suite: SuiteParameters,
    group: int,
    flight: Flight,
) -> WaitSecondClientHello | WaitClientHelloWithCookie:
    """Ask for a share of ``group`` (RFC 9846 section 4.2.4).  No identity is looked at before the second hello."""
    flight.expect_end_of_record()
    keys, cookie = config.stateless_retry, None
    if keys is not None:
        first = Remembered.of(hello, raw_hello, suite, group, flight.now)
        cookie = Cookie(keys.seal_cookie(first.encode(), flight.now, flight.entropy))
    raw_request = flight.send(retry_request(hello, suite, group, cookie))
    if hello.session_id:
        flight.send_change_cipher_spec()
    if hello.find(EarlyData) is not None:
        flight.skip_early_data(before_second_hello=True, budget=skippable(config.max_early_data))
    if cookie is not None:
        return WaitClientHelloWithCookie(config)
    transcript = Transcript(suite.hash_name, (raw_hello,)).after_retry().plus(raw_request)
    return WaitSecondClientHello(config, hello, suite, group, transcript)


def retry_request(
    hello: ClientHello, suite: SuiteParameters, group: int, cookie: Cookie | None
) -> HelloRetryRequest:
    """The same for both hellos."""
    extensions = (SelectedVersion(TLS13), KeyShareRetry(group), *(() if cookie is None else (cookie,)))
    return HelloRetryRequest(hello.session_id, suite.suite, extensions)


def the_share(second: ClientHello, group: int) -> KeyShareEntry:
    """The one that the retry asked for (RFC 9846 section 4.2.2)."""
    shares = second.find(KeyShareOffer)
    entries = shares.shares if shares is not None else ()
    if len(entries) != 1 or entries[0].group != group:
        raise Fault(Reason.CHANGED_AFTER_RETRY, f"expected exactly one key share, for group {group:#06x}")
    return entries[0]


@value
class WaitClientHelloWithCookie(State):
    """We asked for a key share of another group, and keep nothing of the first ClientHello: it is in the cookie.

    RFC 9846 appendix A.2, START again.
    """

    GIVES_WAY: ClassVar[bool] = True

    config: ServerConfig

    def on_client_hello(self, message: ClientHello, flight: Flight) -> AfterHello:
        check_hello(self.config, message)
        keys, cookie = self.config.stateless_retry, message.find(Cookie)
        if keys is None or cookie is None:
            raise Fault(Reason.MISSING_EXTENSION, "cookie, in the second ClientHello")
        return go_on(self.config, keys, message, flight.received, cookie, flight)


def go_on(
    config: ServerConfig,
    keys: CookieKeys,
    hello: ClientHello,
    raw_hello: bytes,
    cookie: Cookie,
    flight: Flight,
) -> AfterHello:
    """From the second ClientHello, by what its cookie says of the first.  Another connection may have sent it."""
    plaintext = keys.open_cookie(cookie.cookie, flight.now)
    if plaintext is None:
        raise Fault(Reason.BAD_COOKIE, "no key of ours opens it")
    first = Remembered.decode(plaintext)
    first.check_age(flight.now)
    first.check_unchanged(hello)
    first.check_config(config)
    share = the_share(hello, first.group)
    suite = SUITES[first.suite]
    raw_request = retry_request(hello, suite, first.group, cookie).encode()
    transcript = Transcript.after_retry_of(suite.hash_name, first.first_hello).plus(raw_request)
    return negotiate(config, hello, raw_hello, suite, share, transcript, flight, first.early_data)


@value
class WaitSecondClientHello(State):
    """We asked for a key share of another group.  RFC 9846 appendix A.2, START again."""

    config: ServerConfig
    first_hello: ClientHello
    suite: SuiteParameters
    group: int
    transcript: Transcript

    def on_client_hello(self, message: ClientHello, flight: Flight) -> AfterHello:
        check_hello(self.config, message)
        self.check_unchanged(message)
        share = the_share(message, self.group)
        early_data = self.first_hello.find(EarlyData) is not None
        return negotiate(
            self.config, message, flight.received, self.suite, share, self.transcript, flight, early_data
        )

    def check_unchanged(self, second: ClientHello) -> None:
        """RFC 9846 section 4.2.2: what the retry did not ask to change must be as before."""
        check_no_early_data(second)
        if evolve(second, extensions=()) != evolve(self.first_hello, extensions=()):
            raise Fault(Reason.CHANGED_AFTER_RETRY, "a field of the ClientHello")
        if fixed_extensions(second) != fixed_extensions(self.first_hello):
            raise Fault(Reason.CHANGED_AFTER_RETRY, "an extension that the retry did not ask to change")
        if not _identities(second) <= _identities(self.first_hello):
            raise Fault(Reason.CHANGED_AFTER_RETRY, "an identity that the first ClientHello did not offer")


def _identities(hello: ClientHello) -> frozenset[bytes]:
    offer = hello.find(PreSharedKeyOffer)
    return frozenset([one.identity for one in offer.identities]) if offer is not None else frozenset()


AfterFirstHello = AfterHello | WaitSecondClientHello | WaitClientHelloWithCookie
"""Where a server of TLS 1.3 is once a ClientHello has come."""
