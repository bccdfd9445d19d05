"""Lots: numbers that look random and depend on a text alone."""

from __future__ import annotations

from xxhash import xxh3_64_intdigest

from shortlist.core.keys import encode


def lot_of(seed: str) -> float:
    """A number in [0, 1) (XXH3)."""
    return float(xxh3_64_intdigest(encode(seed)) >> 11) * 2.0**-53
