"""What a release serves is what its artefacts say: every family against a plain numpy scorer."""

from pathlib import Path

import numpy as np
import pytest

from shortlist.config.schema import (
    FactorsRetriever,
    GraphFilterRetriever,
    IndexSection,
    LinearRetriever,
    NeighboursRetriever,
    TransitionsRetriever,
)
from shortlist.core.bitmap import full, pack
from shortlist.core.progress import Silent
from shortlist.core.request import Request
from shortlist.core.times import DAY, HOUR, MINUTE
from shortlist.index import build_index, load_index
from shortlist.offline.retrieval import fit_retriever
from shortlist.online.marks import Marks
from shortlist.online.query import Query
from shortlist.online.retrieval.factors import FactorsSource
from shortlist.online.retrieval.item_to_item import ItemToItemSource
from shortlist.online.retrieval.neighbours import NeighboursSource
from shortlist.release.artefacts import load_artefact, save_artefact
from shortlist.testing.retrieval import training_data

ITEMS = 40
FAMILIES = {
    "transitions": TransitionsRetriever(),
    "linear": LinearRetriever(),
    "ease": LinearRetriever(decay=1.0),
    "sparse": LinearRetriever(solver="sparse", support=12),
    "graph_filter": GraphFilterRetriever(frequencies=6),
    "newest": NeighboursRetriever(
        within="session", scoring="newest", recent=8, nearest=6, window=3
    ),
    "histories": NeighboursRetriever(within="history", scoring="newest", nearest=1_000),
    "context": NeighboursRetriever(
        within="session", scoring="context", agreement=1.0, recent=8, nearest=6, window=3
    ),
    "agreement": NeighboursRetriever(within="history", scoring="context", agreement=2.0),
    "some_agreement": NeighboursRetriever(
        within="history", scoring="context", agreement=1.5, back=1.0, distance=1.0
    ),
    "any_agreement": NeighboursRetriever(
        within="history", scoring="context", agreement=1.3, nearest=5, history=4
    ),
    "factors": FactorsRetriever(dim=8, epochs=4),
    "long_histories": FactorsRetriever(dim=4, epochs=4, decay=1.0),
}


