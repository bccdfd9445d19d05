"""Fill the places of a list that are neither pinned nor explored: the greedy heart of arranging."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shortlist.core.bitmap import Bitmap, holds
from shortlist.core.jit import kernel
from shortlist.online.arrange.caps import Caps, fits, take
from shortlist.online.arrange.diversity import DPP, NEITHER, SPANNED, Likeness, gain, show, worths

FREE, TAKEN, CAPPED = 0, 1, 2
IN_ORDER, PINNED, FRESH, DIVERSE, PAST_CAPPED, EXPLORED = 0, 1, 2, 3, 4, 5


class Slate(NamedTuple):
    """A list of k places while it is made of n candidates, which are best first.

    Attributes:
        rows: `int32[n]`.
        relevance: `float32[n]`, descending.
        state: `int8[n]`: `FREE`, `TAKEN` or `CAPPED`.
        places: `int64[k]`, the candidate at each place, -1 while there is none.
        reasons: `int8[k]`, why it is there.
        exploring: `bool[k]`, places that are left for exploration.
    """

    rows: NDArray[np.int32]
    relevance: NDArray[np.float32]
    state: NDArray[np.int8]
    places: NDArray[np.int64]
    reasons: NDArray[np.int8]
    exploring: NDArray[np.bool_]


@kernel
def pin(slate: Slate, caps: Caps, place: int, row: int, where: Bitmap) -> bool:
    """Give a place to an item, or to the best free candidate of a bitmap where row is negative.

    A place that is taken stays as it is; so does the list where the item is not free, or past a
    cap.
    """
    if slate.places[place] >= 0:
        return False
    for at in range(len(slate.rows)):
        wanted = slate.rows[at] == row if row >= 0 else holds(where, slate.rows[at])
        if wanted and slate.state[at] == FREE and fits(caps, slate.rows[at]):
            _put(slate, caps, place, at, PINNED)
            return True
    return False


@kernel
def fill(
    slate: Slate,
    caps: Caps,
    fresh: NDArray[np.bool_],
    quota: int,
    of: int,
    method: int,
    strength: float,
    heads: NDArray[np.int64],
    likeness: Likeness,
) -> None:
    """Fill the places from the first to the last, until no candidate fits.

    Each takes the candidate with the highest gain that the caps allow: without diversity the best
    that is free. When no more places of the first `of` are left than the quota of fresh items
    needs, they take fresh ones, as long as there are any.

    Args:
        slate: the list, pins in it.
        caps: with the pins counted.
        fresh: `bool[n]`.
        quota: how many of the first `of` places must be fresh.
        of: how many places the quota is of.
        method: `NEITHER`, `MMR` or `DPP`.
        strength: of diversity.
        heads: `int64[h]`, the candidates that diversity looks at; the pinned ones among them.
        likeness: of these h.
    """
    have, left = _counted(slate, fresh, of)
    h = len(heads)
    state = np.zeros(h) if method != DPP else np.ones(h)
    columns = np.empty((min(len(slate.places), h) if method == DPP else 0, h))
    scratch, free = np.empty(h), np.ones(h, np.bool_)
    worth = worths(method, strength, slate.relevance, heads)
    used = 0
    for i in range(h):
        if slate.state[heads[i]] == TAKEN:
            used = show(method, likeness, i, free, state, columns, used, scratch)
    lead = 0
    for place in range(len(slate.places)):
        if slate.places[place] >= 0 or slate.exploring[place]:
            continue
        while lead < len(slate.rows) and slate.state[lead] != FREE:
            lead += 1
        if method == DPP and _spanned(slate, heads, state):
            state[:] = 1
            used = 0
        args = (fresh, lead, method, strength, heads, worth, state)
        first = _first(slate, caps, lead, fresh, False)
        at, head = first, -1
        if method != NEITHER:
            at, head = _next(slate, caps, False, *args)
        reason = IN_ORDER if at == first else DIVERSE
        if place < of and at >= 0:
            if quota - have >= left and not fresh[at]:
                new, new_head = _next(slate, caps, True, *args)
                if new >= 0:
                    at, head, reason = new, new_head, FRESH
            left -= 1
            have += fresh[at]
        if at < 0:
            break
        _put(slate, caps, place, at, reason)
        if head >= 0:
            used = show(method, likeness, head, free, state, columns, used, scratch)
    _tell_capped(slate)


@kernel
def _counted(slate: Slate, fresh: NDArray[np.bool_], of: int) -> tuple[int, int]:
    """Of the first places: how many have fresh items, and how many are to be filled."""
    have = left = 0
    for place in range(min(of, len(slate.places))):
        if slate.places[place] >= 0:
            have += fresh[slate.places[place]]
        elif not slate.exploring[place]:
            left += 1
    return have, left


@kernel
def _tell_capped(slate: Slate) -> None:
    """Give what moved up past candidates that the caps left out that as its reason."""
    capped = 0
    while capped < len(slate.rows) and slate.state[capped] != CAPPED:
        capped += 1
    for place in range(len(slate.places)):
        if slate.reasons[place] == IN_ORDER and slate.places[place] > capped:
            slate.reasons[place] = PAST_CAPPED


@kernel
def _next(
    slate: Slate,
    caps: Caps,
    only: bool,
    fresh: NDArray[np.bool_],
    lead: int,
    method: int,
    strength: float,
    heads: NDArray[np.int64],
    worth: NDArray[np.float64],
    state: NDArray[np.float64],
) -> tuple[int, int]:
    """The candidate with the highest gain, and which head it is; -1 for none."""
    if method != NEITHER:
        head = _best(slate, caps, fresh, only, method, strength, heads, worth, state)
        if head >= 0:
            return heads[head], head
    return _first(slate, caps, lead, fresh, only), -1


@kernel
def _put(slate: Slate, caps: Caps, place: int, at: int, reason: int) -> None:
    slate.places[place] = at
    slate.reasons[place] = reason
    slate.state[at] = TAKEN
    take(caps, slate.rows[at])


@kernel
def _first(slate: Slate, caps: Caps, lead: int, fresh: NDArray[np.bool_], only: bool) -> int:
    """The best candidate that is free and that the caps allow, fresh where only these may come."""
    for at in range(lead, len(slate.rows)):
        if slate.state[at] == FREE and (fresh[at] or not only):
            if fits(caps, slate.rows[at]):
                return at
            slate.state[at] = CAPPED  # counts only grow
    return -1


@kernel
def _best(
    slate: Slate,
    caps: Caps,
    fresh: NDArray[np.bool_],
    only: bool,
    method: int,
    strength: float,
    heads: NDArray[np.int64],
    worth: NDArray[np.float64],
    state: NDArray[np.float64],
) -> int:
    """Which head has the highest gain of those that are free and that the caps allow; -1: none."""
    while True:
        best, most = -1, -np.inf
        for i in range(len(heads)):
            at = heads[i]
            if slate.state[at] == FREE and (fresh[at] or not only):
                now = gain(method, strength, worth[i], state[i])
                if now > most:
                    best, most = i, now
        if best < 0 or fits(caps, slate.rows[heads[best]]):
            return best
        slate.state[heads[best]] = CAPPED


@kernel
def _spanned(slate: Slate, heads: NDArray[np.int64], state: NDArray[np.float64]) -> bool:
    """Whether those shown span all heads that are left."""
    for i in range(len(heads)):
        if slate.state[heads[i]] == FREE and state[i] >= SPANNED:
            return False
    return True
