"""`transitions`: which items follow which, counted with decay and normalised by popularity.

The item-to-item co-occurrence of Linden, Smith and York, "Amazon.com recommendations" (IEEE
Internet Computing 2003), made directed and decayed as sequential rules are (Kamehkhosh, Jannach
and Ludewig, "A comparison of frequent pattern techniques and a deep learning method for
session-based recommendation", RecTemp 2017, section 2.3: a pair counts the inverse of its
distance), with the popularity damping of Deshpande and Karypis, "Item-based top-N recommendation
algorithms" (TOIS 2004, section 4.1.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.config.schema import TransitionsRetriever
from shortlist.core.jit import kernel
from shortlist.core.progress import Progress
from shortlist.core.times import DAY, parse_span
from shortlist.offline.data.training import TrainingData
from shortlist.offline.retrieval.histories import (
    Sequences,
    has_sessions,
    histories,
    postings,
    sessions,
)
from shortlist.offline.retrieval.lists import keep_best, list_length, packed
from shortlist.offline.retrieval.validation import FEWEST, LastOut, choose, leave_last_out
from shortlist.offline.retrieval.validation import ndcg_of_lists as ndcg
from shortlist.release.artefacts import Artefact

DEFAULTS: dict[str, Any] = {
    "reach": 20,
    "distance": 0.5,
    "back": 0.25,
    "power": 0.4,
    "target_power": 0.1,
    "damping": 0.85,
    "decay": 0.6,
    "within": "history",
    "half_life": "none",
}
"""What `auto` starts from; the middle of what was best on logs of goods and of films."""

_GRID: dict[str, list[Any]] = {
    "within": ["history", "session"],
    "decay": [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
    "back": [0.0, 0.1, 0.25, 0.5, 1.0],
    "reach": [3, 5, 10, 20, 40],
    "distance": [0.25, 0.5, 0.75, 1.0, 1.5],
    "power": [0.2, 0.3, 0.4, 0.5, 0.7, 0.9],
    "target_power": [0.0, 0.1, 0.2, 0.3],
    "damping": [0.5, 0.7, 0.85, 1.0],
}
_HALF_LIVES = (2, 4, 8)
"""`auto` tries the log's span divided by these."""


def fit(
    data: TrainingData, config: TransitionsRetriever, seed: int, progress: Progress
) -> dict[str, Artefact]:
    """An item-to-item map of decayed, directed co-occurrence.

    `F[i, j]` sums `d ** -distance` (times the geometric mean of the two events' weights, each
    halved per `half_life` of age) over the pairs in which `j` comes `d` events after `i`, `d` up
    to `reach`. The score of `j` for `i` is
    `((F[i, j] + back F[j, i]) ** damping) / (n_i ** power  n_j ** target_power)` with `n` the
    items' popularity. Settings left at `auto` are chosen by coordinate search on the last items
    of a sample of users, which that search does not learn from.

    Args:
        data: the interactions.
        config: settings.
        seed: of the sample.
        progress: a step for the search and one for the map; notes what was chosen.

    Returns:
        `item_to_item`: an `ItemToItem`.
    """
    data = data.frequent()
    asked = {name: getattr(config, name) for name in DEFAULTS}
    settings = {name: DEFAULTS[name] if asked[name] == "auto" else asked[name] for name in asked}
    open_ = [name for name in asked if asked[name] == "auto"]
    length = list_length(data.items, config.neighbours)
    if open_:
        settings = _chosen(data, settings, open_, config.history, length, seed, progress)
    progress.step("transitions: map")
    every = np.arange(data.items, dtype=np.int32)
    starts, lengths, targets, scores = _lists(data, settings, every, length)
    neighbours = np.full((data.items, length), -1, np.int32)
    padded = np.zeros((data.items, length), np.float32)
    _pad(starts, lengths, targets, scores, neighbours, padded)
    return {"item_to_item": packed(neighbours, padded, settings["decay"], config.history)}


