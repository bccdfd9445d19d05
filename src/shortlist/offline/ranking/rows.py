"""The ranker's training set: requests of the past, their candidates, features as of then.

Two places requests come from. Logged impressions, where the window holds enough of them that led
to an interaction: what was really shown and what came of it (`logged.py`). Otherwise events are
replayed: each is a request of the instant before it (`replay.py`). Either way retrieval is asked
through the online pipeline as of the request, so its scores never knew the label.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from shortlist.config.schema import RankerSection
from shortlist.core.progress import Progress
from shortlist.core.request import Pipeline
from shortlist.features import HISTORY, AsOf, FeatureSet
from shortlist.features.contexts import columns_of_events, columns_of_requests
from shortlist.features.contract import VectorsOf
from shortlist.features.retrieval import Fused, FusedGap, FusedRank
from shortlist.offline.data.training import TrainingData
from shortlist.offline.ranking.columns import Columns
from shortlist.offline.ranking.examples import Examples
from shortlist.offline.ranking.kinds import met_by
from shortlist.offline.ranking.logged import CLICK, ENOUGH, clicked_impressions, from_impressions
from shortlist.offline.ranking.replay import from_replay
from shortlist.release.ranking.batch import Batch, user_keys

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

AskFeast = Callable[..., "Mapping[str, ir.Table]"]
Origin = Literal["impressions", "replay"]


@dataclass(frozen=True)
class Rows:
    """What a ranker is fitted on. Requests are in order of time, rows in order of request.

    Attributes:
        features: names of the columns.
        columns: their values, one row for each candidate, without repetitions.
        label: `float32[n]`, 1 where the user went on to interact with the item, else 0.
        weight: `float32[n]`, above 0: what a row counts (inverse propensities of impressions).
        position: `int32[n]`, where the item was shown, from 0; -1 where that is not known.
        offsets: `int64[g + 1]`, the rows of each request.
        time: `int64[g]`, the instant of each request.
        origin: where the requests come from.
        user: `int32[g]`, the user row of each request.
        key: `uint64[g]`, the key of each user, as `release.ranking.batch.user_keys` gives it.
        item: `int32[n]`, catalogue rows.
        stands: `float32[n]`, how many candidates of its request a row stands for: above 1 where
            negatives were drawn from many.
        fused: `float32[n]`, the score that candidates are in order of before ranking.
        log: `int32[m]`, the items of the log, of each user in order of time.
        history: `int64[g, 2]`, the part of `log` that is each request's history.
        kinds: kinds of events that rows are told apart by; only for `multi`.
        met: `bool[kinds, n]`, whether the user went on to an event of each kind with the item.
    """

    features: tuple[str, ...]
    columns: Columns
    label: NDArray[np.float32]
    weight: NDArray[np.float32]
    position: NDArray[np.int32]
    offsets: NDArray[np.int64]
    time: NDArray[np.int64]
    origin: Origin
    user: NDArray[np.int32]
    key: NDArray[np.uint64]
    item: NDArray[np.int32]
    stands: NDArray[np.float32]
    fused: NDArray[np.float32]
    log: NDArray[np.int32]
    history: NDArray[np.int64]
    kinds: tuple[str, ...]
    met: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.label)

    @property
    def requests(self) -> int:
        """How many requests there are."""
        return len(self.time)

    @cached_property
    def x(self) -> NDArray[np.float32]:
        """The features, `float32[f, n]`, finite."""
        return self.columns.matrix()

    def part(self, start: int, stop: int) -> Rows:
        """The requests `start:stop`."""
        lines = slice(int(self.offsets[start]), int(self.offsets[stop]))
        x = self.x[:, lines]
        request = np.repeat(np.arange(stop - start), np.diff(self.offsets[start : stop + 1]))
        time = self.time[start:stop]
        return replace(
            self,
            columns=Columns.of(x, request, self.item[lines], time[request]),
            label=self.label[lines],
            weight=self.weight[lines],
            position=self.position[lines],
            offsets=self.offsets[start : stop + 1] - self.offsets[start],
            time=time,
            user=self.user[start:stop],
            key=self.key[start:stop],
            item=self.item[lines],
            stands=self.stands[lines],
            fused=self.fused[lines],
            history=self.history[start:stop],
            met=self.met[:, lines],
        )

    def batch(self, x: NDArray[np.float32] | None = None) -> Batch:
        """The rows as a ranker scores them, with other columns `float32[·, n]` if given."""
        histories = [self.log[a:b] for a, b in self.history.tolist()]
        return Batch(self.x if x is None else x, self.item, self.offsets, self.key, histories)


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
    feast: AskFeast | None = None,
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
        feast: `features.feast_history.history_of` of the project's `[feast]`, where features are
            Feast's.

    Returns:
        Rows; none (`len(rows) == 0`) where no request of the window found what its user went
        on to interact with.
    """
    rng = np.random.default_rng([seed, 0x726F7773])
    shown = clicked_impressions(impressions, data, window_start)
    origin: Origin = "impressions" if shown.clicked_requests >= ENOUGH else "replay"
    if origin == "impressions":
        progress.note(f"{shown.clicked_requests:,} clicked requests were logged: training on those")
        examples = from_impressions(
            pipeline, data, shown, config.requests, user_ids, rng, progress, config.unshown
        )
    else:
        progress.note(
            f"{shown.clicked_requests:,} clicked requests were logged, {ENOUGH:,} are needed: "
            "replaying retrieval instead"
        )
        examples = from_replay(
            pipeline, data, window_start, config.requests, user_ids, rng, progress
        )
    progress.step("features as of each request")
    kinds = tuple(config.weights) if config.objective == "multi" else ()
    vectors = {name: pipeline.vectors[name] for name in features.vectors}
    remote: Mapping[str, ir.Table] = {}
    if feast is not None and features.remote and len(examples.time):
        remote = feast(
            features.remote,
            users=[user_ids[user] for user in examples.user.tolist()],
            times=examples.time,
            request=examples.request,
            item=examples.item,
            items=data.catalogue.vocabulary.ids(),
        )
    rows = _rows(examples, data, features, origin, user_ids, kinds, vectors, remote)
    progress.note(
        f"{len(rows):,} rows of {len(features)} features take {rows.columns.bytes / 1e6:,.1f} MB; "
        f"flat they would take {rows.columns.flat_bytes / 1e6:,.1f} MB"
    )
    return rows


