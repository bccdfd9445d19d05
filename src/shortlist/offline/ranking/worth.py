"""Whether a ranker is worth having: what it orders better than the fused order it starts from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shortlist.offline.evaluate.intervals import Estimate
from shortlist.offline.evaluate.report import FUSED, Evaluation
from shortlist.offline.ranking.fit import FitReport


@dataclass(frozen=True)
class Worth:
    """nDCG@10 with the ranker and without it.

    Attributes:
        kind: of the ranker.
        ranker, fused: the two.
        lift: their difference, paired by user, with its 95% interval; None where it was not
            measured end to end.
    """

    kind: str
    ranker: float
    fused: float
    lift: Estimate | None = None

    @classmethod
    def of(cls, report: FitReport, evaluation: Evaluation | None) -> Worth:
        """End to end on the holdout, where there is one, else on the newest training requests."""
        everyone = evaluation.everyone if evaluation is not None else None
        if everyone is None or FUSED not in everyone.baselines:
            return cls(report.kind, report.ndcg, report.fused)
        ours, theirs = everyone.ranking["ndcg@10"], everyone.baselines[FUSED]["ndcg@10"]
        return cls(report.kind, ours.value, theirs.value, everyone.lift[FUSED]["ndcg@10"])

    @property
    def is_worse(self) -> bool:
        """Whether the fused order alone is better."""
        return self.ranker < self.fused

    def __str__(self) -> str:
        """The comparison in a sentence or two."""
        where = "the newest training requests" if self.lift is None else "the holdout"
        text = (
            f"nDCG@10 on {where} is {self.ranker:.4f} with the ranker ({self.kind}) and "
            f"{self.fused:.4f} in the fused order without it."
        )
        if self.lift is None:
            return text
        text += f" The difference is between {self.lift.low:+.4f} and {self.lift.high:+.4f}"
        return text + (", which may be chance." if self.lift.low < 0 < self.lift.high else ".")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the manifest."""
        told: dict[str, Any] = {"ndcg@10": self.ranker, "fused ndcg@10": self.fused}
        return told if self.lift is None else {**told, "lift": self.lift.to_dict()}
