"""What a release would have earned on requests that another one answered, from the project's log.

The log says which items a list showed, where, with what chance where places were drawn by lot, and
which of them were clicked. A release is asked for the same requests. What it would have shown
counts as many times as it would have been looked at more often: the estimator of the
position-based click model (Li, Abbasi-Yadkori, Kveton, Muthukrishnan, Vinay and Wen, "Offline
Evaluation of Ranking Policies with Click Models", KDD 2018, section 5.2),

    Σ over shown items: click · examined(new place) / (examined(place) · propensity).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.config.schema import Config
from shortlist.core.errors import DataError
from shortlist.core.progress import Progress
from shortlist.core.request import Pipeline
from shortlist.offline.data.prepared import Prepared
from shortlist.offline.evaluate.intervals import Estimate
from shortlist.offline.evaluate.off_policy import over_users
from shortlist.offline.learning import OpenPipeline
from shortlist.offline.ranking.logged import Impressions, clicked_impressions
from shortlist.offline.ranking.propensity import Clicks, click_model
from shortlist.offline.replay import Replay
from shortlist.release.publish import Releases

BATCH = 64
FEWEST = 20
"""Logged requests below which nothing is estimated."""

Lists = list[NDArray[np.int32]]


@dataclass(frozen=True)
class Value:
    """Clicks for each request under one policy; every figure with its 95% interval over users.

    Attributes:
        inverse_propensity: by the estimator above; what could not have been shown earns nothing.
        self_normalised: per covered look, times all looks: as if what could not have been shown
            earned as much as what could.
        doubly_robust: corrects a model, examined(place) · attractive(item) of the older log, by
            what was logged (Dudík, Langford and Li, ICML 2011); the model alone speaks of what
            could not have been shown.
        covered: the share of the list's looks that the log can say something about.
        effective: how many shown items of the policy the log is worth (Kish 1965).
    """

    inverse_propensity: Estimate
    self_normalised: Estimate
    doubly_robust: Estimate
    covered: float
    effective: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values by attribute."""
        estimates = ("inverse_propensity", "self_normalised", "doubly_robust")
        told: dict[str, Any] = {name: getattr(self, name).to_dict() for name in estimates}
        return {**told, "covered": self.covered, "effective": self.effective}


