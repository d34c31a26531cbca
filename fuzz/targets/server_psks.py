"""A server goes on with a session or an external PSK only if its binder is right and its mode is allowed.

Byte 0: what else is in the hello, byte 1: the modes, byte 2: how many identities, then three bytes for each (see
``fuzz.offers``); the rest is a script, see ``fuzz.script``.
"""

from fuzz.checks import Watched
from fuzz.offers import MODES, Offer, chosen_by, offer, plain, server, server_hello_in
from fuzz.script import steps
from sansticket.codes import PskKeyExchangeMode
from sansticket.wire.extensions.key_exchange import KeyShareAnswer
from sansticket.wire.extensions.resumption import PreSharedKeySelection


def one_input(data: bytes) -> None:
    if len(data) < 3:
        return
    stop = 3 + 3 * (data[2] % 13)
    made = offer(data[0], data[1], chosen_by(data[3:stop]))
    watched = Watched(server())
    watched.take(plain(made.raw))
    check_answer(made, data[1], watched.output)
    for operation, content in steps(data[stop:]):
        operation(watched, content)
    watched.answer()


def check_answer(made: Offer, modes: int, output: bytes) -> None:
    """What was selected was offered, known, proved, and in a mode that the client has."""
    hello = server_hello_in(output)
    selection = hello.find(PreSharedKeySelection) if hello is not None else None
    if hello is None or selection is None:
        return
    assert selection.index < len(made.keys)
    assert made.right[selection.index]
    assert made.keys[selection.index].identity != b"nobody"
    without = hello.find(KeyShareAnswer) is None
    named = MODES[modes % len(MODES)]
    assert named is not None
    assert (PskKeyExchangeMode.PSK_KE if without else PskKeyExchangeMode.PSK_DHE_KE) in named
    if without:
        assert made.keys[selection.index].session is None
