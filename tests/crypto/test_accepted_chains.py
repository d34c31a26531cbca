"""What trust anchors remember of the chains that led to them: acceptances alone, and only for what was asked."""

import copy
import pickle
import threading
from datetime import timedelta
from typing import Any

import pytest

from sansticket.codes import ProtocolVersion
from sansticket.crypto import verification
from sansticket.crypto.anchors import MAX_ACCEPTED, MAX_REMEMBERED, AcceptedChains, TrustAnchors
from sansticket.crypto.certificates import verify_client_chain, verify_server_chain
from sansticket.errors import Fault, Reason
from sansticket.events import ConnectionTerminated, HandshakeCompleted
from tests.support.certificates import authority, client_identity, server_identity
from tests.support.configs import client_config, server_config
from tests.support.credentials import DAY, NOW, anchors_of, root, server_credential, subordinate, with_chain
from tests.support.edits import flipped
from tests.support.pair import ConnectionPair

NAME = "server.example"


@pytest.fixture
def anchors() -> TrustAnchors:
    """Anchors that have accepted nothing so far."""
    return anchors_of(authority())


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the library was asked for."""
    asked: list[tuple[Any, ...]] = []
    search = verification._path

    def counted(*arguments: Any) -> Any:
        asked.append(arguments)
        return search(*arguments)

    monkeypatch.setattr(verification, "_path", counted)
    return asked


def reason_of(*arguments: Any, **options: Any) -> Reason:
    with pytest.raises(Fault) as caught:
        verify_server_chain(*arguments, **options)
    return caught.value.reason


def test_the_same_question_is_answered_from_memory(anchors: TrustAnchors, searches: list[Any]) -> None:
    chain = server_credential().chain
    first = verify_server_chain(chain, anchors, NAME, NOW)
    again = verify_server_chain(list(chain), anchors, NAME, NOW + timedelta(seconds=1))
    assert again == first
    assert len(searches) == 1
    again.clear()  # what is handed out is the caller's
    assert verify_server_chain(chain, anchors, NAME, NOW) == first
    assert len(searches) == 1


def test_the_path_is_the_one_that_was_found(searches: list[Any]) -> None:
    other = root("other")
    middle = subordinate(other)
    identity = with_chain(middle.issue(NAME), middle)
    trusted = anchors_of(other)
    found = [verify_server_chain(identity.chain_der, trusted, NAME, NOW) for _ in range(2)]
    assert len(found[0]) == 3
    assert found[1] == found[0]
    assert len(searches) == 1


def test_each_other_question_is_a_question(anchors: TrustAnchors, searches: list[Any]) -> None:
    chain = server_credential().chain
    verify_server_chain(chain, anchors, NAME, NOW)
    assert reason_of(chain, anchors, "other.example", NOW) is Reason.CERTIFICATE_NAME_MISMATCH
    with pytest.raises(Fault):
        verify_client_chain(chain, anchors, NOW)  # it is a server's
    assert reason_of(chain, anchors_of(root("other")), NAME, NOW) is Reason.CERTIFICATE_UNTRUSTED
    assert reason_of([flipped(chain[0]), *chain[1:]], anchors, NAME, NOW) is Reason.CERTIFICATE_INVALID
    verify_server_chain(chain, anchors, None, NOW)
    assert len(searches) == 6


def test_a_chain_without_its_issuer_is_another_chain(searches: list[Any]) -> None:
    other = root("other")
    middle = subordinate(other)
    identity, trusted = middle.issue(NAME), anchors_of(other)
    verify_server_chain(with_chain(identity, middle).chain_der, trusted, NAME, NOW)
    assert reason_of(identity.chain_der, trusted, NAME, NOW) is Reason.CERTIFICATE_UNTRUSTED


def test_a_client_is_remembered_as_a_client(anchors: TrustAnchors, searches: list[Any]) -> None:
    chain = client_identity().chain_der
    paths = [verify_client_chain(chain, anchors, NOW) for _ in range(3)]
    assert len(searches) == 1
    assert paths[0] == paths[1] == paths[2]
    assert reason_of(chain, anchors, NAME, NOW) is not None
    assert len(searches) == 2


def test_longer_keys_may_be_asked_for_at_any_time(anchors: TrustAnchors) -> None:
    chain = server_credential("rsa").chain
    verify_server_chain(chain, anchors, NAME, NOW)
    assert reason_of(chain, anchors, NAME, NOW, min_rsa_bits=3072) is Reason.CERTIFICATE_UNSUPPORTED
    verify_server_chain(chain, anchors, NAME, NOW)


def test_it_holds_until_the_first_certificate_of_the_path_ends(searches: list[Any]) -> None:
    other = root("other")
    leaf = other.issue(NAME, end=2 * DAY)
    trusted, chain, end = anchors_of(other), leaf.chain_der, leaf.chain[0].not_valid_after_utc
    for moment in (NOW, end):
        verify_server_chain(chain, trusted, NAME, moment)
    after = end + timedelta(seconds=1)
    for _ in range(2):
        assert reason_of(chain, trusted, NAME, after) is Reason.CERTIFICATE_EXPIRED
    assert len(searches) == 3
    verify_server_chain(chain, trusted, NAME, NOW)  # a clock that was wrong, and is set right
    assert len(searches) == 3


def test_an_issuer_that_ends_ends_it(searches: list[Any]) -> None:
    other = root("other")
    middle = subordinate(other, end=DAY)
    chain = with_chain(middle.issue(NAME), middle).chain_der
    trusted = anchors_of(other)
    verify_server_chain(chain, trusted, NAME, NOW)
    assert reason_of(chain, trusted, NAME, NOW + 2 * DAY) is Reason.CERTIFICATE_EXPIRED


def test_it_does_not_hold_before_it_begins(anchors: TrustAnchors) -> None:
    chain = server_credential().chain
    verify_server_chain(chain, anchors, NAME, NOW)
    assert reason_of(chain, anchors, NAME, NOW - 5_000 * DAY) is Reason.CERTIFICATE_EXPIRED


def test_moments_without_a_time_zone_are_utc(anchors: TrustAnchors, searches: list[Any]) -> None:
    chain = server_credential().chain
    for moment in (NOW, NOW.replace(tzinfo=None), NOW):
        verify_server_chain(chain, anchors, NAME, moment)
    assert len(searches) == 1


def test_a_refusal_is_looked_into_each_time(anchors: TrustAnchors, searches: list[Any]) -> None:
    chain = server_identity().chain_der
    for number in range(1, 4):
        assert reason_of(chain, anchors, "other.example", NOW) is Reason.CERTIFICATE_NAME_MISMATCH
        assert len(searches) == number
        assert len(anchors.accepted) == 0


def test_a_path_that_fails_behind_the_library_is_not_remembered(anchors: TrustAnchors) -> None:
    chain = server_credential("rsa").chain
    for _ in range(2):
        assert reason_of(chain, anchors, NAME, NOW, min_rsa_bits=3072) is Reason.CERTIFICATE_UNSUPPORTED
    assert len(anchors.accepted) == 0


def test_it_is_bounded_in_number_and_the_oldest_goes_first(searches: list[Any]) -> None:
    known = AcceptedChains()
    path = tuple(verify_server_chain(server_credential().chain, anchors_of(authority()), NAME, NOW))
    for number in range(3 * MAX_ACCEPTED):
        known.add(number, path)
        assert len(known) <= MAX_ACCEPTED
    assert known.path(3 * MAX_ACCEPTED - 1, NOW) is path
    assert known.path(2 * MAX_ACCEPTED, NOW) is path
    assert known.path(2 * MAX_ACCEPTED - 1, NOW) is None


def test_a_long_chain_is_verified_and_not_kept(anchors: TrustAnchors, searches: list[Any]) -> None:
    chain = list(server_credential().chain)
    stranger = root("stranger").der
    chain += [stranger] * (MAX_REMEMBERED // len(stranger) + 1)
    for number in (1, 2):
        verify_server_chain(chain, anchors, NAME, NOW)
        assert len(searches) == number
        assert len(anchors.accepted) == 0


def test_many_threads_find_the_same(anchors: TrustAnchors) -> None:
    chain = server_credential().chain
    paths: list[Any] = []

    def ask() -> None:
        for number in range(300):
            anchors.accepted.add(("filler", number), paths[0])
            paths.append(tuple(verify_server_chain(chain, anchors, NAME, NOW)))

    paths.append(tuple(verify_server_chain(chain, anchors, NAME, NOW)))
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(paths) == 1_201
    assert set(paths) == {paths[0]}
    assert len(anchors.accepted) == MAX_ACCEPTED


def test_the_memory_is_of_these_anchors_alone(anchors: TrustAnchors) -> None:
    before = repr(anchors)
    verify_server_chain(server_credential().chain, anchors, NAME, NOW)
    assert anchors == TrustAnchors(anchors.certificates)
    assert repr(anchors) == before
    assert len(TrustAnchors(anchors.certificates).accepted) == 0
    assert len(pickle.loads(pickle.dumps(anchors)).accepted) == 0
    assert copy.copy(anchors) is anchors


@pytest.mark.parametrize("version", [ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2])
def test_connections_of_one_config_verify_once(
    version: ProtocolVersion, anchors: TrustAnchors, searches: list[Any]
) -> None:
    moment = [NOW.timestamp()]
    client = client_config(trust_anchors=anchors, versions=[version], clock=lambda: moment[0])
    server = server_config(versions=[version])

    def ended() -> Reason | None:
        pair = ConnectionPair(client, server)
        pair.pump()
        ends = [event.reason for event in pair.client_events if isinstance(event, ConnectionTerminated)]
        assert bool(ends) is not any(isinstance(event, HandshakeCompleted) for event in pair.client_events)
        return ends[0] if ends else None

    assert [ended(), ended(), ended()] == [None] * 3
    assert len(searches) == 1
    moment[0] += 400 * 24 * 3600
    assert ended() is Reason.CERTIFICATE_EXPIRED
