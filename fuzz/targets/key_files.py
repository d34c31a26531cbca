"""A file of ticket keys is a ``ConfigError``, or keys that survive being written as the same program's."""

from sansticket.errors import ConfigError
from sansticket.tickets.keys.go.caddy import CaddyTicketKeys
from sansticket.tickets.keys.programs.layouts import PROGRAMS, read_files, write_files


def one_input(data: bytes) -> None:
    for program in PROGRAMS:
        try:
            keys = read_files(program, (data,))
        except ConfigError:
            continue
        assert read_files(program, write_files(program, keys)) == keys
    try:
        stek = CaddyTicketKeys.from_bytes(data)
    except ConfigError:
        return
    assert stek.keys
