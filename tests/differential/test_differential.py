"""The same scenarios on libssl and on sansticket: the same outcomes, but for the house rules.

sansticket's server faces its own client and libssl's, and libssl's server faces both too.  ``deviations`` lists
where the two stacks are meant to differ; ``not_yet`` says what sansticket cannot do yet.
"""

import os
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Final

import pytest

from tests.differential.deviations import DEVIATIONS, clients_of, comparable, expected, libssl
from tests.differential.libssl import LibsslClients
from tests.differential.sansticket_side import OurClients, ours_can, run_sansticket
from tests.differential.scenario import Connection, Scenario
from tests.differential.scenarios import GROUPS


def not_yet(connection: Connection) -> str | None:
    """Why sansticket cannot run such a connection."""
    if connection.psk is not None:
        return "external PSKs"
    if connection.max_early_data:
        return "early data"
    if connection.post_handshake_required and None in connection.post_handshake:
        return "a required certificate after the handshake"
    return None


SCENARIOS: Final[Mapping[str, Scenario]] = {
    f"{group}: {name}": scenario
    for group, scenarios in GROUPS.items()
    for name, scenario in scenarios()
    if not any(not_yet(connection) for connection in scenario.connections)
}
QUICK: Final = bool(os.environ.get("SANSTICKET_QUICK"))
TRIED: Final = dict(list(SCENARIOS.items())[:: 4 if QUICK else 1])
"""All of them; on one more interpreter every fourth, as of hypothesis' examples (``tests/conftest.py``)."""
OF_OUR_CLIENT: Final = {name: scenario for name, scenario in TRIED.items() if ours_can(scenario)}


@pytest.mark.parametrize("scenario", TRIED.values(), ids=TRIED)
def test_the_same_outcome(scenario: Scenario) -> None:
    wanted = expected(scenario)
    for clients in {clients_of(scenario), OurClients} if ours_can(scenario) else {LibsslClients}:
        assert comparable(scenario, run_sansticket(scenario, clients)) == wanted


@pytest.mark.parametrize("scenario", OF_OUR_CLIENT.values(), ids=OF_OUR_CLIENT)
def test_our_client_is_served_like_libssls(scenario: Scenario) -> None:
    if clients_of(scenario) is not OurClients:
        assert libssl(scenario, OurClients) == libssl(scenario, LibsslClients)


def test_every_deviation_is_one() -> None:
    """Each makes a difference somewhere, or it need not be listed."""
    idle = list(DEVIATIONS)
    for scenario in mixed():
        plain = expected(scenario, ()) if idle else ()
        idle = [deviation for deviation in idle if expected(scenario, [deviation]) == plain]
        if not idle:
            break
    assert idle == []


def mixed() -> Iterator[Scenario]:
    """All scenarios, of each group in turn one that is unlike the last of it: those of a group differ little from their
    neighbours, and every one that is tried is a conversation of libssl."""
    groups: dict[str, list[Scenario]] = {}
    for name, scenario in SCENARIOS.items():
        groups.setdefault(name.partition(":")[0], []).append(scenario)
    strided = [[one for start in range(7) for one in group[start::7]] for group in groups.values()]
    for turn in zip_longest(*strided):
        yield from (scenario for scenario in turn if scenario is not None)


def test_mixed_scenarios_are_all_of_them() -> None:
    assert sorted(map(id, mixed())) == sorted(map(id, SCENARIOS.values()))
