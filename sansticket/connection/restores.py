"""A connection that was handed over goes on: under a config that is given again, and that must fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sansticket.codes import CipherSuite, ProtocolVersion
from sansticket.config.base import Config
from sansticket.config.choices import ClientAuthentication
from sansticket.config.client import ClientConfig
from sansticket.config.server import ServerConfig
from sansticket.config.tickets import NoTickets
from sansticket.connection.engine import Engine, SessionKeeper
from sansticket.connection.limits import Limits
from sansticket.crypto.inspection import signing_key_of
from sansticket.crypto.suites import SUITES, SuiteParameters, TrafficKeys
from sansticket.errors import ConfigError, Fault
from sansticket.events import LookUpPsk
from sansticket.handover.kinds import HandoverError
from sansticket.handover.value import Handover
from sansticket.handshake.client.tls13.connected import ClientConnected
from sansticket.handshake.machine.established import Established
from sansticket.handshake.machine.state import State
from sansticket.handshake.server.tls13.connected import MAX_REQUESTS, ServerConnected, can_verify_clients
from sansticket.handshake.server.tls13.negotiation import TicketNumbers
from sansticket.handshake.server.tls13.responses import (
    CertificateProved,
    CertificateRequested,
    CertificateShown,
    NoResponse,
    Response,
)
from sansticket.handshake.tls12 import connected as of_tls12
from sansticket.keys import tls12, tls13
from sansticket.keys.transcript import Transcript
from sansticket.text import quoted
from sansticket.tickets.early_data import EarlyDataOutcome


def restored(
    handover: Handover, config: Config, context: bytes, sessions: SessionKeeper, application: Any
) -> Engine:
    """An engine that goes on.  ``context`` is the session id context of the config.

    ConfigError names the field that does not fit, HandoverError what no connection of this config can have.
    """
    _require_fit(handover, config, context)
    suite = SUITES[handover.cipher_suite]
    established = _established(handover, suite)
    state = STATES[handover.of_server, handover.version](handover, config, established)
    engine = Engine(config, state, sessions, application)
    engine.establish(established)
    _give_records(engine, handover, suite)
    engine.note_ways_of_data()
    engine.limits = Limits.restored(
        handover.repeated, handover.change_cipher_specs, handover.warnings, handover.repetitions
    )
    engine.num_tickets = handover.num_tickets
    engine.early_data = EarlyDataOutcome(
        handover.early_data, handover.early_data_reason, handover.early_data_detail
    )
    if handover.early_exporter_secret:
        engine.early_exporter = tls13.Exporter(suite.hash_name, handover.early_exporter_secret)
    return engine


def require_side(handover: Handover, *, of_server: bool) -> None:
    """HandoverError for one of the other side, TypeError for what is none."""
    if not isinstance(handover, Handover):
        raise TypeError(f"restore of {type(handover).__name__}; expected a Handover")
    if handover.of_server is not of_server:
        given, expected = ("client", "server") if of_server else ("server", "client")
        raise HandoverError(f"of_server: a {given}'s connection; expected a {expected}'s")


def _require_fit(handover: Handover, config: Config, context: bytes) -> None:
    """ConfigError for a config under which this connection could not have come about."""
    suite, protocol = handover.cipher_suite, handover.alpn_protocol
    if handover.version not in config.versions:
        raise ConfigError("versions", f"without {ProtocolVersion(handover.version).name} of this connection")
    if suite not in config.cipher_suites:
        raise ConfigError("cipher_suites", f"without {CipherSuite(suite).name} of this connection")
    if protocol is not None and protocol not in config.alpn_protocols:
        raise ConfigError("alpn_protocols", f"without {quoted(protocol)} of this connection")
    _require_policy(handover, config, context)
    if config.require_extended_master_secret and not handover.extended_master_secret:
        raise ConfigError("require_extended_master_secret", "True, and this connection has none")
    if isinstance(config, ServerConfig):
        if config.client_authentication is ClientAuthentication.REQUIRED and not handover.peer_certificates:
            # An explicit session id context does not say it.
            raise ConfigError(
                "client_authentication",
                "REQUIRED, and the client of this connection has shown no certificate",
            )
        if handover.queued_tickets and isinstance(config.tickets, NoTickets):
            raise ConfigError("ticket_keys", "none, and tickets of this connection wait to be made")
        if (handover.requests or handover.response) and not can_verify_clients(config):
            raise ConfigError("trust_anchors", "none, and a client's certificate is to come")
    if (
        isinstance(config, ClientConfig)
        and handover.transcript is not None
        and not config.post_handshake_auth
    ):
        raise ConfigError("post_handshake_auth", "False, and the server was offered it")


def _require_policy(handover: Handover, config: Config, context: bytes) -> None:
    """That the peer would be verified as it was."""
    server = isinstance(config, ServerConfig)
    if handover.psk_identity is not None:
        psk = next((one for one in config.psks if one.identity == handover.psk_identity), None)
        if psk is None and LookUpPsk in config.answers:
            return  # whoever looks it up is not asked again
        if psk is None:
            raise ConfigError("psks", f"without {quoted(handover.psk_identity)} of this connection")
        context = psk.session_context(context if server else b"")
    if handover.session_id_context != context:
        raise ConfigError(
            "session_id_context" if server else "verification_label",
            "the peer of this connection was verified under another policy (trust_anchors, min_rsa_bits, psks, who "
            "verifies, and which certificates are shown); expected the same, with a verification_label where "
            "VerifyPeer is answered",
        )


def _established(handover: Handover, suite: SuiteParameters) -> Established:
    exporter: tls12.Exporter | tls13.Exporter
    if handover.client_random:
        master = tls12.MasterSecret(suite.hash_name, handover.exporter_secret)
        exporter = tls12.Exporter(master, handover.client_random, handover.server_random)
    else:
        exporter = tls13.Exporter(suite.hash_name, handover.exporter_secret)
    return Established(
        version=ProtocolVersion(handover.version),
        suite=suite,
        group=handover.group,
        alpn_protocol=handover.alpn_protocol,
        server_name=handover.server_name,
        session_id_context=handover.session_id_context,
        peer_certificates=handover.peer_certificates,
        resumed_session=handover.session,
        authenticated_at=handover.authenticated_at,
        exporter=exporter,
        extended_master_secret=handover.extended_master_secret,
        psk_identity=handover.psk_identity,
        family=handover.family,
        generation=handover.generation,
        ocsp_response=handover.ocsp_response,
    )


def _give_records(engine: Engine, handover: Handover, suite: SuiteParameters) -> None:
    """The two halves of the record layer, as far as they have come."""
    reading, writing = _keys(handover, suite)
    version, reader, outbound = engine.state.VERSION, engine.reader, engine.outbound
    if not handover.peer_closed:
        opener = version.opener(suite, reading, handover.reading_sequence)
        reader.go_on(opener, handover.reading_limit, handover.received, handover.empty_records)
        engine.held = bytearray(handover.message)
    if not handover.closed:
        outbound.writer.protect(version.sealer(suite, writing, handover.writing_sequence))
    outbound.writer.max_fragment = handover.writing_limit
    outbound.writer.put_back(handover.unsent)
    outbound.silent = False
    outbound.closed = handover.closed
    outbound.unsent_tickets, outbound.answer_waits = handover.unsent_tickets, handover.answer_waits
    engine.end_of_stream, engine.read_closed = handover.stream_ended, handover.peer_closed
    engine.trailing_data = handover.trailing_data


def _keys(handover: Handover, suite: SuiteParameters) -> tuple[TrafficKeys, TrafficKeys]:
    """Those of the peer, and ours."""
    if handover.client_random:
        master = tls12.MasterSecret(suite.hash_name, handover.exporter_secret)
        keys = master.connection_keys(suite, handover.client_random, handover.server_random)
        return (keys.client, keys.server) if handover.of_server else (keys.server, keys.client)
    return tls13.traffic_keys(suite, handover.reading_secret), tls13.traffic_keys(
        suite, handover.writing_secret
    )


# --- the states --------------------------------------------------------------------------------------------------


def _client_of_tls12(handover: Handover, config: Config, established: Established) -> State:
    return of_tls12.ClientConnected(established)


def _server_of_tls12(handover: Handover, config: Config, established: Established) -> State:
    return of_tls12.ServerConnected(established)


def _client_of_tls13(handover: Handover, config: Config, established: Established) -> State:
    assert isinstance(config, ClientConfig)
    return ClientConnected(**_of_tls13(handover, established), config=config)


def _of_tls13(handover: Handover, established: Established) -> dict[str, Any]:
    messages = handover.transcript
    return {
        "established": established,
        "reading_secret": handover.reading_secret,
        "writing_secret": handover.writing_secret,
        "key_updates": handover.key_updates,
        "asked_for_update": handover.asked_for_update,
        "resumption_secret": handover.resumption_secret,
        "transcript": None if messages is None else Transcript(established.suite.hash_name, messages),
    }


def _server_of_tls13(handover: Handover, config: Config, established: Established) -> State:
    assert isinstance(config, ServerConfig)
    if len(handover.requests) > MAX_REQUESTS:
        raise HandoverError(f"requests: {len(handover.requests)}; expected at most {MAX_REQUESTS}")
    hash_name = established.suite.hash_name
    return ServerConnected(
        **_of_tls13(handover, established),
        config=config,
        ticket_numbers=TicketNumbers(
            handover.client_takes_tickets,
            handover.automatic_tickets,
            handover.wanted_tickets[0] if handover.wanted_tickets else None,
            handover.most_tickets,
        ),
        requests=tuple(
            CertificateRequested(context, Transcript(hash_name, messages), required)
            for context, messages, required in handover.requests
        ),
        response=_response(handover, config, hash_name),
        app_data=handover.app_data,
        tickets_made=handover.tickets_made,
        queued=handover.queued_tickets,
    )


def _response(handover: Handover, config: ServerConfig, hash_name: str) -> Response:
    for proved, messages, chain in handover.response:
        transcript = Transcript(hash_name, messages)
        if proved:
            return CertificateProved(transcript, chain)
        try:
            return CertificateShown(transcript, chain, signing_key_of(chain[0], config.min_rsa_bits))
        except Fault as fault:
            raise HandoverError(f"response: {fault}") from None
    return NoResponse()


STATES: Final[dict[tuple[bool, int], Callable[[Handover, Config, Established], State]]] = {
    (False, of_tls12.ClientConnected.VERSION.number): _client_of_tls12,
    (True, of_tls12.ServerConnected.VERSION.number): _server_of_tls12,
    (False, ClientConnected.VERSION.number): _client_of_tls13,
    (True, ServerConnected.VERSION.number): _server_of_tls13,
}
"""How the state is made in which a connection goes on: by side and version."""
