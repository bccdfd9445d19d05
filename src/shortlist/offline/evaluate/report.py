"""What an evaluation says, and its JSON form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shortlist.offline.evaluate.intervals import Estimate

FUSED = "fused"
"""The baseline that is the order before ranking."""

Ranking = dict[str, Estimate]
"""Metric name (`ndcg@10`, `recall@20`, `mrr`, `coverage`, `novelty`) → its estimate."""


@dataclass(frozen=True)
class Part:
    """The figures over some of the requests.

    Attributes:
        users: how many users made them.
        requests: how many there are.
        ranking: the pipeline's metrics.
        baselines: `popular`, `markov` and, of a release with a ranker, `fused` (its order before
            ranking) → their metrics on the same requests.
        lift: baseline → the pipeline's metric minus the baseline's, paired by user; the interval
            excludes 0 where the difference is not chance.
    """

    users: int
    requests: int
    ranking: Ranking
    baselines: dict[str, Ranking]
    lift: dict[str, Ranking]

    def to_dict(self) -> dict[str, Any]:
        """Plain values: users, requests, ranking, baselines, lift."""
        return {
            "users": self.users,
            "requests": self.requests,
            "ranking": _plain(self.ranking),
            "baselines": {name: _plain(ranking) for name, ranking in self.baselines.items()},
            "lift": {name: _plain(ranking) for name, ranking in self.lift.items()},
        }


@dataclass(frozen=True)
class Evaluation:
    """The result of `protocol.evaluate`.

    Attributes:
        protocol: how the figures were made, in words.
        users: how many users were asked for.
        requests: how many requests they made.
        retrieval: source (and `merged`) → `recall@100` and `recall@500`.
        everyone: the figures over all requests.
        cold: the figures over the requests of users without any history at the time.
    """

    protocol: str
    users: int
    requests: int
    retrieval: dict[str, dict[str, float]]
    everyone: Part
    cold: Part

    @property
    def metrics(self) -> dict[str, float]:
        """The pipeline's values by metric name: what a release's manifest and floor look at."""
        return {name: estimate.value for name, estimate in self.everyone.ranking.items()}

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: protocol, users, requests, retrieval, ranking, baselines, lift, cold."""
        everyone = self.everyone.to_dict()
        return {
            "protocol": self.protocol,
            "users": self.users,
            "requests": self.requests,
            "retrieval": {name: dict(values) for name, values in self.retrieval.items()},
            "ranking": everyone["ranking"],
            "baselines": everyone["baselines"],
            "lift": everyone["lift"],
            "cold": self.cold.to_dict(),
        }


def _plain(ranking: Ranking) -> dict[str, dict[str, float]]:
    return {name: estimate.to_dict() for name, estimate in ranking.items()}
