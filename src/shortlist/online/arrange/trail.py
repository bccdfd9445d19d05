"""Where arranging moved each candidate, and by which rule: the `arranged` part of `explain`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from shortlist.online.arrange.fill import DIVERSE, EXPLORED, FRESH, PAST_CAPPED

_WORDS = {
    FRESH: "freshness",
    DIVERSE: "diversity",
    PAST_CAPPED: "max_per",
    EXPLORED: "exploration",
}


class Trail:
    """The places of one request's candidates after each step.

    Args:
        order: `int64[n]`, the candidates, best first by score.
    """

    def __init__(self, order: NDArray[np.int64]) -> None:
        self._ranked = _places(order)
        self._steps: list[tuple[str, NDArray[np.bool_], NDArray[np.int64]]] = []

    def step(self, rule: str, moved: NDArray[np.int64], order: NDArray[np.int64]) -> None:
        """A rule held for the candidates `moved`, and this is the order after it."""
        touched = np.zeros(len(order), np.bool_)
        touched[moved] = True
        self._steps.append((rule, touched, _places(order)))

    def told(
        self,
        chosen: NDArray[np.int64],
        reasons: NDArray[np.int8],
        pins: Mapping[int, str],
        chances: NDArray[np.float32] | None,
    ) -> list[dict[str, float]]:
        """What happened to each candidate that is shown.

        `ranked` is its place by score; then each rule that held for it with its place after the
        rule, in the order of the rules; last what put it where it is now. An item that only makes
        way for others has `ranked` alone. What was drawn has its `propensity`.

        Args:
            chosen: `int64[m]`, the candidates in the order shown.
            reasons: `int8[m]`.
            pins: shown place → the name of the pin that gave it away.
            chances: `float32[m]`.
        """
        told = []
        for place, candidate in enumerate(chosen.tolist()):
            what: dict[str, float] = {"ranked": int(self._ranked[candidate])}
            for rule, touched, places in self._steps:
                if touched[candidate]:
                    what[rule] = int(places[candidate])
            word = f"pin:{pins[place]}" if place in pins else _WORDS.get(int(reasons[place]))
            if word:
                what[word] = place
            if chances is not None and reasons[place] == EXPLORED:
                what["propensity"] = float(chances[place])
            told.append(what)
        return told


def _places(order: NDArray[np.int64]) -> NDArray[np.int64]:
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    return places
