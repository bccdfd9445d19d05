"""Requests that were really made: logged impressions and what came of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from shortlist.core.context import COLUMN, NO_CONTEXTS, Contexts
from shortlist.core.errors import DataError
from shortlist.core.progress import Progress
from shortlist.core.request import Candidates, Pipeline, Request
from shortlist.core.times import DAY
from shortlist.offline.data.prepared import contexts_of
from shortlist.offline.data.training import TrainingData
from shortlist.offline.ranking.examples import BATCH, Example, Examples, columns_of
from shortlist.offline.ranking.propensity import FLOOR, propensities

ENOUGH = 1_000
"""Fewer clicked requests than this do not make a training set."""
CLICK = DAY
"""An interaction this soon after an impression is taken to come of it, or of the last one before,
where the item was shown to the user again."""


@dataclass(frozen=True)
class Impressions:
    """Shown items by request; requests in order of time.

    Attributes:
        user, time: one value per request: the user's row, when the first item was shown.
        offsets: `int64[g + 1]`, the lines of each request.
        item: `int32[n]`, each once in a request.
        position: `int32[n]` from 0; -1 where it was not logged.
        clicked: `bool[n]`, whether the user interacted with the item within `CLICK`, and before
            being shown it again.
        propensity: `float32[n]`, the chance that it was shown there; NaN where it was not logged.
        variants: experiment → variant of each request; empty outside all experiments.
        context: that of each request.
    """

    user: NDArray[np.int32]
    time: NDArray[np.int64]
    offsets: NDArray[np.int64]
    item: NDArray[np.int32]
    position: NDArray[np.int32]
    clicked: NDArray[np.bool_]
    propensity: NDArray[np.float32]
    variants: Sequence[Mapping[str, str]]
    context: Contexts = NO_CONTEXTS

    @property
    def led(self) -> NDArray[np.int64]:
        """The requests that led to an interaction."""
        clicks = np.concatenate([[0], np.cumsum(self.clicked)])
        return np.flatnonzero(clicks[self.offsets[1:]] > clicks[self.offsets[:-1]])

    @property
    def clicked_requests(self) -> int:
        """How many requests led to an interaction."""
        return len(self.led)

    def request(self, g: int, user_ids: Sequence[str], k: int = 10) -> Request:
        """A request as it was made, for `k` items."""
        user, now = user_ids[self.user[g]], int(self.time[g])
        return Request(user=user, now=now, k=k, context=self.context.at(g))


def clicked_impressions(path: Path, data: TrainingData, start: int) -> Impressions:
    """The impressions of `[start, data.until)` with what came of them, by an Ibis expression.

    Args:
        path: `impressions.parquet` of `prepared/`.
        data: the interactions.
        start: microseconds.

    Raises:
        DataError: the variants of an impression are not experiment → variant.
    """
    import ibis
    import pyarrow as pa

    engine = ibis.duckdb.connect()
    lines = engine.read_parquet(str(path))
    lines = lines.filter((lines.time >= start) & (lines.time < data.until))
    # A line without a request id belongs to what the user was shown at that instant.
    name = lines.request.nullif("").fill_null(ibis.literal("at ") + lines.time.cast("string"))
    lines = lines.mutate(request=name)
    contexts = [COLUMN + name for name in data.context.terms]
    shown = lines.group_by(["user", "request", "item"]).agg(
        time=lines.time.min(),
        position=lines.position.min(),
        propensity=lines.propensity.min(),
        variants=lines.variants.min(),
        **{column: lines[column].min() for column in contexts},
    )
    again = ibis.window(group_by=["user", "item"], order_by=["time", "request"])
    shown = shown.mutate(
        until=ibis.least(shown.time.lead().over(again).fill_null(data.until), shown.time + CLICK)
    )
    table = pa.table({"user": data.user, "item": data.item, "time": data.time})
    log = ibis.memtable(table)
    log = log.select("user", "item", met=log.time)
    met = shown.join(
        log,
        [
            "user",
            "item",
            log.met >= shown.time,
            log.met < shown.until,
        ],
    )
    met = met.select("user", "request", "item").distinct().mutate(clicked=True)
    shown = shown.left_join(met, ["user", "request", "item"])
    began = ibis.window(group_by=["user", "request"])
    shown = shown.select(
        "user",
        "request",
        "item",
        began=shown.time.min().over(began),
        position=shown.position.fill_null(-1),
        clicked=shown.clicked.fill_null(False),
        propensity=shown.propensity,
        variants=shown.variants.fill_null(""),
        **{column: shown[column].min().over(began) for column in contexts},
    ).order_by(["began", "user", "request", "item"])
    number = ibis.dense_rank().over(order_by=[shown.began, shown.user, shown.request])
    lines = shown.mutate(number=number).drop("request").to_pyarrow()
    engine.disconnect()
    told = lines.column("variants").dictionary_encode().combine_chunks()
    context = contexts_of(
        {name: lines.column(COLUMN + name).dictionary_encode() for name in data.context.terms},
        data.context.terms,
    )
    columns = {name: of.to_numpy() for name, of in zip(lines.column_names, lines, strict=True)}
    number = columns["number"]
    groups = int(number[-1]) + 1 if len(number) else 0
    offsets = np.searchsorted(number, np.arange(groups + 1))
    return Impressions(
        user=columns["user"][offsets[:-1]].astype(np.int32),
        time=columns["began"][offsets[:-1]].astype(np.int64),
        offsets=offsets,
        item=columns["item"].astype(np.int32),
        position=columns["position"].astype(np.int32),
        clicked=columns["clicked"].astype(np.bool_),
        propensity=columns["propensity"].astype(np.float32),
        variants=_variants(told.dictionary.to_pylist(), told.indices.to_numpy()[offsets[:-1]]),
        context=context[offsets[:-1]],
    )


def _variants(texts: Sequence[str], place: NDArray[np.integer]) -> list[Mapping[str, str]]:
    """What `[data.events]` or a server logged, decoded once for each different text."""
    decoded: list[Mapping[str, str]] = []
    for text in texts:
        try:
            decoded.append(msgspec.json.decode(text, type=dict[str, str]) if text else {})
        except msgspec.DecodeError as error:
            raise DataError(
                f"{text[:80]!r} does not say the variants of experiments.",
                remedy='Write {"experiment": "variant"}, or leave it empty.',
                where="data.events.variants",
            ) from error
    return [decoded[n] for n in place.tolist()]


def from_impressions(
    pipeline: Pipeline,
    data: TrainingData,
    shown: Impressions,
    requests: int,
    user_ids: Sequence[str],
    rng: np.random.Generator,
    progress: Progress,
    unshown: int,
) -> Examples:
    """Examples of the requests that led to an interaction, at most `requests` of them, at random.

    Clicked items weigh the inverse of their position's propensity (Joachims et al., WSDM 2017),
    and what was drawn by lot, clicked or not, the inverse of the chance it had. A product of the
    two below `FLOOR` counts as that, which bounds weights (Ionides 2008).
    At most `unshown` candidates that were not shown, drawn evenly, join each as negatives: online,
    the ranker has to push hundreds of such candidates down, and what a page showed alone would not
    teach it to. But nobody passed them over: where what was shown had little to do with taste, a
    ranker learns from them what the old policy used to show instead of what is liked.
    """
    chance = propensities(shown.item, shown.position, shown.clicked)
    picked = shown.led
    if len(picked) > requests:
        picked = rng.choice(picked, requests, replace=False)
    picked = np.sort(picked)
    starts = np.searchsorted(data.user, np.arange(data.users + 1))
    examples = []
    progress.step("logged requests", len(picked))
    for batch in range(0, len(picked), BATCH):
        numbers = picked[batch : batch + BATCH]
        asked = [shown.request(g, user_ids) for g in numbers.tolist()]
        for g, found in zip(numbers, pipeline.fused(asked), strict=True):
            user, time = int(shown.user[g]), int(shown.time[g])
            own = slice(starts[user], starts[user + 1])
            near = (data.time[own] >= time) & (data.time[own] < time + CLICK)
            lines = slice(shown.offsets[g], shown.offsets[g + 1])
            examples.append(
                _example(shown, g, lines, *found, data.item[own][near], chance, rng, unshown)
            )
        progress.advance(len(numbers))
    return Examples.of(examples)


def _example(
    shown: Impressions,
    g: int,
    lines: slice,
    candidates: Candidates,
    fused: NDArray[np.float32],
    met: NDArray[np.int32],
    chance: NDArray[np.float64],
    rng: np.random.Generator,
    unshown: int,
) -> Example:
    rest = candidates.rows[~np.isin(candidates.rows, np.concatenate([shown.item[lines], met]))]
    of = len(rest)
    if of > unshown:
        rest = rng.choice(rest, unshown, replace=False)
    item = np.concatenate([shown.item[lines], rest])
    position = np.concatenate([shown.position[lines], np.full(len(rest), -1, np.int32)])
    clicked = np.concatenate([shown.clicked[lines], np.zeros(len(rest), np.bool_)])
    seen = np.ones(len(item))
    looked = clicked & (position >= 0)
    seen[looked] = chance[np.minimum(position[looked], len(chance) - 1)]
    seen[: len(item) - len(rest)] *= np.nan_to_num(shown.propensity[lines], nan=1.0)
    weight = (1 / np.maximum(seen, FLOOR)).astype(np.float32)
    stands = np.ones(len(item), np.float32)
    stands[len(item) - len(rest) :] = of / max(len(rest), 1)
    scores, ranks, places = columns_of(candidates, fused, item)
    return Example(
        user=int(shown.user[g]),
        time=int(shown.time[g]),
        item=item,
        label=clicked.astype(np.float32),
        weight=weight,
        position=position,
        scores=scores,
        ranks=ranks,
        fused=places,
        stands=stands,
        sources=candidates.sources,
        context=shown.context.at(g),
    )
