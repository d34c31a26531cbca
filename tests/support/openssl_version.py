"""Which OpenSSL a program says it has, and what that means."""

from __future__ import annotations

import re
from typing import Final

NO_HYBRID_BEFORE_3_5: Final = "X25519MLKEM768 came with OpenSSL 3.5, and this program has an older one."


def openssl_in(text: str) -> tuple[int, ...]:
    """The last version of OpenSSL that ``text`` names: what a program runs with comes after what it was built with."""
    versions = re.findall(r"OpenSSL[/ ](\d+)\.(\d+)\.(\d+)", text)
    return tuple(map(int, versions[-1])) if versions else ()
