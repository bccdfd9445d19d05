"""Query intent: which categories, and probabilities that mean what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shortlist.core.errors import DataError
from shortlist.text.analyzer import Analyzer
from shortlist.text.intent import IntentClassifier, learn_intent

ANALYZER = Analyzer()
WORDS = {
    "phones": "phone iphone charger screen case android battery cable",
    "shoes": "shoe sneaker boot running leather sole lace case",
    "kitchen": "pan pot knife oven chicken board battery cup",
}


def world(seed: int, n: int = 1_500) -> tuple[list[list[str]], list[str]]:
    """Queries of two words of a category; `case` and `battery` are of two categories."""
    rng = np.random.default_rng(seed)
    queries, categories = [], []
    for _ in range(n):
        category = str(rng.choice(list(WORDS)))
        said = rng.choice(WORDS[category].split(), 2)
        queries.append(ANALYZER.terms(" ".join(said)))
        categories.append(category if rng.random() > 0.1 else str(rng.choice(list(WORDS))))
    return queries, categories


CLASSIFIER = learn_intent(*world(0))


def test_a_query_is_after_what_was_clicked_after_others_like_it() -> None:
    best = CLASSIFIER.classify(ANALYZER.terms("running boots"))

    assert best[0].category == "shoes"
    assert best[0].probability > 0.7
    assert sum(intent.probability for intent in best) == pytest.approx(1)


def test_a_word_of_two_categories_leaves_both_open() -> None:
    shares = dict(
        zip(CLASSIFIER.categories, CLASSIFIER.probabilities(ANALYZER.terms("case")), strict=True)
    )

    assert min(shares["phones"], shares["shoes"]) > 3 * shares["kitchen"]


def test_parts_of_words_tell_something_of_words_that_are_new() -> None:
    assert CLASSIFIER.classify(["smartphone"])[0].category == "phones"


def test_probabilities_are_as_often_right_as_they_say() -> None:
    queries, categories = world(1)
    shares = np.stack([CLASSIFIER.probabilities(query) for query in queries])
    right = np.array(CLASSIFIER.categories)[shares.argmax(1)] == categories

    assert shares.max(1).mean() == pytest.approx(right.mean(), abs=0.05)
    assert right.mean() > 0.75


def test_no_words_give_the_shares_of_all_queries() -> None:
    assert CLASSIFIER.probabilities([]).sum() == pytest.approx(1)


def test_the_same_clicks_and_seed_give_the_same_classifier() -> None:
    again = learn_intent(*world(0))

    np.testing.assert_array_equal(again.weights, CLASSIFIER.weights)


def test_what_counts_more_is_likelier() -> None:
    queries, categories = [["gift"]] * 40, ["phones", "shoes"] * 20
    weights = np.array([9.0, 1.0] * 20, np.float32)

    assert learn_intent(queries, categories, weights).classify(["gift"])[0].category == "phones"


def test_a_saved_classifier_says_the_same(tmp_path: Path) -> None:
    CLASSIFIER.save(tmp_path)

    opened = IntentClassifier.load(tmp_path)

    assert opened.classify(["boot"]) == CLASSIFIER.classify(["boot"])


def test_without_clicks_the_remedy_is_named() -> None:
    with pytest.raises(DataError, match=r"search\.intent: there is no query"):
        learn_intent([], [])
