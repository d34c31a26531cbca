"""What the installed ``cryptography`` has of what came after the lowest version that works here.

That is 45, the first whose verifier can be told what a certificate's extensions may be (``crypto.paths.profile``).
What came later is listed here with its version.  Where it is missing the defaults leave it out, and whoever asks for it
is told which version has it.
"""

from typing import TYPE_CHECKING, Final

import cryptography
from cryptography.exceptions import UnsupportedAlgorithm

from sansticket.errors import ConfigError
from sansticket.values import frozen

INSTALLED: Final = int(cryptography.__version__.partition(".")[0])


@frozen
class Newer:
    """Something that came with a version of ``cryptography``."""

    name: str
    since: int

    @property
    def installed(self) -> bool:
        return self.since <= INSTALLED

    @property
    def lacking(self) -> str:
        """What to say where it is not installed."""
        return (
            f"{self.name} needs cryptography {self.since} or newer; {cryptography.__version__} is installed"
        )

    def error(self, field: str) -> ConfigError:
        """For whoever asked for it in ``field``."""
        return ConfigError(field, self.lacking)


AEAD_INTO: Final = Newer("an AEAD that writes into a buffer", 47)

ML_KEM: Final = Newer("ML-KEM", 48)
"""47 has the names, but not with the OpenSSL that it brings along."""

ML_DSA: Final = Newer("ML-DSA", 49)
"""48 signs with it, but reads no certificate that has such a key."""

CRITICAL_POLICIES: Final = Newer("a critical extension about policies or CRL distribution points", 49)
"""Before, a verifier cannot be told of these extensions, and refuses what is critical and unknown to it."""

DIRECTORY_CONSTRAINTS: Final = Newer("a name constraint for directories", 49)
"""Before, a verifier reads over them; since then it refuses those that are critical."""

SSL_SESSIONS: Final = Newer("OpenSSL's format of sessions", 49)
"""Declared in ``hazmat.asn1``, which has certificates since then."""


class _Absent:
    """In the place of a class that is not installed: no key is one, and making one fails as in a library that was
    built without the algorithm."""

    @staticmethod
    def from_bytes(data: bytes) -> None:
        raise UnsupportedAlgorithm(f"cryptography {cryptography.__version__} does not have it")

    from_seed_bytes = from_public_bytes = from_bytes


if TYPE_CHECKING or ML_KEM.installed:
    from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey as MLKEM768PrivateKey
    from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey as MLKEM768PublicKey
    from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM1024PrivateKey as MLKEM1024PrivateKey
    from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM1024PublicKey as MLKEM1024PublicKey
else:
    MLKEM768PrivateKey = MLKEM768PublicKey = MLKEM1024PrivateKey = MLKEM1024PublicKey = _Absent

if TYPE_CHECKING or ML_DSA.installed:
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey as MLDSA44PrivateKey
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey as MLDSA44PublicKey
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey as MLDSA65PrivateKey
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey as MLDSA65PublicKey
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA87PrivateKey as MLDSA87PrivateKey
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA87PublicKey as MLDSA87PublicKey
else:
    MLDSA44PrivateKey = MLDSA65PrivateKey = MLDSA87PrivateKey = _Absent
    MLDSA44PublicKey = MLDSA65PublicKey = MLDSA87PublicKey = _Absent
