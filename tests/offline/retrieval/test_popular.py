import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.config.schema import PopularRetriever
from shortlist.core.catalogue import Column
from shortlist.core.errors import ConfigError
from shortlist.core.progress import Silent
from shortlist.core.times import DAY
from shortlist.offline.data.training import TrainingData
from shortlist.offline.retrieval import fit_retriever
from shortlist.release.artefacts import PopularLists
from shortlist.testing.retrieval import RetrieverContract, assert_sound, training_data

NOW = 100 * DAY
KINDS = Column.keyword(["fruit", "tool", None, "fruit", "tool"])
TAGS = Column.keywords([["red", "round"], ["red", "red"], [], None, ["round"]])


class TestPopularContract(RetrieverContract):
    def config(self) -> PopularRetriever:
        return PopularRetriever()


def fit(data: TrainingData, category: str = "", **config: str) -> PopularLists:
    lists = fit_retriever(PopularRetriever(**config), data, 0, Silent(), category)["popular"]
    assert isinstance(lists, PopularLists)
    return lists


def test_an_event_counts_half_after_each_half_life() -> None:
    data = training_data([(0, 0, NOW), (0, 1, NOW - 7 * DAY), (0, 2, NOW - 14 * DAY)], 3, until=NOW)
    lists = fit(data, half_life="7d")
    assert lists.order.tolist() == [0, 1, 2]
    np.testing.assert_allclose(lists.scores, [1, 0.5, 0.25])


def test_two_old_events_lose_to_one_new_one_when_the_half_life_is_short() -> None:
    events = [(0, 0, DAY), (1, 0, DAY), (2, 1, NOW - DAY)]
    assert fit(training_data(events, 2, until=NOW), half_life="3d").order[0] == 1
    assert fit(training_data(events, 2, until=NOW), half_life="52000w").order[0] == 0


def test_items_nobody_took_come_last_in_order_of_rows() -> None:
    lists = fit(training_data([(0, 3, DAY)], 5))
    assert lists.order.tolist() == [3, 0, 1, 2, 4]
    assert lists.scores[1:].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (KINDS, {"fruit": [3, 0], "tool": [4, 1]}),
        (TAGS, {"red": [0, 1], "round": [4, 0]}),
    ],
    ids=["keyword", "keywords"],
)
def test_each_term_has_a_list_of_its_own_items(
    column: Column, expected: dict[str, list[int]]
) -> None:
    data = training_data([(0, 3, NOW), (0, 4, NOW), (1, 4, NOW)], 5, {"kind": column})
    lists = fit(data, segment="kind")
    assert lists.segment == "kind"
    for code, term in enumerate(column.terms):
        start, stop = lists.segment_offsets[code : code + 2]
        assert lists.segment_order[start:stop].tolist() == expected[term]


def test_the_catalogues_category_is_the_segment_unless_the_config_names_one() -> None:
    data = training_data([(0, 0, NOW)], 5, {"kind": KINDS, "tags": TAGS})
    assert fit(data, category="kind").segment == "kind"
    assert fit(data, category="kind", segment="tags").segment == "tags"
    assert fit(data).segment == ""


def test_a_segment_that_is_no_keyword_attribute_is_refused_with_the_nearest_name() -> None:
    columns = {"kind": KINDS, "price": Column.number([1, 2, 3, 4, 5])}
    data = training_data([(0, 0, NOW)], 5, columns)
    with pytest.raises(ConfigError, match=r"'knd'.*not in the catalogue.*Did you mean 'kind'"):
        fit(data, segment="knd")
    with pytest.raises(ConfigError, match=r"'price'.*is a number"):
        fit(data, segment="price")


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4), st.integers(0, 99)), max_size=40),
    st.lists(st.lists(st.sampled_from("abc"), max_size=4), min_size=5, max_size=5),
)
def test_lists_agree_with_counting_by_hand(
    events: list[tuple[int, int, int]], tags: list[list[str]]
) -> None:
    column = Column.keywords(tags)
    data = training_data([(u, i, t * DAY) for u, i, t in events], 5, {"tags": column}, until=NOW)
    lists = fit(data, segment="tags", half_life="10d")
    assert_sound(lists, 5)
    scores = np.zeros(5)
    for _, item, day in events:
        scores[item] += 0.5 ** ((100 - day) / 10)
    np.testing.assert_allclose(lists.scores, scores[lists.order], rtol=1e-5)
    for code, term in enumerate(column.terms):
        start, stop = lists.segment_offsets[code : code + 2]
        members = {row for row in range(5) if term in tags[row]}
        assert set(lists.segment_order[start:stop].tolist()) == members
