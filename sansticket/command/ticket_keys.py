"""``python -m sansticket ticket-keys``: make and rotate key files, show what is in them, try them on a ticket."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable

from sansticket.command.key_files import KeyFileError, KeyFiles, judge, new_keys, read_keys
from sansticket.command.key_rotation import convert, rotate, rotate_others
from sansticket.command.other_keys import OTHERS, OtherKeyFiles, new_other, read_others
from sansticket.command.output import (
    STANDARD,
    Command,
    CommandError,
    Commands,
    add,
    read,
    remark,
    table,
    write_out,
    write_secret,
)
from sansticket.command.session_text import describe, key_name, read_session
from sansticket.command.ticket_layouts import opens_under_zeros
from sansticket.config.client import ClientConfig
from sansticket.debug import words
from sansticket.tickets.keys.openssl import KEY_SIZES
from sansticket.tickets.keys.programs.layouts import PROGRAMS
from sansticket.tickets.session import SessionFormatError

KNOWN = (*PROGRAMS, *OTHERS)

DESCRIPTION = """\
Key files for session tickets, in the formats of nginx (ssl_session_ticket_key) and haproxy (tls-ticket-keys), and
with --program of others: OpenSSLTicketKeys.from_files reads them.  Whoever has such a file can open every ticket made
under it, and with it in TLS 1.2 every connection: keep it as a private key, rotate it daily, and let no old one lie
about.

nginx has a file for each key and names them in order: the first seals, all of them open.  Give them here in that
order.  haproxy has one file with a key to a line; it is told apart by its content.  All other programs are named:
nothing in a key tells in which order its secrets are.

Keys of another kind are named too.  go: the 32 bytes that SetSessionTicketKeys takes, a file each.  caddy: the file
stek/stek.bin in its storage, which it makes and rotates itself.  gnutls: the 64 bytes of a server, whose tickets of
TLS 1.3 open in their time.  sansticket: the name and the secret of a TicketKey, 48 bytes.
"""

EXAMPLES = """\
examples:
  python -m sansticket ticket-keys make current.key            and previous.key, next.key, one at a time
  python -m sansticket ticket-keys names current.key previous.key
  python -m sansticket ticket-keys rotate current.key previous.key --next next.key
  python -m sansticket ticket-keys convert current.key previous.key --to h2o --output keys.yaml
  python -m sansticket ticket-keys open session.pem current.key previous.key
"""

MAKE = """\
A new random key, in a file that only you can read, nginx's unless --program says otherwise.  For haproxy they are
three.
"""

NAMES = """\
The keys in the files, by the public names that tickets begin with.  Secrets are not shown.
"""

ROTATE = """\
Every key moves on to the next file, the last one is forgotten, and a new one comes in front.  Reload the servers
afterwards ("nginx -s reload", OpenSSLTicketKeys.replace).

Several servers need --next: a key that seals before everybody knows it makes tickets that some cannot open.  The
file NEXT has the key of the next rotation, and the servers name it last, so that they open its tickets already.
A rotation moves it to the front and puts a new key into NEXT:

    nginx: ssl_session_ticket_key current.key; ssl_session_ticket_key previous.key; ssl_session_ticket_key next.key;

Rotate in one place, and copy the files.  haproxy's file has its next key inside: rotate it alone.

traffic_server and h2o have one file with all keys: the new one comes in front, and the oldest goes, but the one that
sealed before stays.  With --next, the last key of traffic_server's file is the one in NEXT ("cat NEXT >> FILE" puts
it there).  The times in keys of h2o and lighttpd say when they seal: a new one from five minutes after its rotation
on, until then the one before, which lighttpd has in its memory; it has one file, and what else is named here is for
OpenSSLTicketKeys.  caddy and gnutls rotate by themselves.
"""

CONVERT = """\
The same keys in the files of another program, whose tickets then open and resume as before: no key is made, and no
file is overwritten.  One file for each key, but haproxy (three keys), h2o and traffic_server have one for all.  What
a program cannot have is said: keys of another length, with times, or of another kind.  Keys of caddy are go's, each
in a file of its own.
"""

OPEN = """\
Which of the keys opens a ticket, and what is inside: the session, with the session id context that servers must
share to resume it.  TICKET is hexadecimal, or a file: a client's session in any format that "session" reads, or
the ticket itself, raw or hexadecimal.  Exit code 1 if the ticket does not open: then whose it is by its layout.  A
ticket that opens under a key of zeros is warned of, whichever keys are given, and in whatever format is known here:
whoever made it has no key.
"""

EXAMPLES_OF_MAKE = """\
examples:
  python -m sansticket ticket-keys make current.key
  python -m sansticket ticket-keys make keys.txt --haproxy
  python -m sansticket ticket-keys make node.key --program node
