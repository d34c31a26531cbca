"""Where an ``ssl.SSLContext`` goes today, a context of ours goes too.

``SSLContext`` and ``SSLObject`` have the interface of the standard library's classes of these names, over the
same memory buffers (``ssl.MemoryBIO``), and inherit from them, since many callers ask.  What is beneath is
sansticket: a ``ClientConfig`` or ``ServerConfig``, with its ticket keys, hooks, answers and stores.

    context = SSLContext(ServerConfig(credentials=[credential], ticket_keys=ring))
    server = await asyncio.start_server(answer, port=4433, ssl=context)

docs/adapters.md says what each framework needs, and what the standard library's context can do and this one
cannot.
"""

from sansticket.adapters.context import SSLContext, create_default_context
from sansticket.adapters.facts import CHANNEL_BINDING_TYPES
from sansticket.adapters.sessions import SSLSession
from sansticket.adapters.ssl_object import SSLObject

__all__ = ["CHANNEL_BINDING_TYPES", "SSLContext", "SSLObject", "SSLSession", "create_default_context"]
