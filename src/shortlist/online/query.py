"""`Query`: a request after it is understood and hydrated, in catalogue rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist.core.bitmap import Bitmap
from shortlist.core.request import Request


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
        seeds: `int32[s]`, the rows that retrieval starts from, most important first: the user's
            newest interactions, or the item whose neighbours are wanted. No unknown rows.
        history_rows: `int32[h]`, the user's newest interactions, oldest first.
        history_times: `int64[h]`, their times.
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
