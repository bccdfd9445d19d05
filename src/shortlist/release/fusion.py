"""`Fusion`: how the lists of several sources become one, as a release keeps it."""

from __future__ import annotations

from typing import Literal

import msgspec

FOLDER = "fusion"
"""Where a release keeps the trees of a fusion that has any."""


class Fusion(msgspec.Struct, frozen=True, kw_only=True):
    """What was learned on requests that the sources knew nothing of.

    The score of a candidate is the sum of its evidence times `weights`, plus what the trees in
    `fusion/` say of the same evidence where the method is `boosted`. Only the order within one
    request means anything.

    Attributes:
        method: `rrf` (reciprocal rank fusion; nothing was learned or nothing was better),
            `single` (one source alone), `weights` or `boosted` (weights, corrected by trees).
        source: the source that `single` goes by.
        weights: by name of evidence; what is not named weighs 0.
        validation: nDCG@10 on the validation requests by method and by `source:NAME`; learned
            methods are measured on users that they were not fitted on.
        requests: how many validation requests there were.
        reason: why this method, in words.
    """

    method: Literal["rrf", "single", "weights", "boosted"] = "rrf"
    source: str = ""
    weights: dict[str, float] = {}
    validation: dict[str, float] = {}
    requests: int = 0
    reason: str = ""
