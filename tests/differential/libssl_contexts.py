"""The two SSL_CTX of a scenario, with libssl's callbacks.

The callbacks look at the current ``Connection`` and fill its ``Log``.  A callback must not raise into C: the
first exception is kept in ``failure``, and the run raises it when libssl has returned.
"""

import ctypes
import os
from collections.abc import Callable
from typing import Any, Final

from sansticket.codes import AlertDescription, AlertLevel, ContentType, HandshakeType
from tests.differential import capi, libssl_ticket
from tests.differential.capi import lib
from tests.differential.identities import SERVER, identity, key_der
from tests.differential.runner import Log
from tests.differential.scenario import (
    LIFETIME,
    Connection,
    KeyAnswer,
    Moment,
    Psk,
    Scenario,
    Status,
    Store,
    Verify,
    Version,
)
from tests.support.certificates import authority

VERSION_NUMBER: Final = {Version.TLS12: capi.TLS1_2_VERSION, Version.TLS13: capi.TLS1_3_VERSION}
VERIFY_MODE: Final = {
    Verify.NONE: capi.SSL_VERIFY_NONE,
    Verify.OPTIONAL: capi.SSL_VERIFY_PEER,
    Verify.REQUIRED: capi.SSL_VERIFY_PEER | capi.SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
}
CACHE_MODE: Final = {
    Store.OFF: capi.SSL_SESS_CACHE_OFF,
    Store.CLIENT: capi.SSL_SESS_CACHE_CLIENT,
    Store.SERVER: capi.SSL_SESS_CACHE_SERVER,
    Store.NO_INTERNAL: capi.SSL_SESS_CACHE_SERVER | capi.SSL_SESS_CACHE_NO_INTERNAL,
    Store.NO_INTERNAL_LOOKUP: capi.SSL_SESS_CACHE_SERVER | capi.SSL_SESS_CACHE_NO_INTERNAL_LOOKUP,
    Store.NO_INTERNAL_STORE: capi.SSL_SESS_CACHE_SERVER | capi.SSL_SESS_CACHE_NO_INTERNAL_STORE,
}
TLS12_SUITE_NAMES: Final = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
}

EXTERNAL_PSK: Final = b"k" * 32
PSK_IDENTITY: Final = b"external"
_PSK_IDENTITY_BUFFER: Final = ctypes.create_string_buffer(PSK_IDENTITY)


class Context:
    """An SSL_CTX with the callbacks that live as long as it does."""

    def __init__(self, method: int) -> None:
        self.ctx: int = lib.SSL_CTX_new(method)
        self.connection = Connection()
        self.log = Log()
        self.failure: BaseException | None = None
        self._alive: list[Any] = []

    def callback(self, kind: Any, function: Callable[..., Any], otherwise: object = 0) -> Any:
        """A C function pointer.  When ``function`` raises, C gets ``otherwise`` and the run fails later."""

        def guarded(*arguments: Any) -> Any:
            try:
                return function(*arguments)
            except BaseException as failure:
                self.failure = self.failure or failure
                return otherwise

        pointer = kind(guarded)
        self._alive.append(pointer)
        return pointer

    def observe(self, who: str) -> None:
        """Count the tickets and alerts that this endpoint writes."""

        def message(written: int, _: int, kind: int, data: int, size: int, *_more: object) -> None:
            if not written:
                return
            content = ctypes.string_at(data, min(size, 2))
            if kind == ContentType.ALERT and content[0] == AlertLevel.FATAL:
                self.log.alerts.append((AlertDescription(content[1]).name, who))
            elif kind == ContentType.HANDSHAKE and content[0] == HandshakeType.NEW_SESSION_TICKET:
                self.log.tickets += 1

        lib.SSL_CTX_set_msg_callback(self.ctx, self.callback(capi.Message, message, None))

    def close(self) -> None:
        lib.SSL_CTX_free(self.ctx)


