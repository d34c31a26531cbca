"""``python -m sansticket session``: print a session, convert it, make it usable for a client."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from sansticket.command.output import (
    STANDARD,
    CommandError,
    Commands,
    add,
    read,
    remark,
    table,
    write_out,
    write_secret,
)
from sansticket.command.session_text import (
    NAMES,
    SessionFile,
    describe,
    read_session,
    write_session,
)
from sansticket.tickets.session import SessionFormatError

DESCRIPTION = """\
What a session file says: of a native session (Session.to_bytes), or of OpenSSL's SSL_SESSION in DER or PEM, as
"openssl s_client -sess_out" writes it and "-sess_in" reads it.  Secrets are not shown unless you ask for them.

With --to it is converted instead.  OpenSSL's format has whole seconds, one time, and of a chain the first
certificate; the other way nothing is lost.

A client of ours offers a session only under the policy by which its server was verified.  OpenSSL's format says
nothing of that: --ca and --name verify the certificate in the session now, as adopt_session does, and write a
session that fits a ClientConfig with these trust anchors.
"""

EXAMPLES = """\
examples:
  python -m sansticket session session.bin                   what it says
  python -m sansticket session session.pem --secrets         with its keys; whoever sees them can resume it
  python -m sansticket session session.bin --to pem > s.pem  for openssl s_client -sess_in s.pem
  python -m sansticket session s.pem --to native --ca ca.pem --name server.example --output session.bin
                                                             from openssl s_client -sess_out s.pem
"""


def add_session(commands: Commands) -> None:
    command = add(
        *(commands, "session", run),
        help="what a session file says; convert between ours and OpenSSL's formats",
        description=DESCRIPTION,
        examples=EXAMPLES,
    )
    command.add_argument("file", metavar="FILE", help="the session; - is standard input")
    command.add_argument(
        "--secrets", action="store_true", help="show the secret, the ticket and application data"
    )
    command.add_argument(
        "--side",
        choices=("client", "server"),
        help="whose session it is, where its format does not tell (default: a client's has a ticket)",
    )
    command.add_argument("--to", choices=tuple(NAMES), help="convert, and print nothing else")
    command.add_argument(
        "--output", metavar="FILE", help="where the result of --to goes (default: standard output)"
    )
    command.add_argument(
        "--ca", metavar="FILE", help="verify the server's certificate: PEM of the trust anchors"
    )
    command.add_argument("--name", help="... and that it is for this server")
    command.add_argument(
        "--intermediates", metavar="FILE", help="PEM of certificates between the two, if any"
    )
    command.set_defaults(check=check)


def check(options: argparse.Namespace) -> str:
    """What is wrong with the combination of options, or nothing."""
    if options.output and not options.to:
        return "--output without --to"
    if (options.ca is None) != (options.name is None):
        return "--ca and --name need each other"
    if options.intermediates and not options.ca:
        return "--intermediates without --ca"
    return ""


def run(options: argparse.Namespace) -> Iterable[str]:
    client = None if options.side is None else options.side == "client"
    try:
        found = read_session(read(options.file), client)
    except SessionFormatError as error:
        raise CommandError(f"{options.file}: {error}") from None
    if options.ca is not None:
        found = adopted(found, options)
    elif options.to == "native" and found.form != "native" and found.client:
        remark("no client of ours will offer this session before it was adopted; see --ca and --name")
    if options.to is not None:
        content = write_session(found.session, options.to, found.client)
        if options.output not in (None, STANDARD):
            write_secret(options.output, content)
        else:
            write_out(content, binary=options.to != "pem")
        return ()
    whose = "a client's" if found.client else "a server's"
    rows = [*describe(found.session, client=found.client, secrets=options.secrets), *found.more]
    return [f"{NAMES[found.form]}, {whose}", *table(rows)]


def adopted(found: SessionFile, options: argparse.Namespace) -> SessionFile:
    """The session as a client with these trust anchors can use it."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    from sansticket.config.client import ClientConfig
    from sansticket.crypto.verification import TrustAnchors
    from sansticket.handshake.client.adoption import adopt_session

    try:
        anchors = TrustAnchors.from_pem(read(options.ca))
        between = (
            x509.load_pem_x509_certificates(read(options.intermediates)) if options.intermediates else []
        )
    except ValueError as error:
        raise CommandError(f"certificates: {error}") from None
    intermediates = [certificate.public_bytes(Encoding.DER) for certificate in between]
    session = adopt_session(ClientConfig(trust_anchors=anchors), found.session, options.name, intermediates)
    return SessionFile(found.form, session, client=True, more=found.more)
