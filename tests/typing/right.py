"""What users write, and both type checkers must take without a word.  Nothing here is run."""

import asyncio
import functools
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from sansticket import (
    ASK,
    Abort,
    AbortHandshake,
    AcceptEarlyData,
    AcceptPeer,
    AdmitEarlyData,
    AdmitSession,
    AlertDescription,
    CheckRevocations,
    CipherSuite,
    ClaimEarlyData,
    ClaimSession,
    ClientAuthentication,
    ClientConfig,
    ClientConnection,
    ClientSessionStore,
    Close,
    Command,
    ConnectionTerminated,
    Credential,
    DataReceived,
    DecideTicket,
    EarlyDataAccepted,
    EarlyDataClaimed,
    EarlyDataEnded,
    EarlyDataNotClaimed,
    EarlyDataReason,
    EarlyDataReceived,
    EarlyDataRejected,
    EarlyDataStatus,
    Event,
    ExternalPsk,
    FlushTickets,
    FoundBy,
    HandshakeCompleted,
    ImportedIdentity,
    IssueTicket,
    LookUpPsk,
    LookUpSession,
    NamedGroup,
    OpenSSLTicketKey,
    OpenSSLTicketKeys,
    OpenTicket,
    PrepareTicket,
    ProtectTicket,
    ProtocolVersion,
    ProvidePsk,
    ProvideSession,
    ProvideSignature,
    PskKeyExchangeMode,
    PskRole,
    Question,
    RefuseEarlyData,
    RejectPeer,
    ReplayRecorder,
    ResolveTicket,
    ResumedCertificates,
    Revocations,
    SealTicket,
    SelectConfig,
    SendData,
    SendEarlyData,
    ServerConfig,
    ServerConnection,
    Session,
    SessionAdmitted,
    SessionCache,
    SessionClaimed,
    SessionNotClaimed,
    SessionRefused,
    Sign,
    SpentSession,
    TicketFlush,
    TicketIssued,
    TicketKey,
    TicketKeyRing,
    TicketNotOpened,
    TicketOpened,
    TicketProtected,
    TicketReceived,
    TicketReturn,
    TicketUse,
    TrustAnchors,
    UpdateKeys,
    UseConfig,
    VerifyPeer,
    WindowedTicketKeys,
    certificate_subject,
    import_psk,
)
from sansticket.config import Answer

credential = Credential.from_pem(Path("chain.pem").read_bytes(), Path("key.pem").read_bytes())
anchors = TrustAnchors.from_pem(Path("ca.pem").read_bytes())
also_anchors = TrustAnchors([b"DER"]), TrustAnchors((b"DER",)), TrustAnchors.from_der([b"DER"])
elsewhere = Credential([b"leaf", b"issuer"], None, min_rsa_bits=3072)

# --- sequences of every kind, numbers and the names that stand for them ---

ServerConfig(credentials=[credential])
ServerConfig(credentials=(credential, elsewhere), alpn_protocols=[b"h2", b"http/1.1"], versions=[0x0304])
protocols: Sequence[bytes] = [b"h2"]
several: list[Credential] = [credential]
named: list[NamedGroup] = [NamedGroup.X25519]
ServerConfig(
    credentials=several,
    alpn_protocols=protocols,
    versions=(ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2),
    cipher_suites={CipherSuite.AES_128_GCM_SHA256},
    groups=named,
    trust_anchors=anchors,
    client_authentication=ClientAuthentication.OPTIONAL,
    resumed_certificates=ResumedCertificates.VERIFY,
    ticket_flush=TicketFlush.WRITE,
    session_id_context=b"www",
    num_tickets=4,
)
ClientConfig(trust_anchors=anchors, key_shares=[NamedGroup.X25519, 0x0017], ticket_request=(2, 1))
ClientConfig(trust_anchors=anchors, key_shares=(), ticket_request=[2, 1], session_store=ClientSessionStore())
ClientConfig(verify_peer=False, clock=time.time, entropy=os.urandom, padding=lambda length: -length % 64)
lines: list[str] = []
ClientConfig(verify_peer=False, key_log=lines.append)

# --- ticket keys ---

