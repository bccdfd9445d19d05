"""Subword vectors: what they know from the catalogue, and what sessions and queries teach them."""

import dataclasses
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from shortlist.config.schema import Retriever, TextEncoderRetriever, TwoTowerRetriever
from shortlist.core.catalogue import Column
from shortlist.core.errors import ConfigError
from shortlist.core.progress import Silent
from shortlist.core.times import DAY
from shortlist.offline.data.items import NEVER
from shortlist.offline.data.training import TrainingData
from shortlist.offline.retrieval import fit_retriever
from shortlist.offline.retrieval.text.measure import ranks, recall
from shortlist.offline.retrieval.text.pairs import session_pairs
from shortlist.release.artefacts import (
    Artefact,
    ItemVectors,
    StaticText,
    load_artefact,
    save_artefact,
)
from shortlist.testing.library import LANGUAGES, library
from shortlist.testing.retrieval import RetrieverContract, assert_same, training_data
from shortlist.text.encoding.saved import open_encoder

SMALL = TextEncoderRetriever(dim=32, epochs=4, batch=64)
SUBJECTS = 15
BOOKS = library(documents=600, users=400, subjects=SUBJECTS)
CUT = 16 * DAY


def with_titles(data: TrainingData) -> TrainingData:
    """The items of a tiny log, called after their parity and number."""
    names = [f"{('even', 'odd')[row % 2]} thing number {row}" for row in range(data.items)]
    return dataclasses.replace(
        data, catalogue=dataclasses.replace(data.catalogue, columns={"title": Column.text(names)})
    )


class TestStaticContract(RetrieverContract):
    def config(self) -> TextEncoderRetriever:
        return SMALL

    def fit(self, data: TrainingData, seed: int = 0) -> dict[str, Artefact]:
        return super().fit(with_titles(data), seed)


class TestCosineContract(TestStaticContract):
    def config(self) -> TextEncoderRetriever:
        return TextEncoderRetriever(dim=32, epochs=2, batch=64, similarity="cosine", hard=2)


@cache
def fitted(until: int = NEVER, **settings: object) -> tuple[StaticText, ItemVectors]:
    """The library's encoder, from what was read before an instant."""
    return fitted_to(BOOKS.data.before(until), **settings)


def fitted_to(data: TrainingData, **settings: object) -> tuple[StaticText, ItemVectors]:
    config = TextEncoderRetriever(**{"dim": 64, "epochs": 3, "batch": 128, **settings})
    found = fit_retriever(config, data, 0, Silent())
    encoder, vectors = found["text_static"], found["vector"]
    assert isinstance(encoder, StaticText)
    assert isinstance(vectors, ItemVectors)
    return encoder, vectors


def next_document(vectors: ItemVectors, *, other_language: bool = False) -> float:
    """Recall@20 of the next document of sessions that the encoder did not see."""
    late = dataclasses.replace(
        BOOKS.data,
        **{
            name: getattr(BOOKS.data, name)[BOOKS.data.time >= CUT]
            for name in ("user", "item", "time", "weight", "session")
        },
    )
    pairs = session_pairs(late, 1)
    if other_language:
        pairs = pairs.take(BOOKS.language[pairs.anchor] != BOOKS.language[pairs.target])
    found = vectors.vectors
    return recall(ranks(found[pairs.anchor], pairs, vectors.rows, found), 20)


def test_sessions_teach_what_belongs_together_even_across_languages() -> None:
    _, untrained = fitted(CUT, epochs=0)
    _, trained = fitted(CUT)
    assert next_document(trained) > next_document(untrained) + 0.1
    assert next_document(untrained, other_language=True) < 0.1
    assert next_document(trained, other_language=True) > 0.15


def test_without_a_log_texts_with_like_words_are_near() -> None:
    _, vectors = fitted(0)
    scores = vectors.vectors @ vectors.vectors.T
    np.fill_diagonal(scores, -np.inf)
    same = BOOKS.subject[scores.argmax(axis=1)] == BOOKS.subject
    assert same.mean() > 0.5  # by chance it would be 1 in 15


def test_an_item_nobody_read_is_found_by_those_who_read_its_like() -> None:
    data = BOOKS.data
    cold = np.concatenate([np.flatnonzero(BOOKS.subject == s)[:2] for s in range(SUBJECTS)])
    keep = ~np.isin(data.item, cold)
    columns = ("user", "item", "time", "weight", "session")
    known = dataclasses.replace(data, **{name: getattr(data, name)[keep] for name in columns})
    _, vectors = fitted_to(known)
    found = []
    for subject in range(SUBJECTS):
        read = np.setdiff1d(np.flatnonzero(BOOKS.subject == subject), cold)
        scores = vectors.vectors @ vectors.vectors[read].mean(axis=0)
        near = np.argsort(-scores)[: 2 * len(read)]
        found += [row in near for row in cold[BOOKS.subject[cold] == subject]]
    assert np.mean(found) > 0.6  # by chance it would be 0.13