class ServerContext(Context):
    """The server's SSL_CTX: ticket keys, callbacks and cache, for all connections of a scenario."""

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(lib.TLS_server_method())
        self.observe("server")
        self.outside: dict[bytes, bytes] = {}
        self._cached: dict[bytes, int] = {}
        self._other: int = lib.SSL_CTX_new(lib.TLS_server_method())
        """The context that the server changes to by name."""
        for ctx in (self.ctx, self._other):
            _identify(ctx)
        lib.SSL_CTX_set_timeout(self.ctx, LIFETIME)
        lib.SSL_CTX_ctrl(self.ctx, capi.SSL_CTRL_SET_SESS_CACHE_MODE, CACHE_MODE[scenario.store], None)
        if scenario.cache_size is not None:
            lib.SSL_CTX_ctrl(self.ctx, capi.SSL_CTRL_SET_SESS_CACHE_SIZE, scenario.cache_size, None)
        self._keeps_new = scenario.new_hook_answer
        keys = libssl_ticket.KEYS
        lib.SSL_CTX_ctrl(self.ctx, capi.SSL_CTRL_SET_TLSEXT_TICKET_KEYS, len(keys), keys)
        self._generate = self.callback(capi.GenerateTicket, self._generate_ticket)
        self._decide = self.callback(capi.DecryptTicket, self._decide_ticket)
        self._key = self.callback(capi.TicketKey, self._ticket_key, -1)
        self._set_hooks(scenario.external_store)

    def _set_hooks(self, external_store: bool) -> None:
        """The callbacks that are there on every connection."""
        lib.SSL_CTX_sess_set_new_cb(self.ctx, self.callback(capi.NewSession, self._new_session))
        lib.SSL_CTX_sess_set_remove_cb(
            self.ctx, self.callback(capi.RemoveSession, self._remove_session, None)
        )
        if external_store:
            lib.SSL_CTX_sess_set_get_cb(self.ctx, self.callback(capi.GetSession, self._get_session, None))
        lib.SSL_CTX_set_client_hello_cb(self.ctx, self.callback(capi.ClientHello, self._client_hello), None)
        server_name = self.callback(capi.ServerName, self._server_name)
        lib.SSL_CTX_callback_ctrl(self.ctx, capi.SSL_CTRL_SET_TLSEXT_SERVERNAME_CB, server_name)
        select = self.callback(capi.SelectProtocol, self._select_protocol)
        lib.SSL_CTX_set_alpn_select_cb(self.ctx, select, None)
        lib.SSL_CTX_set_psk_find_session_callback(self.ctx, self.callback(capi.FindPsk, self._find_psk))

    def accept(self, connection: Connection, log: Log) -> int:
        """An SSL for the next connection; what a real server sets on its SSL_CTX is set there."""
        self.connection, self.log = connection, log
        decides = connection.decision is not None or connection.decisions_by_identity
        lib.SSL_CTX_set_session_ticket_cb(self.ctx, self._generate, self._decide if decides else None, None)
        own_keys = connection.key_answer is not KeyAnswer.BUILT_IN
        lib.SSL_CTX_set_tlsext_ticket_key_evp_cb(self.ctx, self._key if own_keys else None)
        lib.SSL_CTX_set_num_tickets(self.ctx, connection.num_tickets)
        lib.SSL_CTX_set_max_early_data(self.ctx, connection.max_early_data)
        context = connection.sid_context or b""
        lib.SSL_CTX_set_session_id_context(self.ctx, context, len(context))
        ssl: int = lib.SSL_new(self.ctx)
        lib.SSL_set_accept_state(ssl)
        _set_versions(ssl, frozenset({connection.version}))
        _set_suites(ssl, connection.server_suites)
        if connection.stateful:
            lib.SSL_set_options(ssl, capi.SSL_OP_NO_TICKET)
        if connection.hello_retry:
            lib.SSL_ctrl(ssl, capi.SSL_CTRL_SET_GROUPS_LIST, 0, b"P-384")
        if connection.own_sid_context is not None:
            lib.SSL_set_session_id_context(ssl, connection.own_sid_context, len(connection.own_sid_context))
        lib.SSL_set_verify(ssl, VERIFY_MODE[connection.verify], None)
        self.at(Moment.BEFORE_HANDSHAKE, ssl)
        self.at(Moment.CONFIG_AFTER_START, ssl)
        return ssl

    def at(self, moment: Moment, ssl: int) -> None:
        """Set the number of tickets if the scenario wants that now."""
        later = self.connection.num_tickets_later
        if later is None or later[0] is not moment:
            return
        if moment is Moment.CONFIG_AFTER_START:
            lib.SSL_CTX_set_num_tickets(self.ctx, later[1])
        else:
            lib.SSL_set_num_tickets(ssl, later[1])

    def age(self, session: bytes, seconds: int) -> None:
        """Make the session of this id older, wherever it is kept."""
        if pointer := self._cached.get(session):
            lib.SSL_SESSION_set_time(pointer, lib.SSL_SESSION_get_time(pointer) - seconds)
        if der := self.outside.get(session):
            self.outside[session] = libssl_ticket.older(der, seconds)

    def close(self) -> None:
        super().close()
        lib.SSL_CTX_free(self._other)
        for pointer in self._cached.values():
            lib.SSL_SESSION_free(pointer)

    # The callbacks.

    def _generate_ticket(self, ssl: int, _: int) -> int:
        self.log.prepared += 1
        if self.connection.generation_fails_at == self.log.prepared:
            return 0
        if (data := self.connection.app_data) is not None:
            lib.SSL_SESSION_set1_ticket_appdata(lib.SSL_get_session(ssl), data, len(data))
        return 1

    def _decide_ticket(self, _ssl: int, _session: int, _name: int, length: int, status: int, _: int) -> int:
        call = len(self.log.statuses)
        self.log.asked(Status(status), length)
        if self.connection.decisions_by_identity:
            return self.connection.decisions_by_identity[call].value
        assert self.connection.decision is not None
        return self.connection.decision.value

    def _ticket_key(self, _ssl: int, name: int, iv: int, cipher: int, mac: int, sealing: int) -> int:
        if sealing:
            ctypes.memmove(name, libssl_ticket.KEY_NAME, 16)
            ctypes.memmove(iv, os.urandom(16), 16)
        elif self.connection.key_answer in {KeyAnswer.ERROR, KeyAnswer.UNKNOWN_KEY}:
            return int(self.connection.key_answer.value)
        start = lib.EVP_EncryptInit_ex if sealing else lib.EVP_DecryptInit_ex
        assert start(cipher, lib.EVP_aes_256_cbc(), None, libssl_ticket.AES_KEY, iv) == 1
        parameters = (capi.Parameter * 3)(
            capi.Parameter(b"key", 5, libssl_ticket.HMAC_KEY, 32), capi.Parameter(b"digest", 4, b"SHA256", 6)
        )
        assert lib.EVP_MAC_CTX_set_params(mac, parameters) == 1
        return 1 if sealing else int(self.connection.key_answer.value)

    def _new_session(self, _ssl: int, session: int) -> int:
        """Keep the reference, so that the session can be made older, and a copy outside, as a user would."""
        self.log.sessions += 1
        if not self._keeps_new:
            return 0
        name = capi.session_id(session)
        if name in self._cached:
            lib.SSL_SESSION_free(self._cached[name])
        self._cached[name] = session
        self.outside[name] = capi.encoded(lib.i2d_SSL_SESSION, session)
        return 1

    def _remove_session(self, _ctx: int, session: int) -> None:
        self.log.removals += 1
        self.outside.pop(capi.session_id(session), None)

    def _get_session(self, _ssl: int, name: int, length: int, copy: Any) -> int | None:
        self.log.lookups += 1
        copy[0] = 0
        der = self.outside.get(ctypes.string_at(name, length))
        return capi.decoded(lib.d2i_SSL_SESSION, der) if der else None

    def _client_hello(self, ssl: int, _alert: Any, _: int) -> int:
        self.at(Moment.CLIENT_HELLO, ssl)
        return capi.SSL_CLIENT_HELLO_SUCCESS

    def _server_name(self, ssl: int, _alert: Any, _: int) -> int:
        if (switch := self.connection.switch) is not None:
            lib.SSL_CTX_set_num_tickets(self._other, switch.num_tickets)
            lib.SSL_CTX_set_session_id_context(self._other, switch.sid_context, len(switch.sid_context))
            lib.SSL_set_SSL_CTX(ssl, self._other)
        return capi.SSL_TLSEXT_ERR_OK if self.connection.acknowledge_name else capi.SSL_TLSEXT_ERR_NOACK

    def _select_protocol(self, _ssl: int, out: Any, out_size: Any, offered: int, size: int, _: int) -> int:
        names, at = ctypes.string_at(offered, size), 0
        while at < size:
            if names[at + 1 : at + 1 + names[at]].decode() in self.connection.server_protocols:
                out[0], out_size[0] = offered + at + 1, names[at]
                return capi.SSL_TLSEXT_ERR_OK
            at += 1 + names[at]
        return capi.SSL_TLSEXT_ERR_NOACK

    def _find_psk(self, ssl: int, name: int, length: int, session: Any) -> int:
        known = self.connection.psk is Psk.KNOWN and ctypes.string_at(name, length) == PSK_IDENTITY
        session[0] = _psk_session(ssl) if known else None
        return 1


