"""Where sansticket is meant to differ from libssl, by the number of the house rule; and nowhere else.

A deviation is written as a question to libssl wherever that is possible: *what would libssl do if ...*.  A session
id context that is derived from the policy, for example, is libssl with that context set.  What cannot be said
so changes the outcome.

The house rules:

    A.2   An identity that is expired, of another context or of another hash sends the search on to the next.
    A.3   A HelloRetryRequest asks no question twice.
    A.4   A binder that does not verify is decrypt_error, as in OpenSSL 3.5.
    A.5   An age equal to the lifetime is expired (as in 3.5); no renewal helps a week after the last
          full handshake.
    A.6   A ticket of another cipher hash: full handshake and n tickets, as in 3.5.
    A.7   A session is not resumed under another server name.
    A.8   A session without a client certificate is not resumed where one is required.
    A.9   A session id context that is not set is derived from the policy for client certificates.
    A.12  Tickets on request never leave because something was read.
    A.14  The hook for new sessions can refuse a session.
    A.15  A cache of size n holds n sessions; expiry at look-up removes.  A 1.3 connection that fails or is cut
          off takes all its sessions with it (RFC 9846 section 6.2), not only that of its last ticket.  Only a
          connection whose handshake was done removes a session: in 1.2 everybody can see an id, and a failed
          attempt to resume proves nothing.  And what was never in the cache is not removed from it.
    A.21  Without extended master secret there is no ticket and no session in TLS 1.2: it could never be resumed.
    A.18  A config that is chosen by name counts for everything, and before any session is looked at.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Final

from attrs import evolve, frozen

from tests.differential import capi
from tests.differential.libssl import LibsslClients, run_libssl
from tests.differential.runner import Clients
from tests.differential.sansticket_side import OurClients
from tests.differential.scenario import (
    LIFETIME,
    Connection,
    Ending,
    Offer,
    Outcome,
    Return,
    Scenario,
    Store,
    Tamper,
    Trigger,
    Verify,
    Version,
)

WEEK: Final = 604_800
OPENSSL_3_0: Final = capi.VERSION_NUMBERS < (3, 5)
NOT_USABLE: Final = b"as if of another context"
"""A context that no scenario has: it makes a session unusable, as any check does that fails."""

ChangeScenario = Callable[[Scenario], Scenario]
ChangeOutcome = Callable[[Scenario, int, Outcome], Outcome]


@frozen
class Deviation:
    """``asked`` is what libssl is asked instead; ``changed`` is what becomes of the outcome of a connection."""

    rule: str
    asked: ChangeScenario = lambda scenario: scenario
    changed: ChangeOutcome = lambda scenario, index, outcome: outcome


def each(change: Callable[[Scenario, int, Connection], Connection]) -> ChangeScenario:
    """Change every connection of a scenario."""

    def changed(scenario: Scenario) -> Scenario:
        connections = [change(scenario, *place) for place in enumerate(scenario.connections)]
        return evolve(scenario, connections=tuple(connections))

    return changed


def try_the_next_identity(scenario: Scenario, index: int, connection: Connection) -> Connection:
    """libssl stops at a ticket that was to be used but cannot be: let it ignore that one instead.

    With renewal where that was wanted, and where the handshake is full in the end.
    """
    if not connection.also:
        return connection
    answers = _answers(connection)
    usable = [_usable(scenario, connection, offer) for offer in connection.offers]
    winner = None
    for place, answer in enumerate(answers):
        if answer is Return.ABORT or (answer in _USES and usable[place]):
            winner = place
            break
    for place, answer in enumerate(answers[:winner]):
        if answer in _USES and connection.offers[place].tamper is None:
            renew = answer is Return.USE_RENEW or winner is None
            answers[place] = Return.IGNORE_RENEW if renew else Return.IGNORE
    return connection.but(decision=None, decisions_by_identity=tuple(answers))


_USES: Final = (Return.USE, Return.USE_RENEW)


def _answers(connection: Connection) -> list[Return]:
    """What is decided about each identity; the default where nobody is asked."""
    if connection.decisions_by_identity:
        return list(connection.decisions_by_identity)
    if connection.decision is not None:
        return [connection.decision] * len(connection.offers)
    return [Return.USE_RENEW if o.tamper is None else Return.IGNORE_RENEW for o in connection.offers]


def _usable(scenario: Scenario, connection: Connection, offer: Offer) -> bool:
    source = scenario.connections[offer.connection]
    same_hash = bool(_hashes(source.client_suites) & _hashes(connection.server_suites))
    same_context = source.sid_context == connection.sid_context
    return offer.tamper is None and offer.age < LIFETIME and same_hash and same_context


def _hashes(suites: Sequence[str]) -> set[str]:
    """SHA256 and SHA384 stand at the end of the suites' names; all of them without any."""
    return {name.rsplit("_")[-1] for name in suites} or {"SHA256", "SHA384"}


