"""``ssl.SSLObject`` over a connection of sansticket.

    incoming (ssl.MemoryBIO) -> Connection.receive_data -> plaintext, kept until it is read
    write -> Connection.send -> outgoing (ssl.MemoryBIO)

A call hands records of the incoming buffer to the connection only if it needs more than it has, and no more of them
than it needs: the buffers fill up when nobody reads, and whoever counts their bytes counts right.  What the connection
has to send is in the outgoing buffer when a call returns, and also when it raises: the alert leaves with the next
write of a driver that goes on writing after an error.

The standard library's documentation says what each call does.  Where it says nothing, OpenSSL decides, apart
from what follows a fatal error: there each call raises that error again, and never pretends that the stream
has come to its end.
"""

from __future__ import annotations

import ssl
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from attrs import evolve

from sansticket.adapters.facts import Facts
from sansticket.adapters.failures import ENDED, HTTP_METHODS, closed, failure, terminated, want_read
from sansticket.adapters.incoming import Incoming
from sansticket.adapters.members.psks import with_psk
from sansticket.adapters.profile import Context, Profile
from sansticket.adapters.selection import WAIT_CLIENT_HELLO, config_for, offered_suites, refusal
from sansticket.adapters.sessions import SSLSession, as_session
from sansticket.codes import AlertDescription, ProtocolVersion
from sansticket.commands import AbortHandshake, Close, Command, RequestClientCertificate, SendData
from sansticket.config.server import ServerConfig
from sansticket.connection.client import ClientConnection
from sansticket.connection.server import ServerConnection
from sansticket.errors import LocalProtocolError, Reason
from sansticket.events import (
    ConnectionTerminated,
    DataReceived,
    EarlyDataReceived,
    Event,
    HandshakeCompleted,
    PeerClosed,
    Question,
    SelectConfig,
    TicketIssued,
    TicketReceived,
)
from sansticket.tickets.records import ResumptionRecord
from sansticket.tickets.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import ReadableBuffer, WriteableBuffer


