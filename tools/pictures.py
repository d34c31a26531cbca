"""Draws the ladders that are in docs/ladders.md, of the demo's full handshake.

    python -m tools.pictures            say which of docs/pictures are not what the code draws
    python -m tools.pictures --write    and draw them, the screenshot in Chromium

The keys, the clock and the randomness are always the same, and signatures are with Ed25519, whose are too: so is the
handshake, byte for byte.  What a browser makes of a page depends on its fonts; the screenshot has the hash of its page
in it instead (a text chunk of PNG), by which it is known whether it is of this one.
"""

from __future__ import annotations

import argparse
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256, shake_256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from attrs import evolve
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from sansticket import Credential, NamedGroup, TicketKeyRing, TrustAnchors
from sansticket.command.demo import NAME, Demo, Options
from sansticket.debug.ladders.page import page
from sansticket.debug.ladders.picture import Picture, picture
from sansticket.debug.ladders.vector import svg
from tests.support.browser import browser

FOLDER: Final = Path(__file__).parent.parent / "docs/pictures"
VECTOR: Final = FOLDER / "ladder.svg"
SCREENSHOT: Final = FOLDER / "ladder.png"
MOMENT: Final = 1_767_225_600.0
"""Seconds since the epoch: the first of 2026."""
KEYWORD: Final = b"Source\0sha256 "
"""Of the text chunk, and what stands before the digits (PNG, section 11.3.3.2)."""


# --- always the same handshake -----------------------------------------------------------------------------------


def entropy(seed: str) -> Callable[[int], bytes]:
    """Bytes that look like random ones, and are the same each time."""
    taken = 0

    def draw(size: int) -> bytes:
        nonlocal taken
        taken += size
        return shake_256(seed.encode()).digest(taken)[taken - size :]

    return draw


def identity() -> tuple[Credential, TrustAnchors]:
    """A certificate of the demo's server, and who issued it: itself."""
    key = Ed25519PrivateKey.from_private_bytes(entropy("certificate")(32))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    since = datetime.fromtimestamp(MOMENT, UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(since).not_valid_after(since + timedelta(days=30))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
    der = builder.sign(key, None).public_bytes(Encoding.DER)
    return Credential((der,), key), TrustAnchors.from_der([der])


def drawn() -> Picture:
    """The demo's full handshake, with two tickets."""
    demo = Demo(Options(version=0x0304, tickets=2, retry=False, client_certificate=False, width=100))
    credential, anchors = identity()
    client, server = entropy("client"), entropy("server")
    always: dict[str, Any] = {
        "clock": lambda: MOMENT,
        "groups": [NamedGroup.X25519],
    }  # ML-KEM draws randomness of its own
    demo.client_config = evolve(demo.client_config, trust_anchors=anchors, entropy=client, **always)
    demo.server_config = evolve(
        demo.server_config,
        credentials=[credential],
        ticket_keys=TicketKeyRing.generate(MOMENT, server),
        entropy=server,
        **always,
    )
    return picture(demo.connect().steps, demo.key_log, "A full handshake, and two tickets")


# --- the screenshot ------------------------------------------------------------------------------------------------


def chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each chunk by its type, with what is in it (PNG, section 5.3)."""
    at = 8
    while at < len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        yield kind, png[at + 8 : at + 8 + length]
        at += 12 + length


def with_source(png: bytes, text: str) -> bytes:
    """The same picture, with the hash of what it is of, before the last chunk."""
    content = b"tEXt" + KEYWORD + sha256(text.encode()).hexdigest().encode()
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    return png[:-12] + chunk + png[-12:]


def is_of(png: bytes, text: str) -> bool:
    """Whether a screenshot was made of that page."""
    return (b"tEXt", KEYWORD + sha256(text.encode()).hexdigest().encode()) in chunks(png)


def photographed(text: str) -> bytes:
    """A page in Chromium, in the light, with its second row open."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as home:
        file = Path(home, "ladder.html")
        file.write_text(text, encoding="utf-8")
        with browser(Path(home)) as shown:
            shown.prefer("light")
            shown.open(file)
            shown.press("j", "j", "Enter")
            shown.ask("document.querySelector('summary').scrollIntoView({block: 'center'})")
            return with_source(shown.picture(1040, 1180), text)


def stale(made: Picture) -> Iterator[Path]:
    """The pictures that are not of this one."""
    if not VECTOR.exists() or VECTOR.read_text(encoding="utf-8") != svg(made):
        yield VECTOR
    if not SCREENSHOT.exists() or not is_of(SCREENSHOT.read_bytes(), page(made)):
        yield SCREENSHOT


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.pictures", description="The ladders of the docs.")
    parser.add_argument("--write", action="store_true", help=f"write docs/{FOLDER.name}")
    write = parser.parse_args(arguments).write
    made = drawn()
    paths = list(stale(made))
    for path in paths:
        print(path)
        if write:
            FOLDER.mkdir(exist_ok=True)
            path.write_bytes(svg(made).encode() if path == VECTOR else photographed(page(made)))
    return int(bool(paths) and not write)


if __name__ == "__main__":
    raise SystemExit(main())
