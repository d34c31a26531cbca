"""Which tests see that a check is gone: the room's own first, and then all that could."""

from __future__ import annotations

from typing import Final

CONNECTED: Final = "tests/handshake/test_hostile_connected.py"
CLIENT_13: Final = (
    "tests/handshake/test_hostile_server.py",
    "tests/handshake/test_hostile_server_session.py",
    CONNECTED,
)
SERVER_13: Final = (
    "tests/handshake/test_hostile_client.py",
    "tests/handshake/test_hostile_client_answer.py",
    CONNECTED,
)
CLIENT_12: Final = ("tests/handshake12/test_hostile_server.py",)
SERVER_12: Final = ("tests/handshake12/test_hostile_client.py", "tests/handshake12/test_versions.py")
SESSIONS: Final = (
    "tests/resumption/test_records.py",
    "tests/resumption/test_contexts.py",
    "tests/resumption/test_ages.py",
    "tests/resumption/test_hashes.py",
)

PSKS: Final = ("tests/handshake/test_external_psks.py", "tests/resumption/test_psk_sessions.py")

EARLY_DATA: Final = ("tests/early_data",)

REVOCATIONS: Final = ("tests/tickets/test_revocations.py", "tests/resumption/test_revocations.py")

STAPLING: Final = ("tests/handshake/test_stapling.py",)

REUSE: Final = ("tests/resumption/test_reuse.py",)

LINEAGE: Final = ("tests/resumption/test_lineage.py",)

NEAREST: Final[dict[str, tuple[str, ...]]] = {
    "tickets/stores/replay": ("tests/tickets/test_replay.py",),
    "tickets/stores/uses": ("tests/tickets/test_uses.py",),
    "wire/": ("tests/wire",),
    "record/": ("tests/record", "tests/handshake/test_hostile_records.py"),
    "tickets/stores/revocations": REVOCATIONS,
    "tickets/stores/times": REVOCATIONS,
    "tickets/openssl": ("tests/tickets/test_openssl.py",),
    "replays/": ("tests/replays/test_damaged.py",),
    "connection/server": (*REVOCATIONS, *SERVER_13),
    "connection/restores": ("tests/connection/test_handover.py",),
    "connection/": ("tests/handshake/test_hostile_records.py", *CLIENT_13, *SERVER_13),
    "crypto/stapling": ("tests/crypto/test_stapling.py",),
    "crypto/": ("tests/crypto",),
    "handshake/common/": ("tests/handshake/test_names.py", *CLIENT_13, *SERVER_13, *SERVER_12),
    "handshake/client/adoption": ("tests/handshake/test_adoption.py", *STAPLING),
    "handshake/client/staples": STAPLING,
    "handshake/client/early_data": EARLY_DATA,
    "handshake/client/tls13/early_data": EARLY_DATA,
    "handshake/server/tls13/early_data": (*EARLY_DATA, *PSKS, *REUSE),
    "handshake/client/sessions": (*SESSIONS, *PSKS),
    "handshake/client/tls12/": CLIENT_12,
    "handshake/client/tls13/": (*CLIENT_13, *PSKS),
    "handshake/client/": CLIENT_13,
    "handshake/tls12/": (*CLIENT_12, *SERVER_12),
    "handshake/tls13/certificates": (*STAPLING, *CLIENT_13, *SERVER_13),
    "handshake/tls13/": (*CLIENT_13, *SERVER_13),
    "handshake/server/tls12/rules": (*SESSIONS, "tests/handshake12/test_tickets.py"),
    "handshake/server/tls13/rules": (*SESSIONS, *PSKS, "tests/handshake/test_hostile_client_answer.py"),
    "handshake/server/tls12/": SERVER_12,
    "handshake/server/tls13/": (*SERVER_13, *PSKS),
    "handshake/server/psks": PSKS,
    "handshake/server/reuse": (*REUSE, "tests/resumption/test_revocations.py"),
    "handshake/server/search": (*SESSIONS, *PSKS, *REUSE, "tests/resumption/test_revocations.py"),
    "handshake/server/tickets": LINEAGE,
    "handshake/server/": (*SESSIONS, *PSKS),
    "tickets/session": ("tests/tickets/test_session.py",),
    "tickets/keys/": (
        "tests/tickets/test_go_keys.py",
        "tests/tickets/test_gnutls_keys.py",
        "tests/tickets/test_programs.py",
        "tests/tickets/test_openssl_keys.py",
        "tests/resumption/test_codecs.py",
    ),
}
"""By the beginning of a module's name; the first that fits."""

WIDER: Final = tuple(
    f"tests/{room}"
    for room in ("handshake", "handshake12", "resumption", "early_data", "crypto", "record", "wire")
)
"""For what the nearest have not noticed."""


def nearest(module: str) -> tuple[str, ...]:
    return next(tests for beginning, tests in NEAREST.items() if module.startswith(beginning))
