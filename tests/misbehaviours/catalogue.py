"""All misbehaviours there are, and samples of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from random import Random

from tests.misbehaviours import extensions, fields, order, records, syntax
from tests.misbehaviours.ends import Misbehaviour
from tests.misbehaviours.playing import Site
from tests.misbehaviours.scenes import SCENES


@cache
def sites() -> tuple[Site, ...]:
    """Every message of every scene."""
    return tuple(site for scene in SCENES for site in scene.sites)


def _all() -> Iterator[Misbehaviour]:
    samples: dict[str, bytes] = {}
    for site in sites():
        samples.setdefault(site.name, site.raw)
    for site in sites():
        yield from order.misbehaviours(site, samples)
        yield from records.misbehaviours(site)
        yield from syntax.misbehaviours(site)
        yield from extensions.misbehaviours(site)
        yield from fields.misbehaviours(site)


@cache
def catalogue() -> tuple[Misbehaviour, ...]:
    """Each once: no two say the same in the same place of the same scene."""
    found: dict[object, Misbehaviour] = {}
    for one in _all():
        found.setdefault((one.site.scene.name, one.site.number, one.said), one)
    return tuple(found.values())


def sample(seed: int, count: int) -> tuple[Misbehaviour, ...]:
    """So many, no two alike, of each kind in proportion; all of them if there are no more."""
    everything = catalogue()
    return everything if count >= len(everything) else tuple(Random(seed).sample(everything, count))


def wrong(misbehaviours: Iterable[Misbehaviour]) -> list[str]:
    """Those that end otherwise than they must, each in words."""
    return [verdict for one in misbehaviours if (verdict := one.verdict())]


def counts(misbehaviours: Sequence[Misbehaviour]) -> Counter[str]:
    return Counter(one.kind for one in misbehaviours)