def log():
    """Users drift along a ring of items, a few steps in each of several sessions."""
    random = np.random.default_rng(5)
    events = []
    for user in range(70):
        place = int(random.integers(ITEMS - 2))  # the last two items are taken by nobody
        for n in range(int(random.integers(3, 14))):
            place = (place + int(random.integers(1, 4))) % (ITEMS - 2)
            events.append((user, place, DAY + n // 4 * HOUR + n * MINUTE))
    return training_data(events, ITEMS)


def queries():
    """Histories of several lengths, with repeats, and with bans and filters."""
    random = np.random.default_rng(6)
    made = []
    for length in (0, 1, 2, 5, 12, 30):
        for flags in (None, random.random(ITEMS) < 0.6):
            seeds = random.integers(0, ITEMS, length).astype(np.int32)
            banned = np.append(seeds[: length // 2], [-1]).astype(np.int32)
            made.append(
                Query(
                    Request(k=5),
                    now=0,
                    limit=5,
                    allow=full(ITEMS) if flags is None else pack(flags),
                    filtered=flags is not None,
                    banned=banned,
                    seeds=seeds,
                    history_rows=seeds[::-1],
                    history_times=np.zeros(length, np.int64),
                )
            )
    return made


def served(config, folder: Path):
    """The family's artefacts as a release holds them, and the source over them."""
    fitted = fit_retriever(config, log(), 3, Silent())
    opened = {}
    for kind, artefact in fitted.items():
        if kind == "vector":
            index, _ = build_index(artefact, IndexSection(kind="exact"), 0)
            index.save(folder / "index")
            opened[kind] = artefact
        else:
            save_artefact(artefact, folder / kind)
            opened[kind] = load_artefact(kind, folder / kind)
    if "item_to_item" in opened:
        return ItemToItemSource("map", opened["item_to_item"]), opened
    if "sessions" in opened:
        return NeighboursSource("sessions", opened["sessions"]), opened
    return FactorsSource("factors", opened["factors"], load_index(folder / "index")), opened


def by_map(map, seeds):
    matrix = np.full((ITEMS, ITEMS), np.nan)
    for row in range(ITEMS):
        there = map.neighbours[row] >= 0
        matrix[row, map.neighbours[row][there]] = map.scores[row][there]
    seeds = seeds[: map.reach]
    rows = matrix[seeds] * map.decay ** np.arange(len(seeds))[:, None]
    return np.where(np.isnan(rows).all(axis=0), np.nan, np.nansum(rows, axis=0))


def by_sessions(index, seeds):
    sessions = [
        index.session_items[a:b].tolist()
        for a, b in zip(index.session_offsets[:-1], index.session_offsets[1:], strict=True)
    ]
    score, match, matches = {}, {}, {}
    for rank, seed in enumerate(seeds[: index.reach]):
        for session in index.item_sessions[index.item_offsets[seed] : index.item_offsets[seed + 1]]:
            last = max(p for p, item in enumerate(sessions[session]) if item == seed)
            count = index.decay**rank * index.rarity[seed]
            match.setdefault(session, last)
            matches.setdefault(session, []).append((last, count))
            score[session] = score.get(session, 0) + count
    worth = {s: score[s] / len(sessions[s]) ** index.length_power for s in score}
    nearest = sorted(worth, key=lambda s: (-np.float32(worth[s]), -s))[: index.nearest]
    if index.scoring == "newest":
        matches = {s: [(match[s], worth[s])] for s in nearest}
    votes = np.full(ITEMS, np.nan)
    for session in nearest:
        for place, item in enumerate(sessions[session]):
            vote = 0.0
            for match, count in matches[session]:
                steps = place - match
                if 0 < abs(steps) <= index.window:
                    vote += count * abs(steps) ** -index.distance * (index.back if steps < 0 else 1)
            if vote:
                votes[item] = np.nan_to_num(votes[item]) + vote**index.agreement
    return votes * index.target_rarity


def by_factors(factors, vectors, seeds):
    table = np.zeros((ITEMS, vectors.vectors.shape[1]))
    table[vectors.rows] = vectors.vectors
    weights = factors.decay ** np.arange(min(len(seeds), factors.reach))
    seeds = seeds[: factors.reach]
    known = np.isin(seeds, vectors.rows)
    rows, weights = table[seeds[known]], weights[known]
    scores = np.full(ITEMS, np.nan)
    if len(rows):
        cost = factors.regularisation * (len(rows) + factors.unseen) ** factors.power
        system = np.diag(factors.gram + cost) + (rows * weights[:, None]).T @ rows
        scores[vectors.rows] = table[vectors.rows] @ np.linalg.solve(system, rows.T @ weights)
    return scores


@pytest.mark.parametrize("name", FAMILIES)
def test_the_top_of_a_served_family_is_that_of_its_offline_scorer(name, tmp_path):
    source, artefacts = served(FAMILIES[name], tmp_path)
    asked, marks = queries(), Marks(ITEMS)
    for query, (rows, scores) in zip(asked, source.search(asked, 5, marks), strict=True):
        if "item_to_item" in artefacts:
            expected = by_map(artefacts["item_to_item"], query.seeds)
        elif "sessions" in artefacts:
            expected = by_sessions(artefacts["sessions"], query.seeds)
        else:
            expected = by_factors(artefacts["factors"], artefacts["vector"], query.seeds)
        expected[query.banned[query.banned >= 0]] = np.nan
        expected[~np.unpackbits(query.allow, count=ITEMS, bitorder="little").astype(bool)] = np.nan
        best = np.sort(expected[~np.isnan(expected)])[::-1][:5]
        assert len(rows) == len(set(rows.tolist())) == len(best)
        np.testing.assert_allclose(scores, best, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(expected[rows], best, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_batch_is_answered_as_its_queries_are_one_by_one(name, tmp_path):
    source, _ = served(FAMILIES[name], tmp_path)
    asked, marks = queries(), Marks(ITEMS)
    for query, (rows, scores) in zip(asked, source.search(asked, 5, marks), strict=True):
        ((alone, same),) = source.search([query], 5, marks)
        np.testing.assert_allclose(scores, same, rtol=1e-5)
        assert rows.tolist() == alone.tolist()
