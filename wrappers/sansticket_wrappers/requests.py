"""requests over a context of ours, so that its connections resume.

    session = requests.Session()
    session.mount("https://", ContextAdapter(SSLContext(ClientConfig(trust_anchors=anchors, session_store=store))))

requests has no argument for a context, and what it does have it would load into ours: the certificates of certifi, for
one.  With this adapter the context alone says whom to trust and who we are.
"""

from __future__ import annotations

import ssl
from typing import Any

from requests.adapters import HTTPAdapter

from sansticket import ConfigError

__all__ = ["ContextAdapter"]


class ContextAdapter(HTTPAdapter):
    """To be mounted at "https://".  Its connections, those through a proxy too, are made with ``context``.

    ``options`` are those of requests' HTTPAdapter.  ``verify`` says nothing here, be it a bundle of certificates or the
    environment's, but False: that is ConfigError, as is a ``cert``.  A copy has the same context; it cannot be
    pickled, as no context can.
    """

    # The base's name for what copies have.
    __attrs__: list[str] = [*HTTPAdapter.__attrs__, "_context"]  # noqa: RUF012 - as the base has it

    def __init__(self, context: ssl.SSLContext, **options: Any) -> None:
        self._context = context
        super().__init__(**options)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, ssl_context=self._context, **options)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """With ``context`` for the proxy itself, too, where TLS is spoken to that."""
        if proxy.lower().startswith("https:"):
            options = {"proxy_ssl_context": self._context, **options}
        return super().proxy_manager_for(proxy, ssl_context=self._context, **options)

    def build_connection_pool_key_attributes(
        self, request: Any, verify: Any, cert: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The host alone: all connections to it are alike."""
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave the context as it is."""
        if verify is False:
            raise ConfigError("verify", "is False; expected it to be left to the context")
        if cert:
            raise ConfigError("cert", "is given; expected a credential in the config of the context")
