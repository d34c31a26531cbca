"""Clients and servers that are the same in every process, and forks of them in every state.

Keys, certificates, clock and entropy are fixed, so that an input that once broke something breaks it again, and a
recorded stream goes on to be understood.  The entropy has no state, since forks share it: whoever asks for the
same number of bytes gets the same bytes.  Nothing of this is secret.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import shake_256
from typing import Any, Final, Literal

from attrs import Factory, evolve, frozen
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sansticket.codes import NamedGroup, ProtocolVersion, PskKeyExchangeMode
from sansticket.commands import (
    Close,
    Command,
    EarlyDataClaimed,
    IssueTicket,
    RequestClientCertificate,
    SendData,
    SendEarlyData,
    UpdateKeys,
)
from sansticket.config.choices import ASK, Answer, ClientAuthentication
from sansticket.config.client import ClientConfig
from sansticket.config.server import ServerConfig
from sansticket.connection.client import ClientConnection
from sansticket.connection.server import ServerConnection
from sansticket.crypto.certificates import Credential
from sansticket.crypto.verification import TrustAnchors
from sansticket.events import (
    AdmitEarlyData,
    AdmitSession,
    ClaimEarlyData,
    DecideTicket,
    LookUpPsk,
    PrepareTicket,
    Question,
    SelectConfig,
    Sign,
    TicketReceived,
    VerifyPeer,
)
from sansticket.handshake.machine.state import Asking
from sansticket.psk import ExternalPsk, PskRole, import_psk
from sansticket.tickets.keys.ring import TicketKeyRing
from sansticket.tickets.session import Session

NOW: Final = datetime(2030, 1, 1, tzinfo=UTC)
TIME: Final = NOW.timestamp()
NAME: Final = "server.example"

Side = Literal["client", "server"]
Connection = ClientConnection | ServerConnection
SIDES: Final[tuple[Side, Side]] = ("client", "server")

ASKED: Final[tuple[type[Question], ...]] = (
    SelectConfig,
    DecideTicket,
    LookUpPsk,
    AdmitSession,
    AdmitEarlyData,
    PrepareTicket,
    Sign,
    VerifyPeer,
)
"""The questions that are asked; whoever drives a connection answers them with the defaults."""


def entropy(size: int) -> bytes:
    return shake_256(size.to_bytes(4)).digest(size)


def clock() -> float:
    return TIME


# --- certificates ------------------------------------------------------------------------------------------------


def _key(number: int) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(number, ec.SECP256R1())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(
    number: int, subject: str, *extensions: tuple[x509.ExtensionType, bool], key: Any = None
) -> bytes:
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name("fuzz root"))
        .public_key((key or _key(number)).public_key())
        .serial_number(number)
        .not_valid_before(datetime(2025, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2045, 1, 1, tzinfo=UTC))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(_key(100), SHA256(), ecdsa_deterministic=True).public_bytes(Encoding.DER)


@cache
def root() -> bytes:
    return _certificate(100, "fuzz root", (x509.BasicConstraints(ca=True, path_length=None), True))


@cache
def anchors() -> TrustAnchors:
    return TrustAnchors.from_der([root()])


@cache
def credential(side: Side) -> Credential:
    client, server = (101, ExtendedKeyUsageOID.CLIENT_AUTH), (102, ExtendedKeyUsageOID.SERVER_AUTH)
    number, usage = client if side == "client" else server
    name = f"{side}.example"
    leaf = _certificate(
        number,
        name,
        (x509.SubjectAlternativeName([x509.DNSName(name)]), False),
        (x509.ExtendedKeyUsage([usage]), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(_key(100).public_key()), False),
    )
    return Credential((leaf, root()), _key(number))


@cache
def staple() -> bytes:
    """An OCSP response for the server, by a responder whose signatures are the same each time."""
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING])
    responder = x509.load_der_x509_certificate(_certificate(103, "fuzz responder", (purpose, False), key=key))
    leaf, issuer = map(x509.load_der_x509_certificate, credential("server").chain)
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            *(leaf, issuer, SHA256(), ocsp.OCSPCertStatus.GOOD),
            this_update=NOW,
            next_update=NOW + timedelta(days=7),
            revocation_time=None,
            revocation_reason=None,
        )
        .responder_id(ocsp.OCSPResponderEncoding.NAME, responder)
        .certificates([responder])
    )
    made = builder.sign(key, None)
    # The library says when it made it, which is another time each time.
    produced = f"{made.produced_at_utc:%Y%m%d%H%M%S}Z".encode()
    signed = made.tbs_response_bytes.replace(produced, f"{NOW:%Y%m%d%H%M%S}Z".encode(), 1)
    whole = made.public_bytes(Encoding.DER).replace(made.tbs_response_bytes, signed)
    return whole.replace(made.signature, key.sign(signed))


# --- configs -----------------------------------------------------------------------------------------------------

BOTH: Final = (ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2)
COMMON: Final[dict[str, Any]] = {
    "clock": clock,
    "entropy": entropy,
    "groups": (NamedGroup.X25519, NamedGroup.SECP256R1),
    "trust_anchors": anchors(),
    "max_buffered": 20_000,
    "max_handshake_message": 16_384,
}


def client_config(**changes: Any) -> ClientConfig:
    defaults = {
        "credentials": [credential("client")],
        "alpn_protocols": (b"h2",),
        "post_handshake_auth": True,
    }
    made = ClientConfig(**{**COMMON, "versions": BOTH, **defaults, **changes})
    return made if "answers" in changes else evolve(made, answers=asked(made))


def server_config(**changes: Any) -> ServerConfig:
    defaults = {
        "credentials": [credential("server")],
        "alpn_protocols": (b"h2",),
        "ticket_keys": TicketKeyRing.generate(TIME, entropy),
    }
    made = ServerConfig(**{**COMMON, "versions": BOTH, **defaults, **changes})
    return made if "answers" in changes else evolve(made, answers=asked(made))


def asked(config: ClientConfig | ServerConfig) -> dict[type[Question], Answer]:
    """All of ``ASKED`` that the config can ask."""
    return {kind: ASK for kind in ASKED if config.lacking.get(kind) == ""}


# --- where connections come from -----------------------------------------------------------------------------------


class Source:
    """Makes the connections of the targets; ``fuzz.recorded`` has another."""

    def client(self, config: ClientConfig, sessions: Sequence[Session]) -> ClientConnection:
        return ClientConnection(config, NAME, sessions)

    def server(self, config: ServerConfig) -> ServerConnection:
        return ServerConnection(config)

    def at(self, side: Side, number: int) -> Connection:
        """In the state of that place."""
        return moments(side)[number].fork()


SOURCES: Final = [Source()]
"""The last one counts."""


def new_client(config: ClientConfig, sessions: Sequence[Session] = ()) -> ClientConnection:
    return SOURCES[-1].client(config, sessions)


def new_server(config: ServerConfig) -> ServerConnection:
    return SOURCES[-1].server(config)


def connection_at(side: Side, number: int) -> Connection:
    """In one of the states that there are; any number is one."""
    return SOURCES[-1].at(side, number % len(places(side)))


# --- conversations -----------------------------------------------------------------------------------------------

TALK: Final[tuple[tuple[Side, Command], ...]] = (
    ("client", SendData(b"a question")),
    ("server", RequestClientCertificate()),
    ("client", UpdateKeys(request_peer=True)),
    ("server", IssueTicket()),
    ("server", SendData(b"an answer")),
    ("server", Close()),
    ("client", Close()),
)
SHORT_TALK: Final[tuple[tuple[Side, Command], ...]] = (
    ("client", SendData(b"a question")),
    ("server", SendData(b"an answer")),
    ("server", Close()),
    ("client", Close()),
)


def psks(role: PskRole) -> dict[str, Any]:
    """One as it is, which may do without a key exchange, and one that is imported."""
    modes = (PskKeyExchangeMode.PSK_DHE_KE, PskKeyExchangeMode.PSK_KE)
    imported = import_psk(b"gate", bytes(range(32)), role=role, context=b"client=gate")
    return {"psks": [ExternalPsk(b"sensor", bytes(range(32, 64)), role=role, modes=modes), *imported]}


ASKS_FOR_CERTIFICATE: Final = {"client_authentication": ClientAuthentication.OPTIONAL}
TLS_1_2: Final = {"versions": (ProtocolVersion.TLS_1_2,)}
EARLY: Final[tuple[tuple[Side, Command], ...]] = (("client", SendEarlyData(b"an early question")),)


def claimed(question: ClaimEarlyData) -> EarlyDataClaimed:
    """Each time, so that forks go on alike."""
    return EarlyDataClaimed()


EARLY_DATA: Final[dict[str, Any]] = {
    "max_early_data": 1000,
    "half_rtt": True,
    "answers": {**dict.fromkeys((SelectConfig, AdmitSession, AdmitEarlyData), ASK), ClaimEarlyData: claimed},
}


@frozen
class Conversation:
    """What server and client have otherwise than by default, and whether the client comes back with a session."""

    name: str
    server: dict[str, Any]
    resumes: bool = False
    client: dict[str, Any] = Factory(dict)

    @property
    def talk(self) -> tuple[tuple[Side, Command], ...]:
        return EARLY + self.late_talk if self.client.get("early_data") else self.late_talk

    @property
    def late_talk(self) -> tuple[tuple[Side, Command], ...]:
        return SHORT_TALK if "versions" in self.server or "psks" in self.server else TALK

    def open(self, source: Source | None = None) -> tuple[ClientConnection, ServerConnection]:
        sessions: list[Session] = []
        if self.resumes:
            earlier = self._connections(Source(), [])
            for _, _, events in converse(*earlier, self.late_talk[:3]):
                sessions += [event.session for event in events if isinstance(event, TicketReceived)]
        return self._connections(source or Source(), sessions[:2])

    def _connections(
        self, source: Source, sessions: list[Session]
    ) -> tuple[ClientConnection, ServerConnection]:
        client = source.client(client_config(**self.client), sessions)
        return client, source.server(server_config(**self.server))


def stapled() -> dict[str, Any]:
    return {"credentials": [evolve(credential("server"), ocsp_response=staple())]}


CONVERSATIONS: Final = (
    Conversation("full", {}),
    Conversation("resumed", {}, resumes=True),
    Conversation("retry", {"groups": (NamedGroup.SECP256R1,)}),
    Conversation("certificate", ASKS_FOR_CERTIFICATE),
    Conversation("stapled", stapled(), client={"request_stapling": True}),
    Conversation("full12", TLS_1_2),
    Conversation("stapled12", {**TLS_1_2, **stapled()}, client={"request_stapling": True}),
    Conversation("resumed12", TLS_1_2, resumes=True),
    Conversation("certificate12", {**TLS_1_2, **ASKS_FOR_CERTIFICATE}),
    Conversation("psk", psks(PskRole.SERVER), client=psks(PskRole.CLIENT)),
    Conversation("resumed psk", psks(PskRole.SERVER), resumes=True, client=psks(PskRole.CLIENT)),
    Conversation("other psk", {}, client=psks(PskRole.CLIENT)),
    Conversation("early", EARLY_DATA, resumes=True, client={"early_data": True}),
    Conversation(
        "early and retry",
        {**EARLY_DATA, "groups": (NamedGroup.SECP256R1,)},
        resumes=True,
        client={"early_data": True},
    ),
    Conversation(
        "stateless retry",
        {"groups": (NamedGroup.SECP256R1,), "stateless_retry": TicketKeyRing.generate(TIME, entropy)},
    ),
)

Step = tuple[Side, bytes | Command, list[Any]]


def converse(
    client: ClientConnection, server: ServerConnection, talk: tuple[tuple[Side, Command], ...]
) -> Iterator[Step]:
    """Play it record by record; yields every input right after it was taken: whose, what, and the events."""
    sides: dict[Side, Connection] = {"client": client, "server": server}
    early = [step for step in talk if isinstance(step[1], SendEarlyData)]
    for side, command in early:
        yield side, command, sides[side].send(command)
    yield from _carry(sides)
    for side, command in talk[len(early) :]:
        yield side, command, sides[side].send(command)
        yield from _answer(side, sides[side])
        yield from _carry(sides)


def _carry(sides: dict[Side, Connection]) -> Iterator[Step]:
    moved = True
    while moved:
        moved = False
        for sender, receiver in ((SIDES[0], SIDES[1]), (SIDES[1], SIDES[0])):
            for record in records(sides[sender].data_to_send()):
                moved = True
                yield receiver, record, sides[receiver].receive_data(record)
                yield from _answer(receiver, sides[receiver])


def _answer(side: Side, connection: Connection) -> Iterator[Step]:
    while connection.pending is not None:
        command = default_answer(connection)
        yield side, command, connection.send(command)


def default_answer(connection: Connection) -> Command:
    state = connection._engine.state
    assert isinstance(state, Asking)
    return state.default_answer(TIME)


def records(data: bytes) -> Iterator[bytes]:
    """The records of which ``data`` consists."""
    while data:
        stop = 5 + int.from_bytes(data[3:5])
        yield data[:stop]
        data = data[stop:]


# --- forks -------------------------------------------------------------------------------------------------------


Place = tuple[str, str]
"""A conversation and a state in it."""


@cache
def places(side: Side) -> dict[Place, Connection]:
    """A connection in each state of each conversation, to be copied before it is used."""
    found: dict[Place, Connection] = {}
    for conversation in CONVERSATIONS:
        client, server = conversation.open()
        connection: Connection = client if side == "client" else server
        for other in (client, server):
            other._engine.outbound.writer.max_fragment = (
                1  # every record one byte: no state is passed over within one
            )
        _note(found, conversation.name, connection)
        for whose, _, _ in converse(client, server, conversation.talk[:-2]):
            if whose == side and not connection._engine.held:
                _note(found, conversation.name, connection)
    return found


@cache
def moments(side: Side) -> tuple[Connection, ...]:
    """The same by number."""
    return tuple(places(side).values())


def place_number(side: Side, place: Place) -> int:
    return list(places(side)).index(place)


def _note(found: dict[Place, Connection], name: str, connection: Connection) -> None:
    fork = connection.fork()
    fork.data_to_send()
    fork._engine.outbound.writer.max_fragment = 2**14
    found.setdefault((name, connection.state), fork)
