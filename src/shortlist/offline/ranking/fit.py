"""Fit the ranker that the configuration asks for, and say how good it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist.config.schema import RankerSection
from shortlist.core.errors import DataError
from shortlist.core.progress import Progress
from shortlist.offline.ranking.boosted import fit_trees
from shortlist.offline.ranking.calibrate import calibrate
from shortlist.offline.ranking.cascade import second_rows
from shortlist.offline.ranking.glmix import Halves, fit_glmix
from shortlist.offline.ranking.rows import Rows
from shortlist.offline.ranking.sets import cut_of, ndcg
from shortlist.release.ranking.cascade import Cascade
from shortlist.release.ranking.glmix import Glmix
from shortlist.release.ranking.models import Model, Ranker, Second
from shortlist.release.ranking.neural import Graph
from shortlist.release.ranking.scorers import Scorer, scorer_of
from shortlist.release.trees import Trees

FEWEST = 20
"""Requests below which nothing is fitted."""


@dataclass(frozen=True)
class FitReport:
    """What training found out; plain values, for the manifest.

    Attributes:
        kind: of the ranker.
        origin: where the requests came from, `impressions` or `replay`.
        requests, rows, positives: the size of the training set, validation included.
        ndcg: nDCG@10 on the validation requests, among their rows.
        fused: that of the fused order that the ranker starts from.
        size: of the model, in words.
        importance: share of each feature, largest first: of the total gain `boosted`, else of
            what the validation loses when the feature is shuffled.
    """

    kind: str
    origin: str
    requests: int
    rows: int
    positives: int
    ndcg: float
    fused: float
    size: str
    importance: dict[str, float]

    def __str__(self) -> str:
        """The report in three sentences."""
        most = ", ".join(list(self.importance)[:5])
        return (
            f"Ranker ({self.kind}): {self.size} from {self.requests:,} requests of {self.origin} "
            f"({self.rows:,} rows, {self.positives:,} interactions), nDCG@10 {self.ndcg:.3f} on "
            f"the newest of them. The fused order alone has {self.fused:.3f}. It goes most by "
            f"{most}."
        )


def fit(
    rows: Rows,
    config: RankerSection,
    seed: int,
    progress: Progress,
    previous: Model | None = None,
    graph: Callable[[], Graph] | None = None,
) -> tuple[Ranker, FitReport]:
    """Fit a ranker; the same rows, configuration and seed give the same one.

    The newest requests decide how long to train, are what the report is measured on, and what a
    calibration is fitted on.

    Args:
        rows: the training set.
        config: `kind` is not `none`.
        seed: what randomness starts from.
        progress: told of the steps.
        previous: the model of the release that serves, for `glmix` to start from.
        graph: what is known of the items, for `relational`.

    Raises:
        DataError: fewer than `FEWEST` requests, or no interaction to learn from.
    """
    positives = int(rows.label.sum())
    if rows.requests < FEWEST or positives == 0:
        raise DataError(
            f"a ranker needs {FEWEST} requests with an interaction among their candidates; the "
            f"window has {rows.requests} (with {positives} interactions).",
            remedy='Widen `ranker.window`, or set `ranker.kind = "none"`.',
            where="ranker",
        )
    gain: NDArray[np.float64] | None = None
    if config.kind == "boosted":
        model, gain = fit_trees(rows, config, seed, progress)
        measured: Model = model
        final: Model = model
    else:
        # What is measured and calibrated has not seen the newest requests; trees choose by them.
        cut = cut_of(rows)
        measured = _fit(rows.part(0, cut), config, seed, progress, None, graph)
        final = measured
        if isinstance(measured, Glmix):  # cheap to fit once more, and yesterday matters
            final = _fit(rows, config, seed, progress, previous or measured, graph)
    cut = cut_of(rows)
    newest = rows.part(cut, rows.requests)
    scorer = scorer_of(measured)
    scores = scorer(newest.batch())
    calibration = None
    if config.calibration != "none":
        calibration = calibrate(config.calibration, scores, newest.label, newest.stands)
    report = FitReport(
        kind=config.kind,
        origin=rows.origin,
        requests=rows.requests,
        rows=len(rows),
        positives=positives,
        ndcg=_ndcg(scores, newest),
        fused=_ndcg(newest.fused, newest),
        size=_size(final),
        importance=_importance(rows.features, gain, newest, scorer, seed),
    )
    progress.note(f"nDCG@10 {report.ndcg:.4f} on the newest requests, fused {report.fused:.4f}")
    return Ranker(final, calibration), report


def _fit(
    rows: Rows,
    config: RankerSection,
    seed: int,
    progress: Progress,
    previous: Model | None,
    graph: Callable[[], Graph] | None,
) -> Model:
    if config.kind == "cascade":
        halves = Halves.of(rows)
        first, _ = fit_trees(halves.first, config, seed, progress)
        with_score = config.second != "glmix"
        later = second_rows(halves.second, first, config.keep, with_score=with_score)
        second = _second(config.second, later, config, seed, progress, None, first, graph)
        return Cascade(first, config.keep, second)
    return _second(config.kind, rows, config, seed, progress, previous, None, graph)


def _second(
    kind: str,
    rows: Rows,
    config: RankerSection,
    seed: int,
    progress: Progress,
    previous: Model | None,
    first: Trees | None,
    graph: Callable[[], Graph] | None,
) -> Second:
    if kind == "boosted":
        return fit_trees(rows, config, seed, progress)[0]
    if kind == "glmix":
        start = previous if isinstance(previous, Glmix) else None
        return fit_glmix(rows, config, seed, progress, start, first)
    from shortlist.offline.ranking.neural import fit_neural

    known = graph() if graph is not None and kind == "relational" else None
    return fit_neural(rows, config, seed, progress, known)


def _ndcg(scores: NDArray[np.floating], rows: Rows) -> float:
    return ndcg(scores, rows.label, rows.offsets, rows.stands)


def _importance(
    features: tuple[str, ...],
    gain: NDArray[np.float64] | None,
    newest: Rows,
    scorer: Scorer,
    seed: int,
) -> dict[str, float]:
    """Gain, or what nDCG@10 loses when a column is shuffled (Breiman 2001); shares of the sum."""
    if gain is None:
        rng = np.random.default_rng([seed, 0x696D70])
        whole = _ndcg(scorer(newest.batch()), newest)
        lost = np.empty(len(features))
        for f in range(len(features)):
            x = newest.x.copy()
            x[f] = rng.permutation(x[f])
            lost[f] = whole - _ndcg(scorer(newest.batch(x)), newest)
        gain = np.maximum(lost, 0)
    share = gain / max(float(gain.sum()), 1e-12)
    return {features[i]: round(float(share[i]), 4) for i in np.argsort(-share, kind="stable")}


def _size(model: Model) -> str:
    match model:
        case Trees():
            return f"{len(model)} trees"
        case Glmix():
            return f"{len(model.first)} trees and {model.coefficients:,} coefficients"
        case Cascade():
            return f"{len(model.first)} trees, then {_size(model.second)} over {model.keep}"
        case _:
            return f"a network of {len(model.model) / 1e6:.1f} MB"
