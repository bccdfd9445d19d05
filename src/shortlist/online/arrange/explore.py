"""Explore: places drawn by lot, with the chance of everything that may be drawn.

Candidates that the rest of the list left over are dealt to the places like cards, the best to the
first place, the next to the second, and so on. Places then draw independently of each other, and
what stands elsewhere does not depend on the draw: the chance of a place's item is exact whatever
the other places show. A candidate is dealt only where the caps hold whatever is drawn.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist.config.arrange import ExplorationSection
from shortlist.core.jit import kernel
from shortlist.online.arrange.caps import Caps
from shortlist.online.arrange.fill import EXPLORED, FREE, TAKEN, Slate
from shortlist.online.lots import lot_of


def explore(
    slate: Slate, caps: Caps, section: ExplorationSection, seed: str
) -> NDArray[np.float32]:
    """Draw the places that are left for exploration, from a list that is otherwise full.

    Args:
        slate: the list; changed in place. Places for which no candidate is left stay empty.
        caps: with all of it counted; not changed.
        section: how to draw.
        seed: the same seed and list, the same draw.

    Returns:
        `float32[k]`, the chance of what is at each place: 1 where nothing was drawn.
    """
    chances = np.ones(len(slate.places), np.float32)
    places = np.flatnonzero(slate.exploring)
    dealt, to = deal(slate, caps, section.among, len(places))
    lots = np.array([lot_of(f"{seed}\0{place}") for place in places.tolist()], np.float64)
    heat = section.temperature if section.method == "softmax" else 0.0
    _draw(slate, dealt, to, places, lots, section.epsilon, heat, chances)
    return chances


@kernel
def _draw(
    slate: Slate,
    dealt: NDArray[np.int64],
    to: NDArray[np.int64],
    places: NDArray[np.int64],
    lots: NDArray[np.float64],
    epsilon: float,
    temperature: float,
    chances: NDArray[np.float32],
) -> None:
    for number in range(len(places)):
        hand = dealt[to == number]
        if len(hand) == 0:
            continue
        chance = chances_of(slate.relevance[hand], epsilon, temperature)
        drawn, lot = 0, lots[number]
        while drawn < len(hand) - 1 and lot >= chance[drawn]:
            lot -= chance[drawn]
            drawn += 1
        at, place = hand[drawn], places[number]
        slate.places[place] = at
        slate.reasons[place] = EXPLORED
        slate.state[at] = TAKEN
        chances[place] = chance[drawn]


@kernel
def chances_of(
    relevance: NDArray[np.float32], epsilon: float, temperature: float
) -> NDArray[np.float64]:
    """The chance of each candidate that a place was dealt, `float64[n]`; they add up to 1.

    With a temperature (softmax): in proportion to exp(relevance / temperature). Without: all share
    epsilon, and the first has the rest.
    """
    n = len(relevance)
    if temperature == 0:
        chances = np.full(n, epsilon / n)
        chances[0] += 1 - epsilon
        return chances
    below = relevance.astype(np.float64) - relevance.max()
    weights: NDArray[np.float64] = np.exp(below / temperature)
    weights /= weights.sum()
    return weights


@kernel
def deal(
    slate: Slate, caps: Caps, among: int, places: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Candidates that are dealt, best first, and the place that each is dealt to.

    A candidate goes to the place that has the fewest; with caps, to one where no value of it can
    come more often than is left of its cap, however places draw: as many places as are left may
    hold items of one value.
    """
    dealt = np.empty(min(among, len(slate.rows)), np.int64)
    to = np.empty(len(dealt), np.int64)
    sizes = np.zeros(places, np.int64)
    n = 0
    for at in range(len(slate.rows)):
        if n == len(dealt) or places == 0:
            break
        if slate.state[at] != FREE:
            continue
        best = -1
        for place in range(places):
            fewer = best < 0 or sizes[place] < sizes[best]
            if fewer and _may(slate, caps, dealt[:n], to[:n], slate.rows[at], place, places):
                best = place
        if best >= 0:
            dealt[n], to[n] = at, best
            sizes[best] += 1
            n += 1
    return dealt[:n], to[:n]


@kernel
def _may(
    slate: Slate,
    caps: Caps,
    dealt: NDArray[np.int64],
    to: NDArray[np.int64],
    row: int,
    place: int,
    places: int,
) -> bool:
    """Whether the caps hold whatever is drawn, if an item is dealt to a place."""
    if row >= len(caps.starts):
        return True
    for j in range(caps.starts[row], caps.ends[row]):
        code = caps.codes[j]
        holding = np.zeros(places, np.bool_)
        holding[place] = True
        for i in range(len(dealt)):
            other = slate.rows[dealt[i]]
            if not holding[to[i]] and other < len(caps.starts):
                for m in range(caps.starts[other], caps.ends[other]):
                    if caps.codes[m] == code:
                        holding[to[i]] = True
        if caps.counts[code] + holding.sum() > caps.limits[code]:
            return False
    return True
