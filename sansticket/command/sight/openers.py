"""Ticket keys out of files, to open what was captured."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from sansticket.captures.secrets import TicketOpener
from sansticket.command.key_files import KeyFileError, read_keys
from sansticket.errors import ConfigError
from sansticket.tickets.keys.go.keys import SECRET_LENGTH as GO_LENGTH
from sansticket.tickets.keys.go.keys import GoTicketKey, GoTicketKeys
from sansticket.tickets.keys.openssl import OpenSSLTicketKeys
from sansticket.tickets.keys.programs.key import MAX_TIME
from sansticket.tickets.keys.protection import KEY_NAME_LENGTH
from sansticket.tickets.keys.ring import SECRET_LENGTH, TicketKey, TicketKeyRing

SIZES: dict[str, int] = {"sansticket": KEY_NAME_LENGTH + SECRET_LENGTH, "go": GO_LENGTH}
"""Whose keys stand in no file of OpenSSL's kind: the bytes of one."""


def read_opener(files: Sequence[tuple[str, bytes]], program: str | None) -> TicketOpener:
    """What opens tickets with the keys of these files, of the programs of ``read_keys`` and of ``SIZES``.

    In a capture there may be tickets of all times, and so a key opens whether or not it is over.
    """
    if program not in SIZES:
        found = read_keys(files, program)
        always = [evolve(one.key, not_before=0, not_after=MAX_TIME) for one in found.held]
        return TicketOpener((OpenSSLTicketKeys(always),))
    for path, content in files:
        if len(content) != SIZES[program]:
            raise KeyFileError(f"{path} has {len(content)} bytes; expected a key of {SIZES[program]}")
    contents = [content for _, content in files]
    try:
        if program == "go":
            return TicketOpener((GoTicketKeys(map(GoTicketKey, contents)),))
        names = KEY_NAME_LENGTH
        return TicketOpener((TicketKeyRing(TicketKey(one[:names], one[names:], 0) for one in contents),))
    except ConfigError as error:
        raise KeyFileError(str(error)) from None
