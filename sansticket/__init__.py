"""TLS 1.3 and 1.2 as sans-I/O state machines: tickets and resumption first-class.

    events = connection.receive_data(data)    # bytes in
    events = connection.send(command)         # commands in
    data = connection.data_to_send()          # bytes out

Connections     ClientConnection, ServerConnection, Connection, ConnectionFacts
Configs         ClientConfig, ServerConfig, Config, ClientAuthentication, ResumedCertificates,
                TicketFlush, ASK
Certificates    Credential, TrustAnchors
Events          Event, HandshakeCompleted, DataReceived, TicketIssued, TicketReceived,
                KeysUpdated, PeerAuthenticated, TicketReused, TicketWithheld,
                CertificateWithheld, PeerClosed, ConnectionTerminated; EarlyDataAccepted,
                EarlyDataRejected, EarlyDataReceived, EarlyDataEnded
Questions       Question, each with its answers, which are commands (AbortHandshake: all)
                SelectConfig: UseConfig; VerifyPeer: AcceptPeer, RejectPeer;
                Sign: ProvideSignature; DecideTicket: ResolveTicket; PrepareTicket: SealTicket;
                LookUpSession: ProvideSession; ClaimSession: SessionClaimed, SessionNotClaimed;
                AdmitSession: SessionAdmitted, SessionRefused;
                OpenTicket: TicketOpened, TicketNotOpened; ProtectTicket: TicketProtected;
                LookUpPsk: ProvidePsk; AdmitEarlyData: AcceptEarlyData, RefuseEarlyData;
                ClaimEarlyData: EarlyDataClaimed, EarlyDataNotClaimed
Commands        Command, SendData, SendEarlyData, Close, Abort, UpdateKeys, IssueTicket,
                FlushTickets, RequestClientCertificate, CheckRevocations
Sessions        Session, ClientSessionStore, StoreKey, Reservation, SessionCache, CacheMode,
                ReplayRecorder, Revocations, certificate_subject, TicketUses, TicketUse,
                ReusePolicy, SpentSession, adopt_session
External PSKs   ExternalPsk, PskRole, import_psk, ImportedIdentity
Ticket keys     TicketKeys, TicketKeyRing, TicketKey, WindowedTicketKeys, OpenSSLTicketKeys,
                OpenSSLTicketKey, GoTicketKeys, GoTicketKey, CaddyTicketKeys, GnuTLSTicketKeys,
                nginx_session_id_context; for keys of your own: OpenedTicket, SessionCodec,
                NATIVE, Encounter, Entropy
Decisions       TicketStatus, TicketReturn, Resolution, resolve, FoundBy, ResumptionRecord,
                IdentityRecord, Check, EarlyDataOutcome, EarlyDataStatus, EarlyDataReason
Handover        Handover, HandoverError: what the export of a connection gives, for its restore
                in another process
Errors          SansticketError, ConfigError, LocalProtocolError, SessionFormatError,
                RevocationFormatError, SessionNotAdopted; Reason, ALERTS
Registries      AlertDescription, CertificateCompression, CipherSuite, NamedGroup,
                ProtocolVersion, PskKeyExchangeMode, SignatureScheme

help(sansticket.ClientConfig) and so on say what each is, field by field.  Public are these, and
what sansticket.events, .commands, .config, .accounts, .adapters, .fleet, .testing and
.verifiers.pyopenssl list in their __all__; every other module is private.  Each name is
imported here as itself, which is how type checkers know that it is exported; the interpreter
loads what it is asked for.  There is no __all__ here, because help() would then print every
class of all of them.
"""

import typing as _typing

__version__ = "0.2.0"

