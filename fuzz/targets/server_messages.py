"""A server whose peer sends any messages under the right keys, and that is told anything, ends in good order if at all.

Byte 0: in which state it is; the rest is a script, see ``fuzz.script``.
"""

from fuzz.script import perform
from fuzz.world import moments


def one_input(data: bytes) -> None:
    if data:
        states = moments("server")
        perform(states[data[0] % len(states)].fork(), data[1:])
