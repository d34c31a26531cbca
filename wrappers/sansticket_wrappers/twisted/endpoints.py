"""Endpoints on top of others, and the factory that both use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Unpack

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint, IStreamServerEndpoint
from twisted.internet.protocol import Factory
from zope.interface import implementer

from sansticket import ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection, Session
from sansticket_wrappers.answers import ANSWER_TIMEOUT, NO_ANSWERS, Answers, asking
from sansticket_wrappers.making import Make
from sansticket_wrappers.times import check_times
from sansticket_wrappers.twisted.hooks import Hooks
from sansticket_wrappers.twisted.protocol import ProtocolOptions, TLSProtocol


@implementer(IStreamServerEndpoint)
class TLSServerEndpoint:
    """Listens where ``endpoint`` does.

    ``answers``: for each class of questions that are to be asked a function that returns a Deferred or a coroutine,
    which has ``answer_timeout`` seconds; a config that ``SelectConfig`` chooses says ``ASK`` itself.
    ``hooks`` is called for each connection, for what it alone has, and ``new_connection`` makes it, for one that is
    recorded or drawn: see docs/wrappers.md.  ``options`` are those of ``TLSProtocol``.
    """

    def __init__(
        self,
        reactor: Any,
        endpoint: Any,
        config: ServerConfig,
        *,
        answers: Answers = NO_ANSWERS,
        answer_timeout: float = ANSWER_TIMEOUT,
        hooks: Callable[[], Hooks] = Hooks,
        new_connection: Make = ServerConnection,
        **options: Unpack[ProtocolOptions],
    ) -> None:
        self._endpoint = endpoint
        check_times(answer_timeout=answer_timeout, **options)
        asked = asking(config, answers, ServerConfig)
        self._wrap: Callable[[Any], TLSFactory] = lambda factory: TLSFactory(
            reactor,
            lambda: new_connection(asked),
            factory,
            hooks=lambda: hooks().with_answers(answers, answer_timeout, reactor),
            **options,
        )

    def listen(self, factory: Any) -> Deferred[Any]:
        """Fires with the listening port."""
        listening: Deferred[Any] = self._endpoint.listen(self._wrap(factory))
        return listening


@implementer(IStreamClientEndpoint)
class TLSClientEndpoint:
    """Connects to where ``endpoint`` does, and expects ``server_name`` there.

    An ``IAgentEndpointFactory`` that makes these gives them to ``twisted.web.client.Agent``.

    ``session`` is offered by every connection of this endpoint; a ``session_store`` in the config is better, and
    ``port`` tells servers of one name apart in it.  ``answers`` and what follows are those of ``TLSServerEndpoint``.
    """

    def __init__(
        self,
        reactor: Any,
        endpoint: Any,
        config: ClientConfig,
        server_name: str,
        *,
        port: int = 443,
        session: Session | None = None,
        answers: Answers = NO_ANSWERS,
        answer_timeout: float = ANSWER_TIMEOUT,
        hooks: Callable[[], Hooks] = Hooks,
        new_connection: Make = ClientConnection,
        **options: Unpack[ProtocolOptions],
    ) -> None:
        self._endpoint = endpoint
        check_times(answer_timeout=answer_timeout, **options)
        asked = asking(config, answers, ClientConfig)
        self._wrap: Callable[[Any], TLSFactory] = lambda factory: TLSFactory(
            reactor,
            lambda: new_connection(asked, server_name, session, port=port),
            factory,
            hooks=lambda: hooks().with_answers(answers, answer_timeout, reactor),
            **options,
        )

    def connect(self, factory: Any) -> Deferred[Any]:
        """Fires with the application's protocol when the handshake is done.

        Fails with ``TLSError``, TimeoutError, ConnectingCancelledError when it was cancelled, or what connecting
        fails with.
        """
        connected: Deferred[Any] = self._endpoint.connect(self._wrap(factory))
        return connected.addCallback(lambda tls: tls.ready())


class TLSFactory(Factory):
    """Builds a ``TLSProtocol`` for each connection, which asks ``factory`` for a protocol after the handshake."""

    noisy = False

    def __init__(
        self,
        reactor: Any,
        new_connection: Callable[[], Connection],
        factory: Any,
        *,
        hooks: Callable[[], Hooks] = Hooks,
        **options: Unpack[ProtocolOptions],
    ) -> None:
        check_times(**options)
        self._reactor = reactor
        self._new_connection = new_connection
        self._factory = factory
        self._hooks = hooks
        self._options = options

    def startFactory(self) -> None:
        self._factory.doStart()

    def stopFactory(self) -> None:
        self._factory.doStop()

    def buildProtocol(self, addr: Any) -> TLSProtocol:
        def build() -> Any:
            return self._factory.buildProtocol(addr)

        return TLSProtocol(self._reactor, self._new_connection(), build, self._hooks(), **self._options)
