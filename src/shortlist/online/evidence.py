"""What fusion knows of each candidate: the sources' opinions, and how it is linked to the history.

The one place where these numbers are made: fusion is learned from what this file gives for
replayed requests, and serves on what it gives for live ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shortlist.core.jit import kernel
from shortlist.core.request import Candidates
from shortlist.online.query import Query
from shortlist.online.retrieval.contract import Found
from shortlist.online.snapshot import Snapshot
from shortlist.release.artefacts import ItemToItem, PopularLists

PLACES = 200
"""A place from here on in a source's list is as good as none."""
TOP = 50
"""A source's scores are measured against the mean and the spread of its first so many."""
SEEDS = 20
"""So many of the newest items of a history are looked at for links."""
CLIP = 10.0
LEAST = 1e-6

DOTS = (".vector", ".encoder", ".factors")
"""Names of sources end in their kind; the scores of these are logits already, or alike."""

_PER_SOURCE = ("score", "place", "strength")
_LINKS = ("newest", "second", "back", "count", "nearest", "most")
_OTHER = ("popularity", "history", "consensus")


class Evidence:
    """Evidence on candidates, over one release.

    Args:
        sources: names of the sources, in the order of their lists.
        popular: the release's popularity.
        links: neighbours of items, where the release has them; links to the history come from
            them.
    """

    def __init__(
        self, sources: Sequence[str], popular: PopularLists, links: ItemToItem | None
    ) -> None:
        self._links = links
        self._items = len(popular.order)
        self._dots = [source.endswith(DOTS) for source in sources]
        self._popularity = np.empty(len(popular.order), np.float32)
        self._popularity[popular.order] = -np.log1p(np.arange(len(popular.order)))
        self._place: NDArray[np.int32] = np.full(len(popular.order), -1, np.int32)
        self.names: tuple[str, ...] = (
            *(f"{kind}:{source}" for source in sources for kind in _PER_SOURCE),
            *(f"link:{kind}" for kind in _LINKS if links is not None),
            *_OTHER,
        )

    def grow(self, size: int) -> None:
        """Have room for `size` rows; further ones are as popular as the last of the release."""
        more = size - len(self._place)
        if more > 0:
            more = max(more, len(self._place) // 8)
            least = np.float32(-np.log1p(self._items))
            self._popularity = np.concatenate([self._popularity, np.full(more, least)])
            self._place = np.concatenate([self._place, np.full(more, -1, np.int32)])

    def __call__(
        self,
        query: Query,
        lists: Sequence[Found],
        k: int,
        found: Candidates,
        consensus: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """The evidence on every candidate, `float32[names, n]`.

        Args:
            query: the request.
            lists: what each source found.
            k: how many each was asked for; a shorter list is all the source has.
            found: the candidates.
            consensus: `float32[n]`, their reciprocal rank fusion.
        """
        out = np.zeros((len(self.names), len(found.rows)), np.float32)
        line = 0
        for s, (_, scores) in enumerate(lists):
            kept, ranks, exhausted = found.scores[s], found.ranks[s], len(scores) < k
            _opinion(scores, exhausted, self._dots[s], kept, ranks, out[line : line + 3])
            line += 3
        if self._links is not None:
            seeds = query.seeds[:SEEDS]
            linked = out[line : line + len(_LINKS)]
            _link(
                self._links.neighbours, self._links.scores, seeds, found.rows, self._place, linked
            )
            line += len(_LINKS)
        out[line] = self._popularity[found.rows]
        out[line + 1] = np.log1p(len(query.seeds))
        out[line + 2] = consensus
        return out


def evidence_of(snapshot: Snapshot, sources: Sequence[str]) -> Evidence:
    """Evidence over a release; links come from the first item-to-item map of its manifest."""
    popular = next(a for a in snapshot.artefacts.values() if isinstance(a, PopularLists))
    maps = [snapshot.artefacts.get(entry.folder) for entry in snapshot.manifest.artefacts]
    links = next((map for map in maps if isinstance(map, ItemToItem)), None)
    return Evidence(sources, popular, links)


@kernel
def _opinion(
    scores: NDArray[np.float32],
    exhausted: bool,
    dots: bool,
    kept: NDArray[np.float32],
    ranks: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """One source's standardised score, log place and strength of each candidate.

    Strength is the score of a dot product, and of sums of counts its log.

    A candidate that the source did not return counts as just below the last that it did, or as
    scored 0 where the source had no more to return.
    """
    n = len(scores)
    top = min(n, TOP)
    mean = 0.0
    for i in range(top):
        mean += scores[i]
    mean /= max(top, 1)
    spread = 0.0
    for i in range(top):
        spread += (scores[i] - mean) ** 2
    spread = np.sqrt(spread / max(top, 1)) + 1e-9 * (1 + abs(mean))
    floor = np.float64(scores[min(n, PLACES) - 1]) if n else 0.0
    if exhausted and n < PLACES:
        floor = min(floor, 0.0)
    for i in range(len(kept)):
        there = ranks[i] > 1.0 / (PLACES + 0.5)
        value = np.float64(kept[i]) if there else floor
        out[0, i] = min(max((value - mean) / spread, -CLIP), CLIP) if n else 0.0
        out[1, i] = np.log(1.0 / ranks[i]) if there else np.log(PLACES + 1.0)
        out[2, i] = value if dots else np.log(max(value, LEAST))


@kernel
def _link(
    neighbours: NDArray[np.int32],
    scores: NDArray[np.float32],
    seeds: NDArray[np.int32],
    rows: NDArray[np.int32],
    place: NDArray[np.int32],
    out: NDArray[np.float32],
) -> None:
    """How the seeds link to each row and the row back; `place` is -1 before and after."""
    for i in range(len(rows)):
        place[rows[i]] = i
        out[4, i] = len(seeds) + 1
    for s in range(len(seeds)):
        for j in range(neighbours.shape[1]):
            row = neighbours[seeds[s], j]
            if row < 0:
                break
            i = place[row]
            if i < 0:
                continue
            value = np.sqrt(max(scores[seeds[s], j], np.float32(0)))
            if s < 2:
                out[s, i] = value
            out[3, i] += 1
            out[4, i] = min(out[4, i], np.float32(s + 1))
            out[5, i] = max(out[5, i], value)
    for i in range(len(rows)):
        place[rows[i]] = -1
        if len(seeds) and rows[i] < len(neighbours):
            for j in range(neighbours.shape[1]):
                if neighbours[rows[i], j] == seeds[0]:
                    out[2, i] = np.sqrt(max(scores[rows[i], j], np.float32(0)))
                    break
