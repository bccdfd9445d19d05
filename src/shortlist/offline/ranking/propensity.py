"""How likely a position is looked at, from logged impressions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

POSITIONS = 50
"""Positions from here on share one estimate."""
FLOOR = 0.1
"""No position is taken to be looked at less often than this, which bounds weights at 10."""
PRIOR = 5.0
"""Imagined views of each item and position at the average rate: few views say little."""


def propensities(
    item: NDArray[np.int32],
    position: NDArray[np.int32],
    clicked: NDArray[np.bool_],
    rounds: int = 50,
) -> NDArray[np.float64]:
    """The chance that each position is examined, relative to the likeliest, at least `FLOOR`.

    The position-based model (Richardson et al., WWW 2007; Joachims et al., WSDM 2017): a click
    has the chance examined(position) · attractive(item). Both factors are fitted in turns by
    their Poisson maximum likelihood, each with a prior of `PRIOR` views. An item shown at several
    positions is what tells the factors apart; where items always keep their position, the
    estimate leans to the prior.

    Args:
        item: `int32[n]` rows of shown items.
        position: `int32[n]` from 0; negative where not known (these are passed over).
        clicked: `bool[n]`.
        rounds: turns.

    Returns:
        `float64[min(POSITIONS, largest position + 1)]`; ones where nothing was clicked.
    """
    known = position >= 0
    if not known.any():
        return np.ones(1)
    place = np.minimum(position[known], POSITIONS - 1)
    thing = item[known]
    click = clicked[known].astype(np.float64)
    n = int(place.max()) + 1
    rate = click.mean()
    if rate == 0:
        return np.ones(n)
    clicks_at = np.bincount(place, click, n)
    clicks_of = np.bincount(thing, click)
    examined = np.ones(n)
    attractive = np.full(len(clicks_of), rate)
    for _ in range(rounds):
        expected = np.bincount(thing, examined[place], len(clicks_of))
        attractive = (clicks_of + PRIOR * rate) / (expected + PRIOR)
        expected = np.bincount(place, attractive[thing], n)
        examined = (clicks_at + PRIOR * rate) / (expected + PRIOR * rate)
        examined /= examined.max()
    return np.asarray(np.maximum(examined, FLOOR))