@dataclass(frozen=True)
class OffPolicy:
    """What the log says of several policies.

    Attributes:
        requests, users: how many logged requests with propensities there are, and of how many.
        drawn: how many of their places were drawn by lot.
        examined: the chance that each position is looked at, relative to the first.
        logged: clicks for each request that there really were.
        policies: what others would have had.
        variants: experiment → variant → clicks for each of its requests that there really were.
    """

    requests: int
    users: int
    drawn: int
    examined: list[float]
    logged: Estimate
    policies: dict[str, Value]
    variants: dict[str, dict[str, Estimate]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values by attribute."""
        return {
            "requests": self.requests,
            "users": self.users,
            "drawn": self.drawn,
            "examined": self.examined,
            "logged": self.logged.to_dict(),
            "policies": {name: value.to_dict() for name, value in self.policies.items()},
            "variants": {
                name: {variant: estimate.to_dict() for variant, estimate in variants.items()}
                for name, variants in self.variants.items()
            },
        }


def evaluate_off_policy(
    config: Config, folder: Path, open_pipeline: OpenPipeline, progress: Progress
) -> OffPolicy:
    """Estimate what the release that was trained without the holdout would have earned in it.

    Args:
        config: of the project.
        folder: of the project.
        open_pipeline: the request path, which draws nothing by lot.
        progress: advances by requests.

    Raises:
        ReleaseError: no training has left such a release.
        DataError: as `off_policy`.
    """
    path = Releases(folder / ".shortlist" / "holdout").current_path()
    prepared = Prepared.load(folder)
    log, users = prepared.training(), prepared.user_ids()
    first = int(log.time.min(initial=0))
    old = clicked_impressions(prepared.impressions_path, log.before(prepared.split), first)
    new = clicked_impressions(prepared.impressions_path, log, prepared.split)
    pipeline = open_pipeline(path, Replay(log, users, config.serve.history_size))
    clicks = click_model(old.item, old.position, old.clicked)
    return off_policy(pipeline, new, clicks, users, config.project.seed, progress)


def off_policy(
    pipeline: Pipeline,
    shown: Impressions,
    clicks: Clicks,
    user_ids: Sequence[str],
    seed: int,
    progress: Progress,
) -> OffPolicy:
    """Estimate what a release and its fused order, without ranker and rules, would have earned.

    Args:
        pipeline: the request path over the release; it draws nothing by lot, and reads histories
            as of each request's `now`.
        shown: what was logged after all that the release knows.
        clicks: of the log before.
        user_ids: the id of each user row.
        seed: of the intervals.
        progress: advances by requests.

    Raises:
        DataError: fewer than `FEWEST` requests have the propensity of everything they showed, or
            nothing was drawn by lot.
    """
    untold = np.concatenate([[0], np.cumsum(np.isnan(shown.propensity))])
    asked = np.flatnonzero(untold[shown.offsets[1:]] == untold[shown.offsets[:-1]])
    log = _Log.of(shown, asked, clicks)
    drawn = int((log.propensity < 1).sum())
    if len(asked) < FEWEST or not drawn:
        raise DataError(
            f"{len(asked)} logged requests of the holdout tell the propensities of what they "
            f"showed, and {drawn} places were drawn by lot: too little to estimate from.",
            remedy="Let places be drawn by lot ([arrange.exploration]) and serve for a while, or "
            "name the column in data.events.propensity.",
            where="impressions",
        )
    ranked, fused = _ask(pipeline, shown, asked, log.sizes, user_ids, progress)
    user = shown.user[asked].astype(np.int64)
    earned = log.per_request(log.clicked)
    variants: dict[str, dict[str, Estimate]] = {}
    told = [shown.variants[g] for g in asked.tolist()]
    for name in sorted({name for one in told for name in one}):
        has = np.array([one.get(name, "") for one in told])
        variants[name] = {
            str(variant): over_users(
                earned[has == variant], np.ones((has == variant).sum()), user[has == variant], seed
            )
            for variant in np.unique(has[has != ""])
        }
    return OffPolicy(
        requests=len(asked),
        users=len(np.unique(user)),
        drawn=drawn,
        examined=[round(float(chance), 4) for chance in clicks.examined],
        logged=over_users(earned, np.ones(len(earned)), user, seed),
        policies={
            "release": _value(log, ranked, clicks, user, seed),
            "fused order": _value(log, fused, clicks, user, seed),
        },
        variants=variants,
    )


@dataclass(frozen=True)
class _Log:
    """The lines of the requests that are asked again; `request` numbers these from 0."""

    request: NDArray[np.int64]
    item: NDArray[np.int32]
    clicked: NDArray[np.float64]
    propensity: NDArray[np.float64]
    looked: NDArray[np.float64]
    sizes: NDArray[np.int64]

    @classmethod
    def of(cls, shown: Impressions, asked: NDArray[np.int64], clicks: Clicks) -> _Log:
        lengths = np.diff(shown.offsets)[asked]
        request = np.repeat(np.arange(len(asked)), lengths)
        first = np.cumsum(lengths) - lengths
        lines = np.arange(len(request)) - first[request] + shown.offsets[asked][request]
        position = shown.position[lines]
        # A list is as long as its last place says: what is logged of it may begin later.
        sizes = np.zeros(len(asked), np.int64)
        np.maximum.at(sizes, request, np.maximum(position + 1, lengths[request]))
        return cls(
            request,
            shown.item[lines],
            shown.clicked[lines].astype(np.float64),
            shown.propensity[lines].astype(np.float64),
            clicks.looks(position),
            sizes,
        )

    def per_request(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The sum over each request's lines."""
        return np.bincount(self.request, values, len(self.sizes)).astype(np.float64)


def _ask(
    pipeline: Pipeline,
    shown: Impressions,
    asked: NDArray[np.int64],
    sizes: NDArray[np.int64],
    user_ids: Sequence[str],
    progress: Progress,
) -> tuple[Lists, Lists]:
    """The lists of the release, and their fused orders, as long as what was shown."""
    ranked: Lists = []
    fused: Lists = []
    progress.step("logged requests", len(asked))
    for start in range(0, len(asked), BATCH):
        numbers, k = asked[start : start + BATCH], sizes[start : start + BATCH].tolist()
        requests = [
            shown.request(g, user_ids, size) for g, size in zip(numbers.tolist(), k, strict=True)
        ]
        ranked += [answer.rows for answer in pipeline.recommend(requests)]
        found = pipeline.retrieve(requests)
        fused += [one.rows[:size] for one, size in zip(found, k, strict=True)]
        progress.advance(len(numbers))
    return ranked, fused


def _value(log: _Log, lists: Lists, clicks: Clicks, user: NDArray[np.int64], seed: int) -> Value:
    """The estimates of one policy, which shows `lists[g]` to request g."""
    g = np.repeat(np.arange(len(lists)), [len(rows) for rows in lists])
    item = np.concatenate([*lists, np.empty(0, np.int32)]).astype(np.int64)
    place = np.concatenate([np.arange(len(rows)) for rows in lists]).astype(np.int32)
    looks = clicks.looks(place)
    width = int(max(item.max(initial=0), log.item.max(initial=0))) + 1
    key = g * width + item
    order = np.argsort(key)
    mine = log.request * width + log.item
    at = order[np.minimum(np.searchsorted(key, mine, sorter=order), len(order) - 1)]
    weight = np.where(key[at] == mine, looks[at] / (log.looked * log.propensity), 0.0)

    every = np.bincount(g, looks, len(lists))
    earned = log.per_request(weight * log.clicked)
    covered = log.per_request(weight * log.looked)
    model = np.bincount(g, looks * clicks.likes(item.astype(np.int32)), len(lists))
    missed = log.clicked - log.looked * clicks.likes(log.item)
    ones = np.ones(len(lists))
    whole = float(every.mean())
    normal = over_users(earned, covered, user, seed)
    return Value(
        inverse_propensity=over_users(earned, ones, user, seed),
        self_normalised=Estimate(normal.value * whole, normal.low * whole, normal.high * whole),
        doubly_robust=over_users(model + log.per_request(weight * missed), ones, user, seed),
        covered=float(covered.mean()) / max(whole, 1e-12),
        effective=float(weight.sum() ** 2 / max(float((weight**2).sum()), 1e-300)),
    )
