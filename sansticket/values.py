"""``value``: the decorator of the states and of what they are made of, whose instances never change.

To mypy it is ``attrs.frozen``: wherever a field of a value is assigned, that is an error.  To the interpreter it
is ``attrs.define``, because enforcing the same once more costs 0.05 us for each field of each value that is
made, a tenth of a handshake.  What applications hold in their hands (configs, commands, events, sessions, messages)
and the steps of the key schedules are frozen at run time as well.
"""

from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attrs import frozen as value
else:
    from attrs import define

    value = partial(define, unsafe_hash=True)

__all__ = ["value"]
