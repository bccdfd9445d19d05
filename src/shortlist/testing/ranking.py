"""A small world whose users like one kind of item each, and retrieval that does not know it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from shortlist.core.catalogue import Catalogue, Column
from shortlist.core.request import Candidates, Request, Shortlist, Weighed
from shortlist.core.times import DAY, MINUTE
from shortlist.core.vocabulary import Vocabulary
from shortlist.features.contract import VectorsOf
from shortlist.offline.data.training import TrainingData

START = 1_700_000_000_000_000
END = START + 30 * DAY
WINDOW = START + 20 * DAY
USERS, ITEMS, KINDS = 120, 80, 4


class Everything:
    """Retrieves every item: by its count before the window, and by its row."""

    sources = ("popular", "row")

    def __init__(self, data: TrainingData) -> None:
        before = data.item[data.time < WINDOW]
        self.counts = np.bincount(before, minlength=data.items).astype(np.float32)
        self.asked: list[Request] = []

    def retrieve(self, requests: Sequence[Request]) -> list[Candidates]:
        """Every item, most popular first."""
        self.asked += requests
        rows = np.argsort(-self.counts, kind="stable").astype(np.int32)
        by_rank = (1 / (1 + np.arange(len(rows)))).astype(np.float32)
        scores = np.stack([self.counts[rows], -rows.astype(np.float32)])
        ranks = np.stack([by_rank, by_rank[rows]])
        return [Candidates(rows, scores, ranks, self.sources) for _ in requests]

    def fused(self, requests: Sequence[Request]) -> list[tuple[Candidates, NDArray[np.float32]]]:
        """The same; the fused score is the first source's rank value."""
        return [(found, found.ranks[0]) for found in self.retrieve(requests)]

    @property
    def vectors(self) -> Mapping[str, VectorsOf]:
        """No retriever has any."""
        return {}

    def weigh(self, requests: Sequence[Request]) -> list[Weighed]:
        """Not what training rows ask for."""
        raise AssertionError("training rows do not learn fusion")

    def recommend(self, requests: Sequence[Request]) -> list[Shortlist]:
        """Not what training rows ask for."""
        raise AssertionError("training rows come before ranking")


def user_ids() -> list[str]:
    """The id of each user row."""
    return [f"user {n}" for n in range(USERS)]


def tasteful_log() -> TrainingData:
    """Six thousand events over 30 days; 85 in 100 are with the kind the user likes."""
    rng = np.random.default_rng(5)
    kind = np.arange(ITEMS) % KINDS
    users = rng.integers(0, USERS, 6_000)
    liked = rng.random(len(users)) < 0.85
    items = rng.integers(0, ITEMS // KINDS, len(users)) * KINDS + users % KINDS
    items = np.where(liked, items, rng.integers(0, ITEMS, len(users)))
    times = START + rng.integers(0, 30 * DAY // MINUTE, len(users)) * MINUTE
    order = np.lexsort((items, times, users))
    catalogue = Catalogue(
        Vocabulary.of([f"item {n}" for n in range(ITEMS)]),
        {
            "kind": Column.keyword([f"kind {k}" for k in kind]),
            "price": Column.number([float(n) if n % 7 else None for n in range(ITEMS)]),
        },
        np.ones(ITEMS, np.bool_),
        np.full(ITEMS, np.iinfo(np.int64).max),
    )
    return TrainingData(
        catalogue=catalogue,
        users=USERS,
        user=users[order].astype(np.int32),
        item=items[order].astype(np.int32),
        time=times[order],
        weight=np.ones(len(users), np.float32),
        session=np.arange(len(users)),
        until=END,
    )


Line = tuple[int, int, int, int | None, str | None]
"""user, item, time, position, request."""
Drawn = tuple[int, int, int, int | None, str | None, float | None, str | None]
"""The same, propensity, variants."""


def write_impressions(path: Path, lines: Sequence[Line | Drawn]) -> Path:
    """Write `impressions.parquet` and return its path."""
    full = [(*line, *[None] * (7 - len(line))) for line in lines]
    columns = list(zip(*full, strict=True)) or [()] * 7
    types = {
        "user": pa.int32(),
        "item": pa.int32(),
        "time": pa.int64(),
        "position": pa.int32(),
        "request": pa.string(),
        "propensity": pa.float32(),
        "variants": pa.string(),
    }
    pq.write_table(
        pa.table({n: pa.array(c, t) for (n, t), c in zip(types.items(), columns, strict=True)}),
        path,
    )
    return path