if _typing.TYPE_CHECKING:
    from sansticket.codes import AlertDescription as AlertDescription
    from sansticket.codes import CertificateCompression as CertificateCompression
    from sansticket.codes import CipherSuite as CipherSuite
    from sansticket.codes import NamedGroup as NamedGroup
    from sansticket.codes import ProtocolVersion as ProtocolVersion
    from sansticket.codes import PskKeyExchangeMode as PskKeyExchangeMode
    from sansticket.codes import SignatureScheme as SignatureScheme
    from sansticket.commands import Abort as Abort
    from sansticket.commands import AbortHandshake as AbortHandshake
    from sansticket.commands import AcceptEarlyData as AcceptEarlyData
    from sansticket.commands import AcceptPeer as AcceptPeer
    from sansticket.commands import CheckRevocations as CheckRevocations
    from sansticket.commands import Close as Close
    from sansticket.commands import Command as Command
    from sansticket.commands import EarlyDataClaimed as EarlyDataClaimed
    from sansticket.commands import EarlyDataNotClaimed as EarlyDataNotClaimed
    from sansticket.commands import FlushTickets as FlushTickets
    from sansticket.commands import IssueTicket as IssueTicket
    from sansticket.commands import ProvidePsk as ProvidePsk
    from sansticket.commands import ProvideSession as ProvideSession
    from sansticket.commands import ProvideSignature as ProvideSignature
    from sansticket.commands import RefuseEarlyData as RefuseEarlyData
    from sansticket.commands import RejectPeer as RejectPeer
    from sansticket.commands import RequestClientCertificate as RequestClientCertificate
    from sansticket.commands import ResolveTicket as ResolveTicket
    from sansticket.commands import SealTicket as SealTicket
    from sansticket.commands import SendData as SendData
    from sansticket.commands import SendEarlyData as SendEarlyData
    from sansticket.commands import SessionAdmitted as SessionAdmitted
    from sansticket.commands import SessionClaimed as SessionClaimed
    from sansticket.commands import SessionNotClaimed as SessionNotClaimed
    from sansticket.commands import SessionRefused as SessionRefused
    from sansticket.commands import TicketNotOpened as TicketNotOpened
    from sansticket.commands import TicketOpened as TicketOpened
    from sansticket.commands import TicketProtected as TicketProtected
    from sansticket.commands import UpdateKeys as UpdateKeys
    from sansticket.commands import UseConfig as UseConfig
    from sansticket.config.base import Config as Config
    from sansticket.config.choices import ASK as ASK
    from sansticket.config.choices import ClientAuthentication as ClientAuthentication
    from sansticket.config.choices import ResumedCertificates as ResumedCertificates
    from sansticket.config.choices import TicketFlush as TicketFlush
    from sansticket.config.client import ClientConfig as ClientConfig
    from sansticket.config.server import ServerConfig as ServerConfig
    from sansticket.connection.client import ClientConnection as ClientConnection
    from sansticket.connection.connection import Connection as Connection
    from sansticket.connection.server import ServerConnection as ServerConnection
    from sansticket.crypto.certificates import Credential as Credential
    from sansticket.crypto.verification import TrustAnchors as TrustAnchors
    from sansticket.errors import ALERTS as ALERTS
    from sansticket.errors import ConfigError as ConfigError
    from sansticket.errors import LocalProtocolError as LocalProtocolError
    from sansticket.errors import Reason as Reason
    from sansticket.errors import SansticketError as SansticketError
    from sansticket.events import AdmitEarlyData as AdmitEarlyData
    from sansticket.events import AdmitSession as AdmitSession
    from sansticket.events import CertificateWithheld as CertificateWithheld
    from sansticket.events import ClaimEarlyData as ClaimEarlyData
    from sansticket.events import ClaimSession as ClaimSession
    from sansticket.events import ConnectionFacts as ConnectionFacts
    from sansticket.events import ConnectionTerminated as ConnectionTerminated
    from sansticket.events import DataReceived as DataReceived
    from sansticket.events import DecideTicket as DecideTicket
    from sansticket.events import EarlyDataAccepted as EarlyDataAccepted
    from sansticket.events import EarlyDataEnded as EarlyDataEnded
    from sansticket.events import EarlyDataReceived as EarlyDataReceived
    from sansticket.events import EarlyDataRejected as EarlyDataRejected
    from sansticket.events import Event as Event
    from sansticket.events import HandshakeCompleted as HandshakeCompleted
    from sansticket.events import KeysUpdated as KeysUpdated
    from sansticket.events import LookUpPsk as LookUpPsk
    from sansticket.events import LookUpSession as LookUpSession
    from sansticket.events import OpenTicket as OpenTicket
    from sansticket.events import PeerAuthenticated as PeerAuthenticated
    from sansticket.events import PeerClosed as PeerClosed
    from sansticket.events import PrepareTicket as PrepareTicket
    from sansticket.events import ProtectTicket as ProtectTicket
    from sansticket.events import Question as Question
    from sansticket.events import SelectConfig as SelectConfig
    from sansticket.events import Sign as Sign
    from sansticket.events import TicketIssued as TicketIssued
    from sansticket.events import TicketReceived as TicketReceived
    from sansticket.events import TicketReused as TicketReused
    from sansticket.events import TicketWithheld as TicketWithheld
    from sansticket.events import VerifyPeer as VerifyPeer
    from sansticket.handover.kinds import HandoverError as HandoverError
    from sansticket.handover.value import Handover as Handover
    from sansticket.handshake.client.adoption import SessionNotAdopted as SessionNotAdopted
    from sansticket.handshake.client.adoption import adopt_session as adopt_session
    from sansticket.psk import ExternalPsk as ExternalPsk
    from sansticket.psk import ImportedIdentity as ImportedIdentity
    from sansticket.psk import PskRole as PskRole
    from sansticket.psk import import_psk as import_psk
    from sansticket.tickets.decision import FoundBy as FoundBy
    from sansticket.tickets.decision import Resolution as Resolution
    from sansticket.tickets.decision import TicketReturn as TicketReturn
    from sansticket.tickets.decision import TicketStatus as TicketStatus
    from sansticket.tickets.decision import resolve as resolve
    from sansticket.tickets.early_data import EarlyDataOutcome as EarlyDataOutcome
    from sansticket.tickets.early_data import EarlyDataReason as EarlyDataReason
    from sansticket.tickets.early_data import EarlyDataStatus as EarlyDataStatus
    from sansticket.tickets.keys.gnutls import GnuTLSTicketKeys as GnuTLSTicketKeys
    from sansticket.tickets.keys.go.caddy import CaddyTicketKeys as CaddyTicketKeys
    from sansticket.tickets.keys.go.keys import GoTicketKey as GoTicketKey
    from sansticket.tickets.keys.go.keys import GoTicketKeys as GoTicketKeys
    from sansticket.tickets.keys.openssl import OpenSSLTicketKey as OpenSSLTicketKey
    from sansticket.tickets.keys.openssl import OpenSSLTicketKeys as OpenSSLTicketKeys
    from sansticket.tickets.keys.openssl import nginx_session_id_context as nginx_session_id_context
    from sansticket.tickets.keys.protection import NATIVE as NATIVE
    from sansticket.tickets.keys.protection import Encounter as Encounter
    from sansticket.tickets.keys.protection import Entropy as Entropy
    from sansticket.tickets.keys.protection import OpenedTicket as OpenedTicket
    from sansticket.tickets.keys.protection import SessionCodec as SessionCodec
    from sansticket.tickets.keys.protection import TicketKeys as TicketKeys
    from sansticket.tickets.keys.ring import TicketKey as TicketKey
    from sansticket.tickets.keys.ring import TicketKeyRing as TicketKeyRing
    from sansticket.tickets.keys.windowed import WindowedTicketKeys as WindowedTicketKeys
    from sansticket.tickets.records import Check as Check
    from sansticket.tickets.records import IdentityRecord as IdentityRecord
    from sansticket.tickets.records import ResumptionRecord as ResumptionRecord
    from sansticket.tickets.session import Session as Session
    from sansticket.tickets.session import SessionFormatError as SessionFormatError
    from sansticket.tickets.stores.cache import CacheMode as CacheMode
    from sansticket.tickets.stores.cache import SessionCache as SessionCache
    from sansticket.tickets.stores.client import ClientSessionStore as ClientSessionStore
    from sansticket.tickets.stores.client import Reservation as Reservation
    from sansticket.tickets.stores.client import StoreKey as StoreKey
    from sansticket.tickets.stores.replay import ReplayRecorder as ReplayRecorder
    from sansticket.tickets.stores.revocations import RevocationFormatError as RevocationFormatError
    from sansticket.tickets.stores.revocations import Revocations as Revocations
    from sansticket.tickets.stores.revocations import certificate_subject as certificate_subject
    from sansticket.tickets.stores.spent import SpentSession as SpentSession
    from sansticket.tickets.stores.uses import ReusePolicy as ReusePolicy
    from sansticket.tickets.stores.uses import TicketUse as TicketUse
    from sansticket.tickets.stores.uses import TicketUses as TicketUses
