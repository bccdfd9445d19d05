"""Blend: one list of several retrievers' lists."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist.core.jit import kernel


@kernel
def blend(
    found: NDArray[np.bool_], shares: NDArray[np.float64], lots: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Candidates in the order in which lists take turns, and whose turn each came by.

    Turns are dealt by smooth weighted round-robin: every list is credited its share, and the one
    with the most credit takes the best of its candidates that is left and pays for it with the
    shares of all. Of n turns each list so has its part of n to within one. By lot instead,
    a list has the turn with a chance of its share (team drafts: Radlinski et al., CIKM 2008, with
    unequal teams). A list that has no more is left out.

    Args:
        found: `bool[lists, n]`, which candidates are on each list; candidates are best first.
        shares: `float64[lists]`, above 0.
        lots: `float64[n]` in [0, 1) to draw turns by; empty for round-robin.

    Returns:
        `int64[n]` candidates in their new order, those of no list last, and `int64[n]` the list
        of each, -1 for none.
    """
    lists, n = found.shape
    order = np.empty(n, np.int64)
    turns = np.full(n, -1, np.int64)
    taken = np.zeros(n, np.bool_)
    credit = np.zeros(lists)
    at = np.zeros(lists, np.int64)
    made = 0
    while made < n:
        total = 0.0
        for s in range(lists):
            while at[s] < n and (taken[at[s]] or not found[s, at[s]]):
                at[s] += 1
            if at[s] < n:
                total += shares[s]
        if total == 0:
            break
        if len(lots):
            turn = _drawn(lots[made] * total, shares, at, n)
        else:
            turn = _due(credit, shares, at, n)
        credit[turn] -= total
        order[made], turns[made] = at[turn], turn
        taken[at[turn]] = True
        made += 1
    for i in range(n):
        if not taken[i]:
            order[made] = i
            made += 1
    return order, turns


@kernel
def _drawn(lot: float, shares: NDArray[np.float64], at: NDArray[np.int64], n: int) -> int:
    """The list whose share a lot falls on; of those that have more."""
    turn = -1
    for s in range(len(shares)):
        if at[s] < n:
            turn = s  # the last one stands where rounding leaves the lot past every share
            lot -= shares[s]
            if lot < 0:
                break
    return turn


@kernel
def _due(
    credit: NDArray[np.float64], shares: NDArray[np.float64], at: NDArray[np.int64], n: int
) -> int:
    """Credit every list that has more, and tell which has the most."""
    turn = -1
    for s in range(len(shares)):
        if at[s] < n:
            credit[s] += shares[s]
            if turn < 0 or credit[s] > credit[turn]:
                turn = s
    return turn
