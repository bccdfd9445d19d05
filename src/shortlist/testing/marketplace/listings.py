"""What is for sale: listings with a product, a price, a place and a text in one language."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from shortlist.testing.marketplace.words import (
    COLOURS,
    CONDITIONS,
    HANDOVERS,
    LANGUAGES,
    PLACES,
    PRODUCTS,
    REASONS,
    TITLES,
)

CATEGORIES = tuple(PRODUCTS)
PRODUCTS_PER_CATEGORY = 8
MEDIAN_PRICES = np.array([product[3] for products in PRODUCTS.values() for product in products])
PLACE_NAMES = tuple(name for places in PLACES.values() for name, _, _ in places)
PLACE_LANGUAGE = np.repeat(np.arange(len(LANGUAGES)), [len(places) for places in PLACES.values()])
LANGUAGE_SHARE = (0.5, 0.25, 0.25)
_WHERE = np.array([(east, north) for places in PLACES.values() for _, east, north in places])


def nearness() -> NDArray[np.float32]:
    """How near places are, `float32[places, places]`: 1 for the same, e^-1 at 80 kilometres."""
    apart = np.linalg.norm(_WHERE[:, None] - _WHERE[None, :], axis=2)
    near: NDArray[np.float32] = np.exp(-apart / 80).astype(np.float32)
    return near


def places(rng: np.random.Generator, n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Languages and places of n users or listings; the first places of a language are larger."""
    language = rng.choice(len(LANGUAGES), n, p=LANGUAGE_SHARE)
    per_language = len(PLACE_NAMES) // len(LANGUAGES)
    size = 1 / np.arange(1, per_language + 1)
    place = rng.choice(per_language, n, p=size / size.sum())
    return language, language * per_language + place


@dataclass(frozen=True)
class Listings:
    """Every listing of the world as columns, in order of `listed`.

    Attributes:
        product: `int64[n]`, numbered through all categories.
        price: `float64[n]`, dollars.
        place: `int64[n]`, into `PLACE_NAMES`.
        language: `int64[n]`, into `LANGUAGES`.
        condition: `int64[n]`, into `CONDITIONS`.
        handover: `bool[n, 3]`, which of `HANDOVERS`.
        listed: `int64[n]`, microseconds.
        lifetime: `int64[n]`, microseconds after which a listing that was not sold ends.
        draw: `int64[n, 4]`, what composes the text: title, colour, phrase, reason.
    """

    product: NDArray[np.int64]
    price: NDArray[np.float64]
    place: NDArray[np.int64]
    language: NDArray[np.int64]
    condition: NDArray[np.int64]
    handover: NDArray[np.bool_]
    listed: NDArray[np.int64]
    lifetime: NDArray[np.int64]
    draw: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.product)

    @cached_property
    def category(self) -> NDArray[np.int64]:
        """Categories, `int64[n]` into `CATEGORIES`."""
        return self.product // PRODUCTS_PER_CATEGORY

    @cached_property
    def price_level(self) -> NDArray[np.float32]:
        """The logarithm of the price over the product's median, `float32[n]`."""
        level: NDArray[np.float32] = np.log(self.price / MEDIAN_PRICES[self.product]).astype("f4")
        return level

    def texts(self) -> tuple[list[str], list[str]]:
        """Titles and descriptions, composed from the words of the listing's language."""
        products = [product for products in PRODUCTS.values() for product in products]
        conditions = list(CONDITIONS.values())
        titles, descriptions = [], []
        for i in range(len(self)):
            language = int(self.language[i])
            title, colour, phrase, reason = self.draw[i].tolist()
            words = {
                "product": str(products[self.product[i]][language]),
                "colour": COLOURS[colour][language],
                "condition": conditions[self.condition[i]][phrase][language],
                "place": PLACE_NAMES[self.place[i]],
            }
            text = TITLES[title][language].format(**words)
            titles.append(text[0].upper() + text[1:])
            descriptions.append(_description(words, language, reason, self.handover[i]))
        return titles, descriptions


def _description(
    words: dict[str, str], language: int, reason: int, handover: NDArray[np.bool_]
) -> str:
    opening = (
        "{product}입니다. 색상은 {colour}, {condition}.",
        "{product}, {colour}, {condition}.",
        "{product}です。{colour}もので、{condition}です。",
    )[language].format(**words)
    ways = [
        way[language] for way, offered in zip(HANDOVERS.values(), handover, strict=True) if offered
    ]
    sentences = [opening[0].upper() + opening[1:], REASONS[reason][language], *ways]
    return ("" if language == LANGUAGES.index("ja") else " ").join(sentences).format(**words)


def make_listings(
    rng: np.random.Generator, n: int, start: int, until: int, lifetime: int
) -> Listings:
    """n listings that appear from `start` to `until`, each for about `lifetime`."""
    language, place = places(rng, n)
    popular = rng.permutation(len(MEDIAN_PRICES))
    share = 1 / (10 + popular)
    product = rng.choice(len(MEDIAN_PRICES), n, p=share / share.sum())
    condition = rng.choice(len(CONDITIONS), n, p=(0.1, 0.3, 0.4, 0.2))
    worth = np.array([1.25, 1.05, 0.95, 0.7])[condition]
    price = MEDIAN_PRICES[product] * worth * rng.lognormal(0, 0.35, n)
    handover = rng.random((n, len(HANDOVERS))) < (0.8, 0.5, 0.35)
    handover[~handover[:, :2].any(axis=1), 0] = True
    draw = np.stack(
        [rng.integers(0, m, n) for m in (len(TITLES), len(COLOURS), 2, len(REASONS))], axis=1
    )
    return Listings(
        product=product,
        price=np.maximum(np.round(price), 1.0),
        place=place,
        language=language,
        condition=condition,
        handover=handover,
        listed=np.sort(rng.integers(start, until, n)),
        lifetime=(lifetime * rng.uniform(0.5, 1.5, n)).astype(np.int64),
        draw=draw,
    )
