"""The key log: the secrets of connections, one to a line, as NSS and Wireshark have them (SSLKEYLOGFILE).

    <label> <client random> <secret>

Randoms and secrets are hexadecimal; lines that are empty or begin with # mean nothing.  A label of TLS 1.3
names a secret of the key schedule, CLIENT_RANDOM of TLS 1.2 the master secret.
"""

from __future__ import annotations

from sansticket.errors import SansticketError

RANDOM_LENGTH = 32
"""Bytes of a client random."""


class KeyLogError(SansticketError, ValueError):
    """A line that is none of a key log."""


class KeyLog:
    """Secrets by their label and the client random of their connection.

    ``add`` takes a line, and so a ``KeyLog`` can be filled while connections run: ``config.key_log=log.add``.
    """

    def __init__(self, text: str = "") -> None:
        self._secrets: dict[tuple[str, bytes], bytes] = {}
        for number, line in enumerate(text.splitlines(), 1):
            try:
                self.add(line)
            except KeyLogError as error:
                raise KeyLogError(f"line {number}: {error}") from None

    def add(self, line: str) -> None:
        """One line.  KeyLogError for what is none."""
        words = line.split()
        if not words or words[0].startswith("#"):
            return
        if len(words) != 3:
            raise KeyLogError(f"{len(words)} words; expected a label, a client random and a secret")
        label, *values = words
        try:
            client_random, secret = map(bytes.fromhex, values)
        except ValueError:
            raise KeyLogError(f"a value of {label} is not hexadecimal") from None
        if len(client_random) != RANDOM_LENGTH or not secret:
            raise KeyLogError(f"a value of {label} is too short or too long")
        self._secrets[label, client_random] = secret

    def secret(self, label: str, client_random: bytes) -> bytes | None:
        """The secret, or None where the log has none."""
        return self._secrets.get((label, client_random))

    def __len__(self) -> int:
        return len(self._secrets)

    def __repr__(self) -> str:
        return f"<KeyLog of {len(self)} secrets>"
