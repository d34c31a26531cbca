"""``python -m sansticket certificates``: a private authority and a certificate for a first server, as files."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sansticket.command.output import CommandError, Commands, add, write, write_secret
from sansticket.testing.certificates import DAYS, LONGEST, PrivateAuthority

DESCRIPTION = """\
A private authority, made on the spot, and a certificate of its own for a server: three files in FOLDER.  The key of
the authority is not kept, so nothing else can be issued under it: name everything that the server is called.
"""

EXAMPLES = """\
examples:
  python -m sansticket certificates localhost 127.0.0.1
  python -m sansticket certificates server.example --folder certificates --days 7
  python -m sansticket certificates localhost --overwrite
"""

AUTHORITY: Final = "ca.pem"
CHAIN: Final = "chain.pem"
KEY: Final = "key.pem"


def add_certificates(commands: Commands) -> None:
    command = add(
        *(commands, "certificates", run),
        help="a private authority and a certificate for a server, as files",
        description=DESCRIPTION,
        examples=EXAMPLES,
    )
    command.add_argument("names", metavar="NAME", nargs="+", help="a host name or an IP address")
    command.add_argument(
        "--folder",
        metavar="FOLDER",
        default=".",
        help="where the files go, which must be there (default: here)",
    )
    command.add_argument(
        "--days",
        type=int,
        default=DAYS,
        metavar="N",
        help=f"how long they are valid, 1 to {LONGEST} (default: %(default)s)",
    )
    command.add_argument(
        "--overwrite", action="store_true", help="put them in the place of files that are there"
    )


def run(options: argparse.Namespace) -> Iterable[str]:
    folder = Path(options.folder)
    ca, chain, key = (str(folder / name) for name in (AUTHORITY, CHAIN, KEY))
    authority = PrivateAuthority.make(days=options.days)
    credential = authority.issue(*options.names)
    there = [path for path in (ca, chain, key) if Path(path).exists()]
    if there and not options.overwrite:
        raise CommandError(f"{there[0]} exists already; --overwrite puts a new one in its place")
    assert credential.private_key is not None  # it was made with the certificate
    private = credential.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_secret(key, private)
    certificates = (x509.load_der_x509_certificate(der) for der in credential.chain)
    write(chain, b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates))
    write(ca, authority.pem)
    return [
        f"{ca}: the authority, for whoever is to believe it (TrustAnchors.from_pem)",
        f"{chain}, {key}: for the server {', '.join(options.names)} (Credential.from_pem)",
    ]
