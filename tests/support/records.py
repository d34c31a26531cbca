"""Records without connections: keys for every suite, and what a reader makes of a byte stream."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterable
from typing import Any, Final

from sansticket.codes import CipherSuite
from sansticket.crypto.suites import SUITES, SuiteParameters, TrafficKeys
from sansticket.errors import Fault
from sansticket.record.protection import APPLICATION_DATA
from sansticket.record.reader import Opener, RecordReader
from sansticket.record.tls12 import Opener as Opener12
from sansticket.record.tls12 import Sealer as Sealer12
from sansticket.record.tls13 import Opener as Opener13
from sansticket.record.tls13 import Sealer as Sealer13
from sansticket.record.writer import Sealer

SUITES_13: Final = [suite for suite in SUITES.values() if suite.tls12_authentication is None]
SUITES_12: Final = [suite for suite in SUITES.values() if suite.tls12_authentication == "ecdsa"]
AES_13: Final = SUITES[CipherSuite.AES_128_GCM_SHA256]
GCM_12: Final = SUITES[CipherSuite.ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]
CHACHA_12: Final = SUITES[CipherSuite.ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256]


def pickled(original: Any) -> Any:
    """What comes out of a pickle."""
    return pickle.loads(pickle.dumps(original))


DUPLICATES: Final = [copy.copy, copy.deepcopy, pickled]
"""The ways in which a connection may be forked."""

Result = tuple[int, bytes]


def name_of(suite: SuiteParameters) -> str:
    """For the ``ids`` of a parametrized test."""
    return suite.suite.name


def keys_for(suite: SuiteParameters, epoch: int = 0) -> TrafficKeys:
    """Fixed keys, others for each epoch."""
    key = bytes((epoch + i) % 256 for i in range(suite.key_length))
    return TrafficKeys(key, bytes((epoch + 64 + i) % 256 for i in range(suite.iv_length)))


def sealer(suite: SuiteParameters, epoch: int = 0, sequence: int = 0) -> Sealer:
    kind = Sealer13 if suite.tls12_authentication is None else Sealer12
    return kind(suite, keys_for(suite, epoch), sequence)


def opener(suite: SuiteParameters, epoch: int = 0, sequence: int = 0) -> Opener:
    kind = Opener13 if suite.tls12_authentication is None else Opener12
    return kind(suite, keys_for(suite, epoch), sequence)


def run(source: Opener, wire: bytes, start: int = 0, empty: int = 0) -> tuple[int, bytes, int]:
    """Open a run: where it stopped, its content, the number of empty records at its end."""
    room = memoryview(bytearray(len(wire) - start))
    stop, filled, empty = source.open_run(wire, start, room, empty)
    return stop, bytes(room[:filled]), empty


def reader(
    suite: SuiteParameters | None = None, data: bytes = b"", in_handshake: bool = False
) -> RecordReader:
    """A reader that opens with the keys of ``sealer(suite)``; without a suite it does not open at all."""
    made = RecordReader(in_handshake)
    if suite is not None:
        made.protect(opener(suite))
    made.feed(data)
    return made


def plain(content_type: int, body: bytes, version: int = 0x0303) -> bytes:
    """An unprotected record, however wrong."""
    return bytes((content_type,)) + version.to_bytes(2) + len(body).to_bytes(2) + body


def results_of(source: RecordReader) -> list[Result]:
    """All that the reader gives now."""
    return list(iter(source.next, None))


def joined(results: Iterable[Result]) -> list[Result]:
    """Adjacent application data as one: how much comes at once depends on how the stream was cut."""
    made: list[Result] = []
    for content_type, content in results:
        if made and content_type == made[-1][0] == APPLICATION_DATA:
            content = made.pop()[1] + content
        made.append((content_type, content))
    return made


def read_pieces(
    source: RecordReader, pieces: Iterable[bytes], react: Callable[[RecordReader, Result], None] | None = None
) -> tuple[list[Result], Fault | None]:
    """Feed the pieces, read after each; what came, and the fault that ended it.

    ``react`` sees every result before the next one is read, as a connection does.
    """
    results: list[Result] = []
    try:
        for piece in pieces:
            source.feed(piece)
            while (result := source.next()) is not None:
                results.append(result)
                if react is not None:
                    react(source, result)
    except Fault as fault:
        return joined(results), fault
    return joined(results), None
