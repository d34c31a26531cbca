"""The whole product of scenarios that both stacks run, in groups; every scenario has a name.

Each group is a section of the measured semantics: what a ticket's condition and the application's decision
lead to, how many tickets there are and when, tickets on request, post-handshake authentication, the session
id context, a generation callback that fails, session caches, single use, several identities.
"""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, Final

from attrs import evolve, frozen

from tests.differential.identities import OTHER, SERVER
from tests.differential.scenario import (
    APP_DATA,
    LIFETIME,
    Connection,
    Ending,
    KeyAnswer,
    Moment,
    Offer,
    Psk,
    Return,
    Scenario,
    Store,
    Switch,
    Tamper,
    Trigger,
    Verify,
    Version,
    resumption,
    story,
)

TLS12, TLS13 = Version.TLS12, Version.TLS13
BOTH: Final = frozenset({TLS12, TLS13})
DECISIONS: Final = (None, *Return)

AES_128_12: Final = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
AES_256_12: Final = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
AES_128: Final = "TLS_AES_128_GCM_SHA256"
AES_256: Final = "TLS_AES_256_GCM_SHA384"
CHACHA20: Final = "TLS_CHACHA20_POLY1305_SHA256"

Named = Iterator[tuple[str, Scenario]]


@frozen
class Condition:
    """What is special about the first connection, and about the second, which offers its ticket."""

    first: Mapping[str, Any] = {}
    second: Mapping[str, Any] = {}

    def scenario(self, version: Version, **second: Any) -> Scenario:
        first = Connection(version=version, app_data=APP_DATA).but(**self.first)
        return resumption(first, **{"version": version, "app_data": None, **self.second, **second})


def _second(**settings: Any) -> Condition:
    return Condition({}, settings)


def _names(first: str | None, second: str | None, acknowledged: bool = False) -> Condition:
    return Condition(
        {"server_name": first, "acknowledge_name": acknowledged},
        {"server_name": second, "acknowledge_name": acknowledged},
    )


def _protocols(first: tuple[str, ...], second: tuple[str, ...]) -> Condition:
    served = ("h2", "http/1.1")
    return Condition(
        {"client_protocols": first, "server_protocols": served},
        {"client_protocols": second, "server_protocols": served},
    )


def _suites(client: tuple[str, ...], server: tuple[str, ...], first: str) -> Condition:
    """The session has the suite ``first``; then the two have these."""
    return Condition({"client_suites": (first,)}, {"client_suites": client, "server_suites": server})


_COMMON: Final[Mapping[str, Condition]] = {
    "fresh": Condition(),
    "key callback: current key": _second(key_answer=KeyAnswer.CURRENT_KEY),
    "key callback: older key": _second(key_answer=KeyAnswer.OLDER_KEY),
    "key callback: unknown key": _second(key_answer=KeyAnswer.UNKNOWN_KEY),
    "key callback: error": _second(key_answer=KeyAnswer.ERROR),
    **{tamper.value: _second(offer=Offer(tamper=tamper)) for tamper in Tamper},
    "expired": _second(offer=Offer(age=LIFETIME + 1)),
    "as old as its lifetime": _second(offer=Offer(age=LIFETIME)),
    "not yet expired": _second(offer=Offer(age=LIFETIME - 10)),
    "from the future": _second(offer=Offer(age=-1000)),
    "other context": _second(sid_context=b"other"),
    "context not set any more": _second(sid_context=None),
    "other name": _names(SERVER, OTHER),
    "name, then none": _names(SERVER, None),
    "no name, then one": _names(None, SERVER),
    "same name": _names(SERVER, SERVER),
    "same name, acknowledged": _names(SERVER, SERVER, acknowledged=True),
    "other name, acknowledged": _names(SERVER, OTHER, acknowledged=True),
    "other protocol": _protocols(("h2",), ("http/1.1",)),
    "protocol, then none": _protocols(("h2",), ()),
    "same protocol": _protocols(("h2",), ("h2",)),
    "extended master secret dropped": _second(extended_master_secret=False),
    "extended master secret added": Condition(
        {"extended_master_secret": False}, {"extended_master_secret": True}
    ),
    "server stateful now": _second(stateful=True),
    "server stateful before": Condition({"stateful": True}, {"stateful": False}),
    "nothing offered": _second(offer=None),
}

