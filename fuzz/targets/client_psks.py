"""A client that offers sessions and PSKs goes on only with what it offered, and is done only after the right Finished.

Byte 0: what it offers, byte 1: the identity that is selected, byte 2: the suite, byte 3: the share, byte 4:
EncryptedExtensions, with bit 7 the right Finished too; the rest is a script, see ``fuzz.script``.
"""

from fuzz.checks import Watched
from fuzz.offers import answer, encrypted_extensions, finished_for, plain, sessions, under_its_keys
from fuzz.script import steps
from fuzz.world import client_config, new_client, psks
from sansticket.events import HandshakeCompleted
from sansticket.psk import PskRole
from sansticket.wire.extensions.resumption import PreSharedKeyOffer
from sansticket.wire.messages.hello import ClientHello


def one_input(data: bytes) -> None:
    if len(data) < 5:
        return
    changes = psks(PskRole.CLIENT) if data[0] & 1 else {}
    shown = sessions()[: data[0] >> 1 & 3]
    watched = Watched(new_client(client_config(**changes), shown))
    hello = ClientHello.decode(watched.connection.data_to_send()[9:])
    watched.take(plain(answer(hello, data[1], data[2], data[3])))
    for raw in (encrypted_extensions(data[4]), None):
        if not watched.over and (raw is not None or data[4] & 0x80):
            raw = finished_for(watched.connection) if raw is None else raw
            watched.take(under_its_keys(watched.connection, raw))
    completed = any(isinstance(event, HandshakeCompleted) for event in watched.events)
    if completed:
        offered = hello.find(PreSharedKeyOffer)
        assert offered is not None
        names = [one.identity for one in offered.identities]
        connection = watched.connection
        assert data[4] & 0x80
        assert connection.resumed or connection.psk_identity in names
        assert not connection.peer_certificates or connection.resumed
    for operation, content in steps(data[5:]):
        operation(watched, content)
    watched.answer()
