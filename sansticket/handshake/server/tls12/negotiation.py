"""What a ClientHello leads to in TLS 1.2, before any session is looked at (RFC 5246 section 7.4.1.2)."""

from __future__ import annotations

from attrs import field

from sansticket.codes import CipherSuite, NamedGroup
from sansticket.config.server import ServerConfig
from sansticket.crypto.certificates import Credential
from sansticket.crypto.suites import SUITES, SuiteParameters
from sansticket.errors import Fault, Reason
from sansticket.events import LookUpSession
from sansticket.handshake.common.certificates import preferred
from sansticket.handshake.common.names import select_protocol, server_name_of
from sansticket.handshake.common.sizes import RecordSizes, sizes_asked_for
from sansticket.handshake.machine.version import TLS_1_2
from sansticket.handshake.tls12.certificates import curve_is_accepted, scheme_for
from sansticket.handshake.tls12.keys import TLS12
from sansticket.text import listed
from sansticket.tickets.stores.cache import CacheMode
from sansticket.values import value
from sansticket.wire.extensions.key_exchange import SupportedGroups
from sansticket.wire.extensions.negotiation import SignatureAlgorithms
from sansticket.wire.extensions.tls12 import (
    EcPointFormats,
    ExtendedMasterSecret,
    RenegotiationInfo,
    SessionTicketExtension,
)
from sansticket.wire.messages.hello import ClientHello


@value
class Negotiated:
    """What is settled by the ClientHello alone; every later state of the handshake shares it."""

    config: ServerConfig
    hello: ClientHello
    raw_hello: bytes = field(repr=False)
    server_name: str | None
    alpn_protocol: bytes | None
    session_id_context: bytes
    secure_renegotiation: bool
    """The client says that this is no renegotiation, by an extension or a cipher suite (RFC 5746 section 3.6)."""
    extended_master_secret: bool
    ticket: bytes | None = field(repr=False)
    """What the client shows, which is empty if it only takes tickets; None where one side does not do them."""
    record_sizes: RecordSizes | None

    @property
    def looks_up_sessions(self) -> bool:
        return self.config.session_cache is not None or LookUpSession in self.config.answers

    @property
    def keeps_sessions(self) -> bool:
        """A session of this handshake will be found by its id."""
        cache = self.config.session_cache
        return LookUpSession in self.config.answers or (cache is not None and CacheMode.SERVER in cache.mode)


def negotiate(config: ServerConfig, hello: ClientHello, raw_hello: bytes) -> Negotiated:
    """A sound ClientHello.  Suite, group and certificate matter only if no session is resumed."""
    if 0 not in hello.compression_methods:
        raise Fault(Reason.ILLEGAL_VALUE, "compression methods without null")
    formats = hello.find(EcPointFormats)
    if formats is not None and 0 not in formats.formats:
        raise Fault(Reason.ILLEGAL_VALUE, "ec_point_formats without uncompressed")
    renegotiation = hello.find(RenegotiationInfo)
    if renegotiation is not None and renegotiation.renegotiated_connection:
        raise Fault(Reason.RENEGOTIATION_INFO_MISMATCH, "not empty in a first handshake")
    extended_master_secret = hello.find(ExtendedMasterSecret) is not None
    if config.require_extended_master_secret and not extended_master_secret:
        raise Fault(Reason.MISSING_EXTENDED_MASTER_SECRET, "in the ClientHello")
    does_tickets = config.tickets.stateless and config.tickets_in_tls12
    shown = hello.find(SessionTicketExtension) if does_tickets else None
    signalled = CipherSuite.EMPTY_RENEGOTIATION_INFO_SCSV in hello.cipher_suites
    return Negotiated(
        config=config,
        hello=hello,
        raw_hello=raw_hello,
        server_name=server_name_of(hello),
        alpn_protocol=select_protocol(config, hello),
        session_id_context=config.effective_session_id_context,
        secure_renegotiation=signalled or renegotiation is not None,
        extended_master_secret=extended_master_secret,
        ticket=shown.ticket if shown is not None else None,
        record_sizes=sizes_asked_for(config, hello, TLS_1_2),
    )


# --- for a full handshake ------------------------------------------------------------------------------------


@value
class Selected:
    """What a full handshake is done with."""

    suite: SuiteParameters
    group: int
    credential: Credential
    scheme: int


def select(negotiated: Negotiated, named: tuple[Credential, ...]) -> Selected:
    """Our most preferred suite for which there is a certificate whose key the client can verify.

    ``named``: the credentials for the client's server name.  Without a name, or with one that none has, all will do.
    """
    config, hello = negotiated.config, negotiated.hello
    common = [suite for suite in config.suites_of(TLS12) if suite in hello.cipher_suites]
    if not common:
        raise Fault(Reason.NO_COMMON_CIPHER_SUITE, f"the client offers {listed(hello.cipher_suites)}")
    group = select_group(negotiated)
    # A suite says whether the certificate is one for ECDSA or one for RSA (RFC 8422 section 2).
    kinds = [(one, one.tls12_authentication) for one in named or config.credentials]
    suites = [SUITES[number] for number in common]
    fitting = [(suite, one) for suite in suites for one, kind in kinds if kind == suite.tls12_authentication]
    if not fitting:
        raise Fault(Reason.NO_CREDENTIAL, "no certificate goes with a suite that the client offers")
    signing = [
        (credential, scheme)
        for credential in {id(credential): credential for _, credential in fitting}.values()
        if (scheme := fitting_scheme(negotiated, credential)) is not None
    ]
    chosen = preferred(signing, hello)
    if chosen is None:
        raise Fault(Reason.NO_COMMON_SIGNATURE_SCHEME, "no credential has a key that the client can verify")
    suite = next(suite for suite, credential in fitting if credential is chosen[0])
    return Selected(suite, group, *chosen)


def select_group(negotiated: Negotiated) -> int:
    """Our most preferred group that the client has; one that does not say has P-256 (RFC 8422 section 4)."""
    ours = negotiated.config.groups_of(TLS12)
    extension = negotiated.hello.find(SupportedGroups)
    theirs = extension.groups if extension is not None else (NamedGroup.SECP256R1,)
    for group in ours:
        if group in theirs:
            return group
    raise Fault(Reason.NO_COMMON_GROUP, f"the client offers {listed(theirs)}")


def fitting_scheme(negotiated: Negotiated, credential: Credential) -> int | None:
    """With which scheme the credential can sign for this client.

    A client without signature_algorithms means SHA-1 (RFC 5246 section 7.4.1.4.1), which we do not do.
    """
    hello = negotiated.hello
    schemes, groups = hello.find(SignatureAlgorithms), hello.find(SupportedGroups)
    if schemes is None:
        return None
    if groups is not None and not curve_is_accepted(credential.public_key, groups.groups):
        return None
    return scheme_for(credential, schemes.schemes, negotiated.config)
