"""The kinds of handshakes in which somebody misbehaves."""

from __future__ import annotations

from functools import cached_property, partial
from hashlib import shake_256
from typing import Any, Final

from attrs import Factory, frozen

from fuzz.world import (
    NAME,
    TIME,
    claimed,
    client_config,
    entropy,
    psks,
    server_config,
    stapled,
)
from sansticket.codes import CertificateCompression, NamedGroup, ProtocolVersion
from sansticket.commands import (
    Command,
    IssueTicket,
    RequestClientCertificate,
    SendData,
    SendEarlyData,
    UpdateKeys,
)
from sansticket.config.choices import ClientAuthentication
from sansticket.connection.client import ClientConnection
from sansticket.connection.server import ServerConnection
from sansticket.events import ClaimEarlyData, TicketReceived
from sansticket.psk import PskRole
from sansticket.tickets.keys.ring import TicketKeyRing
from sansticket.tickets.session import Session
from sansticket.tickets.stores.cache import SessionCache
from tests.misbehaviours.playing import Play, Site, sites_of

Talk = tuple[tuple[str, Command], ...]

LAST_WORDS: Final = {"client": b"a last question", "server": b"a last answer"}
DATA: Final[Talk] = tuple((side, SendData(word)) for side, word in LAST_WORDS.items())
TALK: Final[Talk] = (("client", SendData(b"a question")), *DATA)
AFTER: Final[Talk] = (
    ("server", RequestClientCertificate()),
    ("server", IssueTicket()),
    ("client", UpdateKeys(request_peer=True)),
    ("server", UpdateKeys()),
    *TALK,
)
EARLY: Final[Talk] = (("client", SendEarlyData(b"an early question")), *TALK)


def salted(salt: str, size: int) -> bytes:
    """The same bytes for whoever asks again: forks share the source."""
    return shake_256(f"{salt} {size}".encode()).digest(size)


@frozen(eq=False)
class Scene:
    """What client and server have otherwise than by default; whether there was a handshake before."""

    name: str
    client: dict[str, Any] = Factory(dict)
    server: dict[str, Any] = Factory(dict)
    talk: Talk = TALK
    resumes: bool = False

    @property
    def tls12(self) -> bool:
        return ProtocolVersion.TLS_1_3 not in self.server.get("versions", (ProtocolVersion.TLS_1_3,)) or (
            ProtocolVersion.TLS_1_3 not in self.client.get("versions", (ProtocolVersion.TLS_1_3,))
        )

    @property
    def offers_tls12(self) -> bool:
        return ProtocolVersion.TLS_1_2 in self.client.get("versions", (ProtocolVersion.TLS_1_2,))

    @cached_property
    def sites(self) -> tuple[Site, ...]:
        """All that is said in it."""
        return tuple(sites_of(self))

    @cached_property
    def hellos(self) -> tuple[tuple[int, bytes], ...]:
        """The client's, with their numbers."""
        return tuple((one.number, one.raw) for one in self.sites if one.name.endswith("ClientHello"))

    @cached_property
    def request(self) -> bytes | None:
        """The server's CertificateRequest."""
        return next((one.raw for one in self.sites if one.name == "CertificateRequest"), None)

    @property
    def by_psk(self) -> bool:
        """A session or an external PSK goes on, in TLS 1.3."""
        return not self.tls12 and (self.resumes or "psks" in self.server)

    def last_word(self, side: str) -> bytes:
        return LAST_WORDS[side]

    @cached_property
    def sessions(self) -> tuple[Session, ...]:
        """One that the client has from before."""
        if not self.resumes:
            return ()
        client = ClientConnection(self._client_config("before"), NAME)
        play = Play(client, self.new_server("before"), (("server", SendData(b"before")),))
        play.go_on()
        return tuple(one.session for one in play.events["client"] if isinstance(one, TicketReceived))[:1]

    def new_client(self) -> ClientConnection:
        return ClientConnection(self._client_config("now"), NAME, self.sessions)

    def new_server(self, when: str = "now") -> ServerConnection:
        changes = {"answers": {}, "entropy": partial(salted, f"server {when}"), **self.server}
        return ServerConnection(server_config(**changes))

    def _client_config(self, when: str) -> Any:
        return client_config(**{"answers": {}, "entropy": partial(salted, f"client {when}"), **self.client})


RETRY: Final = {"groups": (NamedGroup.SECP256R1,)}
REQUIRED: Final = {"client_authentication": ClientAuthentication.REQUIRED}
ONLY12: Final = {"versions": (ProtocolVersion.TLS_1_2,)}
ONLY13: Final = {"versions": (ProtocolVersion.TLS_1_3,)}
COMPRESSED: Final = {"certificate_compression": (CertificateCompression.ZLIB,)}
STAPLING: Final = {"request_stapling": True}
TAKES_EARLY: Final = {"max_early_data": 1000, "answers": {ClaimEarlyData: claimed}}
OFFERS_EARLY: Final = {"early_data": True}
COOKIES: Final = {**RETRY, "stateless_retry": TicketKeyRing.generate(TIME, entropy)}


class Keeping(SessionCache):
    """From which a failed connection takes nothing away: those of the scene that come later are to meet it, too."""

    def remove(self, session: Session) -> bool:
        return False


SCENES: Final = (
    Scene("full", talk=AFTER),
    Scene("full, TLS 1.3 only", ONLY13, ONLY13),
    Scene("resumed", resumes=True, talk=AFTER),
    Scene("retry", {}, RETRY),
    Scene("retry, resumed", {}, RETRY, resumes=True),
    Scene("retry by cookie", {}, COOKIES),
    Scene("client certificate", {}, REQUIRED),
    Scene("compressed certificates", COMPRESSED, {**COMPRESSED, **REQUIRED}),
    Scene("stapled", STAPLING, stapled()),
    Scene("external PSK", psks(PskRole.CLIENT), psks(PskRole.SERVER)),
    Scene("external PSK, retry", psks(PskRole.CLIENT), {**psks(PskRole.SERVER), **RETRY}),
    Scene("early data", OFFERS_EARLY, TAKES_EARLY, EARLY, resumes=True),
    Scene("early data refused", OFFERS_EARLY, {**TAKES_EARLY, **RETRY}, EARLY, resumes=True),
    Scene("TLS 1.2", {}, ONLY12),
    Scene("TLS 1.2 only", ONLY12, {}),
    Scene("TLS 1.2, resumed by ticket", {}, ONLY12, resumes=True),
    Scene(
        "TLS 1.2, resumed by id",
        {"tickets_in_tls12": False},
        {**ONLY12, "session_cache": Keeping()},
        resumes=True,
    ),
    Scene("TLS 1.2, client certificate", {}, {**ONLY12, **REQUIRED}),
    Scene("TLS 1.2, stapled", STAPLING, {**ONLY12, **stapled()}),
)
