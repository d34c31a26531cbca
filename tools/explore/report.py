"""What walks have covered, in words and tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from attrs import define, field

from sansticket.debug.explain import Side
from sansticket.debug.model import Transition, machine
from sansticket.debug.states import SIDES, reachable
from sansticket.handshake.machine.transitions import name_of
from tools.explore.unreached import REASONS, reason
from tools.explore.walk import Walk

Arrow = tuple[Side, str, str, str]
"""The side, and from where on what to where."""

WIDE = ("", "TLS 1.2", "TLS 1.3")


def declared() -> dict[Arrow, Transition]:
    """All transitions of the model."""
    return {
        (side, one.start, one.trigger, one.end or "Ended"): one
        for side in SIDES
        for one in machine(side).transitions
    }


def title(arrow: Arrow) -> str:
    side, start, trigger, end = arrow
    return f"{side} {start}: {trigger} > {end}"


@define
class Report:
    """The sum of some walks."""

    walks: list[Walk] = field(factory=list)
    seconds: float = 0.0

    @property
    def nodes(self) -> int:
        return sum(walk.nodes for walk in self.walks)

    @property
    def moves(self) -> int:
        return sum(walk.moves for walk in self.walks)

    @property
    def problems(self) -> list[str]:
        """What is wrong, with the way to it."""
        return [
            f"{walk.scenario.name}: {problem}\n    " + "\n    ".join(steps)
            for walk in self.walks
            for problem, steps in walk.problems.items()
        ]

    def made(self) -> set[Arrow]:
        """Transitions that a walk has made."""
        sides = {state: side for side in SIDES for state in reachable(side)}
        return {
            (sides[start], name_of(start), kind.__name__, name_of(end))
            for walk in self.walks
            for start, kind, end in walk.transitions
        }

    def unexplained(self) -> list[str]:
        """Transitions that no walk makes, and nobody says why."""
        return sorted(
            title(arrow) for arrow in declared().keys() - self.made() if reason(title(arrow)) is None
        )

    def ends(self) -> Counter[tuple[str, str]]:
        return sum((walk.ends for walk in self.walks), Counter())

    def waits(self) -> set[tuple[str, str]]:
        return set().union(*(walk.waits for walk in self.walks))

    def pairs(self) -> set[tuple[str, str]]:
        return set().union(*(walk.pairs for walk in self.walks))


def coverage(report: Report) -> Iterator[tuple[str, str, int, int]]:
    """Rows of (side, version, how many of the declared transitions were made, how many there are)."""
    arrows, made = declared(), report.made()
    for side in SIDES:
        for version in WIDE:
            some = [arrow for arrow in arrows if arrow[0] == side and _version(arrow) == version]
            yield side, version or "before the version", sum(arrow in made for arrow in some), len(some)


def _version(arrow: Arrow) -> str:
    return {"tls12": "TLS 1.2", "tls13": "TLS 1.3"}.get(arrow[1].partition(".")[0], "")


def lines(report: Report) -> Iterator[str]:
    """For a terminal."""
    yield f"{len(report.walks)} walks, {report.nodes:,} nodes, {report.moves:,} moves, {report.seconds:.0f} s"
    yield f"{len(report.pairs())} pairs of states; {len(report.ends())} kinds of ends"
    for side, version, made, all_ in coverage(report):
        yield f"{side}, {version}: {made} of {all_} declared transitions"
    cut = [walk.scenario.name for walk in report.walks if not walk.complete]
    if cut:
        yield f"not walked to the end: {', '.join(cut)}"
    yield from (f"PROBLEM: {problem}" for problem in report.problems)


def tables(report: Report) -> Iterator[str]:
    """For ``docs/model.md``; no times, which are another in each run."""
    yield "| walk | attacks | nodes | moves | deepest | pairs of states |"
    yield "|---|---|---|---|---|---|"
    yield from _walks(report.walks)
    yield f"| all | | {report.nodes:,} | {report.moves:,} | | {len(report.pairs())} |"
    yield ""
    yield "| side | version | declared transitions | made |"
    yield "|---|---|---|---|"
    for side, version, made, all_ in coverage(report):
        yield f"| {side} | {version} | {all_} | {made} |"
    yield ""
    yield "Declared transitions that no walk makes:"
    yield ""
    yield "| how many | for example | why |"
    yield "|---|---|---|"
    missing = sorted(title(arrow) for arrow in declared().keys() - report.made())
    for _, why in REASONS:
        some = [one for one in missing if reason(one) == why]
        if some:
            yield f"| {len(some)} | `{some[0]}` | {why} |"
    yield ""
    yield "How connections ended, by the reason of the side that heard of it:"
    yield ""
    yield "| reason | alert |"
    yield "|---|---|"
    yield from (f"| `{why}` | {alert} |" for why, alert in sorted(report.ends()))
    yield ""
    yield "Where both sides wait until a stream ends, after a flight was lost or the like:"
    yield ""
    yield "| client | server |"
    yield "|---|---|"
    yield from (f"| `{client}` | `{server}` |" for client, server in sorted(report.waits()))


def _walks(walks: Sequence[Walk]) -> Iterator[str]:
    families: dict[tuple[str, int], list[Walk]] = {}
    for walk in walks:
        families.setdefault((walk.scenario.name.partition(", asking ")[0], walk.budget), []).append(walk)
    for (name, budget), some in families.items():
        asking = "" if len(some) == 1 else f", {len(some)} walks with questions"
        pairs = len(set().union(*(walk.pairs for walk in some)))
        nodes, moves = sum(walk.nodes for walk in some), sum(walk.moves for walk in some)
        yield f"| {name}{asking} | {budget} | {nodes:,} | {moves:,} | {max(walk.depth for walk in some)} | {pairs} |"
