"""A client whose peer sends any messages under the right keys, and that is told anything, ends in good order if at all.

Byte 0: in which state it is; the rest is a script, see ``fuzz.script``.
"""

from fuzz.script import perform
from fuzz.world import connection_at


def one_input(data: bytes) -> None:
    if data:
        perform(connection_at("client", data[0]), data[1:])
