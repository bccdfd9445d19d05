"""The ranker's training set: requests of the past, their candidates, features as of then.

Two places requests come from. Logged impressions, where the window holds enough of them that led
to an interaction: what was really shown and what came of it (`logged.py`). Otherwise events are
replayed: each is a request of the instant before it (`replay.py`). Either way retrieval is asked
through the online pipeline as of the request, so its scores never knew the label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shortlist.config.schema import RankerSection
from shortlist.core.progress import Progress
from shortlist.core.request import Pipeline
from shortlist.features import AsOf, FeatureSet
from shortlist.offline.data.training import TrainingData
from shortlist.offline.ranking.examples import Examples
from shortlist.offline.ranking.logged import ENOUGH, clicked_impressions, from_impressions
from shortlist.offline.ranking.replay import from_replay

Origin = Literal["impressions", "replay"]


@dataclass(frozen=True)
class Rows:
    """What a ranker is fitted on. Requests are in order of time, rows in order of request.

    Attributes:
        features: names of the columns.
        x: `float32[f, n]`, finite.
        label: `float32[n]`, 1 where the user went on to interact with the item, else 0.
        weight: `float32[n]`, above 0: what a row counts (inverse propensities of impressions).
        position: `int32[n]`, where the item was shown, from 0; -1 where that is not known.
        offsets: `int64[g + 1]`, the rows of each request.
        time: `int64[g]`, the instant of each request.
        origin: where the requests come from.
    """

    features: tuple[str, ...]
    x: NDArray[np.float32]
    label: NDArray[np.float32]
    weight: NDArray[np.float32]
    position: NDArray[np.int32]
    offsets: NDArray[np.int64]
    time: NDArray[np.int64]
    origin: Origin

    def __len__(self) -> int:
        return len(self.label)

    @property
    def requests(self) -> int:
        """How many requests there are."""
        return len(self.time)


def training_rows(
    pipeline: Pipeline,
    data: TrainingData,
    impressions: Path,
    window_start: int,
    config: RankerSection,
    features: FeatureSet,
    user_ids: Sequence[str],
    seed: int,
    progress: Progress,
) -> Rows:
    """Training rows of the requests in `[window_start, data.until)`.

    Args:
        pipeline: the online request path over retrievers fitted before `window_start`, its
            histories holding the whole of `data`.
        data: interactions up to the end of the window.
        impressions: `impressions.parquet` of `prepared/`; it may have no rows.
        window_start: the instant that the retrievers know nothing from, microseconds.
        config: `requests` bounds the requests.
        features: the columns.
        user_ids: the id of each user row.
        seed: what sampling starts from.
        progress: told of the steps.

    Returns:
        Rows; none (`len(rows) == 0`) where no request of the window found what its user went
        on to interact with.
    """
    rng = np.random.default_rng([seed, 0x726F7773])
    shown = clicked_impressions(impressions, data, window_start)
    origin: Origin = "impressions" if shown.clicked_requests >= ENOUGH else "replay"
    if origin == "impressions":
        progress.note(f"{shown.clicked_requests:,} clicked requests were logged: training on those")
        examples = from_impressions(pipeline, data, shown, config.requests, user_ids, rng, progress)
    else:
        progress.note(
            f"{shown.clicked_requests:,} clicked requests were logged, {ENOUGH:,} are needed: "
            "replaying retrieval instead"
        )
        examples = from_replay(
            pipeline, data, window_start, config.requests, user_ids, rng, progress
        )
    progress.step("features as of each request")
    return _rows(examples, data, features, origin)


def _rows(examples: Examples, data: TrainingData, features: FeatureSet, origin: Origin) -> Rows:
    x = np.empty((len(features), 0), np.float32)
    if len(examples.time):
        requests, items, x = features.matrix(_as_of(examples, data, features.attributes))
        assert np.array_equal(requests, examples.request)
        assert np.array_equal(items, examples.item)
    return Rows(
        features=features.names,
        x=x,
        label=examples.label,
        weight=examples.weight,
        position=examples.position,
        offsets=np.searchsorted(examples.request, np.arange(len(examples.time) + 1)),
        time=examples.time,
        origin=origin,
    )


def _as_of(examples: Examples, data: TrainingData, attributes: Sequence[str]) -> AsOf:
    """The tables that features are joined from, on DuckDB."""
    import ibis
    import pyarrow as pa

    from shortlist.features.offline import catalogue_table

    log = pa.table({"user": data.user, "item": data.item, "time": data.time})
    requests = pa.table(
        {
            "request": np.arange(len(examples.time)),
            "user": examples.user,
            "time": examples.time,
        }
    )
    columns: dict[str, NDArray[np.int64] | NDArray[np.int32] | NDArray[np.float32]] = {
        "request": examples.request,
        "item": examples.item,
    }
    for n, source in enumerate(examples.sources):
        columns[f"score:{source}"] = examples.scores[n]
        columns[f"rank:{source}"] = examples.ranks[n]
    catalogue = catalogue_table(data.catalogue, attributes)
    return AsOf(*(ibis.memtable(t) for t in (log, requests, pa.table(columns), catalogue)))
