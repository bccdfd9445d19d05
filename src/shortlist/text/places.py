"""Where the words of a normalised text stand in the original."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate

import regex

_CLUSTER = regex.compile(r"\X")
_SPACED = regex.compile(r"\S+|\s+")


def places(
    text: str,
    normalised: str,
    normalise: Callable[[str], str],
    spans: Sequence[tuple[int, int]],
) -> list[tuple[int, int]]:
    """Spans of a normalised text as spans of the original.

    Characters as readers see them (grapheme clusters, UAX #29 section 3) are normalised one by
    one and their lengths added up. Where that is not the whole text normalised (letters that
    change with their neighbours), runs between spaces take their place, and a span is then as
    wide as those it touches; at last the whole text.

    Args:
        text: the original.
        normalised: `normalise(text)`.
        normalise: the function.
        spans: start and end in `normalised`, ascending.
    """
    if not spans or text.isascii():
        return list(spans)
    for pattern in (_CLUSTER, _SPACED):
        parts = [
            (match.start(), match.end(), normalise(match[0])) for match in pattern.finditer(text)
        ]
        if "".join(part for _, _, part in parts) == normalised:
            break
    else:
        parts = [(0, len(text), normalised)]
    parts = [part for part in parts if part[2]]
    begins = [0, *accumulate(len(part) for _, _, part in parts)]
    found = []
    for start, end in spans:
        first = bisect_right(begins, start) - 1
        last = bisect_right(begins, end - 1) - 1
        found.append((parts[first][0], parts[last][1]))
    return found
