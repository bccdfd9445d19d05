"""`cascade`: a first boosted model over all candidates, a second model over the best of them.

The arrangement of LinkedIn's job and feed ranking: a cheap model cuts a thousand candidates down,
and an expensive one sees what is left, with the first score among its inputs.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from shortlist.core.order import best_first
from shortlist.offline.ranking.columns import Columns
from shortlist.offline.ranking.rows import Rows
from shortlist.release.ranking.cascade import FIRST, with_first
from shortlist.release.trees import Trees


def second_rows(rows: Rows, first: Trees, keep: int, *, with_score: bool) -> Rows:
    """The rows that reach the second stage, with the first score as a last column if asked.

    Of a request whose rows were drawn from many candidates, those stay that would be among the
    best `keep` if every row were as many candidates as it stands for.
    """
    x = with_first(first, rows.x)
    told = x[-1]
    kept: list[NDArray[np.int64]] = []
    for start, stop in zip(rows.offsets[:-1].tolist(), rows.offsets[1:].tolist(), strict=True):
        order = best_first(told[start:stop])
        before = np.cumsum(rows.stands[start:stop][order]) - rows.stands[start:stop][order]
        kept.append(start + np.sort(order[before < keep]))
    lines = np.concatenate(kept)
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in kept])])
    request = np.repeat(np.arange(rows.requests), np.diff(offsets))
    chosen = x if with_score else rows.x
    return replace(
        rows,
        features=(*rows.features, FIRST) if with_score else rows.features,
        columns=Columns.of(chosen[:, lines], request, rows.item[lines], rows.time[request]),
        label=rows.label[lines],
        weight=rows.weight[lines],
        position=rows.position[lines],
        offsets=offsets.astype(np.int64),
        item=rows.item[lines],
        stands=rows.stands[lines],
        fused=rows.fused[lines],
        met=rows.met[:, lines],
    )
