"""What users want: the true utility that the simulation acts on and that evaluation may ask for.

utility = taste · style + appeal − price misfit + nearness + language

The taste of a user turns slowly from one direction to another while the world lasts; everything
else about a user stays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist.testing.marketplace.listings import (
    CATEGORIES,
    MEDIAN_PRICES,
    PLACE_LANGUAGE,
    PRODUCTS_PER_CATEGORY,
    Listings,
    nearness,
    places,
)
from shortlist.testing.marketplace.words import LANGUAGES

DIM = 16
"""Length of taste and style vectors."""


@dataclass(frozen=True)
class Tastes:
    """Users as columns, and the styles of all listings.

    Attributes:
        start, until: the world's span, microseconds.
        taste: `float32[users, 2, DIM]`, the taste at the start and the one it turns toward.
        turn: `float32[users]`, how far it has turned at the end, radians.
        price_level: `float32[users]`, the log ratio to the median price that suits best.
        place: `int64[users]`.
        language: `int64[users]`.
        fluency: `float32[users, languages]`, 0 to 1.
        activity: `float64[users]`, the share of the world's sessions; sums to 1.
        themes: `float32[categories, DIM]`, the direction of each category.
        style: `float32[listings, DIM]`.
        appeal: `float32[listings]`, what everybody likes or dislikes about a listing.
    """

    start: int
    until: int
    taste: NDArray[np.float32]
    turn: NDArray[np.float32]
    price_level: NDArray[np.float32]
    place: NDArray[np.int64]
    language: NDArray[np.int64]
    fluency: NDArray[np.float32]
    activity: NDArray[np.float64]
    themes: NDArray[np.float32]
    style: NDArray[np.float32]
    appeal: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.place)

    def taste_at(self, users: NDArray[np.int64], time: int) -> NDArray[np.float32]:
        """Tastes of users at an instant, `float32[len(users), DIM]`."""
        share = (time - self.start) / (self.until - self.start)
        angle = (self.turn[users] * share)[:, None]
        one, other = self.taste[users, 0], self.taste[users, 1]
        turned: NDArray[np.float32] = np.cos(angle) * one + np.sin(angle) * other
        return turned

    def utility(
        self,
        users: NDArray[np.int64],
        listings: Listings,
        rows: NDArray[np.int64],
        time: int,
        intent: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """The utility of listings for users, `float32[len(users), len(rows)]`.

        `intent`, `float32[len(users), DIM]`, is what a session is after, on top of the taste.
        """
        wanted = self.taste_at(users, time)
        if intent is not None:
            wanted = wanted + intent
        utility = wanted @ self.style[rows].T
        utility += self.appeal[rows]
        misfit = listings.price_level[rows] - self.price_level[users][:, None]
        utility -= 0.8 * misfit * misfit
        utility += 0.8 * nearness()[self.place[users][:, None], listings.place[rows]]
        utility -= 2.5 * (1 - self.fluency[users[:, None], listings.language[rows]])
        return utility


def make_tastes(
    rng: np.random.Generator, users: int, listings: Listings, start: int, until: int
) -> Tastes:
    """Tastes over categories (two or three favourites), products, prices, places and languages."""
    themes = _unit(rng.standard_normal((len(CATEGORIES), DIM)))
    own = _unit(rng.standard_normal((len(MEDIAN_PRICES), DIM)))
    products = _unit(np.repeat(themes, PRODUCTS_PER_CATEGORY, axis=0) + 0.6 * own)
    noise = rng.standard_normal((len(listings), DIM)) / np.sqrt(DIM)
    language, place = places(rng, users)
    fluency = np.where(rng.random((users, len(LANGUAGES))) < 0.1, 0.6, 0.0)
    fluency[np.arange(users), language] = 1.0
    assert (PLACE_LANGUAGE[place] == language).all()
    activity = rng.gamma(0.8, 1.0, users) + 0.05
    return Tastes(
        start=start,
        until=until,
        taste=np.stack([_favourites(rng, users, themes, products) for _ in range(2)], axis=1),
        turn=rng.gamma(2.0, 0.3, users).clip(0, np.pi / 2).astype(np.float32),
        price_level=rng.normal(-0.1, 0.35, users).astype(np.float32),
        place=place,
        language=language,
        fluency=fluency.astype(np.float32),
        activity=activity / activity.sum(),
        themes=themes,
        style=(products[listings.product] + 0.5 * noise).astype(np.float32),
        appeal=(0.5 * rng.standard_normal(len(listings))).astype(np.float32),
    )


def _favourites(
    rng: np.random.Generator,
    users: int,
    themes: NDArray[np.float32],
    products: NDArray[np.float32],
) -> NDArray[np.float32]:
    weights = rng.dirichlet(np.full(len(themes), 0.25), users)
    favourite = products[rng.integers(0, len(products), users)]
    return 2.7 * _unit(weights @ themes + 0.4 * favourite)


def _unit(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(
        np.float32
    )
    return unit
