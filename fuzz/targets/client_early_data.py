"""A client takes its early data for accepted only with the first identity, its suite, and a server that says so.

Byte 0: what is sent early, byte 1: the identity that is selected, byte 2: the suite, byte 3: the share, byte 4:
EncryptedExtensions, with bit 7 the right Finished too; the rest is a script, see ``fuzz.script``.
"""

from fuzz.checks import Watched
from fuzz.offers import SELECTED, answer, encrypted_extensions, finished_for, plain, sessions, under_its_keys
from fuzz.script import steps
from fuzz.world import client_config, new_client
from sansticket.commands import SendEarlyData
from sansticket.tickets.early_data import EarlyDataStatus
from sansticket.wire.messages.hello import ClientHello


def one_input(data: bytes) -> None:
    if len(data) < 5:
        return
    shown = sessions()[: 1 + (data[0] & 1)]
    watched = Watched(new_client(client_config(early_data=True), shown))
    output = watched.connection.data_to_send()
    hello = ClientHello.decode(output[9 : 9 + int.from_bytes(output[6:9])])
    watched.command(SendEarlyData(bytes(data[0])))
    watched.take(plain(answer(hello, data[1], data[2], data[3])))
    if not watched.over:
        watched.command(SendEarlyData(bytes(data[0] >> 1)))
        watched.take(under_its_keys(watched.connection, encrypted_extensions(data[4])))
    if not watched.over and data[4] & 0x80:
        watched.take(under_its_keys(watched.connection, finished_for(watched.connection)))
    if watched.connection.early_data is EarlyDataStatus.ACCEPTED:
        assert SELECTED[data[1] % len(SELECTED)] == 0
        assert data[4] & 1
        assert watched.connection.cipher_suite in (None, shown[0].cipher_suite)
    for operation, content in steps(data[5:]):
        operation(watched, content)
    watched.answer()