def tell_nobody(scenario: Scenario, index: int, outcome: Outcome) -> Outcome:
    """Where libssl was told what to do with each identity, but in the scenario nobody is asked."""
    connection = scenario.connections[index]
    if not connection.also or connection.decision is not None or connection.decisions_by_identity:
        return outcome
    return evolve(outcome, statuses=(), key_name_length=None)


def ask_once(scenario: Scenario, index: int, outcome: Outcome) -> Outcome:
    if not scenario.connections[index].hello_retry:
        return outcome
    return evolve(outcome, statuses=outcome.statuses[:1])


def decrypt_error(scenario: Scenario, index: int, outcome: Outcome) -> Outcome:
    offer = scenario.connections[index].offer
    if offer is None or not offer.wrong_secret or outcome.alert != "ILLEGAL_PARAMETER":
        return outcome
    return evolve(outcome, alert="DECRYPT_ERROR")


def expire_at_the_lifetime(scenario: Scenario, index: int, connection: Connection) -> Connection:
    offer = connection.offer
    if offer is None or offer.age != LIFETIME:
        return connection
    return connection.but(offer=evolve(offer, age=LIFETIME + 1))


def expire_after_a_week(scenario: Scenario) -> Scenario:
    """Add up the ages since the last full handshake; the resumption that is over a week late is full."""
    connections: list[Connection] = []
    ages: list[int] = []
    for connection in scenario.connections:
        offer, age = connection.offer, 0
        if offer is not None and connection.version is Version.TLS13:
            age = ages[offer.connection] + offer.age
            if age >= WEEK:
                age, connection = 0, connection.but(offer=evolve(offer, age=LIFETIME + 1))
        ages.append(age)
        connections.append(connection)
    return evolve(scenario, connections=tuple(connections))


def send_tickets_for_another_hash(scenario: Scenario, index: int, outcome: Outcome) -> Outcome:
    """In 3.0 a ticket that would have been used, had it had the right hash, suppresses all tickets."""
    connection, source = scenario.connections[index], scenario.source(index)
    if source is None or connection.also or connection.version is Version.TLS12 or outcome.resumed:
        return outcome
    same = (
        _hashes(source.client_suites) & _hashes(connection.client_suites) & _hashes(connection.server_suites)
    )
    if same or not outcome.completed or _answers(connection)[0] not in _USES:
        return outcome
    number = connection.num_tickets
    return evolve(outcome, tickets=number, prepared=number, sessions=number)


def refuse_other_names(scenario: Scenario, index: int, connection: Connection) -> Connection:
    source = scenario.source(index)
    if source is None or source.server_name == connection.server_name:
        return connection
    return connection.but(sid_context=NOT_USABLE)