CONDITIONS: Final[Mapping[Version, Mapping[str, Condition]]] = {
    TLS12: {
        **_COMMON,
        "no ticket extension": _second(client_tickets=False),
        "a 1.3 ticket": Condition({"version": TLS13}, {"client_versions": BOTH}),
        "suite not on the server now": _suites((AES_128_12, AES_256_12), (AES_256_12,), first=AES_128_12),
        "suite not offered now": _suites((AES_256_12,), (AES_128_12, AES_256_12), first=AES_128_12),
    },
    TLS13: {
        **_COMMON,
        "a 1.2 ticket": Condition({"version": TLS12}, {"client_versions": BOTH}),
        "other suite, same hash": _suites((CHACHA20,), (), first=AES_128),
        "other hash, by the client": _suites((AES_128,), (), first=AES_256),
        "other hash, by the server": _suites((AES_256, AES_128), (AES_128,), first=AES_256),
    },
}


def _kind(stateful: bool) -> str:
    return "stateful" if stateful else "stateless"


def _answer(decision: Return | None) -> str:
    return decision.name if decision else "no callback"


def decisions() -> Named:
    """Every condition of a ticket x every answer of the decision callback."""
    for version in Version:
        for (name, condition), decision in product(CONDITIONS[version].items(), DECISIONS):
            yield (
                f"{version.value}, {name}, {_answer(decision)}",
                condition.scenario(version, decision=decision),
            )


def counts() -> Named:
    """num_tickets x full or resumed x stateless or stateful, and set at every moment."""
    for version, stateful, number in product(Version, (False, True), (0, 1, 2, 3, 5, 10)):
        plain = Connection(version=version, stateful=stateful)
        kind = f"{version.value}, {_kind(stateful)}"
        yield f"{kind}, {number} tickets, full", story(plain.but(num_tickets=number))
        yield f"{kind}, {number} tickets, resumed", resumption(plain, num_tickets=number)
    for moment, number in product(Moment, (0, 1, 4)):
        later = (moment, number)
        yield f"{number} tickets {moment.value}, full", story(Connection(num_tickets_later=later))
        yield f"{number} tickets {moment.value}, resumed", resumption(num_tickets_later=later)


def requests() -> Named:
    """Tickets on request x num_tickets x full or resumed x what follows the requests."""
    for version, requested, number, trigger in product(Version, (1, 2, 3, 5), (0, 1, 2), Trigger):
        asked: dict[str, Any] = {"requests": requested, "num_tickets": number, "trigger": trigger}
        name = f"{version.value}, {requested} requests after {number} tickets, {trigger.value}"
        yield f"{name}, full", story(Connection(version=version, **asked))
        yield f"{name}, resumed", resumption(Connection(version=version), **asked)
    for stateful, ticket in product((False, True), range(5)):
        first = Connection(requests=3, stateful=stateful)
        kind = _kind(stateful)
        scenario = resumption(first, offer=Offer(ticket=ticket), requests=0)
        yield f"{kind}, ticket {ticket} of 2 + 3", scenario


