"""Bouncy Castle's JSSE, of Debian's ``libbctls-java``: the matrix's program in Java, with other providers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.interop.matrix.test_java import classes
from tests.support.matrix import Cannot, Cell
from tests.support.programs import Program
from tests.support.wide import CLIENT, SERVER

JARS: Final = ("bcprov", "bcutil", "bctls")
PROVIDERS: Final = """\
security.provider.1=org.bouncycastle.jsse.provider.BouncyCastleJsseProvider
security.provider.2=org.bouncycastle.jce.provider.BouncyCastleProvider
security.provider.3=SUN
"""

NO_TICKETS: Final = Cannot("Bouncy Castle has no tickets.")


class BouncyCastle(Program):
    name = "Bouncy Castle"
    needs = ("Java", "Bouncy Castle")
    by_hand = True
    cannot = {  # noqa: RUF012
        (role, cell): NO_TICKETS for role in (CLIENT, SERVER) for cell in (Cell.RESUMED_13, Cell.TICKET_12)
    }

    def version(self) -> str:
        return Path("/usr/share/java/bctls.jar").resolve().stem.partition("-")[2]

    def command(self) -> Sequence[str | Path]:
        providers = classes() / "providers"
        providers.write_text(PROVIDERS)
        path = ":".join([str(classes()), *(f"/usr/share/java/{jar}.jar" for jar in JARS)])
        return [
            "java",
            "-XX:TieredStopAtLevel=1",
            f"-Djava.security.properties={providers}",
            "-cp",
            path,
            "Peer",
        ]


PEERS: Final = (BouncyCastle(),)
