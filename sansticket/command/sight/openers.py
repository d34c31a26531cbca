"""Ticket keys out of files, to open what was captured."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from sansticket.captures.secrets import TicketOpener
from sansticket.command.key_files import read_keys
from sansticket.command.other_keys import OTHERS, read_others
from sansticket.tickets.keys.openssl import OpenSSLTicketKeys
from sansticket.tickets.keys.programs.key import MAX_TIME


def read_opener(files: Sequence[tuple[str, bytes]], program: str | None) -> TicketOpener:
    """What opens tickets with the keys of these files, of the programs of ``read_keys`` and of ``OTHERS``.

    In a capture there may be tickets of all times, and so a key opens whether or not it is over.
    """
    if program is not None and program in OTHERS:
        others = read_others(files, program)
        return TicketOpener(tuple(keys for _, key in others.held for keys in key.keys))
    found = read_keys(files, program)
    always = [evolve(one.key, not_before=0, not_after=MAX_TIME) for one in found.held]
    return TicketOpener((OpenSSLTicketKeys(always),))
