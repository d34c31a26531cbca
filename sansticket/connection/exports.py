"""What of a live connection is handed over; it is dead afterwards."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from sansticket.connection.engine import Engine
from sansticket.connection.forks import HANDED_OVER, spend
from sansticket.errors import LocalProtocolError
from sansticket.handover.value import Handover
from sansticket.handshake.client.tls13.connected import ClientConnected
from sansticket.handshake.machine.established import Established
from sansticket.handshake.machine.state import Asking, Ended, State
from sansticket.handshake.server.tls13.connected import ServerConnected
from sansticket.handshake.server.tls13.responses import CertificateProved, CertificateShown, Response
from sansticket.handshake.tls13.connected import Connected
from sansticket.keys import tls12
from sansticket.keys.transcript import Transcript
from sansticket.record.protection import MAX_SEQUENCE, Direction
from sansticket.record.writer import RecordWriter


class SpentWriter(RecordWriter):
    """Of a connection that was handed over: whoever still asks it for bytes has not noticed."""

    __slots__ = ()

    def take(self) -> bytes:
        raise LocalProtocolError(f"data_to_send on {HANDED_OVER}")


OF_NO_TLS13: dict[str, Any] = {
    "reading_secret": b"",
    "writing_secret": b"",
    "key_updates": 0,
    "asked_for_update": False,
    "resumption_secret": b"",
    "transcript": None,
}
OF_NO_SERVER: dict[str, Any] = {
    "client_takes_tickets": False,
    "automatic_tickets": 0,
    "wanted_tickets": (),
    "most_tickets": 0,
    "requests": (),
    "response": (),
    "app_data": b"",
    "tickets_made": 0,
    "queued_tickets": 0,
}


def handed_over(engine: Engine, *, of_server: bool) -> Handover:
    """All that the connection is, but its config and its application.  LocalProtocolError if it cannot go anywhere."""
    established = _require_rest(engine)
    handover = Handover(
        of_server=of_server,
        **_established(established),
        **_records(engine),
        **_progress(engine),
        **{**OF_NO_TLS13, **OF_NO_SERVER, **_of_state(engine.state)},
        **engine.sessions.handed_over(),
    )
    handover.to_bytes()  # what has no form is told before anything has happened
    spend(engine, HANDED_OVER)
    engine.outbound.writer = SpentWriter()
    return handover


def _require_rest(engine: Engine) -> Established:
    """The handshake is done, and no question is open."""
    if engine.spent:
        raise LocalProtocolError(f"export of {engine.spent}")
    if type(engine.state) is Ended:
        raise LocalProtocolError("export after the end of the connection; expected one that goes on")
    if engine.pending is not None or isinstance(engine.state, Asking):
        question = type(engine.pending).__name__
        raise LocalProtocolError(f"export in {engine.place}; expected an answer to {question} before")
    if engine.established is None or not engine.state.ESTABLISHED:
        raise LocalProtocolError(f"export in {engine.place}; expected HandshakeCompleted before")
    if engine.events:
        raise LocalProtocolError("export while there are events; expected a call that takes them before")
    for direction in (engine.reader.opener, engine.outbound.writer.sealer):
        if direction is not None and direction.sequence > MAX_SEQUENCE:
            raise LocalProtocolError("export with a key that is used up; expected Close")
    return engine.established


def _established(established: Established) -> dict[str, Any]:
    exporter = established.exporter
    secrets: dict[str, bytes]
    if isinstance(exporter, tls12.Exporter):
        secrets = {
            "exporter_secret": exporter.master.secret,
            "client_random": exporter.client_random,
            "server_random": exporter.server_random,
        }
    else:
        assert exporter is not None
        secrets = {"exporter_secret": exporter.secret, "client_random": b"", "server_random": b""}
    return {
        "version": int(established.version),
        "cipher_suite": int(established.suite.suite),
        "group": int(established.group),
        "alpn_protocol": established.alpn_protocol,
        "server_name": established.server_name,
        "session_id_context": established.session_id_context,
        "peer_certificates": established.peer_certificates,
        "session": established.resumed_session,
        "authenticated_at": established.authenticated_at,
        "extended_master_secret": established.extended_master_secret,
        "psk_identity": established.psk_identity,
        "family": established.family,
        "generation": established.generation,
        "ocsp_response": established.ocsp_response,
        **secrets,
    }


def _records(engine: Engine) -> dict[str, Any]:
    reader, outbound = engine.reader, engine.outbound
    return {
        "reading_sequence": _sequence(reader.opener),
        "writing_sequence": _sequence(outbound.writer.sealer),
        "reading_limit": reader.limit,
        "writing_limit": outbound.writer.max_fragment,
        "received": reader.rest(),
        "message": bytes(engine.held),
        "empty_records": reader.empty_records,
        "unsent": outbound.writer.waiting(),
        "unsent_tickets": outbound.unsent_tickets,
        "answer_waits": outbound.answer_waits,
        "stream_ended": engine.end_of_stream,
        "peer_closed": engine.read_closed,
        "closed": outbound.closed,
        "trailing_data": engine.trailing_data,
    }


def _sequence(direction: Direction | None) -> int:
    return 0 if direction is None else direction.sequence


def _progress(engine: Engine) -> dict[str, Any]:
    outcome, exporter = engine.early_data, engine.early_exporter
    return {
        **engine.limits.handed_over(),
        "num_tickets": engine.num_tickets,
        "early_data": outcome.status,
        "early_data_reason": outcome.reason,
        "early_data_detail": outcome.detail,
        "early_exporter_secret": b"" if exporter is None else exporter.secret,
    }


@singledispatch
def _of_state(state: State) -> dict[str, Any]:
    """A state of TLS 1.2 has nothing that is not known already."""
    return {}


@_of_state.register
def _of_tls13(state: Connected) -> dict[str, Any]:
    return {
        "reading_secret": state.reading_secret,
        "writing_secret": state.writing_secret,
        "key_updates": state.key_updates,
        "asked_for_update": state.asked_for_update,
    }


@_of_state.register
def _of_client(state: ClientConnected) -> dict[str, Any]:
    return {**_of_tls13(state), **_of_later_answers(state.resumption_secret, state.transcript)}


@_of_state.register
def _of_server(state: ServerConnected) -> dict[str, Any]:
    numbers = state.ticket_numbers
    return {
        **_of_tls13(state),
        **_of_later_answers(state.resumption_secret, state.transcript),
        "client_takes_tickets": numbers.client_takes_tickets,
        "automatic_tickets": numbers.num_tickets,
        "wanted_tickets": () if numbers.wanted is None else (numbers.wanted,),
        "most_tickets": numbers.limit,
        "requests": tuple((one.context, one.transcript.messages, one.required) for one in state.requests),
        "response": _response(state.response),
        "app_data": state.app_data,
        "tickets_made": state.tickets_made,
        "queued_tickets": state.queued,
    }


def _of_later_answers(resumption_secret: bytes, transcript: Transcript | None) -> dict[str, Any]:
    messages = None if transcript is None else transcript.messages
    return {"resumption_secret": resumption_secret, "transcript": messages}


def _response(response: Response) -> tuple[tuple[bool, tuple[bytes, ...], tuple[bytes, ...]], ...]:
    match response:
        case CertificateShown(transcript, chain) | CertificateProved(transcript, chain):
            return ((isinstance(response, CertificateProved), transcript.messages, chain),)
    return ()