class ClientContext(Context):
    """The client's SSL_CTX; it keeps no sessions but puts them, as DER, where ``connect`` says."""

    def __init__(self) -> None:
        super().__init__(lib.TLS_client_method())
        self.observe("client")
        self._received: list[bytes] = []
        mode = capi.SSL_SESS_CACHE_CLIENT | capi.SSL_SESS_CACHE_NO_INTERNAL
        lib.SSL_CTX_ctrl(self.ctx, capi.SSL_CTRL_SET_SESS_CACHE_MODE, mode, None)
        lib.SSL_CTX_sess_set_new_cb(self.ctx, self.callback(capi.NewSession, self._new_session))
        lib.SSL_CTX_set_psk_use_session_callback(self.ctx, self.callback(capi.UsePsk, self._use_psk))

    def connect(self, connection: Connection, log: Log, received: list[bytes], session: bytes | None) -> int:
        self.connection, self.log, self._received = connection, log, received
        ssl: int = lib.SSL_new(self.ctx)
        lib.SSL_set_connect_state(ssl)
        _set_versions(ssl, connection.client_versions or frozenset({connection.version}))
        _set_suites(ssl, connection.client_suites)
        if connection.server_name:
            lib.SSL_ctrl(ssl, capi.SSL_CTRL_SET_TLSEXT_HOSTNAME, 0, connection.server_name.encode())
        if connection.client_protocols:
            names = b"".join(bytes([len(name)]) + name.encode() for name in connection.client_protocols)
            lib.SSL_set_alpn_protos(ssl, names, len(names))
        if not connection.extended_master_secret:
            lib.SSL_set_options(ssl, capi.SSL_OP_NO_EXTENDED_MASTER_SECRET)
        if not connection.client_tickets:
            lib.SSL_set_options(ssl, capi.SSL_OP_NO_TICKET)
        if connection.certificate:
            use_certificate(ssl, connection.certificate)
        if connection.post_handshake:
            lib.SSL_set_post_handshake_auth(ssl, 1)
        if session is not None:
            pointer = capi.decoded(lib.d2i_SSL_SESSION, session)
            assert lib.SSL_set_session(ssl, pointer) == 1
            lib.SSL_SESSION_free(pointer)
        return ssl

    def _new_session(self, _ssl: int, session: int) -> int:
        self._received.append(capi.encoded(lib.i2d_SSL_SESSION, session))
        return 0

    def _use_psk(self, ssl: int, _digest: int, name: Any, length: Any, session: Any) -> int:
        if self.connection.psk is None:
            session[0] = None
            return 1
        name[0], length[0] = ctypes.addressof(_PSK_IDENTITY_BUFFER), len(PSK_IDENTITY)
        session[0] = _psk_session(ssl)
        return 1


