"""A search ranker from the query log: what people clicked of what they searched for.

Retrievers are fitted on what is before a window; queries of the window are asked again as of
their instant, through the online search. The ranker sees what was known then, and never the
click itself.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shortlist.config.schema import Config
from shortlist.core.progress import Progress
from shortlist.core.search import Measured, SearchRequest
from shortlist.offline.data.query_log import QueryLog
from shortlist.offline.data.split import newest_part
from shortlist.offline.data.training import TrainingData
from shortlist.offline.ranking import lightgbm_trees
from shortlist.offline.ranking.sets import VALIDATION, Set, ndcg
from shortlist.offline.replay import Replay
from shortlist.release.publish import Releases
from shortlist.release.tree_scores import score
from shortlist.release.trees import Trees
from shortlist.stores.contract import HistoryReader

FEWEST = 100
"""Queries with a click below which the default fusion stays."""
NEGATIVES = 60
BATCH = 64
DEFAULT = "weighted"
"""The line of the measured numbers that holds the default fusion's score."""


class SearchReplay(Protocol):
    """The online search as the offline side sees it."""

    def measured(self, requests: Sequence[SearchRequest]) -> list[Measured]:
        """What a ranker may know of each search's candidates."""
        ...


OpenSearch = Callable[[Path, HistoryReader], SearchReplay | None]
"""Opens the search of a release's folder; None where its catalogue has no words."""


@dataclass(frozen=True)
class _Asked:
    """Searches and the rows that were clicked of each."""

    requests: list[SearchRequest]
    clicked: list[NDArray[np.int32]]


def learn_search_ranker(
    config: Config,
    project: Path,
    data: TrainingData,
    users: list[str],
    open_search: OpenSearch,
    build: Callable[..., str],
    progress: Progress,
    notes: list[str],
) -> Trees | None:
    """Trees that rank better than the default fusion on the newest queries; None without.

    Args:
        config: `[search]` and `[ranker]`, which has the sizes of the trees.
        project: the project's folder.
        data: the log, the catalogue and the query log.
        users: ids of user rows.
        open_search: the online search over a release.
        build: `offline.pipeline.build`.
        progress: told of each step.
        notes: given what is worth knowing.
    """
    log = data.queries.clicked() if data.queries is not None else None
    if log is None or not config.search.ranker:
        return None
    if len(log) < FEWEST:
        notes.append(
            f"Search: {len(log)} queries with a click are too few to rank by; {FEWEST} are needed."
        )
        return None
    timed = bool((log.time > np.iinfo(np.int64).min).all())
    start = newest_part(log.time, config.ranker.window) if timed else data.until
    asked = _asked(log, start if timed else None)
    if len(asked.requests) < FEWEST:
        notes.append(
            f"Search: {len(asked.requests)} queries with a click are in the window of the ranker, "
            f"too few to rank by; {FEWEST} are needed."
        )
        return None
    with tempfile.TemporaryDirectory(prefix="shortlist-") as scratch:
        folder = Path(scratch)
        with Releases(folder).draft() as draft:
            id = build(config, data.before(start), draft, progress, project=project)
        replay = Replay(data, users, config.serve.history_size)
        search = open_search(folder / id, replay)
        if search is None:
            return None
        names, parts = _rows(search, asked, config.project.seed, progress)
    if len(parts) < FEWEST:
        notes.append(
            f"Search: {len(parts)} clicks were among what is found, too few to rank by; "
            f"{FEWEST} are needed."
        )
        return None
    cut = len(parts) - max(1, int(len(parts) * VALIDATION))
    old, new = _set(parts[:cut]), _set(parts[cut:])
    trees, _ = lightgbm_trees.train(
        old, new, names, config.ranker, True, config.project.seed, progress
    )
    scores = _scores(trees, new)
    ours = ndcg(scores, new.label, new.offsets)
    default = ndcg(new.x[names.index(DEFAULT)], new.label, new.offsets)
    told = f"nDCG@10 {ours:.3f} on the newest queries, the default fusion has {default:.3f}"
    if ours <= default:
        notes.append(f"Search: fused by weights; a ranker from {cut} queries has {told}.")
        return None
    notes.append(f"Search ranker: {len(trees)} trees from {cut} queries with a click; {told}.")
    return trees


def _asked(log: QueryLog, start: int | None) -> _Asked:
    """The searches of the window, in order of time, with all that was clicked of each."""
    chosen: dict[tuple[int, int, int, str], list[int]] = {}
    columns = (log.query.tolist(), log.user.tolist(), log.time.tolist(), log.item.tolist())
    for row, (query, user, time, item) in enumerate(zip(*columns, strict=True)):
        if start is None or time >= start:
            chosen.setdefault((query, user, time, log.place_of(row)), []).append(item)
    requests = [
        SearchRequest(
            log.texts[query],
            user=log.user_of(user),
            k=1,
            now=time if start is not None else 0,
            highlight=False,
            place=place,
        )
        for query, user, time, place in chosen
    ]
    return _Asked(requests, [np.array(items, np.int32) for items in chosen.values()])


_Part = tuple[NDArray[np.float32], NDArray[np.float32]]
"""The numbers of some candidates, `float32[f, n]`, and which were clicked, `float32[n]`."""


def _rows(
    search: SearchReplay, asked: _Asked, seed: int, progress: Progress
) -> tuple[tuple[str, ...], list[_Part]]:
    rng = np.random.default_rng([seed, 0x5EA])
    parts: list[_Part] = []
    names: tuple[str, ...] = ()
    progress.step("replayed queries", len(asked.requests))
    for at in range(0, len(asked.requests), BATCH):
        batch = asked.requests[at : at + BATCH]
        clicked = asked.clicked[at : at + BATCH]
        for measured, wanted in zip(search.measured(batch), clicked, strict=True):
            names = measured.names
            hit = np.isin(measured.rows, wanted)
            others = np.flatnonzero(~hit)
            if hit.any() and len(others):
                if len(others) > NEGATIVES:
                    others = rng.choice(others, NEGATIVES, replace=False)
                keep = np.sort(np.concatenate([np.flatnonzero(hit), others]))
                parts.append((measured.values[:, keep], hit[keep].astype(np.float32)))
        progress.advance(len(batch))
    return names, parts


def _set(parts: list[_Part]) -> Set:
    label = np.concatenate([label for _, label in parts])
    offsets = np.zeros(len(parts) + 1, np.int64)
    np.cumsum([len(label) for _, label in parts], out=offsets[1:])
    x = np.concatenate([x for x, _ in parts], axis=1)
    return Set(x, label, np.ones(len(label), np.float32), offsets)


def _scores(trees: Trees, rows: Set) -> NDArray[np.float32]:
    out = np.empty(len(rows.label), np.float32)
    score(trees, np.ascontiguousarray(rows.x), out)
    return out
