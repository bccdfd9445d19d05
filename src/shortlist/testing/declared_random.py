"""Random worlds of declared features."""

from __future__ import annotations

import math

import numpy as np

from shortlist.core.times import DAY, HOUR
from shortlist.testing.declared import DeclaredWorld, Happening
from shortlist.testing.declared_sections import KINDS, START, UNCOUNTED, Person


def declared_world(
    seed: int, *, users: int, items: int, events: int, asks: int, days: int = 6
) -> DeclaredWorld:
    """A world with ties in time, missing values, repeats, new users and new items."""
    rng = np.random.default_rng(seed)
    names = ["book", "car", "café", "책"]
    when = START + rng.integers(0, days * 24 * 4, events) * (HOUR // 4)
    who = np.minimum(rng.geometric(3 / users, events) - 1, users - 2)
    what = np.minimum(rng.geometric(4 / items, events) - 1, items - 2)

    def ask() -> tuple[int, int, list[int]]:
        n = int(rng.integers(0, events))
        time = int(when[n] + rng.choice([0, 0, 1, HOUR]))
        picked = rng.choice(items, size=min(items, 6), replace=False)
        return int(rng.choice([who[n], users - 1])), time, [int(item) for item in picked]

    own = np.random.default_rng([seed, 1])

    def context() -> dict[str, str]:
        told = {"device": str(own.choice(["ios", "web", "tv"])), "page": str(own.choice(names))}
        return {name: value for name, value in told.items() if own.random() < 0.7}

    def person() -> Person:
        return Person(
            float(rng.integers(10, 90)) if rng.random() < 0.7 else None,
            START - int(rng.integers(DAY)) if rng.random() < 0.7 else None,
            str(rng.choice(names)) if rng.random() < 0.7 else None,
            [str(t) for t in rng.choice(names, rng.integers(0, 4))],
        )

    return DeclaredWorld(
        others=[
            Happening(
                int(rng.integers(users)),
                int(rng.integers(items)),
                int(t),
                str(rng.choice(UNCOUNTED)),
                context(),
            )
            for t in START + rng.integers(0, days * 24 * 4, events) * (HOUR // 4)
        ],
        people=[person() for _ in range(users - 2)],
        events=[
            Happening(int(u), int(i), int(t), str(k), context())
            for u, i, t, k in zip(who, what, when, rng.choice(KINDS, events), strict=True)
        ],
        kinds=[None if rng.random() < 0.2 else str(rng.choice(names)) for _ in range(items)],
        tags=[[str(t) for t in rng.choice(names, rng.integers(0, 4))] for _ in range(items)],
        prices=[
            None if rng.random() < 0.3 else float(rng.choice([0, 9.99, math.inf, rng.normal()]))
            for _ in range(items)
        ],
        made=[None if rng.random() < 0.3 else START - int(rng.integers(DAY)) for _ in range(items)],
        asks=[ask() for _ in range(asks)],
        contexts=[context() | ({"device": "new"} if n % 7 == 6 else {}) for n in range(asks)],
    )