def test_the_encoder_gives_the_vectors_of_the_items() -> None:
    encoder, vectors = fitted(CUT)
    texts = [
        f"{BOOKS.data.catalogue.item(row)['title']}\n{BOOKS.data.catalogue.item(row)['body']}"
        for row in range(40)
    ]
    found = open_encoder(encoder).encode(texts)
    np.testing.assert_allclose(found, vectors.vectors[:40], atol=1e-6)


def test_a_batch_gives_what_its_singles_give() -> None:
    encoder = open_encoder(fitted(0)[0])
    texts = ["", "ba co", "한국어 나물", "\ud800", "x" * 100_000, "🙂🙂", "\x00\x07 wis", "名前"]
    together = encoder.encode(texts)
    alone = np.concatenate([encoder.encode([text]) for text in texts])
    np.testing.assert_array_equal(together, alone)
    assert np.isfinite(together).all()


def test_a_saved_encoder_is_the_same_and_says_so(tmp_path: Path) -> None:
    encoder, _ = fitted(CUT)
    save_artefact(encoder, tmp_path)
    opened = load_artefact("text_static", tmp_path)
    assert isinstance(opened, StaticText)
    assert opened.version == encoder.version != fitted(0)[0].version
    texts = ["wisgu venven", "나물바위"]
    np.testing.assert_array_equal(
        open_encoder(opened).encode(texts), open_encoder(encoder).encode(texts)
    )


def test_cosine_similarity_means_vectors_of_length_one() -> None:
    encoder, vectors = fitted(similarity="cosine", epochs=1)
    np.testing.assert_allclose(np.linalg.norm(vectors.vectors, axis=1), 1, atol=1e-5)
    asked = open_encoder(encoder).encode([BOOKS.query(2, "en", np.random.default_rng(0))])
    assert np.linalg.norm(asked) == pytest.approx(1, abs=1e-5)


def found_by_queries(data: TrainingData, config: Retriever) -> float:
    """How many of the first ten answers are about what was asked for in Korean."""
    rng = np.random.default_rng(2)
    test = [(s, BOOKS.query(s, "ko", rng)) for s in range(SUBJECTS) for _ in range(3)]
    fitted = fit_retriever(config, data, 0, Silent())
    encoder, vectors = fitted["text_static"], fitted["vector"]
    assert isinstance(encoder, StaticText)
    assert isinstance(vectors, ItemVectors)
    scores = open_encoder(encoder).encode([text for _, text in test]) @ vectors.vectors.T
    found = BOOKS.subject[vectors.rows[np.argsort(-scores, axis=1)[:, :10]]]
    return float((found == np.array([subject for subject, _ in test])[:, None]).mean())


@pytest.mark.parametrize(
    "config",
    [
        TextEncoderRetriever(dim=64, epochs=3, batch=128),
        TwoTowerRetriever(query="text", dim=64, epochs=3, batch=128),
        TwoTowerRetriever(query="text", dim=64, epochs=3, batch=128, similarity="cosine", hard=0),
    ],
    ids=["text_encoder", "two_tower", "two_tower cosine"],
)
def test_clicked_answers_teach_what_a_query_means(config: Retriever) -> None:
    # Asked in one language, answered in any: no word of a query is in most answers.
    nothing = BOOKS.data.before(0)
    taught = dataclasses.replace(nothing, queries=BOOKS.clicks("ko", 1_500))
    assert found_by_queries(taught, config) > found_by_queries(nothing, config) + 0.3


def test_clicks_after_the_cut_are_not_known() -> None:
    late = BOOKS.clicks("ko", 200)
    late = dataclasses.replace(late, time=late.time + 5 * DAY)
    data = dataclasses.replace(BOOKS.data.before(0), queries=late)
    config = TwoTowerRetriever(query="text", dim=16)
    assert_same(
        fit_retriever(config, data.before(DAY), 0, Silent()),
        fit_retriever(config, dataclasses.replace(data, queries=late.before(DAY)), 0, Silent()),
    )


def test_keywords_are_read_where_they_are_named() -> None:
    data = training_data(
        [(0, 0, DAY)],
        3,
        {
            "brand": Column.keyword(["acme", "acme", "zeta"]),
            "tags": Column.keywords([["red"], ["red", "blue"], []]),
        },
    )
    assert not len(fit_retriever(SMALL, data, 0, Silent())["vector"].rows)
    named = TextEncoderRetriever(dim=8, text=["brand", "tags"])
    found = fit_retriever(named, data, 0, Silent())["vector"]
    assert isinstance(found, ItemVectors)
    scores = found.vectors @ found.vectors[0]
    assert scores[1] > scores[2]


def test_a_column_that_is_not_there_is_said() -> None:
    config = TextEncoderRetriever(text=["titel"])
    with pytest.raises(ConfigError, match="'titel', which is no text or keyword column"):
        fit_retriever(config, BOOKS.data, 0, Silent())


def test_the_world_has_seven_languages() -> None:
    assert set(BOOKS.language.tolist()) == set(range(len(LANGUAGES)))
