"""Fusion: how to weigh the sources' lists, learned on requests that they knew nothing of.

Candidates are what the serving pipeline merges, and what is known of them is what it will know
(`Pipeline.weigh`). Four ways are compared by nDCG@10 on those requests, and the simplest of the
best is kept: one source alone, reciprocal rank fusion, weights (`logit`), and boosted trees on the
same evidence with some of the weights' opinion added. Learned ways are measured on users that they
were not fitted on, so a release never carries a fusion that lost to a single source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shortlist.core.progress import Progress
from shortlist.core.request import Pipeline, Request
from shortlist.offline.evaluate import metrics
from shortlist.offline.evaluate.ragged import Ragged
from shortlist.offline.ranking.lightgbm_trees import to_trees
from shortlist.offline.retrieval.logit import conditional_logit
from shortlist.release.fusion import Fusion
from shortlist.release.trees import Trees

if TYPE_CHECKING:
    import lightgbm

FEWEST = 50
"""Requests whose candidates hold something relevant, below which nothing is learned."""
REQUESTS = 10_000
"""Requests that are learned from at most."""
FOLDS = 2
ROUNDS = 150
MIXES = (0.0, 0.25, 0.5, 1.0, 2.0)
"""How much of the weights' opinion may be added to the trees'."""
_BATCH = 64
_SECOND = 1e-3


@dataclass(frozen=True)
class Fold:
    """What was learned without some users.

    Attributes:
        users: their ids.
        fusion, trees: as of `Learned`.
    """

    users: frozenset[str]
    fusion: Fusion
    trees: Trees | None


@dataclass(frozen=True)
class Learned:
    """What `learn` chose.

    Attributes:
        fusion: for the manifest.
        trees: of a boosted fusion.
        folds: the same way learned without each part of the users, so that their requests can be
            fused by what never knew them; empty where nothing is learned.
    """

    fusion: Fusion
    trees: Trees | None = None
    folds: tuple[Fold, ...] = ()


@dataclass(frozen=True)
class Rows:
    """Evidence on the candidates of many requests.

    Attributes:
        names: of the columns.
        x: `float32[rows, f]`.
        label: `bool[rows]`, whether the candidate is relevant.
        offsets: `int64[requests + 1]`.
        relevant: `int64[requests]`, how many items are, candidates or not.
        user: `int64[requests]`.
        ranks: `float32[rows, sources]`, as in `Candidates`.
        sources: their names.
    """

    names: tuple[str, ...]
    x: NDArray[np.float32]
    label: NDArray[np.bool_]
    offsets: NDArray[np.int64]
    relevant: NDArray[np.int64]
    user: NDArray[np.int64]
    ranks: NDArray[np.float32]
    sources: tuple[str, ...]

    def of(self, keep: NDArray[np.bool_]) -> Rows:
        """Some of the requests."""
        lengths = np.diff(self.offsets)
        rows = np.repeat(keep, lengths)
        offsets = np.concatenate([[0], np.cumsum(lengths[keep])])
        return Rows(
            self.names,
            self.x[rows],
            self.label[rows],
            offsets,
            self.relevant[keep],
            self.user[keep],
            self.ranks[rows],
            self.sources,
        )

    def ndcg(self, scores: NDArray[np.floating]) -> float:
        """Mean nDCG@10 over users of ranking each request's candidates by scores."""
        return float(self.per_request(scores).mean()) if len(self.relevant) else 0.0

    def per_request(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """nDCG@10 of each request; ties count against the scores."""
        request = np.repeat(np.arange(len(self.relevant)), np.diff(self.offsets))
        order = np.lexsort((self.label, -scores, request))
        place = np.arange(len(order)) - self.offsets[request]
        keep = place < 10
        hit = np.zeros((len(self.relevant), 10), np.bool_)
        hit[request[keep], place[keep]] = self.label[order][keep]
        return metrics.ndcg(hit, self.relevant, 10)


def learn(
    pipeline: Pipeline,
    requests: Sequence[Request],
    relevant: Ragged,
    users: NDArray[np.integer],
    seed: int,
    progress: Progress,
    user_ids: Sequence[str] = (),
) -> Learned:
    """Choose a fusion on held-out requests.

    Args:
        pipeline: over a release whose retrievers know nothing from the requests on.
        requests: at most `REQUESTS` of them are used, drawn evenly.
        relevant: catalogue rows that are relevant to each request.
        users: who made each request; a user is never on both sides of a fold.
        seed: of the draw, the folds and the trees.
        progress: advances by requests.
        user_ids: the id of each user row, for `Learned.folds`; without them there are none.
    """
    rng = np.random.default_rng([seed, 0xF05E])
    picked = np.arange(len(requests))
    if len(picked) > REQUESTS:
        picked = np.sort(rng.choice(picked, REQUESTS, replace=False))
    rows = gather(pipeline, requests, relevant, users, picked, progress)
    learned = choose(rows, seed, progress)
    return replace(learned, folds=_folds(rows, learned, seed, user_ids)) if user_ids else learned


def gather(
    pipeline: Pipeline,
    requests: Sequence[Request],
    relevant: Ragged,
    users: NDArray[np.integer],
    picked: NDArray[np.integer],
    progress: Progress,
) -> Rows:
    """Ask the pipeline what it knows of the candidates of the picked requests.

    Requests of users without a history are left out: nothing learned is applied to them.
    """
    progress.step("fusion", len(picked))
    names: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    x: list[NDArray[np.float32]] = []
    labels: list[NDArray[np.bool_]] = []
    ranks: list[NDArray[np.float32]] = []
    kept: list[int] = []
    for start in range(0, len(picked), _BATCH):
        batch = picked[start : start + _BATCH].tolist()
        for q, weighed in zip(batch, pipeline.weigh([requests[q] for q in batch]), strict=True):
            names, sources = weighed.names, weighed.candidates.sources
            if not len(weighed.candidates.rows) or weighed.values[names.index("history"), 0] <= 0:
                continue
            x.append(weighed.values.T)
            ranks.append(weighed.candidates.ranks.T)
            labels.append(np.isin(weighed.candidates.rows, relevant[q]))
            kept.append(q)
        progress.advance(len(batch))
    return Rows(
        names=names,
        x=np.concatenate(x) if x else np.empty((0, len(names)), np.float32),
        label=np.concatenate(labels) if labels else np.empty(0, np.bool_),
        offsets=np.concatenate([[0], np.cumsum([len(part) for part in labels], dtype=np.int64)]),
        relevant=relevant.lengths[kept],
        user=np.asarray(users)[kept].astype(np.int64),
        ranks=np.concatenate(ranks) if ranks else np.empty((0, len(sources)), np.float32),
        sources=sources,
    )


def choose(rows: Rows, seed: int, progress: Progress) -> Learned:
    """The simplest of the ways with the best nDCG@10."""
    found = _hits(rows)
    if found < FEWEST:
        reason = (
            f"{found} held-out requests found something relevant and {FEWEST} are needed: "
            "sources are merged by reciprocal rank."
        )
        progress.note(f"Fusion: {reason}")
        return Learned(Fusion(requests=len(rows.relevant), reason=reason))
    ways: dict[str, Callable[[], Learned]] = {}
    values: dict[str, float] = {}

    def single(source: str) -> Callable[[], Learned]:
        weights = {f"place:{source}": -1.0, "consensus": _SECOND}
        return lambda: Learned(Fusion(method="single", source=source, weights=weights))

    for s, source in enumerate(rows.sources):
        values[f"source:{source}"] = rows.ndcg(rows.ranks[:, s])
        ways[f"source:{source}"] = single(source)
    values["rrf"] = rows.ndcg(rows.x[:, rows.names.index("consensus")])
    ways["rrf"] = lambda: Learned(Fusion())
    learned = _cross_fitted(rows, seed)
    for way, value in learned.items():
        values[way] = value

    best = max(values, key=lambda way: values[way])  # the first of equals is the simplest
    if best in ways:
        chosen = ways[best]()
    elif best == "weights":
        chosen = Learned(Fusion(method="weights", weights=_named(rows, _weights(rows))))
    else:
        mix = float(best.removeprefix("boosted+"))
        chosen = _boosted(rows, mix, seed)
    singles = [way for way in values if way.startswith("source:")]
    alone = max(singles, key=lambda way: values[way])
    reason = (
        f"{best} reaches nDCG@10 {values[best]:.4f} on {len(rows.relevant):,} held-out requests; "
        f"reciprocal rank {values['rrf']:.4f}, the best source alone "
        f"({alone.removeprefix('source:')}) {values[alone]:.4f}."
    )
    progress.note(f"Fusion: {reason}")
    told = {way: round(value, 6) for way, value in values.items()}
    return Learned(_described(chosen.fusion, told, len(rows.relevant), reason), chosen.trees)


def _described(
    fusion: Fusion, validation: Mapping[str, float], requests: int, reason: str
) -> Fusion:
    return Fusion(
        method=fusion.method,
        source=fusion.source,
        weights=fusion.weights,
        validation=dict(validation),
        requests=requests,
        reason=reason,
    )


def _cross_fitted(rows: Rows, seed: int) -> dict[str, float]:
    """nDCG@10 of the learned ways, each request scored by a fit without its user."""
    fold = _fold_of(rows, seed)
    boosting = find_spec("lightgbm") is not None
    linear = np.zeros(len(rows.label), np.float64)
    trees = np.zeros(len(rows.label), np.float64)
    for part in range(FOLDS):
        inside, outside = rows.of(fold != part), np.repeat(fold == part, np.diff(rows.offsets))
        if not _hits(inside):
            return {}
        linear[outside] = rows.x[outside] @ _weights(inside)
        if boosting:
            trees[outside] = _booster(inside, seed).predict(rows.x[outside])
    values = {"weights": rows.ndcg(linear)}
    if boosting:
        values |= {f"boosted+{mix}": rows.ndcg(trees + mix * linear) for mix in MIXES}
    return values


def _boosted(rows: Rows, mix: float, seed: int) -> Learned:
    weights = mix * _weights(rows) if mix else np.zeros(len(rows.names))
    fusion = Fusion(method="boosted", weights=_named(rows, weights))
    return Learned(fusion, _trees(rows, seed))


def _fold_of(rows: Rows, seed: int) -> NDArray[np.int64]:
    """The part of the users that each request's user is in."""
    _, who = np.unique(rows.user, return_inverse=True)
    return np.random.default_rng([seed, 0xF01D]).permutation(who.max() + 1)[who] % FOLDS


def _folds(rows: Rows, learned: Learned, seed: int, user_ids: Sequence[str]) -> tuple[Fold, ...]:
    """What was chosen, learned again without each part of the users."""
    told = learned.fusion.validation
    if learned.fusion.method not in ("weights", "boosted"):
        return ()
    fold = _fold_of(rows, seed)
    folds = []
    for part in range(FOLDS):
        inside = rows.of(fold != part)
        if learned.fusion.method == "weights":
            made = Learned(Fusion(method="weights", weights=_named(inside, _weights(inside))))
        else:
            mixes = {mix: told[f"boosted+{mix}"] for mix in MIXES}
            made = _boosted(inside, max(mixes, key=lambda mix: mixes[mix]), seed)
        users = frozenset(user_ids[user] for user in np.unique(rows.user[fold == part]).tolist())
        folds.append(Fold(users, made.fusion, made.trees))
    return tuple(folds)


def _hits(rows: Rows) -> int:
    """How many requests have a relevant candidate."""
    running = np.concatenate([[0], np.cumsum(rows.label)])
    return int((np.diff(running[rows.offsets]) > 0).sum())


def _weights(rows: Rows) -> NDArray[np.float64]:
    return conditional_logit(rows.x, rows.label, rows.offsets)


def _named(rows: Rows, weights: NDArray[np.float64]) -> dict[str, float]:
    return {name: float(w) for name, w in zip(rows.names, weights, strict=True) if w}


def _booster(rows: Rows, seed: int) -> lightgbm.Booster:
    """Trees by LambdaMART (Burges, MSR-TR-2010-82) on the requests with a relevant candidate."""
    import lightgbm

    running = np.concatenate([[0], np.cumsum(rows.label)])
    part = rows.of(np.diff(running[rows.offsets]) > 0)
    parameters = {
        "objective": "lambdarank",
        "lambdarank_truncation_level": 10,
        "learning_rate": 0.05,
        "num_leaves": 15,
        "min_data_in_leaf": int(np.clip(len(part.label) // 2_000, 5, 100)),
        "feature_fraction": 0.6,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": 10.0,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    table = lightgbm.Dataset(
        part.x, part.label.astype(np.int8), group=np.diff(part.offsets), params=parameters
    )
    return lightgbm.train(parameters, table, num_boost_round=ROUNDS)


def _trees(rows: Rows, seed: int) -> Trees:
    return to_trees(_booster(rows, seed), rows.names)
