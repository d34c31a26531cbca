"""Of what a handshake looks through: identities that a client shows, keys that a server knows, trust anchors."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from benchmarks.contenders import AUTHORITY, IDENTITY, SERVER_NAME
from benchmarks.growth.curves import Growth, by_name, microseconds, sizes, texts
from benchmarks.harness import Plan
from benchmarks.ours import client_config, server_config
from sansticket import (
    CipherSuite,
    ClientConfig,
    ClientConnection,
    ExternalPsk,
    PskRole,
    ServerConfig,
    ServerConnection,
)
from tests.support.certificates import authority

SUITE: Final = CipherSuite.AES_128_GCM_SHA256


def handshake(client_config: ClientConfig, server_config: ServerConfig) -> ServerConnection:
    client, server = ClientConnection(client_config, SERVER_NAME), ServerConnection(server_config)
    while data := client.data_to_send():
        server.receive_data(data)
        client.receive_data(server.data_to_send())
    assert client.cipher_suite
    return server


def identities(plan: Plan) -> str:
    """A client that shows keys of which the server knows none, and a server that knows many, of which one is shown."""
    shown = {number: microseconds(_shown(number)) for number in sizes(plan, 1, 2, 4, 8, 16, 64, 256)}
    known = {number: microseconds(_known(number)) for number in sizes(plan, 1, 10, 100, 1_000, 10_000)}
    curves = {"shown, none of them known": shown, "known, one of them shown": known}
    return texts([Growth("identities", "Identities", "external PSKs", "µs a handshake", curves)], plan)


def _psks(number: int, role: PskRole) -> list[ExternalPsk]:
    return [ExternalPsk(b"%06d" % place, place.to_bytes(32, "big"), role=role) for place in range(number)]


def _shown(number: int) -> Callable[[], object]:
    client = client_config(SUITE, psks=_psks(number, PskRole.CLIENT))
    return partial(handshake, client, server_config(IDENTITY, SUITE))


def _known(number: int) -> Callable[[], object]:
    client = client_config(SUITE, psks=_psks(1, PskRole.CLIENT))
    server = server_config(IDENTITY, SUITE, psks=_psks(number, PskRole.SERVER))
    assert handshake(client, server).psk_identity
    return partial(handshake, client, server)


def anchors(plan: Plan) -> str:
    """Of a client; the one that is needed is the last."""
    numbers = sizes(plan, 1, 10, 100, 1_000, 2_000)
    others = [authority().der for _ in range(max(numbers) - 1)]
    measured = {number: _anchored([*others[: number - 1], AUTHORITY.der]) for number in numbers}
    names = ("anchors read, and the first handshake with them", "a later handshake")
    curves = by_name(names, measured)
    return texts([Growth("anchors", "Trust anchors", "trust anchors", "µs a handshake", curves)], plan)


def _anchored(certificates: list[bytes]) -> tuple[float, float]:
    """Microseconds: the first with these anchors, and one of those that follow."""
    server = server_config(IDENTITY, SUITE)

    def first() -> ClientConfig:
        client = client_config(SUITE, certificates)
        handshake(client, server)
        return client

    return microseconds(first), microseconds(partial(handshake, first(), server))
