"""64-bit keys of ids: XXH64 (Collet, https://xxhash.com, seed 0) of the UTF-8 bytes.

Stores that outlive a release, and the vocabulary's lookup, know items by these keys. `item_key`
uses the library; `keys_of` is the same function compiled over a whole buffer of ids, because a
call per id is what a request that excludes 10,000 items would spend its time on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh32_intdigest, xxh64_intdigest

from shortlist.core.jit import kernel


def encode(id: str) -> bytes:
    """An id as bytes; any Python string can be an id."""
    return id.encode("utf-8", "surrogatepass")


def decode(data: bytes) -> str:
    """The inverse of `encode`."""
    return data.decode("utf-8", "surrogatepass")


def item_key(id: str) -> int:
    """The key of one id."""
    return xxh64_intdigest(encode(id))


def kind_code(kind: str) -> int:
    """A stable 32-bit code of an event kind (XXH32), the same under every configuration."""
    return xxh32_intdigest(kind.encode())


def item_keys(ids: Sequence[str]) -> NDArray[np.uint64]:
    """The keys of ids, `uint64[n]`."""
    blob, offsets = concatenate(ids)
    return keys_of(blob, offsets)


def concatenate(ids: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The ids' bytes one after the other, and `int64[n + 1]` offsets of each."""
    joined = encode("\0".join(ids))
    if joined.count(b"\0") == max(len(ids) - 1, 0):
        blob = np.frombuffer(joined, np.uint8)
        return _split(blob, len(ids))
    encoded = [encode(id) for id in ids]  # an id holds a NUL of its own
    offsets = np.zeros(len(ids) + 1, np.int64)
    np.cumsum([len(data) for data in encoded], out=offsets[1:])
    return np.frombuffer(b"".join(encoded), np.uint8), offsets


@kernel
def _split(joined: NDArray[np.uint8], n: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Take the NUL separators out."""
    blob = np.empty(max(len(joined) - max(n - 1, 0), 0), np.uint8)
    offsets = np.zeros(n + 1, np.int64)
    end = 0
    done = 0
    for byte in joined:
        if byte == 0:
            done += 1
            offsets[done] = end
        else:
            blob[end] = byte
            end += 1
    if n > 0:
        offsets[n] = end
    return blob, offsets


_P1 = np.uint64(0x9E3779B185EBCA87)
_P2 = np.uint64(0xC2B2AE3D27D4EB4F)
_P3 = np.uint64(0x165667B19E3779F9)
_P4 = np.uint64(0x85EBCA77C2B2AE63)
_P5 = np.uint64(0x27D4EB2F165667C5)
_ZERO = np.uint64(0)


@kernel
def _rotl(x: np.uint64, r: int) -> np.uint64:
    return np.uint64((x << np.uint64(r)) | (x >> np.uint64(64 - r)))


@kernel
def _little(blob: NDArray[np.uint8], at: int, width: int) -> np.uint64:
    """An unsigned integer of `width` bytes, little-endian."""
    value = _ZERO
    for i in range(width):
        value |= np.uint64(blob[at + i]) << np.uint64(8 * i)
    return value


@kernel
def _round(accumulator: np.uint64, lane: np.uint64) -> np.uint64:
    return np.uint64(_rotl(accumulator + lane * _P2, 31) * _P1)


@kernel
def _merge(hash: np.uint64, accumulator: np.uint64) -> np.uint64:
    return np.uint64((hash ^ _round(_ZERO, accumulator)) * _P1 + _P4)


@kernel
def keys_of(blob: NDArray[np.uint8], offsets: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The keys of ids that lie one after the other in a buffer, `uint64[n]`."""
    n = len(offsets) - 1
    out = np.empty(n, np.uint64)
    for i in range(n):
        at, stop = offsets[i], offsets[i + 1]
        length = stop - at
        if length >= 32:
            a, b, c, d = _P1 + _P2, _P2, _ZERO, _ZERO - _P1
            while at + 32 <= stop:
                a = _round(a, _little(blob, at, 8))
                b = _round(b, _little(blob, at + 8, 8))
                c = _round(c, _little(blob, at + 16, 8))
                d = _round(d, _little(blob, at + 24, 8))
                at += 32
            hash = _rotl(a, 1) + _rotl(b, 7) + _rotl(c, 12) + _rotl(d, 18)
            hash = _merge(_merge(_merge(_merge(hash, a), b), c), d)
        else:
            hash = _P5
        hash += np.uint64(length)
        while at + 8 <= stop:
            hash = _rotl(hash ^ _round(_ZERO, _little(blob, at, 8)), 27) * _P1 + _P4
            at += 8
        if at + 4 <= stop:
            hash = _rotl(hash ^ (_little(blob, at, 4) * _P1), 23) * _P2 + _P3
            at += 4
        while at < stop:
            hash = _rotl(hash ^ (np.uint64(blob[at]) * _P5), 11) * _P1
            at += 1
        hash ^= hash >> np.uint64(33)
        hash *= _P2
        hash ^= hash >> np.uint64(29)
        hash *= _P3
        hash ^= hash >> np.uint64(32)
        out[i] = hash
    return out
