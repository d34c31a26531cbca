"""What the application decides beforehand: the configs of clients and servers, and what can be chosen in them."""

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
