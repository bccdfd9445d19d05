"""`Calibration`: from a ranker's score to the probability of an interaction."""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """A non-decreasing map of scores, fitted on requests that the ranker did not learn from.

    The probability is that of an interaction with a candidate of a request that led to one among
    its candidates: training rows come of such requests.

    Attributes:
        method: `platt` (1 / (1 + exp(-(slope · score + shift)))) or `isotonic`.
        slope, shift: of `platt`.
        scores, probabilities: of `isotonic`: points that lines are drawn between, both
            ascending; constant before the first and after the last.
    """

    method: Literal["platt", "isotonic"]
    slope: float = 1.0
    shift: float = 0.0
    scores: list[float] = []
    probabilities: list[float] = []

    def __call__(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """The probability that each score means, `float32[n]`."""
        values = scores.astype(np.float64)
        if self.method == "platt":
            told = 1 / (1 + np.exp(-np.clip(self.slope * values + self.shift, -60, 60)))
        else:
            told = np.interp(values, self.scores, self.probabilities)
        return told.astype(np.float32)
