"""Sessions for tests: one that is ordinary, and a strategy for all there are."""

import random
from collections.abc import Callable

from attrs import evolve
from hypothesis import strategies as st

from sansticket.codes import CipherSuite, NamedGroup, ProtocolVersion
from sansticket.tickets.session import Session

NOW = 1_700_000_000.0
"""When the tests take place."""

ORDINARY = Session(
    version=ProtocolVersion.TLS_1_3,
    cipher_suite=CipherSuite.AES_128_GCM_SHA256,
    secret=bytes(range(32)),
    lifetime=7200,
    issued_at=NOW,
    age_add=0x89ABCDEF,
    alpn=b"h2",
    server_name="example.com",
    session_id_context=bytes(range(16)),
    group=NamedGroup.X25519_MLKEM768,
)
"""What a TLS 1.3 server puts into a ticket."""

ORDINARY_12 = evolve(
    ORDINARY,
    version=ProtocolVersion.TLS_1_2,
    cipher_suite=CipherSuite.ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    secret=bytes(range(48)),
    age_add=0,
    group=NamedGroup.X25519,
    extended_master_secret=True,
)


def repeatable_entropy(seed: int) -> Callable[[int], bytes]:
    """Random bytes that are the same in every run."""
    return random.Random(seed).randbytes


def numbered(number: int, *, lifetime: int = 7200, issued_at: float = NOW) -> Session:
    """A session whose id and ticket are ``number``."""
    name = number.to_bytes(32)
    return evolve(ORDINARY, session_id=name, ticket=name, lifetime=lifetime, issued_at=issued_at)


_u16 = st.integers(0, (1 << 16) - 1)
_u32 = st.integers(0, (1 << 32) - 1)
_times = st.integers(0, (1 << 48) - 1).map(lambda milliseconds: milliseconds / 1000)


@st.composite
def sessions(draw: st.DrawFn) -> Session:
    """Any session; each optional field is absent in many of them."""
    version = draw(st.sampled_from((ProtocolVersion.TLS_1_2, ProtocolVersion.TLS_1_3)))
    tls13 = version == ProtocolVersion.TLS_1_3
    issued_at = draw(_times)
    family = draw(st.just(b"") | st.binary(min_size=16, max_size=16))
    return Session(
        version=version,
        cipher_suite=draw(_u16),
        secret=draw(st.binary(min_size=1, max_size=255) if tls13 else st.binary(min_size=48, max_size=48)),
        lifetime=draw(_u32),
        issued_at=issued_at,
        authenticated_at=draw(st.just(issued_at) | _times),
        ticket=draw(st.binary(max_size=300)),
        session_id=draw(st.binary(max_size=32)),
        age_add=draw(st.just(0) | _u32),
        alpn=draw(st.none() | st.binary(min_size=1, max_size=255)),
        server_name=draw(st.none() | st.text(min_size=1, max_size=60)),
        session_id_context=draw(st.binary(max_size=32)),
        peer_certificates=tuple(draw(st.lists(st.binary(min_size=1, max_size=300), max_size=3))),
        verified_chain=tuple(draw(st.lists(st.binary(min_size=1, max_size=300), max_size=3))),
        max_early_data=draw(st.just(0) | _u32),
        app_data=draw(st.binary(max_size=300)),
        extended_master_secret=draw(st.booleans()),
        group=draw(st.just(0) | _u16),
        psk_identity=draw(st.none() | st.binary(min_size=1, max_size=300)) if tls13 else None,
        family=family,
        generation=draw(_u32) if family else 0,
    )
