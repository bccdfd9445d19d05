"""Items that the knowledge graph leads to from what a query names."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist.core.bitmap import Bitmap, held
from shortlist.online.retrieval.contract import Found


def near(found: Found, k: int, allow: Bitmap, banned: NDArray[np.int32]) -> Found:
    """At most k of what a walk found that are allowed and not banned, best first."""
    rows, scores = found
    kept = held(allow, rows)
    if len(banned):
        kept &= ~np.isin(rows, banned)
    rows, scores = rows[kept], scores[kept]
    order = np.lexsort((rows, -scores))[:k]
    return rows[order], scores[order]
