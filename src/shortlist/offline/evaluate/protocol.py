"""The temporal protocol: ask the pipeline that serves for what users did next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shortlist.config.schema import EvaluateSection
from shortlist.core.errors import DataError
from shortlist.core.progress import Progress
from shortlist.core.request import Candidates, Pipeline, Request
from shortlist.core.times import iso
from shortlist.offline.data.training import TrainingData
from shortlist.offline.evaluate import baselines, intervals, metrics
from shortlist.offline.evaluate.baselines import Lists
from shortlist.offline.evaluate.intervals import Estimate
from shortlist.offline.evaluate.report import FUSED, Evaluation, Part, Ranking
from shortlist.offline.evaluate.requests import Asked, ask

LENGTH = 100
"""How many items each request asks for."""

_BATCH = 64
_DEPTHS = (100, 500)


def evaluate(
    pipeline: Pipeline,
    training: TrainingData,
    split: int,
    config: EvaluateSection,
    user_ids: Sequence[str],
    seed: int,
    progress: Progress,
    seen_allowed: bool = False,
    ranked: bool = False,
) -> Evaluation:
    """Ask a pipeline what sampled users did after the split and compare.

    Args:
        pipeline: the online path over a release made from events before the split only, with
            histories of the whole log, which it reads as of each request's `now`.
        training: every interaction, the holdout included.
        split: the first instant of the holdout, microseconds.
        config: how many users, and how many requests of each.
        user_ids: the id of each user row.
        seed: of the sample of users and of the resampling.
        progress: advances by requests.
        seen_allowed: whether items of a user's history may be recommended again.
        ranked: whether to compare with the order before ranking.

    Raises:
        DataError: nobody has a relevant item after the split.
    """
    asked = ask(training, split, config, seed, seen_allowed)
    if not len(asked):
        raise DataError(
            f"no user does anything new after the split at {iso(split)}, so there is nothing "
            "to evaluate on.",
            remedy="Make prepare.holdout longer, or give it more events.",
        )
    before = training.before(split)
    found, answers = _ask_pipeline(pipeline, asked, user_ids, seen_allowed, progress)
    named = {
        "pipeline": answers,
        "popular": baselines.popular(before, asked, LENGTH, seen_allowed),
        "markov": baselines.markov(before, asked, LENGTH, seen_allowed),
    }
    if ranked:
        named[FUSED] = _fused(found)
    cold = asked.history.lengths == 0
    return Evaluation(
        protocol=describe(split, training.until, config, asked, seen_allowed),
        users=len(np.unique(asked.user)),
        requests=len(asked),
        retrieval=_retrieval(found, asked, training.items),
        everyone=_part(named, asked, np.ones(len(asked), np.bool_), before, seed),
        cold=_part(named, asked, cold, before, seed),
    )


def describe(
    split: int, until: int, config: EvaluateSection, asked: Asked, seen_allowed: bool
) -> str:
    """The protocol in words, as a reader of the figures needs it."""
    users, requests = len(np.unique(asked.user)), len(asked)
    again = (
        "Items of the history may be recommended again and count when they recur."
        if seen_allowed
        else "Items of the history are never recommended and never relevant."
    )
    return (
        f"Global temporal split: events from {iso(split)} to {iso(until)} are held out; every "
        "model, statistic and index was made from events before. "
        f"{users} users with held-out events (a seeded sample of at most {config.users}) make up "
        f"to {config.requests_per_user} requests each, {requests} in all, at evenly spaced ones of "
        "their held-out events and as of that instant: the pipeline sees what the user did "
        "strictly before it. Relevant are the items the user interacts with from that instant to "
        f"the end of the holdout that may be shown then. {again} "
        f"Each request asks for {LENGTH} items. Metrics are averaged over a user's requests and "
        "then over users; intervals are 95% percentile bootstrap over users (jackknife for "
        "coverage). Ties count against the model. Coverage and novelty are of the first 10."
    )


def _ask_pipeline(
    pipeline: Pipeline,
    asked: Asked,
    user_ids: Sequence[str],
    seen_allowed: bool,
    progress: Progress,
) -> tuple[list[Candidates], Lists]:
    requests = [
        Request(user=user_ids[user], k=LENGTH, now=now, seen=seen_allowed, context=context)
        for user, now, context in zip(
            asked.user.tolist(), asked.now.tolist(), asked.context, strict=True
        )
    ]
    rows = np.full((len(asked), LENGTH), -1, np.int32)
    scores = np.full((len(asked), LENGTH), -np.inf)
    found: list[Candidates] = []
    progress.step("evaluate", len(requests))
    for start in range(0, len(requests), _BATCH):
        batch = requests[start : start + _BATCH]
        found += pipeline.retrieve(batch)
        for i, answer in enumerate(pipeline.recommend(batch), start):
            n = min(len(answer), LENGTH)
            rows[i, :n] = answer.rows[:n]
            scores[i, :n] = answer.scores[:n]
        progress.advance(len(batch))
    return found, Lists(rows, scores)


def _fused(found: list[Candidates]) -> Lists:
    """The first candidates of each request, in the order before ranking."""
    rows = np.full((len(found), LENGTH), -1, np.int32)
    for i, candidates in enumerate(found):
        n = min(len(candidates.rows), LENGTH)
        rows[i, :n] = candidates.rows[:n]
    places = np.broadcast_to(-np.arange(LENGTH, dtype=np.float64), rows.shape)
    return Lists(rows, np.where(rows >= 0, places, -np.inf))


def _retrieval(found: list[Candidates], asked: Asked, items: int) -> dict[str, dict[str, float]]:
    """Recall of each source's own list and of the merged one, mean over users."""
    sources = tuple(dict.fromkeys(name for c in found for name in c.sources))
    wanted = asked.relevant.lengths
    per_request = {name: np.zeros((len(_DEPTHS), len(asked))) for name in (*sources, "merged")}
    for q, candidates in enumerate(found):
        hit = np.isin(candidates.rows, asked.relevant[q])
        for d, depth in enumerate(_DEPTHS):
            per_request["merged"][d, q] = hit[:depth].sum() / wanted[q]
            for s, name in enumerate(candidates.sources):
                # The rank within the source is kept as 1 / (rank + 1), 0 for not returned.
                near = candidates.ranks[s] > 1 / (depth + 0.5)
                per_request[name][d, q] = (hit & near).sum() / wanted[q]
    return {
        name: {
            f"recall@{depth}": float(_per_user(asked.user, values[d]).mean())
            for d, depth in enumerate(_DEPTHS)
        }
        for name, values in per_request.items()
    }


