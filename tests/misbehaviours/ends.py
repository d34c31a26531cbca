"""How a misbehaviour must end for the one it is done to; and what a misbehaviour is."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from sansticket.codes import AlertDescription as Alert
from sansticket.errors import Reason
from tests.misbehaviours.playing import Play, Said, Site, replay


@frozen
class End:
    """``alert``: what the RFC wants the victim to say, None if it ends nothing; ``reasons``: the names of that here.

    Several where one deed breaks several rules, since no RFC says which of them is looked at first.
    """

    said: str
    alert: Alert | None = None
    reasons: frozenset[Reason] = frozenset()
    others: tuple[End, ...] = ()

    def __or__(self, other: End) -> End:
        return End(self.said, self.alert, self.reasons, (*self.others, other))

    @property
    def each(self) -> tuple[End, ...]:
        """Itself, and the others that would do as well."""
        return (self, *self.others)

    def __str__(self) -> str:
        return " or ".join(dict.fromkeys(end.said for end in self.each))


def refused(alert: Alert, *reasons: Reason) -> End:
    return End(alert.name.lower(), alert, frozenset(reasons))


GOES_ON: Final = End("goes on")
"""It must be tolerated: the handshake is done, and data comes through, if the other side lets it come so far."""

FULL: Final = End("full handshake")
"""It goes on, and nothing is resumed."""

WAITS: Final = End("waits")
"""Something else must still come: no end, and no completed handshake."""

DECODE: Final = refused(Alert.DECODE_ERROR, Reason.MALFORMED_MESSAGE)
UNEXPECTED: Final = refused(
    Alert.UNEXPECTED_MESSAGE, Reason.UNEXPECTED_MESSAGE, Reason.MESSAGE_ACROSS_KEY_CHANGE
)
UNEXPECTED_CCS: Final = refused(Alert.UNEXPECTED_MESSAGE, Reason.UNEXPECTED_CHANGE_CIPHER_SPEC)
EMPTY: Final = refused(Alert.UNEXPECTED_MESSAGE, Reason.EMPTY_RECORD)
UNKNOWN_TYPE: Final = refused(Alert.UNEXPECTED_MESSAGE, Reason.UNKNOWN_CONTENT_TYPE)
NO_TYPE: Final = refused(Alert.UNEXPECTED_MESSAGE, Reason.NO_CONTENT_TYPE)
ILLEGAL: Final = refused(Alert.ILLEGAL_PARAMETER, Reason.ILLEGAL_VALUE)
DUPLICATE: Final = refused(Alert.ILLEGAL_PARAMETER, Reason.DUPLICATE_EXTENSION)
FORBIDDEN: Final = refused(Alert.ILLEGAL_PARAMETER, Reason.FORBIDDEN_EXTENSION)
UNSOLICITED: Final = refused(Alert.UNSUPPORTED_EXTENSION, Reason.UNSOLICITED_EXTENSION)
MISSING: Final = refused(Alert.MISSING_EXTENSION, Reason.MISSING_EXTENSION)
VERSION: Final = refused(Alert.PROTOCOL_VERSION, Reason.UNSUPPORTED_VERSION)
BAD_MAC: Final = refused(Alert.BAD_RECORD_MAC, Reason.BAD_RECORD_MAC)
OVERFLOW: Final = refused(Alert.RECORD_OVERFLOW, Reason.RECORD_OVERFLOW)
BY_PEER: Final = End("ended by the alert")
"""What was sent is an alert that ends the connection."""


def failure(*reasons: Reason) -> End:
    return refused(Alert.HANDSHAKE_FAILURE, *reasons)


def illegal(*reasons: Reason) -> End:
    return refused(Alert.ILLEGAL_PARAMETER, *reasons)


def bad_proof(*reasons: Reason) -> End:
    return refused(Alert.DECRYPT_ERROR, *reasons)


@frozen
class Misbehaviour:
    """Something else is ``said`` at a site.  ``kind`` is what the page counts, ``what`` the one thing that is wrong."""

    site: Site
    kind: str
    what: str
    said: Said
    end: End

    def __str__(self) -> str:
        site = self.site
        return f"{site.scene.name}: {site.sender}'s {site.name} ({site.number}): {self.what} ({self.kind})"

    def verdict(self) -> str:
        """Nothing, or what happened instead of the expected end."""
        play = replay(self.site, self.said)
        problems = [problem(play, self.site, end) for end in self.end.each]
        return "" if "" in problems else f"{self}: expected {self.end}; {problems[0]}"


def problem(play: Play, site: Site, end: End) -> str:
    """What is otherwise than it must be, or nothing."""
    victim = site.victim
    ended = play.end_of(victim)
    if end.alert is not None:
        if ended is None:
            return f"it goes on, {play.side(victim).state}"
        if ended.by_peer or ended.reason not in end.reasons or ended.alert != end.alert:
            return f"ended with {ended.alert!r}, {ended.reason!r}: {ended.detail}"
        return ""
    if end is BY_PEER:
        return "" if ended is not None and ended.by_peer else f"no end by an alert, {ended}"
    return _goes_on(play, site, end)


def _goes_on(play: Play, site: Site, end: End) -> str:
    victim, sender = site.victim, site.sender
    ended, own = play.end_of(victim), play.end_of(sender)
    if ended is not None and not ended.by_peer:
        return f"ended with {ended.alert!r}, {ended.reason!r}: {ended.detail}"
    if own is not None and not own.by_peer:
        return ""  # it has taken offence at the answer; what was asked here is only whether there is one
    if ended is not None:
        return "ended by an alert that was sent"
    if end is WAITS:
        return "it has completed" if play.completed(victim) else ""
    if not (site.connected or play.completed(victim)):
        return f"not completed, {play.side(victim).state}"
    if end is FULL and play.side(victim).resumed:
        return "resumed"
    talk = play.talk[max(site.step.position - 1, 0) :]
    word = site.scene.last_word(sender)
    speaks = any(side == sender and getattr(command, "data", b"") == word for side, command in talk)
    return "" if not speaks or play.heard(victim, word) else "its data does not come through"
