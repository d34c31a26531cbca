"""A simulator of fleets: servers, clients and attackers on the real state machines, in a time that is only a number.

    from sansticket.fleet import SCENARIOS

    print(SCENARIOS["rolling-restart"].run(clients=10, seed=7).text())

or with parts of it, for a question of your own:

    world = World(seed=7)
    fleet = Fleet(world, Plan(keys=WindowedKeys(period=600), servers=4, skew=30))
    fleet.populate(20, 900)
    world.run(4 * 3600)
    resumption([Case("mine", fleet)])

Every connection is a ``ClientConnection`` and a ``ServerConnection`` that are joined in memory, with the clocks and the
entropy of their world: the same seed gives the same.  ``docs/simulator.md`` has what came of it.
"""

from sansticket.field_docs import show_field_docs
from sansticket.fleet.attackers import Replayer, Thief
from sansticket.fleet.figures import Case, early_data, handshakes, memory, resumption
from sansticket.fleet.fleets import Client, Fleet
from sansticket.fleet.plan import OwnKeys, Plan, Recorders, StoredSessions, WindowedKeys
from sansticket.fleet.plots import PlotError, svg
from sansticket.fleet.report import Column, Curve, Picture, Report, Size, Table
from sansticket.fleet.scenarios import SCENARIOS, Scenario, Setting
from sansticket.fleet.servers import Server
from sansticket.fleet.store import Condition, Store, StoreError, StoreTimeout
from sansticket.fleet.visits import Kind, Visit
from sansticket.fleet.world import Chance, World

__all__ = [
    "SCENARIOS",
    "Case",
    "Chance",
    "Client",
    "Column",
    "Condition",
    "Curve",
    "Fleet",
    "Kind",
    "OwnKeys",
    "Picture",
    "Plan",
    "PlotError",
    "Recorders",
    "Replayer",
    "Report",
    "Scenario",
    "Server",
    "Setting",
    "Size",
    "Store",
    "StoreError",
    "StoreTimeout",
    "StoredSessions",
    "Table",
    "Thief",
    "Visit",
    "WindowedKeys",
    "World",
    "early_data",
    "handshakes",
    "memory",
    "resumption",
    "svg",
]

show_field_docs([globals()[name] for name in __all__])