def post_handshake() -> Named:
    """Post-handshake authentication: how many tickets follow, and whose they are."""
    for stateful, number, before in product((False, True), (0, 1, 2, 3, 5), (None, 0, 1, 4)):
        asked: dict[str, Any] = {
            "num_tickets": number,
            "num_tickets_before_post_handshake": before,
            "post_handshake": ("client-one",),
        }
        plain = Connection(stateful=stateful)
        kind = f"{_kind(stateful)}, {number} tickets, {before} before"
        yield f"{kind}, full", story(plain.but(**asked))
        yield f"{kind}, resumed", resumption(plain, **asked)
    for names, required in product(((None,), ("client-one",), ("client-one", "client-two")), (False, True)):
        must = "required" if required else "optional"
        asked = {"post_handshake": names, "post_handshake_required": required}
        yield f"{names} in turn, {must}", story(Connection(**asked))
    for ticket in range(6):
        twice = Connection(post_handshake=("client-one", "client-two"))
        scenario = resumption(twice, offer=Offer(ticket=ticket), post_handshake=())
        yield f"ticket {ticket} of 2 + 2 + 2", scenario
    yield "after requests", story(Connection(requests=2, post_handshake=("client-one",)))


_CONTEXTS: Final = {
    "same": (b"A", b"A"),
    "same, of 32 bytes": (b"A" * 32, b"A" * 32),
    "other": (b"A", b"B"),
    "longer": (b"A", b"AA"),
    "unset now": (b"A", None),
    "set now": (None, b"A"),
    "never set": (None, None),
}


def contexts() -> Named:
    """The session id context, then and now x client verification x certificate x stateless or stateful."""
    policies = [(verify, verify) for verify in Verify]
    policies += [(Verify.NONE, Verify.OPTIONAL), (Verify.NONE, Verify.REQUIRED)]
    kinds = product(Version, (False, True), _CONTEXTS.items(), policies, (None, "client-one"))
    for version, stateful, (name, (before, now)), (verify, verify_now), certificate in kinds:
        first = Connection(
            version=version, stateful=stateful, sid_context=before, verify=verify, certificate=certificate
        )
        kind = f"{version.value}, {_kind(stateful)}, {name}, {certificate}"
        policy = f"{verify.value} then {verify_now.value}"
        yield f"{kind}, {policy}", resumption(first, sid_context=now, verify=verify_now)
    for version, (name, (before, now)) in product(Version, _CONTEXTS.items()):
        if before and now:
            first = Connection(version=version, own_sid_context=before)
            yield f"{version.value}, {name}, on the connection", resumption(first, own_sid_context=now)


def generation() -> Named:
    """The generation callback fails, at each ticket, on full and resumed connections."""
    for version, stateful, at in product(Version, (False, True), (1, 2, 3)):
        plain = Connection(version=version, stateful=stateful, num_tickets=3)
        kind = f"{version.value}, {_kind(stateful)}, ticket {at}"
        yield f"{kind}, full", story(plain.but(generation_fails_at=at))
        yield f"{kind}, resumed", resumption(plain, generation_fails_at=at)
        yield f"{kind}, renewed", resumption(plain, generation_fails_at=at, decision=Return.USE_RENEW)
    yield "a requested ticket", story(Connection(requests=2, generation_fails_at=3))
    for version, stateful, size in product(Version, (False, True), (0, 1, 1000, 16000, 32000)):
        first = Connection(version=version, stateful=stateful, app_data=bytes(size))
        kind = f"{version.value}, {_kind(stateful)}"
        yield f"{kind}, {size} bytes of data", resumption(first, app_data=None)
        again = first.but(app_data=None, offer=Offer(), decision=Return.USE_RENEW)
        yield f"{kind}, {size} bytes of data inherited", story(first, again, again.but(decision=None))