class SSLObject(Facts):
    """One connection.  Made by ``SSLContext.wrap_bio``.

    Beyond the standard library: ``connection``, ``resumption_record``, ``termination``, ``send`` and ``application``:
    what is there when the handshake begins is what all questions and events of the connection have of the application.
    """

    def __init__(
        self,
        context: Context,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool,
        server_hostname: str | None,
        session: Session | None,
    ) -> None:
        self.application: Any = None
        self._context = context
        self._profile: Profile = context._current_profile()
        self._incoming = Incoming(incoming)
        self._outgoing = outgoing
        self._server_side = server_side
        self._server_hostname = server_hostname
        self._session = session
        self._connection: ClientConnection | ServerConnection | None = None
        self._data = b""
        self._read_to = 0
        self._completed: HandshakeCompleted | None = None
        self._completed_at = 0.0
        self._peer_closed = self._closed = self._ignored_eof = False
        self._termination: ConnectionTerminated | None = None
        self._cause: BaseException | None = None
        self._offered: tuple[int, ...] = ()
        self._hello: bytearray | None = None  # the records of the ClientHello, as long as they come
        self._speaks_http = False

    def __repr__(self) -> str:
        side = "server" if self._server_side else "client"
        state = self._connection.state if self._connection is not None else "new"
        return f"<{type(self).__name__} of a {side}, {state}>"

    # --- what sansticket has to say ------------------------------------------------------------------------------

    @property
    def connection(self) -> ClientConnection | ServerConnection | None:
        """The connection beneath, for what it knows; None until the handshake has begun.

        It is to be looked at.  Bytes and commands go through this object.
        """
        return self._connection

    @property
    def resumption_record(self) -> ResumptionRecord | None:
        """Why a session was resumed, or why not; None until the handshake is done."""
        return self._completed.record if self._completed is not None else None

    @property
    def termination(self) -> ConnectionTerminated | None:
        """Why the connection has ended, in sansticket's words; None while it has not."""
        return self._termination

    def send(self, command: Command) -> None:
        """Give the connection a command, such as ``IssueTicket(2)`` or ``UpdateKeys()``.

        What it causes to be sent is in the outgoing buffer, and leaves with the framework's next write or read.
        LocalProtocolError when the state does not allow it.
        """
        if self._connection is None:
            raise LocalProtocolError(f"{type(command).__name__} before the handshake; expected do_handshake")
        self._closed |= type(command) is Close
        self._do(self._connection.send, command)

    # --- settings ------------------------------------------------------------------------------------------------

    @property
    def context(self) -> Any:
        """The context in use.  A server's ``sni_callback`` may set another one, by which the handshake goes on.

        One that is set later changes nothing but where events and statistics go.
        """
        return self._context

    @context.setter
    def context(self, context: ssl.SSLContext) -> None:
        if not isinstance(context, Context):
            raise TypeError("The value must be a SSLContext of sansticket")
        if context._server_side is not self._server_side:
            raise ValueError("The context is for the other side")
        if self._connection is None or self._connection.pending is not None:
            self._profile = context._current_profile()
        self._context = context

    @property
    def session(self) -> Any:
        """A client's: the session that is to be resumed, and later the freshest that the server gave.

        A server's: the session of the last ticket that was made, or the one that was resumed.  Can be set on a
        client before the handshake, to an ``SSLSession`` of the adapters or a ``Session``.
        """
        return SSLSession(self._session, self._profile.identity) if self._session is not None else None

    @session.setter
    def session(self, session: Any) -> None:
        if session is None:
            raise TypeError("Value is not a SSLSession.")
        given = as_session(session, self._profile.identity)
        if self._server_side:
            raise ValueError("Cannot set session for server-side SSLObject.")
        if self._connection is not None:
            raise ValueError("Cannot set session after handshake.")
        self._session = given

    @property
    def session_reused(self) -> bool:
        """Whether a session was resumed, or an external PSK took its place."""
        done = self._completed
        return done is not None and (done.resumed or done.record.psk_identity is not None)

    @property
    def server_side(self) -> bool:
        return self._server_side

    @property
    def server_hostname(self) -> str | None:
        """The name that a client asks for and verifies, as A-labels."""
        return self._server_hostname

    # --- handshake, read, write, unwrap --------------------------------------------------------------------------

    def do_handshake(self) -> None:
        """Go on with the handshake.  SSLWantReadError when it needs more from the peer."""
        if self._completed is None:
            if self._connection is None:
                self._begin()
            done = False
            while not done and self._more_can_come():
                done = self._hand_over(self._incoming.record())
            if not done:
                self._meet_end()
                raise self._error() or want_read()

    def read(self, len: int = 1024, buffer: WriteableBuffer | None = None) -> Any:
        """Up to ``len`` bytes that the peer sent; into ``buffer``, if there is one, and then how many.

        ``b""`` or 0 when it has said that no more will come.
        """
        return self._read(len) if buffer is None else self._read_into(len, buffer)

    def _read(self, length: int) -> bytes:
        if length < 0:
            raise ValueError("size should not be negative")
        if length == 0 or not self._find_data(length):
            return b""
        data, start = self._data, self._read_to
        chunk = data if not start and length >= len(data) else data[start : start + length]
        self._consume(len(chunk))
        return chunk

    def _read_into(self, length: int, buffer: WriteableBuffer) -> int:
        with memoryview(buffer) as whole, whole.cast("B") as view:
            if view.readonly:
                raise TypeError(f"read() needs a buffer that can be written to, not {type(buffer).__name__}")
            room = min(length, view.nbytes) if length > 0 else view.nbytes
            if room == 0 or not self._find_data(room):
                return 0
            count = min(room, len(self._data) - self._read_to)
            view[:count] = memoryview(self._data)[self._read_to : self._read_to + count]
        self._consume(count)
        return count

    def _consume(self, count: int) -> None:
        self._read_to += count
        if self._read_to == len(self._data):
            self._data, self._read_to = b"", 0

    def _find_data(self, wanted: int) -> bool:
        """Whether there is something to read, or the stream has come to its end."""
        if self._completed is None:
            self.do_handshake()
        while not self._data and self._more_can_come():
            self._hand_over(self._incoming.records(wanted))
        if self._data:
            return True
        self._meet_end()
        if self._peer_closed:
            if self._closed:
                raise closed()
            return False
        raise self._error() or want_read()

    def write(self, data: ReadableBuffer) -> int:
        """Send ``data``, all of it; how many bytes that were."""
        if not isinstance(data, bytes | bytearray):
            data = memoryview(data).cast("B")
        self.do_handshake()
        if self._closed:
            raise failure("PROTOCOL_IS_SHUTDOWN")
        if (error := self._error()) is not None:
            raise error
        if not data:
            return 0
        try:
            self.send(SendData(data))
        except LocalProtocolError as problem:  # padding that raised, or a key of TLS 1.2 that is used up
            reason = "SEQUENCE_EXHAUSTED" if problem.__cause__ is None else "CALLBACK_FAILED"
            raise failure(reason, str(problem)) from problem
        if (error := self._error()) is not None:  # a function of the application failed for tickets before it
            raise error
        return len(data)

    def unwrap(self) -> None:
        """Send close_notify and wait for the peer's: SSLWantReadError until it is there.

        What came behind it goes back into the incoming buffer.  SSLError when there is data that nobody read.
        """
        if self._ignored_eof:
            return
        if (error := self._error()) is not None:
            raise error
        if self._completed is None:
            raise failure("SHUTDOWN_WHILE_IN_INIT")
        if not self._closed:
            self.send(Close())
        while not self._data and self._more_can_come():
            self._hand_over(self._incoming.record())
        if self._data:
            raise failure("APPLICATION_DATA_AFTER_CLOSE_NOTIFY")
        self._meet_end()
        if not self._peer_closed:
            raise self._error() or want_read()

    def pending(self) -> int:
        """Bytes that are there to be read without more from the peer."""
        return len(self._data) - self._read_to

    def verify_client_post_handshake(self) -> None:
        """Ask a client of TLS 1.3 for its certificate, with the next write; it comes with one of the next reads."""
        if self._completed is not None and self._completed.version != ProtocolVersion.TLS_1_3:
            raise failure("WRONG_SSL_VERSION")
        if not self._server_side:
            raise failure("NOT_SERVER")
        if self._completed is None:
            raise failure("STILL_IN_INIT")
        if self._closed:
            raise failure("PROTOCOL_IS_SHUTDOWN")
        if (error := self._error()) is not None:
            raise error
        if not self._profile.verifies:
            raise failure("INVALID_CONFIG", "verify_mode is CERT_NONE")
        try:
            self.send(RequestClientCertificate(required=self._profile.requires))
        except LocalProtocolError as error:
            raise failure("EXTENSION_NOT_RECEIVED", str(error)) from error

    # --- the connection ------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        live, make = self._profile.live, self._context.new_connection
        if isinstance(live, ServerConfig):
            self._connection = (make or ServerConnection)(live, application=self.application)
            self._hello = None if SelectConfig in live.answers else bytearray()
        else:
            if self._profile.psk_client_callback is not None:
                live = with_psk(live, self._profile.psk_client_callback)
            self._connection = (make or ClientConnection)(
                live, self._server_hostname, self._session, application=self.application
            )
        self._context._count("accept" if self._server_side else "connect")
        self._flush()

    def _more_can_come(self) -> bool:
        """Whether the peer has not ended the connection, as far as is known, and there is something in the buffer."""
        return not self._peer_closed and self._termination is None and self._incoming.bio.pending > 0

    def _hand_over(self, data: bytes) -> bool:
        """Give the connection what was taken; whether its handshake is done."""
        assert self._connection is not None
        if not data:
            return False  # half a header, and to the connection it would be the end
        if self._completed is None and self._server_side:
            self._speaks_http |= data.startswith(HTTP_METHODS)
            if self._hello is not None and self._connection.state == WAIT_CLIENT_HELLO:
                self._hello += data
            elif self._hello is not None:  # something else comes, so it is whole
                self._offered, self._hello = offered_suites(self._hello), None
        self._do(self._connection.receive_data, data)
        return self._completed is not None

    def _meet_end(self) -> None:
        """The stream may have come to its end; only a call that needs more than there was finds that out."""
        if self._incoming.bio.eof and not self._peer_closed and self._termination is None:
            assert self._connection is not None
            self._do(self._connection.receive_data, b"")

    def _do(self, act: Callable[[Any], list[Event]], what: Command | bytes) -> None:
        """Also where that raises what no code expects: the connection has ended then, and from here on says so."""
        assert self._connection is not None
        try:
            events = act(what)
        except BaseException:
            if self._connection.state == ENDED:
                self._take(self._connection.receive_data(b""))
            raise
        self._take(events)

    def _take(self, events: list[Event]) -> None:
        """Note what has happened, answer the question if it ends with one, and fill the outgoing buffer."""
        if not events:
            self._flush()
            return
        received: list[bytes] = []
        for event in events:
            # Nobody reads before the handshake.
            if type(event) is DataReceived or type(event) is EarlyDataReceived:
                received.append(event.data)
            else:
                self._note(event)
        if received:
            if self._data:
                received.insert(0, self._data[self._read_to :])
            self._data, self._read_to = received[0] if len(received) == 1 else b"".join(received), 0
        self._flush()
        if isinstance(events[-1], Question):
            self._answer(events.pop())
        if self._context.on_event is not None:
            with ExitStack() as hooks:  # all of them, also where one raises
                for event in reversed(events):
                    hooks.callback(self._context.on_event, self, event)

    def _note(self, event: Event) -> None:
        match event:
            case HandshakeCompleted():
                self._completed = event
                if not self._server_side or self._session is None:
                    self._session = event.session
                self._completed_at = self._profile.config.clock()
                self._context._count("accept_good" if self._server_side else "connect_good")
                self._context._count("hits" if self.session_reused else "misses")
            case TicketReceived(session) | TicketIssued(session):
                self._session = session
            case PeerClosed():
                self._peer_closed = True
                self._give_back()
            case ConnectionTerminated():
                self._terminate(event)

    def _terminate(self, event: ConnectionTerminated) -> None:
        if event.reason is Reason.TRUNCATED and self._profile.ignore_eof and self._completed is not None:
            self._peer_closed = self._ignored_eof = True
        if event.cause is None and self._cause is not None:
            event = evolve(event, cause=self._cause)
        self._termination = event

    def _error(self) -> ssl.SSLError | None:
        """What ended the connection, as an exception; None while it goes on."""
        if self._termination is None:
            return None
        if self._termination.reason is Reason.NOT_TLS and self._speaks_http:
            return failure("HTTP_REQUEST")
        return terminated(self._termination, self._server_hostname)

    def _give_back(self) -> None:
        """What came behind the peer's close_notify is not ours."""
        assert self._connection is not None
        self._incoming.give_back(self._connection.trailing_data)

    def _flush(self) -> None:
        assert self._connection is not None
        data = self._connection.data_to_send()
        if data:
            with suppress(ssl.SSLError):  # after write_eof: nobody is there to send it
                self._outgoing.write(data)

    # --- a server's choice of config -----------------------------------------------------------------------------

    def _answer(self, question: Event) -> None:
        assert isinstance(question, SelectConfig)
        assert self._connection is not None
        self._offered = question.client_hello.cipher_suites
        try:
            command = self._call_back(question) or config_for(self._profile, question)
        except Exception as error:
            self._cause = error
            documented = self._profile.sni_callback is not None
            command = AbortHandshake(
                AlertDescription.HANDSHAKE_FAILURE if documented else AlertDescription.INTERNAL_ERROR
            )
        self._do(self._connection.send, command)

    def _call_back(self, question: SelectConfig) -> AbortHandshake | None:
        """The sni_callback may set ``context``, and refuse the client with an alert."""
        callback = self._profile.sni_callback
        return refusal(callback(self, question.server_name, self._context)) if callback is not None else None
