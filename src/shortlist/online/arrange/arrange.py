"""From scored candidates to the list that is shown.

`Arrange.__call__` is the whole of it: order by score, boost, blend, pin, fill, explore.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shortlist.config.arrange import ArrangeSection, BlendSection
from shortlist.core.bitmap import Bitmap, held, holds
from shortlist.core.catalogue import Catalogue
from shortlist.core.errors import ConfigError, did_you_mean
from shortlist.core.order import best_first
from shortlist.core.request import Candidates
from shortlist.core.vocabulary import UNKNOWN
from shortlist.features.contract import VectorsOf
from shortlist.online.arrange.alike import Alike
from shortlist.online.arrange.blend import blend
from shortlist.online.arrange.caps import caps_of, clear
from shortlist.online.arrange.explore import explore
from shortlist.online.arrange.fill import FREE, Slate, fill, pin
from shortlist.online.arrange.freshness import Freshness
from shortlist.online.arrange.lists import Lists
from shortlist.online.arrange.relevance import boost, relevance_of
from shortlist.online.arrange.rules import Pin, boosts_of, boosts_over, pins_of, pins_over
from shortlist.online.arrange.trail import Trail
from shortlist.online.live import Live
from shortlist.online.lots import lot_of
from shortlist.online.query import Query


@dataclass(frozen=True, slots=True)
class Arranged:
    """A list.

    Attributes:
        chosen: `int64[m]`, the candidates to show, in their order.
        propensities: `float32[m]`, the chance that each was shown at its place, given the
            request; None where nothing is explored.
        told: per item what moved it (see `Trail.told`), where the request wants explanations and
            there are rules.
    """

    chosen: NDArray[np.int64]
    propensities: NDArray[np.float32] | None = None
    told: list[dict[str, float]] = field(default_factory=list)


class Arrange:
    """The rules of `[arrange]` over one release.

    Args:
        catalogue: its items.
        section: the rules.
        vectors: retriever → its item vectors.
        retrievers: the names that `arrange.blend` may use.
        seed: of what is drawn by lot.

    Raises:
        ConfigError: a rule names something that the release does not have.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        section: ArrangeSection,
        vectors: Mapping[str, VectorsOf],
        retrievers: frozenset[str] = frozenset(),
        seed: int = 0,
    ) -> None:
        self._section, self._seed = section, seed
        self._capped = Lists.of(catalogue, section.max_per, "arrange.max_per")
        self._caps = caps_of(self._capped, section.max_per)
        self._boosts = self._boosts_of_release = boosts_of(catalogue, section.boosts)
        self._pins = self._pins_of_release = pins_of(catalogue, section.pins)
        self._alike = Alike(catalogue, section.diversity, vectors)
        self._freshness = Freshness(catalogue, section.freshness)
        if section.blend is not None:
            _check_names(section.blend, retrievers)
        self._plain = section == ArrangeSection(seen=section.seen)
        if not self._plain:
            self._compile()

    def follow(self, live: Live) -> None:
        """Take the items over that were written at the last refresh; costs what they are."""
        for row, body in live.changed.items():
            self._capped.write(row, body.attributes)
            self._alike.write(row, body.attributes)
        section = self._section
        self._caps = caps_of(self._capped, section.max_per)
        self._boosts = boosts_over(self._boosts_of_release, section.boosts, live)
        self._pins = pins_over(self._pins_of_release, section.pins, live)
        self._freshness.follow(live)

    def bring(
        self, query: Query, candidates: Candidates, fused: NDArray[np.float32]
    ) -> tuple[Candidates, NDArray[np.float32]]:
        """Candidates with the pinned items that the request may see and retrieval did not find.

        They come last, with the lowest fused score, found by no source; a ranker scores them like
        the others.
        """
        rows = [pinned.row for pinned in self._holding(query) if pinned.row >= 0]
        more = np.array(
            [row for row in dict.fromkeys(rows) if _may_see(query, candidates, row)], np.int32
        )
        if not len(more):
            return candidates, fused
        sources, m = len(candidates.sources), len(more)
        nothing = np.zeros((sources, m), np.float32)
        lowest = np.full(m, fused.min() if len(fused) else 0, np.float32)
        return (
            Candidates(
                np.concatenate([candidates.rows, more]),
                np.concatenate([candidates.scores, nothing], axis=1),
                np.concatenate([candidates.ranks, nothing], axis=1),
                candidates.sources,
            ),
            np.concatenate([fused, lowest]),
        )

    def __call__(
        self, query: Query, candidates: Candidates, scores: NDArray[np.float32]
    ) -> Arranged:
        """The list of one request.

        Equal scores keep the order they came in. A list is shorter than k when the caps leave no
        more. Neighbours of an item are not pinned, explored or blended.

        Args:
            query: the request.
            candidates: n of them; whatever is there may be shown.
            scores: `float32[n]`, no NaN.
        """
        request = query.request
        if self._plain:
            return Arranged(best_first(scores, request.k))
        feed = request.item is None
        order = best_first(scores)
        trail = Trail(order) if request.explain else None
        order, relevance = self._boosted(query, candidates, scores, order, trail)
        if feed and self._section.blend is not None:
            order = self._blended(query, candidates, order, self._section.blend, trail)
        drawing = self._section.exploration if feed and request.user else None
        slate = _slate(request.k, candidates.rows[order], relevance)
        pins = self._pin(slate, query)
        if drawing is not None:
            _leave(slate, drawing.positions)
        fresh, quota, of = self._freshness.of(slate, query.now)
        method, strength, heads, likeness = self._alike.of(slate)
        fill(slate, self._caps, fresh, quota, of, method, strength, heads, likeness)
        chances = None
        if drawing is not None:
            seed = f"{self._seed}\0{request.user}\0{query.now}"
            chances = explore(slate, self._caps, drawing, seed)
        if len(self._caps.limits):
            clear(self._caps, slate.rows[slate.places[slate.places >= 0]])
        kept = np.flatnonzero(slate.places >= 0)
        chosen = order[slate.places[kept]]
        if chances is not None:
            chances = chances[kept]
        if trail is None:
            return Arranged(chosen, chances)
        names = {n: pins[place] for n, place in enumerate(kept.tolist()) if place in pins}
        return Arranged(chosen, chances, trail.told(chosen, slate.reasons[kept], names, chances))

    def _boosted(
        self,
        query: Query,
        candidates: Candidates,
        scores: NDArray[np.float32],
        order: NDArray[np.int64],
        trail: Trail | None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The order after boosts, and the relevance of candidates in it."""
        relevance = relevance_of(scores, order)
        rows = candidates.rows[order]
        changed = 0
        for rule in self._boosts:
            if rule.window.holds(query.now):
                changed += boost(rows, rule.where, rule.multiply, rule.add, relevance)
                if trail is not None:
                    moved = order[held(rule.where, rows)]
                    trail.step(f"boost:{rule.name}", moved, order[best_first(relevance)])
        if not changed:
            return order, relevance
        again = best_first(relevance)
        return order[again], relevance[again]

    def _blended(
        self,
        query: Query,
        candidates: Candidates,
        order: NDArray[np.int64],
        section: BlendSection,
        trail: Trail | None,
    ) -> NDArray[np.int64]:
        """The order after blending. Relevance stays with the places."""
        found = np.zeros((len(section.shares), len(order)), np.bool_)
        for number, retriever in enumerate(section.shares):
            for source, ranks in zip(candidates.sources, candidates.ranks, strict=True):
                if source == retriever or source.startswith(f"{retriever}."):
                    found[number] |= ranks[order] > 0
        lots = np.empty(0)
        if section.method == "draft":
            bits = lot_of(f"{self._seed}\0{query.request.user}\0{query.now}")
            lots = np.random.default_rng([self._seed, int(bits * 2**53)]).random(len(order))
        taken, turns = blend(found, np.array([*section.shares.values()], np.float64), lots)
        if trail is not None:
            for number, retriever in enumerate(section.shares):
                trail.step(f"blend:{retriever}", order[taken[turns == number]], order[taken])
        return order[taken]

    def _compile(self) -> None:
        """Run the kernels that a first request may not reach, so that no later one waits."""
        slate = _slate(1, np.zeros(1, np.int32), np.ones(1, np.float32))
        nothing: Bitmap = np.zeros(1, np.uint8)
        boost(slate.rows, nothing, 1.0, 0.0, slate.relevance)
        held(nothing, slate.rows)
        pin(slate, self._caps, 0, UNKNOWN, nothing)
        if self._section.exploration is not None:
            slate.exploring[0] = True
            explore(slate, self._caps, self._section.exploration, "")

    def _holding(self, query: Query) -> list[Pin]:
        """The pins that hold for a request, in their order."""
        if query.request.item is not None:
            return []
        return [
            rule
            for rule in self._pins
            if rule.position < query.request.k and rule.window.holds(query.now)
        ]

    def _pin(self, slate: Slate, query: Query) -> dict[int, str]:
        """Give places away; place → name of the pin."""
        given = {}
        for rule in self._holding(query):
            if rule.position < len(slate.places) and pin(
                slate, self._caps, rule.position, rule.row, rule.where
            ):
                given[rule.position] = rule.name
        return given


def _slate(k: int, rows: NDArray[np.int32], relevance: NDArray[np.float32]) -> Slate:
    """An empty list of k places, or as many as there are candidates."""
    places = min(k, len(rows))
    return Slate(
        rows,
        relevance,
        np.full(len(rows), FREE, np.int8),
        np.full(places, -1, np.int64),
        np.zeros(places, np.int8),
        np.zeros(places, np.bool_),
    )


def _leave(slate: Slate, positions: list[int]) -> None:
    """Leave places that are not pinned for exploration."""
    for position in positions:
        if position < len(slate.places) and slate.places[position] < 0:
            slate.exploring[position] = True


def _may_see(query: Query, candidates: Candidates, row: int) -> bool:
    """Whether a row is allowed to the request and not among its candidates."""
    return (
        holds(query.allow, row)
        and not (query.banned == row).any()
        and not (candidates.rows == row).any()
    )


def _check_names(section: BlendSection, retrievers: frozenset[str]) -> None:
    for name in section.shares:
        if name not in retrievers:
            raise ConfigError(
                f"the release has no retriever {name!r}.",
                remedy=did_you_mean(name, retrievers),
                where="arrange.blend.shares",
            )