"""

EXAMPLES_OF_NAMES = """\
examples:
  python -m sansticket ticket-keys names current.key previous.key next.key
  python -m sansticket ticket-keys names keys.txt
"""

EXAMPLES_OF_ROTATE = """\
examples:
  python -m sansticket ticket-keys rotate current.key previous.key                  one server
  python -m sansticket ticket-keys rotate current.key previous.key --next next.key  a fleet
  python -m sansticket ticket-keys rotate keys.txt                                  haproxy
"""

EXAMPLES_OF_CONVERT = """\
examples:
  python -m sansticket ticket-keys convert keys.txt --program haproxy --to nginx --output 1.key 2.key 3.key
  python -m sansticket ticket-keys convert current.key previous.key --to h2o --output keys.yaml
  python -m sansticket ticket-keys convert stek.bin --program caddy --to go --output 1.key 2.key 3.key 4.key
"""

EXAMPLES_OF_OPEN = """\
examples:
  python -m sansticket ticket-keys open session.pem current.key previous.key
  python -m sansticket ticket-keys open 6b65792d6e616d652d2d2d2d2d2d2d2d... current.key --secrets
"""


def add_ticket_keys(commands: Commands) -> None:
    top = commands.add_parser(
        "ticket-keys",
        help="make, rotate and show key files for tickets; which key opens a ticket",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = top.add_subparsers(title="actions", metavar="ACTION", required=True)
    for add_one in (_add_make, _add_names, _add_rotate, _add_convert, _add_open):
        add_one(actions)


def _add_make(actions: Commands) -> None:
    command = _action(actions, "make", make, "a new key", MAKE, EXAMPLES_OF_MAKE)
    command.add_argument(
        "file", metavar="FILE", help="where it goes; there must be no such file, and - is standard output"
    )
    command.add_argument(
        "--size",
        type=int,
        choices=KEY_SIZES,
        help="bytes: 80 is AES-256, 48 is AES-128; the default is the largest that the program has",
    )
    program = command.add_mutually_exclusive_group()
    program.add_argument(
        "--haproxy",
        action="store_const",
        const="haproxy",
        dest="program",
        help="the same as --program haproxy",
    )
    _add_program(program)
    command.set_defaults(program="nginx")


def _add_names(actions: Commands) -> None:
    command = _action(actions, "names", names, "what is in key files", NAMES, EXAMPLES_OF_NAMES)
    _add_files(command)
    _add_program(command)


def _add_rotate(actions: Commands) -> None:
    command = _action(actions, "rotate", rotate_files, "the next key, please", ROTATE, EXAMPLES_OF_ROTATE)
    _add_files(command)
    _add_program(command)
    command.add_argument("--next", metavar="NEXT", help="the file of the key that all servers know by now")


def _add_convert(actions: Commands) -> None:
    command = _action(actions, "convert", convert_files, "into other files", CONVERT, EXAMPLES_OF_CONVERT)
    _add_files(command)
    _add_program(command)
    command.add_argument(
        "--to", choices=KNOWN, metavar="PROGRAM", required=True, help="whose files they become"
    )
    command.add_argument(
        "--output",
        metavar="FILE",
        nargs="+",
        required=True,
        help="where they go; there must be no such files",
    )


def _add_open(actions: Commands) -> None:
    command = _action(actions, "open", open_ticket, "which key opens a ticket", OPEN, EXAMPLES_OF_OPEN)
    command.add_argument("ticket", metavar="TICKET", help="hexadecimal, or a file")
    _add_files(command)
    _add_program(command)
    command.add_argument("--secrets", action="store_true", help="show the secret and application data")


def _action(
    actions: Commands, name: str, run: Command, help: str, description: str, examples: str
) -> argparse.ArgumentParser:
    return add(actions, name, run, help=help, description=description, examples=examples)


def _add_files(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="key files in the order of the configuration: the first seals",
    )


def _add_program(command: argparse.ArgumentParser | argparse._MutuallyExclusiveGroup) -> None:
    command.add_argument(
        "--program", choices=KNOWN, metavar="PROGRAM", help=f"whose files they are: {', '.join(KNOWN)}"
    )


def make(options: argparse.Namespace) -> Iterable[str]:
    new = new_other if options.program in OTHERS else new_keys
    found, content = new(options.file, _system().entropy, options.size, options.program)
    if options.file == STANDARD:
        write_out(content, binary=options.program in OTHERS or bool(PROGRAMS[options.program].sizes))
        return ()
    write_secret(options.file, content, new=True)
    return table(found.rows())


def names(options: argparse.Namespace) -> Iterable[str]:
    return table((_read_others(options) or _read(options)).rows())


def _read(options: argparse.Namespace) -> KeyFiles:
    return read_keys([(path, read(path)) for path in options.files], options.program)


def _read_others(options: argparse.Namespace) -> OtherKeyFiles | None:
    """None for files of OpenSSL's kind of keys."""
    if options.program not in OTHERS:
        return None
    return read_others([(path, read(path)) for path in options.files], options.program)


