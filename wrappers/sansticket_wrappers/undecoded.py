"""What is kept in Redis is bytes, which no client may make text of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sansticket import ConfigError

if TYPE_CHECKING:
    from redis.asyncio import Redis


def undecoded(redis: Redis) -> Redis:
    """The client.  ConfigError for one with ``decode_responses``: what it raises for bytes that are no text would come
    when a session is looked up, and end the task that listens for revocations."""
    client: Any = redis
    if client.get_encoder().decode_responses:
        raise ConfigError("redis", "decode_responses is set; expected a client that answers with bytes")
    return redis