def _identify(ctx: int) -> None:
    """The server's certificate, and the authority of its clients."""
    certificate, key = identity(SERVER).chain_der[0], key_der(SERVER)
    anchor = capi.decoded(lib.d2i_X509, authority().der)
    lib.SSL_CTX_use_certificate_ASN1(ctx, len(certificate), certificate)
    lib.SSL_CTX_use_PrivateKey_ASN1(capi.EVP_PKEY_EC, ctx, key, len(key))
    lib.X509_STORE_add_cert(lib.SSL_CTX_get_cert_store(ctx), anchor)
    lib.X509_free(anchor)


def _set_versions(ssl: int, versions: frozenset[Version]) -> None:
    numbers = [VERSION_NUMBER[version] for version in versions]
    lib.SSL_ctrl(ssl, capi.SSL_CTRL_SET_MIN_PROTO_VERSION, min(numbers), None)
    lib.SSL_ctrl(ssl, capi.SSL_CTRL_SET_MAX_PROTO_VERSION, max(numbers), None)


def _set_suites(ssl: int, names: tuple[str, ...]) -> None:
    old = [TLS12_SUITE_NAMES[name] for name in names if name in TLS12_SUITE_NAMES]
    new = [name for name in names if name not in TLS12_SUITE_NAMES]
    if old:
        assert lib.SSL_set_cipher_list(ssl, ":".join(old).encode()) == 1
    if new:
        assert lib.SSL_set_ciphersuites(ssl, ":".join(new).encode()) == 1


def _psk_session(ssl: int) -> int:
    """A session made of the external PSK; the callback hands it over to libssl."""
    session: int = lib.SSL_SESSION_new()
    lib.SSL_SESSION_set1_master_key(session, EXTERNAL_PSK, len(EXTERNAL_PSK))
    lib.SSL_SESSION_set_cipher(session, lib.SSL_CIPHER_find(ssl, b"\x13\x01"))
    lib.SSL_SESSION_set_protocol_version(session, capi.TLS1_3_VERSION)
    return session


def use_certificate(ssl: int, name: str) -> None:
    certificate, key = identity(name).chain_der[0], key_der(name)
    lib.SSL_use_certificate_ASN1(ssl, certificate, len(certificate))
    lib.SSL_use_PrivateKey_ASN1(capi.EVP_PKEY_EC, ssl, key, len(key))
