"""What both type checkers must refuse: each line that ends with ``# wrong``, and no other.  Nothing here is run."""

from sansticket import (
    Abort,
    AbortHandshake,
    CheckRevocations,
    ClientConfig,
    ClientConnection,
    Command,
    Credential,
    DecideTicket,
    ExternalPsk,
    IssueTicket,
    OpenSSLTicketKeys,
    PrepareTicket,
    ProvideSession,
    ProvideSignature,
    PskRole,
    RefuseEarlyData,
    ResolveTicket,
    Revocations,
    SealTicket,
    SendData,
    SendEarlyData,
    ServerConfig,
    ServerConnection,
    Session,
    SessionCache,
    TicketKey,
    TicketKeyRing,
    TicketOpened,
    TrustAnchors,
    UpdateKeys,
    UseConfig,
    VerifyPeer,
    WindowedTicketKeys,
)


def decide(question: DecideTicket) -> Command:
    return ResolveTicket("use")  # wrong


def of_no_question(number: int) -> Command:
    return AbortHandshake(number)


def without_question() -> Command:
    return AbortHandshake("bad_certificate")  # wrong


# --- configs ---

ServerConfig(
    credentials=42,  # wrong
    alpn_protocols="h2",  # wrong
    versions="TLSv1.3",  # wrong
    answers={1: 2},  # wrong
)
ServerConfig(credentials=["chain.pem"])  # wrong
ServerConfig(psks=[(b"sensor-7", bytes(16))])  # wrong
ExternalPsk("sensor-7", bytes(16), role=PskRole.SERVER)  # wrong
ExternalPsk(b"sensor-7", bytes(16))  # wrong
ServerConfig(alpn_protocols=["h2"])  # wrong
ServerConfig(alpn_protocols=b"h2")  # wrong
ServerConfig(versions=0x0304)  # wrong
ServerConfig(versions=["TLSv1.3"])  # wrong
ServerConfig(cipher_suites="ECDHE+AESGCM")  # wrong
ServerConfig(groups=["x25519"])  # wrong
ServerConfig(signature_schemes=None)  # wrong
ServerConfig(trust_anchors="ca.pem")  # wrong
ServerConfig(clock=0.0)  # wrong
ServerConfig(clock=lambda: "now")  # wrong
ServerConfig(entropy=b"random")  # wrong
ServerConfig(entropy=lambda: b"")  # wrong
ServerConfig(key_log="keys.txt")  # wrong
ServerConfig(padding=64)  # wrong
ServerConfig(client_authentication="required")  # wrong
ServerConfig(ticket_keys=b"secret")  # wrong
ServerConfig(ticket_keys=TicketKeyRing)  # wrong
ServerConfig(session_cache={})  # wrong
ServerConfig(num_tickets="2")  # wrong
ServerConfig(ticket_lifetime=1.5)  # wrong
ServerConfig(session_id_context="www")  # wrong
ServerConfig(session_store=None)  # wrong
ServerConfig(num_ticket=2)  # wrong
ClientConfig(verify_peer="no")  # wrong
ClientConfig(key_shares=29)  # wrong
ClientConfig(key_shares=["x25519"])  # wrong
ClientConfig(ticket_request=2)  # wrong
ClientConfig(ticket_request="21")  # wrong
ClientConfig(session_store={})  # wrong
ClientConfig(ticket_keys=None)  # wrong

# --- answers ---

ServerConfig(answers=[DecideTicket])  # wrong
ServerConfig(answers={"DecideTicket": decide})  # wrong
ServerConfig(answers={int: decide})  # wrong
ServerConfig(answers={AbortHandshake: decide})  # wrong
ServerConfig(answers={DecideTicket: None})  # wrong
ServerConfig(answers={DecideTicket: "ASK"})  # wrong
ServerConfig(answers={DecideTicket: ResolveTicket})  # wrong
ServerConfig(answers={DecideTicket: of_no_question})  # wrong
ServerConfig(answers={DecideTicket: decide, PrepareTicket: without_question})  # wrong
ClientConfig(answers={VerifyPeer: lambda: None})  # wrong

# --- certificates, keys, sessions ---

TrustAnchors("ca.pem")  # wrong
TrustAnchors(42)  # wrong
TrustAnchors.from_pem("ca.pem")  # wrong
Credential("chain.pem", None)  # wrong
Credential([b"DER"], "key.pem")  # wrong
Credential([b"DER"], None, ["ecdsa"])  # wrong
TicketKey("name", bytes(32), 0.0)  # wrong
TicketKey(bytes(16), [0] * 32, 0.0)  # wrong
TicketKeyRing(b"secret")  # wrong
TicketKeyRing([bytes(32)])  # wrong
TicketKeyRing([], rotate_after="1h")  # wrong
WindowedTicketKeys(3600)  # wrong
WindowedTicketKeys(bytes(32), "1h")  # wrong
WindowedTicketKeys(bytes(32), 3600, also_open=bytes(32))  # wrong
OpenSSLTicketKeys([bytes(80)])  # wrong
SessionCache(size="large")  # wrong
Revocations(max_entries="many")  # wrong
ServerConfig(credentials=[], revocations={b"alice": 0.0})  # wrong
CheckRevocations(b"alice")  # wrong
Revocations(subjects=[b"alice"])  # wrong
Revocations().revoke_subject("alice", 0.0)  # wrong
Revocations().revoke_family(bytes(16))  # wrong
Revocations().merge(b"\1")  # wrong
Revocations.from_bytes("list")  # wrong
Session(version=0x0304, cipher_suite=0x1301, secret="x", lifetime=1, issued_at=0.0)  # wrong
Session(version=0x0304, cipher_suite=0x1301, secret=b"x", lifetime=1, issued_at="now")  # wrong
Session.from_bytes("session")  # wrong

# --- commands and connections ---

SendData("text")  # wrong
SendEarlyData("text")  # wrong
RefuseEarlyData(why=b"no")  # wrong
ServerConfig(max_early_data="1 kB")  # wrong
ServerConfig(replay={})  # wrong
ClientConfig(early_data="yes")  # wrong
IssueTicket("2")  # wrong
UpdateKeys(request_peer="yes")  # wrong
UseConfig(ClientConfig())  # wrong
TicketOpened("plaintext")  # wrong
TicketOpened(b"plaintext", renew="yes")  # wrong
ProvideSession(b"id")  # wrong
ProvideSignature("signature")  # wrong
SealTicket(app_data="user")  # wrong
Abort(alert="access_denied")  # wrong
AbortHandshake(alert=None)  # wrong
ServerConnection(ClientConfig())  # wrong
ClientConnection(ServerConfig(), "www.example")  # wrong
ClientConnection(ClientConfig(), b"www.example")  # wrong
ServerConnection(ServerConfig()).send("data")  # wrong
ServerConnection(ServerConfig()).receive_data("data")  # wrong
