"""h2o's file of ticket keys (``ticket-file``): the few lines of YAML that it is, and no more of YAML.

    - name: <32 hexadecimal digits>
      cipher: AES-256-CBC
      hash: SHA256
      key: <the AES key and 64 bytes of the HMAC key, hexadecimal>
      not_before: <seconds since the epoch>
      not_after: <seconds since the epoch>

Every key has all six; the order of the lines does not matter, nor do quotes, comments and empty lines.  h2o seals with
the newest key whose time has come.
"""

from typing import Final

from sansticket.errors import ConfigError
from sansticket.tickets.keys.programs.key import MAX_TIME, OpenSSLTicketKey

FIELDS: Final = ("name", "cipher", "hash", "key", "not_before", "not_after")
AES_LENGTHS: Final = {"aes-256-cbc": 32, "aes-128-cbc": 16}
HASH: Final = "sha256"
HMAC_LENGTH: Final = 64
"""Bytes of the HMAC key: a block of the hash."""

Keys = tuple[OpenSSLTicketKey, ...]


def read(content: bytes) -> Keys:
    """The keys in a file, the newest first.  ConfigError ``keys`` names the line, or the key and its field."""
    try:
        lines = content.decode().splitlines()
    except UnicodeDecodeError:
        raise ConfigError(
            "keys", f"{len(content)} bytes that are no text; expected h2o's file, in YAML"
        ) from None
    entries: list[dict[str, str]] = []
    for number, line in enumerate(lines, 1):
        text = line.partition(" #")[0].strip()
        if text in ("", "---") or text.startswith("#"):
            continue
        if text.startswith("- "):
            entries.append({})
            text = text[2:].strip()
        name, colon, value = text.partition(":")
        if not colon or not entries or name not in FIELDS or name in entries[-1]:
            raise ConfigError(
                "keys", f"line {number}: expected one of {', '.join(FIELDS)} of a key in h2o's file"
            )
        entries[-1][name] = value.strip().strip("'\"")
    keys = [_key(f"key {number}", entry) for number, entry in enumerate(entries, 1)]
    return tuple(sorted(keys, key=lambda key: -key.not_before))


def _key(which: str, entry: dict[str, str]) -> OpenSSLTicketKey:
    missing = [name for name in FIELDS if name not in entry]
    if missing:
        raise ConfigError("keys", f"{which} has no {missing[0]}")
    aes_length = AES_LENGTHS.get(entry["cipher"].lower())
    if aes_length is None or entry["hash"].lower().replace("-", "") != HASH:
        raise ConfigError(
            "keys",
            f"{which} is not of AES-256-CBC or AES-128-CBC with SHA256, the only ones that are done here",
        )
    try:
        name, secrets = bytes.fromhex(entry["name"]), bytes.fromhex(entry["key"])
        not_before, not_after = int(entry["not_before"]), int(entry["not_after"])
    except ValueError:
        raise ConfigError("keys", f"{which} has a field that is no number") from None
    if len(secrets) != aes_length + HMAC_LENGTH:
        raise ConfigError("keys", f"{which} has {len(secrets)} bytes; expected {aes_length + HMAC_LENGTH}")
    try:
        # h2o's numbers have 64 bits.
        end = min(not_after, MAX_TIME)
        return OpenSSLTicketKey(name, secrets[:aes_length], secrets[aes_length:], not_before, end)
    except ConfigError as error:
        raise ConfigError("keys", f"{which}: {error}") from None


def write(keys: Keys) -> tuple[bytes]:
    """Undo ``read``.  A key that has less than 64 bytes for the HMAC gets zeros behind them, which change nothing."""
    return ("".join(map(_entry, keys)).encode(),)


def _entry(key: OpenSSLTicketKey) -> str:
    cipher = "AES-256-CBC" if len(key.aes_key) == AES_LENGTHS["aes-256-cbc"] else "AES-128-CBC"
    secrets = key.aes_key + key.hmac_key.ljust(HMAC_LENGTH, b"\0")
    return (
        f"- name: {key.name.hex()}\n  cipher: {cipher}\n  hash: SHA256\n  key: {secrets.hex()}\n"
        f"  not_before: {key.not_before}\n  not_after: {key.not_after}\n"
    )
