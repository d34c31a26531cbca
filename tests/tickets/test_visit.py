"""What one connection does with a client's store."""

from attrs import evolve

from sansticket.tickets.stores.client import ClientSessionStore, StoreKey
from sansticket.tickets.stores.visit import StoreVisit
from tests.support.sessions import NOW, numbered

KEY = StoreKey("example.com")


def test_a_visit_without_a_session() -> None:
    store = ClientSessionStore()
    visit = StoreVisit(store, KEY)
    assert "example.com" in repr(visit)
    assert visit.take(NOW) is None
    visit.resumed(False)
    visit.ended(NOW, silent=True, failed=True)
    assert len(store) == 0


def test_a_visit_remembers_no_more_than_is_kept() -> None:
    store = ClientSessionStore(per_server=2)
    visit = StoreVisit(store, KEY)
    sessions = [numbered(number) for number in range(5)]
    for session in sessions:
        visit.brought(session, NOW)
    visit.brought(evolve(sessions[0], lifetime=0), NOW)  # no store keeps it
    assert visit.lasting == tuple(sessions[-2:])
    assert store.room(KEY, NOW) == 0
    assert store.drop(KEY, sessions[-1])
    assert not store.drop(KEY, sessions[-1])
    assert store.room(KEY, NOW) == 1
    visit.ended(NOW, silent=False, failed=True)
    assert len(store) == 0