ring = TicketKeyRing.generate(time.time(), os.urandom, rotate_after=3600, retire_after=10_800)
ServerConfig(credentials=[credential], ticket_keys=ring)
ServerConfig(credentials=[credential], ticket_keys=TicketKeyRing([TicketKey(b"name", b"secret", 0.0)]))
ServerConfig(credentials=[credential], ticket_keys=WindowedTicketKeys(bytes(32), 3600, also_open=[bytes(32)]))
openssl_key = OpenSSLTicketKey.from_bytes(bytes(80))
ServerConfig(credentials=[credential], ticket_keys=OpenSSLTicketKeys([openssl_key]))
ServerConfig(credentials=[credential], ticket_keys=None, session_cache=SessionCache(size=100))
ServerConfig(credentials=[credential], revocations=Revocations())

# --- revocations ---

revocations = Revocations(max_entries=1000, subjects=lambda app_data, chain: [app_data[:8]])
new: Revocations = revocations.revoke_subject(certificate_subject(b"DER"), time.time())
revocations.merge(Revocations.from_bytes(bytearray(new.to_bytes())))
revocations.merge(revocations.revoke_family(bytes(16), 1_700_000_000))
revocations.merge(revocations.revoke_key(b"name"))
revocations.forget(time.time(), max_session_age=3600)
why: str = revocations.why_refused(0.0, family=bytes(16), app_data=b"", key_name=b"name")

# --- answers ---


def decide(question: DecideTicket) -> Command:
    banned = question.session is not None and question.session.app_data == b"mallory"
    return ResolveTicket(TicketReturn.IGNORE if banned else TicketReturn.USE_RENEW)


def prepare(question: PrepareTicket) -> SealTicket:
    return SealTicket(app_data=question.session.app_data or b"user")


def admit_early(question: AdmitEarlyData) -> AcceptEarlyData | RefuseEarlyData:
    fresh = question.drift < 1 and question.limit <= 1000
    return AcceptEarlyData() if fresh else RefuseEarlyData(f"{question.age} s")


def claim_early(question: ClaimEarlyData) -> EarlyDataClaimed | EarlyDataNotClaimed:
    new = (question.key, question.until) not in claimed
    return EarlyDataClaimed() if new else EarlyDataNotClaimed("seen before")


claimed: set[tuple[bytes, float]] = set()
ServerConfig(
    credentials=[credential],
    max_early_data=1000,
    early_data_window=[5, 2.5],
    replay=ReplayRecorder(),
    half_rtt=True,
    answers={AdmitEarlyData: admit_early, ClaimEarlyData: claim_early},
)


def send_early(config: ClientConfig, session: Session) -> int:
    connection = ClientConnection(config, "www.example", session)
    if connection.early_data is EarlyDataStatus.OFFERED:
        connection.send(SendEarlyData(bytearray(connection.early_data_left)))
    reason: EarlyDataReason | None = connection.early_data_reason
    lost = 0
    for event in connection.receive_data(b""):
        match event:
            case EarlyDataRejected(reason=reason, bytes_sent=sent):
                lost += sent
            case EarlyDataAccepted() | EarlyDataEnded():
                pass
            case EarlyDataReceived(data=data):
                lost -= len(data)
    print(reason, connection.export_early_keying_material("label", None, 16))
    return lost


def whatever(question: Question) -> AbortHandshake:
    return AbortHandshake(AlertDescription.ACCESS_DENIED)


class Store:
    sessions: dict[bytes, Session]

    def look_up(self, question: LookUpSession) -> ProvideSession:
        return ProvideSession(self.sessions.get(question.session_id))

    def admit(self, question: AdmitSession) -> SessionAdmitted | SessionRefused:
        known = question.how is FoundBy.TICKET or question.session.session_id in self.sessions
        return SessionAdmitted() if known else SessionRefused("another server's")

    def claim(self, question: ClaimSession) -> SessionClaimed | SessionNotClaimed:
        taken = self.sessions.pop(question.session.session_id, None)
        return SessionClaimed() if taken else SessionNotClaimed()


class Remembering:
    found: dict[bytes, Session | SpentSession]
    written: dict[bytes, bytes]

    def look_up(self, question: LookUpSession) -> ProvideSession:
        return ProvideSession(self.found.get(question.session_id))

    def claim(self, question: ClaimSession) -> SessionClaimed | SessionNotClaimed:
        found = self.found.get(question.spent.session_id)
        if isinstance(found, SpentSession):
            first: TicketUse = found.use
            return SessionNotClaimed(found) if first.family else SessionNotClaimed(spent=None)
        self.written[question.spent.session_id] = question.spent.to_bytes()
        self.found[question.spent.session_id] = SpentSession.from_bytes(question.spent.to_bytes())
        return SessionClaimed()


class Service:
    """Something that is called, and is no function."""

    def __call__(self, question: Sign) -> ProvideSignature:
        return ProvideSignature(bytes(question.scheme))


