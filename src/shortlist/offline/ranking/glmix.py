"""`glmix`: trees first, then coefficients for everybody, for each user and for each item."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from shortlist.config.schema import RankerSection
from shortlist.core.progress import Progress
from shortlist.core.times import parse_span
from shortlist.offline.ranking.boosted import fit_trees
from shortlist.offline.ranking.mixed import Fitted, fit_mixed
from shortlist.offline.ranking.rows import Rows
from shortlist.release.ranking.glmix import Glmix, compress, design
from shortlist.release.trees import Trees


@dataclass(frozen=True)
class Halves:
    """Requests that a first model is fitted on, and later ones that the second stage is.

    A score or a leaf that knew the label would teach the second stage to trust it too far.
    """

    first: Rows
    second: Rows

    @classmethod
    def of(cls, rows: Rows) -> Halves:
        """The older and the newer half of the requests."""
        middle = rows.requests // 2
        return cls(rows.part(0, middle), rows.part(middle, rows.requests))


def fit_glmix(
    rows: Rows,
    config: RankerSection,
    seed: int,
    progress: Progress,
    previous: Glmix | None = None,
    first: Trees | None = None,
) -> Glmix:
    """Fit the model.

    Priors that are `auto` are estimated. Started from a previous one, whose trees are young enough
    (`refresh`) and read the same features, only the coefficients are fitted, from where they were
    and under the same priors; users and items without a new row keep theirs.

    Args:
        rows: the training rows.
        config: of the ranker.
        seed: of the trees.
        progress: told of the steps.
        previous: the model to start from.
        first: the first model, if it is there already (of a cascade); `rows` are then all later
            than what it was fitted on.
    """
    end = int(rows.time[-1])
    if previous is not None and first is None and _young(previous, rows, config):
        later = int(np.searchsorted(rows.time, previous.trained, "right"))
        fresh = rows.part(later, rows.requests) if rows.requests - later >= FEWEST else rows
        found = _fit(fresh, previous.first, previous.center, previous.scale, config, progress,
                     previous)  # fmt: skip
        return _model(previous.first, previous.center, previous.scale, found, previous.trained)
    if first is None:
        halves = Halves.of(rows)
        few = structs.replace(config, trees=max(config.interactions, 1))
        first, _ = fit_trees(halves.first, few, seed, progress)
        rows, end = halves.second, int(halves.first.time[-1])
    plain = compress(rows.x)
    center = plain.mean(axis=1)
    scale = plain.std(axis=1)
    scale[scale < 1e-6] = 1
    found = _fit(rows, first, center, scale, config, progress, None)
    return _model(first, center, scale, found, end)


FEWEST = 100
"""New requests below which all of the window is fitted again."""


def _young(previous: Glmix, rows: Rows, config: RankerSection) -> bool:
    age = int(rows.time[-1]) - previous.trained
    return previous.features == rows.features and 0 <= age < parse_span(config.refresh)


def _fit(
    rows: Rows,
    first: Trees,
    center: NDArray[np.float32],
    scale: NDArray[np.float32],
    config: RankerSection,
    progress: Progress,
    previous: Glmix | None,
) -> Fitted:
    given = [config.prior_global, config.prior_user, config.prior_item]
    known = [None] * 3 if previous is None else previous.priors.tolist()
    priors = [old if one == "auto" else one for one, old in zip(given, known, strict=True)]
    before = None
    if previous is not None:
        before = (np.asarray(previous.shared), previous.user, previous.item)
    request = np.repeat(np.arange(rows.requests), np.diff(rows.offsets))
    # A user's later requests tell the same of an item again: coefficients of a user would learn
    # those items by heart if each telling counted.
    pairs = rows.user[request].astype(np.int64) * (int(rows.item.max(initial=0)) + 1) + rows.item
    _, pair, told = np.unique(pairs, return_inverse=True, return_counts=True)
    found = fit_mixed(
        design(first, center, scale, rows.x),
        rows.label,
        (rows.weight / told[pair]).astype(np.float32),
        rows.key[request],
        rows.item.astype(np.uint64),
        (priors[0], priors[1], priors[2]),
        config.sweeps,
        progress,
        before,
    )
    progress.note(
        f"{len(found.user):,} users and {len(found.item):,} items with "
        f"{len(found.user.columns) + len(found.item.columns):,} coefficients after "
        f"{len(found.objective)} sweeps; priors {', '.join(f'{p:.3g}' for p in found.priors)}"
    )
    return found


def _model(
    first: Trees,
    center: NDArray[np.float32],
    scale: NDArray[np.float32],
    found: Fitted,
    trained: int,
) -> Glmix:
    return Glmix(
        first.features,
        first,
        center,
        scale,
        found.shared,
        found.user,
        found.item,
        trained,
        np.array(found.priors),
    )