def stores() -> Named:
    """The modes of the session cache x hooks; unclean ends; the same ticket several times."""
    for version, store, external in product(Version, Store, (False, True)):
        plain = Connection(version=version, stateful=True)
        name = f"{version.value}, cache {store.value}{', with hooks' if external else ''}"
        scenario = evolve(resumption(plain), store=store, external_store=external)
        yield f"{name}", scenario
        yield f"{name}, expired", scenario.with_last(offer=Offer(age=LIFETIME + 1))
        yield f"{name}, other context", scenario.with_last(sid_context=b"other")
        yield f"{name}, stateless", scenario.with_first(stateful=False).with_last(stateful=False)
    for version, stateful, external, ending in product(Version, (False, True), (False, True), Ending):
        plain = Connection(version=version, stateful=stateful, num_tickets=3, ending=ending)
        name = f"{version.value}, {_kind(stateful)}{', with hooks' if external else ''}, {ending.value}"
        for ticket in (0, -1):
            after = plain.but(offer=Offer(ticket=ticket), ending=Ending.CLOSE)
            yield f"{name}, ticket {ticket}", story(plain, after, external_store=external)


def cut_off() -> Named:
    """A connection that resumed a session and was cut off, and then the same session and its newest again."""
    for version, stateful, ticket in product(Version, (False, True), (0, 1)):
        if version is Version.TLS12 and ticket:
            continue  # there is but one
        first = Connection(version=version, stateful=stateful)
        again = first.but(offer=Offer(connection=0, ticket=ticket))
        dropped = again.but(ending=Ending.DROP)
        other = first.but(offer=Offer(connection=0, ticket=0))
        newest = first.but(offer=Offer(connection=1))
        yield (
            f"{version.value}, {_kind(stateful)}, ticket {ticket}",
            story(first, dropped, newest, again, other),
        )


def cache_sizes() -> Named:
    """Which of four sessions a cache of each size still has."""
    for version, size, ticket in product(Version, (0, 1, 2, 3, 4, 5), range(4)):
        plain = Connection(version=version, stateful=True, num_tickets=1)
        again = plain.but(offer=Offer(connection=ticket))
        name = f"{version.value}, size {size}, session {ticket} of 4"
        yield name, story(plain, plain, plain, plain, again, cache_size=size)
    for version, external in product(Version, (False, True)):
        scenario = resumption(Connection(version=version, stateful=True))
        name = f"{version.value}, the new hook says no{', with hooks' if external else ''}"
        yield name, evolve(scenario, new_hook_answer=False, external_store=external)


def binders() -> Named:
    """A wrong secret, and then the right one for the same ticket (1.3)."""
    for stateful, early in product((False, True), (0, 1000)):
        first = Connection(stateful=stateful, max_early_data=early)
        right = first.but(offer=Offer(connection=0))
        wrong = first.but(offer=Offer(connection=0, wrong_secret=True))
        name = f"{_kind(stateful)}, {early} bytes of early data"
        yield name, story(first, wrong, right)
        yield f"{name}, unused", story(first, wrong.but(decision=Return.IGNORE), right)


def single_use() -> Named:
    """The same ticket three times: single use where early data would be allowed."""
    for early, stateful, external in product((0, 1000), (False, True), (False, True)):
        first = Connection(max_early_data=early, stateful=stateful)
        again = first.but(offer=Offer(connection=0))
        kind = f"{early} bytes of early data, {_kind(stateful)}"
        modes = (Store.SERVER, Store.NO_INTERNAL_LOOKUP, Store.NO_INTERNAL)
        for store in modes if external else modes[:1]:
            name = f"{kind}, cache {store.value}{', with hooks' if external else ''}"
            yield name, story(first, again, again, again, store=store, external_store=external)


