"""What each setting of a context takes, refuses and says afterwards: as in the standard library, whether the context is
complete or not.  What differs is in the tables at the end, and in docs/adapters.md."""

import ssl
from collections.abc import Callable
from typing import Any

import pytest

from sansticket import ConfigError, ServerConfig, TicketFlush, TicketKeyRing
from sansticket.adapters import SSLContext, create_default_context
from tests.support.certificates import authority, server_identity
from tests.support.configs import client_config, server_config
from tests.support.ssl_objects import NAME, OURS, STDLIB, House

CLIENT, SERVER = ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER
SIDES = pytest.mark.parametrize("side", [CLIENT, SERVER], ids=["client", "server"])

ANYTHING: list[Any] = [
    -3,
    -2,
    -1,
    0,
    1,
    2,
    3,
    64,
    768,
    769,
    771,
    772,
    773,
    1 << 20,
    1 << 33,
    1 << 64,
    1 << 70,
]
ANYTHING += [True, None, 1.5, "2", b"2", [], object(), *ssl.TLSVersion]


def complete(house: House, side: Any) -> Any:
    context = house.context(side)
    context.load_verify_locations(cadata=authority().der)
    with server_identity().files() as (chain, key):
        context.load_cert_chain(chain, key)
    return context


def incomplete(house: House, side: Any) -> Any:
    return house.context(side)


def outcome(context: Any, name: str, value: Any) -> object:
    try:
        setattr(context, name, value)
    except Exception as error:
        return next(
            kind for kind in (TypeError, OverflowError, ValueError, AttributeError) if isinstance(error, kind)
        )
    return getattr(context, name)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@SIDES
@pytest.mark.parametrize("make", [complete, incomplete])
@pytest.mark.parametrize(
    "name",
    [
        "check_hostname",
        "maximum_version",
        "minimum_version",
        "num_tickets",
        "options",
        "post_handshake_auth",
        "security_level",
        "sni_callback",
        "verify_mode",
    ],
)
def test_what_a_setting_takes(side: Any, make: Callable[[House, Any], Any], name: str) -> None:
    for value in ANYTHING:
        if (name, value) in DIFFERENT:
            continue
        ours, theirs = (outcome(make(house, side), name, value) for house in (OURS, STDLIB))
        assert ours == theirs, value


DIFFERENT = [
    ("num_tickets", 1 << 20),  # more than any config takes
    ("num_tickets", 1 << 33),
    ("options", -3),  # negative ones depend on the version of Python
    ("options", -2),
    ("options", -1),
    ("options", ssl.TLSVersion.MINIMUM_SUPPORTED),
    ("options", ssl.TLSVersion.MAXIMUM_SUPPORTED),
]


@pytest.mark.parametrize("name", ["verify_flags", "hostname_checks_common_name"])
@pytest.mark.parametrize("value", [None, "2", 1.5, 1 << 70, -1, 4])
def test_what_cannot_be_done_is_refused_and_not_forgotten(name: str, value: Any) -> None:
    context = OURS.client()
    before = getattr(context, name)
    if value is None and name == "hostname_checks_common_name":
        return setattr(context, name, value)
    wrong_type = name == "verify_flags" and not isinstance(value, int)
    with pytest.raises(TypeError if wrong_type else NotImplementedError):
        setattr(context, name, value)
    assert getattr(context, name) == before


@pytest.mark.parametrize("purpose", [ssl.Purpose.SERVER_AUTH, ssl.Purpose.CLIENT_AUTH])
@pytest.mark.parametrize(
    "name", ["verify_flags", "verify_mode", "check_hostname", "minimum_version", "maximum_version"]
)
def test_default_contexts(purpose: ssl.Purpose, name: str) -> None:
    ours, theirs = create_default_context(purpose), ssl.create_default_context(purpose)
    assert getattr(ours, name) == getattr(theirs, name)


@pytest.mark.parametrize(
    ("words", "taken"),
    [
        ("DEFAULT:@SECLEVEL=0", True),
        ("DEFAULT:@SECLEVEL=2", True),
        ("DEFAULT:@SECLEVEL=3", False),
        ("DEFAULT:@SECLEVEL=9", False),
        ("DEFAULT:@SECLEVEL=x", False),
        ("DEFAULT:@STRENGTH", True),
        ("@STRENGTH", False),
    ],
)
def test_levels_of_security(words: str, taken: bool) -> None:
    """Level 2 is kept; more than that is not promised."""
    context = OURS.server()
    if taken:
        context.set_ciphers(words)
    else:
        with pytest.raises(ssl.SSLError, match="No cipher can be selected"):
            context.set_ciphers(words)
    assert context.security_level == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"num_tickets": -1},
        {"num_tickets": "2"},
        {"ticket_lifetime": 0},
        {"ticket_flush": "now"},
        {"session_cache": 5},
        {"ticket_keys": 5},
        {"versions": [2]},
        {"groups": []},
        {"clock": None},
        {"max_certificates": 0},
        {"answers": {int: print}},
        {"session_id_context": b"x" * 33},
        {"num_tickets": 4, "ticket_lifetime": -1},
    ],
)
@pytest.mark.parametrize("make", [complete, incomplete])
def test_wrong_values_of_fields_are_refused_when_they_are_set(
    make: Callable[[House, Any], Any], changes: dict[str, Any]
) -> None:
    context = make(OURS, SERVER)
    with pytest.raises((ConfigError, TypeError)):
        context.configure(**changes)
    assert context.num_tickets == 2
    context.configure(ticket_flush=TicketFlush.WRITE)


def test_a_setting_that_does_not_fit_leaves_all_as_it_was() -> None:
    context = SSLContext(server_config(session_id_context=b""))
    with pytest.raises(ConfigError, match="session_id_context"):
        context.verify_mode = ssl.CERT_REQUIRED
    assert context.verify_mode is ssl.CERT_NONE
    client = SSLContext(client_config(key_shares=[29]))
    with pytest.raises(ConfigError, match="key_shares"):
        client.set_ecdh_curve("prime256v1")
    with pytest.raises(ConfigError, match="too many"):
        client.set_alpn_protocols([f"{number:0250}" for number in range(200)])
    assert client.config == client_config(
        key_shares=[29], clock=client.config.clock, entropy=client.config.entropy
    )


def test_the_bounds_of_versions_can_be_set_in_any_order() -> None:
    for house in (OURS, STDLIB):
        context = house.context(SERVER)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.maximum_version = ssl.TLSVersion.TLSv1_3
        assert context.minimum_version == context.maximum_version == ssl.TLSVersion.TLSv1_3
        context.num_tickets = 1


@pytest.mark.parametrize("house", [OURS, STDLIB], ids=lambda house: house.name)
@pytest.mark.parametrize("name", ["a\0b", b"a\0b", NAME + "\0.example"])
def test_a_null_character_in_a_name(house: House, name: Any) -> None:
    with pytest.raises(TypeError):
        house.client().wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=name)


def test_random_ticket_keys_are_made_once_while_settings_are_checked() -> None:
    context = complete(OURS, SERVER)
    keys = context.ticket_keys
    for number in range(3):
        context.num_tickets = number
    assert isinstance(keys, TicketKeyRing)
    assert context.ticket_keys is keys
    assert isinstance(context.config, ServerConfig)