def rotate_files(options: argparse.Namespace) -> Iterable[str]:
    if STANDARD in (*options.files, options.next):
        raise CommandError("a rotation writes to the files that it reads; standard input is none")
    contents = [(path, read(path)) for path in options.files]
    coming = (options.next, read(options.next)) if options.next is not None else None
    system, program = _system(), options.program
    before: KeyFiles | OtherKeyFiles
    after: KeyFiles | OtherKeyFiles
    if program in OTHERS:
        before = read_others(contents, program)
        after, files = rotate_others(contents, coming, system.entropy, program)
    else:
        before = read_keys(contents, program)
        after, files = rotate(before, coming, system.entropy, system.clock())
    for path, content in files:
        write_secret(path, content)
    gone = [name for name in before.names() if name not in after.names()]
    then = "open while lighttpd remembers it" if program == "lighttpd" else "open no more"
    return [*table(after.rows()), *(f"  forgotten: {name}; its tickets {then}" for name in gone)]


def convert_files(options: argparse.Namespace) -> Iterable[str]:
    contents = [(path, read(path)) for path in options.files]
    made = convert(contents, options.program, options.to)
    if len(made) != len(options.output):
        raise CommandError(
            f"--output: {words.count(len(options.output), 'file')} for {len(made)} of {options.to}'s"
        )
    for path, content in zip(options.output, made, strict=True):
        write_secret(path, content, new=True)
    written = list(zip(options.output, made, strict=True))
    return table((read_others if options.to in OTHERS else read_keys)(written, options.to).rows())


def open_ticket(options: argparse.Namespace) -> Iterable[str]:
    ticket = ticket_in(options.ticket)
    others = _read_others(options)
    now = _system().clock()
    if zeros := opens_under_zeros(ticket, now):
        warning = f"this ticket opens under a key of zeros ({zeros}): anybody can read it, and make others"
        remark(f"WARNING: {warning}")
    beginning = f"a ticket of {words.count(len(ticket), 'byte')}, key name {key_name(ticket) or 'missing'}"
    try:
        verdict = judge(_read(options), ticket, now) if others is None else others.judge(ticket, now)
    except KeyFileError as error:
        raise CommandError(f"{beginning}: {error}") from None
    rows = describe(verdict.session, client=False, secrets=options.secrets)
    return [f"{beginning}: {verdict.how}", *table(rows)]


def ticket_in(argument: str) -> bytes:
    """The ticket that an argument is, or that is in the file that it names."""
    if (ticket := _from_hex(argument)) and not os.path.exists(argument):
        return ticket
    if argument != STANDARD and not os.path.exists(argument):
        raise CommandError(f"{argument} is neither hexadecimal nor a file")
    content = read(argument)
    try:
        session = read_session(content).session
    except SessionFormatError:
        return _from_hex(content.decode("latin-1")) or content
    if not session.ticket:
        raise CommandError(f"{argument} is a session without a ticket")
    return session.ticket


def _from_hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def _system() -> ClientConfig:
    """The clock and the randomness of the system, as every config has them that names no others."""
    return ClientConfig(verify_peer=False)
