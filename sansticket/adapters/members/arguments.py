"""What callers of the ``ssl`` interface pass, made into what sansticket takes."""

from __future__ import annotations

import ssl
from operator import index
from pathlib import Path
from typing import Any

from attrs import field

from sansticket.config.client import ClientConfig
from sansticket.config.server import ServerConfig
from sansticket.debug.key_log import HEADER
from sansticket.values import frozen


@frozen
class KeyLogFile:
    """Appends each line at once, so that several processes can share the file."""

    path: Path = field(converter=Path)

    def __attrs_post_init__(self) -> None:
        with self.path.open("a") as file:  # an OSError should come now
            if not file.tell():
                file.write(HEADER + "\n")

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


def signed(value: int, size: int) -> int:
    """What fits into a C number of ``size`` bytes; OverflowError, as in the standard library, for what does not."""
    number = index(value)
    number.to_bytes(size, signed=True)
    return number


def known_version(value: int) -> int:
    number = signed(value, 4)
    try:
        return int(ssl.TLSVersion(number))
    except ValueError:
        raise ValueError(f"Unsupported TLS/SSL version {number:#x}") from None


def unsigned(value: int) -> int:
    """What fits into OpenSSL's options; OverflowError, as in the standard library, for what does not."""
    number = index(value)
    number.to_bytes(8)
    return number


class NullCharacter(TypeError, ValueError):
    """In a server_hostname: a TypeError in the standard library, and no name, which is a ValueError everywhere else."""


def encoded_name(server_hostname: str | bytes | None) -> str | None:
    """The name as A-labels (IDNA 2003, as in the standard library); ValueError for what is none."""
    if server_hostname is None:
        return None
    if isinstance(server_hostname, str):
        name = server_hostname.encode("idna").decode("ascii")
    elif isinstance(server_hostname, bytes | bytearray):
        name = server_hostname.decode("ascii")
    else:
        raise TypeError(f"server_hostname is {type(server_hostname).__name__}; expected str, bytes or None")
    if not name or name.startswith("."):
        raise ValueError("server_hostname cannot be an empty string or start with a leading dot.")
    if "\0" in name:
        raise NullCharacter("server_hostname must be without null bytes")
    return name
