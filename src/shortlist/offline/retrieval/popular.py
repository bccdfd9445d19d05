"""`popular`: what people take most, lately; overall and within each term of an attribute."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist.config.schema import PopularRetriever
from shortlist.core.catalogue import Column
from shortlist.core.errors import ConfigError, did_you_mean
from shortlist.core.progress import Progress
from shortlist.core.times import parse_span
from shortlist.offline.data.training import TrainingData
from shortlist.release.artefacts import Artefact, PopularLists


def fit(
    data: TrainingData,
    config: PopularRetriever,
    seed: int,
    progress: Progress,
    category: str = "",
) -> dict[str, Artefact]:
    """Lists of items by the weight of their events, each halved per `half_life` before the end.

    Every catalogue row is in the overall list, and in the list of each of its terms; equal scores
    are in order of rows, so items that nobody took come last.

    Args:
        data: the interactions.
        config: half-life and segment attribute.
        seed: unused; nothing here is random.
        progress: one step.
        category: the attribute to count within when the config names none; empty for none.

    Returns:
        `popular`: a `PopularLists`.

    Raises:
        ConfigError: the segment attribute is not a keyword attribute of the catalogue.
    """
    progress.step("popular")
    half_life = parse_span(config.half_life)
    decayed = data.weight * np.exp2((data.time - data.until) / half_life)
    scores = np.bincount(data.item, decayed, minlength=data.items).astype(np.float32)
    order = np.argsort(-scores, kind="stable").astype(np.int32)

    segment = config.segment or category
    rows, codes, terms = _members(data, segment)
    placed = np.lexsort((rows, -scores[rows], codes))
    offsets = np.searchsorted(codes[placed], np.arange(terms + 1)) if terms else np.zeros(1)
    within = rows[placed]
    lists = PopularLists(
        order=order,
        scores=scores[order],
        segment=segment,
        segment_offsets=offsets.astype(np.int64),
        segment_order=within,
        segment_scores=scores[within],
    )
    return {"popular": lists}


def _members(data: TrainingData, segment: str) -> tuple[NDArray[np.int32], NDArray[np.int32], int]:
    """Every (row, term) pair of an attribute, and how many terms there are."""
    if not segment:
        return np.empty(0, np.int32), np.empty(0, np.int32), 0
    column = _column(data, segment)
    codes = np.asarray(column.arrays["codes"])
    if column.kind == "keyword":
        rows = np.flatnonzero(codes >= 0).astype(np.int32)
        return rows, codes[rows], len(column.terms)
    lengths = np.diff(column.arrays["offsets"])
    rows = np.repeat(np.arange(data.items, dtype=np.int32), lengths)
    # A term that an item lists twice still is one membership.
    pairs = np.unique(codes.astype(np.int64) * data.items + rows)
    return (
        (pairs % data.items).astype(np.int32),
        (pairs // data.items).astype(np.int32),
        len(column.terms),
    )


def _column(data: TrainingData, segment: str) -> Column:
    columns = data.catalogue.columns
    keywords = [name for name, column in columns.items() if column.kind.startswith("keyword")]
    if segment not in keywords:
        found = f"is a {columns[segment].kind}" if segment in columns else "is not in the catalogue"
        raise ConfigError(
            f"popularity is counted within {segment!r}, which {found}, not a keyword attribute.",
            remedy=did_you_mean(segment, keywords) or "Leave the segment empty.",
            where="retrievers.popular.segment or data.items.category",
        )
    return columns[segment]
