"""How each program writes its ticket keys.

Three secrets follow each other in nearly all of them, and nothing in the bytes tells which is which: a key that is
read in the order of another program opens nothing, and seals tickets that nobody else opens.  So the program is
always named.

    nginx           48    name 16 | AES-128 16 | HMAC 16          a file each, the first seals
    nginx           80    name 16 | HMAC 32 | AES-256 32
    envoy           80    as nginx                                a file each, the first seals
    haproxy         48    name 16 | AES-128 16 | HMAC 16          base64, a key to a line, the last but one seals
    haproxy         80    name 16 | AES-256 32 | HMAC 32
    lighttpd        92    version 4 (0) | activation 4 | expiry 4 | name 16 | HMAC 32 | AES-256 32
                                                                  the numbers in the byte order of the machine
    node            48    name 16 | HMAC 16 | AES-128 16          ``ticketKeys``
    traffic_server  48    name 16 | HMAC 16 | AES-128 16          one behind the other, the first seals
    h2o             YAML  name 16 | AES 16 or 32, HMAC 64         see ``yaml``; the newest seals
"""

import struct
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from attrs import evolve

from sansticket.errors import ConfigError
from sansticket.inputs import as_bytes
from sansticket.tickets.keys.programs import yaml
from sansticket.tickets.keys.programs.key import KEY_SIZES, MAX_TIME, OpenSSLTicketKey
from sansticket.tickets.keys.protection import KEY_NAME_LENGTH
from sansticket.values import frozen

Keys = tuple[OpenSSLTicketKey, ...]

HAPROXY_KEYS: Final = 3
"""TLS_TICKETS_NO: how many keys of its file haproxy uses."""

STEK_HEAD: Final = struct.Struct("=III")
"""lighttpd's three numbers, in the byte order of the machine and without padding."""

STEK_END: Final = (1 << 31) - 1
"""The last second that lighttpd knows: it reads its numbers with a sign, and a key without an end has this one."""

STEK_SIZE: Final = 92
SMALL, LARGE = KEY_SIZES


@frozen
class Program:
    """The key files of a program.  ``sizes``: bytes of a file with one key, () for text.

    ``read`` gives the keys of one file; ``write`` the content of the files for some keys, the one that seals first.
    Both raise ConfigError ``keys`` for what the program cannot have.
    """

    setting: str
    sizes: tuple[int, ...]
    read: Callable[[bytes], Keys]
    write: Callable[[Keys], tuple[bytes, ...]]


# --- a file for each key ---------------------------------------------------------------------------------------


def _hmac_first(data: bytes) -> Keys:
    half = (KEY_NAME_LENGTH + len(data)) // 2
    return (OpenSSLTicketKey(data[:KEY_NAME_LENGTH], data[half:], data[KEY_NAME_LENGTH:half]),)


def _write_hmac_first(key: OpenSSLTicketKey) -> bytes:
    return key.name + key.hmac_key + key.aes_key


def _of_size(*sizes: int) -> Callable[[Keys], None]:
    """What no other key of these sizes, or with times, can be written as."""

    def check(keys: Keys) -> None:
        for key in keys:
            if key.size not in sizes or key.dated:
                wanted = " or ".join(map(str, sizes))
                given = f"one of {key.size} bytes{', with times' * key.dated}"
                raise ConfigError("keys", f"{given}; expected {wanted} bytes, without times")

    return check


def _each(
    write: Callable[[OpenSSLTicketKey], bytes], check: Callable[[Keys], None]
) -> Callable[[Keys], tuple[bytes, ...]]:
    def files(keys: Keys) -> tuple[bytes, ...]:
        check(keys)
        return tuple(map(write, keys))

    return files


def _read_stek(data: bytes) -> Keys:
    version, activation, expiry = STEK_HEAD.unpack_from(data)
    if version:
        raise ConfigError(
            "keys", f"lighttpd's file of version {version}; expected 0, in this machine's byte order"
        )
    _check_stek_times(activation, expiry)
    (key,) = _hmac_first(data[STEK_HEAD.size :])
    end = MAX_TIME if expiry == STEK_END else expiry
    return (evolve(key, not_before=activation, not_after=end),)


def _write_stek(key: OpenSSLTicketKey) -> bytes:
    if key.size != LARGE:
        raise ConfigError("keys", f"one of {key.size} bytes; lighttpd's have {LARGE}, and three numbers")
    times = key.not_before, min(key.not_after, STEK_END)
    _check_stek_times(*times)
    return STEK_HEAD.pack(0, *times) + _write_hmac_first(key)


def _check_stek_times(*times: int) -> None:
    """A later one lighttpd takes for one before 1970: such a key seals and opens nothing there."""
    if max(times) > STEK_END:
        raise ConfigError(
            "keys", f"lighttpd reads its times with a sign: {max(times)}; expected {STEK_END} at most"
        )


# --- several keys in a file ------------------------------------------------------------------------------------


def _read_traffic_server(data: bytes) -> Keys:
    return tuple(
        key for start in range(0, len(data), SMALL) for key in _hmac_first(data[start : start + SMALL])
    )


