"""Words that others chose, in texts for people: always printable, never long.

What a peer sends ends up in reasons, records, exceptions and what the command line prints, and from there in logs and
on terminals.  ``quoted`` is for one piece of it; ``printable`` holds a whole text to its bound, whoever made it.
"""

from reprlib import Repr
from typing import Final

MAX_PIECE: Final = 200
"""Characters of one quoted piece."""

MAX_TEXT: Final = 1_000
"""Characters of a text: the detail of a check or of a reason, the message of an exception."""

CUT: Final = "..."
"""Stands at the end of what was longer."""


class _Short(Repr):
    """Of an integer that has more digits than Python writes it says so (``sys.set_int_max_str_digits``)."""

    def repr_int(self, x: int, level: int) -> str:
        try:
            return super().repr_int(x, level)
        except ValueError:
            return "<an integer of thousands of digits>"


short: Final = _Short().repr
"""``repr`` of what the application gave, with the middle left out where it is long."""


def quoted(piece: object) -> str:
    """``repr`` of what came from somebody else, cut to ``MAX_PIECE`` characters."""
    if isinstance(piece, str | bytes | bytearray | tuple):
        piece = piece[:MAX_PIECE]  # no more is shown, and the rest may be long
    try:
        text = repr(piece)
    except ValueError:  # an integer of thousands of digits is in it
        text = short(piece)
    return printable(text, MAX_PIECE)


def plain(piece: object) -> str:
    """``str`` of what came from somebody else, for a place where quotes would be in the way; as short as ``quoted``."""
    return printable(str(piece), MAX_PIECE)


def printable(text: str, most: int = MAX_TEXT) -> str:
    """``text`` in at most ``most`` characters, with escapes in the place of control and format characters."""
    if len(text) <= most and text.isprintable():
        return text
    shown = "".join([one if one.isprintable() else _escaped(one) for one in text[: most + 1]])
    return shown if len(shown) <= most else shown[: most - len(CUT)] + CUT


def listed(numbers: tuple[int, ...]) -> str:
    """The numbers of a registry that somebody else named, as ``0x1301, 0x1302``."""
    return printable(", ".join([f"{number:#06x}" for number in numbers[:MAX_PIECE]]), MAX_PIECE)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
