"""Compressed certificates (RFC 8879): bytes there and back, never more of them than was said.

zlib is the standard library's; brotli and zstd are there when the packages ``brotli`` and ``zstandard`` are installed.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from sansticket.codes import CertificateCompression
from sansticket.errors import Fault, Reason
from sansticket.values import frozen

ZSTD_WINDOW: Final = 2**23
"""Bytes that a decompressor of zstd may keep; RFC 8878 section 3.1.1.1.2 has decoders take at least so much."""

ZLIB_WINDOW: Final = 15
"""The logarithm of the largest window, which is 32 KiB, and a header and a checksum besides (RFC 1950)."""


def _zlib_decompress(data: bytes, length: int) -> bytes:
    decompressor = zlib.decompressobj(ZLIB_WINDOW)
    output = decompressor.decompress(data, length + 1)
    if not decompressor.eof or decompressor.unused_data:
        raise ValueError("the stream does not end where it should")
    return output


def _brotli() -> Any:
    import brotli

    return brotli


def _brotli_compress(data: bytes) -> bytes:
    compressed: bytes = _brotli().compress(data)
    return compressed


def _brotli_decompress(data: bytes, length: int) -> bytes:
    """Its buffer grows in steps of some KiB beyond the limit, and no further."""
    decompressor = _brotli().Decompressor()
    output: bytes = decompressor.process(data, output_buffer_limit=length + 1)
    if not decompressor.is_finished():
        raise ValueError("the stream does not end where it should")
    return output


def _zstandard() -> Any:
    import zstandard

    return zstandard


def _zstd_compress(data: bytes) -> bytes:
    compressed: bytes = _zstandard().ZstdCompressor().compress(data)
    return compressed


def _zstd_decompress(data: bytes, length: int) -> bytes:
    """Read within the limit first; what stands behind the frame is seen only by the form that has no limit."""
    decompressor = _zstandard().ZstdDecompressor(max_window_size=ZSTD_WINDOW)
    output: bytes = decompressor.stream_reader(data, read_across_frames=False).read(length + 1)
    if len(output) <= length:
        frame = decompressor.decompressobj()
        frame.decompress(data)
        if not frame.eof or frame.unused_data:
            raise ValueError("the stream does not end where it should")
    return output


@frozen
class Algorithm:
    """``library`` gives its module, or raises ImportError; ``compress`` takes the bytes of a message.

    ``decompress`` gives at most some KiB more than are expected, or raises whatever its library does.
    """

    library: Callable[[], Any]
    compress: Callable[[bytes], bytes]
    decompress: Callable[[bytes, int], bytes]

    @property
    def installed(self) -> bool:
        try:
            self.library()
        except ImportError:
            return False
        return True


ALGORITHMS: Final[dict[int, Algorithm]] = {
    CertificateCompression.ZLIB: Algorithm(
        lambda: zlib, lambda data: zlib.compress(data, 9), _zlib_decompress
    ),
    CertificateCompression.BROTLI: Algorithm(_brotli, _brotli_compress, _brotli_decompress),
    CertificateCompression.ZSTD: Algorithm(_zstandard, _zstd_compress, _zstd_decompress),
}


def available() -> tuple[int, ...]:
    """Those whose package is installed."""
    return tuple(number for number, one in ALGORITHMS.items() if one.installed)


@lru_cache(maxsize=64)
def compressed_once(algorithm: int, data: bytes) -> bytes:
    """What is the same in each handshake is compressed in the first."""
    return ALGORITHMS[algorithm].compress(data)


def decompressed(algorithm: int, data: bytes, length: int) -> bytes:
    """Exactly ``length`` bytes; Fault CERTIFICATE_COMPRESSION if it is anything else, with little more in memory."""
    try:
        output = ALGORITHMS[algorithm].decompress(data, length)
    except Exception as error:
        raise Fault(Reason.CERTIFICATE_COMPRESSION, type(error).__name__) from error
    if len(output) != length:
        more = "more" if len(output) > length else f"{len(output)}"
        raise Fault(Reason.CERTIFICATE_COMPRESSION, f"{more} bytes, where {length} were said")
    return output
