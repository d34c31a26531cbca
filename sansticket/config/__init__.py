"""What the application decides beforehand: the configs of clients and servers, and what can be chosen in them."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sansticket.config.base import Config
    from sansticket.config.choices import (
        ASK,
        Answer,
        ClientAuthentication,
        ResumedCertificates,
        TicketFlush,
    )
    from sansticket.config.client import ClientConfig
    from sansticket.config.defaults import (
        DEFAULT_CIPHER_SUITES,
        DEFAULT_GROUPS,
        DEFAULT_SIGNATURE_SCHEMES,
    )
    from sansticket.config.server import ServerConfig
else:
    from sansticket.front_doors import front_door

    _HOMES = {
        "sansticket.config.base": "Config",
        "sansticket.config.choices": "ASK Answer ClientAuthentication ResumedCertificates TicketFlush",
        "sansticket.config.client": "ClientConfig",
        "sansticket.config.defaults": "DEFAULT_CIPHER_SUITES DEFAULT_GROUPS DEFAULT_SIGNATURE_SCHEMES",
        "sansticket.config.server": "ServerConfig",
    }
    """Where each name is at home."""

    __getattr__, __dir__ = front_door(__name__, _HOMES)

__all__ = [
    "ASK",
    "DEFAULT_CIPHER_SUITES",
    "DEFAULT_GROUPS",
    "DEFAULT_SIGNATURE_SCHEMES",
    "Answer",
    "ClientAuthentication",
    "ClientConfig",
    "Config",
    "ResumedCertificates",
    "ServerConfig",
    "TicketFlush",
]