def _write_traffic_server(keys: Keys) -> tuple[bytes, ...]:
    _of_size(SMALL)(keys)
    return (b"".join(map(_write_hmac_first, keys)),)


def _read_haproxy(data: bytes) -> Keys:
    keys = [_haproxy_key(number, line) for number, line in enumerate(data.split(b"\n"), 1) if line.strip()]
    if len(keys) < HAPROXY_KEYS:
        raise ConfigError("keys", f"{len(keys)} in the file; haproxy expects at least {HAPROXY_KEYS}")
    if len({key.size for key in keys}) > 1:
        raise ConfigError("keys", "of 48 and of 80 bytes in one file; haproxy expects one size")
    older, current, coming = keys[-HAPROXY_KEYS:]
    return current, coming, older


def _haproxy_key(number: int, line: bytes) -> OpenSSLTicketKey:
    try:
        data = b64decode(line.strip(), validate=True)
    except ValueError:
        raise ConfigError(
            "keys", f"line {number} is not base64; expected a key of {SMALL} or {LARGE} bytes"
        ) from None
    if len(data) not in KEY_SIZES:
        raise ConfigError(
            "keys", f"line {number} has {len(data)} bytes; expected a key of {SMALL} or {LARGE}"
        )
    half = (KEY_NAME_LENGTH + len(data)) // 2
    return OpenSSLTicketKey(data[:KEY_NAME_LENGTH], data[KEY_NAME_LENGTH:half], data[half:])


def _write_haproxy(keys: Keys) -> tuple[bytes, ...]:
    _of_size(*KEY_SIZES)(keys)
    if len(keys) != HAPROXY_KEYS or len({key.size for key in keys}) > 1:
        raise ConfigError(
            "keys", f"{len(keys)}; haproxy uses {HAPROXY_KEYS} of one size: current, coming, older"
        )
    current, coming, older = keys
    lines = (key.name + key.aes_key + key.hmac_key for key in (older, current, coming))
    return (b"".join(b64encode(line) + b"\n" for line in lines),)


# --- all of them -----------------------------------------------------------------------------------------------

_NGINX: Final = _each(OpenSSLTicketKey.to_bytes, _of_size(*KEY_SIZES))

PROGRAMS: Final[Mapping[str, Program]] = MappingProxyType(
    {
        "nginx": Program(
            "ssl_session_ticket_key", KEY_SIZES, lambda data: (OpenSSLTicketKey.from_bytes(data),), _NGINX
        ),
        "haproxy": Program("tls-ticket-keys", (), _read_haproxy, _write_haproxy),
        "lighttpd": Program("ssl.stek-file", (STEK_SIZE,), _read_stek, _each(_write_stek, lambda keys: None)),
        "node": Program("ticketKeys", (SMALL,), _hmac_first, _each(_write_hmac_first, _of_size(SMALL))),
        "h2o": Program("ticket-file", (), yaml.read, yaml.write),
        "envoy": Program(
            "session_ticket_keys", (LARGE,), _hmac_first, _each(_write_hmac_first, _of_size(LARGE))
        ),
        "traffic_server": Program(
            "ticket.key filename", (SMALL,), _read_traffic_server, _write_traffic_server
        ),
    }
)
"""By name."""


def program_of(name: Any) -> Program:
    """ConfigError ``program`` for what is no name of one."""
    program = PROGRAMS.get(name) if isinstance(name, str) else None
    if program is None:
        given = repr(name)[:40] if isinstance(name, str) else f"a value of type {type(name).__name__}"
        raise ConfigError(
            "program",
            f"{given}; expected whose keys they are, as nothing in them tells: {', '.join(PROGRAMS)}",
        )
    return program


def read_files(name: str, contents: Sequence[bytes]) -> Keys:
    """The keys in the files of that program, the one that seals first.

    ConfigError ``program``, or ``keys`` with what was wrong, and whose file it could be.
    """
    program = program_of(name)
    return tuple(key for content in contents for key in _read(name, program, as_bytes("keys", content)))


def _read(name: str, program: Program, content: bytes) -> Keys:
    size = len(content)
    fits = size in program.sizes or (name == "traffic_server" and size > 0 and size % SMALL == 0)
    if program.sizes and not fits:
        sizes = " or ".join(map(str, program.sizes))
        raise ConfigError("keys", f"{size} bytes; {name}'s have {sizes}{_whose(size)}")
    if not program.sizes and size in (*KEY_SIZES, STEK_SIZE):
        raise ConfigError("keys", f"{size} bytes; {name}'s file is text{_whose(size)}")
    return program.read(content)


def _whose(size: int) -> str:
    """Whose file a file of this size could be."""
    names = [name for name, program in PROGRAMS.items() if size in program.sizes]
    return f": it could be a key of {' or '.join(names)}" if names else ""


def write_files(name: str, keys: Keys) -> tuple[bytes, ...]:
    """Undo ``read_files``: the content of each file of that program.  ConfigError as there."""
    return program_of(name).write(keys)
