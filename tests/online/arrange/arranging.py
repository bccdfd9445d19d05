"""Arranging the shop: a request, its candidates and their scores."""

from __future__ import annotations

import numpy as np

from shortlist.config.load import parse_config
from shortlist.core.bitmap import full
from shortlist.core.catalogue import Catalogue, Column
from shortlist.core.request import Candidates, Request
from shortlist.core.times import DAY
from shortlist.index import build_index
from shortlist.online.arrange import Arrange
from shortlist.online.query import Query
from shortlist.release.artefacts import ItemVectors
from shortlist.testing import shop

NOTHING = np.empty(0, np.int32)
NOW = 100 * DAY
BASE = shop.CONFIG.replace(
    'attributes = ["category", "price"]', 'attributes = ["category", "price", "tags", "born"]'
)


def catalogue():
    """The shop, whose items also have lists of tags and are one day older with every row."""
    made = shop.catalogue()
    tags = [[t for t in ("red", "big", "new") if row % len(t) == 0] for row in range(shop.ITEMS)]
    born = [NOW - row * DAY if row % 7 else None for row in range(shop.ITEMS)]
    columns = {**made.columns, "tags": Column.keywords(tags), "born": Column.time(born)}
    return Catalogue(made.vocabulary, columns, made.available, made.expires)


def index():
    """Vectors of all but the last row."""
    rows = np.arange(shop.ITEMS - 1, dtype=np.int32)
    vectors = np.random.default_rng(1).normal(size=(len(rows), 6)).astype("f4")
    return build_index(ItemVectors(rows, vectors), shop.config().index, 0)[0]


CATALOGUE = catalogue()
INDEX = index()


def arrange_of(text, seed=0):
    """The rules that a configuration's text says."""
    config = parse_config(BASE + text)
    names = frozenset(config.retrievers)
    return Arrange(CATALOGUE, config.arrange, {"item_graph": INDEX.vectors_of}, names, seed)


def query(k=10, *, user="ann", now=NOW, item=None, allow=None, banned=(), explain=False):
    """A request, understood."""
    return Query(
        Request(user=user, k=k, item=item, explain=explain),
        now=now,
        limit=500,
        allow=full(shop.ITEMS) if allow is None else allow,
        filtered=allow is not None,
        banned=np.array(banned, np.int32),
        seeds=NOTHING,
        history_rows=NOTHING,
        history_times=np.empty(0, np.int64),
    )


def candidates_of(rows, sources=None):
    """Candidates; `sources` says which rows each found, in its order."""
    rows = np.array(rows, np.int32)
    sources = sources or {"popular": rows.tolist()}
    ranks = np.zeros((len(sources), len(rows)), np.float32)
    for s, found in enumerate(sources.values()):
        for rank, row in enumerate(found):
            ranks[s, rows == row] = 1 / (rank + 1)
    return Candidates(rows, ranks.copy(), ranks, tuple(sources))


def falling(n):
    """Scores from 1 to 0."""
    return np.linspace(1, 0, n, dtype="f4")


def rows_of(arranged, candidates):
    """The rows that are shown."""
    return candidates.rows[arranged.chosen].tolist()


def shown(text, rows, k=10, scores=None, sources=None, **request):
    """The rows that a configuration's text shows of scored rows, best first without scores."""
    candidates = candidates_of(rows, sources)
    scores = falling(len(rows)) if scores is None else np.array(scores, np.float32)
    return rows_of(arrange_of(text)(query(k, **request), candidates, scores), candidates)
