"""What training retrieves with where the configuration does not say."""

from dataclasses import replace

import pytest

from shortlist.config.schema import LinearRetriever, PopularRetriever
from shortlist.core.catalogue import Column
from shortlist.core.times import DAY, MINUTE
from shortlist.offline.retrieval.choose import Shape, choose_for, choose_retrievers
from shortlist.testing.retrieval import ring, training_data

SHOP = Shape(
    events=200_000,
    users=20_000,
    items=12_000,
    history=10.0,
    session=3.0,
    repeated=0.9,
)


def names(shape: Shape) -> set[str]:
    return set(choose_for(shape).retrievers)


def test_somebody_without_a_history_is_always_provided_for() -> None:
    for shape in (SHOP, replace(SHOP, events=0, users=0, items=0, repeated=0.0)):
        assert isinstance(choose_for(shape).retrievers["popular"], PopularRetriever)


def test_sequences_and_neighbours_are_the_core_of_a_shop() -> None:
    assert names(SHOP) >= {"transitions", "neighbours", "linear", "popular"}


def test_users_with_a_single_interaction_leave_nothing_but_popularity() -> None:
    assert names(replace(SHOP, repeated=0.0, history=1.0)) == {"popular"}


def test_a_whole_history_and_what_came_last_each_have_a_linear_model() -> None:
    whole, recent = (choose_for(SHOP).retrievers[name] for name in ("linear", "recent"))
    assert isinstance(whole, LinearRetriever)
    assert isinstance(recent, LinearRetriever)
    assert whole.decay == 1
    assert recent.decay < 1


def test_a_large_catalogue_takes_factors_in_place_of_a_matrix_over_all_items() -> None:
    large = names(replace(SHOP, items=1_500_000))
    assert "factors" in large
    assert not large & {"linear", "recent"}


@pytest.mark.parametrize(
    ("session", "history", "wanted"),
    [(3.0, 10.0, True), (10.0, 10.0, False), (1.1, 10.0, False)],
    ids=["several sessions", "one session each", "single events"],
)
def test_users_who_come_back_bring_the_item_graph(
    session: float, history: float, wanted: bool
) -> None:
    assert ("item_graph" in names(replace(SHOP, session=session, history=history))) == wanted


@pytest.mark.parametrize(
    ("cold", "attributes", "wanted"),
    [(0.2, ("category",), True), (0.2, (), False), (0.01, ("category",), False)],
    ids=["new items of known categories", "new items nothing is known of", "hardly any"],
)
def test_items_nobody_took_bring_the_item_graph_where_attributes_can_place_them(
    cold: float, attributes: tuple[str, ...], wanted: bool
) -> None:
    once = replace(SHOP, session=10.0, history=10.0, cold=cold, attributes=attributes)
    assert ("item_graph" in names(once)) == wanted
    if wanted:
        assert "nobody took 20% of the items yet" in choose_for(once).reasons["item_graph"]
        assert "category" in choose_for(once).reasons["item_graph"]


def test_both_reasons_for_the_item_graph_are_told() -> None:
    shape = replace(SHOP, cold=0.5, attributes=("a", "b", "c", "d", "e"))
    why = choose_for(shape).reasons["item_graph"]
    assert "users come back" in why
    assert "And nobody took 50% of the items yet; a, b, c and 2 more place them" in why


@pytest.mark.parametrize(
    ("deep", "events", "history", "wanted"),
    [
        (True, 1_000_000, 165.0, True),
        (False, 1_000_000, 165.0, False),
        (True, 1_000_000, 9.0, False),
        (True, 100_000, 106.0, False),
    ],
)
def test_many_long_histories_bring_a_neural_encoder_where_pytorch_is_installed(
    deep: bool, events: int, history: float, wanted: bool
) -> None:
    shape = replace(SHOP, events=events, history=history, deep=deep)
    assert ("sequence" in names(shape)) == wanted


def test_every_choice_has_a_reason_that_names_what_it_looked_at() -> None:
    choice = choose_for(SHOP)
    assert choice.reasons.keys() == choice.retrievers.keys()
    assert "90%" in choice.reasons["transitions"]
    assert "12,000 items" in choice.reasons["linear"]
    assert choice.lines[0] == f"Chose transitions: {choice.reasons['transitions']}"


def test_the_shape_of_a_log_is_counted() -> None:
    shape = Shape.of(ring(items=30, users=90))
    assert (shape.events, shape.users, shape.items, shape.history) == (540, 90, 30, 6.0)
    assert shape.session == 6.0
    assert shape.repeated == 1.0
    kinds = {"kind": Column.keyword(["a", "b", "a", "b", "a"])}
    cold = Shape.of(training_data([(0, 0, DAY), (0, 1, DAY + MINUTE), (0, 2, 2 * DAY)], 5, kinds))
    assert (cold.cold, cold.attributes) == (0.4, ("kind",))
    cold = training_data([(0, 0, DAY), (1, 1, DAY + MINUTE)], 4)
    assert set(choose_retrievers(cold).retrievers) == {"popular"}


def test_texts_find_items_that_nobody_took() -> None:
    shape = Shape(1_000, 100, 200, 10, 3, 0.9, cold=0.2, texts=0.8)
    assert "80% of the items have a text" in choose_for(shape).reasons["text_encoder"]
    for without in ({"cold": 0.0}, {"texts": 0.3}):
        assert "text_encoder" not in choose_for(replace(shape, **without)).retrievers
