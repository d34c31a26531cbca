"""What callers of the ``ssl`` interface pass, made into what sansticket takes."""

from __future__ import annotations

import ssl
from operator import index
from pathlib import Path
from typing import Any

from attrs import field, frozen

from sansticket.adapters.sessions import SSLSession
from sansticket.config.client import ClientConfig
from sansticket.config.server import ServerConfig
from sansticket.tickets.session import Session


@frozen
class KeyLogFile:
    """Appends each line at once, so that several processes can share the file."""

    path: Path = field(converter=Path)

    def __attrs_post_init__(self) -> None:
        self.path.open("a").close()  # an OSError should come now

    def __call__(self, line: str) -> None:
        with self.path.open("a") as file:
            file.write(line + "\n")


def protocol_of(made_for: int | ClientConfig | ServerConfig) -> Any:
    if isinstance(made_for, ClientConfig):
        return ssl.PROTOCOL_TLS_CLIENT
    if isinstance(made_for, ServerConfig):
        return ssl.PROTOCOL_TLS_SERVER
    for protocol in (ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER):
        if made_for == protocol:
            return protocol
    raise ValueError(
        f"{made_for!r}; expected a ClientConfig, a ServerConfig, PROTOCOL_TLS_CLIENT or PROTOCOL_TLS_SERVER"
    )


def known_version(value: int) -> int:
    number = index(value)
    try:
        return int(ssl.TLSVersion(number))
    except ValueError:
        raise ValueError(f"Unsupported TLS/SSL version {number:#x}") from None


def unsigned(value: int) -> int:
    """What fits into OpenSSL's options; OverflowError, as in the standard library, for what does not."""
    number = index(value)
    number.to_bytes(8)
    return number


def encoded_name(server_hostname: str | bytes | None) -> str | None:
    """The name as A-labels (IDNA 2003, as in the standard library); ValueError for what is none."""
    if server_hostname is None:
        return None
    if isinstance(server_hostname, str):
        name = server_hostname.encode("idna").decode("ascii")
    else:
        name = server_hostname.decode("ascii")
    if not name or name.startswith("."):
        raise ValueError("server_hostname cannot be an empty string or start with a leading dot.")
    if "\0" in name:
        raise ValueError("server_hostname with a null character")
    return name


def as_session(session: SSLSession | Session | None) -> Session | None:
    """TypeError for what is no session of ours."""
    if isinstance(session, SSLSession):
        return session.session
    if session is not None and not isinstance(session, Session):
        raise TypeError("Value is not a SSLSession.")
    return session
