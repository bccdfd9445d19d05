"""`Query`: a request after it is understood and hydrated, in catalogue rows."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shortlist.core.bitmap import Bitmap
from shortlist.core.request import Request
from shortlist.online.experiments import NONE, Treatment


@dataclass(slots=True)
class Query:
    """One request on its way through the pipeline.

    Attributes:
        request: as it was asked.
        now: the instant it is answered as of, microseconds.
        limit: how many candidates to keep before ranking.
        allow: bitmap over catalogue rows: visible at `now`, and matching `where`.
        filtered: whether `where` narrows `allow`.
        banned: `int32[b]`, rows that must not be returned: seen, excluded, the item itself.
        seeds: `int32[s]`, the release's rows that retrieval starts from, most important first: the
            user's newest interactions, or the item whose neighbours are wanted. No unknown rows.
        history_rows: `int32[h]`, the user's newest interactions, oldest first.
        history_times: `int64[h]`, their times.
        history_kinds: `uint32[h]`, their kinds (`core.keys.kind_code`).
        live_seeds: `seeds` where some are items written since the release, those among them; None
            where none is. Only what such an item's own text tells can start from it.
        treatment: what experiments change for it.
    """

    request: Request
    now: int
    limit: int
    allow: Bitmap
    filtered: bool
    banned: NDArray[np.int32]
    seeds: NDArray[np.int32]
    history_rows: NDArray[np.int32]
    history_times: NDArray[np.int64]
    history_kinds: NDArray[np.uint32] = field(default_factory=lambda: np.empty(0, np.uint32))
    live_seeds: NDArray[np.int32] | None = None
    treatment: Treatment = NONE
