"""What every model has to beat: plain popularity, and the item that usually follows the last one.

Both are fitted on what is before the split, are asked the same requests with the same histories as
the pipeline, and leave out seen, unavailable and expired items as it does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist.core.catalogue import Catalogue
from shortlist.core.jit import kernel
from shortlist.offline.data.training import TrainingData
from shortlist.offline.evaluate.ragged import Ragged
from shortlist.offline.evaluate.requests import Asked


@dataclass(frozen=True)
class Lists:
    """The answers of a baseline.

    Attributes:
        rows: `int32[q, k]`, best first, -1 past the end.
        scores: `float64[q, k]`, descending, -inf past the end.
    """

    rows: NDArray[np.int32]
    scores: NDArray[np.float64]


def popular(before: TrainingData, asked: Asked, k: int, seen_allowed: bool = False) -> Lists:
    """The items with the most interactions, equal ones by row.

    Args:
        before: the interactions before the split.
        asked: the requests.
        k: how many items to return.
        seen_allowed: whether items of the history may be returned.
    """
    nobody = Ragged(np.zeros(len(asked) + 1, np.int64), np.empty(0, np.int32))
    return _answer(before, asked, nobody, np.empty(0), k, seen_allowed)


def markov(before: TrainingData, asked: Asked, k: int, seen_allowed: bool = False) -> Lists:
    """The items that most often came next after the newest item of the history.

    First-order transitions between neighbouring, different items of a user's sequence; equal
    counts by popularity. After them, and for a history whose newest item nothing followed, the
    popular items. Arguments as for `popular`.
    """
    items = before.items
    next_of = (before.user[1:] == before.user[:-1]) & (before.item[1:] != before.item[:-1])
    source, target = before.item[:-1][next_of], before.item[1:][next_of]
    pairs, counts = np.unique(source.astype(np.int64) * items + target, return_counts=True)
    source, target = (pairs // items).astype(np.int32), (pairs % items).astype(np.int32)
    # Popularity breaks ties and can never outweigh one transition.
    scores = 1 + counts + _popularity(before)[target] / (len(before) + 1)
    order = np.lexsort((target, -scores, source))
    offsets = np.searchsorted(source, np.arange(items + 1))

    lengths = asked.history.lengths
    last = np.full(len(asked), -1)
    last[lengths > 0] = asked.history.values[asked.history.offsets[1:][lengths > 0] - 1]
    heads = [order[offsets[i] : offsets[i + 1]] if i >= 0 else order[:0] for i in last.tolist()]
    picked = np.concatenate(heads) if heads else order[:0]
    first = Ragged.of([target[head] for head in heads])
    return _answer(before, asked, first, scores[picked], k, seen_allowed)


def _popularity(before: TrainingData) -> NDArray[np.int64]:
    return np.bincount(before.item, minlength=before.items)


def _answer(
    before: TrainingData,
    asked: Asked,
    first: Ragged,
    first_scores: NDArray[np.float64],
    k: int,
    seen_allowed: bool,
) -> Lists:
    """For each request what is in `first`, then the popular items, without what must not show."""
    counts = _popularity(before)
    order = np.argsort(-counts, kind="stable").astype(np.int32)
    catalogue: Catalogue = before.catalogue
    rows = np.full((len(asked), k), -1, np.int32)
    scores = np.full((len(asked), k), -np.inf)
    _fill(
        first.offsets,
        first.values,
        first_scores,
        order,
        counts[order] / (len(before) + 1),
        asked.history.offsets,
        asked.history.values,
        not seen_allowed,
        np.ascontiguousarray(catalogue.available),
        np.ascontiguousarray(catalogue.expires),
        asked.now,
        rows,
        scores,
    )
    return Lists(rows, scores)


@kernel
def _fill(
    first_offsets: NDArray[np.int64],
    first: NDArray[np.int32],
    first_scores: NDArray[np.float64],
    order: NDArray[np.int32],
    order_scores: NDArray[np.float64],
    history_offsets: NDArray[np.int64],
    history: NDArray[np.int32],
    hide_seen: bool,
    available: NDArray[np.bool_],
    expires: NDArray[np.int64],
    now: NDArray[np.int64],
    rows: NDArray[np.int32],
    scores: NDArray[np.float64],
) -> None:
    used = np.full(len(order), -1, np.int64)  # the last request that each row is done with
    k = rows.shape[1]
    for q in range(len(now)):
        if hide_seen:
            for h in range(history_offsets[q], history_offsets[q + 1]):
                used[history[h]] = q
        n = 0
        head = first_offsets[q + 1] - first_offsets[q]
        for i in range(head + len(order)):
            if n == k:
                break
            if i < head:
                row = first[first_offsets[q] + i]
                score = first_scores[first_offsets[q] + i]
            else:
                row = order[i - head]
                score = order_scores[i - head]
            if used[row] == q or not available[row] or expires[row] <= now[q]:
                continue
            used[row] = q
            rows[q, n] = row
            scores[q, n] = score
            n += 1
