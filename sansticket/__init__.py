"""TLS 1.3 and 1.2 as sans-I/O state machines, with session tickets and resumption as first-class things.

events = connection.receive_data(data)    # bytes in
events = connection.send(command)         # commands in
data = connection.data_to_send()          # bytes out
"""

from sansticket.codes import (
    AlertDescription,
    CipherSuite,
    NamedGroup,
    ProtocolVersion,
    SignatureScheme,
)
from sansticket.commands import (
    AbortHandshake,
    AcceptPeer,
    Close,
    Command,
    FlushTickets,
    IssueTicket,
    ProvideSession,
    ProvideSignature,
    RejectPeer,
    RequestClientCertificate,
    ResolveTicket,
    SealTicket,
    SendData,
    SessionAdmitted,
    SessionClaimed,
    SessionNotClaimed,
    SessionRefused,
    TicketNotOpened,
    TicketOpened,
    TicketProtected,
    UpdateKeys,
    UseConfig,
)
from sansticket.config.base import Config
from sansticket.config.choices import ASK, ClientAuthentication, ResumedCertificates, TicketFlush
from sansticket.config.client import ClientConfig
from sansticket.config.server import ServerConfig
from sansticket.connection.client import ClientConnection
from sansticket.connection.connection import Connection
from sansticket.connection.server import ServerConnection
from sansticket.crypto.certificates import Credential
from sansticket.crypto.verification import TrustAnchors
from sansticket.errors import ALERTS, ConfigError, LocalProtocolError, Reason, SansticketError
from sansticket.events import (
    AdmitSession,
    CertificateWithheld,
    ClaimSession,
    ConnectionFacts,
    ConnectionTerminated,
    DataReceived,
    DecideTicket,
    Event,
    HandshakeCompleted,
    KeysUpdated,
    LookUpSession,
    OpenTicket,
    PeerAuthenticated,
    PeerClosed,
    PrepareTicket,
    ProtectTicket,
    Question,
    SelectConfig,
    Sign,
    TicketIssued,
    TicketReceived,
    VerifyPeer,
)
from sansticket.handshake.client.adoption import SessionNotAdopted, adopt_session
from sansticket.tickets.decision import FoundBy, Resolution, TicketReturn, TicketStatus, resolve
from sansticket.tickets.keys.openssl import OpenSSLTicketKey, OpenSSLTicketKeys
from sansticket.tickets.keys.protection import OpenedTicket, TicketKeys
from sansticket.tickets.keys.ring import TicketKey, TicketKeyRing
from sansticket.tickets.keys.windowed import WindowedTicketKeys
from sansticket.tickets.records import Check, IdentityRecord, ResumptionRecord
from sansticket.tickets.session import Session, SessionFormatError
from sansticket.tickets.stores.cache import CacheMode, SessionCache
from sansticket.tickets.stores.client import ClientSessionStore, Reservation, StoreKey

__version__ = "0.1.0"

__all__ = [
    "ALERTS",
    "ASK",
    "AbortHandshake",
    "AcceptPeer",
    "AdmitSession",
    "AlertDescription",
    "CacheMode",
    "CertificateWithheld",
    "Check",
    "CipherSuite",
    "ClaimSession",
    "ClientAuthentication",
    "ClientConfig",
    "ClientConnection",
    "ClientSessionStore",
    "Close",
    "Command",
    "Config",
    "ConfigError",
    "Connection",
    "ConnectionFacts",
    "ConnectionTerminated",
    "Credential",
    "DataReceived",
    "DecideTicket",
    "Event",
    "FlushTickets",
    "FoundBy",
    "HandshakeCompleted",
    "IdentityRecord",
    "IssueTicket",
    "KeysUpdated",
    "LocalProtocolError",
    "LookUpSession",
    "NamedGroup",
    "OpenSSLTicketKey",
    "OpenSSLTicketKeys",
    "OpenTicket",
    "OpenedTicket",
    "PeerAuthenticated",
    "PeerClosed",
    "PrepareTicket",
    "ProtectTicket",
    "ProtocolVersion",
    "ProvideSession",
    "ProvideSignature",
    "Question",
    "Reason",
    "RejectPeer",
    "RequestClientCertificate",
    "Reservation",
    "Resolution",
    "ResolveTicket",
    "ResumedCertificates",
    "ResumptionRecord",
    "SansticketError",
    "SealTicket",
    "SelectConfig",
    "SendData",
    "ServerConfig",
    "ServerConnection",
    "Session",
    "SessionAdmitted",
    "SessionCache",
    "SessionClaimed",
    "SessionFormatError",
    "SessionNotAdopted",
    "SessionNotClaimed",
    "SessionRefused",
    "Sign",
    "SignatureScheme",
    "StoreKey",
    "TicketFlush",
    "TicketIssued",
    "TicketKey",
    "TicketKeyRing",
    "TicketKeys",
    "TicketNotOpened",
    "TicketOpened",
    "TicketProtected",
    "TicketReceived",
    "TicketReturn",
    "TicketStatus",
    "TrustAnchors",
    "UpdateKeys",
    "UseConfig",
    "VerifyPeer",
    "WindowedTicketKeys",
    "__version__",
    "adopt_session",
    "resolve",
]