def seal(prefix: bytes, question: ProtectTicket) -> TicketProtected:
    return TicketProtected(prefix + question.plaintext)


store = Store()
remembering = Remembering()
ServerConfig(
    credentials=[credential],
    ticket_keys=None,
    single_use_tickets=True,
    answers={LookUpSession: remembering.look_up, ClaimSession: remembering.claim},
)
ServerConfig(credentials=[credential], answers={DecideTicket: decide})
ServerConfig(credentials=[credential], answers={DecideTicket: decide, PrepareTicket: prepare, Sign: ASK})
ServerConfig(credentials=[credential], answers={SelectConfig: ASK})
ServerConfig(credentials=[credential], answers={DecideTicket: whatever, PrepareTicket: whatever})
ServerConfig(
    credentials=[elsewhere],
    ticket_keys=None,
    single_use_tickets=True,
    answers={
        LookUpSession: store.look_up,
        AdmitSession: store.admit,
        ClaimSession: store.claim,
        Sign: Service(),
    },
)
ServerConfig(
    credentials=[credential],
    answers={
        OpenTicket: lambda question: TicketOpened(question.ticket, renew=None),
        ProtectTicket: functools.partial(seal, b"1"),
    },
)
ClientConfig(answers={VerifyPeer: lambda question: AcceptPeer() if question.certificates else RejectPeer()})
kept: Mapping[type[Question], Answer] = {VerifyPeer: ASK, Sign: Service()}
ClientConfig(answers=kept)
ClientConfig(answers={**kept, VerifyPeer: whatever})

# --- external PSKs ---


def look_up(question: LookUpPsk) -> ProvidePsk:
    if question.imported is not None:
        return ProvidePsk(question.imported.derive(bytes(16), role=PskRole.SERVER))
    return ProvidePsk(None, "not yet")


one = ExternalPsk(b"sensor-7", bytes(16), role=PskRole.CLIENT, modes=[PskKeyExchangeMode.PSK_DHE_KE])
ClientConfig(psks=[one, *import_psk(b"gate", bytes(16), role=PskRole.CLIENT, context=b"client=gate")])
ServerConfig(answers={LookUpPsk: look_up})
said = ImportedIdentity.parse(one.identity)
context: bytes = said.context if said is not None else b""

# --- OCSP stapling ---


def verify(question: VerifyPeer) -> AcceptPeer | RejectPeer:
    response: bytes | None = question.ocsp_response
    return AcceptPeer() if response else RejectPeer()


ClientConfig(require_stapling=True, answers={VerifyPeer: verify})
kept_staple: bytes | None = ClientConnection(ClientConfig(request_stapling=True)).ocsp_response

# --- connections, commands and events ---


def serve(config: ServerConfig, data: bytes) -> bytes:
    connection = ServerConnection(config)
    for event in connection.receive_data(data):
        match event:
            case HandshakeCompleted(psk_identity=bytes(identity)):
                print(identity.hex(), connection.psk_identity)
            case HandshakeCompleted(alpn_protocol=protocol):
                connection.send(SendData(protocol or b"none"))
            case DataReceived(data=received):
                connection.send(SendData(memoryview(received)))
            case TicketIssued(session=session, ordinal=ordinal):
                store.sessions[session.session_id] = session
                print(ordinal + 1)
            case OpenTicket():
                connection.send(TicketNotOpened())
            case SelectConfig(server_name=name):
                connection.send(UseConfig(config) if name else AbortHandshake())
            case ConnectionTerminated(reason=reason, alert=alert):
                print(reason.value, alert)
            case _:
                pass
    for command in (
        CheckRevocations(),
        IssueTicket(),
        IssueTicket(2),
        FlushTickets(),
        UpdateKeys(request_peer=True),
        Close(),
        Abort(),
    ):
        connection.send(command)
    return connection.data_to_send()


def come_back(config: ClientConfig, session: Session | None) -> list[Session]:
    connection = ClientConnection(config, "www.example", session)
    events: Sequence[Event] = connection.receive_data(b"")
    return [event.session for event in events if isinstance(event, TicketReceived)]


def reject(connection: ClientConnection) -> None:
    connection.send(RejectPeer(AlertDescription.UNKNOWN_CA))
    connection.send(RejectPeer(48))


async def run() -> None:
    await asyncio.sleep(0)


session = Session(version=0x0304, cipher_suite=0x1301, secret=bytes(32), lifetime=7200, issued_at=time.time())
same: Session = Session.from_bytes(session.to_bytes())
