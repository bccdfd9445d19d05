"""Known-item search among films: by a piece of the plot, by title, by an actor and a genre.

Each query is asked as it is and with one word mistyped (by a letter drawn at random, or as pairs of
typed and meant words say that people mistype), with and without spelling correction and with and
without the knowledge graph (film, actor, genre). A film found by its cast counts when it is any
with that actor and genre. `texts` searches titles and plots; in `everything` the names of actors
and genres are words of the film, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from _search_beir import CONFIG, of_texts, pipeline_of, release_of
from _search_typos import Habits
from msgspec import structs

from shortlist.config.load import parse_config
from shortlist.core.catalogue import Catalogue, Column
from shortlist.core.search import SearchRequest

QUERIES = 200
PLOT_WORDS = 8
LETTERS = "abcdefghijklmnopqrstuvwxyz"
FIELDS = {
    "texts": "title = 3\nplot = 1\n",
    "everything": "title = 3\nplot = 1\nactors = 1\ngenres = 1\n",
}


@dataclass(frozen=True)
class Query:
    """What is asked, and the films that count."""

    text: str
    wanted: frozenset[str]


def known_items(
    folder: Path, scratch: Path, *, words: Path | None, habits: Habits | None, small: bool
) -> dict[str, Any]:
    """Success@1 and MRR@10 of each kind of query, with what spelling and the graph add."""
    films = pq.read_table(folder / "items.parquet").to_pylist()
    rng = np.random.default_rng(11)
    n = 40 if small else QUERIES
    kinds: dict[str, list[Query]] = {
        "plot": _plots(films, n, rng),
        "title": _titles(films, n, rng),
        "cast": _casts(films, n, rng),
    }
    scratch.mkdir(parents=True)
    _triples(films, scratch / "knowledge.parquet")
    items = _catalogue(films)
    figures: dict[str, Any] = {"films": len(films), "queries": n}
    for name, fields in FIELDS.items():
        listed = f'words = ["{words.resolve()}"]\n' if words else ""
        text = (
            CONFIG.replace('text = ["title", "text"]', 'text = ["title", "plot"]').replace(
                "[retrievers.popular]",
                'attributes = ["actors", "genres"]\n[data.knowledge]\n'
                f'path = "{scratch / "knowledge.parquet"}"\n[retrievers.popular]',
            )
            + f"[search]\n{listed}[search.fields]\n{fields}"
        )
        config = parse_config(text)
        release = release_of(config, items, scratch / name)
        flat = structs.replace(config, data=structs.replace(config.data, knowledge=None))
        pipelines = {"graph": pipeline_of(config, release), "": pipeline_of(flat, release)}
        for kind, queries in kinds.items():
            for noise, asked in (("", queries), (" with a typo", _mistyped(queries, habits, rng))):
                group = figures.setdefault(name, {}).setdefault(f"{kind}{noise}", {})
                for graph, pipeline in pipelines.items():
                    for spelling in (True, False):
                        ways = [w for w in ("spelling" if spelling else "", graph) if w]
                        group[" + ".join(["words", *ways])] = _measured(
                            pipeline.search, asked, correct=spelling
                        )
    return figures


def _measured(
    search: Callable[..., Any], queries: Sequence[Query], *, correct: bool
) -> dict[str, float]:
    reciprocal = []
    for query in queries:
        request = SearchRequest(query.text, k=10, correct=correct, highlight=False)
        (answer,) = search([request])
        places = [place for place, id in enumerate(answer.ids) if id in query.wanted]
        reciprocal.append(1 / (places[0] + 1) if places else 0.0)
    told = np.array(reciprocal)
    return {"success@1": float((told == 1).mean()), "mrr@10": float(told.mean())}


def _catalogue(films: list[dict[str, Any]]) -> Catalogue:
    plain = of_texts(
        [film["item_id"] for film in films],
        {name: [film[name] or "" for film in films] for name in ("title", "plot")},
    )
    actors = Column.keywords([_names(film) for film in films])
    genres = Column.keywords([film["genres"] for film in films])
    return Catalogue(
        plain.vocabulary,
        {**plain.columns, "actors": actors, "genres": genres},
        plain.available,
        plain.expires,
    )


def _names(film: dict[str, Any]) -> list[str]:
    return [name.strip() for name in (film["actors"] or "").split(",") if name.strip()]


def _triples(films: list[dict[str, Any]], path: Path) -> None:
    triples = [
        (f"item:{film['item_id']}", relation, f"{relation}:{name}")
        for film in films
        for relation, names in (("actor", _names(film)), ("genre", film["genres"]))
        for name in names
    ]
    heads, relations, tails = zip(*triples, strict=True)
    pq.write_table(pa.table({"head": heads, "relation": relations, "tail": tails}), path)


def _plots(films: list[dict[str, Any]], n: int, rng: np.random.Generator) -> list[Query]:
    told = [film for film in films if len((film["plot"] or "").split()) >= 2 * PLOT_WORDS]
    queries = []
    for film in rng.choice(np.array(told, object), n, replace=False):
        words = film["plot"].split()
        start = int(rng.integers(len(words) - PLOT_WORDS))
        text = " ".join(words[start : start + PLOT_WORDS]).replace('"', "")
        queries.append(Query(text, frozenset({film["item_id"]})))
    return queries


def _titles(films: list[dict[str, Any]], n: int, rng: np.random.Generator) -> list[Query]:
    by_title: dict[str, set[str]] = {}
    for film in films:
        by_title.setdefault(film["title"], set()).add(film["item_id"])
    long = sorted(title for title in by_title if len(title.split()) >= 2)
    chosen = rng.choice(np.array(long, object), n, replace=False)
    return [Query(title, frozenset(by_title[title])) for title in chosen]


def _casts(films: list[dict[str, Any]], n: int, rng: np.random.Generator) -> list[Query]:
    with_cast = [film for film in films if _names(film) and film["genres"]]
    queries = []
    for film in rng.choice(np.array(with_cast, object), n, replace=False):
        actor, genre = str(rng.choice(_names(film))), str(rng.choice(film["genres"]))
        wanted = {
            other["item_id"]
            for other in with_cast
            if actor in _names(other) and genre in other["genres"]
        }
        queries.append(Query(f"{actor} {genre}", frozenset(wanted)))
    return queries


def _mistyped(
    queries: Sequence[Query], habits: Habits | None, rng: np.random.Generator
) -> list[Query]:
    """The queries with a long word mistyped: one letter dropped, added, swapped or another."""
    wrong = []
    for query in queries:
        words = query.text.split()
        long = [place for place, word in enumerate(words) if len(word) >= 5] or [0]
        place = int(rng.choice(long))
        if habits is not None:
            words[place] = habits.mistype(words[place], rng)
            wrong.append(Query(" ".join(words), query.wanted))
            continue
        word, at = words[place], int(rng.integers(1, max(len(words[place]) - 1, 2)))
        letter = str(rng.choice(list(LETTERS)))
        words[place] = [
            word[:at] + word[at + 1 :],
            word[:at] + letter + word[at:],
            word[:at] + letter + word[at + 1 :],
            word[:at] + word[at + 1 : at + 2] + word[at : at + 1] + word[at + 2 :],
        ][int(rng.integers(4))]
        wrong.append(Query(" ".join(words), query.wanted))
    return wrong