else:
    from sansticket.front_doors import front_door as _front_door

    _ROOMS = {"commands", "config", "events"}
    """What is public in itself, and there with the package."""

    _HOMES = {
        "sansticket.codes": (
            "AlertDescription CertificateCompression CipherSuite NamedGroup ProtocolVersion "
            "PskKeyExchangeMode SignatureScheme"
        ),
        "sansticket.commands": (
            "Abort AbortHandshake AcceptEarlyData AcceptPeer CheckRevocations Close Command "
            "EarlyDataClaimed EarlyDataNotClaimed FlushTickets IssueTicket ProvidePsk ProvideSession "
            "ProvideSignature RefuseEarlyData RejectPeer RequestClientCertificate ResolveTicket "
            "SealTicket SendData SendEarlyData SessionAdmitted SessionClaimed SessionNotClaimed "
            "SessionRefused TicketNotOpened TicketOpened TicketProtected UpdateKeys UseConfig"
        ),
        "sansticket.config.base": "Config",
        "sansticket.config.choices": "ASK ClientAuthentication ResumedCertificates TicketFlush",
        "sansticket.config.client": "ClientConfig",
        "sansticket.config.server": "ServerConfig",
        "sansticket.connection.client": "ClientConnection",
        "sansticket.connection.connection": "Connection",
        "sansticket.connection.server": "ServerConnection",
        "sansticket.crypto.certificates": "Credential",
        "sansticket.crypto.verification": "TrustAnchors",
        "sansticket.errors": "ALERTS ConfigError LocalProtocolError Reason SansticketError",
        "sansticket.events": (
            "AdmitEarlyData AdmitSession CertificateWithheld ClaimEarlyData ClaimSession "
            "ConnectionFacts ConnectionTerminated DataReceived DecideTicket EarlyDataAccepted "
            "EarlyDataEnded EarlyDataReceived EarlyDataRejected Event HandshakeCompleted KeysUpdated "
            "LookUpPsk LookUpSession OpenTicket PeerAuthenticated PeerClosed PrepareTicket "
            "ProtectTicket Question SelectConfig Sign TicketIssued TicketReceived TicketReused "
            "TicketWithheld VerifyPeer"
        ),
        "sansticket.handover.kinds": "HandoverError",
        "sansticket.handover.value": "Handover",
        "sansticket.handshake.client.adoption": "SessionNotAdopted adopt_session",
        "sansticket.psk": "ExternalPsk ImportedIdentity PskRole import_psk",
        "sansticket.tickets.decision": "FoundBy Resolution TicketReturn TicketStatus resolve",
        "sansticket.tickets.early_data": "EarlyDataOutcome EarlyDataReason EarlyDataStatus",
        "sansticket.tickets.keys.gnutls": "GnuTLSTicketKeys",
        "sansticket.tickets.keys.go.caddy": "CaddyTicketKeys",
        "sansticket.tickets.keys.go.keys": "GoTicketKey GoTicketKeys",
        "sansticket.tickets.keys.openssl": "OpenSSLTicketKey OpenSSLTicketKeys nginx_session_id_context",
        "sansticket.tickets.keys.protection": "NATIVE Encounter Entropy OpenedTicket SessionCodec TicketKeys",
        "sansticket.tickets.keys.ring": "TicketKey TicketKeyRing",
        "sansticket.tickets.keys.windowed": "WindowedTicketKeys",
        "sansticket.tickets.records": "Check IdentityRecord ResumptionRecord",
        "sansticket.tickets.session": "Session SessionFormatError",
        "sansticket.tickets.stores.cache": "CacheMode SessionCache",
        "sansticket.tickets.stores.client": "ClientSessionStore Reservation StoreKey",
        "sansticket.tickets.stores.replay": "ReplayRecorder",
        "sansticket.tickets.stores.revocations": "RevocationFormatError Revocations certificate_subject",
        "sansticket.tickets.stores.spent": "SpentSession",
        "sansticket.tickets.stores.uses": "ReusePolicy TicketUse TicketUses",
    }
    """Where each name is at home."""

    __getattr__, __dir__ = _front_door(__name__, _HOMES, _ROOMS)