def _part(
    named: dict[str, Lists],
    asked: Asked,
    keep: NDArray[np.bool_],
    before: TrainingData,
    seed: int,
) -> Part:
    """Every model's metrics over some of the requests."""
    catalogue = before.catalogue
    shown = catalogue.available & (catalogue.expires > before.until)
    counts = np.bincount(before.item, minlength=before.items)
    user = asked.user[keep]
    per_user: dict[str, dict[str, NDArray[np.float64]]] = {}
    rankings: dict[str, Ranking] = {}
    for name, lists in named.items():
        hit = metrics.hits(lists.rows, asked.relevant, before.items)
        hit = metrics.conservative(hit, lists.scores)[keep]
        wanted, rows = asked.relevant.lengths[keep], lists.rows[keep]
        per_user[name] = {
            "ndcg@10": _per_user(user, metrics.ndcg(hit, wanted, 10)),
            "recall@20": _per_user(user, metrics.recall(hit, wanted, 20)),
            "mrr": _per_user(user, metrics.reciprocal_rank(hit)),
            "novelty": _per_user(user, metrics.novelty(rows, counts, 10)),
        }
        ranking = {m: intervals.mean(values, seed) for m, values in per_user[name].items()}
        ranking["coverage"] = intervals.coverage(user, rows[:, :10], shown)
        rankings[name] = {m: ranking[m] for m in ("ndcg@10", "recall@20", "mrr", "coverage")} | {
            "novelty": ranking["novelty"]
        }
    ours = per_user["pipeline"]
    lift: dict[str, dict[str, Estimate]] = {
        name: {
            m: intervals.mean(ours[m] - theirs[m], seed) for m in ("ndcg@10", "recall@20", "mrr")
        }
        for name, theirs in per_user.items()
        if name != "pipeline"
    }
    return Part(
        users=len(np.unique(user)),
        requests=int(keep.sum()),
        ranking=rankings.pop("pipeline"),
        baselines=rankings,
        lift=lift,
    )


def _per_user(user: NDArray[np.int32], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of the values of each user, users ascending."""
    _, who, counts = np.unique(user, return_inverse=True, return_counts=True)
    return np.bincount(who, values, minlength=len(counts)) / counts
