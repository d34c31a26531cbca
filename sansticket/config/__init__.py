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
from sansticket.field_docs import show_field_docs

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

show_field_docs([globals()[name] for name in __all__])