def refuse_anonymous_sessions(scenario: Scenario, index: int, connection: Connection) -> Connection:
    source = scenario.source(index)
    if source is None or connection.verify is not Verify.REQUIRED:
        return connection
    showed_one = source.verify is not Verify.NONE and source.certificate is not None
    return connection if showed_one or source.post_handshake else connection.but(sid_context=NOT_USABLE)


def derive_contexts(scenario: Scenario, index: int, connection: Connection) -> Connection:
    if connection.sid_context is not None:
        return connection
    return connection.but(sid_context=b"certificates " + connection.verify.value.encode())


def wait_for_a_write(scenario: Scenario, index: int, connection: Connection) -> Connection:
    return connection.but(requests=0) if connection.trigger is Trigger.READ else connection


def obey_the_new_hook(scenario: Scenario) -> Scenario:
    if scenario.new_hook_answer:
        return scenario
    return evolve(scenario, store=Store.NO_INTERNAL_STORE)


def hold_as_many_as_the_size(scenario: Scenario) -> Scenario:
    """libssl holds one less; 0 is no limit."""
    return evolve(scenario, cache_size=scenario.cache_size + 1) if scenario.cache_size else scenario


def remove_what_has_expired(scenario: Scenario, index: int, outcome: Outcome) -> Outcome:
    """In 1.3 libssl leaves it in the cache."""
    connection = scenario.connections[index]
    offer, store = connection.offer, scenario.store
    if (
        offer is None
        or offer.age < LIFETIME
        or not connection.stateful
        or connection.version is Version.TLS12
    ):
        return outcome
    found = store is Store.SERVER or (scenario.external_store and store not in {Store.OFF, Store.CLIENT})
    return evolve(outcome, removals=outcome.removals + 1) if found else outcome


def forget_all_sessions(scenario: Scenario) -> Scenario:
    """libssl takes one session of a connection that was cut off out of its cache: ask it to close, and offer
    ids that it does not know instead of those that should be gone."""
    cut_off: set[int] = set()
    used: set[tuple[int, int]] = set()
    connections: list[Connection] = []
    for index, connection in enumerate(scenario.connections):
        offer = connection.offer
        source = range(index)[offer.connection] if offer is not None else None
        if offer is not None and (source in cut_off or (source, offer.ticket) in used):
            connection = connection.but(offer=evolve(offer, tamper=Tamper.LAST_BYTE))
        if _cut_off(connection):
            cut_off.add(index)
            if offer is not None and source is not None:
                used.add((source, offer.ticket))
            connection = connection.but(ending=Ending.CLOSE)
        connections.append(connection)
    return evolve(scenario, connections=tuple(connections))


def _cut_off(connection: Connection) -> bool:
    stateful_13 = connection.stateful and connection.version is Version.TLS13
    return stateful_13 and connection.ending is Ending.DROP


def remove_all_sessions(scenario: Scenario, index: int, outcome: Outcome) -> Outcome:
    """The sessions of its tickets and the one it resumed.

    When it is the generation callback that fails, libssl removes the session of the ticket that was not made.
    """
    connection = scenario.connections[index]
    failed = connection.generation_fails_at is not None and outcome.alert is not None
    if not (_cut_off(connection) or failed) or connection.version is Version.TLS12:
        return outcome
    return evolve(outcome, removals=outcome.sessions + (connection.offer is not None))


def remove_nothing_that_is_not_kept(scenario: Scenario, index: int, outcome: Outcome) -> Outcome:
    """In 1.2 libssl reports the removal of a session that was in a ticket, and never in the cache."""
    connection = scenario.connections[index]
    if connection.version is Version.TLS13 or connection.stateful or outcome.sessions:
        return outcome
    return evolve(outcome, removals=0)


def remove_nothing_before_the_handshake_is_done(scenario: Scenario, index: int, outcome: Outcome) -> Outcome:
    """In 1.2 libssl removes a session when a handshake fails that would make or resume it."""
    if scenario.connections[index].version is Version.TLS13 or outcome.completed:
        return outcome
    return evolve(outcome, removals=0)