def _chosen(
    data: TrainingData,
    start: dict[str, Any],
    names: list[str],
    history: int,
    length: int,
    seed: int,
    progress: Progress,
) -> dict[str, Any]:
    held = leave_last_out(data, seed)
    progress.step("transitions: settings")
    if len(held) < FEWEST:
        progress.note(
            f"transitions: {len(held)} users have a last item to choose settings by, fewer than "
            f"{FEWEST}; kept {_said(start, names)}."
        )
        return start
    span = int(data.time.max() - data.time.min()) // DAY
    spans = [f"{span // part}d" for part in _HALF_LIVES if span // part > 0]
    grid = {name: _GRID[name] for name in _GRID if name in names}
    if not has_sessions(data):
        grid.pop("within", None)
    if "half_life" in names:
        grid["half_life"] = ["none", *spans]
    rows = np.unique(_newest(held, history))

    def measure(settings: Mapping[str, Any]) -> float:
        lists = _lists(held.data, settings, rows, length, ordered=False)
        return float(
            ndcg(*lists, settings["decay"], history, held.offsets, held.items, held.targets)
        )

    best, value, first = choose(start, grid, measure)
    progress.note(
        f"transitions: chose {_said(best, list(grid))} on the last items of {len(held):,} users "
        f"(nDCG@10 {value:.4f}; {first:.4f} before)."
    )
    return best


def _said(settings: Mapping[str, Any], names: list[str]) -> str:
    return ", ".join(f"{name} {settings[name]}" for name in names)


def _newest(held: LastOut, history: int) -> NDArray[np.int32]:
    """The items among the newest of each history that is asked."""
    from_end = np.repeat(held.offsets[1:], np.diff(held.offsets)) - np.arange(len(held.items))
    return held.items[from_end <= history]


def _lists(
    data: TrainingData,
    settings: Mapping[str, Any],
    rows: NDArray[np.int32],
    length: int,
    *,
    ordered: bool = True,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """The lists of some items: starts and lengths of every item, neighbours, scores."""
    runs: Sequences = (sessions if settings["within"] == "session" else histories)(data)
    strength = data.weight.astype(np.float64)
    if settings["half_life"] != "none":
        strength *= np.exp2((data.time - data.until) / parse_span(settings["half_life"]))
    offsets, places = postings(data.item, data.items)
    reach = settings["reach"]
    room = np.zeros(data.items, np.int64)
    room[rows] = np.minimum(length, 2 * reach * np.diff(offsets)[rows])
    starts = np.cumsum(room) - room
    targets = np.empty(int(room.sum()), np.int32)
    scores = np.empty(len(targets), np.float32)
    lengths = np.zeros(data.items, np.int64)
    popularity = np.bincount(data.item, strength, minlength=data.items)
    with np.errstate(divide="ignore"):
        _count(
            rows,
            runs.offsets,
            runs.owner,
            data.item,
            np.sqrt(strength),
            offsets,
            places,
            np.arange(1, reach + 1) ** -float(settings["distance"]),
            float(settings["back"]),
            popularity ** -settings["power"],
            popularity ** -settings["target_power"],
            float(settings["damping"]),
            ordered,
            starts,
            room,
            targets,
            scores,
            lengths,
        )
    return starts, lengths, targets, scores


@kernel
def _count(
    wanted: NDArray[np.int32],
    runs: NDArray[np.int64],
    owner: NDArray[np.int32],
    items: NDArray[np.int32],
    root: NDArray[np.float64],
    offsets: NDArray[np.int64],
    places: NDArray[np.int64],
    near: NDArray[np.float64],
    back: float,
    row_scale: NDArray[np.float64],
    column_scale: NDArray[np.float64],
    damping: float,
    ordered: bool,
    starts: NDArray[np.int64],
    room: NDArray[np.int64],
    targets: NDArray[np.int32],
    scores: NDArray[np.float32],
    lengths: NDArray[np.int64],
) -> None:
    """Count what is near each wanted item, scale, and keep the best."""
    n = len(row_scale)
    sums = np.zeros(n)
    touched = np.empty(n, np.int32)
    for item in wanted:
        count = 0
        for o in range(offsets[item], offsets[item + 1]):
            p = places[o]
            run = owner[p]
            last = min(runs[run + 1], p + len(near) + 1)
            first = max(runs[run], p - len(near)) if back > 0 else p
            for q in range(first, last):
                j = items[q]
                if j == item:
                    continue
                weight = near[q - p - 1] if q > p else back * near[p - q - 1]
                if sums[j] == 0:
                    touched[count] = j
                    count += 1
                # Never 0, so that an item is touched once however faint a pair is.
                sums[j] += max(weight * root[p] * root[q], 1e-300)
        values = np.empty(count)
        for c in range(count):
            j = touched[c]
            values[c] = sums[j] ** damping * row_scale[item] * column_scale[j]
            sums[j] = 0
        here = slice(starts[item], starts[item] + room[item])
        lengths[item] = keep_best(
            touched[:count], values, values, targets[here], scores[here], ordered
        )


@kernel
def _pad(
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    targets: NDArray[np.int32],
    scores: NDArray[np.float32],
    neighbours: NDArray[np.int32],
    padded: NDArray[np.float32],
) -> None:
    for item in range(len(starts)):
        for k in range(lengths[item]):
            neighbours[item, k] = targets[starts[item] + k]
            padded[item, k] = scores[starts[item] + k]