def chains() -> Named:
    """Resumptions of resumptions: a 1.2 ticket keeps its time, a 1.3 ticket starts anew.

    No sum of the ages is the lifetime, about which libssl's versions differ.
    """
    ages = (LIFETIME // 3 + 1, LIFETIME * 2 // 3)
    for version, age, decision in product(Version, ages, (None, Return.USE_RENEW)):
        first = Connection(version=version)
        again = first.but(offer=Offer(age=age), decision=decision)
        yield f"{version.value}, {age} s apart, {_answer(decision)}", story(first, *[again] * 4)
    first = Connection(num_tickets=1)
    apart = first.but(offer=Offer(age=LIFETIME - 10))
    yield "1.3, for more than a week", story(first, *[apart] * 86)


def identities() -> Named:
    """A ticket and an external PSK in one ClientHello, and a HelloRetryRequest (1.3)."""
    first = Connection(server_suites=(AES_128,))
    tickets: dict[str, dict[str, Any]] = {
        "valid ticket": {},
        "undecryptable ticket": {"offer": Offer(tamper=Tamper.LAST_BYTE)},
        "expired ticket": {"offer": Offer(age=LIFETIME + 1)},
        "ticket of another context": {"sid_context": b"other"},
        "no ticket": {"offer": None},
    }
    for (name, settings), psk, decision in product(tickets.items(), Psk, DECISIONS):
        asked: dict[str, Any] = {"psk": psk, "decision": decision, **settings}
        yield f"{name}, PSK {psk.value}, {_answer(decision)}", resumption(first, **asked)
    for decision in DECISIONS:
        yield f"HelloRetryRequest, {_answer(decision)}", resumption(hello_retry=True, decision=decision)


_KINDS: Final = ("valid", "undecryptable", "expired", "of another hash", "of another context")


def _tickets(*kinds: str, **last: Any) -> Scenario:
    """A connection that offers one ticket of each of these kinds (1.3)."""
    plain = Connection(num_tickets=3, client_suites=(AES_128,))
    made_as = ["valid" if kind == "undecryptable" else kind for kind in kinds]
    settings: dict[str, dict[str, Any]] = {
        "expired": {},
        "valid": {},
        "of another hash": {"client_suites": (AES_256,)},
        "of another context": {"sid_context": b"other"},
    }
    sources = {kind: plain.but(**settings[kind]) for kind in settings if kind in made_as}
    if "expired" in sources and len(sources) > 1:
        after = list(sources)[1]
        sources[after] = sources[after].but(wait=LIFETIME + 1)
    offers = []
    for place, (kind, source) in enumerate(zip(kinds, made_as, strict=True)):
        age = LIFETIME + 1 if kind == "expired" else 0
        tamper = Tamper.LAST_BYTE if kind == "undecryptable" else None
        offers.append(Offer(connection=list(sources).index(source), ticket=place, age=age, tamper=tamper))
    both = (AES_256, AES_128)
    asks = plain.but(client_suites=both, server_suites=(AES_128,), offer=offers[0], also=tuple(offers[1:]))
    return story(*sources.values(), asks.but(**last))


def several_tickets() -> Named:
    """Two and three tickets in one ClientHello x decisions (1.3; only our client can offer them)."""
    for kinds, decision in product(product(_KINDS, repeat=2), DECISIONS):
        yield f"{', '.join(kinds)}, {_answer(decision)}", _tickets(*kinds, decision=decision)
    for first, answers in product(_KINDS, product(Return, repeat=2)):
        name = f"{first}, valid, {' then '.join(answer.name for answer in answers)}"
        yield name, _tickets(first, "valid", decisions_by_identity=answers)
    for kinds in product(_KINDS, repeat=3):
        yield f"{', '.join(kinds)}", _tickets(*kinds)


def switched_configs() -> Named:
    """The server changes its config because of the client's server name, then or now or both times."""
    switches = (
        None,
        Switch(num_tickets=1, sid_context=b"tests"),
        Switch(num_tickets=4, sid_context=b"other"),
    )
    for version, before, now in product(Version, switches, switches):
        first = Connection(version=version, server_name=SERVER, switch=before)
        names = [f"to {switch.num_tickets}" if switch else "no" for switch in (before, now)]
        yield f"{version.value}, {names[0]} change, then {names[1]}", resumption(first, switch=now)


GROUPS: Final = {
    group.__name__: group
    for group in (
        decisions,
        counts,
        requests,
        post_handshake,
        contexts,
        generation,
        stores,
        cut_off,
        cache_sizes,
        single_use,
        binders,
        chains,
        identities,
        several_tickets,
        switched_configs,
    )
}