def use_the_chosen_config(scenario: Scenario, index: int, connection: Connection) -> Connection:
    switch = connection.switch
    if switch is None:
        return connection
    return connection.but(switch=None, num_tickets=switch.num_tickets, sid_context=switch.sid_context)


def offer_nothing_unbound(scenario: Scenario, index: int, connection: Connection) -> Connection:
    """There is no session of a connection without extended master secret that could be offered."""
    earlier = scenario.connections[:index]
    bound = tuple(offer for offer in connection.offers if _is_bound(earlier[offer.connection]))
    return connection if bound == connection.offers else connection.but(offer=None, also=())


def issue_nothing_unbound(scenario: Scenario, index: int, outcome: Outcome) -> Outcome:
    if _is_bound(scenario.connections[index]) or not outcome.completed or outcome.resumed:
        return outcome
    return evolve(outcome, tickets=0, prepared=0, sessions=0)


def _is_bound(connection: Connection) -> bool:
    return connection.version is Version.TLS13 or connection.extended_master_secret


_ALWAYS: Final = (
    Deviation("A.21", asked=each(offer_nothing_unbound), changed=issue_nothing_unbound),
    Deviation("A.18", asked=each(use_the_chosen_config)),
    Deviation("A.2", asked=each(try_the_next_identity), changed=tell_nobody),
    Deviation("A.3", changed=ask_once),
    Deviation("A.5", asked=expire_after_a_week),
    Deviation("A.7", asked=each(refuse_other_names)),
    Deviation("A.9", asked=each(derive_contexts)),
    Deviation("A.8", asked=each(refuse_anonymous_sessions)),
    Deviation("A.12", asked=each(wait_for_a_write)),
    Deviation("A.14", asked=obey_the_new_hook),
    Deviation("A.15", asked=hold_as_many_as_the_size),
    Deviation("A.15", changed=remove_what_has_expired),
    Deviation("A.15", asked=forget_all_sessions),
    Deviation("A.15", changed=remove_all_sessions),
    Deviation("A.15", changed=remove_nothing_that_is_not_kept),
    Deviation("A.15", changed=remove_nothing_before_the_handshake_is_done),
)
_OF_3_0: Final = (
    Deviation("A.4", changed=decrypt_error),
    Deviation("A.5", asked=each(expire_at_the_lifetime)),
    Deviation("A.6", changed=send_tickets_for_another_hash),
)
DEVIATIONS: Final = (*_ALWAYS, *_OF_3_0) if OPENSSL_3_0 else _ALWAYS


libssl: Final = cache(run_libssl)
"""Every scenario needs to be asked only once."""


def clients_of(scenario: Scenario) -> Callable[[], Clients]:
    """libssl's, unless there is something that it cannot do."""
    return OurClients if any(connection.also for connection in scenario.connections) else LibsslClients


def expected(scenario: Scenario, deviations: Sequence[Deviation] = DEVIATIONS) -> tuple[Outcome, ...]:
    """What sansticket does if it does what libssl does, but for the house rules."""
    asked = scenario
    for deviation in deviations:
        asked = deviation.asked(asked)
    outcomes = libssl(asked, clients_of(scenario))
    for deviation in deviations:
        outcomes = tuple(deviation.changed(scenario, *place) for place in enumerate(outcomes))
    return comparable(scenario, outcomes)


def comparable(scenario: Scenario, outcomes: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
    """Without the hooks of a cache where no cache is used.

    sansticket keeps the sessions of stateless 1.3 tickets nowhere (each is reported by ``TicketIssued``); libssl
    puts them into its cache too, where nothing ever looks them up.
    """
    stateless = [not c.stateful and c.version is Version.TLS13 for c in scenario.connections]
    return tuple(
        evolve(outcome, sessions=0, removals=0) if without else outcome
        for outcome, without in zip(outcomes, stateless, strict=True)
    )