def _rows(
    examples: Examples,
    data: TrainingData,
    features: FeatureSet,
    origin: Origin,
    user_ids: Sequence[str],
    kinds: tuple[str, ...],
    vectors: Mapping[str, VectorsOf],
    remote: Mapping[str, ir.Table],
) -> Rows:
    x = np.empty((len(features), 0), np.float32)
    if len(examples.time):
        requests, items, x = features.matrix(_as_of(examples, data, features, vectors, remote))
        assert np.array_equal(requests, examples.request)
        assert np.array_equal(items, examples.item)
    users, times = examples.user[examples.request], examples.time[examples.request]
    ids = [user_ids[user] for user in examples.user.tolist()]
    until = times + CLICK if origin == "impressions" else np.full(len(times), data.until)
    met = [met_by(data, users, examples.item, times, until, kind) for kind in kinds]
    return Rows(
        features=features.names,
        columns=Columns.of(x, examples.request, examples.item, times),
        label=examples.label,
        weight=examples.weight,
        position=examples.position,
        offsets=np.searchsorted(examples.request, np.arange(len(examples.time) + 1)),
        time=examples.time,
        origin=origin,
        user=examples.user,
        key=user_keys(ids),
        item=examples.item,
        stands=examples.stands,
        fused=examples.fused[0],
        log=data.item,
        history=_histories(examples, data),
        kinds=kinds,
        met=np.array(met, np.bool_).reshape(len(kinds), len(examples.item)),
    )


def _histories(examples: Examples, data: TrainingData) -> NDArray[np.int64]:
    """Where in the log the newest `HISTORY` events strictly before each request are."""
    spans = np.zeros((len(examples.time), 2), np.int64)
    starts = np.searchsorted(data.user, np.arange(data.users + 1))
    for g, (user, time) in enumerate(zip(examples.user, examples.time, strict=True)):
        start, stop = starts[user], starts[user + 1]
        stop = start + np.searchsorted(data.time[start:stop], time, "left")
        spans[g] = max(start, stop - HISTORY), stop
    return spans


def event_table(data: TrainingData, contexts: Sequence[str]) -> pa.Table:
    """`AsOf.log` of the events, with the contexts of these names."""
    import pyarrow as pa

    return pa.table(
        {
            "user": data.user,
            "item": data.item,
            "time": data.time,
            "kind": data.kind_codes().astype(np.int64),
            "weight": data.weight.astype(np.float64),
            **columns_of_events(contexts, data.context),
        }
    )


def _as_of(
    examples: Examples,
    data: TrainingData,
    features: FeatureSet,
    vectors: Mapping[str, VectorsOf],
    remote: Mapping[str, ir.Table],
) -> AsOf:
    """The tables that features are joined from, on DuckDB."""
    import ibis
    import pyarrow as pa

    from shortlist.features.offline import catalogue_table, others_of, users_of

    log = event_table(data, features.contexts)
    requests = pa.table(
        {
            "request": np.arange(len(examples.time)),
            "user": examples.user,
            "time": examples.time,
            **columns_of_requests(features.contexts, examples.context, data.context.terms),
        }
    )
    columns: dict[str, NDArray[np.int64] | NDArray[np.int32] | NDArray[np.float32]] = {
        "request": examples.request,
        "item": examples.item,
    }
    for n, name in enumerate((Fused().name, FusedRank().name, FusedGap().name)):
        columns[name] = examples.fused[n]
    for n, source in enumerate(examples.sources):
        columns[f"score:{source}"] = examples.scores[n]
        columns[f"rank:{source}"] = examples.ranks[n]
    asked = np.unique(examples.user)
    if features.groups:  # everybody's events count
        asked = np.arange(data.users, dtype=np.int32)
    keys = data.user_keys[asked] if data.user_table is not None else data.user_keys
    return AsOf(
        log=ibis.memtable(log),
        requests=ibis.memtable(requests),
        candidates=ibis.memtable(pa.table(columns)),
        catalogue=ibis.memtable(
            catalogue_table(data.catalogue, features.attributes, features.texts)
        ),
        users=users_of(features, data.user_table, asked, keys),
        others=others_of(features, data.others),
        vectors=vectors,
        remote=remote,
    )
