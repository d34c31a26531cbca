"""A command that makes no sense is refused when it is made: the error names the field, and shows no secret."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import NOTHING, fields

from sansticket import (
    Abort,
    AbortHandshake,
    AlertDescription,
    Command,
    IssueTicket,
    ProvideSignature,
    RejectPeer,
    ResolveTicket,
    SealTicket,
    TicketOpened,
    TicketReturn,
)
from sansticket.values import DOC
from tests.support.configs import server_config

OF_ANY_TYPE: list[object] = [5, "secret", ["secret"], None, True, 1.5, b"secret", {}, object()]

RIGHT: dict[str, list[object]] = {
    "data": [b"secret"],
    "request_peer": [True],
    "at_once": [True],
    "count": [5],
    "alert": [],
    "config": [],
    "plaintext": [b"secret"],
    "key_name": [b"secret"],
    "renew": [None, True],
    "ticket_return": [],
    "session": [None],
    "spent": [None],
    "app_data": [None, b"secret"],
    "ticket": [None, b"secret"],
    "signature": [b"secret"],
    "why": ["secret"],
    "psk": [None],
    "required": [True],
    "codec": [],
}
"""Of ``OF_ANY_TYPE``, those that the field of that name takes."""

NEEDED: dict[str, Any] = {
    "data": b"",
    "config": server_config(),
    "plaintext": b"",
    "ticket_return": TicketReturn.USE,
    "session": None,
    "ticket": None,
    "psk": None,
    "signature": b"",
}

FIELDS = [(kind, field.name) for kind in Command.__subclasses__() for field in fields(kind) if field.init]


@pytest.mark.parametrize(
    "value", OF_ANY_TYPE, ids=lambda value: f"{type(value).__name__} {str(value)[:9]}".partition(" <")[0]
)
@pytest.mark.parametrize(("kind", "name"), FIELDS)
def test_a_value_of_any_type(kind: type[Command], name: str, value: object) -> None:
    given = {field.name: NEEDED[field.name] for field in fields(kind) if field.default is NOTHING}
    given[name] = value
    if any(type(value) is type(one) and value == one for one in RIGHT[name]):
        assert getattr(kind(**given), name) == value
        return
    with pytest.raises((TypeError, ValueError), match=rf"{name}|Send(Early)?Data with") as caught:
        kind(**given)
    assert "secret" not in str(caught.value)
    assert "expected" in str(caught.value)


@pytest.mark.parametrize(("kind", "name"), FIELDS)
def test_every_field_has_its_documentation(kind: type[Command], name: str) -> None:
    assert getattr(fields(kind), name).metadata[DOC].strip().endswith(".")


@pytest.mark.parametrize("count", [0, -1, 65_536, 10**9])
def test_a_number_of_tickets_out_of_range(count: int) -> None:
    with pytest.raises(ValueError, match=r"^IssueTicket.count: .*; expected 1 to 65535"):
        IssueTicket(count)


def test_as_many_tickets_as_there_can_be() -> None:
    assert IssueTicket(65_535).count == 65_535


def test_a_signature_that_no_message_has_room_for() -> None:
    with pytest.raises(ValueError, match=r"^ProvideSignature.signature: 65536 bytes; expected at most 65535"):
        ProvideSignature(bytes(65_536))


@pytest.mark.parametrize("kind", [Abort, AbortHandshake, RejectPeer])
def test_alerts_by_number(kind: Any) -> None:
    assert kind(49).alert is AlertDescription.ACCESS_DENIED
    with pytest.raises(ValueError, match=r"^alert: 254 is none that sansticket knows"):
        kind(254)
    for name in ("CLOSE_NOTIFY", "USER_CANCELED", "NO_RENEGOTIATION"):
        with pytest.raises(ValueError, match=f"{name} ends nothing"):
            kind(AlertDescription[name])


def test_secrets_are_not_shown() -> None:
    assert "secret" not in repr([TicketOpened(b"secret"), SealTicket(b"secret")])
    assert "USE" in repr(ResolveTicket(TicketReturn.USE))
