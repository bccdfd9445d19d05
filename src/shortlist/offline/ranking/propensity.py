"""How likely a position is looked at, from logged impressions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

POSITIONS = 50
"""Positions from here on share one estimate."""
FLOOR = 0.1
"""No position is taken to be looked at less often than this, which bounds weights at 10."""
PRIOR = 5.0
"""Imagined views of each item and position at the average rate: few views say little."""


@dataclass(frozen=True)
class Clicks:
    """A click has the chance examined(position) · attractive(item).

    Attributes:
        examined: `float64[min(POSITIONS, largest position + 1)]`, relative to the likeliest, at
            least `FLOOR`; ones where nothing was clicked.
        attractive: `float64[largest item + 1]`; that of an item that was never shown is the mean.
        rate: that mean.
    """

    examined: NDArray[np.float64]
    attractive: NDArray[np.float64]
    rate: float

    def looks(self, position: NDArray[np.int32]) -> NDArray[np.float64]:
        """The chance that positions are examined; 1 for one that is not known (negative)."""
        near = np.minimum(position, len(self.examined) - 1)
        return np.where(position >= 0, self.examined[near], 1.0)

    def likes(self, item: NDArray[np.int32]) -> NDArray[np.float64]:
        """How attractive items are."""
        near = np.minimum(item, len(self.attractive) - 1)
        return np.where(item < len(self.attractive), self.attractive[near], self.rate)


def click_model(
    item: NDArray[np.int32],
    position: NDArray[np.int32],
    clicked: NDArray[np.bool_],
    rounds: int = 50,
) -> Clicks:
    """Tell what positions do to clicks from what items do.

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
    """
    known = position >= 0
    if not known.any():
        return Clicks(np.ones(1), np.zeros(1), 0.0)
    place = np.minimum(position[known], POSITIONS - 1)
    thing = item[known]
    click = clicked[known].astype(np.float64)
    n = int(place.max()) + 1
    rate = float(click.mean())
    if rate == 0:
        return Clicks(np.ones(n), np.zeros(1), 0.0)
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
    shown = np.bincount(thing, minlength=len(attractive)) > 0
    attractive[~shown] = attractive[shown].mean()
    return Clicks(np.maximum(examined, FLOOR), attractive, float(attractive[shown].mean()))


def propensities(
    item: NDArray[np.int32], position: NDArray[np.int32], clicked: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """`Clicks.examined` of `click_model`."""
    return click_model(item, position, clicked).examined
