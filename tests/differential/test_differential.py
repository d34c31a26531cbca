"""The same scenarios on libssl and on sansticket: the same outcomes, but for the house rules.

sansticket's server faces its own client and libssl's.  ``deviations`` lists where the two stacks are meant to
differ; ``NOT_YET`` says what sansticket cannot do yet.
"""

from typing import Final

import pytest

from tests.differential.clients import ours_can
from tests.differential.deviations import DEVIATIONS, comparable, expected
from tests.differential.libssl import run_libssl
from tests.differential.sansticket_side import run_sansticket
from tests.differential.scenario import Connection, Scenario, Version
from tests.differential.scenarios import GROUPS


def not_yet(connection: Connection) -> str | None:
    """Why sansticket cannot run such a connection."""
    if connection.version is Version.TLS12:
        return "TLS 1.2"
    if connection.psk is not None:
        return "external PSKs"
    if connection.max_early_data:
        return "early data"
    if connection.post_handshake_required and None in connection.post_handshake:
        return "a required certificate after the handshake"
    return None


SCENARIOS: Final = [
    pytest.param(scenario, id=f"{group}: {name}")
    for group, scenarios in GROUPS.items()
    for name, scenario in scenarios()
    if not any(not_yet(connection) for connection in scenario.connections)
]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_same_outcome(scenario: Scenario) -> None:
    wanted = expected(scenario)
    assert comparable(scenario, run_sansticket(scenario, libssl_client=True)) == wanted
    if ours_can(scenario):
        assert comparable(scenario, run_sansticket(scenario)) == wanted


def test_every_deviation_is_one() -> None:
    """Each makes a difference somewhere, or it need not be listed."""
    idle = set(DEVIATIONS)
    for parameter in SCENARIOS:
        (scenario,) = parameter.values
        assert isinstance(scenario, Scenario)
        asked = {deviation for deviation in idle if deviation.asked(scenario) != scenario}
        outcomes = run_libssl(scenario)
        changed = {
            deviation
            for deviation in idle
            if any(deviation.changed(scenario, *place) != place[1] for place in enumerate(outcomes))
        }
        idle -= asked | changed
    assert idle == set()
