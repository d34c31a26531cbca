"""One thing wrong in a handshake: it ends as the RFCs say, whoever does it, wherever."""

from __future__ import annotations

import os
from collections import Counter

import pytest
from attrs import evolve

from sansticket.errors import ALERTS, ALERTS_OF_TLS_1_2
from sansticket.library import SSL_SESSIONS
from tests.misbehaviours import page
from tests.misbehaviours.catalogue import catalogue, sample, sites, wrong
from tests.misbehaviours.ends import BY_PEER, DECODE, GOES_ON, MISSING, UNEXPECTED, WAITS
from tests.misbehaviours.forms import FORMS
from tests.misbehaviours.grammar import has_form, parse
from tests.misbehaviours.playing import Said, replay
from tests.misbehaviours.scenes import SCENES
from tests.support.newer import needs

pytestmark = needs(SSL_SESSIONS)

QUICK = bool(os.environ.get("SANSTICKET_QUICK"))
COUNT = 500 if QUICK else len(catalogue())


@pytest.mark.parametrize("part", range(2))
def test_they_end_as_they_must(part: int) -> None:
    chosen = sample(20_300_101, COUNT)
    assert wrong(chosen[part::2]) == []


def test_each_kind_ends_as_it_must() -> None:
    """One of each kind, for each name of a message."""
    one_of_each = {(one.kind, one.site.name): one for one in reversed(catalogue())}
    chosen = list(one_of_each.values())
    assert wrong(chosen[:: 2 if QUICK else 1]) == []


def test_another_end_is_noticed() -> None:
    """What ends with one alert does not with another, nor does it go on, nor end by an alert of the peer's."""
    ends = (DECODE, UNEXPECTED, MISSING, GOES_ON, WAITS, BY_PEER)
    for one in sample(3, 40):
        right = {each.said for each in one.end.each}
        others = [end for end in ends if end.said not in right]
        if one.end not in (GOES_ON, WAITS):  # those two differ only where something is still to come
            assert all(evolve(one, end=end).verdict() for end in others), str(one)


def test_there_are_thousands_and_no_two_alike() -> None:
    everything = catalogue()
    assert len(everything) >= 5000
    assert len({(one.site.scene.name, one.site.number, one.said) for one in everything}) == len(everything)
    assert len({(one.site.sender, one.site.name, one.said) for one in everything}) >= 5000
    assert len({(one.site.sender, one.site.name, one.kind, one.what) for one in everything}) >= 5000


def test_every_message_of_every_handshake_is_changed() -> None:
    changed = Counter((one.site.scene.name, one.site.number) for one in catalogue())
    assert {(site.scene.name, site.number) for site in sites()} == set(changed)
    assert min(changed.values()) >= 30
    assert {site.name for site in sites()} == set(FORMS)


def test_alerts_are_those_of_the_reasons() -> None:
    """An end names an alert of the RFC and reasons of ours; the table of the package must agree."""
    for one in catalogue():
        table = {**ALERTS, **(ALERTS_OF_TLS_1_2 if one.site.tls12 else {})}
        for end in one.end.each:
            assert {table[reason] for reason in end.reasons} <= {end.alert}, str(one)


def test_honest_messages_go_through_the_same_machinery() -> None:
    """So that what ends a handshake is the change, and not the way in which it is made."""
    for site in sites():
        play = replay(site, Said((site.raw,), site.raw))
        assert play.end_of("client") is None, site.name
        assert play.end_of("server") is None, site.name


def test_what_was_tried_before_changes_nothing() -> None:
    """A connection that fails takes its session out of the cache, which the handshakes of a scene share."""
    resumed = [site for site in sites() if site.scene.name == "TLS 1.2, resumed by id"]
    for one in catalogue():
        if (
            one.site in resumed and one.site.name == "tls12.Finished"
        ):  # behind which there is a session to lose
            replay(one.site, one.said)
    for site in resumed:
        assert replay(site, Said((site.raw,), site.raw)).end_of("client") is None, site.name


def test_forms_are_those_of_honest_messages() -> None:
    for site in sites():
        form = FORMS[site.name]
        assert parse(form, site.raw[4:]).write() == site.raw[4:]
        assert not has_form(form, site.raw[4:] + b"\0") or site.name == "Finished"


def test_samples_are_the_same_for_a_seed() -> None:
    assert [str(one) for one in sample(7, 50)] == [str(one) for one in sample(7, 50)]
    assert [str(one) for one in sample(7, 50)] != [str(one) for one in sample(8, 50)]


def test_page_has_the_numbers_of_now() -> None:
    assert page.is_current(), "python -m tests.misbehaviours --write"
    assert set(page.KINDS) == {one.kind for one in catalogue()}
    assert len({scene.name for scene in SCENES}) == len(SCENES)
