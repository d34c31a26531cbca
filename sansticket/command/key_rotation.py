"""Rotation of key files, and their conversion from one program's to another's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from attrs import evolve

from sansticket.command.key_files import (
    COMING,
    DATED_PROGRAMS,
    Held,
    KeyFileError,
    KeyFiles,
    new_key,
    read_keys,
    written,
)
from sansticket.command.other_keys import OTHERS, OtherKeyFiles, read_others
from sansticket.errors import ConfigError
from sansticket.inputs import Entropy, random_bytes
from sansticket.tickets.keys.go.caddy import CaddyTicketKeys
from sansticket.tickets.keys.openssl import OpenSSLTicketKey
from sansticket.tickets.keys.programs.key import MAX_TIME
from sansticket.tickets.keys.programs.layouts import program_of

DELAY: Final = 300
"""Seconds after which a new key that has times seals: until then its file has reached all servers, and was read."""

WHY_NOT: Final = {
    "caddy": "caddy rotates the keys in its storage itself; CaddyTicketKeys says when",
    "gnutls": "gnutls's keys change with the time by themselves, and no server of it has two secrets: make a new one,"
    " which opens no ticket of the old",
}

File = tuple[str, bytes]
"""Its path and its content."""


def rotate(found: KeyFiles, coming: File | None, entropy: Entropy, now: float) -> tuple[KeyFiles, list[File]]:
    """A new key comes, every other moves on, the last goes: the keys then, and the files to be written, in order.

    The order is such that at no moment a key is in no file that should still open.  ``coming`` is the file of a
    key that all servers know by now: it seals from here on, and the new key takes its place.
    """
    _check_next(found, coming, now)
    new = _new_key(found, entropy, int(now))
    if found.program == "haproxy":
        current, next_, _ = (one.key for one in found.held)
        return _in_one_file(found, (next_, new, current))
    if found.program in ("traffic_server", "h2o"):
        return _rotate_inside(found, coming, new, now)
    files = [(one.path, written(found.program, [one.key])) for one in found.held]
    moved = moved_on(files, coming, written(found.program, [new]))
    if coming is not None:  # which may be one of the others by another path
        _checked(evolve(found, held=(*found.held, *read_keys([coming], found.program).held)))
    after = dict(moved)
    read = read_keys([(path, after[path]) for path, _ in files], found.program)
    if coming is None:
        return read, moved
    return _checked(evolve(read, held=(*read.held, Held(coming[0], new, COMING)))), moved


def _check_next(found: KeyFiles, coming: File | None, now: float) -> None:
    first = found.held[0].key
    if coming is not None and found.program == "haproxy":
        raise KeyFileError("--next: haproxy's file has its next key inside")
    if coming is not None and found.program in DATED_PROGRAMS:
        raise KeyFileError(f"--next: the times in {found.program}'s keys say when a new one seals")
    if first.not_before > now:
        raise KeyFileError(
            f"{found.held[0].path} has a key that seals from {first.not_before} on: rotate after that"
        )


def _new_key(found: KeyFiles, entropy: Entropy, now: int) -> OpenSSLTicketKey:
    """As long as the first; with times, good for as long."""
    last = found.held[0].key
    new = new_key(found.program, entropy, 80 if len(last.aes_key) == 32 else 48)
    if found.program not in DATED_PROGRAMS:
        return new
    begin = max(now, min(now + DELAY, last.not_after))
    return evolve(new, not_before=begin, not_after=min(begin + last.not_after - last.not_before, MAX_TIME))


def moved_on(files: Sequence[File], coming: File | None, new: bytes) -> list[File]:
    """Files of a key each, in the order of the configuration: what is written into which, in order."""
    paths = [path for path, _ in files]
    if coming is not None and coming[0] in paths:
        raise KeyFileError(f"{coming[0]} is the file of the next key, and is named among the others too")
    contents = [new if coming is None else coming[1], *(content for _, content in files[:-1])]
    moved = list(zip(paths, contents, strict=True))[::-1]
    return moved if coming is None else [*moved, (coming[0], new)]


def _rotate_inside(
    found: KeyFiles, coming: File | None, new: OpenSSLTicketKey, now: float
) -> tuple[KeyFiles, list[File]]:
    """One file with all keys: the new one in front, or where it only opens, and two at least."""
    if len({one.path for one in found.held}) > 1:
        raise KeyFileError(
            f"{found.program} has one file with all its keys; {len(found.held)} keys are in several"
        )
    good = [one.key for one in found.held if one.key.not_after >= now]
    if coming is None:
        return _in_one_file(found, (new, *good[: max(1, len(found.held) - 1)]))
    next_ = read_keys([coming], found.program).held[0].key
    if len(good) < 2 or good[-1] != next_:
        raise KeyFileError(
            f"{coming[0]} is not the last key in {found.held[0].path}, where all servers would know it: add it there,"
            " and rotate when they have read it"
        )
    older = good[: max(1, len(good) - 2)]
    after, files = _in_one_file(found, (next_, *older, new))
    *others, last = after.held
    after = evolve(after, held=(*others, evolve(last, role=COMING)))
    return after, [(coming[0], written(found.program, [new])), *files]


def _in_one_file(found: KeyFiles, keys: Sequence[OpenSSLTicketKey]) -> tuple[KeyFiles, list[File]]:
    file = (found.held[0].path, written(found.program, keys))
    return read_keys([file], found.program), [file]


def _checked(found: KeyFiles) -> KeyFiles:
    try:
        _ = found.keys
    except ConfigError as error:
        raise KeyFileError(str(error)) from None
    return found


def rotate_others(
    files: Sequence[File], coming: File | None, entropy: Entropy, program: str
) -> tuple[OtherKeyFiles, list[File]]:
    """As ``rotate``, of files with a key each that is not of OpenSSL's kind."""
    if program in WHY_NOT:
        raise KeyFileError(WHY_NOT[program])
    given = [*files, *([coming] if coming else [])]
    read_others(given, program)
    moved = moved_on(files, coming, random_bytes(entropy, OTHERS[program].size))
    if len({content for _, content in given}) < len(given):
        raise KeyFileError("two files have the same key")
    contents = dict(moved)
    paths = [path for path, _ in files] + ([coming[0]] if coming else [])
    return read_others([(path, contents[path]) for path in paths], program), moved


def convert(files: Sequence[File], program: str | None, target: str) -> list[bytes]:
    """The same keys as the files of another program, in the order of its configuration.

    ``KeyFileError``: its kind of keys is another, or it cannot have these.
    """
    if program in OTHERS or target in OTHERS:
        return _convert_others(files, program, target)
    keys = tuple(one.key for one in read_keys(files, program).held)
    try:
        return list(program_of(target).write(keys))
    except ConfigError as error:
        raise KeyFileError(f"{target}: {error}") from None


def _convert_others(files: Sequence[File], program: str | None, target: str) -> list[bytes]:
    if (program, target) == ("caddy", "go"):
        read_others(files, "caddy")
        return [key.secret for _, content in files for key in CaddyTicketKeys.from_bytes(content).keys]
    if target == "caddy":
        raise KeyFileError("caddy writes its storage itself, and takes keys from nowhere else")
    raise KeyFileError(
        f"a key of {program or 'nginx or haproxy'} is none of {target}: they seal in another way, and neither would"
        " open a ticket of the other"
    )
